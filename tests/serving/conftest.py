"""What the tests of serving share: a running server of the export that all tests share."""

import contextlib

import pytest

from benchmarks.serving_faults import Server


@pytest.fixture(scope="session")
def serve():
    """A function: export folder and arguments -> a running server; all end with the session."""
    with contextlib.ExitStack() as stack:
        yield lambda folder, *arguments: stack.enter_context(Server(folder, *arguments))


@pytest.fixture(scope="session")
def server(exported, serve):
    return serve(exported, "--request_timeout_secs=1", "--max_request_mib=2", "--max_batch_size=8")
