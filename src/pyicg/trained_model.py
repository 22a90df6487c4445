"""A margin model trained on the user's own lesions: ridge logistic regression on a few named features."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pyicg import _core, _trained_model_file
from pyicg._margin_provenance import provenance
from pyicg._model_file import digest_of, read_model, write_model
from pyicg._outcomes import BoolLike, FloatArray
from pyicg._recalibration import Recalibration, recalibration
from pyicg._training import mahalanobis, train
from pyicg._training_table import MAX_FEATURES, Features, check_trainable, read_table
from pyicg.errors import InputError
from pyicg.labels import BLOCKING_REASONS, Label, check_risk_threshold, checked_reasons, label_from_probability
from pyicg.model_validation import Validation
from pyicg.results import MarginStatus

__all__ = ["TrainedModel"]

_ROUNDING = 1e-9
_FEWEST = 10  # lesions of either class for a label: our choice; of one or two R1 no interval can be had
_ASSUMED = (
    "the logit of the risk is linear in the features",
    "the lesion comes from the same kind of patients, camera and protocol as those that the model was fitted to last",
    "the interval holds how the coefficients vary with the sample of patients, and no difference between centres",
)


def _no_array() -> FloatArray:
    return np.empty(0)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedModel:
    """P(R1) from named features by a logistic regression that the user has trained; made by `fit` or `load`.

    logit P(R1) = b0 + sum b_j (x_j - centre_j) / scale_j. `fit` minimises -log likelihood + penalty / 2 sum b_j^2 over
    the standardised features (the intercept goes free), validates that procedure, and multiplies b_j by the calibration
    slope that is corrected for optimism. There are no default coefficients: without a fit there is no model.

    Attributes
    ----------
    names : tuple of str
        The k features, in the order of the arrays.
    units : mapping of str to str
        Unit of each feature where the user gave one.
    centre, scale : ndarray (k,)
        Mean and standard deviation of each feature in training.
    coefficients : ndarray (k + 1,)
        Intercept, then one coefficient per standardised feature; recalibrated.
    covariance : ndarray (k + 1, k + 1)
        Covariance of `coefficients`: spread of the whole procedure over bootstrap draws of patients. Shrinking narrows
        nothing: it trades spread for bias, so that the spread before it stands for the whole error.
    training_range : ndarray (k, 2)
        Smallest and largest value of each feature in training.
    correlation : ndarray (k, k)
        Correlation of the features in training.
    reach : float
        Largest Mahalanobis distance of a training lesion.
    penalty, risk_threshold : float
        The penalty used, and the threshold as given to `fit`.
    training : mapping
        n_lesions, n_patients, n_r1, what was left out for missing features, where the penalty is from, design effect,
        Riley's minimum, and the SHA-256 of the training data (`digest`).
    validation : Validation
        How well the procedure does on patients and centres that it has not seen.
    recalibrations : tuple of Recalibration
        What was done to the coefficients, in order, with those before and after.
    warnings : tuple of str
        What the user has to know before trusting the model.
    version : str
        The pyicg that trained it.

    Raises
    ------
    InputError
        The class is called without fitted parts, or with parts that do not fit together.

    Examples
    --------
    >>> from pyicg.margin import TrainedModel
    >>> model = TrainedModel.fit(
    ...     {"log_sbr": [0.1, 0.9, 0.2, 0.7, 0.4, 0.5] * 4}, [0, 1, 0, 1, 1, 0] * 4, groups=[n // 2 for n in range(24)]
    ... )
    >>> model.warnings[0][:45]
    '24 lesions of 12 patients with 12 R1 train 1 '
    >>> model.predict({"log_sbr": 2.0}).reasons, model.predict({"log_sbr": None}).reasons
    (('outside_training_range',), ('feature_missing',))
    """

    names: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    centre: FloatArray = field(default_factory=_no_array)
    scale: FloatArray = field(default_factory=_no_array)
    coefficients: FloatArray = field(default_factory=_no_array)
    covariance: FloatArray = field(default_factory=_no_array)
    training_range: FloatArray = field(default_factory=_no_array)
    correlation: FloatArray = field(default_factory=_no_array)
    reach: float = math.nan
    penalty: float = math.nan
    risk_threshold: float = math.nan
    training: Mapping[str, Any] = field(default_factory=dict)
    validation: Validation | None = None
    recalibrations: tuple[Recalibration, ...] = ()
    warnings: tuple[str, ...] = ()
    version: str = ""

    def __post_init__(self) -> None:
        k = len(self.names)
        if k == 0:
            raise InputError("TrainedModel has no default coefficients: use TrainedModel.fit(...) or .load(path)")
        if k > MAX_FEATURES or len(set(self.names)) != k or not all(isinstance(name, str) for name in self.names):
            raise InputError(f"names are {list(self.names)}, expected 1 to {MAX_FEATURES} different texts: fit again")
        shapes = {"centre": (k,), "scale": (k,), "coefficients": (k + 1,), "covariance": (k + 1, k + 1)}
        for name, shape in (shapes | {"training_range": (k, 2), "correlation": (k, k)}).items():
            array = getattr(self, name)
            if array.shape != shape or not np.isfinite(array).all():
                raise InputError(f"{name} has shape {array.shape}, expected finite numbers of shape {shape}: fit again")
        for name, positive in (("scale", self.scale), ("penalty", self.penalty), ("reach", self.reach)):
            if not np.all(np.isfinite(positive) & (np.asarray(positive) > 0)):
                raise InputError(f"{name} is {positive}, expected finite numbers > 0: fit again")
        if not (self.training_range[:, 0] < self.training_range[:, 1]).all():
            raise InputError(f"training_range is {self.training_range.tolist()}, expected low < high: fit again")
        for name, matrix in (("covariance", self.covariance), ("correlation", self.correlation)):
            size = np.abs(matrix).max()
            if np.abs(matrix - matrix.T).max() > _ROUNDING * size or np.linalg.eigvalsh(matrix)[0] < -_ROUNDING * size:
                raise InputError(f"{name} is no covariance, expected it symmetric and not negative: fit again")
        counts = [self.training.get(name) for name in ("n_patients", "n_r1", "n_lesions")]
        if not all(isinstance(count, int) for count in counts) or self.training["n_patients"] < 2:
            raise InputError(
                f"training is {dict(self.training)}, expected n_patients of at least 2, n_r1 and n_lesions: fit again"
            )
        check_risk_threshold(self.risk_threshold)
        for name in (*shapes, "training_range", "correlation"):
            getattr(self, name).setflags(write=False)  # the digest tells of these numbers

    @classmethod
    def fit(
        cls,
        features: Features,
        r1: BoolLike,
        *,
        groups: Iterable[Hashable],
        names: Sequence[str] | None = None,
        penalty: float | None = 1.0,
        risk_threshold: float = 0.2,
        centres: Iterable[Hashable] | None = None,
        missing: Literal["refuse", "complete-case"] = "refuse",
        units: Mapping[str, str] | None = None,
        draws: int = 200,
        seed: int = 20240407,
    ) -> TrainedModel:
        """Train, validate and recalibrate the model.

        Parameters
        ----------
        features : mapping of str to array-like (N,), or array-like (N, k) with `names`
            One to five features of N lesions, chosen beforehand, for example log SBR of the plane, residual area in
            mm2, completeness of the rim, signed distance in mm. None or NaN where missing.
        r1 : array-like (N,), bool
            True where histology says R1.
        groups : iterable of N hashables
            Patient of each lesion; more patients than coefficients.
        names : sequence of str, optional
            Feature names when `features` is an array.
        penalty : float or None
            Ridge penalty on the standardised coefficients, > 0; 1 equals a normal prior of standard deviation 1. None
            chooses among 0.1, 0.3, 1, 3, 10 and 30 by the deviance of patients left out, which is less stable.
        risk_threshold : float
            Risk of R1 at which the user would cut again, in (0, 1). The default is an assumption.
        centres : iterable of N hashables, optional
            Centre of each lesion; each is then left out in turn.
        missing : {"refuse", "complete-case"}
            Whether lesions without a feature are an error, or are left out and counted.
        units : mapping of str to str, optional
            Unit of each feature, kept for the reader.
        draws : int
            Bootstrap draws of patients, >= 20.
        seed : int
            Of the draws.

        Raises
        ------
        InputError
            Missing, constant, dependent or non-numeric features, one class only, too few patients, or an option out of
            range.
        """
        if penalty is not None and not (isinstance(penalty, Real) and 0 < penalty < math.inf):
            raise InputError(f"penalty is {penalty!r}, expected a finite number > 0, or None to choose one")
        for name, value, least in (("draws", draws, 20), ("seed", seed, 0)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise InputError(f"{name} is {value!r}, expected a whole number >= {least}")
        check_risk_threshold(risk_threshold)
        table = read_table(features, r1, groups=groups, names=names, centres=centres, missing=missing)
        check_trainable(table)
        units = _checked_units(units, table.names)
        parts = train(table, penalty=penalty, draws=int(draws), seed=int(seed))
        return cls(**parts, units=units, risk_threshold=float(risk_threshold), version=_core.version())

    def predict(self, features: Mapping[str, float | None], *, reasons: Iterable[str] = ()) -> MarginStatus:
        """Return the margin status of one lesion.

        Parameters
        ----------
        features : mapping of str to float or None
            Features of the model, and no other; one that is None, NaN or not there is missing.
        reasons : iterable of str
            Codes that limit the features. Those of `pyicg.labels.BLOCKING_REASONS` (see `PublishedAnchorModel.predict`)
            make the label indeterminate; the probability is still shown.

        Returns
        -------
        MarginStatus
            `ci` by the delta method on the logit, with Student's t for one less than the number of patients. Of a model
            trained on fewer than 10 lesions of R1, or of R0 (our choice), it is too narrow: no label,
            ``too_few_cases``. NaN and
            indeterminate where a feature is missing (``feature_missing``), and where one, or all of them together
            (Mahalanobis distance), lies farther out than any lesion in training (``outside_training_range``).

        Raises
        ------
        InputError
            A feature is unknown or no number, or `reasons` is no sequence of codes.
        """
        if not isinstance(features, Mapping) or not set(features) <= set(self.names):
            found = sorted(map(str, features)) if isinstance(features, Mapping) else repr(features)
            raise InputError(f"features are {found}, expected a mapping with {sorted(self.names)} and no other")
        codes = list(checked_reasons(reasons))
        x = np.array([_as_number(name, features.get(name)) for name in self.names])
        absent = [name for name, value in zip(self.names, x, strict=True) if math.isnan(value)]
        far = (x < self.training_range[:, 0]) | (x > self.training_range[:, 1])
        outside = [name for name, out in zip(self.names, far, strict=True) if out]
        standard = (x - self.centre) / self.scale
        if not absent and not outside and mahalanobis(standard, self.correlation) > self.reach * (1 + _ROUNDING):
            outside = ["all features together"]
        values = {name: None if math.isnan(value) else float(value) for name, value in zip(self.names, x, strict=True)}
        origin = self._provenance() | {
            "features": values,
            "missing_features": absent,
            "outside_training_range": outside,
        }
        codes += ["feature_missing"] * bool(absent) + ["outside_training_range"] * bool(outside)
        p_r1, ci = math.nan, (math.nan, math.nan)
        label: Label = "indeterminate"
        n_r1 = self.training["n_r1"]
        few = min(n_r1, self.training["n_lesions"] - n_r1) < _FEWEST
        codes += ["too_few_cases"] * few
        if not absent and not outside:
            p_r1, ci = self._risk(standard)
            by_rule = label_from_probability(ci, risk_threshold=self.risk_threshold)
            if by_rule == "indeterminate":
                codes.append("straddles_threshold")
            if not few and BLOCKING_REASONS.isdisjoint(codes):
                label = by_rule
        return MarginStatus(p_r1, ci, label, reasons=tuple(dict.fromkeys(codes)), provenance=origin)

    def recalibrate(
        self,
        features: Features,
        r1: BoolLike,
        *,
        groups: Iterable[Hashable],
        method: Literal["intercept", "slope"] = "intercept",
    ) -> TrainedModel:
        """Return a model that is fitted to another centre's lesions.

        Parameters
        ----------
        features : mapping of str to array-like (N,), or array-like (N, k) in the order of `names`
            The model's features of that centre's lesions, none missing. Lesions outside the training range of a feature
            are left out and counted, because the model does not predict them.
        r1, groups : as for `fit`
            Histology and patient of each lesion.
        method : {"intercept", "slope"}
            Move the intercept only, or stretch the logit as well: the first for few R1 lesions.

        Returns
        -------
        TrainedModel
            New coefficients and covariance; ranges, training summary and validation are those of this model.

        Raises
        ------
        InputError
            As for `fit`; or the features are not those of the model, or the slope has no estimate.
        """
        if method not in ("intercept", "slope"):
            raise InputError(f'method is {method!r}, expected "intercept" or "slope"')
        if isinstance(features, Mapping):
            if set(features) != set(self.names):
                raise InputError(f"features are {sorted(map(str, features))}, expected {sorted(self.names)}")
            features = {name: features[name] for name in self.names}
        names = None if isinstance(features, Mapping) else self.names
        table = read_table(features, r1, groups=groups, names=names, centres=None, missing="refuse")
        after, covariance, step = recalibration(
            self.coefficients,
            self.covariance,
            table,
            centre=self.centre,
            scale=self.scale,
            training_range=self.training_range,
            method=method,
        )
        warning = (
            f"recalibrated ({method}) on {step.n_lesions} lesions of {step.n_patients} patients with {step.n_r1} R1, "
            f"{step.n_outside} left out as outside the training range; not validated since"
        )
        return dataclasses.replace(
            self,
            coefficients=after,
            covariance=covariance,
            recalibrations=(*self.recalibrations, step),
            warnings=(*self.warnings, warning),
        )

    def save(self, path: str | Path) -> Path:
        """Write the model as JSON and return the path; numbers survive the round trip to the last bit.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        return write_model(path, *_trained_model_file.SCHEMA, _trained_model_file.content_of(self))

    @classmethod
    def load(cls, path: str | Path) -> TrainedModel:
        """Read a model written by `save`.

        Raises
        ------
        InputError
            The file is not there, is not such a model, does not match its digest, or has another schema version.
        """
        content = read_model(path, *_trained_model_file.SCHEMA)
        try:
            return cls(**_trained_model_file.parts_of(content))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is no file of TrainedModel.save ({error!r}): train and save again") from error

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model's content, the same before and after `save` and `load`."""
        return digest_of(*_trained_model_file.SCHEMA, _trained_model_file.content_of(self))

    def _risk(self, standard: FloatArray) -> tuple[float, tuple[float, float]]:
        from scipy.special import expit, stdtrit

        patients = [self.training["n_patients"], *(step.n_patients for step in self.recalibrations)]
        row = np.concatenate([[1.0], standard])
        logit, half = row @ self.coefficients, math.sqrt(max(row @ self.covariance @ row, 0.0))
        half *= float(stdtrit(min(patients) - 1, 0.975))
        return float(expit(logit)), (float(expit(logit - half)), float(expit(logit + half)))

    def _provenance(self) -> dict[str, Any]:
        found = self.validation
        return provenance(
            "trained",
            source="trained by the user",
            trained_with=self.version,
            digest=self.digest,
            units=dict(self.units),
            penalty={"value": self.penalty, "origin": self.training.get("penalty_origin")},
            risk_threshold={
                "value": self.risk_threshold,
                "assumption": "the risk of R1 at which you would cut again",
            },
            training=dict(self.training),
            validation=None
            if found is None
            else _trained_model_file.plain(
                {
                    "cross_validated_auc": found.cross_validated.auc.value,
                    "cross_validated_slope": found.cross_validated.slope.value,
                    "corrected_auc": found.corrected_auc.value,
                    "corrected_slope": found.corrected_slope,
                    "centres_left_out": sorted(found.centres),
                }
            ),
            recalibrations=[
                {"method": step.method, "slope": step.slope, "intercept": step.intercept, "n_lesions": step.n_lesions}
                for step in self.recalibrations
            ],
            warnings=self.warnings,
            assumptions=_ASSUMED,
        )


def _as_number(name: str, value: object) -> float:
    if value is None:
        return math.nan
    if not isinstance(value, Real | np.bool_):
        raise InputError(f"feature {name!r} is {value!r}, expected a number, or None where it is missing")
    try:
        return float(value)
    except OverflowError as error:
        raise InputError(f"feature {name!r} is too large for a number of 64 bits") from error


def _checked_units(units: Mapping[str, str] | None, names: tuple[str, ...]) -> dict[str, str]:
    given = {} if units is None else units
    if (
        not isinstance(given, Mapping)
        or not set(given) <= set(names)
        or not all(isinstance(u, str) for u in given.values())
    ):
        raise InputError(f"units are {given!r}, expected texts for features among {list(names)}")
    return dict(given)
