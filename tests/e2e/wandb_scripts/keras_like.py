# SPDX-License-Identifier: GPL-3.0-or-later
"""What Keras does with callbacks, as far as it calls them; Keras itself is not needed."""
import wandb
from wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint
from wandb.keras import WandbCallback


class Optimizer:
    learning_rate = 0.5


class Model:
    optimizer = Optimizer()

    def save(self, path):
        with open(path, "w") as file:
            file.write("weights")

    def fit(self, callbacks, epochs, batches):
        for callback in callbacks:
            callback.set_params({"epochs": epochs})
            callback.set_model(self)
        self.tell(callbacks, "on_train_begin")
        for epoch in range(epochs):
            self.tell(callbacks, "on_epoch_begin", epoch)
            for batch in range(batches):
                self.tell(callbacks, "on_train_batch_begin", batch)
                self.tell(callbacks, "on_train_batch_end", batch, {"loss": 10.0 - epoch - batch / 10})
            self.tell(callbacks, "on_epoch_end", epoch, {"loss": 10.0 - epoch, "val_loss": [5.0, 3.0, 4.0][epoch]})
        self.tell(callbacks, "on_train_end")

    @staticmethod
    def tell(callbacks, method, *arguments):
        for callback in callbacks:
            getattr(callback, method)(*arguments, **({} if len(arguments) == 2 else {"logs": {}}))


try:
    WandbMetricsLogger()
    raise SystemExit("a callback without a run")
except wandb.Error:
    pass
wandb.init(config={"epochs": 3})
Model().fit([WandbMetricsLogger(log_freq=2), WandbCallback(monitor="val_loss", save_model=False),
             WandbModelCheckpoint(wandb.run.dir + "/model-{epoch}.keras", save_best_only=True)],
            epochs=wandb.config.epochs, batches=4)
wandb.finish()
