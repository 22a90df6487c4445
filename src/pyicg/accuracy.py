"""The 2x2 table of sign against R1 and every figure that follows from it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pyicg._intervals import PROPORTION_METHODS, Z95, area_interval, check_choice, from_logit, log_normal, proportion
from pyicg._outcomes import BoolArray, BoolLike, FloatArray, IntArray, as_bool_vector, as_clusters
from pyicg.clustered import DRAWS, SEED, gee, resample, sums_by_patient
from pyicg.errors import InputError
from pyicg.results import Measurement

__all__ = ["AccuracyTable", "diagnostic_accuracy", "odds_ratio"]

_PROPORTIONS = ("sensitivity", "specificity", "ppv", "npv")
_RATIOS = ("lr_positive", "lr_negative", "dor")
_NAMES = (*_PROPORTIONS, *_RATIOS, "youden", "auc")
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
        On the logit scale where it would leave [0, 1]; NaN when a cell is empty.
        """
        tp, fn, fp, tn = self.tp, self.fn, self.fp, self.tn
        if min(tp, fn, fp, tn) == 0:
            return math.nan, math.nan
        n1, n0 = tp + fn, fp + tn
        area = self.auc.value
        q1 = (tn * (tp**2 + tp * fn + fn**2 / 3) + fp * tp**2 / 3) / (n0 * n1**2)
        q2 = (tp * (tn**2 + tn * fp + fp**2 / 3) + fn * tn**2 / 3) / (n1 * n0**2)
        variance = (area * (1 - area) + (n1 - 1) * (q1 - area**2) + (n0 - 1) * (q2 - area**2)) / (n1 * n0)
        return area_interval(area, math.sqrt(variance))

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
            Interval of the proportions. Ratios have log-normal intervals, `auc` and `youden` DeLong's; where DeLong's
            would leave [0, 1] it is made on the logit scale, and `ci_method` says so.

        Raises
        ------
        InputError
            A count is no whole number or negative, all are zero, or `ci` is unknown.

        Examples
        --------
        >>> from pyicg.evaluate import AccuracyTable
        >>> table = AccuracyTable.from_counts(tp=32, fn=21, fp=27, tn=236)
        >>> print(table.sensitivity, table.lr_positive, sep="; ")
        0.6038 [0.4694, 0.7241]; 5.881 [3.87, 8.939]
        """
        counts = (tp, fn, fp, tn)
        if (
            not all(isinstance(n, Integral) and not isinstance(n, bool) for n in counts)
            or min(counts) < 0
            or sum(counts) == 0
        ):
            raise InputError(
                f"counts are tp {tp!r}, fn {fn!r}, fp {fp!r}, tn {tn!r}, expected whole numbers >= 0 and at least one "
                "lesion"
            )
        check_choice("ci", ci, PROPORTION_METHODS)
        tp, fn, fp, tn = (int(n) for n in counts)
        auc, on_logit = _delong(tp, fn, fp, tn)
        lo, hi = auc.ci
        return cls(
            tp=tp,
            fn=fn,
            fp=fp,
            tn=tn,
            sensitivity=proportion(tp, tp + fn, ci),
            specificity=proportion(tn, fp + tn, ci),
            ppv=proportion(tp, tp + fp, ci),
            npv=proportion(tn, fn + tn, ci),
            lr_positive=_risk_ratio(tp, tp + fn, fp, fp + tn),
            lr_negative=_risk_ratio(fn, tp + fn, tn, fp + tn),
            dor=odds_ratio(tp, fn, fp, tn),
            youden=Measurement(2 * auc.value - 1, 2 * auc.sigma, (2 * lo - 1, 2 * hi - 1), auc.reason),
            auc=auc,
            ci_method=f"{ci} for proportions, log-normal for ratios, DeLong for auc and youden"
            + (", on the logit scale, for the plain interval leaves [0, 1]" if on_logit else ""),
            notes=(*_NOTES, "lesions of one patient are alike: without groups the intervals are too narrow"),
        )


def _risk_ratio(cases: int, total: int, control_cases: int, control_total: int) -> Measurement:
    from scipy.stats.contingency import relative_risk

    if cases == 0 or control_cases == 0:
        return Measurement.undefined("too_few_cases")
    result = relative_risk(cases, total, control_cases, control_total)
    interval = result.confidence_interval(0.95)
    return log_normal(result.relative_risk, interval.low, interval.high)


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
    return log_normal(result.statistic, interval.low, interval.high)


def _delong(tp: int, fn: int, fp: int, tn: int) -> tuple[Measurement, bool]:
    """Return the area of the sign, and whether its interval had to be made on the logit scale."""
    n1, n0 = tp + fn, fp + tn
    if n1 == 0 or n0 == 0:
        return Measurement.undefined("too_few_cases"), False
    sensitivity, specificity = tp / n1, tn / n0
    area = (sensitivity + specificity) / 2
    if min(tp, fn, fp, tn) == 0:  # one of the two variances would come out as zero
        return Measurement(area, reason="too_few_cases"), False
    sigma = math.sqrt(sensitivity * (1 - sensitivity) / (n1 - 1) + specificity * (1 - specificity) / (n0 - 1)) / 2
    half = Z95 * sigma
    return Measurement(area, sigma, area_interval(area, sigma)), not half <= min(area, 1 - area)


def _figures(counts: npt.NDArray[Any]) -> FloatArray:
    """Return the figures (..., 9) of tables (..., (tp, fn, fp, tn)) as in `_NAMES`; NaN for 0/0, infinite for x/0."""
    tp, fn, fp, tn = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    sensitivity, specificity = tp / (tp + fn), tn / (fp + tn)
    return np.stack(
        [
            sensitivity,
            specificity,
            tp / (tp + fp),
            tn / (fn + tn),
            sensitivity / (fp / (fp + tn)),
            (fn / (tp + fn)) / specificity,
            (tp * tn) / (fn * fp),
            sensitivity + specificity - 1,
            (sensitivity + specificity) / 2,
        ],
        axis=-1,
    )


def clustered_table(truth: BoolArray, sign: BoolArray, clusters: IntArray, ci: str) -> AccuracyTable:
    """Return the table with intervals over patients, `ci` ``"bca"`` or ``"gee"``."""
    cells = np.column_stack([truth & sign, truth & ~sign, ~truth & sign, ~truth & ~sign])
    sums = sums_by_patient(cells, clusters)
    tp, fn, fp, tn = (int(n) for n in sums.sum(axis=0))
    table = AccuracyTable.from_counts(tp=tp, fn=fn, fp=fp, tn=tn)
    drawn = resample(sums, _figures)
    of_all = dict(zip(_PROPORTIONS, ((truth, sign), (~truth, ~sign), (sign, truth), (~sign, ~truth)), strict=True))
    measured: dict[str, Any] = {}
    for column, name in enumerate(_NAMES):
        point: Measurement = getattr(table, name)
        if name in of_all and point.value in (0.0, 1.0):
            patients = np.unique(clusters[of_all[name][0]]).size
            measured[name] = proportion(int(point.value) * patients, patients)
        elif point.reason is not None:
            measured[name] = Measurement(point.value, reason=point.reason)
        elif ci == "gee" and name in of_all:
            which, outcome = of_all[name]
            measured[name] = _gee_proportion(outcome[which], clusters[which])
        else:
            measured[name] = drawn.measured(column, ratio=name in _RATIOS)
    n = len(sums)
    method = f"BCa bootstrap over patients: {DRAWS} draws of {n} patients, seed {SEED}"
    if ci == "gee":
        by_gee = "GEE (exchangeable, else independent; bias-reduced covariance, Student's t)"
        method = f"{by_gee} for proportions, {method} for the rest"
    undefined = int(drawn.undefined()[[math.isfinite(point.value) for point in measured.values()]].max(initial=0))
    notes = [*_NOTES]
    if undefined > 0:
        notes.append(
            f"at most {undefined} of {DRAWS} draws left a figure undefined (0/0) and were left out of it: the interval "
            "holds given that the figure exists"
        )
    if any(point.value in (0.0, 1.0) for name, point in measured.items() if name in of_all):
        notes.append("a proportion of 0 or 1 has Wilson's interval with patients in place of lesions")
    if ci == "gee":
        notes.append(
            "GEE gives patients with many lesions less weight than counts do: its proportions differ from the counts"
        )
    return replace(table, **measured, ci_method=method, notes=tuple(notes), n_patients=n)


def _gee_proportion(outcome: BoolArray, clusters: IntArray) -> Measurement:
    from scipy.special import expit

    if np.unique(clusters).size < 2:
        return Measurement(float(outcome.mean()), reason="too_few_cases")
    logit, sigma, quantile = gee(outcome, clusters, caller="ci='gee'").interval(0)
    p = float(expit(logit))
    if not sigma > 0:
        return Measurement(p, reason="too_few_cases")
    return Measurement(p, p * (1 - p) * sigma, from_logit(logit, sigma, quantile))


def diagnostic_accuracy(
    r1: BoolLike,
    fluorescent: BoolLike,
    *,
    groups: Iterable[Hashable] | None = None,
    ci: Literal["wilson", "clopper-pearson", "bca", "gee"] = "wilson",
) -> AccuracyTable:
    """Return the accuracy of the fluorescent sign for R1.

    Parameters
    ----------
    r1 : array-like (N,), bool or 0/1
        True where histology says R1.
    fluorescent : array-like (N,), bool or 0/1
        The sign. Lesions without a known sign have to be left out, and counted, by the caller.
    groups : iterable of N hashables, optional
        Patient of each lesion. With it every sigma and interval is over patients.
    ci : {"wilson", "clopper-pearson", "bca", "gee"}
        Without `groups` the interval of the proportions, Wilson or Clopper-Pearson. With `groups` the default and
        ``"bca"`` are the BCa bootstrap over patients (2000 draws, fixed seed); ``"gee"`` takes the four proportions
        from generalised estimating equations (needs the extra ``trial``) and the rest from the bootstrap.

    Raises
    ------
    InputError
        Missing or non-boolean values, unequal lengths, fewer than two patients, a `ci` that does not go with `groups`
        or its absence, or statsmodels missing.

    Notes
    -----
    BCa: Efron, J. Am. Stat. Assoc. 82 (1987) 171-185. GEE: Liang and Zeger, Biometrika 73 (1986) 13-22, with the
    covariance of Mancl and DeRouen, Biometrics 57 (2001) 126-134, and Student's t with patients - 1 degrees of freedom.
    A proportion of exactly 0 or 1 shows no spread: it gets Wilson's interval with the number of patients in place of
    lesions, as if the lesions of a patient were copies of one another, which is the widest that clustering can make it.

    Examples
    --------
    >>> from pyicg.evaluate import diagnostic_accuracy
    >>> table = diagnostic_accuracy([1, 1, 0, 0, 0], [1, 0, 0, 0, 1])
    >>> table.tp, table.fn, table.fp, table.tn, round(table.specificity.value, 3)
    (1, 1, 1, 2, 0.667)
    """
    truth = as_bool_vector("r1", r1)
    sign = as_bool_vector("fluorescent", fluorescent, truth.size)
    check_choice("ci", ci, (*PROPORTION_METHODS, "bca", "gee"))
    if groups is None:
        if ci in ("bca", "gee"):
            raise InputError(f"ci is {ci!r} without groups, expected the patient of each lesion: give groups")
        tp, fn, fp, tn = (int(cell.sum()) for cell in (truth & sign, truth & ~sign, ~truth & sign, ~truth & ~sign))
        return AccuracyTable.from_counts(
            tp=tp, fn=fn, fp=fp, tn=tn, ci="wilson" if ci == "wilson" else "clopper-pearson"
        )
    if ci == "clopper-pearson":
        raise InputError(f"ci is {ci!r} beside groups, expected wilson, bca or gee: it takes lesions as independent")
    return clustered_table(truth, sign, as_clusters(groups, truth.size), "gee" if ci == "gee" else "bca")
