# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of gRPC that protoc makes for Python."""
import glob
import os
import subprocess
import sys

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def generate(out, root, *files):
    """Modules of .proto files into a folder where imports find them then.

    `root` is the folder of the project by which they are imported; without names all below it.
    """
    root = os.path.join(PROJECT, root)
    paths = [os.path.join(root, file) for file in files] or sorted(glob.glob(os.path.join(root, "**", "*.proto"), recursive=True))
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I" + root, "--python_out=" + out, "--grpc_python_out=" + out,
                    *paths], check=True)
    if out not in sys.path:
        sys.path.insert(0, out)
