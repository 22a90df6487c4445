"""Contrasts by their definitions, against Fieller's quadratic, a bootstrap and simulation; the sensitivity table."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import t as student

import pyicg
from pyicg import Background, CameraProfile, Contrast, InputError, Measurement, UncertaintyBudget, UnitError
from pyicg.background import POLICIES

from .oracles import F32, Z95, blocking_oracle, calibrated, fieller_oracle

RATIOS = ("sbr", "sbr_raw", "weber", "michelson", "cnr", "cvr")


def measurements(con: Contrast) -> dict[str, Measurement]:
    return {f.name: m for f in fields(con) if isinstance(m := getattr(con, f.name), Measurement)}


def pair(sem: float, **fields: Any) -> Background:
    return Background(**{"level": 100.0, "sigma": 5.0, "sem": sem, "n_pixels": 5000, "policy": "mode", **fields})


def lesion(seed: int = 0, shape: tuple[int, int] = (60, 80)) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    signal = np.zeros(shape, bool)
    signal[20:35, 30:52] = True
    data = rng.normal(100, 4, shape) + 150 * gaussian_filter(signal.astype(float), 1.5)
    return data.astype(F32), signal


def test_contrasts_by_their_definitions() -> None:
    rng = np.random.default_rng(4)
    data = rng.normal(250, 12, (30, 30)).astype(F32)
    signal = np.zeros(data.shape, bool)
    signal[5:25, 8:20] = True
    con = pyicg.contrast(calibrated(data, offset=16.0), signal=signal, background=pair(0.5))
    values = data[signal].astype(np.float64)
    t, s, b, sb = values.mean(), values.std(ddof=1), 100.0, 5.0
    expected = {
        "sbr": t / b,
        "sbr_raw": (t + 16) / (b + 16),
        "weber": (t - b) / b,
        "michelson": (t - b) / (t + b),
        "cnr": (t - b) / sb,
        "cvr": (t - b) / math.hypot(s, sb),
        "signal_level": t,
        "background_level": b,
    }
    found = measurements(con)
    np.testing.assert_allclose([found[name].value for name in expected], list(expected.values()), rtol=1e-12)
    assert {m.reason for m in found.values()} == {None}
    # The finite sample and what blocks of pixels scatter by beyond it.
    factor, blocks = blocking_oracle(data[5:25, 8:20].astype(np.float64))
    white = s / math.sqrt(values.size)
    assert con.signal_budget is not None
    np.testing.assert_allclose(
        (con.signal_budget.sampling, con.signal_budget.heterogeneity), (white, white * math.sqrt(factor - 1)), rtol=1e-9
    )
    assert con.signal_budget.pixel_noise is None
    st_err = white * math.sqrt(factor)
    assert con.signal_level.sigma == pytest.approx(st_err, rel=1e-9)
    assert con.sbr.sigma == pytest.approx(math.hypot(st_err, t / b * 0.5) / b, rel=1e-9)
    # A background stated by hand is known, the signal's spread was estimated: Welch and Satterthwaite.
    share = st_err**2 / (st_err**2 + (t / b * 0.5) ** 2)
    lo, hi = fieller_oracle(t, st_err, b, 0.5, student.ppf(0.975, (blocks - 1) / share**2))
    np.testing.assert_allclose(con.sbr.ci, (lo, hi), rtol=1e-6)
    np.testing.assert_allclose(con.weber.ci, np.array(con.sbr.ci) - 1, rtol=1e-12)
    np.testing.assert_allclose(con.michelson.ci, [(r - 1) / (r + 1) for r in con.sbr.ci], rtol=1e-12)
    wide = student.ppf(0.975, blocks - 1) * st_err
    np.testing.assert_allclose(con.signal_level.ci, (t - wide, t + wide), rtol=1e-6)
    np.testing.assert_allclose(con.background_level.ci, (b - Z95 * 0.5, b + Z95 * 0.5), rtol=1e-12)


@settings(max_examples=200, deadline=None)
@given(st.floats(-50, 500), st.floats(0, 30), st.floats(1, 300), st.floats(0, 60))
def test_fieller_solves_its_quadratic(a: float, sa: float, b: float, sb: float) -> None:
    # 64 pixels, high and low in turn: mean a, standard error sa and 63 degrees of freedom.
    swing = sa * math.sqrt(63)
    data = np.where(np.indices((8, 8)).sum(axis=0) % 2, a + swing, a - swing).astype(F32).astype(np.float64)
    mean, sem = data.mean(), data.std(ddof=1) / 8
    con = pyicg.contrast(calibrated(data), signal=np.ones((8, 8), bool), background=pair(sb, level=b))
    t = Z95
    if sem > 0:
        t = student.ppf(0.975, 63 * (1 + (mean / b * sb / sem) ** 2) ** 2)
    assume(abs(b - t * sb) > 1e-3 * b)
    lo, hi = fieller_oracle(mean, sem, b, sb, t)
    if math.isinf(lo):
        assert math.isnan(con.sbr.value)
        assert con.sbr.ci == (-math.inf, math.inf)
        assert con.sbr.reason == "background_not_resolved"
    else:
        assert con.sbr.value == pytest.approx(mean / b, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(con.sbr.ci, (lo, hi), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dof", [4.0, 12.0, math.inf])
def test_few_blocks_behind_a_background_widen_the_interval(dof: float) -> None:
    data, signal = lesion()
    data[signal] = 300.0
    budget = UncertaintyBudget(pixel_noise=1.0, sampling=1.5, heterogeneity=2.0)
    con = pyicg.contrast(calibrated(data), signal=signal, background=pair(budget.total, budget=budget, dof=dof))
    # Of its variance 1 + 2.25 + 4 the camera's part is known.
    known = budget.total**4 / (2.25 + 4) ** 2
    t = Z95 if math.isinf(dof) else student.ppf(0.975, known * dof)
    np.testing.assert_allclose(con.sbr.ci, fieller_oracle(300.0, 0.0, 100.0, budget.total, t), rtol=1e-4)
    assert con.background_level.ci[1] == pytest.approx(100 + t * budget.total, rel=1e-5)
    assert con.background_budget == budget


def test_fieller_agrees_with_a_bootstrap() -> None:
    rng = np.random.default_rng(21)
    data = rng.normal(100, 20, (24, 24)).astype(F32)
    signal = np.zeros(data.shape, bool)
    signal[:5] = True
    data[signal] = rng.normal(240, 60, signal.sum())
    bg = pyicg.estimate_background(calibrated(data), policy="mask", mask=~signal)
    con = pyicg.contrast(calibrated(data), signal=signal, background=bg)
    t, b = data[signal], data[~signal]
    ratios = rng.choice(t, (8000, t.size)).mean(axis=1) / rng.choice(b, (8000, b.size)).mean(axis=1)
    width = con.sbr.ci[1] - con.sbr.ci[0]
    np.testing.assert_allclose(con.sbr.ci, np.quantile(ratios, (0.025, 0.975)), atol=0.06 * width)
    assert con.sbr.sigma == pytest.approx(ratios.std(), rel=0.05)


@pytest.mark.parametrize("policy", ["mode", "median"])
def test_interval_covers_the_truth(policy: str) -> None:
    rng = np.random.default_rng(8)
    signal = np.zeros((40, 40), bool)
    signal[5:11, 5:13] = True
    hits = 0
    for _ in range(400):
        data = rng.normal(100, 15, (40, 40))
        data[signal] = rng.normal(300, 25, signal.sum())
        cal = calibrated(data)
        bg = pyicg.estimate_background(cal, policy=policy, exclude=signal)
        con = pyicg.contrast(cal, signal=signal, background=bg)
        hits += con.sbr.ci[0] <= 3.0 <= con.sbr.ci[1]
    assert 0.92 <= hits / 400 <= 0.98


def test_saturation_makes_lower_bounds() -> None:
    data = np.full((10, 10), 100.0) + np.arange(100).reshape(10, 10) % 7
    bits = np.zeros((10, 10), np.uint8)
    data[2:5, 2:5], bits[3, 3] = 4095, 1
    signal = np.zeros((10, 10), bool)
    signal[2:5, 2:5] = True
    con = pyicg.contrast(calibrated(data, bits), signal=signal, background=pair(0.5))
    for name, m in measurements(con).items():
        if name == "background_level":
            assert m.reason is None
            continue
        assert m.reason == "saturated_lower_bound"
        assert math.isfinite(m.value)
        assert m.ci[1] == (1.0 if name == "michelson" else math.inf)
    assert con.sbr.value == pytest.approx(40.95)


def test_zero_background_has_no_ratio() -> None:
    bg = pyicg.estimate_background(calibrated(np.zeros((20, 20))))
    con = pyicg.contrast(calibrated(np.full((20, 20), 9.0)), signal=np.ones((20, 20), bool), background=bg)
    for name in ("sbr", "sbr_raw", "weber", "michelson", "cnr"):
        m = measurements(con)[name]
        assert math.isnan(m.value)
        assert m.reason == "background_not_resolved"
    assert con.sbr.ci == (-math.inf, math.inf)
    assert con.signal_level.value == 9.0


@pytest.mark.parametrize("calibrated_profile", [True, False])
def test_power_of_two_exposures_give_the_same_bits(calibrated_profile: bool) -> None:
    data, signal = lesion(9, (120, 120))
    raw = np.rint(data).clip(0, 4095).astype(np.uint16)
    profile = replace(CameraProfile.identity(raw.shape, bit_depth=12), calibrated=calibrated_profile)
    found = []
    for exposure in (0.25, 1.0, 64.0):
        cal = pyicg.calibrate(raw, profile, exposure_ms=exposure)
        con = pyicg.contrast(cal, signal=signal, background=pyicg.estimate_background(cal), placement_px=0.7)
        found.append([m for name, m in measurements(con).items() if not name.endswith("level")])
    assert found[0] == found[1] == found[2]
    assert {m.reason for m in found[0]} == ({None} if calibrated_profile else {"uncalibrated"})


@pytest.mark.parametrize("placement_px", [0.3, 1.0, 2.0, 4.25])
@pytest.mark.parametrize("slope", [(0.0, 3.0), (-2.0, 1.0)])
def test_placement_on_a_ramp(placement_px: float, slope: tuple[float, float]) -> None:
    y, x = np.indices((60, 80))
    data = 1000 + slope[0] * y + slope[1] * x
    signal = np.hypot(y - 30, x - 40) < 11.3
    cal = calibrated(data, variance=np.zeros(data.shape, F32))
    con = pyicg.contrast(cal, signal=signal, background=pair(0.5), placement_px=placement_px)
    assert con.signal_budget is not None
    assert con.signal_budget.placement == pytest.approx(math.hypot(*slope) * placement_px, rel=1e-6)
    assert con.signal_level.sigma == pytest.approx(con.signal_budget.total, rel=1e-12)
    exact = pyicg.contrast(cal, signal=signal, background=pair(0.5))
    assert exact.signal_budget == replace(con.signal_budget, placement=0.0)
    assert exact.signal_level.value == con.signal_level.value


def test_placement_is_the_scatter_of_shifted_regions() -> None:
    y, x = np.indices((64, 64))
    data = 100 + 300 * np.exp(-((y - 30.0) ** 2 + (x - 33.0) ** 2) / 128)
    signal = (abs(y - 33) < 9) & (abs(x - 30) < 8)
    cal = calibrated(data, variance=np.zeros(data.shape, F32))
    con = pyicg.contrast(cal, signal=signal, background=pair(0.5), placement_px=1.5)
    moves = np.rint(np.random.default_rng(3).normal(0, 1.5, (4000, 2))).astype(int)
    levels = [data[np.roll(signal, move, (0, 1))].mean() for move in moves]
    assert con.signal_budget is not None
    # What a move of any size and direction changes, root mean square about the level that was read.
    scatter = math.sqrt(np.mean((np.array(levels) - con.signal_level.value) ** 2))
    assert con.signal_budget.placement == pytest.approx(scatter, rel=0.2)


@pytest.mark.parametrize("known", [True, False])
def test_turned_frames_have_the_same_contrast(known: bool) -> None:
    for seed in range(4):
        data, signal = lesion(seed, (61, 90))
        variance = np.full(data.shape, 9.0, F32) if known else None
        found = []
        for turn in (lambda a: a, lambda a: a[::-1], lambda a: a[:, ::-1], np.rot90, np.transpose):
            cal = calibrated(turn(data).copy(), variance=None if variance is None else turn(variance).copy())
            con = pyicg.contrast(cal, signal=turn(signal).copy(), background=pair(0.5), placement_px=1.3)
            assert con.signal_budget is not None
            budget = con.signal_budget
            found.append([budget.sampling, budget.heterogeneity, budget.placement])
            found[-1] += [v for m in measurements(con).values() for v in (m.value, m.sigma, *m.ci)]
        for other in found[1:]:
            np.testing.assert_allclose(other, found[0], rtol=1e-9)


def test_budgets_join_to_the_error_of_the_level() -> None:
    data, signal = lesion(5)
    cal = calibrated(data, variance=np.full(data.shape, 9.0, F32))
    bg = pyicg.estimate_background(cal, exclude=signal)
    con = pyicg.contrast(cal, signal=signal, background=bg, placement_px=1.0)
    assert con.signal_budget is not None
    assert con.background_budget == bg.budget
    parts = con.signal_budget
    assert parts.pixel_noise is not None
    assert parts.pixel_noise == pytest.approx(3 / math.sqrt(signal.sum()), rel=1e-9)
    assert min(parts.sampling, parts.heterogeneity, parts.placement) > 0
    joined = math.sqrt(parts.pixel_noise**2 + parts.sampling**2 + parts.heterogeneity**2 + parts.placement**2)
    assert con.signal_level.sigma == pytest.approx(joined, rel=1e-12)
    assert con.background_level.sigma == bg.sem
    assert con.sbr.sigma == pytest.approx(math.hypot(joined, con.sbr.value * bg.sem) / bg.level, rel=1e-12)


def test_strided_and_read_only_arrays_are_taken_as_they_are() -> None:
    data, signal = lesion(2)
    expected = pyicg.contrast(calibrated(data), signal=signal, background=pair(0.5), placement_px=2.0)
    for wrap in (lambda a: np.repeat(a, 2, axis=0)[::2], lambda a: a[::-1].copy()[::-1]):
        cal = calibrated(data)
        cal = replace(cal, data=wrap(data), mask=wrap(cal.mask))
        cal.data.flags.writeable = cal.mask.flags.writeable = False
        strided = wrap(signal)
        strided.flags.writeable = False
        assert pyicg.contrast(cal, signal=strided, background=pair(0.5), placement_px=2.0) == expected
        np.testing.assert_array_equal(cal.data, data)


@pytest.mark.parametrize(
    "bad",
    [
        np.ones((4, 4), np.uint8),
        np.ones((4, 4)),
        np.ones((4, 5), bool),
        np.ones((4, 8), bool)[:, ::2],
        [[True] * 4] * 4,
        None,
    ],
)
def test_wrong_signals_are_refused(bad: Any) -> None:
    cal = calibrated(np.ones((4, 4)))
    with pytest.raises(InputError):
        pyicg.contrast(cal, signal=bad, background=pair(1.0))
    with pytest.raises(InputError):
        pyicg.sensitivity_table(cal, signal=bad)


@pytest.mark.parametrize("placement_px", [-1.0, -1e-9, math.nan, math.inf])
def test_placement_that_is_no_length(placement_px: float) -> None:
    data, signal = lesion()
    with pytest.raises(UnitError, match=r"placement_px is .*; expected 0 or more pixels"):
        pyicg.contrast(calibrated(data), signal=signal, background=pair(1.0), placement_px=placement_px)


@pytest.mark.parametrize("placement_px", [60.0, 1e4, 1e30])
def test_a_region_that_may_lie_outside_the_frame_is_not_exact(placement_px: float) -> None:
    data, signal = lesion()
    with pytest.raises(UnitError, match="placement_px"):
        pyicg.contrast(calibrated(data), signal=signal, background=pair(1.0), placement_px=placement_px)


@pytest.mark.parametrize("bad", [None, 100.0, "mode"])
def test_wrong_backgrounds_are_refused(bad: Any) -> None:
    data, signal = lesion()
    with pytest.raises(InputError, match="background"):
        pyicg.contrast(calibrated(data), signal=signal, background=bad)


@pytest.mark.parametrize("n", [0, 1])
def test_signal_of_too_few_pixels_has_no_error_and_no_ratio(n: int) -> None:
    signal = np.zeros((5, 5), bool)
    signal.flat[:n] = True
    con = pyicg.contrast(calibrated(np.full((5, 5), 8.0)), signal=signal, background=pair(1.0), placement_px=1.0)
    for name in (*RATIOS, "signal_level"):
        m = measurements(con)[name]
        assert m.reason == "too_few_pixels"
        assert math.isnan(m.value)
    assert con.background_level.value == 100.0


def test_signals_of_odd_shapes() -> None:
    data, _ = lesion(1, (60, 80))
    for region in (np.s_[:], np.s_[0], np.s_[:, 79], np.s_[-2:, -2:]):  # all of it, one row, one column, a corner
        signal = np.zeros(data.shape, bool)
        signal[region] = True
        con = pyicg.contrast(calibrated(data), signal=signal, background=pair(0.5), placement_px=1.0)
        assert con.signal_level.value == pytest.approx(data[region].mean(dtype=np.float64), rel=1e-12)
        assert con.sbr.reason is None
        assert con.sbr.ci[0] < con.sbr.value < con.sbr.ci[1]
    bits = np.zeros(data.shape, np.uint8)
    bits[10:20] = 64
    spoilt = np.where(bits == 64, np.nan, data)
    signal = np.zeros(data.shape, bool)
    signal[5:25, 5:15] = True
    seen = pyicg.contrast(calibrated(spoilt, bits), signal=signal, background=pair(0.5), placement_px=1.0)
    assert seen.signal_level.value == pytest.approx(data[signal & (bits == 0)].mean(dtype=np.float64), rel=1e-12)
    assert all(math.isfinite(m.sigma) for m in measurements(seen).values())


def test_sensitivity_table() -> None:
    data, signal = lesion(3, (100, 120))
    core = signal.copy()
    core[:22], core[33:], core[:, :33], core[:, 49:] = False, False, False, False
    drawn = np.zeros(data.shape, bool)
    drawn[70:90, 20:60] = True
    data[drawn] *= 1.25
    table = pyicg.sensitivity_table(calibrated(data), signal=core, placement_px=0.5)
    assert [row.policy for row in table.rows] == [policy for policy in POLICIES if policy != "mask"]
    assert (table.unit, table.signal_pixels) == ("DN", core.sum())
    with_mask = pyicg.sensitivity_table(calibrated(data), signal=core, mask=drawn, placement_px=0.5)
    assert with_mask.rows[:-1] == table.rows  # the mask limits no other row
    row = with_mask["mask"]
    cal = calibrated(data)
    assert row.background == pyicg.estimate_background(cal, policy="mask", mask=drawn)
    for row in with_mask.rows:
        assert row.contrast == pyicg.contrast(cal, signal=core, background=row.background, placement_px=0.5)
        assert row.background.policy == row.policy
    sbr = [row.contrast.sbr.value for row in with_mask.rows]
    assert with_mask.spread == pytest.approx(max(sbr) / min(sbr), rel=1e-12)
    assert with_mask.spread > 1.2 > table.spread > 1
    with pytest.raises(KeyError, match="ring"):
        table["ring"]

    records = with_mask.to_records()
    assert json.loads(json.dumps(records)) == records
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    read = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert [float(line["sbr"]) for line in read] == sbr
    assert [line["policy"] for line in read] == list(POLICIES)
    for record, row in zip(records, with_mask.rows, strict=True):
        assert (record["sbr_lo"], record["sbr_hi"]) == row.contrast.sbr.ci
        assert (record["background_level"], record["background_sem"]) == (row.background.level, row.background.sem)
        assert record["background_pixels"] == row.background.n_pixels


def test_table_of_a_part_of_a_lesion() -> None:
    data, signal = lesion(7, (100, 120))
    part = signal.copy()
    part[:, :40] = False
    cal = calibrated(data)
    table = pyicg.sensitivity_table(cal, signal=part, lesion=signal)
    whole = pyicg.sensitivity_table(cal, signal=signal)
    for row, other in zip(table.rows, whole.rows, strict=True):
        assert row.contrast == pyicg.contrast(cal, signal=part, background=row.background)
        if row.policy != "surface":  # taken under the region that it is given
            assert row.background == other.background
    assert pyicg.sensitivity_table(cal, signal=part, lesion=part) == pyicg.sensitivity_table(cal, signal=part)


def test_no_row_of_the_table_uses_what_is_excluded() -> None:
    data, signal = lesion(6, (100, 120))
    exclude = np.zeros(data.shape, bool)
    exclude[60:, :50] = True
    expected = pyicg.sensitivity_table(calibrated(data), signal=signal, exclude=exclude)
    data[exclude] = np.random.default_rng(1).normal(1e4, 1e3, int(exclude.sum()))
    found = pyicg.sensitivity_table(calibrated(data), signal=signal, exclude=exclude)
    assert found == expected
    spoilt = pyicg.sensitivity_table(calibrated(data), signal=signal)
    assert spoilt["median"].background != expected["median"].background


def test_table_of_a_frame_without_background() -> None:
    signal = np.zeros((60, 80), bool)
    signal[20:30, 20:30] = True
    dark = np.random.default_rng(3).normal(0, 5, (60, 80)) + 200 * signal
    table = pyicg.sensitivity_table(calibrated(dark), signal=signal)
    for row in table.rows:
        if row.policy != "percentile":  # its 25th percentile of noise is below zero: the same reason
            assert abs(row.background.level) < 1
        assert row.contrast.sbr.reason == "background_not_resolved"
    assert math.isnan(table.spread)
    records = json.loads(json.dumps(table.to_records()))
    assert all(math.isnan(record["sbr"]) for record in records)
    for wrong in (np.ones((60, 79), bool), np.ones((60, 80), np.uint8), [[True]]):
        for name in ("mask", "exclude", "lesion"):
            with pytest.raises(InputError, match=r"mask|exclude|lesion"):
                pyicg.sensitivity_table(calibrated(dark), signal=signal, **{name: wrong})  # type: ignore[arg-type]
