"""How many independent errors a trace of neighbouring points holds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyicg.results import FloatArray

__all__ = ["independent_points"]


def independent_points(
    residuals: FloatArray, traces: npt.NDArray[np.intp], places: npt.NDArray[np.intp], *, parameters: int
) -> float:
    """Return N over the autocorrelation time of residuals, each at a whole place along its trace.

    Covariances are pooled over the traces and summed in pairs while these stay positive, none taken as larger than the
    one before (Geyer 1992). The fit took its share of the errors, which hides some of the correlation: `parameters`
    times the time over N of the variance is added back to every covariance once.
    """
    grid = np.zeros((int(traces.max()) + 1, int(places.max()) + 1))
    seen = grid.copy()
    grid[traces, places] = residuals
    seen[traces, places] = 1.0
    pairs = np.maximum(_products(seen), 1.0)
    covariances = _products(grid) / pairs
    if covariances[0] <= 0:
        return float(len(residuals))
    time = _time(covariances)
    time = _time(covariances + parameters * time / len(residuals) * covariances[0])
    return len(residuals) / time


def _products(rows: FloatArray) -> FloatArray:
    """Return the sum of products of each row with itself, shifted by 0, 1, ... places, over all rows."""
    width = rows.shape[1]
    spectrum = np.fft.rfft(rows, 2 * width, axis=1)
    sums: FloatArray = np.fft.irfft(np.sum(np.abs(spectrum) ** 2, axis=0), 2 * width)[:width]
    return sums


def _time(covariances: FloatArray) -> float:
    even = covariances[: len(covariances) // 2 * 2]
    sums = np.minimum.accumulate(even[0::2] + even[1::2])
    return max(1.0, 2 * float(sums[sums > 0].sum() / covariances[0]) - 1)
