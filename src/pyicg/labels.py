"""The label rule: R0, R1 or indeterminate, from a probability's interval or a distance's."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Literal

from pyicg import _core
from pyicg.errors import InputError

__all__ = [
    "BLOCKING_REASONS",
    "Label",
    "check_distance_rule",
    "check_risk_threshold",
    "checked_reasons",
    "is_number",
    "label_from_distance",
    "label_from_probability",
]

Label = Literal["R0", "R1", "indeterminate"]

# With one of these what was read off the picture, or what it says of R1, is in doubt: no label may rest on it.
BLOCKING_REASONS = frozenset(
    {
        "saturated_lower_bound",
        "uncalibrated",
        "background_not_resolved",
        "background_saturated",
        "out_of_range",
        "too_few_pixels",
        "protocol_differs",
    }
)


def is_number(value: object) -> bool:
    """Tell whether a value is a real number; truth values are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def checked_reasons(reasons: Iterable[str]) -> tuple[str, ...]:
    """Return reason codes without repeats; a code that is none would let a label stand, so it is refused."""
    if isinstance(reasons, str) or not isinstance(reasons, Iterable):
        raise InputError(f"reasons is {reasons!r}, expected a sequence of codes: ({reasons!r},)")
    codes = tuple(dict.fromkeys(reasons))
    unknown = [code for code in codes if code not in _core.reason_names() or code == "none"]
    if unknown:
        raise InputError(f"reasons holds {unknown}, expected codes of the reason list (docs/conventions.md)")
    return codes


def check_risk_threshold(risk_threshold: float) -> None:
    """Raise InputError unless `risk_threshold` lies in (0, 1)."""
    if not is_number(risk_threshold) or not 0 < risk_threshold < 1:
        raise InputError(
            f"risk_threshold is {risk_threshold!r}, expected a number in (0, 1): the risk of R1 at which you would cut "
            "again"
        )


def check_distance_rule(threshold_mm: float, tie: str) -> None:
    """Raise InputError unless `threshold_mm` is a finite width and `tie` is "R0" or "R1"."""
    if not is_number(threshold_mm) or not 0 <= threshold_mm < math.inf:
        raise InputError(f"threshold_mm is {threshold_mm!r}, expected a finite width >= 0 in mm")
    if not isinstance(tie, str) or tie not in ("R0", "R1"):
        raise InputError(
            f'tie is {tie!r}, expected "R0" (a margin at the threshold is R0: MIMIC) or "R1" (Achterberg 2020)'
        )


def label_from_probability(ci: tuple[float, float], *, risk_threshold: float) -> Label:
    """Return R1 when the interval of P(R1) lies above the threshold, R0 when below, else indeterminate.

    Parameters
    ----------
    ci : tuple of float
        95 % interval ``(lo, hi)`` of P(R1); NaN bounds give indeterminate.
    risk_threshold : float
        Risk of R1 at which the user would cut again, in (0, 1).

    Raises
    ------
    InputError
        `risk_threshold` lies outside (0, 1).

    Examples
    --------
    >>> from pyicg.labels import label_from_probability
    >>> [label_from_probability(ci, risk_threshold=0.2) for ci in ((0.03, 0.09), (0.1, 0.3), (0.32, 0.61))]
    ['R0', 'indeterminate', 'R1']
    """
    check_risk_threshold(risk_threshold)
    if ci[0] > risk_threshold:
        return "R1"
    if ci[1] < risk_threshold:
        return "R0"
    return "indeterminate"


def label_from_distance(ci_mm: tuple[float, float], *, threshold_mm: float, tie: str) -> Label:
    """Return R1 when the interval of the margin lies below the threshold, R0 when at or above it, else indeterminate.

    Parameters
    ----------
    ci_mm : tuple of float
        95 % interval ``(lo, hi)`` of the margin in mm; NaN bounds give indeterminate.
    threshold_mm : float
        Width below which a margin is R1, mm.
    tie : {"R0", "R1"}
        What a bound exactly at the threshold counts as.

    Raises
    ------
    InputError
        `threshold_mm` is negative or not finite, or `tie` is neither R0 nor R1.

    Examples
    --------
    >>> from pyicg.labels import label_from_distance
    >>> [label_from_distance((1.0, 1.0), threshold_mm=1.0, tie=tie) for tie in ("R0", "R1")]
    ['R0', 'R1']
    """
    check_distance_rule(threshold_mm, tie)
    low, high = ci_mm
    at_threshold_is_r1 = tie == "R1"
    if high < threshold_mm or (at_threshold_is_r1 and high == threshold_mm):
        return "R1"
    if low > threshold_mm or (not at_threshold_is_r1 and low == threshold_mm):
        return "R0"
    return "indeterminate"
