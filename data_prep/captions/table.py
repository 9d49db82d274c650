"""Tables of captions: TSV, CSV or JSON lines."""

import csv
import dataclasses
import io
import json
import string
from collections.abc import Iterator

from data_prep.errors import PreparationError
from data_prep.limits import LeftOut, printable

SUFFIXES = (".tsv", ".csv", ".jsonl")
_CAPTION_COLUMNS = ("caption", "captions", "title")
_COLOR_COLUMNS = ("color", "colour")


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns of a table, by their names. Empty ones are found by the usual names.

    Attributes:
      image: Path of an image.
      captions: Captions; in JSON lines, a value may be a list of them.
      type: What the image shows; with the color, its class.
      color: Its color.
      templates: Captions made from columns, such as "{color} {type}".
    """

    image: str = "image"
    captions: tuple[str, ...] = ()
    type: str = ""
    color: str = ""
    templates: tuple[str, ...] = ()


@dataclasses.dataclass
class CaptionedImage:
    """What a table says about an image.

    Attributes:
      image: Its path, as the table has it.
      captions: Its captions, each once, without white space at the ends.
      attributes: All other columns of its first row.
      type, color: Its class; empty if the table has none.
    """

    image: str
    captions: list[str]
    attributes: dict[str, str]
    type: str
    color: str


def read_table(
    content: bytes, name: str, columns: Columns, left_out: LeftOut
) -> dict[str, CaptionedImage]:
    """Reads a table. Rows of the same image are merged: it has all of their captions.

    Args:
      content: The file, UTF-8.
      name: Its name, whose suffix tells its format, for messages too.
      columns: Names of its columns.
      left_out: Collects rows that cannot be used, by their number.

    Returns:
      Path of each image -> what the table says about it.

    Raises:
      PreparationError: if it is not such a table, lacks a column, or holds no usable row.
    """
    found: dict[str, CaptionedImage] = {}
    rows = list(_rows(content, name, left_out))
    if rows:
        # In JSON lines, a row may lack what others have.
        columns = _resolve(
            columns, list(dict.fromkeys(key for _, row in rows for key in row)), name
        )
    for number, row in rows:
        where, image = f"{name}, row {number}", _cell(row, columns.image)
        if not image:
            left_out.add(where, f"nothing in the column {columns.image!r}")
            continue
        captions = _captions(row, columns, where, left_out)
        if not captions:
            left_out.add(where, "no caption")
            continue
        if image not in found:
            used = {columns.image, *columns.captions}
            found[image] = CaptionedImage(
                image,
                [],
                {key: _cell(row, key) for key in row if key not in used},
                _cell(row, columns.type),
                _cell(row, columns.color),
            )
        known = found[image].captions
        known += [caption for caption in dict.fromkeys(captions) if caption not in known]
    if not found:
        raise PreparationError(
            "; ".join([f"{name} has no usable row. Nothing was prepared", *left_out.lines[:3]])
        )
    return found


def _rows(content: bytes, name: str, left_out: LeftOut) -> Iterator[tuple[int, dict]]:
    """Number of each row, from 1 on, and the row by column."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PreparationError(
            f"{name} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8"
        ) from error
    if name.endswith(".jsonl"):
        # Not splitlines, which also splits within strings.
        for number, line in enumerate(text.split("\n"), 1):
            try:
                row = json.loads(line) if line.strip() else None
            except ValueError as error:
                left_out.add(f"{name}, row {number}", f"not JSON: {error}")
                continue
            if isinstance(row, dict):
                yield number, row
            elif row is not None:
                left_out.add(f"{name}, row {number}", "not an object")
        return
    tabs = name.endswith(".tsv")
    # Quotation marks in TSV are text: 12" vinyl.
    dialect = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {"strict": True}
    rest = object()
    # Never lower than it was: the limit is that of the whole process.
    csv.field_size_limit(max(len(text), csv.field_size_limit()))
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey=rest, **dialect)
    try:
        header = reader.fieldnames or []
        if twice := sorted({column for column in header if header.count(column) > 1}):
            raise PreparationError(f"{name} has several columns {', '.join(twice)}: rename them")
        for number, row in enumerate(reader, 1):
            if rest in row:
                left_out.add(f"{name}, row {number}", "more cells than columns")
            elif None in row.values():
                left_out.add(f"{name}, row {number}", "fewer cells than columns")
            else:
                yield number, row
    except csv.Error as error:
        raise PreparationError(
            f"{name}, line {reader.line_num}: {error}. Is it {'TSV' if tabs else 'CSV'}?"
        ) from error


def _cell(row: dict, column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value).strip()


def _resolve(columns: Columns, known: list[str], name: str) -> Columns:
    """The columns to use, checked against those of the table."""

    def first_of(usual: tuple[str, ...]) -> str:
        return next((column for column in usual if column in known), "")

    captions = columns.captions
    if not captions and not columns.templates:
        captions = tuple(filter(None, [first_of(_CAPTION_COLUMNS)]))
    type_column = columns.type or first_of(("type",))
    color_column = columns.color or first_of(_COLOR_COLUMNS)
    needed = {columns.image, *captions, type_column, color_column}
    for template in columns.templates:
        needed |= set(_fields(template))
    has = ", ".join(known)
    if missing := sorted(needed - {""} - set(known)):
        raise PreparationError(
            f"{name} has no column {', '.join(missing)}; its columns are {has}. "
            "See --image_column, --caption_columns, --type_column, --color_column and --template"
        )
    if not captions and not columns.templates:
        raise PreparationError(
            f"{name} has no column of captions ({', '.join(_CAPTION_COLUMNS)}): name it with "
            f"--caption_columns; its columns are {has}"
        )
    return dataclasses.replace(columns, captions=captions, type=type_column, color=color_column)


def _fields(template: str) -> list[str]:
    """Columns that a template names.

    Raises:
      PreparationError: if it is not a template.
    """
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise PreparationError(f"--template={template!r}: {error}") from error
    fields = [field for _, field, _, _ in parsed if field is not None]
    if any(form or conversion for _, _, form, conversion in parsed):
        raise PreparationError(f"--template={template!r}: columns without a format, as {{color}}")
    if not fields or "" in fields:
        raise PreparationError(f"--template={template!r}: name columns in it, such as {{color}}")
    return fields


def _captions(row: dict, columns: Columns, where: str, left_out: LeftOut) -> list[str]:
    """The captions of a row: those it has, and those made from its columns."""
    found = []
    for column in columns.captions:
        values = row.get(column)
        found += values if isinstance(values, list) else [values]
    for template in columns.templates:
        cells = {field: _cell(row, field) for field in _fields(template)}
        if all(cells.values()):
            # Not `str.format`, to which a dot or a digit in a column's name means something else.
            parsed = string.Formatter().parse(template)
            found.append("".join(text + cells.get(field, "") for text, field, _, _ in parsed))
    usable = []
    for caption in found:
        if caption is None:
            continue
        if not isinstance(caption, str):
            left_out.add(where, f"a caption that is not text: {printable(str(caption))}")
            continue
        caption = " ".join(caption.split())
        if not caption.isprintable():
            left_out.add(where, f"control characters in the caption {printable(caption)}")
        elif caption:
            usable.append(caption)
    return usable
