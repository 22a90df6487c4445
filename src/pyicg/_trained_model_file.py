"""What the JSON file of a trained margin model holds, and the way back from there."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyicg._recalibration import Recalibration
from pyicg.model_validation import Performance, Validation
from pyicg.results import Measurement

if TYPE_CHECKING:
    from pyicg.trained_model import TrainedModel

SCHEMA = ("pyicg.trained-margin-model", 2)
_ARRAYS = ("coefficients", "covariance", "correlation")
_NUMBERS = ("reach", "penalty", "risk_threshold")
_RECORDS = ("training", "validation", "recalibrations", "warnings")


def plain(value: Any) -> Any:
    """Return a value as JSON has it: mappings, lists, text and finite numbers; NaN becomes None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {part.name: plain(getattr(value, part.name)) for part in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def content_of(model: TrainedModel) -> dict[str, Any]:
    """Return what the file holds."""
    parts = zip(model.names, model.centre, model.scale, model.training_range, strict=True)
    content: dict[str, Any] = plain(
        {
            "pyicg": model.version,
            "features": [
                {"name": name, "unit": model.units.get(name), "mean": mean, "standard_deviation": sd, "range": ends}
                for name, mean, sd, ends in parts
            ],
        }
        | {name: getattr(model, name) for name in (*_ARRAYS, *_NUMBERS, *_RECORDS)}
    )
    return content


def parts_of(content: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `TrainedModel`; KeyError, TypeError or ValueError where the content has another shape."""
    features = content["features"]
    return (
        {name: np.array(content[name], dtype=np.float64) for name in _ARRAYS}
        | {name: float(content[name]) for name in _NUMBERS}
        | {
            "names": tuple(part["name"] for part in features),
            "units": {part["name"]: part["unit"] for part in features if part["unit"] is not None},
            "centre": np.array([part["mean"] for part in features], dtype=np.float64),
            "scale": np.array([part["standard_deviation"] for part in features], dtype=np.float64),
            "training_range": np.array([part["range"] for part in features], dtype=np.float64),
            "training": content["training"],
            "validation": None if content["validation"] is None else _validation(content["validation"]),
            "recalibrations": tuple(_step(step) for step in content["recalibrations"]),
            "warnings": tuple(content["warnings"]),
            "version": content["pyicg"],
        }
    )


def _validation(content: dict[str, Any]) -> Validation:
    return Validation(
        **content
        | {
            "cross_validated": _performance(content["cross_validated"]),
            "centres": {name: _performance(centre) for name, centre in content["centres"].items()},
            "corrected_auc": _measurement(content["corrected_auc"]),
        }
        | {name: _number(content[name]) for name in ("apparent_auc", "apparent_slope", "corrected_slope")}
    )


def _step(content: dict[str, Any]) -> Recalibration:
    return Recalibration(
        **content | {name: tuple(content[name]) for name in ("coefficients_before", "coefficients_after")}
    )


def _performance(content: dict[str, Any]) -> Performance:
    figures = {name: _measurement(content[name]) for name in ("auc", "slope", "intercept", "brier")}
    return Performance(**content | figures)


def _measurement(content: dict[str, Any]) -> Measurement:
    low, high = (_number(bound) for bound in content["ci"])
    return Measurement(_number(content["value"]), _number(content["sigma"]), (low, high), content["reason"])


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
