# SPDX-License-Identifier: Apache-2.0
"""Python values as JSON: what programs log comes from numpy, torch, argparse and anywhere else."""

from __future__ import annotations

import json
import math
import sys
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Set, Union

from ._say import warn_once

NESTING_MAX = 16
ITEMS_MAX = 10000  # of an array that is not logged number by number
ENTRY_BYTES_MAX = 65536  # docs/run-socket.md
NAME_BYTES_MAX = 256
LINE_BYTES_MAX = (1 << 20) - 4096  # with room for what stands around entries
DOUBLE_DIGITS_MAX = sys.float_info.max_10_exp  # a shorter whole number is within the doubles
_WHOLE_MAX = int(sys.float_info.max)

Json = Union[None, bool, int, float, str, List[Any], Dict[str, Any]]


def _make_encode() -> Callable[[Any], str]:
    encoder = json.JSONEncoder(check_circular=False, separators=(",", ":"))
    try:
        # What JSONEncoder.encode builds anew for each call.
        make: Any = json.encoder.c_make_encoder  # type: ignore[attr-defined]
        quote = json.encoder.encode_basestring_ascii
        chunks = make(None, encoder.default, quote, None, ":", ",", False, False, True)
        join = "".join

        def encode_at_once(value: Any) -> str:
            return join(chunks(value, 0))

        if encode_at_once({"a": [1, 0.5, None, "b"]}) == '{"a":[1,0.5,null,"b"]}':
            return encode_at_once
    except (AttributeError, TypeError):
        pass
    return encoder.encode


encode = _make_encode()
"""JSON text of plain values. NaN and infinities are written bare, as the run socket takes them."""


def _whole(text: str) -> str:
    """Without what no UTF-8 text holds (half a pair of surrogates, as in names of files) or the agent's JSON (NUL)."""
    if "\0" not in text and text.isascii():
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _text_of(value: Any) -> str:
    text = _whole(str(value))
    return text if len(text) <= 1000 else text[:1000] + "..."


def _from_array(value: Any, depth: int) -> Any:
    """An object with `.item()` or `.tolist()`: a scalar, or an array."""
    size = getattr(value, "size", None)
    if callable(size):  # torch: size() is the shape
        size = value.numel() if hasattr(value, "numel") else None
    if size in (None, 1) and hasattr(value, "item"):
        try:
            item = value.item()
        except (TypeError, ValueError, RuntimeError):
            pass
        else:
            if item is not value:
                return plain(item, depth + 1)
    if isinstance(size, int) and size <= ITEMS_MAX and hasattr(value, "tolist"):
        return plain(value.tolist(), depth + 1)
    return _fallback(value)


def _fallback(value: Any) -> str:
    name = type(value).__module__ + "." + type(value).__qualname__
    warn_once(("type", name), f"a value of type {name} is kept as its text")
    return _text_of(value)


def _from_collection(value: Any, depth: int) -> Any:
    if depth > NESTING_MAX:
        return _text_of(value)
    if isinstance(value, Mapping):
        return {_whole(str(key)): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item, depth + 1) for item in value), key=lambda item: (str(type(item)), str(item)))
    return [plain(item, depth + 1) for item in value]


def are_doubles(values: Iterable[Any]) -> bool:
    """No whole number among them is beyond what a double holds."""
    return all(type(value) is not int or -_WHOLE_MAX <= value <= _WHOLE_MAX for value in values)


def _bounded_whole(value: int) -> Union[int, float]:
    """Infinite beyond the doubles, which is what the run socket's numbers are."""
    return value if -_WHOLE_MAX <= value <= _WHOLE_MAX else math.copysign(math.inf, value > 0 or -1)


def plain(value: Any, depth: int = 0) -> Any:
    """`value` made of None, bool, int, float, str, list and dict alone; a copy where it is a collection.

    Numbers of other libraries become Python's, arrays lists, sets sorted lists. What JSON has no form for becomes its
    text, with a warning that is said once for each type.
    """
    kind = type(value)
    if value is None or kind is float or kind is bool:
        return value
    if kind is int:
        return _bounded_whole(value)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return _from_collection(value, depth)
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, int):
        return _bounded_whole(int(value))
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return _whole(str.__str__(value))
    if depth <= NESTING_MAX and (hasattr(value, "item") or hasattr(value, "tolist")):
        return _from_array(value, depth)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return _from_collection(value, depth)
    if hasattr(value, "__float__"):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    if hasattr(value, "__fspath__"):
        path = value.__fspath__()
        return _whole(path if isinstance(path, str) else path.decode("utf-8", "replace"))
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return _fallback(value)


def is_name(name: str) -> bool:
    """The run socket takes it; warns once for each that it does not."""
    if name == _whole(name) and 0 < len(name) <= NAME_BYTES_MAX and (
            name.isascii() or len(name.encode()) <= NAME_BYTES_MAX):
        return True
    warn_once(("name", name), f"a name has 1 to {NAME_BYTES_MAX} bytes of UTF-8: {name[:80]!r} is left out")
    return False


def bounded(values: Dict[str, Any]) -> Dict[str, Any]:
    """Without the entries that the run socket does not take; says so once for each name."""
    kept = {}
    for name, value in values.items():
        if not is_name(name):
            continue
        if isinstance(value, (str, list, dict)) and len(encode(value)) > ENTRY_BYTES_MAX:
            warn_once(("size", name), f"'{name}' has more than {ENTRY_BYTES_MAX} bytes as JSON and is left out")
        else:
            kept[name] = value
    return kept


def parts_of(values: Dict[str, Any]) -> List[Dict[str, Any]]:
    """`values` in as many parts as lines of the run socket need; one, if only an empty one, at least."""
    if len(encode(values)) <= LINE_BYTES_MAX:
        return [values]
    parts: List[Dict[str, Any]] = [{}]
    room = LINE_BYTES_MAX
    for name, value in values.items():
        size = len(encode({name: value}))
        if size > room:
            parts.append({})
            room = LINE_BYTES_MAX
        parts[-1][name] = value
        room -= size
    return parts


def flattened(values: Mapping[str, Any], prefix: str = "") -> Dict[str, Any]:
    """Nested objects as dotted names, as the agent does it with what is logged."""
    flat: Dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(flattened(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


_ODD: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
ODD_TEXTS: Set[str] = set(_ODD)


def number(value: Any) -> Any:
    """The texts that stand for numbers JSON has not, as floats; anything else as it is."""
    return _ODD[value] if isinstance(value, str) and value in _ODD else value
