"""The user-trained margin model: fit, refusals, prediction, file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyicg._outcomes import fit_logistic
from pyicg.errors import InputError
from pyicg.margin import TrainedModel

# Four cells of a simulated 2x2 table: x = 1 with R1 30 of 50, x = 0 with R1 10 of 80.
X = np.repeat([1.0, 1.0, 0.0, 0.0], [30, 20, 10, 70])
R1 = np.repeat([True, False, True, False], [30, 20, 10, 70])
PATIENTS = np.arange(130) % 65


def simulated(n: int, seed: int = 3) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = {"log_sbr": rng.normal(0.5, 0.3, n), "distance_mm": rng.gamma(2.0, 2.0, n)}
    logit = -1.5 + 3 * (features["log_sbr"] - 0.5) - 0.4 * (features["distance_mm"] - 4)
    return features, rng.random(n) < 1 / (1 + np.exp(-logit)), np.arange(n) // 2


def test_fit_has_the_closed_form_of_a_2x2_table() -> None:
    coefficients, covariance = fit_logistic(np.column_stack([np.ones(130), X]), R1)
    log_odds_0, log_odds_1 = math.log(10 / 70), math.log(30 / 20)
    np.testing.assert_allclose(coefficients, [log_odds_0, log_odds_1 - log_odds_0], rtol=1e-10)
    woolf = 1 / 30 + 1 / 20 + 1 / 10 + 1 / 70
    np.testing.assert_allclose(covariance, [[1 / 10 + 1 / 70, -1 / 10 - 1 / 70], [-1 / 10 - 1 / 70, woolf]], rtol=1e-6)


def test_sandwich_of_single_lesion_patients_in_a_2x2_table() -> None:
    """With one lesion per patient a saturated model's sandwich is the model covariance times G / (G - 1)."""
    design = np.column_stack([np.ones(130), X])
    _, plain = fit_logistic(design, R1)
    _, robust = fit_logistic(design, R1, clusters=np.arange(130))
    np.testing.assert_allclose(robust, plain * 130 / 129, rtol=1e-6)


def test_copies_within_a_patient_add_no_certainty() -> None:
    features, r1, groups = simulated(120)
    once = TrainedModel.fit(features, r1, groups=groups)
    twice = TrainedModel.fit(
        {name: np.tile(x, 2) for name, x in features.items()}, np.tile(r1, 2), groups=np.tile(groups, 2), penalty=2.0
    )
    np.testing.assert_allclose(twice.coefficients, once.coefficients, rtol=1e-9)
    np.testing.assert_allclose(twice.covariance, once.covariance, rtol=1e-6)


def test_ridge_solution_is_stationary_and_shrinks() -> None:
    features, r1, groups = simulated(120)
    loose = TrainedModel.fit(features, r1, groups=groups, penalty=0.01)
    tight = TrainedModel.fit(features, r1, groups=groups, penalty=10.0)
    assert np.linalg.norm(tight.coefficients[1:]) < np.linalg.norm(loose.coefficients[1:])
    x = np.column_stack(list(features.values()))
    design = np.column_stack([np.ones(120), (x - x.mean(axis=0)) / x.std(axis=0)])
    p = 1 / (1 + np.exp(-design @ tight.coefficients))
    np.testing.assert_allclose(design.T @ (r1 - p), [0.0, *(10.0 * tight.coefficients[1:])], atol=1e-7)


def test_separated_data_stay_finite() -> None:
    model = TrainedModel.fit({"x": np.arange(10.0)}, np.arange(10) >= 5, groups=range(10))
    assert np.isfinite(model.coefficients).all()
    assert model.predict({"x": 9.0}).p_r1 > 0.9


def test_predict_by_hand() -> None:
    features, r1, groups = simulated(300)
    model = TrainedModel.fit(features, r1, groups=groups)
    status = model.predict({"log_sbr": 0.9, "distance_mm": 2.0})
    row = np.array([1.0, *((np.array([0.9, 2.0]) - model.centre) / model.scale)])
    logit, sigma = row @ model.coefficients, math.sqrt(row @ model.covariance @ row)
    expected = [1 / (1 + math.exp(-(logit + z * sigma))) for z in (0.0, -1.959963984540054, 1.959963984540054)]
    assert (status.p_r1, *status.ci) == pytest.approx(expected, rel=1e-12)
    truth = 1 / (1 + math.exp(-(-1.5 + 3 * 0.4 - 0.4 * -2)))
    assert status.ci[0] < truth < status.ci[1]
    assert (status.label, status.sign, status.reasons) == ("R1", None, ())
    assert status.provenance["training"]["n_lesions"] == 300
    assert model.predict({"log_sbr": 0.3, "distance_mm": 9.0}).label == "R0"


def test_interval_across_the_risk_threshold() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, risk_threshold=0.6)
    status = model.predict({"x": 1.0})
    assert status.ci[0] < 0.6 < status.ci[1]
    assert (status.label, status.reasons) == ("indeterminate", ("straddles_threshold",))


def test_outside_the_training_range_is_refused() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS)
    status = model.predict({"x": 1.0001})
    assert math.isnan(status.p_r1)
    assert (status.label, status.reasons) == ("indeterminate", ("out_of_range",))
    assert status.provenance["outside_training_range"] == ["x"]
    assert model.predict({"x": 1.0}).reasons == ()


def test_training_summary_and_sample_size_warning() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS)
    assert {key: model.training[key] for key in ("n_lesions", "n_patients", "n_r1")} == {
        "n_lesions": 130,
        "n_patients": 65,
        "n_r1": 40,
    }
    assert len(model.training["digest"]) == 64
    assert model.training["digest"] != TrainedModel.fit({"x": X}, ~R1, groups=PATIENTS).training["digest"]
    assert len(model.warnings) == 1
    assert "130 lesions with 40 R1" in model.warnings[0]
    assert "227 with 38" in model.warnings[0]
    features, r1, groups = simulated(300)
    assert TrainedModel.fit(features, r1, groups=groups).warnings == ()
    four = np.random.default_rng(0).normal(size=(300, 4))
    assert "377 with 63" in TrainedModel.fit(four, r1, groups=groups, names=list("abcd")).warnings[0]


def test_array_and_mapping_agree() -> None:
    features, r1, groups = simulated(60)
    matrix = np.column_stack(list(features.values()))
    by_array = TrainedModel.fit(matrix, r1, groups=groups, names=tuple(features))
    by_name = TrainedModel.fit(features, r1.astype(int), groups=[f"p{g}" for g in groups])
    np.testing.assert_array_equal(by_array.coefficients, by_name.coefficients)
    assert by_array.training == by_name.training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": {}}, "expected 1 to 5"),
        ({"features": {str(i): X + i * R1 for i in range(6)}}, "expected 1 to 5"),
        ({"features": X}, r"expected \(N, k\)"),
        ({"features": np.column_stack([X, X]), "names": ("a", "a")}, "different names"),
        ({"features": {"x": X}, "names": ("x",)}, "drop names"),
        ({"features": {"x": np.where(X > 0, X, np.nan)}}, "'x' is missing in 80 of 130 lesions"),
        ({"features": {"x": X.astype(str)}}, "expected numbers"),
        ({"features": {"x": X, "y": X[1:]}}, "one per lesion"),
        ({"features": {"x": np.ones(130)}}, "one value in all lesions"),
        ({"r1": np.ones(130, bool)}, "both R0 and R1"),
        ({"r1": R1[1:]}, "expected 130"),
        ({"r1": R1.astype(float)}, "expected bool"),
        ({"r1": R1 * 2}, "0 and 1 only"),
        ({"groups": PATIENTS[1:]}, "groups has 129"),
        ({"groups": [None] * 130}, r"groups\[0\] is None"),
        ({"groups": [1.0, math.nan] * 65}, r"groups\[1\] is nan"),
        ({"groups": np.arange(130) % 2}, "expected more than 2"),
        ({"groups": np.zeros(130)}, "1 patient"),
        ({"penalty": 0.0}, "penalty"),
        ({"penalty": math.nan}, "penalty"),
        ({"risk_threshold": 1.0}, "risk_threshold"),
    ],
)
def test_fit_refuses(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"features": {"x": X}, "r1": R1, "groups": PATIENTS} | change
    with pytest.raises(InputError, match=message):
        TrainedModel.fit(arguments.pop("features"), arguments.pop("r1"), **arguments)


def test_unfitted_model_refuses() -> None:
    with pytest.raises(InputError, match="no default coefficients"):
        TrainedModel()
    with pytest.raises(InputError, match="centre has shape"):
        TrainedModel(names=("x",))


def test_predict_refuses() -> None:
    model = TrainedModel.fit({"x": X}, R1, groups=PATIENTS)
    for features in ({}, {"y": 1.0}, {"x": 1.0, "y": 1.0}, {"x": math.nan}):
        with pytest.raises(InputError, match="expected"):
            model.predict(features)


def test_file_round_trip(tmp_path: Path) -> None:
    features, r1, groups = simulated(60)
    model = TrainedModel.fit(features, r1, groups=groups, risk_threshold=0.3)
    path = tmp_path / "model.json"
    model.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.json"]
    again = TrainedModel.load(path)
    lesion = {"log_sbr": 0.5, "distance_mm": 3.0}
    assert again.predict(lesion) == model.predict(lesion)
    for name in ("centre", "scale", "coefficients", "covariance", "training_range"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
    assert (again.names, again.warnings, again.training) == (model.names, model.warnings, model.training)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert (content["schema"], content["schema_version"]) == ("pyicg.trained-margin-model", 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema"),
        ({"schema": "other"}, "schema"),
        ({"coefficients": [1.0]}, "coefficients has shape"),
        ({"covariance": [[None, 0.0], [0.0, 1.0]]}, "covariance has shape"),
        ({"extra": 1}, "missing or unknown: extra"),
        ({"names": []}, "no default coefficients"),
    ],
)
def test_damaged_file_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "model.json"
    TrainedModel.fit({"x": X}, R1, groups=PATIENTS).save(path)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        TrainedModel.load(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "3"])
def test_no_model_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="no file of TrainedModel"):
        TrainedModel.load(path)
