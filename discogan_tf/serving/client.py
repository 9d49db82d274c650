"""Translates images with TensorFlow Serving or with this project's own server.

    python -m discogan_tf.serving.client --url=http://localhost:8501 \\
        --direction=handbags2shoes bag.jpg -o shoe.png
    python -m discogan_tf.serving.client --direction=both photos/ -o translated/

An exported text-to-image model generates an image of a sentence instead:

    python -m discogan_tf.serving.client --direction=sample_captions --text="a red boot" -o boot.png

`--url=grpc://localhost:8500` speaks gRPC. Exit status: 0 when all was written, 1 on an error that
the message explains.
"""

import io
from pathlib import Path
from urllib.parse import urlsplit

from absl import app, flags
from PIL import Image
from tqdm import tqdm

from discogan_tf.errors import RefusedError, ServingError
from discogan_tf.image_files import MAX_SENT_PIXELS, beside, open_upright
from discogan_tf.output_files import targets
from discogan_tf.serving.prediction_client import PredictionClient
from discogan_tf.serving.rest_client import RestClient
from discogan_tf.startup import exit_on_errors, silence_startup_logs

# What the exported graph decodes; others are converted before they are sent.
_SENT_FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
# In base64 they are 31 MiB, and the server takes 32.
_MAX_SENT_BYTES = 23 << 20
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

    Other formats become PNG. Images of too many pixels or bytes become half as large, or smaller. A
    file that is not an image is returned as it is: the server explains what is wrong with it.

    Raises:
      OSError: if the file cannot be read.
    """
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content), formats=_SENT_FORMATS) as image:
            # The graph reads only GIF files whose first frame fills the screen.
            is_simple = image.format != "GIF" and not (
                image.format == "WEBP" and getattr(image, "is_animated", False)
            )
            is_small = len(content) <= _MAX_SENT_BYTES
            if is_simple and is_small and image.width * image.height <= MAX_SENT_PIXELS:
                return content
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        pass
    try:
        upright = open_upright(content)
    except OSError:
        return content
    if upright.width * upright.height > MAX_SENT_PIXELS:
        upright = upright.reduce(2)
    while len(file := _png(upright)) > _MAX_SENT_BYTES:
        upright = upright.reduce(2)
    return file


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _directions(client: PredictionClient, named: str | None) -> list[str]:
    """The directions to translate in.

    Raises:
      ServingError: if none is named and the server has several, or it does not say which it has.
    """
    if named is not None and named != _BOTH:
        return [named]
    available = _models(client, "translate_bytes", "handbags2shoes")
    if named is None and len(available) != 1:
        raise ServingError(
            f"give --direction={_BOTH}, or one of: {', '.join(available) or 'none is served'}"
        )
    return available


def _models(client: PredictionClient, signature: str, example: str) -> list[str]:
    """Names of the served models that have a signature.

    Raises:
      ServingError: if the server does not say; `example` is such a name.
    """
    try:
        if not isinstance(client, RestClient):
            raise ServingError("gRPC has no list of models")
        return [name for name, signatures in client.models().items() if signature in signatures]
    except ServingError as error:
        raise ServingError(f"{error}: give --direction, for example {example}") from error


def _translate(client: PredictionClient, images: list[Path], values: flags.FlagValues) -> None:
    directions = _directions(client, values.direction)
    is_single = len(images) == len(directions) == 1 and not images[0].is_dir()
    output = Path(values.output or ("translated.png" if is_single else "translated"))
    if is_single and not output.is_dir():
        _require_png(output)
    if not is_single and (output.is_file() or output.suffix.lower() == ".png"):
        raise ServingError(f"-o {output}: several images are written; name a folder for them")
    refused = []
    for direction in directions:
        if is_single and not output.is_dir():
            if output.resolve() == images[0].resolve():
                raise ServingError(f"{output} would be overwritten: give another -o")
            planned = {images[0]: output}
        else:
            planned = targets(images, output / direction if len(directions) > 1 else output)
        for source, target in tqdm(planned.items(), desc=direction, unit="image", delay=1):
            try:
                content = read_for_server(source)
                original = open_upright(content) if values.side_by_side else None
            except OSError as error:
                refused.append(f"{source}: {error}")
                continue
            try:
                (translation,) = client.translate(direction, [content], values.version)
            except RefusedError as error:
                refused.append(f"{source}: {error}")
                continue
            if original:
                translation = _png(beside(original, open_upright(translation)))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(translation)
            tqdm.write(f"{source} -> {target}")
    if refused:
        raise ServingError("\n".join(refused))


def _require_png(output: Path) -> None:
    if output.suffix.lower() not in ("", ".png"):
        raise ServingError(
            f"-o {output}: the result is a PNG file. Name it {output.with_suffix('.png').name}"
        )


def _generate(client: PredictionClient, values: flags.FlagValues) -> None:
    output = Path(values.output or "generated.png")
    if output.is_dir():
        raise ServingError(f"{output} is a folder: give -o FILE.png")
    _require_png(output)
    names = [values.direction]
    if values.direction is None:
        names = _models(client, "generate_bytes", "sample_captions")
        if len(names) != 1:
            raise ServingError(f"give --direction, one of: {', '.join(names) or 'none is served'}")
    (image,) = client.generate(names[0], [values.text], [values.seed], values.version)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(image)
    print(f"{values.text!r} -> {output}")


def main(argv: list[str]) -> None:
    """Sends images, or a sentence. For `absl.app.run`."""
    values, images = flags.FLAGS, [Path(argument) for argument in argv[1:]]
    if bool(images) == (values.text is not None):
        raise app.UsageError("give images to translate, or --text")
    with exit_on_errors():
        client = create_client(values.url, values.timeout_secs, values.retries)
        if values.text is None:
            _translate(client, images, values)
        else:
            _generate(client, values)


def define_flags() -> None:
    """Defines the command's flags. Images are named without a flag."""
    flags.DEFINE_string("text", None, "A sentence, instead of images to translate.")
    flags.DEFINE_integer("seed", 0, "Of --text: each gives another image.", lower_bound=0)
    flags.DEFINE_string(
        "output",
        None,
        "PNG file for one image, folder for several; by default translated.png, or translated.",
        short_name="o",
    )
    flags.DEFINE_string("url", "http://localhost:8501", "http://..., or grpc://HOST:PORT.")
    flags.DEFINE_string(
        "direction", None, f"For example handbags2shoes; {_BOTH} writes a folder for each."
    )
    flags.DEFINE_boolean("side_by_side", False, "Write each image beside its translation.")
    flags.DEFINE_integer("version", None, "Of the export; by default the newest.", lower_bound=0)
    flags.DEFINE_float("timeout_secs", 30.0, "Time for an answer.")
    flags.DEFINE_integer("retries", 3, "Further tries after a failure that may be temporary.")


if __name__ == "__main__":
    define_flags()
    app.run(main)
