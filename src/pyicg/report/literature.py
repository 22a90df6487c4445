"""What has been published about margins of the measured width: a look-up, for display only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pyicg.published import PERRIN
from pyicg.report.words import number, percent

if TYPE_CHECKING:
    from pyicg.results import Distance

__all__ = ["margin_width"]


def margin_width(distance: Distance | None) -> dict[str, Any] | None:
    """Return Perrin's groups with the probability that the margin lies in each, and their hazard ratios.

    None where there is no distance with an uncertainty, or where a rim that may be cut open was not measured.
    """
    if distance is None or math.isnan(distance.min_mm) or math.isnan(distance.sigma_mm):
        return None
    if "no_enclosed_core" in distance.warnings:
        return None
    group, shares = PERRIN.group(distance.min_mm), PERRIN.group_probabilities(distance)
    rows = []
    for name in PERRIN.groups:
        ratios = [by_group.get(name) for by_group in PERRIN.hazard_ratios.values()]
        cells = ["1 (reference)" if r is None else f"{r.value:.2f} ({r.ci[0]:.2f} to {r.ci[1]:.2f})" for r in ratios]
        rows.append((name, percent(shares[name]), *cells))
    first, last = PERRIN.years
    return {
        "found": f"The measured margin, {number(distance.min_mm)} mm, lies in the group {group}.",
        "head": ["Margin", "Probability that it is this margin", *(name.capitalize() for name in PERRIN.hazard_ratios)],
        "rows": rows,
        "note": f"Hazard ratios (95 % CI) against a margin of 10 mm or more: {PERRIN.citation}, doi {PERRIN.doi}, "
        f"{PERRIN.patients} patients with colorectal liver metastases, one centre, {first} to {last}. An association, "
        "not a causal effect of cutting wider: the authors read the margin as a marker of tumour biology too. It gives "
        "no absolute risk.",
    }
