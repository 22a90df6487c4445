"""Dark frames at one or more exposures: the dark map, its rise with exposure, its noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import ProfileError
from .fields import number
from .frame_series import FrameSeries, accumulate, check_dark

__all__ = ["DarkModel", "Frames", "TemporalNoise", "read_dark", "read_series"]

Frames = Iterable[npt.NDArray[Any]]
_Reals = npt.NDArray[np.float64]

# A dark level off the line by 5 sigma, by 0.1 DN and by 5 % of what the dark current adds is no chance.
_OFF_LINE_SIGMAS, _OFF_LINE_DN, _OFF_LINE_SHARE = 5.0, 0.1, 0.05


class TemporalNoise(NamedTuple):
    """Temporal variance of the dark: per pixel (H, W) and of the frame means, DN^2; frames behind it."""

    variance: _Reals
    frame_variance: float
    frames: float


@dataclass(frozen=True, eq=False)
class DarkModel:
    """Dark series by exposure, in ascending order."""

    series: dict[float, FrameSeries]

    @property
    def times(self) -> _Reals:
        """The exposures, ms."""
        return np.array(list(self.series))

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return sum(series.n for series in self.series.values())

    @cached_property
    def mean_and_sd(self) -> tuple[float, float]:
        """Mean and standard deviation of the exposures, each frame counted once; sd 0 with one exposure."""
        n, t = np.array([series.n for series in self.series.values()]), self.times
        mean = float((n * t).sum() / n.sum())
        return mean, float(np.sqrt((n * (t - mean) ** 2).sum() / n.sum()))

    @cached_property
    def rate(self) -> _Reals | None:
        """DN/ms per pixel by least squares weighted by frames; None with one exposure."""
        if len(self.series) == 1:
            return None
        return self._line[1]

    def at(self, exposure_ms: float) -> _Reals:
        """Return the dark map at an exposure; with one exposure always that one's."""
        level, rate = self._line
        return level if self.rate is None else level + rate * (exposure_ms - self.mean_and_sd[0])

    def uncertainty_factor(self, exposure_ms: float) -> float:
        """Return how much larger the standard error of the dark map is than at the mean exposure."""
        mean, sd = self.mean_and_sd
        return 1.0 if sd == 0 else float(np.hypot(1.0, (exposure_ms - mean) / sd))

    def noise_at(self, exposure_ms: float) -> TemporalNoise | None:
        """Return the temporal noise at an exposure from a straight line through the variances; None if unknown."""
        known = {t: series for t, series in self.series.items() if series.variance is not None}
        if not known:
            return None
        t = np.array(list(known))
        dof = np.array([series.n - 1.0 for series in known.values()])
        mean = (dof * t).sum() / dof.sum()
        spread = (dof * (t - mean) ** 2).sum()
        share = dof / dof.sum()
        if spread > 0:
            share = share + dof * (t - mean) * (exposure_ms - mean) / spread
        variance = np.zeros_like(next(iter(known.values())).mean)
        for weight, series in zip(share, known.values(), strict=True):
            if series.variance is not None:
                variance += weight * series.variance
        frame_variance = sum(w * s.frame_variance for w, s in zip(share, known.values(), strict=True))
        n = np.array([series.n for series in known.values()])
        return TemporalNoise(variance, float(frame_variance), float(1 / (share**2 / n).sum()))

    def current(self, good: npt.NDArray[np.bool_]) -> tuple[float, float]:
        """Return the mean rate over the good pixels and its standard uncertainty, DN/ms.

        The uncertainty comes from the scatter of the frame means, and from that of the levels around the line where it
        is larger (three exposures or more).
        """
        if self.rate is None:
            return np.nan, np.nan
        value = float(self.rate[good].mean())
        variance = self._mean_variance
        n, t = np.array([series.n for series in self.series.values()]), self.times
        mean, sd = self.mean_and_sd
        from_noise = np.sqrt(variance / (n.sum() * sd**2))
        if len(t) < 3:
            return value, float(from_noise)
        rest = self._levels(good) - self.at(mean)[good].mean() - value * (t - mean)
        from_levels = np.sqrt((n * rest**2).sum() / (len(t) - 2) / (n.sum() * sd**2))
        return value, float(np.fmax(from_noise, from_levels))

    def off_line(self, good: npt.NDArray[np.bool_]) -> list[tuple[float, float, float]]:
        """Return (exposure, level, level on the line) of dark levels that stand off the line of the others.

        Needs four exposures: among three it cannot be told which one is wrong.
        """
        t, levels = self.times, self._levels(good)
        if len(t) < 4:
            return []
        n = np.array([series.n for series in self.series.values()])
        variance = self._mean_variance
        found = []
        for k in range(len(t)):
            rest = np.arange(len(t)) != k
            weight, time = n[rest].astype(np.float64), t[rest]
            mean = (weight * time).sum() / weight.sum()
            spread = (weight * (time - mean) ** 2).sum()
            level = (weight * levels[rest]).sum() / weight.sum()
            rate = (weight * (time - mean) * levels[rest]).sum() / spread
            line = level + rate * (t[k] - mean)
            sigma = np.sqrt(variance * (1 / n[k] + 1 / weight.sum() + (t[k] - mean) ** 2 / spread))
            limit = max(_OFF_LINE_SIGMAS * sigma, _OFF_LINE_DN, _OFF_LINE_SHARE * abs(rate) * t[k])
            if abs(levels[k] - line) > limit:
                found.append((float(t[k]), float(levels[k]), float(line), abs(levels[k] - line) / limit))
        found.sort(key=lambda item: -item[3])
        return [item[:3] for item in found[:1]]  # one wrong level pulls the line of all the others

    def _levels(self, good: npt.NDArray[np.bool_]) -> _Reals:
        return np.array([series.mean[good].mean() for series in self.series.values()])

    @property
    def _mean_variance(self) -> float:
        """Variance of the mean of one frame, pooled over the exposures; NaN when no exposure has two frames."""
        known = [series for series in self.series.values() if series.n > 1]
        dof = sum(series.n - 1 for series in known)
        return sum((series.n - 1) * series.frame_variance for series in known) / dof if dof else np.nan

    @cached_property
    def _line(self) -> tuple[_Reals, _Reals]:
        """Per pixel level at the mean exposure and rate."""
        mean, sd = self.mean_and_sd
        total = self.frames
        level = np.zeros_like(next(iter(self.series.values())).mean)
        rate = np.zeros_like(level)
        for t, series in self.series.items():
            level += series.n / total * series.mean
            if sd > 0:
                rate += series.n * (t - mean) / (total * sd**2) * series.mean
        return level, rate


def read_dark(dark: Frames | Mapping[float, Frames], exposure_ms: float, bit_depth: int) -> DarkModel:
    """Sum dark frames, at one exposure or by exposure; refuse what is clipped or does not fit together."""
    if not isinstance(dark, Mapping):
        series = accumulate(dark, "dark", bit_depth, exposure_ms=exposure_ms)
        check_dark(series)
        return DarkModel({exposure_ms: series})
    found = read_series(dark, "dark", bit_depth)
    if not found:
        raise ProfileError("dark: found an empty mapping, expected {exposure_ms: frames}")
    for series in found.values():
        check_dark(series)
    lo, hi = min(found), max(found)
    if not lo <= exposure_ms <= hi:
        raise ProfileError(
            f"exposure_ms: found {exposure_ms:g}, the dark frames span {lo:g} to {hi:g} ms; film dark frames on both "
            "sides of the exposure in use"
        )
    return DarkModel(found)


def read_series(frames: Mapping[float, Frames], name: str, bit_depth: int) -> dict[float, FrameSeries]:
    """Sum frames by exposure, in ascending order; all must have one shape."""
    given = {number(f"{name} exposure", time, low=0.0): stack for time, stack in frames.items()}
    found: dict[float, FrameSeries] = {}
    for time in sorted(given):
        series = accumulate(given[time], f"{name} ({time:g} ms)", bit_depth, exposure_ms=time)
        first = next(iter(found.values()), series)
        if series.mean.shape != first.mean.shape:
            raise ProfileError(
                f"{name} frames at {time:g} ms: found shape {series.mean.shape}, expected {first.mean.shape} as at "
                f"{next(iter(found)):g} ms; use one region of interest and binning"
            )
        found[time] = series
    return found
