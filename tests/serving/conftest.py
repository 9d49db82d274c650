"""What the tests of export and serving share: an export of untrained networks, and a server of it."""

import contextlib

import pytest

from benchmarks.serving_faults import Server
from discogan_tf.export.bundle import export


@pytest.fixture(scope="session")
def exported(make_run, tmp_path_factory):
    """An export of both directions, version 1. Tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("serving")
    export(make_run(folder / "run"), folder / "exported")
    return folder / "exported"


@pytest.fixture(scope="session")
def serve():
    """A function: export folder and arguments -> a running server; all end with the session."""
    with contextlib.ExitStack() as stack:
        yield lambda folder, *arguments: stack.enter_context(Server(folder, *arguments))


@pytest.fixture(scope="session")
def server(exported, serve):
    return serve(exported, "--request_timeout_secs=1", "--max_request_mib=2", "--max_batch_size=8")
