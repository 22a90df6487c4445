"""Small fixed slices of rim.py, no_rim.py and gap_vessel.py in bench/validation: tables in docs/rim_evidence.md."""

from __future__ import annotations

import pytest

import pyicg

from .scripts import load


def test_boundaries_over_the_grid() -> None:
    grid = load("rim")
    drawn = [grid.frames.draw(seed) for seed in range(1_000_000, 1_000_011)]
    bright = [(setting, scene) for setting, scene in drawn if setting.sbr >= 3 and setting.snr >= 20]
    frames = [frame for pair in bright for frame in grid.run(*pair, (grid.TOLD, grid.ESTIMATED))]
    assert sum(frame.false for frame in frames) == 0
    for route in (grid.TOLD, grid.ESTIMATED):
        rows = [row for frame in frames for row in frame.rows if row.route == route and grid.good(row)]
        assert len(rows) == 10
        assert all(row.found for row in rows)
        assert grid.pooled(row.inner_rms for row in rows if not row.broken) <= 0.06
        assert grid.pooled(row.inner_rms for row in rows if row.broken) <= 0.12
        assert grid.quantile((abs(row.completeness) for row in rows), 0.95) <= 0.03
        assert min(row.dice for row in rows) >= 0.97
        assert min(row.confidence for row in rows) > 0.5
        assert 0.7 <= grid.normalised_sd(rows) <= 1.3  # 10 lesions; 703 give 1.17 and 1.18


@pytest.mark.parametrize(
    ("seed", "number"), [(1, 14), (1, 167), (1, 265), (1, 433), (3, 469), (3, 493), (5, 13), (12, 49)]
)
def test_vessels_that_earlier_rules_were_sure_of(seed: int, number: int) -> None:
    script = load("no_rim")
    _, cal = script.draw(number, seed)
    assert all(lesion.confidence < script.LIMIT for lesion in pyicg.segment_rim(cal).lesions)


def test_a_part_of_a_dark_vessel_is_no_core_beside_a_gap() -> None:
    script = load("no_rim")
    _, cal = script.draw(171, 11)
    assert all(lesion.confidence < script.LIMIT for lesion in pyicg.segment_rim(cal, pixel_size_mm=0.1).lesions)


def test_vessels_past_gaps() -> None:
    script = load("gap_vessel")
    frames = [(number, script.draw(number, seed=1)) for number in range(24)]
    clear = [(number, frame) for number, frame in frames if frame.strip_px >= 12 and frame.core < 0.7]
    found = [script.measure(frame, number, "vessel") for number, frame in clear]
    assert len(found) == 12
    assert min(one.confidence for one in found) >= script.LIMIT
    assert max(one.outwards_px for one in found) < 1
    assert max(one.inwards_px for one in found) < 1
    assert max(abs(one.completeness) for one in found) < 0.05
