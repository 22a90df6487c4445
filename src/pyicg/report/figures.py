"""The pictures of the report, drawn without pyplot so that no global state is touched."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pyicg.errors import InputError
from pyicg.report import marks
from pyicg.report.words import RESEARCH_ONLY, unit_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyicg.report.geometry import Line, Point
    from pyicg.results import Distance, FrameScore
    from pyicg.timeline import SbrCurve

__all__ = ["chart", "overlay", "png"]

DPI = 150
WIDTH_INCH = 8.0
USABLE = 32  # the one mask bit that leaves a pixel in the statistics: repaired


def overlay(
    image: npt.NDArray[np.float32],
    *,
    mask: npt.NDArray[np.uint8],
    score: FrameScore,
    pixel_size_mm: Point | float | None,
    foot_yx: Point | None = None,
    plane_line: Line | None = None,
    distance: Distance | None = None,
    window: Line | None = None,
    title: str = "",
    unit: str = "DN",
) -> bytes:
    """Draw one frame with its boundaries, hot spots, closest point and scale bar.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W)
        Calibrated signal in `unit`.
    mask : ndarray of uint8, shape (H, W)
        Validity bits of `image`.
    score : FrameScore
        Score of the same frame.
    pixel_size_mm : float, (y, x) or None
        Pixel size in mm; None draws a scale bar in pixels.
    foot_yx : (y, x) or None
        Point of the tumour's edge that is closest to the plane, pixels.
    plane_line : ((y, x), (y, x)) or None
        Resection plane in this frame, pixels.
    distance : Distance or None
        Distance to write beside the closest point.
    window : ((y0, x0), (y1, x1)) or None
        Part of the frame to show, pixels; None shows all of it.
    title, unit : str
        Title of the picture; unit of `image`.

    Returns
    -------
    bytes
        A PNG, about 1200 pixels wide.

    Raises
    ------
    InputError
        `image` and `mask` are not two-dimensional arrays of one shape.
    """
    if image.ndim != 2 or image.shape != mask.shape:
        raise InputError(f"image {image.shape} and mask {mask.shape} differ; expected two (H, W) arrays of one shape")
    size = (pixel_size_mm, pixel_size_mm) if isinstance(pixel_size_mm, float | int) else pixel_size_mm
    aspect = 1.0 if size is None else size[0] / size[1]
    (top, left), (bottom, right) = window or ((-0.5, -0.5), (image.shape[0] - 0.5, image.shape[1] - 0.5))
    height = 6.4 * aspect * (bottom - top) / (right - left)
    figure = Figure(figsize=(WIDTH_INCH, min(max(height, 2.0), 7.5) + 1.6), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow(
        np.where(np.isfinite(image), image, np.nan),
        cmap=colormaps["cividis"].with_extremes(bad=marks.LEFT_OUT_COLOUR),
        norm=Normalize(*_limits(image, mask)),
        aspect=aspect,
    )
    axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[])
    flags = marks.draw_flags(axes, mask)
    bar = figure.colorbar(shown, ax=axes, extend="both", shrink=0.9, pad=0.02)
    bar.set_label(unit_in_words(unit, calibrated=score.quality.calibrated), parse_math=False)
    marks.draw_lesions(axes, score.lesions)
    marks.draw_plane(axes, foot_yx, plane_line, distance, size)
    marks.draw_hot_spots(axes, score)
    marks.draw_scale_bar(axes, right - left, None if size is None else size[1])
    axes.set_title(marks.drawable(title), parse_math=False, fontsize=11)
    axes.set_xlabel(RESEARCH_ONLY, fontsize=7.5, color="#555555")
    marks.draw_legend(figure, axes, flags)
    return png(figure)


def chart(
    frames: Sequence[FrameScore],
    *,
    axis_label: str,
    sbr_cut: float,
    distance_per_slice: Sequence[float] | None = None,
    curve: SbrCurve | None = None,
) -> bytes:
    """Draw SBR with its 95 % interval over frames or slices, and below it what limits each frame.

    Parameters
    ----------
    frames : sequence of FrameScore
        Scores in order, at least one. An undefined SBR leaves a gap with a cross on the axis.
    axis_label : str
        ``"Frame"`` or ``"Slice"``.
    sbr_cut : float
        SBR at which a region counts as fluorescent.
    distance_per_slice : sequence of float or None
        Distance of each slice to the plane in mm, NaN where it holds no lesion.
    curve : SbrCurve or None
        Smoothed SBR of the same frames.

    Returns
    -------
    bytes
        A PNG, about 1200 pixels wide.

    Raises
    ------
    InputError
        There is no frame, or `distance_per_slice` or `curve` has another length.
    """
    if not frames:
        raise InputError("chart got no frames; expected at least one scored frame")
    x = np.array([frame.index for frame in frames], dtype=float)
    rows = [
        ("saturated\npixels, %", np.array([100 * frame.quality.saturated_fraction for frame in frames])),
        ("focus,\n1/px", np.array([frame.quality.focus for frame in frames])),
    ]
    if curve is not None:
        if len(curve.times) != len(frames):
            raise InputError(f"curve has {len(curve.times)} values for {len(frames)} frames")
        rows.append(("isotropy\nof focus", np.array([frame.quality.isotropy for frame in frames])))
        rows.append(("glare, %\nof pixels", np.array([100 * frame.quality.glare_fraction for frame in frames])))
    if distance_per_slice is not None:
        if len(distance_per_slice) != len(frames):
            raise InputError(f"distance_per_slice has {len(distance_per_slice)} values for {len(frames)} frames")
        rows.insert(0, ("distance to\nplane, mm", np.asarray(distance_per_slice, dtype=float)))
    figure = Figure(figsize=(WIDTH_INCH, 3.2 + 1.1 * len(rows)), dpi=DPI, layout="constrained")
    panels = figure.subplots(1 + len(rows), 1, sharex=True, height_ratios=[3.0] + [1.0] * len(rows))
    marks.draw_sbr(panels[0], x, frames, sbr_cut, curve)
    marker = {"marker": "o", "markersize": 3.5} if len(frames) <= 60 else {"marker": ".", "markersize": 1.5}
    for panel, (label, values) in zip(panels[1:], rows, strict=True):
        finite = np.isfinite(values)
        panel.plot(x, np.where(finite, values, np.nan), color="#404040", linewidth=1.0, **marker)
        if not finite.any():
            panel.text(0.5, 0.5, "undefined", transform=panel.transAxes, ha="center", va="center", color="#666666")
            panel.set_yticks([])
        elif values[finite].min() >= 0:
            panel.set_ylim(0, 1.2 * max(float(values[finite].max()), 0.05))
        else:
            panel.axhline(0, color="#999999", linewidth=0.8)
        panel.set_ylabel(label, fontsize=8)
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panels[-1].set_xlim(x.min() - 0.5, x.max() + 0.5)
    panels[-1].set_xlabel(f"{axis_label} (counted from 0)", parse_math=False)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", color="#e4e4e4", linewidth=0.7)
    figure.supxlabel(RESEARCH_ONLY, fontsize=7.5, color="#555555")
    return png(figure)


def _limits(image: npt.NDArray[np.float32], mask: npt.NDArray[np.uint8]) -> Point:
    """Colour limits from the pixels that count, so that neither dead nor saturated pixels set the scale."""
    values = image[((mask & ~np.uint8(USABLE)) == 0) & np.isfinite(image)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, (0.5, 99.9)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def png(figure: Figure) -> bytes:
    """Render a figure; without the software tag the bytes do not carry the version number of matplotlib."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
