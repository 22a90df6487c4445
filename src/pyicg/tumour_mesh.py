"""A tumour's surface in a volume: where its grey level is half way between core and rim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg.errors import InputError
from pyicg.results import FloatArray
from pyicg.spacing import spacing_zyx

__all__ = ["LEVEL_DOUBT", "TumourMesh", "iso_surface"]

LEVEL_DOUBT = 0.1  # assumption: the half level is known within +-10 % of the step from core to rim, evenly


@dataclass(frozen=True, eq=False)
class TumourMesh:
    """A triangulated surface of a tumour.

    Attributes
    ----------
    points_mm : ndarray (M, 3)
        Vertices (z, y, x).
    triangles : ndarray (T, 3)
        Corners as indices of vertices.
    sigma_mm : ndarray (M,)
        Standard uncertainty of each vertex along the surface's normal, from noise that is white from voxel to voxel.
    level_sigma_mm : ndarray (M,)
        By how much the doubt about the level moves it.
    spacing_mm : tuple of float
        (z, y, x) of the volume.
    warnings : tuple of str
        ``clipped_by_border`` where the volume ends before the tumour does.
    """

    points_mm: FloatArray
    triangles: npt.NDArray[np.intp]
    sigma_mm: FloatArray
    level_sigma_mm: FloatArray
    spacing_mm: tuple[float, float, float]
    warnings: tuple[str, ...] = ()


def iso_surface(
    volume: npt.NDArray[np.float32],
    *,
    core: float,
    rim: float,
    inside: Sequence[int],
    spacing_mm: Sequence[float],
    noise: float = 0.0,
) -> TumourMesh:
    r"""Find the surface of one dark core in a volume, half way between the levels of core and rim.

    Parameters
    ----------
    volume : ndarray of float32, shape (Z, Y, X)
        Calibrated signal; every voxel finite.
    core, rim : float
        Levels of the core and of the rim around it, in the unit of the volume.
    inside : sequence of int
        A voxel (z, y, x) in the core.
    spacing_mm : sequence of float
        (z, y, x) in mm.
    noise : float
        Standard deviation of one voxel, in the unit of the volume; 0 takes the volume as exact.

    Returns
    -------
    TumourMesh
        For `pyicg.distance_to_plane`.

    Raises
    ------
    InputError
        A volume of another kind, levels in the wrong order, a voxel that is not in a core, or scikit-image missing.
    UnitError
        A spacing that is not positive.

    Notes
    -----
    Marching cubes of scikit-image (extra ``volume``; Lewiner et al., J. Graph. Tools 8 (2003) 1-15) on the part of the
    volume that is under the level and joined to `inside`. A blur of standard deviation s puts the half level inside a
    surface with the radii R1 and R2 by :math:`s^2 (1/R_1 + 1/R_2) / 2`: the tumour comes out too small, the margin too
    large, **the unsafe direction**. It is not corrected; slices, whose rims are fitted, do not have it.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> z, y, x = np.mgrid[-12:13, -12:13, -12:13]
    >>> volume = np.clip(np.sqrt(z**2 + y**2 + x**2) - 7.5, 0, 1).astype(np.float32)  # a ball of radius 8
    >>> ball = pyicg.iso_surface(volume, core=0.0, rim=1.0, inside=(12, 12, 12), spacing_mm=(0.5, 0.5, 0.5))
    >>> plane = pyicg.Plane(point_mm=(0, 12, 0), normal=(0, 1, 0))
    >>> abs(pyicg.distance_to_plane(ball, plane).min_mm - (12 - 6 - 4)) < 0.01
    True
    """
    steps = np.array(spacing_zyx(spacing_mm))
    if not isinstance(volume, np.ndarray):
        raise InputError(f"volume is a {type(volume).__name__}, expected a 3-D float32 array")
    if volume.ndim != 3 or volume.dtype != np.float32 or min(volume.shape) < 2 or not np.isfinite(volume).all():
        raise InputError(
            f"volume must be 3-D float32 of at least 2 x 2 x 2 finite voxels, found {volume.dtype} {volume.shape}"
        )
    if not all(isinstance(value, int | float | np.number) for value in (core, rim, noise)):
        raise InputError(f"core is {core!r}, rim {rim!r} and noise {noise!r}; expected numbers")
    if not (math.isfinite(core) and math.isfinite(rim) and core < rim) or not 0 <= noise < math.inf:
        raise InputError(f"core is {core}, rim {rim} and noise {noise}; expected core < rim and a noise of 0 or more")
    level = 0.5 * (core + rim)
    only, clipped = _one_core(volume, level, rim, inside)
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise InputError("iso_surface needs scikit-image: pip install 'pyicg[volume]'") from error
    places, faces, _, _ = marching_cubes(only, level, allow_degenerate=False)
    steep = np.maximum(_steepness(volume, places, steps), 1e-30)
    return TumourMesh(
        points_mm=places.astype(np.float64) * steps,
        triangles=faces.astype(np.intp),
        sigma_mm=noise / steep,
        level_sigma_mm=LEVEL_DOUBT / math.sqrt(3) * (rim - core) / steep,
        spacing_mm=(float(steps[0]), float(steps[1]), float(steps[2])),
        warnings=("clipped_by_border",) if clipped else (),
    )


def _one_core(
    volume: npt.NDArray[np.float32], level: float, rim: float, inside: Sequence[int]
) -> tuple[npt.NDArray[np.float32], bool]:
    """Return the volume with everything at the rim's level but the core around a voxel, and whether it is cut."""
    from scipy.ndimage import binary_dilation, label

    place = tuple(int(i) for i in inside)
    if len(place) != 3 or not all(0 <= i < n for i, n in zip(place, volume.shape, strict=True)):
        raise InputError(f"inside is {inside}, expected a voxel (z, y, x) of a volume of shape {volume.shape}")
    dark = volume < level
    if not dark[place]:
        raise InputError(
            f"the voxel {place} has {volume[place]:g}, not under the half level {level:g}: it is not in a core"
        )
    parts, _ = label(dark)
    own = parts == parts[place]
    ends = [own.take(end, axis).any() for axis in range(3) for end in (0, -1)]
    return np.where(binary_dilation(own), volume, np.float32(rim)).astype(np.float32), bool(any(ends))


def _steepness(volume: npt.NDArray[np.float32], places: FloatArray, steps: FloatArray) -> FloatArray:
    """Return |grad| of the volume at places in voxels, per mm."""
    from scipy.ndimage import map_coordinates

    slopes = [
        map_coordinates(np.gradient(volume, step, axis=axis), places.T, order=1) for axis, step in enumerate(steps)
    ]
    return np.asarray(np.linalg.norm(slopes, axis=0), dtype=np.float64)
