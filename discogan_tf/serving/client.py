"""Translates images with TensorFlow Serving or with this project's own server.

    python -m discogan_tf.serving.client --url=http://localhost:8501 \\
        --direction=handbags2shoes bag.jpg -o shoe.png

An exported text-to-image model generates an image of a sentence instead:

    python -m discogan_tf.serving.client --direction=sample_captions --text="a red boot" -o boot.png

`--url=grpc://localhost:8500` speaks gRPC. Exit status: 0 when all was written, 1 on an error that
the message explains.
"""

import argparse
import io
import sys
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image, ImageOps

from discogan_tf.errors import ServingError
from discogan_tf.serving.prediction_client import PredictionClient
from discogan_tf.serving.rest_client import RestClient
from discogan_tf.startup import silence_startup_logs

# EXIF tag that says which side is up; 1 is upright.
_ORIENTATION = 0x0112


def create_client(url: str, timeout_secs: float = 30.0, retries: int = 3) -> PredictionClient:
    """A `RestClient`, or for grpc://HOST:PORT a `GrpcClient`.

    Args:
      url: Address of the server.
      timeout_secs: How long to wait for an answer.
      retries: How often to try again, with growing pauses, after a failure that may be temporary:
        no connection, or an overloaded server.

    Raises:
      ServingError: if `url` is not valid, or gRPC's packages are not installed.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ServingError(f"--url={url}: {error}") from error
    if timeout_secs <= 0 or retries < 0:
        raise ServingError("--timeout_secs must be greater than 0, --retries 0 or greater")
    if parts.scheme == "grpc" and parts.netloc:
        silence_startup_logs()
        from discogan_tf.serving.grpc_client import GrpcClient

        return GrpcClient(parts.netloc, timeout_secs, retries)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ServingError(
            f"--url={url}: must look like http://localhost:8501 or grpc://localhost:8500"
        )
    return RestClient(url, timeout_secs, retries)


def read_upright(path: Path) -> bytes:
    """The content of an image file, rotated if its EXIF data says that it lies on its side.

    A file that is not an image is returned as it is: the server explains what is wrong with it.

    Raises:
      OSError: if the file cannot be read.
    """
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.getexif().get(_ORIENTATION, 1) == 1:
                return content
            upright = ImageOps.exif_transpose(image)
            file = io.BytesIO()
            if image.format == "JPEG":  # A PNG of a photo is several times as large.
                upright.convert("RGB").save(file, "JPEG", quality=95)
            else:
                upright.save(file, "PNG")
            return file.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return content


def _targets(images: list[Path], output: Path) -> list[Path]:
    """The PNG to write for each image: `output` itself for one, files within it for several.

    Raises:
      ServingError: if two images would have one target, or a target is one of the images.
    """
    if len(images) == 1 and not output.is_dir():
        targets = [output]
    else:
        targets = [output / f"{image.stem}.png" for image in images]
    if len(set(targets)) < len(targets):
        raise ServingError("two images have the same name: translate them one by one")
    if overwritten := {path.resolve() for path in targets} & {path.resolve() for path in images}:
        raise ServingError(f"{overwritten.pop()} would be overwritten: give another -o")
    return targets


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m discogan_tf.serving.client", description=__doc__.splitlines()[0]
    )
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE")
    parser.add_argument("--text", help="a sentence, instead of images to translate")
    parser.add_argument("--seed", type=int, default=0, help="of --text: each gives another image")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("translated.png"),
        help="PNG, or folder for several",
    )
    parser.add_argument(
        "--url", default="http://localhost:8501", help="http://..., or grpc://HOST:PORT"
    )
    parser.add_argument("--direction", required=True, help="for example handbags2shoes")
    parser.add_argument("--version", type=int, help="of the export; by default the newest")
    parser.add_argument("--timeout_secs", type=float, default=30.0)
    parser.add_argument("--retries", type=int, default=3)
    values = parser.parse_args()
    if bool(values.images) == (values.text is not None):
        parser.error("give images to translate, or --text")
    try:
        client = create_client(values.url, values.timeout_secs, values.retries)
        if values.text is not None:
            if values.output.is_dir():
                raise ServingError(f"{values.output} is a folder: give -o FILE.png")
            (image,) = client.generate(
                values.direction, [values.text], [values.seed], values.version
            )
            values.output.parent.mkdir(parents=True, exist_ok=True)
            values.output.write_bytes(image)
            print(f"{values.text!r} -> {values.output}")
            return
        targets = _targets(values.images, values.output)
        for image, target in zip(values.images, targets, strict=True):
            (translation,) = client.translate(
                values.direction, [read_upright(image)], values.version
            )
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(translation)
            print(f"{image} -> {target}")
    except (ServingError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
