"""The demonstration: simulated scenes with known truth through everything, measured beside true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyicg import phantom
from pyicg.report.status import margin_text
from pyicg.results import MarginStatus
from pyicg.score import StackScore, score_stack

__all__ = ["MARGIN_TOLERANCE_MM", "SBR_TOLERANCE", "run_demo"]

SBR_TOLERANCE = 0.03  # relative
MARGIN_TOLERANCE_MM = 0.15
_PREVALENCE = "mimic-overall"


def run_demo(folder: Path, *, progress: bool = False) -> list[dict[str, Any]]:
    """Score a simulated tumour-bed video and a simulated sliced specimen and write both reports.

    Parameters
    ----------
    folder : Path
        Receives the specimen's results; the bed video's go to its subfolder ``bed``.
    progress : bool
        Show a progress bar.

    Returns
    -------
    list of dict
        One row per quantity: ``quantity``, ``unit``, ``measured``, ``true``, ``ok``.
    """
    bed = phantom.bed_scene()
    video = score_stack(bed.stack, profile=bed.profile, view="bed", prevalence=_PREVALENCE, progress=progress)
    dark_bed = phantom.bed_scene(residual=False, n_frames=2, seed=1)
    dark_video = score_stack(dark_bed.stack, profile=dark_bed.profile, view="bed", prevalence=_PREVALENCE)
    bed_rows = [
        _within("SBR of the residual fluorescence", "", video.summary["median_sbr"], bed.truth.sbr, SBR_TOLERANCE),
        _same("fluorescent sign, residual left", _sign(video.margin), _word(bed.truth.fluorescent)),
        _same("fluorescent sign, none left", _sign(dark_video.margin), _word(dark_bed.truth.fluorescent)),
    ]

    specimen = phantom.section_stack()
    slices = score_stack(
        specimen.stack, profile=specimen.profile, view="section", plane=specimen.plane, progress=progress
    )
    section_rows = [_within("SBR of the rims", "", slices.summary["median_sbr"], specimen.truth.sbr, SBR_TOLERANCE)]
    for true in sorted(specimen.truth.lesions, key=lambda lesion: lesion.margin_mm):
        # The measured lesion whose closest point lies nearest to this one's centre, across the plane.
        near = min(
            slices.lesions,
            key=lambda lesion: abs(lesion.distance.foot_mm[2] - true.centre_mm[2]) if lesion.distance else 1e9,
            default=None,
        )
        measured = near.distance.min_mm if near is not None and near.distance is not None else float("nan")
        status = near.margin if near is not None else None
        name = f"lesion at {true.margin_mm:g} mm"
        row = _within(f"margin, {name}", "mm", measured, true.margin_mm, MARGIN_TOLERANCE_MM / true.margin_mm)
        section_rows += [row, _status(f"status, {name}", status, true.label)]

    _with_truth(slices, section_rows).write(folder)
    _with_truth(video, bed_rows).write(folder / "bed")
    return bed_rows + section_rows


def _within(quantity: str, unit: str, measured: float | None, true: float, relative: float) -> dict[str, Any]:
    ok = measured is not None and abs(measured - true) <= relative * true
    return {"quantity": quantity, "unit": unit, "measured": measured, "true": true, "ok": ok}


def _same(quantity: str, measured: str, true: str) -> dict[str, Any]:
    return {"quantity": quantity, "unit": "", "measured": measured, "true": true, "ok": measured == true}


def _status(quantity: str, status: MarginStatus | None, true: str) -> dict[str, Any]:
    """Show a label beside the true one, with the probability and interval it never stands without."""
    if status is None:
        return _same(quantity, "not found", true)
    return {"quantity": quantity, "unit": "", "measured": margin_text(status), "true": true, "ok": status.label == true}


def _word(sign: bool | None) -> str:
    return "unknown" if sign is None else "positive" if sign else "negative"


def _sign(status: Any) -> str:
    return _word(None if status is None else status.sign)


def _with_truth(result: StackScore, rows: list[dict[str, Any]]) -> StackScore:
    simulated: Mapping[str, Any] = {"simulated": True, "truth": rows}
    return replace(result, summary={**result.summary, "source": "simulated phantom", **simulated})
