# SPDX-License-Identifier: Apache-2.0
"""W&B's filters ({"$and": [...], "config.lr": {"$gt": 0.1}}) and orders ("-summary_metrics.loss") over runs that were read."""
import re

from .errors import UsageError

ALIASES = {"display_name": "name", "displayName": "name", "created_at": "created_at", "createdAt": "created_at"}


def value_of(run, path):
    """A run's field, or an entry of its configuration or summary; None when it has none."""
    head, _, rest = path.partition(".")
    if head == "config" and rest:
        return _entry(run.config, rest[:-len(".value")] if rest.endswith(".value") else rest)
    if head in ("summary_metrics", "summary") and rest:
        return _entry(run.summary, rest)
    return getattr(run, ALIASES.get(path, path), None)


def _entry(values, path):
    if path in values:
        return values[path]
    head, _, rest = path.partition(".")
    return _entry(values[head], rest) if rest and isinstance(values.get(head), dict) else None


def _compare(test):
    def compare(value, wanted):
        try:
            return value is not None and test(value, wanted)
        except TypeError:
            return False
    return compare


OPERATORS = {
    "$eq": lambda value, wanted: value == wanted,
    "$ne": lambda value, wanted: value != wanted,
    "$in": lambda value, wanted: value in wanted,
    "$nin": lambda value, wanted: value not in wanted,
    "$gt": _compare(lambda value, wanted: value > wanted),
    "$gte": _compare(lambda value, wanted: value >= wanted),
    "$lt": _compare(lambda value, wanted: value < wanted),
    "$lte": _compare(lambda value, wanted: value <= wanted),
    "$exists": lambda value, wanted: (value is not None) == bool(wanted),
    "$regex": lambda value, wanted: re.search(wanted, str(value)) is not None,
}


def matches(run, filters):
    for name, wanted in filters.items():
        if name in ("$and", "$or", "$nor"):
            hits = [matches(run, part) for part in wanted]
            if not {"$and": all(hits), "$or": any(hits), "$nor": not any(hits)}[name]:
                return False
        elif name == "$not":
            if matches(run, wanted):
                return False
        elif name == "tags":
            if not _tags_match(run.tags, wanted):
                return False
        elif not _matches_value(value_of(run, name), wanted):
            return False
    return True


def _tags_match(tags, wanted):
    if isinstance(wanted, dict):
        return any(tag in tags for tag in wanted["$in"]) if "$in" in wanted else all(
            tag not in tags for tag in wanted.get("$nin", ()))
    return wanted in tags


def _matches_value(value, wanted):
    if not isinstance(wanted, dict) or not any(key.startswith("$") for key in wanted):
        return value == wanted
    for operator, operand in wanted.items():
        if operator not in OPERATORS:
            raise UsageError(f"filter operator {operator} is none of {', '.join(OPERATORS)}")
        if not OPERATORS[operator](value, operand):
            return False
    return True


def in_order(runs, order):
    """Runs by one or several fields ("+a,-b" or "-a"); those that have none come last."""
    for part in reversed([part.strip() for part in order.split(",") if part.strip()]):
        descending, path = part.startswith("-"), part.lstrip("+-")
        have = [run for run in runs if value_of(run, path) is not None]
        rest = [run for run in runs if value_of(run, path) is None]
        have.sort(key=lambda run: _sortable(value_of(run, path)), reverse=descending)
        runs = have + rest
    return runs


def _sortable(value):
    is_number = isinstance(value, (int, float))
    return (not is_number, value if is_number else 0, "" if is_number else str(value))
