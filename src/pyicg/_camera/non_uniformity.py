"""DSNU and PRNU with their split into rows, columns and pixels, computed per EMVA 1288 Release 4.0 Linear.

The model is ``y = mu + row + column + pixel``, the three patterns white. Row means, column means and what they leave of
the mean image are quadratic forms; with the known weights of the high-pass their expectations are linear in the three
variances, and the three equations are solved. So what the high-pass takes of a white pattern (1.15 % of the variance of
pixels, about a tenth of that of rows) is given back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pyicg._camera.frame_series import FrameSeries
from pyicg._camera.quantisation import QUANTISATION_DN2, UNRESOLVED_DN2
from pyicg._camera.tiles import replicates, student, tile_means, uncertainty
from pyicg.results import Measurement

__all__ = ["NonUniformity", "high_pass", "non_uniformity"]

FloatArray = npt.NDArray[np.float64]
_Form = tuple[float, float, float]

HIGH_PASS_MARGIN = 9  # half widths of the three low-pass kernels: 3 + 5 + 1
_LOW_PASS = np.convolve(np.convolve(np.full(7, 1 / 7), np.full(11, 1 / 11)), [0.25, 0.5, 0.25])
_CONSTANT: _Form = (1.0, 1.0, 1.0)  # a pattern that does not change along the axis


class Part(NamedTuple):
    """A variance and how far its 95 % interval reaches below and above it."""

    value: float
    below: float
    above: float

    @classmethod
    def total(cls, *parts: Part) -> Part:
        """Add independent parts; half widths add in quadrature (Graybill and Wang, JASA 75 (1980) 869)."""
        below, above = (math.hypot(*(part[side] for part in parts)) for side in (1, 2))
        return cls(sum(part.value for part in parts), below, above)


@dataclass(frozen=True, slots=True)
class NonUniformity:
    """DSNU in DN^2 and PRNU as relative variance: all together, rows, columns and pixels."""

    dark: tuple[Part, Part, Part, Part]
    light: tuple[Part, Part, Part, Part]
    quantised: bool  # the dark noise is too small to smooth the steps of the converter


class _Axis(NamedTuple):
    """Weights of one axis: of a pixel of the filtered image, of its mean along the axis, and how many are left."""

    pixel: _Form
    mean: _Form
    size: int
    correlation: float  # sum of the squared autocorrelation of a filtered white pattern


class _Map(NamedTuple):
    rows: FloatArray
    columns: FloatArray
    pixels: FloatArray  # replicates: variance of the pixels, temporal part and all
    net: FloatArray  # replicates: the same without its temporal part


def high_pass(image: FloatArray) -> FloatArray:
    """Take off the image smoothed by 7x7 box, 11x11 box and 3x3 binomial (step 9).

    The margin of 9 pixels that the kernels cannot fill is dropped.
    """
    from scipy.ndimage import correlate1d

    smooth = image
    for axis in (0, 1):
        smooth = correlate1d(smooth, _LOW_PASS, axis=axis)
    inside = slice(HIGH_PASS_MARGIN, -HIGH_PASS_MARGIN)
    return np.asarray(image - smooth, dtype=np.float64)[inside, inside]


def smallest_side(release: str) -> int:
    """Return how many pixels an image must have along each axis."""
    return 2 * HIGH_PASS_MARGIN + 2 if release == "4.0" else 2


def white_gain(*axes: _Form) -> float:
    """Return the variance that the filter leaves: ``delta - k k^T`` squared, each form (|u|^2, u.v, |v|^2)."""
    first, second = axes
    return first[0] * second[0] - 2.0 * first[1] * second[1] + first[2] * second[2]


def _axis(n: int, release: str) -> _Axis:
    if release != "4.0":
        return _Axis((1.0, 0.0, 0.0), (1.0 / n, 0.0, 0.0), n, 1.0)
    size = n - 2 * HIGH_PASS_MARGIN
    k = _LOW_PASS
    u = np.zeros(n)
    u[HIGH_PASS_MARGIN:-HIGH_PASS_MARGIN] = 1.0 / size
    v = np.convolve(u[HIGH_PASS_MARGIN:-HIGH_PASS_MARGIN], k)
    filtered = -k
    filtered[HIGH_PASS_MARGIN] += 1.0
    autocorrelation = np.correlate(filtered, filtered, "full") / float(filtered @ filtered)
    return _Axis(
        (1.0, float(k[HIGH_PASS_MARGIN]), float(k @ k)),
        (float(u @ u), float(u @ v), float(v @ v)),
        size,
        float(autocorrelation @ autocorrelation),
    )


def _measure(series: FrameSeries, y: _Axis, x: _Axis, release: str) -> _Map:
    image = high_pass(series.mean) if release == "4.0" else series.mean - series.mean.mean()
    rows, columns = image.mean(axis=1), image.mean(axis=0)
    rest = image - rows[:, None] - columns + image.mean()
    left = (
        white_gain(y.pixel, x.pixel)
        - white_gain(y.pixel, x.mean)
        - white_gain(y.mean, x.pixel)
        + white_gain(y.mean, x.mean)
    )
    squares, counts = tile_means(rest**2 / left)
    margin = HIGH_PASS_MARGIN if release == "4.0" else 0
    height, width = series.mean.shape
    assert series.variance is not None  # characterize refuses single frames
    inside = series.variance[margin : height - margin, margin : width - margin]
    temporal, _ = tile_means((inside - series.frame_variance) / series.n)
    return _Map(rows, columns, replicates(squares, counts), replicates(squares - temporal, counts))


def _spread(along: _Axis, across: _Axis) -> tuple[float, float, float]:
    """Return, of the sample variance of the means along an axis: its gain for that pattern and for pixels, its dof."""
    unbiased = along.size / (along.size - 1)
    pattern = unbiased * (white_gain(along.pixel, _CONSTANT) - white_gain(along.mean, _CONSTANT))
    pixels = unbiased * (white_gain(along.pixel, across.mean) - white_gain(along.mean, across.mean))
    return pattern, pixels, (along.size - 1) / along.correlation


def _chi_square(dof: float) -> tuple[float, float]:
    """Return by what share of itself a sample variance reaches below and above (95 %)."""
    from scipy.special import gammaincinv

    lo, hi = (2.0 * float(gammaincinv(dof / 2.0, p)) for p in (0.025, 0.975))
    return 1.0 - dof / hi, dof / lo - 1.0


def _pattern(dark: FloatArray, lit: FloatArray, pixels: FloatArray, gains: tuple[float, float, float]) -> Part:
    """Return the variance of rows or columns that light brings: of means `lit` over that of means `dark`.

    With d the dark pattern and l that of the light, ``var(d + l) - var(d) = var(l) + 2 cov(d, l)``; the first has the
    interval of a chi-square, the second the standard error of a covariance.
    """
    gain, pixel_gain, dof = gains
    before, after, light = (float(np.var(means, ddof=1)) for means in (dark, lit, lit - dark))
    below, above = _chi_square(dof)
    sigma, pixel_dof = uncertainty(pixels)
    others = math.hypot(student(dof) * 2.0 * math.sqrt(before * light / dof), student(pixel_dof) * pixel_gain * sigma)
    value = after - before - pixel_gain * float(pixels[0])
    return Part(value / gain, math.hypot(below * light, others) / gain, math.hypot(above * light, others) / gain)


def _split(dark: _Map | None, lit: _Map, y: _Axis, x: _Axis) -> tuple[Part, Part, Part, Part]:
    if dark is None:
        dark = _Map(np.zeros(y.size), np.zeros(x.size), np.zeros_like(lit.pixels), np.zeros_like(lit.net))
    gross = lit.pixels - dark.pixels
    rows = _pattern(dark.rows, lit.rows, gross, _spread(y, x))
    columns = _pattern(dark.columns, lit.columns, gross, _spread(x, y))
    net = lit.net - dark.net
    sigma, dof = uncertainty(net)
    half = student(dof) * sigma
    pixels = Part(float(net[0]), half, half)
    return Part.total(rows, columns, pixels), rows, columns, pixels


def non_uniformity(lit: FrameSeries, unlit: FrameSeries, release: str) -> NonUniformity:
    """Split the spatial variance of dark frames, and what light adds to it (step 10)."""
    height, width = lit.mean.shape
    y, x = _axis(height, release), _axis(width, release)
    dark, bright = (_measure(series, y, x, release) for series in (unlit, lit))
    signal = float(lit.mean.mean() - unlit.mean.mean())
    quantised = unlit.temporal_variance(np.ones(unlit.mean.shape, np.bool_)) < UNRESOLVED_DN2
    parts = _split(None, dark, y, x)
    if quantised:  # part of the converter's 1/12 DN^2 may hide in the pattern
        total, rows, columns, pixels = parts
        total, pixels = (part._replace(below=part.below + QUANTISATION_DN2) for part in (total, pixels))
        parts = total, rows, columns, pixels
    scale = signal**-2 if signal > 0.0 else math.nan
    light = [Part(*(entry * scale for entry in part)) for part in _split(dark, bright, y, x)]
    return NonUniformity(parts, (light[0], light[1], light[2], light[3]), quantised)


def deviation(part: Part, divisor: Measurement | None = None, reason: str | None = None) -> Measurement:
    """Return the standard deviation of a pattern, divided by `divisor`: its interval is made of the variance.

    A variance that is not positive gives NaN, ``non_uniformity_not_resolved`` and the interval from 0.
    """
    scale, share = (1.0, 0.0) if divisor is None else (divisor.value, divisor.sigma / divisor.value)
    value, below, above = (entry / scale**2 for entry in part)
    of_divisor = 0.0 if divisor is None else (divisor.ci[1] - divisor.ci[0]) / divisor.value * max(value, 0.0)
    below, above = math.hypot(below, of_divisor), math.hypot(above, of_divisor)
    interval = (math.sqrt(max(value - below, 0.0)), math.sqrt(max(value + above, 0.0)))
    if math.isnan(value):
        return Measurement.undefined("non_uniformity_not_resolved")
    if value <= 0.0:  # the variance may be anything up to what its uncertainty allows above zero
        return Measurement(math.nan, math.nan, (0.0, math.sqrt(above)), "non_uniformity_not_resolved")
    root = math.sqrt(value)
    sigma = math.hypot((part.below + part.above) / scale**2 / (4.0 * student(math.inf) * root), share * root)
    return Measurement(root, sigma, interval, reason)
