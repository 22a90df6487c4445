"""The steps of `pyicg.build_profile`, and the notes that it takes on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import ProfileError
from .camera_profile import FloatMap
from .dark_model import DarkModel, Frames
from .fields import number
from .flat_map import FlatLevel, combine, flat_top, levels_of, measure_gain, noise_variance, read_flat
from .frame_series import blinking_pixels, hot_pixels, noisy_pixels
from .light_field import TILT_LIMIT, smooth_part, smooth_shape
from .linearity import Linearity, deviations, estimate, given
from .quantisation import QUANTISATION_DN2, UNRESOLVED_DN, UNRESOLVED_DN2
from .target_response import TargetResponse

_Reals = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]

_MAP_FRAMES = 64
_NOT_LINEAR = 0.01
_BENT_LIKE_VIDEO = 0.25
_MIN_LINEAR_LEVELS = 3
_BENT_RESPONSE = 0.10


@dataclass
class Notes:
    """What goes into the provenance: figures, and lists of assumptions and findings."""

    values: dict[str, Any] = field(default_factory=dict)
    assumptions: list[str] = field(default_factory=list)
    findings: list[dict[str, str]] = field(default_factory=list)

    def find(self, code: str, text: str) -> None:
        """Note something that is amiss."""
        self.findings.append({"code": code, "text": text})

    @property
    def lists(self) -> dict[str, Any]:
        """Return assumptions and findings."""
        return {"assumptions": self.assumptions, "findings": self.findings}


class BadPixels:
    """Bad pixels by kind; those of the dark frames are found at once."""

    def __init__(self, dark: DarkModel) -> None:
        series = dark.series.values()
        self._kinds: dict[str, _Bools] = {
            "hot": reduce(np.logical_or, (hot_pixels(one.mean) for one in series)),
            "noisy": reduce(np.logical_or, (noisy_pixels(one) for one in series)),
            "blinking": reduce(np.logical_or, (blinking_pixels(one) for one in series)),
        }

    def add(self, kind: str, mask: _Bools) -> None:
        """Add pixels (H, W) of one kind."""
        self._kinds[kind] = mask

    @property
    def good(self) -> _Bools:
        """Return the pixels (H, W) that are not bad."""
        good = np.asarray(~reduce(np.logical_or, self._kinds.values()))
        if not good.any():
            raise ProfileError("every pixel is bad; check that the dark frames are dark and the flat frames evenly lit")
        return good

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of pixels of each kind and of all."""
        counts = {f"{kind}_pixels": int(mask.sum()) for kind, mask in self._kinds.items()}
        return counts | {"bad_pixels": int((~self.good).sum())}


class Noise(NamedTuple):
    """Read noise in DN with its uncertainty, per pixel, and the standard error of the dark map (H, W)."""

    value: float
    sigma: float
    per_pixel: FloatMap | None
    dark_sigma: FloatMap | None


class GainMap(NamedTuple):
    """System gain in DN/e with its uncertainty, and per pixel."""

    value: float = math.nan
    sigma: float = math.nan
    per_pixel: FloatMap | None = None


def note_dark(dark: DarkModel, exposure_ms: float, notes: Notes) -> None:
    """Note what the dark frames were."""
    series = dark.series.values()
    zeros = sum(one.zero_share * one.n for one in series) / dark.frames
    notes.values |= {
        "dark_frames": dark.frames,
        "dark_exposures_ms": [float(time) for time in dark.times],
        "dark_zero_share": zeros,
    }
    if dark.rate is None:
        notes.assumptions.append(f"dark current is not measured: the dark map holds at {exposure_ms:g} ms only")


def flat_levels(
    flat: Frames | Mapping[float, Frames] | None,
    flat_exposure_ms: float | None,
    exposure_ms: float,
    dark: DarkModel,
    bit_depth: int,
    notes: Notes,
) -> list[FlatLevel]:
    """Sum the flat frames and take the dark map off; an empty list without flat frames."""
    if flat is None:
        notes.assumptions.append("no flat frames: uneven illumination, vignetting and PRNU are not corrected")
        return []
    if isinstance(flat, Mapping) and flat_exposure_ms is not None:
        raise ProfileError("flat_exposure_ms: found beside a mapping of flat frames, whose keys are the exposures")
    time = exposure_ms if flat_exposure_ms is None else number("flat_exposure_ms", flat_exposure_ms, low=0.0)
    levels = read_flat(flat, time, dark, bit_depth)
    notes.values["flat_frames"] = sum(level.series.n for level in levels)
    notes.values["flat_exposures_ms"] = [level.exposure_ms for level in levels]
    others = [f"{level.exposure_ms:g}" for level in levels if level.exposure_ms != exposure_ms]
    if dark.rate is None and others:
        notes.assumptions.append(
            f"the dark map at {exposure_ms:g} ms was taken off flat frames at {', '.join(others)} ms without scaling"
        )
    return levels


def saturation_level(
    given_dn: float | None, levels: list[FlatLevel], bit_depth: int, bad: BadPixels, notes: Notes
) -> float:
    """Return the saturation level in DN: the given one, where the flat frames are cut off, or full scale."""
    full_scale = 2.0**bit_depth - 1.0
    cut = flat_top(levels)
    if cut is not None:
        bad.add("clipped", cut[1])
    if given_dn is not None:
        value = number("saturation_dn", given_dn, low=0.0)
        if value > full_scale:
            raise ProfileError(f"saturation_dn: found {value:g}, expected at most {full_scale:g}, the full scale")
        return value
    if cut is not None and cut[0] < full_scale:
        notes.assumptions.append(f"the flat frames are cut off at {cut[0]:g} DN, which is taken as saturation")
        return cut[0]
    return full_scale


def choose_linearity(
    asked: str | Sequence[float] | npt.NDArray[Any] | None, levels: list[FlatLevel], good: _Bools, full_scale_dn: float
) -> Linearity:
    """Return the linearity that was given, the one estimated from the flat frames, or a straight line."""
    if asked is None:
        return Linearity()
    if isinstance(asked, str):
        return estimate(asked, levels_of(levels, good), full_scale_dn)
    curve = given(asked)
    if not curve.rises(full_scale_dn):
        raise ProfileError(
            f"linearity: found {curve.coefficients}, which turns over below full scale ({full_scale_dn:g} DN), "
            "expected a curve that rises; give a table"
        )
    return curve


def note_levels(dark: DarkModel, levels: list[FlatLevel], curve: Linearity, good: _Bools, notes: Notes) -> None:
    """Note how well flat levels and dark levels follow their exposures."""
    for time, level, line in dark.off_line(good):
        notes.find(
            "exposure_inconsistent",
            f"the dark level at {time:g} ms is {level:.2f} DN, {line:.2f} DN expected from the other exposures; check "
            "that exposure, or whether the camera was still warming up",
        )
    if len(levels) < _MIN_LINEAR_LEVELS:
        return
    moments = levels_of(levels, good)
    raw, rest = deviations(moments), deviations(moments, curve)
    notes.values["nonlinearity_before"] = float(np.abs(raw).max())
    notes.values["nonlinearity_after"] = float(np.abs(rest).max())
    if np.abs(raw).max() > _BENT_LIKE_VIDEO:
        notes.find(
            "not_linear",
            f"flat frames deviate by up to {np.abs(raw).max():.0%} from a signal in proportion to exposure, at most "
            f"{_BENT_LIKE_VIDEO:.0%} expected of a raw camera; is this display video (gamma), or was the light not "
            "constant?",
        )
    worst = int(np.abs(rest).argmax())
    if abs(rest[worst]) > _NOT_LINEAR:
        notes.find(
            "not_linear",
            f"flat frames at {levels[worst].exposure_ms:g} ms deviate by {rest[worst]:+.1%} from a signal in "
            f"proportion to exposure, at most {_NOT_LINEAR:.0%} expected; check the exposures and that the light "
            'was constant, or estimate the linearity (linearity="polynomial" or "table")',
        )


def measure_noise(dark: DarkModel, exposure_ms: float, good: _Bools, *, noise_maps: bool, notes: Notes) -> Noise:
    """Return the temporal noise in the dark at an exposure, and the standard error of the dark map."""
    temporal = dark.noise_at(exposure_ms)
    if temporal is None:
        notes.assumptions.append("one dark frame: read noise and gain are unknown")
        _require_frames(noise_maps, "dark", dark.frames)
        return Noise(math.nan, math.nan, None, None)
    _require_frames(noise_maps, "dark", temporal.frames)
    variance, sigma = noise_variance(temporal, good)
    per_pixel = np.maximum(temporal.variance - temporal.frame_variance, 0.0)
    unresolved = variance < UNRESOLVED_DN2
    if unresolved:
        notes.assumptions.append(f"read noise is too small to resolve ({variance:.3g} DN^2): 0.49 DN stands in")
        value, sigma = UNRESOLVED_DN, math.nan
        map_variance = np.full(good.shape, UNRESOLVED_DN2 / dark.frames + QUANTISATION_DN2)
    else:
        value = math.sqrt(variance)
        sigma /= 2 * value
        map_variance = _map_variance(dark, good)
    noise_map = None
    if noise_maps:
        noise_map = np.sqrt(np.where(good, np.maximum(per_pixel, UNRESOLVED_DN2), value**2)).astype(np.float32)
    return Noise(value, sigma, noise_map, np.sqrt(map_variance).astype(np.float32))


def gain_of(
    levels: list[FlatLevel],
    dark: DarkModel,
    curve: Linearity,
    good: _Bools,
    saturation_dn: float,
    *,
    noise_maps: bool,
    notes: Notes,
) -> GainMap:
    """Return the system gain, or NaN with the reason among the assumptions."""
    if noise_maps:
        _require_frames(noise_maps, "flat", sum(level.series.n for level in levels if level.series.n > 1))
    if not levels:
        return GainMap()
    found = measure_gain(levels, dark, curve, good, saturation_dn)
    if found is None or found.value <= 0:
        if all(level.series.n == 1 for level in levels):
            notes.assumptions.append("one flat frame: gain is unknown")
        elif dark.noise_at(dark.times[0]) is not None:
            notes.assumptions.append("flat frames are no noisier than dark ones, so they are not raw: gain is unknown")
        return GainMap()
    if not noise_maps:
        return GainMap(found.value, found.sigma)
    unclear = good & np.isnan(found.per_pixel)
    notes.values["pixels_with_mean_gain"] = int(unclear.sum())
    per_pixel = np.where(good & ~unclear, found.per_pixel, found.value)
    return GainMap(found.value, found.sigma, per_pixel.astype(np.float32))


def flat_maps(
    levels: list[FlatLevel], dark: DarkModel, curve: Linearity, good: _Bools, gain: GainMap, notes: Notes
) -> tuple[FloatMap | None, FloatMap | None]:
    """Return the flat map and its relative uncertainty."""
    if not levels:
        return None, None
    noise: list[tuple[float, float] | None] = []
    for level in levels:
        temporal = dark.noise_at(level.exposure_ms)
        if temporal is None:
            noise.append(None)
            continue
        variance = max(noise_variance(temporal, good)[0], UNRESOLVED_DN2)
        map_variance = float(_map_variance(dark, good)[good].mean())
        noise.append((variance, map_variance * dark.uncertainty_factor(level.exposure_ms) ** 2))
    found = combine(levels, curve, good, noise=noise, gain_dn_per_e=gain.value)
    relative = found.relative / found.relative[good].mean()
    shape = smooth_shape(relative, good)
    notes.values |= {"flat_tilt": shape.tilt, "flat_falloff": shape.falloff}
    if shape.tilt > TILT_LIMIT:
        notes.find(
            "uneven_light",
            f"the flat map tilts by {shape.tilt:.1%} across the frame, at most {TILT_LIMIT:.0%} expected; light the "
            "target evenly and square to the camera, or the profile carries the lamp's unevenness into every frame",
        )
    flat = np.where(good, relative, 1.0).astype(np.float32)
    return flat, None if found.sigma is None else np.where(good, found.sigma, 0.0).astype(np.float32)


def with_scene(
    flat: FloatMap | None,
    frames: Frames,
    exposure_ms: float,
    dark: DarkModel,
    curve: Linearity,
    good: _Bools,
    bit_depth: int,
    notes: Notes,
) -> FloatMap:
    """Return the flat map (H, W) times the smooth part of a scene flat."""
    if isinstance(frames, Mapping):
        raise ProfileError("scene_flat: found a mapping, expected frames at one exposure (scene_flat_exposure_ms)")
    try:
        (level,) = read_flat(frames, exposure_ms, dark, bit_depth)
    except ProfileError as error:
        raise ProfileError(f"scene_flat: {error}") from error
    if dark.rate is None and exposure_ms != dark.times[0]:
        notes.assumptions.append(
            f"the dark map at {dark.times[0]:g} ms was taken off scene flat frames at {exposure_ms:g} ms "
            "without scaling"
        )
    base = np.ones(good.shape) if flat is None else flat.astype(np.float64)
    ratio = curve.apply(level.signal) / base
    smooth = smooth_part(ratio / ratio[good].mean(), good)
    combined = base * smooth
    notes.values |= {
        "scene_flat_frames": level.series.n,
        "scene_flat_exposure_ms": exposure_ms,
        "scene_falloff": float(smooth.max() - smooth.min()),
    }
    return np.where(good, combined / combined[good].mean(), 1.0).astype(np.float32)


def note_target(target: TargetResponse, notes: Notes) -> None:
    """Note a target whose signal is not in proportion to concentration."""
    if target.deviation > _BENT_RESPONSE:
        notes.find(
            "not_linear",
            f"the response to ICG deviates by {target.deviation:.0%} from its line, at most {_BENT_RESPONSE:.0%} "
            "expected; leave out concentrations that quench, or film the target again",
        )


def _map_variance(dark: DarkModel, good: _Bools) -> _Reals:
    """Return the variance (H, W) of the dark map at the mean dark exposure, DN^2."""
    temporal = dark.noise_at(dark.mean_and_sd[0])
    if temporal is None:
        raise ProfileError("dark frames: found 1, expected two or more")
    if dark.frames >= _MAP_FRAMES:
        return np.maximum(temporal.variance - temporal.frame_variance, 0.0) / dark.frames
    return np.full(good.shape, noise_variance(temporal, good)[0] / dark.frames)


def _require_frames(noise_maps: bool, name: str, found: float) -> None:
    if noise_maps and found < _MAP_FRAMES:
        raise ProfileError(
            f"noise_maps: found {found:.0f} {name} frames to the point, expected {_MAP_FRAMES} or more; film more, or "
            "leave noise_maps out: one number for all pixels needs 16"
        )
