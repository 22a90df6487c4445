"""Raw counts to calibrated signal: the same bits as numpy in float32, and every mask bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyicg
from pyicg import CameraProfile, InputError, UnitError

from .oracles import F32, calibrate_oracle

DTYPES = ("uint8", "uint16", "float32")
BITS = {"uint8": 8, "uint16": 12, "float32": 14}


def random_profile(rng: np.random.Generator, shape: tuple[int, int], bits: int, **fields: Any) -> CameraProfile:
    return CameraProfile(
        **{
            "camera": "test",
            "shape": shape,
            "bit_depth": bits,
            "dark": rng.normal(2.0**bits / 60, 1, shape).astype(F32),
            "flat": rng.uniform(0.7, 1.3, shape).astype(F32),
            "bad": rng.random(shape) < 0.06,
            "linearity": (0.98, 3e-6, -2e-10),
            "saturation_dn": 2.0**bits - 1,
            "exposure_ms": 20.0,
            "gain_db": 6.0,
            "gain_dn_per_e": 0.25,
            "read_noise_dn": 2.1,
            "calibrated": True,
            **fields,
        }
    )


def random_frame(rng: np.random.Generator, shape: tuple[int, int], dtype: str) -> npt.NDArray[Any]:
    top = 2 ** BITS[dtype]
    frame = rng.integers(0, top, shape).astype(dtype)
    frame[rng.random(shape) < 0.05] = top - 1
    frame[rng.random(shape) < 0.05] = 0
    if dtype == "float32":
        frame += rng.random(shape).astype(F32) * (frame < top - 2)
        frame[rng.random(shape) < 0.04] = np.nan
        frame[rng.random(shape) < 0.02] = np.inf
    return frame


def assert_same_bits(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    ok = ~np.isnan(expected)
    np.testing.assert_array_equal(found[ok].view(np.uint32), expected[ok].view(np.uint32))


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 19),
    width=st.integers(1, 23),
    exposure=st.sampled_from([None, 5.0, 20.0, 33.3]),
    gain=st.sampled_from([None, 0.0, 6.0, 11.5]),
    left_out=st.sets(st.sampled_from(["dark", "flat", "bad"])),
)
def test_same_bits_as_numpy(
    dtype: str, seed: int, height: int, width: int, exposure: float | None, gain: float | None, left_out: set[str]
) -> None:
    rng = np.random.default_rng(seed)
    profile = random_profile(rng, (height, width), BITS[dtype], **dict.fromkeys(left_out))
    frame = random_frame(rng, (height, width), dtype)
    cal = pyicg.calibrate(frame, profile, exposure_ms=exposure, gain_db=gain)
    data, mask, variance = calibrate_oracle(frame, profile, exposure, gain)
    assert_same_bits(cal.data, data)
    np.testing.assert_array_equal(cal.mask, mask)
    assert cal.variance is not None
    assert variance is not None
    good = (mask & (4 | 64)) == 0  # where there is no value there is no variance worth comparing
    assert_same_bits(cal.variance[good], variance[good])
    assert cal.unit == "DN/ms"
    assert cal.exposure_ms == (exposure or 20.0)
    assert cal.calibrated
    assert cal.profile_digest == profile.digest


def test_identity_changes_nothing() -> None:
    frame = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    cal = pyicg.calibrate(frame, CameraProfile.identity(frame.shape, bit_depth=12))
    np.testing.assert_array_equal(cal.data, frame.astype(F32))
    np.testing.assert_array_equal(np.argwhere(cal.mask), [[63, 63]])
    assert (cal.mask[63, 63], cal.unit, cal.offset, cal.exposure_ms) == (1, "DN", 0.0, None)
    assert cal.variance is None
    assert not cal.calibrated


def test_identity_eight_bits_saturates_at_the_word() -> None:
    frame = np.array([[0, 254, 255]], dtype=np.uint8)
    cal = pyicg.calibrate(frame, CameraProfile.identity((1, 3), bit_depth=16))
    assert cal.mask.tolist() == [[0, 0, 1]]


def test_every_mask_bit() -> None:
    bad = np.zeros((3, 8), bool)
    bad[1, 6] = True
    bad[0, 0] = bad[0, 1] = bad[1, 0] = bad[1, 1] = bad[2, 0] = bad[2, 1] = bad[0, 2] = bad[1, 2] = bad[2, 2] = True
    profile = CameraProfile(
        camera="t", shape=(3, 8), bit_depth=12, dark=np.full((3, 8), 10, F32), bad=bad, saturation_dn=4000.0
    )
    frame = np.full((3, 8), 100, F32)
    frame[0, 4] = 4000
    frame[1, 4] = 0
    frame[2, 4] = np.nan
    frame[2, 7] = -np.inf
    cal = pyicg.calibrate(frame, profile)
    assert cal.mask.tolist() == [
        [4, 4, 32, 0, 1, 0, 0, 0],
        [4, 4, 32, 0, 2, 0, 32, 0],
        [4, 4, 32, 0, 64, 0, 0, 64],
    ]
    assert np.isnan(cal.data[cal.mask & (4 | 64) > 0]).all()
    assert cal.data[1, 6] == 90
    assert cal.offset == 10


@pytest.mark.parametrize(
    ("exposure", "outside"), [(10.0, False), (9.995, False), (9.9, True), (40.0, False), (40.03, False), (40.5, True)]
)
def test_exposure_outside_the_range_flags_every_pixel(exposure: float, outside: bool) -> None:
    profile = replace(random_profile(np.random.default_rng(1), (5, 6), 12, bad=None), exposure_range_ms=(10.0, 40.0))
    cal = pyicg.calibrate(np.full((5, 6), 500, np.uint16), profile, exposure_ms=exposure)
    assert cal.mask.tolist() == [[16 if outside else 0] * 6] * 5
    if outside:
        assert pyicg.estimate_background(cal).reason == "out_of_range"


def test_repair_takes_the_median_and_keeps_an_edge() -> None:
    frame = np.full((5, 5), 100, np.uint16)
    frame[:, 3:] = 900
    frame[2, 2] = 4000
    bad = np.zeros((5, 5), bool)
    bad[2, 2] = True
    cal = pyicg.calibrate(frame, CameraProfile(camera="t", shape=(5, 5), bit_depth=12, bad=bad))
    assert cal.data[2, 2] == np.median([100] * 5 + [900] * 3)
    assert cal.mask[2, 2] == 32


def test_variance_formula() -> None:
    gain, read, exposure, slope = 0.3, 2.0, 8.0, 0.9
    profile = CameraProfile(
        camera="t",
        shape=(1, 3),
        bit_depth=12,
        dark=np.full((1, 3), 64, F32),
        flat=np.array([[1.0, 0.8, 1.2]], F32),
        linearity=(slope, 0.0, 0.0),
        gain_dn_per_e=gain,
        read_noise_dn=read,
    )
    cal = pyicg.calibrate(np.array([[564, 1064, 30]], np.uint16), profile, exposure_ms=exposure)
    assert cal.variance is not None
    above = np.array([500.0, 1000.0, 0.0])  # shot noise of a count under the dark level is nil
    expected = (gain * above + read**2) * (slope / np.array([1.0, 0.8, 1.2]) / exposure) ** 2
    np.testing.assert_allclose(cal.variance[0], expected, rtol=1e-6)


def test_variance_predicts_the_noise_of_a_simulated_camera() -> None:
    shape = (48, 48)
    camera = pyicg.phantom.SimulatedCamera(seed=5, hot_pixel_share=0.0)
    profile = camera.measure_profile(shape)
    frames = camera.expose(np.full(shape, 90.0), 60)
    cals = [pyicg.calibrate(frame, profile) for frame in frames]
    seen = np.var([cal.data for cal in cals], axis=0, ddof=1)
    assert cals[0].variance is not None
    predicted = np.mean([cal.variance for cal in cals if cal.variance is not None], axis=0)
    assert np.mean(seen) / np.mean(predicted) == pytest.approx(1.0, abs=0.03)


def test_exposure_scales_and_offset_follows() -> None:
    profile = CameraProfile(camera="t", shape=(2, 2), bit_depth=12, dark=np.full((2, 2), 64, F32))
    frame = np.full((2, 2), 464, np.uint16)
    for exposure in (1.0, 2.0, 16.0):
        cal = pyicg.calibrate(frame, profile, exposure_ms=exposure)
        assert cal.data.tolist() == [[400 / exposure] * 2] * 2
        assert cal.offset == 64 / exposure


@pytest.mark.parametrize(("bits", "top"), [(8, 255), (10, 1023), (12, 4095), (14, 16383)])
def test_counts_above_full_scale_are_refused(bits: int, top: int) -> None:
    profile = CameraProfile.identity((2, 2), bit_depth=bits)
    pyicg.calibrate(np.full((2, 2), top, np.uint16), profile)
    with pytest.raises(InputError, match=f"counts up to {top + 1}.*{top} is the largest"):
        pyicg.calibrate(np.array([[0, 0], [0, top + 1]], np.uint16), profile)


@pytest.mark.parametrize("exposure", [0.0, -1.0, float("inf")])
def test_exposure_must_be_positive(exposure: float) -> None:
    with pytest.raises(UnitError, match=r"exposure_ms is .*positive"):
        pyicg.calibrate(np.ones((2, 2), np.uint16), CameraProfile.identity((2, 2)), exposure_ms=exposure)


STRIDES = {
    "every second row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "upside down": lambda a: a[::-1].copy()[::-1],
    "upside down, every third row": lambda a: np.repeat(a[::-1], 3, axis=0)[::-3],
    "cut out of a wider frame": lambda a: np.pad(a, ((1, 2), (3, 4)))[1:-2, 3:-4],
    "one row repeated by a stride of zero": lambda a: np.broadcast_to(a[4], a.shape),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", STRIDES)
def test_any_row_stride_gives_the_same_bits(dtype: str, name: str) -> None:
    rng = np.random.default_rng(3)
    profile = random_profile(rng, (9, 7), BITS[dtype])
    frame = STRIDES[name](random_frame(rng, (9, 7), dtype))
    assert not frame.flags.c_contiguous
    frame.flags.writeable = False
    before = frame.copy()
    cal = pyicg.calibrate(frame, profile)
    expected = pyicg.calibrate(before, profile)
    assert_same_bits(cal.data, expected.data)
    np.testing.assert_array_equal(cal.mask, expected.mask)
    np.testing.assert_array_equal(frame.view(f"u{frame.itemsize}"), before.view(f"u{frame.itemsize}"))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.ones((4, 4), ">u2"), "native byte order"),
        (np.ones((4, 4), ">f4"), "native byte order"),
        (np.ones((4, 4), np.float64), "uint8, uint16 or float32"),
        (np.ones((4, 4), np.int16), "uint8, uint16 or float32"),
        (np.ones((4, 4), bool), "uint8, uint16 or float32"),
        (np.ones((4, 4), np.complex64), "uint8, uint16 or float32"),
        (np.ones((4, 8), np.uint16)[:, ::2], "columns side by side"),
        (np.ones((4, 4), np.uint16)[:, ::-1], "columns side by side"),
        (np.arange(16, dtype=np.uint16).reshape(4, 4).T, "columns side by side"),
        (np.ones((4, 4, 4), np.uint16), "2-D"),
        (np.ones(4, np.uint16), "2-D"),
        (np.ones((0, 4), np.uint16), "at least one pixel"),
        (np.ones((4, 0), np.uint16), "at least one pixel"),
        (np.ones((4, 5), np.uint16), "4 x 5.*4 x 4"),
    ],
)
def test_what_cannot_be_used_is_refused(frame: npt.NDArray[Any], message: str) -> None:
    with pytest.raises(InputError, match=f"(?s){message}"):
        pyicg.calibrate(frame, CameraProfile.identity((4, 4)))


def test_misaligned_frames_are_refused() -> None:
    raw = np.zeros(33, np.uint8)
    frame = raw[1:].view(np.uint16).reshape(4, 4)
    assert frame.ctypes.data % 2 == 1
    with pytest.raises(InputError, match="aligned"):
        pyicg.calibrate(frame, CameraProfile.identity((4, 4)))


@pytest.mark.parametrize("out", [np.empty((4, 4), F32), np.empty((8, 4), F32)[::-2], np.empty((4, 9), F32)[:, 3:7]])
def test_out_receives_the_data(out: npt.NDArray[np.float32]) -> None:
    frame = np.arange(16, dtype=np.uint16).reshape(4, 4)
    cal = pyicg.calibrate(frame, CameraProfile.identity((4, 4)), out=out)
    assert np.shares_memory(cal.data, out)
    np.testing.assert_array_equal(out, frame)


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "out",
    [
        np.empty((4, 4), np.float64),
        np.empty((4, 4), ">f4"),
        np.empty((4, 5), F32),
        np.empty((4, 8), F32)[:, ::2],
        read_only(np.zeros((4, 4), F32)),
        [[0.0] * 4] * 4,
    ],
)
def test_out_of_the_wrong_kind_is_refused(out: Any) -> None:
    with pytest.raises(ValueError, match=r"out|shape|writ"):
        pyicg.calibrate(np.ones((4, 4), np.uint16), CameraProfile.identity((4, 4)), out=out)


def test_one_pixel() -> None:
    cal = pyicg.calibrate(np.array([[7]], np.uint8), CameraProfile.identity((1, 1), bit_depth=8))
    assert (cal.data.tolist(), cal.mask.tolist()) == ([[7.0]], [[0]])
    lone_bad = CameraProfile(camera="t", shape=(1, 1), bit_depth=8, bad=np.ones((1, 1), bool))
    cal = pyicg.calibrate(np.array([[7]], np.uint8), lone_bad)
    assert np.isnan(cal.data[0, 0])
    assert cal.mask[0, 0] == 4
