"""Exact statistics of the valid pixels of a region: mean, median, spread and percentiles in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

from pyicg import _core
from pyicg._threads import check_threads
from pyicg.errors import InputError
from pyicg.results import BoolArray, CalibratedFrame

__all__ = ["RegionStatistics", "region_statistics"]


@dataclass(frozen=True, slots=True)
class RegionStatistics:
    """What the valid pixels of one region are like.

    Attributes
    ----------
    n : int
        Pixels that the figures stand on.
    n_left_out : int
        Pixels of the region that its mask forbids (every bit but 32, repaired) or that are not finite.
    n_saturated : int
        How many of the region's pixels are saturated; they are among those left out, so with any of them the mean and
        the upper percentiles lie too low.
    minimum, maximum : float
        Smallest and largest value, in `unit`.
    sum : float
        Sum of the values; 0 without pixels.
    mean : float
        ``sum / n``.
    sd : float
        Standard deviation of a pixel in space, n - 1 in the denominator.
    median : float
        Mean of the two middle values where n is even.
    mad : float
        Median absolute deviation from the median, not scaled; times 1.4826 it is the standard deviation of a normal
        distribution.
    percentiles : mapping of float to float
        Value of every percentage asked for, in the order asked.
    unit : str
        Unit of every value; as in `CalibratedFrame`.
    reason : str or None
        ``too_few_pixels`` where `sd` (n < 2) or everything but the sum (n = 0) is NaN.
    """

    n: int
    n_left_out: int
    n_saturated: int
    minimum: float
    maximum: float
    sum: float
    mean: float
    sd: float
    median: float
    mad: float
    percentiles: Mapping[float, float]
    unit: str
    reason: str | None = None


def region_statistics(
    cal: CalibratedFrame,
    *,
    region: BoolArray | None = None,
    percentiles: Sequence[float] = (5, 25, 50, 75, 95),
    threads: int = 1,
) -> RegionStatistics:
    """Compute exact statistics of the valid pixels of a region.

    Parameters
    ----------
    cal : CalibratedFrame
        Pixels whose mask holds any bit but 32 (repaired) are left out and counted.
    region : ndarray of bool, shape (H, W), optional
        True: ask for this pixel. The whole frame where left out.
    percentiles : sequence of float
        Percentages, 0 to 100.
    threads : int
        Worker threads; the bits do not depend on it.

    Returns
    -------
    RegionStatistics
        In ``cal.unit``. Without valid pixels NaN with reason ``too_few_pixels``.

    Raises
    ------
    InputError
        A region of another shape or dtype, a percentage that is no number from 0 to 100, threads that are no whole
        number from 1 on, or a frame of 2^32 pixels or more.

    Notes
    -----
    Order statistics are those of numpy on float64 copies of the same pixels, to the bit: percentiles by linear
    interpolation (definition 7 of Hyndman and Fan, The American Statistician 50 (1996) 361-365), the median as
    `numpy.median`, zeros without a sign. The frame is read once, neither sorted nor copied: a sample tells about
    where the wanted ranks lie, and only pixels near them are kept. Sums are compensated (Knuth's two-sum) in double,
    row by row, then the rows in order.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> raw = np.arange(12, dtype=np.float32).reshape(3, 4)
    >>> cal = pyicg.calibrate(raw, pyicg.CameraProfile.identity(raw.shape, bit_depth=None))
    >>> found = pyicg.region_statistics(cal, region=raw > 1, percentiles=(10, 90))
    >>> found.n, found.mean, found.median, found.mad, found.percentiles
    (10, 6.5, 6.5, 2.5, {10: 2.9, 90: 10.1})
    """
    if region is not None and (not isinstance(region, np.ndarray) or region.dtype != np.bool_):
        kind = f"{region.dtype} array" if isinstance(region, np.ndarray) else type(region).__name__
        raise InputError(f"region must be a bool array (True = use), found {kind}; write region.astype(bool)")
    check_threads(threads)
    try:
        wanted = tuple(percentiles)
    except TypeError as error:
        raise InputError(f"percentiles is {percentiles!r}; expected percentages, such as (5, 50, 95)") from error
    for percentage in wanted:
        if not isinstance(percentage, Real) or isinstance(percentage, bool):
            raise InputError(f"percentiles hold {percentage!r}; expected numbers from 0 to 100, such as (5, 50, 95)")
    found = _core.region_statistics(
        cal.data,
        cal.mask,
        region=None if region is None else region.view(np.uint8),
        percentiles=[float(percentage) for percentage in wanted],
        threads=int(threads),
    )
    values = dict(zip(wanted, found.pop("percentiles"), strict=True))
    reason = "too_few_pixels" if math.isnan(found["sd"]) else None
    return RegionStatistics(**found, percentiles=values, unit=cal.unit, reason=reason)
