"""TensorBoard's event files of a resumed run, without the steps that a crash undid."""

from pathlib import Path

import tensorflow as tf
from tensorflow.core.util import event_pb2

# Of a record in its file: its length and two checksums.
_OVERHEAD_BYTES = 16


def truncate_events(folder: Path, step: int) -> None:
    """Removes every event of a later step from the event files in a folder.

    An event that a crash cut off at the end of a file is removed too.

    Args:
      folder: Where the event files are, if there are any.
      step: The last step to keep.
    """
    for path in sorted(folder.glob("*tfevents*")):
        records = list(_complete_records(path))
        kept = [record for record in records if event_pb2.Event.FromString(record).step <= step]
        written = sum(len(record) + _OVERHEAD_BYTES for record in kept)
        if len(kept) == len(records) and written == path.stat().st_size:
            continue
        temporary = folder / f"part.{path.name.replace('tfevents', 'events')}"
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for record in kept:
                writer.write(record)
        temporary.replace(path)


def _complete_records(path: Path):
    try:
        yield from tf.compat.v1.io.tf_record_iterator(str(path))
    except tf.errors.DataLossError:
        return  # It was cut off here.
