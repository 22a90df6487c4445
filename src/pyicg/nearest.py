"""The smallest of many noisy distances: how low noise pulls it, and how far it scatters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg.distance_results import DistanceBudget
from pyicg.plane import Plane
from pyicg.results import FloatArray, Lesion
from pyicg.tumour_mesh import TumourMesh
from pyicg.tumour_surface import ANGLES, TumourSurface

__all__ = ["Nearest", "nearest_point", "nearest_vertex", "visible_noise_px"]

Indices = npt.NDArray[np.intp]

_DRAWS = 400
_BLOCK = 50  # draws that are held at a time
_MOST_POINTS = 4000  # of those that may be the nearest: enough to hold every part of a flat surface
_REACH = 4.0  # sigmas: what lies further off is never the nearest
_AGAIN = math.sqrt(3)  # as much noise again as makes its variance four times what it was


@dataclass(frozen=True)
class Nearest:
    """The smallest distance with its foot (z, y, x), bias and what the surface says of its uncertainty; mm."""

    distance_mm: float
    foot_mm: FloatArray
    bias_mm: float
    budget: DistanceBudget


def nearest_point(surface: TumourSurface, distances: FloatArray, plane: Plane) -> Nearest:
    """Find the point of a surface that is nearest to a plane.

    The errors of every slice are drawn anew, alike along the contour over its correlation length, and carried to the
    levels between the slices by the surface's own weights.
    """
    radii = surface.radii(surface.squares)
    distances = distances.reshape(radii.shape)
    outwards = plane.normal[1] * np.sin(ANGLES) + plane.normal[2] * np.cos(ANGLES)
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.sqrt(surface.weights**2 @ surface.variances) / (2 * radii) * np.abs(outwards)
    sigma = np.minimum(np.nan_to_num(sigma, nan=0.0, posinf=0.0), radii)
    rows, rays = _thinned(np.nonzero(distances - _REACH * sigma <= np.min(distances + _REACH * sigma)))
    at = np.unravel_index(np.argmin(distances), distances.shape)
    from_axis = distances[rows, rays] + radii[rows, rays] * outwards[rays]

    to_mm = 1 / float(max(surface.slope()[at], 0.1 * np.sqrt(surface.squares.mean())))
    bias, scatter = _bias(_minima(surface, rows, rays, from_axis, outwards[rays]), distances[rows, rays])
    radius = np.sqrt(surface.squares.mean(axis=1))
    level = math.sqrt(float(surface.reach[at[0]] ** 2 @ surface.off[:, at[1]] ** 2)) * to_mm
    # Beyond the last slice the draws move the radii, not the end.
    beyond = not np.array_equal(surface.reach[at[0]], surface.weights[at[0]])
    alike = np.minimum(surface.correlation / (2 * math.pi * radius), 1.0)
    end = math.sqrt(float(surface.reach[at[0]] ** 2 @ (surface.variances.mean(axis=1) * alike))) * to_mm
    noise = math.hypot(scatter, end if beyond else 0.0)
    budget = DistanceBudget(boundary=noise, level=level, gap=float(surface.doubt[at]) * to_mm)
    return Nearest(float(distances[at]) - bias, surface.points()[at], bias, budget)


def nearest_vertex(mesh: TumourMesh, distances: FloatArray) -> Nearest:
    """Find the vertex of a mesh that is nearest to a plane; noise is drawn anew for every voxel around the vertices."""
    at = int(np.argmin(distances))
    (near,) = _thinned(np.nonzero(distances - _REACH * mesh.sigma_mm <= np.min(distances + _REACH * mesh.sigma_mm)))
    places = mesh.points_mm[near] / mesh.spacing_mm
    low = np.floor(places).astype(np.intp)
    shares = places - low
    corners = np.array(list(np.ndindex(2, 2, 2)))
    voxels = (low[:, None] + corners).reshape(-1, 3)
    _, voxel = np.unique(voxels, axis=0, return_inverse=True)
    voxel = voxel.reshape(-1, 8)
    weights = np.prod(np.where(corners, shares[:, None], 1 - shares[:, None]), axis=2) * mesh.sigma_mm[near, None]
    rng = np.random.default_rng(0)

    def draw(count: int) -> FloatArray:
        white = rng.standard_normal((count, int(voxel.max()) + 1))
        return np.asarray(sum(white[:, voxel[:, c]] * weights[:, c] for c in range(8)))

    minima = [
        [np.min(distances[near] + by * noise, axis=1) for by in (1.0, _AGAIN)]
        for noise in (draw(_BLOCK) for _ in range(_DRAWS // _BLOCK))
    ]
    bias, scatter = _bias(np.concatenate(minima, axis=1), distances[near])
    budget = DistanceBudget(boundary=scatter, level=float(mesh.level_sigma_mm[at]))
    return Nearest(float(distances[at]) - bias, mesh.points_mm[at], bias, budget)


def visible_noise_px(lesion: Lesion) -> FloatArray:
    """Return the noise of each vertex (N,), no more than the contour shows: only that pulls its minimum down.

    What is seen are the waves shorter than three correlation lengths; noise whose errors are alike over one has a known
    share of its power there.
    """
    radius = np.hypot(*(lesion.inner_contour - lesion.centroid).T)
    count = len(radius)
    power = np.abs(np.fft.rfft(radius)[1:] / count) ** 2 * 2
    per_turn = 2 * math.pi * float(radius.mean()) / max(lesion.correlation_px, 1e-9)
    orders = np.arange(1, len(power) + 1)
    share = np.exp(-((orders / per_turn) ** 2) * math.pi)  # sigma of the smoothing: see `_alike`
    short = orders > per_turn / 3
    least = 0.05 * share.sum()  # of less nothing can be said
    seen = power[short].sum() / share[short].sum() * share.sum() if share[short].sum() > least else 0.0
    return np.minimum(lesion.inner_sigma, math.sqrt(seen))


def _thinned(near: tuple[Indices, ...]) -> tuple[Indices, ...]:
    every = -(-len(near[0]) // _MOST_POINTS)
    return tuple(indices[::every] for indices in near)


def _bias(minima: FloatArray, seen: FloatArray) -> tuple[float, float]:
    """Return bias and scatter of the smallest distance seen, drawn with the noise once and sqrt(3) times again.

    What is seen has the noise once already: its variance becomes twice and four times what it was. Were the bias b v^h
    for the variance v, the shifts would be b (2^h - 1) and b (4^h - 1), which gives b; h lies between 1/2 (of many
    equally near points) and 1 (of one). Simulation extrapolation (Cook and Stefanski, J. Am. Stat. Assoc. 89 (1994)
    1314). A third of the bias, our assumption, stays in the scatter.
    """
    once, again = (float(drawn.mean() - seen.min()) for drawn in minima)
    power = np.clip(again / once - 1 if once < 0 else 2.0, math.sqrt(2), 2.0)
    bias = min(once, 0.0) / (float(power) - 1)
    return bias, math.hypot(float(minima[0].std()), bias / 3)


def _minima(
    surface: TumourSurface, rows: Indices, rays: Indices, from_axis: FloatArray, outwards: FloatArray
) -> FloatArray:
    """Return the smallest distance of each draw (2, D), with the noise once and sqrt(3) times.

    `from_axis` are the distances of the points' axis.
    """
    # No level hangs on more than four slices.
    used = np.argsort(-np.abs(surface.weights[rows]), axis=1, kind="stable")[:, :4]
    weights = np.take_along_axis(surface.weights[rows], used, axis=1)
    squares = surface.offset[rows, rays] + np.sum(weights * surface.squares[used, rays[:, None]], axis=1)
    rng = np.random.default_rng(0)
    knots, place = np.unique(used, return_inverse=True)
    place = place.reshape(used.shape)
    minima = []
    for _ in range(_DRAWS // _BLOCK):
        drawn = _alike(surface, knots, rng) * np.sqrt(surface.variances[knots])
        noise = np.sum([weights[:, k] * drawn[:, place[:, k], rays] for k in range(used.shape[1])], axis=0)
        moved = (np.sqrt(np.maximum(squares + by * noise, 0.0)) for by in (1.0, _AGAIN))
        minima.append([np.min(from_axis - radii * outwards, axis=1) for radii in moved])
    return np.concatenate(minima, axis=1)


def _alike(surface: TumourSurface, knots: Indices, rng: np.random.Generator) -> FloatArray:
    """Return draws (D, K, N) of unit variance whose correlation along each contour has the integral it states.

    White noise, smoothed by a Gaussian of sigma s, is correlated by exp(-x^2/4s^2), of which the integral is
    2 sqrt(pi) s.
    """
    count = len(ANGLES)
    white = rng.standard_normal((_BLOCK, len(knots), count))
    radius = np.sqrt(surface.squares[knots].mean(axis=1))
    width = surface.correlation[knots] / (2 * math.sqrt(math.pi)) / radius  # radians
    waves = np.exp(-0.5 * (width[:, None] * np.arange(count // 2 + 1)) ** 2)
    smooth = np.fft.irfft(np.fft.rfft(white, axis=-1) * waves, count, axis=-1)
    power = (waves[:, 0] ** 2 + 2 * np.sum(waves[:, 1:-1] ** 2, axis=1) + waves[:, -1] ** 2) / count
    return np.asarray(smooth / np.sqrt(power)[:, None])
