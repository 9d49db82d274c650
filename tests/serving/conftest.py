"""What the tests of serving share: a running server of the export that all tests share."""

import pytest


@pytest.fixture(scope="session")
def server(exported, serve):
    return serve(exported, "--request_timeout_secs=1", "--max_request_mib=2", "--max_batch_size=8")
