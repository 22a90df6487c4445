"""Moving a trained margin model: shrinking it by its optimism, and fitting it to another centre's lesions."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from pyicg._outcomes import BoolArray, FloatArray, IntArray, fit_logistic
from pyicg._ridge import fit_ridge
from pyicg._training_table import TrainingTable
from pyicg.errors import InputError
from pyicg.model_validation import slope_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalibration:
    """One step of recalibration: new logit = `intercept` + `slope` times old logit.

    Attributes
    ----------
    method : str
        ``optimism`` (at the fit: slope corrected for optimism, intercept estimated anew; van Houwelingen and le Cessie
        1990, Steyerberg 2019), or ``intercept`` or ``slope`` (on another centre's lesions).
    slope, intercept : float
        What was applied.
    coefficients_before, coefficients_after : tuple of float
        The model's coefficients (k + 1).
    n_lesions, n_patients, n_r1 : int
        Lesions that it rests on.
    n_outside : int
        Lesions that were left out because a feature lies outside the training range.
    digest : str
        SHA-256 of the data.
    """

    method: str
    slope: float
    intercept: float
    coefficients_before: tuple[float, ...]
    coefficients_after: tuple[float, ...]
    n_lesions: int
    n_patients: int
    n_r1: int
    n_outside: int
    digest: str


def shrunk(
    coefficients: FloatArray, factor: float, design: FloatArray, r1: BoolArray, weights: FloatArray
) -> FloatArray:
    """Return (B, k + 1) coefficients times `factor`, each with the intercept that the weighted lesions ask for."""
    moved = factor * coefficients
    moved[:, 0] = 0.0
    ones = np.ones((len(design), 1))
    moved[:, 0] = fit_ridge(ones, r1, weights, np.zeros((len(weights), 1)), offset=moved @ design.T)[:, 0]
    return moved


def updated(
    coefficients: FloatArray,
    covariance: FloatArray,
    design: FloatArray,
    r1: BoolArray,
    clusters: IntArray,
    *,
    slope: bool,
) -> tuple[float, float, FloatArray, FloatArray]:
    """Return intercept and slope on new lesions, and the coefficients and covariance they lead to.

    The intercept (with `slope`, the slope as well) is fitted to the old logit. By the delta method the new covariance
    holds the clustered one of that fit, and what remains of the old one: an error of the old intercept (and scale) is
    made good by the new lesions, an error in the direction of the coefficients is not.
    """
    from scipy.special import expit

    logit = design @ coefficients
    ones = np.ones(len(design))
    if slope:
        regressors = np.column_stack([ones, logit])
        fitted, spread = fit_logistic(regressors, r1, clusters=clusters)
        a, s = float(fitted[0]), float(fitted[1])
    else:
        regressors = ones[:, np.newaxis]
        fitted, spread = fit_logistic(regressors, r1, offset=logit, clusters=clusters)
        a, s = float(fitted[0]), 1.0
    intercept_only = np.eye(len(coefficients))[0]
    after = s * coefficients + a * intercept_only
    p = expit(design @ after)
    weighted = regressors.T * (p * (1 - p))
    along = np.column_stack([intercept_only, coefficients])[:, : regressors.shape[1]]
    carried = s * (np.eye(len(coefficients)) - along @ np.linalg.solve(weighted @ regressors, weighted @ design))
    return a, s, after, carried @ covariance @ carried.T + along @ spread @ along.T


def recalibration(
    coefficients: FloatArray,
    covariance: FloatArray,
    table: TrainingTable,
    *,
    centre: FloatArray,
    scale: FloatArray,
    training_range: FloatArray,
    method: str,
) -> tuple[FloatArray, FloatArray, Recalibration]:
    """Return coefficients and covariance fitted to those lesions that lie in the training range, and the step."""
    low, high = training_range.T
    within = ((table.matrix >= low) & (table.matrix <= high)).all(axis=1)
    clusters = np.asarray(np.unique(table.clusters[within], return_inverse=True)[1], dtype=np.int64)
    kept = dataclasses.replace(table, matrix=table.matrix[within], r1=table.r1[within], clusters=clusters)
    n, n_r1 = kept.r1.size, int(kept.r1.sum())
    if n_r1 in (0, n) or clusters.max() < 1:
        raise InputError(
            f"r1 is true in {n_r1} of {n} lesions within the training range, expected both R0 and R1, of at least 2 "
            "patients"
        )
    design = np.column_stack([np.ones(n), (kept.matrix - centre) / scale])
    if method == "slope" and math.isnan(slope_of(design @ coefficients, kept.r1, np.ones(n))):
        raise InputError('the predictions separate R0 from R1, or are all equal: no slope; use method="intercept"')
    intercept, slope, after, spread = updated(
        coefficients, covariance, design, kept.r1, clusters, slope=method == "slope"
    )
    if slope <= 0:
        raise InputError(
            f"the predictions run against the outcomes (slope {slope:.2f}): is r1 coded with True for R1, and are the "
            "features in the model's units?"
        )
    outside = int(np.sum(~within))
    return after, spread, step_of(method, slope, intercept, coefficients, after, kept, outside=outside)


def step_of(
    method: str,
    slope: float,
    intercept: float,
    before: FloatArray,
    after: FloatArray,
    table: TrainingTable,
    *,
    outside: int = 0,
) -> Recalibration:
    """Return the record of one step."""
    return Recalibration(
        method=method,
        slope=slope,
        intercept=intercept,
        coefficients_before=tuple(before.tolist()),
        coefficients_after=tuple(after.tolist()),
        n_lesions=table.r1.size,
        n_patients=int(table.clusters.max()) + 1,
        n_r1=int(table.r1.sum()),
        n_outside=outside,
        digest=table.digest,
    )
