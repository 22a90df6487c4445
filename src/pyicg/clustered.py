"""Statistics of lesions that share patients: BCa bootstrap over patients, and GEE.

Lesions of one patient are alike. Drawing patients, or summing the scores of a patient before they are squared, keeps
that in; taking the lesions as independent makes every interval too narrow.
"""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pyicg._outcomes import BoolArray, FloatArray, IntArray
from pyicg.errors import InputError
from pyicg.results import Measurement

__all__ = ["DRAWS", "SEED", "GeeFit", "Resampled", "gee", "resample", "sums_by_patient", "trial_library"]

DRAWS = 2000
SEED = 20240407
_CHUNK = 4_000_000  # numbers drawn at once
_SATURATED = 1e-6  # a fitted probability so near to 0 or 1 is no estimate


def trial_library(name: str, caller: str) -> Any:
    """Import a module of the extra ``trial``, or say how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = {"sklearn": "scikit-learn"}.get(name.partition(".")[0], name.partition(".")[0])
        raise InputError(f"{caller} needs {package}: pip install 'pyicg[trial]'") from error


def sums_by_patient(values: npt.ArrayLike, clusters: IntArray) -> FloatArray:
    """Return the (G, k) sums of (N, k) values over the lesions of each patient."""
    rows = np.asarray(values, dtype=np.float64)
    sums = np.zeros((int(clusters.max()) + 1, rows.shape[1]))
    np.add.at(sums, clusters, rows)
    return sums


@dataclass(frozen=True, eq=False)
class Resampled:
    """Figures of all patients (m,), of every draw (DRAWS, m), and with each patient left out in turn (G, m).

    A figure that is 0/0 in a draw is NaN there; it is left out, so that intervals hold given that the figure exists.
    """

    point: FloatArray
    draws: FloatArray
    left_out: FloatArray

    def undefined(self) -> IntArray:
        """Return in how many draws each figure is 0/0."""
        return np.asarray(np.isnan(self.draws).sum(axis=0))

    def measured(self, column: int, *, ratio: bool = False) -> Measurement:
        """Return one figure with its BCa interval; ``too_few_cases`` where the draws show no spread.

        Bias-corrected and accelerated (Efron, J. Am. Stat. Assoc. 82 (1987) 171-185), as `scipy.stats.bootstrap` has
        it, which gives NaN as soon as one draw is undefined. A `ratio` may be infinite in a draw: its interval is found
        on the bounded scale x / (1 + x) and carried back.
        """
        point, draws, left_out = self.point[column], self.draws[:, column], self.left_out[:, column]
        draws = draws[~np.isnan(draws)]
        value = float(point)
        if not math.isfinite(value) or np.isnan(left_out).any() or draws.min() == draws.max():
            return Measurement(value, reason="too_few_cases")
        sigma = float(draws.std(ddof=1)) if np.isfinite(draws).all() else math.nan
        if not ratio:
            return _bca(value, sigma, draws, left_out)
        found = _bca(float(_bounded(point)), sigma, _bounded(draws), _bounded(left_out))
        low, high = (bound / (1 - bound) if bound < 1 else math.inf for bound in found.ci)
        return Measurement(value, sigma, (low, high), found.reason)


def _bounded(x: Any) -> Any:
    return 1 - 1 / (1 + x)


def _bca(value: float, sigma: float, draws: FloatArray, left_out: FloatArray) -> Measurement:
    from scipy.special import ndtr, ndtri

    below = (np.mean(draws < value) + np.mean(draws <= value)) / 2
    influence = left_out.mean() - left_out
    spread = float((influence**2).sum())
    if spread == 0 or not 0 < below < 1:
        return Measurement(value, sigma, reason="too_few_cases")
    bias = ndtri(below)
    acceleration = (influence**3).sum() / (6 * spread**1.5)
    shifted = bias + ndtri(np.array([0.025, 0.975]))
    low, high = np.quantile(draws, ndtr(bias + shifted / (1 - acceleration * shifted)))
    return Measurement(value, sigma, (float(low), float(high)))


def resample(sums: FloatArray, figures: Callable[[FloatArray], FloatArray]) -> Resampled:
    """Draw patients with replacement, `DRAWS` times from a fixed seed.

    Parameters
    ----------
    sums : ndarray (G, k)
        What the lesions of each patient add up to.
    figures : callable
        Turns sums (..., k) into figures (..., m); NaN for 0/0.
    """
    n = len(sums)
    rng = np.random.default_rng(SEED)
    parts = []
    for start in range(0, DRAWS, step := max(1, _CHUNK // n)):
        rows = min(step, DRAWS - start)
        chosen = rng.integers(0, n, (rows, n)) + n * np.arange(rows)[:, np.newaxis]
        times = np.bincount(chosen.ravel(), minlength=rows * n).reshape(rows, n)
        parts.append(times @ sums)
    total = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Resampled(figures(total), figures(np.concatenate(parts)), figures(total - sums))


@dataclass(frozen=True, eq=False)
class GeeFit:
    """Coefficients (k,), their covariance (k, k), and patients less coefficients."""

    coefficients: FloatArray
    covariance: FloatArray
    freedom: int

    def interval(self, column: int) -> tuple[float, float, float]:
        """Return a coefficient, its standard error and the quantile of Student's t that widens it to 95 %."""
        from scipy.stats import t

        return (
            float(self.coefficients[column]),
            math.sqrt(max(float(self.covariance[column, column]), 0.0)),
            float(t.ppf(0.975, self.freedom)) if self.freedom > 0 else math.nan,
        )


def gee(
    outcome: FloatArray | BoolArray,
    clusters: IntArray,
    design: FloatArray | None = None,
    *,
    caller: str,
    family: Literal["Binomial", "Gaussian"] = "Binomial",
) -> GeeFit:
    """Fit generalised estimating equations with patients as clusters (statsmodels; the extra ``trial``).

    Exchangeable working correlation, or none where that fit does not arrive, runs off to a probability of 0 or 1 (where
    the score vanishes too, so that it calls itself converged), or finds a negative correlation, which weighs the
    lesions of large patients against each other. The covariance is the bias-reduced one of Mancl and DeRouen
    (Biometrics 57 (2001) 126-134). The outcome has to vary: the caller sees to it. `design` (N, k) has an intercept;
    left out, it is nothing else.
    """
    sm = trial_library("statsmodels.api", caller)
    columns = np.ones((clusters.size, 1)) if design is None else design
    _, patients = np.unique(clusters, return_inverse=True)
    remedy = "merge or drop sparse groups, or go without it"

    def fitted(structure: Any) -> Any:
        model = sm.GEE(
            np.asarray(outcome, dtype=np.float64),
            columns,
            groups=patients,
            family=getattr(sm.families, family)(),
            cov_struct=structure,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of steps on the way; whether it arrived is asked below
            try:
                return model.fit(cov_type="bias_reduced")
            except (ValueError, np.linalg.LinAlgError):
                return None

    def arrived(result: Any) -> bool:
        if result is None or not result.converged:
            return False
        with np.errstate(over="ignore"):  # of a fit that ran away
            values = np.asarray(result.fittedvalues)
        inside = family != "Binomial" or bool(((values > _SATURATED) & (values < 1 - _SATURATED)).all())
        return inside and bool(np.isfinite(result.params).all() and np.isfinite(result.cov_params()).all())

    result = fitted(sm.cov_struct.Exchangeable())
    if not arrived(result) or float(result.model.cov_struct.dep_params) < 0:
        result = fitted(sm.cov_struct.Independence())
    if not arrived(result):
        raise InputError(f"{caller}: the GEE cannot be fitted; {remedy}")
    return GeeFit(
        np.asarray(result.params), np.asarray(result.cov_params()), int(patients.max()) + 1 - columns.shape[1]
    )
