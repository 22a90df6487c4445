"""Limit of detection, linearity and decay from a target with wells of known concentration or depth."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from pyicg._detection_curves import half_width, relative_error_of_sd, t975
from pyicg.background import estimate_background
from pyicg.contrast import contrast
from pyicg.errors import InputError
from pyicg.results import BoolArray, CalibratedFrame, Measurement
from pyicg.target_series import Decay, Quantity, Series

__all__ = ["Decay", "Series", "Target", "series", "series_from_summary"]


@dataclass(frozen=True, slots=True)
class Target:
    """Mean and standard deviation of one well, as somebody else measured them.

    Attributes
    ----------
    value : float
        Concentration in nM or depth in mm.
    mean, sd : float
        Mean and standard deviation of the well's pixels, in any unit.
    n : int or None
        Number of pixels, 2 or more; None when it is not known, and then the sampling error is not known either.
    """

    value: float
    mean: float
    sd: float
    n: int | None = None


def series(
    cal: CalibratedFrame,
    *,
    regions: Mapping[float, BoolArray],
    control: BoolArray,
    quantity: Quantity = "concentration_nm",
) -> Series:
    """Measure the wells of a target in one frame.

    Parameters
    ----------
    cal : CalibratedFrame
        The frame.
    regions : mapping of float to ndarray of bool, shape (H, W)
        Concentration in nM or depth in mm, and the pixels of that well.
    control : ndarray of bool, shape (H, W)
        Pixels of the well without dye.
    quantity : {"concentration_nm", "depth_mm"}
        What the keys of `regions` are.

    Returns
    -------
    Series
        Levels and CNR from `pyicg.contrast` against the background policy ``"mask"`` on `control`. Without a level of
        the control or of a target every figure is NaN with the reason.

    Raises
    ------
    InputError
        Fewer than 2 targets, values that are no numbers or not positive (depths: negative), masks of another shape or
        dtype, or a pixel in two regions.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> from pyicg.detection import series
    >>> raw = np.random.default_rng(0).normal(100, 4, (40, 60)).astype(np.float32)
    >>> regions, control = {}, np.zeros(raw.shape, dtype=bool)
    >>> for i, value in enumerate([10.0, 3.0, 1.0]):
    ...     regions[value] = np.zeros(raw.shape, dtype=bool)
    ...     regions[value][10:30, 15 * i : 15 * i + 12] = True
    ...     raw[regions[value]] += 8 * value
    >>> control[10:30, 45:57] = True
    >>> cal = pyicg.calibrate(raw, pyicg.CameraProfile.identity(raw.shape, bit_depth=None))
    >>> found = series(cal, regions=regions, control=control)
    >>> found.values, [round(cnr.value) for cnr in found.cnr]
    ((10.0, 3.0, 1.0), [20, 6, 2])
    >>> round(found.limit_of_detection().value, 1)  # 3 x 4 counts at 8 counts per nM
    1.5
    """
    values = _ordered(regions, quantity)
    background = estimate_background(cal, policy="mask", mask=control)
    found = [contrast(cal, signal=regions[value], background=background) for value in values]
    names = ["control", *(f"{value:g}" for value in values)]
    used = np.stack([control, *(regions[value] for value in values)])
    shared = used.sum(axis=0) > 1
    if shared.any():
        sharing = [name for name, region in zip(names, used, strict=True) if (region & shared).any()]
        raise InputError(f"regions {', '.join(sharing)} share {shared.sum()} pixels, expected none: draw them apart")
    control_level = found[0].background_level
    sd = background.sigma
    sd_half = background.sigma_error * (
        half_width(control_level) / control_level.sigma if control_level.sigma > 0 else 1.96
    )
    return Series(
        quantity,
        values,
        tuple(one.signal_level for one in found),
        tuple(one.cnr for one in found),
        control_level,
        Measurement(sd, background.sigma_error, (sd - sd_half, sd + sd_half), control_level.reason),
    )


def series_from_summary(targets: Sequence[Target], control: Target, *, quantity: Quantity) -> Series:
    """Take the means and standard deviations that somebody published.

    Parameters
    ----------
    targets : sequence of Target
        The wells, in any order.
    control : Target
        The well without dye; its value is not used.
    quantity : {"concentration_nm", "depth_mm"}
        What the values are.

    Returns
    -------
    Series
        With pixels that count as independent where `n` is known. Where it is None, sigma and interval of that level
        and of its CNR are NaN; `Series.limit_of_detection` with straight lines then has no interval, and the
        intervals of the fits hold the scatter of the targets alone.

    Raises
    ------
    InputError
        Fewer than 2 targets, values that are no numbers, not positive (depths: negative) or given twice, a mean that is
        not finite, a negative standard deviation, or a number of pixels that is not whole or under 2.

    Examples
    --------
    >>> from pyicg.detection import Target, series_from_summary
    >>> wells = [Target(3, 1052.40, 54.5), Target(1, 930.21, 47.8)]
    >>> found = series_from_summary(wells, Target(0, 871.61, 45.36), quantity="concentration_nm")
    >>> [round(cnr.value, 2) for cnr in found.cnr]
    [3.99, 1.29]
    """
    for target in (control, *targets):
        if not _is_finite(target.mean) or not _is_finite(target.sd) or target.sd < 0:
            raise InputError(f"{target} needs a finite mean and a standard deviation of 0 or more, both numbers")
        if target.n is None:
            continue
        if not isinstance(target.n, Integral) or isinstance(target.n, bool):
            raise InputError(
                f"{target} has n={target.n!r}; expected a whole number of pixels, 2 or more: give n=None where it is "
                "not known"
            )
        if target.n < 2:
            raise InputError(f"{target} has fewer than 2 pixels: give n=None where the number is not known")
    values = _ordered([target.value for target in targets], quantity)
    by_value = {target.value: target for target in targets}
    if len(by_value) < len(values):
        raise InputError("two targets have the same value: pool them, or give each its own")
    dof = min((target.n for target in (control, *targets) if target.n is not None), default=2) - 1
    cover = t975(dof)

    def measured(value: float, sigma: float) -> Measurement:
        return Measurement(value, sigma, (value - cover * sigma, value + cover * sigma))

    def error_of_mean(target: Target) -> float:
        return math.nan if target.n is None else target.sd / math.sqrt(target.n)

    relative = math.nan if control.n is None else relative_error_of_sd(control.n)
    levels, ratios = [], []
    for value in values:
        target = by_value[value]
        levels.append(measured(target.mean, error_of_mean(target)))
        if control.sd > 0:
            cnr = (target.mean - control.mean) / control.sd
            noise = math.hypot(error_of_mean(target), error_of_mean(control)) / control.sd
            ratios.append(measured(cnr, math.hypot(noise, cnr * relative)))
        else:
            ratios.append(Measurement.undefined("background_not_resolved"))
    return Series(
        quantity,
        values,
        tuple(levels),
        tuple(ratios),
        measured(control.mean, error_of_mean(control)),
        measured(control.sd, control.sd * relative),
    )


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _ordered(values: Collection[float], quantity: Quantity) -> tuple[float, ...]:
    """Return the values from the strongest target to the weakest."""
    if quantity not in ("concentration_nm", "depth_mm"):
        raise InputError(f"quantity is {quantity!r}, expected 'concentration_nm' or 'depth_mm'")
    if len(values) < 2:
        raise InputError(f"found {len(values)} targets, expected at least 2 beside the control")
    depths = quantity == "depth_mm"
    for value in values:
        if not _is_finite(value) or value < 0 or (value == 0 and not depths):
            expected = "0 or more mm" if depths else "nM above 0"
            raise InputError(f"a target has the value {value!r}, expected {expected}, as a number such as 2.5")
    return tuple(sorted(values, reverse=not depths))
