# SPDX-License-Identifier: GPL-3.0-or-later
"""All problems: the sets by name, with the title of their tables."""
from problems import PROBLEMS
from problems_apart import APART
from problems_late import LATE

SETS = {"main": ("The 14 problems that constants were chosen on", PROBLEMS),
        "apart": ("Problems kept apart, looked at for some choices", APART),
        "late": ("Problems written last", LATE)}
ALL = {name: problem for _, problems in SETS.values() for name, problem in problems.items()}
