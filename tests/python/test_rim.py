"""Rims of known shape: boundaries to hundredths of a pixel, and what is no rim stays none.

The truth is analytic: blurred discs by `oracles.blurred_disc`. Measured at noise 1 on a rim of 400, the point spread
told: inner radius within 0.006 px at a point spread of 0.8 and 1.2 px, 0.012 px at 2 px. With the lesion's own edge in
its place: within 0.025 px up to 1.2 px; at 2 px, on rims of 3 to 4 sigma, the edge is too steep and the inner boundary
0.13 to 0.21 px too far in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.path import Path as Polygon
from scipy.ndimage import binary_dilation, gaussian_filter

import pyicg
from pyicg import Background, InputError, Lesion, RimSegmentation, UnitError

from .oracles import F32, annulus, blurred_disc, calibrated, fieller_oracle, radii

Image = npt.NDArray[np.floating[Any]]
KNOWN = Background(100.0, 3.0, 0.02, 20_000, "mode")


def segment(image: Image, mask: npt.NDArray[np.uint8] | None = None, **options: Any) -> RimSegmentation:
    return pyicg.segment_rim(calibrated(image, mask), **options)


def the_lesion(image: Image, **options: Any) -> Lesion:
    (lesion,) = segment(image, **options).lesions
    return lesion


def noise(shape: tuple[int, ...], sigma: float = 1.0, seed: int = 0) -> Image:
    return np.random.default_rng(seed).normal(0, sigma, shape)


@pytest.mark.parametrize(("psf", "limit"), [(0.8, 0.01), (1.2, 0.01), (2.0, 0.02)])
@pytest.mark.parametrize(("inner", "outer"), [(10.0, 18.0), (15.0, 22.0), (25.0, 35.0), (40.0, 52.5)])
def test_radii_with_the_point_spread_told(psf: float, limit: float, inner: float, outer: float) -> None:
    for seed in range(2):
        centre = tuple(80 + np.random.default_rng(seed).uniform(-0.5, 0.5, 2))
        lesion = the_lesion(annulus((160, 160), centre, inner, outer, sigma=psf) + noise((160, 160)), psf_sigma_px=psf)
        found_inner, found_outer = radii(lesion.inner_contour, centre), radii(lesion.outer_contour, centre)
        assert found_inner.mean() == pytest.approx(inner, abs=limit)
        assert found_outer.mean() == pytest.approx(outer, abs=limit)
        assert np.abs(found_inner - inner).max() < 0.06
        assert lesion.thickness.value == pytest.approx(outer - inner, abs=2 * limit)
        corners = len(lesion.inner_contour)  # a polygon lies inside its circle
        polygon = corners / 2 * math.sin(2 * math.pi / corners) * inner**2
        assert lesion.area_px == pytest.approx(polygon, rel=2.5 * limit / inner)
        assert math.dist(lesion.centroid, centre) < 0.15
        assert (lesion.completeness, lesion.pattern, lesion.reasons) == (1.0, "rim", ())


@pytest.mark.parametrize(
    ("psf", "inner", "outer", "limit"),
    [
        (0.8, 10, 18, 0.04),
        (0.8, 40, 52.5, 0.02),
        (1.2, 10, 18, 0.03),
        (1.2, 15, 22, 0.03),
        (1.2, 40, 52.5, 0.02),
        (2.0, 40, 52.5, 0.02),
        (2.0, 25, 35, 0.06),
        (2.0, 10, 18, 0.16),
        (2.0, 15, 22, 0.24),
    ],
)
def test_radii_with_the_edge_standing_for_the_point_spread(
    psf: float, inner: float, outer: float, limit: float
) -> None:
    centre = (80.2, 79.6)
    lesion = the_lesion(annulus((160, 160), centre, inner, outer, sigma=psf) + noise((160, 160)))
    assert radii(lesion.inner_contour, centre).mean() == pytest.approx(inner, abs=limit)
    assert radii(lesion.outer_contour, centre).mean() == pytest.approx(outer, abs=limit)


@pytest.mark.parametrize("sigma", [5.0, 10.0, 20.0])
def test_vertex_sigma_is_the_scatter_of_the_vertices(sigma: float) -> None:
    centre = (80.3, 79.6)
    image = annulus((160, 160), centre, 40, 52)
    lesions = [the_lesion(image + noise((160, 160), sigma, seed), psf_sigma_px=1.2) for seed in range(4)]
    scatter = np.sqrt(np.mean([np.var(radii(lesion.inner_contour, centre)) for lesion in lesions]))
    told = np.mean([lesion.inner_sigma.mean() for lesion in lesions])
    assert told / scatter == pytest.approx(1.0, abs=0.12)


def test_edge_width_and_correlation() -> None:
    lesion = the_lesion(annulus((200, 200), (100, 100), 45, 80, sigma=2.0), smooth_px=1.5)
    assert lesion.edge_sigma_px == pytest.approx(math.sqrt(2.0**2 + 1.5**2), rel=0.05)
    assert lesion.correlation_px == pytest.approx(2 * math.sqrt(math.pi) * 1.5)


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
    shape = (200, 260)
    image = annulus(shape, (70, 70), 20, 32)
    discs = [
        ((60, 180), 25, "no_enclosed_core"),
        ((150, 120), 3, "below_min_area"),
        ((150, 200), 30, "no_enclosed_core"),
    ]
    for centre, radius, _ in discs:
        image += 300 * blurred_disc(shape, centre, radius, 1.2)
    rim = segment(image + noise(shape, 2))
    assert [lesion.label for lesion in rim.lesions] == [1]
    found = {(round(r.centroid[0]), round(r.centroid[1])): r for r in rim.rejected}
    assert {place: r.reason for place, r in found.items()} == {centre: reason for centre, _, reason in discs}
    for centre, radius, _ in discs:
        assert math.sqrt(found[centre].area_px / math.pi) == pytest.approx(
            radius, abs=2
        )  # the cut lies outside the half level


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


def test_a_rim_open_at_the_cut_is_no_rim() -> None:
    centre = (80.3, 79.6)
    image = arc(annulus((160, 160), centre, 22, 33), centre, 130.0) + noise((160, 160))
    rim = segment(image)
    assert rim.lesions == ()
    assert [r.reason for r in rim.rejected] == ["no_enclosed_core"]
    assert not rim.labels.any()


@pytest.mark.parametrize("apart", [66.0, 64.0, 62.0, 56.0, 52.0])
def test_neighbours_keep_their_own_inner_boundary(apart: float) -> None:
    places = ((70.0, 70.0), (70.0, 70.0 + apart))
    first, second = annulus((140, 220), places[0], 20, 32), annulus((140, 220), places[1], 20, 30)
    image = np.where(np.minimum(first, second) < 99, np.minimum(first, second), np.maximum(first, second))
    rim = segment(image + noise(image.shape, 2), psf_sigma_px=1.2)
    assert len(rim.lesions) == 2
    for lesion, centre in zip(rim.lesions, places, strict=True):
        np.testing.assert_allclose(radii(lesion.inner_contour, centre), 20, atol=0.25)
        assert lesion.reasons == ()
    assert not (rim.rim_mask & rim.core_mask).any()


def test_core_that_rays_cannot_see_is_told() -> None:
    y, x = np.indices((160, 160)) - 80
    core = (np.abs(np.hypot(y, x) - 35) < 9) & (np.abs(np.degrees(np.arctan2(y, x))) < 120)
    rim = binary_dilation(core, iterations=7)
    image = gaussian_filter(np.where(core, 40.0, np.where(rim, 400.0, 100.0)), 1.0) + noise((160, 160), 2)
    lesion = the_lesion(image)
    assert lesion.reasons == ("not_star_shaped",)
    assert lesion.pattern == "partial"
    assert ((lesion.gaps_deg >= 0) & (lesion.gaps_deg < 720)).all()
    gap = np.diff(lesion.gaps_deg, axis=1).sum()
    assert gap / 360 == pytest.approx(1 - lesion.completeness)


def test_gaps_start_between_0_and_360_degrees() -> None:
    y, x = np.indices((160, 160)) - 80
    core = (np.abs(np.hypot(y, x) - 35) < 9) & (np.abs(np.degrees(np.arctan2(y, -x))) < 120)  # opens to +x
    image = gaussian_filter(
        np.where(core, 40.0, np.where(binary_dilation(core, iterations=7), 400.0, 100.0)), 1.0
    ) + noise((160, 160), 2)
    gaps = the_lesion(image).gaps_deg
    assert len(gaps) == 1
    start, end = gaps[0]
    assert 270 < start < 360 < end < 450


@pytest.mark.parametrize(("x", "clipped"), [(45.0, False), (31.0, True), (28.0, True), (22.0, True)])
def test_clipped_by_the_border(x: float, clipped: bool) -> None:
    lesion = the_lesion(annulus((140, 140), (70.0, x), 20, 32) + noise((140, 140), 2), psf_sigma_px=1.2)
    assert lesion.reasons == (("clipped_by_border",) if clipped else ())
    assert lesion.thickness.value == pytest.approx(12, abs=0.02)
    assert np.isnan(lesion.thickness_profile).any() == clipped
    np.testing.assert_allclose(radii(lesion.inner_contour, (70.0, x)), 20, atol=0.15 if x > 25 else 0.6)


def test_core_open_to_the_border_is_no_rim() -> None:
    assert segment(annulus((140, 140), (70.0, 15.0), 20, 32) + noise((140, 140), 2)).lesions == ()


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
        np.testing.assert_allclose(lesion.inner_contour - shift, first.inner_contour, atol=1e-12)
        np.testing.assert_allclose(lesion.outer_contour - shift, first.outer_contour, atol=1e-12)
        np.testing.assert_allclose(lesion.inner_sigma, first.inner_sigma, rtol=1e-12)
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
