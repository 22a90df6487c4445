"""Accuracy compared between centres, and between a centre's first procedures and later ones."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import numpy.typing as npt

from pyicg._outcomes import BoolArray, BoolLike, FloatArray, IntArray, as_bool_vector, as_clusters, cluster_names
from pyicg.accuracy import AccuracyTable, clustered_table, diagnostic_accuracy, odds_ratio
from pyicg.clustered import SEED, gee, trial_library
from pyicg.errors import InputError
from pyicg.results import Measurement

__all__ = ["CentreComparison", "LearningCurve", "compare_centres", "learning_curve"]

_DRAWS = 9999  # shuffles and random tables


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """False positives among R0 lesions in a centre's first procedures against later ones.

    Attributes
    ----------
    false_positive_early, r0_early, false_positive_late, r0_late : int
        Counts of lesions.
    odds_ratio : Measurement
        Early against late; undefined (``too_few_cases``) when a cell is empty.
    p_value : float
        Of an odds ratio of 1, by Wald; NaN when a cell is empty.
    method : str
        How ratio and P were computed.
    """

    false_positive_early: int
    r0_early: int
    false_positive_late: int
    r0_late: int
    odds_ratio: Measurement
    p_value: float
    method: str


def learning_curve(
    r1: BoolLike,
    fluorescent: BoolLike,
    *,
    procedure: npt.ArrayLike,
    first: int = 10,
    groups: Iterable[Hashable] | None = None,
) -> LearningCurve:
    """Compare false positives in the first procedures of each centre with those in later ones.

    Parameters
    ----------
    r1, fluorescent : array-like (N,), bool or 0/1
        Histology and sign of each lesion; only R0 lesions can be false positives, so only they count.
    procedure : array-like (N,), int
        Running number of the procedure within its centre, from 1.
    first : int
        Procedures up to this number are early, >= 1.
    groups : iterable of N hashables, optional
        Patient of each lesion: ratio and P then come from GEE (needs the extra ``trial``). Without it lesions are taken
        as independent.

    Raises
    ------
    InputError
        Missing or non-boolean values, unequal lengths, procedure numbers that are no integers >= 1, a `first` that is
        none, fewer than two patients, or statsmodels missing.

    Notes
    -----
    Without groups the ratio of the counts with Woolf's log-normal interval (Woolf, Ann. Hum. Genet. 19 (1955) 251-253).
    With groups the early coefficient of a GEE logistic regression, exchangeable, bias-reduced covariance, Student's t
    with patients - 2 degrees of freedom (see `diagnostic_accuracy`).

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
    if not isinstance(first, Integral) or isinstance(first, bool) or first < 1:
        raise InputError(f"first is {first!r}, expected a whole number >= 1: the last procedure that counts as early")
    early = number <= first
    fp_early, tn_early, fp_late, tn_late = (
        int((~truth & chosen & when).sum()) for when in (early, ~early) for chosen in (sign, ~sign)
    )
    ratio = odds_ratio(fp_early, tn_early, fp_late, tn_late)
    p_value = math.erfc(abs(math.log(ratio.value)) / (ratio.sigma / ratio.value) / math.sqrt(2))
    method = "counts, log-normal (Woolf), lesions independent"
    if groups is not None:
        clusters = as_clusters(groups, truth.size)
        method = "GEE logistic over patients, exchangeable, else independent; bias-reduced covariance, Student's t"
        if ratio.reason is None:
            ratio, p_value = _gee_ratio(sign[~truth], early[~truth], clusters[~truth])
    return LearningCurve(fp_early, fp_early + tn_early, fp_late, fp_late + tn_late, ratio, p_value, method)


def _gee_ratio(outcome: BoolArray, early: BoolArray, clusters: IntArray) -> tuple[Measurement, float]:
    from scipy.stats import t

    fit = gee(outcome, clusters, np.column_stack([np.ones(early.size), early]), caller="learning_curve with groups")
    log_ratio, sigma, quantile = fit.interval(1)
    if fit.freedom < 1 or not sigma > 0:
        return Measurement.undefined("too_few_cases"), math.nan
    value = math.exp(log_ratio)
    low, high = math.exp(log_ratio - quantile * sigma), math.exp(log_ratio + quantile * sigma)
    return Measurement(value, value * sigma, (low, high)), 2 * float(t.sf(abs(log_ratio) / sigma, fit.freedom))


@dataclass(frozen=True, slots=True)
class CentreComparison:
    """Accuracy at each centre, and whether it differs.

    Attributes
    ----------
    centres : tuple
        Centres in order of appearance.
    tables : tuple of AccuracyTable
        One to a centre.
    sensitivity_p, specificity_p : float
        P of the same sensitivity (specificity) everywhere; NaN where it cannot be tested.
    method : str
        Test of the two.
    notes : tuple of str
        Why a P is NaN, and what limits the others.
    """

    centres: tuple[Hashable, ...]
    tables: tuple[AccuracyTable, ...]
    sensitivity_p: float
    specificity_p: float
    method: str
    notes: tuple[str, ...]


def compare_centres(
    r1: BoolLike,
    fluorescent: BoolLike,
    *,
    centre: Iterable[Hashable],
    groups: Iterable[Hashable] | None = None,
) -> CentreComparison:
    """Compare the accuracy of the sign between centres.

    Parameters
    ----------
    r1, fluorescent : array-like (N,), bool or 0/1
        Histology and sign of each lesion.
    centre : iterable of N hashables
        Centre of each lesion; at least two centres.
    groups : iterable of N hashables, optional
        Patient of each lesion (needs the extra ``trial``). A name that appears at two centres is two patients.

    Raises
    ------
    InputError
        Missing or non-boolean values, unequal lengths, fewer than two centres or patients, or statsmodels missing.

    Notes
    -----
    With groups a joint Wald test of the centres' coefficients in a GEE logistic regression (see `learning_curve`), as F
    with centres - 1 and patients - centres degrees of freedom. A centre in which all R1 (or all R0) lesions have the
    same sign has no finite coefficient: then P is the share of 9999 shuffles of whole patients between the centres that
    have at least the chi-square of the data (seeded), and `notes` says so. Where a centre has no such lesion, P is NaN.

    Without groups Pearson's chi-square test, or where an expected count is below 5 the share of 9999 random tables with
    the same margins that have at least its chi-square (seeded). Equal accuracy is not shown by a large P: a centre with
    ten lesions can hide any difference.

    Examples
    --------
    >>> from pyicg.evaluate import compare_centres
    >>> found = compare_centres([1, 1, 1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 0, 1, 0, 0], centre=list("AABBAABB"))
    >>> found.centres, [table.specificity.value for table in found.tables], found.sensitivity_p
    (('A', 'B'), [0.5, 1.0], 1.0)
    """
    truth = as_bool_vector("r1", r1)
    sign = as_bool_vector("fluorescent", fluorescent, truth.size)
    place, names = cluster_names(centre, truth.size, "centre", what="centre")
    patients = None
    if groups is None:
        tables = tuple(diagnostic_accuracy(truth[place == k], sign[place == k]) for k in range(len(names)))
        method = "chi-square test, by random tables where an expected count is below 5; lesions independent"
    else:
        raw = as_clusters(groups, truth.size)
        patients = np.unique(raw * len(names) + place, return_inverse=True)[1].astype(np.int64)
        tables = tuple(
            clustered_table(truth[here], sign[here], np.unique(patients[here], return_inverse=True)[1], "bca")
            for here in (place == k for k in range(len(names)))
        )
        method = (
            "GEE logistic over patients, exchangeable, else independent; bias-reduced covariance, joint Wald test (F)"
        )
    notes: list[str] = []
    p_values = []
    for figure, kind, which, outcome in (("sensitivity", "R1", truth, sign), ("specificity", "R0", ~truth, ~sign)):
        counts = np.zeros((len(names), 2), dtype=np.int64)
        np.add.at(counts, (place[which], outcome[which].astype(np.int64)), 1)
        why = _untestable(counts, names, kind)
        if why is not None:
            p_values.append(math.nan)
            notes.append(f"{figure}: {why}, so no P")
        elif patients is None:
            p_values.append(_table_p(counts))
        elif counts.min() == 0:
            p_values.append(_shuffled_p(outcome[which], place[which], patients[which], len(names)))
            notes.append(
                f"{figure}: at one centre all {kind} lesions have the same sign, so P is by shuffling patients"
            )
        else:
            p_values.append(_gee_p(outcome[which], place[which], patients[which], len(names)))
            if math.isnan(p_values[-1]):
                p_values[-1] = _shuffled_p(outcome[which], place[which], patients[which], len(names))
                notes.append(f"{figure}: the GEE cannot be fitted, so P is by shuffling patients")
    notes.append("a large P does not show that centres agree: small centres can hide any difference")
    return CentreComparison(names, tables, p_values[0], p_values[1], method, tuple(notes))


def _untestable(counts: IntArray, names: tuple[Hashable, ...], kind: str) -> str | None:
    for name, (no, yes) in zip(names, counts.tolist(), strict=True):
        if no + yes == 0:
            return f"centre {name!r} has no {kind} lesion"
    if counts.sum(axis=0).min() == 0:
        return f"all {kind} lesions have the same sign"
    return None


def _table_p(counts: IntArray) -> float:
    from scipy.stats import chi2_contingency, random_table

    pearson = chi2_contingency(counts, correction=False)
    if pearson.expected_freq.min() >= 5:
        return float(pearson.pvalue)
    tables = random_table(counts.sum(axis=1), counts.sum(axis=0)).rvs(_DRAWS, random_state=np.random.default_rng(SEED))
    expected = pearson.expected_freq
    drawn = ((tables - expected) ** 2 / expected).sum(axis=(1, 2))
    return float((1 + (drawn >= pearson.statistic - 1e-9).sum()) / (1 + _DRAWS))


def _shuffled_p(outcome: BoolArray, place: IntArray, patients: IntArray, centres: int) -> float:
    """P of the same share everywhere, by patients that change places; each keeps its lesions, a centre its patients."""
    _, first, who = np.unique(patients, return_index=True, return_inverse=True)
    lesions, positive = np.bincount(who), np.bincount(who, weights=outcome)
    home, rng = place[first][np.newaxis], np.random.default_rng(SEED)
    share = outcome.mean()

    def chi_square(homes: IntArray) -> FloatArray:
        total = np.zeros(len(homes))
        for k in range(centres):
            n = ((homes == k) * lesions).sum(axis=1)
            excess = ((homes == k) * positive).sum(axis=1) - n * share
            total += excess**2 / np.maximum(n * share * (1 - share), 1e-300)
        return total

    least = chi_square(home)[0] * (1 - 1e-9)
    at_least, rows = 0, max(1, 1_000_000 // first.size)
    for start in range(0, _DRAWS, rows):  # not all at once: a large trial would not fit in memory
        shuffled = rng.permuted(np.repeat(home, min(rows, _DRAWS - start), axis=0), axis=1)
        at_least += int((chi_square(shuffled) >= least).sum())
    return (1 + at_least) / (1 + _DRAWS)


def _gee_p(outcome: BoolArray, place: IntArray, patients: IntArray, centres: int) -> float:
    from scipy.stats import f

    design: FloatArray = np.column_stack([np.ones(place.size), *(place == k for k in range(1, centres))])
    try:
        fit = gee(outcome, patients, design, caller="compare_centres with groups")
    except InputError:
        trial_library("statsmodels.api", "compare_centres with groups")  # what is missing is said
        return math.nan
    effects, covariance = fit.coefficients[1:], fit.covariance[1:, 1:]
    if fit.freedom < 1 or np.linalg.matrix_rank(covariance) < centres - 1:
        return math.nan
    statistic = float(effects @ np.linalg.solve(covariance, effects)) / (centres - 1)
    return float(f.sf(statistic, centres - 1, fit.freedom))
