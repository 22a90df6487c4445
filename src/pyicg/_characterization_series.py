"""The frames that characterise a simulated camera, level by level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt

from .errors import InputError

__all__ = ["CharacterizationSeries", "level_shares"]

_Counts = npt.NDArray[np.uint16]

_LEVEL_ENDS = (0.03, 1.06)
_MIN_LEVELS = 2


@dataclass(frozen=True, eq=False)
class CharacterizationSeries:
    """What `SimulatedCamera.characterization_series` took, in the order that `pyicg.characterize` wants it.

    Attributes
    ----------
    bright, dark : tuple of ndarray of uint16, shape (n, H, W)
        One stack per level of light, and one dark stack of the same exposure.
    photons : tuple of float
        Truth: mean photons per pixel at each level, of light alone.
    exposures_ms : tuple of float
        Exposure of each level.
    spatial : tuple of two ndarray of uint16, shape (spatial_frames, H, W)
        Bright frames at 50 % of saturation, and dark frames of the same exposure.
    """

    bright: tuple[_Counts, ...]
    dark: tuple[_Counts, ...]
    photons: tuple[float, ...]
    exposures_ms: tuple[float, ...]
    spatial: tuple[_Counts, _Counts]


def level_shares(levels: int | Sequence[float]) -> tuple[float, ...]:
    """Return levels of light as shares of saturation: those given, or so many evenly up to just past it."""
    if isinstance(levels, int | np.integer):
        if levels < _MIN_LEVELS:
            raise InputError(f"levels is {levels}; expected at least {_MIN_LEVELS}")
        return tuple(np.linspace(*_LEVEL_ENDS, levels).tolist())
    shares = tuple(levels)
    if not shares or not all(isinstance(share, Real) and 0 < share < math.inf for share in shares):
        raise InputError(f"levels is {levels!r}; expected shares of saturation over 0, or how many")
    return tuple(float(share) for share in shares)
