# SPDX-License-Identifier: Apache-2.0
"""Artifacts: named sets of files. There is no store of artifacts here: a logged one is a folder below the run's, with a
manifest and copies of its smaller files; one that an earlier run logged cannot be had by its name."""
import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile

from . import _media
from ._messages import log_once, warn_once
from .errors import CommError, UnsupportedError

COPY_MAX = 64 << 20  # larger files are listed with their path and stay where they are
COPY_SUM_MAX = 256 << 20  # of one artifact: data sets are not doubled for each run


def no_store(name):
    return CommError(f"artifact {name}: Besom keeps no artifacts beyond the folder of the run that logged them "
                     "(read the file from where it was written)")


class ArtifactManifest:
    def __init__(self):
        self.entries = {}

    def __len__(self):
        return len(self.entries)


class ArtifactManifestEntry:
    """One file of an artifact."""

    def __init__(self, path, local_path=None, ref=None):
        self.path = path
        self.local_path = local_path
        self.ref = ref
        self.size = os.path.getsize(local_path) if local_path else None

    @property
    def digest(self):
        return _media.digest(self.local_path) if self.local_path else self.ref

    def ref_target(self):
        return self.ref

    def ref_url(self):
        return self.ref

    def download(self, root=None, **_):
        if self.local_path is None:
            raise UnsupportedError(f"{self.path} is a reference to {self.ref}")
        if root is None:
            return self.local_path
        target = os.path.join(root, self.path)
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        return shutil.copyfile(self.local_path, target)


class Artifact:
    """What a program puts together and gives to `log_artifact`."""

    def __init__(self, name, type="unspecified", description=None, metadata=None, incremental=False, use_as=None, **_):
        if not re.fullmatch(r"[a-zA-Z0-9_\-.]+", str(name)):
            raise ValueError(f"Artifact name may only contain alphanumeric characters, dashes, underscores, and dots. "
                             f"Invalid name: {name}")
        self._name = str(name)
        self.type = type
        self.description = description
        self.metadata = dict(metadata or {})
        self.manifest = ArtifactManifest()
        self.aliases = []
        self.tags = []
        self._folder = None  # once logged
        self._staging = None

    @property
    def name(self):
        return self._name if self._folder is None else f"{self._name}:v0"

    @property
    def version(self):
        return "v0"

    @property
    def state(self):
        return "PENDING" if self._folder is None else "COMMITTED"

    entity = ""
    project = ""
    ttl = None

    @property
    def file_count(self):
        return len(self.manifest)

    @property
    def digest(self):
        """Of names and contents."""
        total = hashlib.sha256()
        for name in sorted(self.manifest.entries):
            total.update(f"{name}\0{self.manifest.entries[name].digest}\0".encode())
        return total.hexdigest()

    @property
    def size(self):
        return sum(entry.size or 0 for entry in self.manifest.entries.values())

    @property
    def id(self):
        return None if self._folder is None else self._name

    source_name = qualified_name = name

    # ---- filling ----

    def add_file(self, local_path, name=None, is_tmp=False, skip_cache=False, policy="mutable", overwrite=False):
        local_path = os.fspath(local_path)
        if not os.path.isfile(local_path):
            raise ValueError(f"Path is not a file: {local_path}")
        return self._add(ArtifactManifestEntry(name or os.path.basename(local_path), os.path.abspath(local_path)))

    def add_dir(self, local_path, name=None, **_):
        local_path = os.fspath(local_path)
        if not os.path.isdir(local_path):
            raise ValueError(f"Path is not a directory: {local_path}")
        for folder, _, files in os.walk(local_path):
            for file in sorted(files):
                path = os.path.join(folder, file)
                inside = os.path.relpath(path, local_path)
                self.add_file(path, os.path.join(name, inside) if name else inside)

    def add_reference(self, uri, name=None, **_):
        uri = getattr(uri, "ref", None) or str(uri)
        return [self._add(ArtifactManifestEntry(name or uri.rstrip("/").rsplit("/", 1)[-1], ref=uri))]

    @contextlib.contextmanager
    def new_file(self, name, mode="w", encoding=None):
        path = self._staged(name)
        with open(path, mode, encoding=None if "b" in mode else encoding or "utf-8") as file:
            yield file
        self.add_file(path, name)

    def add(self, obj, name, overwrite=False):
        """A medium or table, as JSON or in its own format."""
        suffix = obj._suffix() if isinstance(obj, _media.Media) else ".json"
        inside = name if name.endswith(suffix) else name + suffix
        path = self._staged(inside)
        try:
            if isinstance(obj, _media.Media):
                obj._write(path)
            else:
                _write_json(path, obj)
        except Exception as error:  # media never break a run
            warn_once(f"{type(obj).__name__} is not kept: {error}")
            return None
        return self.add_file(path, inside)

    def remove(self, item):
        self.manifest.entries.pop(getattr(item, "path", item), None)

    def _add(self, entry):
        self.manifest.entries[entry.path] = entry
        return entry

    def _staged(self, name):
        if self._staging is None:
            self._staging = tempfile.TemporaryDirectory(prefix="besom-artifact-")
        path = os.path.join(self._staging.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    # ---- logging ----

    def _log(self, run_dir, aliases=None):
        """Copies what is small enough and writes the manifest; an earlier artifact of the name gives way."""
        folder = os.path.join(run_dir, "artifacts", self._name)
        new = folder + ".new"
        shutil.rmtree(new, ignore_errors=True)
        self.aliases = list(dict.fromkeys([*(aliases or []), "latest"]))
        os.makedirs(new)
        room = COPY_SUM_MAX
        for entry in self.manifest.entries.values():
            room -= self._keep(entry, new, folder, room)
        _write_json(os.path.join(new, "manifest.json"), {
            "name": self._name, "type": self.type, "description": self.description, "aliases": self.aliases,
            "metadata": self.metadata, "files": [self._line(entry, folder) for entry in
                                                 self.manifest.entries.values()]})
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(new, folder)
        if self._staging is not None:
            self._staging.cleanup()
            self._staging = None
        self._folder = folder
        log_once(f"artifacts are kept below {os.path.dirname(folder)}, large files by their path alone")

    def _keep(self, entry, new, folder, room):
        """Bytes that were copied. What the program wrote by `new_file` is nowhere else."""
        staged = self._staging is not None and entry.local_path is not None and \
            entry.local_path.startswith(self._staging.name)
        if entry.local_path is None or (entry.size > min(COPY_MAX, room) and not staged):
            return 0
        inside = os.path.normpath(os.path.join("files", entry.path.lstrip("/")))
        if not inside.startswith("files" + os.sep):
            inside = os.path.join("files", os.path.basename(entry.path))
        target = os.path.join(new, inside)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(entry.local_path, target)
        entry.local_path = os.path.join(folder, inside)
        return entry.size

    @staticmethod
    def _line(entry, folder):
        kept = entry.local_path is not None and entry.local_path.startswith(folder + os.sep)
        return {"name": entry.path, "size": entry.size,
                **({"ref": entry.ref} if entry.ref else {"kept": kept, "path": entry.local_path})}

    # ---- reading ----

    def wait(self, timeout=None):
        return self

    def is_draft(self):
        return self._folder is None

    def finalize(self):
        pass

    def save(self, project=None, settings=None):
        from . import log_artifact
        log_artifact(self)

    def get_entry(self, name):
        if name not in self.manifest.entries:
            raise KeyError(f"Path not contained in artifact: {name}")
        return self.manifest.entries[name]

    get_path = get_entry

    def get(self, name):
        return self.manifest.entries.get(name)

    def files(self, names=None, per_page=50):
        return [entry for entry in self.manifest.entries.values() if names is None or entry.path in names]

    def file(self, root=None):
        entries = list(self.manifest.entries.values())
        if len(entries) != 1:
            raise ValueError("This artifact contains more than one file, call `.download()` to get all files")
        return entries[0].download(root)

    def download(self, root=None, **_):
        """The folder of its files: only for an artifact that this very run logged."""
        if self._folder is None:
            raise no_store(self._name)
        if root is None:
            root = os.path.join(self._folder, "files")
        for entry in self.manifest.entries.values():
            if entry.local_path is not None and not entry.local_path.startswith(os.path.abspath(root) + os.sep):
                entry.download(root)
        return root

    checkout = download

    def verify(self, root=None):
        pass

    def link(self, target_path, aliases=None):
        pass

    def unlink(self):
        pass

    def delete(self, delete_aliases=False):
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def used_by(self):
        return []

    def logged_by(self):
        return None

    def __getitem__(self, name):
        return self.get(name)

    def __setitem__(self, name, value):
        self.add(value, name)


def _write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=1, default=_media._last_resort))
