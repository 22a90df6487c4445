"""Tumours of known shape as the lesions of slices, made without any picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

import pyicg
from pyicg import Lesion, RimSegmentation

from .oracles import annulus, calibrated

Reals = npt.NDArray[np.float64]
PIXEL_MM = 0.2


@lru_cache
def pattern() -> RimSegmentation:
    """Return a segmentation with one lesion, whose contours others take the place of."""
    return pyicg.segment_rim(calibrated(annulus((100, 100), (50, 50), 15, 25)), psf_sigma_px=1.2)


def lesion_of(centre_mm: tuple[float, float], radius_mm: Callable[[Reals], Reals], sigma_px: float = 0.02) -> Lesion:
    """Return a lesion whose inner contour has a radius about a centre (y, x) at every angle."""
    (like,) = pattern().lesions
    angle = np.arange(len(like.inner_contour)) * 2 * np.pi / len(like.inner_contour)
    radius = radius_mm(angle) / PIXEL_MM
    centre = np.array(centre_mm) / PIXEL_MM
    contour = centre + radius[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    return replace(
        like,
        inner_contour=contour,
        inner_sigma=np.full(len(angle), sigma_px),
        centroid=(float(centre[0]), float(centre[1])),
        area_px=float(np.pi * np.mean(radius**2)),
    )


def ball(z_mm: float, centre_mm: tuple[float, float, float], radius_mm: float, sigma_px: float = 0.02) -> list[Lesion]:
    """Return the lesion that a slice shows of a ball; none under a core of 1.2 mm."""
    square = radius_mm**2 - (z_mm - centre_mm[0]) ** 2
    if square < 1.2**2:
        return []
    return [lesion_of(centre_mm[1:], lambda angle: np.full(len(angle), math.sqrt(square)), sigma_px)]


def slices(step_mm: float, count: int, cut: Callable[[float], list[Lesion]]) -> list[RimSegmentation]:
    """Return a segmentation per slice with the lesions that `cut` gives for its z."""
    return [replace(pattern(), lesions=tuple(cut(k * step_mm)), rejected=()) for k in range(count)]
