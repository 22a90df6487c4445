"""A margin model trained on the user's own lesions: ridge logistic regression on a few named features."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg._outcomes import BoolLike, FloatArray, as_bool_vector, as_clusters, fit_logistic
from pyicg.errors import InputError
from pyicg.labels import check_risk_threshold, label_from_probability
from pyicg.results import MarginStatus

__all__ = ["TrainedModel"]

_SCHEMA = "pyicg.trained-margin-model"
_SCHEMA_VERSION = 1
_MAX_FEATURES = 5
# Riley's minimum for a C statistic of .75 at an R1 prevalence of .168: features -> (lesions, R1 lesions).
_RILEY = {3: (227, 38), 5: (377, 63)}
_Z95 = 1.959963984540054
_ARRAYS = ("centre", "scale", "coefficients", "covariance", "training_range")


def _no_array() -> FloatArray:
    return np.empty(0)


def _as_matrix(
    features: Mapping[str, npt.ArrayLike] | npt.ArrayLike, names: Sequence[str] | None
) -> tuple[tuple[str, ...], FloatArray]:
    """Return feature names and the (N, k) matrix; refuse missing, non-numeric and constant features."""
    if isinstance(features, Mapping):
        if names is not None:
            raise InputError("names was given beside named features, expected one of the two: drop names")
        names, columns = tuple(features), [np.asarray(column) for column in features.values()]
    else:
        matrix = np.asarray(features)
        if matrix.ndim != 2 or names is None or len(names) != matrix.shape[1]:
            raise InputError(
                f"features has shape {matrix.shape} with names {names}, expected (N, k) and k names, or a mapping"
            )
        names, columns = tuple(names), list(matrix.T)
    if not 1 <= len(names) <= _MAX_FEATURES or len(set(names)) != len(names):
        raise InputError(f"features are {list(names)}, expected 1 to {_MAX_FEATURES} of different names: pick some")
    for name, column in zip(names, columns, strict=True):
        if column.ndim != 1 or column.shape != columns[0].shape or column.dtype.kind not in "biuf":
            raise InputError(
                f"feature {name!r} has shape {column.shape} and dtype {column.dtype}, expected numbers of shape "
                f"{(columns[0].size,)}: one per lesion"
            )
        if not np.isfinite(column).all():
            raise InputError(
                f"feature {name!r} is missing in {np.count_nonzero(~np.isfinite(column))} of {column.size} lesions, "
                "expected finite numbers: leave those lesions out, and say how many"
            )
        if np.unique(column).size < 2:
            raise InputError(f"feature {name!r} has one value in all lesions, expected it to vary: drop it")
    return names, np.column_stack([column.astype(np.float64) for column in columns])


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedModel:
    """P(R1) from named features by a logistic regression that the user has trained; made by `fit` or `load`.

    logit P(R1) = b0 + sum b_j (x_j - centre_j) / scale_j, with b minimising -log likelihood + penalty / 2 sum b_j^2
    over the standardised features (the intercept goes free). The covariance is the patient-clustered sandwich. There
    are no default coefficients: without a fit there is no model. The interval holds sampling error only, and the fit
    has not been validated: no cross-validation is done here.

    Attributes
    ----------
    names : tuple of str
        The k features, in the order of the arrays.
    centre, scale : ndarray (k,)
        Mean and standard deviation of each feature in training.
    coefficients : ndarray (k + 1,)
        Intercept, then one coefficient per standardised feature.
    covariance : ndarray (k + 1, k + 1)
        Patient-clustered covariance of `coefficients`.
    training_range : ndarray (k, 2)
        Smallest and largest value of each feature in training.
    penalty, risk_threshold : float
        As given to `fit`.
    training : mapping
        n_lesions, n_patients, n_r1 and the SHA-256 of the training data (`digest`).
    warnings : tuple of str
        What the user has to know before trusting the model.

    Raises
    ------
    InputError
        The class is called without fitted parts.

    Examples
    --------
    >>> from pyicg.margin import TrainedModel
    >>> model = TrainedModel.fit(
    ...     {"log_sbr": [0.1, 0.9, 0.2, 0.7, 0.4, 0.5]}, [0, 1, 0, 1, 1, 0], groups=["a", "a", "b", "b", "c", "d"]
    ... )
    >>> model.warnings
    ("6 lesions with 3 R1 train 1 feature(s); Riley's minimum is 227 with 38 (prevalence .168, C .75)",)
    >>> round(model.predict({"log_sbr": 0.8}).p_r1, 2)
    0.76
    >>> model.predict({"log_sbr": 2.0}).reasons
    ('out_of_range',)
    """

    names: tuple[str, ...] = ()
    centre: FloatArray = field(default_factory=_no_array)
    scale: FloatArray = field(default_factory=_no_array)
    coefficients: FloatArray = field(default_factory=_no_array)
    covariance: FloatArray = field(default_factory=_no_array)
    training_range: FloatArray = field(default_factory=_no_array)
    penalty: float = math.nan
    risk_threshold: float = math.nan
    training: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        k = len(self.names)
        if k == 0:
            raise InputError("TrainedModel has no default coefficients: use TrainedModel.fit(...) or .load(path)")
        shapes = ((k,), (k,), (k + 1,), (k + 1, k + 1), (k, 2))
        for name, shape in zip(_ARRAYS, shapes, strict=True):
            array = getattr(self, name)
            if array.shape != shape or not np.isfinite(array).all():
                raise InputError(f"{name} has shape {array.shape}, expected finite numbers of shape {shape}: fit again")
        check_risk_threshold(self.risk_threshold)

    @classmethod
    def fit(
        cls,
        features: Mapping[str, npt.ArrayLike] | npt.ArrayLike,
        r1: BoolLike,
        *,
        groups: Iterable[Hashable],
        names: Sequence[str] | None = None,
        penalty: float = 1.0,
        risk_threshold: float = 0.2,
    ) -> TrainedModel:
        """Train the model.

        Parameters
        ----------
        features : mapping of str to array-like (N,), or array-like (N, k) with `names`
            One to five features of N lesions, for example log SBR of the plane, residual area in mm2, completeness of
            the rim, signed distance in mm. Finite; units are the user's and are kept.
        r1 : array-like (N,), bool
            True where histology says R1.
        groups : iterable of N hashables
            Patient of each lesion. There must be more patients than coefficients, or the sandwich is singular.
        names : sequence of str, optional
            Feature names when `features` is an array.
        penalty : float
            Ridge penalty on the standardised coefficients, > 0. 1 equals a normal prior of standard deviation 1.
        risk_threshold : float
            Risk of R1 at which the user would cut again, in (0, 1). The default is an assumption.

        Raises
        ------
        InputError
            Missing, constant or non-numeric features, one class only, too few patients, or an option out of range.
        """
        if not 0 < penalty < math.inf:
            raise InputError(f"penalty is {penalty}, expected a finite number > 0")
        names, matrix = _as_matrix(features, names)
        n, k = matrix.shape
        outcome = as_bool_vector("r1", r1, n)
        clusters = as_clusters(groups, n)
        n_r1, n_patients = int(outcome.sum()), int(clusters.max()) + 1
        if n_r1 in (0, n):
            raise InputError(f"r1 is true in {n_r1} of {n} lesions, expected both R0 and R1 lesions")
        if n_patients <= k + 1:
            raise InputError(f"groups names {n_patients} patients, expected more than {k + 1}: use fewer features")
        centre, scale = matrix.mean(axis=0), matrix.std(axis=0)
        design = np.column_stack([np.ones(n), (matrix - centre) / scale])
        coefficients, covariance = fit_logistic(design, outcome, penalty=penalty, clusters=clusters)
        digest = hashlib.sha256(json.dumps(names).encode())
        for array in (matrix, outcome.astype(np.uint8), clusters):
            digest.update(np.ascontiguousarray(array).tobytes())
        lesions, r1_lesions = next(size for most, size in _RILEY.items() if k <= most)
        warnings = []
        if n < lesions or n_r1 < r1_lesions:
            warnings.append(
                f"{n} lesions with {n_r1} R1 train {k} feature(s); Riley's minimum is {lesions} with {r1_lesions} "
                "(prevalence .168, C .75)"
            )
        return cls(
            names=names,
            centre=centre,
            scale=scale,
            coefficients=coefficients,
            covariance=covariance,
            training_range=np.column_stack([matrix.min(axis=0), matrix.max(axis=0)]),
            penalty=penalty,
            risk_threshold=risk_threshold,
            training={"n_lesions": n, "n_patients": n_patients, "n_r1": n_r1, "digest": digest.hexdigest()},
            warnings=tuple(warnings),
        )

    def predict(self, features: Mapping[str, float]) -> MarginStatus:
        """Return the margin status of one lesion.

        Parameters
        ----------
        features : mapping of str to float
            Every feature of the model, and no other.

        Returns
        -------
        MarginStatus
            `ci` by the delta method on the logit. Outside the training range of any feature the model refuses: NaN,
            indeterminate, ``out_of_range``.

        Raises
        ------
        InputError
            A feature is missing, unknown or not finite.
        """
        if set(features) != set(self.names):
            raise InputError(f"features are {sorted(features)}, expected {sorted(self.names)}")
        x = np.array([float(features[name]) for name in self.names])
        if not np.isfinite(x).all():
            raise InputError(f"features are {dict(zip(self.names, x.tolist(), strict=True))}, expected finite numbers")
        outside = (x < self.training_range[:, 0]) | (x > self.training_range[:, 1])
        provenance = {
            "model": "trained",
            "features": dict(zip(self.names, x.tolist(), strict=True)),
            "outside_training_range": [name for name, out in zip(self.names, outside, strict=True) if out],
            "penalty": self.penalty,
            "risk_threshold": self.risk_threshold,
            "training": dict(self.training),
            "warnings": self.warnings,
        }
        if outside.any():
            return MarginStatus(
                math.nan, (math.nan, math.nan), "indeterminate", reasons=("out_of_range",), provenance=provenance
            )
        from scipy.special import expit

        row = np.concatenate([[1.0], (x - self.centre) / self.scale])
        logit, sigma = row @ self.coefficients, math.sqrt(row @ self.covariance @ row)
        p_r1, low, high = (float(p) for p in expit(logit + sigma * np.array([0.0, -_Z95, _Z95])))
        label = label_from_probability((low, high), risk_threshold=self.risk_threshold)
        reasons = ("straddles_threshold",) if label == "indeterminate" else ()
        return MarginStatus(p_r1, (low, high), label, reasons=reasons, provenance=provenance)

    def save(self, path: str | Path) -> None:
        """Write the model as JSON; numbers survive the round trip to the last bit."""
        path = Path(path)
        content: dict[str, Any] = {"schema": _SCHEMA, "schema_version": _SCHEMA_VERSION, "names": self.names}
        content |= {name: getattr(self, name).tolist() for name in _ARRAYS}
        content |= {"penalty": self.penalty, "risk_threshold": self.risk_threshold}
        content |= {"training": dict(self.training), "warnings": self.warnings}
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        part.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> TrainedModel:
        """Read a model written by `save`.

        Raises
        ------
        InputError
            The file is not such a model, is damaged, or has another schema version.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            found = (content.pop("schema"), content.pop("schema_version"))
            if found == (_SCHEMA, _SCHEMA_VERSION):
                if differing := {part.name for part in fields(cls)} ^ set(content):
                    raise KeyError(f"missing or unknown: {', '.join(sorted(differing))}")
                content |= {name: np.array(content[name], dtype=np.float64) for name in _ARRAYS}
                content |= {name: tuple(content[name]) for name in ("names", "warnings")}
                return cls(**content)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path} is no file of TrainedModel.save ({error}): train and save the model again"
            ) from error
        raise InputError(f"{path} has schema {found}, expected {(_SCHEMA, _SCHEMA_VERSION)}: train the model again")
