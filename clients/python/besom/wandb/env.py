# SPDX-License-Identifier: Apache-2.0
"""Names of W&B's environment variables, and the few that are read."""
import os

CONFIG_PATHS = "WANDB_CONFIG_PATHS"
SWEEP_PARAM_PATH = "WANDB_SWEEP_PARAM_PATH"
SHOW_RUN = "WANDB_SHOW_RUN"
DEBUG = "WANDB_DEBUG"
SILENT = "WANDB_SILENT"
QUIET = "WANDB_QUIET"
MODE = "WANDB_MODE"
RESUME = "WANDB_RESUME"
RUN_ID = "WANDB_RUN_ID"
RUN_DIR = "WANDB_RUN_DIR"
RUN_GROUP = "WANDB_RUN_GROUP"
JOB_TYPE = "WANDB_JOB_TYPE"
SWEEP_ID = "WANDB_SWEEP_ID"
API_KEY = "WANDB_API_KEY"
BASE_URL = "WANDB_BASE_URL"
ENTITY = "WANDB_ENTITY"
PROJECT = "WANDB_PROJECT"
NAME = "WANDB_NAME"
NOTES = "WANDB_NOTES"
TAGS = "WANDB_TAGS"
DIR = "WANDB_DIR"
CACHE_DIR = "WANDB_CACHE_DIR"
CONFIG_DIR = "WANDB_CONFIG_DIR"
DATA_DIR = "WANDB_DATA_DIR"
ARTIFACT_DIR = "WANDB_ARTIFACT_DIR"
DISABLE_CODE = "WANDB_DISABLE_CODE"
DISABLE_GIT = "WANDB_DISABLE_GIT"
DISABLED = "WANDB_DISABLED"
CONSOLE = "WANDB_CONSOLE"
START_METHOD = "WANDB_START_METHOD"
AGENT_MAX_INITIAL_FAILURES = "WANDB_AGENT_MAX_INITIAL_FAILURES"
AGENT_DISABLE_FLAPPING = "WANDB_AGENT_DISABLE_FLAPPING"
AGENT_KILL_DELAY = "WANDB_AGENT_KILL_DELAY"
WATCH = "WANDB_WATCH"
LOG_MODEL = "WANDB_LOG_MODEL"


def get_project(default=None, env=None):
    return (os.environ if env is None else env).get(PROJECT, default)


def get_entity(default=None, env=None):
    return (os.environ if env is None else env).get(ENTITY, default)


def get_dir(default=None, env=None):
    return (os.environ if env is None else env).get(DIR, default)


def get_run(default=None, env=None):
    return (os.environ if env is None else env).get(RUN_ID, default)


def get_tags(default="", env=None):
    text = (os.environ if env is None else env).get(TAGS, default)
    return [tag.strip() for tag in (text or "").split(",") if tag.strip()]


def is_debug(default=None, env=None):
    return (os.environ if env is None else env).get(DEBUG, default or "").lower() in ("1", "true")
