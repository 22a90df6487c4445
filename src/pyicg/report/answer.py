"""The answer at the top of the report: margin status, distance, sign and SBR, each with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyicg.report.words import interval, measurement, percent, sentence, value
from pyicg.results import Measurement

if TYPE_CHECKING:
    from pyicg.report.source import Scored
    from pyicg.results import Distance, MarginStatus

__all__ = ["SIGN", "answer", "distance_text", "margin_text"]

SIGN = {True: "present", False: "absent", None: "undecided"}


def answer(score: Scored) -> dict[str, Any]:
    """Return the display texts of the answer."""
    key = score.frames[score.key_index]
    name = "slice" if score.view == "section" else "frame"
    return {
        **_status(score.margin),
        "distance": _distance(score),
        "distance_gauge": _distance_gauge(score.distance, score.margin),
        "sbr": _parts(key.contrast.sbr, ""),
        "key": f"{name} {key.index}",
        "sign": _rims(score) if score.view == "section" else _sign(score),
    }


def _sign(score: Scored) -> dict[str, str]:
    """Fluorescent sign behind the margin status, and of the key frame at the cuts beside the one asked for."""
    key, total = score.frames[score.key_index], len(score.frames)
    sign = key.fluorescent if score.margin is None else score.margin.sign
    at = ", ".join(f"{cut:g}: {SIGN[value]}" for cut, value in sorted(key.sign_at.items()))
    count = f"Present in {sum(frame.fluorescent is True for frame in score.frames)} of {total} frames"
    undecided = sum(frame.fluorescent is None for frame in score.frames)
    if undecided:
        count += f", undecided in {undecided}"
    return {
        "title": "Fluorescent sign",
        "text": f"{SIGN[sign]} at an SBR cut of {key.sbr_cut:g}",
        "detail": f"Frame {key.index} at a cut of {at}" if at else "",
        "note": f"{count}. A proximity sign: the glow is liver next to tumour, not tumour.",
    }


def _rims(score: Scored) -> dict[str, str]:
    """Count the lesions with a rim: a section has no sign, as its own rim glows whatever the margin is."""
    count, total = len(score.lesions), len(score.frames)
    unsure = sum(all("low_confidence" in seen.reasons for _, seen in lesion.members) for lesion in score.lesions)
    doubt = f", {'all' if unsure == count else unsure} of low confidence" if unsure else ""
    shares = [percent(lesion.completeness) for lesion in score.frames[score.key_index].lesions]
    return {
        "title": "Lesions with a rim",
        "text": f"{count}{doubt}" if count else "none found",
        "detail": f"Rim complete to {', '.join(shares)} of its angles in the key slice" if shares else "",
        "note": f"In {sum(bool(frame.lesions) for frame in score.frames)} of {total} slices. "
        "A section has no fluorescent sign: the tumour's own rim is expected to glow.",
    }


def margin_text(margin: MarginStatus | None) -> str:
    """Return label, probability and interval in one line; a label never stands without them."""
    if margin is None:
        return "not determined"
    status = _status(margin)
    return f"{status['label']}: {status['probability']}"


def distance_text(distance: Distance | None) -> str:
    """Return the smallest distance with its interval, or "undefined" and why."""
    if distance is None:
        return "not measured"
    reason = distance.warnings[0] if distance.warnings else None
    return measurement(Measurement(distance.min_mm, distance.sigma_mm, distance.ci_mm, reason), "mm")


def _status(margin: MarginStatus | None) -> dict[str, Any]:
    if margin is None:
        return {
            "label": "not determined",
            "kind": "open",
            "probability": "",
            "why": ["No margin model was run."],
            "basis": "",
            "gauge": None,
        }
    why = [sentence(code) for code in margin.reasons]
    label = margin.label
    complete = all(math.isfinite(value) for value in (margin.p_r1, *margin.ci))
    if complete:
        lo, hi = (percent(bound) for bound in margin.ci)
        probability = f"probability of R1 {percent(margin.p_r1)} (95 % interval {lo} to {hi})"
    else:
        probability = "probability of R1 undefined"
        if label != "indeterminate":
            why.append(f"The label {label} came without a probability and its interval, so it is not shown.")
            label = "indeterminate"
    threshold = _stated(margin, "risk_threshold")
    return {
        "label": label,
        "kind": {"R0": "low", "R1": "high"}.get(label, "open"),
        "probability": probability,
        "why": why,
        "basis": _basis(margin),
        "gauge": _gauge(margin.p_r1, margin.ci, threshold, (0.0, 1.0), unit="%") if complete else None,
    }


def _stated(margin: MarginStatus, name: str) -> Any:
    """Return a value of the provenance, which may stand there alone or with its source."""
    entry = margin.provenance.get(name)
    return entry.get("value") if isinstance(entry, Mapping) else entry


def _basis(margin: MarginStatus) -> str:
    """Say from what, and by which rule, the status follows."""
    threshold, risk = _stated(margin, "threshold_mm"), _stated(margin, "risk_threshold")
    if threshold is not None:
        below = "at or below" if _stated(margin, "tie") == "R1" else "below"
        return (
            f"From the measured distance. R1 when its whole interval lies {below} {threshold:g} mm, "
            "R0 when none of it does, otherwise indeterminate."
        )
    if risk is None:
        return ""
    source = "a model trained by the user" if margin.sign is None else f"the fluorescent sign ({SIGN[margin.sign]})"
    return (
        f"From {source}. R1 when the whole interval lies above a risk of {percent(risk)}, R0 when it lies below, "
        "otherwise indeterminate. R0 is a class with a remaining risk, not a finding that no tumour is left."
    )


def _parts(item: Measurement, unit: str) -> dict[str, str]:
    """Value, interval and remark of a number as separate lines."""
    if math.isnan(item.value):
        return {"text": "undefined", "interval": "", "note": sentence(item.reason)}
    note = "" if item.reason is None else sentence(item.reason)
    return {"text": value(item, unit), "interval": interval(item, unit), "note": note}


def _distance(score: Scored) -> dict[str, str]:
    distance = score.distance
    if distance is None:
        why = sentence("no_plane") if score.view == "section" else "A bed view has no plane to measure to."
        return {"text": "not measured", "interval": "", "note": why}
    notes = [sentence(code) for code in distance.warnings]
    if distance.min_mm < 0:
        notes.insert(0, "Negative: the tumour's edge reaches beyond the resection plane.")
    parts = _parts(Measurement(distance.min_mm, distance.sigma_mm, distance.ci_mm), "mm")
    return {**parts, "note": " ".join(notes) or parts["note"]}


def _distance_gauge(distance: Distance | None, margin: MarginStatus | None) -> dict[str, Any] | None:
    if distance is None or not all(math.isfinite(value) for value in (distance.min_mm, *distance.ci_mm)):
        return None
    threshold = None if margin is None else _stated(margin, "threshold_mm")
    low, high = min(0.0, distance.ci_mm[0]), max(distance.ci_mm[1], 2.0 * (threshold or 1.0))
    pad = 0.05 * (high - low)
    return _gauge(distance.min_mm, distance.ci_mm, threshold, (low - pad if low < 0 else 0.0, high + pad), unit="mm")


def _gauge(
    centre: float, ci: tuple[float, float], tick: float | None, ends: tuple[float, float], *, unit: str
) -> dict[str, Any]:
    """Positions on a bar in per cent of its length, and the texts at its ends."""

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
