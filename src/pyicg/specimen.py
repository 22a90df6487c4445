"""A specimen: lesions followed through its slices, and the answer to how near they come to the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from pyicg.distance import cut_open, distance_of_tracks, facing_most, together
from pyicg.distance_margin import from_distance
from pyicg.errors import UnitError
from pyicg.plane import Plane
from pyicg.results import Distance, FrameScore, MarginStatus, SpecimenLesion
from pyicg.slices import Slice
from pyicg.tumour_track import link_lesions

__all__ = ["key_slice", "lesions_beside", "link_slices", "on_the_tumours_side", "section_answer"]

_WORST_FIRST = ("R1", "indeterminate", "R0")
_RULE = (
    "the worst lesion decides: R1 before indeterminate before R0, among equals the one without P(R1), then the highest "
    "P(R1)"
)
# What makes a length on the picture doubtful. A missing camera profile alone does not.
_LIMITS = frozenset({"out_of_range", "background_not_resolved"})
# A slice with one of these and without a lesion was not seen: it may hide a tumour, or the end of one.
_UNSEEN = frozenset({"saturated_lower_bound", "too_few_pixels"})

Spacing = tuple[float | None, float | None, float | None]


def on_the_tumours_side(plane: Plane | None, frames: Sequence[FrameScore], spacing: Spacing) -> Plane | None:
    """Turn a plane that has no side yet: one side for all lesions, that of most of their area."""
    lesions = [(frame.index, lesion) for frame in frames for lesion in frame.lesions]
    return plane if plane is None or plane.oriented or not lesions else facing_most(plane, lesions, _known(spacing))


def link_slices(
    frames: Sequence[FrameScore], plane: Plane | None, spacing: Spacing, *, tie: str = "R0"
) -> tuple[SpecimenLesion, ...]:
    """Join the lesions of neighbouring slices, and measure each tumour's distance where there is a plane."""
    tracks = link_lesions({frame.index: frame.lesions for frame in frames if not _unseen(frame)}, len(frames))
    lesions = []
    for label, track in enumerate(tracks, start=1):
        distance = status = None
        if plane is not None:
            distance = distance_of_tracks([track], plane, spacing_mm=_known(spacing), n_slices=len(frames))
            status = from_distance(distance, tie=tie)
        lesions.append(SpecimenLesion(label, track.members, distance, status, track.missing, track.split_at))
    return tuple(lesions)


def _known(spacing: Spacing) -> tuple[float, float, float]:
    z, y, x = spacing
    if z is None or y is None or x is None:
        raise UnitError(
            f"a distance in millimetres needs the spacing of slices and pixels, found {spacing} (z, y, x); "
            "pass slice_spacing_mm and pixel_size_mm when reading"
        )
    return z, y, x


def section_answer(
    lesions: Sequence[SpecimenLesion],
    plane: Plane | None,
    frames: Sequence[FrameScore],
    spacing: Spacing,
    *,
    tie: str = "R0",
) -> tuple[Distance | None, MarginStatus]:
    """Return the smallest distance over all lesions, and the margin status of the worst one."""
    measured = [(lesion.label, lesion.distance) for lesion in lesions if lesion.distance is not None]
    if plane is None or not measured:
        missing = Distance.undefined("no_plane" if plane is None and lesions else "no_lesion")
        return None if plane is None else missing, from_distance(missing, tie=tie)
    slices = [Slice(frame.index, frame.lesions, frame.rejected) for frame in frames]
    extra = ("no_enclosed_core",) if cut_open(slices, plane, spacing_mm=_known(spacing)) else ()
    nearest = min((distance for _, distance in measured), key=lambda d: (math.isnan(d.min_mm), d.min_mm, d.ci_mm))
    # A wide interval further off may hold what a narrow one nearby does not.
    statuses = [(label, from_distance(replace(d, warnings=(*d.warnings, *extra)), tie=tie)) for label, d in measured]
    of_lesion, worst = min(statuses, key=_rank)
    limits = {r for frame in frames for r in frame.reasons if r in _LIMITS}
    if any("saturated_lower_bound" in distance.warnings for _, distance in measured):
        limits.add("saturated_lower_bound")
    if worst.label == "R0":
        limits |= {r for frame in frames for r in _unseen(frame)}
    if limits:
        reasons = tuple(dict.fromkeys((*worst.reasons, *sorted(limits))))
        worst = replace(worst, label="indeterminate", reasons=reasons)
    chosen = {"rule": _RULE, "of": len(measured), "worst": of_lesion, "specimen": sorted(limits)}
    worst = replace(worst, provenance={**worst.provenance, "lesions": chosen})
    seen = [distance.map for _, distance in measured if distance.map is not None]
    return replace(nearest, warnings=(*nearest.warnings, *extra), map=together(seen) if seen else None), worst


def _unseen(frame: FrameScore) -> frozenset[str]:
    """Return why a slice without a lesion was not seen; empty where it was."""
    return frozenset() if frame.lesions else _UNSEEN & set(frame.reasons)


def lesions_beside(
    answer: MarginStatus, lesions: Sequence[SpecimenLesion], *, linear: bool
) -> tuple[SpecimenLesion, ...]:
    """Take R0 from every lesion where something leaves the whole specimen in doubt, as its answer says."""
    doubts = [*answer.provenance["lesions"]["specimen"], *(() if linear else ("uncalibrated",))]
    return tuple(
        lesion
        if not doubts or lesion.margin is None or lesion.margin.label != "R0"
        else replace(
            lesion,
            margin=replace(
                lesion.margin,
                label="indeterminate",
                reasons=tuple(dict.fromkeys((*lesion.margin.reasons, *doubts))),
            ),
        )
        for lesion in lesions
    )


def _rank(item: tuple[int, MarginStatus]) -> tuple[int, float, tuple[str, ...], int]:
    """Sort the worst first, in one order whatever the order of the lesions."""
    label, status = item
    return (
        _WORST_FIRST.index(status.label),
        -math.inf if math.isnan(status.p_r1) else -status.p_r1,
        status.reasons,
        label,
    )


def key_slice(
    frames: Sequence[FrameScore],
    distance: Distance | None,
    spacing: Spacing,
) -> int:
    """Return the slice that shows the answer: the closest point's, else the one with most tumour."""
    if distance is not None and spacing[0] is not None and not math.isnan(distance.foot_mm[0]):
        return min(max(round(distance.foot_mm[0] / spacing[0]), 0), len(frames) - 1)
    return max(frames, key=lambda f: (sum(lesion.area_px for lesion in f.lesions), -f.index)).index
