# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on C source. A rule takes a Tree and yields complaints, `FILE:LINE: what is wrong`."""

import re
import subprocess

from tree import c_functions, without_comments_and_strings

FUNCTION_LINES_MAX = 100
BATCH = 50

BANNED = re.compile(
    r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|strtok|system|popen|s?rand|alloca)\s*\(")

# Each foreign library has one home; tests that measure or stage it from outside are named beside it.
HOMES = [
    (r"grpc/(?!.*\.pb-c\.h)", ["lib/rpc/", "tests/bench/", "tests/unit/test_rpc", "tests/fuzz/fuzz_wire"]),
    (r"libpq|postgres_fe\.h|catalog/", ["db/store/", "tests/bench/", "tests/db/"]),
    (r"yaml\.h", ["lib/spec/"]),
    (r"gsl/", ["lib/space/", "lib/optim/", "tests/unit/test_space", "tests/unit/test_optim"]),
    (r"cblas|lapacke|nlopt", ["lib/optim/"]),
    (r"microhttpd", ["services/gateway/", "services/common/monitor"]),
    (r"sqlite", []),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def clang_format(tree):
    files = tree.c_files()
    for first in range(0, len(files), BATCH):
        result = subprocess.run(["clang-format", "--dry-run", "-Werror", *files[first:first + BATCH]],
                                cwd=tree.root, capture_output=True, text=True)
        places = re.findall(r"^(\S+?):(\d+):\d+: error", result.stderr, re.M)
        for name, line in {name: line for name, line in reversed(places)}.items():
            yield f"{name}:{line}: clang-format -i would change this file"
        if result.returncode != 0 and "error" not in result.stderr:
            yield f"clang-format failed: {result.stderr.strip()}"


def banned_calls(tree):
    for name in tree.c_files():
        for number, line in enumerate(without_comments_and_strings(tree.text(name)).split("\n"), 1):
            for match in BANNED.finditer(line):
                yield f"{name}:{number}: {match.group(1)}() is banned"


def stray_includes(tree):
    for name in tree.c_files():
        text = without_comments_and_strings(tree.text(name))
        for match in INCLUDE.finditer(text):
            for pattern, homes in HOMES:
                if re.match(pattern, match.group(1)) and not name.startswith(tuple(homes) or ("\0",)):
                    number = text.count("\n", 0, match.start(1)) + 1
                    yield f"{name}:{number}: {match.group(1)} belongs to {' and '.join(homes) or 'no folder'}"


def function_length(tree):
    for name in tree.c_files():
        for function, line, length in c_functions(tree.text(name)):
            if length > FUNCTION_LINES_MAX:
                yield f"{name}:{line}: {function} has {length} lines (at most {FUNCTION_LINES_MAX})"


def header_comment(tree):
    """A header says in its first lines what it answers for."""
    for name in tree.c_files():
        if name.endswith(".h") and not re.match(r"(// SPDX[^\n]*\n)?/\*", tree.text(name)):
            yield f"{name}:1: no comment that says what this header answers for"


def function_statistics(tree):
    lengths = sorted((length, f"{name}:{function}") for name in tree.c_files()
                     for function, _, length in c_functions(tree.text(name)))
    if not lengths:
        return "no C functions"
    median, p95 = lengths[len(lengths) // 2][0], lengths[int(len(lengths) * 0.95)][0]
    longest = lengths[-1]
    return f"{len(lengths)} functions: median {median} lines, 95% {p95}, longest {longest[0]} ({longest[1]})"
