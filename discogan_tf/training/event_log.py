"""TensorBoard's log of a resumed run, without the steps that a crash undid."""

from pathlib import Path

import tensorflow as tf
from tensorflow.core.util import event_pb2


def forget_after(folder: Path, step: int) -> None:
    """Takes every event of a later step out of the event files in a folder.

    Where an event file ends in the middle of an event, as a crash leaves it, that one goes too.

    Args:
      folder: Where the event files lie; there may be none.
      step: The last step to keep.
    """
    for path in sorted(folder.glob("*tfevents*")):
        records = list(_whole_records(path))
        kept = [record for record in records if event_pb2.Event.FromString(record).step <= step]
        written = sum(len(record) + _BYTES_AROUND for record in kept)
        if len(kept) == len(records) and written == path.stat().st_size:
            continue
        temporary = folder / f"part.{path.name.replace('tfevents', 'events')}"
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for record in kept:
                writer.write(record)
        temporary.replace(path)


# Of a record in its file: its length and two checksums.
_BYTES_AROUND = 16


def _whole_records(path: Path):
    try:
        yield from tf.compat.v1.io.tf_record_iterator(str(path))
    except tf.errors.DataLossError:
        return  # It was cut short here.
