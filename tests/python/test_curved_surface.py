"""Distance to curved surfaces given as masks, against closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import pyicg
from pyicg import InputError, UnitError

Mask = npt.NDArray[np.bool_]


@pytest.mark.parametrize("spacing", [(0.1, 0.1), (0.05, 0.3)])
def test_a_flat_surface(spacing: tuple[float, float]) -> None:
    tumour, surface, line = (np.zeros((120, 60), bool) for _ in range(3))
    tumour[10:40, 20:40] = True
    surface[90:] = True
    line[90] = True
    dist = pyicg.distance_to_surface(tumour, surface, spacing_mm=spacing)
    assert dist.min_mm == pytest.approx((89.5 - 39.5) * spacing[0], rel=1e-6)  # from face to face
    assert dist.foot_mm[:2] == pytest.approx((0.0, 39.5 * spacing[0]))
    assert dist.sigma_mm == pytest.approx(spacing[0] / math.sqrt(6), rel=1e-6)  # anywhere within a pixel, on both sides
    assert dist.min_mm <= dist.p05_mm <= dist.min_mm + 2.001 * spacing[0]
    drawn = pyicg.distance_to_surface(tumour, line, spacing_mm=spacing)
    assert drawn.min_mm == pytest.approx(50.5 * spacing[0], rel=1e-6)  # from face to the line's middle
    thick = line.copy()
    thick[91] = True
    assert pyicg.distance_to_surface(tumour, thick, spacing_mm=spacing).min_mm == pytest.approx(51 * spacing[0])


def scene(seed: int, spacing: tuple[float, ...], *, flat: bool, line: bool) -> tuple[Mask, Mask, float]:
    """Return a ball, a plane or the wall of a cavity around it, and the distance between them, mm."""
    rng = np.random.default_rng(seed)
    steps = np.array(spacing)
    shape = tuple(math.ceil(24 / step) for step in spacing)
    grid = np.moveaxis(np.indices(shape), 0, -1) * steps
    centre, radius, gap = 12 + rng.uniform(-0.5, 0.5, len(steps)), rng.uniform(3, 5), rng.uniform(0.5, 3)
    normal = rng.normal(size=len(steps))
    normal /= np.linalg.norm(normal)
    tumour = np.linalg.norm(grid - centre, axis=-1) < radius
    if flat:
        beyond, width = (grid - centre) @ normal - radius - gap, np.abs(normal) @ steps
    else:
        cavity = 1.4 * radius + 3.5
        away = grid - centre - normal * (radius + gap - cavity)
        length = np.linalg.norm(away, axis=-1)
        beyond, width = length - cavity, np.abs(away) @ steps / np.maximum(length, 1e-9)
    return tumour, np.abs(beyond) <= 0.5 * width if line else beyond > 0, gap


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("line", [True, False])
@pytest.mark.parametrize(("spacing", "rmse"), [((0.2, 0.2), 0.06), ((0.5, 0.5, 0.5), 0.11), ((1.0, 0.4, 0.4), 0.2)])
def test_curved_surfaces(spacing: tuple[float, ...], rmse: float, *, flat: bool, line: bool) -> None:
    errors, normalised = [], []
    for seed in range(16 if len(spacing) == 2 else 6):
        tumour, surface, gap = scene(seed, spacing, flat=flat, line=line)
        dist = pyicg.distance_to_surface(tumour, surface, spacing_mm=spacing)
        errors.append(dist.min_mm - gap)
        normalised.append(errors[-1] / dist.sigma_mm)
    assert math.sqrt(np.mean(np.square(errors))) < rmse  # a third of a pixel; from centre to centre it is a pixel
    assert abs(np.mean(errors)) < 2 * rmse / math.sqrt(len(errors))
    assert np.max(np.abs(normalised)) < 4


def test_turned_and_flipped_masks_give_the_same() -> None:
    tumour, surface, _ = scene(3, (0.4, 0.4), flat=False, line=False)
    here = pyicg.distance_to_surface(tumour, surface, spacing_mm=(0.4, 0.4))
    for turn in (np.flipud, np.fliplr, np.transpose, np.rot90):
        there = pyicg.distance_to_surface(turn(tumour), turn(surface), spacing_mm=(0.4, 0.4))
        assert there.min_mm == pytest.approx(here.min_mm, abs=1e-9)
    doubled = pyicg.distance_to_surface(tumour, surface, spacing_mm=(0.8, 0.8))
    assert doubled.min_mm == pytest.approx(2 * here.min_mm, rel=1e-9)


def test_a_surface_that_is_reached() -> None:
    tumour, surface = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    tumour[5:10, 5:10] = surface[9:] = True
    dist = pyicg.distance_to_surface(tumour, surface, spacing_mm=(0.5, 0.5))
    assert (dist.min_mm, dist.p05_mm) == (0.0, 0.0)


def test_single_pixels() -> None:
    tumour, surface = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    tumour[4, 2] = surface[4, 7] = True
    dist = pyicg.distance_to_surface(tumour, surface, spacing_mm=(1.0, 1.0))
    assert dist.min_mm == pytest.approx(4.5)
    beside = np.zeros((9, 9), bool)
    beside[4, 3] = True
    assert pyicg.distance_to_surface(tumour, beside, spacing_mm=(1.0, 1.0)).min_mm == pytest.approx(0.5)


def test_a_tumour_at_the_border_says_so() -> None:
    tumour, surface = np.zeros((30, 30), bool), np.zeros((30, 30), bool)
    tumour[-1, 10:20] = surface[-1, 25:] = True
    assert pyicg.distance_to_surface(tumour, surface, spacing_mm=(1, 1)).warnings == ("clipped_by_border",)
    within = pyicg.distance_to_surface(np.roll(tumour, -5, 0), np.roll(surface, -5, 0), spacing_mm=(1, 1))
    assert within.warnings == ()


def test_thick_slices_say_so() -> None:
    tumour, surface = np.zeros((9, 9, 9), bool), np.zeros((9, 9, 9), bool)
    tumour[4, 3:6, 2:4] = surface[:, :, 7:] = True
    assert pyicg.distance_to_surface(tumour, surface, spacing_mm=(2.5, 1, 1)).warnings == ("slice_too_thick",)
    assert pyicg.distance_to_surface(tumour, surface, spacing_mm=(2.0, 1, 1)).warnings == ()


def test_no_tumour_no_distance() -> None:
    empty = np.zeros((8, 8), bool)
    dist = pyicg.distance_to_surface(empty, ~empty, spacing_mm=(1, 1))
    assert math.isnan(dist.min_mm)
    assert dist.warnings == ("no_lesion",)


@pytest.mark.parametrize(
    ("mask", "surface", "spacing", "error"),
    [
        (np.ones((4, 4), bool), np.zeros((4, 4), bool), (1, 1), InputError),
        (np.ones((4, 4), bool), np.ones((4, 5), bool), (1, 1), InputError),
        (np.ones((4, 4), np.uint8), np.ones((4, 4), bool), (1, 1), InputError),
        (np.ones(4, bool), np.ones(4, bool), (1,), InputError),
        (np.ones((4, 4), bool), np.ones((4, 4), bool), (1, 1, 1), UnitError),
        (np.ones((4, 4), bool), np.ones((4, 4), bool), (1, 0), UnitError),
        ([[True]], np.ones((1, 1), bool), (1, 1), InputError),
        (np.ones((4, 4), bool), np.ones((4, 4), bool), 1.0, UnitError),
        (np.ones((4, 4), bool), np.ones((4, 4), bool), ("a", "b"), UnitError),
    ],
)
def test_refused(mask: Any, surface: Any, spacing: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        pyicg.distance_to_surface(mask, surface, spacing_mm=spacing)


def test_scattered_pixels_give_numbers() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        shape = tuple(rng.integers(1, 16, rng.integers(2, 4)))
        spacing = tuple(rng.uniform(0.1, 3, len(shape)))
        tumour, surface = (rng.random(shape) < rng.choice([0.02, 0.2, 0.6]) for _ in range(2))
        tumour.flat[0] = surface.flat[-1] = True
        dist = pyicg.distance_to_surface(tumour, surface, spacing_mm=spacing)
        assert 0 <= dist.min_mm < 60
        assert math.isfinite(dist.sigma_mm)
        assert dist.ci_mm[0] <= dist.min_mm <= dist.p05_mm + 1e-9
