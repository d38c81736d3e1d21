# SPDX-License-Identifier: Apache-2.0
"""python -m besom.wandb [-m MODULE | -c TEXT | SCRIPT] [ARGS...]: runs a program whose `import wandb` finds Besom.

The interpreter is replaced, with the stand-in first on PYTHONPATH, so that processes which the program starts find it too.
"""
import os
import sys

COMPAT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "_compat")


def flags():
    """The interpreter's own options that change how a program runs."""
    import subprocess
    return subprocess._args_from_interpreter_flags()


def main():
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.split("\n")[0], file=sys.stdout if len(sys.argv) > 1 else sys.stderr)
        return 0 if len(sys.argv) > 1 else 2
    old = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = COMPAT + (os.pathsep + old if old else "")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *flags(), *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
