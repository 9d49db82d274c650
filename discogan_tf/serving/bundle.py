"""Writes an export: a folder that TensorFlow Serving takes as it is.

EXPORT_DIR/DIRECTION/VERSION/       a SavedModel each, with golden answers and warm-up requests
EXPORT_DIR/models.config, ...       for the server; the newest version's card and settings
"""

import os
import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf.checkpoints import restore_generators
from discogan_tf.config import Config, to_flagfile
from discogan_tf.data.domains import evenly_spaced, load_domain
from discogan_tf.errors import ConfigError, ExportError
from discogan_tf.models import create_model
from discogan_tf.networks.folding import fold
from discogan_tf.serving import card, golden, parity, server_files
from discogan_tf.serving.decoding import encode_pictures
from discogan_tf.serving.endpoints import DEFAULT, TRANSLATE_BYTES, create_endpoints
from discogan_tf.serving.formats import FORMATS, write_format
from discogan_tf.serving.versions import Version

# Of validation pictures: for the comparisons, and for the golden answers and the card's sheet.
_COMPARED, _GOLDEN = 64, 10
_CONFIG = "config.cfg"


def export(
    config: Config,
    export_dir: Path,
    checkpoint: str = "last",
    version: int = 0,
    formats: tuple[str, ...] = ("saved_model",),
) -> int:
    """Exports both directions of a run, once they are found to answer as the trained networks do.

    Args:
      config: The run's settings, with `workdir` and `data_dir` as they are now.
      export_dir: Where the versions go.
      checkpoint: As `restore_generators` takes it.
      version: Number of the new version; 0 for the one after the last.
      formats: "saved_model" and those of `FORMATS` to write beside it.

    Returns:
      The version.

    Raises:
      ExportError: if the version exists, a format's packages are missing, or an export does not
        answer as its network. Nothing is left behind then.
      CheckpointError, DataError, ConfigError: if the run or its validation pictures are missing.
    """
    others = _other_formats(formats)
    model = create_model(config, tf.float32)
    step = restore_generators(Path(config.workdir), model, checkpoint)
    pictures = {
        "a_to_b": _validation_pictures(config, config.domain_a),
        "b_to_a": _validation_pictures(config, config.domain_b),
    }
    signatures = folded_signatures(model)
    directions = {name: of for name, of in config.directions.items() if of in signatures}
    version = _settle_version(export_dir, version, tuple(directions))
    print(f"Exporting {config.workdir}, step {step}, to {export_dir} as version {version}.")

    export_dir.mkdir(parents=True, exist_ok=True)
    # In the same file system, so that what is complete can be renamed into place.
    aside = Path(tempfile.mkdtemp(prefix=".incomplete-", dir=export_dir))
    try:
        findings = {}
        for name, direction in directions.items():
            folder, network, real = aside / name, model.generators[direction], pictures[direction]
            write_saved_model(folder, signatures[direction])
            loaded = Version(folder)
            differences = parity.check_parity(network, signatures[direction][DEFAULT], loaded, real)
            for chosen in others:
                differences |= _write_format(chosen, signatures[direction][DEFAULT], folder, real)
            _write_golden(loaded, name, signatures[direction], evenly_spaced(real, _GOLDEN))
            findings[name] = card.Direction(
                differences,
                parity.statistics_gap(network, real),
                len(real),
                *_cycle(name, signatures[direction], real),
            )
            print(f"\n{name}, largest differences on {len(real)} validation pictures in [0, 1]:")
            print(*card.parity_lines(findings[name]), sep="\n")
        for name in directions:
            extra = golden.extra_folder(aside / name)
            card.write_card(extra, config, step, version, findings)
            (extra / _CONFIG).write_text(to_flagfile(config))
        server_files.write_server_files(aside, tuple(directions))
        _put_in_place(aside, export_dir, tuple(directions), version)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return version


def _other_formats(formats: tuple[str, ...]) -> list[str]:
    if "saved_model" not in formats:
        raise ConfigError("--formats: saved_model must be among them, the others are held against it")
    others = [name for name in formats if name != "saved_model"]
    if unknown := [name for name in others if name not in FORMATS]:
        raise ConfigError(
            f"--formats: no {', '.join(unknown)}; there are saved_model, {', '.join(FORMATS)}"
        )
    return others


def _validation_pictures(config: Config, domain: str) -> np.ndarray:
    """float32 [n, size, size, 3] in [0, 1]."""
    chosen = evenly_spaced(load_domain(config.data_dir, domain, "val", config.image_size).images, _COMPARED)
    return pixels.to_float(chosen).numpy()


def _settle_version(export_dir: Path, version: int, directions: tuple[str, ...]) -> int:
    existing = [
        int(folder.name)
        for direction in directions
        for folder in (export_dir / direction).glob("*")
        if folder.name.isdecimal()
    ]
    if version in existing:
        raise ExportError(
            f"{export_dir} has a version {version}: take another --version, or none for the next"
        )
    return version or max(existing, default=0) + 1


def folded_signatures(model) -> dict:
    """A model's signatures with batch norm folded.

    Each generator becomes one function, which all signatures that run it call: its weights are in
    the export once.
    """
    images = next(iter(model.signatures().values()))[DEFAULT].images
    return model.signatures(
        {
            direction: tf.function(fold(network), input_signature=[images])
            for direction, network in model.generators.items()
        }
    )


def write_saved_model(folder: Path, signatures: dict) -> None:
    """Writes a SavedModel with the endpoints of one direction.

    Args:
      folder: Where to.
      signatures: Those of the direction, as `Model.signatures` gives them for folded generators.
    """
    archive = keras.export.ExportArchive()
    for name, (function, specification) in create_endpoints(signatures).items():
        archive.add_endpoint(name, function, input_signature=[specification])
    archive.write_out(str(folder), verbose=False)


def _write_format(name: str, signature, folder: Path, pictures: np.ndarray) -> dict[str, float]:
    path = write_format(name, signature, folder)
    expected = signature.function(pictures)["translated"].numpy()
    difference = float(np.abs(FORMATS[name].load(path)(pictures) - expected).max())
    return parity.hold({f"{name}, against the network in memory": difference})


def _write_golden(loaded: Version, name: str, signatures: dict, pictures: np.ndarray) -> None:
    inputs = {signature: {"images": pictures} for signature in signatures}
    inputs[TRANSLATE_BYTES] = {"image_bytes": encode_pictures(pictures).numpy()}
    outputs = {signature: loaded.run(signature, values) for signature, values in inputs.items()}
    golden.write_golden(loaded.folder, name, inputs, outputs)


def _cycle(name: str, signatures: dict, pictures: np.ndarray) -> tuple[float | None, dict[str, np.ndarray]]:
    """Mean squared error there and back, where there is a way back, and the rows of a sheet."""
    answers = signatures["cycle" if "cycle" in signatures else DEFAULT].function(pictures)
    error = None
    if "reconstructed" in answers:
        error = float(tf.reduce_mean(tf.square(answers["reconstructed"] - pictures)))
    rows = {"real": pictures} | {key: value.numpy() for key, value in answers.items()}
    return error, {f"{name} {key}": evenly_spaced(row, _GOLDEN) for key, row in rows.items()}


def _put_in_place(aside: Path, export_dir: Path, directions: tuple[str, ...], version: int) -> None:
    """Renames every version into place, whole, and then the files for the server."""
    for name in (card.CARD, card.SHEET, _CONFIG):
        shutil.copy(golden.extra_folder(aside / directions[0]) / name, aside / name)
    # A server may look at any moment: a version must be on disk before it has its name.
    os.sync()
    placed = []
    try:
        for name in directions:
            (export_dir / name).mkdir(exist_ok=True)
            (aside / name).rename(export_dir / name / str(version))
            placed.append(name)
    except OSError as error:
        for name in placed:
            (export_dir / name / str(version)).rename(aside / name)
        raise ExportError(f"version {version} was put into {export_dir} meanwhile: run again") from error
    for path in aside.iterdir():
        path.replace(export_dir / path.name)
