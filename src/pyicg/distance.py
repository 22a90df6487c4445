"""Room 4: millimetres from the tumour's surface to the resection plane."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pyicg import _core
from pyicg.distance_results import Distance, DistanceBudget, DistanceMap, t95
from pyicg.errors import InputError, UnitError
from pyicg.nearest import Nearest, nearest_point, nearest_vertex, visible_noise_px
from pyicg.plane import Plane, triple
from pyicg.results import FloatArray, Lesion, RimSegmentation
from pyicg.slices import Slice, rim_cut_open
from pyicg.spacing import THICK_SLICE_MM, spacing_zyx
from pyicg.tumour_mesh import LEVEL_DOUBT, TumourMesh
from pyicg.tumour_surface import surface_of_chain
from pyicg.tumour_track import TumourTrack, link_lesions

__all__ = ["distance_to_plane"]

_DECISION_MM = 1.0  # the MIMIC rule: R1 is less than 1 mm
_FLAT_RMS_MM = 0.5  # assumption: a plane whose points scatter more than this is no plane for a 1 mm decision
_MODEL_DOUBT = 0.05  # assumption: as `LEVEL_DOUBT`, for a fitted boundary: what its model of a blurred step leaves out
_THIN_RIM = 3.0  # a rim thinner than this many widths of its edge has no plateau to measure a half level from


def distance_to_plane(
    surface: npt.NDArray[np.float64] | Sequence[RimSegmentation | None] | TumourMesh,
    plane: Plane,
    *,
    spacing_mm: Sequence[float] | None = None,
    spacing_sigma_mm: Sequence[float] = (0.0, 0.0, 0.0),
) -> Distance:
    r"""Measure the smallest signed distance from the tumour to the resection plane.

    Parameters
    ----------
    surface : ndarray (N, 3) of float64, sequence of RimSegmentation, or TumourMesh
        Points (z, y, x) of the tumour's surface in mm; or one segmentation per slice in order: the inner contours of
        all its lesions are the surface, and None stands for a slice that was lost; or a surface from
        `pyicg.iso_surface`.
    plane : Plane
        The resection plane.
    spacing_mm : tuple of float, optional
        (z, y, x) spacing; required for segmentations, and not allowed for points and meshes, which are in mm already.
    spacing_sigma_mm : tuple of float
        Standard uncertainty of each of them; 0 takes them as exact.

    Returns
    -------
    Distance
        Positive before the plane, negative beyond it. Without a lesion NaN with warning ``no_lesion``.

    Raises
    ------
    UnitError
        A spacing that is missing, not positive, or given with points; an uncertainty of it that is negative.
    InputError
        A surface of another kind or shape.

    Notes
    -----
    Distances are ``(p0 - x) . n`` at points x of the surface. Lesions of neighbouring slices of which one covers the
    other's centre are one tumour. Between its slices, and beyond the last that shows it, r^2 along each ray from the
    slice's centroid is a parabola in z (exact for ellipsoids): `pyicg.tumour_surface`.

    The smallest of many noisy distances lies too low. How much, and how far noise scatters it, is simulated: 400 draws
    of the vertices' errors, alike over `Lesion.correlation_px` and no larger than the contour shows, with a fixed seed
    (`pyicg.nearest`). `bias_mm` is given back.

    ``sigma_mm`` joins in quadrature that scatter, the doubt about each contour as a whole, the plane's variance at the
    foot, :math:`|d| \sqrt{\sum n_i^4 (\sigma_i/s_i)^2}` for the spacing, and what no slice shows: the next term of
    the interpolation. The interval is Student's t where the plane has few points, with the degrees of freedom of Welch
    and Satterthwaite. Of several tumours the nearest is reported, and the interval reaches as far down as that of any
    other. A rim with a gap, or a bright region without a core, within 1 mm of the plane may be a tumour that the plane
    cuts open, whose edge was not seen: the warning ``no_enclosed_core``.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> plane = pyicg.Plane(point_mm=(0, 10, 0), normal=(0, 1, 0))
    >>> dist = pyicg.distance_to_plane(np.array([[0.0, 7.5, 0.0], [0.0, 9.6, 3.0]]), plane)
    >>> round(dist.min_mm, 3), dist.foot_mm
    (0.4, (0.0, 9.6, 3.0))
    """
    if not isinstance(plane, Plane):
        raise InputError(f"plane is {plane!r}, expected a pyicg.Plane, given or from pyicg.fit_plane")
    if isinstance(surface, np.ndarray | TumourMesh) and spacing_mm is not None:
        raise UnitError("points are in millimetres already: leave spacing_mm out, or pass segmentations")
    if isinstance(surface, TumourMesh):
        return _distance_of_mesh(surface, plane, sigma=spacing_sigma_mm)
    if isinstance(surface, np.ndarray):
        if _relative((1.0, 1.0, 1.0), spacing_sigma_mm).any():
            raise UnitError("points have no spacing, so it has no uncertainty: leave spacing_sigma_mm out")
        if surface.ndim != 2 or surface.shape[1] != 3 or surface.dtype != np.float64:
            raise InputError(f"points must be float64 of shape (N, 3), found {surface.dtype} of shape {surface.shape}")
        if not np.isfinite(surface).all():
            raise InputError("points must be finite, found NaN or infinity")
        return _distance_of_points(np.ascontiguousarray(surface), plane)
    if not isinstance(surface, Sequence) or isinstance(surface, str):
        raise InputError(
            f"surface is a {type(surface).__name__}, expected an (N, 3) array of points in mm, a sequence of "
            "RimSegmentation, one per slice, or a TumourMesh"
        )
    if spacing_mm is None:
        raise UnitError("segmentations are in pixels: pass spacing_mm=(z, y, x); without it there are no millimetres")
    if not all(item is None or isinstance(item, RimSegmentation) for item in surface):
        raise InputError("surface must be an (N, 3) array of points in mm or a sequence of RimSegmentation")
    relative = _relative(spacing_mm, spacing_sigma_mm)
    slices = [Slice(index, rim.lesions, rim.rejected) for index, rim in enumerate(surface) if rim is not None]
    tracks = link_lesions({item.index: item.lesions for item in slices}, len(surface))
    found = distance_of_tracks(tracks, plane, spacing_mm=spacing_mm, relative=relative, n_slices=len(surface))
    if tracks and cut_open(slices, plane, spacing_mm=spacing_mm):
        found = replace(found, warnings=(*found.warnings, "no_enclosed_core"))
    return found


def _relative(spacing_mm: Sequence[float], sigma_mm: Sequence[float]) -> FloatArray:
    try:
        sigma = np.asarray(sigma_mm, dtype=np.float64)
    except (TypeError, ValueError):
        sigma = np.full(3, math.nan)
    if sigma.shape != (3,) or not (np.isfinite(sigma) & (sigma >= 0)).all():
        raise UnitError(f"spacing_sigma_mm must be three lengths in mm (z, y, x), 0 or more, found {sigma_mm}")
    return sigma / spacing_zyx(spacing_mm)


def _distance_of_points(points: FloatArray, plane: Plane) -> Distance:
    if len(points) == 0:
        return Distance.undefined("no_lesion")
    plane = plane if plane.oriented else plane.facing(triple(points.mean(axis=0), "surface"))
    distances = plane_distances(points, plane)
    seen = DistanceMap(points, distances, np.ones(len(points)), np.empty((0, 3), np.intp))
    at = int(np.argmin(distances))
    return _joined(Nearest(float(distances[at]), points[at], 0.0, DistanceBudget()), seen, plane, np.zeros(3), ())


def _distance_of_mesh(mesh: TumourMesh, plane: Plane, *, sigma: Sequence[float]) -> Distance:
    plane = plane if plane.oriented else plane.facing(triple(mesh.points_mm.mean(axis=0), "surface"))
    distances = plane_distances(mesh.points_mm, plane)
    areas = _vertex_areas(mesh.points_mm, mesh.triangles)
    near = nearest_vertex(mesh, distances)
    thick = ("slice_too_thick",) if max(mesh.spacing_mm) > THICK_SLICE_MM else ()
    seen = DistanceMap(mesh.points_mm, distances, areas, mesh.triangles)
    return _joined(near, seen, plane, _relative(mesh.spacing_mm, sigma), (*mesh.warnings, *thick))


def distance_of_tracks(
    tracks: Sequence[TumourTrack],
    plane: Plane,
    *,
    spacing_mm: Sequence[float],
    n_slices: int,
    relative: FloatArray | None = None,
) -> Distance:
    """Measure the distance of the nearest of several tumours; the map is that of all of them."""
    spacing = spacing_zyx(spacing_mm)
    if not tracks:
        return Distance.undefined("no_lesion")
    plane = facing_most(plane, [member for track in tracks for member in track.members], spacing)
    none = np.zeros(3)
    found = [_distance_of_track(track, plane, spacing, none if relative is None else relative) for track in tracks]
    nearest = min(found, key=lambda distance: distance.min_mm)
    lowest = min(found, key=lambda distance: distance.ci_mm[0])
    if lowest is not nearest:
        nearest = _reaching_down(nearest, lowest)
    seen = together([distance.map for distance in found if distance.map is not None])
    warnings = list(nearest.warnings)
    if not 0 <= nearest.foot_mm[0] <= (n_slices - 1) * spacing[0] and "extrapolated" not in warnings:
        warnings.append("extrapolated")
    return replace(nearest, map=seen, p05_mm=seen.quantile(0.05), warnings=tuple(warnings))


def facing_most(plane: Plane, members: Sequence[tuple[int, Lesion]], spacing: tuple[float, float, float]) -> Plane:
    """Turn a plane that has no side yet to that of most of the lesions' area."""
    if plane.oriented:
        return plane
    centres = [(index, *lesion.centroid) for index, lesion in members]
    middle = np.average(centres, axis=0, weights=[lesion.area_px for _, lesion in members]) * spacing
    return plane.facing(middle.tolist())


def _reaching_down(nearest: Distance, other: Distance) -> Distance:
    """Widen the interval of the nearest tumour by that of one further off, which may come nearer still."""
    reach = max(nearest.min_mm - other.ci_mm[0], nearest.ci_mm[1] - nearest.min_mm)
    sigma = reach / t95(nearest.freedom)
    rest = math.sqrt(max(sigma**2 - nearest.sigma_mm**2, 0.0))
    budget = nearest.budget and replace(nearest.budget, gap=math.hypot(nearest.budget.gap, rest))
    warnings = tuple(dict.fromkeys((*nearest.warnings, *other.warnings)))
    interval = (nearest.min_mm - reach, nearest.min_mm + reach)
    return replace(nearest, sigma_mm=sigma, ci_mm=interval, budget=budget, warnings=warnings)


def _distance_of_track(
    track: TumourTrack, plane: Plane, spacing: tuple[float, float, float], relative: FloatArray
) -> Distance:
    nearest, maps = [], []
    first, last = track.members[0][0], track.members[-1][0]
    for chain in track.chains:
        room = (track.room[0] if chain[0][0] == first else 1, track.room[1] if chain[-1][0] == last else 1)
        noise = [visible_noise_px(lesion) for _, lesion in chain]
        # What is stated but not seen in the contour moves it as a whole: a blur that was estimated, a gap.
        level = [
            np.sqrt(_level_sigma_px(lesion) ** 2 + np.maximum(lesion.inner_sigma**2 - seen**2, 0.0))
            for (_, lesion), seen in zip(chain, noise, strict=True)
        ]
        surface = surface_of_chain(chain, spacing, sigma_px=noise, level_px=level, room=room)
        points = surface.points().reshape(-1, 3)
        distances = plane_distances(points, plane)
        triangles = surface.triangles()
        maps.append(DistanceMap(points, distances, _vertex_areas(points, triangles), triangles))
        nearest.append(nearest_point(surface, distances, plane))
    best = min(nearest, key=lambda near: near.distance_mm)
    lowest = min(near.distance_mm - 2 * near.budget.total for near in nearest)
    if lowest < best.distance_mm - 2 * best.budget.total:  # another part may come nearer still
        gap = max(best.budget.gap, 0.5 * (best.distance_mm - lowest))
        best = replace(best, budget=replace(best.budget, gap=gap))
    if _has_odd(track):
        plain = _plain_contours(track, plane, spacing)
        maps.append(plain)
        at = int(np.argmin(plain.distance_mm))
        if plain.distance_mm[at] < best.distance_mm:
            best = replace(best, distance_mm=float(plain.distance_mm[at]), foot_mm=plain.points_mm[at], bias_mm=0.0)
    seen = together(maps)
    warnings = list(dict.fromkeys(reason for _, member in track.members for reason in member.reasons))
    if spacing[0] > THICK_SLICE_MM or len({index for index, _ in track.members}) == 1:
        warnings.append("slice_too_thick")
    if any(member.sbr.reason == "saturated_lower_bound" for _, member in track.members):
        warnings.append("saturated_lower_bound")
    warnings += ["slice_missing"] if track.missing else []
    warnings += ["lesion_splits"] if track.split_at else []
    return _joined(best, seen, plane, relative, warnings)


def _joined(near: Nearest, seen: DistanceMap, plane: Plane, relative: FloatArray, warnings: Iterable[str]) -> Distance:
    """Add what plane and spacing leave open to what the surface says; `relative` is the spacing's uncertainty."""
    found = list(warnings)
    foot = near.foot_mm[None]
    if plane.outside_patch(foot)[0]:
        found.append("extrapolated")
    if plane.rms_mm > _FLAT_RMS_MM:
        found.append("plane_not_flat")
    of_plane = float(plane.variance_mm2(foot)[0])
    if math.isnan(of_plane):
        found.append("plane_unverified")
        of_plane = 0.0
    of_spacing = abs(near.distance_mm) * math.sqrt(float(np.array(plane.normal) ** 4 @ relative**2))
    budget = replace(near.budget, plane=math.sqrt(of_plane), spacing=of_spacing)
    total = budget.total
    freedom = plane.freedom * (total / budget.plane) ** 4 if budget.plane > 0 else math.inf
    reach = t95(freedom) * total
    return Distance(
        min_mm=near.distance_mm,
        sigma_mm=total,
        ci_mm=(near.distance_mm - reach, near.distance_mm + reach),
        p05_mm=seen.quantile(0.05),
        foot_mm=triple(near.foot_mm, "foot_mm"),
        warnings=tuple(found),
        freedom=freedom,
        bias_mm=near.bias_mm,
        budget=budget,
        map=seen,
    )


def together(maps: Sequence[DistanceMap]) -> DistanceMap:
    """Join the maps of several surfaces."""
    starts = np.cumsum([0, *(len(one.points_mm) for one in maps)])
    return DistanceMap(
        np.concatenate([one.points_mm for one in maps]),
        np.concatenate([one.distance_mm for one in maps]),
        np.concatenate([one.area_mm2 for one in maps]),
        np.concatenate([one.triangles + start for one, start in zip(maps, starts, strict=False)]),
    )


def _vertex_areas(points: FloatArray, triangles: npt.NDArray[np.intp]) -> FloatArray:
    """Return a third of the area of the triangles that meet in each point."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return np.asarray(np.bincount(triangles.ravel(), np.repeat(area / 3, 3), len(points)), dtype=np.float64)


def _has_odd(track: TumourTrack) -> bool:
    return any("not_star_shaped" in lesion.reasons for _, lesion in track.members)


def _plain_contours(track: TumourTrack, plane: Plane, spacing: tuple[float, float, float]) -> DistanceMap:
    """Return the vertices of contours that rays from one place do not describe, without a surface between them."""
    points = np.concatenate(
        [
            np.column_stack([np.full(len(lesion.inner_contour), index), lesion.inner_contour]) * spacing
            for index, lesion in track.members
            if "not_star_shaped" in lesion.reasons
        ]
    )
    none = np.empty((0, 3), np.intp)
    return DistanceMap(points, plane_distances(points, plane), np.zeros(len(points)), none)


def _edge_px(lesion: Lesion) -> float:
    """Return the blur of the edge; where none was fitted the widest that leaves the rim a plateau."""
    return lesion.thickness.value / _THIN_RIM if math.isnan(lesion.edge_sigma_px) else lesion.edge_sigma_px


def _level_sigma_px(lesion: Lesion) -> FloatArray:
    """Return how far a contour may lie off as a whole: doubt about its level, and a rim too thin or missing."""
    edge = _edge_px(lesion)
    doubt = LEVEL_DOUBT if "not_star_shaped" in lesion.reasons else _MODEL_DOUBT
    level = doubt * math.sqrt(2 * math.pi) * edge / math.sqrt(3)
    thickness = np.nan_to_num(lesion.thickness_profile, nan=0.0)
    thin = edge * np.clip(1 - thickness / (_THIN_RIM * edge), 0, None) if edge > 0 else np.zeros(len(thickness))
    return np.hypot(level, thin)


def cut_open(slices: Sequence[Slice], plane: Plane, *, spacing_mm: Sequence[float]) -> bool:
    """Tell whether a rim that may be open comes within 1 mm of the plane; see `pyicg.slices.rim_cut_open`."""
    spacing = spacing_zyx(spacing_mm)
    plane = facing_most(plane, [(item.index, lesion) for item in slices for lesion in item.lesions], spacing)
    near = _DECISION_MM
    return rim_cut_open(slices, lambda corners: plane_distances(corners, plane), spacing, threshold_mm=near)


def plane_distances(points_mm: npt.ArrayLike, plane: Plane) -> FloatArray:
    """Return the signed distance of every point (z, y, x) to a plane in mm: positive on the tumour side."""
    points = np.ascontiguousarray(points_mm, dtype=np.float64)
    return _core.plane_distances(points, plane.point_mm, plane.normal)
