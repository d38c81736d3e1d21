# SPDX-License-Identifier: Apache-2.0
"""Names below `wandb.sdk` that libraries reach for."""
from .. import Artifact, Config, Settings, finish, init, log, login, setup, unwatch, watch  # noqa: F401
from . import lib, wandb_run  # noqa: F401
