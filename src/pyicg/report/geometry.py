"""Where plane, closest point and slices lie in a picture: pixels from millimetres and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyicg.report.source import Plane
    from pyicg.results import Distance, FrameScore

__all__ = ["Line", "Point", "closest_in_slice", "distance_per_slice", "line_of_plane", "tilt_deg", "window_around"]

Point = tuple[float, float]
Line = tuple[Point, Point]


def line_of_plane(
    point_mm: Sequence[float],
    normal: Sequence[float],
    *,
    z_mm: float,
    spacing_yx_mm: Point,
    shape: tuple[int, int],
) -> Line | None:
    """Return the line in which a plane meets one slice, in pixels, cut at the frame's border.

    Parameters
    ----------
    point_mm, normal : (z, y, x)
        A point of the plane in mm and its normal.
    z_mm : float
        Position of the slice.
    spacing_yx_mm : (y, x)
        Pixel size in mm.
    shape : (H, W)
        Size of the frame in pixels.

    Returns
    -------
    ((y, x), (y, x)) or None
        None when the plane does not cross this frame.

    Examples
    --------
    >>> line_of_plane((0, 2, 0), (0, 1, 0), z_mm=0.0, spacing_yx_mm=(0.5, 0.5), shape=(10, 5))
    ((4.0, -0.5), (4.0, 4.5))
    """
    # In pixels the plane reads a*y + b*x = c.
    a, b = normal[1] * spacing_yx_mm[0], normal[2] * spacing_yx_mm[1]
    c = normal[0] * (point_mm[0] - z_mm) + normal[1] * point_mm[1] + normal[2] * point_mm[2]
    low, (bottom, right) = -0.5, (shape[0] - 0.5, shape[1] - 0.5)
    hits = [((c - b * x) / a, x) for x in (low, right) if a]
    hits += [(y, (c - a * y) / b) for y in (low, bottom) if b]
    inside = sorted({(y, x) for y, x in hits if low <= y <= bottom and low <= x <= right})
    return (inside[0], inside[-1]) if len(inside) >= 2 else None


def tilt_deg(normal: Sequence[float]) -> float:
    """Return by how many degrees a plane leans out of being perpendicular to the slices.

    Examples
    --------
    >>> tilt_deg((0, 0, 2)), round(tilt_deg((1, 1, 0)))
    (0.0, 45)
    """
    z, y, x = normal
    return float(np.degrees(np.arctan2(abs(z), np.hypot(y, x))))


def closest_in_slice(distance: Distance, *, index: int, spacing_mm: tuple[float, float, float]) -> Point | None:
    """Return the (y, x) of the closest point in pixels; None when unknown or in another slice than `index`."""
    z, y, x = distance.foot_mm
    if not np.isfinite(distance.foot_mm).all() or abs(z / spacing_mm[0] - index) > 0.5:
        return None
    return y / spacing_mm[1], x / spacing_mm[2]


def window_around(foot_yx: Point, line: Line | None, *, spacing_yx_mm: Point, shape: tuple[int, int]) -> Line | None:
    """Return the part of a frame that shows closest point and plane enlarged, pixels.

    None when that part would be more than half as wide or high as the frame: there is nothing to enlarge.

    Examples
    --------
    >>> window_around((50.0, 50.0), None, spacing_yx_mm=(1.0, 1.0), shape=(100, 200))
    ((42.0, 42.0), (58.0, 58.0))
    """
    scale = np.array(spacing_yx_mm)
    foot = np.array(foot_yx) * scale
    half = 0.08 * float((np.array(shape) * scale).min())
    if line is not None:
        start, end = (np.array(point) * scale for point in line)
        along = (end - start) / np.linalg.norm(end - start)
        gap = float(np.linalg.norm(start - foot + along * np.dot(foot - start, along)))
        half = max(half, 2.0 * gap)
    low, high = (foot - half) / scale, (foot + half) / scale
    low, high = np.maximum(low, -0.5), np.minimum(high, np.array(shape) - 0.5)
    if (low >= high).any() or (high - low > 0.5 * np.array(shape)).any():
        return None
    return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))


def distance_per_slice(
    frames: Sequence[FrameScore], plane: Plane, *, spacing_mm: tuple[float, float, float]
) -> list[float]:
    """Return the smallest signed distance of the tumour's edge to a plane for each slice, mm.

    What lies on the tumour's side of the plane counts as positive. A slice without a lesion is NaN.
    """
    point, unit = np.array(plane.point_mm, dtype=float), np.array(plane.normal, dtype=float)
    unit /= np.linalg.norm(unit)
    slices = []
    for frame in frames:
        edges = [np.empty((0, 2)), *(lesion.inner_contour for lesion in frame.lesions)]
        surface = np.vstack(edges) * spacing_mm[1:]
        slices.append((point[1:] - surface) @ unit[1:] + unit[0] * (point[0] - frame.index * spacing_mm[0]))
    everything = np.concatenate(slices)
    side = -1.0 if not plane.oriented and everything.size and everything.mean() < 0 else 1.0
    return [float((side * gaps).min()) if gaps.size else float("nan") for gaps in slices]
