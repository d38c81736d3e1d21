# SPDX-License-Identifier: Apache-2.0
"""`besom.Api()`: reading sweeps and runs, through `besom ... --json`."""

from __future__ import annotations

import datetime
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from ._command import answer
from ._config import Section
from ._values import number
from .errors import InvalidError, NotFoundError


def _id_of(path: str) -> str:
    """The last part of "project/id" or "sweep/id"."""
    name = path.rstrip("/").rsplit("/", 1)[-1] if isinstance(path, str) else ""
    if not name:
        raise InvalidError(f"no id: {path!r}")
    return name


def _time_of(microseconds: Any) -> Optional[datetime.datetime]:
    """UTC; None for what has not happened yet."""
    if not microseconds:
        return None
    return datetime.datetime.fromtimestamp(microseconds / 1e6, tz=datetime.timezone.utc)


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return number(value)


class RunRecord:
    """One run as it was when it was read; `load()` reads it again."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = record

    @property
    def record(self) -> Dict[str, Any]:
        """All that `besom` says of it, by the names of its `--json`."""
        return dict(self._record)

    def load(self) -> RunRecord:
        self._record = answer("why", self.id)["run"]
        return self

    @property
    def id(self) -> str:
        return str(self._record["run_id"])

    @property
    def sweep_id(self) -> str:
        return str(self._record["sweep_id"])

    @property
    def name(self) -> str:
        """The id when nobody gave a name."""
        return str(self._record.get("name") or self.id)

    @property
    def state(self) -> str:
        """pending, assigned, running, preempting, paused, finished, stopped, failed, killed or crashed."""
        return str(self._record["state"])

    @property
    def end_reason(self) -> str:
        """In words; empty while it lives."""
        return str(self._record.get("end_reason", ""))

    @property
    def config(self) -> Dict[str, Any]:
        """The parameters, and what the program added."""
        return Section(_numbers(self._record.get("config") or self._record.get("params") or {}))

    @property
    def params(self) -> Dict[str, Any]:
        """The parameters that it was made with."""
        return dict(self._record.get("params") or {})

    @property
    def summary(self) -> Dict[str, Any]:
        """The last value of each metric, or what its definition asks for, and what the program set."""
        if isinstance(self._record.get("summary"), dict):
            return dict(_numbers(self._record["summary"]))
        return {name: number(figures["last"]) for name, figures in self._record.get("metrics", {}).items()}

    @property
    def objective(self) -> Optional[float]:
        """Best value of the sweep's metric; None when there is none."""
        value = number(self._record.get("objective"))
        return None if value is None else float(value)

    @property
    def tags(self) -> List[str]:
        return list(self._record.get("tags") or [])

    @property
    def notes(self) -> str:
        return str(self._record.get("notes") or "")

    @property
    def attempt(self) -> int:
        return int(self._record.get("attempt", 0))

    @property
    def exit_code(self) -> Optional[int]:
        """None while it lives."""
        return int(self._record["exit_code"]) if self._record.get("ended_us") else None

    @property
    def created_at(self) -> Optional[datetime.datetime]:
        return _time_of(self._record.get("created_us"))

    @property
    def started_at(self) -> Optional[datetime.datetime]:
        """None when it has not begun."""
        return _time_of(self._record.get("started_us"))

    @property
    def ended_at(self) -> Optional[datetime.datetime]:
        return _time_of(self._record.get("ended_us"))

    def scan_history(self, keys: Optional[Sequence[str]] = None) -> Iterator[Dict[str, Any]]:
        """Every row that was logged, by step: {"_step": 0, "_timestamp": seconds, "loss": 0.3}.

        With `keys` only rows that have them all. What was logged at one step in several calls is one row.
        """
        series = answer("metrics", self.id, *(keys or ()))["series"]
        rows: Dict[int, Dict[str, Any]] = {}
        for each in series:
            times = each.get("times_us") or [0] * len(each["steps"])
            for step, value, time_us in zip(each["steps"], each["values"], times):
                row = rows.setdefault(step, {"_step": step, "_timestamp": time_us / 1e6})
                row[each["name"]] = number(value)
                row["_timestamp"] = max(row["_timestamp"], time_us / 1e6)
        for step in sorted(rows):
            if all(key in rows[step] for key in keys or ()):
                yield rows[step]

    def history(self, keys: Optional[Sequence[str]] = None, samples: int = 500, pandas: bool = False) -> Any:
        """At most `samples` rows of `scan_history`, evenly spread, first and last among them.

        A list of dicts, or a DataFrame with `pandas=True`.
        """
        rows = list(self.scan_history(keys))
        if 0 < samples < len(rows):
            last = len(rows) - 1
            rows = [rows[round(i * last / max(samples - 1, 1))] for i in range(samples)]
        if not pandas:
            return rows
        import pandas as frames  # type: ignore[import-not-found,import-untyped,unused-ignore]
        return frames.DataFrame(rows)

    def __repr__(self) -> str:
        return f"<besom.RunRecord {self.id} ({self.state})>"


class SweepRecord:
    """One sweep as it was when it was read; `load()` reads it again. Its runs are read when they are asked for."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = record

    @property
    def record(self) -> Dict[str, Any]:
        """All that `besom` says of it, by the names of its `--json`."""
        return dict(self._record)

    def load(self) -> SweepRecord:
        self._record = answer("status", self.id)
        return self

    @property
    def id(self) -> str:
        return str(self._record["sweep_id"])

    @property
    def name(self) -> str:
        return str(self._record.get("name") or self.id)

    @property
    def project(self) -> str:
        return str(self._record.get("project", ""))

    @property
    def state(self) -> str:
        """pending, running, paused, finished or canceled."""
        return str(self._record["state"])

    @property
    def config(self) -> Dict[str, Any]:
        """The sweep file, as it was understood."""
        return dict(self._record.get("spec") or {})

    @property
    def metric(self) -> Optional[str]:
        return self._record.get("metric") or None

    @property
    def order(self) -> Optional[str]:
        """"-summary_metrics.NAME" or "+summary_metrics.NAME", the best run first; None without a metric."""
        if self.metric is None:
            return None
        return ("-" if self._record.get("goal") == "maximize" else "+") + "summary_metrics." + self.metric

    @property
    def expected_run_count(self) -> Optional[int]:
        """None when there is no bound."""
        return int(self._record.get("expected_runs") or 0) or None

    @property
    def runs(self) -> List[RunRecord]:
        """In order of their suggestions."""
        return [RunRecord(record) for record in answer("runs", self.id)["runs"]]

    def best_run(self) -> Optional[RunRecord]:
        """The run with the best value of the metric; None as long as none has one."""
        try:
            return RunRecord(answer("best", self.id))
        except NotFoundError:
            self.load()  # NotFoundError when it is the sweep that is missing
            return None

    def __repr__(self) -> str:
        return f"<besom.SweepRecord {self.id} ({self.state})>"


class Api:
    """Reads from the controller that `besom` would use. Each call starts that program once.

    NotFoundError for an unknown id, UnavailableError without a controller.
    """

    def sweep(self, path: str) -> SweepRecord:
        """By id; "project/id" works too."""
        return SweepRecord(answer("status", _id_of(path)))

    def run(self, path: str) -> RunRecord:
        """By id; "sweep/id" works too."""
        return RunRecord(answer("why", _id_of(path))["run"])

    def runs(self, path: str) -> List[RunRecord]:
        """All runs of a sweep."""
        return self.sweep(path).runs

    def sweeps(self, project: Optional[str] = None) -> List[SweepRecord]:
        """Newest first, of all projects when none is named."""
        options = ["--project", project] if project else []
        return [SweepRecord(record) for record in answer("ls", *options)["sweeps"]]
