"""What a demo page shows: a trained run or an export, behind one interface."""

import functools
import itertools
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf.data.domains import evenly_spaced
from discogan_tf.data.run_images import load_split
from discogan_tf.errors import ConfigError, DataError, ExportError
from discogan_tf.export import golden
from discogan_tf.export.bundle import read_fit
from discogan_tf.export.card import CARD, read_warnings
from discogan_tf.export.versions import Version, version_folders
from discogan_tf.models import model_class
from discogan_tf.models.contract import SERVING_DEFAULT, TRANSLATED, by_display_name
from discogan_tf.runs.checkpoints import available
from discogan_tf.runs.diagnostics import Diagnostics, replay
from discogan_tf.runs.metrics_log import METRICS, read_metrics_log
from discogan_tf.runs.workdir import read_config

# Validation images that a page offers.
_EXAMPLES = 8
# Checkpoints that stay loaded while a user compares them.
_LOADED = 4
_SHOWN = (
    "score",
    "sliced_wasserstein",
    "relation",
    "diversity",
    "reconstruction_ssim",
    "type_accuracy",
    "color_accuracy",
)


class Result(NamedTuple):
    """A translation for the page.

    Attributes:
      original: The image as the network takes it, or None for a sentence; uint8 [h, w, 3].
      output: Its translation, or the image of a sentence, likewise.
      reconstruction: The translation of `output` back, or Stage I of it; None without one.
      notes: What the user should know of the input.
    """

    original: np.ndarray | None
    output: np.ndarray
    reconstruction: np.ndarray | None
    notes: list[str]


class Source(Protocol):
    """What a page needs of a run or an export.

    Attributes:
      title: What is shown.
      directions: Names of the translations; of a text-to-image model, its domain or its export.
      checkpoints: Name -> step, the first steps first.
      takes_text: Whether inputs are sentences.
      warnings: About the quality, those that hold.
    """

    title: str
    directions: list[str]
    checkpoints: dict[str, int]
    takes_text: bool
    warnings: list[str]

    def run(self, value, direction: str, checkpoint: str, seed: int) -> Result:
        """Translates uint8 [h, w, 3], or generates an image of a sentence."""

    def examples(self, direction: str) -> list[np.ndarray]:
        """Validation images that may be translated in a direction."""

    def quality(self) -> str:
        """Metrics or the model card, in Markdown."""


class RunSource:
    """A trained run: see `Source`.

    Args:
      workdir: Its folder.
      data_dir: Where its domains are prepared; None for where they were.

    Raises:
      ConfigError, CheckpointError: if there is no run, or it makes no images.
    """

    def __init__(self, workdir: Path, data_dir: str | None = None):
        self._workdir = workdir
        self._config = read_config(workdir, data_dir)
        self.title = workdir.resolve().name
        self.checkpoints = available(workdir)
        if not self.checkpoints:
            raise ConfigError(f"{workdir} has no checkpoint yet: train first")
        self.takes_text = self._config.model == "stackgan"
        self._load = functools.lru_cache(_LOADED)(self._load_checkpoint)
        loaded = self._load(list(self.checkpoints)[-1])
        self.directions = [self._config.domain] if self.takes_text else loaded.directions
        self._records = read_metrics_log(workdir)
        translations = model_class(self._config).translations
        targets = {name: target for name, _, target, _ in translations}
        self.warnings = replay(Diagnostics(self._config, targets), self._records).holding

    def _load_checkpoint(self, checkpoint: str):
        if self.takes_text:
            from discogan_tf.text_generator import TextGenerator

            return TextGenerator(self._workdir, checkpoint)
        from discogan_tf.translator import Translator

        return Translator(self._workdir, checkpoint)

    def run(self, value, direction: str, checkpoint: str, seed: int) -> Result:
        loaded = self._load(checkpoint)
        if self.takes_text:
            rows = loaded.generate(loaded.embed([value]), np.array([seed]))
            first = rows.get("stage 1")
            notes = loaded.notes(value)
            return Result(None, rows["image"][0], None if first is None else first[0], notes)
        (original,), (output,), reconstructed = loaded.cycle([value], direction)
        return Result(original, output, reconstructed[0] if reconstructed else None, [])

    def examples(self, direction: str) -> list[np.ndarray]:
        if self.takes_text:
            return []
        translations = by_display_name(model_class(self._config), self._config.display_names)
        try:
            domains = load_split(self._config, "val")
        except DataError:  # The run was moved without its data.
            return []
        return list(evenly_spaced(domains[translations[direction].source].images, _EXAMPLES))

    def quality(self) -> str:
        evaluations = [record for record in self._records if METRICS in record]
        if not evaluations:
            return "This run was not evaluated yet."
        last = evaluations[-1]
        return f"Metrics on validation images, step {last['step']:,}:\n\n{_table(last[METRICS])}"


class ExportSource:
    """An export: see `Source`.

    Args:
      export_dir: What `export.py` wrote.

    Raises:
      ExportError: if there is none, or a version cannot be loaded.
    """

    def __init__(self, export_dir: Path):
        folders = version_folders(export_dir)
        if not folders:
            raise ExportError(f"no export in {export_dir}. Run export.py first")
        versions = {name: Version(found[-1]) for name, found in folders.items()}
        takes_text = {name: "generate_bytes" in v.signatures for name, v in versions.items()}
        # A page has either images or sentences as its input.
        self.takes_text = all(takes_text.values())
        self._versions = {
            name: version
            for name, version in versions.items()
            if takes_text[name] == self.takes_text
        }
        if left_out := [name for name in versions if name not in self._versions]:
            print(f"Note: not on this page, which translates images: {', '.join(left_out)}.")
        self.title, self.directions = export_dir.resolve().name, list(self._versions)
        version = next(iter(self._versions.values()))
        self.checkpoints = {f"version {version.number}": version.number}
        warnings = (read_warnings(card) for card in self._cards())
        self.warnings = list(dict.fromkeys(itertools.chain.from_iterable(warnings)))

    def run(self, value, direction: str, checkpoint: str, seed: int) -> Result:
        version = self._versions[direction or self.directions[0]]
        if self.takes_text:
            inputs = {"text": np.array([value.encode()], object), "seed": np.array([seed])}
            (file,) = version.run("generate_bytes", inputs)["image_bytes"]
            return Result(None, pixels.decode(file), None, [])
        side = version.inputs(SERVING_DEFAULT)["images"].shape[1]
        square = pixels.fit_square(tf.constant(value), side, read_fit(version.folder)).numpy()
        signature = "cycle" if "cycle" in version.signatures else SERVING_DEFAULT
        outputs = version.run(signature, {"images": pixels.to_float(square[np.newaxis]).numpy()})
        images = {name: pixels.to_uint8(output[0]) for name, output in outputs.items()}
        return Result(square, images[TRANSLATED], images.get("reconstructed"), [])

    def examples(self, direction: str) -> list[np.ndarray]:
        inputs, _ = golden.read_golden(self._versions[direction].folder)
        files = inputs.get("translate_bytes", {}).get("image_bytes", [])
        return [pixels.decode(file) for file in files[:_EXAMPLES]]

    def quality(self) -> str:
        # The sample grid is a file beside the card.
        lines = "\n\n".join(self._cards()).splitlines()
        return "\n".join(line for line in lines if not line.startswith("!["))

    def _cards(self) -> list[str]:
        """The model card of each run whose directions these are."""
        cards = []
        for version in self._versions.values():
            try:
                cards.append((golden.extra_folder(version.folder) / CARD).read_text())
            except OSError:
                cards.append(f"{version.folder} has no model card.")
        return list(dict.fromkeys(cards))


def _table(metrics: dict[str, dict[str, float]]) -> str:
    """A Markdown table: a row for each metric, a column for each direction."""
    names = [name for name in _SHOWN if any(name in values for values in metrics.values())]
    lines = [
        "| | " + " | ".join(metrics) + " |",
        "|---" * (len(metrics) + 1) + "|",
        *(
            f"| {name} | "
            + " | ".join(
                f"{values[name]:.3g}" if name in values else "" for values in metrics.values()
            )
            + " |"
            for name in names
        ),
    ]
    return "\n".join(lines)
