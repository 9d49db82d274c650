"""Many pix2pix archives to domains, by Apache Beam and TensorFlow Datasets.

Workers read the archives, each as a stream, and cut and scale the pairs of all of them. TensorFlow Datasets
collects what they made in a folder of unfinished work, and from there the domains `NAME/photo` and
`NAME/edges` are written in order: they are those that one process would have made, whatever ran where.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import numpy as np
import tensorflow_datasets as tfds
from apache_beam.options.pipeline_options import PipelineOptions

from data_prep.errors import PreparationError
from data_prep.limits import LeftOut, Limits
from data_prep.pairs import PairForm
from data_prep.pix2pix import Decoded, decode_member, members, write_pairs
from data_prep.unfinished import unfinished_folder

# Numbers of an archive's members, and of what was left out of it, are below.
_PER_ARCHIVE = 1 << 32
_LEFT_OUT_FROM = 1 << 31
# Of what TensorFlow Datasets collects: which split a pair belongs to is read from its name later.
_SPLIT = "pairs"


def prepare_many(
    archives: list[Path],
    name: str,
    data_dir: Path,
    size: int,
    form: PairForm,
    limits: Limits,
    left_out: LeftOut,
    options: list[str],
) -> dict[str, int]:
    """Prepares the halves of every pair of some archives as the domains `NAME/HALF`.

    Members are called `ARCHIVE:MEMBER` if there are several archives.

    Args:
      archives: Tar files, which every worker can read.
      name: Of the data set.
      data_dir: Where the domains go, which every worker can write.
      size, form, limits, left_out: As `prepare_pairs`.
      options: Apache Beam's own: where to run, by how many workers.

    Returns:
      Split -> how many pairs it has.

    Raises:
      PreparationError: if an archive cannot be used, or Beam cannot run.
      OSError: if the result cannot be written.
    """
    for archive in archives:
        if not archive.is_file():
            raise PreparationError(f"no archive at {archive}")
    with unfinished_folder(data_dir, f"{name}.beam") as folder:
        builder = PairBuilder(archives, size, form, limits, data_dir=folder)
        config = tfds.download.DownloadConfig(beam_options=PipelineOptions(options))
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # It speaks of a download.
                builder.download_and_prepare(download_config=config)
        except Exception as error:  # Beam's runners raise all kinds, whose words hold the cause.
            raise PreparationError(f"Apache Beam gave up: {_cause(error)}") from error
        return write_pairs(
            _decoded(builder, form, left_out), archives, name, data_dir, size, form, left_out
        )


class PairBuilder(tfds.core.BeamBasedBuilder):
    """Every pair of some archives, decoded, in their order; and a line for what was left out.

    Args:
      archives, size, form, limits: As `prepare_many`.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, archives: list[Path], size: int, form: PairForm, limits: Limits, **more):
        self._archives, self._size, self._form, self._limits = archives, size, form, limits
        super().__init__(**more)

    def _info(self):
        picture = tfds.features.Tensor(shape=(self._size, self._size, 3), dtype=np.uint8, encoding="bytes")
        return tfds.core.DatasetInfo(
            builder=self,
            disable_shuffling=True,  # In the order of their keys.
            features=tfds.features.FeaturesDict(
                {
                    "name": tfds.features.Text(),
                    "problem": tfds.features.Text(),
                    "source_size": tfds.features.Tensor(shape=(2,), dtype=np.int64),
                    "side": tfds.features.Text(),
                    **dict.fromkeys(self._form.halves, picture),
                }
            ),
        )

    def _split_generators(self, dl_manager, pipeline):
        read = pipeline | beam.Create(list(enumerate(self._archives))) | beam.Reshuffle()
        read |= beam.FlatMap(_read, self._limits, several=len(self._archives) > 1)
        # Shared out anew: an archive is read by one worker, but its pairs need not be decoded there.
        return {_SPLIT: self._generate_examples(read | "Share out" >> beam.Reshuffle())}

    def _generate_examples(self, read):
        return read | beam.Map(_example, self._size, self._form, self._limits)


def _read(numbered: tuple[int, Path], limits: Limits, several: bool) -> Iterator[tuple]:
    """(key, number, name, content) of members; then (key, line) for what was left out."""
    index, archive = numbered
    left_out = LeftOut()
    for number, name, data in members(archive, limits, left_out):
        shown = f"{archive.name}:{name}" if several else name
        yield index * _PER_ARCHIVE + number, number, shown, data
    for number, line in enumerate(left_out.lines):
        yield index * _PER_ARCHIVE + _LEFT_OUT_FROM + number, line


def _example(read: tuple, size: int, form: PairForm, limits: Limits) -> tuple[int, dict]:
    key, *member = read
    pair = decode_member(*member, size, form, limits) if len(member) > 1 else Decoded("", {}, member[0])
    nothing = np.zeros((size, size, 3), np.uint8)
    return key, {
        "name": pair.name.encode("utf-8", "surrogateescape"),
        "problem": pair.problem,
        "source_size": np.array(pair.source_size, np.int64),
        "side": pair.side,
        **{half: pair.halves.get(half, nothing) for half in form.halves},
    }


def _decoded(builder: PairBuilder, form: PairForm, left_out: LeftOut) -> Iterator[Decoded]:
    """In the order of the archives and their members."""
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    for example in tfds.as_numpy(builder.as_dataset(split=_SPLIT, read_config=in_order)):
        name = example["name"].decode("utf-8", "surrogateescape")
        problem = example["problem"].decode()
        if problem and not name:
            left_out.lines.append(problem)
            continue
        halves = {} if problem else {half: example[half] for half in form.halves}
        width, height = example["source_size"].tolist()
        yield Decoded(name, halves, problem, (width, height), example["side"].decode())


def _cause(error: BaseException) -> str:
    """The words of a `PreparationError` among what led to an error, else its own last line."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, PreparationError):
            break
        found = found.__cause__ or found.__context__
    return str(found or error).strip().splitlines()[0]
