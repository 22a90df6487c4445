"""PPV and NPV at another prevalence of R1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from pyicg.accuracy import AccuracyTable
from pyicg.errors import InputError
from pyicg.published import resolve_prevalence
from pyicg.results import Measurement

__all__ = ["PredictiveValues", "as_prevalence", "reweight"]


@dataclass(frozen=True, slots=True)
class PredictiveValues:
    """PPV and NPV at another prevalence."""

    prevalence: float
    ppv: Measurement
    npv: Measurement


def as_prevalence(prevalence: float | str) -> float:
    """Return a prevalence in (0, 1) from a number or the name of a preset."""
    if not isinstance(prevalence, (str, Real)) or isinstance(prevalence, bool):
        raise InputError(f"prevalence is {prevalence!r}, expected one number in (0, 1) or the name of a preset")
    return resolve_prevalence(prevalence)[0]


def reweight(accuracy: AccuracyTable | tuple[float, float], *, prevalence: float | str) -> PredictiveValues:
    """Return PPV and NPV at another prevalence by Bayes' rule.

    Parameters
    ----------
    accuracy : AccuracyTable or tuple of float
        A table, whose counts give sensitivity and specificity, or ``(sensitivity, specificity)``; the pair gives no
        intervals.
    prevalence : float or str
        Share of R1 in (0, 1), or a name in `pyicg.published.PREVALENCE_PRESETS`.

    Returns
    -------
    PredictiveValues
        Posterior odds are prior odds times the likelihood ratio, so the intervals are those of the ratios carried
        over (Mercaldo et al., Stat. Med. 26 (2007) 2170-2183); the prevalence counts as known, and sensitivity and
        specificity as unchanged.

    Raises
    ------
    InputError
        The prevalence, sensitivity or specificity is no number or lies out of range, or the table has no R1 or no R0
        lesions.

    Examples
    --------
    >>> from pyicg.evaluate import AccuracyTable, reweight
    >>> table = AccuracyTable.from_counts(tp=32, fn=21, fp=27, tn=236)
    >>> values = reweight(table, prevalence="mimic-overall")
    >>> round(values.ppv.value, 3), round(values.npv.value, 3)
    (0.459, 0.94)
    """
    pi = as_prevalence(prevalence)
    lr_positive = lr_negative = Measurement(math.nan)
    if isinstance(accuracy, AccuracyTable):
        n1, n0 = accuracy.tp + accuracy.fn, accuracy.fp + accuracy.tn
        sensitivity = accuracy.tp / n1 if n1 else math.nan
        specificity = accuracy.tn / n0 if n0 else math.nan
        lr_positive, lr_negative = accuracy.lr_positive, accuracy.lr_negative
    else:
        try:
            sensitivity, specificity = (float(share) for share in accuracy)
        except (TypeError, ValueError) as error:
            raise InputError(f"accuracy is {accuracy!r}, expected a table or (sensitivity, specificity)") from error
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
