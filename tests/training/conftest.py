"""Memory of the runs that these tests train in one process: each holds graphs that refer to themselves."""

import gc

import keras
import pytest


@pytest.fixture(autouse=True)
def _forgotten_networks():
    yield
    keras.utils.clear_session()
    gc.collect()
