"""A measured distance: its value, what its uncertainty is made of, and the map that it is the minimum of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Distance", "DistanceBudget", "DistanceMap", "t95"]

FloatArray = npt.NDArray[np.float64]


def t95(freedom: float) -> float:
    """Return the 97.5 % point of Student's t; of Gauss where `freedom` is infinite."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(0.975) if math.isinf(freedom) else stdtrit(freedom, 0.975))


@dataclass(frozen=True, slots=True)
class DistanceBudget:
    """What the standard uncertainty of a distance is made of, mm; joined in quadrature.

    Attributes
    ----------
    boundary : float
        Noise of the tumour's contours, as far as it moves the minimum.
    level : float
        By how much each contour as a whole may lie too far out or in: doubt about its level.
    plane : float
        The fitted plane at the foot; 0 for a plane that was given.
    spacing : float
        Pixel size and slice spacing, as far as the user stated their uncertainty.
    gap : float
        What lies between the slices and beyond the last one, where no slice shows it.
    """

    boundary: float = 0.0
    level: float = 0.0
    plane: float = 0.0
    spacing: float = 0.0
    gap: float = 0.0

    @property
    def total(self) -> float:
        """All parts together."""
        return math.hypot(self.boundary, self.level, self.plane, self.spacing, self.gap)


@dataclass(frozen=True, eq=False, slots=True)
class DistanceMap:
    """Distance at every point of the tumour's surface.

    Attributes
    ----------
    points_mm : ndarray (M, 3)
        (z, y, x).
    distance_mm : ndarray (M,)
        Signed as `Distance.min_mm`.
    area_mm2 : ndarray (M,)
        Area of the surface that each point stands for; ones where points without a surface were given.
    triangles : ndarray (T, 3)
        Corners of the surface's triangles as indices of points; empty where points were given.
    """

    points_mm: FloatArray
    distance_mm: FloatArray
    area_mm2: FloatArray
    triangles: npt.NDArray[np.intp]

    def quantile(self, share: float) -> float:
        """Return the distance under which this share of the surface's area lies, mm.

        Examples
        --------
        >>> import numpy as np
        >>> from pyicg.distance_results import DistanceMap
        >>> none = np.empty((0, 3), np.intp)
        >>> DistanceMap(np.zeros((3, 3)), np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0]), none).quantile(0.5)
        2.0
        """
        order = np.argsort(self.distance_mm, kind="stable")
        below = np.cumsum(self.area_mm2[order])
        at = int(np.searchsorted(below, share * below[-1]))
        return float(self.distance_mm[order[min(at, len(order) - 1)]])


@dataclass(frozen=True, eq=False)
class Distance:
    """Smallest distance from the tumour's surface to the resection plane or surface; negative beyond it.

    Attributes
    ----------
    min_mm, sigma_mm : float
        The distance, corrected by `bias_mm`, and its standard uncertainty.
    ci_mm : tuple of float
        95 % interval.
    p05_mm : float
        5th percentile over the surface, weighted by area.
    foot_mm : tuple of float
        The (z, y, x) point of the surface that is closest.
    warnings : tuple of str
        Codes that limit the figure.
    freedom : float
        Degrees of freedom of `sigma_mm`; infinite where nothing was estimated from few points.
    bias_mm : float
        By how much noise alone pulls the smallest of many distances down (0 or less); it has been given back.
    budget : DistanceBudget or None
        The parts of `sigma_mm`.
    map : DistanceMap or None
        The distances of the whole surface, without the correction.
    """

    min_mm: float
    sigma_mm: float
    ci_mm: tuple[float, float]
    p05_mm: float
    foot_mm: tuple[float, float, float]
    warnings: tuple[str, ...] = ()
    freedom: float = math.inf
    bias_mm: float = 0.0
    budget: DistanceBudget | None = None
    map: DistanceMap | None = field(default=None, repr=False, metadata={"plain": False})

    @staticmethod
    def undefined(*warnings: str) -> Distance:
        """Return a distance that is not there, with the reasons."""
        return Distance(math.nan, math.nan, (math.nan, math.nan), math.nan, (math.nan,) * 3, warnings)

    def p_below(self, width_mm: float, *, at_mm: float | None = None) -> float:
        """Return P(margin < width) under the distance's own uncertainty: Student's t, or Gauss without few points.

        Parameters
        ----------
        width_mm : float
            Width of a margin, mm.
        at_mm : float, optional
            Take this for the distance instead of `min_mm`.

        Returns
        -------
        float
            NaN where the distance is undefined. Without uncertainty 0 or 1.

        Examples
        --------
        >>> from pyicg import Distance
        >>> round(Distance(1.5, 0.5, (0.52, 2.48), 1.6, (0.0, 0.0, 0.0)).p_below(1.0), 4)
        0.1587
        """
        from scipy.special import ndtr, stdtr

        distance = self.min_mm if at_mm is None else at_mm
        if math.isnan(distance) or math.isnan(self.sigma_mm):
            return math.nan
        if self.sigma_mm == 0:
            return float(distance < width_mm)
        score = (width_mm - distance) / self.sigma_mm
        return float(ndtr(score) if math.isinf(self.freedom) else stdtr(self.freedom, score))
