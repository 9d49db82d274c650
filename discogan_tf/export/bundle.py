"""Writes an export: a folder that TensorFlow Serving can serve as it is.

EXPORT_DIR/DIRECTION/VERSION/       a SavedModel each, with golden answers and warm-up requests
EXPORT_DIR/models.config, ...       settings for the server; the newest version's card and settings
"""

import os
import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from discogan_tf import text
from discogan_tf.config import Config
from discogan_tf.data.domains import evenly_spaced, to_input
from discogan_tf.data.run_images import load_split, split_of_examples
from discogan_tf.errors import ConfigError, ExportError
from discogan_tf.export import card, golden, parity, server_files
from discogan_tf.export.decoding import encode_images
from discogan_tf.export.formats import FORMATS, write_format
from discogan_tf.export.signatures import (
    GENERATE_BYTES,
    IMAGE_BYTES,
    TRANSLATE_BYTES,
    export_signatures,
    takes_images,
)
from discogan_tf.export.versions import Version, version_folders
from discogan_tf.flagfile import to_flagfile
from discogan_tf.hardware import inference_batch_size
from discogan_tf.models import create_inference_model
from discogan_tf.models.contract import (
    CHARACTERS,
    FROM_TEXT,
    IMAGES,
    SEED,
    SERVING_DEFAULT,
    TEXT,
    TRANSLATED,
    Signature,
    by_display_name,
)
from discogan_tf.networks.folding import fold
from discogan_tf.runs.checkpoints import restore_generators
from discogan_tf.runs.diagnostics import Diagnostics, replay
from discogan_tf.runs.metrics_log import read_metrics_log
from discogan_tf.runs.provenance import read_fits

# Examples for the golden answers and the sample grid.
_GOLDEN = 10
_CONFIG = "config.cfg"
_FIT = "fit.txt"


def export(
    config: Config,
    export_dir: Path,
    checkpoint: str = "last",
    version: int = 0,
    formats: tuple[str, ...] = ("saved_model",),
) -> int:
    """Exports all directions of a run, if their outputs equal those of the trained networks.

    Args:
      config: The run's settings, with `workdir` and `data_dir` as they are now.
      export_dir: Where the versions go.
      checkpoint: As for `restore_generators`.
      version: Number of the new version; 0 for the one after the last.
      formats: "saved_model" and those of `FORMATS` to write beside it.

    Returns:
      The version.

    Raises:
      ExportError: if the version exists or is below the newest, a format's packages are missing, or
        an export's outputs differ from its network's. Nothing is left behind then.
      CheckpointError, DataError, ConfigError: if the run or its images are missing.
    """
    other_formats = _other_formats(formats)
    model = create_inference_model(config)
    step = restore_generators(Path(config.workdir), model, checkpoint)
    directions = by_display_name(model, config.display_names)
    if not directions:
        raise ConfigError(
            f"--model={config.model} makes no images to export. The models that start from it "
            "(--init_from) hold it in their exports"
        )
    warnings = _warnings(model, config, step)
    inputs = _example_inputs(model, config)
    signatures, fits = folded_signatures(model), read_fits(Path(config.workdir))
    version = _resolve_version(export_dir, version, tuple(directions))
    print(f"Exporting {config.workdir}, step {step}, to {export_dir} as version {version}.")

    export_dir.mkdir(parents=True, exist_ok=True)
    # In the same file system, so that a complete version can be renamed into place.
    staging = Path(tempfile.mkdtemp(prefix=".incomplete-", dir=export_dir))
    try:
        findings = {}
        for display_name, (name, source, *_) in directions.items():
            findings[display_name] = _export_direction(
                staging / display_name,
                model.generators[name],
                signatures[name],
                inputs[name],
                other_formats,
                model.size_multiple,
                fits.get(source, "pad"),
            )
            print(f"\n{display_name}, largest differences in [0, 1]:")
            print(*card.parity_lines(findings[display_name]), sep="\n")
        for display_name in directions:
            extra = golden.extra_folder(staging / display_name)
            card.write_card(extra, config, step, version, findings, warnings, model.size_multiple)
            (extra / _CONFIG).write_text(to_flagfile(config))
            (extra / _FIT).write_text(fits.get(directions[display_name].source, "pad"))
        # The folder may hold directions of other runs, which are served as before.
        served = dict.fromkeys([*version_folders(export_dir), *directions])
        kept = server_files.write_server_files(staging, tuple(served), export_dir)
        _put_in_place(staging, export_dir, tuple(directions), version)
        for name in kept:
            print(
                f"\nNote: {export_dir / name} was changed since it was written, so it is kept. "
                f"{name}{server_files.NEW} is the one of this version."
            )
        for text in warnings:
            print(f"\nWARNING, at the last evaluation up to this checkpoint: {text}")
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return version


def read_fit(version_folder: Path) -> str:
    """How image files become square before this version, as for `images.fit_square`."""
    path = golden.extra_folder(version_folder) / _FIT
    return path.read_text() if path.is_file() else "pad"


def _warnings(model, config: Config, step: int) -> list[str]:
    """The warnings that hold at a checkpoint."""
    targets = {name: target for name, _, target, _ in model.translations}
    records = read_metrics_log(Path(config.workdir), step)
    return replay(Diagnostics(config, targets), records).holding


def _export_direction(
    folder: Path,
    network: keras.Model,
    signatures: dict[str, Signature],
    inputs: dict[str, np.ndarray],
    formats: list[str],
    size_multiple: int | None,
    fit: str,
) -> card.Direction:
    """Writes a version of one direction and checks it.

    Args:
      folder: Where to; its name is the direction's display name.
      network: The generator as it was trained.
      signatures: Of the direction, with folded generators.
      inputs: Inputs of the generator, validation data.
      formats: Those to write beside the SavedModel.
      size_multiple: Of the model.
      fit: How image files become square, as for `images.fit_square`.
    """
    write_saved_model(folder, signatures, size_multiple, fit)
    loaded, default = Version(folder), signatures[SERVING_DEFAULT]
    differences = parity.check_parity(network, default, loaded, inputs)
    for name in formats:
        found = _write_format(name, default, folder, inputs)
        differences |= parity.require_small(found, parity.format_tolerance(network))
    few = {name: evenly_spaced(value, _GOLDEN) for name, value in inputs.items()}
    _write_golden(loaded, signatures, few)
    return card.Direction(
        differences,
        parity.statistics_gap(network, inputs),
        len(next(iter(inputs.values()))),
        *_reconstruct(folder.name, signatures, inputs),
    )


def _other_formats(formats: tuple[str, ...]) -> list[str]:
    if "saved_model" not in formats:
        raise ConfigError(
            "--formats: saved_model must be among them, because the others are compared with it"
        )
    others = [name for name in formats if name != "saved_model"]
    if unknown := [name for name in others if name not in FORMATS]:
        raise ConfigError(
            f"--formats: unknown {', '.join(unknown)}; choose from saved_model, "
            f"{', '.join(FORMATS)}"
        )
    return others


def _example_inputs(model, config: Config) -> dict[str, dict[str, np.ndarray]]:
    """Inputs of each generator for the examples: generator -> name -> value."""
    count, split = inference_batch_size(config.image_size), split_of_examples(config)
    if split == "train":
        print("Note: a domain has no validation images. The examples are training images.")
    batch = {
        stream: to_input(evenly_spaced(domain.images, count)).numpy()
        for stream, domain in load_split(config, split).items()
    }
    return {
        generator: {name: np.asarray(value) for name, value in inputs.items()}
        for generator, inputs in model.generator_inputs(batch).items()
    }


def _resolve_version(export_dir: Path, version: int, directions: tuple[str, ...]) -> int:
    existing = [
        int(folder.name)
        for direction in directions
        for folder in (export_dir / direction).glob("*")
        if folder.name.isdecimal()
    ]
    newest = max(existing, default=0)
    if version in existing:
        raise ExportError(
            f"{export_dir} has a version {version}. Give another --version, or none for the next"
        )
    if 0 < version < newest:
        raise ExportError(
            f"{export_dir} has version {newest}, which servers would go on serving. Give a larger "
            "--version, or none for the next"
        )
    return version or newest + 1


def folded_signatures(model) -> dict[str, dict[str, Signature]]:
    """A model's signatures with batch norm folded.

    Each generator becomes one function, which all signatures that run it call: its weights are in
    the export once.
    """
    specifications = {
        name: list(signatures[SERVING_DEFAULT].inputs.values())
        for name, signatures in model.signatures().items()
    }
    if model.size_multiple:
        specifications = {
            name: [_any_size(spec) for spec in inputs] for name, inputs in specifications.items()
        }
    return model.signatures(
        {
            name: tf.function(fold(model.generators[name]), input_signature=specification)
            for name, specification in specifications.items()
        }
    )


def _any_size(images: tf.TensorSpec) -> tf.TensorSpec:
    return tf.TensorSpec((None, None, None, images.shape[-1]), images.dtype, images.name)


def write_saved_model(
    folder: Path,
    signatures: dict[str, Signature],
    size_multiple: int | None = None,
    fit: str = "pad",
) -> None:
    """Writes a SavedModel of one direction.

    Args:
      folder: Where to.
      size_multiple, fit: As for `export_signatures`.
      size_multiple: Of the model.
    """
    archive = keras.export.ExportArchive()
    for name, (function, inputs) in export_signatures(signatures, size_multiple, fit).items():
        archive.add_endpoint(name, function, input_signature=list(inputs.values()))
    archive.write_out(str(folder), verbose=False)


def _write_format(
    name: str, signature: Signature, folder: Path, inputs: dict[str, np.ndarray]
) -> dict[str, float]:
    path = write_format(name, signature, folder)
    expected = signature.function(*inputs.values())[TRANSLATED].numpy()
    difference = float(np.abs(FORMATS[name].load(path)(inputs) - expected).max())
    return {f"{name}, against the network in memory": difference}


def _write_golden(
    loaded: Version, signatures: dict[str, Signature], inputs: dict[str, np.ndarray]
) -> None:
    requests = {
        name: inputs
        for name, signature in signatures.items()
        if signature.inputs.keys() == inputs.keys()
    }
    if FROM_TEXT in signatures:
        sentences = [text.decode(row).encode() for row in inputs[CHARACTERS]]
        requests[GENERATE_BYTES] = {
            TEXT: np.array(sentences, object),
            SEED: np.arange(len(sentences)),
        }
    if takes_images(signatures):
        requests[TRANSLATE_BYTES] = {IMAGE_BYTES: encode_images(inputs[IMAGES]).numpy()}
    answers = {name: loaded.run(name, request) for name, request in requests.items()}
    golden.write_golden(loaded.folder, loaded.folder.name, requests, answers)


def _reconstruct(
    direction: str, signatures: dict[str, Signature], inputs: dict[str, np.ndarray]
) -> tuple[float | None, dict[str, np.ndarray]]:
    """Mean squared reconstruction error, if there is an inverse, and the rows of a sample grid."""
    signature = signatures["cycle" if "cycle" in signatures else SERVING_DEFAULT]
    answers = signature.function(*inputs.values())
    error = None
    if "reconstructed" in answers:
        error = float(tf.reduce_mean(tf.square(answers["reconstructed"] - inputs[IMAGES])))
    rows = {key: value.numpy() for key, value in answers.items()}
    if takes_images(signatures):
        rows = {"real": inputs[IMAGES]} | rows
    return error, {f"{direction} {key}": evenly_spaced(row, _GOLDEN) for key, row in rows.items()}


def _put_in_place(
    staging: Path, export_dir: Path, directions: tuple[str, ...], version: int
) -> None:
    """Renames every complete version into place, and then the files for the server."""
    for name in (card.CARD, card.SAMPLE_GRID, _CONFIG):
        shutil.copy(golden.extra_folder(staging / directions[0]) / name, staging / name)
    # A server may look at any moment: a version must be on disk before it has its name.
    os.sync()
    placed = []
    try:
        for name in directions:
            (export_dir / name).mkdir(exist_ok=True)
            (staging / name).rename(export_dir / name / str(version))
            placed.append(name)
    except OSError as error:
        for name in placed:
            (export_dir / name / str(version)).rename(staging / name)
        raise ExportError(
            f"could not publish version {version} in {export_dir}: {error}. Nothing was added to "
            "it. If another process exported at the same time, run again"
        ) from error
    for path in staging.iterdir():
        path.replace(export_dir / path.name)
