"""Shoes, seen from the side with the toe to the left."""

import numpy as np

from data_prep.sample.canvas import Canvas, Points, curve, darker, lighter, rounded
from data_prep.sample.style import Style

_RUBBER = (238, 236, 230)


def _sneaker(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    collar, tongue = rng.uniform(0.40, 0.46), rng.uniform(0.33, 0.40)
    sole_height = rng.uniform(0.07, 0.1)
    ground = 0.78
    top = ground - sole_height
    lining = [
        (0.62, tongue + 0.05),
        (0.76, collar + 0.03),
        (0.9, collar),
        (0.86, collar + 0.1),
        (0.64, 0.52),
    ]
    canvas.fill(curve(lining, closed=True), darker(style.second, 0.55))
    canvas.fill(
        rounded([(0.53, tongue - 0.02), (0.645, tongue - 0.035), (0.68, 0.5), (0.5, 0.5)], 0.03),
        style.second,
    )
    upper = (
        curve([(0.92, top), (0.935, 0.58), (0.915, collar)])
        + curve(
            [
                (0.915, collar),
                (0.87, collar + 0.035),
                (0.78, collar + 0.07),
                (0.68, collar + 0.04),
                (0.595, tongue + 0.03),
            ]
        )
        + curve(
            [
                (0.595, tongue + 0.03),
                (0.46, 0.49),
                (0.3, 0.565),
                (0.16, 0.6),
                (0.085, 0.655),
                (0.08, top + 0.03),
            ]
        )
    )
    canvas.fill([*upper, (0.92, top + 0.03)], style.surface)
    if style.two_tone:
        heel = curve([(0.8, top + 0.02), (0.83, 0.58), (0.845, collar + 0.05)]) + curve(
            [(0.915, collar + 0.005), (0.935, 0.58), (0.925, top + 0.02)]
        )
        canvas.fill(heel, style.second)
        toe = curve([(0.09, top + 0.025), (0.095, 0.655), (0.16, 0.607), (0.24, 0.585)]) + curve(
            [(0.27, 0.64), (0.27, top + 0.025)]
        )
        canvas.fill(toe, style.second)
    swoop = curve([(0.74, 0.54), (0.62, 0.61), (0.44, 0.66)])
    canvas.stroke(
        swoop,
        rng.uniform(0.02, 0.035),
        style.second if style.two_tone else lighter(style.color, 0.6),
    )
    laces = _RUBBER if sum(style.color) < 600 else (90, 90, 90)
    for t in np.linspace(0.1, 0.9, 5):
        x, y = 0.575 - 0.2 * t, tongue + 0.06 + 0.135 * t
        canvas.stroke([(x - 0.012, y - 0.012), (x + 0.06, y + 0.045)], 0.013, laces)
    sole = [
        (0.065, top),
        (0.93, top),
        (0.945, ground - 0.02),
        (0.91, ground),
        (0.12, ground),
        (0.065, ground - 0.035),
    ]
    canvas.fill(rounded(sole, 0.03), _RUBBER)
    canvas.stroke(
        [(0.09, ground - sole_height * 0.4), (0.93, ground - sole_height * 0.4)],
        0.006,
        style.second,
    )


def _boot_like(canvas: Canvas, style: Style, rng: np.random.Generator, shaft_top: float) -> None:
    """A boot whose shaft begins at `shaft_top`; boots and ankle boots differ in little else."""
    ground, heel = 0.86, rng.uniform(0.05, 0.085)
    sole = ground - heel
    flare = rng.uniform(-0.01, 0.03)
    opening = [
        (0.575 - flare, shaft_top),
        (0.72, shaft_top - 0.02),
        (0.875 + flare, shaft_top),
        (0.72, shaft_top + 0.025),
    ]
    back = curve([(0.9, sole), (0.905, sole - 0.1), (0.87, sole - 0.25 * (sole - shaft_top) - 0.08),
                  (0.875 + flare, shaft_top)])  # fmt: skip
    rim = curve([(0.875 + flare, shaft_top), (0.72, shaft_top + 0.02), (0.575 - flare, shaft_top)])
    front = curve([(0.575 - flare, shaft_top), (0.575, 0.5 * shaft_top + 0.28), (0.54, 0.575), (0.42, 0.64),
                   (0.27, 0.665), (0.14, 0.71), (0.095, sole)])  # fmt: skip
    canvas.fill(back + rim + front, style.surface)
    canvas.fill(curve(opening, closed=True), darker(style.second, 0.5))
    if style.two_tone:
        level = shaft_top + 0.2 * (0.6 - shaft_top) + 0.03
        cuff = [(0.875 + flare, shaft_top + 0.012), (0.72, shaft_top + 0.032), (0.575 - flare, shaft_top + 0.012),
                (0.573 - flare * 0.7, level), (0.72, level + 0.02), (0.875 + flare * 0.7, level)]  # fmt: skip
        canvas.fill(cuff, style.second)
        toe = curve([(0.1, sole + 0.005), (0.14, 0.712), (0.27, 0.667), (0.32, 0.66)]) + curve(
            [(0.36, 0.73), (0.36, sole)]
        )
        canvas.fill(toe, style.second)
    seam = curve([(0.56, 0.6), (0.66, 0.67), (0.68, sole)])
    canvas.stroke(seam, 0.006, darker(style.color, 0.5))
    if shaft_top > 0.3:  # The elastic side of an ankle boot.
        gore = [(0.66, shaft_top + 0.03), (0.79, shaft_top + 0.03), (0.74, 0.62), (0.7, 0.62)]
        canvas.fill(rounded(gore, 0.02), darker(style.second, 0.6))
    elif rng.random() < 0.6:  # A strap with a buckle.
        y = rng.uniform(0.56, 0.6)
        canvas.strap(curve([(0.56, y), (0.72, y + 0.025), (0.885, y)]), 0.026, style.second)
        canvas.fill(
            rounded(
                [(0.69, y - 0.012), (0.75, y - 0.01), (0.75, y + 0.05), (0.69, y + 0.05)], 0.01
            ),
            style.metal,
        )
    dark = darker(style.second, 0.5)
    canvas.fill(
        rounded(
            [
                (0.085, sole - 0.012),
                (0.905, sole - 0.012),
                (0.905, sole + 0.015),
                (0.1, sole + 0.022),
            ],
            0.012,
        ),
        dark,
    )
    canvas.fill(
        rounded(
            [(0.66, sole + 0.005), (0.905, sole + 0.005), (0.895, ground), (0.69, ground)], 0.012
        ),
        dark,
    )


def _boot(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    _boot_like(canvas, style, rng, shaft_top=rng.uniform(0.08, 0.2))


def _ankle_boot(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    _boot_like(canvas, style, rng, shaft_top=rng.uniform(0.36, 0.43))


def _pump(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    lift = rng.uniform(0.0, 0.08)
    thick = rng.uniform(0.022, 0.05)
    ground, seat = 0.82, 0.56 - lift
    counter = seat - 0.17
    heel = [
        (0.8, seat + 0.02),
        (0.925, seat - 0.05),
        (0.915, ground),
        (0.915 - thick, ground),
        (0.87, seat + 0.12),
    ]
    canvas.fill(rounded(heel, 0.015), style.second)
    lining = [
        (0.9, counter + 0.01),
        (0.72, seat - 0.02),
        (0.46, 0.645),
        (0.37, 0.655),
        (0.55, 0.66),
        (0.8, seat + 0.02),
    ]
    canvas.fill(curve(lining, closed=True), (226, 206, 178))
    topline = curve(
        [
            (0.905, counter),
            (0.84, counter + 0.06),
            (0.7, seat + 0.03),
            (0.54, 0.655),
            (0.42, 0.675),
            (0.35, 0.655),
        ]
    )
    toe = curve([(0.35, 0.655), (0.25, 0.675), (0.14, 0.725), (0.06, 0.79), (0.09, ground - 0.008)])
    under = curve([(0.09, ground - 0.008), (0.34, ground - 0.008), (0.5, 0.775), (0.68, seat + 0.12), (0.82, seat + 0.035),
                   (0.925, seat + 0.01), (0.94, seat - 0.08), (0.905, counter)])  # fmt: skip
    canvas.fill(topline + toe + under, style.surface)
    if style.two_tone:
        cap = curve([(0.235, 0.685), (0.14, 0.73), (0.065, 0.79), (0.09, ground - 0.01)])
        cap.append((0.25, ground - 0.01))
        canvas.fill(cap, style.second)
    sole = curve(
        [
            (0.075, ground - 0.012),
            (0.34, ground - 0.006),
            (0.5, 0.785),
            (0.68, seat + 0.13),
            (0.84, seat + 0.035),
        ]
    )
    canvas.stroke(sole, 0.014, darker(style.second, 0.55))
    if rng.random() < 0.35:  # A bow at the vamp.
        x, y = 0.34, 0.66
        for side in (-1, 1):
            canvas.fill(
                rounded([(x, y), (x + side * 0.06, y - 0.04), (x + side * 0.06, y + 0.03)], 0.015),
                style.second,
            )
        canvas.disc((x, y), 0.015, darker(style.second, 0.7))


def _loafer(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    ground, sole = 0.77, 0.735
    rise = rng.uniform(0.0, 0.04)
    lining = curve([(0.91, 0.515 - rise), (0.72, 0.535 - rise), (0.5, 0.485 - rise)])
    canvas.fill([*lining, (0.6, 0.62), (0.85, 0.62)], darker(style.second, 0.5))
    upper = (
        curve([(0.925, sole), (0.935, 0.62), (0.91, 0.515 - rise)])
        + curve(
            [(0.91, 0.515 - rise), (0.8, 0.585), (0.66, 0.6), (0.56, 0.555), (0.5, 0.485 - rise)]
        )
        + curve(
            [
                (0.5, 0.485 - rise),
                (0.4, 0.54 - rise),
                (0.25, 0.6),
                (0.13, 0.64),
                (0.07, 0.69),
                (0.08, sole),
            ]
        )
    )
    canvas.fill(upper, style.surface)
    if style.two_tone:
        vamp = curve(
            [(0.47, 0.515 - rise), (0.4, 0.555 - rise), (0.25, 0.615), (0.15, 0.65)]
        ) + curve([(0.24, 0.68), (0.4, 0.63), (0.53, 0.57)])
        canvas.fill(vamp, style.second)
    canvas.stroke(
        curve([(0.12, 0.665), (0.26, 0.665), (0.42, 0.62), (0.55, 0.56)]),
        0.007,
        darker(style.color, 0.5),
    )
    saddle = [
        (0.43, 0.52 - rise),
        (0.53, 0.53 - rise),
        (0.6, 0.66),
        (0.58, sole),
        (0.46, sole),
        (0.46, 0.62),
    ]
    canvas.fill(rounded(saddle, 0.03), style.second)
    if rng.random() < 0.5:
        canvas.fill(
            rounded([(0.43, 0.565), (0.53, 0.56), (0.54, 0.59), (0.44, 0.6)], 0.01), style.metal
        )
    dark = darker(style.second, 0.45)
    canvas.fill(
        rounded(
            [
                (0.065, sole - 0.015),
                (0.93, sole - 0.015),
                (0.93, ground - 0.015),
                (0.09, ground - 0.01),
            ],
            0.012,
        ),
        dark,
    )
    canvas.fill(
        rounded([(0.7, sole), (0.93, sole), (0.925, ground + 0.025), (0.71, ground + 0.025)], 0.01),
        dark,
    )


def _sandal(canvas: Canvas, style: Style, rng: np.random.Generator) -> None:
    ground = 0.8
    wedge = rng.uniform(0.0, 0.14)
    thickness = rng.uniform(0.05, 0.07)

    def footbed(x: float) -> float:
        """Height of the footbed at x: level under the toes, rising to the heel by `wedge`."""
        t = np.clip((x - 0.38) / 0.45, 0, 1)
        return ground - thickness - wedge * float(t * t * (3 - 2 * t))

    xs = np.linspace(0.08, 0.93, 24)
    bed: Points = [(float(x), footbed(x)) for x in xs]
    ankle = footbed(0.8) - rng.uniform(0.19, 0.25)
    canvas.strap(curve([(0.9, footbed(0.9)), (0.92, footbed(0.9) - 0.09), (0.9, ankle), (0.74, ankle + 0.03),
                        (0.6, ankle + 0.01)]), 0.032, style.second)  # fmt: skip
    canvas.strap(
        curve([(0.6, ankle + 0.01), (0.63, ankle + 0.1), (0.7, footbed(0.7) + 0.02)]),
        0.03,
        style.second,
    )
    canvas.fill([*bed, (0.925, ground), (0.13, ground), (0.075, ground - 0.02)], style.second)
    canvas.stroke(bed, 0.018, (205, 170, 125))
    for start, stop, rise in ((0.15, 0.36, 0.13), (0.4, 0.58, 0.17)):
        middle = (start + stop) / 2
        band = curve([(start, footbed(start) + 0.03), (start + 0.015, footbed(start) - rise * 0.75),
                      (middle + 0.01, footbed(middle) - rise - 0.01), (stop - 0.01, footbed(stop) - rise * 0.8),
                      (stop, footbed(stop) + 0.03)])  # fmt: skip
        canvas.fill(band, style.surface)
    canvas.fill(rounded([(0.745, ankle + 0.005), (0.79, ankle + 0.002), (0.79, ankle + 0.052), (0.745, ankle + 0.055)], 0.008),
                style.metal)  # fmt: skip


KINDS = {
    "sneaker": _sneaker,
    "boot": _boot,
    "ankle boot": _ankle_boot,
    "pump": _pump,
    "loafer": _loafer,
    "sandal": _sandal,
}
