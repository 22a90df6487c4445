"""The file of a trained margin model: round trip, tampering, and everything that is not such a file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyicg import _core
from pyicg._model_file import write_model
from pyicg.errors import InputError
from pyicg.margin import TrainedModel

from .cohorts import PATIENTS, R1, X, simulated

SCHEMA = ("pyicg.trained-margin-model", 2)


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    features, r1, groups = simulated(90)
    trained = TrainedModel.fit(
        features,
        r1,
        groups=groups,
        risk_threshold=0.3,
        centres=groups % 3,
        units={"distance_mm": "mm"},
        draws=20,
    )
    return trained.recalibrate(*simulated(80, seed=5)[:2], groups=np.arange(80))


def test_round_trip(model: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    model.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.json"]
    again = TrainedModel.load(path)
    lesion = {"log_sbr": 0.5, "distance_mm": 3.0}
    assert again.predict(lesion) == model.predict(lesion)
    for name in ("centre", "scale", "coefficients", "covariance", "training_range", "correlation"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
    for name in ("names", "units", "warnings", "validation", "recalibrations", "penalty", "reach", "version", "digest"):
        assert getattr(again, name) == getattr(model, name)
    assert again.training == {**model.training}
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert (saved["schema"], saved["schema_version"]) == SCHEMA
    content = saved["content"]
    assert content["pyicg"] == _core.version()
    assert [(part["name"], part["unit"]) for part in content["features"]] == [("log_sbr", None), ("distance_mm", "mm")]
    assert len(content["recalibrations"]) == 2
    assert sorted(content["validation"]["centres"]) == ["0", "1", "2"]
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_undefined_figures_survive(tmp_path: Path) -> None:
    separated = TrainedModel.fit({"x": np.arange(10.0)}, np.arange(10) >= 5, groups=range(10), draws=20)
    separated.save(tmp_path / "model.json")
    again = TrainedModel.load(tmp_path / "model.json")
    assert again.digest == separated.digest
    assert again.validation is not None
    assert math.isnan(again.validation.corrected_slope)
    assert again.validation.cross_validated.slope.reason == "too_few_cases"
    assert "NaN" not in (tmp_path / "model.json").read_text(encoding="utf-8")


def test_the_digest_is_the_sha256_of_sorted_json(model: TrainedModel, tmp_path: Path) -> None:
    import hashlib

    model.save(tmp_path / "model.json")
    content = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    told = content.pop("digest")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert told == model.digest == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"coefficients": [0.0, 9.0]},
        {"penalty": 2.0},
        {"warnings": []},
        {"extra": 1},
    ],
)
def test_an_altered_file_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "model.json"
    TrainedModel.fit({"x": X}, R1, groups=PATIENTS, draws=20).save(path)
    saved = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(saved | {"content": saved["content"] | change}), encoding="utf-8")
    with pytest.raises(InputError, match="does not fit its digest"):
        TrainedModel.load(path)


def test_spaces_and_order_do_not_matter(model: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    model.save(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(dict(reversed(content.items()))), encoding="utf-8")
    assert TrainedModel.load(path).digest == model.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coefficients": [1.0]}, "coefficients has shape"),
        ({"covariance": [[None, 0.0], [0.0, 1.0]]}, "covariance has shape"),
        ({"covariance": [[1.0, 2.0], [2.0, 1.0]]}, "covariance is no covariance"),
        ({"covariance": [[1.0, 0.5], [0.0, 1.0]]}, "covariance is no covariance"),
        ({"correlation": [[-1.0]]}, "correlation is no covariance"),
        ({"penalty": "1.0?"}, "no file of TrainedModel"),
        ({"penalty": 0.0}, "penalty is 0.0"),
        ({"penalty": None}, "no file of TrainedModel"),
        ({"reach": -1.0}, "reach is -1.0"),
        ({"risk_threshold": 2.0}, "risk_threshold is 2.0"),
        ({"features": []}, "no default coefficients"),
        ({"features": 3}, "no file of TrainedModel"),
        ({"validation": {"folds": 5}}, "no file of TrainedModel"),
        ({"recalibrations": [{}]}, "no file of TrainedModel"),
        ({"warnings": None}, "no file of TrainedModel"),
        ({"training": {}}, "expected n_patients of at least 2"),
        ({"training": []}, "no file of TrainedModel"),
    ],
)
def test_wrong_content_with_a_digest_that_fits_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "model.json"
    TrainedModel.fit({"x": X}, R1, groups=PATIENTS, draws=20).save(path)
    write_model(path, *SCHEMA, json.loads(path.read_text(encoding="utf-8"))["content"] | change)
    with pytest.raises(InputError, match=message) as caught:
        TrainedModel.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"standard_deviation": 0.0}, "scale is"),
        ({"standard_deviation": None}, "scale has shape"),
        ({"range": [1.0, 0.0]}, "expected low < high"),
        ({"range": [0.0]}, "training_range has shape"),
        ({"name": 3}, "different texts"),
    ],
)
def test_wrong_features_are_refused(tmp_path: Path, part: dict[str, Any], message: str) -> None:
    path = tmp_path / "model.json"
    TrainedModel.fit({"x": X}, R1, groups=PATIENTS, draws=20).save(path)
    content = json.loads(path.read_text(encoding="utf-8"))["content"]
    content["features"][0] |= part
    write_model(path, *SCHEMA, content)
    with pytest.raises(InputError, match=message):
        TrainedModel.load(path)


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.json", SCHEMA[0], 1, {})
    with pytest.raises(InputError, match=r"has schema .*1\), expected .*2\); save the model again"):
        TrainedModel.load(path)
