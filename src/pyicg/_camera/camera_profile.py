"""What is known about a camera: maps, linearity, gain, noise, each with its uncertainty."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CalibrationRangeError, ProfileError
from .fields import bit_depth_of, linearity_of, number, ordered_pair, require, shape_of, table_of

__all__ = ["MAPS", "CameraProfile"]

FloatMap = npt.NDArray[np.float32]
BoolMap = npt.NDArray[np.bool_]

MAPS = ("dark", "dark_rate", "dark_sigma", "flat", "flat_sigma", "bad", "read_noise_map", "gain_map")
_EXPOSURE_TOLERANCE = 1e-3  # as in the core: a camera's exposure register rounds
_POSITIVE, _NOT_NEGATIVE = ("flat", "gain_map"), ("dark_sigma", "flat_sigma", "read_noise_map")
# scalar, its standard uncertainty: 0 is a possible read noise and any sign a possible dark current
_SCALARS = {
    "gain_dn_per_e": "gain_sigma_dn_per_e",
    "read_noise_dn": "read_noise_sigma_dn",
    "dark_current_dn_per_ms": "dark_current_sigma_dn_per_ms",
    "response_nm_per_dn_ms": "response_sigma_nm_per_dn_ms",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class CameraProfile:
    """Calibration of one camera at one setting. Immutable: it owns read-only copies of its maps.

    Attributes
    ----------
    camera : str
        Name of the camera, as the user knows it.
    sensor, optics : str or None
        Type of the sensor; lens, aperture and adapters.
    lens_distance_mm : float or None
        Working distance from lens to target.
    filter_band_nm : tuple of float or None
        (lo, hi) of the emission filter.
    shape : tuple of int
        (H, W) of a frame.
    bit_depth : int or None
        Bits per pixel, 1 to 16; None when unknown.
    dark : ndarray of float32, shape (H, W), or None
        Mean dark map at `exposure_ms`, DN.
    dark_rate : ndarray of float32, shape (H, W), or None
        Rise of the dark map, DN/ms: ``dark + dark_rate * (t - exposure_ms)`` at an exposure of t ms.
    dark_sigma : ndarray of float32, shape (H, W), or None
        Standard error of the dark map at the mean dark exposure, DN.
    dark_exposures_ms : tuple of float or None
        (mean, standard deviation) of the exposures of the dark frames behind `dark_rate`, each frame counted once. The
        variance of the dark map at t is ``dark_sigma^2 (1 + ((t - mean)/sd)^2)``. None with one exposure.
    flat : ndarray of float32, shape (H, W), or None
        Relative response, mean 1 over the good pixels; positive everywhere, and exactly 1 at bad pixels.
    flat_sigma : ndarray of float32, shape (H, W), or None
        Relative standard uncertainty of `flat`.
    bad : ndarray of bool, shape (H, W), or None
        True where a pixel is hot, dead, noisy, blinking or clipped.
    read_noise_map, gain_map : ndarray of float32, shape (H, W), or None
        Temporal noise in the dark (DN) and system gain (DN per electron) of each pixel.
    linearity : tuple of float
        (c1, c2, c3): counts x above dark become ``c1 x + c2 x^2 + c3 x^3``.
    linearity_table : tuple of float or None
        In place of the polynomial, which is then (1, 0, 0): linear signal at ``x = 0, step, 2 step, ...`` counts above
        dark; 0 first, strictly increasing, straight between the nodes and beyond the ends.
    linearity_step_dn : float or None
        The step of `linearity_table`, DN.
    saturation_dn : float
        Level at which a pixel counts as saturated, DN; infinite when unknown.
    exposure_ms : float or None
        Exposure at which `dark` holds.
    exposure_range_ms : tuple of float or None
        (lo, hi) exposures at which the profile holds; None when not known.
    gain_db : float or None
        Camera gain setting.
    gain_dn_per_e, gain_sigma_dn_per_e : float
        System gain K on the linearised axis, DN per electron, and its standard uncertainty; NaN when unknown.
    read_noise_dn, read_noise_sigma_dn : float
        Temporal noise in the dark at `exposure_ms`, DN; NaN when unknown.
    dark_current_dn_per_ms, dark_current_sigma_dn_per_ms : float
        Mean of `dark_rate` over the good pixels; NaN when unknown.
    response_nm_per_dn_ms, response_sigma_nm_per_dn_ms : float
        Concentration of ICG, nM, per calibrated signal of 1 DN/ms; NaN when unknown.
    response_range_nm : tuple of float or None
        (lo, hi) concentrations behind the response.
    calibrated : bool
        False when no measurement stands behind the profile.
    provenance : mapping
        How the profile was made; text, numbers, booleans, lists and mappings only. Not part of the digest.

    Raises
    ------
    ProfileError
        When a field has the wrong type, shape or range, or lacks the field that it needs.

    Examples
    --------
    >>> from pyicg import CameraProfile
    >>> profile = CameraProfile.identity((4, 6), bit_depth=12)
    >>> profile.saturation_dn, profile.calibrated
    (4095.0, False)
    """

    camera: str
    sensor: str | None = None
    optics: str | None = None
    lens_distance_mm: float | None = None
    filter_band_nm: tuple[float, float] | None = None
    shape: tuple[int, int]
    bit_depth: int | None
    dark: FloatMap | None = None
    dark_rate: FloatMap | None = None
    dark_sigma: FloatMap | None = None
    dark_exposures_ms: tuple[float, float] | None = None
    flat: FloatMap | None = None
    flat_sigma: FloatMap | None = None
    bad: BoolMap | None = None
    read_noise_map: FloatMap | None = None
    gain_map: FloatMap | None = None
    linearity: tuple[float, float, float] = (1.0, 0.0, 0.0)
    linearity_table: tuple[float, ...] | None = None
    linearity_step_dn: float | None = None
    saturation_dn: float = math.inf
    exposure_ms: float | None = None
    exposure_range_ms: tuple[float, float] | None = None
    gain_db: float | None = None
    gain_dn_per_e: float = math.nan
    gain_sigma_dn_per_e: float = math.nan
    read_noise_dn: float = math.nan
    read_noise_sigma_dn: float = math.nan
    dark_current_dn_per_ms: float = math.nan
    dark_current_sigma_dn_per_ms: float = math.nan
    response_nm_per_dn_ms: float = math.nan
    response_sigma_nm_per_dn_ms: float = math.nan
    response_range_nm: tuple[float, float] | None = None
    calibrated: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(isinstance(self.camera, str), "camera", self.camera, "text")
        require(isinstance(self.calibrated, bool), "calibrated", self.calibrated, "True or False")
        require(isinstance(self.provenance, Mapping), "provenance", self.provenance, "a mapping")
        self._put("provenance", dict(self.provenance))
        self._put("shape", shape_of(self.shape))
        self._put("linearity", linearity_of(self.linearity))
        self._put("saturation_dn", number("saturation_dn", self.saturation_dn, low=0.0, infinite=True))
        self._check_optional()
        self._check_scalars()
        for name in MAPS:
            self._put(name, self._owned(name))
        self._check_companions()

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_optional(self) -> None:
        """Fields that may be None."""
        checks: dict[str, Any] = {
            "bit_depth": lambda _, value: bit_depth_of(value),
            "lens_distance_mm": partial(number, low=0.0),
            "filter_band_nm": ordered_pair,
            "exposure_ms": partial(number, low=0.0),
            "exposure_range_ms": ordered_pair,
            "gain_db": number,
            "linearity_table": lambda _, value: table_of(value),
            "linearity_step_dn": partial(number, low=0.0),
            "response_range_nm": partial(ordered_pair, closed=True),
        }
        for name in ("sensor", "optics"):
            value = getattr(self, name)
            require(value is None or isinstance(value, str), name, value, "text or None")
        for name, check in checks.items():
            if getattr(self, name) is not None:
                self._put(name, check(name, getattr(self, name)))
        if self.dark_exposures_ms is not None:
            pair = self.dark_exposures_ms
            require(isinstance(pair, tuple | list) and len(pair) == 2, "dark_exposures_ms", pair, "(mean, sd)")
            self._put("dark_exposures_ms", tuple(number("dark_exposures_ms", item, low=0.0) for item in pair))

    def _check_scalars(self) -> None:
        """Scalars with a standard uncertainty; NaN stands for unknown."""
        for name, sigma in _SCALARS.items():
            low = -math.inf if name == "dark_current_dn_per_ms" else 0.0
            self._put(name, number(name, getattr(self, name), low=low, nan=True, closed=name == "read_noise_dn"))
            self._put(sigma, number(sigma, getattr(self, sigma), low=0.0, nan=True, closed=True))

    def _check_companions(self) -> None:
        """Fields that mean nothing without another one."""
        needs = {
            "dark_rate": ("dark", "exposure_ms"),
            "dark_sigma": ("dark",),
            "dark_exposures_ms": ("dark_rate",),
            "flat_sigma": ("flat",),
            "linearity_table": ("linearity_step_dn",),
            "linearity_step_dn": ("linearity_table",),
        }
        for name, others in needs.items():
            for other in others:
                if getattr(self, name) is not None and getattr(self, other) is None:
                    raise ProfileError(f"{name}: found without {other}, expected both; give {other} too")
        straight = self.linearity_table is None or self.linearity == (1.0, 0.0, 0.0)
        require(straight, "linearity", self.linearity, "(1, 0, 0) beside a linearity_table, which replaces it")

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
        if name in _POSITIVE and not (owned > 0).all():
            raise ProfileError(
                f"{name} map: {int((owned <= 0).sum())} values are not positive; set them to that of a good pixel and "
                "mark the pixels bad"
            )
        if name in _NOT_NEGATIVE and not (owned >= 0).all():
            raise ProfileError(f"{name} map: {int((owned < 0).sum())} values are negative; expected none")
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
        saturation = math.inf if bit_depth is None else 2.0 ** bit_depth_of(bit_depth) - 1.0
        return cls(camera="unknown", shape=shape, bit_depth=bit_depth, saturation_dn=saturation)

    @classmethod
    def load(cls, path: str | Path) -> CameraProfile:
        """Read a profile folder and check it against its checksums.

        Parameters
        ----------
        path : str or Path
            A folder that `save` wrote, of any schema version up to this release's.

        Raises
        ------
        ProfileError
            When anything in the folder is missing, malformed, changed or of an unknown schema version.
        """
        from ..io._profile_folder import read_profile

        return read_profile(path)

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
        from ..io._profile_folder import write_profile

        write_profile(path, self)

    def dark_at(self, exposure_ms: float) -> tuple[FloatMap, FloatMap | None]:
        """Return the dark map at an exposure and its standard uncertainty, both (H, W) float32 in DN.

        Parameters
        ----------
        exposure_ms : float
            Exposure inside `exposure_range_ms`, which is met within 0.1 %.

        Returns
        -------
        dark : ndarray of float32, shape (H, W)
            ``dark + dark_rate * (t - self.exposure_ms)``; the dark map itself where there is no `dark_rate`.
        sigma : ndarray of float32, shape (H, W), or None
            ``dark_sigma * sqrt(1 + ((t - mean)/sd)^2)``; None where `dark_sigma` is unknown.

        Raises
        ------
        ProfileError
            When the profile has no dark map.
        CalibrationRangeError
            When the exposure lies outside `exposure_range_ms`.

        Examples
        --------
        >>> import numpy as np, pyicg
        >>> frames = {t: np.full((2, 4, 6), 100 + t, np.uint16) for t in (10, 30)}
        >>> profile = pyicg.build_profile(frames, camera="simulated", exposure_ms=20, bit_depth=12)
        >>> dark, sigma = profile.dark_at(25)
        >>> float(dark[0, 0])
        125.0
        """
        time = number("exposure_ms", exposure_ms, low=0.0)
        if self.dark is None:
            raise ProfileError("the profile has no dark map; build one from dark frames")
        if self.exposure_range_ms is not None:
            lo, hi = self.exposure_range_ms
            if not lo * (1 - _EXPOSURE_TOLERANCE) <= time <= hi * (1 + _EXPOSURE_TOLERANCE):
                raise CalibrationRangeError(
                    f"exposure_ms: found {time:g}, the profile holds from {lo:g} to {hi:g} ms; use an exposure in that "
                    "range, or build the profile again with dark frames at this one as well"
                )
        dark, sigma = self.dark, self.dark_sigma
        if self.dark_rate is not None and self.exposure_ms is not None:
            dark = dark + self.dark_rate * np.float32(time - self.exposure_ms)
        if sigma is not None and self.dark_exposures_ms is not None:
            mean, sd = self.dark_exposures_ms
            sigma = sigma * np.float32(math.hypot(1.0, (time - mean) / sd))
        return dark, sigma

    def _values(self) -> dict[str, Any]:
        """Return every field but maps and provenance."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {*MAPS, "provenance"}}

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over camera, numbers and maps; not over path, time or provenance."""
        total = hashlib.sha256(b"pyicg camera profile 2\n")
        total.update(json.dumps(self._values(), sort_keys=True).encode())
        for name in MAPS:
            data = getattr(self, name)
            total.update(f"\n{name} {'absent' if data is None else data.dtype.name}\n".encode())
            if data is not None:
                total.update(data.astype(data.dtype.newbyteorder("<"), copy=False).tobytes())
        return total.hexdigest()

    @cached_property
    def core(self) -> Any:
        """The same profile as the core's object, made on first use."""
        from .._core import Profile

        return Profile(**self.core_arguments())

    def core_arguments(self) -> dict[str, Any]:
        """Return what the core and the C interface are told of this profile."""

        def known(value: float | None) -> float:
            return math.nan if value is None else value

        lo, hi = self.exposure_range_ms or (math.nan, math.nan)
        mean, sd = self.dark_exposures_ms or (math.nan, math.nan)
        return dict(
            height=self.shape[0],
            width=self.shape[1],
            dark=self.dark,
            dark_rate=self.dark_rate,
            dark_sigma=self.dark_sigma,
            dark_mean_exposure_ms=mean,
            dark_exposure_sd_ms=sd,
            flat=self.flat,
            flat_sigma=self.flat_sigma,
            bad=None if self.bad is None else self.bad.view(np.uint8),
            read_noise_map=self.read_noise_map,
            gain_map=self.gain_map,
            linearity=self.linearity,
            linearity_table=None if self.linearity_table is None else np.array(self.linearity_table),
            linearity_step_dn=known(self.linearity_step_dn),
            saturation_dn=self.saturation_dn,
            exposure_ms=known(self.exposure_ms),
            exposure_min_ms=lo,
            exposure_max_ms=hi,
            gain_db=known(self.gain_db),
            gain_dn_per_e=self.gain_dn_per_e,
            read_noise_dn=self.read_noise_dn,
            response_nm_per_dn_ms=self.response_nm_per_dn_ms,
            calibrated=self.calibrated,
        )
