"""The margin status in words: label, probability, what it follows from, and what stands beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pyicg.report.words import chance, percent, sentence

if TYPE_CHECKING:
    from pyicg.results import MarginStatus

__all__ = ["SIGN", "beside", "gauge", "margin_text", "status", "threshold_mm"]

SIGN = {True: "present", False: "absent", None: "undecided"}
_NO_ONE_FIGURE = "no single probability of R1: sign and distance contradict each other"
_REMAINING = "R0 is a class with a remaining risk, not a finding that no tumour is left."


def status(margin: MarginStatus | None) -> dict[str, Any]:
    """Return the display texts of a margin status."""
    if margin is None:
        return {
            "label": "not determined",
            "kind": "open",
            "probability": "",
            "both": [],
            "beside": "",
            "why": ["No margin model was run."],
            "basis": "",
            "gauge": None,
        }
    defined = not math.isnan(margin.p_r1)
    threshold = _stated(margin.provenance, "risk_threshold")
    return {
        "label": margin.label,
        "kind": {"R0": "low", "R1": "high"}.get(margin.label, "open"),
        "probability": _NO_ONE_FIGURE
        if margin.provenance.get("figures_of") == "none"
        else _probability(margin.p_r1, margin.ci, of_distance=_of_distance(margin.provenance)),
        "both": _both(margin.provenance),
        "beside": beside(margin),
        "why": [sentence(code) for code in margin.reasons],
        "basis": _basis(margin),
        "gauge": gauge(margin.p_r1, margin.ci, threshold, (0.0, 1.0), unit="%") if defined else None,
    }


def margin_text(margin: MarginStatus | None) -> str:
    """Return label, probability and interval in one short line; a label never stands without them."""
    return "not determined" if margin is None else f"{margin.label}, {chance(margin)}"


def beside(margin: MarginStatus) -> str:
    """Return the answers at other SBR cuts, equal ones together; empty where there is no probability to give."""
    provenance = margin.provenance.get("sign", {}) if _model(margin.provenance) == "sign-and-distance" else {}
    cuts = (provenance.get("provenance") or margin.provenance).get("at_cuts") or {}
    told = [(cut, SIGN[at["sign"]], _percents(at["p_r1"], at["ci"])) for cut, at in cuts.items()]
    if not any(chance_ for _, _, chance_ in told):
        return ""
    groups = [(", ".join(cut for cut, *_ in group), key) for key, group in groupby(told, key=lambda item: item[1:])]
    return "; ".join(f"{names}: {sign}, P(R1) {found or 'undefined'}" for names, (sign, found) in groups)


def threshold_mm(margin: MarginStatus | None) -> float | None:
    """Return the width that a status asks of the margin, mm; None where it is not from a distance."""
    told = {} if margin is None else margin.provenance
    if _model(told) == "sign-and-distance":
        told = told["distance"]["provenance"]
    threshold: float | None = _stated(told, "threshold_mm")
    return threshold


def gauge(
    centre: float, ci: tuple[float, float], tick: float | None, ends: tuple[float, float], *, unit: str
) -> dict[str, Any]:
    """Return positions on a bar in per cent of its length, and the texts at its ends."""

    def at(number_: float) -> float:
        return round(100 * min(max((number_ - ends[0]) / (ends[1] - ends[0]), 0.0), 1.0), 2)

    def text(number_: float) -> str:
        return f"{100 * number_:g} %" if unit == "%" else f"{number_:.2g} {unit}"

    return {
        "value": at(centre),
        "left": at(ci[0]),
        "width": round(at(ci[1]) - at(ci[0]), 2),
        "zero": at(0.0) if ends[0] < 0 else None,
        "tick": None if tick is None else at(tick),
        "tick_text": "" if tick is None else text(tick),
        "ends": (text(ends[0]), text(ends[1])),
    }


def _stated(provenance: Mapping[str, Any], name: str) -> Any:
    """Return a value of the provenance, which may stand there alone or with its source."""
    entry = provenance.get(name)
    return entry.get("value") if isinstance(entry, Mapping) else entry


def _model(provenance: Mapping[str, Any]) -> str:
    return str(provenance.get("model", ""))


def _of_distance(provenance: Mapping[str, Any]) -> bool:
    return _model(provenance) == "measured-distance" or provenance.get("figures_of") == "distance"


def _percents(p_r1: float, ci: tuple[float, float]) -> str:
    return "" if math.isnan(p_r1) else f"{percent(p_r1)} ({percent(ci[0])} to {percent(ci[1])})"


def _probability(p_r1: float, ci: tuple[float, float], *, of_distance: bool) -> str:
    if math.isnan(p_r1):
        return "probability of R1 undefined"
    ends = f"{percent(ci[0])} to {percent(ci[1])}"
    told = f"95 % interval {ends}"
    if of_distance:  # P at the ends of the distance's interval is no confidence interval of P
        same = percent(ci[0]) == percent(ci[1]) == percent(p_r1)
        told = f"{'at both' if same else f'{ends} at the'} ends of the distance's 95 % interval"
    return f"probability of R1 {percent(p_r1)} ({told})"


def _both(provenance: Mapping[str, Any]) -> list[str]:
    """Sign and distance, one line each, where the status is of both."""
    if _model(provenance) != "sign-and-distance":
        return []
    lines = []
    for name, what in (("distance", "By the measured distance"), ("sign", "By the fluorescent sign of the bed")):
        part = provenance[name]
        seen = f" ({SIGN[part['sign']]})" if name == "sign" else ""
        chance_ = _probability(part["p_r1"], part["ci"], of_distance=name == "distance")
        lines.append(f"{what}{seen}: {part['label']}, {chance_}.")
    return lines


def _basis(margin: MarginStatus) -> str:
    """Say from what, and by which rule, the status follows."""
    model, risk = _model(margin.provenance), _stated(margin.provenance, "risk_threshold")
    if model == "sign-and-distance":
        rule = str(margin.provenance["rule"])
        return f"From sign and distance together: {rule}. {_REMAINING}"
    if model == "measured-distance":
        below = "at or below" if _stated(margin.provenance, "tie") == "R1" else "below"
        threshold = _stated(margin.provenance, "threshold_mm")
        return (
            f"From the measured distance. R1 when its whole interval lies {below} {threshold:g} mm, "
            f"R0 when none of it does, otherwise indeterminate. {_REMAINING}"
        )
    source = {
        "published-anchor": f"the fluorescent sign ({SIGN[margin.sign]})",
        "trained": "a model trained by the user",
    }.get(model)
    if source is None or risk is None:
        return ""
    rests_on = _rests_on(margin.provenance) if model == "published-anchor" else ""
    return (
        f"From {source}. R1 when the whole interval lies above a risk of {percent(risk)}, R0 when it lies below, "
        f"otherwise indeterminate. {rests_on}{_REMAINING}"
    )


def _rests_on(provenance: Mapping[str, Any]) -> str:
    """Say what P(R1) from the sign takes for granted; its interval holds none of it."""
    prevalence = _stated(provenance, "prevalence")
    if prevalence is None:
        return ""
    protocol = provenance["protocol"]
    assumed = any(str(protocol[name]).startswith("assumed") for name in ("dose_mg", "hours_before"))
    dose = f", and {protocol['trial']} (assumed, not stated)" if assumed else ""
    low, high = provenance["risk_threshold"]["useful_range"]
    changes = low < provenance["risk_threshold"]["value"] < high
    idle = "" if changes else "At this threshold and prevalence the sign is not worth following: either way the same. "
    return (
        f"It takes for granted a prevalence of {100 * prevalence:g} %, the accuracy of the MIMIC trial as reconstructed"
        f"{dose}; the interval holds the scatter of the trial's counts only. {idle}"
    )
