# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on the tree as a whole: sizes, licences, documents, scripts, commits."""

import glob
import os
import re
import subprocess

FILE_LINES_MAX = 800
SUBJECT_MAX = 72

APACHE = ("lib/base/", "lib/rpc/", "proto/", "clients/c/", "clients/agent/", "clients/python/")
EITHER = ("tests/",)  # a test may have the licence of what it tests
HEADER_LINES = 25

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}/])/(work|root|home)/\w|/tmp/build-")
POOR_NAME = re.compile(r"(^|[/_])(utils?|misc|managers?)([/_.]|$)")
PLACEHOLDER = re.compile(r"NNNN|NAME|MODULE|[<>{}$…]|\.\.\.")
SUBJECT = re.compile(r"[a-z][\w./, -]*: (?:[a-z0-9`\"'-]|[A-Z]{2}).*[^.]$")
OWN = "tests/house/"  # holds the patterns it looks for


def file_length(tree):
    for name in tree.code_files():
        count = len(tree.lines(name)) - 1
        if count > FILE_LINES_MAX:
            yield f"{name}:1: {count} lines (at most {FILE_LINES_MAX})"


def spdx(tree):
    for name in tree.code_files():
        if name.endswith((".sql", ".css")):
            continue  # covered by .reuse/dep5
        head = "\n".join(tree.lines(name)[:HEADER_LINES])
        match = re.search(r"SPDX-" r"License-Identifier: (\S+)", head)
        wanted = "Apache-2.0" if name.startswith(APACHE) else "GPL-3.0-or-later"
        if match is None:
            yield f"{name}:1: no SPDX-License-Identifier ({wanted})"
        elif match.group(1) != wanted and not name.startswith(EITHER):
            yield f"{name}:1: licence is {match.group(1)}, this folder's is {wanted}"


def readmes(tree):
    """A folder that is a target has a README; any other has one there or above it."""
    folders = {os.path.dirname(name) for name in tree.files}
    for folder in sorted(folders):
        parts = folder.split("/")
        if folder == "" or parts[0].startswith(".") or parts[0] == "LICENSES":
            continue
        is_target = tree.exists(f"{folder}/CMakeLists.txt")
        candidates = [folder] if is_target else ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        if not any(tree.exists(f"{candidate}/README.md") for candidate in candidates):
            yield f"{folder}: no README.md"


def named_paths(text):
    """(line, path, is a link) for what a Markdown text names as a path."""
    for number, line in enumerate(text.split("\n"), 1):
        for match in re.finditer(r"\]\(([^)#\s]+)[^)]*\)", line):
            if "://" not in match.group(1) and not match.group(1).startswith("mailto:"):
                yield number, match.group(1), True
        for quoted in re.findall(r"`([^`]+)`", line):
            for word in re.findall(r"(?<![\w.:/$~-])[\w.][\w.*-]*/[\w./*-]*", quoted):
                yield number, word.rstrip("."), False


def document_paths(tree):
    for name in tree.files:
        if not name.endswith(".md"):
            continue
        here = os.path.dirname(name)
        for number, path, is_link in named_paths(tree.text(name)):
            if PLACEHOLDER.search(path) or path.startswith("build/"):
                continue
            top = path.split("/")[0]
            known = is_link or any(tree.exists(os.path.join(base, top)) for base in ("", here))
            matches = [hit for base in ("", here) for hit in glob.glob(os.path.join(tree.root, base, path))]
            if known and not matches:
                yield f"{name}:{number}: {path} does not exist"


def grep(tree, pattern, message):
    for name in tree.files:
        if name.startswith((OWN, "LICENSES/")):
            continue
        for number, line in enumerate(tree.lines(name), 1):
            match = pattern.search(line)
            if match:
                yield f"{name}:{number}: {message}: {match.group(0)}"


def unfinished(tree):
    return grep(tree, UNFINISHED, "unfinished work")


def machine_paths(tree):
    return grep(tree, MACHINE_PATH, "a path of one machine")


def file_names(tree):
    for name in tree.files:
        if POOR_NAME.search(name):
            yield f"{name}: a name that says nothing"


def shellcheck(tree):
    scripts = [name for name, shell in tree.scripts().items() if shell in ("sh", "bash")]
    if not scripts:
        return
    result = subprocess.run(["shellcheck", "-x", "-S", "warning", "-f", "gcc", *scripts],
                            cwd=tree.root, capture_output=True, text=True)
    yield from (line for line in (result.stdout + result.stderr).split("\n") if line)


def executable_scripts(tree):
    for name in tree.scripts():
        if not os.access(os.path.join(tree.root, name), os.X_OK):
            yield f"{name}: has a shebang but is not executable"


def subject_complaint(subject):
    if len(subject) > SUBJECT_MAX:
        return f"longer than {SUBJECT_MAX} characters"
    if not SUBJECT.match(subject):
        return "not `area: imperative` without a final stop"
    return None


def commit_subjects(tree):
    if not tree.is_git:
        return
    log = subprocess.run(["git", "-C", tree.root, "log", "--no-merges", "--format=%h %s"],
                         capture_output=True, text=True, check=True).stdout
    for line in log.splitlines():
        commit, _, subject = line.partition(" ")
        complaint = subject_complaint(subject)
        if complaint:
            yield f"commit {commit}: '{subject}': {complaint}"
