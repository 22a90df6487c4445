"""Raw counts to calibrated signal and variance: the same bits as numpy in float32, and every mask bit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyicg
from pyicg import CalibratedFrame, CameraProfile, InputError, ProfileError, UnitError

from .oracles import F32, calibrate_oracle

DTYPES = ("uint8", "uint16", "float32")
BITS = {"uint8": 8, "uint16": 12, "float32": 14}


MAPS = ("dark", "dark_rate", "dark_sigma", "flat", "flat_sigma", "bad", "read_noise_map", "gain_map")


def random_profile(rng: np.random.Generator, shape: tuple[int, int], bits: int, **fields: Any) -> CameraProfile:
    top = 2.0**bits
    made = {
        "camera": "test",
        "shape": shape,
        "bit_depth": bits,
        "dark": rng.normal(top / 60, 1, shape).astype(F32),
        "dark_rate": rng.normal(0, top / 8000, shape).astype(F32),
        "dark_sigma": rng.uniform(0, 1, shape).astype(F32),
        "dark_exposures_ms": (14.0, 6.0),
        "flat": rng.uniform(0.7, 1.3, shape).astype(F32),
        "flat_sigma": rng.uniform(0, 0.02, shape).astype(F32),
        "bad": rng.random(shape) < 0.06,
        "read_noise_map": rng.uniform(0.1, 4, shape).astype(F32),
        "gain_map": rng.uniform(0.2, 0.3, shape).astype(F32),
        "linearity": (0.98, 3e-6, -2e-10),
        "saturation_dn": top - 1,
        "exposure_ms": 20.0,
        "gain_db": 6.0,
        "gain_dn_per_e": 0.25,
        "read_noise_dn": 2.1,
        "response_nm_per_dn_ms": 0.37,
        "calibrated": True,
        **fields,
    }
    if made["dark"] is None:
        made.update(dark_rate=None, dark_sigma=None)
    if made["dark_rate"] is None:
        made["dark_exposures_ms"] = None
    if made["flat"] is None:
        made["flat_sigma"] = None
    return CameraProfile(**made)


def table(top: float) -> dict[str, Any]:
    """A curve of 11 pieces that ends before the counts do."""
    nodes = np.cumsum([0.0, *np.linspace(1.1, 0.7, 11)]) * top / 12
    return {"linearity": (1.0, 0.0, 0.0), "linearity_table": tuple(nodes.tolist()), "linearity_step_dn": top / 12}


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
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 19),
    width=st.integers(1, 23),
    exposure=st.sampled_from([None, 5.0, 20.0, 33.3]),
    gain=st.sampled_from([None, 0.0, 6.0, 11.5]),
    left_out=st.sets(st.sampled_from(MAPS)),
    bent=st.booleans(),
    unit=st.sampled_from([None, "DN/ms", "e/ms", "nM"]),
    with_exclude=st.booleans(),
    with_ambient=st.booleans(),
)
def test_the_whole_formula(
    dtype: str,
    seed: int,
    height: int,
    width: int,
    exposure: float | None,
    gain: float | None,
    left_out: set[str],
    bent: bool,
    unit: str | None,
    with_exclude: bool,
    with_ambient: bool,
) -> None:
    rng = np.random.default_rng(seed)
    shape = (height, width)
    curve = table(2.0 ** BITS[dtype]) if bent else {}
    profile = random_profile(rng, shape, BITS[dtype], **dict.fromkeys(left_out), **curve)
    frame = random_frame(rng, shape, dtype)
    options: dict[str, Any] = {"unit": unit}
    if with_exclude:
        options["exclude"] = rng.random(shape) < 0.1
    if with_ambient:
        options["ambient"] = pyicg.calibrate(
            random_frame(rng, shape, dtype), profile, exposure_ms=8.0, unit=unit, exclude=rng.random(shape) < 0.1
        )
    cal = pyicg.calibrate(frame, profile, exposure_ms=exposure, gain_db=gain, **options)
    assert cal.variance is not None

    data, mask, variance = calibrate_oracle(frame, profile, exposure, gain, **options, real=np.float32)
    assert_same_bits(cal.data, data)
    assert_same_bits(cal.variance, variance)
    np.testing.assert_array_equal(cal.mask, mask)

    data, mask, variance = calibrate_oracle(frame, profile, exposure, gain, **options)
    np.testing.assert_array_equal(cal.mask, mask)
    largest = np.nanmax(np.abs(data), initial=0.0)
    np.testing.assert_allclose(cal.data, data, rtol=1e-5, atol=2e-6 * largest)
    repaired = (mask & 32) > 0  # neighbours that differ by rounding alone may change places
    largest = np.nanmax(variance, initial=0.0)
    np.testing.assert_allclose(cal.variance[~repaired], variance[~repaired], rtol=1e-5, atol=2e-6 * largest)

    assert cal.unit == (unit or "DN/ms")
    assert cal.exposure_ms == (exposure or 20.0)
    assert cal.calibrated
    assert cal.profile_digest == profile.digest
    bare = pyicg.calibrate(frame, profile, exposure_ms=exposure, gain_db=gain, variance=False, **options)
    assert bare.variance is None
    assert_same_bits(bare.data, cal.data)
    np.testing.assert_array_equal(bare.mask, cal.mask)


# Frames are calibrated in bands of 64 rows, and bad pixels at their ends wait for the band beside.
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("height", [1, 63, 64, 65, 128, 129, 200])
def test_bands_and_threads_change_nothing(height: int, threads: int) -> None:
    rng = np.random.default_rng(height)
    shape = (height, 23)
    bad = rng.random(shape) < 0.06
    bad[62:66] |= rng.random(bad[62:66].shape) < 0.4
    profile = random_profile(rng, shape, 14, bad=bad)
    frame = random_frame(rng, shape, "float32")
    exclude = rng.random(shape) < 0.1
    cal = pyicg.calibrate(frame, profile, exclude=exclude, threads=threads)
    data, mask, variance = calibrate_oracle(frame, profile, None, None, exclude=exclude, unit=None, real=np.float32)
    assert_same_bits(cal.data, data)
    assert cal.variance is not None
    assert_same_bits(cal.variance, variance)
    np.testing.assert_array_equal(cal.mask, mask)


@pytest.mark.parametrize("threads", [0, 1.5, True, "2"])
def test_no_number_of_threads(threads: Any) -> None:
    with pytest.raises(InputError, match=rf"threads must be a whole number of at least 1, found {threads!r}"):
        pyicg.calibrate(np.zeros((2, 2), np.uint16), CameraProfile.identity((2, 2), bit_depth=12), threads=threads)


def test_more_threads_than_there_can_be() -> None:
    with pytest.raises(InputError, match="threads is 1099511627776, expected at most 2147483647; pass how many"):
        pyicg.calibrate(np.zeros((2, 2), np.uint16), CameraProfile.identity((2, 2), bit_depth=12), threads=2**40)


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
        shape=(1, 4),
        bit_depth=12,
        dark=np.full((1, 4), 64, F32),
        flat=np.array([[1.0, 0.8, 1.2, 1.0]], F32),
        linearity=(slope, 0.0, 0.0),
        gain_dn_per_e=gain,
        read_noise_dn=read,
    )
    cal = pyicg.calibrate(np.array([[564, 1064, 63, 30]], np.uint16), profile, exposure_ms=exposure)
    assert cal.variance is not None
    above = np.array([500.0, 1000.0, -1.0])
    expected = (gain * slope * above + (read * slope) ** 2) / (np.array([1.0, 0.8, 1.2]) * exposure) ** 2
    np.testing.assert_allclose(cal.variance[0, :3], expected, rtol=1e-6)
    assert cal.variance[0, 3] == pytest.approx(slope**2 / 12 / exposure**2)  # no less than rounding


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


@pytest.mark.parametrize("bent", [False, True])
def test_variance_is_the_squared_error_over_frames_and_calibrations(bent: bool) -> None:
    """A camera with true maps, calibrated afresh for every frame: dark lines fitted, flats with an error.

    Nine levels from dark to near saturation, 1200 pixels each, 40 calibrations: 48 000 errors a level.
    """
    rng = np.random.default_rng(8)
    shape, k, read_e, t0, t = (45, 240), 0.4, 6.0, 20.0, 30.0
    levels = np.repeat([0.0, 5, 20, 80, 300, 1000, 2000, 3000, 3600], 5)[:, None]  # DN above dark
    dark, rate = rng.normal(100, 2, shape), rng.normal(0.3, 0.05, shape)
    flat = rng.uniform(0.8, 1.0, shape)
    bend = 0.06 / 4096 if bent else 0.0
    read_dn = k * read_e  # acts after the bend
    noise_dn = np.sqrt(read_dn**2 + k * 0.3 * t0 + 1 / 12)  # in the dark at t0: its dark current has shot noise too
    exposures = np.array([5.0, 10, 20, 40, 80])
    frames_each, flat_sigma = 4, 0.01
    mean, sd = exposures.mean(), exposures.std()
    truth = np.broadcast_to(levels, shape) / t

    def counts_of(linear: npt.NDArray[Any], exposure: float) -> npt.NDArray[Any]:
        x = linear if not bent else (1 - np.sqrt(1 - 4 * bend * linear)) / (2 * bend)  # x - bend x^2 = linear
        return x + dark + rate * (exposure - t0)

    error2, predicted = [], []
    for _ in range(40):
        seen = [dark + rate * (e - t0) + rng.normal(0, noise_dn / np.sqrt(frames_each), shape) for e in exposures]
        found_rate = sum((e - mean) * d for e, d in zip(exposures, seen, strict=True)) / (len(exposures) * sd**2)
        found_dark = np.mean(seen, axis=0) + found_rate * (t0 - mean)
        profile = CameraProfile(
            camera="simulated",
            shape=shape,
            bit_depth=12,
            dark=found_dark.astype(F32),
            dark_rate=found_rate.astype(F32),
            dark_sigma=np.full(shape, noise_dn / np.sqrt(frames_each * len(exposures)), F32),
            dark_exposures_ms=(mean, sd),
            flat=(flat * (1 + rng.normal(0, flat_sigma, shape))).astype(F32),
            flat_sigma=np.full(shape, flat_sigma, F32),
            linearity=(1.0, -bend, 0.0),
            saturation_dn=4095.0,
            exposure_ms=t0,
            gain_dn_per_e=k,
            read_noise_dn=noise_dn,
        )
        shot = k * rng.poisson(truth * t * flat / k)
        dark_noise = rng.normal(0, np.sqrt(read_dn**2 + k * rate * t), shape)
        raw = np.rint(counts_of(shot, t) + dark_noise).astype(np.uint16)
        cal = pyicg.calibrate(raw, profile, exposure_ms=t)
        assert cal.variance is not None
        assert not cal.mask.any()
        error2.append((cal.data - truth).reshape(9, -1) ** 2)
        predicted.append(cal.variance.reshape(9, -1))
    ratio = np.mean(error2, axis=(0, 2)) / np.mean(predicted, axis=(0, 2), dtype=np.float64)
    np.testing.assert_allclose(ratio, 1.0, atol=0.03)


def test_offset_follows_exposure_and_unit() -> None:
    profile = CameraProfile(
        camera="t",
        shape=(2, 2),
        bit_depth=12,
        dark=np.full((2, 2), 64, F32),
        dark_rate=np.full((2, 2), 0.5, F32),
        exposure_ms=8.0,
        gain_dn_per_e=0.25,
    )
    cal = pyicg.calibrate(np.full((2, 2), 468, np.uint16), profile, exposure_ms=16.0, unit="e/ms")
    assert (cal.offset, cal.step, cal.unit) == (68 / 0.25 / 16, 1 / 0.25 / 16, "e/ms")
    assert cal.data.tolist() == [[400 / 0.25 / 16] * 2] * 2
    assert cal.variance is None  # no read noise


def test_units_that_cannot_be() -> None:
    frame = np.full((2, 2), 100, np.uint16)
    bare = CameraProfile.identity((2, 2), bit_depth=12)
    known = replace(bare, gain_dn_per_e=0.5, response_nm_per_dn_ms=2.0)
    assert pyicg.calibrate(frame, known, unit="e").data[0, 0] == 200
    assert pyicg.calibrate(frame, known, unit="DN").unit == "DN"
    assert pyicg.calibrate(frame, known, unit="nM", exposure_ms=4).data[0, 0] == 50
    for unit in ("DN/ms", "e/ms", "nM"):
        with pytest.raises(ProfileError, match="needs an exposure"):
            pyicg.calibrate(frame, known, unit=unit)
    with pytest.raises(ProfileError, match="needs gain_dn_per_e"):
        pyicg.calibrate(frame, bare, unit="e/ms", exposure_ms=4)
    with pytest.raises(ProfileError, match="needs response_nm_per_dn_ms"):
        pyicg.calibrate(frame, bare, unit="nM", exposure_ms=4)
    for unit in ("DN", "e"):
        with pytest.raises(UnitError, match=f'ask for "{unit}/ms"'):
            pyicg.calibrate(frame, known, unit=unit, exposure_ms=4)
    for unit in ("", "dn/ms", "nm"):
        with pytest.raises(UnitError, match="unknown; expected"):
            pyicg.calibrate(frame, known, unit=unit)


def test_exclude_sets_bit_8_and_repairs_nothing() -> None:
    bad = np.array([[False, True, False], [False, False, False]])
    profile = CameraProfile(camera="t", shape=(2, 3), bit_depth=12, bad=bad)
    frame = np.array([[10, 4000, 20], [30, 40, 900]], np.uint16)
    exclude = np.zeros((4, 3), bool)
    exclude[2, 2] = True
    cal = pyicg.calibrate(frame, profile, exclude=exclude[::2])  # any row stride
    assert cal.mask.tolist() == [[0, 32, 0], [0, 0, 8]]
    assert cal.data.tolist() == [[10, 25, 20], [30, 40, 900]]
    cal = pyicg.calibrate(frame, profile, exclude=~bad)
    assert cal.mask.tolist() == [[8, 4, 8], [8, 8, 8]]
    for wrong, message in [
        (exclude[:2].astype(np.uint8), "bool array"),
        ([[True] * 3] * 2, "bool array"),
        (exclude, "exclude is 4 x 3.*2 x 3"),
        (exclude[0], "2-D"),
    ]:
        with pytest.raises(InputError, match=message):
            pyicg.calibrate(frame, profile, exclude=wrong)  # type: ignore[arg-type]


def test_ambient_light_is_taken_off() -> None:
    rng = np.random.default_rng(6)
    shape = (12, 14)
    profile = random_profile(rng, shape, 12, bad=None)
    lamp = rng.integers(600, 3000, shape).astype(np.uint16)
    room = rng.integers(200, 400, shape).astype(np.uint16)
    on, off = pyicg.calibrate(lamp, profile), pyicg.calibrate(room, profile, exposure_ms=35.0)
    cal = pyicg.calibrate(lamp, profile, ambient=off)
    assert on.variance is not None and off.variance is not None and cal.variance is not None  # noqa: PT018
    np.testing.assert_array_equal(cal.data, on.data - off.data)
    np.testing.assert_array_equal(cal.variance, on.variance + off.variance)
    assert not cal.mask.any()
    assert (cal.offset, cal.step, cal.exposure_ms) == (on.offset, on.step, 20.0)


def test_ambient_bits_are_taken_over() -> None:
    profile = CameraProfile.identity((1, 8), bit_depth=8)
    bits = np.array([[0, 1, 2, 4, 8, 16, 32, 64]], np.uint8)
    ambient = CalibratedFrame(np.full((1, 8), 2, F32), bits, None, "DN", profile_digest=profile.digest)
    cal = pyicg.calibrate(np.full((1, 8), 7, np.uint8), profile, ambient=ambient)
    assert cal.mask.tolist() == [[0, 1, 0, 0, 8, 16, 0, 64]]
    assert cal.data.tolist() == [[5] * 8]


def test_ambient_frames_that_do_not_fit_are_refused() -> None:
    rng = np.random.default_rng(7)
    profile = random_profile(rng, (4, 5), 12)
    frame = np.full((4, 5), 500, np.uint16)
    off = pyicg.calibrate(frame, profile)
    other = random_profile(rng, (4, 5), 12)
    with pytest.raises(InputError, match=f"{off.profile_digest[:12]}.*{other.digest[:12]}"):
        pyicg.calibrate(frame, other, ambient=off)
    with pytest.raises(InputError, match='ambient frame is in "DN/ms", the frame in "e/ms"'):
        pyicg.calibrate(frame, profile, ambient=off, unit="e/ms")
    with pytest.raises(InputError, match="4 x 4, the frame 4 x 5"):
        pyicg.calibrate(frame, profile, ambient=replace(off, data=off.data[:, :4], mask=off.mask[:, :4]))
    with pytest.raises(InputError, match="no variance"):
        pyicg.calibrate(frame, profile, ambient=replace(off, variance=None))
    with pytest.raises(UnitError, match='unit "counts" is unknown'):
        pyicg.calibrate(frame, profile, ambient=replace(off, unit="counts"))
    with pytest.raises(InputError, match="must be a CalibratedFrame, found ndarray"):
        pyicg.calibrate(frame, profile, ambient=off.data)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="out shares memory with the ambient frame"):
        pyicg.calibrate(frame, profile, ambient=off, out=off.data)
    with pytest.raises(InputError, match="out shares memory with the variance"):
        pyicg.calibrate(frame, profile, ambient=off, out=off.variance)
    counts = frame.astype(F32)
    with pytest.raises(InputError, match="out shares memory with the frame"):
        pyicg.calibrate(counts, profile, out=counts)
    np.testing.assert_array_equal(counts, frame)
    assert pyicg.calibrate(frame, profile, ambient=replace(off, variance=None), variance=False).variance is None


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({}, False),
        ({"gain_dn_per_e": 0.3}, False),
        ({"read_noise_dn": 2.0}, False),
        ({"gain_dn_per_e": 0.3, "read_noise_dn": 2.0}, True),
        ({"gain_dn_per_e": 0.3, "read_noise_map": np.ones((2, 2), F32)}, True),
        ({"gain_map": np.ones((2, 2), F32), "read_noise_map": np.ones((2, 2), F32)}, True),
    ],
)
def test_variance_where_gain_and_read_noise_are_known(fields: dict[str, Any], known: bool) -> None:
    profile = replace(CameraProfile.identity((2, 2), bit_depth=12), **fields)
    assert (pyicg.calibrate(np.full((2, 2), 9, np.uint8), profile).variance is not None) == known


FLIPS: dict[str, Any] = {"up-down": lambda a: a[::-1].copy(), "left-right": lambda a: a[:, ::-1].copy()}


@pytest.mark.parametrize("flip", FLIPS.values(), ids=FLIPS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), bent=st.booleans())
def test_a_flipped_camera_gives_a_flipped_frame(flip: Any, seed: int, bent: bool) -> None:
    rng = np.random.default_rng(seed)
    profile = random_profile(rng, (9, 11), 12, **(table(4096.0) if bent else {}))
    frame = random_frame(rng, (9, 11), "uint16")
    flipped = replace(profile, **{name: flip(getattr(profile, name)) for name in MAPS})
    expected, found = pyicg.calibrate(frame, profile), pyicg.calibrate(flip(frame), flipped)
    assert expected.variance is not None
    assert found.variance is not None
    assert_same_bits(found.data, flip(expected.data))
    assert_same_bits(found.variance, flip(expected.variance))
    np.testing.assert_array_equal(found.mask, flip(expected.mask))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), shift=st.integers(1, 500), bent=st.booleans())
def test_an_offset_in_frame_and_dark_map_changes_nothing(seed: int, shift: int, bent: bool) -> None:
    rng = np.random.default_rng(seed)
    dark = rng.integers(50, 70, (7, 9)).astype(F32)
    profile = random_profile(rng, (7, 9), 12, dark=dark, **(table(4096.0) if bent else {}))
    frame = rng.integers(1, 3500, (7, 9)).astype(np.uint16)
    expected = pyicg.calibrate(frame, profile)
    found = pyicg.calibrate(frame + np.uint16(shift), replace(profile, dark=dark + F32(shift)))
    assert_same_bits(found.data, expected.data)
    np.testing.assert_array_equal(found.mask, expected.mask)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), power=st.integers(-4, 4), bent=st.booleans())
def test_exposure_scales_signal_and_variance(seed: int, power: int, bent: bool) -> None:
    rng = np.random.default_rng(seed)
    profile = random_profile(rng, (7, 9), 12, dark_rate=None, **(table(4096.0) if bent else {}))
    frame = random_frame(rng, (7, 9), "uint16")
    expected = pyicg.calibrate(frame, profile)
    found = pyicg.calibrate(frame, profile, exposure_ms=20.0 * 2.0**power)
    assert expected.variance is not None
    assert found.variance is not None
    assert_same_bits(found.data, expected.data * F32(2.0**-power))
    assert_same_bits(found.variance, expected.variance * F32(4.0**-power))


def test_dark_current_follows_the_gain() -> None:
    """At twice the gain the bias stays and the dark electrons make twice the counts."""
    bias, rate, t0, t = 100.0, 0.5, 20.0, 40.0  # DN, DN/ms at 6 dB
    profile = CameraProfile(
        camera="simulated",
        shape=(1, 1),
        bit_depth=12,
        dark=np.full((1, 1), bias + rate * t0, F32),
        dark_rate=np.full((1, 1), rate, F32),
        exposure_ms=t0,
        exposure_range_ms=(5.0, 80.0),
        gain_db=6.0,
        calibrated=True,
    )
    double_db = 6.0 + 20 * math.log10(2)
    raw = np.array([[round(bias + 2 * (rate + 10) * t)]], np.uint16)
    cal = pyicg.calibrate(raw, profile, exposure_ms=t, gain_db=double_db)
    assert cal.data[0, 0] == pytest.approx(10.0, rel=1e-6)
    assert cal.offset == pytest.approx((bias + 2 * rate * t) / t / 2, rel=1e-6)


def test_a_gain_that_the_profile_cannot_relate_to_is_refused() -> None:
    frame = np.full((1, 1), 500, np.uint16)
    blind = CameraProfile(camera="c", shape=(1, 1), bit_depth=12, exposure_ms=20.0, calibrated=True)
    with pytest.raises(ProfileError, match="taken at 6 dB, and the profile does not know its own gain setting"):
        pyicg.calibrate(frame, blind, gain_db=6.0)
    assert pyicg.calibrate(frame, replace(blind, calibrated=False), gain_db=6.0).data[0, 0] == 25.0
