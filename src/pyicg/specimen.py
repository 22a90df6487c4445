"""A specimen: lesions followed through its slices, and the answer to how near they come to the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyicg import margin
from pyicg.distance import Plane, distance_of_lesions, plane_distances
from pyicg.errors import UnitError
from pyicg.results import Distance, FrameScore, Lesion, MarginStatus, SpecimenLesion

__all__ = ["key_slice", "link_slices", "section_answer"]

_WORST_FIRST = ("R1", "indeterminate", "R0")
_THRESHOLD_MM = 1.0  # the MIMIC rule: R1 is less than 1 mm

Spacing = tuple[float | None, float | None, float | None]


def link_slices(frames: Sequence[FrameScore], plane: Plane | None, spacing: Spacing) -> tuple[SpecimenLesion, ...]:
    """Join lesions of neighbouring slices whose centres lie within each other's radius, nearest pairs first."""
    chains: list[list[tuple[int, Lesion]]] = []
    for frame in frames:
        open_chains = [chain for chain in chains if chain[-1][0] == frame.index - 1]
        pairs = []
        for c, chain in enumerate(open_chains):
            last = chain[-1][1]
            for k, lesion in enumerate(frame.lesions):
                apart = math.dist(last.centroid, lesion.centroid)
                if apart < math.sqrt(max(last.area_px, lesion.area_px) / math.pi):
                    pairs.append((apart, c, k))
        taken_chains: set[int] = set()
        taken: set[int] = set()
        for _, c, k in sorted(pairs):
            if c not in taken_chains and k not in taken:
                open_chains[c].append((frame.index, frame.lesions[k]))
                taken_chains.add(c)
                taken.add(k)
        chains += [[(frame.index, lesion)] for k, lesion in enumerate(frame.lesions) if k not in taken]
    lesions = []
    for label, chain in enumerate(chains, start=1):
        distance = status = None
        if plane is not None:
            distance = distance_of_lesions(chain, plane, spacing_mm=_known(spacing))
            status = margin.from_distance(distance)
        lesions.append(SpecimenLesion(label, tuple(chain), distance, status))
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
    measured = [lesion for lesion in lesions if lesion.distance is not None and lesion.margin is not None]
    if not measured:
        missing = distance_of_lesions([], plane, spacing_mm=(1.0, 1.0, 1.0))
        return missing, margin.from_distance(missing)
    nearest = min((lesion.distance for lesion in measured if lesion.distance), key=lambda d: d.min_mm)
    # The worst lesion decides: a wide interval further off may hold what a narrow one nearby does not.
    worst = min(
        (lesion.margin for lesion in measured if lesion.margin),
        key=lambda status: (_WORST_FIRST.index(status.label), -status.p_r1),
    )
    if _open_region_near(plane, lesions, frames, spacing):
        nearest = replace(nearest, warnings=(*nearest.warnings, "no_enclosed_core"))
        if worst.label != "R1":
            # A rim that the plane cuts open was not measured: what was measured says nothing of P(R1).
            worst = replace(worst, p_r1=math.nan, ci=(math.nan, math.nan), label="indeterminate")
        worst = replace(worst, reasons=(*worst.reasons, "no_enclosed_core"))
    limits = {r for f in frames for r in f.reasons if r in ("out_of_range", "background_not_resolved")}
    if limits:
        worst = replace(worst, label="indeterminate", reasons=(*worst.reasons, *sorted(limits)))
    return nearest, worst


def _open_region_near(
    plane: Plane, lesions: Sequence[SpecimenLesion], frames: Sequence[FrameScore], spacing: Spacing
) -> bool:
    """Tell whether a bright region without a core comes within 1 mm of the plane: a rim that the plane cuts open.

    The cap of a lesion, where a slice meets its rim but not its core, is no such region: it lies over that lesion
    in the next slice.
    """
    step_z, step_y, step_x = _known(spacing)
    if not plane.oriented:
        members = [(z, lesion) for found in lesions for z, lesion in found.members]
        centre = np.mean(
            [(z * step_z, les.centroid[0] * step_y, les.centroid[1] * step_x) for z, les in members], axis=0
        )
        plane = plane.facing(centre.tolist())
    seen = {frame.index: frame.lesions for frame in frames}
    for frame in frames:
        for region in frame.rejected:
            if region.reason != "no_enclosed_core":
                continue
            beside = (*seen.get(frame.index - 1, ()), *seen.get(frame.index + 1, ()))
            if any(math.dist(les.centroid, region.centroid) < math.sqrt(les.area_px / math.pi) for les in beside):
                continue
            y0, x0, y1, x1 = region.box
            corners = [(frame.index * step_z, y * step_y, x * step_x) for y in (y0, y1) for x in (x0, x1)]
            if plane_distances(corners, plane).min() < _THRESHOLD_MM:
                return True
    return False


def key_slice(
    frames: Sequence[FrameScore],
    distance: Distance | None,
    spacing: Spacing,
) -> int:
    """Return the slice that shows the answer: the closest point's, else the one with most tumour."""
    if distance is not None and spacing[0] is not None and not math.isnan(distance.foot_mm[0]):
        return round(distance.foot_mm[0] / spacing[0])
    return max(frames, key=lambda f: (sum(lesion.area_px for lesion in f.lesions), -f.index)).index
