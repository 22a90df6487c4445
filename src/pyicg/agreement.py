"""Agreement of measured and pathological margins: Bland and Altman's limits."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg._intervals import Z95, wald
from pyicg._outcomes import FloatArray, IntArray, as_clusters, as_number_vector
from pyicg.clustered import gee
from pyicg.errors import InputError
from pyicg.results import Measurement

__all__ = ["BlandAltman", "bland_altman"]


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Agreement of two margins of the same lesions, measured less pathological, in mm.

    Attributes
    ----------
    n : int
        Lesions.
    bias : Measurement
        Mean difference; with patients the mean of their means.
    lower_limit, upper_limit : Measurement
        Limits of agreement: bias -+ 1.96 sd hold 95 % of normal differences. `sigma` is not given.
    sd : float
        Standard deviation of the difference of one lesion of one patient.
    slope : Measurement
        Of the difference on the mean of the two: proportional bias where it is not 0.
    n_patients : int or None
        Patients, where they were given.
    method : str
        How it was computed.
    """

    n: int
    bias: Measurement
    lower_limit: Measurement
    upper_limit: Measurement
    sd: float
    slope: Measurement
    n_patients: int | None
    method: str


def bland_altman(
    measured_mm: npt.ArrayLike, pathology_mm: npt.ArrayLike, *, groups: Iterable[Hashable] | None = None
) -> BlandAltman:
    """Compare measured with pathological margins.

    Parameters
    ----------
    measured_mm, pathology_mm : array-like (N,)
        Margin of each lesion in mm, both finite, N >= 3.
    groups : iterable of N hashables, optional
        Patient of each lesion; needs the extra ``trial`` for `slope`.

    Raises
    ------
    InputError
        Missing or non-numeric values, unequal lengths, fewer than three lesions (patients), or statsmodels missing.

    Notes
    -----
    Bland and Altman, Lancet 327 (1986) 307-310. With `groups` the true margin varies from lesion to lesion (Bland and
    Altman, J. Biopharm. Stat. 17 (2007) 571-582): the variance of a difference is that between patients plus that
    within, from a one-way analysis of variance with unweighted patient means, ``s_d^2 + (1 - 1 / m_h) s_w^2``; s_d is
    the standard deviation of the patients' means, s_w^2 the mean square within, and m_h the harmonic mean of lesions
    per patient. The bias has Student's t over patients. The limits' intervals are those of Zou (Stat. Methods Med. Res.
    22 (2013) 630-642): intervals of bias and variance, joined (MOVER). Without groups every lesion is its own patient.
    Slope: least squares with Student's t, with `groups` GEE (exchangeable, bias-reduced). It is not 0 when the two
    methods differ in their spread alone.

    Examples
    --------
    >>> from pyicg.evaluate import bland_altman
    >>> found = bland_altman([2.1, 3.4, 0.9, 5.2, 1.8], [2.0, 3.0, 1.0, 5.0, 2.0])
    >>> print(found.bias, found.upper_limit, sep="; ")
    0.08 [-0.2164, 0.3764]; 0.5479 [0.1971, 1.473]
    """
    measured = as_number_vector("measured_mm", measured_mm)
    pathology = as_number_vector("pathology_mm", pathology_mm, measured.size)
    patients = np.arange(measured.size) if groups is None else as_clusters(groups, measured.size)
    difference, mean = measured - pathology, (measured + pathology) / 2
    n_patients = int(patients.max()) + 1
    if n_patients < 3:
        raise InputError(f"there are {n_patients} independent differences, expected at least 3: collect more")
    bias, sd, variance_ci = _components(difference, patients)
    return BlandAltman(
        n=measured.size,
        bias=bias,
        lower_limit=_limit(bias, sd, variance_ci, -1),
        upper_limit=_limit(bias, sd, variance_ci, 1),
        sd=sd,
        slope=_slope(difference, mean, None if groups is None else patients),
        n_patients=None if groups is None else n_patients,
        method="independent differences; limits by MOVER"
        if groups is None
        else f"differences of {n_patients} patients, true margin varies: between + within; limits by MOVER",
    )


def _components(difference: FloatArray, patients: IntArray) -> tuple[Measurement, float, tuple[float, float]]:
    """Return the bias, the standard deviation of one difference, and the interval of its square."""
    from scipy.stats import chi2, t

    lesions = np.bincount(patients)
    means = np.bincount(patients, weights=difference) / lesions
    g, within_freedom = lesions.size, difference.size - lesions.size
    of_means = float(means.var(ddof=1))
    within = float(((difference - means[patients]) ** 2).sum()) / max(within_freedom, 1)
    parts = [(of_means, g - 1), ((1 - float(np.mean(1 / lesions))) * within, within_freedom)]
    variance = sum(part for part, _ in parts)
    down = up = 0.0
    for part, freedom in parts:
        if freedom > 0:
            down += (part * (1 - freedom / chi2.ppf(0.975, freedom))) ** 2
            up += (part * (freedom / chi2.ppf(0.025, freedom) - 1)) ** 2
    bias = wald(float(means.mean()), math.sqrt(of_means / g), float(t.ppf(0.975, g - 1)))
    return bias, math.sqrt(variance), (max(variance - math.sqrt(down), 0.0), variance + math.sqrt(up))


def _limit(bias: Measurement, sd: float, variance_ci: tuple[float, float], side: int) -> Measurement:
    value = bias.value + side * Z95 * sd
    if bias.reason is not None:
        return Measurement(value, reason=bias.reason)
    shrink, grow = sd - math.sqrt(variance_ci[0]), math.sqrt(variance_ci[1]) - sd
    half = bias.ci[1] - bias.value
    inner, outer = math.hypot(half, Z95 * shrink), math.hypot(half, Z95 * grow)
    return Measurement(value, ci=(value - inner, value + outer) if side > 0 else (value - outer, value + inner))


def _slope(difference: FloatArray, mean: FloatArray, patients: IntArray | None) -> Measurement:
    from scipy.stats import linregress, t

    if np.ptp(mean) == 0:
        return Measurement.undefined("too_few_cases")
    line = linregress(mean, difference)
    if patients is None or line.stderr < 1e-9:  # on a line but for rounding: nothing for GEE to weigh
        sigma = float(line.stderr) if line.stderr >= 1e-9 else 0.0
        return wald(float(line.slope), sigma, float(t.ppf(0.975, mean.size - 2)))
    design = np.column_stack([np.ones(mean.size), mean - mean.mean()])
    fit = gee(difference, patients, design, caller="bland_altman with groups", family="Gaussian")
    return wald(*fit.interval(1))
