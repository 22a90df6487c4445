"""The user-trained margin model: fit, refusals, prediction, recalibration."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression

from pyicg import _core
from pyicg._margin_provenance import NEVER_CLEAR
from pyicg._outcomes import fit_logistic
from pyicg._recalibration import updated
from pyicg.errors import InputError
from pyicg.margin import PublishedAnchorModel, TrainedModel

from .cohorts import PATIENTS, R1, X, simulated

BRIEF = {"draws": 40}


def standardised(features: dict[str, np.ndarray]) -> np.ndarray:
    x = np.column_stack(list(features.values()))
    return (x - x.mean(axis=0)) / x.std(axis=0)


def by_hand(model: TrainedModel, *values: float) -> tuple[float, float, float]:
    from scipy.stats import t

    row = np.array([1.0, *((np.array(values) - model.centre) / model.scale)])
    logit, sigma = row @ model.coefficients, math.sqrt(row @ model.covariance @ row)
    quantile = t.ppf(0.975, model.training["n_patients"] - 1)
    low, middle, high = (1 / (1 + math.exp(-(logit + q * sigma))) for q in (-quantile, 0.0, quantile))
    return low, middle, high


def test_fit_has_the_closed_form_of_a_2x2_table() -> None:
    coefficients, covariance = fit_logistic(np.column_stack([np.ones(130), X]), R1)
    log_odds_0, log_odds_1 = math.log(10 / 70), math.log(30 / 20)
    np.testing.assert_allclose(coefficients, [log_odds_0, log_odds_1 - log_odds_0], rtol=1e-10)
    woolf = 1 / 30 + 1 / 20 + 1 / 10 + 1 / 70
    np.testing.assert_allclose(covariance, [[1 / 10 + 1 / 70, -1 / 10 - 1 / 70], [-1 / 10 - 1 / 70, woolf]], rtol=1e-6)


def test_sandwich_is_the_clustered_one_of_statsmodels() -> None:
    features, r1, groups = simulated(300)
    design = sm.add_constant(standardised(features))
    coefficients, covariance = fit_logistic(design, r1, clusters=groups)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = sm.Logit(r1.astype(float), design).fit(
            disp=0, tol=1e-12, cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
        )
    np.testing.assert_allclose(coefficients, peer.params, rtol=1e-7)
    np.testing.assert_allclose(covariance, peer.cov_params() * 150 / 149, rtol=1e-6)


@pytest.mark.parametrize("penalty", [0.1, 1.0, 10.0])
def test_fit_before_recalibration_is_that_of_scikit_learn(penalty: float) -> None:
    features, r1, groups = simulated(120)
    model = TrainedModel.fit(features, r1, groups=groups, penalty=penalty, **BRIEF)
    peer = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=1000).fit(standardised(features), r1)
    before = np.array(model.recalibrations[0].coefficients_before)
    np.testing.assert_allclose(before, [*peer.intercept_, *peer.coef_[0]], atol=1e-6)


def test_shrinkage_by_the_slope_corrected_for_optimism() -> None:
    features, r1, groups = simulated(120)
    model = TrainedModel.fit(features, r1, groups=groups, penalty=0.01)
    (step,) = model.recalibrations
    assert model.validation is not None
    assert step.slope == model.validation.corrected_slope
    assert 0.7 < step.slope < 1.0
    np.testing.assert_allclose(model.coefficients[1:], step.slope * np.array(step.coefficients_before[1:]), rtol=1e-12)
    assert step.coefficients_after == tuple(model.coefficients)
    assert model.coefficients[0] == pytest.approx(step.intercept + step.slope * step.coefficients_before[0], rel=1e-12)
    p = 1 / (1 + np.exp(-(model.coefficients[0] + standardised(features) @ model.coefficients[1:])))
    assert p.sum() == pytest.approx(r1.sum(), rel=1e-9)
    assert (step.method, step.n_lesions, step.n_patients, step.n_r1) == ("optimism", 120, 60, r1.sum())


def test_covariance_is_near_the_clustered_one_in_a_large_cohort() -> None:
    features, r1, groups = simulated(1500)
    model = TrainedModel.fit(features, r1, groups=groups, draws=400)
    _, sandwich = fit_logistic(sm.add_constant(standardised(features)), r1, clusters=groups)
    np.testing.assert_allclose(np.diag(model.covariance), np.diag(sandwich), rtol=0.2)


def test_copies_within_a_patient_add_no_certainty() -> None:
    features, r1, groups = simulated(120)
    once = TrainedModel.fit(features, r1, groups=groups, **BRIEF)
    twice = TrainedModel.fit(
        {name: np.tile(x, 2) for name, x in features.items()},
        np.tile(r1, 2),
        groups=np.tile(groups, 2),
        penalty=2.0,
        **BRIEF,
    )
    np.testing.assert_allclose(twice.coefficients, once.coefficients, rtol=1e-8)
    np.testing.assert_allclose(twice.covariance, once.covariance, rtol=1e-7)
    assert twice.training["design_effect"] == pytest.approx(2 * once.training["design_effect"], rel=0.35)


def test_same_data_same_model_and_another_seed_another_spread() -> None:
    features, r1, groups = simulated(120)
    models = [TrainedModel.fit(features, r1, groups=groups, seed=seed, **BRIEF) for seed in (1, 1, 2)]
    assert models[0].digest == models[1].digest != models[2].digest
    assert models[0].recalibrations[0].coefficients_before == models[2].recalibrations[0].coefficients_before


def test_separated_data_stay_finite_and_say_so() -> None:
    model = TrainedModel.fit({"x": np.arange(10.0)}, np.arange(10) >= 5, groups=range(10))
    assert np.isfinite(model.coefficients).all()
    assert model.predict({"x": 9.0}).p_r1 > 0.9
    assert model.recalibrations == ()
    assert model.warnings[1].startswith("neither corrected for optimism nor shrunk: 200 of 200 bootstrap draws")
    assert model.predict({"x": 9.0}).provenance["warnings"] == model.warnings


def test_a_feature_that_says_nothing_loses_its_coefficient() -> None:
    rng = np.random.default_rng(19)
    r1 = np.arange(60) % 3 == 0
    model = TrainedModel.fit({"noise": rng.normal(size=60)}, r1, groups=range(60))
    assert model.validation is not None
    assert model.validation.corrected_slope < 0
    assert model.coefficients[1] == 0
    assert model.predict({"noise": 0.3}).p_r1 == pytest.approx(1 / 3, rel=1e-9)
    assert model.warnings[-1].startswith("the calibration slope corrected for optimism is not positive")


def test_predict_by_hand() -> None:
    features, r1, groups = simulated(300)
    model = TrainedModel.fit(features, r1, groups=groups)
    status = model.predict({"log_sbr": 0.9, "distance_mm": 2.0})
    assert (status.ci[0], status.p_r1, status.ci[1]) == pytest.approx(by_hand(model, 0.9, 2.0), rel=1e-12)
    truth = 1 / (1 + math.exp(-(-1.5 + 3 * 0.4 - 0.4 * -2)))
    assert status.ci[0] < truth < status.ci[1]
    assert (status.label, status.sign, status.reasons) == ("R1", None, ())
    assert model.predict({"log_sbr": 0.3, "distance_mm": 9.0}).label == "R0"
    assert model.predict({"distance_mm": np.float32(2.0), "log_sbr": np.int64(1)}).p_r1 > status.p_r1


def test_provenance() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, units={"x": "1"}, **BRIEF)
    told = model.predict({"x": 1.0}).provenance
    assert told["trained_with"] == model.version
    assert (told["pyicg_version"], told["digest"], told["units"]) == (_core.version(), model.digest, {"x": "1"})
    assert told["training"]["n_lesions"] == 130
    assert told["penalty"] == {"value": 1.0, "origin": "given"}
    assert told["validation"]["corrected_auc"] == model.validation.corrected_auc.value  # type: ignore[union-attr]
    assert told["recalibrations"][0]["method"] == "optimism"
    assert told["wording"] == NEVER_CLEAR
    assert told["risk_threshold"]["assumption"] == "the risk of R1 at which you would cut again"
    assert len(told["assumptions"]) == 3
    assert told["warnings"] == model.warnings


def test_interval_across_the_risk_threshold() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, risk_threshold=0.6, **BRIEF)
    status = model.predict({"x": 1.0})
    assert status.ci[0] < 0.6 < status.ci[1]
    assert (status.label, status.reasons) == ("indeterminate", ("straddles_threshold",))


def test_outside_the_training_range_is_refused() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, **BRIEF)
    for x in (1.0001, -1e-9, math.inf):
        status = model.predict({"x": x})
        assert math.isnan(status.p_r1)
        assert (status.label, status.reasons) == ("indeterminate", ("outside_training_range",))
        assert status.provenance["outside_training_range"] == ["x"]
    assert model.predict({"x": 1.0}).reasons == ()


def test_features_that_are_each_in_range_but_not_together() -> None:
    rng = np.random.default_rng(4)
    a = rng.normal(size=200)
    b = a + 0.1 * rng.normal(size=200)
    model = TrainedModel.fit({"a": a, "b": b}, a > rng.logistic(size=200), groups=range(200), **BRIEF)
    standard = standardised({"a": a, "b": b})
    distance = np.sqrt(np.einsum("ni,ij,nj->n", standard, np.linalg.inv(np.corrcoef(standard.T)), standard))
    assert model.reach == pytest.approx(distance.max(), rel=1e-9)
    status = model.predict({"a": 1.5, "b": -1.5})
    assert (status.label, status.reasons) == ("indeterminate", ("outside_training_range",))
    assert status.provenance["outside_training_range"] == ["all features together"]
    assert math.isnan(status.p_r1)
    assert all(math.isfinite(model.predict({"a": u, "b": v}).p_r1) for u, v in zip(a, b, strict=True))


@pytest.mark.parametrize(
    "absent", [{"log_sbr": 0.5}, {"log_sbr": 0.5, "distance_mm": None}, {"distance_mm": math.nan}, {}]
)
def test_a_missing_feature_is_indeterminate(absent: dict[str, float | None]) -> None:
    features, r1, groups = simulated(120)
    status = TrainedModel.fit(features, r1, groups=groups, **BRIEF).predict(absent)
    assert math.isnan(status.p_r1)
    assert math.isnan(status.ci[0])
    assert (status.label, status.reasons) == ("indeterminate", ("feature_missing",))
    assert status.provenance["missing_features"] == [
        name for name in features if absent.get(name) is None or math.isnan(absent[name] or 0.0)
    ]


def test_missing_and_outside_are_both_told() -> None:
    features, r1, groups = simulated(120)
    model = TrainedModel.fit(features, r1, groups=groups, **BRIEF)
    assert model.predict({"log_sbr": 99.0}).reasons == ("feature_missing", "outside_training_range")


@pytest.mark.parametrize("code", ["saturated_lower_bound", "uncalibrated", "background_not_resolved", "out_of_range"])
def test_reasons_that_forbid_a_label_are_those_of_the_published_model(code: str) -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, **BRIEF)
    status = model.predict({"x": 1.0}, reasons=(code, "no_pixel_size", code))
    assert (status.label, status.reasons) == ("indeterminate", (code, "no_pixel_size"))
    assert status.p_r1 == model.predict({"x": 1.0}).p_r1
    assert PublishedAnchorModel(prevalence=0.2).predict(fluorescent=True, reasons=(code,)).label == "indeterminate"
    assert model.predict({"x": 1.0}, reasons=("no_pixel_size",)).label == "R1"


def test_training_summary_and_sample_size_warning() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, **BRIEF)
    kept = ("n_lesions", "n_patients", "n_r1", "n_dropped", "missing")
    assert {key: model.training[key] for key in kept} == {
        "n_lesions": 130,
        "n_patients": 65,
        "n_r1": 40,
        "n_dropped": 0,
        "missing": {"x": 0},
    }
    assert len(model.training["digest"]) == 64
    assert model.training["digest"] != TrainedModel.fit({"x": X}, ~R1, groups=PATIENTS, **BRIEF).training["digest"]
    assert model.training["riley"]["lesions"] == 328
    assert model.warnings == (
        "130 lesions of 65 patients with 40 R1 train 1 feature(s); Riley's minimum is 328 with 101 R1 (prevalence "
        "0.308, C 0.75; the criterion that binds is overall risk)",
    )
    features, r1, groups = simulated(300)
    assert TrainedModel.fit(features, r1, groups=groups, **BRIEF).warnings == ()


def test_alike_lesions_weigh_less() -> None:
    features, r1, _ = simulated(300)
    tripled = {name: np.repeat(x, 3) for name, x in features.items()}
    model = TrainedModel.fit(tripled, np.repeat(r1, 3), groups=np.repeat(np.arange(300), 3), **BRIEF)
    assert model.training["design_effect"] == pytest.approx(3.0)
    assert model.training["icc"] == pytest.approx(1.0)
    assert model.warnings == ()
    fewer = TrainedModel.fit(
        {name: x[:600] for name, x in tripled.items()},
        np.repeat(r1, 3)[:600],
        groups=np.repeat(np.arange(200), 3),
        **BRIEF,
    )
    assert fewer.warnings[0].startswith("600 lesions of 200 patients")
    assert "(alike within patients, they weigh 200)" in fewer.warnings[0]


def test_array_and_mapping_agree() -> None:
    features, r1, groups = simulated(60)
    matrix = np.column_stack(list(features.values()))
    by_array = TrainedModel.fit(matrix, r1, groups=groups, names=tuple(features), **BRIEF)
    by_name = TrainedModel.fit(features, r1.astype(int), groups=[f"p{g}" for g in groups], **BRIEF)
    assert by_array.digest == by_name.digest


def test_complete_cases_are_counted() -> None:
    features, r1, groups = simulated(120)
    holes = {name: x.astype(object) for name, x in features.items()}
    holes["log_sbr"][:4] = None
    holes["distance_mm"][2:7] = math.nan
    with pytest.raises(InputError, match=r"'log_sbr' in 4, 'distance_mm' in 5 of 120 lesions"):
        TrainedModel.fit(holes, r1, groups=groups)
    model = TrainedModel.fit(holes, r1, groups=groups, missing="complete-case", **BRIEF)
    assert (model.training["n_lesions"], model.training["n_dropped"]) == (113, 7)
    assert model.training["missing"] == {"log_sbr": 4, "distance_mm": 5}
    assert model.warnings[-1].startswith("7 of 120 lesions were left out for missing features")
    rest = TrainedModel.fit({name: x[7:] for name, x in features.items()}, r1[7:], groups=groups[7:], **BRIEF)
    np.testing.assert_array_equal(model.coefficients, rest.coefficients)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": {}}, "expected 1 to 5"),
        ({"features": {str(i): X + i * R1 for i in range(6)}}, "expected 1 to 5"),
        ({"features": X}, r"expected \(N, k\)"),
        ({"features": np.column_stack([X, X]), "names": "ab"}, r"expected \(N, k\)"),
        ({"features": np.column_stack([X, X]), "names": ("a", "a")}, "all different names"),
        ({"features": {1: X}}, "expected texts"),
        ({"features": {"x": X}, "names": ("x",)}, "drop names"),
        ({"features": {"x": np.where(X > 0, X, np.nan)}}, "'x' in 80 of 130 lesions"),
        ({"features": {"x": np.where(X > 0, math.inf, 0.5)}}, "infinite in 50"),
        ({"features": {"x": X.astype(str)}}, "expected numbers"),
        ({"features": {"x": np.where(X > 0, "high", None)}}, "'x' is 'high' in lesion 0"),
        ({"features": {"x": X * 1j}}, "expected numbers"),
        ({"features": {"x": X, "y": X[1:]}}, "one per lesion"),
        ({"features": {"x": 1.0}}, "one per lesion"),
        ({"features": {"x": np.ones(130)}}, "one value in all lesions"),
        ({"features": {"x": X, "y": 2 - 3 * X}}, "follow from each other"),
        (
            {"features": {"x": np.where(np.arange(130) < 129, np.nan, X)}, "missing": "complete-case"},
            "1 of 130 lesions",
        ),
        ({"missing": "impute"}, "missing is 'impute'"),
        ({"r1": np.ones(130, bool)}, "both R0 and R1"),
        ({"r1": R1[1:]}, "expected 130"),
        ({"r1": R1.astype(float)}, "expected bool"),
        ({"r1": R1 * 2}, "0 and 1 only"),
        ({"groups": PATIENTS[1:]}, "groups has 129"),
        ({"groups": [None] * 130}, r"groups\[0\] is None"),
        ({"groups": [1.0, math.nan] * 65}, r"groups\[1\] is nan"),
        ({"groups": np.arange(130) % 2}, "expected more than 2"),
        ({"groups": np.zeros(130)}, "1 patient"),
        ({"groups": None}, "groups is None"),
        ({"centres": 3}, "centres is 3"),
        ({"risk_threshold": "0.2"}, "risk_threshold is '0.2'"),
        ({"centres": ["a"] * 130}, "1 centre"),
        ({"centres": ["a"] * 129}, "centres has 129"),
        ({"centres": [None] * 130}, r"centres\[0\] is None"),
        ({"centres": ["a"] * 65 + ["b"] * 65}, "the patient of lesion 65 is in centre b and in centre a"),
        ({"penalty": 0.0}, "penalty"),
        ({"penalty": math.nan}, "penalty"),
        ({"penalty": "auto"}, "penalty is 'auto'"),
        ({"risk_threshold": 1.0}, "risk_threshold"),
        ({"units": {"y": "mm"}}, "units are"),
        ({"units": {"x": 1}}, "units are"),
        ({"draws": 19}, "draws is 19"),
        ({"draws": 50.0}, "draws is 50.0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": None}, "seed is None"),
    ],
)
def test_fit_refuses(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"features": {"x": X}, "r1": R1, "groups": PATIENTS} | change
    with np.errstate(divide="ignore"), pytest.raises(InputError, match=message):
        TrainedModel.fit(arguments.pop("features"), arguments.pop("r1"), **arguments)


def test_too_few_to_repeat_the_fit_is_refused() -> None:
    with pytest.raises(InputError, match="samples redrawn from the patients cannot be fitted"):
        TrainedModel.fit({"x": np.arange(130) == 7}, np.arange(130) == 30, groups=np.arange(130))
    with pytest.raises(InputError, match="penalty be chosen"):
        TrainedModel.fit({"x": np.arange(9.0)}, np.arange(9) == 4, groups=np.arange(9), penalty=None)


def test_unfitted_model_refuses() -> None:
    with pytest.raises(InputError, match="no default coefficients"):
        TrainedModel()
    with pytest.raises(InputError, match="centre has shape"):
        TrainedModel(names=("x",))


def test_predict_refuses() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, **BRIEF)
    for features in ({"y": 1.0}, {"x": 1.0, "y": 1.0}, {"x": "1"}, {"x": 1j}, {"x": [1.0]}, 1.0, [1.0]):
        with pytest.raises(InputError, match="expected"):
            model.predict(features)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="reasons is 'uncalibrated'"):
        model.predict({"x": 1.0}, reasons="uncalibrated")
    with pytest.raises(InputError, match="reasons is None"):
        model.predict({"x": 1.0}, reasons=None)  # type: ignore[arg-type]


def test_recalibrated_intercept_and_slope_are_those_of_statsmodels() -> None:
    model = TrainedModel.fit(*simulated(300)[:2], groups=simulated(300)[2], **BRIEF)
    features, r1, groups = simulated(160, seed=9)
    inside = np.all(
        [(x >= low) & (x <= high) for x, (low, high) in zip(features.values(), model.training_range, strict=True)],
        axis=0,
    )
    x = np.column_stack(list(features.values()))[inside]
    logit = model.coefficients[0] + ((x - model.centre) / model.scale) @ model.coefficients[1:]
    outcome = r1[inside].astype(float)
    binomial = sm.families.Binomial()
    shift = sm.GLM(outcome, np.ones(len(outcome)), offset=logit, family=binomial).fit(tol=1e-12).params
    line = sm.GLM(outcome, sm.add_constant(logit), family=binomial).fit(tol=1e-12).params
    moved = model.recalibrate(features, r1, groups=groups)
    stretched = model.recalibrate(features, r1, groups=groups, method="slope")
    assert moved.recalibrations[-1].intercept == pytest.approx(shift[0], abs=1e-7)
    assert (stretched.recalibrations[-1].intercept, stretched.recalibrations[-1].slope) == pytest.approx(line, abs=1e-7)
    np.testing.assert_allclose(moved.coefficients, model.coefficients + np.array([shift[0], 0, 0]), atol=1e-7)
    np.testing.assert_allclose(
        stretched.coefficients, line[1] * model.coefficients + np.array([line[0], 0, 0]), atol=1e-6
    )
    assert moved.recalibrations[-1].n_outside == np.sum(~inside)
    assert (moved.names, moved.validation, len(moved.recalibrations)) == (model.names, model.validation, 2)
    assert moved.warnings[-1].startswith(f"recalibrated (intercept) on {inside.sum()} lesions of ")
    assert moved.digest != model.digest
    told = moved.predict({"log_sbr": 0.5, "distance_mm": 3.0}).provenance["recalibrations"]
    assert [step["method"] for step in told] == ["optimism", "intercept"]


@pytest.mark.parametrize("slope", [False, True])
def test_covariance_after_recalibration_is_what_both_samples_spread(slope: bool) -> None:
    """Old coefficients drawn from their own covariance, new lesions drawn anew: the spread of what comes out."""
    rng = np.random.default_rng(11)
    old, spread = np.array([-1.0, 0.8, -0.5]), np.diag([0.04, 0.02, 0.02])
    n = 400
    found, told = [], []
    for _ in range(400):
        design = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
        r1 = rng.random(n) < 1 / (1 + np.exp(-(0.5 + design @ old)))
        drawn = rng.multivariate_normal(old, spread)
        _, _, after, covariance = updated(drawn, spread, design, r1, np.arange(n), slope=slope)
        found.append(after)
        told.append(np.diag(covariance))
    np.testing.assert_allclose(np.mean(told, axis=0), np.var(found, axis=0), rtol=0.2)


def test_recalibrate_refuses() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, **BRIEF)
    for features, r1, method, message in (
        ({"x": X}, R1, "both", "method is 'both'"),
        ({"y": X}, R1, "slope", r"expected \['x'\]"),
        ({"x": X}, ~R1 & False, "intercept", "r1 is true in 0 of 130"),
        ({"x": X + 5}, R1, "intercept", "0 of 0 lesions within"),
        ({"x": X}, X > 0, "slope", "no slope"),
        ({"x": np.where(X > 0, X, np.nan)}, R1, "slope", "'x' in 80"),
    ):
        with pytest.raises(InputError, match=message):
            model.recalibrate(features, r1, groups=PATIENTS, method=method)  # type: ignore[arg-type]


def test_a_handful_of_r1_gives_no_label() -> None:
    few = TrainedModel.fit({"x": X[:69]}, R1[:69] & (np.arange(69) < 9), groups=PATIENTS[:69], **BRIEF)
    status = few.predict({"x": 0.0})
    assert (status.label, "too_few_cases" in status.reasons, math.isnan(status.p_r1)) == ("indeterminate", True, False)
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, **BRIEF)
    assert "too_few_cases" not in model.predict({"x": 0.0}).reasons


def test_misspelled_reasons_are_refused() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, **BRIEF)
    for reasons in (("uncalibratd",), (3,), None, "uncalibrated"):
        with pytest.raises(InputError, match="reasons"):
            model.predict({"x": 0.0}, reasons=reasons)  # type: ignore[arg-type]


def test_rows_of_pandas_must_be_the_same_lesions() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"x": X, "r1": R1, "patient": PATIENTS})
    model = TrainedModel.fit({"x": table.x}, table.r1, groups=table.patient, **BRIEF)
    np.testing.assert_array_equal(
        model.coefficients, TrainedModel.fit({"x": X}, R1, groups=PATIENTS, **BRIEF).coefficients
    )
    with pytest.raises(InputError, match="rows of different names"):
        TrainedModel.fit({"x": table.x.sort_values()}, table.r1, groups=table.patient, **BRIEF)


def test_the_numbers_behind_the_digest_cannot_be_changed() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, **BRIEF)
    with pytest.raises(ValueError, match="read-only"):
        model.coefficients[0] = 9.0


def test_recalibration_against_the_outcomes_is_refused() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, **BRIEF)
    with pytest.raises(InputError, match=r"run against the outcomes \(slope -.*is r1 coded"):
        model.recalibrate({"x": X}, ~R1, groups=PATIENTS, method="slope")
