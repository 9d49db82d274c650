import dataclasses
import doctest
from pathlib import Path

import pytest

from discogan_tf import config as configs
from discogan_tf import flagfile
from discogan_tf.config import Config
from discogan_tf.errors import ConfigError


def test_doctests():
    results = doctest.testmod(configs)
    assert results.attempted and not results.failed


def test_defaults_are_those_of_the_flagfile_for_bags_and_shoes():
    recipe = flagfile.from_flagfile((Path(__file__).parents[1] / "bags_shoes.cfg").read_text())
    assert recipe == Config()
    assert recipe.display_names == {"a": "handbags", "b": "shoes"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("image_size", 48), ("batch_size", 0), ("learning_rate", -1.0), ("beta_1", 1.0),
        ("seed", -1),
        ("reconstruction_loss", "l3"), ("reconstruction_weight", -0.1), ("precision", "int8"),
        ("domain_a", " "), ("num_steps", 0), ("base_filters", 7), ("adversarial_loss", "l2"),
        ("learning_rate_decay_steps", 30_000), ("save_every_steps", 0), ("distribute", "some"),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_named(setting, value):
    with pytest.raises(ConfigError, match=f"--{setting}="):
        Config(**{setting: value})


@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": "paper", "image_size": 32},
        {"architecture": "paper", "normalization": "instance"},
        {"discriminator_normalization": "instance"},
        {"architecture": "resnet", "patch_layers": 4, "image_size": 32},
        {"load_size": 64}, {"replay_images": 15}, {"early_steps": 3},
        {"model": "stackgan", "domain": "x", "color_weight": 0.3}, {"kl_weight": 0.3},
        {"replay_images": 50, "xla": True}, {"replay_images": 50, "generator_updates_per_step": 2},
        {"stop_when_worse": True, "distribute": "multi_worker"},
        {"residual_blocks": 9}, {"patch_layers": 3, "architecture": "paper", "image_size": 64},
        {"noise_size": 50, "model": "text_encoder", "domain": "x"},
        {"residual_blocks": 9, "model": "stackgan", "domain": "x"},
    ],
)  # fmt: skip
def test_settings_that_exclude_each_other_are_named(settings):
    with pytest.raises(ConfigError, match=f"--({'|'.join(settings)})\\b"):
        Config(**settings)


def test_two_domains_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="--name_a"):
        Config(domain_a="boots", domain_b="boots")


def test_flagfile_round_trip():
    config = Config(flip=True, learning_rate=1.5e-5, name_a="bags", reconstruction_loss="l1")
    assert flagfile.from_flagfile(flagfile.to_flagfile(config)) == config


@pytest.mark.parametrize("line", ["--color=red", "--batch_size", "--batch_size=many"])
def test_a_foreign_flagfile_is_refused(line):
    with pytest.raises(ConfigError):
        flagfile.from_flagfile(line)


def test_differences_name_what_the_weights_depend_on():
    recorded = Config()
    requested = dataclasses.replace(
        recorded, num_steps=5, workdir="moved", batch_size=8, beta_1=0.9
    )
    lines = flagfile.differing_settings(recorded, requested)
    assert [line.split(":")[0] for line in lines] == ["--batch_size", "--beta_1"]


def test_a_learning_rate_that_decays_fixes_the_number_of_steps():
    recorded = Config(num_steps=100, learning_rate_decay_steps=50)
    longer = dataclasses.replace(recorded, num_steps=200)
    assert flagfile.differing_settings(recorded, longer) == [
        "--num_steps: the run has 100 (its learning rate decays up to that step), you requested 200"
    ]
