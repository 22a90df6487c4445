"""Where the slices of a specimen may hold a tumour whose edge was not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pyicg.results import FloatArray, Lesion, RejectedRegion
from pyicg.tumour_track import goes_on

__all__ = ["Slice", "rim_cut_open"]

# A bright region too small to be a rim, or hot pixels, hide no tumour; whatever else was rejected may.
_MAY_BE_OPEN = frozenset(
    {"no_enclosed_core", "no_closed_boundary", "elongated", "drape_edge", "saturated_blob", "glare"}
)


@dataclass(frozen=True)
class Slice:
    """One slice: its number, and what was found and rejected in it."""

    index: int
    lesions: tuple[Lesion, ...]
    rejected: tuple[RejectedRegion, ...]


def rim_cut_open(
    slices: Sequence[Slice],
    distance_mm: Callable[[FloatArray], FloatArray],
    spacing: tuple[float, float, float],
    *,
    threshold_mm: float,
) -> bool:
    """Tell whether a rim that the plane cuts open may come within a distance of it.

    Two signs, each enough: a lesion's inner contour where no rim shows, moved outwards by two sigma; and a region that
    was rejected for want of a core or of a closed rim, for which its box stands. The cap of a lesion, where the last
    slice meets its rim but not its core, is no such region: the lesion lies beside it in one neighbouring slice, and
    not in the other.
    """
    steps = np.array(spacing)
    lesions = {item.index: item.lesions for item in slices}
    for item in slices:
        outlines = [_unseen_outline(lesion) for lesion in item.lesions]
        for region in item.rejected:
            if region.reason not in _MAY_BE_OPEN:
                continue
            sides = [goes_on(region.centroid, lesions.get(item.index + side, ())) for side in (-1, 1)]
            if sides[0] == sides[1]:
                y0, x0, y1, x1 = region.box
                outlines.append(np.array([(y, x) for y in (y0, y1) for x in (x0, x1)], dtype=np.float64))
        points = np.concatenate([np.empty((0, 2)), *outlines])
        if len(points) == 0:
            continue
        in_volume = np.column_stack([np.full(len(points), item.index), points]) * steps
        if distance_mm(in_volume).min() < threshold_mm:
            return True
    return False


def _unseen_outline(lesion: Lesion) -> FloatArray:
    """Return the vertices (y, x) of the inner contour in the gaps, two sigma further out."""
    contour = lesion.inner_contour
    if "not_star_shaped" in lesion.reasons:  # the vertices follow the contour, and where the gaps lie is not told
        unseen = np.full(len(contour), lesion.completeness < 1)
    else:
        angle = np.arange(len(contour)) * 360 / len(contour)
        unseen = np.zeros(len(contour), bool)
        for start, end in lesion.gaps_deg:
            unseen |= (angle - start) % 360 <= end - start
    ray = contour - lesion.centroid
    outwards = ray / np.maximum(np.hypot(ray[:, 0], ray[:, 1]), 1e-9)[:, None]
    moved = contour + 2 * np.nan_to_num(lesion.inner_sigma)[:, None] * outwards
    return np.asarray(moved[unseen])
