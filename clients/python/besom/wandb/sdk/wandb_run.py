# SPDX-License-Identifier: Apache-2.0
"""`wandb.sdk.wandb_run`, also known as `wandb.wandb_run`."""
from .._run import Run  # noqa: F401
