"""Calibration: how well predicted risks agree with what histology found."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import numpy as np
import numpy.typing as npt

from pyicg._intervals import Z95, check_choice, log_normal, proportion, wald
from pyicg._outcomes import (
    BoolArray,
    BoolLike,
    FloatArray,
    IntArray,
    as_bool_vector,
    as_clusters,
    as_risk_vector,
    fit_logistic,
)
from pyicg.clustered import sums_by_patient
from pyicg.errors import InputError
from pyicg.results import Measurement

__all__ = ["Calibration", "calibration"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Agreement of predicted and observed risk.

    Attributes
    ----------
    brier : float
        Mean squared difference of prediction and outcome.
    expected, observed : ndarray (K,)
        Mean prediction and share of R1 in each bin that holds lesions, in order.
    count : ndarray of int64 (K,)
        Lesions per bin.
    observed_ci : ndarray (K, 2)
        Wilson's 95 % interval of `observed`; it takes lesions as independent.
    intercept : Measurement
        Calibration in the large: the shift of the logit with the slope held at 1; 0 is ideal.
    slope : Measurement
        Slope of the outcome on the logit of the prediction; 1 is ideal, below 1 is overfitted.
    observed_to_expected : Measurement
        R1 lesions over the sum of predictions; 1 is ideal.
    """

    brier: float
    expected: FloatArray
    observed: FloatArray
    count: IntArray
    observed_ci: FloatArray
    intercept: Measurement
    slope: Measurement
    observed_to_expected: Measurement


def calibration(
    p: npt.ArrayLike,
    r1: BoolLike,
    *,
    groups: Iterable[Hashable] | None = None,
    bins: int = 10,
    strategy: Literal["uniform", "quantile"] = "uniform",
) -> Calibration:
    """Return how well predicted risks agree with histology.

    Parameters
    ----------
    p : array-like (N,)
        Predicted P(R1), 0-1. Lesions without a prediction have to be left out, and counted, by the caller.
    r1 : array-like (N,), bool or 0/1
        True where histology says R1.
    groups : iterable of N hashables, optional
        Patient of each lesion; makes the intervals of intercept, slope and observed / expected patient-clustered
        (sandwich).
    bins : int
        Number of bins.
    strategy : {"uniform", "quantile"}
        Bins of equal width over 0-1, or of about as many lesions each.

    Returns
    -------
    Calibration
        Intercept and slope have Wald intervals. They are undefined with ``out_of_range`` when a prediction is exactly
        0 or 1, outside the range in which a logit is finite, and with ``too_few_cases`` when all lesions are R0 or all
        R1; the slope also when all predictions are equal or separate R0 from R1 completely.

    Raises
    ------
    InputError
        Predictions that are missing or outside 0-1, non-boolean outcomes, unequal lengths, an unknown strategy, or
        bins that are no whole number >= 1.

    Notes
    -----
    Intercept and slope: Cox, Biometrika 45 (1958) 562-565; Steyerberg, Clinical Prediction Models, 2nd ed., 2019,
    chapter 15. Observed over expected is log-normal: of the variance of log O, the predictions taken as known,
    ``sum (r1 - O/N)^2 / O^2``, with `groups` summed over each patient before it is squared, times G / (G - 1).

    Examples
    --------
    >>> from pyicg.evaluate import calibration
    >>> result = calibration([0.1] * 10 + [0.6] * 5, [1] + [0] * 9 + [1] * 3 + [0] * 2)
    >>> round(result.brier, 4), result.observed.tolist(), round(result.slope.value, 6)
    (0.14, [0.1, 0.6], 1.0)
    """
    truth = as_bool_vector("r1", r1)
    risk = as_risk_vector("p", p, truth.size)
    if not isinstance(bins, Integral) or isinstance(bins, bool) or bins < 1:
        raise InputError(f"bins is {bins!r}, expected a whole number >= 1")
    check_choice("strategy", strategy, ("uniform", "quantile"))
    clusters = None if groups is None else as_clusters(groups, truth.size)
    edges = np.linspace(0, 1, int(bins) + 1)
    if strategy == "quantile":
        edges = np.quantile(risk, edges)
    # As in scikit-learn, whose calibration_curve tells no counts: an inner edge belongs to the bin below it.
    index = np.searchsorted(edges[1:-1], risk)
    per_bin = np.bincount(index, minlength=int(bins))
    filled = per_bin > 0
    count = per_bin[filled]
    r1_count = np.bincount(index[truth], minlength=int(bins))[filled]
    intercept, slope = _intercept_and_slope(risk, truth, clusters)
    return Calibration(
        brier=float(np.mean((risk - truth) ** 2)),
        expected=np.bincount(index, weights=risk, minlength=int(bins))[filled] / count,
        observed=r1_count / count,
        count=count,
        observed_ci=np.array([proportion(k, n).ci for k, n in zip(r1_count.tolist(), count.tolist(), strict=True)]),
        intercept=intercept,
        slope=slope,
        observed_to_expected=_observed_to_expected(risk, truth, clusters),
    )


def _observed_to_expected(risk: FloatArray, truth: BoolArray, clusters: IntArray | None) -> Measurement:
    observed, expected = int(truth.sum()), float(risk.sum())
    if observed in (0, truth.size) or expected == 0:
        return Measurement.undefined("too_few_cases")
    deviations = (truth - truth.mean())[:, np.newaxis]
    if clusters is None:
        variance = float((deviations**2).sum())
    else:
        sums = sums_by_patient(deviations, clusters)
        variance = float((sums**2).sum()) * len(sums) / (len(sums) - 1)
    value, sigma = observed / expected, math.sqrt(variance) / observed
    if sigma == 0:
        return Measurement(value, reason="too_few_cases")
    return log_normal(value, value * math.exp(-Z95 * sigma), value * math.exp(Z95 * sigma))


def _intercept_and_slope(
    risk: FloatArray, truth: BoolArray, clusters: IntArray | None
) -> tuple[Measurement, Measurement]:
    if risk.min() == 0 or risk.max() == 1:
        return Measurement.undefined("out_of_range"), Measurement.undefined("out_of_range")
    if truth.all() or not truth.any():
        return Measurement.undefined("too_few_cases"), Measurement.undefined("too_few_cases")
    logit = np.log(risk / (1 - risk))
    ones = np.ones((risk.size, 1))
    intercept = _coefficient(fit_logistic(ones, truth, offset=logit, clusters=clusters), 0)
    r1, r0 = risk[truth], risk[~truth]
    if r1.min() >= r0.max() or r1.max() <= r0.min():  # separated, or all equal: the likelihood has no maximum
        return intercept, Measurement.undefined("too_few_cases")
    slope = _coefficient(fit_logistic(np.column_stack([ones, logit]), truth, clusters=clusters), 1)
    return intercept, slope


def _coefficient(fit: tuple[FloatArray, FloatArray], column: int) -> Measurement:
    return wald(float(fit[0][column]), math.sqrt(fit[1][column, column]))
