"""Checks and the logistic fit that the trained model and the evaluation share."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg.errors import InputError, PyicgError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
BoolLike = Sequence[bool] | Sequence[int] | npt.NDArray[Any]

_MISSING = ("", "nan", "None", "<NA>", "NaT")


def as_bool_vector(name: str, values: BoolLike, length: int | None = None) -> BoolArray:
    """Return 1-D truth values; refuse anything but bool and integers 0 and 1, so that no NaN passes as True."""
    array = _one_per_lesion(name, values, length)
    if array.dtype != np.bool_:
        if not np.issubdtype(array.dtype, np.integer):
            raise InputError(
                f"{name} has dtype {array.dtype}, expected bool or integers 0 and 1: {_remedy(name, array)}"
            )
        if not np.isin(array, (0, 1)).all():
            raise InputError(f"{name} holds values from {array.min()} to {array.max()}, expected 0 and 1 only")
    return array.astype(np.bool_)


def _remedy(name: str, array: npt.NDArray[Any]) -> str:
    missing = [row for row, value in enumerate(array.tolist()) if str(value) in _MISSING]
    if missing:
        return f"{len(missing)} are missing (the first at [{missing[0]}]); leave those lesions out, and say how many"
    if array.dtype.kind in "US" or any(isinstance(value, str) for value in array.tolist()):
        words = sorted({str(value) for value in array.tolist()})
        told = ", ".join(map(repr, words[:4])) + (", ..." if len(words) > 4 else "")
        return f"it holds the words {told}; compare it with the one that means yes: {name} == ..."
    if all(value in (0, 1) for value in array.tolist()):
        return f"every value is 0 or 1, so convert it: np.asarray({name}).astype(bool)"
    return "compare the numbers with a cut, or pass the column that holds yes and no"


def as_number_vector(name: str, values: npt.ArrayLike, length: int | None = None) -> FloatArray:
    """Return 1-D finite numbers as float64."""
    array = _one_per_lesion(name, values, length)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {array.dtype}, expected finite numbers: convert it with astype(float)")
    numbers = array.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size:
        raise InputError(
            f"{name} holds {bad.size} values that are not finite (the first at [{bad[0]}]), expected none: leave those "
            "lesions out, and say how many"
        )
    return numbers


def as_risk_vector(name: str, values: npt.ArrayLike, length: int | None = None) -> FloatArray:
    """Return 1-D risks in [0, 1]."""
    risk = as_number_vector(name, values, length)
    if risk.min() < 0 or risk.max() > 1:
        raise InputError(f"{name} holds values from {risk.min():g} to {risk.max():g}, expected risks in 0-1")
    return risk


def _one_per_lesion(name: str, values: npt.ArrayLike, length: int | None) -> npt.NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} has rows of unequal length, expected one value per lesion: (N,)") from error
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"{name} has shape {array.shape}, expected one value per lesion: (N,) with N >= 1")
    if length is not None and array.size != length:
        raise InputError(f"{name} has {array.size} values, expected {length}: one per lesion")
    return array


def as_clusters(groups: Iterable[Hashable], length: int, name: str = "groups", *, what: str = "patient") -> IntArray:
    """Return the patient (or whatever `what` names) of each lesion as numbers 0, 1, ... in order of appearance."""
    return cluster_names(groups, length, name, what=what)[0]


def cluster_names(
    groups: Iterable[Hashable], length: int, name: str = "groups", *, what: str = "patient"
) -> tuple[IntArray, tuple[Hashable, ...]]:
    """Return the number of the patient of each lesion, in order of appearance, and what each number stands for."""
    try:
        ids = groups.tolist() if isinstance(groups, np.ndarray) else list(groups)
        if len(ids) != length:
            raise InputError(f"{name} has {len(ids)} values, expected {length}: the {what} of each lesion")
        numbers: dict[Hashable, int] = {}
        clusters = np.array([numbers.setdefault(value, len(numbers)) for value in ids], dtype=np.int64)
    except TypeError as error:
        raise InputError(f"{name} is no list of names or numbers ({error}): give the {what} of each lesion") from error
    for row, value in enumerate(ids):
        if str(value) in _MISSING:
            raise InputError(f"{name}[{row}] is {value!r}, expected the {what} of that lesion: fill it in")
    if len(numbers) < 2:
        raise InputError(f"{name} names 1 {what}, expected at least 2: spread between {what}s needs several")
    return clusters, tuple(numbers)


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
