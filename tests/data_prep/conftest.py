"""What the tests of data_prep share: small archives."""

import io
import tarfile

import pytest
from PIL import Image


def jpeg(color, size=(512, 256), file_format="JPEG"):
    """An image with a white half on the left and one of a color on the right, as a file."""
    image = Image.new("RGB", size, (255, 255, 255))
    image.paste(color, (size[0] // 2, 0, *size))
    file = io.BytesIO()
    image.save(file, file_format)
    return file.getvalue()


def write_archive(folder, members, name="edges2boots"):
    """Writes NAME.tar.gz of (name, content) or (TarInfo, None)."""
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz", encoding="utf-8", errors="surrogateescape") as tar:
        for member, content in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                header = tarfile.TarInfo(member)
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
    return path


@pytest.fixture(scope="session")
def good_members():
    """Four training pairs and a validation pair."""
    train = [(f"edges2boots/train/{i}_AB.jpg", jpeg((250, i * 40, 0))) for i in range(4)]
    return [*train, ("edges2boots/val/1_AB.jpg", jpeg((0, 200, 0)))]
