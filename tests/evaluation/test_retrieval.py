"""Retrieval on cases whose answers are known."""

import dataclasses

import numpy as np

from discogan_tf.evaluation import retrieval
from tests.evaluation.discs import with_outputs

_RNG = np.random.default_rng(0)


def test_retrieval_of_the_ground_truth_of_none_and_by_chance(batch):
    order = np.random.default_rng(5).permutation(20)
    paired = dataclasses.replace(batch, pairs=order)
    found = retrieval.measure(with_outputs(paired, batch.targets[order]), 20)
    assert found["retrieval_top_1"].value == found["retrieval_top_5"].value == 1
    assert (found["retrieval_top_1"].reference, found["retrieval_top_5"].reference) == (
        1 / 20,
        5 / 20,
    )
    assert found["retrieval_untranslated_top_1"].value < 0.5  # The inputs are other images.
    wrong = retrieval.measure(with_outputs(paired, batch.targets[np.roll(order, 1)]), 20)
    assert wrong["retrieval_top_1"].value == 0
    assert retrieval.measure(batch, 20) == {}


def test_retrieval_by_gradients_ignores_color(batch):
    """A recolored target is found by its gradients, and so is one that stands elsewhere not."""
    paired = dataclasses.replace(batch, pairs=np.arange(20))
    found = retrieval.measure(with_outputs(paired, batch.targets[..., ::-1] * 0.5 + 0.5), 0)
    # Two of the 20 discs have the outline of another.
    assert found["retrieval_gradients_top_1"].value >= 0.9
    moved = retrieval.measure(with_outputs(paired, np.roll(batch.targets, 8, axis=2)), 0)
    assert moved["retrieval_gradients_top_1"].value < 0.5
    itself = retrieval.measure(dataclasses.replace(paired, inputs=batch.targets), 0)
    assert itself["retrieval_fixed_rule_top_1"].value > 0.9
