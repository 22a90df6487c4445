"""Simulated scenes with exact truth, seen through a simulated camera. Nothing here is a measurement of tissue."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ._characterization_series import CharacterizationSeries
from ._rim_scene import RimScene, RimShape, RimTruth, rim_scene
from ._simulated_camera import SimulatedCamera
from ._simulated_trial import SimulatedTrial, trial
from .errors import InputError, UnitError
from .frame import Stack
from .profile import CameraProfile

if TYPE_CHECKING:
    from .plane import Plane

__all__ = [
    "BedPhantom",
    "BedTruth",
    "CharacterizationSeries",
    "RimScene",
    "RimShape",
    "RimTruth",
    "SectionLesion",
    "SectionPhantom",
    "SectionTruth",
    "SimulatedCamera",
    "SimulatedTrial",
    "bed_scene",
    "rim_scene",
    "section_stack",
    "trial",
]

_Reals = npt.NDArray[np.float64]

_LIVER_E_PER_MS = 80.0  # 400 DN above dark with the default camera: an SBR of 9 still fits into 12 bits
_MIN_PLATEAU_PX = 16.0
_REACH_SIGMAS = 4.0  # beyond this many sigma the point spread leaves under 1e-4 of a step
_TEXTURE_SIGMA_PX = 6.0
_SUBPIXELS = 8
_GAP_MM = 1.5  # free space between shells, and between shells and the borders of the frame
_BEYOND_PLANE_MM = 3.0
_BEYOND_PLANE_SHARE = 0.02
_R1_BELOW_MM = 1.0


@dataclass(frozen=True, eq=False)
class BedTruth:
    """What is true of a simulated tumour bed.

    Attributes
    ----------
    fluorescent : bool
        Whether anything was left behind that glows over the liver.
    sbr : float
        Plateau of the patch (and ring) over the liver; NaN when nothing glows.
    background_level : float
        Liver in DN/ms, as a perfect calibration finds it.
    noiseless : ndarray of float32, shape (T, H, W)
        What a perfect, noiseless camera would report, DN/ms; blurred by the point spread.
    residual_mask : ndarray of bool, shape (T, H, W)
        Pixels of which at least half belong to patch or ring, before blur.
    patch_centres_px, ring_centres_px : ndarray of float64, shape (T, 2), or None
        (y, x) per frame.
    patch_radius_mm, ring_inner_radius_mm, ring_thickness_mm : float
        NaN for what is not in the scene.
    psf_sigma_px : float
        Standard deviation of the Gaussian point spread.
    """

    fluorescent: bool
    sbr: float
    background_level: float
    noiseless: npt.NDArray[np.float32]
    residual_mask: npt.NDArray[np.bool_]
    patch_centres_px: _Reals | None
    ring_centres_px: _Reals | None
    patch_radius_mm: float
    ring_inner_radius_mm: float
    ring_thickness_mm: float
    psf_sigma_px: float


@dataclass(frozen=True, eq=False)
class BedPhantom:
    """A simulated video of a tumour bed (TYX), the profile measured with its camera, and the truth."""

    stack: Stack
    profile: CameraProfile
    truth: BedTruth


@dataclass(frozen=True)
class SectionLesion:
    """Truth of one simulated lesion: a dark sphere in a glowing shell.

    `centre_mm` is (z, y, x), index times spacing; `margin_mm` the distance from the sphere to the resection plane, and
    `label` "R1" when it is under 1 mm, else "R0".
    """

    centre_mm: tuple[float, float, float]
    core_radius_mm: float
    rim_thickness_mm: float
    margin_mm: float
    label: str
    slice_spacing_mm: float

    def inner_radius_mm(self, z_index: int) -> float:
        """Return the radius of the core's circle in a slice; NaN where the slice misses the core."""
        return _circle_mm(self.core_radius_mm, z_index * self.slice_spacing_mm - self.centre_mm[0])

    def outer_radius_mm(self, z_index: int) -> float:
        """Return the radius of the shell's outer circle in a slice; NaN where the slice misses the lesion."""
        outer = self.core_radius_mm + self.rim_thickness_mm
        return _circle_mm(outer, z_index * self.slice_spacing_mm - self.centre_mm[0])


@dataclass(frozen=True, eq=False)
class SectionTruth:
    """What is true of a simulated specimen.

    `lesions` has one entry per margin, left to right; `sbr` and `core_sbr` are shell and core over liver;
    `background_level` the liver in DN/ms as a perfect calibration finds it; `noiseless` (Z, H, W) float32 what a
    perfect, noiseless camera would report in DN/ms, blurred by the point spread of `psf_sigma_px`.
    """

    lesions: tuple[SectionLesion, ...]
    sbr: float
    core_sbr: float
    background_level: float
    noiseless: npt.NDArray[np.float32]
    psf_sigma_px: float


@dataclass(frozen=True, eq=False)
class SectionPhantom:
    """A simulated sliced specimen (ZYX), the profile measured with its camera, the resection plane, and the truth."""

    stack: Stack
    profile: CameraProfile
    plane: Plane
    truth: SectionTruth


def bed_scene(
    *,
    shape: tuple[int, int] = (240, 320),
    n_frames: int = 12,
    sbr: float | None = 3.0,
    pixel_size_mm: float = 0.2,
    residual: bool = True,
    patch_radius_mm: float = 3.2,
    ring_inner_radius_mm: float | None = None,
    ring_thickness_mm: float = 1.6,
    drift_px: tuple[float, float] = (0.15, 0.35),
    psf_sigma_px: float = 1.2,
    texture: float = 0.0,
    camera: SimulatedCamera | None = None,
    seed: int = 0,
) -> BedPhantom:
    """Simulate a video of a tumour bed: liver, and on it what glows and was left behind.

    The patch is a disc with a flat top at `sbr` times the liver; the ring, when asked for, is a rim seen from above.
    Both drift. The scene is blurred by a Gaussian point spread and taken by a simulated camera whose profile is
    measured from its own dark and flat frames.

    Parameters
    ----------
    shape : tuple of int
        (H, W) of a frame.
    n_frames : int
        Number of frames.
    sbr : float or None
        Plateau over liver, above 1; None for a bed without residual fluorescence.
    pixel_size_mm : float
        Pixel size.
    residual : bool
        Whether the patch is there.
    patch_radius_mm : float
        Radius of the patch; its flat top must be at least 16 pixels wide.
    ring_inner_radius_mm : float, optional
        Inner radius of a rim ring beside the patch; none when not given.
    ring_thickness_mm : float
        Thickness of the ring.
    drift_px : tuple of float
        (y, x) motion per frame.
    psf_sigma_px : float
        Standard deviation of the point spread.
    texture : float
        Relative standard deviation of the liver's brightness over space, 0 to 0.2; its mean stays the background level.
        At 0 every level of the truth is exact; otherwise it is exact on average.
    camera : SimulatedCamera, optional
        The camera; ``SimulatedCamera(seed=seed)`` when not given.
    seed : int
        Seed of the default camera and of the texture.

    Returns
    -------
    BedPhantom

    Raises
    ------
    InputError
        When the scene does not fit into the frame or an option is out of range.
    UnitError
        When a length is not positive.

    Examples
    --------
    >>> from pyicg.phantom import bed_scene
    >>> bed = bed_scene(shape=(96, 96), n_frames=2, sbr=3.0)
    >>> bed.stack.shape, bed.truth.fluorescent, bed.truth.sbr
    ((2, 96, 96), True, 3.0)
    """
    from scipy.ndimage import gaussian_filter

    _check_lengths(
        pixel_size_mm=pixel_size_mm,
        patch_radius_mm=patch_radius_mm,
        ring_inner_radius_mm=ring_inner_radius_mm,
        ring_thickness_mm=ring_thickness_mm,
        psf_sigma_px=psf_sigma_px,
    )
    if n_frames < 1:
        raise InputError(f"n_frames is {n_frames}; expected at least 1")
    if sbr is not None and not 1 < sbr < math.inf:
        raise InputError(f"sbr is {sbr}; expected a number above 1, or None for a bed without residual fluorescence")
    if not 0 <= texture <= 0.2:
        raise InputError(f"texture is {texture}; expected 0 to 0.2")
    camera = SimulatedCamera(seed=seed) if camera is None else camera
    patch_px = patch_radius_mm / pixel_size_mm if residual and sbr is not None else math.nan
    inner_px, outer_px = math.nan, math.nan
    if ring_inner_radius_mm is not None and sbr is not None:
        inner_px = ring_inner_radius_mm / pixel_size_mm
        outer_px = inner_px + ring_thickness_mm / pixel_size_mm
    reach = _REACH_SIGMAS * psf_sigma_px
    if 2 * (patch_px - reach) < _MIN_PLATEAU_PX:
        raise InputError(
            f"the patch has a flat top of {2 * (patch_px - reach):.1f} px, expected at least {_MIN_PLATEAU_PX:.0f} px; "
            "raise patch_radius_mm or lower pixel_size_mm"
        )
    paths = _bed_paths(shape, n_frames, drift_px, (patch_px, outer_px), reach)

    glow = np.zeros((n_frames, *shape))
    for t, (patch_centre, ring_centre) in enumerate(zip(*paths, strict=True)):
        glow[t] += _disc(shape, patch_centre, patch_px)
        glow[t] += _disc(shape, ring_centre, outer_px) - _disc(shape, ring_centre, inner_px)
    liver = np.ones(shape)
    if texture > 0:
        grain = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), _TEXTURE_SIGMA_PX, mode="wrap")
        liver = np.maximum(1 + texture * (grain - grain.mean()) / grain.std(), 0.0)
    scene = liver * (1 + ((sbr or 1.0) - 1) * glow)
    scene = gaussian_filter(scene, (0, psf_sigma_px, psf_sigma_px), mode="nearest", truncate=5.0)
    level = camera.dn_per_ms(_LIVER_E_PER_MS, shape)
    glows = bool(glow.any())
    truth = BedTruth(
        fluorescent=glows,
        sbr=float(sbr) if sbr is not None and glows else math.nan,
        background_level=level,
        noiseless=(level * scene).astype(np.float32),
        residual_mask=glow >= 0.5,
        patch_centres_px=None if math.isnan(patch_px) else paths[0],
        ring_centres_px=None if math.isnan(outer_px) else paths[1],
        patch_radius_mm=patch_px * pixel_size_mm,
        ring_inner_radius_mm=inner_px * pixel_size_mm,
        ring_thickness_mm=(outer_px - inner_px) * pixel_size_mm,
        psf_sigma_px=psf_sigma_px,
    )
    spacing = (None, pixel_size_mm, pixel_size_mm)
    return BedPhantom(_video(camera, scene, "TYX", spacing), camera.measure_profile(shape), truth)


def section_stack(
    *,
    margins_mm: Sequence[float] = (0.4, 1.5, 6.0),
    shape: tuple[int, int] | None = (320, 440),
    n_slices: int = 9,
    pixel_size_mm: float = 0.1,
    slice_spacing_mm: float = 1.0,
    core_radius_mm: float = 3.5,
    rim_thickness_mm: float = 1.6,
    sbr: float = 4.0,
    core_sbr: float = 0.4,
    centre_offset_mm: float = 0.0,
    psf_sigma_px: float = 1.2,
    camera: SimulatedCamera | None = None,
    seed: int = 0,
) -> SectionPhantom:
    """Simulate a sliced specimen: spherical lesions side by side, each at its own distance from the resection plane.

    A lesion is a dark sphere (the tumour) inside a glowing shell of liver. The plane is the specimen's edge towards +y:
    beyond it lies an empty field at 2 % of the liver, and a shell that reaches past the plane is cut by it.

    Parameters
    ----------
    margins_mm : sequence of float
        Distance from each tumour to the plane, left to right; negative when the plane cuts the tumour.
    shape : tuple of int, or None
        (H, W) of a slice; None takes what the lesions need.
    n_slices : int
        Number of slices.
    pixel_size_mm, slice_spacing_mm : float
        Sampling.
    core_radius_mm, rim_thickness_mm : float
        Radius of the tumour and thickness of the shell.
    sbr, core_sbr : float
        Shell and tumour over liver.
    centre_offset_mm : float
        How far beyond slice ``n_slices // 2`` the spheres' centres lie in z; at 0 that slice shows the true margin.
    psf_sigma_px : float
        Standard deviation of the point spread in the slice.
    camera : SimulatedCamera, optional
        The camera; ``SimulatedCamera(seed=seed)`` when not given.
    seed : int
        Seed of the default camera.

    Returns
    -------
    SectionPhantom

    Raises
    ------
    InputError
        When the lesions do not fit into the slice with 1.5 mm between them and to its borders, or an option is out of
        range.
    UnitError
        When a length is not positive.

    Examples
    --------
    >>> from pyicg.phantom import section_stack
    >>> section = section_stack(margins_mm=(0.4, 1.5), shape=None, n_slices=3)
    >>> [(lesion.margin_mm, lesion.label) for lesion in section.truth.lesions]
    [(0.4, 'R1'), (1.5, 'R0')]
    """
    from scipy.ndimage import gaussian_filter

    from .plane import Plane

    _check_lengths(
        pixel_size_mm=pixel_size_mm,
        slice_spacing_mm=slice_spacing_mm,
        core_radius_mm=core_radius_mm,
        rim_thickness_mm=rim_thickness_mm,
        psf_sigma_px=psf_sigma_px,
    )
    if n_slices < 1:
        raise InputError(f"n_slices is {n_slices}; expected at least 1")
    if not 0 <= core_sbr < sbr < math.inf:
        raise InputError(f"sbr is {sbr} and core_sbr {core_sbr}; expected 0 <= core_sbr < sbr")
    if len(margins_mm) == 0 or not all(-core_radius_mm < margin < math.inf for margin in margins_mm):
        raise InputError(f"margins_mm is {margins_mm}; expected numbers above -core_radius_mm, one per lesion")
    camera = SimulatedCamera(seed=seed) if camera is None else camera
    outer_mm = core_radius_mm + rim_thickness_mm
    shape = _section_shape(shape, margins_mm, core_radius_mm, outer_mm, pixel_size_mm)
    height, width = shape
    # On a border between two rows, so that a pixel is either tissue or not.
    last_row = height - 1 - round(_BEYOND_PLANE_MM / pixel_size_mm)
    plane_y_mm = (last_row + 0.5) * pixel_size_mm
    gap_mm = (width * pixel_size_mm - 2 * outer_mm * len(margins_mm)) / (len(margins_mm) + 1)
    lesions = tuple(
        SectionLesion(
            centre_mm=(
                (n_slices // 2) * slice_spacing_mm + centre_offset_mm,
                plane_y_mm - margin - core_radius_mm,
                -pixel_size_mm / 2 + gap_mm * (i + 1) + outer_mm * (2 * i + 1),
            ),
            core_radius_mm=core_radius_mm,
            rim_thickness_mm=rim_thickness_mm,
            margin_mm=float(margin),
            label="R1" if margin < _R1_BELOW_MM else "R0",
            slice_spacing_mm=slice_spacing_mm,
        )
        for i, margin in enumerate(margins_mm)
    )
    scene = np.ones((n_slices, *shape))
    for z in range(n_slices):
        for lesion in lesions:
            centre = (lesion.centre_mm[1] / pixel_size_mm, lesion.centre_mm[2] / pixel_size_mm)
            scene[z] += (sbr - 1) * _disc(shape, centre, lesion.outer_radius_mm(z) / pixel_size_mm)
            scene[z] += (core_sbr - sbr) * _disc(shape, centre, lesion.inner_radius_mm(z) / pixel_size_mm)
    scene[:, last_row + 1 :] = _BEYOND_PLANE_SHARE
    scene = gaussian_filter(scene, (0, psf_sigma_px, psf_sigma_px), mode="nearest", truncate=5.0)
    level = camera.dn_per_ms(_LIVER_E_PER_MS, shape)
    truth = SectionTruth(lesions, float(sbr), float(core_sbr), level, (level * scene).astype(np.float32), psf_sigma_px)
    spacing = (slice_spacing_mm, pixel_size_mm, pixel_size_mm)
    foot = (lesions[0].centre_mm[0], plane_y_mm, (width - 1) / 2 * pixel_size_mm)
    plane = Plane(point_mm=foot, normal=(0.0, 1.0, 0.0))
    return SectionPhantom(_video(camera, scene, "ZYX", spacing), camera.measure_profile(shape), plane, truth)


def _video(
    camera: SimulatedCamera, scene: _Reals, axes: str, spacing_mm: tuple[float | None, float | None, float | None]
) -> Stack:
    frames = camera.expose(_LIVER_E_PER_MS * scene)
    return Stack.from_array(
        frames, axes=axes, spacing_mm=spacing_mm, exposure_ms=camera.exposure_ms, bit_depth=camera.bit_depth
    )


def _bed_paths(
    shape: tuple[int, int], n_frames: int, drift_px: tuple[float, float], radii_px: tuple[float, float], reach_px: float
) -> tuple[_Reals, _Reals]:
    """Return the (T, 2) centres of patch and ring; raise InputError when they leave the frame or touch.

    Alone, either sits in the middle of the frame; together they share it left and right.
    """
    both = not any(math.isnan(radius) for radius in radii_px)
    steps = np.arange(n_frames)[:, None] - (n_frames - 1) / 2
    drift = steps * np.asarray(drift_px, np.float64)
    size = np.asarray(shape, np.float64)
    paths = [size * (0.5, share if both else 0.5) - 0.5 + drift for share in (0.3, 0.68)]
    for path, radius in zip(paths, radii_px, strict=True):
        room = np.minimum(path, size - 1 - path).min()
        if room < radius + reach_px:
            raise InputError(
                f"a glow of radius {radius:.1f} px and the blur around it comes within {room:.1f} px of the border; "
                "raise shape, or lower its radius or the drift"
            )
    apart = float(np.hypot(*(paths[0] - paths[1]).T).min())
    if apart < sum(radii_px) + 2 * reach_px:
        raise InputError(f"patch and ring are {apart:.1f} px apart and would touch; raise shape or lower their radii")
    return paths[0], paths[1]


def _section_shape(
    shape: tuple[int, int] | None, margins_mm: Sequence[float], core_mm: float, outer_mm: float, pixel_mm: float
) -> tuple[int, int]:
    """Return the shape asked for, or the smallest one that holds the lesions; InputError when they do not fit."""
    count = len(margins_mm)
    need_height = _GAP_MM + outer_mm + core_mm + max(margins_mm) + _BEYOND_PLANE_MM
    need_width = 2 * outer_mm * count + _GAP_MM * (count + 1)
    need = math.ceil(need_height / pixel_mm) + 1, math.ceil(need_width / pixel_mm)
    if shape is None:
        return need
    if shape[0] < need[0] or shape[1] < need[1]:
        raise InputError(f"shape is {shape}, the lesions need at least {need}; give that, or shape=None")
    return shape


def _disc(shape: tuple[int, int], centre_px: npt.ArrayLike, radius_px: float) -> _Reals:
    """Return the share of each pixel that a disc covers (H, W); zeros for a radius of NaN."""
    cy, cx = np.asarray(centre_px, np.float64)
    y, x = np.arange(shape[0]) - cy, np.arange(shape[1]) - cx
    distance = np.hypot(y[:, None], x)
    cover: _Reals = (distance < radius_px).astype(np.float64)
    rows, columns = np.nonzero(np.abs(distance - radius_px) < 0.75)  # half a pixel's diagonal is 0.71
    offsets = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS - 0.5
    inside = np.hypot(y[rows, None, None] + offsets[:, None], x[columns, None, None] + offsets) < radius_px
    cover[rows, columns] = inside.mean(axis=(1, 2))
    return cover


def _circle_mm(radius_mm: float, offset_mm: float) -> float:
    """Return the radius of the circle in which a plane at `offset_mm` cuts a sphere; NaN when it does not."""
    return math.sqrt(radius_mm**2 - offset_mm**2) if abs(offset_mm) < radius_mm else math.nan


def _check_lengths(**lengths: float | None) -> None:
    for name, value in lengths.items():
        if value is not None and not 0 < value < math.inf:
            raise UnitError(f"{name} is {value}; expected a positive length")
