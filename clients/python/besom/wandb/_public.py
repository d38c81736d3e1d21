# SPDX-License-Identifier: Apache-2.0
"""`wandb.Api()`: Besom's `Api` under W&B's names, with its filters and orders done here."""
import os

import besom
from besom.errors import NotFoundError

from ._queries import in_order, matches
from ._summary import Entries
from .errors import CommError, UnsupportedError


class _NotFound(CommError, ValueError):
    """W&B raises either, depending on what is missing."""


def _found(read, path):
    try:
        return read(path)
    except NotFoundError as error:
        raise _NotFound(str(error)) from None


class _Summary(Entries):
    @property
    def _json_dict(self):
        return dict(self)


class _Read:
    """What Besom read of an object stands where W&B has nothing else."""

    def __init__(self, record):
        self._record = record

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._record, name)


class Run(_Read):
    """One run as it was when it was read."""

    @property
    def summary(self):
        return _Summary(self._record.summary)

    summary_metrics = summary

    @property
    def rawconfig(self):
        return self.config

    @property
    def created_at(self):
        created = self._record.created_at
        return created.strftime("%Y-%m-%dT%H:%M:%SZ") if created else None

    @property
    def sweep(self):
        return Sweep(besom.Api().sweep(self._record.sweep_id))

    sweep_name = property(lambda self: self._record.sweep_id)
    display_name = property(lambda self: self._record.name)
    url = None

    @property
    def path(self):
        return [self._record.sweep_id, self._record.id]

    @property
    def lastHistoryStep(self):
        steps = [figures.get("last_step", -1) for figures in self._record.record.get("metrics", {}).values()]
        return max(steps, default=-1)

    def history(self, samples=500, keys=None, x_axis="_step", pandas=True, stream="default"):
        """A DataFrame; a list of rows where pandas is not installed, or not wanted."""
        if stream != "default":
            raise UnsupportedError("only what programs log is kept: no system metrics")
        rows = self._record.history(keys=keys, samples=samples)
        if not pandas:
            return rows
        try:
            import pandas as frames
        except ImportError:
            return rows
        return frames.DataFrame(rows)

    def scan_history(self, keys=None, page_size=1000, min_step=None, max_step=None):
        names = None if keys is None else [key for key in keys if not key.startswith("_")]
        for row in self._record.scan_history(names):
            if (min_step is None or row["_step"] >= min_step) and (max_step is None or row["_step"] < max_step):
                yield row if keys is None else {key: row[key] for key in keys if key in row}

    def load(self, force=False):
        self._record.load()
        return self

    def wait_until_finished(self):
        import time
        while self._record.load().exit_code is None:
            time.sleep(1)

    def files(self, names=None, per_page=50):
        return []

    def file(self, name):
        raise UnsupportedError(f"{name}: files stay on the machine of the run")

    def logged_artifacts(self, per_page=100):
        return []

    used_artifacts = logged_artifacts

    def update(self):
        raise UnsupportedError("a run that was read is not written back: `besom tag`, `besom note` and `besom rename` exist")

    def __repr__(self):
        return f"<Run {self._record.id} ({self._record.state})>"


class Sweep(_Read):
    @property
    def state(self):
        """As the service writes it: upper case."""
        return self._record.state.upper()

    @property
    def runs(self):
        return Runs(self._record.runs)

    def best_run(self, order=None):
        if order is None or order == self._record.order:
            best = self._record.best_run()
            return None if best is None else Run(best)
        runs = in_order([run for run in self.runs], order)
        return runs[0] if runs else None

    def load(self, force=False):
        self._record.load()
        return self

    entity = ""
    url = None

    @property
    def path(self):
        return [self._record.project, self._record.id]

    def __repr__(self):
        return f"<Sweep {self._record.id} ({self.state})>"


class Runs(list):
    def __init__(self, records):
        super().__init__(record if isinstance(record, Run) else Run(record) for record in records)


class Api:
    """Reads from the controller that `besom` would use."""

    def __init__(self, overrides=None, timeout=None, api_key=None):
        self._api = besom.Api()
        self.settings = {"entity": "", "project": os.environ.get("WANDB_PROJECT") or "uncategorized",
                         **(overrides or {})}

    default_entity = ""
    api_key = None

    def run(self, path=""):
        return Run(_found(self._api.run, path))

    def sweep(self, path=""):
        return Sweep(_found(self._api.sweep, path))

    def runs(self, path=None, filters=None, order="+created_at", per_page=50, include_sweeps=True):
        """Runs of a project ("entity/project" or its name), of one sweep with filters={"sweep": id}."""
        filters = dict(filters or {})
        sweep = filters.pop("sweep", None)
        if sweep is not None:
            records = _found(self._api.sweep, sweep).runs
        else:
            project = (path or self.settings["project"]).rstrip("/").rsplit("/", 1)[-1]
            records = [record for each in _found(self._api.sweeps, project) for record in each.runs]
        runs = [run for run in Runs(records) if matches(run, filters)]
        return Runs(in_order(runs, order) if order else runs)

    def sweeps(self, path=None):
        return [Sweep(record) for record in self._api.sweeps(path.rstrip("/").rsplit("/", 1)[-1] if path else None)]

    def flush(self):
        pass

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        if name in ("artifact", "artifacts", "artifact_type", "artifact_types", "artifact_collection", "reports", "projects",
                    "project", "team", "user", "users", "queue_names", "upsert_run_queue", "create_run", "viewer",
                    "job", "jobs", "registries"):
            raise UnsupportedError(f"Api.{name}: there is nothing of that kind here (runs and sweeps can be read)")
        raise AttributeError(f"'Api' object has no attribute '{name}'")
