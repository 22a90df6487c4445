"""The tumour's surface between its slices: radii about each slice's centroid, interpolated along z."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg.results import FloatArray, Lesion

__all__ = ["ANGLES", "TumourSurface", "surface_of_chain"]

_RAYS = 360
ANGLES = np.arange(_RAYS) * 2 * math.pi / _RAYS
_STEPS_PER_RADIUS = 20  # between slices: the sag between two levels is then under 0.0004 of the radius
_CAP_LEVELS = 12
_ROUND = -1.0  # r^2 of a sphere falls by z^2: half of its second derivative
_ROUND_DOUBT = 0.4  # of it, where too few slices tell: a tumour 1.4 times as long as wide, or as short
_MOST_BEYOND = 1.5  # slices: the one that no longer shows the tumour may still hold a core too small to be found
_BEND_DOUBT = 0.2  # of the same half, measured on three slices


@dataclass(frozen=True, eq=False)
class TumourSurface:
    """A closed surface as levels of points, all lengths in mm.

    With the radii r of the slices' contours about their centroids, r^2 at a level is its row of `weights` times
    `squares`, plus its `offset`.

    Attributes
    ----------
    z : ndarray (L,)
        The levels.
    centres : ndarray (L, 2)
        (y, x) of each level's axis.
    squares : ndarray (K, N)
        r^2 of each slice and ray.
    variances : ndarray (K, N)
        Of `squares`.
    off : ndarray (K, N)
        By how much the contour as a whole may be off, of `squares`.
    correlation : ndarray (K,)
        Length along the contour over which errors are alike.
    weights : ndarray (L, K)
        Of the slices at each level.
    reach : ndarray (L, K)
        Of the slices' mean r^2 in the level's; beyond the last slice that is more than `weights`, which only scale it.
    offset : ndarray (L, N)
        What the shape that is taken for granted adds.
    doubt : ndarray (L, N)
        Standard uncertainty of r^2 for what no slice shows.
    """

    z: FloatArray
    centres: FloatArray
    squares: FloatArray
    variances: FloatArray
    off: FloatArray
    correlation: FloatArray
    weights: FloatArray
    reach: FloatArray
    offset: FloatArray
    doubt: FloatArray

    def radii(self, squares: FloatArray) -> FloatArray:
        """Return the radii (..., L, N) for the r^2 (..., K, N) of the slices."""
        return np.sqrt(np.maximum(self.weights @ squares + self.offset, 0.0))

    def points(self) -> FloatArray:
        """Return the points (L, N, 3), as (z, y, x)."""
        radii = self.radii(self.squares)
        y = self.centres[:, :1] + radii * np.sin(ANGLES)
        x = self.centres[:, 1:] + radii * np.cos(ANGLES)
        return np.stack([np.broadcast_to(self.z[:, None], radii.shape), y, x], axis=-1)

    def slope(self) -> FloatArray:
        """Return |grad(r^2 - q)| (L, N): what a change of r^2 must be divided by to give the surface's shift."""
        radii = self.radii(self.squares)
        along = np.gradient(radii**2, self.z, axis=0) if len(self.z) > 1 else np.zeros_like(radii)
        return np.hypot(2 * radii, along)

    def triangles(self) -> npt.NDArray[np.intp]:
        """Return the triangles (T, 3) between neighbouring levels as indices into the flattened points."""
        level, ray = np.meshgrid(np.arange(len(self.z) - 1), np.arange(_RAYS), indexing="ij")
        after = (ray + 1) % _RAYS
        corners = [level * _RAYS + ray, level * _RAYS + after, (level + 1) * _RAYS + ray, (level + 1) * _RAYS + after]
        a, b, c, d = (corner.ravel() for corner in corners)
        return np.concatenate([np.column_stack([a, b, c]), np.column_stack([b, d, c])])


def surface_of_chain(
    members: Sequence[tuple[int, Lesion]],
    spacing_mm: tuple[float, float, float],
    *,
    sigma_px: Sequence[FloatArray],
    level_px: Sequence[FloatArray],
    room: tuple[int, int] = (1, 1),
) -> TumourSurface:
    """Build the surface of a tumour given as (slice index, lesion), one lesion a slice, in order of slices.

    Between slices r^2 along each ray is the parabola through three slices; where two such parabolas hold, the mean of
    both, weighted by how near their third slice is. That is exact for every ellipsoid, however it lies. Beyond the last
    slice the tumour closes where the parabola of the mean r^2 ends, but not far beyond the slice that no longer shows
    it. With two slices the parabola is that of a sphere; with one the tumour ends half way to its neighbours.
    `sigma_px` is the noise of each lesion's vertices, `level_px` how far they may lie off together; `room` how many
    slices away the next one is that was looked at, before the first and behind the last.
    """
    step_z, step_y, step_x = spacing_mm
    z = np.array([index * step_z for index, _ in members], dtype=np.float64)
    centres = np.array([lesion.centroid for _, lesion in members]) * (step_y, step_x)
    polar = [
        _polar(lesion, sigma, level, spacing_mm[1:])
        for (_, lesion), sigma, level in zip(members, sigma_px, level_px, strict=True)
    ]
    radii, sigmas, off = (np.array(part) for part in zip(*polar, strict=True))
    knots = _Knots(z, radii**2)
    correlation = np.array([lesion.correlation_px * math.sqrt(step_y * step_x) for _, lesion in members])
    levels = knots.levels()
    low, high = knots.flipped().cap(room[0] * step_z, step_z), knots.cap(room[1] * step_z, step_z)
    first, last = np.eye(len(z))[[0, -1]]
    between = knots.weights(levels)
    below, above = _onwards(centres, z, -low.away), _onwards(centres[::-1], z[::-1], high.away)
    none_below, none_above = (np.zeros((len(cap.away), _RAYS)) for cap in (low, high))
    return TumourSurface(
        z=np.concatenate([(z[0] - low.away)[::-1], levels, z[-1] + high.away]),
        centres=np.concatenate([below[::-1], between @ centres, above]),
        squares=knots.squares,
        variances=(2 * radii * sigmas) ** 2,
        off=2 * radii * off,
        correlation=correlation,
        weights=np.concatenate([low.share[::-1, None] * first, between, high.share[:, None] * last]),
        reach=np.concatenate([low.reach[::-1, ::-1], between, high.reach]),
        offset=np.concatenate([none_below, knots.bulge(levels), none_above]),
        doubt=np.concatenate([low.doubt[::-1], knots.doubt(levels, step_z), high.doubt]),
    )


def _polar(
    lesion: Lesion, sigma_px: FloatArray, level_px: FloatArray, steps: tuple[float, float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return radius, sigma and level in mm where each ray from the centroid leaves the inner contour for good."""
    ends = (lesion.inner_contour - lesion.centroid) * steps
    starts = np.roll(ends, 1, axis=0)
    along = ends - starts
    uy, ux = np.sin(ANGLES)[:, None], np.cos(ANGLES)[:, None]
    across = ux * along[:, 0] - uy * along[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        radius = (starts[:, 1] * along[:, 0] - starts[:, 0] * along[:, 1]) / across
        share = (starts[:, 1] * uy - starts[:, 0] * ux) / across
    radius = np.where((share >= 0) & (share < 1) & (radius > 0), radius, 0.0)
    edge = np.argmax(radius, axis=1)
    pixel = math.sqrt(steps[0] * steps[1])
    return radius[np.arange(_RAYS), edge], sigma_px[edge] * pixel, level_px[edge] * pixel


def _onwards(centres: FloatArray, z: FloatArray, away: FloatArray) -> FloatArray:
    """Return the axis beyond the first slice: straight on from the first two."""
    if len(z) == 1:
        return np.broadcast_to(centres[0], (len(away), 2))
    per_mm = (centres[1] - centres[0]) / (z[1] - z[0])
    return np.asarray(centres[0] + away[:, None] * per_mm)


@dataclass(frozen=True)
class _Cap:
    """Beyond the last slice: see `TumourSurface`; `share` is how much of its r^2 is left."""

    away: FloatArray
    share: FloatArray
    reach: FloatArray
    doubt: FloatArray


@dataclass(frozen=True, eq=False)
class _Knots:
    """r^2 of K slices and N rays, and how it goes on between and beyond them."""

    z: FloatArray
    squares: FloatArray

    def flipped(self) -> _Knots:
        return _Knots(-self.z[::-1], self.squares[::-1])

    def levels(self) -> FloatArray:
        size = math.sqrt(float(self.squares.mean(axis=1).max()))
        steps = [
            np.linspace(a, b, max(4, math.ceil(_STEPS_PER_RADIUS * (b - a) / size)), endpoint=False)
            for a, b in itertools.pairwise(self.z)
        ]
        return np.concatenate([*steps, self.z[-1:]])

    def weights(self, levels: FloatArray) -> FloatArray:
        """Return the weights (L, K) of the slices in r^2 at each level."""
        count = len(self.z)
        found = np.zeros((len(levels), count))
        for row, level in enumerate(levels):
            k = self._interval(level)
            if count < 3:
                found[row] = _lagrange(self.z, level)
                continue
            # How near the level is to the upper slice; at the ends only one parabola holds.
            upper = (level - self.z[k]) / (self.z[k + 1] - self.z[k])
            upper = 1.0 if k == 0 else 0.0 if k == count - 2 else upper
            for first, share in ((k - 1, 1 - upper), (k, upper)):
                if share:
                    found[row, first : first + 3] += share * _lagrange(self.z[first : first + 3], level)
        return found

    def _interval(self, level: float) -> int:
        return max(min(int(np.searchsorted(self.z, level, side="right")) - 1, len(self.z) - 2), 0)

    def bulge(self, levels: FloatArray) -> FloatArray:
        """Return what a sphere adds to the line between two slices, spread as r^2 is over the rays."""
        if len(self.z) != 2:
            return np.zeros((len(levels), _RAYS))
        line = self.weights(levels) @ self.squares
        return np.asarray(-_ROUND * self._dip(levels)[:, None] * line / line.mean(axis=1, keepdims=True))

    def _dip(self, levels: FloatArray) -> FloatArray:
        """Return (z - a)(b - z) between the slices a and b."""
        k = np.array([self._interval(level) for level in levels])
        return np.asarray((levels - self.z[k]) * (self.z[np.minimum(k + 1, len(self.z) - 1)] - levels))

    def doubt(self, levels: FloatArray, step_z: float) -> FloatArray:
        """Return the standard uncertainty of r^2 (L, N) between the slices: the next term of Newton's interpolation."""
        count = len(self.z)
        dip = self._dip(levels)[:, None] * np.ones(_RAYS)
        if count == 1:
            return np.full_like(dip, self._wider(step_z))
        if count == 2:
            return _ROUND_DOUBT * dip
        if count == 3:
            return np.asarray(_BEND_DOUBT * dip * np.abs(_divided(self.z, self.squares)))
        out = np.empty_like(dip)
        for row, level in enumerate(levels):
            k = self._interval(level)
            first = min(max(k - 1, 0), count - 4)
            third = np.abs(_divided(self.z[first : first + 4], self.squares[first : first + 4]))
            out[row] = dip[row] * third * (self.z[k + 1] - self.z[k])
        return out

    def _wider(self, step_z: float) -> float:
        """Return by how much r^2 may be larger beside the one slice that shows the tumour.

        A ball whose neighbours miss it has its centre up to (s^2 - r^2) / 2s away from the slice, evenly distributed;
        for a flatter tumour, or one whose small cores were not found, we assume half a slice at least.
        """
        away = max((step_z**2 - float(self.squares.mean())) / (2 * step_z), 0.5 * step_z)
        return away**2 / math.sqrt(3)

    def cap(self, room_mm: float, step_z: float) -> _Cap:
        count = min(len(self.z), 4)
        z, mean = self.z[::-1][:count], self.squares.mean(axis=1)[::-1][:count]
        level, below = float(mean[0]), -np.diff(z[:2]).sum()
        bend = _ROUND if count < 3 else float(_divided(z[:3], mean[:3]))
        fall = 0.0 if count == 1 else float(_divided(z[:2], mean[:2])) + bend * below
        # The parabola level + fall t + bend t^2; it need not come down.
        roots = np.roots([bend, fall, level])
        ends = [float(root.real) for root in roots if abs(root.imag) < 1e-12 and root.real > 0]
        most = 0.5 * room_mm if count == 1 else _MOST_BEYOND * room_mm
        height = min([*ends, most])
        bow = max(fall * height / level, -2.0)
        t = 1 - (1 - np.arange(1, _CAP_LEVELS + 1) / _CAP_LEVELS) ** 2
        share = np.maximum((1 - t) * (1 + (1 + bow) * t), 0.0)
        away = height * t
        slope = level * (2 + bow) / height  # of r^2 where the cap ends
        if count == 1:
            doubt = np.hypot(slope * t**2 * room_mm / math.sqrt(12), self._wider(step_z) * share)
        else:
            dip = away * (away + below)
            doubt = dip * (
                _ROUND_DOUBT
                if count == 2
                else _BEND_DOUBT * abs(bend)
                if count == 3
                else abs(float(_divided(z, mean))) * (away + z[0] - z[2])
            )
            unseen = min([*ends, 2 * most]) - height  # of a tumour that would reach further than it may
            doubt = np.hypot(doubt, slope * t**2 * unseen / math.sqrt(12))
        used = min(len(self.z), 3)
        reach = np.zeros((len(away), len(self.z)))
        reach[:, -used:] = [_lagrange(self.z[-used:], self.z[-1] + d) for d in away]
        return _Cap(away, share, reach, np.asarray(doubt)[:, None] * np.ones(_RAYS))


def _lagrange(z: FloatArray, level: float) -> FloatArray:
    """Return the weights of the values at `z` in the polynomial through them, at `level`."""
    found = np.ones(len(z))
    for i, own in enumerate(z):
        for j, other in enumerate(z):
            if i != j:
                found[i] *= (level - other) / (own - other)
    return found


def _divided(z: FloatArray, values: FloatArray) -> FloatArray:
    """Return the highest divided difference of the values (K, ...) at `z`."""
    table = np.asarray(values, dtype=np.float64)
    for order in range(1, len(z)):
        gaps = (z[order:] - z[:-order]).reshape((-1,) + (1,) * (table.ndim - 1))
        table = np.diff(table, axis=0) / gaps
    return np.asarray(table[0])
