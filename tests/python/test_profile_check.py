from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

import pyicg
from pyicg import CalibrationRangeError, CameraProfile, ProfileError
from pyicg.phantom import SimulatedCamera
from pyicg.profile_check import ProfileCheck

SHAPE = (96, 128)
N = 16
Frames = npt.NDArray[np.uint16]

STEADY = SimulatedCamera(seed=11)
WARM = SimulatedCamera(seed=11, dark_current_e_per_s=600.0)
EVEN = replace(WARM, hot_pixel_share=0.0)  # all pixels alike: no pattern in the dark current


def dark_of(camera: SimulatedCamera, exposure_ms: float = 20.0) -> tuple[Frames, Frames]:
    """Frames for the profile, and fresh ones."""
    frames = camera.dark_series(2 * N, shape=SHAPE, exposure_ms=exposure_ms)
    return frames[:N], frames[N:]


def flat_of(camera: SimulatedCamera) -> tuple[Frames, Frames]:
    frames = camera.flat_series(2 * N, shape=SHAPE)
    return frames[:N], frames[N:]


def profile_of(camera: SimulatedCamera, *exposures: float) -> CameraProfile:
    dark = {time: dark_of(camera, time)[0] for time in exposures} if exposures else dark_of(camera)[0]
    return pyicg.build_profile(dark, flat_of(camera)[0], camera="simulated", exposure_ms=20.0, bit_depth=12)


def codes(check: ProfileCheck) -> list[str]:
    return [finding.code for finding in check.findings]


@pytest.fixture(scope="module")
def steady() -> CameraProfile:
    return profile_of(STEADY)


@pytest.fixture(scope="module")
def warm() -> CameraProfile:
    return profile_of(WARM, 10, 20, 40)


@pytest.mark.parametrize("seed", range(20))
def test_a_clean_camera_passes(seed: int) -> None:
    camera = SimulatedCamera(seed=100 + seed, dark_current_e_per_s=300.0 * (seed % 3), blinking_pixel_share=1e-3)
    for exposures in ((), (10, 20, 40)):
        check = pyicg.check_profile(
            profile_of(camera, *exposures), dark_of(camera)[1], flat_of(camera)[1], exposure_ms=20
        )
        assert check.ok, check.findings


def test_figures_hold_profile_fresh_and_limit(steady: CameraProfile) -> None:
    check = pyicg.check_profile(steady, dark_of(STEADY)[1], flat_of(STEADY)[1], exposure_ms=20)
    names = "offset_dn read_noise_dn gain_dn_per_e flat_tilt flat_falloff flat_local new_bad_pixels"
    assert " ".join(check.figures) == f"{names} new_unsteady_pixels"
    expected, fresh, limit = check.figures["read_noise_dn"]
    assert expected == steady.read_noise_dn
    assert fresh.value == pytest.approx(math.sqrt(4 + 1 / 12), rel=0.01)
    assert limit == pytest.approx(0.05 * expected)
    assert check.figures["gain_dn_per_e"].fresh.value == pytest.approx(0.25, rel=0.015)
    assert check.figures["offset_dn"].limit == 0.5
    assert all(figure.ok for figure in check.figures.values())


def test_without_flat_frames_the_dark_figures_remain(steady: CameraProfile) -> None:
    check = pyicg.check_profile(steady, dark_of(STEADY)[1], exposure_ms=20)
    assert list(check.figures) == ["offset_dn", "read_noise_dn", "new_bad_pixels", "new_unsteady_pixels"]


def test_a_shifted_offset_is_found(steady: CameraProfile) -> None:
    dark, flat = dark_of(STEADY)[1], flat_of(STEADY)[1]
    check = pyicg.check_profile(steady, dark + 2, flat + 2, exposure_ms=20)
    assert codes(check) == ["offset_drift"]
    expected, fresh, _ = check.figures["offset_dn"]
    assert fresh.value - expected == pytest.approx(2.0, abs=0.05)
    assert pyicg.check_profile(steady, dark - 2, exposure_ms=20).findings[0].code == "offset_drift"


@pytest.mark.parametrize(
    ("change", "code", "figure", "ratio"),
    [
        ({"read_noise_e": 8.8}, "noise_changed", "read_noise_dn", 1.097),
        ({"read_noise_e": 7.2}, "noise_changed", "read_noise_dn", 0.903),
        ({"gain_dn_per_e": 0.2625, "read_noise_e": 8 / 1.05}, "gain_changed", "gain_dn_per_e", 1.05),
        ({"gain_dn_per_e": 0.2375, "read_noise_e": 8 / 0.95}, "gain_changed", "gain_dn_per_e", 0.95),
    ],
)
def test_changed_noise_and_gain_are_found(
    steady: CameraProfile, change: dict[str, float], code: str, figure: str, ratio: float
) -> None:
    camera = replace(STEADY, **change)  # type: ignore[arg-type]
    check = pyicg.check_profile(steady, dark_of(camera)[1], flat_of(camera)[1], exposure_ms=20)
    assert codes(check) == [code]
    expected, fresh, _ = check.figures[figure]
    assert fresh.value / expected == pytest.approx(ratio, abs=0.015)


@pytest.mark.parametrize(
    ("change", "figure", "value"),
    [({"tilt": 0.05}, "flat_tilt", 0.05), ({"vignetting": 0.30}, "flat_falloff", -0.067)],  # 0.70/0.75 - 1
)
def test_changed_light_and_lens_are_found(
    steady: CameraProfile, change: dict[str, float], figure: str, value: float
) -> None:
    flat = flat_of(replace(STEADY, **change))[1]  # type: ignore[arg-type]
    check = pyicg.check_profile(steady, dark_of(STEADY)[1], flat, exposure_ms=20)
    assert codes(check) == ["flat_changed"]
    assert check.figures[figure].fresh.value == pytest.approx(value, abs=0.008)


def test_dust_is_found_and_placed(steady: CameraProfile) -> None:
    flat = flat_of(STEADY)[1].astype(np.float64)
    flat[:, 50:62, 70:82] = (flat[:, 50:62, 70:82] - 64) * 0.95 + 64
    check = pyicg.check_profile(steady, dark_of(STEADY)[1], np.rint(flat).astype(np.uint16), exposure_ms=20)
    assert codes(check) == ["flat_changed"]
    assert "look for dust" in check.findings[0].text
    y, x = (int(part) for part in check.findings[0].text.split("= (")[1].split(")")[0].split(","))
    assert 50 <= y < 62
    assert 70 <= x < 82
    assert check.figures["flat_local"].fresh.value == pytest.approx(-0.05, abs=0.01)


def test_new_bad_pixels_are_counted_and_old_ones_are_not(steady: CameraProfile) -> None:
    assert steady.bad is not None
    assert steady.bad.any()
    dark = dark_of(STEADY)[1].copy()
    dark[:, 10:12, 10:15] += 50
    check = pyicg.check_profile(steady, dark, exposure_ms=20)
    assert codes(check) == ["new_bad_pixels"]
    assert check.figures["new_bad_pixels"].fresh.value == 10
    assert "(10, 10), (10, 11), (10, 12)" in check.findings[0].text
    dark = dark_of(STEADY)[1].copy()
    dark[::2, 30:34, 10:20] += 40
    dark[1::2, 30:34, 10:20] -= 40
    check = pyicg.check_profile(steady, dark, exposure_ms=20)
    assert "new_bad_pixels" in codes(check)
    assert check.figures["new_unsteady_pixels"].fresh.value == 40


def test_a_misstated_exposure_is_found_by_the_pattern_of_the_dark_current(warm: CameraProfile) -> None:
    flat = flat_of(WARM)[1]
    for said, true in ((20, 26), (26, 20), (20, 14)):
        check = pyicg.check_profile(warm, dark_of(WARM, true)[1], flat, exposure_ms=said, flat_exposure_ms=20)
        assert codes(check) == ["exposure_inconsistent"], (said, true)
        assert check.figures["exposure_ms"].fresh.value == pytest.approx(true, rel=0.03)
    drifted = pyicg.check_profile(warm, dark_of(WARM)[1] + 2, exposure_ms=20)
    assert codes(drifted) == ["offset_drift"]  # the pattern is as it was
    assert pyicg.check_profile(warm, dark_of(WARM, 40)[1], exposure_ms=40).ok


def test_without_a_pattern_level_alone_cannot_tell_exposure_from_offset() -> None:
    profile = profile_of(EVEN, 10, 20, 40)
    check = pyicg.check_profile(profile, dark_of(EVEN, 26)[1], exposure_ms=20)
    assert codes(check) == ["exposure_inconsistent", "offset_drift"]
    assert check.figures["exposure_ms"].fresh.value == pytest.approx(26, rel=0.02)


def test_noise_of_the_dark_current_is_expected(warm: CameraProfile) -> None:
    strong = replace(WARM, dark_current_e_per_s=5000.0)
    profile = profile_of(strong, 10, 20, 80)
    check = pyicg.check_profile(profile, dark_of(strong, 80)[1], exposure_ms=80)
    assert check.ok, check.findings
    assert check.figures["read_noise_dn"].profile > 1.3 * profile.read_noise_dn
    assert pyicg.check_profile(warm, dark_of(WARM, 10)[1], exposure_ms=10).ok


def test_it_becomes_json(steady: CameraProfile) -> None:
    check = pyicg.check_profile(steady, dark_of(STEADY)[1] + 2, exposure_ms=20)
    twin = json.loads(json.dumps(check.to_dict(), allow_nan=False))
    assert twin["ok"] is False
    assert twin["findings"][0]["code"] == "offset_drift"
    assert twin["figures"]["offset_dn"]["ok"] is False
    assert twin["figures"]["offset_dn"]["fresh"]["value"] == pytest.approx(66, abs=0.1)


def test_what_cannot_be_checked_is_refused(steady: CameraProfile, warm: CameraProfile) -> None:
    dark, flat = dark_of(STEADY)[1], flat_of(STEADY)[1]
    with pytest.raises(ProfileError, match="no dark map"):
        pyicg.check_profile(CameraProfile.identity(SHAPE), dark, exposure_ms=20)
    with pytest.raises(ProfileError, match=r"found shape \(95, 128\), expected \(96, 128\) as the profile"):
        pyicg.check_profile(steady, dark[:, 1:], exposure_ms=20)
    with pytest.raises(ProfileError, match="dark frames: found 1, expected two or more"):
        pyicg.check_profile(steady, dark[:1], exposure_ms=20)
    with pytest.raises(ProfileError, match="flat frames: found 1, expected two or more"):
        pyicg.check_profile(steady, dark, flat[:1], exposure_ms=20)
    with pytest.raises(ProfileError, match="of the samples are 0"):
        pyicg.check_profile(steady, np.zeros_like(dark), exposure_ms=20)
    with pytest.raises(ProfileError, match="at the maximum"):
        pyicg.check_profile(steady, dark, np.full_like(dark, 4095), exposure_ms=20)
    with pytest.raises(CalibrationRangeError, match="found 30, the profile holds from 20 to 20 ms"):
        pyicg.check_profile(steady, dark, exposure_ms=30)
    with pytest.raises(CalibrationRangeError, match="found 50, the profile holds from 10 to 40 ms"):
        pyicg.check_profile(warm, dark_of(WARM)[1], flat_of(WARM)[1], exposure_ms=20, flat_exposure_ms=50)
    stack = pyicg.Stack.from_array(dark, axes="TYX", exposure_ms=26.0, bit_depth=12)
    with pytest.raises(ProfileError, match="state an exposure of 26 ms, expected 20 ms"):
        pyicg.check_profile(steady, stack, exposure_ms=20)  # type: ignore[arg-type]
