"""A plane in space, or a line in an image, through points: orthogonal distances, wrong points left out."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pyicg.errors import InputError
from pyicg.results import BoolArray, FloatArray

__all__ = ["Hyperplane", "fit_hyperplane"]

_ALL_SAMPLES = 2000  # with no more samples than this each one is tried
_RANDOM_SAMPLES = 500  # with half the points wrong, all of these miss with probability (7/8)^500 = 1e-29
_SCORED = 2000  # points that score a sample
_INSIDE = 0.00135  # a point is wrong beyond three standard deviations, this share of a normal distribution on a side
_CLEAN = 0.001  # but only when a point is further off than any is in all but this share of sets without outliers
_HUBER = 1.345  # 95 % efficiency on normal errors (Huber 1981)
_MAD = 1.482602218505602  # median |r| to standard deviation, normal distribution
_ROUNDING = 1 / 500  # assumption: within this share of the points' reach no point is wrong; typed and pixel coordinates
_FLAT = 1e-9  # points narrower than this share of their length are a line
_THICK = 0.5  # assumption: points that scatter by more than this share of their second extent are no plane


class Hyperplane(NamedTuple):
    """A fitted plane (D = 3) or line (D = 2)."""

    centre: FloatArray
    """(D,) mean of the points that agree, moved onto the plane."""
    normal: FloatArray
    """(D,)"""
    axes: FloatArray
    """(D - 1, D) principal directions of the points in the plane, longest first."""
    spread: FloatArray
    """(D - 1,) variance of the points along the axes."""
    residuals: FloatArray
    """(N,) signed distance of every point."""
    agree: BoolArray
    """(N,) False: an outlier."""
    variance: float
    """Of one point's distance, so that the offset's variance is this over the number of points; NaN without a rest."""


def fit_hyperplane(points: FloatArray, *, rounding_mm: float = 0.0) -> Hyperplane:
    """Fit points (N, D): least quantile over samples, then Huber's weights on those that agree, until nothing changes.

    Points are sorted first, so that their order does not reach the result. Without an outlier the fit is plain total
    least squares: there is nothing to guard against, and its errors are known exactly. Within `rounding_mm` of the
    plane no point is an outlier.
    """
    n, dims = points.shape
    if n < dims:
        raise InputError(f"a plane needs at least {dims} points here, found {n}. Give more points of the surface")
    if not np.isfinite(points).all():
        raise InputError("the points of a plane must be finite, found NaN or infinity. Take these points out")
    lengths = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if lengths[dims - 2] <= _FLAT * max(lengths[0], 1e-300):
        raise InputError(
            f"the {n} points lie on one line; a plane needs three that do not. Add points beside it, in another slice "
            "for example, or give the plane by a point and its normal"
        )
    order = np.lexsort(points.T)
    known = points[order]
    agree, tolerance = np.ones(n, dtype=np.bool_), rounding_mm
    if n > dims + 1:
        agree, tolerance = _without_outliers(known, rounding_mm)
    return _described(known, order, agree, tolerance)


def _without_outliers(points: FloatArray, rounding: float) -> tuple[BoolArray, float]:
    """Tell which points agree on a plane: those of the best sample, fitted again until the choice settles.

    Also returns the distance within which no point is wrong.
    """
    from scipy.special import stdtrit

    n, dims = points.shape
    agree = _consensus(points, max(_tolerance(points), rounding))
    tolerance = max(_tolerance(points[agree]), rounding)
    for _ in range(50):
        centre, normal = _fitted(points, agree, tolerance)
        distances = np.abs((points - centre) @ normal)
        again = distances <= _reach(distances[agree], dims, tolerance, _INSIDE)
        if 2 * np.count_nonzero(again) <= n:
            again = distances <= _reach(distances[agree], dims, tolerance, _CLEAN / n)  # few can agree by chance
        if 2 * np.count_nonzero(again) <= n:
            raise InputError(
                f"only {np.count_nonzero(again)} of {n} points agree on a plane; expected more than half. Take the "
                "points that do not lie on the resection surface out"
            )
        if np.array_equal(again, agree):
            break
        agree = again
    good = distances[agree]
    if len(good) > dims:
        furthest = float(stdtrit(len(good) - dims, 1 - _CLEAN / n) * math.sqrt(_huber_variance(good, dims, tolerance)))
        agree |= distances.max() <= furthest
    return agree, tolerance


def _consensus(points: FloatArray, tolerance: float) -> BoolArray:
    """Tell which points agree with the sample of D points whose plane has the smallest quantile of distances."""
    n, dims = points.shape
    rng = np.random.default_rng(0)
    if math.comb(n, dims) <= _ALL_SAMPLES:
        samples = np.array(list(itertools.combinations(range(n), dims)))
    else:
        samples = rng.integers(n, size=(_RANDOM_SAMPLES, dims))  # one that names a point twice is not usable
    scored = points if n <= _SCORED else points[np.sort(rng.choice(n, _SCORED, replace=False))]
    corners = points[samples]
    _, lengths, axes = np.linalg.svd(corners[:, 1:] - corners[:, :1], full_matrices=True)
    usable = lengths[:, -1] > _FLAT * lengths[:, 0]
    if not usable.any():
        raise InputError(f"nearly all of the {n} points lie on one line; give more points beside it, or spread evenly")
    corners, normals = corners[usable, 0], axes[usable, -1]
    distances = np.abs(normals @ scored.T - np.sum(normals * corners, axis=1)[:, None])
    quantile = len(scored) // 2 + (dims + 1) // 2  # of Rousseeuw and Leroy: one more than any plane fits exactly
    best = int(np.argmin(np.partition(distances, quantile - 1, axis=1)[:, quantile - 1]))
    every = np.abs((points - corners[best]) @ normals[best])
    nearest = np.sort(every)[: n // 2 + (dims + 1) // 2]
    # the quantile of all points stands where the median of the agreeing ones would be
    reach = _reach(np.full(len(nearest), nearest[-1]), dims, tolerance, _INSIDE)
    agree: BoolArray = every <= reach
    return agree


def _least_squares(points: FloatArray, weights: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    weight = np.ones(len(points)) if weights is None else weights
    centre = weight @ points / weight.sum()
    _, _, axes = np.linalg.svd(np.sqrt(weight)[:, None] * (points - centre), full_matrices=False)
    return centre, axes[-1]


def _fitted(points: FloatArray, agree: BoolArray, tolerance: float) -> tuple[FloatArray, FloatArray]:
    """Return a point and the normal: total least squares, with Huber's weights where a point was left out."""
    centre, normal = _least_squares(points[agree])
    return (centre, normal) if agree.all() else _huber(points[agree], centre, normal, tolerance)


def _huber(
    points: FloatArray, centre: FloatArray, normal: FloatArray, tolerance: float
) -> tuple[FloatArray, FloatArray]:
    for _ in range(200):
        bound = _HUBER * _scale((points - centre) @ normal, points.shape[1], tolerance)
        weight = bound / np.maximum(np.abs((points - centre) @ normal), bound)
        new_centre, new_normal = _least_squares(points, weight)
        new_normal = math.copysign(1.0, float(new_normal @ normal)) * new_normal
        change = np.abs(new_normal - normal).max() + abs(float((new_centre - centre) @ normal)) / (bound + tolerance)
        centre, normal = new_centre, new_normal
        if change < 1e-13:
            break
    return centre, normal


def _scale(residuals: FloatArray, dims: int, tolerance: float) -> float:
    """Return the standard deviation by the median, with the share of freedom the fit has used up given back."""
    n = len(residuals)
    return max(_MAD * float(np.median(np.abs(residuals))) * math.sqrt(n / (n - dims)), tolerance / 3)


def _reach(residuals: FloatArray, dims: int, tolerance: float, tail: float) -> float:
    """Return the distance that a share `tail` of good points exceeds on a side; few say little of it: Student's t."""
    from scipy.special import stdtrit

    n = len(residuals)
    if n <= dims:
        return tolerance
    return max(float(stdtrit(n - dims, 1 - tail)) * _scale(residuals, dims, tolerance), tolerance)


def _tolerance(points: FloatArray) -> float:
    return _ROUNDING * 2 * float(np.median(np.linalg.norm(points - points.mean(axis=0), axis=1)))


def _described(known: FloatArray, order: npt.NDArray[np.intp], agree: BoolArray, tolerance: float) -> Hyperplane:
    _, dims = known.shape
    centre, normal = _fitted(known, agree, tolerance)
    residuals = (known - centre) @ normal
    inside = residuals[agree]
    mean = known[agree].mean(axis=0)
    mean = mean - ((mean - centre) @ normal) * normal
    flat = known[agree] - mean - np.outer(inside, normal)
    _, lengths, axes = np.linalg.svd(flat, full_matrices=False)
    n = len(inside)
    spread = lengths[: dims - 1] ** 2 / n
    variance = math.nan
    if n > dims:
        variance = float(inside @ inside) / (n - dims)
        if not agree.all():
            variance = _huber_variance(inside, dims, tolerance)
        if variance > _THICK**2 * spread[-1]:
            raise InputError(
                f"the points are no plane: they scatter by {math.sqrt(variance):.3g} mm across it and reach only "
                f"{math.sqrt(spread[-1]):.3g} mm (standard deviation) along its shorter side. Give points that lie "
                "further apart, or only those on the resection surface"
            )
    back = np.argsort(order)
    return Hyperplane(mean, normal, axes[: dims - 1], spread, residuals[back], agree[back], variance)


def _huber_variance(residuals: FloatArray, dims: int, tolerance: float) -> float:
    """Return the asymptotic variance of Huber's estimate, with his factor for small samples (Huber 1981, 7.6)."""
    n = len(residuals)
    bound = _HUBER * _scale(residuals, dims, tolerance)
    slope = float(np.mean(np.abs(residuals) <= bound))
    factor = 1 + dims / n * (1 - slope) / slope
    psi = np.clip(residuals, -bound, bound)
    return factor**2 * float(psi @ psi) / (n - dims) / slope**2
