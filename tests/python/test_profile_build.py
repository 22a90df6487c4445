from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pyicg.errors import ProfileError
from pyicg.frame import Stack
from pyicg.phantom import SimulatedCamera

from .camera_frames import GAIN, LEVEL_E, OFFSET, READ_DN, SHAPE, Frames, build, codes, series

# ---- measuring


def test_maps_noise_and_gain_come_back() -> None:
    response = 1.0 + 0.3 * np.linspace(-1, 1, SHAPE[1])
    profile = build(series(16), series(16, LEVEL_E, response=response))
    assert profile.dark is not None
    assert profile.flat is not None
    assert profile.bad is not None
    assert profile.dark.mean() == pytest.approx(OFFSET, abs=0.05)
    assert profile.flat[~profile.bad].mean() == pytest.approx(1.0, abs=1e-6)
    assert np.abs(profile.flat.mean(axis=0) / response - 1).max() < 0.01
    assert profile.read_noise_dn == pytest.approx(math.sqrt(READ_DN**2 + 1 / 12), rel=0.01)
    assert profile.gain_dn_per_e == pytest.approx(GAIN, rel=0.015)
    assert profile.saturation_dn == 4095.0
    assert profile.exposure_range_ms == (20.0, 20.0)
    assert profile.calibrated
    assert not profile.bad.any()


@pytest.mark.parametrize("n", [2, 3])
def test_gain_and_read_noise_are_unbiased_with_few_frames(n: int) -> None:
    # the gain of one run scatters by sqrt(2/((n - 1) pixels)), at most 2.6 %; the mean of 60 by 0.33 %
    profiles = [build(series(n, seed=s), series(n, LEVEL_E, seed=s)) for s in range(60)]
    assert np.mean([p.gain_dn_per_e for p in profiles]) == pytest.approx(GAIN, rel=0.013)
    assert np.mean([p.read_noise_dn for p in profiles]) == pytest.approx(math.sqrt(READ_DN**2 + 1 / 12), rel=0.01)


def test_a_flickering_lamp_and_a_drifting_offset_are_no_noise() -> None:
    drift = np.array([0, 40, 10, 30], np.uint16)[:, None, None]
    steady = build(series(4), series(4, LEVEL_E))
    drifting = build(series(4) + drift, series(4, LEVEL_E) + drift)
    assert drifting.read_noise_dn == pytest.approx(steady.read_noise_dn, rel=0.01)
    assert drifting.gain_dn_per_e == pytest.approx(steady.gain_dn_per_e, rel=0.01)


def test_one_frame_gives_maps_but_neither_noise_nor_gain() -> None:
    profile = build(series(1), series(1, LEVEL_E))
    assert profile.dark is not None
    assert profile.flat is not None
    assert math.isnan(profile.read_noise_dn)
    assert math.isnan(profile.gain_dn_per_e)
    assert "one dark frame: read noise and gain are unknown" in profile.provenance["assumptions"]
    assert "one flat frame: gain is unknown" in build(series(2), series(1, LEVEL_E)).provenance["assumptions"]


def test_a_line_camera_has_gain_without_uncertainty() -> None:
    profile = build(series(16)[:, :1], series(16, LEVEL_E)[:, :1])
    assert profile.gain_dn_per_e == pytest.approx(GAIN, rel=0.2)
    assert math.isnan(profile.gain_sigma_dn_per_e)
    assert math.isnan(profile.read_noise_sigma_dn)


def test_without_flat_frames_there_is_no_flat_map_and_it_says_so() -> None:
    profile = build(series(4))
    assert profile.flat is None
    assert math.isnan(profile.gain_dn_per_e)
    assert any("vignetting" in text for text in profile.provenance["assumptions"])


def test_constant_dark_frames_get_the_emva_floor() -> None:
    profile = build(np.full((4, *SHAPE), 100, np.uint16))
    assert profile.read_noise_dn == 0.49
    assert any("0.49 DN" in text for text in profile.provenance["assumptions"])


def test_gain_of_a_camera_whose_dark_noise_is_hidden_by_rounding() -> None:
    camera = SimulatedCamera(bit_depth=8, gain_dn_per_e=0.01, read_noise_e=10, offset_dn=12, dsnu_dn=0.1, seed=4)
    dark, flat = camera.dark_series(16, shape=SHAPE), camera.flat_series(16, shape=SHAPE)
    profile = build(dark, flat, bit_depth=8)
    assert profile.read_noise_dn == 0.49
    assert profile.gain_dn_per_e == pytest.approx(0.01, rel=0.02)


def test_processed_flats_have_no_gain() -> None:
    profile = build(series(4), series(4) + np.uint16(1900))
    assert math.isnan(profile.gain_dn_per_e)
    assert any("not raw" in text for text in profile.provenance["assumptions"])


def test_hot_dead_and_noisy_pixels_are_found_and_nothing_else() -> None:
    dark, flat = series(16), series(16, LEVEL_E)
    dark[:, 3, 4] += 100  # hot
    dark[::2, 10, 11] += 60  # noisy: +/- 30 DN around its mean
    flat[:, 20, 21] = 100 + 800 // 2  # response 0.2
    flat[:, 0, 0] = 100 + 2 * 2200  # response 2.2
    profile = build(dark, flat, bit_depth=13)
    assert profile.bad is not None
    assert profile.flat is not None
    assert sorted(zip(*np.nonzero(profile.bad), strict=True)) == [(0, 0), (3, 4), (10, 11), (20, 21)]
    assert (profile.flat[profile.bad] == 1).all()
    notes = profile.provenance
    assert (notes["hot_pixels"], notes["dead_pixels"], notes["bad_pixels"]) == (2, 2, 4)  # +30 DN on average is hot too
    assert notes["noisy_pixels"] == 1


def test_hot_needs_both_ten_sigma_and_five_counts() -> None:
    dark = np.full((1, *SHAPE), 100, np.uint16)
    dark[0, 1, 1], dark[0, 2, 2] = 104, 105
    profile = build(dark)
    assert profile.bad is not None
    assert np.argwhere(profile.bad).tolist() == [[2, 2]]


def test_unlit_corners_are_bad() -> None:
    y, x = np.indices(SHAPE)
    lit = (y - 23.5) ** 2 + (x - 31.5) ** 2 < 28**2
    profile = build(series(4), series(4, LEVEL_E, response=lit))
    assert profile.bad is not None
    assert (profile.bad == ~lit).all()


def test_flat_is_linearised() -> None:
    ramp = np.linspace(0.5, 1.5, SHAPE[1])
    c2 = 5e-5
    true_x = 2000.0 * ramp  # x + c2 x^2 = truth: solve for the counts that such a camera shows
    shown = (-1 + np.sqrt(1 + 4 * c2 * true_x)) / (2 * c2)
    flat = np.broadcast_to(np.rint(100 + shown), (1, *SHAPE)).astype(np.uint16)
    dark = np.full((1, *SHAPE), 100, np.uint16)
    profile = build(dark, flat, linearity=(1.0, c2, 0.0))
    assert profile.flat is not None
    assert np.abs(profile.flat[0] / ramp - 1).max() < 1e-3


def test_another_flat_exposure_is_an_assumption() -> None:
    profile = build(series(2), series(2, LEVEL_E), flat_exposure_ms=5.0)
    assert any("at 20 ms was taken off flat frames at 5 ms" in text for text in profile.provenance["assumptions"])
    assert profile.provenance["flat_exposures_ms"] == [5.0]


def test_a_stack_a_list_and_any_order_give_the_same_bits() -> None:
    dark, flat = series(5), series(5, LEVEL_E)
    expected = build(dark, flat).digest
    assert build(Stack.from_array(dark, axes="TYX"), Stack.from_array(flat, axes="TYX")).digest == expected
    assert build(list(dark[::-1]), list(flat[[3, 0, 4, 1, 2]])).digest == expected


def test_read_only_and_strided_frames_are_fine_and_left_alone() -> None:
    wide = np.repeat(series(3), 2, axis=2)
    wide.setflags(write=False)
    assert build(wide[:, ::-1, ::2]).digest == build(series(3)[:, ::-1]).digest


# ---- uncertainties


def test_sigmas_of_gain_and_read_noise_cover_the_truth() -> None:
    profiles = [build(series(4, seed=s), series(4, LEVEL_E, seed=s)) for s in range(80)]
    pull = np.array([(p.gain_dn_per_e - GAIN) / p.gain_sigma_dn_per_e for p in profiles])
    assert pull.std() == pytest.approx(1.0, abs=0.25)  # 3 standard errors of 80 runs
    assert abs(pull.mean()) < 0.35
    truth = math.sqrt(READ_DN**2 + 1 / 12)
    pull = np.array([(p.read_noise_dn - truth) / p.read_noise_sigma_dn for p in profiles])
    assert pull.std() == pytest.approx(1.0, abs=0.25)
    assert abs(pull.mean()) < 0.35


def test_dark_and_flat_sigma_are_what_the_maps_scatter() -> None:
    response = 1.0 + 0.4 * np.linspace(-1, 1, SHAPE[1])
    profile = build(series(16), series(16, LEVEL_E, response=response))
    assert profile.dark is not None
    assert profile.flat is not None
    assert profile.dark_sigma is not None
    assert profile.flat_sigma is not None
    scatter = ((profile.dark - OFFSET) ** 2).mean() / (profile.dark_sigma**2).mean()
    assert scatter == pytest.approx(1.0, abs=0.08)  # 3072 pixels: 2.6 % standard error
    off = profile.flat / response - 1
    for part in (slice(0, 21), slice(21, 43), slice(43, 64)):  # dim, middle, bright
        scatter = (off[:, part] ** 2).mean() / (profile.flat_sigma[:, part] ** 2).mean()
        assert scatter == pytest.approx(1.0, abs=0.15)
    assert build(series(1), series(1, LEVEL_E)).dark_sigma is None
    assert build(series(1), series(1, LEVEL_E)).flat_sigma is None


def test_dark_sigma_is_the_pixels_own_from_64_frames_on() -> None:
    dark = series(64)
    dark[::2, 7, 8] += 4
    sigma = build(dark).dark_sigma
    assert sigma is not None
    assert sigma[7, 8] / np.median(sigma) == pytest.approx(math.sqrt(1 + 4 / READ_DN**2), rel=0.35)
    pooled = build(dark[:63]).dark_sigma
    assert pooled is not None
    assert np.ptp(pooled) == 0


def test_unresolved_noise_keeps_the_quantisation_in_dark_sigma() -> None:
    profile = build(np.full((4, *SHAPE), 100, np.uint16))
    assert profile.dark_sigma is not None
    assert profile.dark_sigma[0, 0] == pytest.approx(math.sqrt(0.24 / 4 + 1 / 12), rel=1e-6)
    assert math.isnan(profile.read_noise_sigma_dn)


# ---- noise maps, saturation, response


def test_noise_maps_find_the_noise_of_each_pixel() -> None:
    rng = np.random.default_rng(3)
    noisy = np.ones(SHAPE)
    noisy[:, 32:] = 2.0
    gain = np.full(SHAPE, 0.5)
    gain[:24] = 0.6
    dark = np.rint(100 + 3 * noisy * rng.standard_normal((64, *SHAPE))).astype(np.uint16)
    light = np.rint(100 + 3 * noisy * rng.standard_normal((64, *SHAPE)) + gain * rng.poisson(4000, (64, *SHAPE)))
    profile = build(dark, light.astype(np.uint16), noise_maps=True)
    assert profile.read_noise_map is not None
    assert profile.gain_map is not None
    for part, expected in ((slice(0, 32), 3.0), (slice(32, 64), 6.0)):
        found = math.sqrt((profile.read_noise_map[:, part].astype(float) ** 2).mean())
        assert found == pytest.approx(math.sqrt(expected**2 + 1 / 12), rel=0.01)
    assert profile.gain_map[:24].mean() == pytest.approx(0.6, rel=0.015)
    assert profile.gain_map[24:].mean() == pytest.approx(0.5, rel=0.015)
    assert profile.gain_map.std() > 0.05
    assert build(series(64), series(64, LEVEL_E)).gain_map is None


def test_a_camera_that_saturates_below_full_scale_says_so() -> None:
    response = np.ones(SHAPE)
    response[0, :3] = response[1, :8] = 1.5  # 3 or 11 of 3072 pixels reach the well
    pixels = np.zeros(SHAPE, bool)
    pixels[1, :8] = pixels[0, :3] = True
    big = np.tile(series(8, LEVEL_E, response=response), (1, 4, 4))
    cut = np.minimum(big, 2600)
    top = (slice(None), slice(0, 4), slice(0, 12))
    rest = np.minimum(np.tile(series(8, LEVEL_E), (1, 4, 4)), 2600)
    rest[top] = cut[top]
    profile = build(np.tile(series(8), (1, 4, 4)), rest)
    assert profile.saturation_dn == 2600.0
    assert profile.provenance["clipped_pixels"] == 11
    assert profile.bad is not None
    assert profile.bad[:2, :12].sum() == 11
    assert any("cut off at 2600 DN" in text for text in profile.provenance["assumptions"])
    assert build(np.tile(series(8), (1, 4, 4)), rest, saturation_dn=2500.0).saturation_dn == 2500.0
    with pytest.raises(ProfileError, match=r"of the samples are 2600, the largest count, expected at most 0\.1%"):
        build(np.tile(series(8), (1, 4, 4)), cut)


def test_response_is_the_weighted_line_through_the_target() -> None:
    concentration = np.array([0.0, 1.0, 10.0, 100.0, 1000.0])
    signal = 2.0 + 0.25 * concentration
    profile = build(series(2), response=list(zip(concentration, signal, strict=True)))
    assert profile.response_nm_per_dn_ms == pytest.approx(4.0, rel=1e-9)
    assert profile.response_sigma_nm_per_dn_ms == pytest.approx(0.0, abs=1e-9)
    assert profile.response_range_nm == (0.0, 1000.0)
    rng = np.random.default_rng(4)
    found = []
    for _ in range(200):
        noisy = signal * (1 + 0.02 * rng.standard_normal(5))
        found.append(build(series(2), response=dict(zip(concentration.tolist(), noisy.tolist(), strict=True))))
    values = np.array([p.response_nm_per_dn_ms for p in found])
    sigmas = np.array([p.response_sigma_nm_per_dn_ms for p in found])
    assert values.mean() == pytest.approx(4.0, rel=0.01)
    assert math.sqrt((sigmas**2).mean()) / values.std() == pytest.approx(1.0, abs=0.25)
    assert build(series(2), response=3.5).response_nm_per_dn_ms == 3.5
    assert math.isnan(build(series(2), response=3.5).response_sigma_nm_per_dn_ms)
    assert math.isnan(build(series(2)).response_nm_per_dn_ms)


def test_a_response_that_quenches_is_reported() -> None:
    pairs = [(c, 1.0 + 0.25 * c / (1 + c / 500)) for c in (0.0, 1.0, 10.0, 100.0, 1000.0)]
    assert codes(build(series(2), response=pairs)) == ["not_linear"]


def test_real_concentration_target_gives_a_straight_response() -> None:
    # raw means of the concentration target of QUEL Imaging (CC BY 4.0)
    pairs = [(0, 871.61), (1, 930.21), (3, 1052.40), (10, 1591.04), (30, 3053.35), (60, 5373.13), (100, 8629.35)]
    profile = build(series(2), response=[*pairs, (300, 20439.59), (1000, 59760.95)])
    assert 1 / profile.response_nm_per_dn_ms == pytest.approx(70.0, rel=0.1)
    assert profile.response_sigma_nm_per_dn_ms / profile.response_nm_per_dn_ms < 0.05


def test_what_it_was_measured_with_is_kept() -> None:
    profile = build(series(2), sensor="s", optics="o", lens_distance_mm=300.0, filter_band_nm=(820.0, 860.0))
    assert (profile.sensor, profile.optics) == ("s", "o")
    assert (profile.lens_distance_mm, profile.filter_band_nm) == (300.0, (820.0, 860.0))


def test_blinking_pixels_are_bad() -> None:
    camera = SimulatedCamera(seed=2, blinking_pixel_share=0.01, hot_pixel_share=0.0)
    profile = build(camera.dark_series(64, shape=SHAPE))
    truth = camera.blinking_pixels(SHAPE)
    assert profile.bad is not None
    assert (profile.bad & truth).sum() >= 0.5 * truth.sum()
    assert not (profile.bad & ~truth).any()
    assert profile.provenance["blinking_pixels"] > 0


# ---- refusing

ZEROS = np.zeros((2, *SHAPE), np.uint16)


def stack(frames: Frames, exposure_ms: float) -> Stack:
    return Stack.from_array(frames, axes="TYX", exposure_ms=exposure_ms, bit_depth=12)


@pytest.mark.parametrize(
    ("dark", "flat", "options", "message"),
    [
        (ZEROS, None, {}, r"100\.0% of the samples are 0, expected at most 5%.*raise the black level"),
        (series(2), series(3), {}, "above dark, expected at least 40.96 DN"),
        (series(2), series(2, 8000.0), {}, r"sit at the maximum, expected at most 0\.1%"),
        (series(2), series(2, LEVEL_E)[:, 1:], {}, r"shape \(47, 64\), expected \(48, 64\)"),
        ([series(1)[0], series(1)[0][1:]], None, {}, r"dark frame 1: found shape \(47, 64\)"),
        (series(2), None, {"bit_depth": 0}, "bit_depth: found 0"),
        (series(2), None, {"bit_depth": 17}, "bit_depth: found 17"),
        (series(2), None, {"bit_depth": 12.0}, r"bit_depth: found 12\.0"),
        (series(2), None, {"bit_depth": 6}, "expected at most 63; give the right bit_depth"),
        (series(1)[0], None, {}, r"expected 2-D \(H, W\); give one frame as frame\[None\]"),
        (series(0), None, {}, "found none"),
        (series(2).astype(np.float32), None, {}, "float32, expected uint8 or uint16"),
        (series(2).astype(">u2"), None, {}, "native byte order"),
        (series(2), None, {"exposure_ms": 0.0}, r"exposure_ms: found 0\.0"),
        (series(2), None, {"exposure_ms": math.nan}, "exposure_ms: found nan"),
        (series(2), None, {"linearity": (1.0, 0.0)}, "linearity: found"),
        (series(2), None, {"linearity": (0.0, 1.0, 0.0)}, "c1 > 0"),
        (series(2), None, {"linearity": (1.0, -2e-4, 0.0)}, "turns over below full scale .4095 DN."),
        (series(2), None, {"linearity": "spline"}, "linearity: found 'spline'"),
        (series(2), series(2, LEVEL_E), {"linearity": "table"}, r"found flat frames at 1 exposure\(s\), expected 5"),
        (series(2), None, {"linearity": "polynomial"}, r"found flat frames at 0 exposure\(s\), expected 5"),
        (series(2), None, {"linearity": np.array([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]])}, "even steps; resample"),
        (series(2), None, {"linearity": np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 1.0]])}, "strictly increasing"),
        (series(2), None, {"response": 0.0}, r"response: found 0\.0, expected a number over 0"),
        (series(2), None, {"response": [(1.0, 2.0), (10.0, 11.0)]}, r"found 2 concentration\(s\), expected 3"),
        (series(2), None, {"response": [(0, 5.0), (10, 5.1), (20, 4.9)]}, "positive by three sigma"),
        (series(2), None, {"response": [(0, 5.0), (10, 3.0), (20, 1.0)]}, "positive by three sigma"),
        (series(2), None, {"response": [(1.0, 2.0, 3.0)]}, r"pairs"),
        (series(2), None, {"response": "1 nM"}, "response: found '1 nM'"),
        (series(2), None, {"response": [(-1.0, 2.0)]}, r"response concentration: found -1\.0"),
        (series(2), None, {"noise_maps": True}, r"noise_maps: found 2 dark frames to the point, expected 64"),
        (series(64), series(2, LEVEL_E), {"noise_maps": True}, "noise_maps: found 2 flat frames to the point"),
        (series(64), None, {"noise_maps": True}, "noise_maps: found 0 flat frames"),
        (series(2), None, {"saturation_dn": 5000.0}, "saturation_dn: found 5000, expected at most 4095"),
        (series(2), None, {"scene_flat": series(2, 8000.0)}, "scene_flat: flat frames: .* at the maximum"),
        (series(2), None, {"scene_flat": {20.0: series(2, LEVEL_E)}}, "scene_flat: found a mapping"),
        ({}, None, {}, "dark: found an empty mapping"),
        ({10.0: series(2)}, None, {}, "exposure_ms: found 20, the dark frames span 10 to 10 ms"),
        ({10.0: series(2), 15.0: series(2)}, None, {}, "exposure_ms: found 20, the dark frames span 10 to 15 ms"),
        ({10.0: series(2), -1.0: series(2)}, None, {}, r"dark exposure: found -1\.0"),
        ({10.0: series(2), 30.0: series(2)[:, 1:]}, None, {}, r"dark frames at 30 ms: found shape \(47, 64\)"),
        ({10.0: series(2), 30.0: ZEROS}, None, {}, r"100\.0% of the samples are 0"),
        (
            {10.0: series(2), 30.0: series(2)},
            series(2, LEVEL_E),
            {"flat_exposure_ms": 5.0},
            "flat frames at 5 ms: the dark frames span 10 to 30 ms; film dark frames",
        ),
        (series(2), {20.0: series(2, LEVEL_E)}, {"flat_exposure_ms": 5.0}, "flat_exposure_ms: found beside a mapping"),
        (series(2), {}, {}, "flat: found an empty mapping"),
        (stack(series(2), 21.0), None, {}, r"state an exposure of 21 ms, expected 20 ms"),
        (
            series(2),
            stack(series(2, LEVEL_E), 20.0),
            {"flat_exposure_ms": 5.0},
            "state an exposure of 20 ms, expected 5 ms",
        ),
        ({10.0: stack(series(2), 10.0), 30.0: stack(series(2), 31.0)}, None, {}, "state an exposure of 31 ms"),
    ],
)
def test_useless_data_are_refused(dark: object, flat: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        build(dark, flat, **options)


def test_a_stack_that_is_not_linear_is_refused() -> None:
    class Video(list[Frames]):
        transfer = "srgb"

    with pytest.raises(ProfileError, match="transfer is 'srgb'"):
        build(Video(series(2)))


def test_a_polynomial_that_turns_over_is_refused() -> None:
    # an avalanche: the signal rises ever faster
    shown = {t: 100 + 60 * (math.exp(t / 8) - 1) for t in (6, 8, 12, 16, 24, 32)}
    steps = np.arange(2, dtype=np.uint16)[:, None, None]
    flat = {t: np.full((2, *SHAPE), round(level), np.uint16) + steps for t, level in shown.items()}
    dark = {t: np.full((2, *SHAPE), 100, np.uint16) for t in (1, 32)}
    with pytest.raises(ProfileError, match=r'turns over below full scale.*or use linearity="table"'):
        build(dark, flat, linearity="polynomial")


@pytest.mark.parametrize("above", [30, 0, -600])
def test_flats_cut_off_below_full_scale_are_refused(above: int) -> None:
    level = round(OFFSET + GAIN * LEVEL_E) + above
    flat = np.minimum(series(8, LEVEL_E), level).astype(np.uint16)
    message = "no pixel changes in 8 frames" if above == -600 else rf"% of the samples are {level}, the largest count"
    with pytest.raises(ProfileError, match=message):
        build(series(8), flat)


def test_frames_that_state_several_exposures_are_refused() -> None:
    class Mixed(list[npt.NDArray[np.uint16]]):
        notes = ("exposure: stated ones differ or are no time; unused",)

    with pytest.raises(ProfileError, match="dark frames: they state several exposures, expected 20 ms alone"):
        build(Mixed(series(4)))  # type: ignore[arg-type]


# ---- real data


def images(folder: Path, pattern: str) -> list[npt.NDArray[np.generic]]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob(pattern))]


def test_real_camera_agrees_with_its_emva_report(shared_data: Path) -> None:
    folder = shared_data / "emva1288_set001" / "images"
    profile = build(images(folder, "d_s_*.png"), images(folder, "b_s_*.png"))
    assert profile.dark is not None
    assert profile.gain_dn_per_e == pytest.approx(0.2791, rel=0.02)  # two-point, against the 14-level slope
    assert profile.read_noise_dn == pytest.approx(3.073, rel=0.02)
    assert 14.7 <= profile.dark.mean() <= 14.8


def test_real_dark_frame_comes_off_with_its_sign(shared_data: Path) -> None:
    folder = shared_data / "plantcv"
    (dark,) = images(folder, "FLUO_TV_dark.png")
    (frame,) = images(folder, "FLUO_TV_min.png")
    profile = build(dark[None], bit_depth=16)
    assert profile.dark is not None
    np.testing.assert_array_equal(profile.dark, dark)
    assert float((frame - profile.dark).mean(dtype=np.float64)) == pytest.approx(166.9, abs=0.05)


@pytest.mark.parametrize("exposure", ["25ms", "100ms", "3916ms"])
def test_real_dark_frames_clipped_at_zero_are_refused(shared_data: Path, exposure: str) -> None:
    frames = images(shared_data / "exposure_series", f"d1_dark_{exposure}_*.tif")
    assert len(frames) == 2
    with pytest.raises(ProfileError, match=r"99\.[78]% of the samples are 0"):
        build(frames, bit_depth=8)
