from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import pyicg

PERCENTS = (5, 25, 50, 75, 95)


@pytest.fixture(scope="module", params=["1080p", "4k"])
def measured(request: pytest.FixtureRequest, cal: pyicg.CalibratedFrame) -> pyicg.CalibratedFrame:
    """The simulated frame, and four of it side by side: 2160 x 3840 pixels."""
    if request.param == "1080p":
        return cal
    return pyicg.CalibratedFrame(np.tile(cal.data, (2, 2)), np.tile(cal.mask, (2, 2)), None, cal.unit)


def valid(cal: pyicg.CalibratedFrame) -> npt.NDArray[np.float32]:
    return cal.data[(cal.mask & ~np.uint8(32)) == 0]


def test_memory_copy(benchmark: Any, copy: Any) -> None:
    benchmark(copy)


@pytest.mark.parametrize("threads", [1, 2])
def test_region_statistics(benchmark: Any, measured: Any, threads: int) -> None:
    """Everything: moments, median, MAD and five percentiles."""
    found = benchmark(pyicg.region_statistics, measured, percentiles=PERCENTS, threads=threads)
    assert found.median == np.median(valid(measured).astype(np.float64))


def test_region_statistics_of_counts(benchmark: Any, measured: Any) -> None:
    """Whole numbers, as of a frame without a profile."""
    whole = pyicg.CalibratedFrame(np.rint(measured.data), measured.mask, None, measured.unit)
    found = benchmark(pyicg.region_statistics, whole, percentiles=PERCENTS)
    assert found.median == np.median(valid(whole).astype(np.float64))


def test_numpy_median(benchmark: Any, measured: Any) -> None:
    """Of all pixels, in float32: no mask, one number."""
    benchmark(np.median, measured.data)


def test_numpy_percentile(benchmark: Any, measured: Any) -> None:
    benchmark(np.percentile, measured.data, PERCENTS)


def test_numpy_everything(benchmark: Any, measured: Any) -> None:
    """The same numbers as `region_statistics`."""

    def everything() -> Any:
        values = valid(measured).astype(np.float64)
        median = np.median(values)
        mad = np.median(np.abs(values - median))
        spread = values.min(), values.max(), values.mean(), values.std(ddof=1)
        return values.size, median, mad, *spread, np.percentile(values, PERCENTS)

    benchmark(everything)
