"""Translations in memory, by a server and by ONNX Runtime: a grid to look at, and the differences.

    python -m benchmarks.side_by_side --workdir=runs/bags_shoes --export_dir=exported \\
        --output=grid.png

The export must have been made with --formats=saved_model,onnx, from the run's last checkpoint. The
program starts a server for it, unless --url names one.
"""

import argparse
import contextlib
import io
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from PIL import Image

from benchmarks.serving_faults import Server
from discogan_tf import images as pixels
from discogan_tf.export.formats import FORMATS
from discogan_tf.export.golden import read_golden
from discogan_tf.export.versions import version_folders
from discogan_tf.models import create_inference_model
from discogan_tf.models.contract import by_display_name
from discogan_tf.runs.checkpoints import restore_generators
from discogan_tf.runs.workdir import read_config
from discogan_tf.serving.client import create_client


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, default=Path("runs/bags_shoes"))
    parser.add_argument("--export_dir", type=Path, default=Path("exported"))
    parser.add_argument("--url", help="of a server that serves --export_dir")
    parser.add_argument("--output", type=Path, default=Path("side_by_side.png"))
    values = parser.parse_args()
    config = read_config(values.workdir)
    model = create_inference_model(config)
    restore_generators(values.workdir, model)
    directions = by_display_name(model, config.display_names)
    grid = {}
    with contextlib.ExitStack() as stack:
        url = values.url or stack.enter_context(Server(values.export_dir)).url
        for name, (*_, newest) in version_folders(values.export_dir).items():
            images = read_golden(newest)[0]["serving_default"]["images"]
            files = [_png(image) for image in pixels.to_uint8(images)]
            served = [
                np.asarray(Image.open(io.BytesIO(file)))
                for file in create_client(url).translate(name, files)
            ]
            onnx = FORMATS["onnx"]
            rows = {
                "real": pixels.to_uint8(images),
                "in memory": pixels.to_uint8(model.generators[directions[name].name](images)),
                "by the server": np.stack(served),
                "by ONNX Runtime": pixels.to_uint8(
                    onnx.load(newest / onnx.file_name)({"images": images})
                ),
            }
            for way in ("by the server", "by ONNX Runtime"):
                difference = np.abs(rows[way].astype(int) - rows["in memory"])
                share, most = (difference > 0).mean(), difference.max()
                print(f"{name} {way}: {share:.3%} of values differ, by at most {most} of 255")
            grid |= {f"{name} {way}": row for way, row in rows.items()}
    pixels.write_image(values.output, pixels.draw_grid(grid))
    print(values.output)


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    main()
