"""Statistics per tile of the sensor, and the delete-one-tile jackknife of everything made from them.

A figure is computed once from all tiles and once without each of them. Such a set of *replicates* is an array whose
first axis is 0 for the full figure and 1..T for the figure without tile t. A figure made from other figures' replicates
carries their covariances with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pyicg.results import Measurement

FloatArray = npt.NDArray[np.float64]

_TILES = 8  # per axis
_LEVEL = 0.975


class Scatter(NamedTuple):
    """A variance that the tiles do not see, because it moves all of them alike, and its degrees of freedom."""

    variance: float = 0.0
    dof: float = math.inf

    def scaled(self, factor: float) -> Scatter:
        """Return the scatter of a figure `factor` times as large."""
        return Scatter(self.variance * factor**2, self.dof)


NO_SCATTER = Scatter()


def tile_means(image: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean of each tile of an 8 x 8 grid (fewer on tiny images) and its number of pixels, both (T,)."""
    edges = [np.linspace(0, n, min(_TILES, n) + 1).astype(np.intp) for n in image.shape]
    sums = np.add.reduceat(np.add.reduceat(image, edges[0][:-1], axis=0), edges[1][:-1], axis=1)
    counts = np.outer(np.diff(edges[0]), np.diff(edges[1])).astype(np.float64)
    return (sums / counts).ravel(), counts.ravel()


def replicates(tiles: FloatArray, counts: FloatArray) -> FloatArray:
    """Turn tile means (T, ...) into the mean of all tiles and of all but each one, (T + 1, ...)."""
    weights = counts.reshape(-1, *(1,) * (tiles.ndim - 1))
    total, size = (weights * tiles).sum(axis=0, keepdims=True), counts.sum()
    if len(tiles) == 1:
        return np.asarray(total / size)
    return np.concatenate([total / size, (total - weights * tiles) / (size - weights)])


def jackknife_variance(figures: FloatArray) -> FloatArray:
    """Return the variance of replicates (T + 1, ...) along their first axis; NaN where there is one tile."""
    without = figures[1:]
    if len(without) < 2:
        return np.full(figures.shape[1:], math.nan)
    centred = without - without.mean(axis=0)
    return np.asarray((len(without) - 1) / len(without) * np.sum(centred**2, axis=0))


def student(dof: float) -> float:
    """Return the half width of a 95 % interval in units of its sigma."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(_LEVEL) if math.isinf(dof) else stdtrit(dof, _LEVEL))


def uncertainty(figures: FloatArray, scatter: Scatter = NO_SCATTER) -> tuple[float, float]:
    """Return standard error and degrees of freedom (Welch and Satterthwaite) of replicates (T + 1,)."""
    inside = float(jackknife_variance(figures))
    total = inside + scatter.variance
    if not total > 0.0:
        return math.sqrt(total), math.inf
    return math.sqrt(total), pooled_dof([inside, scatter.variance], [max(len(figures) - 2, 1), scatter.dof])


def pooled_dof(variances: Sequence[float], dofs: Sequence[float]) -> float:
    """Return the degrees of freedom of a sum of independent variances (Welch and Satterthwaite)."""
    total = sum(variances)
    # Shares of the total: the squares of very small variances would vanish.
    inverse = sum((variance / total) ** 2 / dof for variance, dof in zip(variances, dofs, strict=True))
    return 1.0 / inverse if inverse > 0.0 else math.inf


def measured(figures: FloatArray, scatter: Scatter = NO_SCATTER, reason: str | None = None) -> Measurement:
    """Return replicates (T + 1,) as a measurement with its 95 % Student interval."""
    value = float(figures[0])
    sigma, dof = uncertainty(figures, scatter)
    half = student(dof) * sigma
    return Measurement(value, sigma, (value - half, value + half), reason)


def square_root(m: Measurement) -> Measurement:
    """Return the square root of a measurement of positive value: its interval is made before the root is taken."""
    value = math.sqrt(m.value)
    lo, hi = (math.sqrt(max(bound, 0.0)) for bound in m.ci)
    return Measurement(value, m.sigma / (2.0 * value), (lo, hi), m.reason)


class Line(NamedTuple):
    """Slope and intercept of straight lines fitted along the last axis, and the residuals."""

    slope: FloatArray
    intercept: FloatArray
    residual: FloatArray
    dof: int


def fit_line(x: FloatArray, y: FloatArray, *, intercept: bool, weights: FloatArray | float = 1.0) -> Line | None:
    """Fit straight lines by least squares along the last axis; None when `x` cannot carry them."""
    w = np.broadcast_to(weights, y.shape)
    x = np.broadcast_to(x, y.shape)
    dof = y.shape[-1] - (2 if intercept else 1)
    if dof < 1:
        return None
    total = w.sum(axis=-1, keepdims=True)
    x_mean = (w * x).sum(axis=-1, keepdims=True) / total if intercept else np.zeros_like(total)
    y_mean = (w * y).sum(axis=-1, keepdims=True) / total if intercept else np.zeros_like(total)
    spread = np.sum(w * (x - x_mean) ** 2, axis=-1)
    if not (spread > 1e-20 * np.sum(w * x**2, axis=-1)).all():  # beyond rounding
        return None
    slope = np.sum(w * (x - x_mean) * (y - y_mean), axis=-1) / spread
    offset = y_mean[..., 0] - slope * x_mean[..., 0]
    return Line(slope, offset, y - offset[..., None] - slope[..., None] * x, dof)
