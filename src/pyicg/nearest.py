"""The smallest of many noisy distances: how low noise pulls it, and how far it scatters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg.plane import Plane
from pyicg.results import FloatArray
from pyicg.tumour_mesh import TumourMesh
from pyicg.tumour_surface import ANGLES, TumourSurface

__all__ = ["Nearest", "nearest_point", "nearest_vertex"]

Indices = npt.NDArray[np.intp]

_DRAWS = 400
_REACH = 4.0  # sigmas: what lies further off is never the nearest


@dataclass(frozen=True)
class Nearest:
    """The smallest distance with its foot (z, y, x), bias, and standard uncertainties as in `DistanceBudget`; mm."""

    distance_mm: float
    foot_mm: FloatArray
    boundary_mm: float = 0.0
    bias_mm: float = 0.0
    level_mm: float = 0.0
    gap_mm: float = 0.0


def nearest_point(surface: TumourSurface, distances: FloatArray, plane: Plane, level_mm: FloatArray) -> Nearest:
    """Find the point of a surface that is nearest to a plane.

    The errors of every slice are drawn anew, alike along the contour over its correlation length, and carried to the
    levels between the slices by the surface's own weights. What is seen has that noise once already; once more pulls
    the minimum down again, and by how much is taken for the bias (bootstrap; Efron and Tibshirani, An Introduction to
    the Bootstrap (1993), ch. 10). A part of it is left where noise is strong: the smallest has been chosen already.
    `level_mm` is by how much each slice's contour as a whole may lie too far out or in.
    """
    radii = surface.radii(surface.squares)
    distances = distances.reshape(radii.shape)
    outwards = plane.normal[1] * np.sin(ANGLES) + plane.normal[2] * np.cos(ANGLES)
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.sqrt(surface.weights**2 @ surface.variances) / (2 * radii) * np.abs(outwards)
    sigma = np.minimum(np.nan_to_num(sigma, nan=0.0, posinf=0.0), radii)
    near = distances - _REACH * sigma <= np.min(distances + _REACH * sigma)
    rows, rays = np.nonzero(near)
    at = np.unravel_index(np.argmin(distances), distances.shape)
    foot = surface.points()[at]
    lowest = float(distances[at])
    smallest = _drawn_minima(surface, rows, rays, distances[near] + radii[near] * outwards[rays], outwards[rays])
    bias = float(smallest.mean()) - lowest
    to_mm = 1 / float(surface.slope()[at])
    radius = np.sqrt(surface.squares.mean(axis=1))
    level = math.sqrt(float(surface.reach[at[0]] ** 2 @ (2 * radius * level_mm) ** 2)) * to_mm
    # Beyond the last slice the draws move the radii, not the end.
    beyond = not np.array_equal(surface.reach[at[0]], surface.weights[at[0]])
    alike = np.minimum(surface.correlation / (2 * math.pi * radius), 1.0)
    end = math.sqrt(float(surface.reach[at[0]] ** 2 @ (surface.variances.mean(axis=1) * alike))) * to_mm
    noise = math.hypot(float(smallest.std()), end if beyond else 0.0)
    return Nearest(lowest - bias, foot, noise, bias, level, float(surface.doubt[at]) * to_mm)


def nearest_vertex(mesh: TumourMesh, distances: FloatArray) -> Nearest:
    """Find the vertex of a mesh that is nearest to a plane; noise is drawn anew for every voxel."""
    from scipy.ndimage import map_coordinates

    at = int(np.argmin(distances))
    sigma = mesh.sigma_mm
    near = np.flatnonzero(distances - _REACH * sigma <= np.min(distances + _REACH * sigma))
    places = mesh.points_mm[near] / mesh.spacing_mm
    low = np.floor(places.min(axis=0)).astype(np.intp)
    shape = np.ceil(places.max(axis=0)).astype(np.intp) - low + 1
    white = np.random.default_rng(0).standard_normal((_DRAWS, *shape))
    drawn = np.array([map_coordinates(noise, (places - low).T, order=1) for noise in white])
    smallest = np.min(distances[near] + sigma[near] * drawn, axis=1)
    bias = float(smallest.mean()) - float(distances[at])
    level = float(mesh.level_sigma_mm[at])
    return Nearest(float(distances[at]) - bias, mesh.points_mm[at], float(smallest.std()), bias, level)


def _drawn_minima(
    surface: TumourSurface, rows: Indices, rays: Indices, from_axis: FloatArray, outwards: FloatArray
) -> FloatArray:
    """Return the smallest distance of each draw; `from_axis` are the distances of the points' axis."""
    knots = np.flatnonzero(np.any(surface.weights[rows] != 0, axis=0))
    noise = _alike(surface, knots) * np.sqrt(surface.variances[knots])
    weights = surface.weights[np.ix_(rows, knots)]
    squares = np.einsum("pk,dkp->dp", weights, (surface.squares[knots] + noise)[:, :, rays])
    radii = np.sqrt(np.maximum(squares + surface.offset[rows, rays], 0.0))
    return np.asarray(np.min(from_axis - radii * outwards, axis=1))


def _alike(surface: TumourSurface, knots: Indices) -> FloatArray:
    """Return draws (D, K, N) of unit variance whose correlation along each contour has the integral it states.

    White noise, smoothed by a Gaussian of sigma s, is correlated by exp(-x^2/4s^2), of which the integral is
    2 sqrt(pi) s.
    """
    count = len(ANGLES)
    white = np.random.default_rng(0).standard_normal((_DRAWS, len(knots), count))
    radius = np.sqrt(surface.squares[knots].mean(axis=1))
    width = surface.correlation[knots] / (2 * math.sqrt(math.pi)) / radius  # radians
    waves = np.exp(-0.5 * (width[:, None] * np.arange(count // 2 + 1)) ** 2)
    smooth = np.fft.irfft(np.fft.rfft(white, axis=-1) * waves, count, axis=-1)
    power = (waves[:, 0] ** 2 + 2 * np.sum(waves[:, 1:-1] ** 2, axis=1) + waves[:, -1] ** 2) / count
    return np.asarray(smooth / np.sqrt(power)[:, None])
