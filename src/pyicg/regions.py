"""Regions to measure in, as bool masks: circles, polygons, ImageJ ROI files, and what the rim room found."""

from __future__ import annotations

import math
import operator
import os
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pyicg.errors import InputError
from pyicg.results import BoolArray, FloatArray, RimSegmentation

__all__ = ["circle", "of_core", "of_rim", "polygon", "read_rois"]

_Integers = npt.NDArray[np.int64]

_FURTHEST_PX = 65536.0  # no frame is larger: what lies further out is no pixel coordinate


class _Runs(NamedTuple):
    """Pixels of a region, row by row: ``start`` to before ``stop``; rows and columns may lie outside the frame."""

    row: _Integers
    start: _Integers
    stop: _Integers


def circle(
    shape: tuple[int, int], *, centre_px: tuple[float, float], radius_px: float, clip: bool = False
) -> BoolArray:
    """Return the pixels of a circle.

    A pixel belongs to it when its centre lies inside or on the edge: ``(y - cy)^2 + (x - cx)^2 <= radius_px^2``.

    Parameters
    ----------
    shape : tuple of int
        (H, W) of the frame, such as ``cal.data.shape``.
    centre_px : tuple of float
        (y, x); an integer is the centre of a pixel.
    radius_px : float
        Radius in pixels.
    clip : bool
        Cut off what lies outside the frame instead of refusing it.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True inside.

    Raises
    ------
    InputError
        The circle lies in part (unless `clip`) or wholly outside the frame, holds no pixel's centre, or its centre or
        radius are not numbers, the radius positive.

    Examples
    --------
    >>> from pyicg import regions
    >>> print(regions.circle((5, 7), centre_px=(2, 3), radius_px=2).astype(int))
    [[0 0 0 1 0 0 0]
     [0 0 1 1 1 0 0]
     [0 1 1 1 1 1 0]
     [0 0 1 1 1 0 0]
     [0 0 0 1 0 0 0]]
    """
    if not (_is_number(radius_px) and 0 < radius_px < math.inf):
        raise InputError(f"radius_px is {radius_px!r}; expected a positive number of pixels, such as 12.5")
    try:
        centre = [centre_px[place] for place in range(len(centre_px))]
    except (TypeError, LookupError):  # no sequence
        centre = []
    if len(centre) != 2 or not all(_is_number(part) for part in centre):
        raise InputError(f"centre_px is {centre_px!r}; expected (y, x): two numbers of pixels, such as (40, 52.5)")
    runs = _oval_runs((float(centre[0]), float(centre[1])), (float(radius_px), float(radius_px)), "the circle")
    return _mask(runs, shape, clip=clip, what="the circle")


def polygon(shape: tuple[int, int], *, vertices_px: npt.ArrayLike, clip: bool = False) -> BoolArray:
    """Return the pixels of a polygon.

    A pixel belongs to it when its centre lies inside. A centre on a left or top edge is outside and one on a right or
    bottom edge inside, as in ImageJ: polygons that share an edge share no pixel and leave none out. Where the outline
    crosses itself, inside is what an odd number of edges separates from the outside.

    Parameters
    ----------
    shape : tuple of int
        (H, W) of the frame, such as ``cal.data.shape``.
    vertices_px : array_like, shape (N, 2)
        (y, x) of at least three vertices in order, either way round; an integer is the centre of a pixel. The last is
        joined to the first.
    clip : bool
        Cut off what lies outside the frame instead of refusing it.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True inside.

    Raises
    ------
    InputError
        The polygon lies in part (unless `clip`) or wholly outside the frame, holds no pixel's centre, or its vertices
        are not (N, 2) finite numbers.

    Notes
    -----
    Sides are decided by the sign of a cross product in double precision, exact for vertices that are multiples of
    1/256 px, so also for whole and half pixels. Any other shared edge is cut the same way from both sides as long as
    both polygons name the same two end points.

    Examples
    --------
    >>> from pyicg import regions
    >>> square = regions.polygon((6, 6), vertices_px=[(0.5, 0.5), (0.5, 3.5), (3.5, 3.5), (3.5, 0.5)])
    >>> int(square.sum()), bool(square[1:4, 1:4].all())
    (9, True)
    """
    try:
        vertices = np.array(vertices_px, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"vertices_px are not numbers ({error}); expected an (N, 2) array of (y, x)") from error
    if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3:
        raise InputError(f"vertices_px has shape {vertices.shape}; expected (N, 2): (y, x) of three vertices or more")
    return _mask(_path_runs((vertices,), "the polygon"), shape, clip=clip, what="the polygon")


def read_rois(
    path: str | os.PathLike[str], *, shape: tuple[int, int], frame: int | None = None, clip: bool = False
) -> dict[str, BoolArray]:
    """Read the regions that ImageJ saved.

    Parameters
    ----------
    path : str or path
        A ``.roi`` file, or the ``.zip`` of the ROI Manager. The kind is told from the content.
    shape : tuple of int
        (H, W) of the frame the ROIs were drawn on.
    frame : int, optional
        Only the ROIs of this frame, counted from 0, and those that belong to every frame. Left out: all of them.
    clip : bool
        Cut off what lies outside the frame instead of refusing it.

    Returns
    -------
    dict of str to ndarray of bool, shape (H, W)
        One mask per ROI in the order of the file, under the name the ROI Manager shows.

    Raises
    ------
    InputError
        The file is missing, damaged or no ROI file; a ROI has no area (line, point, angle, text), follows a spline or
        curves, lies in part (unless `clip`) or wholly outside the frame, or holds no pixel's centre; two ROIs share a
        name; `frame` is no whole number from 0 on, or no ROI belongs to it.

    Notes
    -----
    Rectangles (also rounded or rotated), ovals, ellipses, polygons, freehand, traced and composite ROIs are read, with
    sub-pixel vertices where the file has them. ImageJ's coordinates count from the corner of the first pixel and are
    shifted by half a pixel. Polygons follow the rule of `polygon`, ovals that of `circle`. A rectangle or oval with
    sub-pixel sides follows these rules as well, whereas ImageJ widens it to whole pixels.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import roifile
    >>> from pyicg import regions
    >>> roi = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, left=2, top=1, right=5, bottom=3, name="liver")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     roi.tofile(Path(folder) / "liver.roi")
    ...     masks = regions.read_rois(Path(folder) / "liver.roi", shape=(4, 6))
    >>> print(masks["liver"].astype(int))
    [[0 0 0 0 0 0]
     [0 0 1 1 1 0]
     [0 0 1 1 1 0]
     [0 0 0 0 0 0]]
    """
    from pyicg.io._rois import Oval, read_outlines

    file = os.fspath(path)
    size = _frame_shape(shape)
    if frame is not None and (not isinstance(frame, Integral) or isinstance(frame, bool) or frame < 0):
        raise InputError(f"frame is {frame!r}; expected a whole number, 0 or more: frames are counted from 0")
    outlines = read_outlines(file)
    if frame is not None:
        chosen = [outline for outline in outlines if outline.frame in (None, frame)]
        if not chosen:
            told = sorted({outline.frame for outline in outlines if outline.frame is not None})
            raise InputError(f"{file}: no ROI belongs to frame {frame} (counted from 0); found ROIs on frames {told}")
        outlines = chosen
    frames: dict[str, int | None] = {}
    masks: dict[str, BoolArray] = {}
    for outline in outlines:
        name, on_frame, form = outline.name, outline.frame, outline.form
        if name in masks:
            remedy = "Rename one in the ROI Manager" if on_frame == frames[name] else "Pass frame= to choose one"
            raise InputError(
                f"{file}: two ROIs are named {name!r}, on {_on(frames[name])} and on {_on(on_frame)}. {remedy}"
            )
        what = f"{file}: ROI {name!r}"
        runs = _oval_runs(*form, what) if isinstance(form, Oval) else _path_runs(form, what)
        frames[name] = on_frame
        masks[name] = _mask(runs, size, clip=clip, what=what)
    return masks


def of_rim(segmentation: RimSegmentation, *, label: int | None = None) -> BoolArray:
    """Return the fluorescent rim of one lesion, or of all, as a signal region.

    Parameters
    ----------
    segmentation : RimSegmentation
        From `segment_rim`.
    label : int, optional
        `Lesion.label` of the lesion. Left out: all of them.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True on the rim.

    Raises
    ------
    InputError
        No lesion was found, or none with this label.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> y, x = np.mgrid[:120, :120]
    >>> r = np.hypot(y - 60, x - 60)
    >>> raw = np.where((r > 20) & (r < 32), 400, np.where(r <= 20, 50, 100)).astype(np.float32)
    >>> raw += np.random.default_rng(0).normal(0, 2, raw.shape).astype(np.float32)
    >>> cal = pyicg.calibrate(raw, pyicg.CameraProfile.identity(raw.shape, bit_depth=None))
    >>> rim = pyicg.regions.of_rim(pyicg.segment_rim(cal))
    >>> bool(rim[60, 86]), bool(rim[60, 60])
    (True, False)
    """
    return _of_lesions(segmentation, segmentation.rim_mask, label)


def of_core(segmentation: RimSegmentation, *, label: int | None = None) -> BoolArray:
    """Return the dark core of one lesion, or of all, as a region.

    Parameters
    ----------
    segmentation : RimSegmentation
        From `segment_rim`.
    label : int, optional
        `Lesion.label` of the lesion. Left out: all of them.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True in the core.

    Raises
    ------
    InputError
        No lesion was found, or none with this label.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> y, x = np.mgrid[:120, :120]
    >>> r = np.hypot(y - 60, x - 60)
    >>> raw = np.where((r > 20) & (r < 32), 400, np.where(r <= 20, 50, 100)).astype(np.float32)
    >>> raw += np.random.default_rng(0).normal(0, 2, raw.shape).astype(np.float32)
    >>> cal = pyicg.calibrate(raw, pyicg.CameraProfile.identity(raw.shape, bit_depth=None))
    >>> core = pyicg.regions.of_core(pyicg.segment_rim(cal))
    >>> bool(core[60, 86]), bool(core[60, 60])
    (False, True)
    """
    return _of_lesions(segmentation, segmentation.core_mask, label)


def _of_lesions(segmentation: RimSegmentation, mask: BoolArray, label: int | None) -> BoolArray:
    labels = [lesion.label for lesion in segmentation.lesions]
    if not labels:
        reasons = sorted({region.reason for region in segmentation.rejected})
        raise InputError(
            f"no lesion was found, so there is no region; bright regions were rejected for: {', '.join(reasons) or '-'}"
        )
    if label is None:
        return mask.copy()
    if label not in labels:
        raise InputError(f"label is {label}; expected one of {labels}")
    of_one: BoolArray = mask & (segmentation.labels == label)
    if not of_one.any():  # where lesions touch, the first keeps the pixels
        raise InputError(f"lesion {label} has no pixels of its own here: those it shares belong to another lesion")
    return of_one


def _on(frame: int | None) -> str:
    return "every frame" if frame is None else f"frame {frame}"


def _is_number(part: object) -> bool:
    return isinstance(part, Real) and not isinstance(part, bool)


def _frame_shape(shape: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (operator.index(length) for length in shape)
    except (TypeError, ValueError) as error:
        raise InputError(f"shape is {shape!r}; expected (H, W) of the frame, such as cal.data.shape") from error
    if height < 1 or width < 1:
        raise InputError(f"shape is {shape!r}; expected positive lengths (H, W)")
    return height, width


def _check_near(coordinates: FloatArray, what: str) -> None:
    if not (np.abs(coordinates) <= _FURTHEST_PX).all():  # NaN fails too
        raise InputError(f"{what}: coordinates must be finite and within {_FURTHEST_PX:g} px of the frame's corner")


def _oval_runs(centre: tuple[float, float], radii: tuple[float, float], what: str) -> _Runs:
    """Return the runs of pixels whose centres lie in an ellipse or on its edge."""
    (cy, cx), (ry, rx) = centre, radii
    _check_near(np.array([cy - ry, cy + ry, cx - rx, cx + rx]), what)
    row = np.arange(math.floor(cy - ry), math.ceil(cy + ry) + 1, dtype=np.int64)
    below = np.square((row - cy) * rx)

    def inside(column: _Integers) -> BoolArray:
        answer: BoolArray = np.square((column - cx) * ry) + below <= (ry * rx) ** 2
        return answer

    half = np.sqrt(np.maximum(0.0, (ry * rx) ** 2 - below)) / ry
    start = np.ceil(cx - half).astype(np.int64)
    stop = np.floor(cx + half).astype(np.int64) + 1
    # the root is rounded: ask the ends themselves
    start -= inside(start - 1)
    start += ~inside(start)
    stop += inside(stop)
    stop -= ~inside(stop - 1)
    full = stop > start
    return _Runs(row[full], start[full], stop[full])


def _path_runs(paths: tuple[FloatArray, ...], what: str) -> _Runs:
    """Return the runs of pixels whose centres lie inside closed paths (even-odd rule, left and top edges outside)."""
    edges = np.concatenate([np.empty((0, 4)), *(np.hstack([path, np.roll(path, -1, axis=0)]) for path in paths)])
    _check_near(edges, what)
    # from top to bottom, so that both neighbours of a shared edge compute the same crossing
    edges = np.where((edges[:, 0] > edges[:, 2])[:, None], edges[:, [2, 3, 0, 1]], edges)
    first = np.floor(edges[:, 0]).astype(np.int64) + 1  # rows in (top, bottom]
    count = np.floor(edges[:, 2]).astype(np.int64) + 1 - first
    row = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
    top, left, bottom, right = np.repeat(edges, count, axis=0).T
    height, width = bottom - top, right - left

    def passed(column: _Integers) -> BoolArray:
        answer: BoolArray = (column - left) * height > (row - top) * width
        return answer

    column = np.floor(left + (row - top) / height * width).astype(np.int64) + 1  # the first right of the crossing
    # the crossing is rounded: ask the pixels beside it
    column -= passed(column - 1)
    column += ~passed(column)
    order = np.lexsort((column, row))
    row, column = row[order], column[order]
    start, stop = column[0::2], column[1::2]
    full = stop > start
    return _Runs(row[0::2][full], start[full], stop[full])


def _mask(runs: _Runs, shape: tuple[int, int], *, clip: bool, what: str) -> BoolArray:
    height, width = _frame_shape(shape)
    total = int((runs.stop - runs.start).sum())
    if total == 0:
        raise InputError(f"{what} is empty: no pixel's centre lies inside. Draw it larger")
    mask = np.zeros((height, width), dtype=np.bool_)
    for row, start, stop in zip(*(part.tolist() for part in runs), strict=True):
        if 0 <= row < height:
            mask[row, max(start, 0) : max(stop, 0)] = True
    outside = total - int(np.count_nonzero(mask))
    if outside == total:
        raise InputError(f"{what} lies outside the frame of {height} x {width} pixels (H x W). Is it of another frame?")
    if outside and not clip:
        raise InputError(
            f"{what} lies partly outside the frame of {height} x {width} pixels (H x W): {outside} of its {total} "
            f"pixels ({100 * outside / total:.2g} %). Move it, or pass clip=True to cut them off"
        )
    return mask
