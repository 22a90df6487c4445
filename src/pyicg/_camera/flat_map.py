"""Flat frames at one or more exposures: the relative response of each pixel and its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import ProfileError
from .dark_model import DarkModel, Frames, TemporalNoise, read_series
from .frame_series import FrameSeries, accumulate, flat_signal
from .linearity import Level, Linearity
from .quantisation import QUANTISATION_DN2

__all__ = [
    "FlatLevel",
    "Gain",
    "Response",
    "combine",
    "flat_top",
    "levels_of",
    "measure_gain",
    "noise_variance",
    "read_flat",
]

_Reals = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]

_BANDS = 32
_GAIN_SHARE = 0.7  # of saturation: EMVA 1288 takes the gain from 0-70 %
_MIN_PINNED = 10


@dataclass(frozen=True, eq=False)
class FlatLevel:
    """Flat frames at one exposure: their sums, and their mean above dark, (H, W) in DN."""

    exposure_ms: float
    series: FrameSeries
    signal: _Reals


class Gain(NamedTuple):
    """System gain in DN/e, its standard uncertainty, and its map (H, W) with NaN where it came out negative."""

    value: float
    sigma: float
    per_pixel: _Reals


class Response(NamedTuple):
    """Relative response (H, W), mean 1 over the good pixels, and its standard uncertainty or None."""

    relative: _Reals
    sigma: _Reals | None


def read_flat(
    flat: Frames | Mapping[float, Frames], exposure_ms: float, dark: DarkModel, bit_depth: int
) -> list[FlatLevel]:
    """Sum flat frames, at `exposure_ms` or by exposure, and take the dark map off.

    Raises
    ------
    ProfileError
        Saturated, unlit or of another shape than the dark frames; or taken outside several dark exposures.
    """
    if isinstance(flat, Mapping):
        found = read_series(flat, "flat", bit_depth)
        if not found:
            raise ProfileError("flat: found an empty mapping, expected {exposure_ms: frames}")
    else:
        found = {exposure_ms: accumulate(flat, "flat", bit_depth, exposure_ms=exposure_ms)}
    reference = next(iter(dark.series.values()))
    levels = []
    for time, series in found.items():
        lo, hi = dark.times[0], dark.times[-1]
        if dark.rate is not None and not lo <= time <= hi:
            raise ProfileError(
                f"flat frames at {time:g} ms: the dark frames span {lo:g} to {hi:g} ms; film dark frames at this "
                "exposure as well"
            )
        signal = flat_signal(replace(reference, mean=dark.at(time)), series, bit_depth)
        levels.append(FlatLevel(time, series, signal))
    return levels


def flat_top(levels: list[FlatLevel]) -> tuple[float, _Bools] | None:
    """Return the level at which pixels are cut off and where, when the frames show one; None otherwise.

    Pixels whose every sample sits at the largest mean of the series, while others are noisy, are cut off there. Ten
    such pixels tell the level; a series with more of them was refused before (`check_cut_off`).
    """
    for level in reversed(levels):
        series = level.series
        if series.variance is None or float(np.median(series.variance)) == 0.0:
            continue
        top = float(series.mean.max())
        pinned = (series.variance == 0) & (series.mean == top)
        if np.count_nonzero(pinned) < _MIN_PINNED:
            continue
        return top, pinned
    return None


def levels_of(levels: list[FlatLevel], good: _Bools) -> list[Level]:
    """Return the moments of the signal over the good pixels that the linearity is estimated from."""
    found = []
    for level in levels:
        x = level.signal[good]
        square = x * x
        found.append(Level(level.exposure_ms, (float(x.mean()), float(square.mean()), float((square * x).mean()))))
    return found


def measure_gain(
    levels: list[FlatLevel], dark: DarkModel, linearity: Linearity, good: _Bools, saturation_dn: float
) -> Gain | None:
    """Return the system gain by two-point photon transfer on the linearised axis; None without two frames of each.

    Several levels up to 70 % of saturation are averaged with weights ``(n - 1) (signal / variance)^2``. The dark
    variance is taken as at least 1/12 DN^2, the rounding of the converter.
    """
    usable = [level for level in levels if level.series.variance is not None]
    low = [level for level in usable if level.series.mean[good].mean() <= _GAIN_SHARE * saturation_dn]
    total = 0.0
    per_pixel = np.zeros(good.shape)
    value, weights = 0.0, []
    parts: list[tuple[_Reals, _Reals]] = []
    for level in low or usable:
        noise = dark.noise_at(level.exposure_ms)
        if noise is None or level.series.variance is None:
            return None
        slope2, x = linearity.slope(level.signal) ** 2, linearity.apply(level.signal)
        # A quiet dark frame hides the converter's rounding noise, which the lit frame shows.
        hidden = max(QUANTISATION_DN2 - float(noise.variance[good].mean()), 0.0)
        drift = level.series.frame_variance - noise.frame_variance + hidden
        shot = slope2 * (level.series.variance - noise.variance - drift)
        mean_variance = float((slope2 * level.series.variance)[good].mean())
        mean_signal = float(x[good].mean())
        if mean_variance == 0:
            continue
        weight = (level.series.n - 1) * (mean_signal / mean_variance) ** 2
        total += weight
        value += weight * float(shot[good].mean()) / mean_signal
        per_pixel += weight * np.divide(shot, x, out=np.zeros_like(x), where=x > 0)
        parts.append((_band_sums(shot, good), _band_sums(x, good)))
        weights.append(weight)
    if total == 0:
        return None
    left_out = np.zeros(len(parts[0][0]))
    for weight, (shot_sum, signal_sum) in zip(weights, parts, strict=True):
        rest = signal_sum.sum() - signal_sum
        ratio = np.divide(shot_sum.sum() - shot_sum, rest, out=np.full_like(rest, np.nan), where=rest > 0)
        left_out += weight / total * ratio
    per_pixel /= total
    return Gain(value / total, _jackknife_sigma(left_out), np.where(per_pixel > 0, per_pixel, np.nan))


def combine(
    levels: list[FlatLevel],
    linearity: Linearity,
    good: _Bools,
    *,
    noise: list[tuple[float, float] | None],
    gain_dn_per_e: float,
) -> Response:
    """Average the relative response over the levels with inverse-variance weights per pixel.

    The variance of one level is ``K x / n`` for the shot noise of the linear signal x, ``slope^2 read noise^2 / n``,
    and ``slope^2`` times the variance of the dark map, which all levels share: its part of the result adds up in step.
    Without gain or noise the weights are frames times signal, and the uncertainty is unknown.

    Parameters
    ----------
    levels, linearity, good
        The flat frames, and the pixels that make up the mean.
    noise : list of (read noise variance, dark map variance) or None
        At each level, DN^2.
    gain_dn_per_e : float
        System gain; NaN when unknown.
    """
    known = gain_dn_per_e > 0 and all(pair is not None for pair in noise)
    weight_sum = np.zeros(good.shape)
    weighted = np.zeros(good.shape)
    shot_sum, dark_sum = np.zeros(good.shape), np.zeros(good.shape)
    for level, pair in zip(levels, noise, strict=True):
        x = linearity.apply(level.signal)
        mean = float(x[good].mean())
        relative = x / mean
        if known and pair is not None:
            read, dark_map = pair
            slope2 = linearity.slope(level.signal) ** 2
            shot = (gain_dn_per_e * np.maximum(x, 0.0) + slope2 * read) / level.series.n / mean**2
            dark_part = slope2 * dark_map / mean**2
            weight = 1.0 / (shot + dark_part)
            shot_sum += weight**2 * shot
            dark_sum += weight * np.sqrt(dark_part)
        else:
            weight = np.full(good.shape, level.series.n * mean)
        weight_sum += weight
        weighted += weight * relative
    response = weighted / weight_sum
    if not known:
        return Response(response, None)
    absolute = np.sqrt(shot_sum + dark_sum**2) / weight_sum
    return Response(response, np.divide(absolute, response, out=np.zeros_like(response), where=response > 0))


def _band_sums(values: _Reals, good: _Bools) -> _Reals:
    """Return the sums over the good pixels of up to 32 bands of rows."""
    edges = np.linspace(0, len(values), min(_BANDS, len(values)) + 1).astype(np.intp)[:-1]
    return np.asarray(np.add.reduceat(np.where(good, values, 0.0).sum(axis=1), edges))


def _jackknife_sigma(left_out: _Reals) -> float:
    """Return the standard uncertainty from the values with one band left out each."""
    g = len(left_out)
    return math.nan if g < 2 else math.sqrt((g - 1) / g * float(((left_out - left_out.mean()) ** 2).sum()))


def noise_variance(noise: TemporalNoise, good: _Bools) -> tuple[float, float]:
    """Return the temporal variance over the good pixels, common drift taken off, and its standard uncertainty."""
    total, counts = _band_sums(noise.variance, good), _band_sums(np.ones(good.shape), good)
    value = float(total.sum() / counts.sum()) - noise.frame_variance
    left_out = (total.sum() - total) / np.maximum(counts.sum() - counts, 1.0)
    return max(value, 0.0), _jackknife_sigma(left_out)
