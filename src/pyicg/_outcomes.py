"""Checks and the logistic fit that the trained model and the evaluation share."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg.errors import InputError, PyicgError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
BoolLike = Sequence[bool] | Sequence[int] | npt.NDArray[Any]


def as_bool_vector(name: str, values: BoolLike, length: int | None = None) -> BoolArray:
    """Return 1-D truth values; refuse anything but bool and integers 0 and 1, so that no NaN passes as True."""
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"{name} has shape {array.shape}, expected one value per lesion: (N,) with N >= 1")
    if length is not None and array.size != length:
        raise InputError(f"{name} has {array.size} values, expected {length}: one per lesion")
    if array.dtype != np.bool_:
        if not np.issubdtype(array.dtype, np.integer):
            raise InputError(
                f"{name} has dtype {array.dtype}, expected bool or integers 0 and 1: leave out lesions without a known "
                f"{name}, and say how many"
            )
        if not np.isin(array, (0, 1)).all():
            raise InputError(f"{name} holds values from {array.min()} to {array.max()}, expected 0 and 1 only")
    return array.astype(np.bool_)


def as_clusters(groups: Iterable[Hashable], length: int) -> IntArray:
    """Return the patient of each lesion as numbers 0, 1, ... in order of appearance."""
    numbers: dict[Hashable, int] = {}
    clusters = np.empty(length, dtype=np.int64)
    ids = groups.tolist() if isinstance(groups, np.ndarray) else list(groups)
    if len(ids) != length:
        raise InputError(f"groups has {len(ids)} values, expected {length}: the patient of each lesion")
    for row, patient in enumerate(ids):
        if patient is None or patient == "" or (isinstance(patient, float) and math.isnan(patient)):
            raise InputError(f"groups[{row}] is {patient!r}, expected the patient of that lesion: fill it in")
        clusters[row] = numbers.setdefault(patient, len(numbers))
    if len(numbers) < 2:
        raise InputError("groups names 1 patient, expected at least 2: between-patient spread needs several")
    return clusters


def fit_logistic(
    design: FloatArray,
    r1: BoolArray,
    *,
    penalty: float = 0.0,
    offset: FloatArray | float = 0.0,
    clusters: IntArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Fit a ridge-penalised logistic regression and return coefficients and their covariance.

    Minimises ``-log likelihood + penalty / 2 * sum(b[1:] ** 2)``; column 0 of `design` is the intercept and goes free.
    The covariance is the inverse Hessian, or with `clusters` the sandwich with score sums per patient and the
    factor G / (G - 1).
    """
    from scipy.optimize import root
    from scipy.special import expit

    ridge = np.full(design.shape[1], penalty)
    ridge[0] = 0.0

    def gradient(b: FloatArray) -> FloatArray:
        return np.asarray(design.T @ (expit(design @ b + offset) - r1) + ridge * b)

    def hessian(b: FloatArray) -> FloatArray:
        p = expit(design @ b + offset)
        return np.asarray((design.T * (p * (1 - p))) @ design + np.diag(ridge))

    # The objective is convex, so its one minimum is the root of the gradient.
    start = np.zeros(design.shape[1])
    solution = root(gradient, start, jac=hessian, method="lm", options={"xtol": 1e-12, "ftol": 1e-14})
    if np.abs(gradient(solution.x)).max() > 1e-6:
        raise PyicgError(f"the logistic fit did not converge ({solution.message}): raise the penalty or drop a feature")
    inverse = np.asarray(np.linalg.inv(hessian(solution.x)), dtype=np.float64)
    if clusters is None:
        return solution.x, inverse
    n_clusters = int(clusters.max()) + 1
    scores = np.zeros((n_clusters, design.shape[1]))
    np.add.at(scores, clusters, design * (r1 - expit(design @ solution.x + offset))[:, np.newaxis])
    meat = scores.T @ scores * n_clusters / (n_clusters - 1)
    return solution.x, inverse @ meat @ inverse
