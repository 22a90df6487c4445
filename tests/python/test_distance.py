"""Planes and millimetres against scipy, brute force, closed forms and simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyicg
from pyicg import Distance, InputError, Plane, RimSegmentation, UnitError
from pyicg.phantom import RimShape, rim_scene
from pyicg.results import RejectedRegion

from .oracles import Z95, annulus, calibrated

UP = Plane(point_mm=(0, 10, 0), normal=(0, 1, 0))


def test_signed_distance_of_points() -> None:
    points = np.array([[0.0, 7.0, 0.0], [1.0, 9.5, 2.0], [0.0, 8.0, 5.0]])
    dist = pyicg.distance_to_plane(points, UP)
    assert (dist.min_mm, dist.foot_mm, dist.sigma_mm, dist.warnings) == (0.5, (1.0, 9.5, 2.0), 0.0, ())
    assert dist.p05_mm == 0.5  # a third of the points lies there
    beyond = pyicg.distance_to_plane(points + np.array([0, 2, 0]), UP)
    assert beyond.min_mm == -1.5


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(-50, 50))
def test_distance_is_the_dot_product(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    points, normal = rng.normal(0, 10, (30, 3)), rng.normal(0, 1, 3)
    plane = Plane(point_mm=tuple(rng.normal(0, 10, 3)), normal=tuple(normal))
    expected = (plane.point_mm - points) @ (normal / np.linalg.norm(normal))
    dist = pyicg.distance_to_plane(points, plane)
    assert dist.min_mm == pytest.approx(expected.min(), abs=1e-9)
    np.testing.assert_array_equal(dist.foot_mm, points[expected.argmin()])
    moved = pyicg.distance_to_plane(points + shift * np.array(plane.normal), plane)
    assert moved.min_mm == pytest.approx(dist.min_mm - shift, abs=1e-9)


def test_plane_of_no_side_takes_the_tumours() -> None:
    plane = pyicg.fit_plane([(0, 10, 0), (0, 10, 9), (9, 10, 0), (9, 10, 9)])
    for y in (7.0, 13.0):
        points = np.array([[1.0, y, 1.0], [2.0, y, 2.0]])
        assert pyicg.distance_to_plane(points, plane).min_mm == pytest.approx(3.0)


def test_warnings_of_the_plane() -> None:
    points = np.array([[3.0, 7.5, 3.0], [4.0, 7.0, 4.0]])
    flat = [(0, 10, 0), (0, 10, 9), (9, 10, 0), (9, 10, 9)]
    assert pyicg.distance_to_plane(points, pyicg.fit_plane(flat)).warnings == ()
    three = pyicg.distance_to_plane(points, pyicg.fit_plane(flat[:3]))
    assert three.warnings == ("plane_unverified",)
    assert math.isfinite(three.sigma_mm)
    away = pyicg.distance_to_plane(points + np.array([0, 0, 40]), pyicg.fit_plane(flat))
    assert away.warnings == ("extrapolated",)
    bent = [(z, 10 + 1.0 * (-1) ** (z + x), x) for z in range(0, 10, 3) for x in range(0, 10, 3)]
    assert pyicg.distance_to_plane(points, pyicg.fit_plane(bent)).warnings == ("plane_not_flat",)


def test_sigma_grows_away_from_the_fitted_points() -> None:
    rng = np.random.default_rng(2)
    plane = pyicg.fit_plane(np.column_stack([rng.uniform(-5, 5, 30), rng.normal(10, 0.1, 30), rng.uniform(-5, 5, 30)]))
    near, far = (pyicg.distance_to_plane(np.array([[0.0, 8.0, x]]), plane).sigma_mm for x in (0.0, 20.0))
    assert near == pytest.approx(0.1 / math.sqrt(30), rel=0.3)
    assert far > 4 * near


def test_units_are_needed_or_refused() -> None:
    points = np.zeros((3, 3))
    with pytest.raises(UnitError, match="millimetres already"):
        pyicg.distance_to_plane(points, UP, spacing_mm=(1, 1, 1))
    rim = pyicg.segment_rim(calibrated(np.full((20, 20), 5.0)))
    with pytest.raises(UnitError, match="pass spacing_mm"):
        pyicg.distance_to_plane([rim], UP)
    for spacing in ((1.0, 1.0), (1.0, 0.0, 1.0), (None, 0.1, 0.1), (1.0, -0.1, 0.1), (math.inf, 1.0, 1.0)):
        with pytest.raises(UnitError, match="positive lengths"):
            pyicg.distance_to_plane([rim], UP, spacing_mm=spacing)  # type: ignore[arg-type]
    for surface in (np.zeros((3, 2)), np.zeros((3, 3), np.float32), np.full((3, 3), np.nan)):
        with pytest.raises(InputError, match="points must be"):
            pyicg.distance_to_plane(surface, UP)
    with pytest.raises(InputError, match="RimSegmentation"):
        pyicg.distance_to_plane([[1.0, 2.0, 3.0]], UP, spacing_mm=(1, 1, 1))  # type: ignore[list-item]
    for wrong in (None, 5, rim, "rims"):
        with pytest.raises(InputError, match="expected an"):
            pyicg.distance_to_plane(wrong, UP, spacing_mm=(1, 1, 1))  # type: ignore[arg-type]
    for plane in (None, "plane", (0, 0, 1)):
        with pytest.raises(InputError, match="expected a pyicg"):
            pyicg.distance_to_plane([rim], plane, spacing_mm=(1, 1, 1))  # type: ignore[arg-type]
    for sigma in (None, "none", (0.0, -1.0, 0.0), (0.1,)):
        with pytest.raises(UnitError, match="spacing_sigma_mm"):
            pyicg.distance_to_plane([rim], UP, spacing_mm=(1, 1, 1), spacing_sigma_mm=sigma)  # type: ignore[arg-type]
    with pytest.raises(UnitError, match="positive lengths"):
        pyicg.distance_to_plane([rim], UP, spacing_mm=("a", "b", "c"))  # type: ignore[arg-type]
    with pytest.raises(UnitError, match="points have no spacing"):
        pyicg.distance_to_plane(points, UP, spacing_sigma_mm=(0.0, 0.01, 0.01))
    with pytest.raises(InputError, match="must be numbers"):
        pyicg.fit_plane([("a", "b", "c")] * 4)


def is_no_lesion(dist: Distance) -> bool:
    undefined = (dist.min_mm, dist.sigma_mm, *dist.ci_mm, dist.p05_mm, *dist.foot_mm)
    return all(math.isnan(value) for value in undefined) and dist.warnings == ("no_lesion",)


def test_no_lesion_no_distance() -> None:
    rim = pyicg.segment_rim(calibrated(np.full((20, 20), 5.0)))
    assert is_no_lesion(pyicg.distance_to_plane([rim, rim], UP, spacing_mm=(1, 0.1, 0.1)))
    assert is_no_lesion(pyicg.distance_to_plane(np.empty((0, 3)), UP))


def slices(section: pyicg.phantom.SectionPhantom) -> list[RimSegmentation]:
    cals = [pyicg.calibrate(frame, section.profile) for frame in section.stack]
    return [pyicg.segment_rim(cal, psf_sigma_px=section.truth.psf_sigma_px, pixel_size_mm=0.1) for cal in cals]


@pytest.mark.parametrize("margin_mm", [0.4, 1.5, 6.0])
def test_distance_of_a_simulated_specimen(margin_mm: float) -> None:
    section = pyicg.phantom.section_stack(margins_mm=(margin_mm,), shape=None, n_slices=5, seed=3)
    dist = pyicg.distance_to_plane(slices(section), section.plane, spacing_mm=section.stack.spacing_mm)
    assert dist.min_mm == pytest.approx(margin_mm, abs=0.1)
    assert dist.ci_mm == pytest.approx((dist.min_mm - Z95 * dist.sigma_mm, dist.min_mm + Z95 * dist.sigma_mm))
    assert dist.ci_mm[0] < margin_mm < dist.ci_mm[1]
    lesion = section.truth.lesions[0]
    assert dist.foot_mm[0] == lesion.centre_mm[0]
    assert dist.foot_mm[2] == pytest.approx(lesion.centre_mm[2], abs=0.5)
    assert dist.p05_mm > dist.min_mm
    assert dist.warnings == ()


@pytest.mark.parametrize(("count", "step", "thick"), [(1, 1.0, True), (3, 1.0, False), (3, 2.0, False), (3, 2.5, True)])
def test_thick_or_single_slices_are_told(count: int, step: float, thick: bool) -> None:
    rim = pyicg.segment_rim(calibrated(annulus((100, 100), (50, 50), 15, 25)), psf_sigma_px=1.2)
    dist = pyicg.distance_to_plane([rim] * count, UP, spacing_mm=(step, 0.1, 0.1))
    assert dist.min_mm == pytest.approx(10 - 6.5, abs=0.005)
    assert dist.warnings == (("slice_too_thick",) if thick else ())


def test_distance_follows_the_spacing() -> None:
    rim = pyicg.segment_rim(calibrated(annulus((100, 100), (50, 50), 15, 25)), psf_sigma_px=1.2)
    plane = Plane(point_mm=(0, 0, 20), normal=(0, 0, 1))
    for step in (0.05, 0.1, 0.2):
        dist = pyicg.distance_to_plane([rim] * 4, plane, spacing_mm=(1.0, 0.3, step))  # a cylinder
        assert dist.min_mm == pytest.approx(20 - 65 * step, abs=0.02 * step)


MAY_BE_OPEN = "no_enclosed_core"
OPEN_DOWN = RimShape(radius_px=24.0, thickness_px=11.0, centre_px=(60.2, 69.7), gaps_deg=((60.0, 120.0),))


def beyond(y_mm: float, towards: int = 1) -> Plane:
    return Plane(point_mm=(0, y_mm, 0), normal=(0, towards, 0))


def test_a_gap_that_faces_the_plane_may_be_a_cut() -> None:
    rims = [pyicg.segment_rim(calibrated(rim_scene((140, 140), [OPEN_DOWN], seed=k).image)) for k in range(3)]
    top, bottom = 6.02 - 2.4, 6.02 + 2.4
    near, far, closed = (
        pyicg.distance_to_plane(rims, plane, spacing_mm=(1, 0.1, 0.1))
        for plane in (beyond(bottom + 0.5), beyond(bottom + 3), beyond(top - 0.5, -1))
    )
    assert MAY_BE_OPEN in near.warnings
    assert pyicg.margin.from_distance(near).label == "R1"
    assert MAY_BE_OPEN not in far.warnings
    assert MAY_BE_OPEN not in closed.warnings  # here the rim is whole
    assert closed.min_mm == pytest.approx(0.5, abs=0.05)


def test_a_gap_just_beyond_the_threshold_is_no_r0() -> None:
    (lesion,) = pyicg.segment_rim(calibrated(rim_scene((140, 140), [OPEN_DOWN], seed=1).image)).lesions
    lowest = lesion.inner_contour[:, 0].max() * 0.1
    rim = pyicg.segment_rim(calibrated(np.full((140, 140), 5.0)))
    angle = np.arange(len(lesion.inner_sigma)) * 360 / len(lesion.inner_sigma)
    # In the gap the contour is a guess, good to 2 px; its lowest place lies 1.3 mm from the plane, 1 mm at two sigma.
    guess = replace(lesion, inner_sigma=np.where((angle > 65) & (angle < 115), 2.0, 0.02))
    whole = replace(guess, gaps_deg=np.empty((0, 2)))
    odd = replace(guess, gaps_deg=np.empty((0, 2)), reasons=("not_star_shaped",), edge_sigma_px=math.nan)
    for found, may_be_open in ((guess, True), (whole, False), (odd, True), (replace(odd, completeness=1.0), False)):
        rims = [replace(rim, lesions=(found,))] * 3
        dist = pyicg.distance_to_plane(rims, beyond(lowest + 1.3), spacing_mm=(1, 0.1, 0.1))
        assert (MAY_BE_OPEN in dist.warnings) == may_be_open
        assert math.isfinite(dist.sigma_mm)
        if may_be_open:
            assert pyicg.margin.from_distance(dist).label != "R0"
        dist = pyicg.distance_to_plane(rims, beyond(lowest + 2.0), spacing_mm=(1, 0.1, 0.1))
        assert MAY_BE_OPEN not in dist.warnings


@pytest.mark.parametrize(
    ("reason", "may_be_open"),
    [
        ("no_enclosed_core", True),
        ("no_closed_boundary", True),
        ("elongated", True),
        ("drape_edge", True),
        ("saturated_blob", True),
        ("glare", True),
        ("below_min_area", False),
        ("hot_pixel", False),
    ],
)
def test_bright_regions_at_the_plane_may_be_cut_rims(reason: str, may_be_open: bool) -> None:
    rim = pyicg.segment_rim(calibrated(annulus((140, 140), (50, 50), 15, 25)), psf_sigma_px=1.2)
    region = RejectedRegion(reason, (100.0, 110.0), 300.0, (90, 100, 110, 120))
    rims = [rim, replace(rim, rejected=(region,)), rim]
    for gap_mm, near in ((0.9, True), (1.1, False)):
        dist = pyicg.distance_to_plane(rims, beyond(11 + gap_mm), spacing_mm=(1, 0.1, 0.1))
        assert (MAY_BE_OPEN in dist.warnings) == (may_be_open and near)
        assert pyicg.margin.from_distance(dist).label == ("indeterminate" if may_be_open and near else "R0")
