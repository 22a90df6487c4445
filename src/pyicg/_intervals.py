"""95 % intervals that several statistics share: proportions, ratios, areas and Wald's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal

from pyicg.errors import InputError
from pyicg.results import Measurement

Z95 = 1.959963984540054
PROPORTION_METHODS: Mapping[str, Literal["wilson", "exact"]] = {"wilson": "wilson", "clopper-pearson": "exact"}


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Refuse an option that is none of the words there are."""
    if not isinstance(value, str) or value not in tuple(choices):
        raise InputError(f"{name} is {value!r}, expected one of {', '.join(choices)}")


def proportion(k: int, n: int, ci: str = "wilson") -> Measurement:
    """Return k of n with the Wilson or Clopper-Pearson interval of scipy; ``too_few_cases`` where n is 0."""
    from scipy.stats import binomtest

    if n == 0:
        return Measurement.undefined("too_few_cases")
    p = k / n
    interval = binomtest(k, n).proportion_ci(method=PROPORTION_METHODS[ci])
    # The binomial standard error vanishes at 0 and 1, where it says nothing about the uncertainty.
    sigma = math.sqrt(p * (1 - p) / n) if 0 < k < n else math.nan
    return Measurement(p, sigma, (float(interval.low), float(interval.high)))


def log_normal(value: float, low: float, high: float) -> Measurement:
    """Return a ratio whose logarithm has the symmetric interval from log `low` to log `high`."""
    return Measurement(float(value), float(value) * math.log(high / low) / (2 * Z95), (float(low), float(high)))


def wald(value: float, sigma: float, quantile: float = Z95) -> Measurement:
    """Return value +- quantile x sigma; ``too_few_cases`` where sigma is 0 or unknown: no spread is no certainty."""
    if not sigma > 0:
        return Measurement(value, reason="too_few_cases")
    return Measurement(value, sigma, (value - quantile * sigma, value + quantile * sigma))


def area_interval(area: float, sigma: float) -> tuple[float, float]:
    """Return the plain interval of an area in (0, 1), or the logit one where the plain one leaves [0, 1].

    The logit interval has logit(area) +- z sigma / (area (1 - area)) for its ends (delta method; Pepe, The Statistical
    Evaluation of Medical Tests, 2003, section 5.2).
    """
    low, high = area - Z95 * sigma, area + Z95 * sigma
    if low >= 0 and high <= 1:
        return low, high
    return from_logit(math.log(area / (1 - area)), sigma / (area * (1 - area)), Z95)


def from_logit(logit: float, sigma: float, quantile: float) -> tuple[float, float]:
    """Return the interval of a probability from that of its logit."""
    from scipy.special import expit

    return float(expit(logit - quantile * sigma)), float(expit(logit + quantile * sigma))
