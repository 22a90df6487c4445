"""How a margin model is made from weighted lesions: ridge logistic fits, folds of whole patients, choice of penalty.

A bootstrap with a cross-validation inside takes thousands of small fits, so `fit_ridge` does many at once; one fit
alone is `pyicg._outcomes.fit_logistic`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pyicg._outcomes import BoolArray, FloatArray, IntArray

PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # tried when none is given
FOLDS = 5
_STEPS = 60


@dataclass(frozen=True, eq=False)
class Lesions:
    """What a model is made from: `design` (N, k + 1) with ones in column 0, `r1`, `clusters` and `fold`, each (N,).

    `penalties` are the ones to choose from; `fold` is the fold of each lesion, of `n_folds` in all.
    """

    design: FloatArray
    r1: BoolArray
    clusters: IntArray
    fold: IntArray
    penalties: tuple[float, ...]

    @property
    def n_folds(self) -> int:
        """Number of folds; 1 when there are too few patients to divide."""
        return int(self.fold.max()) + 1


def fit_ridge(
    design: FloatArray, r1: BoolArray, weights: FloatArray, ridge: FloatArray, offset: FloatArray | float = 0.0
) -> FloatArray:
    """Return the coefficients of B ridge logistic fits of the same lesions under B weightings.

    Minimises ``-sum w log likelihood + sum ridge b^2 / 2`` by Newton steps of at most 2 in any coefficient.

    Parameters
    ----------
    design : ndarray (N, q)
        Column 0 is the intercept.
    r1 : ndarray of bool (N,)
        Outcomes.
    weights : ndarray (B, N)
        How often each lesion counts.
    ridge : ndarray (B, q)
        Penalty of each coefficient, >= 0.
    offset : ndarray (N,) or float
        Added to the logit.

    Returns
    -------
    ndarray (B, q)
        NaN in the rows that found no minimum, or have one class only.
    """
    from scipy.special import expit

    q = design.shape[1]
    products = (design[:, :, np.newaxis] * design[:, np.newaxis, :]).reshape(-1, q * q)
    b = np.zeros((len(weights), q))
    for _ in range(_STEPS):
        p = expit(b @ design.T + offset)
        gradient = (weights * (r1 - p)) @ design - ridge * b
        hessian = ((weights * p * (1 - p)) @ products).reshape(-1, q, q)
        hessian[:, np.arange(q), np.arange(q)] += ridge + 1e-12
        step = np.linalg.solve(hessian, gradient[:, :, np.newaxis])[:, :, 0]
        b += step / np.maximum(np.abs(step).max(axis=1, keepdims=True) / 2, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    settled = np.abs(step).max(axis=1) < 1e-6
    b[~settled | (weights @ r1 == 0) | (weights @ ~r1 == 0)] = math.nan
    return b


def grouped_folds(r1: BoolArray, clusters: IntArray) -> IntArray:
    """Return the fold of each lesion: whole patients, R1 spread evenly, the same every time.

    The greedy allocation of scikit-learn's ``StratifiedGroupKFold`` without shuffling: patients by falling spread of
    their class counts, each into the fold that leaves the shares of the classes most even. Five folds, or as many as
    there are patients with lesions of the rarer class; fewer than 2 gives one fold.
    """
    counts = np.zeros((int(clusters.max()) + 1, 2))
    np.add.at(counts, (clusters, r1.astype(np.int64)), 1)
    n_folds = max(min(FOLDS, int((counts > 0).sum(axis=0).min())), 1)
    filled = np.zeros((n_folds, 2))
    of_patient = np.zeros(len(counts), dtype=np.int64)
    for patient in np.argsort(-counts.std(axis=1), kind="stable"):
        # Unevenness if the patient went into each fold in turn; near ties go to the smaller fold.
        trial = filled + np.eye(n_folds)[:, :, np.newaxis] * counts[patient]
        uneven = (trial / counts.sum(axis=0)).std(axis=1).mean(axis=1)
        best = 0
        for fold in range(1, n_folds):
            smaller = filled[fold].sum() < filled[best].sum()
            if uneven[fold] < uneven[best] or (math.isclose(uneven[fold], uneven[best], rel_tol=1e-5) and smaller):
                best = fold
        filled[best] += counts[patient]
        of_patient[patient] = best
    return np.asarray(of_patient[clusters])


def develop(lesions: Lesions, weights: FloatArray) -> tuple[float, FloatArray]:
    """Return penalty and coefficients (k + 1,) of the model that weighted lesions make.

    This is the whole of the procedure that a bootstrap has to repeat: standard deviations of the features under the
    weights, choice of the penalty by the deviance of patients left out, ridge fit. Coefficients belong to `design` as
    it is. NaN where a feature does not vary, a class is missing, or the penalty cannot be chosen.
    """
    penalty, failed = lesions.penalties[0], (math.nan, np.full(lesions.design.shape[1], math.nan))
    if len(lesions.penalties) > 1:
        left = weights * (lesions.fold != np.arange(lesions.n_folds)[:, np.newaxis])
        fits = [_fit(lesions, left, penalty) for penalty in lesions.penalties]
        logits = np.array([np.sum(lesions.design * b[lesions.fold], axis=1) for b in fits])
        if lesions.n_folds < 2 or not np.isfinite(logits).all():
            return failed
        likelihood = (weights * (lesions.r1 * logits - np.logaddexp(0, logits))).sum(axis=1)
        penalty = lesions.penalties[int(np.argmax(likelihood))]
    b = _fit(lesions, weights[np.newaxis], penalty)[0]
    return (penalty, b) if np.isfinite(b).all() else failed


def _fit(lesions: Lesions, weights: FloatArray, penalty: float) -> FloatArray:
    """Return (B, k + 1) coefficients with the penalty on coefficients per standard deviation under each weighting."""
    x = lesions.design[:, 1:]
    share = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    variance = share @ x**2 - (share @ x) ** 2
    varies = variance > 1e-12
    ridge = np.column_stack([np.zeros(len(weights)), penalty * np.where(varies, variance, 1.0)])
    b = fit_ridge(lesions.design, lesions.r1, weights, ridge)
    b[~varies.all(axis=1)] = math.nan
    return b
