"""The camera page: what a characterisation or a profile says about a camera, findings first."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyicg import _core
from pyicg.io._tables import csv_table
from pyicg.report import camera_plots
from pyicg.report.camera_figures import MAPS, FigureRow, key_figures, profile_figures, report_figures, standard
from pyicg.report.html import Picture, provenance_rows, templates
from pyicg.report.maps import maps_picture
from pyicg.report.words import RESEARCH_ONLY
from pyicg.results import to_plain

if TYPE_CHECKING:
    from pyicg.characterize import CameraReport
    from pyicg.profile import CameraProfile

__all__ = ["camera_files"]

LEVEL_COLUMNS = (
    "exposure_ms",
    "photons",
    "signal_dn",
    "variance_dn2",
    "dark_mean_dn",
    "dark_variance_dn2",
    "saturated_share",
    "in_fit",
)
_NOT_PROVENANCE = frozenset({"assumptions", "findings"})  # shown elsewhere on the page


def camera_files(
    *,
    camera: str,
    report: CameraReport | None = None,
    profile: CameraProfile | None = None,
    provenance: Mapping[str, Any],
    simulated: bool = False,
    notes: Sequence[str] = (),
) -> dict[str, bytes]:
    """Return ``camera.json``, ``camera.csv`` (the levels) and ``camera.html`` of a camera.

    Parameters
    ----------
    camera : str
        Name of the camera.
    report : CameraReport, optional
        A characterisation. Without it the page shows the figures of the profile.
    profile : CameraProfile, optional
        A profile: its maps are drawn, its findings and assumptions listed. At least one of the two is needed.
    provenance : mapping
        Where the frames came from and how they were read.
    simulated : bool
        True when the frames came from a simulated camera; the page says so.
    notes : sequence of str
        What the reader must know of how the figures came about; shown with the findings.

    Returns
    -------
    dict
        File names and contents, for one folder.
    """
    figures = () if report is None else report_figures(report)
    held_figures = () if profile is None else profile_figures(profile)
    findings = _findings(report, profile)
    held = {} if profile is None else dict(profile.provenance)
    assumptions = [str(text) for text in held.get("assumptions", ())]
    basis = _basis(report, profile)
    made = {"pyicg": _core.version(), **provenance}
    if profile is not None:
        made["profile"] = {
            "digest": profile.digest,
            **{name: value for name, value in held.items() if name not in _NOT_PROVENANCE},
        }
    levels = () if report is None else report.levels
    content = {
        "what": "camera report",
        "basis": basis,
        "camera": camera,
        "simulated": simulated,
        "findings": [{"code": code, "text": text} for text, code in findings],
        "notes": list(notes),
        "assumptions": assumptions,
        "profile_figures": _plain_figures(held_figures),
        "figures": _plain_figures(figures),
        "characterization": None if report is None else report.to_dict(),
        "provenance": to_plain(made),
    }
    page = templates().get_template("camera.html.j2")
    html = page.render(
        research_only=RESEARCH_ONLY,
        camera=camera,
        basis=basis,
        simulated=simulated,
        uncalibrated=profile is not None and not profile.calibrated,
        findings=findings,
        looked_for=_looked_for(report, profile),
        notes=notes,
        key=key_figures(figures, held_figures),
        pictures=[
            (item.title, item.caption, base64.b64encode(item.png).decode("ascii"))
            for item in _pictures(report, profile)
        ],
        tables=[
            (heading, [_cells(row) for row in rows])
            for heading, rows in (("What the profile holds", held_figures), ("All figures of the camera", figures))
            if rows
        ],
        assumptions=assumptions,
        provenance=[row for name, value in made.items() for row in provenance_rows(name, value)],
    )
    rows = [{name: getattr(level, name) for name in LEVEL_COLUMNS} for level in levels]
    return {
        "camera.json": (json.dumps(content, indent=2, allow_nan=False) + "\n").encode(),
        "camera.csv": csv_table(rows, LEVEL_COLUMNS),
        "camera.html": html.encode("utf-8", "replace"),
    }


def _findings(report: CameraReport | None, profile: CameraProfile | None) -> list[tuple[str, str]]:
    """Return (text, code) of every finding, each code and text once."""
    found = [] if report is None else [(item.text, item.code) for item in report.findings]
    if profile is not None:
        found += [(str(item["text"]), str(item["code"])) for item in profile.provenance.get("findings", ())]
    return list(dict.fromkeys(found))


def _basis(report: CameraReport | None, profile: CameraProfile | None) -> str:
    """One line: how the figures were made."""
    if report is None:
        depth = None if profile is None else profile.bit_depth
        return (
            f"Two-point figures of the camera profile, {depth} bits; too few light levels to characterise the camera."
        )
    text = standard(report.release)
    return f"{text[0].upper()}{text[1:]}, {report.bit_depth} bits, {len(report.levels)} light levels."


def _looked_for(report: CameraReport | None, profile: CameraProfile | None) -> str:
    if report is None:
        return "Checked: dark and flat frames for clipping, drift and counts that do not fit what was stated."
    curved = profile is not None and (profile.linearity_table is not None or profile.linearity != (1.0, 0.0, 0.0))
    straight = "a response that is straight behind the profile's curve" if curved else "straight response"
    return f"Checked: {straight}, one gain at all levels, even light, exposures as stated, a steady dark level."


def _pictures(report: CameraReport | None, profile: CameraProfile | None) -> list[Picture]:
    shown = []
    if report is not None:
        caption = (
            "Light comes in single electrons, so its noise grows with the signal, along a straight line. The slope is "
            "the gain K. Points that leave the line mean a camera that is not linear, or light that flickers."
        )
        shown.append(Picture("Photon transfer", caption, camera_plots.photon_transfer(report)))
        drawn = camera_plots.linearity(report)
        if drawn is not None:
            caption = (
                "Twice the light must give twice the signal. Below: how far each level lies from the straight line, in "
                "per cent of the signal. A curve there means a camera that is not linear."
            )
            shown.append(Picture("Linearity", caption, drawn))
        drawn = camera_plots.dark_current(report)
        if drawn is not None:
            caption = "Without light the level should hardly rise with the exposure; its slope is the dark current."
            shown.append(Picture("Dark current", caption, drawn))
    if profile is not None and any(getattr(profile, name) is not None for name in (*(m[0] for m in MAPS), "bad")):
        caption = (
            "What the profile takes off (dark level) and divides by (response), pixel by pixel. Rings, stripes or "
            "specks of dust should look like your optics; a sharp edge or a gradient to one side means uneven light."
        )
        shown.append(Picture("Maps of the profile", caption, maps_picture(profile)))
    return shown


def _plain_figures(rows: Sequence[FigureRow]) -> dict[str, Any]:
    return {row.key: {"unit": row.unit, **to_plain(row.item)} for row in rows}


def _cells(row: FigureRow) -> tuple[str, ...]:
    return row.name, _unbroken(row.value), _unbroken(row.interval), row.meaning, row.remark


def _unbroken(text: str) -> str:
    """Keep a number and its unit, and the two ends of an interval, on one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")
