"""Accuracy, paired change, reweighting, decision curve, learning curve, calibration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact, mannwhitneyu

from pyicg.errors import InputError
from pyicg.evaluate import (
    AccuracyTable,
    calibration,
    decision_curve,
    diagnostic_accuracy,
    learning_curve,
    mcnemar,
    reweight,
)
from pyicg.results import Measurement

R1 = np.repeat([True, True, False, False], [32, 21, 27, 236])
SIGN = np.repeat([True, False, True, False], [32, 21, 27, 236])
FIGURES = (
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "lr_positive",
    "lr_negative",
    "dor",
    "youden",
    "auc",
)


def shown(measurement: Measurement, digits: int, ci_digits: int | None = None) -> str:
    low, high = measurement.ci
    ci_digits = digits if ci_digits is None else ci_digits
    return f"{measurement.value:.{digits}f} ({low:.{ci_digits}f}-{high:.{ci_digits}f})"


def test_mimic_table() -> None:
    table = diagnostic_accuracy(R1, SIGN)
    assert (table.tp, table.fn, table.fp, table.tn) == (32, 21, 27, 236)
    assert shown(table.sensitivity, 4, 3) == "0.6038 (0.469-0.724)"
    assert shown(table.specificity, 4, 3) == "0.8973 (0.855-0.928)"
    assert shown(table.ppv, 4, 3) == "0.5424 (0.417-0.663)"
    assert shown(table.npv, 4, 3) == "0.9183 (0.878-0.946)"
    assert shown(table.lr_positive, 2) == "5.88 (3.87-8.94)"
    assert shown(table.lr_negative, 3) == "0.442 (0.316-0.617)"
    assert f"{table.dor.value:.1f} ({table.dor.ci[0]:.2f}-{table.dor.ci[1]:.1f})" == "13.3 (6.75-26.3)"
    assert f"{table.youden.value:.3f}" == "0.501"
    assert shown(table.auc, 3) == "0.751 (0.682-0.820)"
    assert [round(bound, 3) for bound in table.auc_nonparametric_ci] == [0.668, 0.833]
    assert table.n_patients is None


def test_standard_uncertainties() -> None:
    table = diagnostic_accuracy(R1, SIGN)
    assert table.sensitivity.sigma == pytest.approx(math.sqrt(32 * 21 / 53**3), rel=1e-12)
    # Woolf: the log odds ratio has variance 1/tp + 1/fn + 1/fp + 1/tn
    assert table.dor.sigma / table.dor.value == pytest.approx(math.sqrt(1 / 32 + 1 / 21 + 1 / 27 + 1 / 236), rel=1e-9)
    assert table.lr_positive.sigma / table.lr_positive.value == pytest.approx(
        math.sqrt(1 / 32 - 1 / 53 + 1 / 27 - 1 / 263), rel=1e-9
    )
    assert table.youden.sigma == 2 * table.auc.sigma


def test_clopper_pearson() -> None:
    table = diagnostic_accuracy(R1, SIGN, ci="clopper-pearson")
    assert shown(table.sensitivity, 4, 4) == "0.6038 (0.4600-0.7355)"
    assert table.ci_method.startswith("clopper-pearson")


def test_auc_of_the_sign_is_the_mann_whitney_area() -> None:
    area = mannwhitneyu(SIGN[R1].astype(int), SIGN[~R1].astype(int)).statistic / (53 * 263)
    assert diagnostic_accuracy(R1, SIGN).auc.value == pytest.approx(area, rel=1e-12)


def test_notes_name_the_limits() -> None:
    for table in (diagnostic_accuracy(R1, SIGN), diagnostic_accuracy(R1, SIGN, groups=np.arange(316) % 201)):
        text = " ".join(table.notes)
        assert "verification bias" in text
        assert "balanced accuracy" in text
    assert "without groups the intervals are too narrow" in diagnostic_accuracy(R1, SIGN).notes[-1]


def test_bootstrap_of_single_lesion_patients_agrees_with_theory() -> None:
    plain, clustered = diagnostic_accuracy(R1, SIGN), diagnostic_accuracy(R1, SIGN, groups=range(316))
    for name in ("sensitivity", "specificity", "ppv", "npv", "auc", "youden"):
        expected, found = getattr(plain, name), getattr(clustered, name)
        assert found.value == expected.value
        assert found.sigma == pytest.approx(expected.sigma, rel=0.07)
        assert found.ci == pytest.approx(expected.ci, abs=0.02)
    assert clustered.n_patients == 316
    assert clustered.ci_method == "BCa bootstrap over patients: 2000 draws of 316 patients, seed 20240407"


def test_bootstrap_sees_the_clusters_and_repeats() -> None:
    copies = 4
    r1, sign = np.tile(R1, copies), np.tile(SIGN, copies)
    patients = np.tile(np.arange(316), copies)
    clustered = diagnostic_accuracy(r1, sign, groups=patients)
    single = diagnostic_accuracy(R1, SIGN, groups=np.arange(316))
    for name in FIGURES:  # copies of a lesion carry no information
        assert getattr(clustered, name).ci == pytest.approx(getattr(single, name).ci, rel=1e-12)
    assert diagnostic_accuracy(r1, sign).sensitivity.sigma == pytest.approx(single.sensitivity.sigma / 2, rel=0.07)
    assert diagnostic_accuracy(r1, sign, groups=patients) == clustered


def test_bootstrap_with_rare_cells() -> None:
    r1, sign = [1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0]
    table = diagnostic_accuracy(r1, sign, groups=list("aabbccdd"))
    assert table.lr_positive.value == pytest.approx(10 / 3)
    assert table.lr_positive.ci[1] == math.inf  # draws without a false positive
    assert math.isnan(table.lr_positive.sigma)
    assert "draws left a figure undefined" in table.notes[-1]
    certain = diagnostic_accuracy([1, 1, 0, 0], [1, 1, 1, 0], groups=list("aabb"))
    assert certain.sensitivity.value == 1.0
    assert certain.sensitivity.ci == pytest.approx((1 / (1 + 1.959964**2), 1.0))  # Wilson of one patient
    assert certain.specificity.reason == "too_few_cases"  # 1 of 2 in one patient shows no spread
    assert all(math.isnan(bound) for bound in certain.specificity.ci)
    assert math.isnan(certain.dor.value)


def test_empty_cells_give_reasons_not_numbers() -> None:
    table = AccuracyTable.from_counts(tp=5, fn=0, fp=3, tn=9)
    assert (table.sensitivity.value, table.sensitivity.ci[1]) == (1.0, 1.0)
    assert table.sensitivity.ci[0] == pytest.approx(0.5655, abs=1e-4)  # Wilson: n / (n + z^2)
    assert math.isnan(table.sensitivity.sigma)
    for name in ("lr_negative", "dor"):
        assert math.isnan(getattr(table, name).value)
        assert getattr(table, name).reason == "too_few_cases"
    assert (table.auc.value, table.auc.reason) == (0.875, "too_few_cases")
    assert math.isnan(table.auc.ci[0])
    assert math.isnan(table.auc_nonparametric_ci[0])
    no_r1 = AccuracyTable.from_counts(tp=0, fn=0, fp=3, tn=9)
    for name in ("sensitivity", "lr_positive", "auc", "youden"):
        assert getattr(no_r1, name).reason == "too_few_cases"
        assert math.isnan(getattr(no_r1, name).value)
    assert no_r1.specificity.value == 0.75


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 0], [1]), {}, "fluorescent has 1 values, expected 2"),
        (([], []), {}, "N >= 1"),
        (([[1]], [1]), {}, "one value per lesion"),
        (([1.0, math.nan], [1, 0]), {}, r"expected bool or integers 0 and 1: 1 are missing \(the first at \[1\]\)"),
        (([1, 0], [1, None]), {}, r"expected bool or integers 0 and 1: 1 are missing"),
        (([1.0, 0.0], [1, 0]), {}, r"r1 has dtype float64, .*convert it: np.asarray\(r1\).astype\(bool\)"),
        (([0.3, 0.0], [1, 0]), {}, "expected bool .*compare the numbers with a cut"),
        ((["R1", "R0"], [1, 0]), {}, "it holds the words 'R0', 'R1'; compare it with the one that means yes: r1 == "),
        (([[1], [1, 0]], [1, 0]), {}, "rows of unequal length"),
        (([1, 2], [1, 0]), {}, "0 and 1 only"),
        (([1, 0], [1, 0]), {"ci": "normal"}, "wilson, clopper-pearson"),
        (([1, 0], [1, 0]), {"groups": [1, 2], "ci": "clopper-pearson"}, "beside groups"),
        (([1, 0], [1, 0]), {"groups": ["a", ""]}, r"groups\[1\]"),
        (([1, 0], [1, 0]), {"groups": ["a", math.nan]}, r"groups\[1\] is nan"),
        (([1, 0], [1, 0]), {"groups": [["a"], ["b"]]}, "no list of names or numbers"),
        (([1, 0], [1, 0]), {"groups": 3}, "no list of names or numbers"),
        (([1, 0], [1, 0]), {"groups": ["a"]}, "expected 2"),
        (([1, 0], [1, 0]), {"groups": ["a", "a"]}, "1 patient"),
    ],
)
def test_diagnostic_accuracy_refuses(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        diagnostic_accuracy(*arguments, **options)


def test_from_counts_refuses() -> None:
    for counts in ((-1, 2, 3, 4), (0, 0, 0, 0), (3.5, 2, 3, 4), (True, 2, 3, 4), ("3", 2, 3, 4), (None, 2, 3, 4)):
        with pytest.raises(InputError, match="whole numbers >= 0 and at least one lesion"):
            AccuracyTable.from_counts(**dict(zip(("tp", "fn", "fp", "tn"), counts, strict=True)))  # type: ignore[arg-type]
    assert AccuracyTable.from_counts(tp=np.int64(1), fn=0, fp=0, tn=1).tp == 1


@given(*[st.integers(1, 200)] * 4)
def test_table_identities(tp: int, fn: int, fp: int, tn: int) -> None:
    table = AccuracyTable.from_counts(tp=tp, fn=fn, fp=fp, tn=tn)
    assert table.dor.value == pytest.approx(table.lr_positive.value / table.lr_negative.value, rel=1e-9)
    assert table.youden.value == pytest.approx(table.sensitivity.value + table.specificity.value - 1, abs=1e-12)
    for name in FIGURES:
        figure = getattr(table, name)
        assert figure.ci[0] < figure.value < figure.ci[1]
        assert figure.sigma > 0
    low, high = table.auc_nonparametric_ci
    assert high > low
    own = reweight(table, prevalence=(tp + fn) / (tp + fn + fp + tn))
    assert own.ppv.value == pytest.approx(table.ppv.value, rel=1e-9)
    assert own.npv.value == pytest.approx(table.npv.value, rel=1e-9)
    assert own.ppv.ci[0] < own.ppv.value < own.ppv.ci[1]
    assert own.npv.ci[0] < own.npv.value < own.npv.ci[1]


def test_re_resection() -> None:
    before = np.repeat([False, True, False], [16, 277, 24])
    after = np.repeat([True, True, False], [16, 277, 24])
    assert [round(100 * state.mean(), 1) for state in (before, after)] == [87.4, 92.4]
    test = mcnemar(before, after)
    assert (test.gained, test.lost) == (16, 0)
    assert f"{test.p_exact:.1e}" == "3.1e-05"
    assert f"{test.p_mid:.1e}" == "1.5e-05"
    assert f"{test.p_corrected:.1e}" == "1.8e-04"
    assert test.p_exact == 2 * 0.5**16


def test_mcnemar_balanced_and_without_change() -> None:
    even = mcnemar([1, 1, 0, 0], [0, 0, 1, 1])
    assert (even.p_exact, even.p_mid, even.p_corrected) == (1.0, 1.0, 1.0)
    none = mcnemar([1, 0], [1, 0])
    assert (none.p_exact, none.p_mid) == (1.0, 1.0)
    assert math.isnan(none.p_corrected)
    uneven = mcnemar([0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 0])
    assert uneven.p_exact == pytest.approx(14 / 64)
    assert uneven.p_mid == pytest.approx(8 / 64)
    assert mcnemar([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 1]).p_exact == uneven.p_exact
    with pytest.raises(InputError, match="after has 1 values"):
        mcnemar([1, 0], [1])


@pytest.mark.parametrize(
    ("prevalence", "ppv", "npv"),
    [
        (0.05, "0.236", "0.977"),
        ("mimic-overall", "0.459", "0.940"),
        ("mimic-accuracy", "0.543", "0.918"),
        (0.25, "0.662", "0.872"),
        (0.30, "0.716", "0.841"),
    ],
)
def test_reweight(prevalence: float | str, ppv: str, npv: str) -> None:
    values = reweight(diagnostic_accuracy(R1, SIGN), prevalence=prevalence)
    assert (f"{values.ppv.value:.3f}", f"{values.npv.value:.3f}") == (ppv, npv)
    pair = reweight((32 / 53, 236 / 263), prevalence=prevalence)
    assert (pair.ppv.value, pair.npv.value) == pytest.approx((values.ppv.value, values.npv.value))
    assert math.isnan(pair.ppv.ci[0])


def test_reweight_interval_is_that_of_the_likelihood_ratio() -> None:
    table = diagnostic_accuracy(R1, SIGN)
    ppv = reweight(table, prevalence=0.25).ppv
    for bound, ratio in zip(ppv.ci, table.lr_positive.ci, strict=True):
        assert bound / (1 - bound) == pytest.approx(ratio / 3, rel=1e-9)


def test_reweight_edges() -> None:
    perfect = reweight((1.0, 1.0), prevalence=0.1)
    assert (perfect.ppv.value, perfect.npv.value) == (1.0, 1.0)
    never = reweight((0.0, 1.0), prevalence=0.1)
    assert math.isnan(never.ppv.value)
    assert never.ppv.reason == "too_few_cases"
    assert never.npv.value == pytest.approx(0.9)
    no_false_positive = reweight(AccuracyTable.from_counts(tp=5, fn=2, fp=0, tn=9), prevalence=0.1)
    assert (no_false_positive.ppv.value, no_false_positive.ppv.reason) == (1.0, "too_few_cases")
    rare = diagnostic_accuracy([1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0], groups=list("aabbccdd"))
    assert reweight(rare, prevalence=0.1).ppv.ci[1] == 1.0  # from an infinite ratio
    for wrong in ((1.2, 0.5), (0.5, math.nan)):
        with pytest.raises(InputError, match=r"expected both in \[0, 1\]"):
            reweight(wrong, prevalence=0.1)
    with pytest.raises(InputError, match=r"expected both in \[0, 1\]"):
        reweight(AccuracyTable.from_counts(tp=0, fn=0, fp=1, tn=1), prevalence=0.1)
    for prevalence in (0.0, [0.1], None, True, "mimic"):
        with pytest.raises(InputError, match="prevalence"):
            reweight((0.6, 0.9), prevalence=prevalence)  # type: ignore[arg-type]
    for pair in (0.6, (0.6,), (0.6, 0.9, 0.1), ("a", "b"), None):
        with pytest.raises(InputError, match=r"expected a table or \(sensitivity, specificity\)"):
            reweight(pair, prevalence=0.1)  # type: ignore[arg-type]


def test_decision_curve_of_mimic() -> None:
    curve = decision_curve(diagnostic_accuracy(R1, SIGN), thresholds=[0.05, 0.2, 0.6])
    assert [round(bound, 3) for bound in curve.useful_range] == [0.082, 0.542]
    assert curve.follow_sign[1] == pytest.approx((32 - 27 / 4) / 316)
    assert curve.treat_all[1] == pytest.approx((53 - 263 / 4) / 316)
    np.testing.assert_array_equal(curve.treat_none, np.zeros(3))
    assert curve.treat_all[0] > curve.follow_sign[0]
    assert curve.follow_sign[2] < 0


@given(*[st.integers(1, 60)] * 4)
def test_useful_range_is_where_the_sign_wins(tp: int, fn: int, fp: int, tn: int) -> None:
    curve = decision_curve(AccuracyTable.from_counts(tp=tp, fn=fn, fp=fp, tn=tn))
    assert curve.thresholds.shape == (99,)
    wins = curve.follow_sign - np.maximum(curve.treat_all, 0) > 1e-12
    low, high = curve.useful_range
    inside = (curve.thresholds > low + 1e-12) & (curve.thresholds < high - 1e-12)
    np.testing.assert_array_equal(wins, inside)


@pytest.mark.parametrize("thresholds", [0.0, [0.5, 1.0], [math.nan], [[0.1]]])
def test_decision_curve_refuses(thresholds: Any) -> None:
    with pytest.raises(InputError, match="thresholds"):
        decision_curve(diagnostic_accuracy(R1, SIGN), thresholds=thresholds)


def test_learning_curve() -> None:
    # R0 lesions only: 6 of 46 false positives in the first ten procedures, 21 of 217 later
    r1 = np.repeat([0, 0, 0, 0, 1], [6, 40, 21, 196, 30])
    sign = np.repeat([1, 0, 1, 0, 1], [6, 40, 21, 196, 30])
    procedure = np.repeat([10, 1, 11, 40, 2], [6, 40, 21, 196, 30])
    curve = learning_curve(r1, sign, procedure=procedure)
    assert (curve.false_positive_early, curve.r0_early) == (6, 46)
    assert (curve.false_positive_late, curve.r0_late) == (21, 217)
    assert curve.odds_ratio.value == pytest.approx(6 * 196 / (40 * 21))
    log_se = math.sqrt(1 / 6 + 1 / 40 + 1 / 21 + 1 / 196)
    half = 1.959963984540054 * log_se
    assert np.log(curve.odds_ratio.ci) == pytest.approx([math.log(1.4) - half, math.log(1.4) + half], rel=1e-9)
    assert curve.p_value == pytest.approx(math.erfc(math.log(1.4) / log_se / math.sqrt(2)), rel=1e-9)
    assert curve.p_value == pytest.approx(fisher_exact([[6, 40], [21, 196]]).pvalue, abs=0.15)
    assert learning_curve(r1, sign, procedure=procedure, first=1).false_positive_early == 0


def test_learning_curve_edges() -> None:
    empty = learning_curve([0, 0, 0], [0, 1, 0], procedure=[1, 11, 12])
    assert math.isnan(empty.odds_ratio.value)
    assert empty.odds_ratio.reason == "too_few_cases"
    assert math.isnan(empty.p_value)
    for wrong in ([1, 2], [0, 1, 2], [1.0, 2.0, 3.0]):
        with pytest.raises(InputError, match="procedure"):
            learning_curve([0, 0, 0], [0, 1, 0], procedure=wrong)


def test_calibration_of_exact_risks() -> None:
    p = np.repeat([0.1, 0.6], [40, 20])
    r1 = np.repeat([1, 0, 1, 0], [4, 36, 12, 8])
    result = calibration(p, r1)
    assert result.brier == pytest.approx((4 * 0.81 + 36 * 0.01 + 12 * 0.16 + 8 * 0.36) / 60)
    np.testing.assert_allclose(result.expected, [0.1, 0.6])
    np.testing.assert_allclose(result.observed, [0.1, 0.6])
    assert result.count.tolist() == [40, 20]
    assert result.intercept.value == pytest.approx(0.0, abs=1e-9)
    assert result.intercept.sigma == pytest.approx(1 / math.sqrt(40 * 0.09 + 20 * 0.24), rel=1e-9)
    assert result.slope.value == pytest.approx(1.0, abs=1e-9)
    difference = math.log(9) + math.log(1.5)  # of the two logits; Woolf gives the variance of the log odds ratio
    woolf = 1 / 4 + 1 / 36 + 1 / 12 + 1 / 8
    assert result.slope.sigma == pytest.approx(math.sqrt(woolf) / difference, rel=1e-6)
    assert result.slope.ci == pytest.approx(
        (1 - 1.95996 * result.slope.sigma, 1 + 1.95996 * result.slope.sigma), rel=1e-4
    )


def test_calibration_finds_overfitting_and_shift() -> None:
    rng = np.random.default_rng(5)
    logit = rng.normal(-1.0, 1.2, 20_000)
    r1 = rng.random(20_000) < 1 / (1 + np.exp(-logit))
    overfitted = calibration(1 / (1 + np.exp(-2 * logit)), r1)
    assert overfitted.slope.value == pytest.approx(0.5, abs=0.02)
    assert overfitted.slope.ci[0] < 0.5 < overfitted.slope.ci[1]
    shifted = calibration(1 / (1 + np.exp(-(logit - 0.7))), r1)
    assert shifted.intercept.value == pytest.approx(0.7, abs=0.05)
    assert shifted.slope.value == pytest.approx(1.0, abs=0.05)
    assert int(shifted.count.sum()) == 20_000


def test_calibration_intervals_over_patients() -> None:
    p = np.repeat([0.1, 0.6], [40, 20])
    r1 = np.repeat([1, 0, 1, 0], [4, 36, 12, 8])
    single = calibration(p, r1, groups=range(60))
    copies = calibration(np.tile(p, 3), np.tile(r1, 3), groups=np.tile(np.arange(60), 3))
    assert copies.slope.sigma == pytest.approx(single.slope.sigma, rel=1e-6)
    assert copies.intercept.sigma == pytest.approx(single.intercept.sigma, rel=1e-6)
    assert single.slope.sigma == pytest.approx(calibration(p, r1).slope.sigma * math.sqrt(60 / 59), rel=1e-6)


@pytest.mark.parametrize(
    ("p", "r1", "intercept_reason", "slope_reason"),
    [
        ([0.0, 0.5, 0.7], [0, 1, 0], "out_of_range", "out_of_range"),
        ([0.2, 0.5, 1.0], [0, 1, 0], "out_of_range", "out_of_range"),
        ([0.2, 0.5, 0.7], [0, 0, 0], "too_few_cases", "too_few_cases"),
        ([0.3, 0.3, 0.3], [0, 1, 0], None, "too_few_cases"),
        ([0.2, 0.5, 0.7], [0, 0, 1], None, "too_few_cases"),
        ([0.2, 0.5, 0.7], [1, 0, 0], None, "too_few_cases"),
    ],
)
def test_calibration_without_a_fit(
    p: list[float], r1: list[int], intercept_reason: str | None, slope_reason: str
) -> None:
    result = calibration(p, r1)
    assert (result.intercept.reason, result.slope.reason) == (intercept_reason, slope_reason)
    assert math.isnan(result.slope.value)
    assert result.brier == pytest.approx(np.mean((np.array(p) - r1) ** 2))
    assert result.count.sum() == 3


def test_calibration_bins_and_refusals() -> None:
    whole = calibration([0.0, 0.5, 1.0], [0, 1, 1], bins=1)
    assert (whole.expected.tolist(), whole.count.tolist()) == ([0.5], [3])
    assert whole.observed == pytest.approx([2 / 3])
    for p, bins in (([0.2, math.nan], 10), ([0.2, 1.1], 10), ([0.2], 10), ([0.2, 0.3], 0)):
        with pytest.raises(InputError, match="expected"):
            calibration(p, [0, 1], bins=bins)
