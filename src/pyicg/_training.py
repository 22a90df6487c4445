"""Training, validating and recalibrating a margin model from a checked table, and what to say about it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyicg._outcomes import FloatArray
from pyicg._recalibration import Recalibration, shrunk, step_of
from pyicg._ridge import PENALTIES, Lesions, develop, grouped_folds
from pyicg._training_table import TrainingTable
from pyicg.errors import InputError
from pyicg.model_validation import Validation, validate
from pyicg.sample_size import design_effect, riley_minimum

_C_STATISTIC = 0.75  # assumed for the sample size: the trial's AUC is 0.751


def train(table: TrainingTable, *, penalty: float | None, draws: int, seed: int) -> dict[str, Any]:
    """Return the fitted parts of a `TrainedModel`."""
    centre, scale = table.matrix.mean(axis=0), table.matrix.std(axis=0)
    standard = (table.matrix - centre) / scale
    lesions = Lesions(
        design=np.column_stack([np.ones(len(standard)), standard]),
        r1=table.r1,
        clusters=table.clusters,
        fold=grouped_folds(table.r1, table.clusters),
        penalties=PENALTIES if penalty is None else (float(penalty),),
    )
    once = np.ones((1, table.r1.size))
    chosen, coefficients = develop(lesions, once[0])
    if not np.isfinite(coefficients).all():
        raise InputError(
            "no model can be fitted, or no penalty be chosen by leaving patients out: give a penalty, gather more "
            "patients with R1, or drop a feature that hardly varies"
        )
    validation, spread, weights = validate(lesions, coefficients, centres=table.centres, draws=draws, seed=seed)
    if 2 * len(spread) < draws:
        raise InputError(
            f"{draws - len(spread)} of {draws} samples redrawn from the patients cannot be fitted, expected fewer "
            "than half: gather more patients with R1, or drop a feature that hardly varies"
        )
    recalibrations: tuple[Recalibration, ...] = ()
    stretch = 1.0  # a slope below 1 narrows no interval, one above 1 widens it
    if math.isfinite(validation.corrected_slope):
        before, slope = coefficients, max(validation.corrected_slope, 0.0)
        stretch = max(slope, 1.0)
        coefficients = shrunk(before[np.newaxis], slope, lesions.design, table.r1, once)[0]
        intercept = float(coefficients[0] - slope * before[0])
        recalibrations = (step_of("optimism", slope, intercept, before, coefficients, table),)
    redrawn = shrunk(spread, stretch, lesions.design, table.r1, weights)
    correlation = np.atleast_2d(standard.T @ standard / len(standard))
    training, warnings = _summary(table, validation, penalty)
    return {
        "names": table.names,
        "centre": centre,
        "scale": scale,
        "coefficients": coefficients,
        "covariance": np.cov(redrawn.T),
        "training_range": np.column_stack([table.matrix.min(axis=0), table.matrix.max(axis=0)]),
        "correlation": correlation,
        "reach": float(mahalanobis(standard, correlation).max()),
        "penalty": chosen,
        "training": training,
        "validation": validation,
        "recalibrations": recalibrations,
        "warnings": warnings,
    }


def mahalanobis(standard: FloatArray, correlation: FloatArray) -> FloatArray:
    """Return the Mahalanobis distance of standardised features (..., k) from the training mean."""
    solved = np.linalg.solve(correlation, standard.T)
    return np.asarray(np.sqrt(np.sum(standard.T * solved, axis=0)))


def _summary(
    table: TrainingTable, validation: Validation, penalty: float | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the training summary, and what the user has to know before trusting the model."""
    k, n, n_r1, patients = len(table.names), table.r1.size, int(table.r1.sum()), int(table.clusters.max()) + 1
    effect, icc = design_effect(table.r1, table.clusters)
    corrected = validation.corrected_auc.value
    # A model that promises much cannot excuse few lesions: the C statistic counts up to the one assumed.
    expected_c = corrected if corrected < _C_STATISTIC else _C_STATISTIC
    warnings, riley = [], None
    if expected_c > 0.5:
        needed = riley_minimum(k, prevalence=n_r1 / n, c_statistic=expected_c)
        riley = {name: getattr(needed, name) for name in ("lesions", "r1", "criteria", "binding", "c_statistic")}
        if n / effect < needed.lesions:
            weigh = f" (alike within patients, they weigh {n / effect:.0f})" if effect > 1 else ""
            warnings.append(
                f"{n} lesions of {patients} patients with {n_r1} R1 train {k} feature(s){weigh}; Riley's minimum is "
                f"{needed.lesions} with {needed.r1} R1 (prevalence {n_r1 / n:.3f}, C {expected_c:.2f}; the criterion "
                f"that binds is {needed.binding})"
            )
    else:
        warnings.append(f"the AUC corrected for optimism is {corrected:.2f}: the features do not tell R1 from R0")
    if validation.folds == 1:
        warnings.append("not cross-validated: too few patients with R1 or R0")
    if math.isnan(validation.corrected_slope):
        warnings.append(
            f"neither corrected for optimism nor shrunk: {validation.degenerate} of {validation.draws} bootstrap draws "
            "are degenerate, or the predictions separate R0 from R1"
        )
    elif validation.corrected_slope <= 0:
        warnings.append("the calibration slope corrected for optimism is not positive: all coefficients are set to 0")
    if table.n_dropped:
        warnings.append(
            f"{table.n_dropped} of {n + table.n_dropped} lesions were left out for missing features; if these are "
            "missing for a reason, the model is biased"
        )
    return {
        "n_lesions": n,
        "n_patients": patients,
        "n_r1": n_r1,
        "n_dropped": table.n_dropped,
        "missing": dict(table.missing),
        "penalty_origin": "given" if penalty is not None else f"chosen from {PENALTIES} by patients left out",
        "design_effect": effect,
        "icc": icc,
        "riley": riley,
        "digest": table.digest,
    }, tuple(warnings)
