"""Room 4: millimetres from the tumour's surface to the resection plane or surface."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pyicg import _core
from pyicg.distance_map import distance_transform
from pyicg.errors import InputError, UnitError
from pyicg.plane import Plane, triple
from pyicg.results import BoolArray, Distance, FloatArray, Lesion, RimSegmentation
from pyicg.slices import Slice, rim_cut_open, surface_points
from pyicg.spacing import spacing_zyx

__all__ = ["distance_to_plane", "distance_to_surface"]

_Z95 = 1.959963984540054
_DECISION_MM = 1.0  # the MIMIC rule: R1 is less than 1 mm
_FLAT_RMS_MM = 0.5  # assumption: a plane whose points scatter more than this is no plane for a 1 mm decision


def distance_to_plane(
    surface: npt.NDArray[np.float64] | Sequence[RimSegmentation],
    plane: Plane,
    *,
    spacing_mm: Sequence[float] | None = None,
) -> Distance:
    """Measure the smallest signed distance from the tumour to the resection plane.

    Parameters
    ----------
    surface : ndarray (N, 3) of float64, or sequence of RimSegmentation
        Points (z, y, x) of the tumour's surface in mm, or one segmentation per slice in order: the inner contours of
        all its lesions are the surface.
    plane : Plane
        The resection plane.
    spacing_mm : tuple of float, optional
        (z, y, x) spacing; required for segmentations, and not allowed for points, which are in mm already.

    Returns
    -------
    Distance
        Positive before the plane, negative beyond it. Without a lesion NaN with warning ``no_lesion``.

    Raises
    ------
    UnitError
        A spacing that is missing, not positive, or given with points.
    InputError
        A surface of another kind or shape.

    Notes
    -----
    Distances are ``(point - p) . normal`` at sub-pixel vertices taken on the grey image. A lesion that is in one slice
    and not in the next is taken to end half way between. ``sigma_mm`` joins in quadrature: the vertex's own sigma, the
    boundary's level (known within 10 % of the step), a rim too thin to measure it well, the plane's variance at the
    foot, and between slices ``|n_z| s_z / sqrt(12)`` and the sag ``r - sqrt(r^2 - (s_z/2)^2)`` of a lesion of radius r
    that is cut beside its closest point. The minimum of many noisy vertices lies a little low, the safe side; this
    version does not correct for it. A rim with a gap, or a bright region without a core, within 1 mm of the plane
    may be a tumour that the plane cuts open, whose edge was not seen: the warning ``no_enclosed_core``.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> plane = pyicg.Plane(point_mm=(0, 10, 0), normal=(0, 1, 0))
    >>> dist = pyicg.distance_to_plane(np.array([[0.0, 7.5, 0.0], [0.0, 9.6, 3.0]]), plane)
    >>> round(dist.min_mm, 3), dist.foot_mm
    (0.4, (0.0, 9.6, 3.0))
    """
    if isinstance(surface, np.ndarray):
        if spacing_mm is not None:
            raise UnitError("points are in millimetres already: leave spacing_mm out, or pass segmentations")
        if surface.ndim != 2 or surface.shape[1] != 3 or surface.dtype != np.float64:
            raise InputError(f"points must be float64 of shape (N, 3), found {surface.dtype} of shape {surface.shape}")
        if not np.isfinite(surface).all():
            raise InputError("points must be finite, found NaN or infinity")
        points = np.ascontiguousarray(surface)
        return _distance(points, np.zeros(len(points)), plane, ())
    if spacing_mm is None:
        raise UnitError("segmentations are in pixels: pass spacing_mm=(z, y, x); without it there are no millimetres")
    if not all(isinstance(item, RimSegmentation) for item in surface):
        raise InputError("surface must be an (N, 3) array of points in mm or a sequence of RimSegmentation")
    slices = [Slice(index, rim.lesions, rim.rejected) for index, rim in enumerate(surface)]
    members = [(item.index, lesion) for item in slices for lesion in item.lesions]
    found = distance_of_lesions(members, plane, spacing_mm=spacing_mm, n_slices=len(slices))
    if members and cut_open(slices, plane, spacing_mm=spacing_mm):
        found = replace(found, warnings=(*found.warnings, "no_enclosed_core"))
    return found


def distance_of_lesions(
    members: Sequence[tuple[int, Lesion]], plane: Plane, *, spacing_mm: Sequence[float], n_slices: int
) -> Distance:
    """Measure the distance of lesions given as (slice index, lesion); the rest is as in `distance_to_plane`."""
    spacing = spacing_zyx(spacing_mm)
    if not members:
        return Distance(math.nan, math.nan, (math.nan, math.nan), math.nan, (math.nan,) * 3, ("no_lesion",))
    surface = surface_points(members, plane.normal, spacing)
    found = _distance(surface.points, surface.sigma, plane, surface.warnings, between=surface.between_mm)
    if not 0 <= found.foot_mm[0] <= (n_slices - 1) * spacing[0] and "extrapolated" not in found.warnings:
        found = replace(found, warnings=(*found.warnings, "extrapolated"))
    return found


def cut_open(slices: Sequence[Slice], plane: Plane, *, spacing_mm: Sequence[float]) -> bool:
    """Tell whether a rim that may be open comes within 1 mm of the plane; see `pyicg.slices.rim_cut_open`."""
    spacing = spacing_zyx(spacing_mm)
    if not plane.oriented:
        centres = [(item.index, *lesion.centroid) for item in slices for lesion in item.lesions]
        plane = plane.facing(np.mean(centres, axis=0) * spacing)
    near = _DECISION_MM
    return rim_cut_open(slices, lambda corners: plane_distances(corners, plane), spacing, threshold_mm=near)


def _distance(
    points: FloatArray, sigma: FloatArray, plane: Plane, warnings: Sequence[str], *, between: float = 0.0
) -> Distance:
    found = list(warnings)
    if len(points) == 0:
        return Distance(math.nan, math.nan, (math.nan, math.nan), math.nan, (math.nan,) * 3, ("no_lesion",))
    if not plane.oriented:
        plane = plane.facing(triple(points.mean(axis=0), "surface"))
    distances = plane_distances(points, plane)
    nearest = int(np.argmin(distances))
    foot = points[nearest]
    u, v = plane.axes @ (foot - plane.point_mm)
    if abs(u) > plane.half_extent_mm[0] or abs(v) > plane.half_extent_mm[1]:
        found.append("extrapolated")
    if plane.rms_mm > _FLAT_RMS_MM:
        found.append("plane_not_flat")
    of_plane = float(np.array([1.0, u**2, v**2]) @ np.diag(plane.covariance))
    if math.isnan(of_plane):
        found.append("plane_unverified")
        of_plane = 0.0
    total = math.sqrt(float(sigma[nearest]) ** 2 + of_plane + between**2)
    value = float(distances[nearest])
    return Distance(
        min_mm=value,
        sigma_mm=total,
        ci_mm=(value - _Z95 * total, value + _Z95 * total),
        p05_mm=float(np.percentile(distances, 5)),
        foot_mm=triple(foot, "foot_mm"),
        warnings=tuple(found),
    )


def plane_distances(points_mm: npt.ArrayLike, plane: Plane) -> FloatArray:
    """Return the signed distance of every point (z, y, x) to a plane in mm: positive on the tumour side."""
    points = np.ascontiguousarray(points_mm, dtype=np.float64)
    return _core.plane_distances(points, plane.point_mm, plane.normal)


def distance_to_surface(mask: BoolArray, surface_mask: BoolArray, *, spacing_mm: Sequence[float]) -> Distance:
    """Measure the smallest distance from a tumour mask to a curved resection surface, given as a mask.

    Parameters
    ----------
    mask : ndarray of bool, 2-D (y, x) or 3-D (z, y, x)
        The tumour.
    surface_mask : ndarray of bool, same shape
        The resection surface, one pixel thick or thicker.
    spacing_mm : sequence of float
        Pixel size per axis, mm.

    Returns
    -------
    Distance
        ``min_mm`` is measured from the tumour's outer face to the nearest surface pixel's centre: half a pixel, along
        the direction to it, is taken off the distance between centres, which would overestimate the margin.
        ``sigma_mm`` is one pixel's uniform error on each side. ``p05_mm`` is over the tumour's outer pixels. A tumour
        that reaches the surface has 0.

    Raises
    ------
    InputError
        Masks of other shape or dtype, or an empty surface.
    UnitError
        A spacing that is not positive.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> tumour, surface = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    >>> tumour[2:6, 5:15] = True
    >>> surface[10] = True
    >>> round(pyicg.distance_to_surface(tumour, surface, spacing_mm=(0.5, 0.5)).min_mm, 3)
    2.25
    """
    for name, array in (("mask", mask), ("surface_mask", surface_mask)):
        if array.dtype != np.bool_ or array.shape != mask.shape or array.ndim not in (2, 3):
            raise InputError(
                f"{name} must be a bool array, 2-D or 3-D, both of one shape; found {array.dtype} {array.shape}"
            )
    if len(spacing_mm) != mask.ndim:
        raise UnitError(f"spacing_mm needs one value per axis ({mask.ndim}), found {len(spacing_mm)}")
    steps = spacing_zyx(((1.0,) if mask.ndim == 2 else ()) + tuple(float(step) for step in spacing_mm))[3 - mask.ndim :]
    if not surface_mask.any():
        raise InputError("surface_mask is empty: there is no surface to measure to")
    if not mask.any():
        return Distance(math.nan, math.nan, (math.nan, math.nan), math.nan, (math.nan,) * 3, ("no_lesion",))
    to_surface = distance_transform(~surface_mask, spacing=steps)
    shell = mask & (distance_transform(np.pad(mask, 1)) < 1.5)[(slice(1, -1),) * mask.ndim]
    where = np.argwhere(shell)
    centres = to_surface[shell].astype(np.float64)
    nearest = int(np.argmin(centres))
    foot = where[nearest] * steps
    targets = np.argwhere(surface_mask) * steps
    towards = targets[int(np.argmin(np.sum((targets - foot) ** 2, axis=1)))] - foot
    length = float(np.linalg.norm(towards))
    half = 0.0 if length == 0 else 0.5 * float(np.abs(towards / length) @ np.array(steps))
    sigma = 2 * half / math.sqrt(12) * math.sqrt(2)
    value = max(length - half, 0.0)
    foot_mm = (0.0, *foot) if mask.ndim == 2 else tuple(foot)
    return Distance(
        min_mm=value,
        sigma_mm=sigma,
        ci_mm=(value - _Z95 * sigma, value + _Z95 * sigma),
        p05_mm=float(max(np.percentile(centres, 5) - half, 0.0)),
        foot_mm=triple(foot_mm, "foot_mm"),
        warnings=(),
    )
