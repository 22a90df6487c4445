"""Checks of the numbers that make up a camera profile: each returns the value or says what was expected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from ..errors import ProfileError

__all__ = [
    "bit_depth_of",
    "floats",
    "linearity_of",
    "number",
    "ordered_pair",
    "require",
    "shape_of",
    "table_of",
]

_MAX_BIT_DEPTH = 16


def require(fine: bool, name: str, found: object, expected: str) -> None:
    """Raise ProfileError unless `fine`."""
    if not fine:
        raise ProfileError(f"{name}: found {found!r}, expected {expected}")


def number(
    name: str, value: Any, *, low: float = -math.inf, closed: bool = False, nan: bool = False, infinite: bool = False
) -> float:
    """Return a finite float above `low` (or at it when `closed`); NaN and infinity only where they are meaningful."""
    expected = f"a number{'' if low == -math.inf else f' over {low:g}'}{' or NaN' if nan else ''}"
    require(isinstance(value, Real) and not isinstance(value, bool), name, value, expected)
    found = float(value)
    in_range = found > low or (closed and found == low)
    fine = nan if math.isnan(found) else in_range and (infinite or math.isfinite(found))
    require(fine, name, value, expected)
    return found


def floats(name: str, value: Any, count: int) -> tuple[float, ...]:
    """Return exactly `count` finite floats."""
    require(isinstance(value, Sequence | np.ndarray) and len(value) == count, name, value, f"{count} numbers")
    return tuple(number(name, item) for item in value)


def ordered_pair(name: str, value: Any, *, low: float = 0.0, closed: bool = False) -> tuple[float, float]:
    """Return (lo, hi) with `low` < lo <= hi (`low` <= lo when `closed`)."""
    lo, hi = floats(name, value, 2)
    fine = (lo > low or (closed and lo == low)) and lo <= hi
    require(fine, name, value, f"{low:g} {'<=' if closed else '<'} lo <= hi")
    return lo, hi


def linearity_of(value: Any) -> tuple[float, float, float]:
    """Return the coefficients (c1, c2, c3)."""
    c1, c2, c3 = floats("linearity", value, 3)
    require(c1 > 0, "linearity", value, "three numbers (c1, c2, c3) with c1 > 0")
    return c1, c2, c3


def table_of(value: Any) -> tuple[float, ...]:
    """Return the nodes of a linearity table: 0 first, then strictly increasing."""
    fine = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) and len(value) >= 2
    require(fine, "linearity_table", value, "two or more numbers")
    nodes = floats("linearity_table", value, len(value))
    rises = nodes[0] == 0.0 and all(a < b for a, b in pairwise(nodes))
    require(rises, "linearity_table", value, "0 first, then strictly increasing numbers")
    return nodes


def bit_depth_of(value: Any) -> int:
    """Return an integer from 1 to 16."""
    fine = isinstance(value, int | np.integer) and not isinstance(value, bool) and 1 <= value <= _MAX_BIT_DEPTH
    require(bool(fine), "bit_depth", value, f"an integer from 1 to {_MAX_BIT_DEPTH}; see the camera's data sheet")
    return int(value)


def shape_of(value: Any) -> tuple[int, int]:
    """Return (H, W)."""
    pair = isinstance(value, Sequence) and len(value) == 2
    fine = pair and all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n > 0 for n in value)
    require(fine, "shape", value, "two positive integers (H, W)")
    return int(value[0]), int(value[1])
