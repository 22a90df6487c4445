"""How many lesions a margin model needs: the criteria of Riley et al., and what lesions of one patient weigh."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pyicg._intervals import Z95
from pyicg._outcomes import BoolArray, FloatArray, IntArray
from pyicg.errors import InputError

__all__ = ["RileyMinimum", "riley_minimum"]

_SHRINKAGE = 0.9  # Riley et al. 2020: at most 10 % of overfitting
_OPTIMISM = 0.05  # largest optimism in Nagelkerke's R2
_RISK_ERROR = 0.05  # largest error of the overall risk


@dataclass(frozen=True, slots=True, kw_only=True)
class RileyMinimum:
    """The smallest development that Riley's criteria allow.

    Attributes
    ----------
    lesions, r1 : int
        Independent lesions that are needed, and how many of them are then R1, rounded.
    criteria : dict of str to int
        Lesions that each criterion asks for: ``shrinkage`` (a global shrinkage factor of at least 0.9), ``optimism``
        (at most 0.05 in Nagelkerke's R2), ``overall risk`` (known within 0.05).
    binding : str
        The criterion that asks for most.
    r2_cox_snell : float
        What the C statistic amounts to.
    n_features : int
    prevalence, c_statistic : float
        As given.
    """

    lesions: int
    r1: int
    criteria: dict[str, int]
    binding: str
    r2_cox_snell: float
    n_features: int
    prevalence: float
    c_statistic: float


def riley_minimum(n_features: int, *, prevalence: float, c_statistic: float) -> RileyMinimum:
    """Return the smallest number of lesions to train a model on (Riley et al. 2019 and 2020).

    With k features, prevalence phi and Cox-Snell's R2:
    shrinkage: ``k / ((S - 1) ln(1 - R2 / S))`` at S = 0.9; optimism: the same at ``S = R2 / (R2 + 0.05 max R2)`` with
    ``max R2 = 1 - (phi^phi (1 - phi)^(1 - phi))^2``; overall risk: ``(1.96 / 0.05)^2 phi (1 - phi)``. R2 follows from
    the C statistic by taking the linear predictor as normal with equal variance in R1 and R0 lesions, sqrt(2) Phi^-1(C)
    standard deviations apart (Riley et al. 2021), by quadrature and not by simulation. The fourth criterion of the 2020
    paper, on the mean error of the risk, is not counted.

    Parameters
    ----------
    n_features : int
        Features (coefficients without the intercept), >= 1.
    prevalence : float
        Share of R1, in (0, 1).
    c_statistic : float
        The area under the ROC curve that the model is expected to reach, in (0.5, 1).

    Returns
    -------
    RileyMinimum
        Counts independent lesions: lesions of one patient weigh less.

    Raises
    ------
    InputError
        An argument lies outside its range.

    References
    ----------
    Riley et al., Stat Med 2019;38:1276; BMJ 2020;368:m441; Stat Med 2021;40:859 (R2 from C).

    Examples
    --------
    >>> from pyicg.margin import riley_minimum
    >>> needed = riley_minimum(5, prevalence=0.168, c_statistic=0.75)
    >>> needed.lesions, needed.r1, needed.binding
    (376, 63, 'shrinkage')
    """
    if not isinstance(n_features, int | np.integer) or isinstance(n_features, bool) or n_features < 1:
        raise InputError(f"n_features is {n_features!r}, expected a whole number >= 1")
    for name, value, low in (("prevalence", prevalence, 0.0), ("c_statistic", c_statistic, 0.5)):
        if not isinstance(value, float | int | np.floating) or not low < value < 1:
            raise InputError(f"{name} is {value!r}, expected a number in ({low:g}, 1)")
    phi, k = float(prevalence), int(n_features)
    null = phi * math.log(phi) + (1 - phi) * math.log(1 - phi)
    r2 = _cox_snell(phi, float(c_statistic), null)
    optimistic = r2 / (r2 + _OPTIMISM * (1 - math.exp(2 * null)))
    criteria = {
        "shrinkage": _for_shrinkage(k, r2, _SHRINKAGE),
        "optimism": _for_shrinkage(k, r2, optimistic),
        "overall risk": math.ceil((Z95 / _RISK_ERROR) ** 2 * phi * (1 - phi)),
    }
    binding = max(criteria, key=lambda name: criteria[name])
    lesions = criteria[binding]
    return RileyMinimum(
        lesions=lesions,
        r1=round(lesions * phi),
        criteria=criteria,
        binding=binding,
        r2_cox_snell=r2,
        n_features=k,
        prevalence=phi,
        c_statistic=float(c_statistic),
    )


def _for_shrinkage(k: int, r2: float, shrinkage: float) -> int:
    return math.ceil(k / ((shrinkage - 1) * math.log1p(-r2 / shrinkage)))


def _cox_snell(phi: float, c_statistic: float, null: float) -> float:
    """Return ``1 - exp(-2 (E log likelihood - null))`` for a linear predictor that is normal in R1 and in R0."""
    from scipy.special import log_expit, ndtri

    apart = math.sqrt(2) * float(ndtri(c_statistic))
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights /= weights.sum()
    prior = math.log(phi / (1 - phi)) - apart**2 / 2
    of_r1 = weights @ log_expit(prior + apart * (nodes + apart))
    of_r0 = weights @ log_expit(-(prior + apart * nodes))
    return float(-math.expm1(-2 * (phi * of_r1 + (1 - phi) * of_r0 - null)))


def design_effect(r1: BoolArray, clusters: IntArray) -> tuple[float, float]:
    """Return the design effect of clustered outcomes and their intracluster correlation.

    ``1 + (sum m^2 / sum m - 1) ICC`` for patients with m lesions; the correlation by one-way analysis of variance,
    bounded below by 0 (Donner and Klar 2000), 0 where every patient has one lesion.
    """
    m: FloatArray = np.bincount(clusters).astype(np.float64)
    n, patients = r1.size, m.size
    if n == patients:
        return 1.0, 0.0
    means = np.bincount(clusters, weights=r1) / m
    between = float(m @ (means - r1.mean()) ** 2) / (patients - 1)
    within = float(np.sum((r1 - means[clusters]) ** 2)) / (n - patients)
    typical = (n - float(m @ m) / n) / (patients - 1)
    spread = between + (typical - 1) * within
    icc = max((between - within) / spread, 0.0) if spread > 0 else 0.0
    return 1 + (float(m @ m) / n - 1) * icc, icc
