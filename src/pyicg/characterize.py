"""Camera characterisation, computed per EMVA 1288 Release 4.0 Linear.

Every figure comes from bright and dark frames of an evenly lit camera without a lens. Step numbers are those of
`docs/characterize.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg._camera import photon_transfer as transfer
from pyicg._camera.findings import TOUCHED, gain_finding, level_findings, spatial_findings
from pyicg._camera.frame_series import FrameSeries, accumulate, check_cut_off, check_dark
from pyicg._camera.non_uniformity import NonUniformity, Part, deviation, non_uniformity, smallest_side
from pyicg._camera.photon_transfer import Bracket, Figure, Levels
from pyicg._camera.tiles import replicates, square_root, tile_means
from pyicg.errors import InputError, ProfileError
from pyicg.results import Finding, Measurement, to_plain

__all__ = ["CameraReport", "Level", "characterize"]

Frames = Iterable[npt.NDArray[Any]]
FloatArray = npt.NDArray[np.float64]

_MAX_SATURATED_SHARE = 0.001
_SWAPPED_SHARE = 0.01  # of the range
_DECIBELS = 20.0 / math.log(10.0)
_BITS = 1.0 / math.log(2.0)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of light: `signal_dn` is the bright mean minus the dark mean, variances are temporal, in DN^2.

    `exposure_ms` and `photons` (per pixel) are None where they were not given; `in_fit` says whether gain and
    responsivity use the level.
    """

    exposure_ms: float | None
    photons: float | None
    signal_dn: float
    variance_dn2: float
    dark_mean_dn: float
    dark_variance_dn2: float
    saturated_share: float
    in_fit: bool


@dataclass(frozen=True, slots=True)
class CameraReport:
    """What a camera is, computed per EMVA 1288 Release 4.0 Linear (or with the choices of Release 3.1).

    Every figure is a `Measurement`; an undefined one is NaN with a reason code. m and s^2 are mean and temporal
    variance of a level in DN, m_dark and s_dark^2 those of the dark, p its photons per pixel. Source of all formulas:
    EMVA Standard 1288, Release 4.0 Linear (2021); for Release 3.1, EMVA Standard 1288 (2016).

    Attributes
    ----------
    gain_dn_per_e : Measurement
        System gain K, DN per electron: slope of s^2 - s_dark^2 on m - m_dark over 0-70 % of saturation.
    quantum_efficiency : Measurement
        Electrons per photon, a fraction (0.45 is 45 %): R / K.
    responsivity : Measurement
        R, DN per photon: slope of m - m_dark on p through zero, over 0-70 % of saturation.
    dark_noise_e, dark_noise_dn : Measurement
        Temporal dark noise without quantisation noise, electrons and DN: sqrt(s_dark^2 - 1/12) / K. Where
        s_dark^2 < 0.24 DN^2, s_dark becomes 0.49 DN and the reason is ``quantisation_limited``.
    absolute_threshold_e, absolute_threshold_photons : Measurement
        Signal of SNR 1: sqrt(s_dark^2 / K^2 + 1/4) + 1/2 electrons; photons are that over the quantum efficiency.
    saturation_e : Measurement
        Saturation capacity, electrons: quantum efficiency times p at the level where 0.1-0.2 % of the pixels sit at
        full scale. The interval reaches to the neighbouring levels that the count of such pixels leaves open.
    saturation_dn : Measurement
        m - m_dark at that level, DN.
    snr_max, snr_max_db : Measurement
        Signal-to-noise ratio at saturation: sqrt(saturation_e), and 20 log10 of it.
    dynamic_range, dynamic_range_db, dynamic_range_bits : Measurement
        Saturation over absolute threshold, a ratio; 20 log10 and log2 of it.
    linearity_error : Measurement
        Mean absolute relative deviation, a fraction, from a line with weights 1/y^2 over 5-95 % of saturation.
    dsnu_e, dsnu_row_e, dsnu_column_e, dsnu_pixel_e : Measurement
        Dark signal non-uniformity, electrons: standard deviation over space of the dark signal divided by K; together
        and of rows, columns and pixels alone.
    prnu, prnu_row, prnu_column, prnu_pixel : Measurement
        Photo response non-uniformity, a fraction: sqrt(s_50^2 - s_dark^2) / (m_50 - m_dark), here with variances over
        space, at 50 % of saturation.
    dark_current : Measurement
        Electrons per pixel and second: slope of m_dark on the exposure, over K.
    release : str
        ``"4.0"`` or ``"3.1"``.
    bit_depth : int
        Bits per pixel; full scale is ``2**bit_depth - 1``.
    findings : tuple of Finding
        What is amiss with camera or frames: ``not_linear``, ``gain_not_constant``, ``uneven_light``,
        ``exposure_inconsistent``, ``too_few_levels``, ``few_frames``, ``not_saturated``. Empty when nothing is.
    levels : tuple of Level
        The levels in the order given, for plots.
    """

    gain_dn_per_e: Measurement
    quantum_efficiency: Measurement
    responsivity: Measurement
    dark_noise_e: Measurement
    dark_noise_dn: Measurement
    absolute_threshold_e: Measurement
    absolute_threshold_photons: Measurement
    saturation_e: Measurement
    saturation_dn: Measurement
    snr_max: Measurement
    snr_max_db: Measurement
    dynamic_range: Measurement
    dynamic_range_db: Measurement
    dynamic_range_bits: Measurement
    linearity_error: Measurement
    dsnu_e: Measurement
    dsnu_row_e: Measurement
    dsnu_column_e: Measurement
    dsnu_pixel_e: Measurement
    prnu: Measurement
    prnu_row: Measurement
    prnu_column: Measurement
    prnu_pixel: Measurement
    dark_current: Measurement
    release: str
    bit_depth: int
    findings: tuple[Finding, ...] = ()
    levels: tuple[Level, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dictionaries, lists and numbers that JSON can hold; NaN and infinity become None."""
        plain: dict[str, Any] = to_plain(self)
        return plain


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
        Every figure with standard error and 95 % interval; the page on characterisation tells how they are made.

    Raises
    ------
    InputError
        When an option has a wrong value or length.
    ProfileError
        When frames are not linear raw counts of one shape within the bit depth, fewer than two make a stack, a stack
        states another exposure than `exposures_ms`, over 0.1 % of the spatial bright samples sit at full scale, or over
        5 % of the dark samples are zero: clipped dark frames give no read noise.

    Notes
    -----
    `CameraReport` gives the formula of each figure. Frames are read one at a time and summed in the core; of each level
    only the means of 8 x 8 tiles are kept, so memory grows with neither levels nor frames. Standard errors come from
    leaving out one tile at a time (jackknife), which carries all covariances between levels and figures, plus what the
    scatter of the levels shows beyond that.

    One departure from the standard: what its high-pass takes of a white pattern is given back, so that DSNU and PRNU
    are unbiased for such patterns (0.6 % larger for pixels).

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
    levels = _measure_levels(bright, dark, photons, exposures_ms, bit_depth)
    pair = None if spatial is None else _spatial_pair(spatial, bit_depth)
    patterns = None
    if pair is not None and min(pair[0].mean.shape) >= smallest_side(release):
        patterns = non_uniformity(*pair, release)

    saturation = transfer.saturation_level(levels)
    # Without a saturated level 70 % of the brightest one still lies below 70 % of saturation.
    ceiling = levels.signal[0].max() if saturation is None else levels.signal[0, saturation]
    fitted = levels.signal[0] <= transfer.FIT_SHARE * ceiling

    gain = transfer.gain(levels, fitted, release)
    responsivity = transfer.responsivity(levels, fitted, _shared_by_tiles(pair, patterns))
    efficiency = transfer.over(responsivity, gain)
    variance = transfer.dark_variance(levels)
    threshold = transfer.absolute_threshold(variance, gain)
    open_levels = None if saturation is None else transfer.bracket(levels, saturation)
    capacity = _capacity(efficiency, levels, open_levels)
    dynamic = transfer.over(capacity, threshold)
    saturation_e, saturation_range = (_between(f, levels.photons, open_levels) for f in (capacity, dynamic))
    if saturation_range.reason == "quantisation_limited":  # the threshold lies anywhere down to one electron
        saturation_range = replace(saturation_range, ci=(saturation_range.ci[0], saturation_e.ci[1]))
    snr = saturation_e if math.isnan(saturation_e.value) else square_root(saturation_e)

    findings = [*level_findings(levels, saturation), *spatial_findings(levels, pair, fitted)]
    if gain.reason == "gain_not_constant":
        findings.append(gain_finding())
    report = CameraReport(
        gain_dn_per_e=gain.measurement(),
        quantum_efficiency=efficiency.measurement(),
        responsivity=responsivity.measurement(),
        dark_noise_e=transfer.dark_noise(variance, gain),
        dark_noise_dn=transfer.dark_noise(variance, Figure(np.ones_like(variance))),
        absolute_threshold_e=transfer.as_measurement(threshold, 1.0),
        absolute_threshold_photons=transfer.as_measurement(
            transfer.over(threshold, efficiency), 1.0 / efficiency.measurement().value
        ),
        saturation_e=saturation_e,
        saturation_dn=_saturation_dn(levels, open_levels),
        snr_max=snr,
        snr_max_db=_logarithm(snr, _DECIBELS),
        dynamic_range=saturation_range,
        dynamic_range_db=_logarithm(saturation_range, _DECIBELS),
        dynamic_range_bits=_logarithm(saturation_range, _BITS),
        linearity_error=transfer.linearity_error(levels, saturation),
        **_patterns(patterns, "no_spatial_series" if pair is None else "too_few_pixels", gain.measurement()),
        dark_current=transfer.dark_current(levels, gain),
        release=release,
        bit_depth=bit_depth,
        findings=tuple(findings),
        levels=_levels(levels, fitted),
    )
    return _marked(report)


def _accumulate(stack: Frames, name: str, bit_depth: int, exposure_ms: float | None = None) -> FrameSeries:
    series = accumulate(stack, name, bit_depth, exposure_ms=exposure_ms)
    if series.n < 2:
        raise ProfileError(f"{name} frames: found 1, expected at least 2: one frame says nothing of temporal noise")
    return series


def _accumulate_pair(
    bright: Frames, dark: Frames, name: str, bit_depth: int, exposure_ms: float | None = None
) -> tuple[FrameSeries, FrameSeries]:
    """Return the sums over bright and dark frames of one shape."""
    lit = _accumulate(bright, f"{name} bright", bit_depth, exposure_ms)
    unlit = _accumulate(dark, f"{name} dark", bit_depth, exposure_ms)
    if lit.mean.shape != unlit.mean.shape:
        raise ProfileError(
            f"{name}: found {lit.mean.shape} bright and {unlit.mean.shape} dark, expected one shape; record both with "
            "the same region of interest and binning"
        )
    check_dark(unlit)
    return lit, unlit


def _refuse_reused(exposure: float, dark: FloatArray, noise: FloatArray, seen: dict[float, FloatArray]) -> None:
    """Raise ProfileError when noisy dark frames equal those of another exposure to the last digit; remember them."""
    for time, earlier in seen.items():
        if time != exposure and noise.any() and np.array_equal(earlier, dark):
            raise ProfileError(
                f"dark frames: the same ones stand for {time:g} and {exposure:g} ms; record dark frames at "
                "every exposure"
            )
    seen[exposure] = dark


def _spatial_pair(spatial: tuple[Frames, Frames], bit_depth: int) -> tuple[FrameSeries, FrameSeries]:
    pair = _accumulate_pair(*spatial, "spatial", bit_depth)
    if pair[0].saturated_share > _MAX_SATURATED_SHARE:
        raise ProfileError(
            f"spatial bright frames: {pair[0].saturated_share:.2%} of the samples sit at the maximum, expected at most "
            f"{_MAX_SATURATED_SHARE:.1%}; record them at half of saturation"
        )
    check_cut_off(pair[0], "spatial bright")
    return pair


def _per_level(values: Sequence[float] | npt.NDArray[Any] | None, levels: int, name: str) -> FloatArray | None:
    if values is None:
        return None
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (levels,):
        raise InputError(f"{name}: expected one value per level, {levels} in all, found shape {array.shape}")
    if not np.all(np.isfinite(array) & (array >= 0.0)):
        raise InputError(f"{name}: expected finite values that are not negative")
    return array


def _measure_levels(
    bright: Sequence[Frames], dark: Sequence[Frames], photons: Any, exposures_ms: Any, bit_depth: int
) -> Levels:
    """Sum the frames of each level and keep the means of its tiles (step 1)."""
    n = len(bright)
    if n != len(dark) or n == 0:
        raise InputError(
            f"expected one dark stack per bright level, found {n} bright and {len(dark)} dark: "
            "with a fixed exposure pass dark=[stack] * len(bright)"
        )
    photons, exposures = _per_level(photons, n, "photons"), _per_level(exposures_ms, n, "exposures_ms")
    tiles: list[FloatArray] = []
    shares: list[float] = []
    samples: list[int] = []
    shape = None
    seen: dict[float, FloatArray] = {}
    for level, stacks in enumerate(zip(bright, dark, strict=True)):
        exposure = None if exposures is None else float(exposures[level])
        lit, unlit = _accumulate_pair(*stacks, f"level {level}", bit_depth, exposure)
        shape = shape or lit.mean.shape
        if lit.mean.shape != shape:
            raise ProfileError(
                f"level {level}: found frames of {lit.mean.shape}, expected {shape} as level 0; record all levels with "
                "the same region of interest and binning"
            )
        maps = [lit.mean - unlit.mean, _temporal_variance(lit), unlit.mean, _temporal_variance(unlit)]
        means = [tile_means(image) for image in maps]
        counts = means[0][1]
        if exposure is not None:
            _refuse_reused(exposure, means[2][0], means[3][0], seen)
        tiles.append(np.stack([mean for mean, _ in means]))
        shares.append(lit.saturated_share)
        samples.append(lit.mean.size)  # frames of one level share their patterns
    grid = np.stack(tiles, axis=-1)  # figure, tile, level
    signal, bright_variance, dark_mean, dark_variance = (replicates(figure, counts) for figure in grid)
    if signal[0].max() < 0.0 and signal[0].min() < -_SWAPPED_SHARE * 2**bit_depth:
        raise ProfileError(
            f"the brightest level lies {-signal[0].max():.4g} DN below its dark frames, expected above; are bright and "
            "dark swapped?"
        )
    return Levels(
        signal=signal,
        bright_variance=bright_variance,
        dark_mean=dark_mean,
        dark_variance=dark_variance,
        tiles=grid[0],
        saturated_share=np.array(shares),
        samples=np.array(samples, np.int64),
        photons=photons,
        exposures=exposures,
    )


def _temporal_variance(series: FrameSeries) -> FloatArray:
    """Step 1: temporal variance of the pixels (H, W), free of changes of the whole frame, in DN squared.

    For two frames its mean is ``mean((y0 - y1)**2)/2 - (m0 - m1)**2/2``.
    """
    assert series.variance is not None  # a stack has two frames at least
    return np.asarray(series.variance - series.frame_variance)


def _shared_by_tiles(pair: tuple[FrameSeries, FrameSeries] | None, patterns: NonUniformity | None) -> float:
    """Return the relative variance of a mean signal that rows and columns bring: tiles in line share it."""
    if pair is None or patterns is None:
        return 0.0
    height, width = pair[0].mean.shape
    _, rows, columns, _ = (max(np.nan_to_num(part.value), 0.0) for part in patterns.light)
    return float(rows / height + columns / width)


def _capacity(efficiency: Figure, levels: Levels, open_levels: Bracket | None) -> Figure:
    """Step 7: saturation capacity, quantum efficiency times photons at saturation."""
    if levels.photons is None:
        return Figure(None, reason="no_photons")
    if open_levels is None:
        return Figure(None, reason="not_saturated")
    if efficiency.values is None:
        return efficiency
    photons = float(levels.photons[open_levels.level])
    return replace(efficiency, values=efficiency.values * photons, scatter=efficiency.scatter.scaled(photons))


def _between(figure: Figure, scale: FloatArray | None, open_levels: Bracket | None) -> Measurement:
    """Return a figure that goes with the saturation level, its interval widened to the levels left open."""
    m = figure.measurement()
    if open_levels is None or scale is None:
        return m
    here = float(scale[open_levels.level])
    if here <= 0.0:
        return m
    return transfer.bracketed(m, (float(scale[open_levels.lowest]) / here, float(scale[open_levels.highest]) / here))


def _saturation_dn(levels: Levels, open_levels: Bracket | None) -> Measurement:
    if open_levels is None:
        return Measurement.undefined("not_saturated")
    return _between(Figure(levels.signal[:, open_levels.level]), levels.signal[0], open_levels)


def _logarithm(m: Measurement, scale: float) -> Measurement:
    """Return `scale` times the natural logarithm of a ratio."""
    if math.isnan(m.value):
        return m
    lo, hi = (scale * math.log(bound) if bound > 0.0 else -math.inf for bound in m.ci)
    return Measurement(scale * math.log(m.value), scale * m.sigma / m.value, (lo, hi), m.reason)


def _patterns(patterns: NonUniformity | None, why_not: str, gain: Measurement) -> dict[str, Measurement]:
    """Step 10: DSNU in electrons and PRNU as a fraction, together and split."""
    suffixes = ("", "_row", "_column", "_pixel")
    if patterns is None:
        names = [f"dsnu{s}_e" for s in suffixes] + [f"prnu{s}" for s in suffixes]
        return dict.fromkeys(names, Measurement.undefined(why_not))
    reason = gain.reason or ("quantisation_limited" if patterns.quantised else None)

    def dsnu(part: Part) -> Measurement:
        return gain if math.isnan(gain.value) else deviation(part, gain, reason)

    figures = {f"dsnu{s}_e": dsnu(part) for s, part in zip(suffixes, patterns.dark, strict=True)}
    return figures | {f"prnu{s}": deviation(part) for s, part in zip(suffixes, patterns.light, strict=True)}


def _levels(levels: Levels, fitted: npt.NDArray[np.bool_]) -> tuple[Level, ...]:
    def at(values: FloatArray | None, k: int) -> float | None:
        return None if values is None else float(values[k])

    return tuple(
        Level(
            exposure_ms=at(levels.exposures, k),
            photons=at(levels.photons, k),
            signal_dn=float(levels.signal[0, k]),
            variance_dn2=float(levels.bright_variance[0, k]),
            dark_mean_dn=float(levels.dark_mean[0, k]),
            dark_variance_dn2=float(levels.dark_variance[0, k]),
            saturated_share=float(levels.saturated_share[k]),
            in_fit=bool(fitted[k]),
        )
        for k in range(fitted.size)
    )


def _marked(report: CameraReport) -> CameraReport:
    """Attach the codes of the findings to the figures they touch, where those have no reason yet."""
    changed: dict[str, Any] = {}
    for finding in report.findings:
        for name in TOUCHED.get(finding.code, ()):
            m = changed.get(name, getattr(report, name))
            if m.reason is None:
                changed[name] = replace(m, reason=finding.code)
    return replace(report, **changed)
