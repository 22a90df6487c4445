"""Room 1 at its doors: any frame layout, outputs given by the caller, and everything that must be refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import pyicg
from pyicg import CameraProfile, InputError, ProfileError, UnitError, _core

from .oracles import F32
from .test_calibrate import BITS, assert_same_bits, random_frame, random_profile

DTYPES = ("uint8", "uint16", "float32")


def ones(value: float = 1.0) -> npt.NDArray[np.float32]:
    return np.full((2, 2), value, F32)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"height": 0}, "expected a height and a width of at least 1"),
        ({"dark": np.ones((2, 3), F32)}, "dark map is 2 x 3, expected 2 x 2"),
        ({"gain_map": np.ones((3, 2), F32)}, "gain_map map is 3 x 2, expected 2 x 2"),
        ({"dark": ones(math.nan)}, "dark is nan at index 0, expected a finite number"),
        ({"dark": ones(), "dark_rate": ones(math.inf), "exposure_ms": 1.0}, "dark_rate is inf at index 0"),
        ({"dark_rate": ones(), "exposure_ms": 1.0}, "dark_rate stands alone"),
        ({"dark": ones(), "dark_rate": ones()}, "dark_rate stands alone"),
        ({"dark_sigma": ones()}, "dark_sigma stands alone"),
        ({"flat_sigma": ones()}, "flat_sigma stands alone"),
        ({"dark_sigma": ones(-1)}, "dark_sigma is -1 at index 0, expected 0 or more"),
        ({"flat_sigma": ones(-0.5)}, "flat_sigma is -0.5 at index 0, expected 0 or more"),
        ({"read_noise_map": ones(math.nan)}, "read_noise_map is nan"),
        ({"gain_map": ones(0)}, "gain_map is 0 at index 0, expected over 0"),
        ({"flat": ones(0)}, "flat is 0 at index 0, expected over 0"),
        ({"flat": ones(1e-40)}, "too small to divide by"),
        ({"linearity": (0.0, 0.0, 0.0)}, "the first over 0"),
        ({"linearity": (1.0, math.nan, 0.0)}, "expected finite ones"),
        ({"linearity": (1.0, -2e-3, 0.0), "saturation_dn": 255.0}, "falls between 0 and saturation_dn = 255"),
        ({"linearity_table": np.array([0.0]), "linearity_step_dn": 1.0}, "holds 1 value, expected 2 or more"),
        ({"linearity_table": np.array([0.0, 1.0])}, "linearity_step_dn is nan"),
        ({"linearity_table": np.array([1.0, 2.0]), "linearity_step_dn": 1.0}, "starts at 1, expected 0"),
        ({"linearity_table": np.array([0.0, 2.0, 2.0]), "linearity_step_dn": 1.0}, "from 2 to 2 at value 2"),
        ({"linearity_table": np.array([0, 1]), "linearity_step_dn": 1.0}, "1-D float64 array"),
        ({"linearity_table": np.zeros((2, 2)), "linearity_step_dn": 1.0}, "1-D float64 array"),
        ({"linearity_table": np.zeros(0), "linearity_step_dn": 1.0}, "1-D float64 array"),
        ({"saturation_dn": 0.0}, "saturation_dn is 0, expected a level over 0"),
        ({"exposure_ms": 0.0}, "exposure_ms is 0, expected over 0"),
        ({"exposure_min_ms": 3.0}, "exposure_max_ms nan, expected both or neither"),
        ({"exposure_max_ms": 3.0}, "exposure_min_ms is nan and exposure_max_ms 3"),
        ({"exposure_min_ms": 3.0, "exposure_max_ms": 2.0}, "exposure_min_ms = 3 is larger"),
        ({"exposure_ms": 1.0, "dark_mean_exposure_ms": 5.0}, "expected both or neither"),
        ({"exposure_ms": 1.0, "dark_mean_exposure_ms": 5.0, "dark_exposure_sd_ms": 0.0}, "dark_exposure_sd_ms is 0"),
        ({"dark_mean_exposure_ms": 5.0, "dark_exposure_sd_ms": 1.0}, "dark_rate is not"),
        ({"flat": ones(3000)}, "flat has a mean of 3000, expected about 1; divide it by its mean"),
        ({"dark": ones(300), "saturation_dn": 255.0}, "dark has a mean of 300, expected less than saturation_dn = 255"),
        ({"gain_db": math.inf}, "gain_db is inf"),
        ({"gain_dn_per_e": 0.0}, "gain_dn_per_e is 0, expected over 0"),
        ({"gain_dn_per_e": 1e300}, r"gain_dn_per_e is 1e\+300, expected over 0 that a float can hold"),
        ({"gain_dn_per_e": 1e-300}, "gain_dn_per_e is 1e-300"),
        ({"gain_db": -1e300}, "gain_db is -1e"),
        ({"read_noise_dn": -1.0}, "read_noise_dn is -1, expected 0 or more"),
        ({"response_nm_per_dn_ms": -2.0}, "response_nm_per_dn_ms is -2, expected over 0"),
    ],
)
def test_profiles_that_cannot_be_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        _core.Profile(**{"height": 2, "width": 2, **fields})


def test_maps_of_another_dtype_are_refused() -> None:
    with pytest.raises(InputError, match="flat_sigma must be float32"):
        _core.Profile(height=2, width=2, flat_sigma=np.ones((2, 2)))  # type: ignore[arg-type]


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
    assert cal.variance is not None
    assert expected.variance is not None
    assert_same_bits(cal.variance, expected.variance)
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
