"""Camera characterisation, computed per EMVA 1288 Release 4.0 Linear.

Every figure comes from bright and dark frames of an evenly lit camera without a lens. The numbers in the comments
are the steps of `docs/characterize.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyicg._frame_series import FrameSeries, accumulate, check_dark
from pyicg.errors import InputError, ProfileError
from pyicg.results import Measurement

__all__ = ["CameraReport", "characterize"]

Frames = Iterable[npt.NDArray[Any]]
FloatArray = npt.NDArray[np.float64]

_MIN_LEVELS = 3
_MIN_EXPOSURES = 6
_SATURATED_SHARE = (0.001, 0.002)  # 0.1-0.2 % of the pixels at full scale mark saturation
_FIT_SHARE = 0.70
_LINEARITY_RANGE = (0.05, 0.95)
_GAIN_SPREAD_LIMIT = 0.03
_QUANTISATION_VARIANCE = 1.0 / 12.0
_VARIANCE_FLOOR = 0.24  # below it quantisation hides the noise, and 0.49 DN is used
_FLOORED_VARIANCE = 0.49**2
_HIGH_PASS_MARGIN = 9  # half widths of the three low-pass kernels: 3 + 5 + 1
_HIGH_PASS_WHITE_GAIN = 0.988495  # variance that the high-pass leaves of white noise: sum of its squared weights


@dataclass(frozen=True, slots=True)
class CameraReport:
    """What a camera is, computed per EMVA 1288 Release 4.0 Linear (or with the choices of Release 3.1).

    Every figure is a `Measurement`; an undefined one is NaN with a reason code.

    Attributes
    ----------
    gain_dn_per_e : Measurement
        System gain K, DN per electron.
    quantum_efficiency : Measurement
        Electrons per photon, a fraction (0.45 is 45 %).
    responsivity : Measurement
        DN per photon.
    dark_noise_e : Measurement
        Temporal dark noise without quantisation noise, electrons.
    saturation_e : Measurement
        Saturation capacity, electrons.
    snr_max : Measurement
        Signal-to-noise ratio at saturation, a ratio; decibels are ``20 * log10(snr_max)``.
    dynamic_range : Measurement
        Saturation over absolute sensitivity threshold, a ratio; decibels as above.
    linearity_error : Measurement
        Mean absolute relative deviation from a straight line, a fraction.
    dsnu_e : Measurement
        Dark signal non-uniformity, electrons.
    prnu : Measurement
        Photo response non-uniformity, a fraction.
    dark_current : Measurement
        Electrons per pixel and second.
    release : str
        ``"4.0"`` or ``"3.1"``.
    bit_depth : int
        Bits per pixel; full scale is ``2**bit_depth - 1``.
    """

    gain_dn_per_e: Measurement
    quantum_efficiency: Measurement
    responsivity: Measurement
    dark_noise_e: Measurement
    saturation_e: Measurement
    snr_max: Measurement
    dynamic_range: Measurement
    linearity_error: Measurement
    dsnu_e: Measurement
    prnu: Measurement
    dark_current: Measurement
    release: str
    bit_depth: int


class _Line(NamedTuple):
    slope: float
    intercept: float
    slope_sigma: float
    intercept_sigma: float
    dof: int


class _Series(NamedTuple):
    """Per-level statistics: one array element per level."""

    signal: FloatArray  # bright mean minus dark mean, DN
    bright_variance: FloatArray
    dark_mean: FloatArray
    dark_variance: FloatArray
    saturated_share: FloatArray
    samples: int  # independent samples behind the least sampled variance


def characterize(
    bright: Sequence[Frames],
    dark: Sequence[Frames],
    *,
    photons: Sequence[float] | npt.NDArray[Any] | None = None,
    exposures_ms: Sequence[float] | npt.NDArray[Any] | None = None,
    spatial: tuple[Frames, Frames] | None = None,
    bit_depth: int,
    release: str = "4.0",
) -> CameraReport:
    """Characterise a linear camera, computed per EMVA 1288 Release 4.0 Linear.

    Parameters
    ----------
    bright, dark : sequence of (n, H, W) uint8 or uint16 stacks, n >= 2
        One stack per level of light, and one dark stack per level taken at the same exposure. Levels may come in
        any order. With a fixed exposure repeat the one dark stack: ``[dark] * len(bright)``.
    photons : sequence of float, optional
        Mean photons per pixel at each level, from a calibrated light source.
    exposures_ms : sequence of float, optional
        Exposure of each level in ms. With three or more different ones the dark variance is extrapolated to zero
        exposure; without, it is the mean over the levels. Dark current needs six.
    spatial : tuple of two (n, H, W) stacks, optional
        Bright frames at 50 % of saturation and dark frames, for PRNU and DSNU.
    bit_depth : int
        Bits per pixel, 1 to 16; a pixel is saturated at ``2**bit_depth - 1``.
    release : {"4.0", "3.1"}, default "4.0"
        "4.0" fits the gain with a free intercept and high-passes the images before non-uniformity; "3.1" does
        neither.

    Returns
    -------
    CameraReport
        Sigmas are standard errors of the straight-line fits, carried on to first order; NaN where that says little.

    Raises
    ------
    InputError
        When an option has a wrong value or length.
    ProfileError
        When frames are not linear raw counts of one shape within the bit depth, fewer than two make a stack, or over
        5 % of the dark samples are zero: clipped dark frames give no read noise.

    Notes
    -----
    Gain K is the slope of the temporal variance on the signal (photon transfer), responsivity R the slope of the
    signal on the photons, quantum efficiency R/K; both fits use 0-70 % of saturation. Source: EMVA Standard 1288,
    Release 4.0 Linear (2021), and Release 3.1 (2016).

    Examples
    --------
    A simulated camera with 0.5 DN per electron and an offset of 20 DN:

    >>> import numpy as np
    >>> from pyicg.characterize import characterize
    >>> rng = np.random.default_rng(1)
    >>> electrons = [50.0, 100.0, 150.0, 200.0, 400.0, 700.0]
    >>> def shoot(mean_e):
    ...     e = rng.poisson(mean_e, (2, 128, 128)) + rng.normal(0.0, 5.0, (2, 128, 128))
    ...     return np.clip(np.rint(20.0 + 0.5 * e), 0, 255).astype(np.uint8)
    >>> report = characterize([shoot(e) for e in electrons], [shoot(0.0) for e in electrons], bit_depth=8)
    >>> round(float(report.gain_dn_per_e), 1)
    0.5
    >>> report.quantum_efficiency.reason
    'no_photons'
    """
    if release not in {"4.0", "3.1"}:
        raise InputError(f'release is {release!r}, expected "4.0" or "3.1"')
    if not 1 <= bit_depth <= 16:
        raise InputError(f"bit_depth is {bit_depth}, expected 1 to 16: state the camera's own bits per pixel")
    series = _measure_series(bright, dark, bit_depth)
    levels = series.signal.size
    photon_levels = None if photons is None else _per_level(photons, levels, "photons")
    exposures = None if exposures_ms is None else _per_level(exposures_ms, levels, "exposures_ms")

    saturation_level = _saturation_level(series)
    # Without a saturated level 70 % of the brightest one still lies below 70 % of saturation.
    ceiling = series.signal.max() if saturation_level is None else series.signal[saturation_level]
    fitted = series.signal <= _FIT_SHARE * ceiling

    gain, gain_dof = _gain(series, fitted, release)
    responsivity, responsivity_dof = _responsivity(series, fitted, photon_levels)
    efficiency = _ratio(responsivity, gain, min(gain_dof, responsivity_dof))
    dark_variance, dark_variance_sigma = _dark_variance(series, exposures)
    saturation = _saturation(efficiency, photon_levels, saturation_level)
    dsnu, prnu = _non_uniformity(spatial, gain, bit_depth, release)
    return CameraReport(
        gain_dn_per_e=gain,
        quantum_efficiency=efficiency,
        responsivity=responsivity,
        dark_noise_e=_dark_noise(dark_variance, dark_variance_sigma, gain, gain_dof),
        saturation_e=saturation,
        snr_max=_snr_max(saturation),
        dynamic_range=_dynamic_range(saturation, dark_variance, gain),
        linearity_error=_linearity_error(series, photon_levels, saturation_level),
        dsnu_e=dsnu,
        prnu=prnu,
        dark_current=_dark_current(series, exposures, gain),
        release=release,
        bit_depth=bit_depth,
    )


def _accumulate(stack: Frames, name: str, bit_depth: int) -> FrameSeries:
    series = accumulate(stack, name, bit_depth)
    if series.n < 2:
        raise ProfileError(f"{name} frames: found 1, expected at least 2: one frame says nothing of temporal noise")
    return series


def _accumulate_pair(bright: Frames, dark: Frames, name: str, bit_depth: int) -> tuple[FrameSeries, FrameSeries]:
    """Return the sums over bright and dark frames of one shape."""
    lit = _accumulate(bright, f"{name} bright", bit_depth)
    unlit = _accumulate(dark, f"{name} dark", bit_depth)
    if lit.mean.shape != unlit.mean.shape:
        raise ProfileError(
            f"{name}: found {lit.mean.shape} bright and {unlit.mean.shape} dark, expected one shape; record both with "
            "the same region of interest and binning"
        )
    check_dark(unlit)
    return lit, unlit


def _temporal_variance(series: FrameSeries) -> float:
    """Step 1: temporal variance of a pixel, free of changes of the whole frame, in DN squared.

    For two frames this is ``mean((y0 - y1)**2)/2 - (m0 - m1)**2/2``.
    """
    return series.temporal_variance(np.ones(series.mean.shape, np.bool_))


def _per_level(values: Sequence[float] | npt.NDArray[Any], levels: int, name: str) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (levels,):
        raise InputError(f"{name}: expected one value per level, {levels} in all, found shape {array.shape}")
    if not np.all(np.isfinite(array) & (array >= 0.0)):
        raise InputError(f"{name}: expected finite values that are not negative")
    return array


def _measure_series(bright: Sequence[Frames], dark: Sequence[Frames], bit_depth: int) -> _Series:
    if len(bright) != len(dark) or len(bright) == 0:
        raise InputError(
            f"expected one dark stack per bright level, found {len(bright)} bright and {len(dark)} dark: "
            "with a fixed exposure pass dark=[stack] * len(bright)"
        )
    rows: list[tuple[float, ...]] = []
    samples: list[int] = []
    for level, stacks in enumerate(zip(bright, dark, strict=True)):
        lit, unlit = _accumulate_pair(*stacks, f"level {level}", bit_depth)
        dark_mean = float(unlit.mean.mean())
        signal = float(lit.mean.mean()) - dark_mean
        rows.append((signal, _temporal_variance(lit), dark_mean, _temporal_variance(unlit), lit.saturated_share))
        samples.append((min(lit.n, unlit.n) - 1) * lit.mean.size)
    signals, bright_variance, dark_means, dark_variance, saturated = np.array(rows, dtype=np.float64).T
    return _Series(signals, bright_variance, dark_means, dark_variance, saturated, min(samples))


def _line(x: FloatArray, y: FloatArray, *, intercept: bool, weights: FloatArray | None = None) -> _Line | None:
    """Fit a straight line by least squares; None when `x` cannot carry it."""
    w = np.ones_like(x) if weights is None else weights
    design = np.column_stack([x, np.ones_like(x)]) if intercept else x[:, np.newaxis]
    normal = design.T @ (w[:, np.newaxis] * design)
    dof = x.size - design.shape[1]
    if dof < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    solution = np.linalg.solve(normal, design.T @ (w * y))
    residual = y - design @ solution
    covariance = np.linalg.inv(normal) * float(w @ residual**2) / dof
    sigma = np.sqrt(np.diag(covariance))
    slope, offset = (*solution.tolist(), 0.0)[:2]
    slope_sigma, offset_sigma = (*sigma.tolist(), 0.0)[:2]
    return _Line(slope, offset, slope_sigma, offset_sigma, dof)


def _measurement(value: float, sigma: float, dof: int, reason: str | None = None) -> Measurement:
    """Return a measurement with its 95 % Student interval."""
    from scipy.special import stdtrit

    half = float(stdtrit(dof, 0.975)) * sigma
    return Measurement(value, sigma, (value - half, value + half), reason)


def _saturation_level(series: _Series) -> int | None:
    """Step 2: the brightest level with at most 0.2 % of pixels at full scale, if 0.1 % is reached anywhere."""
    low, high = _SATURATED_SHARE
    usable = series.saturated_share <= high
    if series.saturated_share.max() < low or not usable.any():
        return None
    return int(np.argmax(np.where(usable, series.signal, -np.inf)))


def _gain(series: _Series, fitted: npt.NDArray[np.bool_], release: str) -> tuple[Measurement, int]:
    """Step 4: slope of the light-induced variance on the signal, and its degrees of freedom."""
    signal = series.signal[fitted]
    variance = (series.bright_variance - series.dark_variance)[fitted]
    line = _line(signal, variance, intercept=release == "4.0") if signal.size >= _MIN_LEVELS else None
    if line is None:
        return Measurement.undefined("too_few_levels"), 0
    if line.slope <= 0.0:
        return Measurement.undefined("no_response"), 0
    # A level whose own sampling error exceeds the 3 % limit cannot speak for or against it.
    sampling = np.sqrt(2.0 / series.samples) * np.hypot(series.bright_variance, series.dark_variance)[fitted]
    telling = sampling < _GAIN_SPREAD_LIMIT * line.slope * signal
    deviation = np.abs(variance[telling] / signal[telling] - line.slope) / line.slope
    constant = deviation.size == 0 or deviation.mean() < _GAIN_SPREAD_LIMIT
    reason = None if constant else "gain_not_constant"
    return _measurement(line.slope, line.slope_sigma, line.dof, reason), line.dof


def _responsivity(
    series: _Series, fitted: npt.NDArray[np.bool_], photons: FloatArray | None
) -> tuple[Measurement, int]:
    """Step 3: zero-intercept slope of the signal on the photons, and its degrees of freedom."""
    if photons is None:
        return Measurement.undefined("no_photons"), 0
    enough = int(fitted.sum()) >= _MIN_LEVELS
    line = _line(photons[fitted], series.signal[fitted], intercept=False) if enough else None
    if line is None:
        return Measurement.undefined("too_few_levels"), 0
    if line.slope <= 0.0:
        return Measurement.undefined("no_response"), 0
    return _measurement(line.slope, line.slope_sigma, line.dof), line.dof


def _ratio(top: Measurement, bottom: Measurement, dof: int) -> Measurement:
    """Step 5: quantum efficiency R/K; the two fits are taken as independent."""
    for term in (top, bottom):
        if math.isnan(term.value):
            return term
    reason = top.reason or bottom.reason
    value = top.value / bottom.value
    sigma = value * math.hypot(top.sigma / top.value, bottom.sigma / bottom.value)
    return _measurement(value, sigma, dof, reason)


def _dark_variance(series: _Series, exposures: FloatArray | None) -> tuple[float, float]:
    """Return the temporal dark variance and its sigma, DN squared; at zero exposure where exposures tell it."""
    variance = series.dark_variance
    if exposures is not None and np.unique(exposures).size >= _MIN_LEVELS:
        line = _line(exposures, variance, intercept=True)
        if line is not None:
            return line.intercept, line.intercept_sigma
    mean = float(variance.mean())
    return mean, mean * math.sqrt(2.0 / (series.samples * variance.size))


def _dark_noise(variance: float, variance_sigma: float, gain: Measurement, dof: int) -> Measurement:
    """Step 5: dark noise without quantisation noise, electrons."""
    if math.isnan(gain.value):
        return gain
    if variance < _VARIANCE_FLOOR:
        noise = math.sqrt(_FLOORED_VARIANCE - _QUANTISATION_VARIANCE) / gain.value
        return Measurement(noise, reason="quantisation_limited")
    clean = variance - _QUANTISATION_VARIANCE
    noise = math.sqrt(clean) / gain.value
    sigma = noise * math.hypot(0.5 * variance_sigma / clean, gain.sigma / gain.value)
    return _measurement(noise, sigma, dof, gain.reason)


def _saturation(efficiency: Measurement, photons: FloatArray | None, level: int | None) -> Measurement:
    """Step 7: saturation capacity, quantum efficiency times photons at saturation."""
    if photons is None:
        return Measurement.undefined("no_photons")
    if level is None:
        return Measurement.undefined("not_saturated")
    if math.isnan(efficiency.value):
        return efficiency
    return efficiency.scaled(float(photons[level]))


def _snr_max(saturation: Measurement) -> Measurement:
    """Step 7: square root of the saturation capacity."""
    if math.isnan(saturation.value):
        return saturation
    value = math.sqrt(saturation.value)
    lo, hi = (math.sqrt(max(0.0, bound)) for bound in saturation.ci)
    return Measurement(value, 0.5 * saturation.sigma / value, (lo, hi), saturation.reason)


def _dynamic_range(saturation: Measurement, dark_variance: float, gain: Measurement) -> Measurement:
    """Return saturation over the absolute sensitivity threshold (steps 6 and 7).

    Both in electrons: the quantum efficiency cancels. Gain errors nearly cancel too, so no sigma is given.
    """
    if math.isnan(saturation.value):
        return saturation
    variance = dark_variance if dark_variance >= _VARIANCE_FLOOR else _FLOORED_VARIANCE
    threshold_e = math.sqrt(variance / gain.value**2 + 0.25) + 0.5
    reason = saturation.reason or (None if dark_variance >= _VARIANCE_FLOOR else "quantisation_limited")
    return Measurement(saturation.value / threshold_e, reason=reason)


def _linearity_error(series: _Series, photons: FloatArray | None, level: int | None) -> Measurement:
    """Step 8: mean |relative deviation| from a line with weights 1/y^2 over 5-95 % of saturation."""
    if photons is None:
        return Measurement.undefined("no_photons")
    if level is None:
        return Measurement.undefined("not_saturated")
    low, high = (share * series.signal[level] for share in _LINEARITY_RANGE)
    inside = (series.signal >= low) & (series.signal <= high) & (series.signal > 0.0)
    x, y = photons[inside], series.signal[inside]
    line = _line(x, y, intercept=True, weights=y**-2) if y.size >= _MIN_LEVELS else None
    if line is None:
        return Measurement.undefined("too_few_levels")
    expected = line.intercept + line.slope * x
    return Measurement(float(np.mean(np.abs(y - expected) / expected)))


def _high_pass(image: FloatArray) -> FloatArray:
    """Take off the image smoothed by 7x7 box, 11x11 box and 3x3 binomial (step 9).

    The margin of 9 pixels that the kernels cannot fill is dropped.
    """
    from scipy.ndimage import correlate1d, uniform_filter

    smooth = uniform_filter(uniform_filter(image, 7), 11)
    for axis in (0, 1):
        smooth = correlate1d(smooth, [0.25, 0.5, 0.25], axis=axis)
    inside = slice(_HIGH_PASS_MARGIN, -_HIGH_PASS_MARGIN)
    return np.asarray(image - smooth, dtype=np.float64)[inside, inside]


def _spatial_variance(series: FrameSeries, release: str) -> float:
    """Return the spatial variance with its temporal part taken off (steps 9 and 10), DN squared."""
    temporal = _temporal_variance(series) / series.n
    if release == "4.0":
        return float(np.var(_high_pass(series.mean), ddof=1)) - _HIGH_PASS_WHITE_GAIN * temporal
    return float(np.var(series.mean, ddof=1)) - temporal


def _non_uniformity(
    spatial: tuple[Frames, Frames] | None, gain: Measurement, bit_depth: int, release: str
) -> tuple[Measurement, Measurement]:
    """Step 10: DSNU in electrons and PRNU as a fraction."""
    if spatial is None:
        return Measurement.undefined("no_spatial_series"), Measurement.undefined("no_spatial_series")
    lit, unlit = _accumulate_pair(*spatial, "spatial", bit_depth)
    if min(lit.mean.shape) <= 2 * _HIGH_PASS_MARGIN + 1:
        return Measurement.undefined("too_few_pixels"), Measurement.undefined("too_few_pixels")
    dark_variance = _spatial_variance(unlit, release)

    light_variance = _spatial_variance(lit, release) - dark_variance
    signal = float(lit.mean.mean() - unlit.mean.mean())
    if light_variance < 0.0 or signal <= 0.0:
        prnu = Measurement.undefined("non_uniformity_not_resolved")
    else:
        prnu = Measurement(math.sqrt(light_variance) / signal)
    if math.isnan(gain.value):
        return gain, prnu
    if dark_variance < 0.0:
        return Measurement.undefined("non_uniformity_not_resolved"), prnu
    return Measurement(math.sqrt(dark_variance) / gain.value, reason=gain.reason), prnu


def _dark_current(series: _Series, exposures: FloatArray | None, gain: Measurement) -> Measurement:
    """Step 11: slope of the dark mean on the exposure, electrons per second."""
    if exposures is None:
        return Measurement.undefined("no_exposures")
    if np.unique(exposures).size < _MIN_EXPOSURES:
        return Measurement.undefined("too_few_exposures")
    if math.isnan(gain.value):
        return gain
    line = _line(exposures, series.dark_mean, intercept=True)
    if line is None:
        return Measurement.undefined("too_few_exposures")
    per_second = 1000.0 / gain.value
    current = line.slope * per_second
    sigma = math.hypot(line.slope_sigma * per_second, current * gain.sigma / gain.value)
    return _measurement(current, sigma, line.dof, gain.reason)
