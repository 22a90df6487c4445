"""Coverage of the intervals of `pyicg.detection` on simulated targets, as a Markdown table for docs/detection.md.

Run ``python bench/validation/detection.py [runs]``; 2000 runs a row take about two minutes. Everything is seeded and
simulated. The pixels of one row go through `pyicg.calibrate` and `pyicg.detection.series`; the rows with wells that
scatter start from means and standard deviations, because pixels have no part in that scatter.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

import pyicg
from pyicg import detection
from pyicg.target_series import Quantity

CONCENTRATIONS_NM = (1000.0, 300.0, 100.0, 60.0, 30.0, 10.0, 3.0, 1.0)
DEPTHS_MM = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0)
CONTROL_DN = 200.0
NOISE_DN = 10.0  # standard deviation of a pixel of the control, whose square grows with the signal

Estimate = tuple[pyicg.Measurement, float]


def main() -> None:
    """Print the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print("| figure | targets | runs | mean error / sigma | covered |\n|---|---|---:|---:|---:|")
    for seed, (figure, targets, draw) in enumerate(rows()):
        rng = np.random.default_rng(seed)
        found = [draw(rng) for _ in range(runs)]
        covered = [m.ci[0] <= truth <= m.ci[1] for m, truth in found]
        inside = [(m.value - truth) / m.sigma for m, truth in found if math.isfinite(m.value)]
        print(f"| {figure} | {targets} | {runs} | {np.mean(inside):+.2f} | {np.mean(covered):.1%} |")


def rows() -> Iterator[tuple[str, str, Callable[[np.random.Generator], Estimate]]]:
    """Yield figure, description and one draw of every row."""
    for side_px in (8, 16, 40):
        for limit_nm in (1.2, 2.0, 2.9):
            told = f"pixels: {side_px}² a well, limit at {limit_nm} nM"
            yield "limit of detection, linear", told, partial(linear_limit, side_px=side_px, limit_nm=limit_nm)
    for scatter in (0.02, 0.1):
        yield "exponent", f"wells that scatter by {scatter:.0%}", partial(exponent, scatter=scatter)
    for scatter in (0.5, 2.0):
        told = f"wells that scatter by {scatter:g} control sd"
        for index, figure in enumerate(("limit of detection, exponential", "slope of the decay", "its factor")):
            yield figure, told, partial(decay, scatter=scatter, figure=index)
    # Not as the fits assume.
    yield "exponent", "even wells: nothing but pixel noise", partial(exponent, scatter=0.0)
    yield (
        "limit of detection, exponential",
        "wells that scatter by 5% of themselves",
        partial(decay, scatter=0.05, figure=0, relative=True),
    )


def linear_limit(rng: np.random.Generator, side_px: int, limit_nm: float) -> Estimate:
    """Measure the limit of detection in one frame of square wells of 1 to 10 nM whose noise grows with their signal."""
    values = (10.0, 3.0, 1.0)
    per_nm = 3 * NOISE_DN / limit_nm
    levels = CONTROL_DN + per_nm * np.array([*values, 0.0])
    mean = np.repeat(levels, side_px)[np.newaxis, :].repeat(side_px, axis=0)
    frame = rng.normal(mean, NOISE_DN * np.sqrt(mean / CONTROL_DN)).astype(np.float32)
    well = np.arange(frame.shape[1]) // side_px
    masks = [np.broadcast_to(well == i, frame.shape).copy() for i in range(len(levels))]
    cal = pyicg.calibrate(frame, pyicg.CameraProfile.identity(frame.shape, bit_depth=None))
    found = detection.series(cal, regions=dict(zip(values, masks[:-1], strict=True)), control=masks[-1])
    return found.limit_of_detection(), limit_nm


def exponent(rng: np.random.Generator, scatter: float) -> Estimate:
    """Fit the exponent of wells whose dye scatters by a share of itself."""
    truth = 0.95
    values = np.array(CONCENTRATIONS_NM[:7])
    contrasts = 60 * values**truth * np.exp(rng.normal(0, scatter, len(values)))
    return summary(rng, values, contrasts, "concentration_nm").exponent(), truth


def decay(rng: np.random.Generator, scatter: float, figure: int, relative: bool = False) -> Estimate:
    """Fit the decay of wells that scatter about it by a constant amount, as those of a real target do."""
    factor, slope = 280.0, -0.96
    values = np.array(DEPTHS_MM)
    cnr = factor * np.exp(slope * values)
    cnr += rng.normal(0, scatter, len(values)) * (cnr if relative else 1.0)
    found = summary(rng, values, NOISE_DN * cnr, "depth_mm")
    fitted = found.decay()
    largest_dn = max(level.value for level in found.levels) - found.control.value
    return (
        (found.limit_of_detection(), math.log(3 / factor) / slope),
        (fitted.slope_per_mm, slope),
        (fitted.factor, factor * NOISE_DN / largest_dn),
    )[figure]


def summary(
    rng: np.random.Generator, values: npt.NDArray[np.float64], contrasts: npt.NDArray[np.float64], quantity: Quantity
) -> detection.Series:
    """Draw mean and standard deviation of wells of 400 pixels."""
    n = 400

    def well(value: float, contrast: float) -> detection.Target:
        mean = rng.normal(CONTROL_DN + contrast, NOISE_DN / math.sqrt(n))
        return detection.Target(value, mean, NOISE_DN * math.sqrt(rng.chisquare(n - 1) / (n - 1)), n)

    wells = [well(v, c) for v, c in zip(values.tolist(), contrasts.tolist(), strict=True)]
    return detection.series_from_summary(wells, well(0.0, 0.0), quantity=quantity)


if __name__ == "__main__":
    main()
