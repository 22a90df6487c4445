"""What a series of dark or flat frames says: mean map, temporal noise, bad pixels, or why it is of no use."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._core import FrameSums
from ..errors import ProfileError
from ..frame import EXPOSURES_DIFFER
from .quantisation import QUANTISATION_DN2

__all__ = [
    "FrameSeries",
    "accumulate",
    "blinking_pixels",
    "check_dark",
    "dead_pixels",
    "flat_signal",
    "hot_pixels",
    "noisy_pixels",
]

_Reals = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]

# The docstring of build_profile states these thresholds.
_HOT_SIGMAS = 10.0
_HOT_MIN_DN = 5.0
_DEAD_LO, _DEAD_HI = 0.5, 2.0
_UNLIT = 0.05
_LOCAL_WINDOW = 7
_NOISY_FACTOR = 10.0
_NOISY_MIN_FRAMES = 8
_BLINKING_MIN_FRAMES = 16
_BLINKING_FACTOR = 3.0
_BLINKING_CHANCE = 1e-5
_MAX_ZERO_SHARE = 0.05
_MAX_SATURATED_SHARE = 0.001
_MIN_FLAT_SHARE = 0.01
_PILE_FACTOR = 4.0
_MIN_PILE = 30
_MIN_SAMPLES = 1000
_SPREAD_DN2 = 0.3
_EXPOSURE_TOLERANCE = 0.001


class End(NamedTuple):
    """The smallest or largest count of all samples, its share of them, and that of the next count inside."""

    level: int
    share: float
    next_share: float


@dataclass(frozen=True, eq=False)
class FrameSeries:
    """Sums over `n` frames.

    `mean` is the (H, W) temporal mean in DN and `variance` the (H, W) sample variance in DN^2 (None for one frame);
    `step_variance` is half the mean squared step from frame to frame, which for white noise is another estimate of the
    variance and for slow changes a smaller one; `frame_variance` is the sample variance of the frame means; the shares
    are of all samples; `lowest` and `highest` tell a pile of samples at an end, which is a cut-off.
    """

    n: int
    mean: _Reals
    variance: _Reals | None
    step_variance: _Reals | None
    frame_variance: float
    zero_share: float
    saturated_share: float
    lowest: End
    highest: End

    def temporal_variance(self, good: _Bools) -> float:
        """Return the temporal variance of one pixel in DN^2 over the `good` pixels, common drift taken off."""
        if self.variance is None:
            return math.nan
        return max(float(self.variance[good].mean()) - self.frame_variance, 0.0)


def accumulate(
    frames: Iterable[npt.NDArray[Any]], name: str, bit_depth: int, *, exposure_ms: float | None = None
) -> FrameSeries:
    """Sum frames one at a time, in the core; the sums are integers, so they are exact.

    Parameters
    ----------
    frames : iterable of (H, W) uint8 or uint16
        The frames.
    name : str
        What to call them in messages.
    bit_depth : int
        Bits per pixel.
    exposure_ms : float, optional
        The exposure they are said to have.

    Raises
    ------
    ProfileError
        When there are no frames, they are not linear raw counts of one shape within the bit depth, or a stack states an
        exposure that differs from `exposure_ms` by more than 0.1 %.
    """
    transfer = getattr(frames, "transfer", "linear")
    if transfer != "linear":
        raise ProfileError(f"{name} frames: transfer is {transfer!r}, expected 'linear'; use raw frames of the camera")
    if exposure_ms is not None and EXPOSURES_DIFFER in getattr(frames, "notes", ()):
        raise ProfileError(
            f"{name} frames: they state several exposures, expected {exposure_ms:g} ms alone; split them by exposure"
        )
    stated = getattr(frames, "exposure_ms", None)
    if not (stated is None or exposure_ms is None or math.isclose(stated, exposure_ms, rel_tol=_EXPOSURE_TOLERANCE)):
        raise ProfileError(
            f"{name} frames: they state an exposure of {stated:g} ms, expected {exposure_ms:g} ms; give the right "
            "exposure or the right frames"
        )
    limit = 2**bit_depth - 1
    sums: FrameSums | None = None
    shape: tuple[int, int] | None = None
    for index, frame in enumerate(frames):
        _check_frame(frame, f"{name} frame {index}", shape, limit)
        if sums is None:
            shape = frame.shape
            sums = FrameSums(frame.shape[0], frame.shape[1], limit)
        sums.add(np.ascontiguousarray(frame))  # one plane of a colour mosaic has its columns apart
    if sums is None:
        raise ProfileError(f"{name} frames: found none, expected at least one")
    return _series(sums)


def _series(sums: FrameSums) -> FrameSeries:
    n, total, size = sums.n, sums.sum, sums.sum.size
    variance, step_variance, frame_variance = None, None, math.nan
    if n > 1:
        # n * sum(y^2) - sum(y)^2 outgrows 64 bits; with sum(y) = whole n + rest every term below is exact.
        whole, rest = np.divmod(total, n)
        variance = (sums.sum_squares - whole * (whole * n + 2 * rest) - rest**2 / n) / (n - 1)
        step_variance = sums.step_squares / (2.0 * (n - 1))
        totals = sums.frame_totals
        frame_variance = (n * sum(t * t for t in totals) - sum(totals) ** 2) / (n * (n - 1) * size**2)
    samples = n * size
    lowest, highest = (End(level, count / samples, inside / samples) for level, count, inside in sums.ends)
    zeros, saturated = sums.zeros / samples, sums.saturated / samples
    return FrameSeries(n, total / n, variance, step_variance, frame_variance, zeros, saturated, lowest, highest)


def check_dark(dark: FrameSeries) -> None:
    """Raise ProfileError when dark frames are clipped, at zero or at another black level.

    Noise that spans several counts has few samples at its smallest one: over 5 %, and more than one count above, is a
    cut-off. Noise below 0.3 DN^2 cannot tell: going to and fro between two counts has up to 0.25.
    """
    if dark.zero_share > _MAX_ZERO_SHARE:
        raise ProfileError(
            f"dark frames: {dark.zero_share:.1%} of the samples are 0, expected at most {_MAX_ZERO_SHARE:.0%}; they "
            "are clipped at zero and give neither offset nor read noise: raise the black level and record them again"
        )
    pile = dark.lowest
    clamped = pile.share > max(_MAX_ZERO_SHARE, pile.next_share) and dark.n * dark.mean.size >= _MIN_SAMPLES
    if clamped and dark.temporal_variance(np.ones(dark.mean.shape, np.bool_)) >= _SPREAD_DN2:
        raise ProfileError(
            f"dark frames: {pile.share:.1%} of the samples are {pile.level}, the smallest count, expected at most "
            f"{_MAX_ZERO_SHARE:.0%}; the camera cuts them off there, so they give neither offset nor read noise: raise "
            "the black level, switch black-level clamping off, and record them again"
        )


def check_cut_off(lit: FrameSeries, name: str) -> None:
    """Raise ProfileError when lit frames are cut off below full scale.

    Over 0.1 % of the samples at the largest count, and four times as many as one count below, is a cut-off.
    """
    pile = lit.highest
    if lit.saturated_share > 0.0 or lit.variance is None or not lit.variance.any():
        return  # the pile at full scale is judged by itself; without noise there is no telling
    enough = pile.share * lit.n * lit.mean.size >= _MIN_PILE
    if enough and pile.share > _MAX_SATURATED_SHARE and pile.share > _PILE_FACTOR * pile.next_share:
        raise ProfileError(
            f"{name} frames: {pile.share:.2%} of the samples are {pile.level}, the largest count, expected at most "
            f"{_MAX_SATURATED_SHARE:.1%}; the camera saturates there: lower the light, check bit_depth, record "
            "them again"
        )


def flat_signal(dark: FrameSeries, flat: FrameSeries, bit_depth: int) -> _Reals:
    """Return mean flat minus dark map (H, W) in DN, or raise ProfileError with the reason why it is of no use."""
    if flat.mean.shape != dark.mean.shape:
        raise ProfileError(
            f"flat frames: found shape {flat.mean.shape}, expected {dark.mean.shape} as the dark frames; record both "
            "with the same region of interest and binning"
        )
    if flat.saturated_share > _MAX_SATURATED_SHARE:
        raise ProfileError(
            f"flat frames: {flat.saturated_share:.2%} of the samples sit at the maximum, expected at most "
            f"{_MAX_SATURATED_SHARE:.1%}; lower the light to about half of the range and record them again"
        )
    if flat.variance is not None and not flat.variance.any():
        raise ProfileError(
            f"flat frames: no pixel changes in {flat.n} frames, expected the noise of light; they are saturated, "
            "processed, or one frame many times: record raw frames"
        )
    check_cut_off(flat, "flat")
    signal = flat.mean - dark.mean
    found, needed = float(np.median(signal)), _MIN_FLAT_SHARE * 2**bit_depth
    if found < needed:
        raise ProfileError(
            f"flat frames: median {found:.4g} DN above dark, expected at least {needed:.4g} DN (1 % of the range); are "
            "dark and flat swapped, or was the light off?"
        )
    return signal


def hot_pixels(dark: _Reals) -> _Bools:
    """Return where the dark map stands out from its median."""
    excess = dark - np.median(dark)
    robust_sigma = 1.4826 * float(np.median(np.abs(excess)))
    return np.asarray((excess > _HOT_SIGMAS * robust_sigma) & (excess >= _HOT_MIN_DN))


def noisy_pixels(dark: FrameSeries) -> _Bools:
    """Return where the temporal variance stands out; nowhere when there are too few frames to tell."""
    if dark.variance is None or dark.n < _NOISY_MIN_FRAMES:
        return np.zeros(dark.mean.shape, np.bool_)
    return np.asarray(dark.variance > _NOISY_FACTOR * max(float(np.median(dark.variance)), QUANTISATION_DN2))


def blinking_pixels(series: FrameSeries) -> _Bools:
    """Return where the level jumps now and then; nowhere when there are under 16 frames to tell.

    A pixel that dwells at each of two levels varies more from first to last than from frame to frame. With
    ``r = 1 - step variance / variance`` (one minus half of von Neumann's ratio), a pixel blinks when its variance is
    over 3 times the median, the median taken as at least 1/12 DN^2, and r is so large that white Gaussian noise
    exceeds it with p < 1e-5. Both are independent for such noise: a pixel of median noise is flagged with p < 1e-8. A
    drift that all pixels share is allowed for by comparing Fisher's z of r with its median.

    Sources: von Neumann, Ann. Math. Stat. 12 (1941) 367; r closely follows a symmetric beta law
    of its variance (n - 2)/(n^2 - 1).
    """
    from scipy.special import betainccinv

    n = series.n
    if series.variance is None or series.step_variance is None or n < _BLINKING_MIN_FRAMES:
        return np.zeros(series.mean.shape, np.bool_)
    with np.errstate(invalid="ignore", divide="ignore"):  # a pixel that never changes is 0/0, and does not blink
        r = 1.0 - series.step_variance / series.variance
    shape = ((n * n - 1) / (n - 2) - 1) / 2  # of the beta law on -1..1, whose variance is 1 / (2 shape + 1)
    limit = 2.0 * float(betainccinv(shape, shape, _BLINKING_CHANCE)) - 1.0
    drift = float(np.nanmedian(r)) if np.isfinite(r).any() else 0.0
    z = np.arctanh(np.clip(r, -0.999999, 0.999999)) - math.atanh(max(drift, 0.0))
    loud = series.variance > _BLINKING_FACTOR * max(float(np.median(series.variance)), QUANTISATION_DN2)
    return np.asarray(loud & (z > math.atanh(limit)))


def dead_pixels(response: _Reals) -> _Bools:
    """Return where the response is far from its surroundings, or too weak to be corrected."""
    from scipy.ndimage import median_filter

    local = median_filter(response.astype(np.float32), size=_LOCAL_WINDOW, mode="reflect")
    return np.asarray(
        (response < _DEAD_LO * local) | (response > _DEAD_HI * local) | (response < _UNLIT * np.median(response))
    )


def _check_frame(frame: Any, name: str, shape: tuple[int, ...] | None, limit: int) -> None:
    if not isinstance(frame, np.ndarray) or frame.dtype not in (np.uint8, np.uint16):
        found = frame.dtype if isinstance(frame, np.ndarray) else type(frame).__name__
        raise ProfileError(f"{name}: found {found}, expected uint8 or uint16 in native byte order; use the raw frames")
    if frame.ndim != 2 or frame.size == 0:
        raise ProfileError(f"{name}: found shape {frame.shape}, expected 2-D (H, W); give one frame as frame[None]")
    if shape is not None and frame.shape != shape:
        raise ProfileError(f"{name}: found shape {frame.shape}, expected {shape} as frame 0; use frames of one size")
    if int(frame.max()) > limit:
        raise ProfileError(f"{name}: found {int(frame.max())}, expected at most {limit}; give the right bit_depth")
