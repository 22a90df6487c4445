"""The resection plane: given, or fitted to what was seen of it, with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg.errors import InputError
from pyicg.results import FloatArray

__all__ = ["Plane", "Triple", "fit_plane", "triple"]

Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Plane:
    """A resection plane in millimetres.

    Attributes
    ----------
    point_mm : tuple of float
        A point (z, y, x) of the plane.
    normal : tuple of float
        Normal (z, y, x), scaled to length 1; it points away from the tumour side.
    rms_mm : float
        Root mean square distance of the fitted points; 0 for a plane that was given.
    covariance : ndarray (3, 3)
        Of the offset along the normal (mm) and the tilts along both in-plane axes; zeros for a plane that was given,
        NaN for one fitted to three points, whose error cannot be known.
    oriented : bool
        False: the sign of the normal is arbitrary, and the side on which most of the tumour lies decides.
    axes : ndarray (2, 3)
        In-plane unit vectors the covariance refers to.
    half_extent_mm : tuple of float
        How far the fitted points reach from `point_mm` along each axis; infinite for a plane that was given.

    Raises
    ------
    InputError
        A normal of length zero, or values that are not finite.

    Examples
    --------
    >>> import pyicg
    >>> pyicg.Plane(point_mm=(0, 12, 0), normal=(0, 2, 0)).normal
    (0.0, 1.0, 0.0)
    """

    point_mm: Triple
    normal: Triple
    rms_mm: float = 0.0
    covariance: FloatArray = field(default_factory=lambda: np.zeros((3, 3)))
    oriented: bool = True
    axes: FloatArray = field(default_factory=lambda: np.zeros((2, 3)))
    half_extent_mm: tuple[float, float] = (math.inf, math.inf)
    freedom: float = math.inf

    def __post_init__(self) -> None:
        point = triple(self.point_mm, "point_mm")
        normal = triple(self.normal, "normal")
        length = math.hypot(*normal)
        if length == 0:
            raise InputError("normal has length zero; expected the direction (z, y, x) away from the tumour side")
        object.__setattr__(self, "point_mm", point)
        object.__setattr__(self, "normal", tuple(value / length for value in normal))

    def flipped(self) -> Plane:
        """Return the same plane seen from the other side."""
        return self._with_normal(tuple(-value for value in self.normal), self.oriented)

    def facing(self, tumour_side_mm: Sequence[float]) -> Plane:
        """Return the plane with its normal pointing away from a point (z, y, x) on the tumour side.

        Raises
        ------
        InputError
            The point lies in the plane.
        """
        side = np.dot(np.subtract(triple(tumour_side_mm, "tumour_side_mm"), self.point_mm), self.normal)
        if side == 0:
            raise InputError("the point given for the tumour side lies in the plane; choose one inside the tumour")
        sign = -math.copysign(1.0, side)
        return self._with_normal(tuple(sign * value for value in self.normal), True)

    def _with_normal(self, normal: tuple[float, ...], oriented: bool) -> Plane:
        return replace(self, normal=(normal[0], normal[1], normal[2]), oriented=oriented)


def fit_plane(points_mm: npt.ArrayLike) -> Plane:
    """Fit a plane to points on the resection surface by total least squares.

    Parameters
    ----------
    points_mm : array_like of float, shape (N, 3), N >= 3
        Points (z, y, x) in millimetres.

    Returns
    -------
    Plane
        Through the points' centroid; the sign of its normal is arbitrary (``oriented`` False) until
        ``plane.facing(point_on_the_tumour_side)`` settles it.

    Raises
    ------
    InputError
        Fewer than three points, points on a line, or values that are not finite.

    Notes
    -----
    With residual variance ``s^2 = SSE / (N - 3)`` the plane's variance at in-plane coordinates (u, v) is
    ``(s^2 / N) (1 + u^2 / s_u^2 + v^2 / s_v^2)``, s_u and s_v being the standard deviations of the points along the
    axes. `covariance` holds ``s^2/N``, ``s^2/(N s_u^2)`` and ``s^2/(N s_v^2)``. Outliers are not sought yet.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> plane = pyicg.fit_plane([(0, 5, 0), (0, 5, 9), (9, 5, 0), (9, 5, 9)])
    >>> [abs(round(v, 6)) for v in plane.normal], round(plane.rms_mm, 6)
    ([0.0, 1.0, 0.0], 0.0)
    """
    points = np.asarray(points_mm, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) < 3:
        raise InputError(f"a plane needs an (N, 3) array of at least three points, found shape {points.shape}")
    if not np.isfinite(points).all():
        raise InputError("the points of a plane must be finite, found NaN or infinity")
    centre = points.mean(axis=0)
    centred = points - centre
    _, singular, axes = np.linalg.svd(centred, full_matrices=True)
    if singular[1] <= 1e-9 * max(singular[0], 1e-300):
        raise InputError("the points lie on one line; a plane needs three that do not")
    along = centred @ axes.T
    n = len(points)
    squares = float(np.sum(along[:, 2] ** 2))
    if n > 3:
        variance = squares / (n - 3)
        spread = np.mean(along[:, :2] ** 2, axis=0)
        covariance = np.diag([variance / n, variance / (n * spread[0]), variance / (n * spread[1])])
    else:
        covariance = np.full((3, 3), math.nan)
    reach = np.abs(along[:, :2]).max(axis=0)
    return Plane(
        point_mm=triple(centre, "point_mm"),
        normal=triple(axes[2], "normal"),
        rms_mm=math.sqrt(squares / n),
        covariance=covariance,
        oriented=False,
        axes=axes[:2],
        half_extent_mm=(float(reach[0]), float(reach[1])),
        freedom=float(n - 3) if n > 3 else math.inf,
    )


def triple(values: Any, name: str) -> Triple:
    """Return three finite numbers (z, y, x); `name` is for the error."""
    found = tuple(float(value) for value in values)
    if len(found) != 3 or not all(math.isfinite(value) for value in found):
        raise InputError(f"{name} must be three finite numbers (z, y, x), found {found}")
    return found
