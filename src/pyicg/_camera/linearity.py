"""Linearity of a camera: counts above dark to a signal in proportion to the light, given or estimated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ProfileError
from .fields import linearity_of, require, table_of

__all__ = ["Level", "Linearity", "deviations", "estimate", "given"]

_Reals = npt.NDArray[np.float64]

_MIN_LEVELS = 5
_TABLE_INTERVALS = 64
_SMALLEST_RISE = 1e-6  # of a table's step, so that a flat part still rises


@dataclass(frozen=True)
class Level:
    """One exposure of constant light: means over the good pixels of x, x^2 and x^3, x in DN above dark."""

    exposure_ms: float
    moments: tuple[float, float, float]


@dataclass(frozen=True)
class Linearity:
    """A polynomial ``c1 x + c2 x^2 + c3 x^3``, or a table in its place."""

    coefficients: tuple[float, float, float] = (1.0, 0.0, 0.0)
    table: tuple[float, ...] | None = None
    step_dn: float | None = None

    def apply(self, x: npt.NDArray[Any]) -> _Reals:
        """Return the linear signal at counts `x` above dark."""
        if self.table is None or self.step_dn is None:
            c1, c2, c3 = self.coefficients
            return np.asarray(x * (c1 + x * (c2 + x * c3)))
        nodes = np.asarray(self.table)
        low = np.clip(np.floor(x / self.step_dn), 0, len(nodes) - 2).astype(np.intp)
        return np.asarray(nodes[low] + (x / self.step_dn - low) * (nodes[low + 1] - nodes[low]))

    def slope(self, x: npt.NDArray[Any]) -> _Reals:
        """Return the derivative of the linear signal at `x`."""
        if self.table is None or self.step_dn is None:
            c1, c2, c3 = self.coefficients
            return np.asarray(c1 + x * (2 * c2 + x * 3 * c3))
        rises = np.diff(self.table) / self.step_dn
        return np.asarray(rises[np.clip(np.floor(x / self.step_dn), 0, len(rises) - 1).astype(np.intp)])

    def rises(self, full_scale_dn: float) -> bool:
        """Return whether the curve rises everywhere from 0 to full scale."""
        return bool((self.slope(np.linspace(0.0, full_scale_dn, 1025)) > 0).all())


def given(value: Sequence[float] | npt.NDArray[Any]) -> Linearity:
    """Return three coefficients, or an (N, 2) table of counts above dark and linear signal, as a `Linearity`."""
    array = np.asarray(value) if isinstance(value, Sequence | np.ndarray) else np.empty(0)
    if array.ndim != 2:
        return Linearity(linearity_of(value))
    require(array.shape[1] == 2 and len(array) >= 2, "linearity", array.shape, "three numbers or an (N, 2) table")
    x = array[:, 0].astype(np.float64)
    step = float(x[-1] - x[0]) / (len(x) - 1)
    even = x[0] == 0 and step > 0 and bool(np.allclose(np.diff(x), step, rtol=1e-9, atol=0))
    require(even, "linearity table", x.tolist(), "counts above dark from 0 in even steps; resample it openly")
    return Linearity(table=table_of(array[:, 1].astype(np.float64).tolist()), step_dn=step)


def estimate(kind: str, levels: Sequence[Level], full_scale_dn: float) -> Linearity:
    """Estimate the linearity from exposures of one constant light.

    Both kinds start from ``x + c2 x^2 + c3 x^3 = a t``, fitted for a, c2 and c3 by least squares with weights 1/x^2:
    a signal without light is 0, and its slope at 0 is 1. ``"table"`` then takes ``a t / x`` at every exposure, and 1 at
    0, interpolates it by a monotone cubic, and tabulates x times it in 64 even steps up to the largest level, made
    monotone by isotonic regression.

    Raises
    ------
    ProfileError
        Fewer than five exposures, an unknown kind, or a polynomial that turns over below full scale.
    """
    require(kind in ("polynomial", "table"), "linearity", kind, '"polynomial", "table", coefficients or a table')
    if len(levels) < _MIN_LEVELS:
        raise ProfileError(
            f"linearity={kind!r}: found flat frames at {len(levels)} exposure(s), expected {_MIN_LEVELS} or more of "
            "one constant light, from about 5 to 95 % of the range; give flat as a mapping {exposure_ms: frames}"
        )
    t = np.array([level.exposure_ms for level in levels])
    m1, m2, m3 = np.array([level.moments for level in levels]).T
    u = full_scale_dn  # keeps the columns of one size
    design = np.column_stack([t / m1 * u / t.max(), -m2 / m1 / u, -m3 / m1 / u**2])
    a, c2, c3 = np.linalg.lstsq(design, np.ones(len(t)), rcond=None)[0]
    c2, c3, a = float(c2 / u), float(c3 / u**2), float(a * u / t.max())
    if kind == "table":
        return _table(t * a, m1)
    fitted = Linearity((1.0, c2, c3))
    if not fitted.rises(full_scale_dn):
        raise ProfileError(
            f"linearity: the fitted polynomial (1, {c2:.4g}, {c3:.4g}) turns over below full scale; film levels up to "
            '95 % of the range with one constant light, or use linearity="table"'
        )
    return fitted


def deviations(levels: Sequence[Level], linearity: Linearity | None = None) -> _Reals:
    """Return the relative deviation of each level from signal in proportion to exposure, 1/x^2-weighted."""
    t = np.array([level.exposure_ms for level in levels])
    m = np.array([level.moments for level in levels])
    linear = m[:, 0]
    if linearity is not None:
        linear = m @ linearity.coefficients if linearity.table is None else linearity.apply(linear)
    ratio = t / linear
    slope = ratio.sum() / (ratio**2).sum()
    return np.asarray(linear / (slope * t) - 1)


def _table(true: _Reals, shown: _Reals) -> Linearity:
    from scipy.interpolate import PchipInterpolator
    from scipy.optimize import isotonic_regression

    order = np.argsort(shown)
    x, y = shown[order], true[order]
    ratio = PchipInterpolator(np.concatenate([[0.0], x]), np.concatenate([[1.0], y / x]))
    step = float(x[-1]) / _TABLE_INTERVALS
    at = step * np.arange(_TABLE_INTERVALS + 1)
    nodes = isotonic_regression(at * ratio(at)).x
    rising = np.maximum.accumulate(nodes - _SMALLEST_RISE * at) + _SMALLEST_RISE * at
    return Linearity(table=table_of((rising - rising[0]).tolist()), step_dn=step)
