"""Smooth parts of a flat map: the 2-D polynomial of a scene flat, the tilt, and the fall-off to the corners."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import ProfileError

__all__ = ["TILT_LIMIT", "SmoothShape", "smooth_part", "smooth_shape"]

_Reals = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]

TILT_LIMIT = 0.03  # peak to peak
_DEGREE = 4
_MAX_SAMPLES = 2**17
_ROWS = 64


class SmoothShape(NamedTuple):
    """Peak to peak of the plane part, corner minus centre of the round part, and the fitted (H, W) surface."""

    tilt: float
    tilt_sigma: float
    falloff: float
    falloff_sigma: float
    surface: _Reals


def smooth_part(field: _Reals, good: _Bools) -> _Reals:
    """Return the 2-D polynomial of degree 4 (15 terms) fitted to `field` on the good pixels, mean 1 over them.

    The fit uses at most 131 072 good pixels, evenly taken.

    Raises
    ------
    ProfileError
        When there are fewer than 150 good pixels, or the fit is not positive everywhere.
    """
    y, x = _axes(field.shape)
    rows, columns = np.nonzero(good)
    if len(rows) < 150:
        raise ProfileError(f"scene flat: found {len(rows)} good pixels, expected 150 or more")
    pick = slice(None, None, -(-len(rows) // _MAX_SAMPLES))
    rows, columns = rows[pick], columns[pick]
    terms = [(i, j) for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)]
    py, px = (np.polynomial.legendre.legvander(axis, _DEGREE) for axis in (y, x))
    design = np.column_stack([py[rows, i] * px[columns, j] for i, j in terms])
    solution = np.linalg.lstsq(design, field[rows, columns], rcond=None)[0]
    square = np.zeros((_DEGREE + 1, _DEGREE + 1))
    square[tuple(np.transpose(terms))] = solution
    fitted = py @ square @ px.T
    if not (fitted > 0).all():
        raise ProfileError(
            f"scene flat: its smooth part falls to {fitted.min() / fitted[good].mean():.3g} of the mean, expected over "
            "0; light the target evenly over the whole field"
        )
    return np.asarray(fitted / fitted[good].mean())


def smooth_shape(field: _Reals, good: _Bools) -> SmoothShape:
    """Fit ``c + ax x + ay y + r (x^2 + y^2)`` to the good pixels of a field of mean 1.

    The uncertainties take the scatter around the fit as independent between pixels.
    """
    y, x = _axes(field.shape)
    aspect = field.shape[0] / max(field.shape)
    y, x = y * aspect, x * field.shape[1] / max(field.shape)
    normal = np.zeros((4, 4))
    right = np.zeros(4)
    square = 0.0
    for start in range(0, len(field), _ROWS):  # in bands, so that memory stays that of a band
        rows = slice(start, start + _ROWS)
        inside = good[rows]
        yy, xx = (np.broadcast_to(axis, inside.shape)[inside] for axis in (y[rows, None], x))
        design = np.column_stack([np.ones(len(yy)), xx, yy, xx**2 + yy**2])
        values = field[rows][inside]
        normal += design.T @ design
        right += design.T @ values
        square += float(values @ values)
    inverse = np.linalg.pinv(normal)
    solution = inverse @ right
    count = float(normal[0, 0])
    variance = max(square - float(solution @ right), 0.0) / max(count - 4, 1.0)
    sigma = np.sqrt(np.maximum(np.diag(inverse), 0.0) * variance)
    width, height, corner = 2 * np.abs(x).max(), 2 * np.abs(y).max(), float(np.abs(x).max() ** 2 + np.abs(y).max() ** 2)
    return SmoothShape(
        tilt=float(abs(solution[1]) * width + abs(solution[2]) * height),
        tilt_sigma=float(np.hypot(sigma[1] * width, sigma[2] * height)),
        falloff=float(solution[3] * corner),
        falloff_sigma=float(sigma[3] * corner),
        surface=solution[0] + solution[1] * x + (solution[2] * y)[:, None] + solution[3] * (x**2 + (y**2)[:, None]),
    )


def _axes(shape: tuple[int, ...]) -> tuple[_Reals, _Reals]:
    y, x = ((2 * np.arange(n) - (n - 1)) / max(n - 1, 1) for n in shape)
    return y, x
