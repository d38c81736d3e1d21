# SPDX-License-Identifier: Apache-2.0
"""Callbacks for training libraries. A library is imported with its module here, never before."""
