"""Rims found in an image of a test."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import pyicg
from pyicg import Lesion, RimSegmentation

from .oracles import calibrated

Image = npt.NDArray[np.floating[Any]]


def segment(image: Image, mask: npt.NDArray[np.uint8] | None = None, **options: Any) -> RimSegmentation:
    return pyicg.segment_rim(calibrated(image, mask), **options)


def the_lesion(image: Image, **options: Any) -> Lesion:
    (lesion,) = segment(image, **options).lesions
    return lesion


def noise(shape: tuple[int, ...], sigma: float = 1.0, seed: int = 0) -> Image:
    return np.random.default_rng(seed).normal(0, sigma, shape)
