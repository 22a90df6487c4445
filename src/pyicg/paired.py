"""What surgery changed: McNemar's test of a paired state, and the count of patients managed otherwise."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pyicg._intervals import PROPORTION_METHODS, check_choice, proportion
from pyicg._outcomes import BoolLike, as_bool_vector, as_clusters
from pyicg.clustered import resample, sums_by_patient
from pyicg.results import Measurement

__all__ = ["ChangeInManagement", "McNemar", "change_in_management", "mcnemar"]


@dataclass(frozen=True, slots=True)
class McNemar:
    """McNemar's test of a paired change.

    Attributes
    ----------
    gained, lost : int
        Lesions that went from False to True, and from True to False.
    p_exact, p_mid, p_corrected : float
        The binomial P, the mid-P, and the chi-square P with continuity correction (NaN without any change). All three
        take lesions as independent.
    p_clustered : float
        The chi-square P of patients; NaN without groups or without any change.
    difference : Measurement
        Share of True after less before.
    method : str
        How the interval of `difference` was made.
    """

    gained: int
    lost: int
    p_exact: float
    p_mid: float
    p_corrected: float
    p_clustered: float
    difference: Measurement
    method: str


def mcnemar(before: BoolLike, after: BoolLike, *, groups: Iterable[Hashable] | None = None) -> McNemar:
    """Test whether a yes/no state changed, for example R0 before and after re-resection.

    Parameters
    ----------
    before, after : array-like (N,), bool or 0/1
        The state of the same N lesions.
    groups : iterable of N hashables, optional
        Patient of each lesion: makes the interval of `difference` one over patients, and gives `p_clustered`.

    Raises
    ------
    InputError
        Missing or non-boolean values, unequal lengths, or fewer than two patients.

    Notes
    -----
    The difference has the paired score interval of Newcombe (Stat. Med. 17 (1998) 2635-2650, method 10), which holds
    the correlation of the pairs, or with `groups` the BCa bootstrap over patients. `p_corrected` follows Edwards, whose
    correction never takes ``|gained - lost|`` below 0: equal numbers give P = 1, as in R; statsmodels squares -1.
    `p_clustered` is the chi-square P with one degree of freedom of ``(sum d)^2 / sum d^2``, d being gained less lost
    in each patient; with one lesion to a patient it is McNemar's without correction (Yang, Sun and Hardin, Biom. J. 52
    (2010) 638-652).

    Examples
    --------
    >>> from pyicg.evaluate import mcnemar
    >>> test = mcnemar([False] * 16 + [True] * 277 + [False] * 24, [True] * 293 + [False] * 24)
    >>> f"{test.p_exact:.1e} {test.p_mid:.1e} {test.p_corrected:.1e}"
    '3.1e-05 1.5e-05 1.8e-04'
    >>> print(test.difference)
    0.05047 [0.02614, 0.07894]
    """
    from scipy.stats import binom, chi2

    first = as_bool_vector("before", before)
    second = as_bool_vector("after", after, first.size)
    gain, loss = ~first & second, first & ~second
    gained, lost = int(gain.sum()), int(loss.sum())
    n, fewer = gained + lost, min(gained, lost)
    doubled = 2 * float(binom.cdf(fewer, n, 0.5))
    corrected = max(abs(gained - lost) - 1, 0) ** 2 / n if n else math.nan
    clustered = math.nan
    if groups is None:
        both, neither = int((first & second).sum()), int((~first & ~second).sum())
        difference, method = _newcombe(both, gained, lost, neither), "Newcombe 1998, method 10"
    else:
        change = np.column_stack([gain.astype(np.int64) - loss, np.ones(first.size)])
        sums = sums_by_patient(change, as_clusters(groups, first.size))
        drawn = resample(sums, lambda s: s[..., :1] / s[..., 1:])
        difference, method = drawn.measured(0), f"BCa bootstrap over {len(sums)} patients"
        if (moved := float((sums[:, 0] ** 2).sum())) > 0:
            clustered = float(chi2.sf((gained - lost) ** 2 / moved, 1))
    return McNemar(
        gained,
        lost,
        p_exact=min(doubled, 1.0),
        p_mid=doubled - float(binom.pmf(fewer, n, 0.5)),
        p_corrected=float(chi2.sf(corrected, 1)),
        p_clustered=clustered,
        difference=difference,
        method=method,
    )


def _newcombe(both: int, gained: int, lost: int, neither: int) -> Measurement:
    n = both + gained + lost + neither
    after, before = proportion(both + gained, n), proportion(both + lost, n)
    value = (gained - lost) / n
    margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    cross = float(both * neither - gained * lost)
    if cross > 0:
        cross = max(cross - n / 2, 0.0)
    phi = cross / math.sqrt(margins) if margins else 0.0

    def distance(up: float, down: float) -> float:
        return math.sqrt(max(up**2 - 2 * phi * up * down + down**2, 0.0))

    low = distance(after.value - after.ci[0], before.ci[1] - before.value)
    high = distance(after.ci[1] - after.value, before.value - before.ci[0])
    sigma = math.sqrt(gained + lost - (gained - lost) ** 2 / n) / n  # of the multinomial
    return Measurement(value, sigma if sigma > 0 else math.nan, (value - low, value + high))


@dataclass(frozen=True, slots=True)
class ChangeInManagement:
    """How often surgery went on otherwise than planned.

    Attributes
    ----------
    changed, n : int
        Those with a change, and all.
    unit : str
        ``"patients"``, or ``"lesions"`` where no patients were given.
    share : Measurement
        changed / n.
    ci_method : str
        Interval of `share`.
    """

    changed: int
    n: int
    unit: str
    share: Measurement
    ci_method: str


def change_in_management(
    changed: BoolLike,
    *,
    groups: Iterable[Hashable] | None = None,
    ci: Literal["wilson", "clopper-pearson"] = "wilson",
) -> ChangeInManagement:
    """Count the patients whose management changed.

    Parameters
    ----------
    changed : array-like (N,), bool or 0/1
        True where the sign changed what was done.
    groups : iterable of N hashables, optional
        Patient of each row: a patient counts as changed where any of their rows does. Without it every row counts, and
        the unit is said to be lesions; rows that are patients already get ``groups=range(N)``.
    ci : {"wilson", "clopper-pearson"}
        Interval of the share; patients are independent.

    Raises
    ------
    InputError
        Missing or non-boolean values, fewer than two patients, or an unknown `ci`.

    Examples
    --------
    The trial's 56 of 201 patients (27.9 %):

    >>> from pyicg.evaluate import change_in_management
    >>> print(change_in_management([True] * 56 + [False] * 145, groups=range(201)).share)
    0.2786 [0.2212, 0.3443]
    """
    rows = as_bool_vector("changed", changed)
    check_choice("ci", ci, PROPORTION_METHODS)
    if groups is not None:
        rows = np.bincount(as_clusters(groups, rows.size), weights=rows) > 0
    share = proportion(int(rows.sum()), rows.size, ci)
    return ChangeInManagement(int(rows.sum()), rows.size, "lesions" if groups is None else "patients", share, ci)
