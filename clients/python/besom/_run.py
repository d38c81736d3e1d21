# SPDX-License-Identifier: Apache-2.0
"""A run as its program has it: what it logs, its configuration and summary, and its end."""

from __future__ import annotations

import os
import sys
import traceback
from types import TracebackType
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Sequence, Set, Tuple, Type, Union

from ._config import Config
from ._offline import Nothing, OfflineFile
from ._say import warn_once
from ._socket import Connection
from ._summary import Definition, Summary, Tally, parse_aggregates
from ._values import (DOUBLE_DIGITS_MAX, ENTRY_BYTES_MAX, LINE_BYTES_MAX, are_doubles, bounded, encode, flattened, is_name,
                      parts_of, plain)
from .errors import Error, FinishedError, UnavailableError

Sink = Union[Connection, Nothing]
LAST_WORDS_MAX = 4000  # characters; the agent keeps the last 4095 bytes
_are_numbers = frozenset((float, int, bool)).issuperset
_are_texts = frozenset((str,)).issuperset


def _line(message: Dict[str, Any]) -> bytes:
    return (encode(message) + "\n").encode()


def _plain_row(data: Mapping[str, Any]) -> Dict[str, Any]:
    """A row whose values are not all numbers of Python's own."""
    if not isinstance(data, Mapping):
        raise TypeError(f"log() takes a dict of metrics, not a {type(data).__name__}")
    for name in data:
        if not isinstance(name, str):
            raise TypeError(f"a metric's name is a str, not a {type(name).__name__}: {name!r}")
    values = plain(data)
    assert isinstance(values, dict)
    return bounded(flattened(values)) if len(encode(values)) > ENTRY_BYTES_MAX else values


class Identity:
    """What a run is called, from its environment or made up."""

    def __init__(self, run_id: str, sweep_id: Optional[str] = None, project: Optional[str] = None, attempt: int = 1,
                 directory: Optional[str] = None) -> None:
        self.run_id = run_id
        self.sweep_id = sweep_id
        self.project = project
        self.attempt = attempt
        self.directory = directory or os.getcwd()

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Identity:
        attempt = environment.get("BESOM_ATTEMPT", "1")
        return cls(environment.get("BESOM_RUN_ID", ""), environment.get("BESOM_SWEEP_ID"), environment.get("BESOM_PROJECT"),
                   int(attempt) if attempt.isdigit() else 1, environment.get("BESOM_RUN_DIR"))


class Run:
    """One run. Made by `besom.init()`; a context manager that finishes it.

    All methods may be called from any thread, and from forked processes, which then log to the same run. Logging does not
    raise when the agent is gone: it warns once.
    """

    def __init__(self, sink: Sink, identity: Identity, params: Mapping[str, Any], mode: str,
                 locked: FrozenSet[str] = frozenset()) -> None:
        self._sink = sink
        self._send = sink.send
        self._identity = identity
        self._mode = mode
        self._params = frozenset(params)
        self._pid = os.getpid()
        self._is_finished = False
        self._next_step = 0
        self._names: Set[str] = set()  # of metrics, that the agent takes
        self._about: Dict[str, Any] = {}
        self._tally: Optional[Tally] = None
        self._on_finish: List[Callable[[Optional[int], str], None]] = []  # take exit code and last words
        self.config = Config(params, locked, self._send_config)
        self.summary = Summary(self._send_summary)
        self._latest: Dict[str, Any] = self.summary.__dict__["_entries"]

    # ---- what it is ----

    @property
    def id(self) -> str:
        """Eight lower-case letters and digits."""
        return self._identity.run_id

    @property
    def sweep_id(self) -> Optional[str]:
        """The sweep that made the run; None for a run of its own."""
        return self._identity.sweep_id if self._mode == "sweep" else None

    @property
    def project(self) -> Optional[str]:
        return self._identity.project

    @property
    def mode(self) -> str:
        """"sweep", "single" (a run of its own, known to a controller), "offline" or "disabled"."""
        return self._mode

    @property
    def attempt(self) -> int:
        """From 1; greater when the run was lost or preempted and begins again."""
        return self._identity.attempt

    @property
    def resumed(self) -> bool:
        """True when an earlier attempt may have left a checkpoint in `dir`."""
        return self._identity.attempt > 1

    @property
    def dir(self) -> str:
        """Folder for the run's files, the same for all its attempts on this machine."""
        return self._identity.directory

    @property
    def url(self) -> None:
        return None

    @property
    def disabled(self) -> bool:
        return self._mode == "disabled"

    @property
    def offline(self) -> bool:
        return self._mode == "offline"

    @property
    def name(self) -> str:
        """Name for people; the id when nobody gave one. May be set."""
        return str(self._about.get("name", self.id))

    @name.setter
    def name(self, name: str) -> None:
        self._say_about({"name": str(name)})

    @property
    def notes(self) -> Optional[str]:
        """May be set."""
        notes: Optional[str] = self._about.get("notes")
        return notes

    @notes.setter
    def notes(self, notes: str) -> None:
        self._say_about({"notes": str(notes)})

    @property
    def tags(self) -> Tuple[str, ...]:
        """May be set: `run.tags += ("baseline",)`."""
        return tuple(self._about.get("tags", ()))

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self._say_about({"tags": [str(tag) for tag in ([tags] if isinstance(tags, str) else tags)]})

    @property
    def group(self) -> Optional[str]:
        group: Optional[str] = self._about.get("group")
        return group

    @property
    def job_type(self) -> Optional[str]:
        job_type: Optional[str] = self._about.get("job_type")
        return job_type

    @property
    def step(self) -> int:
        """Step of the next row that names none. Asks the agent, since other processes may log too."""
        if isinstance(self._sink, Connection) and not self._is_finished:
            try:
                return int(self._sink.ask("step"))
            except UnavailableError as error:
                warn_once("step", str(error))
            except (Error, TypeError, ValueError):
                pass
        return self._next_step

    @property
    def stop_requested(self) -> bool:
        """True once the run is to end (stopped early, killed, or its agent leaves); SIGTERM is on its way then."""
        return self._sink.stop_reason() is not None

    @property
    def stop_reason(self) -> Optional[str]:
        """Why it is to end, in words; None while it is not."""
        return self._sink.stop_reason()

    def __repr__(self) -> str:
        return f"<besom.Run {self.id} ({self._mode})>"

    def __reduce__(self) -> Any:
        """A worker that is given the run has the same one."""
        from ._init import rejoin
        return rejoin, (self._mode, self.id, self.project, self.dir)

    # ---- what it says ----

    def log(self, data: Dict[str, Any], step: Optional[int] = None, commit: Optional[bool] = None) -> None:
        """Logs one row of metrics.

        Numbers of any library, bools and nested dicts (as "outer.inner") are metrics; NaN and infinities are kept. Anything
        else becomes an entry of the summary. Without `step` the row takes the next one. With `commit=False` the row stays
        open for further calls. Raises FinishedError after `finish()`, TypeError when `data` is no dict with names for keys.
        """
        if self._is_finished:
            raise FinishedError(f"run {self.id} is finished and takes no more metrics")
        is_plain = type(data) is dict and _are_numbers(map(type, data.values())) and _are_texts(map(type, data))
        values = data if is_plain else _plain_row(data)
        flat = values if is_plain else flattened(values)
        if not self._names.issuperset(flat):
            named = {name: value for name, value in flat.items() if name in self._names or is_name(name)}
            self._names.update(named)
            if len(named) < len(flat):
                values = flat = named
        try:
            text = encode(values)
        except ValueError:  # a whole number of more digits than Python writes
            text = ""
        if not text or len(text) > DOUBLE_DIGITS_MAX and not are_doubles(values.values()):
            values = flat = plain(values)
            text = encode(values)
        if step is None and commit is not False:
            line = '{"log":' + text + "}\n"
            self._next_step += 1
        else:
            line = self._row_line(text, step, commit)
        if len(line) > LINE_BYTES_MAX:
            self._send_long_row(values, step, commit)
        else:
            self._send(line.encode())
        if self._tally is not None:
            self._tally.add(flat)
        else:
            self._latest.update(flat)

    def _row_line(self, text: str, step: Optional[int], commit: Optional[bool]) -> str:
        parts = ['{"log":', text]
        if step is not None:
            number = int(step)
            parts.append(f',"step":{number}')
            self._next_step = max(self._next_step, number + 1)
        if commit is False:
            parts.append(',"commit":false')
        parts.append("}\n")
        return "".join(parts)

    def _send_long_row(self, values: Dict[str, Any], step: Optional[int], commit: Optional[bool]) -> None:
        """In several lines, of which only the last ends the row."""
        parts = parts_of(values)
        for part in parts[:-1]:
            self._send(self._row_line(encode(part), step, False).encode())
        self._send(self._row_line(encode(parts[-1]), step, commit).encode())

    def define_metric(self, name: str, step_metric: Optional[str] = None, summary: Any = None, goal: Optional[str] = None,
                      hidden: Optional[bool] = None, **_: Any) -> None:
        """Says how a metric, or all that match a pattern such as "val/*", are summed up and drawn.

        `summary`: any of min, max, mean, best, first, last, none, joined by commas or in a list; `goal`: minimize or
        maximize, for best; `step_metric`: the metric that charts take as their x axis. InvalidError for other words.
        """
        aggregates = parse_aggregates(summary)
        goal = {"min": "minimize", "max": "maximize"}.get(goal or "", goal)
        definition: Dict[str, Any] = {"name": str(name)}
        if aggregates:
            definition["summary"] = ",".join(aggregates)
        for key, value in (("goal", goal), ("step_metric", step_metric), ("hidden", hidden)):
            if value is not None:
                definition[key] = value
        if self._tally is None:
            self._tally = Tally(self._latest)
        self._tally.define(Definition(str(name), aggregates, goal))
        self._say({"define_metric": definition})

    def mark_preempting(self) -> None:
        """The machine is going away: unless the program ends with 0 the run is queued again."""
        self._say({"preempting": True})

    def _say(self, message: Dict[str, Any]) -> None:
        if self._is_finished:
            raise FinishedError(f"run {self.id} is finished")
        self._send(_line(message))

    def _say_about(self, about: Dict[str, Any]) -> None:
        self._about.update(about)
        self._say({"about": about})

    def _send_config(self, changed: Dict[str, Any]) -> None:
        added = {name: value for name, value in changed.items() if name not in self._params}
        if len(added) < len(changed):
            warn_once(("config", self.id), "entries that the run was made with keep their value in its record")
        if added:
            for part in parts_of(bounded(added)):
                self._say({"config": part})

    def _send_summary(self, entries: Dict[str, Any]) -> None:
        for part in parts_of(entries):
            self._say({"summary": part})

    # ---- how it ends ----

    def finish(self, exit_code: Optional[int] = None, quiet: Optional[bool] = None) -> None:
        """Ends logging. Idempotent; nothing in a forked child.

        `exit_code` says how the run ended; the default is as the program, or the agent's function, does. With another one
        than 0 the run has failed. A bad end of the program itself counts in any case.
        """
        self._end(exit_code, "")

    def _end(self, exit_code: Optional[int], last_words: str) -> None:
        if self._is_finished or self._pid != os.getpid():
            return
        self._say_end(exit_code, last_words)
        self._is_finished = True
        self._sink.close()
        try:
            for call in self._on_finish:
                call(exit_code, last_words)
        finally:
            _forget(self)

    def _say_end(self, exit_code: Optional[int], last_words: str) -> None:
        """To the agent, that a run of a sweep has failed whatever its command ends with, or that it has not after all.

        Nothing in a worker of multiprocessing: what its end means is its parent's to say.
        """
        global _failed_socket
        code = _byte(exit_code)
        if self._mode != "sweep" or not isinstance(self._sink, Connection) or _is_worker():
            return
        if code == 0 and _failed_socket != self._sink.path:
            return
        text = last_words or f"finish(exit_code={exit_code})"
        self._send(_line({"exit_code": code, "text": text[-LAST_WORDS_MAX:]} if code else {"exit_code": 0}))
        _failed_socket = self._sink.path if code else None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if error is None:
            self._end(None, "")
        else:
            self._end(exit_code_of(error), "".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))


def _byte(exit_code: Optional[int]) -> int:
    """As the system takes an exit code, and a bad one is no good one for that."""
    code = int(exit_code or 0)
    return code & 0xFF or int(code != 0)


def _is_worker() -> bool:
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and processes.parent_process() is not None


def exit_code_of(error: Optional[BaseException]) -> int:
    """Exit code with which Python ends when nobody catches `error`."""
    if isinstance(error, SystemExit):
        if error.code is None:
            return 0
        return error.code & 0xFF if isinstance(error.code, int) else 1
    return 130 if isinstance(error, KeyboardInterrupt) else 1


# ---- the process's run ----

_current: Optional[Run] = None
_finished_socket: Optional[str] = None  # of the agent's run that was finished last
_failed_socket: Optional[str] = None  # of the agent's run that was said to have failed


def current() -> Optional[Run]:
    """The run that `besom.init()` made, None before it and after its end."""
    return _current


def set_current(run: Optional[Run]) -> None:
    global _current
    _current = run


def was_finished(run_socket: str) -> bool:
    """The run that an agent has at this socket was begun and finished by this process."""
    return run_socket == _finished_socket


def _forget(run: Run) -> None:
    global _current, _finished_socket
    if _current is run:
        _current = None
        _finished_socket = os.environ.get("BESOM_RUN_SOCKET")
