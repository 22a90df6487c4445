"""Does a camera profile still hold? Fresh dark and flat frames against what it says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ._camera.camera_profile import CameraProfile
from ._camera.dark_model import DarkModel, Frames, TemporalNoise, read_dark
from ._camera.fields import number
from ._camera.flat_map import FlatLevel, measure_gain, noise_variance, read_flat
from ._camera.frame_series import FrameSeries, blinking_pixels, dead_pixels, hot_pixels, noisy_pixels
from ._camera.light_field import smooth_shape
from ._camera.linearity import Linearity
from ._camera.quantisation import UNRESOLVED_DN, UNRESOLVED_DN2
from .errors import ProfileError
from .results import Finding, Measurement, to_plain

__all__ = ["CheckedFigure", "ProfileCheck", "check_profile"]

_Reals = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]

_SIGMAS = 5.0
_LOCAL_SIGMAS = 6.5  # the largest of very many
# Practical floors: smaller differences do not matter, however sure they are.
_OFFSET_DN = 0.5
_EXPOSURE_SHARE = 0.10
_NOISE_SHARE = 0.05
_GAIN_SHARE = 0.025
_TILT, _FALLOFF, _LOCAL = 0.02, 0.02, 0.03
_LOCAL_WINDOW = 9
_NEW_BAD_PIXELS, _NEW_BAD_SHARE, _RISE_DN = 3, 1e-4, 5.0
_CLEAR_PATTERN = 0.5  # of the variance of dark_rate over the pixels that is not its own noise


class CheckedFigure(NamedTuple):
    """One figure: what the profile says, what the fresh frames say, and the largest difference that is in order."""

    profile: float
    fresh: Measurement
    limit: float

    @property
    def ok(self) -> bool:
        """False when the difference is over the limit."""
        return not abs(self.fresh.value - self.profile) > self.limit


@dataclass(frozen=True)
class ProfileCheck:
    """What fresh frames say about a camera profile.

    Attributes
    ----------
    findings : tuple of Finding
        What drifted; empty when the profile still holds.
    figures : mapping of str to CheckedFigure
        Every figure that was compared: (profile value, fresh `Measurement`, limit of their difference).
    """

    findings: tuple[Finding, ...]
    figures: Mapping[str, CheckedFigure]

    @property
    def ok(self) -> bool:
        """True when nothing drifted."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Return findings and figures as dictionaries, lists and numbers that JSON can hold."""
        figures = {name: figure._asdict() | {"ok": figure.ok} for name, figure in self.figures.items()}
        plain: dict[str, Any] = to_plain({"ok": self.ok, "findings": self.findings, "figures": figures})
        return plain


class _Fresh(NamedTuple):
    """Fresh dark frames beside the profile's dark map at their exposure; `good` are the profile's good pixels."""

    series: FrameSeries
    noise: TemporalNoise
    time: float
    difference: _Reals
    dark_sigma: _Reals
    good: _Bools


def check_profile(
    profile: CameraProfile,
    dark: Frames,
    flat: Frames | None = None,
    *,
    exposure_ms: float,
    flat_exposure_ms: float | None = None,
) -> ProfileCheck:
    """Test a camera profile against fresh dark frames, and flat frames when there are some.

    Parameters
    ----------
    profile : CameraProfile
        A measured profile.
    dark, flat : array of shape (N, H, W), Stack, or sequence of 2-D frames; uint8 or uint16
        Fresh frames of the same camera at the same gain: two or more of each, 16 to be sure. The flat frames show the
        same target under the same light as those of the profile; how bright it is does not matter.
    exposure_ms : float
        Exposure of the dark frames, inside the profile's range.
    flat_exposure_ms : float, optional
        Exposure of the flat frames; left out: `exposure_ms`.

    Returns
    -------
    ProfileCheck

    Raises
    ------
    ProfileError
        When the profile has no dark map, or the frames are of no use for a profile (see `build_profile`).
    CalibrationRangeError
        When `exposure_ms` lies outside the profile's range.

    Notes
    -----
    A difference is a finding when it is over 5 standard uncertainties of both sides **and** over a practical floor:

    - ``offset_dn``: mean dark level; 0.5 DN (`offset_drift`).
    - ``exposure_ms``: with a `dark_rate` of at least 5 sigma, the exposure at which the profile's dark line meets the
      fresh dark map; 10 % (`exposure_inconsistent`). Where pixels differ in dark current, the pattern tells a wrong
      exposure from a drifted offset. Where they do not, the level alone is left, which cannot tell them apart: a
      difference over the limits is then named by both codes.
    - ``read_noise_dn``: with the shot noise of the dark current at another exposure; 5 % (`noise_changed`).
    - ``gain_dn_per_e``: 2.5 % (`gain_changed`).
    - ``flat_tilt``, ``flat_falloff``, ``flat_local``: plane part peak to peak, round part from centre to corner (2 %
      each) and largest mean over a 9 x 9 window of what is left (3 %; 6.5 sigma, being the largest of many) of fresh
      over profile's relative response (`flat_changed`).
    - ``new_bad_pixels``: hot or dead by the rules of `build_profile` and not in the profile; over 3 and over 0.01 % of
      the pixels. A hot pixel is new when it also rose by 5 DN. ``new_unsteady_pixels``: noisy or blinking ones, also
      over 5 times the root of the profile's bad pixels, because what seldom jumps is not seen each time
      (`new_bad_pixels`).

    A figure that the profile does not know is not compared.

    Examples
    --------
    >>> import pyicg
    >>> from pyicg.phantom import SimulatedCamera
    >>> camera = SimulatedCamera(seed=1)
    >>> profile = camera.measure_profile((48, 64))
    >>> dark = camera.dark_series(8, shape=(48, 64))
    >>> check = pyicg.check_profile(profile, dark + 2, exposure_ms=20)
    >>> [finding.code for finding in check.findings]
    ['offset_drift']
    """
    if profile.dark is None or profile.bit_depth is None:
        raise ProfileError("the profile has no dark map or bit depth to check; build one from dark frames")
    time = number("exposure_ms", exposure_ms, low=0.0)
    expected, sigma = profile.dark_at(time)
    offsets = read_dark(dark, time, profile.bit_depth)
    noise = offsets.noise_at(time)
    series = next(iter(offsets.series.values()))
    if series.mean.shape != profile.shape:
        raise ProfileError(
            f"dark frames: found shape {series.mean.shape}, expected {profile.shape} as the profile; use the region of "
            "interest and binning of the profile, or build one for this"
        )
    if noise is None:
        raise ProfileError("dark frames: found 1, expected two or more, better 16; film more")
    good = np.ones(profile.shape, np.bool_) if profile.bad is None else ~profile.bad
    dark_sigma = np.zeros(profile.shape) if sigma is None else sigma.astype(np.float64)
    fresh = _Fresh(series, noise, time, series.mean - expected, dark_sigma, good)

    results = _Results()
    _check_offset(profile, fresh, results)
    _check_noise(profile, fresh, results)
    level = None
    if flat is not None:
        flat_time = time if flat_exposure_ms is None else number("flat_exposure_ms", flat_exposure_ms, low=0.0)
        level = _flat_level(profile, fresh, flat, flat_time)
        curve = Linearity(profile.linearity, profile.linearity_table, profile.linearity_step_dn)
        _check_gain(profile, offsets, level, curve, good, results)
        _check_flat(profile, level, curve, good, results)
    _check_bad_pixels(fresh, level, results)
    return ProfileCheck(tuple(results.findings), MappingProxyType(results.figures))


class _Results:
    def __init__(self) -> None:
        self.figures: dict[str, CheckedFigure] = {}
        self.findings: list[Finding] = []

    def compare(self, name: str, profile: float, fresh: tuple[float, float], limit: float) -> CheckedFigure:
        value, sigma = fresh
        measured = Measurement(value, sigma, (value - 1.96 * sigma, value + 1.96 * sigma))
        self.figures[name] = CheckedFigure(profile, measured, limit)
        return self.figures[name]

    def find(self, code: str, text: str) -> None:
        self.findings.append(Finding(code, text))


def _check_offset(profile: CameraProfile, fresh: _Fresh, results: _Results) -> None:
    good, n = fresh.good, fresh.series.n
    shift = float(fresh.difference[good].mean())
    # the profile's own frames drifted as much from one to the next as the fresh ones do
    read2 = max(noise_variance(fresh.noise, good)[0], UNRESOLVED_DN2)
    dark_sigma2 = float((fresh.dark_sigma[good] ** 2).mean())
    sigma = math.sqrt(max(fresh.noise.frame_variance, read2 / good.sum()) * (1 / n + dark_sigma2 / read2))
    level = float(fresh.series.mean[good].mean())
    offset = results.compare("offset_dn", level - shift, (level, sigma), max(_SIGMAS * sigma, _OFFSET_DN))

    rate, rate_sigma = profile.dark_current_dn_per_ms, profile.dark_current_sigma_dn_per_ms
    remainder = shift
    off_line = False
    if profile.dark_rate is not None and rate > _SIGMAS * (0.0 if math.isnan(rate_sigma) else rate_sigma):
        by_pattern = _exposure_by_pattern(profile, fresh, read2)
        error = by_pattern if by_pattern is not None else (shift / rate, sigma / rate)
        floor = _EXPOSURE_SHARE * fresh.time
        figure = results.compare(
            "exposure_ms", fresh.time, (fresh.time + error[0], error[1]), max(_SIGMAS * error[1], floor)
        )
        off_line = not figure.ok
        if by_pattern is not None and off_line:
            remainder = shift - rate * error[0]
        if off_line:
            results.find(
                "exposure_inconsistent",
                f"the dark frames fit an exposure of {figure.fresh.value:.4g} ms, {fresh.time:g} ms stated; check the "
                "exposure, and that the camera is as warm as it was for the profile",
            )
    if abs(remainder) > offset.limit:
        results.find(
            "offset_drift",
            f"the dark level is {level:.2f} DN, {level - remainder:.2f} DN expected; record new dark frames and build "
            "the profile again",
        )


def _exposure_by_pattern(profile: CameraProfile, fresh: _Fresh, read2: float) -> tuple[float, float] | None:
    """Return the error of the exposure from the pixels that differ in dark current; None where they do not.

    Least squares of the difference on `dark_rate`, corrected for the noise of `dark_rate` itself, which flattens the
    line. Hot pixels carry most of it, so bad pixels take part unless they saturate.
    """
    if profile.dark_rate is None or profile.dark_exposures_ms is None or profile.dark_sigma is None:
        return None
    usable = fresh.series.mean < 0.95 * profile.saturation_dn
    rate = profile.dark_rate[usable].astype(np.float64)
    own = float((profile.dark_sigma[usable].astype(np.float64) ** 2).mean()) / profile.dark_exposures_ms[1] ** 2
    variance = float(rate.var())
    if variance == 0 or 1 - own / variance < _CLEAR_PATTERN:
        return None
    centred = rate - rate.mean()
    spread = float(centred @ centred)
    difference = fresh.difference[usable]
    slope = float(centred @ (difference - difference.mean())) / spread / (1 - own / variance)
    per_pixel = read2 / fresh.series.n + float((fresh.dark_sigma[usable] ** 2).mean())
    noise = math.sqrt(per_pixel / spread)
    rest = difference - difference.mean() - slope * centred
    scatter = math.sqrt(float((centred**2) @ (rest**2))) / spread  # hot pixels need not follow the line
    return slope, max(noise, scatter)


def _check_noise(profile: CameraProfile, fresh: _Fresh, results: _Results) -> None:
    if math.isnan(profile.read_noise_dn):
        return
    variance, sigma = noise_variance(fresh.noise, fresh.good)
    value, sigma = (
        (math.sqrt(variance), sigma / (2 * math.sqrt(variance)))
        if variance >= UNRESOLVED_DN2
        else (
            UNRESOLVED_DN,
            0.0,
        )
    )
    expected2 = profile.read_noise_dn**2
    if profile.exposure_ms is not None and profile.gain_dn_per_e > 0 and profile.dark_current_dn_per_ms > 0:
        expected2 += profile.gain_dn_per_e * profile.dark_current_dn_per_ms * (fresh.time - profile.exposure_ms)
    expected = max(math.sqrt(max(expected2, 0.0)), UNRESOLVED_DN)
    limit = max(_SIGMAS * math.hypot(sigma, _known(profile.read_noise_sigma_dn)), _NOISE_SHARE * expected)
    figure = results.compare("read_noise_dn", expected, (value, sigma), limit)
    if not figure.ok:
        results.find(
            "noise_changed",
            f"the read noise is {value:.3g} DN, {expected:.3g} DN expected; check gain, temperature and readout mode, "
            "then build the profile again",
        )


def _flat_level(profile: CameraProfile, fresh: _Fresh, flat: Frames, time: float) -> FlatLevel:
    mean = fresh.series.mean
    if time != fresh.time and profile.dark_rate is not None:
        profile.dark_at(time)  # inside the range
        mean = mean + profile.dark_rate.astype(np.float64) * (time - fresh.time)
    (level,) = read_flat(flat, time, DarkModel({time: replace(fresh.series, mean=mean)}), profile.bit_depth or 0)
    if level.series.variance is None:
        raise ProfileError("flat frames: found 1, expected two or more, better 16; film more")
    return level


def _check_gain(
    profile: CameraProfile, offsets: DarkModel, level: FlatLevel, curve: Linearity, good: _Bools, results: _Results
) -> None:
    if math.isnan(profile.gain_dn_per_e):
        return
    found = measure_gain([level], offsets, curve, good, profile.saturation_dn)
    if found is None:
        return
    expected = profile.gain_dn_per_e
    limit = max(_SIGMAS * math.hypot(found.sigma, _known(profile.gain_sigma_dn_per_e)), _GAIN_SHARE * expected)
    figure = results.compare("gain_dn_per_e", expected, (found.value, found.sigma), limit)
    if not figure.ok:
        results.find(
            "gain_changed",
            f"the gain is {found.value:.4g} DN/e, {expected:.4g} DN/e expected; check the gain setting, or build a "
            "profile for this one",
        )


def _check_flat(profile: CameraProfile, level: FlatLevel, curve: Linearity, good: _Bools, results: _Results) -> None:
    if profile.flat is None:
        return
    from scipy.ndimage import uniform_filter

    lit = good & ~dead_pixels(curve.apply(level.signal))
    ratio = curve.apply(level.signal) / profile.flat
    ratio /= ratio[lit].mean()
    shape = smooth_shape(ratio, lit)
    tilt = results.compare("flat_tilt", 0.0, (shape.tilt, shape.tilt_sigma), max(_SIGMAS * shape.tilt_sigma, _TILT))
    falloff = results.compare(
        "flat_falloff", 0.0, (shape.falloff, shape.falloff_sigma), max(_SIGMAS * shape.falloff_sigma, _FALLOFF)
    )
    if not tilt.ok:
        results.find(
            "flat_changed",
            f"the response now tilts by {shape.tilt:.1%} across the frame, at most {tilt.limit:.1%} expected; check "
            "the light on the target, or build the profile again",
        )
    if not falloff.ok:
        results.find(
            "flat_changed",
            f"the corners changed by {shape.falloff:+.1%} against the centre, at most {falloff.limit:.1%} expected; "
            "check lens, aperture and distance, or build the profile again",
        )
    rest = np.where(lit, ratio - shape.surface, 0.0)
    share = uniform_filter(lit.astype(np.float64), _LOCAL_WINDOW)
    local = uniform_filter(rest, _LOCAL_WINDOW) / np.maximum(share, 0.25)
    pixel = 1.4826 * float(np.median(np.abs(rest[lit])))
    sigma = pixel / _LOCAL_WINDOW * 2  # at worst a quarter of the window is lit
    peak = np.unravel_index(int(np.abs(local).argmax()), local.shape)
    figure = results.compare("flat_local", 0.0, (float(local[peak]), sigma), max(_LOCAL_SIGMAS * sigma, _LOCAL))
    if not figure.ok:
        results.find(
            "flat_changed",
            f"the response around pixel (y, x) = ({peak[0]}, {peak[1]}) changed by {local[peak]:+.1%}, at most "
            f"{figure.limit:.1%} expected; look for dust on sensor, filter or lens, clean and build the profile again",
        )


def _check_bad_pixels(fresh: _Fresh, level: FlatLevel | None, results: _Results) -> None:
    unsteady = noisy_pixels(fresh.series) | blinking_pixels(fresh.series)
    steady = hot_pixels(fresh.series.mean) & (fresh.difference >= _RISE_DN)
    if level is not None:
        steady |= dead_pixels(level.signal)
    floor = max(float(_NEW_BAD_PIXELS), _NEW_BAD_SHARE * steady.size)
    known = float(np.count_nonzero(~fresh.good))
    kinds = {
        "new_bad_pixels": (steady & ~unsteady, floor, "hot or dead"),
        "new_unsteady_pixels": (unsteady, max(floor, _SIGMAS * math.sqrt(known)), "noisy or blinking"),
    }
    for name, (mask, limit, kind) in kinds.items():
        new = np.argwhere(mask & fresh.good)
        if not results.compare(name, 0.0, (float(len(new)), 0.0), limit).ok:
            places = ", ".join(f"({y}, {x})" for y, x in new[:3])
            results.find(
                "new_bad_pixels",
                f"{len(new)} pixels that the profile does not list are {kind}, at most {limit:.0f} expected, "
                f"among them (y, x) = {places}; build the profile again",
            )


def _known(sigma: float) -> float:
    return 0.0 if math.isnan(sigma) else sigma
