import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from PIL import Image
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from discogan_tf import images as pixels
from discogan_tf.errors import CheckpointError, ConfigError, DataError, ExportError
from discogan_tf.export import golden, parity
from discogan_tf.export.bundle import export
from discogan_tf.export.card import metrics_table
from discogan_tf.export.server_files import write_server_files
from discogan_tf.export.versions import Version, version_folders
from discogan_tf.networks.resnet import ResidualGenerator
from discogan_tf.training.loop import train

_DIRECTIONS = ("handbags2shoes", "shoes2handbags")


def test_an_export_is_what_tensorflow_serving_takes(exported):
    for direction in _DIRECTIONS:
        folder = exported / direction / "1"
        assert (folder / "saved_model.pb").is_file()
        assert sorted(Version(folder).signatures) == ["cycle", "serving_default", "translate_bytes"]
    models = text_format.Parse((exported / "models.config").read_text(), ModelServerConfig())
    found = {model.name: model.base_path for model in models.model_config_list.config}
    assert found == {direction: f"/models/{direction}" for direction in _DIRECTIONS}
    assert "enable: true" in (exported / "monitoring.config").read_text()
    compose = (exported / "docker-compose.yml").read_text()
    assert f"tensorflow/serving:${{TF_SERVING_TAG:-{tf.__version__}}}" in compose
    assert not list(exported.glob(".incomplete*"))


def test_signatures_have_names_and_a_free_batch(exported):
    version = Version(exported / "handbags2shoes" / "1")
    for signature in ("serving_default", "cycle"):
        assert version.inputs(signature)["images"].shape.as_list() == [None, 32, 32, 3]
    assert set(version.signatures["cycle"].structured_outputs) == {"translated", "reconstructed"}
    assert version.inputs("translate_bytes")["image_bytes"].shape.as_list() == [None]
    assert set(version.signatures["translate_bytes"].structured_outputs) == {"image_bytes"}


@pytest.mark.parametrize("value", [-0.01, 1.01, np.nan, 255.0])
def test_images_out_of_range_are_refused(exported, value):
    version = Version(exported / "handbags2shoes" / "1")
    for signature in ("serving_default", "cycle"):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"must be in \[0, 1\]"):
            version.run(signature, {"images": np.full((1, 32, 32, 3), value, np.float32)})


def test_warm_up_requests_are_those_of_every_signature(exported):
    for direction in _DIRECTIONS:
        path = golden.extra_folder(exported / direction / "1") / "tf_serving_warmup_requests"
        logs = [
            PredictionLog.FromString(record.numpy())
            for record in tf.data.TFRecordDataset(str(path))
        ]
        requests = [log.predict_log.request for log in logs]
        assert {request.model_spec.name for request in requests} == {direction}
        inputs, outputs = golden.read_golden(exported / direction / "1")
        for signature, values in inputs.items():
            alone, together = (r for r in requests if r.model_spec.signature_name == signature)
            for name, value in values.items():
                assert np.array_equal(tf.make_ndarray(together.inputs[name]), value)
                assert np.array_equal(tf.make_ndarray(alone.inputs[name]), value[:1])
            assert len(outputs[signature]) >= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "rows"),
    [
        ("gan", {"handbags2shoes": 1}),
        ("discogan", {"handbags2shoes": 1, "shoes2handbags": 4}),
    ],
)
def test_golden_answers_are_the_images_of_the_sample_grid(tiny_config, tmp_path, model, rows):
    """The images that training showed, up to one step of rounding.

    The run is still logging: the last line of its metrics log is half-written.
    """
    config = dataclasses.replace(tiny_config, model=model)
    train(config)
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "gener')
    export(config, tmp_path / "exported")
    card = (tmp_path / "exported" / "MODEL_CARD.md").read_text()
    assert f"| metric, step 4 | {' | '.join(rows)} |" in card and "| `generator_total` |" in card
    grid = np.asarray(Image.open(tmp_path / "run" / "samples" / "step_000004.png"))
    for direction, row in rows.items():
        _, outputs = golden.read_golden(tmp_path / "exported" / direction / "1")
        for column, translated in enumerate(outputs["serving_default"]["translated"]):
            # Cells of 96 pixels, 4 apart, up to the right edge.
            left = grid.shape[1] - (6 - column) * 100
            cell = grid[4 + row * 100 :, left:][:96:3, :96:3]
            assert np.abs(cell.astype(int) - pixels.to_uint8(translated)).max() <= 1


def test_card_config_and_sample_grid_describe_the_run(exported):
    card = (exported / "MODEL_CARD.md").read_text()
    assert "handbags2shoes and shoes2handbags, version 1" in card
    assert "`sample_edges2shoes/photo` | 14 | 6 |" in card
    assert re.search(r"largest difference: SavedModel in TensorFlow's C API.* \| \d", card)
    assert "None" not in card and "nan" not in card
    assert "rotated as their EXIF data\n  says" in card and "framed as\n  those of training" in card
    assert "--image_size=32" in (exported / "config.cfg").read_text()
    assert np.asarray(Image.open(exported / "sample_grid.png")).std() > 10


def _evaluation(step, sound):
    metrics = {"score": 50.0, "diversity": 0.9, "training_gap": 0.0}
    losses = {"adversarial_a_to_b": 1.0, "discriminator_b_real": 0.6, "discriminator_b_fake": 0.6}
    if not sound:
        metrics = {"score": 90.0, "diversity": 0.1, "training_gap": 0.2}
        losses |= {"adversarial_a_to_b": 5.0, "discriminator_b_fake": 0.04}
    records = {"step": step} | losses, {"step": step, "metrics": {"handbags2shoes": metrics}}
    return "".join(json.dumps(record) + "\n" for record in records)


_WARNINGS = (
    "handbags2shoes: mode collapse",
    "handbags2shoes: the generator that is shown and exported differs from the one that trains",
    "handbags2shoes: the results have become worse",
    "the discriminator of shoes outpaces its generator",
)


def test_versions_count_up_and_are_never_overwritten(make_run, tmp_path, monkeypatch, capsys):
    """Each says the warnings that hold at its own checkpoint."""
    # The comparisons take a third of an export, and other tests cover them.
    monkeypatch.setattr(parity, "check_parity", lambda *arguments: {})
    config = make_run(tmp_path / "run", steps=(3, 5), model="gan")
    log = [_evaluation(step, sound=step in (1, 5)) for step in (1, 2, 3, 5)]
    (tmp_path / "run" / "metrics.jsonl").write_text("".join(log))
    assert export(config, tmp_path / "exported", checkpoint="3", version=7) == 7
    card = (tmp_path / "exported" / "MODEL_CARD.md").read_text()
    printed = capsys.readouterr().out
    assert "Warnings that held" in card
    for warning in _WARNINGS:
        assert f"- {warning}" in card
        assert f"WARNING, at the last evaluation up to this checkpoint: {warning}" in printed
    assert export(config, tmp_path / "exported") == 8
    assert "WARNING" not in capsys.readouterr().out
    assert "No warning held" in (tmp_path / "exported" / "MODEL_CARD.md").read_text()
    with pytest.raises(ExportError, match="has a version 7"):
        export(config, tmp_path / "exported", version=7)
    with pytest.raises(ExportError, match="has version 8, which servers would go on serving"):
        export(config, tmp_path / "exported", version=3)
    folders = version_folders(tmp_path / "exported")
    assert [int(folder.name) for folder in folders["handbags2shoes"]] == [7, 8]

    def answer(version):
        return golden.read_golden(folders["handbags2shoes"][version])[1]["serving_default"][
            "translated"
        ]

    assert not np.allclose(answer(0), answer(1))  # Of steps 3 and 5.
    assert "version 8" in (tmp_path / "exported" / "MODEL_CARD.md").read_text()


def test_the_card_has_metrics_that_only_one_direction_has(tmp_path):
    """As those of known colors, if one domain is the synthetic sample."""
    found = {"a2b": {"score": 50}, "b2a": {"score": 60, "ground_truth_color": 0.5}}
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"step": 4, "metrics": found}) + "\n")
    table = metrics_table(tmp_path, 4)
    assert "| `score` | 50 | 60 |" in table and "| `ground_truth_color` |  | 0.5 |" in table


def test_without_validation_images_examples_are_training_images(
    make_run, data_dir, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(parity, "check_parity", lambda *arguments: {})
    shutil.copytree(data_dir, tmp_path / "data")
    (file,) = (tmp_path / "data").glob("sample_edges2shoes/photo/*/*/names.json")
    file.write_text(json.dumps({"train": json.loads(file.read_text())["train"]}))
    config = make_run(tmp_path / "run", model="gan")
    config = dataclasses.replace(config, data_dir=str(tmp_path / "data"))
    export(config, tmp_path / "exported")
    assert "The examples are training images" in capsys.readouterr().out
    text = (tmp_path / "exported" / "MODEL_CARD.md").read_text()
    assert "On training images: " in text and "hold training images" in text


def test_files_that_a_user_changed_are_kept(make_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(parity, "check_parity", lambda *arguments: {})
    config, exported = make_run(tmp_path / "run", model="gan"), tmp_path / "exported"
    export(config, exported)
    compose, models = exported / "docker-compose.yml", exported / "models.config"
    # Of an export that another TensorFlow made.
    compose.write_text(compose.read_text().replace(tf.__version__, "2.1.0"))
    assert write_server_files(tmp_path, ("handbags2shoes", "bags2shoes"), exported) == []
    compose.write_text((tmp_path / compose.name).read_text())
    capsys.readouterr()
    for path, old, new in (
        (compose, "# - --enable", "- --enable"), (compose, "127.0.0.1:8501", "0.0.0.0:8501"),
        (compose, "127.0.0.1:8501:", "127.0.0.1:9501:"),
        (compose, f"{tf.__version__}}}", f"{tf.__version__}-gpu}}"), (models, "/models", "/srv"),
    ):  # fmt: skip
        content = path.read_text()
        assert old in content
        path.write_text(content.replace(old, new))
        write_server_files(tmp_path / "run", ("handbags2shoes", "bags2shoes"), exported)
        assert (tmp_path / "run" / f"{path.name}.new").is_file(), new
        (tmp_path / "run" / f"{path.name}.new").unlink()
        path.write_text(content)
    compose.write_text(compose.read_text().replace("8501", "9501"))
    changed = compose.read_text()
    export(config, exported)
    assert compose.read_text() == changed and Path(f"{compose}.new").is_file()
    assert f"{compose} was changed" in capsys.readouterr().out


def test_directions_of_another_run_are_served_as_before(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(parity, "check_parity", lambda *arguments: {})
    for name in ("handbags", "bags"):
        export(make_run(tmp_path / name, model="gan", name_a=name), tmp_path / "exported")
    config = (tmp_path / "exported" / "models.config").read_text()
    models = text_format.Parse(config, ModelServerConfig()).model_config_list.config
    assert [model.name for model in models] == ["handbags2shoes", "bags2shoes"]
    assert set(version_folders(tmp_path / "exported")) == {"handbags2shoes", "bags2shoes"}


def test_what_cannot_be_exported_says_why_and_leaves_nothing(make_run, tmp_path, monkeypatch):
    config = make_run(tmp_path / "run", steps=(3, 5), model="gan")
    target = tmp_path / "exported"
    with pytest.raises(CheckpointError, match="no checkpoint of step 4; it has 3, 5"):
        export(config, target, checkpoint="4")
    with pytest.raises(ConfigError, match="unknown coreml; choose from saved_model, onnx, litert"):
        export(config, target, formats=("saved_model", "coreml"))
    with pytest.raises(ConfigError, match="saved_model must be among them"):
        export(config, target, formats=("onnx",))
    with pytest.raises(DataError, match="not prepared"):
        export(dataclasses.replace(config, data_dir=str(tmp_path)), target)
    assert not target.exists()
    monkeypatch.setattr(parity, "FOLDING_TOLERANCE", 0.0)
    with pytest.raises(ExportError, match="these differences exceed"):
        export(config, target)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("normalization", ["batch_renorm", "instance"])
def test_other_runtimes_may_round_more_where_instance_norm_magnifies(normalization):
    network = ResidualGenerator(base_filters=4, blocks=1, normalization=normalization)
    network(tf.zeros((1, 16, 16, 3)))
    tolerance = parity.format_tolerance(network)
    assert tolerance == {"batch_renorm": 1e-4, "instance": 2e-3}[normalization]
