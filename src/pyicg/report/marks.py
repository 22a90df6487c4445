"""What is drawn onto the report's pictures: boundaries, plane, hot spots, flags, scale bar, SBR series."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib import font_manager, patheffects
from matplotlib.colors import to_rgba
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Patch
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar  # type: ignore[import-untyped]

from pyicg.report.words import SHOWN_HOT_SPOTS, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pyicg.report.geometry import Line, Point
    from pyicg.results import Distance, FrameScore, Lesion
    from pyicg.timeline import SbrCurve

__all__ = [
    "LEFT_OUT_COLOUR",
    "draw_curve",
    "draw_flags",
    "draw_hot_spots",
    "draw_legend",
    "draw_lesions",
    "draw_plane",
    "draw_sbr",
    "draw_scale_bar",
    "drawable",
    "halo",
    "round_length",
]

SATURATED, LEFT_OUT = 1, 4 | 8 | 64
# Hues that stay apart on the blue-to-yellow map for every common colour vision; the line styles differ as well.
INNER, OUTER, PLANE, CLOSEST = "#ffffff", "#ff8c1a", "#4fd2ff", "#ff2f6d"
SMOOTH = "#1b1b1b"
SATURATED_COLOUR, LEFT_OUT_COLOUR = "#e000e0", "#f6f6f6"


def halo(width: float) -> list[patheffects.AbstractPathEffect]:
    """Dark edge that keeps a light line readable on a bright part of the map."""
    return [patheffects.withStroke(linewidth=width, foreground="black")]


def drawable(text: str) -> str:
    r"""Return `text` with every character that the figure's font lacks replaced by a box.

    Examples
    --------
    >>> drawable("liver\n肝.tif")
    'liver□□.tif'
    """
    known = FT2Font(font_manager.findfont("DejaVu Sans")).get_charmap()
    return "".join(char if ord(char) in known and char.isprintable() else "□" for char in text)


def round_length(longest: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is not longer than `longest`.

    Examples
    --------
    >>> round_length(7.3), round_length(0.41)
    (5.0, 0.2)
    """
    power = 10.0 ** math.floor(math.log10(longest))
    return float(f"{max(step * power for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9)):.3g}")


def draw_flags(axes: Axes, mask: npt.NDArray[np.uint8]) -> list[Patch]:
    """Paint saturated and left-out pixels; return their legend entries with counts."""
    entries = []
    for bits, colour, name in ((LEFT_OUT, LEFT_OUT_COLOUR, "left out"), (SATURATED, SATURATED_COLOUR, "saturated")):
        flagged = (mask & bits) != 0
        count = int(np.count_nonzero(flagged))
        if count:
            layer = np.zeros((*mask.shape, 4), dtype=np.float32)
            layer[flagged] = to_rgba(colour)
            axes.imshow(layer, interpolation="nearest", aspect=axes.get_aspect())
            entries.append(Patch(facecolor=colour, edgecolor="black", label=f"{name} ({count} px)"))
    return entries


def draw_lesions(axes: Axes, lesions: Sequence[Lesion], *, inner: str = INNER) -> None:
    """Draw the inner boundary (the tumour's edge) solid, in colour `inner`, and the outer one of the rim dashed.

    Both are thin and dotted where the confidence is low.
    """
    for lesion in lesions:
        unsure = "low_confidence" in lesion.reasons
        for contour, colour, style, name in (
            (lesion.outer_contour, OUTER, (0, (5, 2)), "outer boundary of the rim"),
            (lesion.inner_contour, inner, "solid", "tumour edge (inner boundary)"),
        ):
            if len(contour):
                closed = np.vstack([contour, contour[:1]])
                axes.plot(
                    closed[:, 1],
                    closed[:, 0],
                    color=colour,
                    linestyle=":" if unsure else style,
                    linewidth=1.1 if unsure else 1.8,
                    path_effects=halo(2.2 if unsure else 3.4),
                    label=f"{name}: confidence under 0.5" if unsure else name,
                )


def draw_legend(figure: Figure, axes: Axes, patches: Sequence[Patch]) -> None:
    """Name every line of `axes` once, and the `patches`, under the picture."""
    handles, labels = axes.get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True)) | {str(patch.get_label()): patch for patch in patches}
    if entries:
        figure.legend(
            list(entries.values()),
            list(entries),
            loc="outside lower center",
            ncols=2,
            fontsize=9,
            handlelength=3.2,
            facecolor="#d5d8de",
            framealpha=1.0,
        )


def draw_plane(
    axes: Axes, foot_yx: Point | None, line: Line | None, distance: Distance | None, pixel_size_mm: Point | None
) -> None:
    """Draw the resection plane, the closest point and the distance between them."""
    if line is not None:
        ends = np.array(line, dtype=float)
        axes.plot(ends[:, 1], ends[:, 0], color=PLANE, lw=2.6, path_effects=halo(4.4), label="resection plane")
    if foot_yx is None:
        return
    label = "closest point of the tumour edge"
    dot: dict[str, Any] = {
        "marker": "o",
        "ms": 8,
        "mfc": CLOSEST,
        "mec": "white",
        "mew": 1.4,
        "ls": "none",
        "zorder": 6,
    }
    axes.plot(foot_yx[1], foot_yx[0], label=label, **dot)
    text = ""
    if distance is not None and not math.isnan(distance.min_mm):
        text = f"{number(distance.min_mm)} mm"
        if not any(math.isnan(bound) for bound in distance.ci_mm):
            text += f" [{number(distance.ci_mm[0])}, {number(distance.ci_mm[1])}]"
    middle = foot_yx
    if line is not None:
        # The perpendicular is dropped in millimetres: with oblong pixels it is none in pixels.
        scale = np.array(pixel_size_mm or (1.0, 1.0))
        foot, start, end = (np.array(point, dtype=float) * scale for point in (foot_yx, *line))
        along = (end - start) / np.linalg.norm(end - start)
        on_plane = start + along * np.dot(foot - start, along)
        target = on_plane / scale
        axes.plot(
            [foot_yx[1], target[1]], [foot_yx[0], target[0]], color=CLOSEST, lw=2.4, path_effects=halo(4.0), zorder=5
        )
        middle = ((foot_yx[0] + target[0]) / 2, (foot_yx[1] + target[1]) / 2)
        if pixel_size_mm is None:
            text = f"{number(float(np.linalg.norm(on_plane - foot)))} px"
    if text:
        axes.annotate(
            text,
            (middle[1], middle[0]),
            xytext=(sideways := _inwards(axes, middle, 12.0)[0], 0.0),
            ha="left" if sideways > 0 else "right",
            va="center",
            textcoords="offset points",
            fontsize=12,
            fontweight="bold",
            color="white",
            bbox={"boxstyle": "round,pad=0.3", "fc": "#000000c8", "ec": CLOSEST},
            zorder=7,
        )


def _inwards(axes: Axes, point_yx: Point, points: float) -> Point:
    """Offset (x, y) in points that moves a label beside its point, towards the middle of the picture."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    return (
        points if point_yx[1] <= (left + right) / 2 else -points,
        -points if point_yx[0] <= (top + bottom) / 2 else points,
    )


def draw_hot_spots(axes: Axes, score: FrameScore) -> None:
    """Put the rank beside the brightest regions over the cut."""
    for spot in score.hot_spots[:SHOWN_HOT_SPOTS]:
        y, x = spot.peak_position
        axes.annotate(
            str(spot.rank),
            (x, y),
            xytext=_inwards(axes, spot.peak_position, 16.0),
            textcoords="offset points",
            arrowprops={"arrowstyle": "-", "color": "white", "path_effects": halo(2.6), "shrinkB": 0},
            fontsize=8.5,
            fontweight="bold",
            color="black",
            ha="center",
            va="center",
            bbox={"boxstyle": "circle,pad=0.25", "fc": "white", "ec": "black"},
            zorder=6,
            annotation_clip=True,
        )
    if score.hot_spots:
        dot: dict[str, Any] = {"marker": "o", "ms": 9, "mfc": "white", "mec": "black", "ls": "none"}
        axes.plot([], [], label="hot spots, 1 = brightest peak", **dot)


def draw_scale_bar(axes: Axes, width_px: float, pixel_size_mm: float | None) -> None:
    """Draw a bar of a round length, about a fifth of the picture wide, in mm or else in pixels."""
    length = round_length(0.25 * width_px * (pixel_size_mm or 1.0))
    label = f"{length:g} px, no pixel size" if pixel_size_mm is None else f"{length:g} mm"
    bar = AnchoredSizeBar(
        axes.transData,
        length / (pixel_size_mm or 1.0),
        label,
        "lower left",
        pad=0.5,
        borderpad=0.6,
        sep=4,
        size_vertical=0.008 * width_px,
        fill_bar=True,
        color="white",
    )
    bar.patch.set(facecolor="black", alpha=0.7, edgecolor="none")
    axes.add_artist(bar)


def draw_sbr(
    axes: Axes,
    x: npt.NDArray[np.float64],
    frames: Sequence[FrameScore],
    sbr_cut: float,
    curve: SbrCurve | None = None,
) -> None:
    """Draw SBR with its 95 % interval, the cut, the smoothed curve, and a cross on the axis where SBR is undefined."""
    measured = [frame.contrast.sbr for frame in frames]
    value = np.array([item.value for item in measured], dtype=float)
    low, high = np.array([item.ci for item in measured], dtype=float).T
    known = np.isfinite(value)
    finite = [part[np.isfinite(part)] for part in (value, low, high, np.array([sbr_cut]))]
    everything = np.concatenate(finite)
    top = 1.12 * float(everything.max())
    bottom = min(0.0, 1.1 * float(everything.min()))
    # A bound that is infinite or unknown runs to the panel's edge or stays with the value.
    low = np.where(np.isnan(low), value, np.clip(low, bottom, top))
    high = np.where(np.isnan(high), value, np.clip(high, bottom, top))
    series: dict[str, Any] = {"color": "#00579c"}
    few = len(frames) <= 30
    gaps = np.pad(~known, 1, constant_values=True)
    bars = known & (few | (gaps[:-2] & gaps[2:]))  # a lone value would have no band
    if not bars[known].all():
        axes.fill_between(x, low, high, where=known.tolist(), alpha=0.25, linewidth=0, label="95 % interval", **series)
    if bars.any():
        name = "95 % interval" if bars[known].all() else ""
        axes.vlines(x[bars], low[bars], high[bars], linewidth=2.2, alpha=0.55, label=name, **series)
    if known.any():
        size = 6 if few else 2
        joined = {"lw": 1.3} if curve is None else {"ls": "none", "alpha": 0.6}
        axes.plot(x, np.where(known, value, np.nan), marker="o", ms=size, label="SBR", **joined, **series)
    if curve is not None:
        draw_curve(axes, x, curve)
    if not known.all():
        axes.plot(
            x[~known],
            np.full(int((~known).sum()), 0.03),
            transform=axes.get_xaxis_transform(),
            linestyle="none",
            marker="x",
            color="#b3261e",
            label="undefined",
        )
    axes.axhline(sbr_cut, color="#b35900", linestyle="--", linewidth=1.4, label=f"cut {sbr_cut:g}")
    axes.set_ylim(bottom, top)
    axes.set_ylabel("SBR\n(signal / background)")
    columns = math.ceil(len(axes.get_legend_handles_labels()[1]) / 2) if curve is not None else 4
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, frameon=False, fontsize=9)


def draw_curve(axes: Axes, x: npt.NDArray[np.float64], curve: SbrCurve) -> None:
    """Draw the smoothed SBR with its band, and a square around every frame that a rule left out."""
    smoothed = not math.isnan(curve.window)
    if smoothed:
        order = np.argsort(x)
        low, high = curve.band[order].T
        axes.fill_between(x[order], low, high, color=SMOOTH, alpha=0.3, linewidth=0, label="95 % band of the curve")
        axes.plot(x[order], curve.smooth[order], color=SMOOTH, linewidth=2.0, label="smoothed SBR")
    known = np.isfinite(curve.sbr)
    left_out = known & np.array([bool(reasons) for reasons in curve.left_out])
    if left_out.any():
        square: dict[str, Any] = {"marker": "s", "ms": 9, "mfc": "none", "mec": "#b3261e", "mew": 1.4, "ls": "none"}
        axes.plot(x[left_out], curve.sbr[left_out], label="left out by rule", zorder=5, **square)
