"""StackGAN, from the text encoder to the second stage, on a tiny captioned sample."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from discogan_tf import images as pixels
from discogan_tf.config import Config
from discogan_tf.data.run_images import load_run_images
from discogan_tf.demo.sources import ExportSource, RunSource
from discogan_tf.errors import ConfigError
from discogan_tf.evaluation import attribute_classifier, text_fidelity
from discogan_tf.evaluation.evaluated_run import load_evaluated_run, measure
from discogan_tf.export import golden
from discogan_tf.export.bundle import export
from discogan_tf.export.versions import Version
from discogan_tf.generate import generate
from discogan_tf.models import create_inference_model, create_model
from discogan_tf.report import report
from discogan_tf.runs.checkpoints import Checkpoints, restore_generators
from discogan_tf.runs.metrics_log import read_metrics_log
from discogan_tf.runs.workdir import read_vocabulary, write_config
from discogan_tf.text_generator import TextGenerator
from discogan_tf.training.loop import train
from discogan_tf.training.step import create_optimizers
from tests.batches import STAGE_1, STAGE_2, TEXT_ENCODER

_TINY = {
    "precision": "float32", "base_filters": 4, "batch_size": 4, "num_steps": 4,
    "conv_implementation": "plain",
    "save_every_steps": 2, "sample_every_steps": 2, "evaluate_every_steps": 2,
    "log_every_steps": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def brief_classifier(monkeypatch):
    """Classifiers of evaluations learn for ten steps."""
    monkeypatch.setattr(attribute_classifier, "_SEEN", 640)


@pytest.fixture(scope="module")
def runs(captioned_dir, tmp_path_factory):
    """A run of the text encoder, of Stage I and of Stage II, each from the one before."""
    folder, found = tmp_path_factory.mktemp("runs"), {}
    for name, settings, size in (
        ("text", TEXT_ENCODER, 32), ("stage_1", STAGE_1, 16), ("stage_2", STAGE_2, 32),
    ):  # fmt: skip
        before = list(found.values())[-1].workdir if found else ""
        found[name] = Config(
            data_dir=str(captioned_dir), workdir=str(folder / name), init_from=before,
            image_size=size, **_TINY, **settings,
        )  # fmt: skip
        train(found[name])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text", "stage_1", "stage_2"])
def test_a_run_resumes_bit_for_bit_without_the_run_it_started_from(
    runs, name, tmp_path, checkpoint_state
):
    other = dataclasses.replace(runs[name], workdir=str(tmp_path / "run"))
    train(dataclasses.replace(other, num_steps=2))
    train(dataclasses.replace(other, init_from="" if name == "text" else str(tmp_path / "gone")))
    assert checkpoint_state(other.workdir, 4) == checkpoint_state(runs[name].workdir, 4)
    logs = [Path(config.workdir, "metrics.jsonl").read_text() for config in (runs[name], other)]
    assert logs[0] == logs[1]


@pytest.mark.slow
def test_two_replicas_train_as_one(runs, tmp_path):
    losses = []
    for distribute in ("none", "mirrored"):
        config = dataclasses.replace(
            runs["stage_1"], workdir=str(tmp_path / distribute), distribute=distribute
        )
        train(config)
        records = read_metrics_log(Path(config.workdir))
        losses.append([record for record in records if "kl" in record])
    assert len(losses[0]) == 4
    for one, other in zip(*losses, strict=True):
        for name, value in one.items():
            if not name.startswith("gradient_norm"):  # A mean over replicas.
                assert other[name] == pytest.approx(value, rel=2e-3), name


def test_a_text_encoder_needs_all_texts_of_a_batch(runs, tmp_path):
    with pytest.raises(ConfigError, match="works on one device only"):
        train(
            dataclasses.replace(runs["text"], workdir=str(tmp_path / "run"), distribute="mirrored")
        )


def _weights(network):
    return [variable.numpy() for variable in network.variables]


def _restored(config):
    model = create_inference_model(config)
    restore_generators(Path(config.workdir), model)
    return model


def test_what_a_stage_starts_from_does_not_learn(runs):
    encoder = _restored(runs["text"]).generators["text"]
    stage_1 = _restored(runs["stage_1"]).generators["generate"]
    stage_2 = _restored(runs["stage_2"]).generators["generate"]
    for before, within in ((encoder, stage_1.encoder), (stage_1, stage_2.stage_1)):
        for one, other in zip(_weights(before), _weights(within), strict=True):
            np.testing.assert_array_equal(one, other)
    trained = {id(variable) for variable in stage_2.trainable_variables}
    assert trained and not trained & {id(variable) for variable in stage_2.stage_1.variables}


def test_both_stages_are_shown_and_evaluated(runs):
    grid = np.asarray(Image.open(Path(runs["stage_2"].workdir, "samples/step_000004.png")))
    assert grid.shape[0] == 3 * (96 + 4) + 4  # Real images, Stage I, Stage II.
    found = measure(load_evaluated_run(runs["stage_2"], "val", "last", 6), 0)
    names = found["directions"]["sample_captions"].keys()
    assert {"sliced_wasserstein", "diversity", "score"} <= names
    assert "Best and worst" in report(runs["stage_2"], resamples=0)


@pytest.mark.slow
def test_another_text_encoder_evaluates_images(runs, tmp_path):
    """Captions of half of the training images, aligned with them, train it; then it evaluates."""
    images = load_run_images(dataclasses.replace(runs["text"], train_share=0.5))
    everything = load_run_images(runs["text"])
    half = len(images.captions.rows)
    assert half == round(len(everything.captions.rows) / 2) == len(images.training["image"])
    for row, image in zip(images.captions.rows, images.training["image"], strict=True):
        index = everything.captions.rows.index(row)
        np.testing.assert_array_equal(image, everything.training["image"][index])
    config = dataclasses.replace(runs["text"], workdir=str(tmp_path), seed=1, train_share=0.5)
    write_config(config)
    model = create_model(config, tf.float32)
    Checkpoints(tmp_path / "checkpoints", model, create_optimizers(model, config), 1).save(1)
    found = measure(load_evaluated_run(runs["stage_1"], "val", "last", 6, tmp_path), 0)
    measured = found["directions"]["sample_captions"]
    assert 0 <= measured["r_precision"]["value"] <= 1 and measured["text_gap"]["reference"] == 1
    for evaluator, evaluated, message in (
        ("text", "stage_2", "evaluate itself"),
        ("stage_1", "stage_1", "not a run with --model=text_encoder"),
        ("text", "text", "is for --model=stackgan"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_evaluated_run(runs[evaluated], "val", "last", 6, Path(runs[evaluator].workdir))


def test_fidelity_is_measured_by_real_images(runs, monkeypatch):
    fidelity = load_evaluated_run(runs["stage_1"], "train", "last", 20).fidelity
    found = fidelity.measure()
    for name in ("type_accuracy", "color_accuracy"):
        assert 0 <= found[name].value <= 1 and "chance" in found[name].note
    # Drawn by a generator that knows the real images, they are right as often as these.
    for method in ("_diversity", "_caption_diversity"):
        monkeypatch.setattr(fidelity, method, lambda resamples: {})
    monkeypatch.setattr(fidelity, "_generate", lambda characters, seeds: fidelity._real)
    for measured in fidelity.measure().values():
        assert measured.value == measured.reference


def test_another_name_of_a_color_that_training_has_is_not_unseen():
    def captions(*colors, held_out):
        return [
            {"type": "boot", "color": color, "held_out": held_out, "captions": [f"{color} boot"],
             "attributes": {}}
            for color in colors
        ]  # fmt: skip

    held_out = captions("navy blue", "green", held_out=True)
    known = [(None, SimpleNamespace(rows=held_out + captions("blue", "red", held_out=False)))]
    domain = SimpleNamespace(images=np.zeros((2, 16, 16, 3), np.uint8))
    fidelity = text_fidelity.TextFidelity(
        None, Config(), known, domain, SimpleNamespace(rows=held_out)
    )
    assert fidelity._unseen.tolist() == [False, True]


def test_diversity_within_a_text_and_between_texts(runs, monkeypatch):
    """Of images that are a function of their noise alone, or of their text alone."""
    fidelity = load_evaluated_run(runs["stage_1"], "train", "last", 20).fidelity
    # All of one class, or few of so small a sample would have another image of theirs.
    fidelity._rows = [row | {"type": "boot", "color": "red"} for row in fidelity._rows]
    for of_noise in (True, False):

        def generate(characters, seeds, of_noise=of_noise):
            values = seeds if of_noise else characters.sum(1)
            return np.tile(np.float32(values % 97 / 97)[:, None, None, None], (1, 16, 16, 3))

        monkeypatch.setattr(fidelity, "_generate", generate)
        found = fidelity._diversity(0) | fidelity._caption_diversity(0)
        assert (found["text_diversity"].value > 0) == of_noise
        assert (found["caption_diversity"].value > 0) != of_noise


def test_the_spread_of_images_is_their_mean_distance():
    images = np.zeros((3, 2, 2, 3), np.float32)
    images[2] = 0.6  # Two of the three pairs differ, by 0.6 in every value.
    assert text_fidelity._spread(images) == pytest.approx(0.4)


def test_recall_is_measured_of_the_text_encoder(runs):
    found = measure(load_evaluated_run(runs["text"], "val", "last", 6), 0)
    values = found["directions"]["text2image"]
    assert values["recall_1"]["reference"] == pytest.approx(1 / values["recall_1"]["count"])
    assert values["recall_10"]["value"] == 1  # Of fewer than ten images.


def test_one_embedding_for_all_images_recalls_none(runs):
    retrieval = load_evaluated_run(runs["text"], "val", "last", 6).retrieval
    retrieval._encode_images = lambda images: tf.ones((len(images), 8))
    assert retrieval.measure()["recall_1"].value == 0


def test_sentences_become_images_that_an_export_draws_as_well(runs, tmp_path, capsys):
    config = runs["stage_2"]
    assert "red" in read_vocabulary(Path(config.workdir))
    sentences = ["a red boot", "a zyzzyva 日", "w" * 120]
    generate(Path(config.workdir), sentences, tmp_path / "out", 3, seed=5, interpolate=True)
    printed = capsys.readouterr().out
    assert "not seen: zyzzyva" in printed and "unknown characters, which are ignored: 日" in printed
    assert "only 99 characters are read" in printed
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"01_a_red_boot.png", "01_a_red_boot_5.png", "01_a_red_boot_7.png"} <= names
    assert {"between_01_02.png", "between_02_03.png"} <= names and len(names) == 3 * 4 + 2
    with pytest.raises(ConfigError, match="give two or more"):
        generate(Path(config.workdir), sentences[:1], tmp_path / "one", interpolate=True)

    export(config, tmp_path / "exported", formats=("saved_model", "onnx"))
    folder = tmp_path / "exported/sample_captions/1"
    version = Version(folder)
    assert set(version.signatures) == {"serving_default", "generate_bytes"}
    request = {
        "text": np.array([b"something else", b"a red boot"], object), "seed": np.array([1, 6]),
    }  # fmt: skip
    generated = version.run("generate_bytes", request)["image_bytes"][1]
    (tmp_path / "served.png").write_bytes(generated)
    # The page shows the same, of a run and of its export.
    sources = RunSource(Path(config.workdir)), ExportSource(tmp_path / "exported")
    for source in sources:
        checkpoint = list(source.checkpoints)[-1]
        result = source.run("a red boot", None, checkpoint, 6)
        difference = np.abs(result.output.astype(int) - pixels.decode(generated)).max()
        assert source.takes_text and difference <= 1
        # A run shows Stage I, too.
        assert (result.reconstruction is None) == (source is not sources[0])
    served, here = (
        np.asarray(Image.open(path), int)
        for path in (tmp_path / "served.png", tmp_path / "out/01_a_red_boot_6.png")
    )
    assert served.std() > 1 and np.abs(served - here).max() <= 1
    assert golden.replay(folder, version.run)
    card = (tmp_path / "exported/MODEL_CARD.md").read_text()
    assert "Images from sentences" in card and "images generated from their captions" in card
    assert "translate_bytes" not in card


@pytest.mark.slow
def test_the_server_generates_what_generate_does(runs, serve, tmp_path):
    config = runs["stage_1"]
    export(config, tmp_path / "exported")
    server = serve(tmp_path / "exported")
    generate(Path(config.workdir), ["A Café boot"], tmp_path / "here", 1, seed=3)
    command = [
        sys.executable, "-m", "discogan_tf.serving.client", f"--url={server.url}",
        "--text=A Café boot", "--seed=3", "-o", str(tmp_path / "served.png"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"'A Café boot' -> {tmp_path / 'served.png'}" in done.stdout
    (single,) = [p for p in (tmp_path / "here").iterdir() if p.stem.endswith("_3")]
    served, here = (np.asarray(Image.open(p), int) for p in (tmp_path / "served.png", single))
    assert served.std() > 1 and np.abs(served - here).max() <= 1
    wrong = subprocess.run([*command, "--direction=other"], capture_output=True, text=True)
    assert wrong.returncode == 1 and "Traceback" not in wrong.stderr


def test_a_seed_gives_the_same_image_in_stage_1_as_in_stage_2(runs):
    one, two = (TextGenerator(Path(runs[name].workdir)) for name in ("stage_1", "stage_2"))
    seeds = np.array([5, 6])
    alone = one.generate(one.embed(["a red boot", "a blue tote"]), seeds)["image"]
    within = two.generate(two.embed(["a red boot", "a blue tote"]), seeds)["stage 1"]
    assert np.abs(alone[0].astype(int) - alone[1]).max() > 0
    np.testing.assert_allclose(within[:, ::2, ::2].astype(int), alone, atol=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (STAGE_1 | {"init_from": ""}, "give --init_from=WORKDIR"),
        (STAGE_1 | {"init_from": "stage_1"}, "Stage I needs a run with --model=text_encoder"),
        (STAGE_2 | {"init_from": "text"}, "Stage II needs a run with --model=stackgan"),
        (STAGE_1 | {"init_from": "text", "text_features": 16}, "has other sizes"),
        (STAGE_2 | {"init_from": "stage_1", "kl_weight": 0.0}, "trained with --kl_weight above 0"),
        (STAGE_1 | {"init_from": "missing"}, "no run in"),
        ({"model": "discogan", "domain": "sample_captions"}, "has no use for --domain"),
        ({"model": "stackgan"}, "needs --domain"),
        (STAGE_1 | {"init_from": "text", "normalization": "instance"}, "needs feature maps"),
        (TEXT_ENCODER | {"init_from": "text"}, "has no use for --init_from"),
        ({"model": "discogan", "stage_1_size": 16}, "has no use for --stage_1_size"),
        (STAGE_1 | {"domain": "other", "init_from": "text"}, "the domain other is not prepared"),
    ],
)
def test_a_run_that_cannot_start(runs, settings, message, tmp_path):
    from discogan_tf.errors import DiscoganError

    if settings.get("init_from"):
        before = Path(runs["text"].workdir).parent / settings["init_from"]
        settings = settings | {"init_from": str(before)}
    size = 32
    config = Config(
        data_dir=runs["text"].data_dir, workdir=str(tmp_path / "run"), image_size=size,
        **_TINY, **settings,
    )  # fmt: skip
    with pytest.raises(DiscoganError, match=message):
        train(config)
    assert not (tmp_path / "run" / "config.cfg").exists()


def test_generate_refuses_what_it_cannot_draw(runs, tmp_path):
    with pytest.raises(ConfigError, match="no text-to-image model"):
        generate(Path(runs["text"].workdir), ["a boot"], tmp_path)
    with pytest.raises(ConfigError, match="no sentence"):
        generate(Path(runs["stage_1"].workdir), [" "], tmp_path)


def test_stage_1_must_be_smaller():
    with pytest.raises(ConfigError, match="less than --image_size=32"):
        Config(image_size=32, stage_1_size=32)


def test_attributes_that_few_values_distinguish_are_classified():
    rows = [
        {
            "type": "boot", "color": color,
            "attributes": {
                "colour": color.upper(), "pattern": pattern, "code": str(number), "note": "",
                "type": "boots",
            },
        }
        for number, (color, pattern) in enumerate([("red", "plain"), ("blue", "dots")] * 12)
    ]  # fmt: skip
    # Pattern says the same as color here, and every code is of one image.
    assert attribute_classifier.classifiable(rows) == {"type": ["boot"], "color": ["blue", "red"]}
    rows[0]["attributes"]["pattern"] = "dots"
    found = attribute_classifier.classifiable(rows)
    assert found["pattern"] == ["dots", "plain"] and "code" not in found and "note" not in found


def test_a_table_without_types_is_classified_by_color():
    rows = [{"type": "", "color": color, "attributes": {}} for color in ("red", "blue")]
    assert attribute_classifier.classifiable(rows) == {"color": ["blue", "red"]}
