"""The 2x2 table of sign against R1 and every figure that follows from it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pyicg._outcomes import BoolLike, FloatArray, IntArray, as_bool_vector, as_clusters
from pyicg.errors import InputError
from pyicg.results import Measurement

__all__ = ["AccuracyTable", "diagnostic_accuracy", "odds_ratio"]

_Z95 = 1.959963984540054
_DRAWS = 2000
_SEED = 20240407
_SCIPY_METHOD: Mapping[str, Literal["wilson", "exact"]] = {"wilson": "wilson", "clopper-pearson": "exact"}
_NOTES = (
    "verification bias: a positive sign leads to re-resection and so to more histology than a negative one; the usual "
    "effect is a sensitivity too high and a specificity too low",
    "auc: for a binary sign the area under the ROC curve is the balanced accuracy, (sensitivity + specificity) / 2",
)


@dataclass(frozen=True, slots=True)
class AccuracyTable:
    """A 2x2 table of sign against R1, and every figure that follows from it.

    Attributes
    ----------
    tp, fn, fp, tn : int
        R1 lesions with and without fluorescence, R0 lesions with and without.
    sensitivity, specificity, ppv, npv : Measurement
        Proportions; `ppv` and `npv` hold at the prevalence of the table only (see `reweight`).
    lr_positive, lr_negative, dor : Measurement
        Likelihood ratios and diagnostic odds ratio; undefined (``too_few_cases``) when a cell they divide by or take
        the logarithm of is empty. No half case is added.
    youden : Measurement
        sensitivity + specificity - 1.
    auc : Measurement
        Balanced accuracy, which is what the area under the ROC curve of a binary sign amounts to.
    ci_method : str
        How the intervals were made.
    notes : tuple of str
        What limits the figures.
    n_patients : int or None
        Number of patients when they were given.
    """

    tp: int
    fn: int
    fp: int
    tn: int
    sensitivity: Measurement
    specificity: Measurement
    ppv: Measurement
    npv: Measurement
    lr_positive: Measurement
    lr_negative: Measurement
    dor: Measurement
    youden: Measurement
    auc: Measurement
    ci_method: str
    notes: tuple[str, ...]
    n_patients: int | None = None

    @property
    def auc_nonparametric_ci(self) -> tuple[float, float]:
        """95 % interval of `auc` under the nonparametric standard error that SPSS prints, lesions independent.

        Hanley and McNeil 1982 with Q1 and Q2 counted from the data, where two tied pairs count one third (three
        equal values in random order), not one quarter as in DeLong. It reproduces the interval of the MIMIC trial.
        NaN when a cell is empty.
        """
        tp, fn, fp, tn = self.tp, self.fn, self.fp, self.tn
        if min(tp, fn, fp, tn) == 0:
            return math.nan, math.nan
        n1, n0 = tp + fn, fp + tn
        area = self.auc.value
        q1 = (tn * (tp**2 + tp * fn + fn**2 / 3) + fp * tp**2 / 3) / (n0 * n1**2)
        q2 = (tp * (tn**2 + tn * fp + fp**2 / 3) + fn * tn**2 / 3) / (n1 * n0**2)
        variance = (area * (1 - area) + (n1 - 1) * (q1 - area**2) + (n0 - 1) * (q2 - area**2)) / (n1 * n0)
        half = _Z95 * math.sqrt(variance)
        return area - half, area + half

    @classmethod
    def from_counts(
        cls, *, tp: int, fn: int, fp: int, tn: int, ci: Literal["wilson", "clopper-pearson"] = "wilson"
    ) -> AccuracyTable:
        """Return the figures of a known 2x2 table, lesions taken as independent.

        Parameters
        ----------
        tp, fn, fp, tn : int
            Counts, >= 0 and not all zero.
        ci : {"wilson", "clopper-pearson"}
            Interval of the proportions. Ratios have log-normal intervals, `auc` and `youden` DeLong's.

        Raises
        ------
        InputError
            A count is negative, all are zero, or `ci` is unknown.

        Examples
        --------
        >>> from pyicg.evaluate import AccuracyTable
        >>> table = AccuracyTable.from_counts(tp=32, fn=21, fp=27, tn=236)
        >>> print(table.sensitivity, table.lr_positive, sep="; ")
        0.6038 [0.4694, 0.7241]; 5.881 [3.87, 8.939]
        """
        if min(tp, fn, fp, tn) < 0 or tp + fn + fp + tn == 0:
            raise InputError(f"counts are tp {tp}, fn {fn}, fp {fp}, tn {tn}, expected >= 0 and at least one lesion")
        if ci not in _SCIPY_METHOD:
            raise InputError(f"ci is {ci!r}, expected one of {', '.join(_SCIPY_METHOD)}")
        auc = _delong(tp, fn, fp, tn)
        lo, hi = auc.ci
        return cls(
            tp=tp,
            fn=fn,
            fp=fp,
            tn=tn,
            sensitivity=_proportion(tp, tp + fn, ci),
            specificity=_proportion(tn, fp + tn, ci),
            ppv=_proportion(tp, tp + fp, ci),
            npv=_proportion(tn, fn + tn, ci),
            lr_positive=_risk_ratio(tp, tp + fn, fp, fp + tn),
            lr_negative=_risk_ratio(fn, tp + fn, tn, fp + tn),
            dor=odds_ratio(tp, fn, fp, tn),
            youden=Measurement(2 * auc.value - 1, 2 * auc.sigma, (2 * lo - 1, 2 * hi - 1), auc.reason),
            auc=auc,
            ci_method=f"{ci} for proportions, log-normal for ratios, DeLong for auc and youden",
            notes=(*_NOTES, "lesions of one patient are alike: without groups the intervals are too narrow"),
        )


def _proportion(k: int, n: int, ci: str) -> Measurement:
    from scipy.stats import binomtest

    if n == 0:
        return Measurement.undefined("too_few_cases")
    p = k / n
    interval = binomtest(k, n).proportion_ci(method=_SCIPY_METHOD[ci])
    # The binomial standard error vanishes at 0 and 1, where it says nothing about the uncertainty.
    sigma = math.sqrt(p * (1 - p) / n) if 0 < k < n else math.nan
    return Measurement(p, sigma, (float(interval.low), float(interval.high)))


def _log_normal(value: float, low: float, high: float) -> Measurement:
    return Measurement(float(value), float(value) * math.log(high / low) / (2 * _Z95), (float(low), float(high)))


def _risk_ratio(cases: int, total: int, control_cases: int, control_total: int) -> Measurement:
    from scipy.stats.contingency import relative_risk

    if cases == 0 or control_cases == 0:
        return Measurement.undefined("too_few_cases")
    result = relative_risk(cases, total, control_cases, control_total)
    interval = result.confidence_interval(0.95)
    return _log_normal(result.relative_risk, interval.low, interval.high)


def odds_ratio(a: int, b: int, c: int, d: int) -> Measurement:
    """Return ``(a d) / (b c)`` with its log-normal (Woolf) interval; ``too_few_cases`` when a cell is empty.

    Examples
    --------
    >>> from pyicg.accuracy import odds_ratio
    >>> print(odds_ratio(32, 21, 27, 236))
    13.32 [6.752, 26.27]
    """
    from scipy.stats import contingency

    if min(a, b, c, d) == 0:
        return Measurement.undefined("too_few_cases")
    result = contingency.odds_ratio([[a, b], [c, d]], kind="sample")
    interval = result.confidence_interval(0.95)
    return _log_normal(result.statistic, interval.low, interval.high)


def _delong(tp: int, fn: int, fp: int, tn: int) -> Measurement:
    n1, n0 = tp + fn, fp + tn
    if n1 == 0 or n0 == 0:
        return Measurement.undefined("too_few_cases")
    sensitivity, specificity = tp / n1, tn / n0
    area = (sensitivity + specificity) / 2
    if min(tp, fn, fp, tn) == 0:  # one of the two variances would come out as zero
        return Measurement(area, reason="too_few_cases")
    variance = (sensitivity * (1 - sensitivity) / (n1 - 1) + specificity * (1 - specificity) / (n0 - 1)) / 4
    half = _Z95 * math.sqrt(variance)
    return Measurement(area, math.sqrt(variance), (area - half, area + half))


def _figures(counts: npt.NDArray[Any]) -> dict[str, FloatArray]:
    """Return every figure of tables ``[..., (tp, fn, fp, tn)]``; NaN for 0/0, infinite for x/0."""
    tp, fn, fp, tn = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        sensitivity, specificity = tp / (tp + fn), tn / (fp + tn)
        return {
            "sensitivity": sensitivity,
            "specificity": specificity,
            "ppv": tp / (tp + fp),
            "npv": tn / (fn + tn),
            "lr_positive": sensitivity / (fp / (fp + tn)),
            "lr_negative": (fn / (tp + fn)) / specificity,
            "dor": (tp * tn) / (fn * fp),
            "youden": sensitivity + specificity - 1,
            "auc": (sensitivity + specificity) / 2,
        }


def _bootstrap(counts: IntArray, table: AccuracyTable) -> AccuracyTable:
    """Return `table` with percentile intervals over patients; `counts` is (patients, 4)."""
    n = len(counts)
    draws = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), size=_DRAWS) @ counts
    measured: dict[str, Any] = {}
    undefined = 0
    for name, values in _figures(draws).items():
        point: Measurement = getattr(table, name)
        kept = values[~np.isnan(values)]
        if point.reason is not None or kept.min() == kept.max():  # no spread in the draws is no certainty
            measured[name] = Measurement(point.value, reason="too_few_cases")
            continue
        undefined = max(undefined, _DRAWS - kept.size)
        # Order statistics, not interpolated ones: a draw without false positives has an infinite ratio.
        low, high = np.quantile(kept, (0.025, 0.975), method="inverted_cdf")
        sigma = float(kept.std(ddof=1)) if np.isfinite(kept).all() else math.nan
        measured[name] = Measurement(point.value, sigma, (float(low), float(high)))
    method = f"patient bootstrap: {_DRAWS} draws of {n} patients, percentile, seed {_SEED}"
    notes = (*_NOTES, f"at most {undefined} of {_DRAWS} draws left a figure undefined and were left out of it")
    return replace(table, **measured, ci_method=method, notes=notes, n_patients=n)


def diagnostic_accuracy(
    r1: BoolLike,
    fluorescent: BoolLike,
    *,
    groups: Iterable[Hashable] | None = None,
    ci: Literal["wilson", "clopper-pearson"] = "wilson",
) -> AccuracyTable:
    """Return the accuracy of the fluorescent sign for R1.

    Parameters
    ----------
    r1 : array-like (N,), bool or 0/1
        True where histology says R1.
    fluorescent : array-like (N,), bool or 0/1
        The sign. Lesions without a known sign have to be left out, and counted, by the caller.
    groups : iterable of N hashables, optional
        Patient of each lesion. With it every sigma and interval comes from a bootstrap over patients (2000 draws,
        percentile, fixed seed).
    ci : {"wilson", "clopper-pearson"}
        Interval of the proportions without `groups`.

    Raises
    ------
    InputError
        Missing or non-boolean values, unequal lengths, fewer than two patients, or `ci` beside `groups`.

    Examples
    --------
    >>> from pyicg.evaluate import diagnostic_accuracy
    >>> table = diagnostic_accuracy([1, 1, 0, 0, 0], [1, 0, 0, 0, 1])
    >>> table.tp, table.fn, table.fp, table.tn, round(table.specificity.value, 3)
    (1, 1, 1, 2, 0.667)
    """
    truth = as_bool_vector("r1", r1)
    sign = as_bool_vector("fluorescent", fluorescent, truth.size)
    cells = np.column_stack([truth & sign, truth & ~sign, ~truth & sign, ~truth & ~sign]).astype(np.int64)
    tp, fn, fp, tn = cells.sum(axis=0).tolist()
    table = AccuracyTable.from_counts(tp=tp, fn=fn, fp=fp, tn=tn, ci=ci)
    if groups is None:
        return table
    if ci != "wilson":
        raise InputError(f"ci is {ci!r} beside groups, expected one of the two: groups brings the patient bootstrap")
    clusters = as_clusters(groups, truth.size)
    counts = np.zeros((int(clusters.max()) + 1, 4), dtype=np.int64)
    np.add.at(counts, clusters, cells)
    return _bootstrap(counts, table)
