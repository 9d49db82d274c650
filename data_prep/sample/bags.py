"""Handbags, seen from the front."""

import numpy as np

from data_prep.sample.canvas import Canvas, Color, Points, curve, darker, lighter, rounded
from data_prep.sample.style import Style


def _tote(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    top, bottom = rng.uniform(0.40, 0.48), rng.uniform(0.84, 0.92)
    wide, narrow = rng.uniform(0.34, 0.42), rng.uniform(0.27, 0.34)
    rise, reach = rng.uniform(0.24, 0.32), rng.uniform(0.13, 0.19)
    width = rng.uniform(0.022, 0.032)

    def handle(lift: float, color: Color) -> None:
        arch = [
            (0.5 - reach, top + 0.09),
            (0.5 - reach * 0.92, top - rise * 0.6),
            (0.5 - reach * 0.45, top - rise - lift),
            (0.5 + reach * 0.45, top - rise - lift),
            (0.5 + reach * 0.92, top - rise * 0.6),
            (0.5 + reach, top + 0.09),
        ]
        canvas.strap(curve(arch), width, color)

    handle(0.02, darker(style.second, 0.7))
    body = [(0.5 - wide, top), (0.5 + wide, top), (0.5 + narrow, bottom), (0.5 - narrow, bottom)]
    canvas.fill(rounded(body, 0.035), style.surface)
    if style.two_tone:
        level = rng.uniform(0.62, 0.72)
        share = (level - top) / (bottom - top)
        side = wide + (narrow - wide) * share
        lower = [(0.5 - side, level), (0.5 + side, level), body[2], body[3]]
        canvas.fill(rounded(lower, 0.02), style.second)
    _stitches(canvas, [(0.5 - wide + 0.02, top + 0.03), (0.5 + wide - 0.02, top + 0.03)], style)
    handle(0.0, style.second)
    for side in (-1, 1):
        canvas.disc((0.5 + side * reach, top + 0.09), 0.017, darker(style.metal, 0.8))
        canvas.disc((0.5 + side * reach, top + 0.09), 0.012, style.metal)


def _clutch(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    half_width, half_height = rng.uniform(0.40, 0.45), rng.uniform(0.15, 0.21)
    center = rng.uniform(0.50, 0.56)
    top, bottom = center - half_height, center + half_height
    if rng.random() < 0.4:  # A wrist loop.
        x = 0.5 - half_width
        loop = [(x + 0.02, top + 0.06), (x - 0.02, top + 0.2), (x + 0.03, bottom + 0.1),
                (x + 0.08, bottom + 0.02), (x + 0.04, top + 0.12)]  # fmt: skip
        canvas.strap(curve(loop), 0.018, style.second)
    body = [(0.5 - half_width, top), (0.5 + half_width, top),
            (0.5 + half_width, bottom), (0.5 - half_width, bottom)]  # fmt: skip
    canvas.fill(rounded(body, rng.uniform(0.02, 0.07)), style.surface)
    drop = rng.uniform(0.45, 0.7) * 2 * half_height
    if rng.random() < 0.5:  # An envelope's flap, or a straight one.
        flap = [body[0], body[1], (0.5, top + drop * 1.15)]
    else:
        flap = [body[0], body[1], (0.5 + half_width, top + drop), (0.5 - half_width, top + drop)]
    shape = rounded(flap, 0.04)
    _fill_flap(canvas, shape, style, height=0.008)
    _clasp(canvas, (0.5, top + drop * 0.97), style)


def _shoulder_bag(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    half_width, top = rng.uniform(0.28, 0.35), rng.uniform(0.46, 0.54)
    bottom, flare = rng.uniform(0.86, 0.92), rng.uniform(0.0, 0.04)
    peak = rng.uniform(0.06, 0.12)
    strap = [(0.5 - half_width, top + 0.06), (0.5 - half_width * 0.8, (top + peak) / 2),
             (0.5 - 0.1, peak + 0.03), (0.5, peak), (0.5 + 0.1, peak + 0.03),
             (0.5 + half_width * 0.8, (top + peak) / 2), (0.5 + half_width, top + 0.06)]  # fmt: skip
    canvas.strap(curve(strap), rng.uniform(0.014, 0.022), style.second)
    body = [(0.5 - half_width, top), (0.5 + half_width, top),
            (0.5 + half_width + flare, bottom), (0.5 - half_width - flare, bottom)]  # fmt: skip
    canvas.fill(rounded(body, rng.uniform(0.05, 0.1)), style.surface)
    drop = rng.uniform(0.5, 0.62) * (bottom - top)
    flap = [(0.5 - half_width, top), (0.5 + half_width, top),
            (0.5 + half_width + flare * 0.6, top + drop * 0.8), (0.5, top + drop * 1.1),
            (0.5 - half_width - flare * 0.6, top + drop * 0.8)]  # fmt: skip
    shape = rounded(flap, 0.09)
    _fill_flap(canvas, shape, style)
    _clasp(canvas, (0.5, top + drop * 0.93), style)


def _satchel(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    half_width, top = rng.uniform(0.36, 0.42), rng.uniform(0.38, 0.44)
    bottom, reach = rng.uniform(0.82, 0.88), rng.uniform(0.12, 0.16)
    rise = rng.uniform(0.12, 0.17)
    handle = [(0.5 - reach, top + 0.02), (0.5 - reach * 0.8, top - rise * 0.8), (0.5, top - rise),
              (0.5 + reach * 0.8, top - rise * 0.8), (0.5 + reach, top + 0.02)]  # fmt: skip
    canvas.strap(curve(handle), 0.03, style.second)
    body = [(0.5 - half_width, top), (0.5 + half_width, top),
            (0.5 + half_width, bottom), (0.5 - half_width, bottom)]  # fmt: skip
    canvas.fill(rounded(body, 0.06), style.surface)
    level = top + rng.uniform(0.36, 0.46) * (bottom - top)
    flap = [body[0], body[1], (0.5 + half_width, level), (0.5 - half_width, level)]
    shape = rounded(flap, 0.05)
    _fill_flap(canvas, shape, style)
    for side in (-0.5, 0.5):  # Two buckled straps.
        x = 0.5 + side * half_width
        band = [(x - 0.026, top + 0.03), (x + 0.026, top + 0.03),
                (x + 0.026, level + 0.12), (x - 0.026, level + 0.12)]  # fmt: skip
        canvas.fill(rounded(band, 0.02), darker(style.second, 0.8))
        canvas.fill(_box(x, level + 0.05, 0.036, 0.026), style.metal)
        canvas.fill(_box(x, level + 0.05, 0.022, 0.013), darker(style.second, 0.7), shaded=False)


def _hobo(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    half_width, bottom = rng.uniform(0.36, 0.43), rng.uniform(0.84, 0.92)
    horn, sag = rng.uniform(0.34, 0.42), rng.uniform(0.50, 0.57)
    peak = rng.uniform(0.08, 0.15)
    strap = [(0.5 - half_width * 0.78, horn + 0.02), (0.5 - half_width * 0.55, peak + 0.1),
             (0.5, peak), (0.5 + half_width * 0.55, peak + 0.1),
             (0.5 + half_width * 0.78, horn + 0.02)]  # fmt: skip
    canvas.strap(curve(strap), rng.uniform(0.028, 0.04), style.second)
    body = [(0.5 - half_width * 0.8, horn), (0.5 - half_width * 0.45, sag - 0.03), (0.5, sag),
            (0.5 + half_width * 0.45, sag - 0.03), (0.5 + half_width * 0.8, horn),
            (0.5 + half_width, (horn + bottom) / 2 + 0.05), (0.5 + half_width * 0.62, bottom - 0.03),
            (0.5, bottom), (0.5 - half_width * 0.62, bottom - 0.03),
            (0.5 - half_width, (horn + bottom) / 2 + 0.05)]  # fmt: skip
    canvas.fill(curve(body, closed=True), style.surface)
    if style.two_tone:
        half = half_width * 0.94
        base = [(0.5 - half, bottom - 0.15), (0.5, bottom - 0.1), (0.5 + half, bottom - 0.15),
                (0.5 + half * 0.62, bottom - 0.035), (0.5, bottom),
                (0.5 - half * 0.62, bottom - 0.035)]  # fmt: skip
        canvas.fill(curve(base, closed=True), style.second)
    zip_line = [
        (0.5 - half_width * 0.5, sag + 0.03),
        (0.5, sag + 0.055),
        (0.5 + half_width * 0.5, sag + 0.03),
    ]
    canvas.stroke(curve(zip_line), 0.008, style.metal)
    for side in (-1, 1):
        canvas.disc((0.5 + side * half_width * 0.78, horn + 0.035), 0.02, style.metal)


def _bucket(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    mouth, base = rng.uniform(0.25, 0.3), rng.uniform(0.29, 0.35)
    top, bottom = rng.uniform(0.40, 0.47), rng.uniform(0.88, 0.93)
    peak = rng.uniform(0.06, 0.12)
    strap = [(0.5 - mouth, top + 0.1), (0.5 - mouth * 0.85, (top + peak) / 2), (0.5, peak),
             (0.5 + mouth * 0.85, (top + peak) / 2), (0.5 + mouth, top + 0.1)]  # fmt: skip
    canvas.strap(curve(strap), 0.026, style.second)
    inside = [(0.5 - mouth, top), (0.5, top - 0.035), (0.5 + mouth, top), (0.5, top + 0.04)]
    canvas.fill(curve(inside, closed=True), darker(style.color, 0.5))
    body = [(0.5 - mouth, top), (0.5, top + 0.035), (0.5 + mouth, top),
            (0.5 + base, bottom - 0.04), (0.5, bottom), (0.5 - base, bottom - 0.04)]  # fmt: skip
    canvas.fill(rounded(body, 0.05), style.surface)
    if style.two_tone:
        level = bottom - rng.uniform(0.12, 0.18)
        band = [
            (0.5 - base + 0.01, level),
            (0.5, level + 0.03),
            (0.5 + base - 0.01, level),
            *body[3:],
        ]
        canvas.fill(rounded(band, 0.04), style.second)
    cord = [
        (0.5 - mouth - 0.005, top + 0.075),
        (0.5, top + 0.115),
        (0.5 + mouth + 0.005, top + 0.075),
    ]
    canvas.strap(curve(cord), 0.014, style.second)
    for end in (-0.045, 0.045):
        canvas.strap(curve([(0.5, top + 0.115), (0.5 + end, top + 0.19), (0.5 + end * 1.1, top + 0.27)]),
                     0.013, style.second)  # fmt: skip


def _fill_flap(canvas: Canvas, shape: Points, style: Style, height: float = 0.01) -> None:
    """A flap over the body, with its shadow under it."""
    canvas.fill([(x, y + height) for x, y in shape], darker(style.color, 0.45), shaded=False)
    canvas.fill(shape, style.second if style.two_tone else style.surface)


def _clasp(canvas: Canvas, center: tuple[float, float], style: Style) -> None:
    canvas.fill(_box(*center, 0.036, 0.028), darker(style.metal, 0.75))
    canvas.fill(_box(*center, 0.028, 0.02), style.metal)
    canvas.disc(center, 0.008, lighter(style.metal, 0.6))


def _stitches(canvas: Canvas, line, style: Style) -> None:
    (x0, y0), (x1, y1) = line
    for t in np.linspace(0.02, 0.96, 22):
        start = (x0 + (x1 - x0) * t, y0 + (y1 - y0) * t)
        canvas.stroke(
            [start, (start[0] + (x1 - x0) * 0.02, start[1])], 0.004, lighter(style.second, 0.5)
        )


def _box(x: float, y: float, half_width: float, half_height: float):
    return rounded(
        [(x - half_width, y - half_height), (x + half_width, y - half_height),
         (x + half_width, y + half_height), (x - half_width, y + half_height)],
        0.01,
    )  # fmt: skip


KINDS = {
    "tote": _tote,
    "clutch": _clutch,
    "shoulder bag": _shoulder_bag,
    "satchel": _satchel,
    "hobo": _hobo,
    "bucket bag": _bucket,
}
