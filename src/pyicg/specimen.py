"""A specimen: lesions followed through its slices, and the answer to how near they come to the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from pyicg import margin
from pyicg.distance import cut_open, distance_of_tracks, facing_most, together
from pyicg.errors import UnitError
from pyicg.plane import Plane
from pyicg.results import Distance, FrameScore, MarginStatus, SpecimenLesion
from pyicg.slices import Slice
from pyicg.tumour_track import link_lesions

__all__ = ["key_slice", "link_slices", "on_the_tumours_side", "section_answer"]

_WORST_FIRST = ("R1", "indeterminate", "R0")
# What makes a length on the picture doubtful. A missing camera profile alone does not.
_LIMITS = frozenset({"out_of_range", "background_not_resolved"})

Spacing = tuple[float | None, float | None, float | None]


def on_the_tumours_side(plane: Plane | None, frames: Sequence[FrameScore], spacing: Spacing) -> Plane | None:
    """Turn a plane that has no side yet: one side for all lesions, that of most of their area."""
    lesions = [(frame.index, lesion) for frame in frames for lesion in frame.lesions]
    return plane if plane is None or plane.oriented or not lesions else facing_most(plane, lesions, _known(spacing))


def link_slices(frames: Sequence[FrameScore], plane: Plane | None, spacing: Spacing) -> tuple[SpecimenLesion, ...]:
    """Join the lesions of neighbouring slices, and measure each tumour's distance where there is a plane."""
    tracks = link_lesions({frame.index: frame.lesions for frame in frames}, len(frames))
    lesions = []
    for label, track in enumerate(tracks, start=1):
        distance = status = None
        if plane is not None:
            distance = distance_of_tracks([track], plane, spacing_mm=_known(spacing), n_slices=len(frames))
            status = margin.from_distance(distance)
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
    lesions: Sequence[SpecimenLesion], plane: Plane | None, frames: Sequence[FrameScore], spacing: Spacing
) -> tuple[Distance | None, MarginStatus]:
    """Return the smallest distance over all lesions, and the margin status of the worst one."""
    if plane is None:
        reason = "no_plane" if lesions else "no_lesion"
        return None, MarginStatus(math.nan, (math.nan, math.nan), "indeterminate", reasons=(reason,))
    distances = [lesion.distance for lesion in lesions if lesion.distance is not None]
    if not distances:
        missing = Distance.undefined("no_lesion")
        return missing, margin.from_distance(missing)
    slices = [Slice(frame.index, frame.lesions, frame.rejected) for frame in frames]
    extra = ("no_enclosed_core",) if cut_open(slices, plane, spacing_mm=_known(spacing)) else ()
    nearest = min(distances, key=lambda distance: distance.min_mm)
    # The worst lesion decides: a wide interval further off may hold what a narrow one nearby does not.
    statuses = [margin.from_distance(replace(d, warnings=(*d.warnings, *extra))) for d in distances]
    worst = min(statuses, key=lambda status: (_WORST_FIRST.index(status.label), -status.p_r1))
    limits = {r for frame in frames for r in frame.reasons if r in _LIMITS}
    if any(seen.sbr.reason == "saturated_lower_bound" for lesion in lesions for _, seen in lesion.members):
        limits.add("saturated_lower_bound")
    if limits:
        worst = replace(worst, label="indeterminate", reasons=(*worst.reasons, *sorted(limits)))
    seen = [distance.map for distance in distances if distance.map is not None]
    return replace(nearest, warnings=(*nearest.warnings, *extra), map=together(seen) if seen else None), worst


def key_slice(
    frames: Sequence[FrameScore],
    distance: Distance | None,
    spacing: Spacing,
) -> int:
    """Return the slice that shows the answer: the closest point's, else the one with most tumour."""
    if distance is not None and spacing[0] is not None and not math.isnan(distance.foot_mm[0]):
        return min(max(round(distance.foot_mm[0] / spacing[0]), 0), len(frames) - 1)
    return max(frames, key=lambda f: (sum(lesion.area_px for lesion in f.lesions), -f.index)).index
