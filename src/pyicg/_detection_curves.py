"""Curves through the targets of a series, and where they fall to a threshold."""

from __future__ import annotations

import math

import numpy as np

from pyicg.results import FloatArray, Measurement

__all__ = [
    "fit_exponential",
    "fit_power",
    "half_width",
    "known",
    "linear_crossing",
    "relative_error_of_sd",
    "student_interval",
    "t975",
]


def t975(dof: int) -> float:
    """Return the 97.5th percentile of Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, dof))


def student_interval(value: float, scatter: float, dof: int, shared: float, reason: str | None) -> Measurement:
    """Return a measurement from its error by scatter with `dof` and a shared one that is known; both join."""
    half = math.hypot(t975(dof) * scatter, 1.96 * shared)
    return Measurement(float(value), math.hypot(scatter, shared), (float(value - half), float(value + half)), reason)


def half_width(measured: Measurement) -> float:
    """Return half of the interval; 1.96 sigma where the interval is open to one side."""
    half = 0.5 * (measured.ci[1] - measured.ci[0])
    return 1.96 * measured.sigma if math.isinf(half) else half


def relative_error_of_sd(n: float) -> float:
    """Return the relative standard error of a standard deviation from n independent values."""
    return 1 / math.sqrt(2 * (max(n, 2.0) - 1))


def known(sigma: float) -> float:
    """Return an error for a sum of errors that are known as far as they are: 0 for NaN."""
    return 0.0 if math.isnan(sigma) else sigma


def linear_crossing(
    x: FloatArray, over: FloatArray, errors: FloatArray, decision: FloatArray
) -> tuple[float, Measurement]:
    """Find where the straight lines through `over` first fall below 0, with the interval of their band.

    Parameters
    ----------
    x : ndarray (N,)
        Concentrations, falling, or depths, rising.
    over : ndarray (N,)
        Levels over the level of decision.
    errors : ndarray (2, N)
        Their standard errors and half widths of their intervals, NaN when unknown. Between targets they join in
        quadrature.
    decision : ndarray (2,)
        The same of the level of decision, which all targets share.

    Returns
    -------
    position, crossing
        The position counts targets: 1.5 lies half way between the second and the third; infinite beyond them.
    """
    position = _first_fall(over, np.zeros_like(over), 0.0)
    inside = math.isfinite(position)
    lower = upper = position
    is_known = not (np.isnan(errors).any() or np.isnan(decision).any())
    if is_known:
        lower = _first_fall(over, errors[1], -decision[1])
        upper = _first_fall(over, errors[1], decision[1])
    # A band that starts below 0, or never falls to it, leaves its side open.
    strongest, weakest = (0.0, math.inf) if x[0] < x[-1] else (math.inf, 0.0)
    strong = strongest if lower == -math.inf else _at(x, lower)
    weak = weakest if upper == math.inf else _at(x, upper)
    ci = (min(strong, weak), max(strong, weak)) if is_known or not inside else (math.nan, math.nan)
    if not inside:
        return position, Measurement(math.nan, ci=ci, reason="outside_series")
    first = min(int(position), len(x) - 2)
    share = position - first
    spread = math.hypot((1 - share) * errors[0, first], share * errors[0, first + 1], decision[0])
    slope = (over[first + 1] - over[first]) / (x[first + 1] - x[first])
    return position, Measurement(_at(x, position), float(spread / abs(slope)), ci)


def _first_fall(over: FloatArray, spread: FloatArray, decision: float) -> float:
    """Return the position where the lines, moved by their spread, first fall below 0.

    At a share w between two targets the spread is ``hypot((1 - w) spread_1, w spread_2, decision)``, with the sign of
    `decision`. Minus infinity where they start below 0, infinity where they never fall.
    """
    from scipy.optimize import brentq

    def height(w: float, i: int) -> float:
        moved = math.hypot((1 - w) * spread[i], w * spread[i + 1], decision)
        return float((1 - w) * over[i] + w * over[i + 1] + math.copysign(moved, decision))

    if height(0.0, 0) < 0:
        return -math.inf
    for i in range(len(over) - 1):
        # The lower band is concave between targets, so that it cannot fall and rise again in between.
        if height(1.0, i) < 0:
            return i + float(brentq(height, 0.0, 1.0, args=(i,), xtol=1e-12))
    return math.inf


def _at(x: FloatArray, position: float) -> float:
    """Return x at a position; the first or the last beyond them."""
    return float(np.interp(position, np.arange(len(x)), x))


def fit_power(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Return the slope of the least-squares line through ln y on ln x, and its standard error from the scatter."""
    design = np.stack([np.log(x), np.ones_like(x)], axis=1)
    target = np.log(y)
    found = np.linalg.lstsq(design, target, rcond=None)[0]
    variance = float(np.sum((target - design @ found) ** 2)) / (len(x) - 2)
    return float(found[0]), math.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0])


def fit_exponential(x: FloatArray, y: FloatArray, *, unit: float) -> tuple[FloatArray, FloatArray] | None:
    """Fit ``y = unit * exp(k (limit - x))`` by least squares; None where y does not fall.

    Returns limit and k with their covariance, scaled to the scatter about the curve.
    """
    from scipy.optimize import curve_fit

    positive = y > 0
    if np.count_nonzero(positive) < 2:
        return None
    # An error of y is an error of ln y times 1/y.
    slope, intercept = np.polyfit(x[positive], np.log(y[positive]), 1, w=y[positive])
    if not slope < 0:
        return None

    def curve(z: FloatArray, limit: float, k: float) -> FloatArray:
        return np.asarray(unit * np.exp(np.clip(k * (limit - z), -700, 700)))

    try:
        found, covariance = curve_fit(curve, x, y, p0=((math.log(unit) - intercept) / slope, -slope))
    except RuntimeError:
        return None
    return (found, covariance) if found[1] > 0 and np.isfinite(covariance).all() else None
