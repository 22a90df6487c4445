"""The answer at the top of the report: margin status, distance, sign and SBR, each with its uncertainty."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pyicg.report.status import SIGN, gauge, status, threshold_mm
from pyicg.report.words import interval, measurement, percent, sentence, value
from pyicg.results import Measurement

if TYPE_CHECKING:
    from pyicg.report.source import Scored
    from pyicg.results import Distance, MarginStatus

__all__ = ["answer", "distance_text"]


def answer(score: Scored) -> dict[str, Any]:
    """Return the display texts of the answer."""
    key = score.frames[score.key_index]
    name = "slice" if score.view == "section" else "frame"
    return {
        **status(score.margin),
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


def distance_text(distance: Distance | None) -> str:
    """Return the smallest distance with its interval, or "undefined" and why."""
    if distance is None:
        return "not measured"
    reason = distance.warnings[0] if distance.warnings else None
    return measurement(Measurement(distance.min_mm, distance.sigma_mm, distance.ci_mm, reason), "mm")


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
    threshold = threshold_mm(margin)
    low, high = min(0.0, distance.ci_mm[0]), max(distance.ci_mm[1], 2.0 * (threshold or 1.0))
    pad = 0.05 * (high - low)
    return gauge(distance.min_mm, distance.ci_mm, threshold, (low - pad if low < 0 else 0.0, high + pad), unit="mm")
