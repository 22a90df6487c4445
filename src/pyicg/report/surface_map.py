"""The tumour's surface as the resection plane sees it, coloured by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from pyicg.errors import InputError
from pyicg.report.figures import DPI, WIDTH_INCH, png
from pyicg.report.words import RESEARCH_ONLY, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyicg.results import Distance

__all__ = ["surface_map"]

_STEPS_MM = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


def surface_map(distance: Distance, normal: Sequence[float]) -> bytes:
    """Draw the side of the tumour that faces the resection plane, seen along the plane's normal.

    Parameters
    ----------
    distance : Distance
        With a map that has triangles.
    normal : (z, y, x)
        The plane's normal, away from the tumour; the side is turned so that the tumour's distances are seen.

    Returns
    -------
    bytes
        A PNG, about 1200 pixels wide.

    Raises
    ------
    InputError
        `distance` has no surface.
    """
    seen = distance.map
    if seen is None or len(seen.triangles) == 0:
        raise InputError("the distance has no surface to draw; expected one measured on slices or on a volume")
    unit = np.array(normal, dtype=float) / np.linalg.norm(normal)
    across, along = _axes_of_view(unit)
    u, v = ((seen.points_mm - distance.foot_mm) @ axis for axis in (across, along))
    # Of what lies behind one another the nearest is seen: triangles are painted from far to near.
    far_first = np.argsort(-seen.distance_mm[seen.triangles].mean(axis=1))
    triangles = seen.triangles[far_first]
    tall = float(np.ptp(v) / np.ptp(u))
    figure = Figure(figsize=(WIDTH_INCH, min(WIDTH_INCH * tall, 5.5) + 2.0), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    norm = BoundaryNorm(_STEPS_MM, 256, extend="both")
    shown = axes.tripcolor(
        u, v, triangles, facecolors=seen.distance_mm[triangles].mean(axis=1), cmap=colormaps["RdYlBu"], norm=norm
    )
    bar = figure.colorbar(shown, ax=axes, ticks=_STEPS_MM, location="bottom", shrink=0.8, aspect=40)
    bar.set_label("tumour's edge to resection plane, mm (red and orange: under 1 mm)")
    axes.plot(0, 0, "o", ms=9, mfc="white", mec="black", mew=1.6)
    text = f"{number(distance.min_mm)} mm [{number(distance.ci_mm[0])}, {number(distance.ci_mm[1])}]"
    axes.set(aspect="equal", xlabel="within the slice, mm from the closest point", ylabel="across the slices, mm")
    axes.set_title(f"The tumour as the resection plane sees it. White: closest, {text}", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(RESEARCH_ONLY, fontsize=7.5, color="#555555")
    return png(figure)


def _axes_of_view(unit: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return two directions across the normal: one within the slices, one as near to z as can be."""
    within = np.array([0.0, unit[2], -unit[1]])
    length = float(np.linalg.norm(within))
    within = within / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])
    along = np.cross(within, unit)
    return within, along if along[0] >= 0 else -along
