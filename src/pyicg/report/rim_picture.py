"""The picture of one frame's rims: both boundaries of every lesion over the frame or over the masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pyicg.report import marks
from pyicg.report.figures import DPI, WIDTH_INCH, png
from pyicg.report.words import RESEARCH_ONLY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pyicg.results import Lesion, RimSegmentation

__all__ = ["rim_picture"]

_INNER = "#4fd2ff"  # white would drown in a bright rim shown in grey
# outside, core, rim
_AREAS = ("#3a3a3a", "#1f5f86", "#b5651d")


def rim_picture(rim: RimSegmentation, image: npt.NDArray[np.generic] | None) -> bytes:
    """Draw the contours and numbers of all lesions.

    Parameters
    ----------
    rim : RimSegmentation
        What was found.
    image : ndarray of numbers, shape (H, W), or None
        The frame, shown in grey; None shows the masks.

    Returns
    -------
    bytes
        A PNG, about 1200 pixels wide.
    """
    height, width = rim.labels.shape
    figure = Figure(
        figsize=(WIDTH_INCH, min(max(WIDTH_INCH * height / width, 2.0), 9.0) + 1.2), dpi=DPI, layout="constrained"
    )
    axes = figure.add_subplot()
    areas = _areas(axes, rim) if image is None else _frame(axes, image)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    marks.draw_lesions(axes, rim.lesions, inner=_INNER)
    for lesion in rim.lesions:
        _number(axes, lesion)
    marks.draw_scale_bar(axes, width, rim.pixel_size_mm)
    count = len(rim.lesions)
    unsure = sum("low_confidence" in lesion.reasons for lesion in rim.lesions)
    doubt = f" ({unsure} of low confidence)" if unsure else ""
    axes.set_title(f"{count or 'No'} lesion{'' if count == 1 else 's'}{doubt}, SBR cut {rim.sbr_cut:g}", fontsize=11)
    axes.set_xlabel(RESEARCH_ONLY, fontsize=7.5, color="#555555")
    marks.draw_legend(figure, axes, areas)
    return png(figure)


def _number(axes: Axes, lesion: Lesion) -> None:
    """Write the lesion's number in the middle of its core."""
    y, x = lesion.centroid
    axes.annotate(
        str(lesion.label),
        (x, y),
        fontsize=11,
        fontweight="bold",
        color="white",
        ha="center",
        va="center",
        path_effects=marks.halo(3.0),
        annotation_clip=True,
    )


def _frame(axes: Axes, image: npt.NDArray[np.generic]) -> list[Patch]:
    values = image.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(v) for v in np.percentile(finite, (0.5, 99.9))) if finite.size else (0.0, 1.0)
    values[~np.isfinite(values)] = low
    axes.imshow(values, cmap="gray", vmin=low, vmax=high if high > low else low + 1)
    return []


def _areas(axes: Axes, rim: RimSegmentation) -> list[Patch]:
    axes.imshow(
        np.where(rim.core_mask, 1, np.where(rim.rim_mask, 2, 0)),
        cmap=ListedColormap(_AREAS),
        vmin=-0.5,
        vmax=2.5,
        interpolation="nearest",
    )
    return [Patch(facecolor=_AREAS[k], label=name) for k, name in ((1, "core"), (2, "rim"))] if rim.lesions else []
