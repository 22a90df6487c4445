"""What is found of rims of known shape, broken ones too, and what is no rim stays none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.path import Path as Polygon
from scipy.ndimage import binary_dilation, gaussian_filter

import pyicg
from pyicg import Background, InputError, UnitError
from pyicg.phantom import RimShape, rim_scene

from .oracles import F32, annulus, blurred_disc, calibrated, fieller_oracle, radii
from .rims import Image, noise, segment, the_lesion

KNOWN = Background(100.0, 3.0, 0.02, 20_000, "mode")


def test_sbr_of_the_rim() -> None:
    image = annulus((160, 160), (80.3, 79.6), 30, 46) + noise((160, 160), 4)
    lesion = the_lesion(image, background=KNOWN)
    assert lesion.sbr.value == pytest.approx(4.0, rel=0.005)
    r = np.hypot(*(np.indices(image.shape) - np.reshape((80.3, 79.6), (2, 1, 1))))
    middle = image[(r > 34) & (r < 42)]
    lo, hi = fieller_oracle(middle.mean(), middle.std(ddof=1) / math.sqrt(middle.size), 100.0, 0.02)
    np.testing.assert_allclose(lesion.sbr.ci, (lo, hi), atol=0.2 * (hi - lo))


def test_masks_and_labels_are_what_the_contours_enclose() -> None:
    image = annulus((140, 240), (70.2, 69.7), 20, 32) + annulus((140, 240), (68.6, 170.1), 25, 35) - 100
    rim = segment(image + noise(image.shape, 2), psf_sigma_px=1.2)
    assert [lesion.label for lesion in rim.lesions] == [1, 2]
    assert (rim.labels.dtype, rim.rim_mask.dtype, rim.core_mask.dtype) == (np.int32, bool, bool)
    pixels = np.argwhere(np.ones(image.shape, bool))
    for lesion in rim.lesions:
        core, whole = (
            Polygon(contour).contains_points(pixels).reshape(image.shape)
            for contour in (lesion.inner_contour, lesion.outer_contour)
        )
        mine = rim.labels == lesion.label
        # Chord or arc between two vertices: a pixel or two on the line itself.
        assert ((rim.core_mask & mine) != core).sum() <= 3
        assert ((rim.rim_mask & mine) != (whole & ~core)).sum() <= 5
    np.testing.assert_array_equal(rim.labels > 0, rim.rim_mask | rim.core_mask)
    assert not (rim.rim_mask & rim.core_mask).any()


def test_what_is_bright_but_no_rim_is_rejected_with_its_reason() -> None:
    shape = (200, 300)
    image = annulus(shape, (70, 70), 20, 32)
    discs = [
        ((60, 180), 25, "no_enclosed_core"),
        ((170, 120), 2, "below_min_area"),
        ((150, 190), 30, "no_enclosed_core"),
    ]
    for centre, radius, _ in discs:
        image += 300 * blurred_disc(shape, centre, radius, 1.2)
    image[20:180, 250:258] = 400
    image[130, 60] = 2000
    rim = segment(image + noise(shape, 2))
    assert [lesion.label for lesion in rim.lesions] == [1]
    found = {(round(r.centroid[0]), round(r.centroid[1])): r for r in rim.rejected}
    expected = {centre: reason for centre, _, reason in discs} | {(100, 254): "elongated", (130, 60): "hot_pixel"}
    assert {place: r.reason for place, r in found.items()} == expected
    for centre, radius, _ in discs:
        # The cut lies outside the half level.
        assert math.sqrt(found[centre].area_px / math.pi) == pytest.approx(radius, abs=2.5)
        y0, x0, y1, x1 = found[centre].box
        assert (y0 + y1) / 2 == pytest.approx(centre[0], abs=1)
        assert (x0 + x1) / 2 == pytest.approx(centre[1], abs=1)


@pytest.mark.parametrize(
    ("centre", "reason"),
    [((80, 80), "no_enclosed_core"), ((80, 125), "no_enclosed_core"), ((20, 140), "no_enclosed_core")],
)
def test_a_bright_disc_alone_is_no_rim(centre: tuple[float, float], reason: str) -> None:
    rim = segment(100 + 300 * blurred_disc((160, 160), centre, 25, 1.2) + noise((160, 160), 2))
    assert rim.lesions == ()
    assert [r.reason for r in rim.rejected] == [reason]
    assert not rim.labels.any()


def test_flecks_are_too_small() -> None:
    image = np.full((160, 160), 100.0)
    places = [(30, 40), (80, 120), (130, 60)]
    for place in places:
        image += 300 * blurred_disc(image.shape, place, 2.0, 1.0)
    rim = segment(image + noise(image.shape, 2))
    assert rim.lesions == ()
    assert {r.reason for r in rim.rejected} == {"below_min_area"}
    assert sorted((round(r.centroid[0]), round(r.centroid[1])) for r in rim.rejected) == places


def test_a_saturated_blob_hides_what_is_inside() -> None:
    image = 100 + 900 * blurred_disc((160, 160), (80, 80), 20, 1.2) + noise((160, 160), 2)
    full = image > 600
    rim = segment(np.where(full, 600.0, image), full.astype(np.uint8))
    assert rim.lesions == ()
    assert [r.reason for r in rim.rejected] == ["saturated_blob"]


def arc(image: Image, centre: tuple[float, float], level: float) -> Image:
    """Dim a rim to a level between 30 and 75 degrees."""
    y, x = np.indices(image.shape) - np.reshape(centre, (2, 1, 1))
    angle = np.degrees(np.arctan2(y, x))
    return np.where((angle > 30) & (angle < 75) & (image > level), level, image)


def test_a_rim_that_is_dim_in_part_still_encloses() -> None:
    centre = (80.3, 79.6)
    image = arc(annulus((160, 160), centre, 22, 33), centre, 200.0) + noise((160, 160))
    lesion = the_lesion(image, psf_sigma_px=1.2)
    assert (lesion.completeness, len(lesion.gaps_deg), lesion.pattern) == (1.0, 0, "rim")
    angle = np.arange(len(lesion.inner_contour)) * 360 / len(lesion.inner_contour)
    bright = (angle < 20) | (angle > 85)
    np.testing.assert_allclose(radii(lesion.inner_contour, centre)[bright], 22, atol=0.1)


def broken_scene(*gaps: tuple[float, float], seed: int = 0) -> tuple[pyicg.phantom.RimScene, RimShape]:
    shape = RimShape(
        radius_px=24.0, thickness_px=11.0, centre_px=(70.3, 69.6), harmonics={2: (0.05, 0.6)}, gaps_deg=gaps
    )
    return rim_scene((140, 140), [shape], sbr=4.0, snr=40.0, psf_sigma_px=1.2, seed=seed), shape


@pytest.mark.parametrize(
    "gaps",
    [
        ((30.0, 75.0),),
        ((340.0, 400.0),),
        ((100.0, 220.0),),
        ((20.0, 60.0), (200.0, 250.0)),
        ((300.0, 480.0),),  # half open
    ],
    ids=["one", "through the x axis", "a third", "two", "half"],
)
def test_broken_rims(gaps: tuple[tuple[float, float], ...]) -> None:
    scene, shape = broken_scene(*gaps)
    lesion = the_lesion(scene.image)
    assert lesion.pattern == "partial"
    assert lesion.confidence > 0.5
    assert lesion.completeness == pytest.approx(shape.completeness, abs=0.03)
    np.testing.assert_allclose(lesion.gaps_deg, sorted(gaps), atol=6)
    y, x = (lesion.inner_contour - shape.centre_px).T
    angle = np.arctan2(y, x)
    off = np.hypot(y, x) - shape.inner_radius_px(angle)
    # 8 degrees are 3 px along the contour.
    near_gap = np.any([shape.in_gap(angle + math.radians(d)) for d in (-8, -4, 0, 4, 8)], axis=0)
    assert np.sqrt(np.mean(off[~near_gap] ** 2)) < 0.06
    assert np.abs(off[~near_gap]).max() < 0.15
    # In the gap nothing is seen: no thickness, and an uncertainty that says so.
    far_in_gap = np.all([shape.in_gap(angle + math.radians(d)) for d in (-8, 8)], axis=0)
    assert np.isnan(lesion.thickness_profile[far_in_gap]).all()
    assert np.isfinite(lesion.thickness_profile[~near_gap]).all()
    assert lesion.inner_sigma[far_in_gap].mean() > 2 * lesion.inner_sigma[~near_gap].mean()
    assert lesion.thickness.value == pytest.approx(11, abs=0.1)


def test_the_rim_mask_leaves_gaps_out() -> None:
    scene, shape = broken_scene((100.0, 220.0))
    rim = segment(scene.image)
    truth = scene.truth.rim_mask
    assert 2 * (rim.rim_mask & truth).sum() / (rim.rim_mask.sum() + truth.sum()) > 0.97
    y, x = np.indices(truth.shape) - np.reshape(shape.centre_px, (2, 1, 1))
    angle = np.degrees(np.arctan2(y, x)) % 360
    assert not rim.rim_mask[(angle > 110) & (angle < 210)].any()


def test_a_rim_that_is_nearly_all_missing_is_none() -> None:
    scene, _ = broken_scene((40.0, 320.0))
    rim = segment(scene.image)
    assert [lesion for lesion in rim.lesions if lesion.confidence > 0.5] == []


def test_a_rim_open_at_the_cut_has_a_gap() -> None:
    centre = (80.3, 79.6)
    image = arc(annulus((160, 160), centre, 22, 33), centre, 130.0) + noise((160, 160))
    lesion = the_lesion(image)
    assert lesion.pattern == "partial"
    assert lesion.completeness == pytest.approx(1 - 45 / 360, abs=0.03)
    np.testing.assert_allclose(lesion.gaps_deg, [(30, 75)], atol=6)
    angle = np.arange(len(lesion.inner_contour)) * 360 / len(lesion.inner_contour)
    bright = (angle < 20) | (angle > 85)
    np.testing.assert_allclose(radii(lesion.inner_contour, centre)[bright], 22, atol=0.1)


def test_contrast_and_size_of_a_lesion() -> None:
    image = annulus((160, 160), (80.3, 79.6), 25, 39, levels=(40.0, 400.0, 100.0)) + noise((160, 160), 4)
    lesion = the_lesion(image, background=KNOWN, pixel_size_mm=0.1)
    assert lesion.sbr.value == pytest.approx(4.0, rel=0.005)
    assert lesion.sbr_core.value == pytest.approx(10.0, rel=0.01)
    assert lesion.sbr_core.ci[0] < lesion.sbr_core.value < lesion.sbr_core.ci[1]
    assert lesion.core_depth == pytest.approx(0.9, abs=0.002)
    assert lesion.core_bright_share == 0.0
    assert len(lesion.outer_sigma) == len(lesion.inner_sigma) == len(lesion.outer_contour)
    # The outer edge is the lower step, 300 against 360; its circle is larger, so that more of it is averaged.
    assert 0.9 < lesion.outer_sigma.mean() / lesion.inner_sigma.mean() < 1.6
    assert lesion.thickness_min_px == np.nanmin(lesion.thickness_profile)
    assert lesion.thickness_max_px == np.nanmax(lesion.thickness_profile)
    assert lesion.thickness_min_px == pytest.approx(14, abs=0.05)
    assert lesion.thickness_max_px == pytest.approx(14, abs=0.05)
    assert lesion.equivalent_diameter_px == pytest.approx(50, abs=0.03)
    diameter, area = lesion.equivalent_diameter_mm, lesion.area_mm2
    assert diameter.value == pytest.approx(0.1 * lesion.equivalent_diameter_px, rel=1e-12)
    assert diameter.sigma / diameter.value == pytest.approx(0.5 * area.sigma / area.value, rel=1e-9)
    assert diameter.ci == pytest.approx([2 * math.sqrt(bound / math.pi) for bound in area.ci])
    plain = the_lesion(image, background=KNOWN)
    assert plain.equivalent_diameter_mm.reason == "no_pixel_size"
    assert math.isnan(plain.equivalent_diameter_mm.value)


def test_thickness_from_thin_to_thick() -> None:
    shape = RimShape(radius_px=26.0, thickness_px=12.0, centre_px=(80.2, 79.7), thickness_harmonics={1: (0.3, 1.0)})
    lesion = the_lesion(rim_scene((160, 160), [shape], sbr=4.0, snr=60.0, psf_sigma_px=1.0).image)
    assert lesion.thickness_min_px == pytest.approx(12 * 0.7, abs=0.15)
    assert lesion.thickness_max_px == pytest.approx(12 * 1.3, abs=0.15)
    assert lesion.thickness.value == pytest.approx(12, abs=0.05)
    thickest = 360 * int(np.nanargmax(lesion.thickness_profile)) / len(lesion.thickness_profile)
    assert thickest == pytest.approx(math.degrees(1.0), abs=15)


def test_patterns_after_ishizawa() -> None:
    dark, glowing = (
        annulus((160, 160), (80.3, 79.6), 25, 39, levels=(core, 400.0, 100.0)) + noise((160, 160), 2)
        for core in (40.0, 220.0)
    )
    in_part = dark + 180 * blurred_disc((160, 160), (80.3 + 6, 79.6), 12, 1.2)
    for image, pattern, share in ((dark, "rim", 0.0), (glowing, "total", 1.0), (in_part, "partial", (12 / 23) ** 2)):
        lesion = the_lesion(image, background=KNOWN)
        assert lesion.pattern == pattern
        assert lesion.completeness == 1.0
        assert lesion.core_bright_share == pytest.approx(share, abs=0.06)
        np.testing.assert_allclose(radii(lesion.inner_contour, (80.3, 79.6)), 25, atol=0.3)
    scene, _ = broken_scene((30.0, 90.0))
    assert the_lesion(scene.image).pattern == "partial"


@pytest.mark.parametrize("rule", ["hysteresis", "otsu", "multi_otsu"])
def test_threshold_rules_find_the_same_boundary(rule: str) -> None:
    centre = (80.3, 79.6)
    image = annulus((160, 160), centre, 25, 39) + noise((160, 160), 4)
    lesion = the_lesion(image, threshold=rule)
    np.testing.assert_allclose(radii(lesion.inner_contour, centre), 25, atol=0.05)
    np.testing.assert_allclose(radii(lesion.outer_contour, centre), 39, atol=0.05)


def test_threshold_rules_differ_where_bright_begins() -> None:
    # A disc at SBR 1.2 beside one at SBR 6: under the SBR cut, over none of the histogram's cuts between them.
    image = 100 + 20 * blurred_disc((160, 200), (80, 50), 20, 1.2) + 500 * blurred_disc((160, 200), (80, 140), 20, 1.2)
    image += noise(image.shape, 1)
    areas = {}
    for rule in ("hysteresis", "otsu", "multi_otsu"):
        rim = segment(image, threshold=rule)
        assert rim.lesions == ()
        assert [round(r.centroid[1]) for r in rim.rejected] == [140]
        areas[rule] = rim.rejected[0].area_px
    assert areas["hysteresis"] > areas["otsu"] > 0.95 * math.pi * 20**2


def test_an_unknown_threshold_rule_is_refused() -> None:
    with pytest.raises(InputError, match="threshold"):
        segment(np.full((20, 20), 5.0), threshold="yen")


def crescent(opens_to: int, sigma: float = 2.0) -> tuple[Image, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return a bent core in its rim, opening to +x or -x, and the truth: no place in it sees all of its edge."""
    y, x = np.indices((160, 160)) - 80
    core = (np.abs(np.hypot(y, x) - 35) < 9) & (np.abs(np.degrees(np.arctan2(y, -opens_to * x))) < 120)
    rim = binary_dilation(core, iterations=7) & ~core
    image = gaussian_filter(np.where(core, 40.0, np.where(rim, 400.0, 100.0)), 1.0) + noise((160, 160), sigma)
    return image, core, rim


@pytest.mark.parametrize("opens_to", [-1, 1])
def test_core_that_rays_cannot_see_is_told(opens_to: int) -> None:
    image, core, rim = crescent(opens_to)
    found = segment(image)
    (lesion,) = found.lesions
    assert lesion.reasons == ("low_confidence", "not_star_shaped")
    # A whole rim, and its contours are those of the grey level: no chord across the bay.
    assert (lesion.pattern, lesion.completeness, len(lesion.gaps_deg)) == ("rim", 1.0, 0)
    assert lesion.confidence < 0.5
    assert lesion.area_px == pytest.approx(core.sum(), rel=0.01)
    assert (found.core_mask != core).sum() < 0.01 * core.sum()
    assert 2 * (found.rim_mask & rim).sum() / (found.rim_mask.sum() + rim.sum()) > 0.97
    assert math.dist(lesion.centroid, np.argwhere(core).mean(axis=0)) < 0.1
    assert lesion.thickness.value == pytest.approx(6.6, abs=0.3)  # 7 along the axes, less between them
    assert (lesion.thickness_profile > 4).all()


def test_contours_of_odd_shapes_run_in_order() -> None:
    image, core, _ = crescent(1)
    lesion = the_lesion(image, pixel_size_mm=0.1)
    for contour in (lesion.inner_contour, lesion.outer_contour):
        steps = np.hypot(*np.diff(np.vstack([contour, contour[:1]]), axis=0).T)
        assert steps.max() < 2  # px: neighbours in the array are neighbours on the contour
        y, x = contour.T
        assert 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) > core.sum() - 50
    assert len(lesion.inner_sigma) == len(lesion.thickness_profile) == len(lesion.inner_contour)
    assert len(lesion.outer_sigma) == len(lesion.outer_contour)
    assert (lesion.inner_sigma > 0).all()
    assert lesion.area_mm2.value == pytest.approx(0.01 * lesion.area_px)
    assert lesion.sbr.value == pytest.approx(3.9, abs=0.15)


@pytest.mark.parametrize(("x", "clipped"), [(45.0, False), (31.0, True), (28.0, True), (22.0, True)])
def test_clipped_by_the_border(x: float, clipped: bool) -> None:
    lesion = the_lesion(annulus((140, 140), (70.0, x), 20, 32) + noise((140, 140), 2), psf_sigma_px=1.2)
    assert lesion.reasons == (("clipped_by_border",) if clipped else ())
    assert lesion.thickness.value == pytest.approx(12, abs=0.05)
    assert lesion.thickness.sigma < 0.05  # of what is in view
    assert np.isnan(lesion.thickness_profile).any() == clipped
    np.testing.assert_allclose(radii(lesion.inner_contour, (70.0, x)), 20, atol=0.03)


@pytest.mark.parametrize("x", [15.0, 10.0, 5.0])
def test_core_open_to_the_border_is_found_where_its_centre_is_in_view(x: float) -> None:
    lesion = the_lesion(annulus((140, 140), (70.0, x), 20, 32) + noise((140, 140), 2), psf_sigma_px=1.2)
    assert lesion.reasons == ("clipped_by_border",)
    assert lesion.completeness == 1.0  # of what is in view
    inside = lesion.inner_contour[:, 1] > 0
    np.testing.assert_allclose(radii(lesion.inner_contour, (70.0, x))[inside], 20, atol=0.06)
    assert np.isnan(lesion.thickness_profile[~inside]).all()


def test_core_with_its_centre_outside_is_not_made_up() -> None:
    assert segment(annulus((140, 140), (70.0, -5.0), 20, 32) + noise((140, 140), 2)).lesions == ()


@pytest.mark.parametrize("psf", [None, 1.2])
def test_shift_by_whole_pixels(psf: float | None) -> None:
    patch = annulus((120, 120), (60.3, 59.8), 20, 32) + noise((120, 120), 3)
    found = []
    for shift in ((0, 0), (7, 13), (31, 64), (80, 100)):
        frame = np.full((200, 220), 100.0)
        frame[shift[0] : shift[0] + 120, shift[1] : shift[1] + 120] = patch
        lesion = the_lesion(frame, background=KNOWN, psf_sigma_px=psf)
        found.append((lesion, shift))
    first = found[0][0]
    for lesion, shift in found[1:]:
        np.testing.assert_allclose(lesion.inner_contour - shift, first.inner_contour, atol=1e-9)
        np.testing.assert_allclose(lesion.outer_contour - shift, first.outer_contour, atol=1e-9)
        np.testing.assert_allclose(lesion.inner_sigma, first.inner_sigma, rtol=1e-9)
        np.testing.assert_allclose(lesion.outer_sigma, first.outer_sigma, rtol=1e-9)
        assert lesion.sbr == first.sbr


SHAPE = (110, 130)
TURNS: dict[str, tuple[Callable[[Image], Image], Callable[[Image], Image]]] = {
    "up-down": (np.flipud, lambda p: np.column_stack([SHAPE[0] - 1 - p[:, 0], p[:, 1]])),
    "left-right": (np.fliplr, lambda p: np.column_stack([p[:, 0], SHAPE[1] - 1 - p[:, 1]])),
    "quarter turn": (np.rot90, lambda p: np.column_stack([SHAPE[1] - 1 - p[:, 1], p[:, 0]])),
    "transposed": (np.transpose, lambda p: p[:, ::-1]),
}


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("psf", [None, 1.2])
def test_flips_and_turns(name: str, psf: float | None) -> None:
    turn, follow = TURNS[name]
    for seed in range(4):
        rng = np.random.default_rng(seed)
        centre = (55 + rng.uniform(-3, 3), 65 + rng.uniform(-3, 3))
        image = annulus(SHAPE, centre, rng.uniform(12, 22), rng.uniform(28, 38)) + noise(SHAPE, 3, seed)
        plain = the_lesion(image, psf_sigma_px=psf)
        turned = the_lesion(np.ascontiguousarray(turn(image)), psf_sigma_px=psf)
        for contour in ("inner_contour", "outer_contour"):
            expected, found = follow(getattr(plain, contour)), getattr(turned, contour)
            nearest = np.hypot(*(expected[:, None] - found[None]).transpose(2, 0, 1)).min(axis=1)
            assert len(expected) == len(found)
            assert nearest.max() < 1e-4  # measured: 7e-7
        assert turned.area_px == pytest.approx(plain.area_px, rel=1e-6)


@pytest.mark.parametrize("factor", [0.25, 2.0, 1024.0])
def test_powers_of_two_change_no_bit(factor: float) -> None:
    image = (annulus((120, 120), (60.3, 59.8), 20, 32) + noise((120, 120), 3)).astype(F32)
    plain, scaled = the_lesion(image, psf_sigma_px=1.2), the_lesion(image * F32(factor), psf_sigma_px=1.2)
    for name in ("inner_contour", "outer_contour", "inner_sigma", "thickness_profile"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(scaled, name))
    assert (plain.sbr, plain.confidence, plain.centroid) == (scaled.sbr, scaled.confidence, scaled.centroid)


def test_millimetres_need_a_pixel_size() -> None:
    image = annulus((120, 120), (60.3, 59.8), 20, 32) + noise((120, 120), 2)
    plain = the_lesion(image)
    for m in (plain.thickness_mm, plain.area_mm2):
        assert math.isnan(m.value)
        assert math.isnan(m.sigma)
        assert m.reason == "no_pixel_size"
    scaled = the_lesion(image, pixel_size_mm=0.2)
    assert scaled.thickness_mm == scaled.thickness.scaled(0.2)
    assert scaled.area_mm2.value == pytest.approx(scaled.area_px * 0.04, rel=1e-12)
    np.testing.assert_array_equal(scaled.inner_contour, plain.inner_contour)
    for size in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(UnitError, match="pixel_size_mm"):
            segment(image, pixel_size_mm=size)


def test_bad_pixels_have_no_weight_and_saturated_ones_bound() -> None:
    centre = (60.3, 59.8)
    image = annulus((120, 120), centre, 20, 32) + noise((120, 120), 2)
    bits = np.zeros(image.shape, np.uint8)
    bits[np.random.default_rng(3).random(image.shape) < 0.05] = 4
    (lesion,) = segment(np.where(bits > 0, np.nan, image), bits, psf_sigma_px=1.2).lesions
    assert radii(lesion.inner_contour, centre).mean() == pytest.approx(20, abs=0.05)
    (lesion,) = segment(image, np.where(image > 350, 1, 0).astype(np.uint8)).lesions
    assert lesion.sbr.reason == "saturated_lower_bound"
    assert lesion.sbr.ci[1] == math.inf


def test_uncalibrated_rims_say_so() -> None:
    cal = calibrated(annulus((120, 120), (60, 60), 20, 32) + noise((120, 120), 2))
    (lesion,) = pyicg.segment_rim(replace(cal, calibrated=False)).lesions
    assert lesion.sbr.reason == "uncalibrated"


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (30, 30)])
@pytest.mark.parametrize("fill", [5.0, 0.0, math.nan])
def test_nothing_to_see(shape: tuple[int, int], fill: float) -> None:
    bits = np.full(shape, 64 if math.isnan(fill) else 0, np.uint8)
    rim = segment(np.full(shape, fill), bits)
    assert rim.lesions == ()
    assert rim.labels.shape == rim.rim_mask.shape == rim.core_mask.shape == shape
    assert not rim.labels.any()


def test_noise_alone_has_no_rims() -> None:
    for seed in range(5):
        assert segment(100 + noise((200, 200), 10, seed)).lesions == ()


@pytest.mark.parametrize(
    "options",
    [
        {"sbr_cut": 1.0},
        {"sbr_cut": math.inf},
        {"smooth_px": 0.1},
        {"smooth_px": 101},
        {"psf_sigma_px": -1},
        {"min_area_px": 0},
    ],
)
def test_options_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        segment(np.ones((20, 20)), **options)


def test_strided_and_read_only_frames() -> None:
    cal = calibrated(annulus((100, 100), (50, 50), 16, 26) + noise((100, 100), 2))
    expected = pyicg.segment_rim(cal).lesions[0].inner_contour
    data = cal.data[::-1].copy()[::-1]
    data.flags.writeable = False
    strided = replace(cal, data=data, mask=np.repeat(cal.mask, 2, axis=0)[::2])
    np.testing.assert_array_equal(pyicg.segment_rim(strided).lesions[0].inner_contour, expected)
