"""Sums over frames and what they say of pixels: exact numbers, stated thresholds, refusals."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from pyicg import InputError, ProfileError, Stack
from pyicg._camera.frame_series import accumulate, blinking_pixels, noisy_pixels
from pyicg._core import FrameSums

Counts = npt.NDArray[Any]


def summed(frames: Counts, full_scale: int = 65535) -> FrameSums:
    sums = FrameSums(*frames.shape[1:], full_scale)
    for frame in frames:
        sums.add(frame)
    return sums


@given(arrays(st.sampled_from([np.uint8, np.uint16]), array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_sums_are_exact(frames: Counts) -> None:
    sums, y = summed(frames), frames.astype(np.int64)
    np.testing.assert_array_equal(sums.sum, y.sum(axis=0))
    np.testing.assert_array_equal(sums.sum_squares, (y**2).sum(axis=0))
    np.testing.assert_array_equal(sums.step_squares, (np.diff(y, axis=0) ** 2).sum(axis=0))
    assert sums.frame_totals == y.sum(axis=(1, 2)).tolist()
    assert (sums.n, sums.zeros, sums.saturated) == (len(y), int((y == 0).sum()), int((y == 65535).sum()))


def test_rows_may_have_any_stride() -> None:
    frame = np.arange(60, dtype=np.uint16).reshape(6, 10)
    np.testing.assert_array_equal(summed(frame[None, ::-2, 3:7]).sum, frame[::-2, 3:7])


def test_a_refused_frame_leaves_the_sums_alone() -> None:
    sums = summed(np.full((2, 3, 4), 7, np.uint8), 255)
    for frame, message in [
        (np.zeros((4, 3), np.uint8), "4 x 3, expected 3 x 4"),
        (np.full((3, 4), 256, np.uint16), "holds 256, expected at most 255"),
        (np.zeros((3, 4)), "must be uint8 or uint16"),
        (np.zeros((3, 4), ">u2"), "native byte order"),
        (np.zeros((3, 8), np.uint8)[:, ::2], "side by side"),
    ]:
        with pytest.raises(InputError, match=message):
            sums.add(frame)
    assert sums.n == 2
    assert sums.sum.tolist() == [[14] * 4] * 3
    with pytest.raises(InputError, match="full_scale is 65536"):
        FrameSums(1, 1, 65536)


def test_frames_of_two_threads_all_count() -> None:
    sums = FrameSums(64, 64, 255)
    frame = np.full((64, 64), 3, np.uint8)
    threads = [threading.Thread(target=lambda: [sums.add(frame) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums.n == 200
    assert (sums.sum == 600).all()


@settings(deadline=None)
@given(arrays(np.uint16, (5, 3, 4)))
def test_variances_match_numpy(frames: Counts) -> None:
    series, y = accumulate(frames, "test", 16), frames.astype(np.float64)
    np.testing.assert_allclose(series.mean, y.mean(axis=0), rtol=1e-15)
    np.testing.assert_allclose(series.variance, y.var(axis=0, ddof=1), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(series.step_variance, (np.diff(y, axis=0) ** 2).mean(axis=0) / 2, rtol=1e-12)
    assert series.frame_variance == pytest.approx(y.mean(axis=(1, 2)).var(ddof=1), rel=1e-9, abs=1e-6)


def test_the_variance_of_a_long_series_does_not_overflow() -> None:
    """n * sum(y^2) passes 2^63 here; half the frames are 65534 and half 65535."""
    n, frames = 60_000, np.array([[[65534]], [[65535]]], np.uint16)
    series = accumulate((frames[k % 2] for k in range(n)), "test", 16)
    assert series.variance is not None
    assert series.variance[0, 0] == pytest.approx(0.25 * n / (n - 1), rel=1e-12)
    assert series.saturated_share == 0.5


def test_one_frame_has_no_variance() -> None:
    series = accumulate(np.ones((1, 2, 2), np.uint8), "test", 8)
    assert series.variance is None
    assert series.step_variance is None
    assert np.isnan(series.temporal_variance(np.ones((2, 2), np.bool_)))
    assert not blinking_pixels(series).any()


def test_a_stack_of_another_exposure_is_refused() -> None:
    frames = np.full((3, 4, 4), 9, np.uint16)
    stack = Stack.from_array(frames, axes="TYX", exposure_ms=20.0)
    assert accumulate(stack, "dark", 12, exposure_ms=20.01).n == 3
    assert accumulate(stack, "dark", 12).n == 3
    assert accumulate(frames, "dark", 12, exposure_ms=50.0).n == 3
    with pytest.raises(ProfileError, match=r"dark frames: they state an exposure of 20 ms, expected 24 ms"):
        accumulate(stack, "dark", 12, exposure_ms=24.0)


def gaussian(n: int, shape: tuple[int, int], seed: int) -> Counts:
    return np.rint(np.random.default_rng(seed).normal(200.0, 3.0, (n, *shape))).astype(np.uint16)


def test_a_pixel_that_jumps_now_and_then_blinks_and_a_fast_one_is_noisy() -> None:
    frames = gaussian(48, (64, 64), 1)
    frames[15:31, 5, 6] += 25  # two jumps
    frames[::2, 9, 9] += 25  # a jump with every frame
    series = accumulate(frames, "dark", 12)
    assert np.argwhere(blinking_pixels(series)).tolist() == [[5, 6]]
    assert [9, 9] in np.argwhere(noisy_pixels(series)).tolist()


def test_white_noise_and_common_drift_do_not_blink() -> None:
    for n in (16, 64):
        frames = gaussian(n, (256, 256), n)
        assert not blinking_pixels(accumulate(frames, "dark", 12)).any()
        drifting = frames + np.linspace(0, 8, n).astype(np.uint16)[:, None, None]
        assert not blinking_pixels(accumulate(drifting, "dark", 12)).any()


def test_fifteen_frames_are_too_few_to_call_a_pixel_blinking() -> None:
    frames = gaussian(16, (32, 32), 3)
    frames[8:, 4, 4] += 400
    assert not blinking_pixels(accumulate(frames[:15], "dark", 12)).any()
    assert blinking_pixels(accumulate(frames, "dark", 12))[4, 4]


def test_frames_that_never_change_do_not_blink() -> None:
    assert not blinking_pixels(accumulate(np.full((20, 5, 5), 3, np.uint8), "dark", 8)).any()


def test_real_camera_is_linear_over_exposure(shared_data: Path) -> None:
    """Red pixels of a colour mosaic (every second row and column) under constant light at 650 nm."""
    folder = shared_data / "exposure_series"

    def red(pattern: str) -> npt.NDArray[np.float64]:
        frames = [np.asarray(Image.open(path))[1::2, ::2] for path in sorted(folder.glob(pattern))]
        assert frames
        return accumulate(frames, "red", 8).mean

    signal = {ms: red(f"d1_disks32cmV2_650nm_{ms}ms_*.tif") - red(f"d1_dark_{ms}ms_*.tif") for ms in (25, 50, 100, 250)}
    for ms, expected in {25: 0.993, 50: 0.998, 250: 0.988}.items():
        predicted = signal[100] * ms / 100
        use = (predicted >= 12) & (predicted <= 200) & (signal[100] >= 12) & (signal[100] <= 200)
        assert use.sum() > 20_000
        assert signal[ms][use].sum() / predicted[use].sum() == pytest.approx(expected, abs=0.001)


@given(arrays(np.uint16, (3, 4, 5), elements=st.integers(0, 15)))
def test_ends_are_those_of_the_histogram(frames: npt.NDArray[np.uint16]) -> None:
    sums = FrameSums(4, 5, 15)
    for frame in frames:
        sums.add(frame)
    counts = np.bincount(frames.ravel(), minlength=16)
    low, high = int(frames.min()), int(frames.max())
    above = 0 if low == 15 else int(counts[low + 1])
    below = 0 if high == 0 else int(counts[high - 1])
    assert sums.ends == ((low, int(counts[low]), above), (high, int(counts[high]), below))
    assert (sums.zeros, sums.saturated) == (int(counts[0]), int(counts[15]))
