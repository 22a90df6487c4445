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
    frame: npt.NDArray[Any],
    profile: CameraProfile,
    exposure_ms: float | None = None,
    gain_db: float | None = None,
    *,
    unit: str | None = None,
    exclude: npt.NDArray[np.bool_] | None = None,
    ambient: CalibratedFrame | None = None,
    real: type[np.floating[Any]] = np.float64,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], npt.NDArray[Any]]:
    """Calibrate in numpy, in the order of operations of the formula: in float32 the same bits, in float64 the truth."""
    t = exposure_ms if exposure_ms is not None else profile.exposure_ms
    g = 1.0
    if gain_db is not None and profile.gain_db is not None:
        g = 10.0 ** ((gain_db - profile.gain_db) / 20.0)
    quantity = {"e": 1 / profile.gain_dn_per_e, "n": profile.response_nm_per_dn_ms}.get((unit or "D")[0], 1.0)
    scale = real(quantity / (1.0 if t is None else t) / g)
    elapsed = real(0.0 if t is None or profile.exposure_ms is None else t - profile.exposure_ms)

    def of(field: Any, otherwise: float) -> Any:
        return np.full(frame.shape, real(otherwise)) if field is None else field.astype(real)

    counts = frame.astype(real)
    with np.errstate(invalid="ignore", over="ignore"):
        dark_elapsed = real(0.0 if t is None or profile.exposure_ms is None else g * t - profile.exposure_ms)
        x = counts - (of(profile.dark, 0.0) + of(profile.dark_rate, 0.0) * dark_elapsed)
        linear, slope = _linearity(x, profile, real)
        factor = real(1) / of(profile.flat, 1.0) * scale
        data = linear * factor
        rounding = real(1) / real(12)
        gain = of(profile.gain_map, profile.gain_dn_per_e)
        dark_noise = _dark_noise(profile, of, gain, elapsed, real(g))
        if profile.dark_sigma is not None:
            mean, sd = profile.dark_exposures_ms or (math.nan, math.nan)
            stretch2 = 1.0 if t is None or math.isnan(mean) else 1.0 + ((t - mean) / sd) ** 2
            dark_noise += of(profile.dark_sigma, 0.0) ** 2 * real(stretch2)
        shot = gain * real(g) * linear
        slope2 = slope * slope
        noise = np.maximum(shot + dark_noise * slope2, np.minimum(dark_noise, rounding) * slope2)
        variance = noise * (factor * factor)
        if profile.flat_sigma is not None:
            variance += (data * of(profile.flat_sigma, 0.0)) ** 2
    if ambient is not None:
        assert ambient.variance is not None
        data -= ambient.data.astype(real)
        variance += ambient.variance.astype(real)

    lo, hi = profile.exposure_range_ms or (-math.inf, math.inf)
    mask = np.full(frame.shape, 0 if t is None or lo * 0.999 <= t <= hi * 1.001 else 16, np.uint8)
    word = np.iinfo(frame.dtype).max if frame.dtype.kind == "u" else math.inf
    lost = ~np.isfinite(data)
    mask[(counts >= min(profile.saturation_dn, word)) & ~lost] |= 1
    if profile.dark is not None:
        mask[(counts <= 0) & ~lost] |= 2
    mask[lost] |= 64
    data[lost] = np.nan
    if exclude is not None:
        mask[exclude] |= 8
    if ambient is not None:
        mask |= ambient.mask & (1 | 8 | 16 | 64)
    if profile.bad is not None:
        _repair(data, mask, variance, profile.bad)
    variance[np.isnan(data)] = np.nan
    return data, mask, variance


def _dark_noise(profile: CameraProfile, of: Any, gain: Any, elapsed: Any, g: Any) -> Any:
    """Read noise with the dark current of this exposure, following the gain; DN^2."""
    rounding = type(g)(1) / type(g)(12)
    square = of(profile.read_noise_map, profile.read_noise_dn) ** 2
    if profile.dark_rate is not None and elapsed != 0:
        square = np.maximum(square + gain * of(profile.dark_rate, 0.0) * elapsed, np.minimum(square, rounding))
    return square + (g * g - type(g)(1)) * np.maximum(square - rounding, type(g)(0))


def _linearity(x: npt.NDArray[Any], profile: CameraProfile, real: type[np.floating[Any]]) -> tuple[Any, Any]:
    """Linear signal and its slope."""
    if profile.linearity_table is None:
        c1, c2, c3 = (real(c) for c in profile.linearity)
        return x * (c1 + x * (c2 + x * c3)), c1 + x * (real(2) * c2 + x * real(3) * c3)
    assert profile.linearity_step_dn is not None
    step, nodes = profile.linearity_step_dn, np.array(profile.linearity_table)
    piece = np.floor(np.clip(np.nan_to_num(x / real(step)), 0, len(nodes) - 2)).astype(int)
    slope = (np.diff(nodes) / step).astype(real)[piece]
    return nodes.astype(real)[piece] + slope * (x - (piece * step).astype(real)), slope


def _repair(data: Any, mask: Any, variance: Any, bad: Any) -> None:
    usable = ((mask & (1 | 4 | 8 | 32 | 64)) == 0) & ~bad
    for y, x in np.argwhere(bad):
        window = (slice(max(y - 1, 0), y + 2), slice(max(x - 1, 0), x + 2))
        near = usable[window]
        pairs = sorted(zip(data[window][near], variance[window][near], strict=True))
        mask[y, x] = (mask[y, x] & (8 | 16)) | (32 if pairs else 4)
        data[y, x] = np.nan
        if pairs:
            lower, upper = pairs[(len(pairs) - 1) // 2], pairs[len(pairs) // 2]
            data[y, x] = data.dtype.type(0.5) * (lower[0] + upper[0])
            variance[y, x] = max(lower[1], upper[1])


def fieller_oracle(a: float, sa: float, b: float, sb: float, t: float = Z95) -> tuple[float, float]:
    """Return the roots of (a - r b)^2 = t^2 (sa^2 + r^2 sb^2)."""
    leading = b**2 - t**2 * sb**2
    if leading <= 0:
        return -math.inf, math.inf
    lo, hi = sorted(np.roots([leading, -2 * a * b, a**2 - t**2 * sa**2]).real)
    return float(lo), float(hi)


def symmetric_edges(length: int, part: int) -> list[int]:
    """Cut a length into parts of about `part` that are the same from either end."""
    parts = max((length + part // 2) // part, 1)
    if parts % 2 == 0 and length % parts:
        parts -= 1
    lower = [k * length // parts for k in range(parts // 2 + 1)]
    upper = [length - edge for edge in reversed(lower)]
    return lower + (upper[1:] if parts % 2 == 0 else upper)


def blocking_oracle(influence: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return how much correlation widens the variance of a mean, and the blocks it is known from.

    NaN where a pixel is missing. Flyvbjerg and Petersen's blocks in two dimensions: at every size the variance of the
    sum over blocks against that of as many independent pixels; of all sizes with eight blocks or more the one whose
    factor is largest at one standard error below.
    """
    there = np.isfinite(influence)
    n = float(there.sum())
    deviation = np.where(there, influence - influence[there].mean(), 0.0) if n else np.zeros(influence.shape)
    count, best = there.astype(float), (1.0, n)
    independent = float(np.sum(deviation**2))
    if n < 2 or independent == 0:
        return best
    bound, sums = 1 - math.sqrt(2 / n), deviation
    while True:
        for axis in (0, 1):
            places = symmetric_edges(sums.shape[axis], 2)[:-1]
            sums, count = (np.add.reduceat(a, places, axis=axis) for a in (sums, count))
        blocks = n**2 / float(np.sum(count**2))
        if blocks < 8:
            return best
        factor = float(np.sum(sums**2)) / independent * blocks / (blocks - 1)
        if factor > 1 and factor * (1 - math.sqrt(2 / blocks)) > bound:
            best, bound = (factor, blocks), factor * (1 - math.sqrt(2 / blocks))


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
