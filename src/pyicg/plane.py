"""The resection plane: given, or fitted to what was seen of it, with its uncertainty."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg._hyperplane import Hyperplane, fit_hyperplane
from pyicg.errors import InputError
from pyicg.results import BoolArray, FloatArray

__all__ = ["Plane", "Triple", "fit_plane", "triple"]

Triple = tuple[float, float, float]

_SCHEMA_VERSION = 1
_ON_THE_EDGE = 1e-9  # of a standard deviation of the points: rounding does not put a vertex outside its own hull
_ONE_SLICE = 0.1  # assumption: points in one slice that are narrower than this share of their length are a line


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
        Root mean square distance of the fitted points without the outliers; 0 for a plane that was given.
    covariance : ndarray (3, 3)
        Of the offset along the normal (mm) and the tilts along both in-plane axes; zeros for a plane that was given,
        NaN for one fitted to three points, whose error cannot be known.
    oriented : bool
        False: the sign of the normal is arbitrary, and the side on which most of the tumour lies decides.
    axes : ndarray (2, 3)
        In-plane unit vectors the covariance refers to.
    half_extent_mm : tuple of float
        How far the fitted points reach from `point_mm` along each axis; infinite for a plane that was given.
    n_points : int
        Points the plane was fitted to, outliers among them; 0 for a plane that was given.
    n_outliers : int
        Points that were left out of the fit.
    freedom : float
        Degrees of freedom of the residual variance, for Student's t; infinite for a plane that was given.
    patch : ndarray (K, 3)
        Where the plane was seen: rows (a, b, c), and ``a u + b v + c <= 0`` for every row at in-plane coordinates
        (u, v) within the convex hull of the fitted points. No rows: everywhere, as for a plane that was given.

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
    n_points: int = 0
    n_outliers: int = 0
    freedom: float = math.inf
    patch: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))

    def __post_init__(self) -> None:
        point = triple(self.point_mm, "point_mm")
        normal = triple(self.normal, "normal")
        length = math.hypot(*normal)
        if length == 0:
            raise InputError("normal has length zero; expected the direction (z, y, x) away from the tumour side")
        if not math.isclose(length, 1.0, rel_tol=1e-15):  # or a plane that is read would not be the one written
            normal = (normal[0] / length, normal[1] / length, normal[2] / length)
        object.__setattr__(self, "point_mm", point)
        object.__setattr__(self, "normal", normal)

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

    def variance_mm2(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Return the variance of the plane's offset along its normal, at the foot of each point.

        Parameters
        ----------
        points_mm : array_like of float, shape (N, 3)
            Points (z, y, x) in millimetres.

        Returns
        -------
        ndarray (N,)
            mm²: 0 for a plane that was given, NaN for one fitted to three points. An interval takes Student's t with
            `freedom`.

        Notes
        -----
        ``(1, u, v) covariance (1, u, v)'`` with the in-plane coordinates (u, v) of the foot; see `fit_plane`.

        Examples
        --------
        >>> import numpy as np, pyicg
        >>> plane = pyicg.fit_plane([(0, 12, 0), (0, 12.1, 20), (9, 12.1, 0), (9, 12, 20)])
        >>> np.sqrt(plane.variance_mm2([(4.5, 8, 10), (4.5, 8, 40)])).round(3)
        array([0.05 , 0.158])
        """
        terms = np.insert(self._in_plane(points_mm), 0, 1.0, axis=1)
        variance: FloatArray = np.einsum("ni,ij,nj->n", terms, self.covariance, terms)
        return variance

    def outside_patch(self, points_mm: npt.ArrayLike) -> BoolArray:
        """Tell which points have their foot outside the convex hull of the points the plane was fitted to.

        There the plane is an extrapolation. Never outside for a plane that was given.

        Parameters
        ----------
        points_mm : array_like of float, shape (N, 3)
            Points (z, y, x) in millimetres.

        Returns
        -------
        ndarray of bool, shape (N,)

        Examples
        --------
        >>> import pyicg
        >>> plane = pyicg.fit_plane([(0, 12, 0), (0, 12, 20), (9, 12, 0), (9, 12, 20)])
        >>> plane.outside_patch([(4, 3, 10), (4, 3, 21)])
        array([False,  True])
        """
        beyond = self._in_plane(points_mm) @ self.patch[:, :2].T + self.patch[:, 2] > 0
        outside: BoolArray = np.any(beyond, axis=1)
        return outside

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it: NaN and infinity become None."""
        return {"schema_version": _SCHEMA_VERSION} | {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> Plane:
        """Return the plane that `to_dict` described, or one given by ``point_mm`` and ``normal`` alone.

        Raises
        ------
        InputError
            Something is missing, unknown or cannot belong to a plane.
        """
        names = [f.name for f in fields(Plane)]
        if not isinstance(content, Mapping) or not {"point_mm", "normal"} <= set(content):
            raise InputError('expected {"point_mm": [z, y, x], "normal": [z, y, x]}, or a plane that pyicg wrote')
        if "schema_version" not in content and not set(names[2:]) & set(content):
            return Plane(point_mm=content["point_mm"], normal=content["normal"])
        version = content.get("schema_version")
        if version != _SCHEMA_VERSION:
            raise InputError(
                f"schema_version is {version!r}; this pyicg reads {_SCHEMA_VERSION}. Write the plane again"
            )
        if set(content) != {"schema_version", *names}:
            wrong = sorted(set(content) ^ {"schema_version", *names})
            raise InputError(f"{', '.join(wrong)}: missing or unknown; expected all that pyicg wrote. Write it again")
        try:
            plane = Plane(
                point_mm=content["point_mm"],
                normal=content["normal"],
                rms_mm=float(content["rms_mm"]),
                covariance=_array(content["covariance"], (3, 3), math.nan),
                oriented=content["oriented"],
                axes=_array(content["axes"], (2, 3), math.nan),
                half_extent_mm=tuple(_array(content["half_extent_mm"], (2,), math.inf).tolist()),
                n_points=content["n_points"],
                n_outliers=content["n_outliers"],
                freedom=math.inf if content["freedom"] is None else float(content["freedom"]),
                patch=_array(content["patch"], (-1, 3), math.nan),
            )
        except (TypeError, ValueError) as error:
            raise InputError(f"{error}; expected what pyicg wrote. Write the plane again") from error
        plane._check()
        return plane

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the plane to a JSON file, whole or not at all.

        Raises
        ------
        InputError
            The file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import pyicg
        >>> plane = pyicg.fit_plane([(0, 12, 0), (0, 12.1, 20), (9, 12.1, 0), (9, 12, 20)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = pyicg.Plane.load(plane.save(Path(folder) / "plane.json"))
        >>> again.normal == plane.normal, bool((again.covariance == plane.covariance).all())
        (True, True)
        """
        from pyicg.io._results_folder import write_files

        file = Path(path)
        write_files(file.parent, {file.name: (json.dumps(self.to_dict(), indent=1) + "\n").encode()})
        return file

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Plane:
        """Read a plane that `save` wrote, or a JSON file with ``point_mm`` and ``normal`` alone.

        Raises
        ------
        InputError
            The file is missing, damaged, or holds no plane; the message says which.
        """
        file = Path(path)
        try:
            return Plane.from_dict(json.loads(file.read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(f"{file}: {error.strerror}; expected a JSON file with point_mm and normal") from error
        except (ValueError, TypeError) as error:  # InputError is a ValueError
            raise InputError(f"{file}: {error}") from error

    def _in_plane(self, points_mm: npt.ArrayLike) -> FloatArray:
        points = np.asarray(points_mm, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise InputError(f"points_mm must be an (N, 3) array of points (z, y, x) in mm, found shape {points.shape}")
        coordinates: FloatArray = (points - self.point_mm) @ self.axes.T
        return coordinates

    def _check(self) -> None:
        frame = np.vstack([self.axes, self.normal])
        given = not self.axes.any()
        known = np.isfinite(self.covariance).all()
        sound = {
            "axes": given or bool(np.allclose(frame @ frame.T, np.eye(3), atol=1e-9)),
            "covariance": np.array_equal(self.covariance, self.covariance.T, equal_nan=True)
            and (np.linalg.eigvalsh(self.covariance).min() >= 0 if known else bool(np.isnan(self.covariance).all())),
            "rms_mm": 0 <= self.rms_mm < math.inf,
            "half_extent_mm": min(self.half_extent_mm) >= 0,
            "n_points, n_outliers": all(type(n) is int for n in (self.n_points, self.n_outliers))
            and 0 <= self.n_outliers <= self.n_points,
            "freedom": self.freedom >= 0,
            "patch": bool(np.isfinite(self.patch).all()),
            "oriented": isinstance(self.oriented, bool),
        }
        wrong = [name for name, right in sound.items() if not right]
        if wrong:
            raise InputError(f"{'; '.join(wrong)}: cannot be those of a plane. The file was changed: write it again")

    def _with_normal(self, normal: tuple[float, ...], oriented: bool) -> Plane:
        return replace(self, normal=(normal[0], normal[1], normal[2]), oriented=oriented)


def fit_plane(points_mm: npt.ArrayLike) -> Plane:
    """Fit a plane to points on the resection surface; points that lie off it are left out.

    Parameters
    ----------
    points_mm : array_like of float, shape (N, 3), N >= 3
        Points (z, y, x) in millimetres, each with an error of its own. Pixels of a mask are not such points: see
        `plane_from_mask`.

    Returns
    -------
    Plane
        Through the mean of the points that agree; the sign of its normal is arbitrary (``oriented`` False) until
        ``plane.facing(point_on_the_tumour_side)`` settles it.

    Raises
    ------
    InputError
        Fewer than three points, points on a line, values that are not finite, points of which not more than half agree
        on a plane, or points as far across the plane as along it.

    Notes
    -----
    RANSAC in its least quantile form (Rousseeuw and Leroy 1987): of all triples (up to 23 points, beyond that 500
    triples from a fixed seed) the one whose plane has the smallest median distance. Points within three standard
    deviations of it agree; the deviation is 1.4826 times their median distance, and with few points three becomes
    Student's t. They are fitted again with Huber's weights (k = 1.345) until the choice settles. When no point lies
    further off than happens in about one of a hundred sets without outliers, none is one, and the fit is plain total
    least squares. **Assumption:** a point nearer than 1/500 of the points' reach is never an outlier, since
    coordinates are typed or counted in pixels.

    The plane's variance at in-plane coordinates (u, v) is ``(s^2 / N) (1 + u^2 / s_u^2 + v^2 / s_v^2)``, s_u and s_v
    being the standard deviations of the N points that agree along the axes, and `covariance` holds its three parts.
    Without outliers ``s^2 = SSE / (N - 3)``, exact for normal errors. With outliers
    ``s^2 = K^2 [sum psi^2 / (N - 3)] / mean(psi')^2`` with ``K = 1 + (3 / N) var(psi') / mean(psi')^2`` (Huber 1981,
    chapter 7), psi being the clipped residuals. Outliers that lie within the scatter, all on one side, cannot be told
    and shift the plane: by a fifth to a tenth of the scatter when three points in ten are such (simulated).

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> plane = pyicg.fit_plane([(0, 5, 0), (0, 5, 9), (9, 5, 0), (9, 5, 9)])
    >>> [abs(round(v, 6)) for v in plane.normal], round(plane.rms_mm, 6)
    ([0.0, 1.0, 0.0], 0.0)
    """
    try:
        points = np.asarray(points_mm, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"the points of a plane must be numbers, three to a point: {error}") from error
    if points.ndim != 2 or points.shape[1] != 3 or len(points) < 3:
        raise InputError(f"a plane needs an (N, 3) array of at least three points, found shape {points.shape}")
    fit = fit_hyperplane(points)
    if np.ptp(points[:, 0]) == 0 and fit.spread[1] < _ONE_SLICE**2 * fit.spread[0]:
        raise InputError(
            f"all {len(points)} points lie in one slice (z = {points[0, 0]:g} mm) and nearly on a line; a plane needs "
            "a second direction. Add points in another slice, or use plane_from_lines with perpendicular=True for a "
            "plane at right angles to the slices"
        )
    return plane_of(points, fit)


def plane_of(points: FloatArray, fit: Hyperplane, *, independent: float | None = None, z_mm: float = 0.0) -> Plane:
    """Return a fit to points as a plane: in space (N, 3), or of the line (N, 2) in which it crosses all slices.

    `independent` says how many errors of their own the points that agree hold, where neighbours share theirs; `z_mm` is
    where a plane across the slices has its point.
    """
    n, dims = np.count_nonzero(fit.agree), points.shape[1]
    freedom = float(n - dims) if independent is None else max(independent - dims, 1.0)
    # with independent points SSE / (N - D) / N; else the SSE of so many errors, less what the fit has taken of them
    offset = fit.variance * (n - dims) / n / freedom if n > dims else math.nan
    flat = (points[fit.agree] - fit.centre) @ fit.axes.T
    low, high = flat.min(axis=0), flat.max(axis=0)
    reach = np.maximum(-low, high)
    if dims == 2:
        point, normal = (z_mm, *fit.centre), (0.0, *fit.normal)
        axes = np.array([(0.0, *fit.axes[0]), (1.0, 0.0, 0.0)])
        slack = _ON_THE_EDGE * math.sqrt(fit.spread[0])
        patch = np.array([(1.0, 0.0, -high[0] - slack), (-1.0, 0.0, low[0] - slack)])
        tilts, half_extent = (offset / fit.spread[0], offset * 0.0), (float(reach[0]), math.inf)
    else:
        point, normal, axes, patch = tuple(fit.centre), tuple(fit.normal), fit.axes, _hull(flat, np.sqrt(fit.spread))
        tilts, half_extent = tuple(offset / fit.spread), (float(reach[0]), float(reach[1]))
    return Plane(
        point_mm=triple(point, "point_mm"),
        normal=triple(normal, "normal"),
        rms_mm=math.sqrt(float(np.mean(fit.residuals[fit.agree] ** 2))),
        covariance=np.diag([offset, *tilts]) if math.isfinite(offset) else np.full((3, 3), math.nan),
        oriented=False,
        axes=axes,
        half_extent_mm=half_extent,
        n_points=len(points),
        n_outliers=int(len(points) - n),
        freedom=freedom,
        patch=patch,
    )


def _hull(flat: FloatArray, spread: FloatArray) -> FloatArray:
    """Return the convex hull of points (N, 2) as rows (a, b, c) of a u + b v + c <= 0."""
    from scipy.spatial import ConvexHull

    rows = ConvexHull(flat / spread).equations  # stretched to a round cloud, so that a narrow patch has a hull too
    hull: FloatArray = np.hstack([rows[:, :2] / spread, rows[:, 2:] - _ON_THE_EDGE])
    return hull


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | tuple):
        return [_plain(part) for part in np.asarray(value).tolist()]
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _array(content: Any, shape: tuple[int, ...], missing: float) -> FloatArray:
    numbers = np.array(content, dtype=np.float64).reshape(shape if content or shape[0] > 0 else (0, 3))
    numbers[np.isnan(numbers)] = missing
    return numbers


def triple(values: Any, name: str) -> Triple:
    """Return three finite numbers (z, y, x); `name` is for the error."""
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be three finite numbers (z, y, x), found {values!r}") from error
    if len(found) != 3 or not all(math.isfinite(value) for value in found):
        raise InputError(f"{name} must be three finite numbers (z, y, x), found {found}")
    return found
