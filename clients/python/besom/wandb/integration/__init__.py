# SPDX-License-Identifier: Apache-2.0
"""Callbacks for training libraries. A library is imported with its module here, never before."""


def summary_of(metric, smaller_is_better, larger_is_better):
    """What `define_metric` is to keep: "min", "max", or None where the name does not say."""
    name = metric.lower()
    if "loss" in name or name in smaller_is_better:
        return "min"
    return "max" if name in larger_is_better else None
