"""Decision curves: the net benefit of acting on the sign, or on a probability."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg._outcomes import BoolLike, FloatArray, as_bool_vector, as_clusters, as_number_vector, as_risk_vector
from pyicg.accuracy import AccuracyTable
from pyicg.clustered import resample, sums_by_patient
from pyicg.errors import InputError
from pyicg.reweighting import as_prevalence

__all__ = ["DecisionCurve", "decision_curve"]


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit per lesion of three policies over the risk threshold; arrays of shape (M,).

    Attributes
    ----------
    thresholds : ndarray (M,)
        Risk of R1 at which one would cut again.
    follow_sign : ndarray (M,)
        Cutting again where the sign is positive, or where the probability reaches the threshold.
    treat_all, treat_none : ndarray (M,)
        Always and never cutting again.
    useful_range : tuple of float
        Thresholds at which following beats both others; NaN when there are none. Of a table the open range itself; of
        probabilities the first and the last such threshold of the grid, and the curve may dip between them.
    follow_ci : ndarray (M, 2)
        95 % interval of `follow_sign`, at each threshold alone; NaN for a table, and where no draw differs.
    """

    thresholds: FloatArray
    follow_sign: FloatArray
    treat_all: FloatArray
    treat_none: FloatArray
    useful_range: tuple[float, float]
    follow_ci: FloatArray


def decision_curve(
    table_or_p: AccuracyTable | npt.ArrayLike,
    r1: BoolLike | None = None,
    *,
    thresholds: npt.ArrayLike | None = None,
    groups: Iterable[Hashable] | None = None,
    prevalence: float | str | None = None,
) -> DecisionCurve:
    """Return the decision curve of re-resecting where the sign is positive or the risk high.

    Parameters
    ----------
    table_or_p : AccuracyTable or array-like (N,)
        Counts of the sign against R1, or predicted P(R1) in 0-1. The sign itself as 0 and 1 is a probability too, and
        gives the curve of the table with an interval.
    r1 : array-like (N,), bool or 0/1, optional
        True where histology says R1; needed with probabilities.
    thresholds : array-like (M,), optional
        Risks of R1 in (0, 1); 0.01 to 0.99 when not given.
    groups : iterable of N hashables, optional
        Patient of each lesion: the interval is then over patients, else over lesions.
    prevalence : float or str, optional
        Share of R1 in (0, 1) or the name of a preset. Re-weights sensitivity and specificity; the probabilities
        themselves stay as they are.

    Raises
    ------
    InputError
        A threshold outside (0, 1), probabilities without `r1`, a table with `r1` or `groups`, other inputs that are
        missing or out of range, or `prevalence` with no R1 or no R0 lesion.

    Notes
    -----
    Net benefit of a policy is ``TP / n - FP / n * pt / (1 - pt)`` at the risk threshold ``pt`` (Vickers and Elkin, Med.
    Decis. Making 26 (2006) 565-574); at another prevalence pi ``sens pi - (1 - spec) (1 - pi) pt / (1 - pt)``. The sign
    beats treat-all above ``1 - NPV`` and treat-none below ``PPV``, both at the prevalence. Interval: BCa bootstrap, see
    `pyicg.evaluate.diagnostic_accuracy`.

    Examples
    --------
    >>> from pyicg.evaluate import AccuracyTable, decision_curve
    >>> curve = decision_curve(AccuracyTable.from_counts(tp=32, fn=21, fp=27, tn=236))
    >>> [round(bound, 3) for bound in curve.useful_range]
    [0.082, 0.542]
    """
    grid = np.arange(1, 100) / 100 if thresholds is None else thresholds
    pt = as_number_vector("thresholds", np.atleast_1d(np.asarray(grid)))
    if pt.min() <= 0 or pt.max() >= 1:
        raise InputError(f"thresholds run from {pt.min():g} to {pt.max():g}, expected risks inside (0, 1)")
    pi = None if prevalence is None else as_prevalence(prevalence)
    if isinstance(table_or_p, AccuracyTable):
        if r1 is not None or groups is not None:
            raise InputError("a table was given beside r1 or groups, expected a table alone, or probabilities with r1")
        table = table_or_p
        one = np.ones(pt.size)
        sums = np.concatenate([[table.tp + table.fn, table.fp + table.tn], table.tp * one, table.fp * one])
        return _curve(pt, sums, pi, np.full((pt.size, 2), math.nan), exact=True)
    if r1 is None:
        raise InputError("r1 is missing, expected it beside probabilities: give r1, or an AccuracyTable alone")
    truth = as_bool_vector("r1", r1)
    risk = as_risk_vector("p", table_or_p, truth.size)
    patients = np.arange(truth.size) if groups is None else as_clusters(groups, truth.size)
    high = risk[:, np.newaxis] >= pt
    columns = np.column_stack([truth, ~truth, high & truth[:, np.newaxis], high & ~truth[:, np.newaxis]])
    by_patient = sums_by_patient(columns, patients)
    drawn = resample(by_patient, lambda s: _net_benefit(pt, s, pi))
    ci = np.array([drawn.measured(column).ci for column in range(pt.size)])
    return _curve(pt, by_patient.sum(axis=0), pi, ci, exact=False)


def _net_benefit(pt: FloatArray, sums: FloatArray, pi: float | None) -> FloatArray:
    """Return the net benefit (..., M) of sums (..., 2 + 2 M): R1, R0, TP and FP at each threshold."""
    n1, n0, m = sums[..., :1], sums[..., 1:2], pt.size
    tp, fp = sums[..., 2 : 2 + m], sums[..., 2 + m :]
    odds = pt / (1 - pt)
    if pi is None:
        return np.asarray((tp - fp * odds) / (n1 + n0))
    return np.asarray(tp / n1 * pi - fp / n0 * (1 - pi) * odds)


def _curve(pt: FloatArray, sums: FloatArray, pi: float | None, ci: FloatArray, *, exact: bool) -> DecisionCurve:
    n1, n0, m = sums[0], sums[1], pt.size
    if pi is not None and min(n1, n0) == 0:
        raise InputError(f"there are {n1:g} R1 and {n0:g} R0 lesions, expected some of both to change the prevalence")
    share = n1 / (n1 + n0) if pi is None else pi
    follow = _net_benefit(pt, sums, pi)
    treat_all = share - (1 - share) * pt / (1 - pt)
    low = high = math.nan
    if exact:
        tp, fp = float(sums[2]), float(sums[2 + m])
        scale = (1.0, 1.0) if pi is None else (pi / n1, (1 - pi) / n0)
        positive, negative = tp * scale[0] + fp * scale[1], (n1 - tp) * scale[0] + (n0 - fp) * scale[1]
        if positive > 0 and negative > 0:
            low, high = (n1 - tp) * scale[0] / negative, tp * scale[0] / positive
    else:
        better = pt[follow > np.maximum(treat_all, 0.0) + 1e-12]
        if better.size:
            low, high = better.min(), better.max()
    if not low <= high or (exact and low == high):
        low = high = math.nan
    return DecisionCurve(pt, follow, treat_all, np.zeros(m), (float(low), float(high)), ci)
