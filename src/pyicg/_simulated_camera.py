"""A simulated camera: shot and read noise, DSNU, PRNU, vignetting, hot pixels, clipping."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .profile import CameraProfile, build_profile

__all__ = ["SimulatedCamera"]

_Reals = npt.NDArray[np.float64]

_HOT_E = (400.0, 4000.0)
_FIXED, _SCENE, _DARK, _FLAT = range(4)  # independent random streams of one camera


@dataclass(frozen=True, kw_only=True)
class SimulatedCamera:
    """A camera with shot noise, read noise, DSNU, PRNU, vignetting and hot pixels. Same seed, same bits.

    Attributes
    ----------
    bit_depth : int
        Bits per pixel; counts are clipped at ``2**bit_depth - 1``.
    gain_dn_per_e : float
        System gain K, DN per electron.
    read_noise_e : float
        Temporal noise in the dark, electrons.
    offset_dn : float
        Mean dark level, DN.
    dsnu_dn : float
        Standard deviation of the dark pattern, DN.
    prnu : float
        Standard deviation of the pixels' response, relative.
    vignetting : float
        Share of light lost in the corners, 0 to 1; falls off as cos^4 of the field angle.
    hot_pixel_share : float
        Share of pixels that collect 400 to 4000 electrons per exposure in the dark.
    exposure_ms : float
        Exposure.
    seed : int
        Seed of the fixed patterns and of the noise.

    Examples
    --------
    >>> import numpy as np
    >>> from pyicg.phantom import SimulatedCamera
    >>> camera = SimulatedCamera(seed=1)
    >>> frames = camera.expose(np.full((8, 8), 80.0), 2)
    >>> frames.shape, frames.dtype
    ((2, 8, 8), dtype('uint16'))
    """

    bit_depth: int = 12
    gain_dn_per_e: float = 0.25
    read_noise_e: float = 8.0
    offset_dn: float = 64.0
    dsnu_dn: float = 1.0
    prnu: float = 0.01
    vignetting: float = 0.25
    hot_pixel_share: float = 5e-4
    exposure_ms: float = 20.0
    seed: int = 0

    def __post_init__(self) -> None:
        checks = {
            "bit_depth": self.bit_depth in range(1, 17),
            "gain_dn_per_e": self.gain_dn_per_e > 0,
            "read_noise_e": self.read_noise_e >= 0,
            "dsnu_dn": self.dsnu_dn >= 0,
            "prnu": self.prnu >= 0,
            "vignetting": 0 <= self.vignetting < 1,
            "hot_pixel_share": 0 <= self.hot_pixel_share < 1,
            "exposure_ms": self.exposure_ms > 0,
        }
        for name, fine in checks.items():
            if not fine:
                raise InputError(f"{name}: found {getattr(self, name)!r}; the class documentation gives its range")

    @property
    def saturation_dn(self) -> float:
        """Largest count."""
        return 2.0**self.bit_depth - 1.0

    def hot_pixels(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Return the (H, W) truth of which pixels are hot."""
        return self._patterns(shape)[2] > 0

    def mean_response(self, shape: tuple[int, int]) -> float:
        """Return the mean response of the pixels that are not hot, relative to the optical axis.

        A flat map has mean 1, so data corrected by it read radiance times this number.
        """
        _, response, hot_e = self._patterns(shape)
        return float(response[hot_e == 0].mean())

    def dn_per_ms(self, radiance_e_per_ms: float, shape: tuple[int, int]) -> float:
        """Return the level in DN/ms that a perfect calibration of this camera finds for a radiance."""
        return radiance_e_per_ms * self.gain_dn_per_e * self.mean_response(shape)

    def expose(self, radiance_e_per_ms: npt.ArrayLike, n: int = 1) -> npt.NDArray[np.uint16]:
        """Take frames of a scene. The same call gives the same frames.

        Parameters
        ----------
        radiance_e_per_ms : array_like, shape (H, W) or (T, H, W)
            Electrons per ms that a pixel on the optical axis collects. (T, H, W) is a moving scene.
        n : int
            Frames of each scene.

        Returns
        -------
        ndarray of uint16, shape (n, H, W) or (T * n, H, W)

        Raises
        ------
        InputError
            When the radiance is negative or not finite, or its shape or `n` is not as above.
        """
        return self._frames(np.asarray(radiance_e_per_ms, np.float64), n, _SCENE)

    def dark_series(self, n: int, *, shape: tuple[int, int]) -> npt.NDArray[np.uint16]:
        """Take `n` frames (n, H, W) with the light off."""
        return self._frames(np.zeros(shape), n, _DARK)

    def flat_series(self, n: int, *, shape: tuple[int, int], level: float = 0.5) -> npt.NDArray[np.uint16]:
        """Take `n` frames (n, H, W) of an evenly lit target; `level` is the share of the range on the optical axis."""
        electrons = level * (self.saturation_dn - self.offset_dn) / self.gain_dn_per_e
        return self._frames(np.full(shape, electrons / self.exposure_ms), n, _FLAT)

    def measure_profile(self, shape: tuple[int, int], *, n_frames: int = 16) -> CameraProfile:
        """Build a profile from simulated dark and flat frames, as a user would; it knows nothing of the truth."""
        profile = build_profile(
            self.dark_series(n_frames, shape=shape),
            self.flat_series(n_frames, shape=shape),
            camera=f"simulated {self.bit_depth}-bit camera, seed {self.seed}",
            exposure_ms=self.exposure_ms,
            bit_depth=self.bit_depth,
        )
        return replace(profile, provenance={**profile.provenance, "simulated": True})

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream])

    def _patterns(self, shape: tuple[int, int]) -> tuple[_Reals, _Reals, _Reals]:
        """Return (H, W) dark level in DN, relative response, and electrons of the hot pixels per exposure."""
        rng = self._rng(_FIXED)
        dark = self.offset_dn + self.dsnu_dn * rng.standard_normal(shape)
        y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
        corner2 = y[0] ** 2 + x[0] ** 2 or 1.0
        tan2 = ((1 - self.vignetting) ** -0.5 - 1) * (y[:, None] ** 2 + x**2) / corner2
        response = (1 + self.prnu * rng.standard_normal(shape)).clip(0) / (1 + tan2) ** 2  # cos^4 = 1/(1 + tan^2)^2
        is_hot = rng.random(shape) < self.hot_pixel_share
        return dark, response, np.where(is_hot, rng.uniform(*_HOT_E, shape), 0.0)

    def _frames(self, radiance: _Reals, n: int, stream: int) -> npt.NDArray[np.uint16]:
        if radiance.ndim not in (2, 3) or radiance.size == 0 or n < 1:
            raise InputError(f"radiance has shape {radiance.shape}, n is {n}; expected (H, W) or (T, H, W), and n >= 1")
        if not (np.isfinite(radiance) & (radiance >= 0)).all():
            raise InputError("radiance holds values that are negative or not finite; expected electrons per ms >= 0")
        scenes = radiance.reshape(-1, *radiance.shape[-2:])
        dark, response, hot_e = self._patterns(scenes.shape[1:])
        rng = self._rng(stream)
        frames = np.empty((len(scenes), n, *dark.shape), np.uint16)
        for scene, out in zip(scenes, frames, strict=True):
            mean_e = scene * response * self.exposure_ms + hot_e
            for k in range(n):
                electrons = rng.poisson(mean_e) + self.read_noise_e * rng.standard_normal(mean_e.shape)
                out[k] = np.rint(dark + self.gain_dn_per_e * electrons).clip(0, self.saturation_dn)
        return frames.reshape(-1, *dark.shape)
