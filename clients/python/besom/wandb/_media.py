# SPDX-License-Identifier: Apache-2.0
"""Pictures, sounds and the like: each becomes a file below the run's folder and an entry of the summary that names it.
What cannot be written (a format that needs a package which is not there) is passed over with one warning a kind."""
import hashlib
import io
import json
import os
import re
import shutil

from . import _arrays
from ._messages import warn_once


class Media:
    """Something that `_write` puts into a file. `_kind` is its folder, `_type` what W&B calls it."""

    _kind = "media"
    _type = "file"

    def _suffix(self):
        return ".bin"

    def _write(self, path):
        raise NotImplementedError

    def _describe(self):
        return {}

    def _store(self, folder, key, step):
        """Writes the file; what the summary says of it, or None when it was passed over."""
        place = os.path.join("media", self._kind)
        suffix = self._suffix()
        try:
            os.makedirs(os.path.join(folder, place), exist_ok=True)
            path = _free_name(os.path.join(folder, place), f"{_plain_name(key)}_{step}", suffix)
            self._write(path)
        except Exception as error:  # media never break a run
            warn_once(f"{type(self).__name__} is not kept: {error}")
            return None
        self._stored_at = path
        return {"_type": self._type, "path": os.path.join(place, os.path.basename(path)),
                "size": os.path.getsize(path), **self._describe()}


def _plain_name(key):
    return re.sub(r"[^\w.-]+", "_", str(key)).strip("._")[:120] or "value"


def _free_name(folder, stem, suffix):
    for number in range(1_000_000):
        path = os.path.join(folder, stem + (f"_{number}" if number else "") + suffix)
        if not os.path.exists(path):
            return path
    raise OSError(f"no free name in {folder}")


class _FromPath(Media):
    """A file that is copied, or bytes that are written."""

    _formats = ()

    def __init__(self, data_or_path, caption=None):
        self._data = data_or_path
        self._caption = caption

    @property
    def _is_path(self):
        return isinstance(self._data, (str, os.PathLike))

    def _suffix(self):
        if self._is_path:
            return os.path.splitext(os.fspath(self._data))[1].lower() or self._default_suffix()
        return self._default_suffix()

    def _default_suffix(self):
        return "." + (getattr(self, "_format", None) or self._formats[0])

    def _write(self, path):
        if self._is_path:
            shutil.copyfile(os.fspath(self._data), path)
        elif hasattr(self._data, "read"):
            _write_bytes(path, self._data.read())
        elif isinstance(self._data, (bytes, bytearray)):
            _write_bytes(path, bytes(self._data))
        else:
            self._write_value(path)

    def _write_value(self, path):
        raise ValueError(f"a {type(self._data).__name__} cannot be written without further packages")

    def _describe(self):
        return {"caption": str(self._caption)} if self._caption is not None else {}


def _write_bytes(path, data):
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else str(data).encode())


class Image(_FromPath):
    """A path, a PIL picture, a matplotlib figure, or an array (height × width [× channels], torch: channels first)."""

    _kind, _type, _formats = "images", "image-file", ("png",)

    def __init__(self, data_or_path, mode=None, caption=None, grouping=None, classes=None, boxes=None, masks=None,
                 file_type=None, normalize=True):
        if isinstance(data_or_path, Image):
            caption = caption if caption is not None else data_or_path._caption
            data_or_path = data_or_path._data
        super().__init__(data_or_path, caption)
        figure = None if self._is_path else _arrays.figure_of(data_or_path)
        if figure is not None:  # drawn now: the program may clear it before it is logged
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png")
            self._data = buffer.getvalue()
        self._format = file_type or "png"
        if boxes or masks:
            warn_once("boxes and masks of Image are not kept")

    @property
    def image(self):
        return None if self._is_path else self._data

    def _default_suffix(self):
        return super()._default_suffix() if _arrays.is_image(self._data) else ".png"

    def _write_value(self, path):
        if _arrays.is_image(self._data):
            self._data.save(path)
            return
        rows, channels = _arrays.picture_rows(self._data)
        _arrays.write_png(path, rows, channels)


class Video(_FromPath):
    _kind, _type, _formats = "videos", "video-file", ("gif", "mp4", "webm", "ogg")

    def __init__(self, data_or_path, caption=None, fps=None, format=None):
        super().__init__(data_or_path, caption)
        self._format = format or "gif"


class Audio(_FromPath):
    _kind, _type, _formats = "audio", "audio-file", ("wav",)

    def __init__(self, data_or_path, sample_rate=None, caption=None):
        super().__init__(data_or_path, caption)
        self._rate = sample_rate

    def _write_value(self, path):
        _arrays.write_wav(path, self._data, self._rate)


class Html(_FromPath):
    _kind, _type, _formats = "html", "html-file", ("html",)

    def __init__(self, data, inject=True, data_is_not_path=False):
        is_file = isinstance(data, (str, os.PathLike)) and not data_is_not_path and len(os.fspath(data)) < 4096 and \
            os.path.exists(data)
        if not is_file and not hasattr(data, "read"):
            data = str(data).encode()
        super().__init__(data)

    def _default_suffix(self):
        return ".html"


class Molecule(_FromPath):
    _kind, _type, _formats = "molecule", "molecule-file", ("pdb",)

    def __init__(self, data_or_path, caption=None, file_type=None, **_):
        super().__init__(data_or_path, caption)
        self._format = file_type or "pdb"


class _AsJson(Media):
    """A value that is written as JSON."""

    def _suffix(self):
        return "." + self._kind_suffix() + ".json"

    def _kind_suffix(self):
        return self._type.replace("-file", "")

    def _value(self):
        raise NotImplementedError

    def _write(self, path):
        text = json.dumps(self._value(), default=_last_resort)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def _last_resort(value):
    return _arrays.to_lists(value) if _arrays.is_array(value) else str(value)


class Object3D(_AsJson):
    """A path or file of a scene, or points as an array or {"type", "points", ...}."""

    _kind, _type = "object3D", "object3D-file"

    def __init__(self, data_or_path, caption=None, **_):
        self._data = data_or_path
        self._caption = caption

    def _suffix(self):
        if isinstance(self._data, (str, os.PathLike)):
            return os.path.splitext(os.fspath(self._data))[1] or ".obj"
        return ".pts.json"

    def _value(self):
        return self._data

    def _write(self, path):
        if isinstance(self._data, (str, os.PathLike)):
            shutil.copyfile(os.fspath(self._data), path)
        elif hasattr(self._data, "read"):
            _write_bytes(path, self._data.read())
        else:
            super()._write(path)


class Plotly(_AsJson):
    _kind, _type = "plotly", "plotly-file"

    def __init__(self, val):
        self._figure = val

    @classmethod
    def make_plot_media(cls, val):
        return Image(val) if _arrays.figure_of(val) is not None else cls(val)

    def _value(self):
        if hasattr(self._figure, "to_json"):
            return json.loads(self._figure.to_json())
        return self._figure


class Bokeh(_AsJson):
    _kind, _type = "bokeh", "bokeh-file"

    def __init__(self, data_or_path):
        self._data = data_or_path

    def _value(self):
        raise ValueError("it needs bokeh")


class Graph(_AsJson):
    """Nodes and edges of a network, as far as they are named."""

    _kind, _type = "graph", "graph-file"

    def __init__(self, format="keras"):
        self.format = format
        self.nodes = []
        self.edges = []

    def add_node(self, node=None, **fields):
        self.nodes.append({"name": str(node), **fields} if node is not None else fields)
        return node

    def add_edge(self, from_node, to_node):
        self.edges.append([str(from_node), str(to_node)])
        return self.edges[-1]

    def _value(self):
        return {"format": self.format, "nodes": self.nodes, "edges": self.edges}


class Histogram(_AsJson):
    """Counts between borders: of a sequence, or given as numpy gives them."""

    _kind, _type = "histogram", "histogram"
    MAX_LENGTH = 512

    def __init__(self, sequence=None, np_histogram=None, num_bins=64):
        if np_histogram is not None:
            if len(np_histogram) != 2:
                raise ValueError("Expected np_histogram to be a tuple of (values, bin_edges) or sequence to be specified")
            counts, borders = np_histogram
            self.histogram, self.bins = _arrays.flatten(counts), _arrays.flatten(borders)
        elif sequence is not None:
            self.histogram, self.bins = _arrays.histogram(sequence, num_bins)
        else:
            raise ValueError("Expected np_histogram to be a tuple of (values, bin_edges) or sequence to be specified")
        if len(self.histogram) > self.MAX_LENGTH:
            raise ValueError(f"The maximum length of a histogram is {self.MAX_LENGTH}")
        if len(self.histogram) + 1 != len(self.bins):
            raise ValueError("len(bins) must be len(histogram) + 1")

    def _value(self):
        return {"_type": self._type, "values": self.histogram, "bins": self.bins}

    def to_json(self, run=None):
        return self._value()

    def _store(self, folder, key, step):
        """One line more in the file of its name: histograms tend to be logged at each step."""
        place = os.path.join("media", self._kind, _plain_name(key) + ".jsonl")
        try:
            os.makedirs(os.path.join(folder, os.path.dirname(place)), exist_ok=True)
            with open(os.path.join(folder, place), "a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, "values": self.histogram, "bins": self.bins}) + "\n")
        except (OSError, TypeError, ValueError) as error:
            warn_once(f"Histogram is not kept: {error}")
            return None
        return {**self._value(), "path": place}


def digest(path):
    """SHA-256 of a file."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            total.update(block)
    return total.hexdigest()


class _Part:
    """A description that goes with a picture and is taken without effect."""

    def __init__(self, *arguments, **fields):
        self.arguments = arguments
        self.fields = fields


class Classes(_Part):
    pass


class ImageMask(_Part):
    pass


class BoundingBoxes2D(_Part):
    pass


class Box3D(dict):
    def __init__(self, *arguments, **fields):
        super().__init__(fields, arguments=list(arguments))
