# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the rules look at, and C source seen without comments and strings."""

import os
import re
import subprocess

CODE = (".c", ".h", ".py", ".sh", ".sql", ".proto", ".js", ".css")


class Tree:
    """A folder's files: what git knows or would add; everything where there is no git."""

    def __init__(self, root):
        self.root = os.path.abspath(root)
        self.is_git = os.path.exists(os.path.join(self.root, ".git"))
        self.files = self._from_git() if self.is_git else self._from_walk()
        self._texts = {}

    def _from_git(self):
        listed = subprocess.run(
            ["git", "-C", self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True).stdout.decode()
        names = {name for name in listed.split("\0") if name}
        return sorted(name for name in names if os.path.isfile(os.path.join(self.root, name)))

    def _from_walk(self):
        found = []
        for folder, _, names in os.walk(self.root):
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in names]
        return sorted(found)

    def text(self, name):
        if name not in self._texts:
            with open(os.path.join(self.root, name), "rb") as file:
                self._texts[name] = file.read().decode("utf-8", "replace")
        return self._texts[name]

    def lines(self, name):
        return self.text(name).split("\n")

    def exists(self, name):
        return os.path.exists(os.path.join(self.root, name))

    def c_files(self):
        return [name for name in self.files if name.endswith((".c", ".h"))]

    def scripts(self):
        """Files with a shell's or Python's shebang, by interpreter."""
        found = {}
        for name in self.files:
            first = self.lines(name)[0] if "." not in os.path.basename(name) or name.endswith(".sh") else ""
            match = re.match(r"#!.*\b(sh|bash|python3)$", first)
            if match:
                found[name] = match.group(1)
        return found

    def code_files(self):
        return [name for name in self.files if name.endswith(CODE)] + [
            name for name in self.scripts() if not name.endswith(CODE)]


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments_and_strings(text):
    """Same line numbers; `#include "x"` keeps its name."""

    def blank(match):
        token = match.group(0)
        start = text.rfind("\n", 0, match.start()) + 1
        if token[0] == '"' and re.match(r"\s*#\s*include\s*$", text[start:match.start()]):
            return token
        return re.sub(r"[^\n]", " ", token)

    return TOKEN.sub(blank, text)


def c_functions(text):
    """(name, first line, number of lines) of each function; relies on clang-format's brace on its own line."""
    lines = without_comments_and_strings(text).split("\n")
    found = []
    start = None
    for number, line in enumerate(lines):
        if line.rstrip() == "{":
            first = number
            while first > 0 and re.match(r"[\w\s(*].*[^;}]$", lines[first - 1].rstrip()):
                first -= 1
            is_function = any("(" in part for part in lines[first:number])
            start = first if is_function else None
        elif line.rstrip() == "}" and start is not None:
            names = re.findall(r"(\w+)\s*\(", " ".join(lines[start:number]))
            found.append((names[0] if names else "?", start + 1, number - start + 1))
            start = None
    return found
