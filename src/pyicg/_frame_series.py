"""What a series of dark or flat frames says: mean map, temporal noise, bad pixels, or why it is of no use."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ProfileError

__all__ = ["FrameSeries", "accumulate", "check_dark", "dead_pixels", "flat_signal", "hot_pixels", "noisy_pixels"]

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
_QUANTISATION_DN2 = 1.0 / 12.0
_MAX_ZERO_SHARE = 0.05
_MAX_SATURATED_SHARE = 0.001
_MIN_FLAT_SHARE = 0.01


@dataclass(frozen=True, eq=False)
class FrameSeries:
    """Sums over `n` frames.

    `mean` is the (H, W) temporal mean in DN and `variance` the (H, W) sample variance in DN^2 (None for one frame);
    `frame_variance` is the sample variance of the frame means; the shares are of all samples.
    """

    n: int
    mean: _Reals
    variance: _Reals | None
    frame_variance: float
    zero_share: float
    saturated_share: float

    def temporal_variance(self, good: _Bools) -> float:
        """Return the temporal variance of one pixel in DN^2 over the `good` pixels, common drift taken off."""
        if self.variance is None:
            return math.nan
        return max(float(self.variance[good].mean()) - self.frame_variance, 0.0)


def accumulate(frames: Iterable[npt.NDArray[Any]], name: str, bit_depth: int) -> FrameSeries:
    """Sum frames one at a time; the sums are integers, so they are exact and their order is of no consequence.

    Parameters
    ----------
    frames : iterable of (H, W) uint8 or uint16
        The frames.
    name : str
        What to call them in messages.
    bit_depth : int
        Bits per pixel.

    Raises
    ------
    ProfileError
        When there are no frames, or they are not linear raw counts of one shape within the bit depth.
    """
    transfer = getattr(frames, "transfer", "linear")
    if transfer != "linear":
        raise ProfileError(f"{name} frames: transfer is {transfer!r}, expected 'linear'; use raw frames of the camera")
    limit = 2**bit_depth - 1
    sums: npt.NDArray[np.int64] | None = None  # of the counts and of their squares
    totals: list[int] = []
    zeros = saturated = 0
    for index, frame in enumerate(frames):
        _check_frame(frame, f"{name} frame {index}", None if sums is None else sums.shape[1:], limit)
        if sums is None:
            sums = np.zeros((2, *frame.shape), np.int64)
        sums[0] += frame
        sums[1] += np.square(frame, dtype=np.int64)
        totals.append(int(frame.sum(dtype=np.int64)))
        zeros += frame.size - int(np.count_nonzero(frame))
        saturated += int(np.count_nonzero(frame == limit))
    if sums is None:
        raise ProfileError(f"{name} frames: found none, expected at least one")
    n, size = len(totals), sums[0].size
    variance, frame_variance = None, math.nan
    if n > 1:  # exact in 64 bits up to 46 340 frames of 16 bits
        variance = (n * sums[1] - sums[0] ** 2) / (n * (n - 1))
        frame_variance = (n * sum(t * t for t in totals) - sum(totals) ** 2) / (n * (n - 1) * size**2)
    return FrameSeries(n, sums[0] / n, variance, frame_variance, zeros / (n * size), saturated / (n * size))


def check_dark(dark: FrameSeries) -> None:
    """Raise ProfileError when dark frames are clipped at zero."""
    if dark.zero_share > _MAX_ZERO_SHARE:
        raise ProfileError(
            f"dark frames: {dark.zero_share:.1%} of the samples are 0, expected at most {_MAX_ZERO_SHARE:.0%}; they "
            "are clipped at zero and give neither offset nor read noise: raise the black level and record them again"
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
    return np.asarray(dark.variance > _NOISY_FACTOR * max(float(np.median(dark.variance)), _QUANTISATION_DN2))


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
