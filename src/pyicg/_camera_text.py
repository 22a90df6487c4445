"""Cameras, profiles and checks as text for a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pyicg._terminal import aligned
from pyicg.report.camera_figures import MAPS, FigureRow, four, profile_figures, report_figures, standard

if TYPE_CHECKING:
    from pyicg.characterize import CameraReport
    from pyicg.profile import CameraProfile
    from pyicg.profile_check import ProfileCheck

__all__ = ["check_text", "findings_text", "profile_text", "report_text"]

_CHECKED = {
    "offset_dn": "dark level, DN",
    "exposure_ms": "exposure, ms",
    "read_noise_dn": "read noise, DN",
    "gain_dn_per_e": "gain, DN/e",
    "flat_tilt": "response, slope",
    "flat_falloff": "response, fall-off",
    "flat_local": "response, largest spot",
    "new_bad_pixels": "new bad pixels",
    "new_unsteady_pixels": "new unsteady pixels",
}
_NOT_LISTED = frozenset({"assumptions", "findings", "simulated"})


def report_text(report: CameraReport, *, simulated: bool) -> str:
    """Return every figure of a camera with its interval, and the findings."""
    head = standard(report.release) + (", SIMULATED frames" if simulated else "")
    rows = [("figure", "value", "95 % interval", "")]
    rows += [(row.name, row.value, row.interval, row.remark) for row in report_figures(report)]
    return "\n\n".join([head, aligned(rows), *findings_text(report)])


def findings_text(found: CameraReport | ProfileCheck) -> list[str]:
    """Return a paragraph per finding."""
    return [f"FINDING {item.code}: {item.text}" for item in found.findings]


def noted_findings(profile: CameraProfile) -> list[tuple[str, str]]:
    """Return code and text of the findings in the provenance, which anyone may have edited."""
    noted = profile.provenance.get("findings", ())
    items = noted if isinstance(noted, list | tuple) else ()
    return [(str(item.get("code")), str(item.get("text"))) for item in items if isinstance(item, dict)]


def profile_text(profile: CameraProfile) -> str:
    """Return everything that a profile holds."""
    said = [
        text
        for text, holds in (
            ("SIMULATED frames, not a camera", profile.provenance.get("simulated") is True),
            ("UNCALIBRATED: no measurement stands behind this profile", not profile.calibrated),
        )
        if holds
    ]
    maps = _maps(profile)
    findings = [f"FINDING {code}: {text}" for code, text in noted_findings(profile)]
    assumptions = [f"assumed: {text}" for text in profile.provenance.get("assumptions", ())]
    made = [
        (name.replace("_", " "), str(value)) for name, value in profile.provenance.items() if name not in _NOT_LISTED
    ]
    parts = [
        *said,
        aligned(_setting(profile)),
        aligned([("figure", "value", "sigma"), *(_scalar(row) for row in profile_figures(profile))]),
        aligned([("map, over the good pixels", "min", "median", "max", ""), *maps]) if maps else "no maps",
        *(["\n".join(assumptions)] if assumptions else []),
        *findings,
        *([aligned(made)] if made else []),
        f"digest  {profile.digest}",
    ]
    return "\n\n".join(parts)


def check_text(outcome: ProfileCheck) -> str:
    """Return what was stated, what the fresh frames say, and what drifted."""
    rows = [("figure", "profile", "fresh", "limit of the difference", "")]
    for name, figure in outcome.figures.items():
        fresh = figure.fresh
        sigma = "" if math.isnan(fresh.sigma) else f" ± {four(fresh.sigma)}"
        verdict = "in order" if figure.ok else "DRIFTED"
        rows.append(
            (_CHECKED.get(name, name), four(figure.profile), four(fresh.value) + sigma, four(figure.limit), verdict)
        )
    return "\n\n".join([aligned(rows), *(findings_text(outcome) or ["nothing drifted"])])


def _setting(profile: CameraProfile) -> list[tuple[str, str]]:
    def span(bounds: tuple[float, float] | None, unit: str) -> str:
        if bounds is None:
            return ""
        low, high = bounds
        return f"{low:g} {unit}" if low == high else f"{low:g} to {high:g} {unit}"

    def measured(number: float | None, unit: str) -> str:
        return "" if number is None else f"{number:g} {unit}"

    table = profile.linearity_table
    c1, c2, c3 = profile.linearity
    linearity = f"{c1:.6g} x + {c2:.4g} x^2 + {c3:.4g} x^3" if table is None else f"table of {len(table)} points"
    rows = [
        ("camera", profile.camera),
        ("sensor", profile.sensor or ""),
        ("optics", profile.optics or ""),
        ("lens distance", measured(profile.lens_distance_mm, "mm")),
        ("filter band", span(profile.filter_band_nm, "nm")),
        ("shape", f"{profile.shape[0]} x {profile.shape[1]}"),
        ("bit depth", "unknown" if profile.bit_depth is None else str(profile.bit_depth)),
        ("exposure", measured(profile.exposure_ms, "ms") or "unknown"),
        ("holds at", span(profile.exposure_range_ms, "ms") or "unknown"),
        ("gain setting", measured(profile.gain_db, "dB")),
        ("linearity", "linear" if table is None and profile.linearity == (1.0, 0.0, 0.0) else linearity),
        ("saturation", f"{profile.saturation_dn:g} DN"),
        ("ICG response for", span(profile.response_range_nm, "nM")),
    ]
    return [(name, text) for name, text in rows if text]


def _scalar(row: FigureRow) -> tuple[str, str, str]:
    value = "unknown" if math.isnan(row.item.value) else row.value
    return row.name, value, "" if math.isnan(row.item.sigma) else four(row.item.sigma)


def _maps(profile: CameraProfile) -> list[tuple[str, str, str, str, str]]:
    rows = []
    for name, heading, unit in MAPS:
        data = getattr(profile, name)
        if data is not None:
            values = data if profile.bad is None or profile.bad.all() else data[~profile.bad]
            low, middle, high = (four(float(part)) for part in (values.min(), np.median(values), values.max()))
            rows.append((f"{heading}, {unit}".removesuffix(", "), low, middle, high, f"{name}.tif"))
    if profile.bad is not None:
        count = int(profile.bad.sum())
        kinds = ("hot", "dead", "noisy", "blinking", "clipped")
        known = [(kind, profile.provenance.get(f"{kind}_pixels")) for kind in kinds]
        parts = ", ".join(f"{number} {kind}" for kind, number in known if number)
        rows.append((f"Bad pixels: {count}", "", "", "", f"bad.tif{f': {parts}' if parts else ''}"))
    return rows
