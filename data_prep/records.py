"""The bytes of a prepared image on disk: a TFRecord with a tf.train.Example with one feature.

All records of a file have equal length, so that an image is found by its number; and TensorFlow and
TensorFlow Datasets read the file as any other. It is written here, so that preparing does not wait
for TensorFlow to load.
"""

import struct

import google_crc32c
import numpy as np

FEATURE = "image"


def record_layout(size: int) -> tuple[int, int]:
    """(bytes before an image's pixels, bytes of its record) for images of size x size."""
    before, _ = _frame(size)
    return len(before) + 12, len(before) + 12 + size * size * 3 + 4


def encode_record(image: np.ndarray) -> bytes:
    """The record of an image, uint8 [size, size, 3].

    A TFRecord is: length as 8 bytes, their checksum, the example, its checksum.
    """
    before, length = _frame(image.shape[0])
    example = before + image.tobytes()
    return length + example + struct.pack("<I", _masked_checksum(example))


def checksum(record: bytes) -> int:
    """The checksum of the example within a record."""
    return struct.unpack("<I", record[-4:])[0]


_frames: dict[int, tuple[bytes, bytes]] = {}


def _frame(size: int) -> tuple[bytes, bytes]:
    """What precedes the pixels in an example, and the record's first 12 bytes."""
    if size not in _frames:
        pixels = size * size * 3
        # Example{1: Features{1: map entry{1: key, 2: Feature{1: BytesList{1: value}}}}}.
        before = _head(1, pixels)  # bytes_list.value
        before = _head(1, pixels + len(before)) + before  # feature.bytes_list
        before = _head(2, pixels + len(before)) + before  # entry.value
        key = FEATURE.encode()
        before = _head(1, len(key)) + key + before  # entry.key
        before = _head(1, pixels + len(before)) + before  # features.feature
        before = _head(1, pixels + len(before)) + before  # example.features
        length = struct.pack("<Q", len(before) + pixels)
        _frames[size] = before, length + struct.pack("<I", _masked_checksum(length))
    return _frames[size]


def _head(field: int, length: int) -> bytes:
    """The key of a field of bytes, and their number as a varint."""
    varint = b""
    while length > 127:
        varint += bytes([length & 127 | 128])
        length >>= 7
    return bytes([field << 3 | 2]) + varint + bytes([length])


def _masked_checksum(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def is_intact(record: bytes) -> bool:
    """Whether both checksums of a record are right."""
    return struct.unpack("<I", record[8:12])[0] == _masked_checksum(record[:8]) and checksum(
        record
    ) == _masked_checksum(record[12:-4])
