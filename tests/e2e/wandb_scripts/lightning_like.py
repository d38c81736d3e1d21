# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls that Lightning's WandbLogger makes of a run."""
import wandb
from wandb.sdk.lib import RunDisabled
from wandb.wandb_run import Run


class Logger:
    STEP = "trainer/global_step"

    def __init__(self, project=None, name=None, experiment=None, log_model=False, **more):
        self._init = dict(name=name, project=project, resume="allow", **more)
        self._experiment = experiment
        self._log_model = log_model
        self._attach_id = None

    @property
    def experiment(self):
        if self._experiment is None:
            if wandb.run is not None:
                self._experiment = wandb.run
            elif self._attach_id is not None and hasattr(wandb, "_attach"):
                self._experiment = wandb._attach(self._attach_id)
            else:
                self._experiment = wandb.init(**self._init)
                if isinstance(self._experiment, (Run, RunDisabled)) and getattr(self._experiment, "define_metric", None):
                    self._experiment.define_metric(self.STEP)
                    self._experiment.define_metric("*", step_metric=self.STEP, step_sync=True)
        return self._experiment

    def log_hyperparams(self, params):
        self.experiment.config.update(params, allow_val_change=True)

    def watch(self, model):
        self.experiment.watch(model, log="gradients", log_freq=100, log_graph=True)

    def log_metrics(self, metrics, step=None):
        self.experiment.log({**metrics, self.STEP: step} if step is not None else dict(metrics))

    def log_table(self, key, columns, data):
        self.log_metrics({key: wandb.Table(columns=columns, data=data, dataframe=None)})

    def finalize(self, path):
        artifact = wandb.Artifact(name=f"model-{self.experiment.id}", type="model", metadata={"score": 1.0})
        artifact.add_file(path, name="model.ckpt")
        self.experiment.log_artifact(artifact, aliases=["latest", "best"])

    def __getstate__(self):
        state = dict(self.__dict__, _experiment=None)
        if self._experiment is not None:
            state.update(_id=self._experiment.id, _name=self._experiment.name,
                         _attach_id=getattr(self._experiment, "_attach_id", None))
        return state


logger = Logger(project="lightning", log_model=True)
assert isinstance(logger.experiment, Run) and logger.experiment is wandb.run
logger.log_hyperparams({"lr": wandb.config.lr, "hidden": 64, "loss_class": Logger})
logger.watch(object())
for step in range(0, 40, 10):
    logger.log_metrics({"train_loss": 4.0 - step / 10, "epoch": step // 20}, step)
logger.log_metrics({"val_loss": 0.5}, 40)
logger.log_table("samples", ["text", "label"], [["good", 1]])
other = Logger()
other.__dict__.update(logger.__getstate__())
assert other.experiment is wandb.run
with open("last.ckpt", "w") as file:
    file.write("state")
logger.finalize("last.ckpt")
logger.experiment.finish()
