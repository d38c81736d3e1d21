# SPDX-License-Identifier: Apache-2.0
"""The package's version: that of the whole project."""

VERSION = "0.1.0"
