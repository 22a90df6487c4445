"""Margin models as JSON: what is saved is loaded, and what was edited is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyicg._model_file import read_model, write_model
from pyicg.errors import InputError
from pyicg.margin import PublishedAnchorModel


@pytest.mark.parametrize(
    "options",
    [
        {"prevalence": None},
        {"prevalence": "mimic-accuracy", "discount": 0.1 + 0.2, "risk_threshold": 1 / 3},
        {"prevalence": 0.126, "dose_mg": 25.0, "hours_before": 24},
        {"prevalence": np.float32(0.25), "dose_mg": np.int64(10)},
    ],
)
def test_anchor_survives_the_round_trip(options: dict[str, Any], tmp_path: Path) -> None:
    model = PublishedAnchorModel(**options)
    path = model.save(tmp_path / "anchor.json")
    found = PublishedAnchorModel.load(path)
    assert found == model
    assert found.predict(fluorescent=True).reasons == model.predict(fluorescent=True).reasons
    assert [file.name for file in tmp_path.iterdir()] == ["anchor.json"]
    saved = json.loads(path.read_text())
    assert (saved["schema"], saved["schema_version"]) == ("pyicg.published-anchor-model", 1)
    assert saved["content"]["table"] == {"tp": 32, "fn": 21, "fp": 27, "tn": 236, "reconstructed": True}
    assert saved["content"]["doi"] == "10.1001/jamanetworkopen.2024.6548"
    before = path.read_bytes()
    assert model.save(path).read_bytes() == before


def test_digest_does_not_depend_on_the_layout(tmp_path: Path) -> None:
    path = PublishedAnchorModel(prevalence=0.2).save(tmp_path / "anchor.json")
    saved = json.loads(path.read_text())
    path.write_text(json.dumps(saved, sort_keys=True))
    assert PublishedAnchorModel.load(path) == PublishedAnchorModel(prevalence=0.2)


def edited(path: Path, change: str) -> None:
    saved = json.loads(path.read_text())
    if change == "prevalence":
        saved["content"]["parameters"]["prevalence"] = 0.3
    elif change == "digest":
        saved["digest"] = "0" * 64
    elif change == "NaN":
        saved["content"]["parameters"]["discount"] = math.nan
    elif change == "version":
        saved["schema_version"] = 2
    elif change == "schema":
        saved["schema"] = "pyicg.trained-margin-model"
    elif change == "content":
        saved["content"] = [1, 2]
    elif change == "no digest":
        del saved["digest"]
    elif change == "list":
        saved = [saved]
    text = json.dumps(saved)
    path.write_bytes({"cut": text[:40].encode(), "bytes": b"\xff\xfe"}.get(change, text.encode()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("prevalence", "does not fit its digest"),
        ("digest", "does not fit its digest"),
        ("NaN", "is no model file"),
        ("version", r"has schema \('pyicg.published-anchor-model', 2\), expected"),
        ("schema", r"has schema \('pyicg.trained-margin-model', 1\), expected"),
        ("content", "is no model file"),
        ("no digest", "is no model file"),
        ("list", "is no model file"),
        ("cut", "is no model file"),
        ("bytes", "is no model file"),
    ],
)
def test_other_files_are_refused(change: str, message: str, tmp_path: Path) -> None:
    path = PublishedAnchorModel(prevalence=0.2).save(tmp_path / "anchor.json")
    edited(path, change)
    with pytest.raises(InputError, match=f"anchor.json.*{message}"):
        PublishedAnchorModel.load(path)


def test_sealed_content_is_still_checked(tmp_path: Path) -> None:
    path = PublishedAnchorModel(prevalence=0.2).save(tmp_path / "anchor.json")
    content = json.loads(path.read_text())["content"]
    for wrong, message in (
        ({**content, "table": {**content["table"], "tp": 33}}, "this release on"),
        ({**content, "parameters": {"prevalence": 0.2}}, "has the parameters"),
        ({**content, "parameters": {**content["parameters"], "discount": 7}}, "discount is 7"),
    ):
        write_model(path, "pyicg.published-anchor-model", 1, wrong)
        with pytest.raises(InputError, match=message):
            PublishedAnchorModel.load(path)


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    for content in ({"x": math.nan}, {"x": object()}):
        with pytest.raises(InputError, match="cannot write the model"):
            write_model(tmp_path / "model.json", "s", 1, content)
    with pytest.raises(InputError, match="cannot write the model"):
        write_model(tmp_path / "missing" / "model.json", "s", 1, {})
    with pytest.raises(InputError, match=r"none\.json is no model file"):
        read_model(tmp_path / "none.json", "s", 1)
    assert list(tmp_path.iterdir()) == []
