"""Lengths of pixels and slices, checked at the door."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pyicg.errors import UnitError

__all__ = ["spacing_zyx"]


def spacing_zyx(values: Sequence[float | None]) -> tuple[float, float, float]:
    """Return three positive lengths in mm, (z, y, x)."""
    if len(values) != 3 or not all(v is not None and v > 0 and math.isfinite(v) for v in values):
        raise UnitError(f"spacing must be three positive lengths in millimetres (z, y, x), found {tuple(values)}")
    return (float(values[0] or 0), float(values[1] or 0), float(values[2] or 0))
