"""Planes against eigenvectors, closed forms and simulation."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

import pyicg
from pyicg import InputError, Plane

from .planes import off
from .scripts import load

Floats = npt.NDArray[np.float64]
NORMAL = np.array([0.2, 0.9, 0.3]) / np.linalg.norm([0.2, 0.9, 0.3])
SPACING = (3.0, 0.1, 0.2)


def tilted_points(rng: np.random.Generator, n: int, sigma: float) -> Floats:
    _, _, axes = np.linalg.svd(NORMAL[None])
    uv = np.random.default_rng(0).uniform((-12, -6), (12, 6), (n, 2))  # the same places every time
    return np.array([3.0, 20.0, 15.0]) + uv @ axes[1:] + rng.normal(0, sigma, (n, 1)) * NORMAL


def with_outliers(rng: np.random.Generator, n: int, wrong: int, sigma: float = 0.1) -> Floats:
    points = tilted_points(rng, n, sigma)
    points[:wrong] += rng.uniform(1.5, 6, (wrong, 1)) * NORMAL  # on one side, as blood or a drape
    return points


# ---- a plane that is given


def test_plane_sides() -> None:
    plane = Plane(point_mm=(0, 10, 0), normal=(0, -3, 0))
    assert plane.normal == (0, -1, 0)
    assert plane.facing((0, 4, 0)).normal == (0, 1, 0)
    assert plane.facing((0, 14, 0)).normal == (0, -1, 0)
    assert plane.flipped().normal == (0, 1, 0)
    with pytest.raises(InputError, match="lies in the plane"):
        plane.facing((3, 10, 5))
    for normal in ((0, 0, 0), (0, 1), (0, math.nan, 1)):
        with pytest.raises(InputError, match="normal"):
            Plane(point_mm=(0, 0, 0), normal=normal)  # type: ignore[arg-type]


def test_a_given_plane_has_no_error_and_no_end() -> None:
    plane = Plane(point_mm=(0, 10, 0), normal=(0, 1, 0))
    far = [(0, 0, 0), (1e6, 3, -1e6)]
    assert (plane.n_points, plane.n_outliers, plane.freedom) == (0, 0, math.inf)
    assert plane.variance_mm2(far).tolist() == [0.0, 0.0]
    assert plane.outside_patch(far).tolist() == [False, False]
    for wrong in ((0, 0, 0), [(0, 0)]):
        with pytest.raises(InputError, match=r"\(N, 3\)"):
            plane.variance_mm2(wrong)


# ---- fit: exact cases


def total_least_squares(points: Floats) -> tuple[Floats, Floats, Floats]:
    """Centre, eigenvalues and eigenvectors of the scatter matrix, smallest first."""
    centred = points - points.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return points.mean(axis=0), values, vectors


def test_fit_is_the_smallest_eigenvector() -> None:
    points = tilted_points(np.random.default_rng(3), 40, 0.2)
    plane = pyicg.fit_plane(points.tolist())
    centre, values, vectors = total_least_squares(points)
    np.testing.assert_allclose(plane.point_mm, centre, rtol=1e-12)
    assert abs(np.dot(plane.normal, vectors[:, 0])) == pytest.approx(1.0, abs=1e-12)
    assert plane.rms_mm == pytest.approx(math.sqrt(values[0] / 40), rel=1e-9)
    variance = values[0] / 37
    expected = [variance / 40, variance / values[2], variance / values[1]]
    np.testing.assert_allclose(plane.covariance, np.diag(expected), rtol=1e-9)
    along = np.abs((points - centre) @ plane.axes.T).max(axis=0)
    np.testing.assert_allclose(plane.half_extent_mm, along, rtol=1e-12)
    assert (plane.oriented, plane.n_points, plane.n_outliers, plane.freedom) == (False, 40, 0, 37)


@pytest.mark.parametrize("n", [4, 5, 6, 8, 12])
def test_small_sets_without_outliers_are_plain_least_squares(n: int) -> None:
    for seed in range(20):
        points = tilted_points(np.random.default_rng(seed), n, 0.0)
        points += np.random.default_rng(seed + 100).uniform(-0.05, 0.05, (n, 1)) * NORMAL
        plane = pyicg.fit_plane(points)
        centre, _, vectors = total_least_squares(points)
        assert plane.n_outliers == 0
        np.testing.assert_allclose(plane.point_mm, centre, atol=1e-9)
        np.testing.assert_allclose(np.abs(plane.normal), np.abs(vectors[:, 0]), atol=1e-9)


def test_three_points_are_exact_and_say_nothing_of_their_error() -> None:
    points = np.array([(0, 1, 2), (7, 3, -1), (2, 9, 4.0)])
    plane = pyicg.fit_plane(points)
    assert max(off(plane, point) for point in points) < 1e-12
    assert np.isnan(plane.covariance).all()
    assert np.isnan(plane.variance_mm2(points)).all()
    assert plane.freedom == 0
    assert plane.outside_patch([points.mean(axis=0), 2 * points[0] - points[1]]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(0, 0, 0), (1, 1, 1)], "three points"),
        ([(0, 0), (1, 1), (2, 0)], r"\(N, 3\)"),
        ([(0, 0, 0), (1, 1, 1), (2, 2, 2), (5, 5, 5)], "one line"),
        ([(1, 1, 1)] * 5, "one line"),
        ([(0, 0, 0), (1, 0, 0), (0, math.nan, 1)], "finite"),
        ([(6, 0, 0), (6, 0.1, 9), (6, 0, 20), (6, 0.1, 30)], r"one slice \(z = 6 mm\).*perpendicular"),
        ([(0, 0, x) for x in range(90000)] + [(3, 4, 5)], "nearly all of the 90001 points lie on one line"),
    ],
)
def test_no_plane_through_these(points: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pyicg.fit_plane(points)


def test_a_cloud_is_no_plane() -> None:
    cloud = np.random.default_rng(0).uniform(-5, 5, (200, 3))
    with pytest.raises(InputError, match="are no plane: they scatter by"):
        pyicg.fit_plane(cloud)


@pytest.mark.parametrize("n", [20, 100, 1000])
def test_most_points_being_outliers_is_no_plane(n: int) -> None:
    rng = np.random.default_rng(1)
    points = tilted_points(rng, n, 0.02)
    wrong = round(0.6 * n)
    points[:wrong] += rng.uniform(0.5, 8, (wrong, 1)) * NORMAL
    with pytest.raises(InputError, match=rf"only \d+ of {n} points agree|are no plane"):
        pyicg.fit_plane(points)


# ---- fit: outliers


@pytest.mark.parametrize(("n", "wrong"), [(8, 1), (12, 2), (20, 4), (25, 7), (200, 60), (3000, 1000)])
def test_outliers_on_one_side_are_left_out(n: int, wrong: int) -> None:
    rng = np.random.default_rng(7)
    points = with_outliers(rng, n, wrong, sigma=0.02)
    plane = pyicg.fit_plane(points)
    assert plane.n_points == n
    assert wrong <= plane.n_outliers <= wrong + 0.005 * n  # 0.3 % of good points are beyond three standard deviations
    assert off(plane, (3, 20, 15)) < 5 * 0.02 / math.sqrt(n - wrong)
    assert plane.rms_mm == pytest.approx(0.02, rel=2 / math.sqrt(n - wrong))
    assert plane.freedom == n - plane.n_outliers - 3
    with_all = total_least_squares(points)
    assert off(Plane(point_mm=tuple(with_all[0]), normal=tuple(with_all[2][:, 0])), (3, 20, 15)) > 0.1


def test_huber_weights_are_at_their_fixed_point() -> None:
    points = with_outliers(np.random.default_rng(2), 60, 12)
    plane = pyicg.fit_plane(points)
    distances = (points - plane.point_mm) @ plane.normal
    nearest = np.argsort(np.abs(distances))[: 60 - plane.n_outliers]
    r, p = distances[nearest], points[nearest]
    n = len(r)
    bound = 1.345 * 1.482602218505602 * np.median(np.abs(r)) * math.sqrt(n / (n - 3))
    psi = np.clip(r, -bound, bound)
    in_plane = (p - plane.point_mm) @ plane.axes.T
    np.testing.assert_allclose([psi.sum(), *(psi @ in_plane)], 0, atol=0.02 * bound)  # up to the turn of the normal
    assert abs(psi.sum()) < 1e-9
    slope = np.mean(np.abs(r) <= bound)
    variance = (1 + 3 / n * (1 - slope) / slope) ** 2 * (psi @ psi) / (n - 3) / slope**2
    expected = variance / n / np.array([1, *np.mean(in_plane**2, axis=0)])
    np.testing.assert_allclose(np.diag(plane.covariance), expected, rtol=1e-9)


def test_rounded_points_are_no_outliers() -> None:
    flat = [(float(z), 12.0, float(x)) for z in (0, 3, 6) for x in (0, 10, 20)]
    plane = pyicg.fit_plane([*flat, (9.0, 12.02, 20.0), (9.0, 12.0, 0.0)])
    assert plane.n_outliers == 0
    assert pyicg.fit_plane([*flat, (9.0, 13.0, 20.0), (9.0, 12.0, 0.0)]).n_outliers == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(5, 0), (9, 1), (30, 0), (30, 8)]))
def test_the_plane_moves_with_its_points(seed: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    points = with_outliers(rng, *size, sigma=0.05)
    plane = pyicg.fit_plane(points)

    mixed = pyicg.fit_plane(rng.permutation(points))
    assert (mixed.point_mm, mixed.normal) == (plane.point_mm, plane.normal)  # to the last bit
    assert mixed.covariance.tobytes() == pyicg.fit_plane(points).covariance.tobytes() == plane.covariance.tobytes()

    # A sample depends on the order of the coordinates; all points together do not, once the choice has settled.
    if size[0] > 23:
        return
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))  # flips too
    shift, factor = rng.normal(0, 50, 3), 10.0 ** rng.uniform(-2, 2)
    moved = pyicg.fit_plane(factor * (points @ turn.T) + shift)
    assert moved.n_outliers == plane.n_outliers
    np.testing.assert_allclose(moved.point_mm, factor * (turn @ plane.point_mm) + shift, rtol=1e-9, atol=1e-9)
    assert abs(np.dot(moved.normal, turn @ plane.normal)) == pytest.approx(1, abs=1e-12)
    assert moved.rms_mm == pytest.approx(factor * plane.rms_mm, rel=1e-7)
    feet = points[:4] + rng.normal(0, 5, (4, 3))
    there = factor * (feet @ turn.T) + shift
    np.testing.assert_allclose(moved.variance_mm2(there), factor**2 * plane.variance_mm2(feet), rtol=1e-6)
    assert moved.outside_patch(there).tolist() == plane.outside_patch(feet).tolist()


# ---- variance and patch


def test_predicted_variance_is_the_simulated_one() -> None:
    rng = np.random.default_rng(5)
    truth = tilted_points(rng, 25, 0.0)
    exact = pyicg.fit_plane(truth)
    foot = np.array(exact.point_mm) + 9.0 * exact.axes[0] - 5.0 * exact.axes[1]
    distances, predicted = [], []
    for _ in range(800):
        plane = pyicg.fit_plane(tilted_points(rng, 25, 0.3))
        plane = plane if np.dot(plane.normal, exact.normal) > 0 else plane.flipped()
        distances.append(np.dot(foot - plane.point_mm, plane.normal))
        predicted.append(plane.variance_mm2(foot[None])[0])
    assert np.mean(predicted) / np.var(distances) == pytest.approx(1.0, abs=0.13)
    assert abs(np.mean(distances)) < 4 * np.std(distances) / math.sqrt(800)


def test_variance_follows_the_formula_of_regression() -> None:
    rng = np.random.default_rng(4)
    z, x = rng.uniform(-5, 5, 30), rng.uniform(-10, 10, 30)
    y = 0.01 * rng.normal(size=30)
    plane = pyicg.fit_plane(np.column_stack([z, y, x]))
    design = np.column_stack([np.ones(30), z, x])
    _, (sse,), *_ = np.linalg.lstsq(design, y)
    at = np.array([(0.0, 0.0), (4.0, -9.0), (20.0, 3.0)])
    terms = np.column_stack([np.ones(3), at])
    expected = sse / 27 * np.einsum("ni,ij,nj->n", terms, np.linalg.inv(design.T @ design), terms)
    feet = np.column_stack([at[:, 0], np.zeros(3), at[:, 1]])
    np.testing.assert_allclose(plane.variance_mm2(feet), expected, rtol=1e-4)  # flat, so orthogonal is vertical


def test_outside_is_what_a_triangulation_does_not_hold() -> None:
    rng = np.random.default_rng(6)
    points = tilted_points(rng, 30, 0.1)
    points[:, 2] += 40
    plane = pyicg.fit_plane(points)
    feet = points[rng.integers(30, size=400)] + rng.normal(0, 6, (400, 3))
    along = plane.axes.T
    expected = Delaunay((points - plane.point_mm) @ along).find_simplex((feet - plane.point_mm) @ along) < 0
    np.testing.assert_array_equal(plane.outside_patch(feet), expected)
    assert 100 < expected.sum() < 350
    assert not plane.outside_patch(points).any()
    np.testing.assert_array_equal(plane.facing((0, 0, 0)).outside_patch(feet), expected)


def test_outliers_do_not_widen_the_patch() -> None:
    points = tilted_points(np.random.default_rng(1), 40, 0.02)
    stray = np.array([3.0, 20.0, 15.0]) + 60 * np.linalg.svd(NORMAL[None])[2][1] + 4 * NORMAL
    plane = pyicg.fit_plane(np.vstack([points, stray]))
    assert plane.n_outliers in (1, 2)  # the stray, and a point that happens to lie far off
    assert plane.outside_patch([stray]).tolist() == [True]


# ---- files


@pytest.mark.parametrize("n", [3, 4, 30])
def test_a_fit_survives_its_file(tmp_path: Path, n: int) -> None:
    plane = pyicg.fit_plane(tilted_points(np.random.default_rng(n), n, 0.1)).facing((0, 0, 0))
    path = plane.save(tmp_path / "new" / "plane.json")
    again = Plane.load(str(path))
    assert again.to_dict() == plane.to_dict()
    np.testing.assert_array_equal(again.covariance, plane.covariance)
    np.testing.assert_array_equal(again.patch, plane.patch)
    assert (again.point_mm, again.normal, again.freedom) == (plane.point_mm, plane.normal, plane.freedom)
    assert [p.name for p in path.parent.iterdir()] == ["plane.json"]
    json.loads(path.read_text(), parse_constant=pytest.fail)  # no NaN in it


def test_a_given_plane_survives_and_may_be_written_by_hand(tmp_path: Path) -> None:
    plane = Plane(point_mm=(0, 10, 0), normal=(0, 1, 2))
    again = Plane.load(plane.save(tmp_path / "plane.json"))
    assert again.to_dict() == plane.to_dict()
    assert (again.half_extent_mm, again.freedom, again.patch.shape) == ((math.inf, math.inf), math.inf, (0, 3))
    by_hand = Plane.from_dict({"point_mm": [0, 10, 0], "normal": [0, 1, 2], "comment": "cut 3"})
    assert by_hand.to_dict() == plane.to_dict()


def damaged(change: dict[str, Any]) -> dict[str, Any]:
    plane = pyicg.fit_plane(tilted_points(np.random.default_rng(0), 12, 0.1))
    content = plane.to_dict() | change
    return {name: value for name, value in content.items() if value != "gone"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema_version": 2}, "schema_version is 2; this pyicg reads 1"),
        ({"schema_version": "gone"}, "schema_version is None"),
        ({"normal": "gone"}, "expected .*point_mm"),
        ({"patch": "gone"}, "patch: missing or unknown"),
        ({"colour": "blue"}, "colour: missing or unknown"),
        ({"normal": [1, 0, 0]}, "axes: cannot be those of a plane"),
        ({"normal": [0, 0]}, "normal must be three finite numbers"),
        ({"normal": 5}, "normal"),
        ({"covariance": [[1, 0, 0], [0, 1, 0]]}, "reshape"),
        ({"covariance": [[1, 2, 0], [0, 1, 0], [0, 0, 1]]}, "covariance: cannot"),
        ({"covariance": [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]}, "covariance: cannot"),
        ({"rms_mm": -1}, "rms_mm: cannot"),
        ({"rms_mm": None}, "write|Write"),
        ({"n_points": 2.5}, "n_points"),
        ({"n_outliers": 99}, "n_outliers"),
        ({"freedom": "many"}, "many"),
        ({"half_extent_mm": [1]}, "reshape"),
        ({"oriented": "yes"}, "oriented: cannot"),
        ({"patch": [[1, None, 2]]}, "patch: cannot"),
    ],
)
def test_damaged_planes_are_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = tmp_path / "plane.json"
    path.write_text(json.dumps(damaged(change)))
    with pytest.raises(InputError, match=rf"plane\.json: .*({told})"):
        Plane.load(path)


def test_files_that_hold_no_plane(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json: No such file.*expected a JSON file"):
        Plane.load(tmp_path / "gone.json")
    path = tmp_path / "x.json"
    for content in ("", "{", "[1, 2]", "7", "\udcff"):
        path.write_text(content, errors="surrogateescape")
        with pytest.raises(InputError, match=r"x\.json: "):
            Plane.load(path)
    (tmp_path / "file").write_text("kept")
    with pytest.raises(InputError, match="cannot write"):
        Plane(point_mm=(0, 0, 0), normal=(0, 1, 0)).save(tmp_path / "file" / "plane.json")


# ---- the tumour's side


def test_all_lesions_of_a_stack_take_one_side() -> None:
    section = pyicg.phantom.section_stack(margins_mm=(0.4, 6.0), n_slices=5)
    near, far = section.truth.lesions
    y = far.centre_mm[1] + far.core_radius_mm + 0.35  # beside one tumour and through the other, further from its centre
    assert near.centre_mm[1] - y < y - far.centre_mm[1]
    plane = Plane(point_mm=(0, y, 0), normal=(0, -1, 0), oriented=False)
    found = pyicg.score_stack(section.stack, profile=section.profile, view="section", plane=plane)
    assert found.plane is not None
    assert (found.plane.normal, found.plane.oriented) == ((0, 1, 0), True)
    distances = sorted(lesion.distance.min_mm for lesion in found.lesions if lesion.distance)
    # on its own side the tumour that the plane cuts would come out at -1.75 mm
    assert distances == pytest.approx([y - near.centre_mm[1] - near.core_radius_mm, 0.35], abs=0.15)


# ---- a slice of bench/validation/plane.py; the whole is in docs/distance_evidence.md


@pytest.fixture(scope="module")
def validation() -> ModuleType:
    return load("plane")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_stated_variance_and_interval_of_points(validation: ModuleType, share: float) -> None:
    row = validation.points(60, share, runs=200)
    assert row.refused == 0
    assert row.mean_ratio == pytest.approx(1, abs=0.2)
    assert 0.91 <= row.coverage <= 0.98
    assert abs(row.bias_sd) < 0.25
    assert row.outliers_found == pytest.approx(60 * share, abs=0.5)


@pytest.mark.parametrize(("slices", "wave", "lowest"), [(3, 5, 0.90), (8, 15, 0.92)])
def test_stated_variance_and_interval_of_wavy_edges(
    validation: ModuleType, slices: int, wave: float, lowest: float
) -> None:
    row = validation.edges(slices, wave, runs=60)
    assert row.refused == 0
    assert 0.8 < row.ratio < 1.8
    assert row.coverage >= lowest
