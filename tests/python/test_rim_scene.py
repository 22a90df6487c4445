"""Simulated rims are what they say they are: areas, gaps, blur, noise, and truth that fits the image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pyicg import InputError, UnitError
from pyicg.phantom import RimShape, rim_scene

from .oracles import blurred_disc

FRAME = (160, 170)
CENTRE = (80.2, 84.6)
SHAPES = {
    "circle": RimShape(25.0, 10.0, CENTRE),
    "ellipse": RimShape(28.0, 7.0, CENTRE, ellipticity=0.4, angle_deg=35.0),
    "lobed": RimShape(30.0, 9.0, CENTRE, harmonics={3: (0.2, 0.4)}, thickness_harmonics={2: (0.3, 1.0)}),
    "broken": RimShape(25.0, 10.0, CENTRE, harmonics={2: (0.05, 0.1)}, gaps_deg=((20.0, 75.0), (330.0, 362.0))),
}


def polygon_area(contour: npt.NDArray[np.float64]) -> float:
    y, x = contour.T
    return float(0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def glowing_area(shape: RimShape) -> float:
    """Integrate the ring over the angles that carry a rim."""
    angle = (np.arange(72_000) + 0.5) * 2 * math.pi / 72_000
    ring = shape.outer_radius_px(angle) ** 2 - shape.inner_radius_px(angle) ** 2
    return float(np.sum(ring * ~shape.in_gap(angle)) * math.pi / 72_000)


@pytest.mark.parametrize("name", SHAPES)
def test_pixel_sums_are_the_areas(name: str) -> None:
    shape = SHAPES[name]
    truth = rim_scene(FRAME, [shape], sbr=3.0, core_sbr=0.4, snr=math.inf, psf_sigma_px=0).truth
    core = polygon_area(truth.inner_contours[0])
    expected = 200.0 * glowing_area(shape) - 60.0 * core
    assert np.sum(truth.noiseless - 100.0) == pytest.approx(expected, rel=2e-4)
    only_core = rim_scene(FRAME, [shape], sbr=1.0001, core_sbr=0.0, snr=math.inf, psf_sigma_px=0).truth.noiseless
    assert np.sum(only_core < 99.999) >= truth.core_mask.sum()
    assert np.sum(100.0 - only_core) == pytest.approx(100.0 * core, rel=2e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_masks_have_the_areas_of_the_polygons(name: str) -> None:
    shape = SHAPES[name]
    truth = rim_scene(FRAME, [shape]).truth
    inner, outer = (polygon_area(contours[0]) for contours in (truth.inner_contours, truth.outer_contours))
    # Counting pixel centres inside a curve scatters by less than the square root of its length.
    assert truth.core_mask.sum() == pytest.approx(inner, abs=15)
    assert truth.rim_mask.sum() == pytest.approx(glowing_area(shape), abs=20)
    assert (truth.rim_mask | truth.gap_mask | truth.core_mask).sum() == pytest.approx(outer, abs=15)
    assert not (truth.rim_mask & truth.core_mask).any()
    assert not (truth.gap_mask & (truth.rim_mask | truth.core_mask)).any()
    np.testing.assert_array_equal(truth.labels, (truth.rim_mask | truth.core_mask).astype(np.int32))


def test_outlines_are_what_the_formula_says() -> None:
    truth = rim_scene(FRAME, [SHAPES["circle"], RimShape(10, 3, (20, 20))]).truth
    for contours, radius in ((truth.inner_contours, 25.0), (truth.outer_contours, 35.0)):
        assert contours[0].shape == (2048, 2)
        np.testing.assert_allclose(np.hypot(*(contours[0] - CENTRE).T), radius, rtol=1e-12)
    np.testing.assert_allclose(truth.inner_contours[0][512], (CENTRE[0] + 25, CENTRE[1]))  # from +x towards +y
    ellipse = SHAPES["ellipse"]
    angles = np.linspace(0, 2 * math.pi, 3601)
    radius = ellipse.inner_radius_px(angles)
    assert radius.min() / radius.max() == pytest.approx(0.6, rel=1e-5)
    assert math.degrees(angles[radius[:1800].argmax()]) == pytest.approx(35.0, abs=0.1)
    assert polygon_area(ellipse.contours()[0]) == pytest.approx(math.pi * 28.0**2, rel=1e-5)
    thickness = ellipse.outer_radius_px(angles) - radius
    np.testing.assert_allclose(thickness, 7.0)
    lobed = SHAPES["lobed"]
    assert lobed.inner_radius_px(0.4 / 3) == pytest.approx(36.0)
    assert lobed.outer_radius_px(0.5) - lobed.inner_radius_px(0.5) == pytest.approx(9.0 * 1.3)


def test_gaps_are_missing_at_their_angles_and_counted() -> None:
    shape = SHAPES["broken"]
    assert shape.completeness == pytest.approx(1 - 87 / 360)
    angle = np.radians(np.arange(36_000) / 100)
    assert shape.in_gap(angle).mean() == pytest.approx(87 / 360, abs=1e-4)
    assert shape.in_gap(np.radians([19.9, 20.1, 74.9, 75.1, 329, 331, 1.9, 2.1, -1])).tolist() == [
        *(False, True, True, False),
        *(False, True, True, False, True),
    ]
    truth = rim_scene(FRAME, [shape], core_sbr=0.5, snr=math.inf, psf_sigma_px=0).truth
    assert truth.completeness == (shape.completeness,)
    y, x = (p - c for p, c in zip(np.indices(FRAME), CENTRE, strict=True))
    deep = truth.gap_mask & (np.hypot(y, x) > 28) & (np.abs(np.degrees(np.arctan2(y, x)) - 47.5) < 20)
    assert deep.sum() > 50
    assert (truth.noiseless[deep] == 100.0).all()
    behind = truth.core_mask & (np.hypot(y, x) < 22)
    assert (truth.noiseless[behind] == 50.0).all()


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("name", SHAPES)
def test_blur_keeps_the_light(name: str, sigma: float) -> None:
    sharp, blurred = (
        rim_scene(FRAME, [SHAPES[name]], snr=math.inf, psf_sigma_px=s).truth.noiseless for s in (0.0, sigma)
    )
    assert np.sum(blurred - 100) == pytest.approx(np.sum(sharp - 100), rel=1e-4)
    assert blurred.max() <= sharp.max() + 1e-9


@pytest.mark.parametrize(("sigma", "atol"), [(0.7, 4e-3), (1.0, 3e-3), (2.0, 1.2e-3), (4.0, 3e-4)])
def test_blurred_disc_in_closed_form(sigma: float, atol: float) -> None:
    # A core on a liver as bright as its rim is a dark disc; the pixel's own square widens the blur.
    shape = RimShape(25.0, 100.0, CENTRE)
    found = rim_scene(FRAME, [shape], sbr=2.0, core_sbr=0.0, snr=math.inf, psf_sigma_px=sigma).truth.noiseless
    told = blurred_disc(FRAME, CENTRE, 125.0, math.hypot(sigma, math.sqrt(1 / 12)))
    told -= 2 * blurred_disc(FRAME, CENTRE, 25.0, math.hypot(sigma, math.sqrt(1 / 12)))
    np.testing.assert_allclose(found / 100 - 1, told, atol=atol)


def test_scattered_light_has_wide_tails_and_is_kept() -> None:
    frame, shape = (501, 501), RimShape(10.0, 5.0, (250.0, 250.0))
    plain, tailed = (
        rim_scene(frame, [shape], core_sbr=0.99, snr=math.inf, psf_tail=t).truth.noiseless - 100 for t in (0.0, 0.3)
    )
    assert tailed.sum() == pytest.approx(plain.sum(), rel=0.002)
    assert (tailed > -1e-3).all()
    y, x = np.indices(frame) - 250
    far = np.hypot(y, x) > 30
    assert plain[far].max() < 1e-6
    assert 0.05 < tailed[far].sum() / tailed.sum() < 0.3


def test_noise_is_rim_minus_core_over_snr() -> None:
    for sbr, core_sbr, snr in ((3.0, 0.4, 20.0), (1.5, 0.5, 5.0)):
        scene = rim_scene((400, 400), [RimShape(20, 8, (200, 200))], sbr=sbr, core_sbr=core_sbr, snr=snr, seed=3)
        rest = scene.image - scene.truth.noiseless
        assert scene.truth.noise_sigma == pytest.approx(100 * (sbr - core_sbr) / snr)
        assert rest.std() == pytest.approx(scene.truth.noise_sigma, rel=0.01)
        assert abs(rest.mean()) < 4 * scene.truth.noise_sigma / 400
        assert np.mean(rest[1:] * rest[:-1]) == pytest.approx(0, abs=0.015 * scene.truth.noise_sigma**2)
    quiet = rim_scene(FRAME, [SHAPES["circle"]], snr=math.inf)
    np.testing.assert_array_equal(quiet.image, quiet.truth.noiseless.astype(np.float32))


def test_levels_of_liver_rim_and_core() -> None:
    scene = rim_scene(FRAME, [RimShape(25, 12, CENTRE)], sbr=5.0, core_sbr=0.3, snr=math.inf, psf_sigma_px=1.0)
    y, x = (p - c for p, c in zip(np.indices(FRAME), CENTRE, strict=True))
    r = np.hypot(y, x)
    for ring, level in (((r > 30.5) & (r < 31.5), 500.0), (r < 18, 30.0), (r > 44, 100.0)):
        np.testing.assert_allclose(scene.image[ring], level, rtol=1e-4)
    assert (scene.image.dtype, scene.truth.noiseless.dtype, scene.truth.labels.dtype) == (np.float32, float, np.int32)


def test_seeds_reproduce() -> None:
    first, again, other = (rim_scene(FRAME, [SHAPES["broken"]], flecks=3, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.truth.flecks_px, again.truth.flecks_px)
    assert not np.array_equal(first.image, other.image)
    assert not np.array_equal(first.truth.flecks_px, other.truth.flecks_px)


def test_touching_rims_share_their_glow_and_cores_stay_dark() -> None:
    near = [RimShape(20.0, 10.0, (70, 60)), RimShape(18.0, 12.0, (70, 103))]
    truth = rim_scene((140, 170), near, sbr=3.0, core_sbr=0.5, snr=math.inf, psf_sigma_px=0).truth
    assert truth.noiseless.max() == 300.0  # no more where both glow
    assert (truth.noiseless[truth.core_mask].round(6) <= 300).all()
    deep = np.zeros((140, 170), bool)
    for shape in near:
        y, x = (p - c for p, c in zip(np.indices(deep.shape), shape.centre_px, strict=True))
        deep |= np.hypot(y, x) < shape.radius_px - 1  # the other's rim reaches into this core
    assert (truth.noiseless[deep] == 50.0).all()
    assert set(np.unique(truth.labels)) == {0, 1, 2}
    assert (truth.labels[70, 60], truth.labels[70, 103], truth.labels[70, 82]) == (1, 2, 1)


def test_a_frame_is_a_window_onto_the_scene() -> None:
    shape, cut = RimShape(25.0, 10.0, (80.0, 80.0)), RimShape(25.0, 10.0, (30.0, 10.0))
    for tail, rtol in ((0.0, 1e-12), (0.2, 2e-3)):
        whole = rim_scene((160, 160), [shape], snr=math.inf, psf_sigma_px=2.0, psf_tail=tail).truth
        part = rim_scene((110, 90), [cut], snr=math.inf, psf_sigma_px=2.0, psf_tail=tail).truth
        np.testing.assert_allclose(part.noiseless, whole.noiseless[50:, 70:], rtol=rtol)
    np.testing.assert_array_equal(part.core_mask, whole.core_mask[50:, 70:])
    assert part.inner_contours[0][:, 1].min() == pytest.approx(-15.0)


def test_flecks_are_small_bright_and_clear_of_the_rims() -> None:
    shapes = [SHAPES["broken"]]
    without, with_flecks = (
        rim_scene(FRAME, shapes, snr=math.inf, psf_sigma_px=0.8, flecks=n, seed=5).truth for n in (0, 6)
    )
    assert with_flecks.flecks_px.shape == (6, 3)
    extra = with_flecks.noiseless - without.noiseless
    assert np.abs(extra[with_flecks.labels > 0]).max() < 1e-9
    for y, x, radius in with_flecks.flecks_px:
        assert 1 <= radius <= 3
        assert extra[round(y), round(x)] > 50
    assert extra.sum() < 6 * 350 * math.pi * 9


BAD_SHAPES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"radius_px": 0.0}, UnitError, "radius_px"),
    ({"radius_px": math.inf}, UnitError, "radius_px"),
    ({"thickness_px": 0.0}, UnitError, "thickness_px"),
    ({"thickness_px": math.nan}, UnitError, "thickness_px"),
    ({"centre_px": (math.nan, 3.0)}, InputError, "centre_px"),
    ({"ellipticity": 1.0}, InputError, "ellipticity"),
    ({"ellipticity": -0.1}, InputError, "ellipticity"),
    ({"harmonics": {0: (0.1, 0.0)}}, InputError, "harmonics"),
    ({"harmonics": {2: (math.nan, 0.0)}}, InputError, "harmonics"),
    ({"harmonics": {3: (1.1, 0.0)}}, InputError, "no radius"),
    ({"thickness_harmonics": {2: (1.0, 0.0)}}, InputError, "no thickness"),
    ({"gaps_deg": ((-10.0, 20.0),)}, InputError, "gap"),
    ({"gaps_deg": ((360.0, 380.0),)}, InputError, "gap"),
    ({"gaps_deg": ((50.0, 50.0),)}, InputError, "gap"),
    ({"gaps_deg": ((10.0, 370.0),)}, InputError, "gap"),
    ({"gaps_deg": ((10.0, 50.0), (40.0, 60.0))}, InputError, "overlap"),
    ({"gaps_deg": ((10.0, 50.0), (300.0, 375.0))}, InputError, "overlap"),
]


@pytest.mark.parametrize(("changed", "error", "match"), BAD_SHAPES)
def test_shapes_out_of_range(changed: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        RimShape(**{"radius_px": 20.0, "thickness_px": 8.0, "centre_px": (50.0, 50.0)} | changed)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"sbr": 1.0}, InputError),
        ({"sbr": math.nan}, InputError),
        ({"core_sbr": -0.1}, InputError),
        ({"core_sbr": 3.0}, InputError),
        ({"snr": 0.0}, InputError),
        ({"snr": math.nan}, InputError),
        ({"psf_sigma_px": -1.0}, UnitError),
        ({"psf_sigma_px": math.inf}, UnitError),
        ({"psf_tail": 1.0}, InputError),
        ({"psf_tail": -0.1}, InputError),
        ({"flecks": -1}, InputError),
        ({"flecks": 500}, InputError),
    ],
)
def test_options_out_of_range(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(options))):
        rim_scene((60, 60), [RimShape(12, 5, (30, 30))], **options)


def test_frames_and_places_that_cannot_be() -> None:
    with pytest.raises(InputError, match="frame_shape"):
        rim_scene((0, 60), [])
    with pytest.raises(InputError, match="outside the frame"):
        rim_scene((60, 60), [RimShape(12, 5, (30, 90))])
    with pytest.raises(InputError, match="overlaps"):
        rim_scene((60, 60), [RimShape(12, 5, (30, 20)), RimShape(12, 5, (30, 40))])
    empty = rim_scene((60, 60), [])
    assert not empty.truth.labels.any()
    np.testing.assert_array_equal(empty.truth.noiseless, 100.0)
