"""The picture of a profile's maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pyicg.errors import InputError
from pyicg.report.camera_figures import MAPS, four
from pyicg.report.figures import DPI, png
from pyicg.report.marks import drawable
from pyicg.report.words import RESEARCH_ONLY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pyicg.profile import CameraProfile

__all__ = ["maps_picture"]

_SHOWN = ("dark", "dark_rate", "flat", "read_noise_map", "gain_map")
_COLUMNS = 2
_MARKS = 20_000  # more bad pixels than this are drawn as a picture, not one by one
_BAD = "#d55e00"


def maps_picture(profile: CameraProfile) -> bytes:
    """Draw dark level, response, bad pixels and what else a profile maps, each with its colour bar.

    Parameters
    ----------
    profile : CameraProfile
        A profile with at least one map.

    Returns
    -------
    bytes
        A PNG, about 1350 pixels wide.

    Raises
    ------
    InputError
        When the profile has no map.
    """
    shown = [
        (name, heading, unit) for name, heading, unit in MAPS if name in _SHOWN and _map(profile, name) is not None
    ]
    panels = len(shown) + (profile.bad is not None)
    if not panels:
        raise InputError("the profile holds no maps to draw; expected at least one of dark, flat and bad")
    height, width = profile.shape
    columns = min(_COLUMNS, panels)
    rows = -(-panels // columns)
    panel_height = min(max(3.4 * height / width, 1.4), 5.0)
    figure = Figure(figsize=(4.5 * columns, (panel_height + 0.75) * rows + 0.9), dpi=DPI, layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    good = np.ones(profile.shape, np.bool_) if profile.bad is None else ~profile.bad
    for axes, (name, heading, unit) in zip(grid, shown, strict=False):
        data = _map(profile, name)
        if data is not None:
            _panel(figure, axes, data, good, f"{heading}, {unit}".removesuffix(", "))
    if profile.bad is not None:
        _bad_panel(grid[len(shown)], profile.bad)
    for axes in grid[panels:]:
        axes.set_axis_off()
    figure.suptitle(drawable(_title(profile)), fontsize=12, fontweight="bold", parse_math=False)
    figure.supxlabel(RESEARCH_ONLY, fontsize=7.5, color="#555555")
    return png(figure)


def _map(profile: CameraProfile, name: str) -> npt.NDArray[np.float32] | None:
    found: npt.NDArray[np.float32] | None = getattr(profile, name)
    return found


def _title(profile: CameraProfile) -> str:
    said = [
        text
        for text, holds in (
            ("SIMULATED", profile.provenance.get("simulated") is True),
            ("UNCALIBRATED", not profile.calibrated),
        )
        if holds
    ]
    name = profile.camera if len(profile.camera) <= 60 else f"{profile.camera[:57]}..."
    return ". ".join([*said, name])


def _panel(
    figure: Figure, axes: Axes, data: npt.NDArray[np.float32], good: npt.NDArray[np.bool_], heading: str
) -> None:
    values = data[good] if good.any() else data
    low, high = (float(value) for value in np.percentile(values, (0.5, 99.5)))
    if not high > low:
        low, high = low - 0.5, low + 0.5
    shown = axes.imshow(data, cmap=colormaps["cividis"], norm=Normalize(low, high))
    figure.colorbar(shown, ax=axes, extend="both", shrink=0.9, pad=0.02)
    axes.set(xticks=[], yticks=[])
    axes.set_title(heading, fontsize=10.5)
    axes.set_xlabel(f"median {four(float(np.median(values)))}", fontsize=9)


def _bad_panel(axes: Axes, bad: npt.NDArray[np.bool_]) -> None:
    """Draw each bad pixel as a dot: single pixels would vanish when the picture is made smaller."""
    y, x = np.nonzero(bad)
    axes.imshow(np.zeros(bad.shape), cmap="gray_r", vmin=0, vmax=4 if y.size <= _MARKS else 1)
    if y.size <= _MARKS:
        axes.plot(x, y, ls="none", marker="s", ms=2.6 if y.size < 2000 else 1.0, color=_BAD, mew=0)
    else:
        axes.imshow(bad, cmap="gray_r")
    axes.set(xticks=[], yticks=[])
    axes.set_title("Bad pixels", fontsize=10.5)
    axes.set_xlabel(f"{y.size} of {bad.size} ({100 * y.size / bad.size:.2g} %)", fontsize=9)
