# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the tests of every folder import what stands beside this file."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
