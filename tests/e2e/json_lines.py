# SPDX-License-Identifier: GPL-3.0-or-later
"""A service's --stdio mode: one JSON object a line each way."""
import json
import os
import subprocess

BIN = os.environ.get("BESOM_BIN", os.path.abspath("build/dev/bin"))


class JsonLines:
    """`besom-NAME --stdio` as a context manager; no database and no settings of this machine reach it."""

    def __init__(self, name):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("BESOM_")}
        self.process = subprocess.Popen([os.path.join(BIN, name), "--stdio"], text=True, env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def say(self, line):
        """The answer to a line of text."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def ask(self, op, **fields):
        return self.say(json.dumps({"op": op, **fields}))

    def must(self, op, **fields):
        """The answer, which is no error."""
        answer = self.ask(op, **fields)
        assert "error" not in answer, (op, answer)
        return answer

    def end(self):
        """Closes the input; the exit code."""
        self.process.stdin.close()
        return self.process.wait(timeout=10)
