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
    """Counts and borders of `bins` stretches of the same width over the finite values."""
    numbers = [float(value) for value in values if value is not None]
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
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) +
                   _chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), 6)) + _chunk(b"IEND", b""))


def _byte(value, scale):
    if value != value:
        return 0
    return max(0, min(255, int(value * scale)))


def _channels_last(lists, from_torch):
    """height × width × channels of a grey, channels-last or (torch) channels-first picture."""
    if not isinstance(lists[0][0], list):
        return [[[pixel] for pixel in row] for row in lists]
    if from_torch and len(lists) in (1, 2, 3, 4):
        return [[[plane[y][x] for plane in lists] for x in range(len(lists[0][0]))] for y in range(len(lists[0]))]
    return lists


def picture_rows(value):
    """(rows of bytes, channels) of an array; numbers between 0 and 1 are stretched to 0 to 255. ValueError."""
    from_torch = hasattr(value, "detach")
    lists = to_lists(value) if is_array(value) else value
    while isinstance(lists, list) and len(lists) == 1 and isinstance(lists[0], list) and lists[0] and \
            isinstance(lists[0][0], list) and lists[0][0] and isinstance(lists[0][0][0], list):
        lists = lists[0]  # a batch of one
    try:
        pixels = _channels_last(lists, from_torch)
        channels = len(pixels[0][0])
        numbers = [number for row in pixels for pixel in row for number in pixel]
    except (TypeError, IndexError):
        raise ValueError("not the shape of a picture") from None
    if channels not in (1, 2, 3, 4) or isinstance(numbers[0], list):
        raise ValueError(f"a picture with {channels} channels")
    is_unit = any(isinstance(number, float) for number in numbers) and 0 <= min(numbers) and max(numbers) <= 1
    scale = 255 if is_unit or isinstance(numbers[0], bool) else 1
    rows = [bytes(_byte(number, scale) for pixel in row for number in pixel) for row in pixels]
    return rows, channels


def write_wav(path, samples, rate):
    """Samples between -1 and 1 (or 16-bit integers), one a frame or a list of channels a frame."""
    lists = to_lists(samples) if is_array(samples) else list(samples)
    frames = [frame if isinstance(frame, (list, tuple)) else [frame] for frame in lists]
    real = any(isinstance(value, float) for frame in frames[:1000] for value in frame)
    numbers = [max(-32768, min(32767, int(value * 32767 if real else value))) for frame in frames for value in frame]
    data = struct.pack(f"<{len(numbers)}h", *numbers)
    with wave.open(path, "wb") as file:
        file.setnchannels(len(frames[0]) if frames else 1)
        file.setsampwidth(2)
        file.setframerate(int(rate or 44100))
        file.writeframes(data)


def loaded(*names):
    """The first of these modules that the program has imported already."""
    for name in names:
        if sys.modules.get(name) is not None:
            return sys.modules[name]
    return None
