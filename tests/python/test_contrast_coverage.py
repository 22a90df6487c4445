"""Small fixed slices of contrast.py, contrast_parts.py, contrast_budget.py and two_cameras.py in bench/validation."""

from __future__ import annotations

from collections import defaultdict
from types import ModuleType

import numpy as np
import pytest

from .scripts import load


@pytest.fixture(scope="module")
def grid() -> ModuleType:
    return load("contrast")


@pytest.fixture(scope="module")
def parts() -> ModuleType:
    return load("contrast_parts")


def test_sbr_over_cameras_light_and_vignetting(grid: ModuleType) -> None:
    policy = "mode without lesion"
    errors: dict[float, list[float]] = defaultdict(list)
    held: dict[str | int, list[bool]] = defaultdict(list)
    for setting, (camera, vignetting) in enumerate([(0, 0.0), (6, 0.4), (13, 0.0), (19, 0.4)]):
        for turn in range(5):
            for cell, figures in grid.run((camera, vignetting, turn, 8, (policy,))).items():
                errors[cell.sbr] += [found.value - cell.sbr for found in figures["sbr"]]
                for name, outcomes in figures.items():
                    held[name] += [found.covered for found in outcomes]
                held[setting] += [found.covered for found in figures["sbr"]]
    for sbr, found in errors.items():
        assert abs(np.mean(found)) < (0.01 * sbr if sbr >= 1.5 else 0.02), sbr
    for name, covered in held.items():
        if isinstance(name, str):  # 1920 runs, 20 profiles
            assert 0.92 <= np.mean(covered) <= 0.98, name
        else:  # 480 runs, five profiles
            assert np.mean(covered) >= 0.88, name


@pytest.mark.parametrize(("part", "runs"), [("pixel_noise", 40), ("finite_sample", 100)])
def test_each_part_of_the_interval_alone(parts: ModuleType, part: str, runs: int) -> None:
    table = getattr(parts, part)(runs)
    assert 0.92 <= np.mean([tally.coverage for tally in table.values()]) <= 0.98


def test_texture_alone(parts: ModuleType) -> None:
    policies = ["mode", "percentile", "mask", "distant"]
    table = parts.uneven(45, [*policies, "median", "annulus", "surface"])
    textures = list(dict.fromkeys(texture for _, texture in table))
    for texture in textures[:3]:  # down to nine patches in the lesion
        assert 0.9 <= np.mean([table[policy, texture].coverage for policy in policies]) <= 0.99, texture
    for texture in textures[:2]:
        assert np.mean([table[policy, texture].coverage for policy in ("median", "annulus", "surface")]) >= 0.88


def test_a_region_that_lies_a_little_off(parts: ModuleType) -> None:
    moved = [tally.coverage for (name, _), tally in parts.placement(40).items() if name.startswith("moved")]
    assert len(moved) == 24
    assert np.mean(moved) >= 0.95  # and more where the region fits a blob: every move takes light away
    assert min(moved) >= 0.85


def test_each_part_of_the_budget_is_the_scatter_it_stands_for() -> None:
    table = load("contrast_budget").budget(70, ("mode", "mask", "annulus", "surface"))
    for (scene, level, part), found in table.items():
        if part in {"pixel noise", "sampling"}:
            assert 0.8 < found.ratio < 1.25, (scene, level)  # 70 runs: 8 % of noise
        elif part == "placement":
            assert 0.8 < found.ratio < 1.25, scene
    assert table["all of it on a slope", "signal", "total"].ratio > 0.9


def test_fieller_is_as_wide_as_a_block_bootstrap(parts: ModuleType) -> None:
    table = parts.bootstrap(60)
    for texture in {key[0] for key in table}:
        assert 0.8 < table[texture, "Fieller"].width / table[texture, "block bootstrap"].width < 1.4, texture


def test_backgrounds_near_zero(parts: ModuleType) -> None:
    tallies = list(parts.near_zero(100).values())
    unbounded = [tally.unbounded for tally in tallies]
    assert unbounded == sorted(unbounded, reverse=True)
    assert unbounded[0] > 0.8
    assert unbounded[-1] == 0.0
    assert min(tally.coverage for tally in tallies) > 0.9


def test_one_scene_on_two_cameras() -> None:
    validation = load("two_cameras")
    found = [pair for turn in range(6) for pair in validation.run(("one scene", turn))]
    assert validation.agreement([pair.calibrated for pair in found]) >= 0.92
    assert validation.agreement([pair.counts for pair in found if pair.sbr >= 2]) < 0.1
    strong = [pair for pair in found if pair.sbr == 5.0]
    scope, quiet = (np.median([pair.counts[side].value for pair in strong]) for side in (0, 1))
    assert scope < 3.6  # the offset and the bend take contrast away
    assert quiet > 4.5
    for side in (0, 1):
        assert np.median([pair.calibrated[side].value for pair in strong]) == pytest.approx(5.0, rel=0.01)
