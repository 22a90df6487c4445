"""A simulated camera of known truth: noise, fixed patterns, dark current, bad pixels, bent response, clipping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ._characterization_series import CharacterizationSeries, level_shares
from .errors import InputError
from .profile import CameraProfile, build_profile

__all__ = ["SimulatedCamera"]

_Reals = npt.NDArray[np.float64]
_Counts = npt.NDArray[np.uint16]

_HOT_E = (400.0, 4000.0)
_NOISY_FACTOR = 6.0
_BLINK_NOISES = (10.0, 30.0)
_BLINK_SWITCH = 0.1
_MAX_BEND = 0.25  # beyond it the bent response would fall again before it reaches full scale
_FLAT_LEVEL = 0.5
# Independent random streams of one camera.
_FIXED, _SCENE, _DARK, _FLAT, _LINES, _SERIES = range(6)


@dataclass(frozen=True)
class _Patterns:
    """Fixed truth of each pixel, all (H, W)."""

    dark_dn: _Reals
    response: _Reals  # without the lens
    falloff: _Reals  # of the lens: divide by it
    hot_e: _Reals  # electrons per `exposure_ms`
    noise: _Reals  # factor on the read noise
    blink_e: _Reals


@dataclass(frozen=True, kw_only=True)
class SimulatedCamera:
    """A camera with shot and read noise, fixed patterns, dark current, bad pixels, vignetting. Same seed, same bits.

    What is set here is the truth, exactly: a perfect measurement of gain, dark noise, dark current and so on gives
    these numbers; only the rounding to whole counts adds to them (1/12 DN^2 of temporal variance).

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
    dsnu_dn, dsnu_row_dn, dsnu_column_dn : float
        Standard deviation of the dark pattern of single pixels, of whole rows and of whole columns, DN.
    prnu, prnu_row, prnu_column : float
        Standard deviation of the response of single pixels, rows and columns, relative.
    vignetting : float
        Share of light that the lens loses in the corners, 0 to 1; falls off as cos^4 of the field angle.
    hot_pixel_share : float
        Share of pixels that collect 400 to 4000 electrons per `exposure_ms` in the dark.
    blinking_pixel_share : float
        Share of pixels that jump between two levels, 10 to 30 times the read noise apart, in one of ten frames.
    noisy_pixel_share : float
        Share of pixels with six times the read noise.
    exposure_ms : float
        Exposure, unless a method is told another one.
    dark_current_e_per_s : float
        Dark current of every pixel, electrons per second.
    quantum_efficiency : float
        Electrons per photon, over 0 to 1.
    full_well_e : float
        Electrons that a pixel can hold.
    bend : float
        Relative loss of signal at full scale, -0.25 to 0.25: a signal x above dark is read as
        ``x * (1 - bend * x / range)`` with ``range = saturation_dn - offset_dn``. 0 is a linear camera.
    tilt : float
        How much the light of `flat_series` and `characterization_series` rises from the left border to the right,
        as a share of its mean, 0 to 2. Scenes are as the caller draws them.
    drift_dn : float
        DN that the dark level rises from each frame of a series to the next.
    seed : int
        Seed of the fixed patterns and of the noise.

    Raises
    ------
    InputError
        When a value lies outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> from pyicg.phantom import SimulatedCamera
    >>> camera = SimulatedCamera(seed=1)
    >>> frames = camera.expose(np.full((8, 8), 80.0), 2)
    >>> frames.shape, frames.dtype
    ((2, 8, 8), dtype('uint16'))
    >>> camera.saturation_e
    16124.0
    """

    bit_depth: int = 12
    gain_dn_per_e: float = 0.25
    read_noise_e: float = 8.0
    offset_dn: float = 64.0
    dsnu_dn: float = 1.0
    dsnu_row_dn: float = 0.0
    dsnu_column_dn: float = 0.0
    prnu: float = 0.01
    prnu_row: float = 0.0
    prnu_column: float = 0.0
    vignetting: float = 0.25
    hot_pixel_share: float = 5e-4
    blinking_pixel_share: float = 0.0
    noisy_pixel_share: float = 0.0
    exposure_ms: float = 20.0
    dark_current_e_per_s: float = 0.0
    quantum_efficiency: float = 0.5
    full_well_e: float = math.inf
    bend: float = 0.0
    tilt: float = 0.0
    drift_dn: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        spreads = ("read_noise_e", "dsnu_dn", "dsnu_row_dn", "dsnu_column_dn", "prnu", "prnu_row", "prnu_column")
        shares = ("hot_pixel_share", "blinking_pixel_share", "noisy_pixel_share", "vignetting")
        checks = {
            "bit_depth": self.bit_depth in range(1, 17),
            "gain_dn_per_e": self.gain_dn_per_e > 0,
            **{name: 0 <= getattr(self, name) < math.inf for name in spreads},
            **{name: 0 <= getattr(self, name) < 1 for name in shares},
            "exposure_ms": 0 < self.exposure_ms < math.inf,
            "dark_current_e_per_s": 0 <= self.dark_current_e_per_s < math.inf,
            "quantum_efficiency": 0 < self.quantum_efficiency <= 1,
            "full_well_e": self.full_well_e > 0,
            "bend": abs(self.bend) <= _MAX_BEND,
            "tilt": 0 <= self.tilt <= 2,
            "drift_dn": math.isfinite(self.drift_dn),
        }
        for name, fine in checks.items():
            if not fine:
                raise InputError(f"{name}: found {getattr(self, name)!r}; the class documentation gives its range")

    @property
    def saturation_dn(self) -> float:
        """Largest count."""
        return 2.0**self.bit_depth - 1.0

    @property
    def saturation_e(self) -> float:
        """Electrons above dark at which the mean pixel reaches full scale or its well is full.

        The 0.1-0.2 % rule of EMVA 1288 finds a lower level, because noise and PRNU saturate some pixels before.
        """
        size = self._range_dn
        if self.bend:  # smaller solution of x - bend/size * x^2 = size
            size = size * (1 - math.sqrt(1 - 4 * self.bend)) / (2 * self.bend)
        return min(size / self.gain_dn_per_e, self.full_well_e)

    @property
    def dsnu_e(self) -> float:
        """DSNU of pixels, rows and columns together, electrons."""
        return math.hypot(self.dsnu_dn, self.dsnu_row_dn, self.dsnu_column_dn) / self.gain_dn_per_e

    @property
    def prnu_total(self) -> float:
        """PRNU of pixels, rows and columns together, relative."""
        return math.hypot(self.prnu, self.prnu_row, self.prnu_column)

    def hot_pixels(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Return the (H, W) truth of which pixels are hot."""
        return self._patterns(shape).hot_e > 0

    def blinking_pixels(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Return the (H, W) truth of which pixels blink."""
        return self._patterns(shape).blink_e > 0

    def noisy_pixels(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Return the (H, W) truth of which pixels are noisy."""
        return self._patterns(shape).noise > 1

    def mean_response(self, shape: tuple[int, int]) -> float:
        """Return the mean response of the pixels that are not hot, relative to the optical axis.

        A flat map has mean 1, so data corrected by it read radiance times this number.
        """
        truth = self._patterns(shape)
        return float((truth.response / truth.falloff)[truth.hot_e == 0].mean())

    def dn_per_ms(self, radiance_e_per_ms: float, shape: tuple[int, int]) -> float:
        """Return the level in DN/ms that a perfect calibration of this camera finds for a radiance."""
        return radiance_e_per_ms * self.gain_dn_per_e * self.mean_response(shape)

    def expose(self, radiance_e_per_ms: npt.ArrayLike, n: int = 1, *, exposure_ms: float | None = None) -> _Counts:
        """Take frames of a scene. The same call gives the same frames.

        Parameters
        ----------
        radiance_e_per_ms : array_like, shape (H, W) or (T, H, W)
            Electrons per ms that a pixel on the optical axis collects. (T, H, W) is a moving scene.
        n : int
            Frames of each scene.
        exposure_ms : float, optional
            Exposure; the camera's when not given.

        Returns
        -------
        ndarray of uint16, shape (n, H, W) or (T * n, H, W)

        Raises
        ------
        InputError
            When the radiance is negative or not finite, or its shape or `n` is not as above.
        """
        exposure = self._exposure(exposure_ms)
        return self._frames(np.asarray(radiance_e_per_ms, np.float64), n, exposure, (_SCENE, *self._told(exposure)))

    def dark_series(self, n: int, *, shape: tuple[int, int], exposure_ms: float | None = None) -> _Counts:
        """Take `n` frames (n, H, W) with the light off, at the camera's exposure or another one."""
        exposure = self._exposure(exposure_ms)
        return self._frames(np.zeros(shape), n, exposure, (_DARK, *self._told(exposure)))

    def flat_series(
        self, n: int, *, shape: tuple[int, int], level: float = _FLAT_LEVEL, exposure_ms: float | None = None
    ) -> _Counts:
        """Take `n` frames (n, H, W) of an evenly lit target.

        `level` is the share of the range that the light reaches on the optical axis of a linear camera, whatever the
        exposure: for one lamp at several exposures raise it with them.
        """
        exposure = self._exposure(exposure_ms)
        electrons = level * self._range_dn / self.gain_dn_per_e
        light = np.full(shape, electrons / exposure) * self._gradient(shape)
        told = (*self._told(exposure), *(() if level == _FLAT_LEVEL else (_FLAT, _bits(level))))
        return self._frames(light, n, exposure, (_FLAT, *told))

    def characterization_series(
        self,
        *,
        shape: tuple[int, int],
        levels: int | Sequence[float] = 20,
        n: int = 2,
        spatial_frames: int = 32,
        method: str = "exposure",
    ) -> CharacterizationSeries:
        """Take the frames that `pyicg.characterize` asks for: even light, no lens.

        Parameters
        ----------
        shape : tuple of int
            (H, W) of a frame.
        levels : int or sequence of float
            Levels of light as shares of `saturation_e`, or how many of them evenly from 3 % to 106 %.
        n : int
            Frames of each level, at least 2.
        spatial_frames : int
            Frames of each spatial stack, at least 2.
        method : {"exposure", "light"}
            ``"exposure"``: constant light, the exposure rises with the level; 50 % of saturation at `exposure_ms`.
            ``"light"``: the light rises with the level, all at `exposure_ms`.

        Returns
        -------
        CharacterizationSeries

        Raises
        ------
        InputError
            When an option has a wrong value.

        Examples
        --------
        >>> import pyicg
        >>> camera = pyicg.phantom.SimulatedCamera(hot_pixel_share=0.0)
        >>> s = camera.characterization_series(shape=(64, 64), levels=9)
        >>> report = pyicg.characterize(s.bright, s.dark, photons=s.photons, exposures_ms=s.exposures_ms,
        ...                             spatial=s.spatial, bit_depth=camera.bit_depth)
        >>> abs(report.gain_dn_per_e.value / camera.gain_dn_per_e - 1) < 0.05
        True
        """
        shares = level_shares(levels)
        if method not in {"exposure", "light"}:
            raise InputError(f'method is {method!r}; expected "exposure" or "light"')
        if n < 2 or spatial_frames < 2:
            raise InputError(f"n is {n}, spatial_frames {spatial_frames}; expected at least 2 frames of each")
        by_exposure = method == "exposure"
        exposures = [2 * share * self.exposure_ms if by_exposure else self.exposure_ms for share in shares]
        kind = (_SERIES, int(by_exposure))

        def take(share: float, count: int, exposure: float, key: tuple[int, ...]) -> _Counts:
            light = np.full(shape, share * self.saturation_e / exposure) * self._gradient(shape)
            return self._frames(light, count, exposure, (*kind, *key), lens=False)

        pairs = [
            tuple(take(part, n, exposure, (k, lit, _bits(share))) for lit, part in ((1, share), (0, 0.0)))
            for k, (share, exposure) in enumerate(zip(shares, exposures, strict=True))
        ]
        half, unlit = (
            take(part, spatial_frames, self.exposure_ms, (len(shares), lit)) for lit, part in ((1, 0.5), (0, 0.0))
        )
        return CharacterizationSeries(
            bright=tuple(bright for bright, _ in pairs),
            dark=tuple(dark for _, dark in pairs),
            photons=tuple(share * self.saturation_e / self.quantum_efficiency for share in shares),
            exposures_ms=tuple(exposures),
            spatial=(half, unlit),
        )

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

    @property
    def _range_dn(self) -> float:
        return self.saturation_dn - self.offset_dn

    def _exposure(self, exposure_ms: float | None) -> float:
        exposure = self.exposure_ms if exposure_ms is None else exposure_ms
        if not 0 < exposure < math.inf:
            raise InputError(f"exposure_ms: found {exposure_ms!r}, expected a number over 0")
        return exposure

    def _told(self, exposure: float) -> tuple[int, ...]:
        """Return what another exposure than the camera's adds to the key of a random stream."""
        return () if exposure == self.exposure_ms else (_bits(exposure),)

    def _gradient(self, shape: tuple[int, int]) -> _Reals:
        """Relative light along x, mean 1."""
        return 1 + self.tilt * (np.linspace(-0.5, 0.5, shape[1]) if shape[1] > 1 else np.zeros(1))

    def _patterns(self, shape: tuple[int, int]) -> _Patterns:
        rng = np.random.default_rng([self.seed, _FIXED])
        dark = self.offset_dn + self.dsnu_dn * rng.standard_normal(shape)
        y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
        corner2 = y[0] ** 2 + x[0] ** 2 or 1.0
        tan2 = ((1 - self.vignetting) ** -0.5 - 1) * (y[:, None] ** 2 + x**2) / corner2
        response = 1 + self.prnu * rng.standard_normal(shape)
        is_hot = rng.random(shape) < self.hot_pixel_share
        hot_e = np.where(is_hot, rng.uniform(*_HOT_E, shape), 0.0)
        # A stream of their own: what came after these in the first one would change every older scene.
        rng = np.random.default_rng([self.seed, _LINES])
        rows, columns = ([_unit_spread(rng.standard_normal(n)) for _ in range(2)] for n in shape)
        dark += self.dsnu_row_dn * rows[0][:, None] + self.dsnu_column_dn * columns[0]
        response += self.prnu_row * rows[1][:, None] + self.prnu_column * columns[1]
        lot = np.where(is_hot, math.inf, rng.random(shape))
        blinks = lot < self.blinking_pixel_share
        noisy = ~blinks & (lot < self.blinking_pixel_share + self.noisy_pixel_share)
        step_e = max(self.read_noise_e, 1 / self.gain_dn_per_e) * rng.uniform(*_BLINK_NOISES, shape)
        return _Patterns(
            dark_dn=dark,
            response=response.clip(0),
            falloff=(1 + tan2) ** 2,  # cos^4 = 1/(1 + tan^2)^2
            hot_e=hot_e,
            noise=np.where(noisy, _NOISY_FACTOR, 1.0),
            blink_e=np.where(blinks, step_e, 0.0),
        )

    def _frames(self, radiance: _Reals, n: int, exposure: float, key: tuple[int, ...], *, lens: bool = True) -> _Counts:
        if radiance.ndim not in (2, 3) or radiance.size == 0 or n < 1:
            raise InputError(f"radiance has shape {radiance.shape}, n is {n}; expected (H, W) or (T, H, W), and n >= 1")
        if not (np.isfinite(radiance) & (radiance >= 0)).all():
            raise InputError("radiance holds values that are negative or not finite; expected electrons per ms >= 0")
        scenes = radiance.reshape(-1, *radiance.shape[-2:])
        truth = self._patterns(scenes.shape[1:])
        response = truth.response / truth.falloff if lens else truth.response
        dark_e = truth.hot_e * (exposure / self.exposure_ms) + self.dark_current_e_per_s * exposure / 1000
        blinks = np.flatnonzero(truth.blink_e)
        rng = np.random.default_rng([self.seed, *key])
        blinking = np.random.default_rng([self.seed, _LINES, *key])
        on = blinking.random(blinks.size) < 0.5
        frames = np.empty((len(scenes), n, *response.shape), np.uint16)
        for index, out in enumerate(frames.reshape(-1, *response.shape)):
            mean_e = scenes[index // n] * response * exposure + dark_e
            held_e = np.minimum(rng.poisson(mean_e), self.full_well_e)
            electrons = held_e + self.read_noise_e * truth.noise * rng.standard_normal(mean_e.shape)
            on ^= blinking.random(blinks.size) < _BLINK_SWITCH
            electrons.flat[blinks] += truth.blink_e.flat[blinks] * on
            signal = self._bent(self.gain_dn_per_e * electrons)
            out[:] = np.rint(truth.dark_dn + self.drift_dn * index + signal).clip(0, self.saturation_dn)
        return frames.reshape(-1, *response.shape)

    def _bent(self, signal_dn: _Reals) -> _Reals:
        if self.bend == 0:
            return signal_dn
        slope = self.bend / self._range_dn
        # Past its turning point, which lies at full scale or over it, the parabola would fall.
        bounded = np.minimum(signal_dn, 1 / (2 * slope)) if slope > 0 else signal_dn
        return np.asarray(bounded * (1 - slope * bounded), np.float64)


def _unit_spread(values: _Reals) -> _Reals:
    """Centre and scale: a few hundred rows would miss the spread that was asked for by several per cent."""
    centred = values - values.mean()
    spread = float(centred.std())
    return np.asarray(centred / (spread or 1.0))


def _bits(value: float) -> int:
    """Return a number that tells floats apart, to seed a random stream."""
    return int(np.float64(value).view(np.uint64))
