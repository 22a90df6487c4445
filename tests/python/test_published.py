"""The published constants: quoted figures as printed, derived ones reproduced."""

from __future__ import annotations

import dataclasses
import math
import re
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from pyicg.distance_results import Distance
from pyicg.errors import InputError
from pyicg.evaluate import AccuracyTable, mcnemar
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


def test_quotations_agree_with_the_numbers() -> None:
    assert (MIMIC.design, MIMIC.recruited) == ("prospective, single arm", ("2018-09", "2021-06"))
    assert (MIMIC.men, MIMIC.median_age, MIMIC.age_iqr) == (116, 65.0, (57.0, 72.0))
    assert round(100 * MIMIC.men / MIMIC.patients_analysed, 1) == 57.7
    assert (MIMIC.r0_rate_gain, MIMIC.r0_rate_gain_p) == (0.05, "< .001")
    assert round(MIMIC.r0_rate_after - MIMIC.r0_rate_before, 3) == MIMIC.r0_rate_gain
    fields = {field.name for field in dataclasses.fields(MIMIC)}
    assert set(MIMIC.quoted) <= fields
    # What is not quoted is no figure, or derived: never both.
    told_otherwise = {"citation", "doi", "quoted", "auc_ci", "age_iqr", "r0_rate_gain_p", "learning_curve_procedures"}
    assert fields - set(MIMIC.quoted) - told_otherwise == {"reconstructed_table", "reresection"}
    for field, quotation in MIMIC.quoted.items():
        assert quotation.where == "abstract"
        value = getattr(MIMIC, field)
        if isinstance(value, int | float):
            printed = float(re.findall(r"[\d.]+", quotation.text)[0])
            assert printed in (pytest.approx(value), pytest.approx(100 * value))


def test_reresection_is_reconstructed() -> None:
    change = MIMIC.reresection
    assert (change.converted, change.reverted, change.n, change.reconstructed) == (16, 0, 317, True)
    assert round(change.converted / change.n, 2) == MIMIC.r0_rate_gain
    test = mcnemar([False] * 16 + [True] * 301, [True] * 317)
    assert (test.gained, test.lost) == (change.converted, change.reverted)


def test_what_no_paper_prints_is_called_derived() -> None:
    assert set(RatioEstimate.derived) == {"log_se", "p_value"}
    assert all(isinstance(getattr(RatioEstimate, name), property) for name in RatioEstimate.derived)


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
    assert (PERRIN.salvage_p, PERRIN.where) == ("< .001", "abstract")
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
    with pytest.raises(InputError, match="margin_mm is '1 mm'"):
        PERRIN.group("1 mm")  # type: ignore[arg-type]


def test_group_probabilities() -> None:
    norm = NormalDist(1.2, 0.4)
    below = [norm.cdf(edge) for edge in (0.0, 1.0, 10.0)]
    dist = Distance(1.2, 0.4, (0.4, 2.0), 1.3, (0.0, 0.0, 0.0))
    expected = [below[0], below[1] - below[0], below[2] - below[1], 1 - below[2]]
    found = PERRIN.group_probabilities(dist)
    assert list(found) == list(PERRIN.groups)
    assert list(found.values()) == pytest.approx(expected, abs=1e-12)
    few = dataclasses.replace(dist, freedom=3.0)
    assert PERRIN.group_probabilities(few)["positive"] == pytest.approx(float(t.cdf(-3.0, 3)), rel=1e-9)
    assert sum(PERRIN.group_probabilities(few).values()) == pytest.approx(1.0)


@pytest.mark.parametrize("margin_mm", [-0.2, 0.0, 0.4, 1.0, 9.95, 10.0])
def test_group_probabilities_without_spread(margin_mm: float) -> None:
    dist = Distance(margin_mm, 0.0, (margin_mm, margin_mm), margin_mm, (0.0, 0.0, 0.0))
    found = PERRIN.group_probabilities(dist)
    assert found == {group: float(group == PERRIN.group(margin_mm)) for group in PERRIN.groups}


def test_group_probabilities_at_the_door() -> None:
    for undefined in (Distance.undefined("no_plane"), Distance(2.0, math.nan, (1.0, 3.0), 2.0, (0.0,) * 3)):
        assert all(math.isnan(p) for p in PERRIN.group_probabilities(undefined).values())
    with pytest.raises(InputError, match="expected a Distance"):
        PERRIN.group_probabilities(1.2)  # type: ignore[arg-type]


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_perrin_groups_are_ordered_by_width(a: float, b: float) -> None:
    narrow, wide = sorted((a, b))
    assert PERRIN.groups.index(PERRIN.group(narrow)) <= PERRIN.groups.index(PERRIN.group(wide))


def test_prevalence() -> None:
    assert dict(PREVALENCE_PRESETS) == {"mimic-overall": 0.126, "mimic-accuracy": 0.168}
    assert round(1 - MIMIC.r0_rate_before, 3) == PREVALENCE_PRESETS["mimic-overall"]
    assert resolve_prevalence("mimic-overall") == (0.126, "preset mimic-overall")
    value, origin = resolve_prevalence("mimic-accuracy")
    assert (value, origin.split(":")[0]) == (0.168, "preset mimic-accuracy, reconstructed")
    assert round(MIMIC.reconstructed_table.r1_share, 3) == value
    assert resolve_prevalence(0.3) == (0.3, "given by the user")
    for wrong in (0.0, 1.0, -0.1, math.nan, 12.6, True, None, [0.1]):
        with pytest.raises(InputError, match=r"expected a number in \(0, 1\)"):
            resolve_prevalence(wrong)
    with pytest.raises(InputError, match="mimic-overall, mimic-accuracy"):
        resolve_prevalence("mimic")
