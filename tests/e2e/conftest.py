# SPDX-License-Identifier: GPL-3.0-or-later
"""One local stack for the tests that need no stack of their own."""
import pytest

from localstack import LocalStack


@pytest.fixture(scope="session")
def shared_stack():
    with LocalStack() as stack:
        yield stack
