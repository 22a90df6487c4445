"""Photon transfer: gain, responsivity, noise, dark current, saturation and linearity from levels of light.

Step numbers are those of `docs/characterize.md`. Every figure is made from replicates (see `pyicg._camera.tiles`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg._camera.quantisation import QUANTISATION_DN2, UNRESOLVED_DN, UNRESOLVED_DN2
from pyicg._camera.tiles import (
    NO_SCATTER,
    Scatter,
    fit_line,
    jackknife_variance,
    measured,
    pooled_dof,
    square_root,
)
from pyicg.results import Measurement

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MIN_LEVELS = 3
MIN_EXPOSURES = 6
SATURATED_SHARE = (0.001, 0.002)  # 0.1-0.2 % of the pixels at full scale mark saturation
FIT_SHARE = 0.70
LINEARITY_RANGE = (0.05, 0.95)
GAIN_SPREAD_LIMIT = 0.03
_MEAN_ABSOLUTE = math.sqrt(2.0 / math.pi)  # of a standard normal variable
_CUBIC = 3


@dataclass(frozen=True, eq=False)
class Levels:
    """Statistics of all levels: replicates (T + 1, L) in DN and DN^2, the rest (L,).

    `tiles` is the signal per tile, (T, L).
    """

    signal: FloatArray  # bright mean minus dark mean
    bright_variance: FloatArray
    dark_mean: FloatArray
    dark_variance: FloatArray
    tiles: FloatArray
    saturated_share: FloatArray
    samples: npt.NDArray[np.int64]  # pixels per level
    photons: FloatArray | None
    exposures: FloatArray | None

    @property
    def light_variance(self) -> FloatArray:
        """Temporal variance that light adds, (T + 1, L)."""
        return self.bright_variance - self.dark_variance


@dataclass(frozen=True, eq=False)
class Figure:
    """Replicates (T + 1,) of a figure, what the tiles do not see of its variance, and what limits it.

    Without replicates the figure is undefined for that reason.
    """

    values: FloatArray | None
    scatter: Scatter = NO_SCATTER
    reason: str | None = None

    def measurement(self) -> Measurement:
        """Return value, standard error and interval."""
        if self.values is None:
            return Measurement.undefined(self.reason or "too_few_levels")
        return measured(self.values, self.scatter, self.reason)


def over(top: Figure, bottom: Figure) -> Figure:
    """Return the ratio of two figures, with the covariance of their replicates."""
    if top.values is None or bottom.values is None:
        return top if top.values is None else bottom
    value = top.values / bottom.values
    parts = [
        (f.scatter.scaled(float(value[0] / f.values[0])) if f.values is not None else NO_SCATTER) for f in (top, bottom)
    ]
    return Figure(value, combined(*parts), top.reason or bottom.reason)


def combined(*parts: Scatter) -> Scatter:
    """Add independent scatters."""
    total = sum(part.variance for part in parts)
    if not total > 0.0:
        return NO_SCATTER
    return Scatter(total, pooled_dof([part.variance for part in parts], [part.dof for part in parts]))


def excess(line_residual: FloatArray, scale: FloatArray | float, dof: int) -> Scatter:
    """Return the variance of one level, in units of `scale`, that pixel noise does not explain.

    The residual sum of squares of a fit minus the jackknife variances of its residuals, over the degrees of freedom;
    zero where the pixels explain it all.
    """
    left = float(np.sum(line_residual[0] ** 2))
    explained = jackknife_variance(line_residual).sum()
    freedom = np.mean(np.broadcast_to(scale, line_residual[0].shape) ** 2) * dof
    variance = left if math.isnan(explained) else max(left - float(explained), 0.0)
    return Scatter(variance / float(freedom), dof) if freedom > 0.0 else NO_SCATTER


def saturation_level(levels: Levels) -> int | None:
    """Step 2: the brightest level with at most 0.2 % of pixels at full scale, if 0.1 % is reached anywhere."""
    low, high = SATURATED_SHARE
    usable = levels.saturated_share <= high
    if levels.saturated_share.max() < low or not usable.any():
        return None
    return int(np.argmax(np.where(usable, levels.signal[0], -np.inf)))


def gain(levels: Levels, fitted: BoolArray, release: str) -> Figure:
    """Step 4: slope of the variance that light adds on the signal."""
    signal, variance = levels.signal[:, fitted], levels.light_variance[:, fitted]
    line = fit_line(signal, variance, intercept=release == "4.0") if fitted.sum() >= MIN_LEVELS else None
    if line is None:
        return Figure(None, reason="too_few_levels")
    slope = line.slope
    if not (slope > 0.0).all():
        return Figure(None, reason="no_response")
    # The mean deviation of the levels holds their own noise, which is no fault of the camera.
    lit = (signal > 0.0).all(axis=0)
    local = variance[:, lit] / signal[:, lit]
    deviation = np.abs(local[0] - slope[0]) / slope[0]
    noise = np.nan_to_num(np.sqrt(jackknife_variance(local))) / slope[0]
    telling = noise < GAIN_SPREAD_LIMIT
    spread = float(np.mean(deviation[telling] - _MEAN_ABSOLUTE * noise[telling])) if telling.any() else 0.0
    return Figure(slope, reason="gain_not_constant" if spread >= GAIN_SPREAD_LIMIT else None)


def responsivity(levels: Levels, fitted: BoolArray, patterns: float) -> Figure:
    """Step 3: zero-intercept slope of the signal on the photons.

    `patterns` is the relative variance of the mean that row and column patterns bring, which tiles share.
    """
    if levels.photons is None:
        return Figure(None, reason="no_photons")
    photons, signal = levels.photons[fitted], levels.signal[:, fitted]
    line = fit_line(photons, signal, intercept=False) if fitted.sum() >= MIN_LEVELS else None
    if line is None:
        return Figure(None, reason="too_few_levels")
    if not (line.slope > 0.0).all():
        return Figure(None, reason="no_response")
    # Lamp and photon numbers err in proportion to the level, for all tiles alike.
    of_level = excess(line.residual, signal[0], line.dof)
    share = photons / float(photons @ photons) * signal[0]
    of_patterns = Scatter(patterns * float(line.slope[0]) ** 2)
    return Figure(line.slope, combined(of_level.scaled(float(np.linalg.norm(share))), of_patterns))


def dark_variance(levels: Levels) -> FloatArray:
    """Return replicates of the temporal dark variance, DN^2; at zero exposure where exposures tell it."""
    if levels.exposures is not None and np.unique(levels.exposures).size >= MIN_LEVELS:
        line = fit_line(levels.exposures, levels.dark_variance, intercept=True)
        if line is not None:
            return line.intercept
    return np.asarray(levels.dark_variance.mean(axis=1))


def dark_noise(variance: FloatArray, divisor: Figure) -> Measurement:
    """Step 5: dark noise without quantisation noise, divided by K (electrons) or by one (DN)."""
    if divisor.values is None:
        return divisor.measurement()
    if variance[0] < UNRESOLVED_DN2:
        unit = divisor.measurement()
        value = math.sqrt(UNRESOLVED_DN**2 - QUANTISATION_DN2) / unit.value
        return _below(value, 0.0, UNRESOLVED_DN / (unit.ci[0] if unit.ci[0] > 0.0 else unit.value))
    clean = (variance - QUANTISATION_DN2) / divisor.values**2
    return square_root(measured(clean, reason=divisor.reason))


def absolute_threshold(variance: FloatArray, divisor: Figure) -> Figure:
    """Step 6: the signal of SNR 1, electrons."""
    if divisor.values is None:
        return divisor
    limited = variance[0] < UNRESOLVED_DN2
    used = np.full_like(variance, UNRESOLVED_DN**2) if limited else variance
    inside = used / divisor.values**2 + 0.25
    reason = divisor.reason or ("quantisation_limited" if limited else None)
    return Figure(np.sqrt(np.maximum(inside, 0.0)) + 0.5, reason=reason)


def _below(value: float, lo: float, hi: float) -> Measurement:
    """Return a figure of which only the range is known; its sigma is that of an even spread."""
    return Measurement(value, (hi - lo) / math.sqrt(12.0), (lo, hi), "quantisation_limited")


def as_measurement(figure: Figure, floor: float) -> Measurement:
    """Return a threshold; one that quantisation hides lies between `floor` and its upper bound."""
    m = figure.measurement()
    if m.reason == "quantisation_limited":
        return _below(m.value, floor, m.ci[1])
    return m


def dark_current(levels: Levels, divisor: Figure) -> Measurement:
    """Step 11: slope of the dark mean on the exposure, electrons per second."""
    if levels.exposures is None:
        return Measurement.undefined("no_exposures")
    if np.unique(levels.exposures).size < MIN_EXPOSURES:
        return Measurement.undefined("too_few_exposures")
    if divisor.values is None:
        return divisor.measurement()
    line = fit_line(levels.exposures, levels.dark_mean, intercept=True)
    if line is None:
        return Measurement.undefined("too_few_exposures")
    # The black level wanders from stack to stack, for all tiles alike, and quantisation bends the mean of quiet pixels.
    noise = float(levels.dark_variance[0].mean())
    wander = combined(excess(line.residual, 1.0, line.dof), Scatter(_rounding_variance(noise)))
    lever = float(np.sum((levels.exposures - levels.exposures.mean()) ** 2)) ** -0.5
    factor = 1000.0 / divisor.values
    reason = divisor.reason or ("quantisation_limited" if noise < UNRESOLVED_DN2 else None)
    return measured(line.slope * factor, wander.scaled(lever * float(factor[0])), reason)


def _rounding_variance(variance: float) -> float:
    """Return the variance, over all places between two counts, of the error that rounding gives a mean, DN^2.

    Gaussian noise of variance s^2 leaves exp(-2 pi^2 s^2)/pi of amplitude (first term of the Fourier series).
    """
    smooth = max(variance - QUANTISATION_DN2, 0.0)
    return math.exp(-4.0 * math.pi**2 * smooth) / (2.0 * math.pi**2)


@dataclass(frozen=True)
class Bracket:
    """The levels between which saturation lies: the one of the rule, and those the counts do not exclude."""

    level: int
    lowest: int
    highest: int


def bracket(levels: Levels, level: int) -> Bracket:
    """Return which levels the count of saturated samples leaves open (95 % Poisson bounds on 0.1 and 0.2 %)."""
    from scipy.special import gammaincinv

    size = float(levels.samples[level])
    count = levels.saturated_share[level] * size
    fewest = float(gammaincinv(count, 0.025)) / size if count > 0 else 0.0
    most = float(gammaincinv(count + 1.0, 0.975)) / size
    order = np.argsort(levels.signal[0], kind="stable")
    place = int(np.flatnonzero(order == level)[0])
    low, high = SATURATED_SHARE
    lowest = order[max(place - (most > high), 0)]
    highest = order[min(place + (fewest < low), order.size - 1)]
    return Bracket(level, int(lowest), int(highest))


def bracketed(m: Measurement, share: tuple[float, float]) -> Measurement:
    """Widen a figure to the levels on both sides, which are these shares of it."""
    if math.isnan(m.value):
        return m
    low, high = min(*share, 1.0), max(*share, 1.0)
    lo, hi = m.ci[0] * low, m.ci[1] * high
    width = m.value * (high - low) / math.sqrt(12.0)
    return Measurement(m.value, math.hypot(m.sigma, width), (lo, hi), m.reason)


def linear_range(levels: Levels, saturation: int) -> BoolArray:
    """Return which levels lie between 5 and 95 % of saturation."""
    signal = levels.signal[0]
    low, high = (share * signal[saturation] for share in LINEARITY_RANGE)
    return np.asarray((signal >= low) & (signal <= high) & (signal > 0.0))


def linearity_error(levels: Levels, level: int | None) -> Measurement:
    """Step 8: mean |relative deviation| from a line with weights 1/y^2 over 5-95 % of saturation.

    Noise makes the mean of magnitudes larger, never smaller. So the interval reaches down by the mean magnitude that
    noise alone has, and both ways by the standard error.
    """
    if levels.photons is None:
        return Measurement.undefined("no_photons")
    if level is None:
        return Measurement.undefined("not_saturated")
    inside = linear_range(levels, level)
    x, y = levels.photons[inside], levels.signal[:, inside]
    line = fit_line(x, y, intercept=True, weights=y**-2) if inside.sum() >= MIN_LEVELS else None
    if line is None:
        return Measurement.undefined("too_few_levels")
    relative = line.residual / (y - line.residual)
    value = float(np.mean(np.abs(relative[0])))
    of_level = curve_scatter(x, y)
    noise = np.sqrt(np.nan_to_num(jackknife_variance(relative)) + of_level.variance)
    # The error itself, with the signs of the deviations held.
    signed = np.mean(np.sign(relative[0]) * relative, axis=1)
    m = measured(signed, of_level.scaled(x.size**-0.5))
    half = m.ci[1] - m.value
    return Measurement(value, m.sigma, (max(value - _MEAN_ABSOLUTE * float(noise.mean()) - half, 0.0), value + half))


def curve_scatter(x: FloatArray, y: FloatArray) -> Scatter:
    """Return the relative scatter of levels around a smooth curve that pixel noise does not explain.

    The curve is a cubic, so that bent linearity does not count as scatter; with under six levels there is no telling.
    """
    if x.size < _CUBIC + MIN_LEVELS:
        return NO_SCATTER
    relative = y / y[0]
    design = np.vander(x / x.max(), _CUBIC + 1) / y[0][:, None]
    keep = np.eye(x.size) - design @ np.linalg.pinv(design)
    return excess(relative @ keep, 1.0, x.size - _CUBIC - 1)
