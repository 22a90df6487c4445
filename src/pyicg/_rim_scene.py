"""Simulated rims of any star-shaped outline, whole or broken, with exact truth. Nothing here is a measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError, UnitError

__all__ = ["RimScene", "RimShape", "RimTruth", "rim_scene"]

_Reals = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]
_Harmonics = Mapping[int, tuple[float, float]]

_LIVER = 100.0
_SUBPIXELS = 8
_CELLS_PER_SIGMA = 3.0
_VERTICES = 2048
_REACH_SIGMAS = 5.0  # the Gaussian is cut off here: 6e-7 of a step lies beyond
_FLECK_RADII_PX = (1.0, 3.0)  # bile: 28 px at most
_FLECK_TRIES = 500  # for each
# Light that scatters in liver before it leaves, working point at 830 nm and a source one transport mean free path deep:
# all lengths in pixels of 0.1 mm.
_TAIL_MU_EFF = 0.0397  # sqrt(3 mu_a (mu_a + mu_s')), mu_a 0.055 and mu_s' 0.90 per mm
_TAIL_BOUNDARY_PX = 19.7  # 2 A D, A = 2.82 at n = 1.38
_TAIL_DEPTH_PX = 10.5
_TAIL_REACH_PX = 96


@dataclass(frozen=True, eq=False)
class RimShape:
    r"""Outline of one rim: a dark core and what glows around it.

    With the angle t from +x towards +y, the inner boundary lies at

    .. math:: r(t) = e(t)\,\Big(1 + \sum_m a_m \cos(m t - \varphi_m)\Big)

    where e(t) is an ellipse of the same area as a circle of `radius_px`. The outer boundary lies *along the ray* (not
    along the normal) further out by :math:`d\,(1 + \sum_m b_m \cos(m t - \psi_m))`, d being `thickness_px`.

    Attributes
    ----------
    radius_px, thickness_px : float
        Radius of the core and thickness of the rim, pixels.
    centre_px : tuple of float
        (y, x); integer coordinate = pixel centre.
    ellipticity : float
        1 - shorter axis / longer axis, in [0, 1).
    angle_deg : float
        Direction of the longer axis.
    harmonics : mapping of int to (float, float)
        Order m to amplitude a_m (share of the radius) and phase in radians, of the inner boundary.
    gaps_deg : sequence of (float, float)
        Start and end of the angles at which the rim is missing: start in [0, 360), end behind it by less than 360; an
        end over 360 runs through the +x axis.
    thickness_harmonics : mapping of int to (float, float)
        As `harmonics`, shares of the thickness.

    Raises
    ------
    UnitError
        A radius or thickness that is not a positive length.
    InputError
        Anything else out of range; gaps that overlap; harmonics that leave no radius or thickness at some angle.

    Examples
    --------
    >>> from pyicg.phantom import RimShape
    >>> shape = RimShape(20.0, 8.0, (60.2, 59.6), gaps_deg=((350.0, 386.0),))
    >>> shape.completeness, shape.in_gap([0.0, 1.0]).tolist()
    (0.9, [True, False])
    """

    radius_px: float
    thickness_px: float
    centre_px: tuple[float, float]
    ellipticity: float = 0.0
    angle_deg: float = 0.0
    harmonics: _Harmonics = field(default_factory=dict)
    gaps_deg: Sequence[tuple[float, float]] = ()
    thickness_harmonics: _Harmonics = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("radius_px", "thickness_px"):
            if not 0 < getattr(self, name) < math.inf:
                raise UnitError(f"{name} is {getattr(self, name)}; expected a positive length in pixels")
        if not all(map(math.isfinite, (*self.centre_px, self.angle_deg))):
            raise InputError(f"centre_px is {self.centre_px} and angle_deg {self.angle_deg}; expected finite numbers")
        if not 0 <= self.ellipticity < 1:
            raise InputError(f"ellipticity is {self.ellipticity}; expected 0 (a circle) to below 1")
        for name in ("harmonics", "thickness_harmonics"):
            for order, parts in getattr(self, name).items():
                if order != int(order) or order < 1 or not all(map(math.isfinite, parts)):
                    raise InputError(
                        f"{name} has {order}: {parts}; expected a whole order from 1 up, a finite amplitude and phase"
                    )
        end_before = -math.inf
        gaps = sorted(self.gaps_deg)
        for start, end in gaps:
            if not (0 <= start < 360 and start < end < start + 360):
                raise InputError(
                    f"gap from {start} to {end} degrees; expected 0 <= start < 360, start < end < start + 360"
                )
            if start < end_before or end - 360 > gaps[0][0]:
                raise InputError(f"gaps {gaps} overlap; join them")
            end_before = end
        angles = _angles()
        thickness = self.outer_radius_px(angles) - self.inner_radius_px(angles)
        if self.inner_radius_px(angles).min() <= 0 or thickness.min() <= 0:
            raise InputError("the harmonics leave no radius or no thickness at some angle; lower their amplitudes")

    @property
    def completeness(self) -> float:
        """Share of angles that carry a rim."""
        return 1.0 - math.fsum(end - start for start, end in self.gaps_deg) / 360.0

    def inner_radius_px(self, angle_rad: npt.ArrayLike) -> _Reals:
        """Return the distance from centre to inner boundary at angles in radians (any shape), pixels."""
        angle = np.asarray(angle_rad, np.float64)
        axes = math.sqrt(1 - self.ellipticity)
        turned = angle - math.radians(self.angle_deg)
        ellipse = self.radius_px / np.hypot(axes * np.cos(turned), np.sin(turned) / axes)
        return np.asarray(ellipse * _wobble(self.harmonics, angle))

    def outer_radius_px(self, angle_rad: npt.ArrayLike) -> _Reals:
        """Return the distance from centre to outer boundary at angles in radians (any shape), pixels."""
        angle = np.asarray(angle_rad, np.float64)
        return self.inner_radius_px(angle) + self.thickness_px * _wobble(self.thickness_harmonics, angle)

    def in_gap(self, angle_rad: npt.ArrayLike) -> _Flags:
        """Return at which angles (radians, any shape) the rim is missing."""
        degrees = np.degrees(np.asarray(angle_rad, np.float64))
        missing = np.zeros(degrees.shape, bool)
        for start, end in self.gaps_deg:
            missing |= np.mod(degrees - start, 360.0) < end - start
        return missing

    def contours(self) -> tuple[_Reals, _Reals]:
        """Return inner and outer boundary, 2048 exact vertices (y, x) each at even angles from +x towards +y."""
        angles = _angles()
        ray = np.column_stack([np.sin(angles), np.cos(angles)])
        inner, outer = (radius(angles)[:, None] * ray for radius in (self.inner_radius_px, self.outer_radius_px))
        return inner + self.centre_px, outer + self.centre_px


@dataclass(frozen=True, eq=False)
class RimTruth:
    """What is true of a scene of rims, before blur.

    Attributes
    ----------
    shapes : tuple of RimShape
        The outlines.
    inner_contours, outer_contours : tuple of ndarray of float64, shape (2048, 2)
        Exact boundaries (y, x) per rim, also where they run through a gap or outside the frame.
    rim_mask, core_mask, gap_mask : ndarray of bool, shape (H, W)
        Pixels whose centre glows, lies in a core, or lies between the boundaries where the rim is missing.
    labels : ndarray of int32, shape (H, W)
        1 for core and glow of the first rim, and so on; where rims overlap, the first one's.
    completeness : tuple of float
        Share of angles that carry a rim, per rim.
    noiseless : ndarray of float64, shape (H, W)
        The blurred scene without noise; liver is 100.
    noise_sigma : float
        Standard deviation of the noise of a pixel.
    psf_sigma_px : float
        Standard deviation of the Gaussian point spread. A pixel averages over its own square as well, which adds
        1/12 px^2 to the variance.
    flecks_px : ndarray of float64, shape (F, 3)
        y, x and radius of each fleck.
    """

    shapes: tuple[RimShape, ...]
    inner_contours: tuple[_Reals, ...]
    outer_contours: tuple[_Reals, ...]
    rim_mask: _Flags
    core_mask: _Flags
    gap_mask: _Flags
    labels: npt.NDArray[np.int32]
    completeness: tuple[float, ...]
    noiseless: _Reals
    noise_sigma: float
    psf_sigma_px: float
    flecks_px: _Reals


@dataclass(frozen=True, eq=False)
class RimScene:
    """A simulated frame with rims: `image` (H, W) float32, liver at 100, and its `truth`."""

    image: npt.NDArray[np.float32]
    truth: RimTruth


def rim_scene(
    frame_shape: tuple[int, int],
    shapes: Sequence[RimShape],
    *,
    sbr: float = 3.0,
    core_sbr: float = 0.4,
    snr: float = 20.0,
    psf_sigma_px: float = 1.2,
    psf_tail: float = 0.0,
    flecks: int = 0,
    seed: int = 0,
) -> RimScene:
    r"""Simulate a frame with rims of known shape.

    The scene is blurred by a Gaussian point spread and averaged over each pixel's square; then white Gaussian noise is
    added. Both are done in cells of at most half a pixel and a third of the blur, from 8 x 8 parts of a pixel at every
    edge. Rims may touch, overlap (cores stay dark) and reach over the border.

    Parameters
    ----------
    frame_shape : tuple of int
        (H, W).
    shapes : sequence of RimShape
        The rims, none to many; every core must hold at least one pixel of the frame.
    sbr, core_sbr : float
        Rim and core over liver, sbr > 1 and 0 <= core_sbr < sbr. Between the boundaries a gap is filled with liver.
    snr : float
        (rim - core) / noise of a pixel; infinite for a frame without noise.
    psf_sigma_px : float
        Standard deviation of the Gaussian point spread; 0 for none.
    psf_tail : float
        Share of the light, 0 to below 1, that scatters in tissue first and is then blurred by the optics as well. Its
        transfer at the spatial frequency k is, with :math:`\kappa = \sqrt{\mu_\mathrm{eff}^2 + k^2}`,

        .. math:: \frac{1 + z_b \mu_\mathrm{eff}}{1 + z_b \kappa}\,e^{-(\kappa - \mu_\mathrm{eff}) z}

        (partial-current boundary, J. Biomed. Opt. 28 (2023) 046002; normalised to keep the light), of liver at 830 nm
        for a source one transport mean free path deep, in pixels of 0.1 mm: a half width of about 1 mm with long tails.
        That a share of the light takes this way and the rest none is an assumption.
    flecks : int
        Number of small discs (radius 1 to 3 px, 0.7 to 1.5 times the rim's level) away from the rims, as bile makes.
    seed : int
        Seed of noise and flecks.

    Returns
    -------
    RimScene

    Raises
    ------
    InputError
        An option out of range, cores that overlap, a core outside the frame, or no room for the flecks.
    UnitError
        psf_sigma_px negative or not finite.

    Examples
    --------
    >>> from pyicg.phantom import RimShape, rim_scene
    >>> shape = RimShape(25.0, 10.0, (80.2, 79.6), harmonics={3: (0.1, 0.4)}, gaps_deg=((30.0, 75.0),))
    >>> scene = rim_scene((160, 160), [shape], sbr=3.0, snr=20.0)
    >>> scene.image.shape, scene.truth.completeness, round(float(scene.truth.noise_sigma), 6)
    ((160, 160), (0.875,), 13.0)
    """
    from scipy.ndimage import gaussian_filter

    _check_options(frame_shape, sbr, core_sbr, snr, psf_sigma_px, psf_tail, flecks)
    rng = np.random.default_rng(seed)
    spots = _place_flecks(frame_shape, shapes, flecks, _REACH_SIGMAS * psf_sigma_px, rng)
    # Light comes in from outside the frame, and a Gaussian narrower than a few cells is not one.
    pad = math.ceil(_REACH_SIGMAS * psf_sigma_px) + 1 + (_TAIL_REACH_PX if psf_tail > 0 else 0)
    fine = max(math.ceil(_CELLS_PER_SIGMA / max(psf_sigma_px, 0.4)), 2)
    cells = _render(frame_shape, shapes, sbr - 1, core_sbr - 1, pad, fine)
    for y, x, radius, level in spots:
        cells += (level * sbr - 1) * _render(frame_shape, [RimShape(radius, 1.0, (y, x))], 0.0, 1.0, pad, fine)
    if psf_sigma_px > 0:
        cells = gaussian_filter(cells, fine * psf_sigma_px, mode="constant", truncate=_REACH_SIGMAS)
    excess = cells.reshape(len(cells) // fine, fine, -1, fine).mean(axis=(1, 3))
    if psf_tail > 0:
        excess = (1 - psf_tail) * excess + psf_tail * _scattered(excess)
    noiseless = _LIVER * (1 + excess[pad:-pad, pad:-pad])
    noise_sigma = 0.0 if math.isinf(snr) else _LIVER * (sbr - core_sbr) / snr
    image = noiseless + noise_sigma * rng.standard_normal(frame_shape)
    contours = [shape.contours() for shape in shapes]
    truth = RimTruth(
        shapes=tuple(shapes),
        inner_contours=tuple(inner for inner, _ in contours),
        outer_contours=tuple(outer for _, outer in contours),
        **_masks(frame_shape, shapes),
        completeness=tuple(shape.completeness for shape in shapes),
        noiseless=noiseless,
        noise_sigma=noise_sigma,
        psf_sigma_px=float(psf_sigma_px),
        flecks_px=spots[:, :3],
    )
    return RimScene(image.astype(np.float32), truth)


def _check_options(
    frame_shape: tuple[int, int],
    sbr: float,
    core_sbr: float,
    snr: float,
    psf_sigma_px: float,
    psf_tail: float,
    flecks: int,
) -> None:
    if len(frame_shape) != 2 or min(frame_shape) < 1:
        raise InputError(f"frame_shape is {frame_shape}; expected (H, W), both positive")
    if not 1 < sbr < math.inf:
        raise InputError(f"sbr is {sbr}; expected a number above 1")
    if not 0 <= core_sbr < sbr:
        raise InputError(f"core_sbr is {core_sbr}; expected 0 to below sbr, which is {sbr}")
    if not snr > 0:
        raise InputError(f"snr is {snr}; expected a positive number, or infinity for a frame without noise")
    if not 0 <= psf_sigma_px < math.inf:
        raise UnitError(f"psf_sigma_px is {psf_sigma_px}; expected a length in pixels, 0 for none")
    if not 0 <= psf_tail < 1:
        raise InputError(f"psf_tail is {psf_tail}; expected a share from 0 to below 1")
    if flecks < 0:
        raise InputError(f"flecks is {flecks}; expected 0 or more")


def _angles() -> _Reals:
    return np.linspace(0.0, 2 * math.pi, _VERTICES, endpoint=False)


def _wobble(harmonics: _Harmonics, angle: _Reals) -> _Reals:
    factor = np.ones_like(angle)
    for order, (amplitude, phase) in harmonics.items():
        factor += amplitude * np.cos(order * angle - phase)
    return factor


def _inside(shape: RimShape, y: _Reals, x: _Reals) -> tuple[_Flags, _Flags, _Flags]:
    """Return which points lie in the core, between the boundaries, and at an angle without a rim."""
    dy, dx = y - shape.centre_px[0], x - shape.centre_px[1]
    distance, angle = np.hypot(dy, dx), np.arctan2(dy, dx)
    core = distance < shape.inner_radius_px(angle)
    return core, (distance < shape.outer_radius_px(angle)) & ~core, shape.in_gap(angle)


def _shares(shape: RimShape, y: _Reals, x: _Reals, width: float) -> tuple[_Reals, _Reals]:
    """Return how much of squares of side `width` lies in the core, and how much within a rim that is not missing.

    Exact for an edge along the grid. A mean over samples that are in or out would move such an edge by a few hundredths
    of a pixel wherever the outline is tangent to a row of them.
    """
    dy, dx = y - shape.centre_px[0], x - shape.centre_px[1]
    distance, angle = np.hypot(dy, dx), np.arctan2(dy, dx)

    def within(radius: _Reals, dense: _Reals) -> _Reals:
        slope = np.gradient(dense, 2 * math.pi / _VERTICES) / dense
        slant = np.interp(angle, _angles(), 1 / np.hypot(1, slope), period=2 * math.pi)
        return np.clip(0.5 + (radius - distance) * slant / width, 0, 1)

    core = within(shape.inner_radius_px(angle), shape.inner_radius_px(_angles()))
    glow = within(shape.outer_radius_px(angle), shape.outer_radius_px(_angles()))
    for start, end in np.radians(np.reshape(shape.gaps_deg, (-1, 2))).tolist():
        from_middle = np.abs(np.mod(angle - (start + end) / 2 + math.pi, 2 * math.pi) - math.pi)
        glow *= 1 - np.clip(0.5 + ((end - start) / 2 - from_middle) * distance / width, 0, 1)
    return core, glow


def _render(
    frame_shape: tuple[int, int], shapes: Sequence[RimShape], rim: float, core: float, pad: int, fine: int
) -> _Reals:
    """Return the scene over liver, averaged over cells of 1 / fine pixel, with `pad` pixels more on each side."""
    height, width = (n + 2 * pad for n in frame_shape)
    y, x = (np.asarray(p, np.float64) - pad for p in np.indices((height, width)))
    near = np.zeros(y.shape, bool)
    for shape in shapes:
        for share in _shares(shape, y, x, 3.0):  # wider than a pixel, so that none that an edge crosses is missed
            near |= (share > 0) & (share < 1)

    def level(y: _Reals, x: _Reals, side: float) -> _Reals:
        dark, glow = np.zeros(y.shape), np.zeros(y.shape)
        for shape in shapes:
            in_core, within = _shares(shape, y, x, side)
            np.maximum(dark, in_core, out=dark)
            np.maximum(glow, within, out=glow)
        return np.asarray(core * dark + rim * np.minimum(glow, 1 - dark))

    cells = np.repeat(np.repeat(level(y, x, 1.0)[:, None, :, None], fine, axis=1), fine, axis=3)
    parts = math.ceil(_SUBPIXELS / fine)
    offsets = (np.arange(fine * parts) + 0.5) / (fine * parts) - 0.5
    rows, columns = np.broadcast_arrays(y[near][:, None, None] + offsets[:, None], x[near][:, None, None] + offsets)
    edges = level(rows, columns, 1 / (fine * parts)).reshape(-1, fine, parts, fine, parts).mean(axis=(2, 4))
    cells.transpose(0, 2, 1, 3)[near] = edges
    return cells.reshape(height * fine, width * fine)


def _scattered(excess: _Reals) -> _Reals:
    """Return the light after scattering in tissue; the frame must be padded, since its borders wrap."""
    ky, kx = (2 * math.pi * np.fft.fftfreq(n) for n in excess.shape)
    kappa = np.sqrt(_TAIL_MU_EFF**2 + ky[:, None] ** 2 + kx**2)
    transfer = (1 + _TAIL_BOUNDARY_PX * _TAIL_MU_EFF) / (1 + _TAIL_BOUNDARY_PX * kappa)
    transfer *= np.exp(-(kappa - _TAIL_MU_EFF) * _TAIL_DEPTH_PX)
    return np.asarray(np.fft.ifft2(np.fft.fft2(excess) * transfer).real)


def _masks(frame_shape: tuple[int, int], shapes: Sequence[RimShape]) -> dict[str, Any]:
    """Return labels and masks of pixel centres; InputError where cores overlap or lie outside."""
    y, x = (np.asarray(p, np.float64) for p in np.indices(frame_shape))
    core, between, glow = (np.zeros(frame_shape, bool) for _ in range(3))
    core_of, glow_of = (np.zeros(frame_shape, np.int32) for _ in range(2))
    for number, shape in enumerate(shapes, 1):
        in_core, in_ring, in_gap = _inside(shape, y, x)
        if not in_core.any():
            raise InputError(f"the core of shape {number} lies outside the frame {frame_shape}")
        if (core & in_core).any():
            raise InputError(f"the core of shape {number} overlaps another; only rims may")
        core |= in_core
        between |= in_ring
        glow |= in_ring & ~in_gap
        core_of[in_core] = number
        glow_of[in_ring & ~in_gap & (glow_of == 0)] = number
    return {
        "rim_mask": glow & ~core,
        "core_mask": core,
        "gap_mask": between & ~glow & ~core,
        "labels": np.where(core, core_of, glow_of),
    }


def _place_flecks(
    frame_shape: tuple[int, int], shapes: Sequence[RimShape], count: int, clear_px: float, rng: np.random.Generator
) -> _Reals:
    """Return y, x, radius and level over the rim's of each fleck, clear of the rims and of one another; (F, 4)."""
    edges = np.concatenate([np.zeros((0, 2)), *(shape.contours()[1] for shape in shapes)])
    placed = np.zeros((0, 4))
    tries = 0
    while len(placed) < count and tries < _FLECK_TRIES:
        tries += 1
        y, x = (rng.uniform(0, n - 1) for n in frame_shape)
        radius = rng.uniform(*_FLECK_RADII_PX)
        within = any(np.any(_inside(shape, np.array(y), np.array(x))[:2]) for shape in shapes)
        apart = np.hypot(*(edges - (y, x)).T) > radius + clear_px
        alone = np.hypot(*(placed[:, :2] - (y, x)).T) > 2 * _FLECK_RADII_PX[1] + clear_px
        if not within and apart.all() and alone.all():
            placed = np.vstack([placed, (y, x, radius, rng.uniform(0.7, 1.5))])
            tries = 0
    if len(placed) < count:
        raise InputError(f"room for {len(placed)} of {count} flecks only; ask for fewer or for a larger frame_shape")
    return placed
