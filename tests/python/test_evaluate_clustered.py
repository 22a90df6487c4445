"""Intervals over patients: the bootstrap against scipy, GEE against statsmodels, the edges, and the coverage."""

from __future__ import annotations

import math
import re
import sys

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import bootstrap, t
from statsmodels.stats.proportion import proportion_confint

from pyicg.accuracy import AccuracyTable
from pyicg.clustered import DRAWS, SEED, gee, resample, sums_by_patient
from pyicg.errors import InputError
from pyicg.evaluate import compare_centres, diagnostic_accuracy, learning_curve, reweight

from . import scripts
from .trial_data import trial

T = trial()
OF_ALL = {
    "sensitivity": (T.r1, T.sign),
    "specificity": (~T.r1, ~T.sign),
    "ppv": (T.sign, T.r1),
    "npv": (~T.sign, ~T.r1),
}


@pytest.mark.parametrize("name", OF_ALL)
def test_bca_is_that_of_scipy_on_the_same_draws(name: str) -> None:
    which, outcome = OF_ALL[name]
    sums = sums_by_patient(np.column_stack([which & outcome, which]), T.patients)

    def share(rows: np.ndarray, axis: int = -1) -> np.ndarray:
        return sums[rows, 0].sum(axis=axis) / sums[rows, 1].sum(axis=axis)

    expected = bootstrap(
        (np.arange(len(sums)),), share, n_resamples=DRAWS, vectorized=True, rng=np.random.default_rng(SEED)
    )
    found = getattr(diagnostic_accuracy(T.r1, T.sign, groups=T.patients), name)
    assert found.ci == pytest.approx(tuple(expected.confidence_interval), rel=1e-12)
    assert found.sigma == pytest.approx(expected.standard_error, rel=1e-12)


@pytest.mark.parametrize("name", OF_ALL)
def test_gee_is_that_of_statsmodels(name: str) -> None:
    which, outcome = OF_ALL[name]
    model = sm.GEE(
        outcome[which].astype(float),
        np.ones((which.sum(), 1)),
        groups=T.patients[which],
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    )
    fitted = model.fit(cov_type="bias_reduced")
    half = t.ppf(0.975, np.unique(T.patients[which]).size - 1) * fitted.bse[0]
    found = getattr(diagnostic_accuracy(T.r1, T.sign, groups=T.patients, ci="gee"), name)
    p = 1 / (1 + math.exp(-fitted.params[0]))
    assert found.value == pytest.approx(p, rel=1e-9)
    assert found.sigma == pytest.approx(p * (1 - p) * fitted.bse[0], rel=1e-9)
    assert np.log(np.array(found.ci) / (1 - np.array(found.ci))) == pytest.approx(
        [fitted.params[0] - half, fitted.params[0] + half], rel=1e-9
    )


def test_gee_says_what_is_whose() -> None:
    by_bca, by_gee = (diagnostic_accuracy(T.r1, T.sign, groups=T.patients, ci=ci) for ci in ("bca", "gee"))
    assert by_gee.dor == by_bca.dor
    assert by_gee.auc == by_bca.auc
    assert by_gee.ci_method.startswith("GEE (exchangeable, else independent; bias-reduced covariance")
    assert "differ from the counts" in by_gee.notes[-1]
    assert diagnostic_accuracy(T.r1, T.sign, groups=T.patients) == by_bca  # the default
    assert reweight(by_gee, prevalence=0.1) == reweight(by_bca, prevalence=0.1)  # from the counts


def test_gee_of_one_lesion_to_a_patient_has_no_clusters() -> None:
    outcome = np.repeat([True, False], [12, 28])
    fit = gee(outcome, np.arange(40), caller="test")
    # Bias reduction: each squared residual is divided by (1 - 1/n)^2 of an intercept.
    assert fit.coefficients[0] == pytest.approx(math.log(12 / 28))
    assert fit.covariance[0, 0] == pytest.approx(1 / (40 * 0.3 * 0.7) / (1 - 1 / 40) ** 2, rel=1e-6)
    assert fit.freedom == 39


def test_gee_with_opposites_in_every_patient_falls_back_on_independence() -> None:
    outcome, patients = np.array([1, 0, 1, 0, 1, 0, 1, 1], dtype=bool), np.repeat(np.arange(4), 2)
    fit = gee(outcome, patients, caller="test")
    assert 1 / (1 + math.exp(-fit.coefficients[0])) == pytest.approx(5 / 8)
    # Sandwich: of the four patients' residual sums only the last is not -.25.
    p, residuals = 5 / 8, np.array([-0.25, -0.25, -0.25, 0.75])
    reduced = residuals / (1 - 2 / 8)
    assert fit.covariance[0, 0] == pytest.approx((reduced**2).sum() / (8 * p * (1 - p)) ** 2, rel=1e-6)


@pytest.mark.parametrize("ci", ["wilson", "gee"])
def test_proportions_of_one_count_patients(ci: str) -> None:
    # 20 of 20 R1 lesions in 8 patients, 20 of 20 R0 lesions in 5
    r1, sign = np.repeat([True, False], 20), np.repeat([True, False], 20)
    patients = np.concatenate([np.arange(20) % 8, 8 + np.arange(20) % 5])
    table = diagnostic_accuracy(r1, sign, groups=patients, ci=ci)
    for name, n in (("sensitivity", 8), ("ppv", 8), ("specificity", 5), ("npv", 5)):
        found = getattr(table, name)
        assert found.value == 1.0
        assert found.ci == pytest.approx(proportion_confint(n, n, method="wilson"), abs=1e-12)
        assert math.isnan(found.sigma)
        assert found.reason is None
    for name in ("lr_negative", "dor", "auc", "youden"):
        found = getattr(table, name)
        assert found.reason == "too_few_cases"
        assert math.isnan(found.ci[0])
    assert any("patients in place of lesions" in note for note in table.notes)


def test_a_figure_that_stands_on_one_patient_has_no_interval() -> None:
    r1 = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0], dtype=bool)
    sign = np.array([1, 1, 0, 0, 1, 0, 0, 1, 0], dtype=bool)
    patients = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3])
    for ci in ("bca", "gee"):
        table = diagnostic_accuracy(r1, sign, groups=patients, ci=ci)
        assert table.sensitivity.value == pytest.approx(2 / 3)
        assert table.sensitivity.reason == "too_few_cases"
        assert math.isnan(table.sensitivity.ci[0])
        assert table.specificity.reason is None
    no_r1 = diagnostic_accuracy(np.zeros(9, bool), sign, groups=patients)
    assert no_r1.sensitivity.reason == "too_few_cases"
    assert math.isnan(no_r1.sensitivity.value)
    assert no_r1.specificity.value == pytest.approx(5 / 9)


def test_undefined_draws_are_left_out_and_counted() -> None:
    # R1 in 2 of 6 patients: (4/6)^6 of the draws have none, 176 of 2000 on average
    r1 = np.repeat([True, False], [4, 8])
    sign = np.array([1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1], dtype=bool)
    patients = np.repeat(np.arange(6), 2)
    drawn = resample(sums_by_patient(np.column_stack([r1 & sign, r1]), patients), lambda s: s[..., :1] / s[..., 1:])
    count = int(drawn.undefined()[0])
    assert count == pytest.approx(2000 * (4 / 6) ** 6, abs=40)
    table = diagnostic_accuracy(r1, sign, groups=patients)
    found = [re.search(r"at most (\d+) of 2000 draws", note) for note in table.notes]
    assert count < max(int(match.group(1)) for match in found if match) < 1000  # 0/0 of the DOR is more frequent
    assert table.sensitivity.ci[0] < 0.75 < table.sensitivity.ci[1]


def test_draws_in_parts_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = sums_by_patient(np.column_stack([T.r1, np.ones(T.r1.size)]), T.patients)
    whole = resample(sums, lambda s: s[..., :1] / s[..., 1:])
    monkeypatch.setattr("pyicg.clustered._CHUNK", 100 * len(sums))
    np.testing.assert_array_equal(resample(sums, lambda s: s[..., :1] / s[..., 1:]).draws, whole.draws)


def test_ci_and_groups_have_to_fit() -> None:
    for ci in ("bca", "gee"):
        with pytest.raises(InputError, match="without groups"):
            diagnostic_accuracy([1, 0], [1, 0], ci=ci)
    with pytest.raises(InputError, match="beside groups"):
        diagnostic_accuracy([1, 0], [1, 0], groups=[1, 2], ci="clopper-pearson")


def test_without_statsmodels_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.api", None)
    assert diagnostic_accuracy(T.r1, T.sign, groups=T.patients).n_patients == 120
    with pytest.raises(InputError, match=r"ci='gee' needs statsmodels: pip install 'pyicg\[trial\]'"):
        diagnostic_accuracy(T.r1, T.sign, groups=T.patients, ci="gee")
    procedure = np.where(np.arange(T.r1.size) % 2 == 0, 1, 20)
    with pytest.raises(InputError, match="learning_curve with groups needs statsmodels"):
        learning_curve(T.r1, T.sign, procedure=procedure, groups=T.patients)
    with pytest.raises(InputError, match="compare_centres with groups needs statsmodels"):
        compare_centres(T.r1, T.sign, centre=T.patients % 2, groups=T.patients)


def test_area_of_a_small_table_stays_below_one() -> None:
    table = AccuracyTable.from_counts(tp=20, fn=1, fp=1, tn=20)
    area, sigma = table.auc.value, table.auc.sigma
    assert area + 1.96 * sigma > 1  # the plain interval
    logit, half = math.log(area / (1 - area)), 1.959963984540054 * sigma / (area * (1 - area))
    expected = [1 / (1 + math.exp(-(logit + side * half))) for side in (-1, 1)]
    assert table.auc.ci == pytest.approx(expected, rel=1e-12)
    assert table.youden.ci == pytest.approx([2 * bound - 1 for bound in expected], rel=1e-12)
    assert "logit" in table.ci_method
    assert 0 < table.auc_nonparametric_ci[0] < area < table.auc_nonparametric_ci[1] < 1
    assert "logit" not in AccuracyTable.from_counts(tp=32, fn=21, fp=27, tn=236).ci_method


def test_coverage_on_a_slice_of_the_simulation() -> None:
    script = scripts.load("clustered_intervals")
    hits = script.coverage(script.TRIALS[0], 100, 0, seed=0)
    covered = {key: np.mean(values) for key, values in hits.items()}
    for name in script.FIGURES:
        assert 0.89 <= covered[name, "BCa"] <= 0.99
    naive = np.mean([covered[name, "naive"] for name in script.PROPORTIONS])
    assert naive < 0.91
    assert np.mean([covered[name, "BCa"] for name in script.PROPORTIONS]) > naive + 0.03


def test_gee_that_runs_away_falls_back_on_independent_lesions() -> None:
    """Small sets on which the exchangeable fit of statsmodels ends at 1 and calls itself converged."""
    y, patients = [0, 1, 0, 0, 0, 1, 0, 1], [0, 1, 1, 2, 2, 2, 3, 4]
    found = diagnostic_accuracy([1] * 8 + [0] * 4, [*y, 0, 1, 0, 0], groups=[*patients, 5, 6, 7, 8], ci="gee")
    assert found.sensitivity.value == pytest.approx(3 / 8, abs=1e-9)
    assert found.sensitivity.ci[0] < 0.15
    assert found.sensitivity.ci[1] > 0.65


def test_gee_takes_no_negative_correlation() -> None:
    """Lesions of a patient that differ more than chance would make the interval absurdly narrow."""
    y, patients = [1, 1, 0, 1, 0, 0, 0, 0, 1, 0], [0, 1, 2, 2, 2, 3, 4, 5, 5, 5]
    found = diagnostic_accuracy([1] * 10 + [0] * 4, [*y, 0, 1, 0, 0], groups=[*patients, 6, 7, 8, 9], ci="gee")
    assert found.sensitivity.value == pytest.approx(0.4, abs=1e-9)
    assert found.sensitivity.ci[0] < 0.2
    assert found.sensitivity.ci[1] > 0.7
