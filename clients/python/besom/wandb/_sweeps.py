# SPDX-License-Identifier: Apache-2.0
"""`wandb.sweep` and `wandb.agent`."""
import os

import besom
import besom.wandb as wandb


def create(sweep, entity=None, project=None, prior_runs=None):
    """The new sweep's id. `entity` says nothing: there are projects alone."""
    if callable(sweep):
        sweep = sweep()
    project = project or os.environ.get("WANDB_PROJECT") or None
    if isinstance(sweep, dict):
        project = None if sweep.get("project") and not project else project
    return besom.sweep(sweep, project=project, prior_runs=prior_runs)


def run_agent(sweep_id, function=None, entity=None, project=None, count=None):
    """Runs of the sweep, in `function` or in commands of their own. A run of the calling program is set aside meanwhile."""
    outer = wandb.run, wandb.config, wandb.summary

    def call():
        wandb.run, wandb.config, wandb.summary = None, wandb._init_config, wandb._init_summary
        return function()

    try:
        besom.agent(str(sweep_id).rsplit("/", 1)[-1], function=None if function is None else call, count=count)
    finally:
        wandb.run, wandb.config, wandb.summary = outer
