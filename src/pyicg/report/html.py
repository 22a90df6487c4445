"""The HTML report: every value becomes display text here, the template only lays it out."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import jinja2

from pyicg.report.answer import answer, distance_text
from pyicg.report.geometry import tilt_deg
from pyicg.report.literature import margin_width
from pyicg.report.status import margin_text
from pyicg.report.words import RESEARCH_ONLY, SHOWN_HOT_SPOTS, measurement, number, percent, sentence

if TYPE_CHECKING:
    from pyicg.report.geometry import Line, Point
    from pyicg.report.sensitivity import SensitivitySection
    from pyicg.report.source import Scored
    from pyicg.results import Lesion, SpecimenLesion

__all__ = ["Picture", "overlay_caption", "provenance_rows", "render", "templates"]

MOST_ROWS = 200
NOT_PROVENANCE = frozenset({"what", "reasons", "truth"})  # shown elsewhere on the page


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG with its heading and caption."""

    title: str
    caption: str
    png: bytes


def render(score: Scored, *, pictures: Sequence[Picture], sensitivity: SensitivitySection | None = None) -> str:
    """Return the report as one HTML page that needs no network and no script.

    Parameters
    ----------
    score : Scored
        The scored stack.
    pictures : sequence of Picture
        Shown in order, embedded in the page.
    sensitivity : SensitivitySection, optional
        The key frame's SBR under every background policy; without it the page has no such section.

    Returns
    -------
    str
        The page. Every text in it is escaped; numbers that are undefined say so and why.
    """
    template = templates().get_template("report.html.j2")
    summary, key = score.summary, score.frames[score.key_index]
    name = "slice" if score.view == "section" else "frame"
    source = summary.get("source")
    truth = [_truth_row(row) for row in summary.get("truth") or ()]
    calibrated = [frame.quality.calibrated for frame in score.frames]
    page = template.render(
        research_only=RESEARCH_ONLY,
        title=PurePath(str(source)).name if source else "array in memory",
        name=name,
        scored=_scored(score, name),
        simulated=bool(truth),
        uncalibrated=len(calibrated) - sum(calibrated),
        n_frames=len(calibrated),
        answer=answer(score),
        pictures=[(item.title, item.caption, _encoded(item.png)) for item in pictures],
        sensitivity=sensitivity,
        sensitivity_png="" if sensitivity is None else _encoded(sensitivity.png),
        lesions=[_lesion_row(item, name) for item in score.lesions[:MOST_ROWS]],
        n_lesions=len(score.lesions),
        not_sought=any("lesions_not_sought" in frame.reasons for frame in score.frames),
        literature=margin_width(score.distance),
        hot_spots=[
            (
                spot.rank,
                number(spot.peak_sbr),
                f"{spot.peak_position[0]:.1f}, {spot.peak_position[1]:.1f}",
                number(spot.area_px),
                measurement(spot.area_mm2),
            )
            for spot in key.hot_spots[:SHOWN_HOT_SPOTS]
        ],
        n_hot_spots=len(key.hot_spots),
        ranks_hot_spots=score.view == "bed" or bool(key.hot_spots),
        sign_absent=key.fluorescent is False,
        key=f"{name} {key.index}",
        flags=_flags(score, name),
        quality=_quality(score),
        truth=truth,
        provenance=list(_provenance(score)),
    )
    # A file name that is not valid UTF-8 reaches Python with lone surrogates, which no file can hold.
    return page.encode("utf-8", "replace").decode("utf-8")


def templates() -> jinja2.Environment:
    """Return the templates of this package: every text put into them is escaped, and none may be missing."""
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: files("pyicg.report").joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def overlay_caption(score: Scored, line: Line | None, foot: Point | None) -> str:
    """Return the caption of the overlay: how to read it, and what it cannot show."""
    frame = score.frames[score.key_index]
    lesions = frame.lesions
    unsure = sum("low_confidence" in lesion.reasons for lesion in lesions)
    if lesions:
        text = "The tumour's edge is the inner boundary of the rim; the glowing rim itself is liver."
        if unsure:
            which = "All outlines are dotted" if unsure == len(lesions) else "Dotted outlines are unsure"
            text += f" {which}: confidence under 0.5, perhaps vessels and no rim at all."
    elif "lesions_not_sought" in frame.reasons:
        text = "Rims were not looked for."
    else:
        text = "No rim was found in this picture."
    if frame.hot_spots:
        text += " Numbers rank the bright regions over the cut, 1 is the brightest peak."
    if score.plane is not None and line is None:
        text += " The resection plane does not cross this picture."
    if score.distance is not None and foot is None:
        text += " The closest point cannot be shown here."
    if line is not None and score.plane is not None and (tilt := tilt_deg(score.plane.normal)) >= 2:
        text += (
            f" The plane leans out of the picture by {tilt:.0f} degrees, so the millimetres, measured in three "
            "dimensions, are fewer than the drawn line is long."
        )
    return text


def _encoded(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")


def _scored(score: Scored, name: str) -> str:
    """One line: what was scored."""
    view = {"bed": "tumour bed", "section": "cut sections of the specimen"}.get(score.view, score.view)
    unit = score.frames[score.key_index].unit
    sizes = [
        f"{label} {number(size)} mm" if size is not None else f"{label} unknown"
        for label, size in zip(("slice spacing", "pixel height", "pixel width"), score.spacing_mm, strict=True)
        if score.view == "section" or label != "slice spacing"
    ]
    count = len(score.frames)
    return f"View: {view}. {count} {name}{'' if count == 1 else 's'}, signal in {unit}, {', '.join(sizes)}."


def _lesion_row(item: SpecimenLesion, name: str) -> tuple[str, ...]:
    """One row per lesion, described by the member that shows the largest area."""
    indices = [index for index, _ in item.members]
    if not indices:
        return (str(item.label), "none", *["undefined"] * 4, distance_text(item.distance), margin_text(item.margin), "")
    largest: Lesion
    index, largest = max(item.members, key=lambda member: member[1].area_px)
    where = str(indices[0]) if len(indices) == 1 else f"{indices[0]} to {indices[-1]} ({len(indices)} {name}s)"
    reasons = dict.fromkeys(code for _, member in item.members for code in member.reasons)
    if math.isnan(largest.thickness_mm.value):
        thickness = measurement(largest.thickness, "px")
    else:
        thickness = measurement(largest.thickness_mm, "mm")
    area = (
        f"{number(largest.area_px)} px" if math.isnan(largest.area_mm2.value) else measurement(largest.area_mm2, "mm²")
    )
    return (
        str(item.label),
        where,
        f"{area}, {name} {index}",
        thickness,
        f"{percent(largest.completeness)} ({largest.pattern})",
        measurement(largest.sbr),
        distance_text(item.distance),
        margin_text(item.margin),
        " ".join(sentence(code) for code in reasons),
    )


def _flags(score: Scored, name: str) -> list[tuple[str, str, str]]:
    """Return every reason code with its sentence and where it applies."""
    places: dict[str, list[str]] = {}

    def note(codes: Counter[str], where: str) -> None:
        for code, count in codes.items():
            places.setdefault(code, []).append(where.format(count))

    if score.margin is not None:
        note(Counter(dict.fromkeys(score.margin.reasons, 1)), "margin status")
    if score.distance is not None:
        note(Counter(dict.fromkeys(score.distance.warnings, 1)), "distance")
    frames = Counter(code for frame in score.frames for code in dict.fromkeys(frame.reasons))
    note(frames, f"{{}} of {len(score.frames)} {name}s")
    lesions = Counter(
        code for frame in score.frames for lesion in frame.lesions for code in dict.fromkeys(lesion.reasons)
    )
    note(lesions, "outlines: {}")
    rejected = Counter(region.reason for frame in score.frames for region in frame.rejected)
    note(rejected, "bright regions not taken as a rim: {}")
    for code in score.summary.get("reasons") or ():
        places.setdefault(str(code), ["whole stack"])
    return [(sentence(code), ", ".join(where), code) for code, where in places.items()]


def _quality(score: Scored) -> list[tuple[str, str]]:
    """Return the worst of each quality figure over the frames."""
    parts = [frame.quality for frame in score.frames]
    focus = sorted(part.focus for part in parts if math.isfinite(part.focus))
    ends = dict.fromkeys((number(focus[0]), f"{number(focus[-1])} /px")) if focus else ("undefined",)
    isotropy = [part.isotropy for part in parts if math.isfinite(part.isotropy)]
    glare = [part.glare_fraction for part in parts if math.isfinite(part.glare_fraction)]
    return [
        ("Saturated pixels, worst", _share(max(part.saturated_fraction for part in parts))),
        ("Pixels below range, worst", _share(max(part.underflow_fraction for part in parts))),
        ("Bad pixels left out, most", str(max(part.bad_pixels for part in parts))),
        ("Bad pixels repaired, most", str(max(part.repaired_pixels for part in parts))),
        ("Focus", " to ".join(ends)),
        ("Isotropy of the focus, least", number(min(isotropy)) if isotropy else "undefined"),
        ("Pixels in glare, worst", _share(max(glare)) if glare else "undefined"),
        ("Calibrated", f"{sum(part.calibrated for part in parts)} of {len(parts)}"),
    ]


def _share(share: float) -> str:
    return "none" if share == 0 else percent(share)


def _truth_row(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    unit = f" {row['unit']}" if row.get("unit") else ""
    measured, true = row.get("measured"), row.get("true")
    difference = ""
    if isinstance(measured, int | float) and isinstance(true, int | float) and math.isfinite(measured - true):
        difference = f"{number(measured - true)}{unit}"
    return (str(row["quantity"]), _plain(measured) + unit, _plain(true) + unit, difference)


def _provenance(score: Scored) -> Iterator[tuple[str, str]]:
    """Yield name and value of everything that says how the numbers were made."""
    for name, item in score.summary.items():
        if name not in NOT_PROVENANCE:
            yield from provenance_rows(name, item)
    if score.margin is not None:
        yield from provenance_rows("margin", score.margin.provenance)


def provenance_rows(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield name and text of a value, one row for each item of a mapping."""
    if isinstance(value, Mapping) and value:
        for part, item in value.items():
            yield from provenance_rows(f"{name}: {part}" if ":" not in name else f"{name}.{part}", item)
    else:
        yield name.replace("_", " "), _plain(value)


def _plain(value: Any) -> str:
    """Text of a plain value; nothing reads "nan" or "None"."""
    if value is None or value == "":
        return "not stated"
    if isinstance(value, float):
        return "undefined" if math.isnan(value) else f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
