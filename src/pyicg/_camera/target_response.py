"""Response to ICG: the line through the signals of a target of known concentrations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from ..errors import ProfileError
from .fields import number

__all__ = ["TargetResponse", "measure_response"]

_MIN_CONCENTRATIONS = 3
_WEIGHT_FLOOR = 0.01  # of the largest signal: a blank near zero must not outweigh the series
_MIN_SIGMAS = 3.0


class TargetResponse(NamedTuple):
    """nM per DN/ms with its standard uncertainty, the range of concentrations, the largest relative deviation."""

    value: float
    sigma: float = math.nan
    range_nm: tuple[float, float] | None = None
    deviation: float = 0.0


def measure_response(response: Any) -> TargetResponse:
    """Return the response from a number, or from (concentration in nM, signal in DN/ms) pairs.

    A straight line ``signal = background + slope * concentration`` is fitted with weights ``1 / signal^2`` (the signal
    taken as at least 1 % of the largest), the background going free because it is the target's own. The response is
    ``1 / slope``; its uncertainty comes from the scatter around the line.

    Raises
    ------
    ProfileError
        A number not over 0, fewer than three concentrations, or a signal that does not rise by three sigma.
    """
    if isinstance(response, Real):
        return TargetResponse(number("response", response, low=0.0))
    pairs = _pairs(response)
    c, s = np.array(pairs).T
    if len(np.unique(c)) < _MIN_CONCENTRATIONS:
        raise ProfileError(
            f"response: found {len(np.unique(c))} concentration(s), expected {_MIN_CONCENTRATIONS} or more as "
            "(nM, DN/ms) pairs; film more wells of the target"
        )
    weight = 1.0 / np.maximum(s, _WEIGHT_FLOOR * s.max()) ** 2 if s.max() > 0 else np.ones_like(s)
    mean = (weight * c).sum() / weight.sum()
    spread = (weight * (c - mean) ** 2).sum()
    slope = float((weight * (c - mean) * s).sum() / spread)
    rest = s - (weight * s).sum() / weight.sum() - slope * (c - mean)
    degrees = len(c) - 2
    sigma = math.sqrt(float((weight * rest**2).sum()) / degrees / float(spread))
    if slope <= 0 or slope < _MIN_SIGMAS * sigma:
        raise ProfileError(
            f"response: found a slope of {slope:.3g} +- {sigma:.3g} DN/ms per nM, expected one that is positive by "
            "three sigma; check the order of the pairs (nM first) and the target"
        )
    deviation = float(np.abs(rest / np.maximum(s, _WEIGHT_FLOOR * s.max())).max())
    return TargetResponse(1 / slope, sigma / slope**2, (float(c.min()), float(c.max())), deviation)


def _pairs(response: Any) -> list[tuple[float, float]]:
    items = response.items() if isinstance(response, Mapping) else response
    expected = "a number over 0 or (concentration nM, signal DN/ms) pairs"
    if not isinstance(items, Iterable) or isinstance(items, str | bytes):
        raise ProfileError(f"response: found {response!r}, expected {expected}")
    pairs = []
    for item in items:
        pair = tuple(item) if isinstance(item, Iterable) else ()
        if len(pair) != 2:
            raise ProfileError(f"response: found {item!r}, expected {expected}")
        concentration = number("response concentration", pair[0], low=0.0, closed=True)
        pairs.append((concentration, number("response signal", pair[1])))
    if not pairs:
        raise ProfileError(f"response: found none, expected {expected}")
    return pairs
