"""Cross-validation, centres left out and correction for optimism, each against scikit-learn and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold

from pyicg._clusters import alike, simulated_clusters
from pyicg._ridge import PENALTIES, fit_ridge, grouped_folds
from pyicg.margin import TrainedModel
from pyicg.model_validation import clustered_auc, measure, slope_of

from .cohorts import simulated


def peer_logits(x: np.ndarray, r1: np.ndarray, at: np.ndarray, penalty: float = 1.0) -> np.ndarray:
    """Return logits at `at` of scikit-learn's ridge fit on standardised features."""
    mean, sd = x.mean(axis=0), x.std(axis=0)
    fit = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=1000).fit((x - mean) / sd, r1)
    return np.asarray(fit.decision_function((at - mean) / sd))


def cohort(n: int = 150, seed: int = 3) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    features, r1, groups = simulated(n, seed)
    return features, np.column_stack(list(features.values())), r1, groups


@pytest.mark.parametrize("seed", range(8))
def test_folds_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = simulated_clusters(rng, 80)
    r1 = alike(rng, clusters, 0.6) < 0.25
    expected = np.empty(r1.size, dtype=int)
    for fold, (_, held) in enumerate(StratifiedGroupKFold(5).split(clusters, r1, clusters)):
        expected[held] = fold
    np.testing.assert_array_equal(grouped_folds(r1, clusters), expected)


def test_fewer_folds_than_patients_of_the_rarer_class_allow() -> None:
    r1 = np.arange(20) < 3
    assert set(grouped_folds(r1, np.arange(20))) == {0, 1, 2}
    assert set(grouped_folds(np.arange(20) < 1, np.arange(20))) == {0}


def test_many_weighted_fits_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    _, x, r1, _ = cohort()
    design = sm.add_constant((x - x.mean(axis=0)) / x.std(axis=0))
    weights = rng.integers(0, 4, (6, 150)).astype(float)
    penalties = np.array([0.1, 1.0, 10.0, 0.1, 1.0, 10.0])
    found = fit_ridge(design, r1, weights, np.column_stack([np.zeros(6), penalties, penalties]))
    for b, w, penalty in zip(found, weights, penalties, strict=True):
        peer = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=1000).fit(design[:, 1:], r1, sample_weight=w)
        np.testing.assert_allclose(b, [*peer.intercept_, *peer.coef_[0]], atol=2e-6)


def test_a_fit_without_a_minimum_is_nan() -> None:
    design = sm.add_constant(np.arange(10.0))
    separated = fit_ridge(design, np.arange(10) >= 5, np.ones((1, 10)), np.zeros((1, 2)))
    one_class = fit_ridge(design, np.zeros(10, bool), np.ones((1, 10)), np.ones((1, 2)))
    assert np.isnan(separated).all()
    assert np.isnan(one_class).all()


def test_cross_validation_is_that_of_scikit_learn() -> None:
    features, x, r1, groups = cohort()
    model = TrainedModel.fit(features, r1, groups=groups, draws=20)
    assert model.validation is not None
    found = model.validation.cross_validated
    logit = np.empty(150)
    for train, held in StratifiedGroupKFold(5).split(x, r1, groups):
        logit[held] = peer_logits(x[train], r1[train], x[held])
    assert model.validation.folds == 5
    assert found.auc.value == pytest.approx(roc_auc_score(r1, logit), abs=1e-9)
    assert found.brier.value == pytest.approx(brier_score_loss(r1, 1 / (1 + np.exp(-logit))), abs=1e-7)
    binomial = sm.families.Binomial()
    slope = sm.GLM(r1.astype(float), sm.add_constant(logit), family=binomial).fit().params[1]
    intercept = sm.GLM(r1.astype(float), np.ones(150), offset=logit, family=binomial).fit().params[0]
    assert (found.slope.value, found.intercept.value) == pytest.approx((slope, intercept), abs=1e-5)
    assert (found.n_lesions, found.n_patients, found.n_r1) == (150, 75, r1.sum())


def test_centres_left_out_are_those_of_scikit_learn() -> None:
    features, x, r1, groups = cohort()
    centres = np.array(["Leiden", "Delft", "Gouda"])[groups % 3]
    model = TrainedModel.fit(features, r1, groups=groups, centres=centres, draws=20)
    assert model.validation is not None
    assert sorted(model.validation.centres) == ["Delft", "Gouda", "Leiden"]
    for train, held in LeaveOneGroupOut().split(x, r1, centres):
        found = model.validation.centres[str(centres[held[0]])]
        logit = peer_logits(x[train], r1[train], x[held])
        assert found.auc.value == pytest.approx(roc_auc_score(r1[held], logit), abs=1e-9)
        assert found.brier.value == pytest.approx(brier_score_loss(r1[held], 1 / (1 + np.exp(-logit))), abs=1e-7)
        assert found.n_lesions == held.size


def test_a_centre_with_one_class_is_undefined_and_says_why() -> None:
    features, _, r1, groups = cohort()
    centres = np.where(np.isin(groups, groups[r1]), "with", "without")
    model = TrainedModel.fit(features, r1, groups=groups, centres=centres, draws=20)
    assert model.validation is not None
    for figure in ("auc", "slope", "intercept", "brier"):
        measured = getattr(model.validation.centres["without"], figure)
        assert math.isnan(measured.value)
        assert measured.reason == "too_few_cases"
    # Without this centre's counterpart there is no R1 to train on, so that the other has no prediction.
    assert model.validation.centres["with"].auc.reason == "too_few_cases"
    assert model.validation.centres["with"].n_r1 == r1.sum()


@pytest.mark.parametrize("chosen", [False, True])
def test_optimism_by_brute_force(chosen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Harrell's bootstrap written out with scikit-learn, the choice of the penalty repeated inside."""
    penalties = (0.3, 10.0)  # two of the six: the peer is slow
    monkeypatch.setattr("pyicg._training.PENALTIES", penalties)
    features, x, r1, groups = cohort(100)
    fold = grouped_folds(r1, groups)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)

    def develop(rows: np.ndarray) -> np.ndarray:
        penalty = 1.0
        if chosen:
            deviance = []
            for candidate in penalties:
                total = 0.0
                for part in range(5):
                    train, held = rows[fold[rows] != part], rows[fold[rows] == part]
                    logit = peer_logits(standard[train], r1[train], standard[held], candidate)
                    total += np.sum(np.logaddexp(0, logit) - r1[held] * logit)
                deviance.append(total)
            penalty = penalties[int(np.argmin(deviance))]
        return peer_logits(standard[rows], r1[rows], standard, penalty)

    def slope(logit: np.ndarray, rows: np.ndarray) -> float:
        fit = sm.GLM(r1[rows].astype(float), sm.add_constant(logit[rows]), family=sm.families.Binomial()).fit()
        return float(fit.params[1])

    everyone = np.arange(100)
    rng = np.random.default_rng(20240407)
    auc, slopes, inside = [], [], []
    for _ in range(20):
        times = np.bincount(rng.integers(50, size=50), minlength=50)[groups]
        rows = np.repeat(everyone, times)
        logit = develop(rows)
        inside.append(roc_auc_score(r1[rows], logit[rows]))
        auc.append(inside[-1] - roc_auc_score(r1, logit))
        slopes.append(slope(logit, rows) - slope(logit, everyone))
    logit = develop(everyone)
    model = TrainedModel.fit(features, r1, groups=groups, draws=20, penalty=None if chosen else 1.0)
    found = model.validation
    assert found is not None
    assert found.apparent_auc == pytest.approx(roc_auc_score(r1, logit), abs=1e-9)
    assert found.apparent_slope == pytest.approx(slope(logit, everyone), abs=1e-5)
    assert found.corrected_auc.value == pytest.approx(found.apparent_auc - np.mean(auc), abs=1e-9)
    assert found.corrected_slope == pytest.approx(found.apparent_slope - np.mean(slopes), abs=1e-5)
    ends = np.quantile(inside, (0.025, 0.975)) - np.mean(auc)
    assert found.corrected_auc.ci == pytest.approx(tuple(ends), abs=1e-9)
    assert (found.draws, found.degenerate, found.seed) == (20, 0, 20240407)


def test_degenerate_draws_are_counted() -> None:
    rng = np.random.default_rng(6)
    r1 = np.arange(40) % 20 == 0  # two patients with R1: some draws have none
    model = TrainedModel.fit({"x": rng.normal(size=40)}, r1, groups=np.arange(40), draws=100)
    assert model.validation is not None
    drawn = np.random.default_rng(20240407)
    none = sum(not np.isin(drawn.integers(40, size=40), (0, 20)).any() for _ in range(100))
    assert none > 5
    assert model.validation.degenerate >= none
    assert model.validation.folds == 2


def test_auc_is_that_of_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(1)
    score = rng.integers(0, 6, 90) / 5
    r1 = rng.random(90) < 0.2 + 0.4 * score
    assert clustered_auc(score, r1, np.arange(90)).value == pytest.approx(roc_auc_score(r1, score), abs=1e-12)


def test_auc_interval_without_clusters_is_delong() -> None:
    """DeLong's variance from the pairs, written out."""
    rng = np.random.default_rng(4)
    score = rng.normal(size=80)
    r1 = score + rng.normal(size=80) > 0.5
    pairs = (score[r1][:, None] > score[~r1]).astype(float)
    n1, n0 = pairs.shape
    delong = np.var(pairs.mean(axis=1), ddof=1) / n1 + np.var(pairs.mean(axis=0), ddof=1) / n0
    assert clustered_auc(score, r1, np.arange(80)).sigma == pytest.approx(math.sqrt(delong), rel=1e-12)


def test_auc_of_copied_lesions_is_no_surer() -> None:
    rng = np.random.default_rng(4)
    score = rng.normal(size=80)
    r1 = score + rng.normal(size=80) > 0.5
    once = clustered_auc(score, r1, np.arange(80))
    thrice = clustered_auc(np.repeat(score, 3), np.repeat(r1, 3), np.repeat(np.arange(80), 3))
    assert (thrice.value, thrice.sigma) == pytest.approx((once.value, once.sigma), rel=1e-12)


def test_auc_interval_covers_where_lesions_are_alike() -> None:
    """300 simulated cohorts with outcomes alike in patients; the naive interval falls short, the clustered one less."""
    rng = np.random.default_rng(12)
    covered = {"clustered": 0, "naive": 0}
    for _ in range(300):
        clusters = simulated_clusters(rng, 120)
        x = rng.normal(size=120)[clusters]
        r1 = alike(rng, clusters, 0.6) < 1 / (1 + np.exp(1 - x))
        for name, unit in (("clustered", clusters), ("naive", np.arange(r1.size))):
            low, high = clustered_auc(x, r1, unit).ci
            covered[name] += low < 0.7303 < high
    assert 0.92 <= covered["clustered"] / 300 <= 0.97
    assert covered["naive"] / 300 < 0.9


def test_performance_at_its_edges() -> None:
    clusters = np.arange(6)
    r1 = np.array([True, True, True, False, False, False])
    apart = measure(np.array([3.0, 2.0, 1.0, -1.0, -2.0, -3.0]), r1, clusters)
    assert (apart.auc.value, apart.auc.reason, apart.slope.reason) == (1.0, "too_few_cases", "too_few_cases")
    assert apart.brier.value == pytest.approx(np.mean((1 / (1 + np.exp([3.0, 2.0, 1.0]))) ** 2))
    flat = measure(np.zeros(6), r1, clusters)
    assert (flat.auc.value, flat.auc.sigma, flat.brier.value, flat.brier.sigma) == (0.5, 0.0, 0.25, 0.0)
    assert flat.intercept.value == pytest.approx(0.0, abs=1e-12)
    for logit, outcome, patients in (
        (np.full(6, math.nan), r1, clusters),
        (np.arange(6.0), np.zeros(6, bool), clusters),
        (np.arange(6.0), r1, np.zeros(6, dtype=np.int64)),
    ):
        found = measure(logit, outcome, patients)
        assert {getattr(found, name).reason for name in ("auc", "slope", "intercept", "brier")} == {"too_few_cases"}
    assert math.isnan(slope_of(np.zeros(6), r1, np.ones(6)))
    assert math.isnan(slope_of(np.arange(6.0), r1, np.array([1.0, 1, 1, 0, 0, 0])))


def test_brier_interval_by_hand() -> None:
    logit = np.array([0.5, -1.0, 0.2, -0.3, 1.5, -2.0])
    r1 = np.array([True, False, False, True, True, False])
    clusters = np.array([0, 0, 1, 1, 2, 2])
    found = measure(logit, r1, clusters).brier
    error = (1 / (1 + np.exp(-logit)) - r1) ** 2
    sums = np.array([error[:2].sum(), error[2:4].sum(), error[4:].sum()]) - 2 * error.mean()
    assert found.sigma == pytest.approx(math.sqrt(3 / 2 * np.sum(sums**2)) / 6, rel=1e-12)


def test_chosen_penalty_is_the_best_of_the_folds() -> None:
    features, x, r1, groups = cohort(100)
    model = TrainedModel.fit(features, r1, groups=groups, draws=20, penalty=None)
    deviance = []
    for penalty in PENALTIES:
        logit = np.empty(100)
        for train, held in StratifiedGroupKFold(5).split(x, r1, groups):
            logit[held] = peer_logits(x[train], r1[train], x[held], penalty)
        deviance.append(np.sum(np.logaddexp(0, logit) - r1 * logit))
    assert model.penalty == PENALTIES[int(np.argmin(deviance))]
    assert model.training["penalty_origin"].startswith("chosen from (0.1, ")


@pytest.mark.parametrize("seed", range(12))
def test_small_cohorts_never_break(seed: int) -> None:
    """Few lesions, few R1, a binary feature and unequal centres: every figure is a number or says why not."""
    rng = np.random.default_rng(seed)
    clusters = simulated_clusters(rng, 18)
    n = clusters.size
    r1 = rng.random(n) < 0.3
    features = {"x": rng.normal(size=n), "binary": rng.random(n) < 0.4}
    model = TrainedModel.fit(features, r1, groups=clusters, centres=clusters % 3, draws=20)
    found = model.validation
    assert found is not None
    assert model.warnings
    for performance in (found.cross_validated, *found.centres.values()):
        for name in ("auc", "slope", "intercept", "brier"):
            figure = getattr(performance, name)
            assert math.isfinite(figure.value) or figure.reason is not None
    status = model.predict({"x": features["x"][0], "binary": bool(features["binary"][0])})
    assert status.ci[0] <= status.p_r1 <= status.ci[1]
