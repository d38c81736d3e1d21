# SPDX-License-Identifier: Apache-2.0
"""Values of numpy, torch and others seen through what they can do: none of those packages is imported here."""
import math
import struct
import sys
import wave
import zlib

LIST_MAX = 32  # longer arrays are logged as a histogram


def is_array(value):
    """Something with a shape: a numpy array or scalar, a tensor."""
    return hasattr(value, "shape") and (hasattr(value, "tolist") or hasattr(value, "numpy"))


def is_frame(value):
    """A pandas data frame, or what behaves like one."""
    return hasattr(value, "columns") and hasattr(value, "iloc") and hasattr(value, "values")


def is_image(value):
    """A picture of PIL."""
    return hasattr(value, "save") and hasattr(value, "size") and hasattr(value, "getbands")


def figure_of(value):
    """The matplotlib figure that a figure, an axes or pyplot itself stands for, or None."""
    if getattr(value, "__name__", "") == "matplotlib.pyplot" and hasattr(value, "gcf"):
        return value.gcf()
    if hasattr(value, "savefig"):
        return value
    figure = getattr(value, "figure", None)
    return figure if hasattr(figure, "savefig") else None


def is_plotly(value):
    return type(value).__module__.split(".")[0] == "plotly" and hasattr(value, "to_json")


def to_lists(value):
    """Nested lists of an array; anything else as it is."""
    for step in ("detach", "cpu"):
        if hasattr(value, step):
            value = getattr(value, step)()
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "numpy"):  # tensorflow
        return to_lists(value.numpy())
    return value


def item_of(value):
    """The only element of an array that has one, else None."""
    size = 1
    for length in value.shape:
        size *= int(length)
    if size != 1:
        return None
    lists = to_lists(value)
    while isinstance(lists, list):
        lists = lists[0]
    return lists


def flatten(value):
    """All numbers of nested sequences and arrays."""
    value = to_lists(value) if is_array(value) else value
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
        return [value]
    out = []
    for part in value:
        out.extend(flatten(part))
    return out


def histogram(values, bins):
    """Counts and borders of `bins` stretches of the same width over the finite values, nested or not."""
    array, numpy = _numpy_of(values) if is_array(values) else None, sys.modules.get("numpy")
    if array is not None and numpy is not None and array.dtype.kind in "fiu" and array.size:
        finite = array[numpy.isfinite(array)]
        if finite.size:
            counts, borders = numpy.histogram(finite.astype(float), bins=bins)
            return counts.tolist(), borders.tolist()
    numbers = [float(value) for value in flatten(values) if value is not None]
    numbers = [number for number in numbers if math.isfinite(number)]
    if not numbers:
        return [0] * bins, [index / bins for index in range(bins + 1)]
    low, high = min(numbers), max(numbers)
    if low == high:
        low, high = low - 0.5, high + 0.5
    width = (high - low) / bins
    counts = [0] * bins
    for number in numbers:
        counts[min(int((number - low) / width), bins - 1)] += 1
    return counts, [low + index * width for index in range(bins)] + [high]


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) & 0xFFFFFFFF)


def write_png(path, rows, channels):
    """`rows` of bytes with 1, 2, 3 or 4 bytes a pixel."""
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    width = len(rows[0]) // channels if rows else 0
    header = struct.pack(">IIBBBBB", width, len(rows), 8, color_type, 0, 0, 0)
    if not rows:
        raise ValueError("an empty picture")
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) +
                   _chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), 6)) + _chunk(b"IEND", b""))


def _numpy_of(value):
    """The numpy array that an array or a tensor is or gives, or None."""
    for step in ("detach", "cpu"):
        if hasattr(value, step):
            value = getattr(value, step)()
    if not hasattr(value, "astype") and hasattr(value, "numpy"):
        value = value.numpy()
    return value if hasattr(value, "astype") and hasattr(value, "transpose") and hasattr(value, "tobytes") else None


def picture_rows(value):
    """(rows of bytes, channels) of height × width [× channels], of a tensor of PyTorch channels × height × width, or several of
    those, which are put side by side. Below 0 or from 0 to 1 the numbers are stretched. ValueError."""
    array = _numpy_of(value)
    if array is None:
        return _rows_of_lists(to_lists(value) if is_array(value) else value)
    array = array.squeeze() if array.ndim > 2 else array
    if hasattr(value, "detach") and array.ndim > 2:
        if array.ndim == 4:
            array = array.transpose(1, 2, 0, 3).reshape(array.shape[1], array.shape[2], -1)
        array = array.transpose(1, 2, 0)
    if array.ndim == 2:
        array = array.reshape(*array.shape, 1)
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or array.size == 0:
        raise ValueError(f"its shape {tuple(value.shape)} is not that of a picture")
    low, high = float(array.min()), float(array.max())
    if low < 0 and high > low:
        array, high = (array - low) / (high - low), 1.0
    if high <= 1:
        array = array * 255.0
    array = array.clip(0, 255).astype("uint8")
    return [array[y].tobytes() for y in range(array.shape[0])], array.shape[2]


def _rows_of_lists(lists):
    try:
        pixels = lists if isinstance(lists[0][0], list) else [[[number] for number in row] for row in lists]
        channels = len(pixels[0][0])
        numbers = [float(number) for row in pixels for pixel in row for number in pixel]
    except (TypeError, IndexError):
        raise ValueError("its shape is not that of a picture") from None
    if channels not in (1, 2, 3, 4):
        raise ValueError(f"a picture with {channels} channels")
    low, high = min(numbers), max(numbers)
    shift, scale = (low, 1 / (high - low)) if low < 0 < high - low else (0, 1)
    if (high - shift) * scale <= 1:
        scale *= 255
    return [bytes(max(0, min(255, int((number - shift) * scale))) for pixel in row for number in pixel)
            for row in pixels], channels


def write_wav(path, samples, rate):
    """Samples between -1 and 1 (or 16-bit integers), one a frame or a list of channels a frame."""
    array = _numpy_of(samples)
    if array is not None:
        channels = array.shape[1] if array.ndim > 1 else 1
        if array.dtype.kind == "f":
            array = array * 32767.0
        data = array.clip(-32768, 32767).astype("<i2").tobytes()
    else:
        lists = to_lists(samples) if is_array(samples) else list(samples)
        frames = [frame if isinstance(frame, (list, tuple)) else [frame] for frame in lists]
        channels = len(frames[0]) if frames else 1
        scale = 32767 if any(isinstance(value, float) for frame in frames for value in frame) else 1
        numbers = [max(-32768, min(32767, int(value * scale))) for frame in frames for value in frame]
        data = struct.pack(f"<{len(numbers)}h", *numbers)
    with wave.open(path, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(int(rate or 44100))
        file.writeframes(data)
