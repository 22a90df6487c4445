"""Residual fluorescence of the bed: areas, peaks and ranks against exact scenes, and the sign at its cuts."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

import pyicg
from pyicg import Background, CalibratedFrame, CameraProfile, InputError, ResidualFluorescence, UnitError
from pyicg.phantom import bed_scene

from .oracles import F32

LEVEL = 100.0
SHAPE = (120, 150)
Image = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def background(level: float = LEVEL, sigma: float = 0.0) -> Background:
    return Background(level, sigma, 0.0, 10_000, "stated")


def frame(image: Image, **flags: Mask) -> CalibratedFrame:
    """A calibrated frame; `saturated` and `bad` set bits of its mask."""
    bits = {"saturated": 1, "bad": 4, "excluded": 8}
    mask = np.zeros(image.shape, np.uint8)
    for name, where in flags.items():
        mask |= np.where(where, np.uint8(bits[name]), np.uint8(0))
    return CalibratedFrame(image.astype(F32), mask, None, "DN/ms", calibrated=True)


def liver() -> Image:
    return np.full(SHAPE, LEVEL)


def disc(centre: tuple[float, float], radius: float, shape: tuple[int, int] = SHAPE) -> Image:
    """Share of each pixel that a disc covers, from 16 x 16 samples."""
    offset = (np.arange(16) + 0.5) / 16 - 0.5
    y = (np.arange(shape[0])[:, None] + offset).ravel() - centre[0]
    x = (np.arange(shape[1])[:, None] + offset).ravel() - centre[1]
    inside = (y[:, None] ** 2 + x[None, :] ** 2) < radius**2
    covered: Image = inside.reshape(shape[0], 16, shape[1], 16).mean(axis=(1, 3))
    return covered


def square(y: int, x: int, side: int) -> Mask:
    mask = np.zeros(SHAPE, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def found(image: Image, cut: float = 1.5, sigma: float = 0.0, **options: Any) -> ResidualFluorescence:
    return pyicg.residual_fluorescence(frame(image), background=background(sigma=sigma), sbr_cut=cut, **options)


def noisy(image: Image, sigma: float, seed: int = 0) -> Image:
    return image + np.random.default_rng(seed).normal(0, sigma, image.shape)


# ---- areas and peaks


@pytest.mark.parametrize("sbr", [1.7, 3.0, 8.0])
@pytest.mark.parametrize("cut", [1.5, 2.0])
def test_areas_and_peaks_of_the_simulated_bed(sbr: float, cut: float) -> None:
    bed = bed_scene(sbr=sbr, n_frames=2, ring_inner_radius_mm=2.4, patch_radius_mm=3.2, shape=(160, 240))
    for raw, exact in zip(bed.stack, bed.truth.noiseless, strict=True):
        cal = pyicg.calibrate(raw, bed.profile, exposure_ms=bed.stack.exposure_ms)
        left = pyicg.residual_fluorescence(cal, sbr_cut=cut, pixel_size_mm=0.2)
        # what the noiseless scene, smoothed as stated, has over the cut
        level = bed.truth.background_level
        over = ndimage.gaussian_filter(exact.astype(float), 1.0, truncate=6) > cut * level
        assert left.sign is (sbr > cut)
        if sbr < cut:
            assert (left.hot_spots, left.area_px, left.area_mm2.value) == ((), 0.0, 0.0)
            assert not left.mask.any()
            continue
        labels, count = ndimage.label(over, np.ones((3, 3)))
        assert len(left.hot_spots) == count == 2
        assert left.area_px == left.mask.sum() == sum(spot.area_px for spot in left.hot_spots)
        assert left.area_px == pytest.approx(over.sum(), rel=0.02)
        assert left.area_mm2.value == pytest.approx(0.04 * over.sum(), rel=0.02)
        # the largest of the plateau's pixels: noise lifts it by up to 4.5 of its sigma
        noise = left.background.sigma / (2 * math.sqrt(math.pi)) / left.background.level * math.sqrt(sbr)
        for spot in left.hot_spots:
            y, x = (int(v) for v in spot.peak_position)
            assert spot.area_px == pytest.approx(np.count_nonzero(labels == labels[y, x]), rel=0.02)
            assert sbr - 3 * noise < spot.peak_sbr < sbr + 4.5 * noise + 0.02
        assert [spot.rank for spot in left.hot_spots] == [1, 2]
        assert left.hot_spots[0].peak_sbr >= left.hot_spots[1].peak_sbr


@pytest.mark.parametrize(("radius", "blur"), [(6.0, 1.0), (12.0, 1.5), (25.0, 3.0)])
def test_area_of_a_disc_is_that_of_its_contour_at_the_cut(radius: float, blur: float) -> None:
    image = LEVEL * (1 + 2 * ndimage.gaussian_filter(disc((60.3, 70.8), radius), blur, truncate=6))
    total = math.hypot(blur, 1.0)
    for cut in (1.5, 2.0, 2.5):
        # a quarter, half and three quarters of the way up; the curve moves it in by s^2 / 2R, to first order
        contour = radius - total**2 / (2 * radius) + total * {1.5: 0.6745, 2.0: 0.0, 2.5: -0.6745}[cut]
        left = found(noisy(image, 1.0), cut, sigma=1.0, min_area_px=20)
        assert left.area_px == pytest.approx(math.pi * contour**2, rel=0.02, abs=5)


def test_against_an_oracle_on_random_textures() -> None:
    rng = np.random.default_rng(1)
    for trial in range(12):
        texture = ndimage.gaussian_filter(rng.normal(0, 1, SHAPE), 2 + trial % 4)
        image = LEVEL * (1 + 0.6 * np.abs(texture / texture.std()))
        cut, minimum = 1.3 + 0.1 * (trial % 5), 10 + 5 * trial
        left = found(image, cut, min_area_px=minimum)
        smooth = ndimage.gaussian_filter(image.astype(F32).astype(float), 1.0, truncate=4, mode="nearest")
        labels, count = ndimage.label(smooth > cut * LEVEL, np.ones((3, 3)))
        index = np.arange(1, count + 1)
        area = ndimage.sum_labels(np.ones(SHAPE), labels, index)
        kept = index[area >= minimum]
        assert np.array_equal(left.mask, np.isin(labels, kept))
        peak = ndimage.maximum(smooth, labels, kept)
        order = np.argsort(-peak, kind="stable")
        assert [spot.rank for spot in left.hot_spots] == list(range(1, len(kept) + 1))
        assert [spot.area_px for spot in left.hot_spots] == list(area[kept - 1][order])
        np.testing.assert_allclose([spot.peak_sbr for spot in left.hot_spots], peak[order] / LEVEL, rtol=1e-6)
        for spot, label in zip(left.hot_spots, kept[order], strict=True):
            assert labels[tuple(int(v) for v in spot.peak_position)] == label


# ---- ranks


def test_ranked_by_peak_not_by_area() -> None:
    image = liver() + 150 * disc((30, 30), 20) + 400 * disc((80, 110), 8) + 250 * disc((90, 30), 12)
    spots = found(image).hot_spots
    assert [round(spot.peak_sbr, 2) for spot in spots] == [5.0, 3.5, 2.5]
    assert [spot.rank for spot in spots] == [1, 2, 3]
    assert spots[0].area_px < spots[1].area_px < spots[2].area_px


def test_equal_peaks_rank_by_their_first_pixel() -> None:
    image = liver()
    for y, x in ((60, 20), (20, 90), (60, 100), (20, 30)):
        image[square(y, x, 15)] = 3 * LEVEL
    # the first pixel of each region lies one row above its square: the blur's 1.5 contour
    spots = found(image).hot_spots
    assert len({spot.peak_sbr for spot in spots}) == 1
    assert [tuple(v // 20 for v in spot.peak_position) for spot in spots] == [(1, 1), (1, 4), (3, 1), (3, 5)]
    # and of a flat top the first pixel holds the peak: four sigma of the kernel inside its corner
    assert spots[0].peak_position == (24.0, 34.0)


# ---- sign


@pytest.mark.parametrize("cut", [1.5, 1.75, 2.0])
def test_sign_on_either_side_of_each_cut(cut: float) -> None:
    for plateau, expected in ((cut - 0.01, False), (cut + 0.01, True)):
        image = noisy(LEVEL * (1 + (plateau - 1) * disc((60, 70), 20)), 0.2)
        left = found(image, cut, sigma=0.2)
        assert left.sign is expected
        assert left.sign_at == {c: plateau > c for c in (1.5, 1.75, 2.0)}
        assert (left.area_px > 0) is expected


def test_a_cut_of_its_own_leaves_the_three_beside_it() -> None:
    left = found(LEVEL * (1 + 0.9 * disc((60, 70), 20)), 3.0)
    assert (left.sign, left.sbr_cut) == (False, 3.0)
    assert left.sign_at == {1.5: True, 1.75: True, 2.0: False}
    assert not left.mask.any()


def test_exactly_the_cut_is_not_over_it() -> None:
    image = liver()
    image[square(30, 30, 30)] = 1.5 * LEVEL
    assert found(image).sign is False
    assert found(image, 1.4999).sign is True


def test_noise_bounds_the_cut_from_below() -> None:
    # five times what smoothing leaves of sigma 50: 1.705
    for plateau, expected in ((1.68, False), (1.73, True)):
        left = found(LEVEL * (1 + (plateau - 1) * disc((60, 70), 20)), sigma=50.0)
        assert left.sign is expected
    assert found(noisy(liver(), 50.0), sigma=50.0, min_area_px=1).hot_spots == ()


# ---- minimum area


def test_a_region_of_the_minimum_area_counts() -> None:
    image = liver() + 300 * disc((30, 30), 6) + 300 * disc((80, 90), 4)
    large, small = (spot.area_px for spot in found(image, min_area_px=1).hot_spots)
    assert large > small
    assert len(found(image, min_area_px=small).hot_spots) == 2
    one = found(image, min_area_px=small + 1)
    assert [spot.area_px for spot in one.hot_spots] == [large]
    assert one.mask.sum() == one.area_px == large
    none = found(image, min_area_px=large + 1)
    assert (none.sign, none.area_px, none.mask.any()) == (False, 0.0, False)


def test_the_minimum_area_is_a_square_millimetre() -> None:
    def over(radius: float, height: float = 3.0, **options: float) -> list[float]:
        image = LEVEL * (1 + height * disc((60, 70), radius))
        return [spot.area_px for spot in found(image, **options).hot_spots]

    assert over(4.2) == [89.0]
    assert over(3.5) == []
    assert over(3.5, min_area_px=1) == [61.0]  # under the 64 px of a frame without a pixel size
    assert over(3.5, pixel_size_mm=0.13) == [61.0]  # 59.2 px
    assert over(3.5, pixel_size_mm=0.127) == []  # 62.0 px
    # no more than a quarter of a per cent of the frame, but 64 px: this frame has 18000
    assert over(4.2, pixel_size_mm=0.05) == [89.0]
    assert over(3.5, pixel_size_mm=0.05) == []
    assert over(1.0, 9.0, pixel_size_mm=2.0) == [21.0]
    assert over(0.5, 5.0, pixel_size_mm=2.0) == []  # never under nine pixels
    assert over(0.5, 5.0, pixel_size_mm=2.0, min_area_px=1) == [1.0]


# ---- saturation


def test_a_clipped_peak_is_a_lower_bound() -> None:
    true = LEVEL * (1 + 5 * ndimage.gaussian_filter(disc((60, 70), 15), 3))
    clipped = np.minimum(true, 400)
    other = 1.2 * LEVEL * disc((25, 25), 10)
    cal = frame(clipped + other, saturated=true >= 400)
    left = pyicg.residual_fluorescence(cal, background=background())
    assert left.sign is True
    assert left.sign_at == {1.5: True, 1.75: True, 2.0: True}
    assert len(left.hot_spots) == 2
    assert left.hot_spots[0].peak_sbr == pytest.approx(4.0, abs=1e-6)
    assert left.hot_spots[0].peak_sbr < true.max() / LEVEL
    assert left.reasons == ("saturated_lower_bound", "no_pixel_size")
    unclipped = pyicg.residual_fluorescence(frame(true + other), background=background())
    assert unclipped.reasons == ("no_pixel_size",)


def test_saturated_pixels_alone_are_no_sign_and_no_negative() -> None:
    image = liver()
    blob = square(40, 40, 12)
    image[blob] = 3 * LEVEL
    around = ndimage.binary_dilation(blob, iterations=2)  # what the smoothing lifts over the cut
    left = pyicg.residual_fluorescence(frame(image, saturated=around), background=background())
    assert left.sign is None
    assert left.sign_at == {1.5: None, 1.75: None, 2.0: None}
    assert left.reasons == ("saturated_lower_bound", "no_pixel_size")
    small = pyicg.residual_fluorescence(frame(image, saturated=around), background=background(), min_area_px=300)
    assert (small.sign, small.reasons) == (False, ("no_pixel_size",))


def test_what_was_clipped_under_the_cut_is_no_negative() -> None:
    image = liver()
    image[square(40, 40, 12)] = 1.3 * LEVEL  # full scale at SBR 1.3
    cal = frame(image, saturated=square(40, 40, 12))
    left = pyicg.residual_fluorescence(cal, background=background())
    assert (left.sign, left.hot_spots, left.area_px) == (None, (), 0.0)
    assert pyicg.residual_fluorescence(cal, background=background(), min_area_px=145).sign is False


def test_a_region_that_only_clipped_pixels_make_large_enough() -> None:
    # 7 x 7 over the cut beside 7 x 7 that a darker flat field clipped under it: neither alone is large enough
    image = liver()
    image[square(40, 40, 7)] = 2 * LEVEL
    image[square(40, 47, 7)] = 1.3 * LEVEL
    clipped = square(40, 47, 7)
    lone = pyicg.residual_fluorescence(frame(image), background=background(), min_area_px=80)
    left = pyicg.residual_fluorescence(frame(image, saturated=clipped), background=background(), min_area_px=80)
    assert lone.sign is False
    assert lone.hot_spots == left.hot_spots == ()
    assert left.sign is None


def test_full_scale_through_a_camera() -> None:
    raw = np.random.default_rng(2).poisson(100, SHAPE).astype(np.uint8)
    raw[30:40, 40:50] = 255
    cal = pyicg.calibrate(raw, CameraProfile.identity(SHAPE, bit_depth=8))
    left = pyicg.residual_fluorescence(cal)
    assert left.sign is None
    assert left.sign_at == {1.5: None, 1.75: None, 2.0: None}
    assert left.reasons == ("saturated_lower_bound", "uncalibrated", "no_pixel_size")


# ---- pixels that do not count


def test_excluded_pixels_belong_to_no_region() -> None:
    image = liver() + 300 * disc((60, 70), 20)
    half = np.zeros(SHAPE, bool)
    half[:, 70:] = True
    left = pyicg.residual_fluorescence(frame(image, excluded=half), background=background())
    assert not left.mask[:, 70:].any()
    whole = found(image).mask
    assert np.array_equal(left.mask[:, :66], whole[:, :66])
    clipped = pyicg.residual_fluorescence(frame(liver(), excluded=half, saturated=half), background=background())
    assert clipped.sign is False


def test_bad_pixels_are_bridged_by_their_neighbours() -> None:
    image = liver() + 300 * disc((60, 70), 20)
    bad = np.zeros(SHAPE, bool)
    bad[::9, ::7] = True
    broken = image.copy()
    broken[bad] = 0
    broken[60, 70] = math.nan
    cal = frame(broken, bad=bad)
    cal.mask[60, 70] = 64
    left = pyicg.residual_fluorescence(cal, background=background())
    assert left.area_px == pytest.approx(found(image).area_px, rel=0.01)
    assert left.mask[60, 70]


# ---- invariance


def scene(seed: int = 5) -> Image:
    image = noisy(liver(), 3.0, seed)
    for y, x, r, height in ((40, 45, 14, 1.2), (75, 105, 9, 3.0), (85, 50, 6, 0.8)):
        image += LEVEL * height * ndimage.gaussian_filter(disc((y, x), r), 1.2)
    return image


def test_turned_and_mirrored_frames_give_turned_and_mirrored_regions() -> None:
    image = scene()
    plain = pyicg.residual_fluorescence(frame(image), pixel_size_mm=0.2)
    assert len(plain.hot_spots) == 3
    for k in range(4):
        for mirrored in (False, True):

            def moved(pixels: npt.NDArray[Any], k: int = k, mirrored: bool = mirrored) -> npt.NDArray[Any]:
                turned = np.rot90(pixels, k)
                return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)

            left = pyicg.residual_fluorescence(frame(moved(image)), pixel_size_mm=0.2)
            assert np.array_equal(left.mask, moved(plain.mask))
            assert (left.sign, left.sign_at, left.area_px) == (plain.sign, plain.sign_at, plain.area_px)
            for spot, expected in zip(left.hot_spots, plain.hot_spots, strict=True):
                where = np.zeros(SHAPE, bool)
                where[tuple(int(v) for v in expected.peak_position)] = True
                assert spot.peak_position == tuple(float(v) for v in np.argwhere(moved(where))[0])
                assert spot.area_px == expected.area_px
                assert spot.peak_sbr == pytest.approx(expected.peak_sbr, rel=1e-6)  # rows or columns smoothed first


def test_shifted_frames_give_shifted_regions() -> None:
    image = scene()
    plain = found(image, sigma=3.0)
    for dy, dx in ((7, -11), (-13, 4)):
        left = found(np.roll(image, (dy, dx), axis=(0, 1)), sigma=3.0)
        assert np.array_equal(left.mask, np.roll(plain.mask, (dy, dx), axis=(0, 1)))
        for spot, expected in zip(left.hot_spots, plain.hot_spots, strict=True):
            y, x = expected.peak_position
            assert spot == dataclasses.replace(expected, peak_position=(y + dy, x + dx))


@pytest.mark.parametrize("factor", [2.0**-7, 2.0, 1024.0, 3.7])
def test_brightness_scales_out(factor: float) -> None:
    image = scene().astype(F32).astype(float)
    plain = pyicg.residual_fluorescence(frame(image))
    left = pyicg.residual_fluorescence(frame(factor * image))
    assert (left.sign, left.sign_at) == (plain.sign, plain.sign_at)
    if math.log2(factor).is_integer():
        assert left.hot_spots == plain.hot_spots
        assert np.array_equal(left.mask, plain.mask)
        assert left.background.level == factor * plain.background.level
    else:
        for spot, expected in zip(left.hot_spots, plain.hot_spots, strict=True):
            assert spot.peak_sbr == pytest.approx(expected.peak_sbr, rel=1e-4)
            assert spot.area_px == pytest.approx(expected.area_px, abs=1)


def test_a_pixel_size_changes_units_alone() -> None:
    image = scene()
    bare = found(image, sigma=3.0, min_area_px=30)
    sized = found(image, sigma=3.0, min_area_px=30, pixel_size_mm=0.25)
    assert bare.area_mm2.reason == "no_pixel_size"
    assert math.isnan(bare.area_mm2.value)
    assert bare.reasons == ("no_pixel_size",)
    assert sized.reasons == ()
    assert np.array_equal(bare.mask, sized.mask)
    assert sized.area_mm2.value == sized.area_px / 16
    for a, b in zip(bare.hot_spots, sized.hot_spots, strict=True):
        assert a.area_mm2.reason == "no_pixel_size"
        assert b.area_mm2.value == b.area_px / 16
        assert dataclasses.replace(a, area_mm2=b.area_mm2) == b


def test_the_same_frame_gives_the_same_regions_twice() -> None:
    first, second = found(scene(), sigma=3.0), found(scene(), sigma=3.0)
    assert first.hot_spots == second.hot_spots
    assert np.array_equal(first.mask, second.mask)


# ---- the door


def test_the_scorer_says_the_same() -> None:
    bed = bed_scene(n_frames=1, ring_inner_radius_mm=4.0)
    score = pyicg.score_frame(bed.stack[0], profile=bed.profile, pixel_size_mm=0.2, exposure_ms=20.0)
    cal = pyicg.calibrate(bed.stack[0], bed.profile, exposure_ms=20.0)
    left = pyicg.residual_fluorescence(cal, pixel_size_mm=0.2)
    assert len(left.hot_spots) == len(score.hot_spots) == 2
    for spot, expected in zip(left.hot_spots, score.hot_spots, strict=True):
        assert spot.area_mm2.value == pytest.approx(expected.area_mm2.value, rel=1e-12)
        assert dataclasses.replace(spot, area_mm2=expected.area_mm2) == expected
    assert (left.sign, left.sign_at) == (score.fluorescent, score.sign_at)
    assert (left.area_px, left.area_mm2.value) == (score.residual_area_px, score.residual_area_mm2.value)
    assert left.background.level == score.background.level


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        (dataclasses.replace(background(), reason="background_not_resolved"), "background_not_resolved"),
        (dataclasses.replace(background(), reason="out_of_range"), "out_of_range"),
        (background(0.0), "background_not_resolved"),
        (background(-5.0), "background_not_resolved"),
        (background(math.nan), "background_not_resolved"),
    ],
)
def test_without_a_background_there_is_no_sign(stated: Background, why: str) -> None:
    left = pyicg.residual_fluorescence(frame(scene()), background=stated, pixel_size_mm=0.1)
    assert left.sign is None
    assert left.sign_at == {1.5: None, 1.75: None, 2.0: None}
    assert left.hot_spots == ()
    assert not left.mask.any()
    assert math.isnan(left.area_px)
    assert left.area_mm2.reason == why
    assert left.reasons == (why,)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"sbr_cut": 1.0}, InputError, "sbr_cut must be greater than 1"),
        ({"sbr_cut": math.inf}, InputError, "sbr_cut"),
        ({"sbr_cut": math.nan}, InputError, "sbr_cut"),
        ({"min_area_px": 0.5}, InputError, "min_area_px must be at least 1"),
        ({"min_area_px": math.nan}, InputError, "min_area_px"),
        ({"smooth_px": 0.2}, InputError, "smooth_px must be between"),
        ({"smooth_px": 101.0}, InputError, "smooth_px"),
        ({"pixel_size_mm": 0.0}, UnitError, "pixel_size_mm"),
        ({"pixel_size_mm": math.nan}, UnitError, "pixel_size_mm"),
        ({"background": 100.0}, InputError, "background must be a Background"),
        ({"background": dataclasses.replace(background(), unit="e/ms")}, UnitError, "e/ms"),
        ({"background": dataclasses.replace(background(), shape=(5, 5))}, InputError, "found in a frame of"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        pyicg.residual_fluorescence(frame(scene()), **options)


def test_a_mask_of_another_shape() -> None:
    cal = dataclasses.replace(frame(scene()), mask=np.zeros((5, 5), np.uint8))
    with pytest.raises(InputError, match=r"mask must have the shape of data, found uint8 of shape \(5, 5\)"):
        pyicg.residual_fluorescence(cal, background=background())


def test_the_frame_is_left_as_it_was() -> None:
    cal = frame(scene())
    before, mask = cal.data.copy(), cal.mask.copy()
    cal.data.flags.writeable = cal.mask.flags.writeable = False
    left = pyicg.residual_fluorescence(cal)
    assert np.array_equal(cal.data, before)
    assert np.array_equal(cal.mask, mask)
    with pytest.raises(dataclasses.FrozenInstanceError):
        left.sign = False  # type: ignore[misc]
    assert left.mask.dtype == np.bool_
    assert left.mask.shape == SHAPE
