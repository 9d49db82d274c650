import pytest

from discogan_tf.evaluation.translations import EvalBatch
from tests.evaluation.discs import discs


@pytest.fixture
def batch():
    """Translations that look real, with perfect reconstructions."""
    inputs = discs(20, 1)
    return EvalBatch(
        inputs=inputs,
        outputs=inputs,
        unrounded=inputs,
        targets=discs(20, 2),
        training=discs(40, 3),
        inverse=lambda images: images,
    )
