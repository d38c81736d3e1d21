# SPDX-License-Identifier: Apache-2.0
"""What a program logs, told apart: numbers and the like for the run's row, media for its folder."""
from besom._values import plain

from . import _arrays
from ._media import Histogram, Image, Media, Plotly

_PLAIN = frozenset((float, int, bool, str, type(None)))
OWN_KEYS = ("_step", "_runtime", "_timestamp")


def as_media(value):
    """The medium that a value is, or is logged as; None for a value that is none."""
    if isinstance(value, Media):
        return value
    kind = type(value)
    if kind in (float, int, str, bool, list, tuple, dict) or value is None:
        return None
    if _arrays.is_frame(value):
        from ._table import Table
        return Table(dataframe=value)
    if _arrays.is_array(value):
        return Histogram(value, num_bins=32) if _size(value) > _arrays.LIST_MAX else None
    if _arrays.is_plotly(value):
        return Plotly(value)
    if _arrays.is_image(value) or _arrays.figure_of(value) is not None:
        return Image(value)
    return None


def _size(value):
    size = 1
    for length in value.shape:
        size *= int(length)
    return size


def keepable(value, key, step, folder):
    """A value as the summary takes it: media become files in `folder()`, or
    nothing when that is None. None: passed over."""
    media = as_media(value)
    if media is not None:
        place = folder()
        return None if place is None else media._store(place, key, step)
    if isinstance(value, dict):
        parts = {str(name): keepable(part, f"{key}.{name}", step, folder) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part is not None}
    if isinstance(value, (list, tuple)) and any(as_media(part) is not None for part in value):
        parts = [keepable(part, f"{key}_{index}", step, folder) for index, part in enumerate(value)]
        return [part for part in parts if part is not None]
    if _arrays.is_array(value):
        item = _arrays.item_of(value)
        return plain(item if item is not None else _arrays.to_lists(value))
    return plain(value)


def has_media(value):
    if isinstance(value, dict):
        return any(has_media(part) for part in value.values())
    if isinstance(value, (list, tuple)):
        return any(as_media(part) is not None for part in value)
    return as_media(value) is not None


def split(data, step, folder):
    """(what belongs in the row, what belongs in the summary alone) of one call of `log`."""
    row, media = {}, {}
    _split_into(row, media, data, "", step, folder)
    return row, media


def _split_into(row, media, data, prefix, step, folder):
    for key, value in data.items():
        if not prefix and key in OWN_KEYS:
            continue
        name = prefix + str(key)
        if type(value) in _PLAIN:
            row[name] = value
        elif getattr(value, "shape", None) == () and hasattr(value, "item"):  # a number of numpy or torch
            row[name] = value.item()
        elif isinstance(value, dict) and has_media(value):
            _split_into(row, media, value, name + ".", step, folder)
        elif has_media(value):
            kept = keepable(value, name, step, folder)
            if kept is not None:
                media[name] = kept
        elif not isinstance(value, dict) and _arrays.is_array(value):
            row[name] = keepable(value, name, step, folder)
        else:
            row[name] = value
