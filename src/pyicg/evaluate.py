"""How good the sign, the probabilities and the surgery were: diagnostic accuracy and its relatives.

Every figure counts lesions. A positive sign leads to re-resection and so to more histology, so that accuracy figures
carry verification bias; `AccuracyTable.notes` repeats it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg._outcomes import BoolArray, BoolLike, FloatArray, IntArray, as_bool_vector, as_clusters, fit_logistic
from pyicg.accuracy import AccuracyTable, diagnostic_accuracy, odds_ratio
from pyicg.errors import InputError
from pyicg.published import resolve_prevalence
from pyicg.results import Measurement

__all__ = [
    "AccuracyTable",
    "Calibration",
    "DecisionCurve",
    "LearningCurve",
    "McNemar",
    "PredictiveValues",
    "calibration",
    "decision_curve",
    "diagnostic_accuracy",
    "learning_curve",
    "mcnemar",
    "reweight",
]

_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class McNemar:
    """McNemar's test of a paired change: `gained` went from False to True, `lost` from True to False.

    `p_exact` is the binomial P, `p_mid` the mid-P, `p_corrected` the chi-square P with continuity correction (NaN
    without any change).
    """

    gained: int
    lost: int
    p_exact: float
    p_mid: float
    p_corrected: float


def mcnemar(before: BoolLike, after: BoolLike) -> McNemar:
    """Test whether a yes/no state changed, for example R0 before and after re-resection.

    Parameters
    ----------
    before, after : array-like (N,), bool or 0/1
        The state of the same N lesions.

    Raises
    ------
    InputError
        Missing or non-boolean values, or unequal lengths.

    Examples
    --------
    >>> from pyicg.evaluate import mcnemar
    >>> test = mcnemar([False] * 16 + [True] * 301, [True] * 317)
    >>> f"{test.p_exact:.1e} {test.p_mid:.1e} {test.p_corrected:.1e}"
    '3.1e-05 1.5e-05 1.8e-04'
    """
    from scipy.stats import binom, chi2

    first = as_bool_vector("before", before)
    second = as_bool_vector("after", after, first.size)
    gained, lost = int((~first & second).sum()), int((first & ~second).sum())
    n, fewer = gained + lost, min(gained, lost)
    doubled = 2 * float(binom.cdf(fewer, n, 0.5))
    statistic = max(abs(gained - lost) - 1, 0) ** 2 / n if n else math.nan
    return McNemar(
        gained,
        lost,
        p_exact=min(doubled, 1.0),
        p_mid=doubled - float(binom.pmf(fewer, n, 0.5)),
        p_corrected=float(chi2.sf(statistic, 1)),
    )


@dataclass(frozen=True, slots=True)
class PredictiveValues:
    """PPV and NPV at another prevalence."""

    prevalence: float
    ppv: Measurement
    npv: Measurement


def reweight(accuracy: AccuracyTable | tuple[float, float], *, prevalence: float | str) -> PredictiveValues:
    """Return PPV and NPV at another prevalence by Bayes' rule.

    Parameters
    ----------
    accuracy : AccuracyTable or tuple of float
        A table, or ``(sensitivity, specificity)``; the pair gives no intervals.
    prevalence : float or str
        Share of R1 in (0, 1), or a name in `pyicg.published.PREVALENCE_PRESETS`.

    Returns
    -------
    PredictiveValues
        Posterior odds are prior odds times the likelihood ratio, so the intervals are those of the ratios carried
        over (Mercaldo et al. 2007); the prevalence counts as known, and sensitivity and specificity as unchanged.

    Raises
    ------
    InputError
        The prevalence, sensitivity or specificity lies out of range, or the table has no R1 or no R0 lesions.

    Examples
    --------
    >>> from pyicg.evaluate import AccuracyTable, reweight
    >>> table = AccuracyTable.from_counts(tp=32, fn=21, fp=27, tn=236)
    >>> values = reweight(table, prevalence="mimic-overall")
    >>> round(values.ppv.value, 3), round(values.npv.value, 3)
    (0.459, 0.94)
    """
    pi, _ = resolve_prevalence(prevalence)
    lr_positive = lr_negative = Measurement(math.nan)
    if isinstance(accuracy, AccuracyTable):
        sensitivity, specificity = accuracy.sensitivity.value, accuracy.specificity.value
        lr_positive, lr_negative = accuracy.lr_positive, accuracy.lr_negative
    else:
        sensitivity, specificity = accuracy
    if not (0 <= sensitivity <= 1 and 0 <= specificity <= 1):
        raise InputError(f"sensitivity is {sensitivity} and specificity {specificity}, expected both in [0, 1]")

    def posterior(given_r1: float, given_r0: float, ratio: Measurement, *, of_r1: bool) -> Measurement:
        joint_r1, joint_r0 = pi * given_r1, (1 - pi) * given_r0
        if joint_r1 + joint_r0 == 0:
            return Measurement.undefined("too_few_cases")
        low, high = (1 - (1 - pi) / (pi * bound + 1 - pi) for bound in ratio.ci)  # holds for an infinite ratio too
        p_r1 = joint_r1 / (joint_r1 + joint_r0)
        if of_r1:
            return Measurement(p_r1, ci=(low, high), reason=ratio.reason)
        return Measurement(1 - p_r1, ci=(1 - high, 1 - low), reason=ratio.reason)

    return PredictiveValues(
        pi,
        ppv=posterior(sensitivity, 1 - specificity, lr_positive, of_r1=True),
        npv=posterior(1 - sensitivity, specificity, lr_negative, of_r1=False),
    )


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit per lesion of three policies over the risk threshold; arrays of shape (M,).

    `useful_range` is the open range of thresholds in which following the sign beats both others; NaN when there is
    none.
    """

    thresholds: FloatArray
    follow_sign: FloatArray
    treat_all: FloatArray
    treat_none: FloatArray
    useful_range: tuple[float, float]


def decision_curve(table: AccuracyTable, *, thresholds: npt.ArrayLike | None = None) -> DecisionCurve:
    """Return the decision curve of re-resecting where the sign is positive (Vickers and Elkin 2006).

    Net benefit of a policy is ``TP / n - FP / n * pt / (1 - pt)`` at the risk threshold ``pt``. The sign beats
    treat-all above ``1 - NPV`` and treat-none below ``PPV``, both at the table's own prevalence.

    Parameters
    ----------
    table : AccuracyTable
        Counts of the sign against R1.
    thresholds : array-like (M,), optional
        Risks of R1 in (0, 1); 0.01 to 0.99 when not given.

    Raises
    ------
    InputError
        A threshold lies outside (0, 1).

    Examples
    --------
    >>> from pyicg.evaluate import AccuracyTable, decision_curve
    >>> curve = decision_curve(AccuracyTable.from_counts(tp=32, fn=21, fp=27, tn=236))
    >>> [round(bound, 3) for bound in curve.useful_range]
    [0.082, 0.542]
    """
    pt = np.arange(1, 100) / 100 if thresholds is None else np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if pt.ndim != 1 or not ((pt > 0) & (pt < 1)).all():
        raise InputError(f"thresholds have shape {pt.shape}, expected (M,) risks inside (0, 1)")
    n1, n0 = table.tp + table.fn, table.fp + table.tn
    odds, n = pt / (1 - pt), n1 + n0
    low, high = 1 - table.npv.value, table.ppv.value
    return DecisionCurve(
        pt,
        follow_sign=table.tp / n - table.fp / n * odds,
        treat_all=n1 / n - n0 / n * odds,
        treat_none=np.zeros_like(pt),
        useful_range=(low, high) if low < high else (math.nan, math.nan),
    )


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """False positives among R0 lesions in a centre's first procedures against later ones.

    `odds_ratio` is early against late, with a log-normal interval; `p_value` its Wald P. Both are undefined
    (``too_few_cases``, NaN) when a cell is empty.
    """

    false_positive_early: int
    r0_early: int
    false_positive_late: int
    r0_late: int
    odds_ratio: Measurement
    p_value: float


def learning_curve(r1: BoolLike, fluorescent: BoolLike, *, procedure: npt.ArrayLike, first: int = 10) -> LearningCurve:
    """Compare false positives in the first procedures of each centre with those in later ones.

    Parameters
    ----------
    r1, fluorescent : array-like (N,), bool or 0/1
        Histology and sign of each lesion; only R0 lesions can be false positives, so only they count.
    procedure : array-like (N,), int
        Running number of the procedure within its centre, from 1.
    first : int
        Procedures up to this number are early. Lesions are taken as independent.

    Raises
    ------
    InputError
        Missing or non-boolean values, unequal lengths, or procedure numbers that are no integers >= 1.

    Examples
    --------
    >>> from pyicg.evaluate import learning_curve
    >>> curve = learning_curve([0] * 8, [1, 1, 0, 0, 1, 0, 0, 0], procedure=[1, 2, 3, 4, 11, 12, 13, 14])
    >>> curve.odds_ratio.value
    3.0
    """
    truth = as_bool_vector("r1", r1)
    sign = as_bool_vector("fluorescent", fluorescent, truth.size)
    number = np.asarray(procedure)
    if number.shape != truth.shape or number.dtype.kind not in "iu" or number.min() < 1:
        raise InputError(
            f"procedure has shape {number.shape} and dtype {number.dtype}, expected integers >= 1 of shape "
            f"{truth.shape}: the running number within the centre"
        )
    early = number <= first
    fp_early, tn_early, fp_late, tn_late = (
        int((~truth & chosen & when).sum()) for when in (early, ~early) for chosen in (sign, ~sign)
    )
    ratio = odds_ratio(fp_early, tn_early, fp_late, tn_late)
    log_se = ratio.sigma / ratio.value
    p_value = math.erfc(abs(math.log(ratio.value)) / log_se / math.sqrt(2))
    return LearningCurve(fp_early, fp_early + tn_early, fp_late, fp_late + tn_late, ratio, p_value)


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
    intercept : Measurement
        Calibration in the large: the shift of the logit with the slope held at 1; 0 is ideal.
    slope : Measurement
        Slope of the outcome on the logit of the prediction; 1 is ideal, below 1 is overfitted.
    """

    brier: float
    expected: FloatArray
    observed: FloatArray
    count: IntArray
    intercept: Measurement
    slope: Measurement


def calibration(
    p: npt.ArrayLike, r1: BoolLike, *, groups: Iterable[Hashable] | None = None, bins: int = 10
) -> Calibration:
    """Return how well predicted risks agree with histology.

    Parameters
    ----------
    p : array-like (N,)
        Predicted P(R1), 0-1. Lesions without a prediction have to be left out, and counted, by the caller.
    r1 : array-like (N,), bool or 0/1
        True where histology says R1.
    groups : iterable of N hashables, optional
        Patient of each lesion; makes the intervals of intercept and slope patient-clustered (sandwich).
    bins : int
        Number of equally wide bins over 0-1.

    Returns
    -------
    Calibration
        Intercept and slope have Wald intervals. They are undefined with ``out_of_range`` when a prediction is exactly
        0 or 1 (infinite logit), with ``too_few_cases`` when all lesions are R0 or all R1; the slope also when all
        predictions are equal or separate R0 from R1 completely.

    Raises
    ------
    InputError
        Predictions that are missing or outside 0-1, non-boolean outcomes, unequal lengths, or no bins.

    Examples
    --------
    >>> from pyicg.evaluate import calibration
    >>> result = calibration([0.1] * 10 + [0.6] * 5, [1] + [0] * 9 + [1] * 3 + [0] * 2)
    >>> round(result.brier, 4), result.observed.tolist(), round(result.slope.value, 6)
    (0.14, [0.1, 0.6], 1.0)
    """
    truth = as_bool_vector("r1", r1)
    risk = np.asarray(p, dtype=np.float64)
    if risk.shape != truth.shape or not ((risk >= 0) & (risk <= 1)).all():
        raise InputError(f"p has shape {risk.shape}, expected {truth.shape} risks in 0-1 without gaps")
    if bins < 1:
        raise InputError(f"bins is {bins}, expected at least 1")
    clusters = None if groups is None else as_clusters(groups, truth.size)
    index = np.minimum((risk * bins).astype(np.int64), bins - 1)
    per_bin = np.bincount(index, minlength=bins)
    filled = per_bin > 0
    count = per_bin[filled]
    intercept, slope = _intercept_and_slope(risk, truth, clusters)
    return Calibration(
        brier=float(np.mean((risk - truth) ** 2)),
        expected=np.bincount(index, weights=risk, minlength=bins)[filled] / count,
        observed=np.bincount(index, weights=truth, minlength=bins)[filled] / count,
        count=count,
        intercept=intercept,
        slope=slope,
    )


def _intercept_and_slope(
    risk: FloatArray, truth: BoolArray, clusters: IntArray | None
) -> tuple[Measurement, Measurement]:
    if risk.min() == 0 or risk.max() == 1:
        return Measurement.undefined("out_of_range"), Measurement.undefined("out_of_range")
    if truth.all() or not truth.any():
        return Measurement.undefined("too_few_cases"), Measurement.undefined("too_few_cases")
    logit = np.log(risk / (1 - risk))
    ones = np.ones((risk.size, 1))
    intercept = _wald(fit_logistic(ones, truth, offset=logit, clusters=clusters), 0)
    r1, r0 = risk[truth], risk[~truth]
    if r1.min() >= r0.max() or r1.max() <= r0.min():  # separated, or all equal: the likelihood has no maximum
        return intercept, Measurement.undefined("too_few_cases")
    slope = _wald(fit_logistic(np.column_stack([ones, logit]), truth, clusters=clusters), 1)
    return intercept, slope


def _wald(fit: tuple[FloatArray, FloatArray], column: int) -> Measurement:
    value, sigma = float(fit[0][column]), math.sqrt(fit[1][column, column])
    return Measurement(value, sigma, (value - _Z95 * sigma, value + _Z95 * sigma))
