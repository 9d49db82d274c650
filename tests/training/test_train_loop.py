"""Many steps in a call on batches made on the device, against single steps on the host's."""

import dataclasses
import json
from pathlib import Path

from discogan_tf.training.loop import train


def _lines(workdir):
    return [json.loads(line) for line in (Path(workdir) / "metrics.jsonl").read_text().splitlines()]


def test_steps_are_the_same_bit_for_bit(tiny_config, checkpoint_state, tmp_path):
    """Seven steps, with EMA and two updates; calls end early where steps are logged and saved."""
    config = dataclasses.replace(
        tiny_config, model="gan", num_steps=7, log_every_steps=5, save_every_steps=4, ema_decay=0.9,
        generator_updates_per_step=2, evaluate_every_steps=100, batch_size=2,
    )  # fmt: skip
    train(config)
    other = dataclasses.replace(
        config, workdir=str(tmp_path / "other"), steps_per_execution=3, device_cache_bytes=1 << 30
    )
    train(other)
    assert _lines(other.workdir) == _lines(config.workdir)
    for step in (4, 7):
        assert checkpoint_state(other.workdir, step) == checkpoint_state(config.workdir, step)
