"""Resection planes from what a user has: lines drawn in slices, ImageJ ROIs, the mask of an edge."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyicg._hyperplane import fit_hyperplane
from pyicg._traces import independent_points
from pyicg.errors import InputError, UnitError
from pyicg.plane import Plane, plane_of
from pyicg.results import BoolArray, FloatArray
from pyicg.spacing import spacing_zyx

__all__ = ["plane_from_lines", "plane_from_mask", "plane_from_roi"]

_THIN = 0.25  # assumption: what is thicker than this share of its length is no edge
_ROUNDED = 1.5  # pixels; assumption: whole pixels and a shaking hand, so that no point this near is an outlier
_BROKEN = 1.5  # assumption: a column that reaches this many times as far as it has pixels crosses the edge twice


class _Trace(NamedTuple):
    """A line drawn in one slice (None: in every slice), (K, 2) vertices (y, x) in px."""

    place: int | None
    vertices: FloatArray


def plane_from_lines(
    lines_px: Mapping[int, npt.ArrayLike] | Sequence[tuple[int, npt.ArrayLike]],
    *,
    spacing_mm: Sequence[float],
    perpendicular: bool = False,
) -> Plane:
    """Fit a plane to the lines in which it crosses the slices.

    Parameters
    ----------
    lines_px : mapping of int to array_like (K, 2), or sequence of (int, array_like (K, 2))
        Slice index from 0, and the points (y, x) of the line there in pixels, two or more; whole numbers are the
        centres of pixels.
    spacing_mm : sequence of float
        (z, y, x) distance of slices and pixels in mm.
    perpendicular : bool
        The plane stands at right angles to the slices. **An assumption that only the user can make**; it is what a line
        in a single slice needs. The tilt is then taken as known, and its error is not in `covariance`.

    Returns
    -------
    Plane
        As `fit_plane` gives it: points count as independent, and those within 1.5 px are no outliers (**assumption**).
        Two points in each of two slices leave `freedom` at 1.

    Raises
    ------
    InputError
        Lines in one slice only without `perpendicular`; slices or points that are no numbers; points through which no
        plane goes (see `fit_plane`).
    UnitError
        A spacing that is not positive.

    Examples
    --------
    >>> import pyicg
    >>> lines = [(0, ((120, 10), (120, 210))), (4, ((121, 10), (121, 210)))]
    >>> plane = pyicg.plane_from_lines(lines, spacing_mm=(3.0, 0.1, 0.1))
    >>> plane.n_points, [round(abs(value), 3) for value in plane.normal]
    (4, [0.008, 1.0, 0.0])
    >>> plane = pyicg.plane_from_lines(lines[:1], spacing_mm=(3.0, 0.1, 0.1), perpendicular=True)
    >>> [round(abs(value), 3) for value in plane.normal]
    [0.0, 1.0, 0.0]
    """
    if not isinstance(lines_px, Iterable):
        raise InputError(f"lines_px is {lines_px!r}, expected lines: (slice index, ((y, x), (y, x), ...)) each")
    given = list(lines_px.items() if isinstance(lines_px, Mapping) else lines_px)
    traces = [_trace(line) for line in given]
    remedy = "Draw the line in another slice too, or pass perpendicular=True for a plane at right angles to the slices"
    return _fit(traces, spacing_mm, perpendicular=perpendicular, neighbours=False, remedy=remedy)


def plane_from_roi(
    path: str | os.PathLike[str],
    *,
    spacing_mm: Sequence[float],
    slices: Sequence[int] | None = None,
    perpendicular: bool = False,
) -> Plane:
    """Fit a plane to lines drawn in ImageJ: a .roi file, or a .zip set of the ROI Manager.

    Parameters
    ----------
    path : path
        Straight, segmented and freehand lines, polygons and outlines; all of them must lie on the plane. Of a polygon
        the vertices count: draw only the cut surface.
    spacing_mm : sequence of float
        (z, y, x) distance of slices and pixels in mm.
    slices : sequence of int, optional
        Slice index from 0 of every ROI, in the order of the file. Left out: the slice each was drawn on.
    perpendicular : bool
        As in `plane_from_lines`; needed for a line that was drawn on one slice only, or that belongs to every slice.

    Returns
    -------
    Plane
        As `fit_plane` gives it. The vertices of freehand lines and outlines are not independent: see `plane_from_mask`.

    Raises
    ------
    InputError
        A file that is missing, damaged or holds other ROIs; lines in one slice only, or without a slice, unless
        `perpendicular`; points through which no plane goes.
    UnitError
        A spacing that is not positive.

    Notes
    -----
    ImageJ counts the coordinates of *lines* from the centre of the first pixel, as pyicg does, and those of *areas*
    (polygons, outlines) from its corner; the latter are shifted by half a pixel (``useLineSubpixelConvention`` in
    ImageJ's `ij.gui.Roi`).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pyicg, roifile
    >>> def line(y, position):
    ...     ends = {"x1": 10, "y1": y, "x2": 210, "y2": y}
    ...     return roifile.ImagejRoi(roitype=roifile.ROI_TYPE.LINE, **ends, position=position, name=str(y))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     roifile.roiwrite(Path(folder) / "cut.zip", [line(120, 1), line(121, 5)])
    ...     plane = pyicg.plane_from_roi(Path(folder) / "cut.zip", spacing_mm=(3.0, 0.1, 0.1))
    >>> plane.n_points, [round(abs(value), 3) for value in plane.normal]
    (4, [0.008, 1.0, 0.0])
    """
    from pyicg.io._rois import read_lines

    if not isinstance(path, str | os.PathLike):
        raise InputError(f"path is {path!r}, expected the path of a .roi or .zip file of ImageJ")
    file = os.fspath(path)
    lines = read_lines(file)
    places: Sequence[int | None] = [line.frame for line in lines]
    if slices is not None:
        places = [_index(place) for place in slices]
        if len(places) != len(lines):
            raise InputError(f"slices has {len(places)} indices, but {file} holds {len(lines)} ROIs; expected one each")
    traces = [_Trace(place, line.vertices) for place, line in zip(places, lines, strict=True)]
    remedy = (
        f"{file}: draw the line on another slice too and save the set from the ROI Manager, say in slices= where each "
        "belongs, or pass perpendicular=True for a plane at right angles to the slices"
    )
    neighbours = any(line.freehand for line in lines)
    return _fit(traces, spacing_mm, perpendicular=perpendicular, neighbours=neighbours, remedy=remedy)


def plane_from_mask(surface_mask: BoolArray, *, spacing_mm: Sequence[float], perpendicular: bool = False) -> Plane:
    """Fit a plane to the mask of a resection surface: an inked edge, or a surface one voxel thick.

    Parameters
    ----------
    surface_mask : ndarray of bool, (Z, Y, X), or (Y, X) with `perpendicular`
        A strip along the edge in every slice that shows it; it may be several pixels thick and have gaps. The surface
        is taken to be its middle.
    spacing_mm : sequence of float
        Distance of slices and pixels in mm, one per axis of the mask.
    perpendicular : bool
        As in `plane_from_lines`.

    Returns
    -------
    Plane
        As `fit_plane` gives it, with one point per slice and column along the edge; `freedom` and `covariance` follow
        from the number of independent points among them.

    Raises
    ------
    InputError
        A mask of another kind, an empty one, one slice only without `perpendicular`; a region and not a strip, or a
        strip that goes round; points through which no plane goes.
    UnitError
        A spacing that is not positive, or not one per axis.

    Notes
    -----
    The point of a column is the median of its pixels: the thickness of the strip neither shifts the plane nor counts
    pixels twice. Neighbouring columns share the waves of the edge, so that N columns do not hold N errors. Their
    autocorrelation time T along the edge, by Geyer's initial monotone sequence (Statistical Science 7 (1992) 473)
    pooled over the slices, leaves N / T of them, and ``s^2 / N`` becomes ``SSE / N / (N / T - 3)`` (`freedom`, at
    least 1). **Assumptions:** slices err independently, and the waves are short beside the edge.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> ink = np.zeros((3, 60, 80), bool)
    >>> ink[:, 40:43] = True
    >>> plane = pyicg.plane_from_mask(ink, spacing_mm=(1.0, 0.1, 0.1))
    >>> plane.n_points, [round(value, 6) for value in plane.point_mm]
    (240, [1.0, 4.1, 3.95])
    """
    mask = np.asarray(surface_mask)
    if mask.dtype != np.bool_ or mask.ndim not in (2, 3):
        raise InputError(
            f"surface_mask must be a bool array (z, y, x) or (y, x), found {mask.dtype} with {mask.ndim} axes"
        )
    if mask.ndim == 2 and not perpendicular:
        raise InputError(
            "surface_mask has one slice, which shows a line; a plane needs more. Pass a mask (z, y, x) of several "
            "slices, or perpendicular=True for a plane at right angles to this one"
        )
    if np.shape(spacing_mm) != (mask.ndim,):
        raise UnitError(f"spacing_mm needs one value per axis ({mask.ndim}), found {spacing_mm!r}")
    spacing = np.array(spacing_zyx((*((1.0,) if mask.ndim == 2 else ()), *spacing_mm)))
    points, along = _middle_of_strip(mask.reshape((-1, *mask.shape[-2:])), spacing)
    remedy = "Mark the edge in another slice too, or pass perpendicular=True for a plane at right angles to the slices"
    return _fit_points(
        points * spacing,
        max(spacing[1:]),
        points[:, 0].astype(np.intp),
        points[:, along].astype(np.intp),
        perpendicular=perpendicular,
        neighbours=True,
        remedy=remedy,
    )


def _middle_of_strip(mask: BoolArray, spacing: FloatArray) -> tuple[FloatArray, int]:
    """Return one point (z, y, x) in px per slice and column along the edge, and the axis that the edge runs along."""
    pixels = np.argwhere(mask)
    if len(pixels) == 0:
        raise InputError("surface_mask is empty: there is no surface. Mark the edge in it")
    count = np.maximum(np.bincount(pixels[:, 0]), 1)
    spread = [
        np.sum(
            (spacing[axis] * (pixels[:, axis] - (np.bincount(pixels[:, 0], pixels[:, axis]) / count)[pixels[:, 0]]))
            ** 2
        )
        for axis in (1, 2)
    ]
    along, across = (2, 1) if spread[1] >= spread[0] else (1, 2)
    pixels = pixels[np.lexsort((pixels[:, across], pixels[:, along], pixels[:, 0]))]
    columns, start, number = np.unique(pixels[:, [0, along]], axis=0, return_index=True, return_counts=True)
    position = pixels[:, across]
    reach = position[start + number - 1] - position[start] + 1
    thickness = float(np.median(number)) * spacing[across]
    length = float(np.median(np.unique(columns[:, 0], return_counts=True)[1])) * spacing[along]
    if thickness > _THIN * length:
        raise InputError(
            f"surface_mask is a region {thickness:.3g} mm thick and {length:.3g} mm long in its slices; expected a "
            "thin strip along the edge. Keep only the edge, or give the points of the surface to fit_plane"
        )
    if np.median(reach / number) > _BROKEN:
        raise InputError(
            "surface_mask crosses most of its columns more than once: an outline that goes round, or several edges. "
            "Keep only the edge that is the resection surface"
        )
    points = np.empty((len(columns), 3))
    points[:, 0], points[:, along] = columns.T
    points[:, across] = (position[start + (number - 1) // 2] + position[start + number // 2]) / 2
    return points, along


def _trace(line: Any) -> _Trace:
    try:
        index, points = line
        vertices = np.array(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"found the line {line!r}; expected (slice index, ((y, x), (y, x), ...))") from error
    if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 2:
        raise InputError(
            f"the line in slice {index!r} has points of shape {vertices.shape}; expected (K, 2): two (y, x) or more"
        )
    return _Trace(_index(index), vertices)


def _index(value: Any) -> int:
    try:
        index = operator.index(value)
    except TypeError:
        index = -1
    if index < 0 or isinstance(value, bool):
        raise InputError(f"found slice index {value!r}; expected a whole number, 0 or more: slices are counted from 0")
    return index


def _fit(
    traces: Sequence[_Trace], spacing_mm: Sequence[float], *, perpendicular: bool, neighbours: bool, remedy: str
) -> Plane:
    spacing = np.array(spacing_zyx(spacing_mm))
    if not traces:
        raise InputError("no lines were given; expected at least two, in different slices")
    if any(trace.place is None for trace in traces) and not perpendicular:
        raise InputError(f"a line that belongs to every slice does not say how the plane leans. {remedy}")
    points = np.vstack([np.insert(trace.vertices, 0, trace.place or 0, axis=1) for trace in traces]) * spacing
    sizes = [len(trace.vertices) for trace in traces]
    numbers = np.repeat(np.arange(len(traces)), sizes)
    places = np.concatenate([np.arange(size) for size in sizes])
    return _fit_points(
        points, max(spacing[1:]), numbers, places, perpendicular=perpendicular, neighbours=neighbours, remedy=remedy
    )


def _fit_points(
    points: FloatArray,
    pixel_mm: float,
    traces: npt.NDArray[np.intp],
    places: npt.NDArray[np.intp],
    *,
    perpendicular: bool,
    neighbours: bool,
    remedy: str,
) -> Plane:
    if not perpendicular and np.ptp(points[:, 0]) == 0:
        raise InputError(f"all that is given lies in one slice, where it defines a line and no plane. {remedy}")
    used = np.ascontiguousarray(points[:, 1:] if perpendicular else points)
    fit = fit_hyperplane(used, rounding_mm=_ROUNDED * pixel_mm)
    independent = None
    if neighbours:
        agree = fit.agree
        independent = independent_points(fit.residuals[agree], traces[agree], places[agree], parameters=used.shape[1])
    return plane_of(used, fit, independent=independent, z_mm=float(points[:, 0].mean()))
