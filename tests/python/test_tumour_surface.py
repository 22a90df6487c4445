"""The surface between slices, and the uncertainty of its nearest point. Shapes of exact truth, no pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyicg
from pyicg import Distance, Lesion, Plane
from pyicg.tumour_surface import surface_of_chain

from .sliced import PIXEL_MM, Reals, ball, lesion_of, slices


def spacing(step: float) -> tuple[float, float, float]:
    return (step, PIXEL_MM, PIXEL_MM)


def to_plane(step: float, count: int, cut: object, plane: Plane) -> Distance:
    return pyicg.distance_to_plane(slices(step, count, cut), plane, spacing_mm=spacing(step))  # type: ignore[arg-type]


def ellipsoid_lesion(z: float, centre: Reals, matrix: Reals) -> list[Lesion]:
    """Return the section at z of (p - c) . M (p - c) = 1; none under a mean radius of 1.2 mm."""
    s = z - centre[0]
    flat, lean = matrix[1:, 1:], matrix[1:, 0] * s
    middle = -np.linalg.solve(flat, lean)
    left = 1 - matrix[0, 0] * s**2 + lean @ np.linalg.solve(flat, lean)
    if left * math.pi / math.sqrt(np.linalg.det(flat)) < math.pi * 1.2**2:
        return []

    def radius(angle: Reals) -> Reals:
        ray = np.column_stack([np.sin(angle), np.cos(angle)])
        return np.asarray(np.sqrt(left / np.einsum("ni,ij,nj->n", ray, flat, ray)))

    y, x = centre[1:] + middle
    return [lesion_of((float(y), float(x)), radius)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.5, 1.0, 2.0]))
def test_ellipsoids_are_exact(seed: int, step: float) -> None:
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    spread = turn @ np.diag(rng.uniform(4, 6, 3) ** 2) @ turn.T
    centre = np.array([10, 12, 12]) + rng.uniform(-0.5, 0.5, 3)
    tilt, azimuth = rng.uniform(-1, 1), rng.uniform(0, 2 * math.pi)
    normal = np.array([math.sin(tilt), math.cos(tilt) * math.sin(azimuth), math.cos(tilt) * math.cos(azimuth)])
    furthest = centre + spread @ normal / math.sqrt(normal @ spread @ normal)
    plane = Plane(point_mm=tuple(furthest + 0.7 * normal), normal=tuple(normal))
    matrix = np.linalg.inv(spread)
    dist = to_plane(step, int(20 / step) + 1, lambda z: ellipsoid_lesion(z, centre, matrix), plane)
    assert dist.min_mm == pytest.approx(0.7, abs=0.012)
    assert np.linalg.norm(np.array(dist.foot_mm) - furthest) < 0.8
    low, high = dist.ci_mm
    assert low - 0.01 < 0.7 < high + 0.01


@pytest.mark.parametrize("step", [0.5, 1.0, 2.0])
def test_the_cap_beyond_the_last_slice(step: float) -> None:
    # A plane along the slices sees what no slice shows.
    plane = Plane(point_mm=(18, 0, 0), normal=(1, 0, 0))
    dist = to_plane(step, int(22 / step), lambda z: ball(z, (10.3, 10, 10), 5), plane)
    assert dist.min_mm == pytest.approx(18 - 15.3, abs=0.01)
    assert dist.foot_mm == pytest.approx((15.3, 10, 10), abs=0.05)


def test_the_cap_ends_where_no_slice_shows_it() -> None:
    # A cylinder: r^2 does not fall, yet the tumour ends half a slice behind the first one without it at the latest.
    plane = Plane(point_mm=(30, 0, 0), normal=(1, 0, 0))
    column = lesion_of((10, 10), lambda angle: np.full(len(angle), 2.5))
    dist = to_plane(1.0, 20, lambda z: [column] if 5 <= z <= 9 else [], plane)
    assert 30 - dist.min_mm == pytest.approx(10.5, abs=0.02)
    assert dist.budget is not None
    assert dist.budget.gap > 0.2


def test_one_slice_ends_half_way() -> None:
    column = lesion_of((10, 10), lambda angle: np.full(len(angle), 4.0))
    plane = Plane(point_mm=(30, 0, 0), normal=(1, 0, 0))
    dist = to_plane(2.0, 9, lambda z: [column] if z == 6 else [], plane)
    assert 30 - dist.min_mm == pytest.approx(7.0, abs=1e-9)
    assert dist.budget is not None
    assert dist.budget.gap == pytest.approx(2 / math.sqrt(12), rel=0.005)
    assert dist.warnings == ("slice_too_thick",)


@pytest.mark.parametrize(("step", "z", "radius"), [(5.0, 6.9, 3.0), (3.0, 7.3, 2.0), (5.0, 12.2, 3.2)])
def test_one_slice_does_not_know_the_widest_section(step: float, z: float, radius: float) -> None:
    plane = Plane(point_mm=(0, 10.5 + radius, 0), normal=(0, 1, 0))
    dist = to_plane(step, 6, lambda at: ball(at, (z, 10, 10), radius), plane)
    assert dist.ci_mm[0] < 0.5 < dist.ci_mm[1]
    assert pyicg.margin.from_distance(dist).label == "indeterminate"


def test_two_slices_are_taken_for_a_ball() -> None:
    plane = Plane(point_mm=(0, 20, 0), normal=(0, 1, 0))
    dist = to_plane(3.0, 6, lambda z: ball(z, (7.5, 10, 10), 3.5) if z in (6, 9) else [], plane)
    assert dist.min_mm == pytest.approx(6.5, abs=0.01)
    assert dist.budget is not None
    assert dist.budget.gap == pytest.approx(0.4 * 1.5**2 / 7, rel=0.02)


@pytest.mark.parametrize("sigma_px", [0.0, 0.1, 0.3])
def test_the_minimum_of_noisy_vertices_knows_its_bias(sigma_px: float) -> None:
    rng = np.random.default_rng(5)
    plane = Plane(point_mm=(5, 20, 0), normal=(0, 1, 0))
    count = len(ball(5.0, (5, 10, 10), 4)[0].inner_contour)
    width = 10 / (2 * math.sqrt(math.pi)) / (4 / PIXEL_MM)  # radians, for a correlation of 10 px
    waves = np.exp(-0.5 * (width * np.arange(count // 2 + 1)) ** 2)

    def noisy(z: float) -> list[Lesion]:
        square = 16 - (z - 5) ** 2
        if square < 1.44:
            return []
        alike = np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) * waves, count)
        alike *= sigma_px * PIXEL_MM / max(np.std(alike), 1e-9)
        return [lesion_of((10, 10), lambda _: math.sqrt(square) + alike, max(sigma_px, 1e-6))]

    found = []
    for _ in range(40):
        rims = slices(0.5, 21, noisy)
        for rim in rims:
            for lesion in rim.lesions:
                object.__setattr__(lesion, "correlation_px", 10.0)
        found.append(pyicg.distance_to_plane(rims, plane, spacing_mm=spacing(0.5)))
    errors = np.array([dist.min_mm - 6.0 for dist in found])
    uncorrected = errors + [dist.bias_mm for dist in found]
    covered = np.mean([dist.ci_mm[0] < 6.0 < dist.ci_mm[1] for dist in found])
    assert covered >= (0.8 if sigma_px == 0.3 else 0.9)
    if sigma_px == 0.3:  # 0.06 mm of noise
        assert uncorrected.mean() < -0.03
    assert abs(errors.mean()) < max(0.5 * abs(uncorrected.mean()), 3 * errors.std() / math.sqrt(40) + 0.002)


def test_the_parts_of_the_uncertainty_join() -> None:
    plane = Plane(point_mm=(5, 20, 0), normal=(0, 1, 0))
    rims = slices(1.0, 12, lambda z: ball(z, (5, 10, 10), 4))
    dist = pyicg.distance_to_plane(rims, plane, spacing_mm=spacing(1.0), spacing_sigma_mm=(0.0, 0.002, 0.002))
    assert dist.budget is not None
    assert dist.budget.spacing == pytest.approx(6.0 * 0.01, rel=1e-3)  # 1 % of the distance
    parts = dist.budget
    assert dist.sigma_mm == pytest.approx(
        math.sqrt(parts.boundary**2 + parts.level**2 + parts.plane**2 + parts.spacing**2 + parts.gap**2)
    )
    # 5 % of the step over the slope of a blurred edge, evenly distributed; and noise that the contour does not show.
    edge = rims[5].lesions[0].edge_sigma_px * PIXEL_MM
    step = 0.05 * math.sqrt(2 * math.pi / 3) * edge
    assert parts.level == pytest.approx(math.hypot(step, 0.02 * PIXEL_MM), rel=0.02)


@pytest.mark.parametrize("sigma_px", [0.3, 2.0])
def test_noise_that_the_contour_does_not_show_pulls_nothing_down(sigma_px: float) -> None:
    # As in a gap, or where an estimated blur moves the whole contour: no bias to give back, yet a wide interval.
    plane = Plane(point_mm=(5, 20, 0), normal=(0, 1, 0))
    dist = to_plane(0.5, 24, lambda z: ball(z, (5, 10, 10), 4, sigma_px), plane)
    assert dist.min_mm == pytest.approx(6.0, abs=0.003)
    assert dist.bias_mm == pytest.approx(0.0, abs=1e-6)
    assert dist.sigma_mm > 0.9 * sigma_px * PIXEL_MM * 0.7


def test_few_points_of_a_plane_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.uniform(2, 8, 6), 20 + rng.normal(0, 0.1, 6), rng.uniform(6, 14, 6)])
    rims = slices(1.0, 12, lambda z: ball(z, (5, 10, 10), 4))
    dist = pyicg.distance_to_plane(rims, pyicg.fit_plane(points), spacing_mm=spacing(1.0))
    assert dist.freedom < 10
    assert (dist.ci_mm[1] - dist.ci_mm[0]) / dist.sigma_mm > 2 * 2.2
    assert dist.p_below(dist.ci_mm[1]) == pytest.approx(0.975, abs=1e-9)


def test_the_map_covers_the_surface() -> None:
    plane = Plane(point_mm=(5, 20, 0), normal=(0, 1, 0))
    dist = to_plane(0.5, 24, lambda z: ball(z, (5, 10, 10), 4), plane)
    seen = dist.map
    assert seen is not None
    assert seen.area_mm2.sum() == pytest.approx(4 * math.pi * 16, rel=0.01)
    assert np.linalg.norm(seen.points_mm - (5, 10, 10), axis=1) == pytest.approx(4.0, abs=0.01)
    # On a ball every height holds the same share of the area.
    for share in (0.05, 0.5, 0.9):
        assert seen.quantile(share) == pytest.approx(6 + 8 * share, abs=0.05)
    assert dist.p05_mm == seen.quantile(0.05)


@settings(max_examples=10, deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3), st.sampled_from([0.25, 4.0]))
def test_the_surface_follows_shifts_and_scales(y: float, x: float, scale: float) -> None:
    def chain(dy: float, dx: float) -> list[tuple[int, Lesion]]:
        return [(k, one) for k in range(12) for one in ball(k, (5, 10 + dy, 10 + dx), 4)]

    def points(dy: float, dx: float, by: float) -> Reals:
        members = chain(dy, dx)
        sigma = [lesion.inner_sigma for _, lesion in members]
        return surface_of_chain(members, (by, by * PIXEL_MM, by * PIXEL_MM), sigma_px=sigma, level_px=sigma).points()

    here = points(0, 0, 1.0)
    np.testing.assert_allclose(points(y, x, 1.0) - (0, y, x), here, atol=1e-9)
    np.testing.assert_allclose(points(0, 0, scale) / scale, here, atol=1e-9)
