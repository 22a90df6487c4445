"""The published constants: quoted figures as printed, derived ones reproduced."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyicg.errors import InputError
from pyicg.evaluate import AccuracyTable
from pyicg.published import MIMIC, PERRIN, PREVALENCE_PRESETS, RatioEstimate, resolve_prevalence


def test_mimic_quotes_the_paper() -> None:
    assert MIMIC.doi == "10.1001/jamanetworkopen.2024.6548"
    assert (MIMIC.centres, MIMIC.patients_enrolled, MIMIC.patients_analysed, MIMIC.lesions) == (8, 225, 201, 316)
    assert (MIMIC.dose_mg, MIMIC.hours_before_surgery, MIMIC.r1_below_mm) == (10.0, 24.0, 1.0)
    assert (MIMIC.r0_rate_before, MIMIC.r0_rate_after) == (0.874, 0.924)
    assert (MIMIC.sensitivity, MIMIC.specificity, MIMIC.ppv, MIMIC.npv) == (0.60, 0.90, 0.54, 0.92)
    assert (MIMIC.auc, MIMIC.auc_ci) == (0.751, (0.668, 0.833))
    assert (MIMIC.learning_curve, MIMIC.learning_curve_procedures) == (RatioEstimate(1.36, (0.44, 4.24)), 10)
    assert MIMIC.management_changed == 56
    assert round(100 * MIMIC.management_changed / MIMIC.patients_analysed, 1) == 27.9


def test_reconstructed_table_says_so() -> None:
    table = MIMIC.reconstructed_table
    assert (table.tp, table.fn, table.fp, table.tn, table.n) == (32, 21, 27, 236, 316)
    assert table.reconstructed is True
    assert round(table.r1_share, 3) == 0.168
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.tp = 33  # type: ignore[misc]


def test_brute_force_finds_the_one_table() -> None:
    """176 integer tables match the four rates, 26 the AUC as well, one the interval of the AUC."""
    total = np.arange(1, 317)
    hits, misses = np.meshgrid(np.arange(317), np.arange(317), indexing="ij")
    n = np.maximum(hits + misses, 1)

    def pairs(percent: int) -> np.ndarray:
        ok = (np.abs(100 * hits / n - percent) <= 0.5) & (hits + misses > 0) & (hits + misses <= total[-1])
        return np.column_stack([hits[ok], misses[ok]])

    r1, r0 = pairs(60), pairs(90)  # (tp, fn), (tn, fp)
    i, j = np.meshgrid(np.arange(len(r1)), np.arange(len(r0)), indexing="ij")
    tp, fn, tn, fp = (column.ravel().astype(float) for column in (r1[i, 0], r1[i, 1], r0[j, 0], r0[j, 1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        fits = (np.abs(100 * tp / (tp + fp) - 54) <= 0.5) & (np.abs(100 * tn / (tn + fn) - 92) <= 0.5)
    fits &= tp + fn + tn + fp <= 316
    tables = np.column_stack([tp, fn, fp, tn])[fits].astype(int)
    assert len(tables) == 176

    auc = (tables[:, 0] / tables[:, :2].sum(axis=1) + tables[:, 3] / tables[:, 2:].sum(axis=1)) / 2
    tables = tables[np.round(auc, 3) == MIMIC.auc]
    assert len(tables) == 26

    matching = []
    for tp_, fn_, fp_, tn_ in tables.tolist():
        low, high = AccuracyTable.from_counts(tp=tp_, fn=fn_, fp=fp_, tn=tn_).auc_nonparametric_ci
        if (round(low, 3), round(high, 3)) == MIMIC.auc_ci:
            matching.append((tp_, fn_, fp_, tn_))
    assert matching == [(32, 21, 27, 236)]


def test_learning_curve_is_symmetric_on_the_log_scale() -> None:
    ratio = MIMIC.learning_curve
    assert round(ratio.log_se, 3) == 0.578
    assert round(ratio.p_value, 2) == 0.59
    assert math.sqrt(ratio.ci[0] * ratio.ci[1]) == pytest.approx(ratio.value, abs=0.01)


def test_perrin_quotes_the_paper() -> None:
    assert (PERRIN.doi, PERRIN.patients, PERRIN.years) == ("10.1097/SLA.0000000000006659", 1776, (1991, 2012))
    assert PERRIN.groups == ("positive", "< 1 mm", "1-9.9 mm", ">= 10 mm")
    assert PERRIN.reference_group == ">= 10 mm"
    quoted = {
        outcome: [(ratio.value, *ratio.ci) for ratio in by_group.values()]
        for outcome, by_group in PERRIN.hazard_ratios.items()
    }
    assert quoted == {
        "initial isolated liver recurrence": [(2.21, 1.49, 3.26), (1.42, 0.84, 2.40), (1.41, 1.08, 1.84)],
        "initial recurrence at the margin": [(2.11, 1.26, 3.54), (2.99, 1.74, 5.15), (0.92, 0.62, 1.37)],
        "liver recurrence at any time": [(2.32, 1.79, 3.01), (1.72, 1.23, 2.42), (1.33, 1.11, 1.58)],
    }
    assert list(PERRIN.p_values.values()) == [".001", "< .001", "< .001"]
    assert list(PERRIN.p_values) == list(PERRIN.hazard_ratios)
    assert dict(PERRIN.incidence_3y) == {"positive": 0.70, "< 1 mm": 0.70, "1-9.9 mm": 0.57, ">= 10 mm": 0.50}
    with pytest.raises(TypeError):
        PERRIN.incidence_3y["positive"] = 0.1  # type: ignore[index]


@pytest.mark.parametrize(
    ("margin_mm", "group"),
    [
        (-3.0, "positive"),
        (0.0, "positive"),
        (1e-9, "< 1 mm"),
        (0.999, "< 1 mm"),
        (1.0, "1-9.9 mm"),
        (9.95, "1-9.9 mm"),
        (10.0, ">= 10 mm"),
        (math.inf, ">= 10 mm"),
    ],
)
def test_perrin_group(margin_mm: float, group: str) -> None:
    assert PERRIN.group(margin_mm) == group


def test_perrin_group_by_histology_and_undefined() -> None:
    assert PERRIN.group(12.0, positive=True) == "positive"
    assert PERRIN.group(math.nan, positive=True) == "positive"
    with pytest.raises(InputError, match="margin_mm is NaN"):
        PERRIN.group(math.nan)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_perrin_groups_are_ordered_by_width(a: float, b: float) -> None:
    narrow, wide = sorted((a, b))
    assert PERRIN.groups.index(PERRIN.group(narrow)) <= PERRIN.groups.index(PERRIN.group(wide))


def test_prevalence() -> None:
    assert dict(PREVALENCE_PRESETS) == {"mimic-overall": 0.126, "mimic-accuracy": 0.168}
    assert round(1 - MIMIC.r0_rate_before, 3) == PREVALENCE_PRESETS["mimic-overall"]
    assert resolve_prevalence("mimic-accuracy") == (0.168, "preset mimic-accuracy")
    assert resolve_prevalence(0.3) == (0.3, "given by the user")
    for wrong in (0.0, 1.0, -0.1, math.nan, 12.6, True):
        with pytest.raises(InputError, match=r"expected a number in \(0, 1\)"):
            resolve_prevalence(wrong)
    with pytest.raises(InputError, match="mimic-overall, mimic-accuracy"):
        resolve_prevalence("mimic")
