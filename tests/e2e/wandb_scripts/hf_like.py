# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls that the callback of Hugging Face's Trainer makes."""
import importlib.util
import numbers
import os
import tempfile

import wandb


class Callback:
    def __init__(self):
        assert importlib.util.find_spec("wandb") is not None and hasattr(wandb, "run")
        self._wandb = wandb
        self._ready = False

    def setup(self, args):
        from wandb.sdk.lib.config_util import ConfigError
        self._ready = True
        named = {"name": args["run_name"]}
        if self._wandb.run is None:
            self._wandb.init(project=os.getenv("WANDB_PROJECT", "huggingface"), **named)
        self._wandb.config.update({**args, "model_type": "bert"}, allow_val_change=True)
        if getattr(self._wandb, "define_metric", None):
            self._wandb.define_metric("train/global_step")
            self._wandb.define_metric("*", step_metric="train/global_step", step_sync=True)
        self._wandb.watch(object(), log="gradients", log_freq=max(100, args["logging_steps"]))
        self._wandb.run._label(code="transformers_trainer")
        try:
            self._wandb.config["model/num_parameters"] = 1234
        except (AttributeError, ConfigError):
            raise SystemExit("the number of parameters was not taken")

    def on_train_begin(self, args):
        if not self._ready:
            self.setup(args)

    def on_log(self, logs, global_step):
        single = ["train_runtime", "total_flos", "train_loss"]
        for name, value in logs.items():
            if name in single:
                self._wandb.run.summary[name] = value
        rest = {name: value for name, value in logs.items() if name not in single}
        renamed = {("eval/" + name[5:]) if name.startswith("eval_") else ("train/" + name): value
                   for name, value in rest.items()}
        self._wandb.log({**renamed, "train/global_step": global_step})

    def on_train_end(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.safetensors")
            with open(path, "wb") as file:
                file.write(b"tensors")
            artifact = self._wandb.Artifact(name=f"model-{self._wandb.run.id}", type="model",
                                            metadata={name: value for name, value in dict(self._wandb.summary).items()
                                                      if isinstance(value, numbers.Number) and not name.startswith("_")})
            with artifact.new_file("model.safetensors", mode="wb") as file, open(path, "rb") as source:
                file.write(source.read())
            self._wandb.run.log_artifact(artifact, aliases=["final_model"])


callback = Callback()
arguments = {"learning_rate": 0.25, "logging_steps": 10, "run_name": "bert-sweep", "report_to": ["wandb"], "seed": None}
callback.on_train_begin(arguments)
for step in (10, 20, 30):
    callback.on_log({"loss": 3.0 - step / 10, "learning_rate": 0.25, "epoch": step / 30}, step)
    callback.on_log({"eval_loss": 2.0 - step / 20, "eval_accuracy": step / 40}, step)
callback.on_log({"train_runtime": 12.5, "total_flos": 1e12, "train_loss": 1.5, "epoch": 1.0}, 30)
callback.on_train_end()
