"""What is known about a camera: dark and flat maps, bad pixels, linearity, gain and read noise."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ._frame_series import accumulate, check_dark, dead_pixels, flat_signal, hot_pixels, noisy_pixels
from .errors import ProfileError

__all__ = ["CameraProfile", "build_profile"]

FloatMap = npt.NDArray[np.float32]
BoolMap = npt.NDArray[np.bool_]

_MAPS = ("dark", "flat", "bad")
_MAX_BIT_DEPTH = 16

_UNRESOLVED_DN2, _UNRESOLVED_DN = 0.24, 0.49  # EMVA 1288 Release 4.0: the converter hides a smaller dark noise


@dataclass(frozen=True, eq=False, kw_only=True)
class CameraProfile:
    """Calibration of one camera at one setting. Immutable: it owns read-only copies of its maps.

    Attributes
    ----------
    camera : str
        Name of the camera, as the user knows it.
    shape : tuple of int
        (H, W) of a frame.
    bit_depth : int or None
        Bits per pixel, 1 to 16; None when unknown.
    dark : ndarray of float32, shape (H, W), or None
        Mean dark map, DN.
    flat : ndarray of float32, shape (H, W), or None
        Relative response, mean 1 over the good pixels; positive everywhere, and exactly 1 at bad pixels.
    bad : ndarray of bool, shape (H, W), or None
        True where a pixel is hot, dead or noisy.
    linearity : tuple of float
        (c1, c2, c3): counts x above dark become ``c1 x + c2 x^2 + c3 x^3``.
    saturation_dn : float
        Level at which a pixel counts as saturated, DN; infinite when unknown.
    exposure_ms : float or None
        Exposure of the dark frames.
    exposure_range_ms : tuple of float or None
        (lo, hi) exposures at which the profile holds; None when not known.
    gain_db : float or None
        Camera gain setting.
    gain_dn_per_e : float
        System gain K, DN per electron; NaN when unknown.
    read_noise_dn : float
        Temporal noise in the dark, DN; NaN when unknown.
    calibrated : bool
        False when no measurement stands behind the profile.
    provenance : mapping
        How the profile was made; text, numbers, booleans, lists and mappings only. Not part of the digest.

    Raises
    ------
    ProfileError
        When a field has the wrong type, shape or range.

    Examples
    --------
    >>> from pyicg.profile import CameraProfile
    >>> profile = CameraProfile.identity((4, 6), bit_depth=12)
    >>> profile.saturation_dn, profile.calibrated
    (4095.0, False)
    """

    camera: str
    shape: tuple[int, int]
    bit_depth: int | None
    dark: FloatMap | None = None
    flat: FloatMap | None = None
    bad: BoolMap | None = None
    linearity: tuple[float, float, float] = (1.0, 0.0, 0.0)
    saturation_dn: float = math.inf
    exposure_ms: float | None = None
    exposure_range_ms: tuple[float, float] | None = None
    gain_db: float | None = None
    gain_dn_per_e: float = math.nan
    read_noise_dn: float = math.nan
    calibrated: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        _require(isinstance(self.camera, str), "camera", self.camera, "text")
        _require(isinstance(self.calibrated, bool), "calibrated", self.calibrated, "True or False")
        _require(isinstance(self.provenance, Mapping), "provenance", self.provenance, "a mapping")
        put("provenance", dict(self.provenance))
        put("shape", _shape(self.shape))
        if self.bit_depth is not None:
            put("bit_depth", _bit_depth(self.bit_depth))
        put("linearity", _linearity(self.linearity))
        put("saturation_dn", _number("saturation_dn", self.saturation_dn, low=0.0, infinite=True))
        for name in ("gain_dn_per_e", "read_noise_dn"):
            put(name, _number(name, getattr(self, name), low=0.0, nan=True, closed=name == "read_noise_dn"))
        if self.exposure_ms is not None:
            put("exposure_ms", _number("exposure_ms", self.exposure_ms, low=0.0))
        if self.gain_db is not None:
            put("gain_db", _number("gain_db", self.gain_db))
        if self.exposure_range_ms is not None:
            lo, hi = _floats("exposure_range_ms", self.exposure_range_ms, 2)
            _require(0.0 < lo <= hi, "exposure_range_ms", self.exposure_range_ms, "0 < lo <= hi")
            put("exposure_range_ms", (lo, hi))
        for name in _MAPS:
            put(name, self._owned(name))

    def _owned(self, name: str) -> npt.NDArray[Any] | None:
        given = getattr(self, name)
        if given is None:
            return None
        dtype = np.dtype(np.bool_ if name == "bad" else np.float32)
        if not isinstance(given, np.ndarray) or given.dtype != dtype or given.shape != self.shape:
            found = f"{given.dtype} {given.shape}" if isinstance(given, np.ndarray) else type(given).__name__
            raise ProfileError(f"{name} map: found {found}, expected {dtype} {self.shape}; convert or crop it openly")
        owned = np.array(given, order="C")
        if name != "bad" and not np.isfinite(owned).all():
            raise ProfileError(f"{name} map: {int((~np.isfinite(owned)).sum())} values are not finite; expected none")
        if name == "flat" and not (owned > 0).all():
            raise ProfileError(
                f"flat map: {int((owned <= 0).sum())} values are not positive; set them to 1 and mark the pixels bad"
            )
        owned.setflags(write=False)
        return owned

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        # Rebuild rather than copy state: the cached core object cannot be pickled, and unpickled maps are writable.
        return partial(type(self), **{f.name: getattr(self, f.name) for f in fields(self)}), ()

    @classmethod
    def identity(cls, shape: tuple[int, int], bit_depth: int | None = 16) -> CameraProfile:
        """Return the profile that corrects nothing; everything scored with it is called uncalibrated.

        Parameters
        ----------
        shape : tuple of int
            (H, W) of a frame.
        bit_depth : int or None
            Bits per pixel, which set the saturation level; None when unknown (no pixel counts as saturated).

        Raises
        ------
        ProfileError
            When shape or bit depth make no sense.
        """
        saturation = math.inf if bit_depth is None else 2.0 ** _bit_depth(bit_depth) - 1.0
        return cls(camera="unknown", shape=shape, bit_depth=bit_depth, saturation_dn=saturation)

    @classmethod
    def load(cls, path: str | Path) -> CameraProfile:
        """Read a profile folder and check it against its checksums.

        Parameters
        ----------
        path : str or Path
            A folder that `save` wrote.

        Raises
        ------
        ProfileError
            When anything in the folder is missing, malformed, changed or of an unknown schema version.
        """
        from .io._profile_folder import read_folder

        values, maps = read_folder(path)
        sealed = values.pop("digest", None)
        required = {"camera", "shape"}
        missing = sorted(required - values.keys())
        unknown = sorted(values.keys() - {f.name for f in fields(cls)} | values.keys() & set(_MAPS))
        if missing or unknown:
            raise ProfileError(
                f"{Path(path) / 'profile.toml'}: missing {missing}, unknown {unknown}; build the profile again"
            )
        if "bad" in maps:
            maps["bad"] = maps["bad"] != 0
        try:
            profile = cls(**{"bit_depth": None, **values, **maps})
        except ProfileError as error:
            raise ProfileError(f"{path}: {error}; restore the folder or build the profile again") from error
        if profile.digest != sealed:
            raise ProfileError(
                f"{Path(path) / 'profile.toml'}: the values give digest {profile.digest[:12]}..., the file says "
                f"{str(sealed)[:12]}...; it was edited by hand or damaged: restore it or build the profile again"
            )
        return profile

    def save(self, path: str | Path) -> None:
        """Write the profile as a folder: ``profile.toml`` and one TIFF per map, with SHA-256 checksums.

        The folder is written under a temporary sibling name and renamed, so a killed run leaves no half profile. A
        profile that is there is replaced; any other folder or file is left alone.

        Parameters
        ----------
        path : str or Path
            The folder to write; its parent must exist.

        Raises
        ------
        ProfileError
            When `path` is something else than a profile, or `provenance` holds what TOML cannot.
        """
        from .io._profile_folder import write_folder

        values = {name: value for name, value in self._values().items() if value is not None}
        maps = {"dark": self.dark, "flat": self.flat, "bad": None if self.bad is None else self.bad.view(np.uint8)}
        write_folder(path, {"digest": self.digest, **values, "provenance": dict(self.provenance)}, maps)

    def _values(self) -> dict[str, Any]:
        """Everything but maps and provenance."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {*_MAPS, "provenance"}}

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over numbers, maps and camera name; not over path, time or provenance."""
        total = hashlib.sha256(b"pyicg camera profile 1\n")
        total.update(json.dumps(self._values(), sort_keys=True).encode())
        for name in _MAPS:
            data = getattr(self, name)
            total.update(f"\n{name} {'absent' if data is None else data.dtype.name}\n".encode())
            if data is not None:
                total.update(data.astype(data.dtype.newbyteorder("<"), copy=False).tobytes())
        return total.hexdigest()

    @cached_property
    def core(self) -> Any:
        """The same profile as the core's object, made on first use."""
        from ._core import Profile

        def known(value: float | None) -> float:
            return math.nan if value is None else value

        lo, hi = self.exposure_range_ms or (math.nan, math.nan)
        return Profile(
            height=self.shape[0],
            width=self.shape[1],
            dark=self.dark,
            flat=self.flat,
            bad=None if self.bad is None else self.bad.view(np.uint8),
            linearity=self.linearity,
            saturation_dn=self.saturation_dn,
            exposure_ms=known(self.exposure_ms),
            exposure_min_ms=lo,
            exposure_max_ms=hi,
            gain_db=known(self.gain_db),
            gain_dn_per_e=self.gain_dn_per_e,
            read_noise_dn=self.read_noise_dn,
            calibrated=self.calibrated,
        )


def build_profile(
    dark: Iterable[npt.NDArray[Any]],
    flat: Iterable[npt.NDArray[Any]] | None = None,
    *,
    camera: str,
    exposure_ms: float,
    bit_depth: int,
    flat_exposure_ms: float | None = None,
    gain_db: float | None = None,
    linearity: Sequence[float] | None = None,
    response: object | None = None,
) -> CameraProfile:
    """Measure a camera profile from dark frames and flat frames.

    Frames are read one at a time and summed in 64-bit integers: memory does not grow with their number, and their
    order does not change a bit of the result.

    Parameters
    ----------
    dark, flat : array of shape (N, H, W), Stack, or sequence of 2-D frames; uint8 or uint16
        Frames with the light off, and of an evenly lit target. One frame is enough for a map; read noise needs two
        dark frames, gain two of each.
    camera : str
        Name of the camera.
    exposure_ms : float
        Exposure of the dark frames. The profile holds at this exposure only (`exposure_range_ms`), because dark
        current is not measured.
    bit_depth : int
        Bits per pixel, 1 to 16; saturation is ``2**bit_depth - 1``.
    flat_exposure_ms : float, optional
        Exposure of the flat frames, when it is another one. The same dark map is then taken off the flat frames, and
        `provenance` lists that as an assumption.
    gain_db : float, optional
        Camera gain setting.
    linearity : sequence of three floats, optional
        Coefficients (c1, c2, c3), see `CameraProfile`; (1, 0, 0) when not given.
    response : None
        Not supported in this release.

    Returns
    -------
    CameraProfile

    Raises
    ------
    ProfileError
        When over 5 % of the dark samples are zero (clipped: neither offset nor read noise can be known), over 0.1 % of
        the flat samples sit at the maximum, the flat frames lie less than 1 % of the range above the dark ones, the
        frames differ in shape, are not unsigned integers, or exceed the bit depth.

    Notes
    -----
    *Dark map*: temporal mean. *Flat map*: linearised (mean flat - dark map), divided by its mean over good pixels; 1 at
    bad pixels. *Temporal variance* s^2: sample variance of each pixel, averaged over the good pixels (unbiased at any
    number of frames, which its median is not), minus the variance of the frame means, so that a drifting offset or lamp
    does not count as noise (EMVA 1288 Release 4.0, the N-frame form of its two-image formula). *Read noise*: s_dark;
    where s_dark^2 < 0.24 DN^2 it is not resolved and 0.49 DN stands in, as in EMVA 1288. *Gain*: two-point photon
    transfer K = (s_flat^2 - s_dark^2)/(mean flat - mean dark), on raw counts.

    *Bad pixels* are **hot** (dark map over its median by more than 10 robust sigma, 1.4826 MAD, and by 5 DN), **dead**
    (response under 0.5 or over 2 times the median of the 7x7 window, or under 5 % of the median of the whole map) or
    **noisy** (with at least 8 dark frames: temporal variance over 10 times its median, the median taken as at least
    1/12 DN^2).

    Examples
    --------
    >>> import numpy as np
    >>> from pyicg.profile import build_profile
    >>> rng = np.random.default_rng(1)
    >>> dark = np.rint(rng.normal(100, 3, (8, 32, 32))).astype(np.uint16)
    >>> flat = np.rint(rng.normal(100, 3, (8, 32, 32)) + 0.5 * rng.poisson(2000, (8, 32, 32))).astype(np.uint16)
    >>> profile = build_profile(dark, flat, camera="simulated", exposure_ms=20.0, bit_depth=12)
    >>> round(profile.read_noise_dn), round(profile.gain_dn_per_e, 1), profile.saturation_dn
    (3, 0.5, 4095.0)
    """
    if response is not None:
        raise ProfileError("response: not supported in this release, expected None; describe the curve with linearity=")
    depth = _bit_depth(bit_depth)
    exposure = _number("exposure_ms", exposure_ms, low=0.0)
    coefficients = (1.0, 0.0, 0.0) if linearity is None else _linearity(linearity)
    offsets = accumulate(dark, "dark", depth)
    check_dark(offsets)
    dark_map = offsets.mean.astype(np.float32)
    hot, noisy = hot_pixels(offsets.mean), noisy_pixels(offsets)
    bad = hot | noisy
    notes = {"dark_frames": offsets.n, "dark_zero_share": offsets.zero_share}
    assumptions = [f"dark current is not measured: the dark map holds at {exposure:g} ms only"]

    flat_map, signal, lit = None, None, None
    if flat is None:
        assumptions.append("no flat frames: uneven illumination, vignetting and PRNU are not corrected")
    else:
        lit = accumulate(flat, "flat", depth)
        flat_exposure = exposure if flat_exposure_ms is None else _number("flat_exposure_ms", flat_exposure_ms, low=0.0)
        if flat_exposure != exposure:
            assumptions.append(
                f"the dark map at {exposure:g} ms was taken off flat frames at {flat_exposure:g} ms without scaling"
            )
        signal = flat_signal(offsets, lit, depth)
        c1, c2, c3 = coefficients
        linear = signal * (c1 + signal * (c2 + signal * c3))
        dead = dead_pixels(linear)
        bad |= dead
        notes |= {"flat_frames": lit.n, "flat_exposure_ms": flat_exposure, "dead_pixels": int(dead.sum())}
    good = ~bad
    if not good.any():
        raise ProfileError("every pixel is bad; check that the dark frames are dark and the flat frames evenly lit")
    if signal is not None:
        flat_map = np.where(good, linear / linear[good].mean(), 1.0).astype(np.float32)

    read_noise, gain = math.nan, math.nan
    dark_variance = offsets.temporal_variance(good)
    if dark_variance < _UNRESOLVED_DN2:
        read_noise = _UNRESOLVED_DN
        assumptions.append(f"read noise is too small to resolve ({dark_variance:.3g} DN^2): 0.49 DN stands in")
    else:
        read_noise = math.sqrt(dark_variance)  # NaN stays NaN
    if math.isnan(dark_variance):
        assumptions.append("one dark frame: read noise and gain are unknown")
    if lit is not None and signal is not None:
        gain = (lit.temporal_variance(good) - dark_variance) / float(signal[good].mean())
        if gain <= 0:
            gain = math.nan
            assumptions.append("flat frames are no noisier than dark ones, so they are not raw: gain is unknown")
        elif lit.n == 1:
            assumptions.append("one flat frame: gain is unknown")
    notes |= {"hot_pixels": int(hot.sum()), "noisy_pixels": int(noisy.sum()), "bad_pixels": int(bad.sum())}
    return CameraProfile(
        camera=camera,
        shape=_shape(bad.shape),
        bit_depth=depth,
        dark=dark_map,
        flat=flat_map,
        bad=bad,
        linearity=coefficients,
        saturation_dn=2.0**depth - 1.0,
        exposure_ms=exposure,
        exposure_range_ms=(exposure, exposure),
        gain_db=gain_db,
        gain_dn_per_e=gain,
        read_noise_dn=read_noise,
        calibrated=True,
        provenance={"method": "pyicg.build_profile", **notes, "assumptions": assumptions},
    )


def _require(fine: bool, name: str, found: object, expected: str) -> None:
    if not fine:
        raise ProfileError(f"{name}: found {found!r}, expected {expected}")


def _number(
    name: str, value: Any, *, low: float = -math.inf, closed: bool = False, nan: bool = False, infinite: bool = False
) -> float:
    """Return a finite float above `low` (or at it when `closed`); NaN and infinity only where they are meaningful."""
    expected = f"a number{'' if low == -math.inf else f' over {low:g}'}{' or NaN' if nan else ''}"
    _require(isinstance(value, Real) and not isinstance(value, bool), name, value, expected)
    number = float(value)
    in_range = number > low or (closed and number == low)
    fine = nan if math.isnan(number) else in_range and (infinite or math.isfinite(number))
    _require(fine, name, value, expected)
    return number


def _floats(name: str, value: Any, count: int) -> tuple[float, ...]:
    _require(isinstance(value, Sequence | np.ndarray) and len(value) == count, name, value, f"{count} numbers")
    return tuple(_number(name, item) for item in value)


def _linearity(value: Any) -> tuple[float, float, float]:
    c1, c2, c3 = _floats("linearity", value, 3)
    _require(c1 > 0, "linearity", value, "three numbers (c1, c2, c3) with c1 > 0")
    return c1, c2, c3


def _bit_depth(value: Any) -> int:
    fine = isinstance(value, int | np.integer) and not isinstance(value, bool) and 1 <= value <= _MAX_BIT_DEPTH
    _require(bool(fine), "bit_depth", value, f"an integer from 1 to {_MAX_BIT_DEPTH}; see the camera's data sheet")
    return int(value)


def _shape(value: Any) -> tuple[int, int]:
    pair = isinstance(value, Sequence) and len(value) == 2
    fine = pair and all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n > 0 for n in value)
    _require(fine, "shape", value, "two positive integers (H, W)")
    return int(value[0]), int(value[1])
