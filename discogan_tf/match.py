"""Finds the items of a catalog that match an image: the shoes that go with a bag.

    python -m discogan_tf.match index --images=shoes/ --output=shoes_index \\
        --workdir=runs/bags_shoes --domain=shoes
    python -m discogan_tf.match query --index=shoes_index --image=bag.jpg --output_dir=matches

The query writes matches.json, matches.csv and matches.png, a contact sheet. Exit status: 0 when all
was written, 1 on an error that the message explains.
"""

import csv
import json
import sys
from pathlib import Path

from absl import app, flags

from discogan_tf.errors import ConfigError, DiscoganError
from discogan_tf.startup import exit_on_errors, silence_startup_logs

_COLUMNS = 12


def index(
    images: Path, output: Path, workdir: Path | None, domain: str | None, compare: str
) -> list[str]:
    """Indexes a catalog. Returns a line for each file that could not be read.

    Args:
      images: Folder of the catalog's images.
      output: Folder for the index.
      workdir: Folder of the run that translates queries; None for none.
      domain: Display name of the domain of the run that the catalog belongs to.
      compare: "original" or "translation", as for `catalog.build`.

    Raises:
      ConfigError: if the run has no such domain, or there is none although it is needed.
      DataError: as `catalog.build`.
    """
    from discogan_tf.matching.catalog import TRANSLATION, build

    direction = None
    if workdir:
        from discogan_tf.translator import Translator

        targets = Translator(workdir).targets
        found = [name for name, target in targets.items() if target == domain]
        if len(found) != 1:
            raise ConfigError(
                f"give --domain: this run translates to {' or '.join(targets.values())}"
            )
        (direction,) = found
    elif domain or compare == TRANSLATION:
        needing = "--domain" if domain else "--compare=translation"
        raise ConfigError(f"{needing} needs --workdir, the run that translates queries")
    count, unreadable = build(images, output, compare, workdir, direction)
    print(f"Indexed {count:,} image(s) of {images} in {output}.")
    return unreadable


def query(index_folder: Path, image: Path, num: int, output_dir: Path) -> None:
    """Writes the matches of an image: `matches.json`, `matches.csv`, `matches.png`.

    Args:
      index_folder: What `index` wrote.
      image: The query.
      num: How many matches.
      output_dir: Where to write.

    Raises:
      DataError, ConfigError, CheckpointError: if the index, or the run that it names, is missing.
      OSError: if the query cannot be read.
    """
    from discogan_tf import images as pixels
    from discogan_tf.matching.catalog import TRANSLATION, Catalog

    catalog = Catalog(index_folder)
    original = pixels.read_image(image)
    try:
        translation = catalog.translate(original)
    except DiscoganError as error:
        if catalog.compare == TRANSLATION:
            raise
        print(f"Note: the query is not translated: {error}")
        translation = None
    matches = catalog.match(original, num, translation)
    output_dir.mkdir(parents=True, exist_ok=True)
    rows = [
        {"rank": rank, "image": str(catalog.images / found.item), "distance": found.distance}
        for rank, found in enumerate(matches, 1)
    ]
    content = {"query": str(image), "compared": catalog.compare, "matches": rows}
    (output_dir / "matches.json").write_text(json.dumps(content, indent=1) + "\n")
    with (output_dir / "matches.csv").open("w", newline="", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, ["rank", "image", "distance"])
        writer.writeheader()
        writer.writerows(rows)
    sheet = _contact_sheet(original, translation, catalog, matches)
    pixels.write_image(output_dir / "matches.png", sheet)
    print(*(f"{row['rank']:3d}  {row['distance']:.3f}  {row['image']}" for row in rows), sep="\n")
    print(f"Wrote {output_dir / 'matches.png'}, matches.json and matches.csv.")


def _contact_sheet(original, translation, catalog, matches):
    """uint8 [h, w, 3]: the query, its translation if there is one, and the matches."""
    import numpy as np
    import tensorflow as tf

    from discogan_tf import images as pixels
    from discogan_tf.matching.features import SIZE

    def square(image):
        return pixels.fit_square(tf.constant(image), SIZE).numpy()

    rows = {"query": np.stack([square(original)])}
    if translation is not None:
        rows["translated"] = np.stack([square(translation)])
    found = []
    for match in matches:
        try:
            found.append(pixels.read_image(catalog.images / match.item, SIZE))
        except OSError:
            print(f"Note: {catalog.images / match.item} is gone; index the catalog again.")
    for start in range(0, len(found), _COLUMNS):
        label = f"matches {start + 1}-{min(start + _COLUMNS, len(found))}"
        rows[label] = np.stack(found[start : start + _COLUMNS])
    return pixels.draw_grid(rows)


def main(argv: list[str]) -> None:
    values = flags.FLAGS
    with exit_on_errors():
        silence_startup_logs()
        if argv[1:] == ["index"]:
            if not values.images or not values.output:
                raise ConfigError("give --images=FOLDER of the catalog and --output=FOLDER")
            workdir = Path(values.workdir) if values.workdir else None
            unreadable = index(
                Path(values.images), Path(values.output), workdir, values.domain, values.compare
            )
            if unreadable:
                print(*unreadable, sep="\n", file=sys.stderr)
                sys.exit(f"error: {len(unreadable)} file(s) could not be read and were skipped")
        elif argv[1:] == ["query"]:
            if not values.index or not values.image:
                raise ConfigError("give --index=FOLDER and --image=FILE")
            query(Path(values.index), Path(values.image), values.num, Path(values.output_dir))
        else:
            raise app.UsageError("say what to do: index or query")


def define_flags() -> None:
    flags.DEFINE_string("images", None, "index: folder of the catalog's images.")
    flags.DEFINE_string("output", None, "index: folder for the index, which is replaced.")
    flags.DEFINE_string("workdir", None, "index: folder of the run that translates queries.")
    flags.DEFINE_string("domain", None, "index: domain of the run that the catalog belongs to.")
    flags.DEFINE_enum(
        "compare", "original", ["original", "translation"],
        "index: what of a query is compared with the catalog.",
    )  # fmt: skip
    flags.DEFINE_string("index", None, "query: folder of an index.")
    flags.DEFINE_string("image", None, "query: the image to match.")
    flags.DEFINE_integer("num", 12, "query: number of matches.", lower_bound=1, upper_bound=1000)
    flags.DEFINE_string("output_dir", "matches", "query: folder for the results.")


if __name__ == "__main__":
    define_flags()
    app.run(main)
