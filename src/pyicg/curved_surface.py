"""Millimetres from a tumour to a curved resection surface, both given as masks, finer than their pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg.distance_map import distance_transform
from pyicg.distance_results import Distance, DistanceBudget, DistanceMap, t95
from pyicg.errors import InputError, UnitError
from pyicg.plane import triple
from pyicg.results import BoolArray, FloatArray
from pyicg.spacing import THICK_SLICE_MM, spacing_zyx

__all__ = ["distance_to_surface"]

Index = npt.NDArray[np.intp]

_LINE_PX = 2  # a surface no thicker than this is a drawn line, whose middle counts; a thicker one ends at its edge
# Radius of what the fit looks at, in the finest spacing, for masks of one, two and three dimensions: wide enough for
# the steps of an edge to average out, narrow enough for a quadric. And in the coarsest spacing at least:
_WINDOW_FINE = (7.0, 7.0, 4.0)
_WINDOW_COARSE = 1.8
_ROUNDS = 6  # of turning the fit's axis into the normal and moving to the least gap
_ALIKE = 4.0  # assumption: faces of which one counts; steps of a mask's edge repeat along it


def distance_to_surface(mask: BoolArray, surface_mask: BoolArray, *, spacing_mm: Sequence[float]) -> Distance:
    r"""Measure the smallest distance from a tumour mask to a curved resection surface, given as a mask.

    Parameters
    ----------
    mask : ndarray of bool, 2-D (y, x) or 3-D (z, y, x)
        The tumour.
    surface_mask : ndarray of bool, same shape
        The resection surface: a line or sheet up to two pixels thick, of which the middle counts, or a thicker region,
        of which the edge counts.
    spacing_mm : sequence of float
        Pixel size per axis, mm.

    Returns
    -------
    Distance
        0 where the tumour reaches the surface. A mask of a surface has no far side, so no distance is negative. Without
        a tumour NaN with the warning ``no_lesion``; ``clipped_by_border`` where the closest point lies on the border.

    Raises
    ------
    InputError
        Masks of other shape or dtype, or an empty surface.
    UnitError
        A spacing that is not positive.

    Notes
    -----
    The exact distance transform finds the closest pair of pixels. It measures from centre to centre, which would
    overestimate the margin by up to a pixel. So around that pair a quadric is fitted to the faces between pixels of the
    mask and their neighbours, for tumour and surface each: a face lies within half a pixel of the edge that it stands
    for, to either side alike. The distance is the least gap between both quadrics along their common normal.
    `sigma_mm` joins the regression's, one face in four counting as independent (an assumption: steps repeat along an
    edge), and a pixel's width over the square root of 12 and of the number of steps that the edge makes: one along an
    axis makes none, and lies anywhere within the pixel.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> tumour, surface = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    >>> tumour[2:6, 5:15] = True
    >>> surface[10] = True
    >>> round(pyicg.distance_to_surface(tumour, surface, spacing_mm=(0.5, 0.5)).min_mm, 3)
    2.25
    """
    tumour, surface, steps = _volumes(mask, surface_mask, spacing_mm)
    if not tumour.any():
        return Distance.undefined("no_lesion")
    to_surface = distance_transform(~surface, spacing=steps.tolist())
    shell = tumour & (distance_transform(np.pad(tumour, 1))[1:-1, 1:-1, 1:-1] < 1.5)
    where, centres = np.argwhere(shell), to_surface[shell].astype(np.float64)
    # A facet along an axis holds many pixels as near as each other: the one in their middle.
    ties = where[centres <= centres.min() + 0.25 * steps[np.array(tumour.shape) > 1].min()]
    nearest = ties[int(np.argmin(np.sum(((ties - ties.mean(axis=0)) * steps) ** 2, axis=1)))]
    targets = np.argwhere(surface)
    target = targets[int(np.argmin(np.sum(((targets - nearest) * steps) ** 2, axis=1)))]
    at_border = any(
        size > 1 and place in (0, size - 1) for size, place in zip(tumour.shape, nearest.tolist(), strict=True)
    )
    thick = max(steps[np.array(tumour.shape) > 1], default=0.0) > THICK_SLICE_MM
    warnings = (*(("clipped_by_border",) if at_border else ()), *(("slice_too_thick",) if thick else ()))
    if centres.min() == 0:
        value, sigma, foot = 0.0, float(steps.min()) / math.sqrt(12), nearest * steps
    else:
        value, sigma, foot = _refined(tumour, surface, nearest, target, steps)
    # The whole map is moved as its smallest distance was.
    moved = np.maximum(centres - (centres.min() - value), 0.0)
    seen = DistanceMap(where * steps, moved, np.ones(len(where)), np.empty((0, 3), np.intp))
    return Distance(
        min_mm=value,
        sigma_mm=sigma,
        ci_mm=(value - t95(math.inf) * sigma, value + t95(math.inf) * sigma),
        p05_mm=seen.quantile(0.05),
        foot_mm=triple(foot, "foot_mm"),
        warnings=warnings,
        budget=DistanceBudget(boundary=sigma),
        map=seen,
    )


def _volumes(
    mask: BoolArray, surface_mask: BoolArray, spacing_mm: Sequence[float]
) -> tuple[BoolArray, BoolArray, FloatArray]:
    for name, array in (("mask", mask), ("surface_mask", surface_mask)):
        if not isinstance(array, np.ndarray):
            raise InputError(f"{name} is a {type(array).__name__}, expected a bool array, 2-D or 3-D")
        if array.dtype != np.bool_ or array.shape != mask.shape or array.ndim not in (2, 3):
            raise InputError(
                f"{name} must be a bool array, 2-D or 3-D, both of one shape; found {array.dtype} {array.shape}"
            )
    if not isinstance(spacing_mm, Sequence | np.ndarray) or len(spacing_mm) != mask.ndim:
        raise UnitError(f"spacing_mm needs one value per axis ({mask.ndim}), found {spacing_mm}")
    if not surface_mask.any():
        raise InputError("surface_mask is empty: there is no surface to measure to")
    flat = mask.ndim == 2
    steps = np.array(spacing_zyx(((1.0,) if flat else ()) + tuple(spacing_mm)))
    return (mask[None], surface_mask[None], steps) if flat else (mask, surface_mask, steps)


def _refined(
    tumour: BoolArray, surface: BoolArray, nearest: Index, target: Index, steps: FloatArray
) -> tuple[float, float, FloatArray]:
    """Return distance, sigma and foot in mm from quadrics around the closest pair of pixels."""
    used = np.array(tumour.shape) > 1
    window = max(_WINDOW_FINE[used.sum() - 1] * steps[used].min(), _WINDOW_COARSE * steps[used].max())
    line = _is_line(surface, target)
    start, end = nearest * steps, target * steps
    normal = (end - start) / np.linalg.norm(end - start)
    for _ in range(_ROUNDS):
        mine = _faces(tumour, _pixel(start, steps), window, steps)
        theirs = (_cells if line else _faces)(surface, _pixel(end, steps), window, steps)
        frame = _frame(normal, used)
        near, far = (
            _Quadric.fit(faces, origin, frame, window, steps, inwards=inwards)
            for faces, origin, inwards in ((mine, start, False), (theirs, end, True))
        )
        shift = frame[1:] @ (end - start)
        at = _least_gap(near, far, shift, window)
        gap = float(frame[0] @ (end - start) + far.height(at - shift) - near.height(at))
        slope = 0.5 * (near.slope(at) + far.slope(at - shift))
        lean = math.sqrt(1 + float(slope @ slope))
        normal = (frame[0] - slope @ frame[1:]) / lean
        sigma = math.sqrt(near.variance(at) + far.variance(at - shift)) / lean
        # The next round looks at where this one found the least gap.
        start = start + near.height(at) * frame[0] + at @ frame[1:]
        end = start + gap * frame[0]
    between = float(np.linalg.norm((target - nearest) * steps))
    most = math.inf if line else between  # inside of both, centres are always too far apart
    return min(max(gap / lean, 0.0), most), sigma, start


def _pixel(place: FloatArray, steps: FloatArray) -> Index:
    return np.asarray(np.round(place / steps), dtype=np.intp)


def _frame(normal: FloatArray, used: BoolArray) -> FloatArray:
    """Return the normal and unit vectors across it, as rows; axes of one pixel have none."""
    _, _, across = np.linalg.svd(normal[used][None])
    frame = np.zeros((int(used.sum()), 3))
    frame[0] = normal
    frame[1:, used] = across[1:]
    return frame


@dataclass(frozen=True, eq=False)
class _Faces:
    """Points in mm, and which way each looks (zero: every way)."""

    points: FloatArray
    outwards: FloatArray


def _box(mask: BoolArray, centre: Index, window: float, steps: FloatArray) -> tuple[BoolArray, Index]:
    """Return the part of a mask within the window and a pixel around, and where it begins."""
    reach = np.ceil(window / steps).astype(np.intp) + 1
    low = np.maximum(centre - reach, 0)
    high = np.minimum(centre + reach + 1, mask.shape)
    return mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], low


def _faces(mask: BoolArray, centre: Index, window: float, steps: FloatArray) -> _Faces:
    """Return the faces between pixels of a mask and others within the window."""
    box, low = _box(mask, centre, window, steps)
    points, outwards = [], []
    for axis in range(3):
        change = np.diff(box.astype(np.int8), axis=axis)
        for sign in (-1, 1):
            where = np.argwhere(change == -sign).astype(np.float64)
            where[:, axis] += 0.5
            points.append((where + low) * steps)
            outwards.append(np.broadcast_to(sign * np.eye(3)[axis] / steps[axis], where.shape))
    return _Faces(np.concatenate(points), np.concatenate(outwards))


def _cells(mask: BoolArray, centre: Index, window: float, steps: FloatArray) -> _Faces:
    """Return the centres of a mask's pixels within the window."""
    box, low = _box(mask, centre, window, steps)
    points = (np.argwhere(box) + low) * steps
    return _Faces(points, np.zeros_like(points))


def _is_line(mask: BoolArray, centre: Index) -> bool:
    box, _ = _box(mask, centre, 3.0, np.ones(3))
    return not box.all() and float(distance_transform(box).max()) < _LINE_PX


@dataclass(frozen=True, eq=False)
class _Quadric:
    """Heights along a normal as a polynomial of the places across it, with the covariance of its coefficients."""

    coefficients: FloatArray
    covariance: FloatArray
    order: int

    @classmethod
    def fit(
        cls,
        faces: _Faces,
        origin: FloatArray,
        frame: FloatArray,
        window: float,
        steps: FloatArray,
        *,
        inwards: bool = False,
    ) -> _Quadric:
        """Fit the faces that look along the normal (against it: `inwards`), weighted by how much of it they cover."""
        local = (faces.points - origin) @ frame.T
        facing = faces.outwards @ frame[0] * (-1 if inwards else 1)
        weight = np.where(faces.outwards.any(axis=1), facing, 1.0)
        near = (weight > 0) & (np.abs(local[:, 0]) <= window) & (np.hypot.reduce(local[:, 1:], axis=1) <= window)
        if not near.any():  # the edge bends away within a pixel: it lies somewhere in the window
            return cls(np.zeros(1), np.full((1, 1), window**2 / 3), 0)
        height, across, weight = local[near, 0], local[near, 1:], weight[near]
        order = next(o for o in (2, 1, 0) if o == 0 or len(height) >= 3 * _terms(across, o).shape[1])
        terms = _terms(across, order)
        inverse = np.linalg.pinv(terms.T @ (weight[:, None] * terms))
        coefficients = inverse @ (terms.T @ (weight * height))
        spare = max(len(height) - terms.shape[1], 1)
        squares = float(np.sum(weight * (height - terms @ coefficients) ** 2) / weight.sum()) * len(height) / spare
        middle = terms.T @ (weight[:, None] ** 2 * terms)
        covariance = _ALIKE * squares * inverse @ middle @ inverse
        covariance[0, 0] += _of_steps(faces.points[near], frame[0], steps)
        return cls(coefficients, covariance, order)

    def height(self, at: FloatArray) -> float:
        return float(_terms(at[None], self.order)[0] @ self.coefficients)

    def variance(self, at: FloatArray) -> float:
        row = _terms(at[None], self.order)[0]
        return float(row @ self.covariance @ row)

    def slope(self, at: FloatArray) -> FloatArray:
        n = len(at)
        linear = self.coefficients[1 : n + 1] if self.order >= 1 else np.zeros(n)
        return np.asarray(linear + self.bend(n) @ at)

    def bend(self, n: int) -> FloatArray:
        """Return the matrix of second derivatives."""
        matrix = np.zeros((n, n))
        if self.order == 2:
            rows, columns = np.triu_indices(n)
            matrix[rows, columns] = self.coefficients[n + 1 :]
            matrix += matrix.T
        return matrix


def _of_steps(points: FloatArray, normal: FloatArray, steps: FloatArray) -> float:
    """Return the variance of an edge that lies anywhere within a pixel's width, told by so many steps of it."""
    axis = int(np.argmax(np.abs(normal) * steps))
    levels = np.unique(np.floor(points[:, axis] / steps[axis] + 0.25)).size
    return float((normal[axis] * steps[axis]) ** 2 / 12 / levels)


def _terms(across: FloatArray, order: int) -> FloatArray:
    """Return 1, x_i and x_i x_j up to an order."""
    n = across.shape[1]
    rows, columns = np.triu_indices(n)
    parts = [np.ones((len(across), 1)), across, across[:, rows] * across[:, columns]]
    return np.concatenate(parts[: order + 1], axis=1)


def _least_gap(near: _Quadric, far: _Quadric, shift: FloatArray, window: float) -> FloatArray:
    """Return where across the normal the gap between both quadrics is least, within the middle of the window."""
    n = len(shift)
    bend = far.bend(n) - near.bend(n)
    slope = near.slope(np.zeros(n)) - far.slope(-shift)
    if n == 0 or not slope.any():
        return np.zeros(n)
    # Where the gap does not close in on a least place, or too slowly, one step down its slope.
    steep = np.linalg.eigvalsh(bend).min() > 1e-6 / window
    at = np.linalg.solve(bend, slope) if steep else slope * window
    length = float(np.linalg.norm(at))
    return np.asarray(at * min(1.0, 0.4 * window / length), dtype=np.float64)
