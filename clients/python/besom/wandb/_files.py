# SPDX-License-Identifier: Apache-2.0
"""The half of a run that deals with files: its folder, saved files, artifacts; and what is told to people."""
import glob
import os
import tempfile

from . import _artifacts, _messages
from .errors import UsageError

FOLDER = "besom-runs"


class RunFiles:
    _temporary = None

    @property
    def dir(self):
        """The run's folder, which then exists."""
        return self._files()

    def _files(self):
        if self._inner.disabled:
            self._temporary = self._temporary or tempfile.TemporaryDirectory(prefix="besom-disabled-")
            return self._temporary.name
        inner = self._inner.dir
        folder = inner if self.id in os.path.basename(inner) else os.path.join(inner, FOLDER, self.id)
        if not self._folder_made:
            os.makedirs(folder, exist_ok=True)
            self._folder_made = True
        return os.path.abspath(folder)

    def _media_folder(self):
        return None if self._inner.disabled else self._files()

    # ---- files ----

    def save(self, glob_str=None, base_path=None, policy="live"):
        """Links from the run's folder to files that match; their paths there."""
        if glob_str is None:
            return True
        pattern = os.fspath(glob_str)
        if isinstance(pattern, bytes):
            pattern = pattern.decode()
        if "://" in pattern:
            _messages.termwarn(f"{pattern} is no file of this machine and is not saved")
            return []
        if base_path is None:
            base_path = os.path.dirname(pattern) if os.path.isabs(pattern) else "."
        if policy not in ("live", "end", "now"):
            raise ValueError('Only "live", "end" and "now" policies are currently supported.')
        found = [path for path in sorted(glob.glob(pattern)) if os.path.isfile(path)]
        return [self._link(path, os.path.relpath(path, base_path)) for path in found]

    def _link(self, path, name):
        if name.startswith(".."):
            name = os.path.basename(name)
        target = os.path.join(self._files(), name)
        if os.path.abspath(path) == target or os.path.realpath(path) == os.path.realpath(target):
            return target
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.lexists(target):
            os.unlink(target)
        os.symlink(os.path.abspath(path), target)
        return target

    def restore(self, name, run_path=None, replace=False, root=None):
        """A file of this run's folder, open for reading; ValueError when it is not there."""
        path = os.path.join(self._files(), name)
        if run_path is not None and run_path.rsplit("/", 1)[-1] != self.id:
            raise UsageError(f"restore({name!r}, {run_path!r}): files of other runs are where those wrote them")
        if not os.path.isfile(path):
            raise ValueError(f"File {name} not found in {self.path}.")
        return open(path)

    def log_code(self, root=".", name=None, include_fn=None, exclude_fn=None):
        _messages.log_once("code is not copied: log_code() does nothing")

    # ---- artifacts ----

    def log_artifact(self, artifact_or_path, name=None, type=None, aliases=None, tags=None):
        artifact = artifact_or_path
        if not isinstance(artifact, _artifacts.Artifact):
            artifact = _from_path(os.fspath(artifact_or_path), name or f"run-{self.id}", type)
        artifact.tags = list(tags or artifact.tags)
        if self._inner.disabled:
            return artifact
        try:
            artifact._log(self._files(), [aliases] if isinstance(aliases, str) else aliases)
        except OSError as error:
            _messages.termwarn(f"artifact {artifact.name} is not kept: {error}")
        return artifact

    def upsert_artifact(self, artifact_or_path, name=None, type=None, aliases=None, distributed_id=None):
        return self.log_artifact(artifact_or_path, name, type, aliases)

    def finish_artifact(self, artifact_or_path, name=None, type=None, aliases=None, distributed_id=None):
        return self.log_artifact(artifact_or_path, name, type, aliases)

    def use_artifact(self, artifact_or_name, type=None, aliases=None, use_as=None):
        """An Artifact is logged and given back. A name is that of one which this run logged, or a CommError."""
        if isinstance(artifact_or_name, _artifacts.Artifact):
            return artifact_or_name if artifact_or_name._folder else self.log_artifact(artifact_or_name)
        raise _artifacts.no_store(artifact_or_name)

    def link_artifact(self, artifact, target_path, aliases=None):
        _messages.log_once("there is no registry: link_artifact() does nothing")
        return artifact

    def log_model(self, path, name=None, aliases=None):
        return self.log_artifact(_from_path(os.fspath(path), name or f"run-{self.id}-model", "model"), aliases=aliases)

    def use_model(self, name):
        raise _artifacts.no_store(name)

    def link_model(self, path, registered_model_name, name=None, aliases=None):
        return self.log_model(path, name, aliases)

    # ---- people ----

    def alert(self, title, text, level=None, wait_duration=None):
        level = str(getattr(level, "value", level) or "INFO").upper()
        say = {"WARN": _messages.termwarn, "ERROR": _messages.termerror}.get(level, _messages.termlog)
        say(f"{title}: {text}")

    def watch(self, models=None, criterion=None, log="gradients", log_freq=1000, idx=None, log_graph=False):
        _messages.log_once("gradients and parameters are not kept: watch() does nothing")
        return ()

    def unwatch(self, models=None):
        pass


def _from_path(path, name, type):
    artifact = _artifacts.Artifact(name, type or "unspecified")
    if os.path.isdir(path):
        artifact.add_dir(path)
    else:
        artifact.add_file(path)
    return artifact
