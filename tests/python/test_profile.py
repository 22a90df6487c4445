from __future__ import annotations

import copy
import math
import pickle
import re
import sys
import types
from dataclasses import replace

import numpy as np
import pytest

import pyicg
from pyicg import CalibrationRangeError, CameraProfile, ProfileError

from .camera_frames import SHAPE, build, full_profile, series


@pytest.fixture(scope="module")
def full() -> CameraProfile:
    return full_profile()


def plain(**changes: object) -> CameraProfile:
    return replace(CameraProfile.identity(SHAPE, bit_depth=12), **changes)  # type: ignore[arg-type]


def test_identity_corrects_nothing_and_says_so() -> None:
    profile = CameraProfile.identity(SHAPE, bit_depth=12)
    assert (profile.dark, profile.flat, profile.bad) == (None, None, None)
    assert profile.saturation_dn == 4095.0
    assert not profile.calibrated
    assert math.isnan(profile.gain_dn_per_e)
    assert CameraProfile.identity(SHAPE).saturation_dn == 65535.0
    assert CameraProfile.identity(SHAPE, bit_depth=None).saturation_dn == math.inf


def test_it_owns_read_only_maps() -> None:
    dark = np.zeros(SHAPE, np.float32)
    profile = CameraProfile(camera="x", shape=SHAPE, bit_depth=12, dark=dark)
    dark[0, 0] = 7
    assert profile.dark is not None
    assert profile.dark[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        profile.dark[0, 0] = 1


ONES = np.ones(SHAPE, np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dark": np.zeros(SHAPE)}, "dark map: found float64"),
        ({"dark": np.zeros((2, 2), np.float32)}, r"float32 \(2, 2\), expected float32 \(48, 64\)"),
        ({"dark": np.full(SHAPE, np.nan, np.float32)}, "3072 values are not finite"),
        ({"flat": np.zeros(SHAPE, np.float32)}, "flat map: 3072 values are not positive"),
        ({"gain_map": -ONES}, "gain_map map: 3072 values are not positive"),
        ({"read_noise_map": -ONES}, "read_noise_map map: 3072 values are negative"),
        ({"dark": ONES, "dark_sigma": -ONES}, "dark_sigma map: 3072 values are negative"),
        ({"bad": np.zeros(SHAPE, np.uint8)}, "bad map: found uint8"),
        ({"dark_rate": ONES}, "dark_rate: found without dark, expected both"),
        ({"dark": ONES, "dark_rate": ONES}, "dark_rate: found without exposure_ms"),
        ({"dark_sigma": ONES}, "dark_sigma: found without dark"),
        ({"flat_sigma": ONES}, "flat_sigma: found without flat"),
        ({"dark_exposures_ms": (20.0, 5.0)}, "dark_exposures_ms: found without dark_rate"),
        ({"dark_exposures_ms": (20.0, 0.0)}, r"dark_exposures_ms: found 0\.0"),
        ({"linearity_table": (0.0, 1.0)}, "linearity_table: found without linearity_step_dn"),
        ({"linearity_step_dn": 1.0}, "linearity_step_dn: found without linearity_table"),
        ({"linearity_table": (0.0, 1.0, 1.0), "linearity_step_dn": 1.0}, "0 first, then strictly increasing"),
        ({"linearity_table": (0.1, 1.0), "linearity_step_dn": 1.0}, "0 first, then strictly increasing"),
        ({"linearity_table": (0.0,), "linearity_step_dn": 1.0}, "two or more numbers"),
        ({"linearity_table": (0.0, math.nan), "linearity_step_dn": 1.0}, "linearity_table: found nan"),
        (
            {"linearity_table": (0.0, 1.0), "linearity_step_dn": 1.0, "linearity": (1.0, 1e-6, 0.0)},
            r"expected \(1, 0, 0\) beside a linearity_table",
        ),
        ({"shape": (0, 4)}, "shape: found"),
        ({"camera": 7}, "camera: found 7"),
        ({"sensor": 7}, "sensor: found 7"),
        ({"lens_distance_mm": 0.0}, r"lens_distance_mm: found 0\.0"),
        ({"filter_band_nm": (850.0, 820.0)}, "0 < lo <= hi"),
        ({"saturation_dn": -1.0}, "saturation_dn: found"),
        ({"saturation_dn": math.nan}, "saturation_dn: found nan"),
        ({"gain_dn_per_e": 0.0}, "gain_dn_per_e: found"),
        ({"gain_dn_per_e": 1.0, "gain_sigma_dn_per_e": -0.1}, "gain_sigma_dn_per_e: found -0.1"),
        ({"read_noise_dn": -0.1}, "read_noise_dn: found"),
        ({"dark_current_dn_per_ms": math.inf}, "dark_current_dn_per_ms: found inf"),
        ({"response_nm_per_dn_ms": 0.0}, r"response_nm_per_dn_ms: found 0\.0"),
        ({"response_range_nm": (10.0, 1.0)}, "0 <= lo <= hi"),
        ({"exposure_range_ms": (5.0, 1.0)}, "0 < lo <= hi"),
        ({"gain_db": "6"}, "gain_db: found '6'"),
        ({"calibrated": 1}, "calibrated: found 1"),
    ],
)
def test_wrong_fields_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        plain(**change)


def test_digest_follows_numbers_and_not_provenance(full: CameraProfile) -> None:
    assert re.fullmatch("[0-9a-f]{64}", full.digest)
    assert full.dark is not None
    other = full.dark.copy()
    other[-1, -1] = np.nextafter(other[-1, -1], np.float32(1e9))
    changes: list[dict[str, object]] = [
        {"dark": other},
        {"dark": None, "dark_sigma": None},
        {"bad": None},
        {"gain_dn_per_e": math.nan},
        {"exposure_ms": 20.000001},
        {"camera": "another"},
        {"linearity": (1.0, 0.0, 0.0)},
        {"calibrated": False},
        {"dark_sigma": None},
        {"flat_sigma": None},
        {"gain_map": np.ones(SHAPE, np.float32)},
        {"dark_rate": np.zeros(SHAPE, np.float32)},
        {"response_nm_per_dn_ms": 2.0},
        {"optics": "25 mm f/1.4"},
        {"linearity": (1.0, 0.0, 0.0), "linearity_table": (0.0, 1.0), "linearity_step_dn": 1.0},
    ]
    digests = {replace(full, **change).digest for change in changes}  # type: ignore[arg-type]
    assert len(digests | {full.digest}) == len(changes) + 1
    assert replace(full, provenance={"by": "somebody"}).digest == full.digest


def test_pickle_and_deepcopy_keep_bits_and_read_only(full: CameraProfile) -> None:
    for twin in (pickle.loads(pickle.dumps(full)), copy.deepcopy(full)):
        assert twin.digest == full.digest
        assert twin.provenance == full.provenance
        assert not twin.flat.flags.writeable


def test_core_gets_every_number(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, object]] = []
    fake = types.ModuleType("pyicg._core")
    fake.Profile = lambda **arguments: calls.append(arguments) or object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyicg._core", fake)
    maps = {name: np.full(SHAPE, k, np.float32) for k, name in enumerate(("dark_rate", "dark_sigma", "flat_sigma"), 1)}
    noise = {name: np.full(SHAPE, k, np.float32) for k, name in enumerate(("read_noise_map", "gain_map"), 4)}
    profile = replace(
        full_profile(),
        **maps,
        **noise,
        dark_exposures_ms=(21.0, 4.0),
        exposure_range_ms=(15.0, 30.0),
        linearity=(1.0, 0.0, 0.0),
        linearity_table=(0.0, 1.5, 4.0),
        linearity_step_dn=2.0,
        response_nm_per_dn_ms=7.0,
    )
    assert profile.core is profile.core
    (given,) = calls
    for name in ("dark", "flat", *maps, *noise):
        np.testing.assert_array_equal(given.pop(name), getattr(profile, name))
    bad, table = given.pop("bad"), given.pop("linearity_table")
    assert isinstance(bad, np.ndarray)
    assert (bad.dtype, int(bad.sum())) == (np.uint8, 1)
    assert isinstance(table, np.ndarray)
    assert (table.dtype, table.tolist()) == (np.float64, [0.0, 1.5, 4.0])
    assert given == {
        "height": 48,
        "width": 64,
        "dark_mean_exposure_ms": 21.0,
        "dark_exposure_sd_ms": 4.0,
        "linearity": (1.0, 0.0, 0.0),
        "linearity_step_dn": 2.0,
        "saturation_dn": 4095.0,
        "exposure_ms": 20.0,
        "exposure_min_ms": 15.0,
        "exposure_max_ms": 30.0,
        "gain_db": 6.0,
        "gain_dn_per_e": profile.gain_dn_per_e,
        "read_noise_dn": profile.read_noise_dn,
        "response_nm_per_dn_ms": 7.0,
        "calibrated": True,
    }
    assert CameraProfile.identity((3, 4)).core is not None
    absent = ("dark", "dark_rate", "dark_sigma", "flat", "flat_sigma", "bad", "read_noise_map", "gain_map")
    assert all(calls[1][name] is None for name in (*absent, "linearity_table"))
    unknown = ("exposure_ms", "exposure_min_ms", "gain_db", "dark_mean_exposure_ms", "linearity_step_dn")
    assert all(math.isnan(calls[1][name]) for name in unknown)  # type: ignore[arg-type]


# ---- dark map at an exposure


def test_dark_at_follows_the_line_and_its_uncertainty() -> None:
    level, rate, sigma = (np.full(SHAPE, value, np.float32) for value in (100.0, 0.5, 0.2))
    profile = plain(
        dark=level,
        dark_rate=rate,
        dark_sigma=sigma,
        dark_exposures_ms=(20.0, 10.0),
        exposure_ms=30.0,
        exposure_range_ms=(10.0, 40.0),
    )
    dark, error = profile.dark_at(40.0)
    assert error is not None
    assert dark.dtype == error.dtype == np.float32
    assert dark[0, 0] == pytest.approx(105.0)
    assert error[0, 0] == pytest.approx(0.2 * math.sqrt(1 + 2.0**2), rel=1e-6)
    assert profile.dark_at(20.0)[1][0, 0] == pytest.approx(0.2, rel=1e-6)  # type: ignore[index]
    assert profile.dark_at(10.0)[0][3, 4] == pytest.approx(90.0)


def test_dark_at_refuses_what_was_not_measured() -> None:
    profile = build(series(2))
    assert profile.dark_at(20.01)[0] is profile.dark  # within 0.1 %: a rounding exposure register
    for exposure in (19.9, 20.1, 5.0):
        with pytest.raises(CalibrationRangeError, match=f"found {exposure:g}, the profile holds from 20 to 20 ms"):
            profile.dark_at(exposure)
    with pytest.raises(ProfileError, match="no dark map"):
        CameraProfile.identity(SHAPE).dark_at(20.0)
    with pytest.raises(ProfileError, match="exposure_ms: found nan"):
        profile.dark_at(math.nan)


def test_its_names_are_public() -> None:
    assert pyicg.profile.build_profile is pyicg.build_profile
    assert pyicg.profile.CameraProfile is CameraProfile
