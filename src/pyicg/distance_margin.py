"""The margin status of a measured distance."""

from __future__ import annotations

import math
from typing import Any

from pyicg._margin_provenance import provenance
from pyicg.distance_results import Distance
from pyicg.errors import InputError
from pyicg.labels import check_distance_rule, label_from_distance
from pyicg.published import MIMIC
from pyicg.results import MarginStatus

__all__ = ["from_distance"]

_TIE_SOURCE = {"R0": MIMIC.citation, "R1": "Achterberg et al., Ann Transl Med 2020;8(21):1448"}
_ROUNDING = 1e-9  # mm
_PATHOLOGY = (
    "the distance is taken for the margin of pathology, whose own error (shrinkage in fixation, sampling of slices) is "
    "not in P"
)
# What the interval of the distance cannot hold, and may make the margin smaller: no R0 may rest on it.
_FORBIDS_R0 = frozenset(
    {"clipped_by_border", "plane_not_flat", "saturated_lower_bound", "background_not_resolved", "out_of_range"}
)
# What the interval does not hold either, but the user can judge: the status names it.
_NOT_IN_P = {
    "plane_unverified": "the error of a plane through three points: it cannot be known and counts as 0",
    "extrapolated": "whether the plane goes on flat beyond the place where it was seen",
    "low_confidence": "whether the outline is that of a rim",
}


def from_distance(dist: Distance, *, threshold_mm: float = 1.0, tie: str = "R0") -> MarginStatus:
    """Return the margin status of a measured distance.

    P(R1) = P(margin < threshold) = Phi((threshold - min) / sigma): under a flat prior the posterior of the margin is
    the distance's own error distribution. Where a plane was fitted to few points, Student's t stands for Phi. `ci` is
    the same expression at both ends of the distance's 95 % interval: it shows how far P moves while the distance stays
    within it, and is no confidence interval of P. The label is read from the distance's interval, not from P. The error
    of pathology itself (shrinkage, sampling) is in neither.

    Parameters
    ----------
    dist : Distance
        Smallest distance from the tumour's surface to the resection plane, with its uncertainty, in mm.
    threshold_mm : float
        Width below which a margin is R1, mm. 1 mm is the rule of the MIMIC trial.
    tie : {"R0", "R1"}
        What a margin of exactly `threshold_mm` counts as: R0 (MIMIC) or R1 (Achterberg 2020).

    Returns
    -------
    MarginStatus
        R1 when the interval lies below the threshold, R0 when it lies at or above it, else indeterminate with
        ``straddles_threshold``. The warnings of `dist` are carried over. Some forbid R0, as the interval cannot hold
        what they mean: ``no_enclosed_core`` (a rim that the plane may cut open and that was not measured: no P either),
        ``clipped_by_border``, ``plane_not_flat``, ``saturated_lower_bound``, ``background_not_resolved`` and
        ``out_of_range``. For others ``provenance["not_in_p"]`` says what P leaves out. An undefined distance gives NaN
        with its warnings; one that does not say why, or has no uncertainty, ``no_distance``.

    Raises
    ------
    InputError
        `dist` is no `Distance`, `threshold_mm` is no finite width, or `tie` is neither R0 nor R1.

    Examples
    --------
    >>> from pyicg.margin import from_distance
    >>> from pyicg.results import Distance
    >>> status = from_distance(Distance(1.5, 0.5, (0.52, 2.48), 1.6, (0.0, 0.0, 0.0)))
    >>> status.label, round(status.p_r1, 4), status.reasons
    ('indeterminate', 0.1587, ('straddles_threshold',))
    """
    if not isinstance(dist, Distance):
        raise InputError(f"dist is {dist!r}, expected a Distance with its uncertainty, from pyicg.distance_to_plane")
    check_distance_rule(threshold_mm, tie)
    low_mm, high_mm = dist.ci_mm
    if dist.sigma_mm < 0 or low_mm > dist.min_mm + _ROUNDING or high_mm < dist.min_mm - _ROUNDING:
        raise InputError(
            f"dist is {dist.min_mm} mm with sigma {dist.sigma_mm} and interval {dist.ci_mm}, expected sigma >= 0 and "
            "an interval around the distance"
        )
    label = label_from_distance(dist.ci_mm, threshold_mm=threshold_mm, tie=tie)
    origin = _provenance(dist, threshold_mm, tie)
    nothing = (math.nan, math.nan)
    if not all(math.isfinite(number) for number in (dist.min_mm, dist.sigma_mm, low_mm, high_mm)):
        explained = math.isnan(dist.min_mm) and dist.warnings
        reasons = dist.warnings if explained else (*dist.warnings, "no_distance")
        return MarginStatus(math.nan, nothing, "indeterminate", None, reasons, origin)
    if label != "R1" and "no_enclosed_core" in dist.warnings:
        # A rim that the plane may cut open was not measured: what was measured says nothing of P(R1).
        return MarginStatus(math.nan, nothing, "indeterminate", None, dist.warnings, origin)
    # A far plane is a small risk: the upper end of the distance gives the lower end of P.
    at_tie = float(tie == "R1")
    p_r1, low, high = (
        at_tie if dist.sigma_mm == 0 and mm == threshold_mm else dist.p_below(threshold_mm, at_mm=mm)
        for mm in (dist.min_mm, high_mm, low_mm)
    )
    reasons = dist.warnings if label != "indeterminate" else (*dist.warnings, "straddles_threshold")
    if label == "R0" and not _FORBIDS_R0.isdisjoint(dist.warnings):
        label = "indeterminate"
    return MarginStatus(p_r1, (low, high), label, None, reasons, origin)


def _provenance(dist: Distance, threshold_mm: float, tie: str) -> dict[str, Any]:
    left_out = {code: text for code, text in _NOT_IN_P.items() if code in dist.warnings}
    if dist.budget is not None and dist.budget.plane == 0 and "plane_unverified" not in left_out:
        left_out["plane"] = "the error of the plane or surface: it was given, and counts as exact"
    return provenance(
        "measured-distance",
        min_mm=dist.min_mm,
        sigma_mm=dist.sigma_mm,
        ci_mm=dist.ci_mm,
        freedom=dist.freedom,
        threshold_mm=threshold_mm,
        threshold_source=MIMIC.citation if threshold_mm == MIMIC.r1_below_mm else "given by the user",
        tie={"value": tie, "source": _TIE_SOURCE[tie]},
        assumption="the error of the distance is Gaussian; Student's t where a plane has few points",
        prior="assumed flat: the posterior of the margin is the error distribution of the distance, and no prevalence "
        "of R1 is in it",
        pathology=_PATHOLOGY,
        ci="P at the ends of the 95 % interval of the distance; no confidence interval of P",
        not_in_p=left_out,
    )
