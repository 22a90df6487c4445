"""ROC curves: DeLong and Obuchowski against brute force, areas against scikit-learn, curves without end."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

from pyicg.errors import InputError
from pyicg.evaluate import AccuracyTable, compare_auc, diagnostic_accuracy, roc

from .trial_data import trial

T = trial()


def wins(r1: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return 1, 1/2 or 0 for every pair of an R1 and an R0 lesion."""
    difference = score[r1][:, np.newaxis] - score[~r1]
    return (difference > 0) + 0.5 * (difference == 0)


def delong_pairwise(r1: np.ndarray, scores: list[np.ndarray]) -> np.ndarray:
    """Return the covariance of areas from all pairs, by the definition of DeLong et al."""
    tables = [wins(r1, score) for score in scores]
    of_case = np.array([table.mean(axis=1) for table in tables])
    of_control = np.array([table.mean(axis=0) for table in tables])
    return np.atleast_2d(np.cov(of_case)) / of_case.shape[1] + np.atleast_2d(np.cov(of_control)) / of_control.shape[1]


def obuchowski_by_patient(r1: np.ndarray, score: np.ndarray, patients: np.ndarray) -> float:
    """Return the variance of the area, patient by patient as in Obuchowski 1997."""
    table = wins(r1, score)
    m, n = table.shape
    area = table.mean()
    names = np.unique(patients)
    x = np.array([(table[patients[r1] == name].mean(axis=1) - area).sum() for name in names])
    y = np.array([(table[:, patients[~r1] == name].mean(axis=0) - area).sum() for name in names])
    with_case, with_control = np.unique(patients[r1]).size, np.unique(patients[~r1]).size
    s10 = with_case / ((with_case - 1) * m) * (x**2).sum()
    s01 = with_control / ((with_control - 1) * n) * (y**2).sum()
    s11 = names.size / (names.size - 1) * (x * y).sum()
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def test_the_curve_and_its_area_are_those_of_scikit_learn() -> None:
    found = roc(T.r1, T.score)
    expected = roc_curve(T.r1, T.score, drop_intermediate=False)
    for ours, theirs in zip(
        (found.false_positive_rate, found.true_positive_rate, found.thresholds), expected, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert (found.false_positive_rate[0], found.true_positive_rate[0]) == (0, 0)
    assert (found.false_positive_rate[-1], found.true_positive_rate[-1]) == (1, 1)
    assert found.thresholds.size == np.unique(T.score).size + 1
    assert found.auc.value == pytest.approx(roc_auc_score(T.r1, T.score), rel=1e-12)
    assert np.trapezoid(found.true_positive_rate, found.false_positive_rate) == pytest.approx(found.auc.value)


def test_delong_against_all_pairs() -> None:
    found = roc(T.r1, T.score)
    sigma = math.sqrt(delong_pairwise(T.r1, [T.score])[0, 0])
    assert found.auc.sigma == pytest.approx(sigma, rel=1e-12)
    assert found.auc.ci == pytest.approx((found.auc.value - 1.959964 * sigma, found.auc.value + 1.959964 * sigma))
    assert found.ci_method == "DeLong"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4)), min_size=6, max_size=25))
def test_delong_pairs_of_scores_against_all_pairs(rows: list[tuple[bool, int, int]]) -> None:
    r1, first, second = (np.array(column) for column in zip(*rows, strict=True))
    if not 2 <= r1.sum() <= r1.size - 2:
        return
    covariance = delong_pairwise(r1, [first, second])
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    found = compare_auc(r1, first, second)
    assert found.difference.value == pytest.approx(wins(r1, first).mean() - wins(r1, second).mean(), abs=1e-12)
    if variance < 1e-12:
        assert found.difference.reason == "too_few_cases"
        assert math.isnan(found.p_value)
    else:
        assert found.difference.sigma == pytest.approx(math.sqrt(variance), rel=1e-6)
        assert found.p_value == pytest.approx(2 * norm.sf(abs(found.difference.value) / math.sqrt(variance)))


def test_the_sign_as_a_score_is_the_table() -> None:
    r1, sign = np.repeat([1, 1, 0, 0], [32, 21, 27, 236]), np.repeat([1, 0, 1, 0], [32, 21, 27, 236])
    found, table = roc(r1, sign), diagnostic_accuracy(r1, sign)
    assert found.auc.value == pytest.approx(balanced_accuracy_score(r1, sign), rel=1e-12)
    assert found.auc.value == pytest.approx(table.auc.value, rel=1e-12)
    assert found.auc.sigma == pytest.approx(table.auc.sigma, rel=1e-12)
    assert [round(bound, 3) for bound in found.auc.ci] == [0.682, 0.820]
    assert [round(bound, 3) for bound in found.auc_nonparametric_ci] == [0.668, 0.833]
    assert found.auc_nonparametric_ci == pytest.approx(table.auc_nonparametric_ci, rel=1e-12)


def test_nonparametric_standard_error_against_triples() -> None:
    rng = np.random.default_rng(8)
    r1, score = np.repeat([True, False], [9, 12]), rng.integers(0, 6, 21).astype(float)
    case, control = score[r1], score[~r1]

    def both_right(one: float, pair: tuple[float, float], sign: int) -> float:
        apart = [sign * (one - other) for other in pair]  # > 0: on the right side; equal ones in random order
        if min(apart) < 0:
            return 0.0
        return {0: 1.0, 1: 0.5, 2: 1 / 3}[apart.count(0)]

    q1 = np.mean([both_right(y, (a, b), -1) for y in control for a in case for b in case])
    q2 = np.mean([both_right(x, (a, b), 1) for x in case for a in control for b in control])
    area = wins(r1, score).mean()
    variance = (area * (1 - area) + 8 * (q1 - area**2) + 11 * (q2 - area**2)) / (9 * 12)
    low, high = roc(r1, score).auc_nonparametric_ci
    assert (high - low) / 2 / 1.959963984540054 == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_obuchowski_patient_by_patient_and_as_delong() -> None:
    clustered = roc(T.r1, T.score, groups=T.patients)
    assert clustered.auc.sigma == pytest.approx(math.sqrt(obuchowski_by_patient(T.r1, T.score, T.patients)), rel=1e-12)
    assert clustered.ci_method == "Obuchowski over 120 patients"
    plain, single = roc(T.r1, T.score), roc(T.r1, T.score, groups=range(T.r1.size))
    assert single.auc.sigma == pytest.approx(plain.auc.sigma, rel=1e-12)
    assert clustered.auc.value == plain.auc.value
    copies = roc(np.tile(T.r1, 3), np.tile(T.score, 3), groups=np.tile(np.arange(T.r1.size), 3))
    assert copies.auc.sigma == pytest.approx(plain.auc.sigma, rel=1e-9)  # copies carry no information


def test_obuchowski_against_a_bootstrap_over_patients() -> None:
    rng = np.random.default_rng(1)
    rows = [np.flatnonzero(T.patients == patient) for patient in range(120)]
    first, second = T.score, T.sign.astype(float)
    draws = [np.concatenate([rows[i] for i in rng.integers(0, 120, 120)]) for _ in range(600)]
    areas = np.array([[wins(T.r1[draw], score[draw]).mean() for score in (first, second)] for draw in draws])
    found = compare_auc(T.r1, first, second, groups=T.patients)
    assert found.first.sigma == pytest.approx(areas[:, 0].std(), rel=0.1)
    assert found.second.sigma == pytest.approx(areas[:, 1].std(), rel=0.1)
    assert found.difference.sigma == pytest.approx((areas[:, 0] - areas[:, 1]).std(), rel=0.1)


def test_intervals_stay_inside() -> None:
    r1 = np.repeat([True, False], [8, 12])
    score = np.concatenate([[3.0, 5, 6, 7, 8, 9, 10, 11], np.arange(12) / 3])
    for found in (roc(r1, score), roc(r1, score, groups=np.arange(20) // 2), roc(r1, -score)):
        assert 0 < found.auc.ci[0] < found.auc.value < found.auc.ci[1] < 1
        assert found.ci_method.endswith("on the logit scale, for the plain interval leaves [0, 1]")
        assert 0 < found.auc_nonparametric_ci[0] < found.auc_nonparametric_ci[1] < 1


def test_roc_without_an_answer() -> None:
    perfect = roc([0, 0, 1, 1], [1, 2, 3, 4])
    assert (perfect.auc.value, perfect.auc.reason) == (1.0, "too_few_cases")
    assert math.isnan(perfect.auc.ci[0])
    assert math.isnan(perfect.auc_nonparametric_ci[0])
    one_class = roc([0, 0, 0], [1, 2, 3])
    assert (one_class.auc.reason, one_class.auc_nonparametric_ci[0]) == (
        "too_few_cases",
        pytest.approx(math.nan, nan_ok=True),
    )
    assert np.isnan(one_class.true_positive_rate).all()
    lonely = roc([1, 0, 0], [2, 1, 3])
    assert (lonely.auc.value, lonely.auc.reason) == (0.5, "too_few_cases")
    constant = roc([0, 1, 0, 1], [1, 1, 1, 1])
    assert (constant.auc.value, constant.auc.reason) == (0.5, "too_few_cases")
    same = compare_auc(T.r1, T.score, T.score)
    assert (same.difference.value, same.difference.reason) == (0.0, "too_few_cases")
    assert math.isnan(same.p_value)


def test_roc_refuses() -> None:
    for score, message in (
        ([1, 2, math.nan], r"1 values that are not finite \(the first at \[2\]\)"),
        ([1, 2], "score has 2 values, expected 3"),
        (["a", "b", "c"], r"dtype <U1, expected finite numbers"),
        ([[1], [2], [3]], "one value per lesion"),
        ([[1], [2, 3]], "rows of unequal length"),
    ):
        with pytest.raises(InputError, match=message):
            roc([1, 0, 0], score)
    with pytest.raises(InputError, match="second has 2 values"):
        compare_auc([1, 0, 0], [1, 2, 3], [1, 2])
    with pytest.raises(InputError, match="1 patient"):
        roc([1, 0], [1, 2], groups=["a", "a"])


def test_without_scikit_learn_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(InputError, match=r"roc needs scikit-learn: pip install 'pyicg\[trial\]'"):
        roc(T.r1, T.score)
    assert compare_auc(T.r1, T.score, T.sign.astype(float)).first.value == pytest.approx(wins(T.r1, T.score).mean())
    assert AccuracyTable.from_counts(tp=32, fn=21, fp=27, tn=236).tp == 32
