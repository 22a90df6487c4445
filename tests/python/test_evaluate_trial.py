"""Centres, decision curves of probabilities, paired changes of patients, change in management, limits of agreement."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import chi2, chi2_contingency, fisher_exact, nct, t

from pyicg import published
from pyicg.errors import InputError
from pyicg.evaluate import (
    AccuracyTable,
    bland_altman,
    change_in_management,
    compare_centres,
    decision_curve,
    diagnostic_accuracy,
    learning_curve,
    mcnemar,
)

from .trial_data import trial

T = trial(n_patients=240)
CENTRE = np.array(["Leiden", "Delft", "Gouda"])[T.patients % 3]
Z95 = 1.959963984540054


# Centres


def test_each_centre_has_its_table() -> None:
    found = compare_centres(T.r1, T.sign, centre=CENTRE, groups=T.patients)
    assert found.centres == ("Leiden", "Delft", "Gouda")
    for name, table in zip(found.centres, found.tables, strict=True):
        here = name == CENTRE
        assert table == diagnostic_accuracy(T.r1[here], T.sign[here], groups=T.patients[here])
        assert table.n_patients == 80
    assert sum(table.tp for table in found.tables) == int((T.r1 & T.sign).sum())


def test_heterogeneity_is_the_wald_test_of_gee() -> None:
    found = compare_centres(T.r1, T.sign, centre=CENTRE, groups=T.patients)
    design = np.column_stack([np.ones(CENTRE.size), CENTRE == "Delft", CENTRE == "Gouda"]).astype(float)
    for which, p_value in ((T.r1, found.sensitivity_p), (~T.r1, found.specificity_p)):
        fitted = sm.GEE(
            (T.sign == T.r1)[which].astype(float),
            design[which],
            groups=T.patients[which],
            family=sm.families.Binomial(),
            cov_struct=sm.cov_struct.Exchangeable(),
        ).fit(cov_type="bias_reduced")
        wald = fitted.wald_test(np.eye(3)[1:], scalar=True).statistic
        assert p_value == pytest.approx(chi2.sf(wald, 2), abs=0.02)  # F beside chi-square
        assert p_value > chi2.sf(wald, 2)
    assert "GEE" in found.method


def test_heterogeneity_without_patients() -> None:
    found = compare_centres(T.r1, T.sign, centre=CENTRE)
    counts = [[((name == CENTRE) & ~T.r1 & (T.sign == s)).sum() for s in (0, 1)] for name in found.centres]
    assert np.array(counts).min() >= 5
    assert found.specificity_p == pytest.approx(chi2_contingency(counts, correction=False).pvalue, rel=1e-12)
    # Few lesions: random tables, which come to Fisher's exact test where two centres are of the same size.
    r1 = np.ones(14, bool)
    sign = np.repeat([True, False, True, False], [6, 1, 2, 5])
    few = compare_centres(r1, sign, centre=np.repeat([1, 2], 7))
    assert few.sensitivity_p == pytest.approx(fisher_exact([[6, 1], [2, 5]]).pvalue, abs=0.012)
    assert few.sensitivity_p == compare_centres(r1, sign, centre=np.repeat([1, 2], 7)).sensitivity_p
    assert math.isnan(few.specificity_p)
    assert few.notes[0] == "specificity: centre 1 has no R0 lesion, so no P"


def test_a_real_difference_is_found() -> None:
    sign = T.sign & ~((CENTRE == "Gouda") & (T.patients % 4 != 0))
    found = compare_centres(T.r1, sign, centre=CENTRE, groups=T.patients)
    assert found.sensitivity_p < 0.02
    never = compare_centres(T.r1, T.sign & (CENTRE != "Gouda"), centre=CENTRE, groups=T.patients)
    assert never.sensitivity_p == 1e-4  # none of 9999 shuffles
    assert never.notes[0] == (
        "sensitivity: at one centre all R1 lesions have the same sign, so P is by shuffling patients"
    )
    assert never.tables[2].sensitivity.value == 0.0
    assert compare_centres(T.r1, T.sign & (CENTRE != "Gouda"), centre=CENTRE).sensitivity_p < 1e-6
    lonely = compare_centres([1, 1, 0, 0, 1, 0], [1, 0, 0, 1, 1, 0], centre=list("AAAABB"), groups=[1, 1, 1, 1, 2, 2])
    assert lonely.tables[0].sensitivity.reason == "too_few_cases"


def test_shuffled_patients_against_every_arrangement() -> None:
    # 6 patients with two R1 lesions each, alike; two of three at A are positive, none at B. Of the 20 ways to deal them
    # out, those 8 that put both positive patients at one centre are as uneven.
    groups = np.repeat(np.arange(6), 2)
    sign = np.repeat([1, 1, 0, 0, 0, 0], 2)
    found = compare_centres(np.ones(12, int), sign, centre=np.repeat(["A", "B"], 6), groups=groups)
    assert found.sensitivity_p == pytest.approx(8 / 20, abs=0.02)
    # As if independent the twelve lesions would say more.
    assert compare_centres(np.ones(12, int), sign, centre=np.repeat(["A", "B"], 6)).sensitivity_p < 0.1


def test_a_patient_of_two_centres_is_two() -> None:
    shared = compare_centres(T.r1, T.sign, centre=CENTRE, groups=T.patients // 3)
    apart = compare_centres(T.r1, T.sign, centre=CENTRE, groups=T.patients)
    assert shared.tables == apart.tables
    assert shared.sensitivity_p == pytest.approx(apart.sensitivity_p, rel=1e-9)


def test_centres_refused() -> None:
    for centre, message in (
        (["A"] * T.r1.size, "centre names 1 centre, expected at least 2"),
        (["A"], "centre has 1 values"),
        (["A", None] * (T.r1.size // 2) + ["A"] * (T.r1.size % 2), r"centre\[1\] is None"),
    ):
        with pytest.raises(InputError, match=message):
            compare_centres(T.r1, T.sign, centre=centre)


@pytest.mark.parametrize("first", [0, -1, "10", 2.5, True, None])
def test_learning_curve_refuses_first(first: Any) -> None:
    with pytest.raises(InputError, match=r"first is .*expected a whole number >= 1"):
        learning_curve([0, 0], [0, 1], procedure=[1, 2], first=first)


def test_learning_curve_with_an_empty_cell_over_patients() -> None:
    found = learning_curve([0, 0, 0], [0, 1, 0], procedure=[1, 11, 12], groups=[1, 2, 3])
    assert found.odds_ratio.reason == "too_few_cases"
    assert math.isnan(found.p_value)


# Decision curves


def net_benefit(p: np.ndarray, r1: np.ndarray, pt: float) -> float:
    """Return the mean over lesions of +1 for a true and -odds for a false positive."""
    return float(
        np.mean([(1.0 if truth else -pt / (1 - pt)) if risk >= pt else 0.0 for risk, truth in zip(p, r1, strict=True)])
    )


def test_decision_curve_of_probabilities_by_brute_force() -> None:
    p = 1 / (1 + np.exp(1.5 - T.score))
    curve = decision_curve(p, T.r1)
    for index, pt in enumerate(curve.thresholds):
        assert curve.follow_sign[index] == pytest.approx(net_benefit(p, T.r1, pt), abs=1e-12)
        assert curve.treat_all[index] == pytest.approx(net_benefit(np.ones(p.size), T.r1, pt), abs=1e-12)
    assert (curve.treat_none == 0).all()
    wins = curve.thresholds[curve.follow_sign > np.maximum(curve.treat_all, 0) + 1e-12]
    assert curve.useful_range == (wins.min(), wins.max())
    inside = ~np.isnan(curve.follow_ci[:, 0])
    assert inside[:80].all()
    assert (curve.follow_ci[inside, 0] <= curve.follow_sign[inside]).all()
    assert (curve.follow_sign[inside] <= curve.follow_ci[inside, 1]).all()


def test_decision_curve_of_the_sign_as_a_probability_is_that_of_the_table() -> None:
    table = diagnostic_accuracy(T.r1, T.sign)
    for prevalence in (None, 0.1, "mimic-overall"):
        of_table = decision_curve(table, prevalence=prevalence)
        of_sign = decision_curve(T.sign, T.r1, prevalence=prevalence, groups=T.patients)
        np.testing.assert_allclose(of_sign.follow_sign, of_table.follow_sign, atol=1e-12)
        np.testing.assert_allclose(of_sign.treat_all, of_table.treat_all, atol=1e-12)
        low, high = of_table.useful_range
        assert of_sign.useful_range == pytest.approx((math.ceil(100 * low) / 100, math.floor(100 * high) / 100))
        assert np.isnan(of_table.follow_ci).all()
    p = np.where(T.sign, table.ppv.value, 1 - table.npv.value)
    assert decision_curve(p, T.r1, thresholds=[0.2]).follow_sign == pytest.approx(
        decision_curve(table, thresholds=0.2).follow_sign
    )


def test_decision_curve_at_another_prevalence() -> None:
    mimic = AccuracyTable.from_counts(tp=32, fn=21, fp=27, tn=236)
    at_own = decision_curve(mimic, prevalence=53 / 316)
    np.testing.assert_allclose(at_own.follow_sign, decision_curve(mimic).follow_sign, atol=1e-12)
    assert [round(bound, 3) for bound in at_own.useful_range] == [0.082, 0.542]
    low, high = decision_curve(mimic, prevalence="mimic-overall").useful_range
    assert (f"{1 - low:.3f}", f"{high:.3f}") == ("0.940", "0.459")  # NPV and PPV at .126
    curve = decision_curve(mimic, thresholds=[0.2], prevalence=0.3)
    assert curve.follow_sign[0] == pytest.approx(32 / 53 * 0.3 - 27 / 263 * 0.7 / 4)
    assert curve.treat_all[0] == pytest.approx(0.3 - 0.7 / 4)


def test_net_benefit_over_patients_is_wider_than_over_lesions() -> None:
    copies = [np.tile(column, 3) for column in (T.sign, T.r1)]
    single = decision_curve(T.sign, T.r1, thresholds=[0.2])
    clustered = decision_curve(copies[0], copies[1], thresholds=[0.2], groups=np.tile(np.arange(T.r1.size), 3))
    np.testing.assert_allclose(clustered.follow_ci, single.follow_ci, atol=1e-12)
    benefit = np.where(T.sign, np.where(T.r1, 1.0, -0.25), 0.0)
    half = Z95 * benefit.std(ddof=1) / math.sqrt(benefit.size)
    assert single.follow_ci[0] == pytest.approx([benefit.mean() - half, benefit.mean() + half], abs=0.006)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([0.1, 0.2],), {}, "r1 is missing"),
        ((AccuracyTable.from_counts(tp=1, fn=1, fp=1, tn=1), [1, 0]), {}, "beside r1"),
        ((AccuracyTable.from_counts(tp=1, fn=1, fp=1, tn=1),), {"groups": [1, 2]}, "beside r1 or groups"),
        (([0.1, 1.2], [1, 0]), {}, "expected risks in 0-1"),
        (([0.1, math.nan], [1, 0]), {}, "not finite"),
        (([0.1, 0.2, 0.3], [1, 0]), {}, "p has 3 values, expected 2"),
        (([0.1, 0.2], [1, 0]), {"thresholds": ["a"]}, "thresholds"),
        (([0.1, 0.2], [1, 0]), {"thresholds": []}, "thresholds"),
        (([0.1, 0.2], [0, 0]), {"prevalence": 0.1}, "expected some of both"),
        (([0.1, 0.2], [1, 0]), {"prevalence": [0.1]}, "prevalence"),
        ((0.6,), {}, "r1 is missing"),
    ],
)
def test_decision_curve_refuses(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decision_curve(*arguments, **options)


def test_a_useless_sign_has_no_range() -> None:
    for counts in ({"tp": 2, "fn": 8, "fp": 20, "tn": 5}, {"tp": 0, "fn": 3, "fp": 0, "tn": 9}):
        assert all(math.isnan(bound) for bound in decision_curve(AccuracyTable.from_counts(**counts)).useful_range)
    assert np.isnan(decision_curve([0.3, 0.4], [0, 1], thresholds=[0.5]).follow_ci).all()  # nobody is treated


# Paired changes and change in management


@pytest.mark.parametrize(
    ("cells", "low", "high"),  # Newcombe 1998, table III, method 10
    [((36, 12, 2, 0), 0.0569, 0.3404), ((20, 12, 2, 16), 0.0562, 0.3292)],
)
def test_paired_difference_as_published(cells: tuple[int, int, int, int], low: float, high: float) -> None:
    after = np.repeat([True, True, False, False], cells)
    before = np.repeat([True, False, True, False], cells)
    found = mcnemar(before, after)
    assert found.difference.value == pytest.approx(0.2)
    assert found.difference.ci == pytest.approx((low, high), abs=5e-5)
    n, b, c = 50, cells[1], cells[2]
    assert found.difference.sigma == pytest.approx(math.sqrt(b + c - (b - c) ** 2 / n) / n)
    assert math.isnan(found.p_clustered)


def test_paired_difference_of_re_resection_and_its_edges() -> None:
    before, after = np.repeat([False, True, False], [16, 277, 24]), np.repeat([True, True, False], [16, 277, 24])
    found = mcnemar(before, after)
    assert found.difference.value == pytest.approx(16 / 317)
    assert 0 < found.difference.ci[0] < 16 / 317 < found.difference.ci[1]
    back = mcnemar(after, before).difference
    assert back.ci == pytest.approx((-found.difference.ci[1], -found.difference.ci[0]), rel=1e-9)
    none = mcnemar([True] * 20, [True] * 20)
    assert none.difference.value == 0
    assert none.difference.ci[0] == pytest.approx(-none.difference.ci[1])
    assert math.isnan(none.difference.sigma)
    grouped = mcnemar([True] * 20, [True] * 20, groups=np.arange(20) // 2)
    assert (grouped.difference.value, grouped.difference.reason) == (0.0, "too_few_cases")
    assert math.isnan(grouped.p_clustered)


def test_paired_difference_over_patients() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.random(90) < 0.4, rng.random(90) < 0.6
    single = mcnemar(before, after, groups=range(90))
    copies = mcnemar(np.tile(before, 3), np.tile(after, 3), groups=np.tile(np.arange(90), 3))
    assert copies.difference.ci == pytest.approx(single.difference.ci, rel=1e-12)
    assert copies.p_clustered == pytest.approx(single.p_clustered, rel=1e-12)
    assert copies.p_exact < single.p_exact / 2  # which takes the copies for new lesions
    assert single.difference.ci == pytest.approx(mcnemar(before, after).difference.ci, abs=0.02)
    assert single.method == "BCa bootstrap over 90 patients"


def test_change_in_management() -> None:
    lesions = np.repeat(np.arange(201), np.where(np.arange(201) < 115, 2, 1))
    assert lesions.size == 316
    changed = np.zeros(316, bool)
    changed[np.searchsorted(lesions, np.arange(56))] = True  # one lesion of each of 56 patients
    found = change_in_management(changed, groups=lesions)
    assert (found.changed, found.n, found.unit) == (56, published.MIMIC.patients_analysed, "patients")
    assert found.changed == published.MIMIC.management_changed
    assert f"{100 * found.share.value:.1f}" == "27.9"
    assert [round(bound, 4) for bound in found.share.ci] == [0.2212, 0.3443]
    rows = change_in_management(changed)
    assert (rows.n, rows.unit) == (316, "lesions")
    with pytest.raises(InputError, match="wilson, clopper-pearson"):
        change_in_management(changed, ci="bca")  # type: ignore[arg-type]


# Limits of agreement


def margins(seed: int = 2, patients: int = 40, each: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), each if each else rng.integers(1, 5, patients))
    truth = rng.gamma(3, 2, groups.size)
    error = 0.4 + 0.6 * rng.normal(size=patients)[groups] + 0.5 * rng.normal(size=groups.size)
    return truth + error, truth, groups


def test_limits_of_independent_differences() -> None:
    measured, pathology, _ = margins()
    d, n = measured - pathology, measured.size
    found = bland_altman(measured, pathology)
    s = d.std(ddof=1)
    assert (found.n, found.sd, found.n_patients) == (n, pytest.approx(s), None)
    assert found.bias.ci == pytest.approx(t.interval(0.95, n - 1, d.mean(), s / math.sqrt(n)))
    assert found.lower_limit.value == pytest.approx(d.mean() - Z95 * s)
    assert found.upper_limit.value == pytest.approx(d.mean() + Z95 * s)
    # The exact interval (Carkeet, Optom. Vis. Sci. 92 (2015) e71-80), from the noncentral t.
    exact = d.mean() - nct.ppf([0.975, 0.025], n - 1, -Z95 * math.sqrt(n)) * s / math.sqrt(n)
    assert found.upper_limit.ci == pytest.approx(tuple(exact), abs=0.02 * s)
    mirrored = bland_altman(pathology, measured)
    assert mirrored.lower_limit.ci == pytest.approx((-found.upper_limit.ci[1], -found.upper_limit.ci[0]))


def test_limits_of_a_balanced_trial_are_those_of_the_analysis_of_variance() -> None:
    measured, pathology, groups = margins(each=3)
    d = measured - pathology
    fitted = sm.OLS(d, (groups[:, np.newaxis] == np.arange(40)).astype(float)).fit()
    between_ms, within_ms = fitted.mse_model, fitted.mse_resid
    found = bland_altman(measured, pathology, groups=groups)
    assert found.sd**2 == pytest.approx((between_ms - within_ms) / 3 + within_ms)
    assert found.bias.value == pytest.approx(d.mean())
    assert found.bias.sigma == pytest.approx(math.sqrt(between_ms / d.size))
    assert found.n_patients == 40


def test_limits_of_an_unbalanced_trial() -> None:
    measured, pathology, groups = margins()
    d = measured - pathology
    parts = [d[groups == g] for g in range(40)]
    means = np.array([part.mean() for part in parts])
    within = sum(((part - part.mean()) ** 2).sum() for part in parts) / (d.size - 40)
    harmonic = 40 / sum(1 / part.size for part in parts)
    found = bland_altman(measured, pathology, groups=groups)
    assert found.bias.value == pytest.approx(means.mean())
    assert found.sd == pytest.approx(math.sqrt(means.var(ddof=1) + (1 - 1 / harmonic) * within))
    assert found.bias.sigma > 1.2 * bland_altman(measured, pathology).bias.sigma
    single = bland_altman(measured, pathology, groups=range(d.size))
    plain = bland_altman(measured, pathology)
    assert single.upper_limit == plain.upper_limit
    assert single.bias == plain.bias


def test_proportional_bias() -> None:
    measured, pathology, groups = margins()
    stretched = 1.2 * measured
    d, mean = stretched - pathology, (stretched + pathology) / 2
    plain = bland_altman(stretched, pathology).slope
    fitted = sm.OLS(d, sm.add_constant(mean)).fit()
    assert plain.value == pytest.approx(fitted.params[1])
    assert plain.ci == pytest.approx(tuple(fitted.conf_int()[1]))
    by_gee = sm.GEE(d, sm.add_constant(mean), groups=groups, cov_struct=sm.cov_struct.Exchangeable()).fit(
        cov_type="bias_reduced"
    )
    found = bland_altman(stretched, pathology, groups=groups).slope
    assert found.value == pytest.approx(by_gee.params[1], rel=1e-6)
    assert found.sigma == pytest.approx(by_gee.bse[1], rel=1e-6)
    assert found.ci[0] > 0


def test_agreement_edges() -> None:
    shifted = bland_altman([1.0, 2.0, 4.0], [0.5, 1.5, 3.5])
    assert (shifted.bias.value, shifted.sd, shifted.bias.reason) == (0.5, 0.0, "too_few_cases")
    assert shifted.upper_limit.reason == "too_few_cases"
    assert shifted.slope.reason == "too_few_cases"
    opposed = bland_altman([1.0, 2.0, 3.0], [3.0, 2.0, 1.0])
    assert opposed.slope.reason == "too_few_cases"  # every mean is 2
    assert math.isnan(opposed.slope.value)
    for arguments, options, message in (
        (([1.0, 2.0], [1.0, 2.5]), {}, "2 independent differences, expected at least 3"),
        (([1.0, 2.0, math.nan], [1.0, 2.0, 3.0]), {}, "measured_mm holds 1 values that are not finite"),
        (([1.0, 2.0, 3.0], [1.0, 2.0]), {}, "pathology_mm has 2 values"),
        (([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), {"groups": [1, 1, 2]}, "2 independent differences"),
        ((["a", "b", "c"], [1.0, 2.0, 3.0]), {}, "expected finite numbers"),
    ):
        with pytest.raises(InputError, match=message):
            bland_altman(*arguments, **options)


def test_agreement_on_a_line_over_patients() -> None:
    truth = np.array([1.0, 2.0, 4.0, 3.0])
    found = bland_altman(1.1 * truth, truth, groups=[1, 1, 2, 3])
    assert found.slope.value == pytest.approx(0.1 / 1.05)
    assert found.slope.reason == "too_few_cases"
