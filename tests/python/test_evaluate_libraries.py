"""Every method that statsmodels, scikit-learn or scipy has, beside ours."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import binomtest, fisher_exact
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, class_likelihood_ratios, precision_score, recall_score
from statsmodels.stats.contingency_tables import Table2x2
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
from statsmodels.stats.proportion import proportion_confint

from pyicg.evaluate import (
    calibration,
    change_in_management,
    diagnostic_accuracy,
    learning_curve,
    mcnemar,
)

from .trial_data import trial

T = trial()
Z95 = 1.959963984540054


@pytest.mark.parametrize(("ci", "method"), [("wilson", "wilson"), ("clopper-pearson", "beta")])
def test_proportions(ci: str, method: str) -> None:
    table = diagnostic_accuracy(T.r1, T.sign, ci=ci)
    tp, fn, fp, tn = table.tp, table.fn, table.fp, table.tn
    for found, k, n in (
        (table.sensitivity, tp, tp + fn),
        (table.specificity, tn, tn + fp),
        (table.ppv, tp, tp + fp),
        (table.npv, tn, tn + fn),
    ):
        assert found.ci == pytest.approx(proportion_confint(k, n, method=method), rel=1e-9)
    assert table.sensitivity.value == pytest.approx(recall_score(T.r1, T.sign))
    assert table.ppv.value == pytest.approx(precision_score(T.r1, T.sign))
    share = change_in_management(T.sign, ci=ci)
    assert share.share.ci == pytest.approx(proportion_confint(T.sign.sum(), T.sign.size, method=method), rel=1e-9)


def test_likelihood_ratios() -> None:
    table = diagnostic_accuracy(T.r1, T.sign)
    positive, negative = class_likelihood_ratios(T.r1, T.sign)
    assert (table.lr_positive.value, table.lr_negative.value) == pytest.approx((positive, negative))


def test_odds_ratio() -> None:
    table = diagnostic_accuracy(T.r1, T.sign)
    expected = Table2x2([[table.tp, table.fn], [table.fp, table.tn]])
    assert table.dor.value == pytest.approx(expected.oddsratio)
    assert table.dor.ci == pytest.approx(expected.oddsratio_confint(), rel=1e-9)
    assert table.dor.sigma == pytest.approx(expected.oddsratio * expected.log_oddsratio_se, rel=1e-9)


@pytest.mark.parametrize(("gained", "lost"), [(16, 0), (7, 2), (1, 9), (4, 4), (1, 0)])
def test_mcnemar(gained: int, lost: int) -> None:
    before = np.repeat([False, True, True, False], [gained, lost, 20, 10])
    after = np.repeat([True, False, True, False], [gained, lost, 20, 10])
    found = mcnemar(before, after, groups=range(before.size))
    cells = [[20, lost], [gained, 10]]
    assert found.p_exact == pytest.approx(sm_mcnemar(cells, exact=True).pvalue)
    assert found.p_exact == pytest.approx(binomtest(gained, gained + lost).pvalue)
    n, fewer = gained + lost, min(gained, lost)
    below = sum(math.comb(n, k) for k in range(fewer))
    assert found.p_mid == pytest.approx((2 * below + math.comb(n, fewer)) / 2**n, rel=1e-12)
    if gained != lost:
        assert found.p_corrected == pytest.approx(sm_mcnemar(cells, exact=False, correction=True).pvalue)
    else:  # statsmodels squares |b - c| - 1 = -1
        assert found.p_corrected == 1.0
    assert found.p_clustered == pytest.approx(sm_mcnemar(cells, exact=False, correction=False).pvalue)


def test_learning_curve_of_independent_lesions_is_a_logistic_regression() -> None:
    procedure = np.where(np.arange(T.r1.size) % 3 == 0, 4, 14)
    found = learning_curve(T.r1, T.sign, procedure=procedure)
    r0 = ~T.r1
    fitted = sm.Logit(T.sign[r0].astype(float), sm.add_constant((procedure[r0] <= 10).astype(float))).fit(disp=0)
    assert found.odds_ratio.value == pytest.approx(math.exp(fitted.params[1]), rel=1e-6)
    assert np.log(found.odds_ratio.ci) == pytest.approx(fitted.conf_int()[1], rel=1e-5)
    assert found.p_value == pytest.approx(fitted.pvalues[1], rel=1e-5)


def test_learning_curve_over_patients_is_gee() -> None:
    procedure = np.where(T.patients % 3 == 0, 4, 14)
    found = learning_curve(T.r1, T.sign, procedure=procedure, groups=T.patients)
    r0 = ~T.r1
    fitted = sm.GEE(
        T.sign[r0].astype(float),
        sm.add_constant((procedure[r0] <= 10).astype(float)),
        groups=T.patients[r0],
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    ).fit(cov_type="bias_reduced")
    assert found.odds_ratio.value == pytest.approx(math.exp(fitted.params[1]), rel=1e-9)
    assert found.odds_ratio.sigma == pytest.approx(math.exp(fitted.params[1]) * fitted.bse[1], rel=1e-9)
    assert abs(found.p_value - fitted.pvalues[1]) < 0.01  # Student's t beside the normal
    assert found.odds_ratio.ci[0] < math.exp(fitted.conf_int()[1, 0])
    assert found.method.startswith("GEE")
    independent = learning_curve(T.r1, T.sign, procedure=procedure)
    assert (found.false_positive_early, found.r0_late) == (independent.false_positive_early, independent.r0_late)
    assert independent.p_value == pytest.approx(
        fisher_exact(
            [
                [independent.false_positive_early, independent.r0_early - independent.false_positive_early],
                [independent.false_positive_late, independent.r0_late - independent.false_positive_late],
            ]
        ).pvalue,
        abs=0.2,
    )


def risks() -> np.ndarray:
    return 1 / (1 + np.exp(1.5 - 0.7 * T.score))


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("bins", [4, 10])
def test_calibration_curve(strategy: str, bins: int) -> None:
    for p in (risks(), np.round(risks(), 1)):  # the second lies on the edges
        found = calibration(p, T.r1, bins=bins, strategy=strategy)
        observed, expected = calibration_curve(T.r1, p, n_bins=bins, strategy=strategy)
        assert found.observed == pytest.approx(observed, rel=1e-12)
        assert found.expected == pytest.approx(expected, rel=1e-12)
        assert found.count.sum() == T.r1.size
        assert found.brier == pytest.approx(brier_score_loss(T.r1, p), rel=1e-12)
        for share, n, ci in zip(found.observed, found.count, found.observed_ci, strict=True):
            assert ci == pytest.approx(proportion_confint(round(share * n), n, method="wilson"), abs=1e-12)


def test_calibration_slope_and_intercept() -> None:
    p, y = risks(), T.r1.astype(float)
    logit = np.log(p / (1 - p))
    shift = sm.GLM(y, np.ones((y.size, 1)), family=sm.families.Binomial(), offset=logit)
    line = sm.GLM(y, sm.add_constant(logit), family=sm.families.Binomial())
    plain = calibration(p, T.r1)
    for found, fitted, column in ((plain.intercept, shift.fit(), 0), (plain.slope, line.fit(), 1)):
        assert found.value == pytest.approx(fitted.params[column], rel=1e-6)
        assert found.sigma == pytest.approx(fitted.bse[column], rel=1e-5)
        assert found.ci == pytest.approx(fitted.conf_int()[column], abs=1e-5)
    clustered = calibration(p, T.r1, groups=T.patients)
    patients = np.unique(T.patients).size
    options = {"cov_type": "cluster", "cov_kwds": {"groups": T.patients, "use_correction": False}}
    for found, model, column in ((clustered.intercept, shift, 0), (clustered.slope, line, 1)):
        fitted = model.fit(**options)
        assert found.value == pytest.approx(fitted.params[column], rel=1e-6)
        assert found.sigma == pytest.approx(fitted.bse[column] * math.sqrt(patients / (patients - 1)), rel=1e-5)


def test_observed_to_expected() -> None:
    p = risks()
    found = calibration(p, T.r1).observed_to_expected
    observed, n = int(T.r1.sum()), T.r1.size
    # The delta method of log O for a binomial O; Debray et al., BMJ 356 (2017) i6460.
    sigma = math.sqrt((1 - observed / n) / observed)
    assert found.value == pytest.approx(observed / p.sum())
    assert np.log(found.ci) == pytest.approx([math.log(found.value) - Z95 * sigma, math.log(found.value) + Z95 * sigma])
    # With patients: the intercept-only GLM with clustered covariance, carried to log O.
    fitted = sm.GLM(T.r1.astype(float), np.ones((n, 1)), family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": T.patients, "use_correction": False}
    )
    sigma = fitted.bse[0] * (1 - observed / n) * math.sqrt(120 / 119)
    clustered = calibration(p, T.r1, groups=T.patients).observed_to_expected
    assert clustered.sigma / clustered.value == pytest.approx(sigma, rel=1e-6)
