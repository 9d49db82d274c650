"""A contact sheet: images of every split in rows, and those that findings are about."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_COLUMNS = 16
_CELL, _GAP = 64, 3


def draw_contact_sheet(rows: dict[str, np.ndarray], path: Path) -> None:
    """Writes a PNG.

    Args:
      rows: Label -> uint8 [n, size, size, 3]; evenly spaced ones are shown if there are too many.
      path: The file, written completely or not at all.

    Raises:
      OSError: if it cannot be written.
    """
    font = ImageFont.load_default(size=13)
    label_height = 20
    height = len(rows) * (label_height + _CELL + _GAP) + _GAP
    sheet = Image.new("RGB", (_COLUMNS * (_CELL + _GAP) + _GAP, height), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (label, images) in enumerate(rows.items()):
        top = row * (label_height + _CELL + _GAP) + _GAP
        draw.text((_GAP, top + label_height // 2), label, fill="black", font=font, anchor="lm")
        chosen = np.linspace(0, len(images) - 1, min(_COLUMNS, len(images))).astype(int)
        if "duplicates" in label or "identical" in label:
            chosen = np.arange(len(chosen))  # Side by side, because they belong together.
        for column, image in enumerate(images[chosen]):
            scaled = Image.fromarray(image).resize((_CELL, _CELL), Image.Resampling.BICUBIC)
            place = (_GAP + column * (_CELL + _GAP), top + label_height)
            sheet.paste(scaled, place)
            # A frame, because blank images are as white as the sheet.
            draw.rectangle(
                (*place, place[0] + _CELL - 1, place[1] + _CELL - 1), outline="lightgray"
            )
    temporary = path.with_name(path.name + ".part")
    sheet.save(temporary, "PNG")
    temporary.replace(path)
