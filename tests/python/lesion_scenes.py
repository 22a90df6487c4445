"""A lesion on uneven tissue, and its background under any policy: what the tests of backgrounds share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

import pyicg
from pyicg import Background, CalibratedFrame

from .oracles import F32

WITHOUT_LESION = ("mode", "median", "percentile", "mask")
LEVEL = 100.0


def lesion_scene(
    seed: int, sigma: float, shape: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Uneven tissue, a lesion off the middle and a drape along one side."""
    rng = np.random.default_rng(seed)
    data = rng.normal(LEVEL, sigma, shape) + 40 * ndimage.gaussian_filter(rng.normal(0, 1, shape), 4)
    signal = np.zeros(shape, bool)
    signal[12:24, 20:36] = True
    data[signal] += 150
    data[-4:] = rng.normal(5, 1, (4, shape[1]))
    return data.astype(F32), signal


def estimate(cal: CalibratedFrame, policy: str, signal: npt.NDArray[np.bool_]) -> Background:
    if policy in WITHOUT_LESION:
        mask = ~signal if policy == "mask" else None
        return pyicg.estimate_background(cal, policy=policy, mask=mask, exclude=signal)
    return pyicg.estimate_background(cal, policy=policy, signal=signal)
