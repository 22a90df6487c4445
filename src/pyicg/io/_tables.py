"""Flat records of frames and lesions, as rows of a CSV table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyicg.results import FrameScore, Measurement, SpecimenLesion

__all__ = ["csv_table", "frame_record", "lesion_records"]


def _columns(name: str, found: Measurement) -> dict[str, Any]:
    return {
        name: found.value,
        f"{name}_sigma": found.sigma,
        f"{name}_lo": found.ci[0],
        f"{name}_hi": found.ci[1],
        f"{name}_reason": found.reason or "",
    }


def frame_record(frame: FrameScore) -> dict[str, Any]:
    """Return one frame as a flat dictionary."""
    record: dict[str, Any] = {
        "index": frame.index,
        "unit": frame.unit,
        "calibrated": frame.quality.calibrated,
        "background_sigma": frame.background.sigma,
        "background_n_pixels": frame.background.n_pixels,
    }
    contrast = frame.contrast
    for name in ("background_level", "signal_level", "sbr", "sbr_raw", "weber", "michelson", "cnr", "cvr"):
        record |= _columns(name, getattr(contrast, name))
    record["fluorescent"] = frame.fluorescent
    record["sbr_cut"] = frame.sbr_cut
    for cut, sign in frame.sign_at.items():
        record[f"fluorescent_at_{cut:g}"] = sign
    record["residual_area_px"] = frame.residual_area_px
    record["residual_area_mm2"] = frame.residual_area_mm2.value
    record["n_hot_spots"] = len(frame.hot_spots)
    record["peak_sbr"] = frame.hot_spots[0].peak_sbr if frame.hot_spots else None
    record["n_lesions"] = None if "lesions_not_sought" in frame.reasons else len(frame.lesions)
    quality = frame.quality
    names = ("saturated_fraction", "underflow_fraction", "bad_pixels", "repaired_pixels", "focus", "isotropy")
    for name in (*names, "glare_fraction"):
        record[name] = getattr(quality, name)
    if frame.margin is not None:
        status = frame.margin
        record |= {"margin": status.label, "p_r1": status.p_r1, "p_r1_lo": status.ci[0], "p_r1_hi": status.ci[1]}
        record["margin_reasons"] = " ".join(status.reasons)
        for cut, at in status.provenance.get("at_cuts", {}).items():
            record |= {f"margin_at_{cut}": at["label"], f"p_r1_at_{cut}": at["p_r1"]}
            record |= {f"p_r1_at_{cut}_lo": at["ci"][0], f"p_r1_at_{cut}_hi": at["ci"][1]}
    record["reasons"] = " ".join(frame.reasons)
    record["frame_digest"] = frame.frame_digest
    return record


def lesion_records(lesion: SpecimenLesion) -> list[dict[str, Any]]:
    """Return one row per frame or slice in which the lesion is seen."""
    rows = []
    for index, seen in lesion.members:
        row: dict[str, Any] = {
            "lesion": lesion.label,
            "index": index,
            "centroid_y_px": seen.centroid[0],
            "centroid_x_px": seen.centroid[1],
            "area_px": seen.area_px,
            "area_mm2": seen.area_mm2.value,
            "completeness": seen.completeness,
            "pattern": seen.pattern,
            "confidence": seen.confidence,
            "edge_sigma_px": seen.edge_sigma_px,
        }
        row |= _columns("thickness_px", seen.thickness)
        row |= _columns("thickness_mm", seen.thickness_mm)
        row |= _columns("sbr", seen.sbr)
        row["reasons"] = " ".join(seen.reasons)
        distance, status = lesion.distance, lesion.margin
        row["lesion_distance_mm"] = distance.min_mm if distance else None
        row["lesion_distance_sigma_mm"] = distance.sigma_mm if distance else None
        row["lesion_distance_lo_mm"] = distance.ci_mm[0] if distance else None
        row["lesion_distance_hi_mm"] = distance.ci_mm[1] if distance else None
        row["lesion_distance_warnings"] = " ".join(distance.warnings) if distance else ""
        row["lesion_missing_slices"] = " ".join(map(str, lesion.missing))
        row["lesion_split_slices"] = " ".join(map(str, lesion.split_at))
        row["lesion_margin"] = status.label if status else ""
        row["lesion_p_r1"] = status.p_r1 if status else None
        row["lesion_p_r1_lo"] = status.ci[0] if status else None
        row["lesion_p_r1_hi"] = status.ci[1] if status else None
        rows.append(row)
    return rows


def csv_table(rows: Sequence[dict[str, Any]], columns: Sequence[str] = ()) -> bytes:
    """Return rows as CSV; `columns` come first, and are there even without rows."""
    text = io.StringIO(newline="")
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """Write an undefined number as an empty cell, a truth value in lower case."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).lower() if isinstance(value, bool) else value
