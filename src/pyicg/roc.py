"""The ROC curve of a score, its area, and two areas compared: DeLong, and Obuchowski where lesions share patients."""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg._intervals import area_interval, wald
from pyicg._outcomes import BoolArray, BoolLike, FloatArray, IntArray, as_bool_vector, as_clusters, as_number_vector
from pyicg.clustered import trial_library
from pyicg.results import Measurement

__all__ = ["AucComparison", "Roc", "areas_of", "compare_auc", "roc"]


@dataclass(frozen=True, eq=False)
class Roc:
    """ROC curve of a score for R1.

    Attributes
    ----------
    false_positive_rate, true_positive_rate : ndarray (K,)
        The curve from (0, 0) to (1, 1), a point for every distinct score; NaN where R1 or R0 is missing.
    thresholds : ndarray (K,)
        A lesion is called R1 from this score on; infinite at (0, 0).
    auc : Measurement
        Area: the share of pairs in which the R1 lesion has the higher score, ties counted half.
    auc_nonparametric_ci : tuple of float
        95 % interval under Hanley and McNeil's standard error with Q1 and Q2 counted from the data, which SPSS prints.
        It takes lesions as independent, with `groups` too.
    ci_method : str
        How the interval of `auc` was made.
    """

    false_positive_rate: FloatArray
    true_positive_rate: FloatArray
    thresholds: FloatArray
    auc: Measurement
    auc_nonparametric_ci: tuple[float, float]
    ci_method: str


@dataclass(frozen=True, slots=True)
class AucComparison:
    """Areas of two scores of the same lesions.

    Attributes
    ----------
    first, second : Measurement
        The areas.
    difference : Measurement
        First less second, with Wald's interval; its standard error holds the correlation of the two.
    p_value : float
        Of no difference; NaN where the difference has no spread.
    ci_method : str
        How the standard errors were made.
    """

    first: Measurement
    second: Measurement
    difference: Measurement
    p_value: float
    ci_method: str


def roc(r1: BoolLike, score: npt.ArrayLike, *, groups: Iterable[Hashable] | None = None) -> Roc:
    """Return the ROC curve of a score and the area under it.

    Parameters
    ----------
    r1 : array-like (N,), bool or 0/1
        True where histology says R1.
    score : array-like (N,)
        Higher is more suspicious of R1; for a distance in millimetres give its negative.
    groups : iterable of N hashables, optional
        Patient of each lesion.

    Returns
    -------
    Roc
        `auc` is undefined (``too_few_cases``) without R1 or R0 lesions, and has no interval where it has no spread: an
        area of exactly 0 or 1, or fewer than two patients (lesions) with R1 or with R0.

    Raises
    ------
    InputError
        Missing or non-numeric values, unequal lengths, fewer than two patients, or scikit-learn missing (the extra
        ``trial``).

    Notes
    -----
    The curve is that of scikit-learn. Standard error: structural components (DeLong et al., Biometrics 44 (1988)
    837-845, by midranks as in Sun and Xu, IEEE Signal Process. Lett. 21 (2014) 1389-1393), with `groups` summed over
    each patient's lesions before they are squared, and with the covariance of a patient's R1 and R0 lesions
    (Obuchowski, Biometrics 53 (1997) 567-578); one lesion to a patient gives DeLong's. Where the plain interval would
    leave [0, 1] it is made on the logit scale, and `ci_method` says so.

    Examples
    --------
    >>> from pyicg.evaluate import roc
    >>> curve = roc([0, 0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.3, 0.7, 0.8])
    >>> round(curve.auc.value, 4)
    0.875
    >>> curve.ci_method
    'DeLong, on the logit scale, for the plain interval leaves [0, 1]'
    """
    truth = as_bool_vector("r1", r1)
    values = as_number_vector("score", score, truth.size)
    clusters = None if groups is None else as_clusters(groups, truth.size)
    metrics = trial_library("sklearn.metrics", "roc")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics.__dict__.get("UndefinedMetricWarning", UserWarning))  # one class: NaN
        false_positive, true_positive, thresholds = metrics.roc_curve(truth, values, drop_intermediate=False)
    areas, covariance = areas_of(truth, values[:, np.newaxis], clusters)
    auc, how = _measured(areas[0], covariance[0, 0], clusters)
    return Roc(false_positive, true_positive, thresholds, auc, _nonparametric(truth, values, auc.value), how)


def compare_auc(
    r1: BoolLike, first: npt.ArrayLike, second: npt.ArrayLike, *, groups: Iterable[Hashable] | None = None
) -> AucComparison:
    """Compare the areas of two scores of the same lesions.

    Parameters
    ----------
    r1 : array-like (N,), bool or 0/1
        True where histology says R1.
    first, second : array-like (N,)
        Scores; higher is more suspicious of R1 in both.
    groups : iterable of N hashables, optional
        Patient of each lesion.

    Raises
    ------
    InputError
        Missing or non-numeric values, unequal lengths, or fewer than two patients.

    Notes
    -----
    DeLong et al. 1988 for paired scores, with `groups` Obuchowski 1997; see `roc`. The test takes (first - second) over
    its standard error as normal. Of two models one of which holds the other's features, trained on these very lesions,
    it is no valid test (Demler et al., Stat. Med. 31 (2012) 2577-2587).

    Examples
    --------
    >>> from pyicg.evaluate import compare_auc
    >>> found = compare_auc([0, 0, 0, 1, 1, 1], [1, 2, 3, 2, 4, 5], [1, 3, 2, 2, 1, 4])
    >>> print(f"{found.difference.value:.3f} {found.p_value:.3f}")
    0.278 0.353
    """
    from scipy.stats import norm

    truth = as_bool_vector("r1", r1)
    pair = np.column_stack(
        [as_number_vector("first", first, truth.size), as_number_vector("second", second, truth.size)]
    )
    clusters = None if groups is None else as_clusters(groups, truth.size)
    areas, covariance = areas_of(truth, pair, clusters)
    one, how = _measured(areas[0], covariance[0, 0], clusters)
    two, _ = _measured(areas[1], covariance[1, 1], clusters)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    noise = 1e-15 * (covariance[0, 0] + covariance[1, 1])  # equal scores leave rounding behind
    sigma = math.sqrt(variance) if variance > noise else math.nan
    difference = wald(float(areas[0] - areas[1]), sigma)
    p_value = 2 * float(norm.sf(abs(difference.value) / sigma))
    return AucComparison(one, two, difference, p_value, how.partition(",")[0])


def areas_of(truth: BoolArray, scores: FloatArray, clusters: IntArray | None) -> tuple[FloatArray, FloatArray]:
    """Return the areas (k,) of scores (N, k) and their covariance (k, k); NaN where a class is missing (see `roc`)."""
    from scipy.stats import rankdata

    k = scores.shape[1]
    case, control = scores[truth], scores[~truth]
    m, n = len(case), len(control)
    if min(m, n) == 0:
        return np.full(k, math.nan), np.full((k, k), math.nan)
    ranks = rankdata(scores, axis=0)
    # Share of controls below each case, and of cases above each control, ties half.
    of_case = (ranks[truth] - rankdata(case, axis=0)) / n
    of_control = 1 - (ranks[~truth] - rankdata(control, axis=0)) / m
    areas = of_case.mean(axis=0)
    patients = np.arange(truth.size) if clusters is None else clusters
    groups = int(patients.max()) + 1
    sums_case, sums_control = np.zeros((groups, k)), np.zeros((groups, k))
    np.add.at(sums_case, patients[truth], (of_case - areas) / m)
    np.add.at(sums_control, patients[~truth], (of_control - areas) / n)
    with_case, with_control = np.unique(patients[truth]).size, np.unique(patients[~truth]).size
    if min(with_case, with_control) < 2:
        return areas, np.full((k, k), math.nan)
    both = sums_case.T @ sums_control * groups / (groups - 1)
    return areas, (
        sums_case.T @ sums_case * with_case / (with_case - 1)
        + sums_control.T @ sums_control * with_control / (with_control - 1)
        + both
        + both.T
    )


def _measured(area: float, variance: float, clusters: IntArray | None) -> tuple[Measurement, str]:
    how = "DeLong" if clusters is None else f"Obuchowski over {int(clusters.max()) + 1} patients"
    if math.isnan(area):
        return Measurement.undefined("too_few_cases"), how
    plain = wald(float(area), math.sqrt(variance) if variance > 0 else math.nan)
    if plain.reason is not None or (plain.ci[0] >= 0 and plain.ci[1] <= 1):
        return plain, how
    bounded = Measurement(plain.value, plain.sigma, area_interval(plain.value, plain.sigma))
    return bounded, f"{how}, on the logit scale, for the plain interval leaves [0, 1]"


def _nonparametric(truth: BoolArray, score: FloatArray, area: float) -> tuple[float, float]:
    """Return Hanley and McNeil's interval (Radiology 143 (1982) 29-36), Q1 and Q2 counted, two ties a third."""
    n1, n0 = int(truth.sum()), int((~truth).sum())
    if min(n1, n0) == 0 or area in (0.0, 1.0):
        return math.nan, math.nan
    case, control = np.sort(score[truth]), np.sort(score[~truth])

    def q(values: FloatArray, beaten: FloatArray, sign: int) -> float:
        """Chance that two random ones of `beaten` lie on the right side of a random one of `values`."""
        under = np.searchsorted(beaten, values, "left") / beaten.size
        tied = np.searchsorted(beaten, values, "right") / beaten.size - under
        right = under if sign > 0 else 1 - under - tied
        return float(np.mean(right**2 + right * tied + tied**2 / 3))

    q1, q2 = q(control, case, -1), q(case, control, 1)
    variance = (area * (1 - area) + (n1 - 1) * (q1 - area**2) + (n0 - 1) * (q2 - area**2)) / (n1 * n0)
    return area_interval(area, math.sqrt(variance)) if variance > 0 else (math.nan, math.nan)
