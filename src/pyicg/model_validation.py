"""How well a trained margin model holds: on patients left out, on centres left out, and corrected for optimism."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pyicg._intervals import Z95, from_logit
from pyicg._outcomes import BoolArray, FloatArray, IntArray
from pyicg._ridge import Lesions, develop, fit_ridge
from pyicg.evaluate import calibration
from pyicg.results import Measurement
from pyicg.roc import areas_of

__all__ = ["Performance", "Validation", "clustered_auc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Predictions for lesions that the model has not seen, against histology.

    Attributes
    ----------
    auc : Measurement
        Area under the ROC curve; interval of Obuchowski 1997, patients as clusters, on the logit scale: of cohorts as
        small as this is for, it covers better than the plain one.
    slope, intercept : Measurement
        Calibration slope (1 is ideal, below 1 is overfitted) and calibration in the large (0 is ideal), with
        patient-clustered intervals (`pyicg.evaluate.calibration`).
    brier : Measurement
        Mean squared difference of prediction and outcome, its interval from the sums of each patient.
    n_lesions, n_patients, n_r1 : int
        What the figures stand on.

    Figures are NaN with ``too_few_cases`` where there are fewer than two patients, one class only, or no prediction.
    """

    auc: Measurement
    slope: Measurement
    intercept: Measurement
    brier: Measurement
    n_lesions: int
    n_patients: int
    n_r1: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What was found about a model when it was trained.

    Cross-validation and left-out centres judge the penalised fit before it is recalibrated; choice of the penalty and
    standard deviations are repeated inside. The bootstrap is Harrell's, over patients: optimism is the mean of a draw's
    figure on the draw less its figure on all lesions.

    Attributes
    ----------
    folds : int
        Folds of the cross-validation by patients; 1 where there were too few patients for any.
    cross_validated : Performance
        All lesions, each predicted by a model that has not seen its patient.
    centres : mapping of str to Performance
        Every centre predicted by a model that has not seen it; empty without `centres`.
    apparent_auc, apparent_slope : float
        On the lesions that the model was trained on.
    corrected_auc : Measurement
        Apparent AUC less its optimism. Interval: quantiles of the draws' apparent AUC less the optimism (Noma et al.
        2021, the location-shifted one); it does not hold the spread of the optimism itself.
    corrected_slope : float
        Apparent slope less its optimism, which is what the coefficients are multiplied by. No interval is known for it.
    draws, degenerate : int
        Bootstrap draws, and how many of them were left out: one class, a feature that does not vary, classes that the
        predictions separate. With half of them left out, nothing is corrected (NaN, ``too_few_cases``).
    seed : int
        Of the bootstrap.
    """

    folds: int
    cross_validated: Performance
    centres: Mapping[str, Performance] = field(default_factory=dict)
    apparent_auc: float
    apparent_slope: float
    corrected_auc: Measurement
    corrected_slope: float
    draws: int
    degenerate: int
    seed: int


def clustered_auc(score: FloatArray, r1: BoolArray, clusters: IntArray) -> Measurement:
    """Return the area under the ROC curve with an interval for lesions clustered in patients (Obuchowski 1997).

    Undefined with one class. Where fewer than two patients have R1 or R0 lesions, or nothing overlaps, there is no
    interval.

    Parameters
    ----------
    score : ndarray (N,)
        Larger means R1 rather.
    r1 : ndarray of bool (N,)
        Histology.
    clusters : ndarray of int (N,)
        Patient of each lesion, 0, 1, ...

    Examples
    --------
    >>> import numpy as np
    >>> from pyicg.model_validation import clustered_auc
    >>> clustered_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]), np.arange(4)).value
    0.75
    """
    areas, covariance = areas_of(r1, score[:, np.newaxis], clusters)
    value, variance = float(areas[0]), float(covariance[0, 0])
    if math.isnan(value):
        return Measurement.undefined("too_few_cases")
    if math.isnan(variance) or not 0 < value < 1:
        return Measurement(value, reason="too_few_cases")
    sigma = math.sqrt(max(variance, 0.0))
    return Measurement(value, sigma, from_logit(math.log(value / (1 - value)), sigma / (value * (1 - value)), Z95))


def _area(score: FloatArray, r1: BoolArray) -> float:
    return float(areas_of(r1, score[:, np.newaxis], None)[0][0])


def measure(logit: FloatArray, r1: BoolArray, clusters: IntArray) -> Performance:
    """Return the performance of predictions, given as logits; NaN logits leave every figure undefined."""
    from scipy.special import expit

    patients, n_r1 = np.unique(clusters).size, int(r1.sum())
    auc = slope = intercept = brier = Measurement.undefined("too_few_cases")
    if np.isfinite(logit).all() and patients > 1 and 0 < n_r1 < r1.size:
        p = expit(logit)
        auc = clustered_auc(logit, r1, clusters)
        agreement = calibration(p, r1, groups=clusters)
        slope, intercept = agreement.slope, agreement.intercept
        error = (p - r1) ** 2 - agreement.brier
        of_patient = np.bincount(clusters, weights=error)
        sigma = math.sqrt(patients / (patients - 1) * float(of_patient @ of_patient)) / r1.size
        ci = (max(agreement.brier - Z95 * sigma, 0.0), min(agreement.brier + Z95 * sigma, 1.0))
        brier = Measurement(agreement.brier, sigma, ci)
    return Performance(
        auc=auc, slope=slope, intercept=intercept, brier=brier, n_lesions=r1.size, n_patients=patients, n_r1=n_r1
    )


def slope_of(logit: FloatArray, r1: BoolArray, weights: FloatArray) -> float:
    """Return the calibration slope of logits; NaN where predictions separate the classes or do not vary."""
    seen = weights > 0
    of_r1, of_r0 = logit[seen & r1], logit[seen & ~r1]
    if min(of_r1.size, of_r0.size) == 0 or of_r1.min() >= of_r0.max() or of_r1.max() <= of_r0.min():
        return math.nan
    design = np.column_stack([np.ones(logit.size), logit])
    return float(fit_ridge(design, r1, weights[np.newaxis], np.zeros((1, 2)))[0, 1])


def _held_out(lesions: Lesions, part: IntArray) -> FloatArray:
    """Return the logit of every lesion under the model that all other parts make."""
    logit = np.empty(part.size)
    for number in range(int(part.max()) + 1):
        out = part == number
        logit[out] = lesions.design[out] @ develop(lesions, (~out).astype(np.float64))[1]
    return logit


def validate(
    lesions: Lesions, coefficients: FloatArray, *, centres: Sequence[str] | None, draws: int, seed: int
) -> tuple[Validation, FloatArray, FloatArray]:
    """Validate the procedure that made `coefficients`.

    Returns
    -------
    validation : Validation
    spread : ndarray (D, k + 1)
        Coefficients of the draws that could be fitted.
    weights : ndarray (D, N)
        How often each lesion was in them.
    """
    r1, clusters, n = lesions.r1, lesions.clusters, lesions.r1.size
    in_fold = _held_out(lesions, lesions.fold) if lesions.n_folds > 1 else np.full(n, math.nan)
    by_centre = {}
    if centres is not None:
        names, part = np.unique(np.array(centres), return_inverse=True)
        logit = _held_out(lesions, part)
        by_centre = {
            str(name): measure(logit[part == number], r1[part == number], _renumbered(clusters[part == number]))
            for number, name in enumerate(names)
        }
    rng = np.random.default_rng(seed)
    patients = int(clusters.max()) + 1
    once = np.ones(n)
    figures, spread, weights = [], [], []
    for _ in range(draws):
        drawn = np.bincount(rng.integers(patients, size=patients), minlength=patients)[clusters]
        _, b = develop(lesions, drawn.astype(np.float64))
        if not np.isfinite(b).all():
            continue
        logit = lesions.design @ b
        spread.append(b)
        weights.append(drawn)
        rows = np.repeat(np.arange(n), drawn)
        auc_in, auc_all = (_area(logit[i], r1[i]) for i in (rows, np.arange(n)))
        slope_in, slope_all = (slope_of(logit, r1, w) for w in (drawn.astype(np.float64), once))
        if math.isfinite(slope_in) and math.isfinite(slope_all):
            figures.append((auc_in, auc_in - auc_all, slope_in - slope_all))
    logit = lesions.design @ coefficients
    apparent_auc, apparent_slope = _area(logit, r1), slope_of(logit, r1, once)
    corrected_auc, corrected_slope = Measurement.undefined("too_few_cases"), math.nan
    if 2 * len(figures) > draws and math.isfinite(apparent_slope):
        auc_in, auc_optimism, slope_optimism = np.array(figures).T
        shift = float(auc_optimism.mean())
        low, high = (float(np.clip(bound - shift, 0, 1)) for bound in np.quantile(auc_in, (0.025, 0.975)))
        corrected_auc = Measurement(apparent_auc - shift, float(auc_in.std(ddof=1)), (low, high))
        corrected_slope = apparent_slope - float(slope_optimism.mean())
    validation = Validation(
        folds=lesions.n_folds,
        cross_validated=measure(in_fold, r1, clusters),
        centres=by_centre,
        apparent_auc=apparent_auc,
        apparent_slope=apparent_slope,
        corrected_auc=corrected_auc,
        corrected_slope=corrected_slope,
        draws=draws,
        degenerate=draws - len(figures),
        seed=seed,
    )
    return validation, np.array(spread), np.array(weights, dtype=np.float64)


def _renumbered(clusters: IntArray) -> IntArray:
    return np.asarray(np.unique(clusters, return_inverse=True)[1], dtype=np.int64)
