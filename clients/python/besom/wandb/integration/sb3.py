# SPDX-License-Identifier: Apache-2.0
"""A callback for Stable Baselines 3. What the algorithm logs comes through `wandb.init(sync_tensorboard=True)`; this saves the
model and puts the algorithm's settings into the configuration."""
import os

import besom.wandb as wandb

try:
    from stable_baselines3.common.callbacks import BaseCallback as _Base
except Exception:  # not installed, or broken
    class _Base:
        def __init__(self, verbose=0):
            self.verbose = verbose
            self.n_calls = 0


class WandbCallback(_Base):
    def __init__(self, verbose=0, model_save_path=None, model_save_freq=0, gradient_save_freq=0, log="all"):
        super().__init__(verbose)
        if wandb.run is None:
            raise wandb.Error("You must call wandb.init() before WandbCallback()")
        self.model_save_freq = model_save_freq
        self.path = None
        if model_save_path is not None:
            os.makedirs(model_save_path, exist_ok=True)
            self.path = os.path.join(model_save_path, "model.zip")

    def _init_callback(self):
        found = {"algo": type(self.model).__name__}
        for name, value in self.model.__dict__.items():
            found[name] = value if type(value) in (int, float, str, bool) else str(value)[:1000]
        wandb.config.setdefaults(found)

    def _on_step(self):
        if self.model_save_freq > 0 and self.path is not None and self.n_calls % self.model_save_freq == 0:
            self.model.save(self.path)
        return True

    def _on_training_end(self):
        if self.path is not None:
            self.model.save(self.path)
