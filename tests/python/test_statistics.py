"""Statistics of a region against numpy on float64 copies of the same pixels: order statistics to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pyicg
from pyicg import InputError, RegionStatistics

from .oracles import F32, calibrated

PERCENTS = (0, 0.1, 5, 25, 100 / 3, 50, 75, 99.9, 100)
LEFT_OUT = 0xFF & ~32

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
few_values = st.sampled_from([-1.0, -0.0, 0.0, 1.0, 2.5, float(F32(0.1)), 1e-45, -1e-40, 3.4e38, -3.4e38])
frames = hnp.arrays(F32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=finite | few_values)


def values_of(cal: pyicg.CalibratedFrame, region: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float64]:
    use = ((cal.mask & LEFT_OUT) == 0) & np.isfinite(cal.data)
    return cal.data[use if region is None else use & region].astype(np.float64)


def assert_as_numpy(found: RegionStatistics, values: npt.NDArray[np.float64]) -> None:
    assert found.n == values.size
    assert (found.minimum, found.maximum) == (values.min(), values.max())
    assert found.median == np.median(values)
    assert found.mad == np.median(np.abs(values - np.median(values)))
    assert list(found.percentiles.values()) == np.percentile(values, list(found.percentiles)).tolist()
    exact = math.fsum(values)
    # Compensated: what is left is the rounding of the result, and the square of it on what cancelled.
    assert abs(found.sum - exact) <= 1e-15 * abs(exact) + 1e-26 * np.abs(values).sum()
    assert found.mean == found.sum / found.n
    if found.n > 1:
        squares = math.fsum((values - found.mean) ** 2)
        assert found.sd == pytest.approx(math.sqrt(squares / (found.n - 1)), rel=1e-12, abs=0)
    assert found.reason == (None if found.n > 1 else "too_few_pixels")


@given(frames)
@settings(max_examples=200, deadline=None)
def test_as_numpy(data: npt.NDArray[np.float32]) -> None:
    assert_as_numpy(pyicg.region_statistics(calibrated(data), percentiles=PERCENTS), data.ravel().astype(np.float64))


@given(frames, st.data())
@settings(max_examples=100, deadline=None)
def test_what_the_mask_and_the_region_leave_out(data: npt.NDArray[np.float32], draw: st.DataObject) -> None:
    mask = draw.draw(hnp.arrays(np.uint8, data.shape, elements=st.sampled_from([0, 0, 0, 1, 2, 4, 8, 16, 32, 33, 64])))
    region = draw.draw(hnp.arrays(np.bool_, data.shape))
    data[mask == 64] = np.nan
    cal = calibrated(data, mask)
    found = pyicg.region_statistics(cal, region=region, percentiles=PERCENTS)
    values = values_of(cal, region)
    assert found.n_left_out == np.count_nonzero(region) - values.size
    assert found.n_saturated == np.count_nonzero(region & (mask & 1 > 0))
    if values.size:
        assert_as_numpy(found, values)
    else:
        assert (found.n, found.sum, found.reason) == (0, 0.0, "too_few_pixels")
        assert np.isnan([found.minimum, found.maximum, found.mean, found.sd, found.median, found.mad]).all()
        assert np.isnan(list(found.percentiles.values())).all()


def noise(seed: int, shape: tuple[int, int] = (311, 307)) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=shape)


# Frames of more values than are all kept: a sample tells which are.
LARGE: dict[str, Callable[[], npt.NDArray[Any]]] = {
    "tissue": lambda: 1000 + 150 * noise(1),
    "around_zero": lambda: noise(2),
    "one_leading_digit": lambda: 1000 + 0.01 * noise(3),
    "few_values_of_many_digits": lambda: F32(0.7) + F32(1e-7) * np.rint(2 * noise(4)),
    "counts": lambda: np.rint(20 + 3 * noise(5)),
    "equal": lambda: np.full((300, 300), 0.1),
    "half_zeros": lambda: np.where(noise(6) < 0, -0.0, noise(7)),
    "two_values": lambda: np.where(noise(8) < 0, 1.0, F32(1.0000001)),
    "subnormal": lambda: 1e-41 * noise(9),
    "every_octave": lambda: np.clip(noise(10) * np.exp(30 * noise(11)), -3.4e38, 3.4e38),
    "huge": lambda: 3e38 * np.clip(noise(12), -1, 1),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_frames_as_numpy(name: str) -> None:
    data = LARGE[name]().astype(F32)
    found = pyicg.region_statistics(calibrated(data), percentiles=PERCENTS)
    assert_as_numpy(found, data.ravel().astype(np.float64))


@pytest.mark.parametrize("name", LARGE)
def test_the_same_bits_from_any_number_of_threads(name: str) -> None:
    data = LARGE[name]().astype(F32)
    mask = np.where(noise(13, data.shape) > 1, 4, 0).astype(np.uint8)
    cal = calibrated(data, mask)
    alone = pyicg.region_statistics(cal, percentiles=PERCENTS)
    assert_as_numpy(alone, values_of(cal))
    for threads in (2, 3, 8):
        assert pyicg.region_statistics(cal, percentiles=PERCENTS, threads=threads) == alone


def test_calls_of_several_threads_at_once() -> None:
    cal = calibrated(LARGE["tissue"]())
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: pyicg.region_statistics(cal, threads=2), range(8)))
    assert all(one == found[0] for one in found)


def test_many_percentiles() -> None:
    data = LARGE["tissue"]().astype(F32)
    percents = np.linspace(0, 100, 1001).tolist()
    found = pyicg.region_statistics(calibrated(data), percentiles=percents)
    assert list(found.percentiles) == percents
    assert_as_numpy(found, data.ravel().astype(np.float64))
    assert pyicg.region_statistics(calibrated(data), percentiles=()).percentiles == {}
    backwards = pyicg.region_statistics(calibrated(data), percentiles=(95, 5, 5))
    assert list(backwards.percentiles) == [95, 5]


@pytest.mark.parametrize("view", [np.flipud, lambda a: a[::3], lambda a: a[5:-7, 11:-2]], ids=["flip", "step", "crop"])
def test_any_row_stride_and_read_only(view: Callable[[Any], Any]) -> None:
    data = LARGE["tissue"]().astype(F32)
    mask = np.where(noise(14) > 1, 4, 0).astype(np.uint8)
    region = noise(15) > -1
    for array in (data, mask, region):
        array.flags.writeable = False
    strided = calibrated(view(data), view(mask))
    packed = calibrated(view(data).copy(), view(mask).copy())
    found = pyicg.region_statistics(strided, region=view(region))
    assert found == pyicg.region_statistics(packed, region=view(region).copy())
    assert_as_numpy(found, values_of(strided, view(region)))


def test_flips_change_no_order_statistic() -> None:
    data = LARGE["around_zero"]().astype(F32)
    a = pyicg.region_statistics(calibrated(data))
    b = pyicg.region_statistics(calibrated(np.ascontiguousarray(data[::-1, ::-1])))
    assert (a.median, a.mad, a.percentiles, a.minimum, a.maximum) == (
        b.median,
        b.mad,
        b.percentiles,
        b.minimum,
        b.maximum,
    )
    assert a.sum == pytest.approx(b.sum, rel=1e-13)


def test_zeros_have_one_sign() -> None:
    for data in ([[-0.0]], [[-0.0, 0.0]], [[0.0, -0.0, -0.0]]):
        found = pyicg.region_statistics(calibrated(np.array(data)))
        numbers = [found.minimum, found.maximum, found.sum, found.mean, found.median, *found.percentiles.values()]
        assert not np.signbit(numbers).any()


def test_the_median_between_two_values_is_no_float32() -> None:
    low, high = F32(1), np.nextafter(F32(1), F32(2))
    found = pyicg.region_statistics(calibrated(np.array([[low, high]])))
    assert float(low) < found.median < float(high)
    assert found.mad == found.median - 1


def test_a_sum_that_cancels() -> None:
    data = np.full((3, 500), 0.2, F32)
    data[0, 0], data[2, 7] = 1e30, -1e30
    assert pyicg.region_statistics(calibrated(data)).sum == pytest.approx(1498 * float(F32(0.2)), rel=1e-15)


# Regions that the sample misses, all of it or all but one odd pixel: the standard deviation does not hang on it.
def test_a_sample_that_misses_the_region() -> None:
    every_other = np.zeros((1, 20), np.bool_)
    every_other[0, ::2] = True
    row = (1e6 + 0.1 * noise(16, (1, 20))).astype(F32)
    one_step = np.full((1, 20), 1e6, F32)
    one_step[0, 4] = 1000000.0625
    for data in (row, one_step):
        assert_as_numpy(pyicg.region_statistics(calibrated(data), region=every_other), data[every_other].astype(float))
    columns = (60000 + 0.02 * noise(17, (6, 10638))).astype(F32)
    mask = np.zeros(columns.shape, np.uint8)
    mask[:, ::3] = 1
    assert_as_numpy(pyicg.region_statistics(calibrated(columns, mask)), columns[mask == 0].astype(float))
    equal = np.full((6, 10638), 0.1, F32)
    assert pyicg.region_statistics(calibrated(equal, mask)).sd == 0


def test_whole_counts_and_many_windows() -> None:
    counts = np.rint(60 + 1.5 * noise(18, (900, 800))).astype(F32)
    for percents in (PERCENTS, tuple(np.linspace(1, 99, 16)), tuple(np.linspace(0, 100, 41))):
        for data in (counts, (60 + noise(19, (900, 800))).astype(F32)):
            found = pyicg.region_statistics(calibrated(data), percentiles=percents)
            assert_as_numpy(found, data.ravel().astype(np.float64))


def test_values_that_are_not_finite_are_left_out() -> None:
    data = np.array([[1.0, np.nan, np.inf, -np.inf, 3.0]])
    found = pyicg.region_statistics(calibrated(data))
    assert (found.n, found.n_left_out, found.mean, found.maximum) == (2, 3, 2.0, 3.0)


def test_unit_and_one_pixel() -> None:
    found = pyicg.region_statistics(calibrated(np.array([[7.25]]), unit="nM"), percentiles=(5, 95))
    assert (found.unit, found.n, found.mean, found.median, found.mad) == ("nM", 1, 7.25, 7.25, 0.0)
    assert found.percentiles == {5: 7.25, 95: 7.25}
    assert math.isnan(found.sd)
    assert found.reason == "too_few_pixels"


def test_refused() -> None:
    cal = calibrated(np.ones((4, 6)))
    for percentage in (-0.1, 100.5, math.nan, math.inf):
        with pytest.raises(InputError, match="expected 0 to 100"):
            pyicg.region_statistics(cal, percentiles=(50, percentage))
    with pytest.raises(InputError, match="region is 6 x 4, the frame 4 x 6"):
        pyicg.region_statistics(cal, region=np.ones((6, 4), bool))
    for region in (np.ones((4, 6), np.uint8), [[True] * 6] * 4):
        with pytest.raises(InputError, match=r"region must be a bool array .* found"):
            pyicg.region_statistics(cal, region=region)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="threads must be a whole number of at least 1"):
        pyicg.region_statistics(cal, threads=0)
    with pytest.raises(InputError, match="ascontiguousarray"):
        pyicg.region_statistics(cal, region=np.ones((6, 4), bool).T)
    with pytest.raises(InputError, match="data must be float32"):
        pyicg.region_statistics(pyicg.CalibratedFrame(np.ones((2, 2)), np.zeros((2, 2), np.uint8), None, "DN"))  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [2.5, 2.0, True, "2", None])
def test_threads_that_are_no_whole_number(threads: Any) -> None:
    with pytest.raises(InputError, match=rf"^threads must be a whole number of at least 1, found {threads!r}; pass"):
        pyicg.region_statistics(calibrated(np.ones((4, 6))), threads=threads)


def test_threads_of_numpy() -> None:
    assert pyicg.region_statistics(calibrated(np.ones((4, 6))), threads=np.int64(2)).n == 24  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("percentiles", "told"),
    [
        (None, "percentiles is None"),
        (5, "percentiles is 5"),
        ("50", "hold '5'"),
        (["a"], "hold 'a'"),
        ([[5]], r"hold \[5"),
    ],
)
def test_percentiles_that_are_no_numbers(percentiles: Any, told: str) -> None:
    with pytest.raises(InputError, match=f"{told}.* expected"):
        pyicg.region_statistics(calibrated(np.ones((4, 6))), percentiles=percentiles)


@pytest.mark.parametrize("scale", [1e-42, 1e-38, 1e36, 1e37, 1e38, 3e38])
def test_numbers_at_the_ends_of_float32(scale: float) -> None:
    values = (np.random.default_rng(1).random((60, 70)) * scale).astype(np.float32)
    found = pyicg.region_statistics(calibrated(values), percentiles=(25,))
    exact = values.astype(float)
    assert found.median == np.median(exact)
    assert found.mad == np.median(np.abs(exact - np.median(exact)))
    assert found.percentiles[25] == pytest.approx(np.percentile(exact, 25), rel=1e-14)
