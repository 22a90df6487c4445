"""The exact truth of bench/validation/distance_scenes.py against second ways to it, and a small fixed slice."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from .scripts import load

SCENES = load("distance_scenes")


def directions(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    normals = rng.standard_normal((count, 3))
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def test_an_ellipsoid_reaches_what_its_matrix_says() -> None:
    rng = np.random.default_rng(0)
    for normal in directions(rng, 20):
        turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        spread = turn @ np.diag(rng.uniform(3, 9, 3) ** 2) @ turn.T
        tumour = SCENES.ellipsoid(spread)
        reach = spread @ normal / math.sqrt(normal @ spread @ normal)
        np.testing.assert_allclose(tumour.furthest(normal), reach, atol=1e-9)
        searched = tumour.furthest_searched(normal)
        assert searched @ normal == pytest.approx(reach @ normal, abs=1e-9)
        # Points of the surface satisfy its equation.
        points = tumour.points(rng.uniform(0, 7, 50), rng.uniform(-1.5, 1.5, 50))
        np.testing.assert_allclose(np.sum(points @ np.linalg.inv(spread) * points, axis=1), 1, rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_lobed_tumour_reaches_as_far_as_its_sections(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tumour = SCENES.draw_tumour(rng, "lobed")
    (normal,) = directions(rng, 1)
    foot = tumour.furthest(normal)

    def reach(s: float) -> float:
        section = tumour.section(s, 1.2)
        return float((section.contours()[0] @ normal[1:]).max() + s * normal[0])

    # The sections are drawn as the frames are; 2048 vertices miss the furthest point by at most 9 (pi / 2048)^2 mm.
    heights = tumour.height * np.sin(np.linspace(-1.57, 1.57, 301))
    best = heights[np.argmax([reach(s) for s in heights])]
    fine = [reach(s) for s in np.linspace(best - 0.06, best + 0.06, 241) if abs(s) < tumour.height]
    assert max(fine) == pytest.approx(foot @ normal, abs=3e-5)
    assert max(fine) <= foot @ normal + 1e-9
    if abs(foot[0]) < 0.999 * tumour.height:
        assert reach(foot[0]) == pytest.approx(foot @ normal, abs=3e-5)


@pytest.mark.parametrize("number", [1, 4, 7, 10])
def test_a_case_lies_at_its_margin(number: int) -> None:
    case = SCENES.draw(number, 2)
    assert case.kind == SCENES.KINDS[number // 3 % 3]
    outlines = [
        np.insert(shape.contours()[0], 0, k, axis=1) * case.spacing_mm for k, shape in enumerate(case.shapes) if shape
    ]
    least = np.min((case.exact.point_mm - np.vstack(outlines)) @ case.exact.normal)
    assert case.true_mm <= least < case.true_mm + 1
    for shape in filter(None, case.shapes):
        outer = shape.contours()[1]
        assert outer.min() > 5 * case.blur_px
        assert (outer.max(axis=0) < np.array(case.frame) - 1 - 5 * case.blur_px).all()
        assert shape.thickness_px >= 4 * case.blur_px
    assert case.shapes[0] is case.shapes[-1] is None
    other = SCENES.draw(number, 2)
    assert (other.true_mm, other.exact.normal) == (case.true_mm, case.exact.normal)


def test_a_case_is_measured_and_kept() -> None:
    script = load("distance")
    row, packed = script.look(("grid", 2), 1, True)
    again = script.look_again(packed)
    assert again.exact.min_mm == row.exact.min_mm
    assert abs(row.error) < 0.03
    assert all(one.rms_px < 0.3 for one in row.sections)


@pytest.mark.parametrize("number", [4, 5, 7, 8])  # slices of 1 and 2 mm, ellipsoids and lobed bodies
def test_a_slice_of_the_accuracy(number: int) -> None:
    row, _ = load("distance").look(("grid", number), 1, False)
    assert abs(row.error) < 0.04
    assert row.covered
    assert abs(row.error) <= abs(row.others[0] - row.case.true_mm) + 0.01  # pixels of the true core


@pytest.mark.parametrize(("number", "label"), [(4, "R1"), (5, "R1"), (6, "R0"), (7, "R0")])  # 0.4, 0.9, 1.1, 3 mm
def test_a_slice_of_the_whole_path(number: int, label: str) -> None:
    row, _ = load("distance").look(("specimen", number), 1, False)
    assert abs(row.error) < 0.05
    assert row.label in (label, "indeterminate") if number in (5, 6) else row.label == label


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_slice_of_thick_slices(number: int) -> None:
    row, _ = load("distance").look(("thick", number), 1, False)
    assert "slice_too_thick" in row.reasons
    assert row.label in (("R0",) if number == 0 else (row.right, "indeterminate"))  # at 20 mm
    assert not row.straddles or row.label == "indeterminate"
