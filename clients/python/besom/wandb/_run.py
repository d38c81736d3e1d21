# SPDX-License-Identifier: Apache-2.0
"""`wandb.run`: Besom's run under W&B's names, with W&B's rules about steps.

A row without `step` is whole at once; one with `step` stays open until another step comes, so that several calls fill it; a
step below the current one is dropped. `besom.Run` has the connection, the configuration and the summary.
"""
import os
import time
import traceback

from besom import errors as besom_errors
from besom._run import exit_code_of

from . import _messages, _values
from ._files import RunFiles
from ._summary import Summary
from .errors import Error, UsageError

_are_plain = frozenset((float, int, bool)).issuperset
_are_names = frozenset((str,)).issuperset
_own_keys = frozenset(_values.OWN_KEYS)


class Metric:
    """What `define_metric` returns."""

    def __init__(self, name, step_metric, step_sync, hidden, summary, goal, overwrite):
        self.name = name
        self.step_metric = step_metric
        self.step_sync = step_sync
        self.hidden = hidden
        self.summary = summary
        self.goal = goal
        self.overwrite = overwrite


def _attached(run_id):
    import besom.wandb as wandb
    return wandb.attach(run_id)


class Run(RunFiles):
    """One run. A context manager that finishes it, with exit code 1 when an exception passes."""

    def __init__(self, inner, settings, entity=None, resume=False):
        self._inner = inner
        self._end_inner = inner._end
        inner._end = self._end  # at exit, or when an agent's function has returned
        self._log = inner.log
        self._settings = settings
        self._entity = entity
        self._pid = os.getpid()
        self._started = time.time()
        self._is_done = False
        self._folder_made = False
        self._on_done = None
        self._starting_step = inner.step if inner.mode in ("sweep", "single") else 0
        self._step = self._starting_step
        # Begun again without `resume` a program counts its steps from 0, and nothing of that is to be lost.
        self._floor = self._starting_step if resume else 0
        self._is_open = False  # a row was begun and not ended
        self._row_pid = self._pid
        self._is_simple = True
        self._told_of_low_step = False
        self.config = inner.config
        self.summary = inner.summary = Summary(inner.summary, self._keepable)

    # ---- logging ----

    def log(self, data, step=None, commit=None, sync=None):
        if self._is_done:
            raise UsageError(f"Run ({self.id}) is finished. The call to `log` will be ignored. "
                             "Please make sure that you are using an active run.")
        if step is None and self._is_simple and commit is not False and type(data) is dict and data and \
                _are_plain(map(type, data.values())) and _are_names(map(type, data)) and _own_keys.isdisjoint(data):
            self._log(data)
            self._step += 1
            self._floor = self._step
            return
        self._log_carefully(data, step, commit)

    def _log_carefully(self, data, step, commit):
        if not hasattr(data, "keys"):
            raise ValueError("wandb.log must be passed a dictionary")
        if not _are_names(map(type, data)) and any(not isinstance(name, str) for name in data):
            raise ValueError("Key values passed to `wandb.log` must be strings.")
        if self._row_pid != os.getpid():  # forked: a row that is open is the parent's
            self._row_pid = os.getpid()
            self._step += self._is_open
            self._is_open = False
        stays = commit is False or (commit is None and step is not None)
        if step is not None and not self._take_step(step):
            return
        if step is None and stays and not self._is_open:
            self._step = self._next_step()
        row, media = _values.split(data, self._step, self._media_folder)
        if media:
            self._inner.summary.update(media)
        # The agent ends a row that nothing was added to for a second, so all lines of an open row name its step.
        named = step is not None or stays or self._is_open or self._step < self._starting_step
        if row or not stays:
            self._inner.log(row, step=self._step if named else None, commit=False if stays else None)
        self._is_open = stays
        if not stays:
            self._step += 1
        self._floor = self._step
        self._is_simple = not stays and self._step >= self._starting_step

    def _next_step(self):
        """The step of a row that is begun now: other processes may have logged meanwhile."""
        if self._inner.mode in ("sweep", "single") and self._step >= self._starting_step:
            return max(self._step, self._inner.step)
        return self._step

    def _take_step(self, step):
        """True when a row of this step can be written; then it is the current one."""
        if hasattr(step, "item"):
            step = step.item()
        try:
            step = int(step)
        except (TypeError, ValueError):
            raise ValueError(f"step must be a whole number, not {step!r}") from None
        if step < self._floor:
            if not self._told_of_low_step:
                self._told_of_low_step = True
                _messages.termwarn(f"Tried to log to step {step} that is less than the current step {self._floor}. Steps "
                                   "must be monotonically increasing, so this data will be ignored (said once).")
            return False
        self._step = step
        return True

    def define_metric(self, name, step_metric=None, step_sync=None, hidden=None, summary=None, goal=None, overwrite=None,
                      **_):
        if not name:
            raise Error("define_metric() requires non-empty name argument")
        name = str(getattr(name, "name", name))
        if "*" in name[:-1]:
            raise Error("Unhandled define_metric() arg: name (glob suffixes only): " + name)
        step_metric = getattr(step_metric, "name", step_metric)
        words = [word.strip() for word in summary.split(",") if word.strip()] if isinstance(summary, str) else summary
        words = ["last" if word == "copy" else word for word in words] if words else None
        if goal not in (None, "minimize", "maximize", "min", "max"):
            raise Error(f"Unhandled define_metric() arg: goal: {goal}")
        try:
            self._inner.define_metric(name, step_metric, words, goal, hidden)
        except besom_errors.InvalidError as error:
            raise Error(f"Unhandled define_metric() arg: summary: {error}") from None
        return Metric(name, step_metric, step_sync, hidden, summary, goal, overwrite)

    def _keepable(self, name, value):
        return _values.keepable(value, name, self._step, self._media_folder)

    # ---- what it is ----

    @property
    def id(self):
        return self._inner.id

    @property
    def name(self):
        return self._inner.name

    @name.setter
    def name(self, name):
        self._inner.name = name

    @property
    def display_name(self):
        return self._inner.name

    @property
    def notes(self):
        return self._inner.notes

    @notes.setter
    def notes(self, notes):
        self._inner.notes = notes or ""

    @property
    def tags(self):
        return self._inner.tags

    @tags.setter
    def tags(self, tags):
        self._inner.tags = tags

    @property
    def group(self):
        return self._inner.group or ""

    @property
    def job_type(self):
        return self._inner.job_type or ""

    @property
    def project(self):
        return self._inner.project or "uncategorized"

    @property
    def entity(self):
        return self._entity or ""

    @property
    def path(self):
        return "/".join(part for part in (self.entity, self.project, self.id) if part)

    @property
    def sweep_id(self):
        return self._inner.sweep_id

    @property
    def mode(self):
        return self._inner.mode if self._inner.mode in ("offline", "disabled") else "online"

    @property
    def disabled(self):
        return self._inner.mode == "disabled"

    @property
    def offline(self):
        return self._inner.mode == "offline"

    @property
    def resumed(self):
        return self._inner.resumed

    @property
    def step(self):
        return self._step

    @property
    def starting_step(self):
        return self._starting_step

    @property
    def start_time(self):
        return self._started

    @property
    def settings(self):
        return self._settings

    @property
    def config_static(self):
        return self.config.as_dict()

    @property
    def url(self):
        return self._inner.url

    sweep_url = project_url = None

    def get_url(self):
        return self.url

    def get_sweep_url(self):
        return None

    def get_project_url(self):
        return None

    def project_name(self):
        return self.project

    @property
    def _attach_id(self):
        return self.id

    @property
    def stop_requested(self):
        """Besom's own: the run is to end, SIGTERM is on its way."""
        return self._inner.stop_requested

    def status(self):
        from ._settings import Settings
        return Settings(sync_items_total=0, sync_items_pending=0, sync_time=None)

    # ---- how it ends ----

    def finish(self, exit_code=None, quiet=None):
        """Ends logging. In a forked child: nothing."""
        self._end(exit_code, "")

    def _end(self, exit_code, last_words):
        if self._is_done or self._pid != os.getpid():
            return
        try:
            self.summary.update({"_step": max(self._last_step(), 0),
                                 "_runtime": round(time.time() - self._started, 3), "_timestamp": time.time()})
        except besom_errors.Error:
            pass  # the run takes nothing more
        self._is_done = True
        self._end_inner(exit_code, last_words)
        if self._on_done is not None:
            self._on_done(self)

    def _last_step(self):
        """Of the newest row, which may be another process's."""
        return max(self._step - (0 if self._is_open else 1), self._next_step() - 1)

    def join(self, exit_code=None):
        self.finish(exit_code)

    def mark_preempting(self):
        self._inner.mark_preempting()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None:
            self.finish()
        else:
            self._end(exit_code_of(error), "".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))
        return False

    def __reduce__(self):
        """In another process: that process's run, which is the same one."""
        return _attached, (self.id,)

    def __repr__(self):
        return f"<besom.wandb.Run {self.id} ({self._inner.mode})>"

    @staticmethod
    def plot_table(*arguments, **named):
        from .plot import plot_table
        return plot_table(*arguments, **named)

    # ---- taken without effect ----

    def detach(self):
        pass

    def _label(self, *arguments, **named):
        pass

    def display(self, *arguments, **named):
        return False

    def to_html(self, *arguments, **named):
        return ""
