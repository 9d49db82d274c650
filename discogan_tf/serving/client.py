"""Translates images with TensorFlow Serving or with this project's own server.

    python -m discogan_tf.serving.client --url=http://localhost:8501 \\
        --direction=handbags2shoes bag.jpg -o shoe.png
    python -m discogan_tf.serving.client --direction=both photos/ -o translated/

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

from PIL import Image

from discogan_tf.errors import DiscoganError, ServingError
from discogan_tf.image_files import beside, open_upright
from discogan_tf.output_files import targets
from discogan_tf.serving.prediction_client import PredictionClient
from discogan_tf.serving.rest_client import RestClient
from discogan_tf.startup import silence_startup_logs

# What the exported graph decodes, and how large; others are converted before they are sent.
_SENT_FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
_SENT_PIXELS = 25_000_000
_BOTH = "both"


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


def read_for_server(path: Path) -> bytes:
    """An image file as the exported graph can decode it.

    Other formats become PNG, and images of too many pixels half as large. A file that is not an
    image is returned as it is: the server explains what is wrong with it.

    Raises:
      OSError: if the file cannot be read.
    """
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content), formats=_SENT_FORMATS) as image:
            is_still = image.format != "WEBP" or not getattr(image, "is_animated", False)
            if is_still and image.width * image.height <= _SENT_PIXELS:
                return content
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        pass
    try:
        upright = open_upright(content)
    except OSError:
        return content
    if upright.width * upright.height > _SENT_PIXELS:
        upright = upright.reduce(2)
    file = io.BytesIO()
    upright.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _directions(client: PredictionClient, named: str | None) -> list[str]:
    """The directions to translate in.

    Raises:
      ServingError: if none is named and the server has several, or it does not say which it has.
    """
    if named is not None and named != _BOTH:
        return [named]
    try:
        if not isinstance(client, RestClient):
            raise ServingError("gRPC has no list of directions")
        available = [
            name for name, signatures in client.models().items() if "translate_bytes" in signatures
        ]
    except ServingError as error:
        raise ServingError(f"{error}: give --direction, for example handbags2shoes") from error
    if named is None and len(available) != 1:
        raise ServingError(
            f"give --direction={_BOTH}, or one of: {', '.join(available) or 'none is served'}"
        )
    return available


def _translate(client: PredictionClient, values: argparse.Namespace) -> None:
    directions = _directions(client, values.direction)
    to_file = len(values.images) == len(directions) == 1 and not values.images[0].is_dir()
    for direction in directions:
        if to_file and not values.output.is_dir():
            if values.output.resolve() == values.images[0].resolve():
                raise ServingError(f"{values.output} would be overwritten: give another -o")
            planned = {values.images[0]: values.output}
        else:
            if values.output.is_file() or values.output.suffix.lower() == ".png":
                raise ServingError(
                    f"-o {values.output}: several images are written; name a folder for them"
                )
            folder = values.output / direction if len(directions) > 1 else values.output
            planned = targets(values.images, folder)
        for source, target in planned.items():
            content = read_for_server(source)
            (translation,) = client.translate(direction, [content], values.version)
            if values.side_by_side:
                translation = beside(content, translation)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(translation)
            print(f"{source} -> {target}")


def _generate(client: PredictionClient, values: argparse.Namespace) -> None:
    if values.output.is_dir():
        raise ServingError(f"{values.output} is a folder: give -o FILE.png")
    if values.direction is None:
        raise ServingError("give --direction, the name of the exported model")
    (image,) = client.generate(values.direction, [values.text], [values.seed], values.version)
    values.output.parent.mkdir(parents=True, exist_ok=True)
    values.output.write_bytes(image)
    print(f"{values.text!r} -> {values.output}")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m discogan_tf.serving.client", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "images", nargs="*", type=Path, metavar="IMAGE", help="an image, or a folder of images"
    )
    parser.add_argument("--text", help="a sentence, instead of images to translate")
    parser.add_argument("--seed", type=int, default=0, help="of --text: each gives another image")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="PNG file for one image, folder for several (default: translated.png, or translated)",
    )
    parser.add_argument(
        "--url", default="http://localhost:8501", help="http://..., or grpc://HOST:PORT"
    )
    parser.add_argument(
        "--direction", help=f"for example handbags2shoes; {_BOTH} writes a folder for each"
    )
    parser.add_argument(
        "--side_by_side", action="store_true", help="write each image beside its translation"
    )
    parser.add_argument("--version", type=int, help="of the export; by default the newest")
    parser.add_argument("--timeout_secs", type=float, default=30.0, help="time for an answer")
    parser.add_argument(
        "--retries", type=int, default=3, help="further tries after a failure that may be temporary"
    )
    values = parser.parse_args()
    if bool(values.images) == (values.text is not None):
        parser.error("give images to translate, or --text")
    if values.output is None:
        is_file = values.text is not None or (
            len(values.images) == 1 and not values.images[0].is_dir() and values.direction != _BOTH
        )
        values.output = Path("translated.png" if is_file else "translated")
    try:
        client = create_client(values.url, values.timeout_secs, values.retries)
        (_translate if values.text is None else _generate)(client, values)
    except (DiscoganError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
