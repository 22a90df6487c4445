"""Slow, readable twins of the kernels, and scenes whose truth is a formula. Nothing here imports the core."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf

from pyicg import CalibratedFrame, CameraProfile

F32 = np.float32
Z95 = 1.959963984540054


def calibrated(data: npt.NDArray[Any], mask: npt.NDArray[np.uint8] | None = None, **fields: Any) -> CalibratedFrame:
    """Wrap made-up data as a calibrated frame."""
    data = np.asarray(data, dtype=F32)
    bits = np.zeros(data.shape, np.uint8) if mask is None else mask
    return CalibratedFrame(**{"data": data, "mask": bits, "variance": None, "unit": "DN", "calibrated": True, **fields})


def calibrate_oracle(
    frame: npt.NDArray[Any], profile: CameraProfile, exposure_ms: float | None = None, gain_db: float | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8], npt.NDArray[np.float32] | None]:
    """Calibrate in numpy, in float32 and in the order of operations of the formula."""
    used = exposure_ms if exposure_ms is not None else profile.exposure_ms
    scale = 1.0 if used is None else 1.0 / used
    if gain_db is not None and profile.gain_db is not None:
        scale *= 10.0 ** ((profile.gain_db - gain_db) / 20.0)
    c1, c2, c3 = (F32(c) for c in profile.linearity)
    counts = frame.astype(F32)
    x = counts if profile.dark is None else counts - profile.dark
    factor = np.full(frame.shape, F32(scale))
    if profile.flat is not None:
        factor = (F32(1) / profile.flat) * F32(scale)
    with np.errstate(invalid="ignore", over="ignore"):
        data = x * (c1 + x * (c2 + x * c3)) * factor
        step = (c1 + x * (F32(2) * c2 + x * F32(3) * c3)) * factor
        read = F32(profile.read_noise_dn**2)
        variance = (F32(profile.gain_dn_per_e) * np.maximum(x, F32(0)) + read) * step * step
    known = profile.gain_dn_per_e > 0 and profile.read_noise_dn >= 0

    lo, hi = profile.exposure_range_ms or (-math.inf, math.inf)
    outside = used is not None and not lo * 0.999 <= used <= hi * 1.001
    everywhere = 16 if outside else 0
    mask = np.full(frame.shape, everywhere, np.uint8)
    word = np.iinfo(frame.dtype).max if frame.dtype.kind == "u" else math.inf
    mask[counts >= F32(min(profile.saturation_dn, word))] |= 1
    if profile.dark is not None:
        mask[counts <= 0] |= 2
    lost = ~np.isfinite(counts)
    mask[lost] = everywhere | 64
    data[lost] = np.nan
    if profile.bad is not None:
        _repair(data, mask, variance, profile.bad, everywhere)
    return data, mask, variance if known else None


def _repair(data: Any, mask: Any, variance: Any, bad: Any, everywhere: int) -> None:
    usable = ((mask & (1 | 4 | 32 | 64)) == 0) & ~bad
    for y, x in np.argwhere(bad):
        window = (slice(max(y - 1, 0), y + 2), slice(max(x - 1, 0), x + 2))
        near = usable[window]
        pairs = sorted(zip(data[window][near], variance[window][near], strict=True))
        mask[y, x] = everywhere | (32 if pairs else 4)
        data[y, x] = np.nan
        if pairs:
            lower, upper = pairs[(len(pairs) - 1) // 2], pairs[len(pairs) // 2]
            data[y, x] = F32(0.5) * (lower[0] + upper[0])
            variance[y, x] = max(lower[1], upper[1])


def fieller_oracle(a: float, sa: float, b: float, sb: float) -> tuple[float, float]:
    """Solve (b^2 - z^2 vb) r^2 - 2 a b r + (a^2 - z^2 va) = 0; unbounded where the leading term is not positive."""
    leading = b**2 - Z95**2 * sb**2
    if leading <= 0:
        return -math.inf, math.inf
    lo, hi = sorted(np.roots([leading, -2 * a * b, a**2 - Z95**2 * sa**2]).real)
    return float(lo), float(hi)


def brute_distance(mask: npt.NDArray[np.bool_], spacing: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Try every False pixel for every True one."""
    steps = np.asarray(spacing, dtype=np.float64)
    zeros = np.argwhere(~mask) * steps
    out = np.zeros(mask.shape)
    for place in np.argwhere(mask):
        out[tuple(place)] = np.sqrt(np.sum((zeros - place * steps) ** 2, axis=1)).min()
    return out


def blurred_disc(
    shape: tuple[int, int], centre: tuple[float, float], radius: float, sigma: float
) -> npt.NDArray[np.float64]:
    """Return a disc of height 1 blurred by a Gaussian.

    Each row of the disc is a box, and a blurred box a difference of two erf; the rows are summed under the Gaussian by
    the midpoint rule in the angle, which converges faster than any power there.
    """
    y, x = np.arange(shape[0]) - centre[0], np.arange(shape[1]) - centre[1]
    n = max(32, math.ceil(8 * radius / sigma))
    angle = (np.arange(n) + 0.5) * math.pi / n - math.pi / 2
    rows, chord = radius * np.sin(angle), radius * np.cos(angle)
    dv = math.pi / n * chord
    down = np.exp(-0.5 * ((y[:, None] - rows) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi)) * dv
    root = sigma * math.sqrt(2)
    across = 0.5 * (erf((x[None, :] + chord[:, None]) / root) - erf((x[None, :] - chord[:, None]) / root))
    return np.asarray(down @ across)


def annulus(
    shape: tuple[int, int],
    centre: tuple[float, float],
    inner: float,
    outer: float,
    *,
    sigma: float = 1.2,
    levels: tuple[float, float, float] = (40.0, 400.0, 100.0),
) -> npt.NDArray[np.float64]:
    """Return a blurred rim: `levels` of core, rim and surroundings."""
    core, rim, outside = levels
    return (
        outside
        + (rim - outside) * blurred_disc(shape, centre, outer, sigma)
        + (core - rim) * blurred_disc(shape, centre, inner, sigma)
    )


def radii(contour: npt.NDArray[np.float64], centre: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Return the distance of every vertex from a centre."""
    return np.hypot(contour[:, 0] - centre[0], contour[:, 1] - centre[1])
