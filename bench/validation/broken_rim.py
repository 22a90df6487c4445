"""One broken rim, simulated: what `segment_rim` finds, and how far that lies from the truth.

Run ``python bench/validation/broken_rim.py``: it draws docs/_static/broken_rim.png, which docs/rim.md shows.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.spatial import KDTree

import pyicg
from pyicg.phantom import RimScene, RimShape, rim_scene

Reals = npt.NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "_static" / "broken_rim.png"
PIXEL_MM = 0.1
SEED = 3
EXAGGERATED = 20
TRUTH, INNER, OUTER, GAP = "white", "#39d0ff", "#ffa21f", "#ff4f8b"


def simulate() -> RimScene:
    """Return a tumour of about 8 mm with a rim of 1.6 mm, one sixth of it missing."""
    shape = RimShape(
        40.0,
        16.0,
        (80.3, 79.6),
        ellipticity=0.15,
        angle_deg=25.0,
        harmonics={3: (0.05, 0.6)},
        gaps_deg=((285.0, 345.0),),
    )
    return rim_scene((160, 160), [shape], sbr=3.0, core_sbr=0.5, snr=10.0, psf_sigma_px=1.6, seed=SEED)


def closed(contour: Reals) -> Reals:
    """Return the contour with its first vertex once more at the end."""
    return np.vstack([contour, contour[:1]])


def outwards(contour: Reals, truth: Reals) -> Reals:
    """Return how far each vertex lies outside the true contour; negative inside."""
    ahead = np.roll(truth, -1, axis=0) - np.roll(truth, 1, axis=0)
    normal = np.column_stack([ahead[:, 1], -ahead[:, 0]])
    normal *= np.sign(np.sum(normal * (truth - truth.mean(axis=0)), axis=1))[:, None]
    nearest = KDTree(truth).query(contour)[1]
    normal = normal[nearest] / np.hypot(*normal[nearest].T)[:, None]
    return np.asarray(np.sum((contour - truth[nearest]) * normal, axis=1))


def draw_frame(axes: Axes, scene: RimScene, lesion: pyicg.results.Lesion, missing: npt.NDArray[np.bool_]) -> None:
    """Draw the frame with both contours, their uncertainty and the gap."""
    inner, outer = lesion.inner_contour, lesion.outer_contour
    axes.imshow(scene.image, cmap="gray", vmin=20, vmax=360)
    ray = inner - np.asarray(lesion.centroid)
    ray /= np.hypot(*ray.T)[:, None]
    band = EXAGGERATED * lesion.inner_sigma[:, None] * ray
    ends = np.vstack([closed(inner + band), closed(inner - band)[::-1]])
    axes.fill(ends[:, 1], ends[:, 0], color=INNER, alpha=0.35, linewidth=0)
    where = np.flatnonzero(missing)
    edge = np.vstack([inner[where], outer[where][::-1]])
    axes.fill(edge[:, 1], edge[:, 0], facecolor="none", edgecolor=GAP, hatch="////", linewidth=0)
    axes.plot(*closed(outer).T[::-1], color=OUTER, linewidth=1.8)
    axes.plot(*closed(inner).T[::-1], color=INNER, linewidth=2.4)
    for truth in (*scene.truth.inner_contours, *scene.truth.outer_contours):
        axes.plot(*closed(truth).T[::-1], color=TRUTH, linewidth=0.9, linestyle=(0, (1.5, 3)))
    axes.set(xticks=[], yticks=[], title="SIMULATED frame, and what pyicg finds in it")


def name_parts(axes: Axes, lesion: pyicg.results.Lesion, missing: npt.NDArray[np.bool_]) -> None:
    """Write on the frame what is what."""

    def point(contour: Reals, k: int, text: str, at: tuple[float, float], colour: str) -> None:
        axes.annotate(
            text,
            xy=(contour[k, 1], contour[k, 0]),
            xytext=at,
            color=colour,
            fontsize=10,
            fontweight="bold",
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 1.2, "shrinkB": 0},
        )

    n = len(lesion.inner_contour)
    middle = int(np.flatnonzero(missing)[missing.sum() // 2])
    point(lesion.outer_contour, round(0.6 * n), "rim: liver that glows", (34, 17), "#ffffff")
    point(lesion.inner_contour, round(0.17 * n), "tumour's edge\n(inner boundary)", (72, 96), INNER)
    point(lesion.outer_contour, round(0.37 * n), "outer boundary", (30, 148), OUTER)
    point(lesion.outer_contour, middle, "gap: no rim", (136, 17), GAP)
    axes.text(70, 63, "TUMOUR", color="white", fontsize=13, fontweight="bold", ha="center")
    note = f"blue band: uncertainty, drawn\n{EXAGGERATED} times too wide"
    axes.text(74, 76, note, color=INNER, fontsize=8.5, ha="center", va="center")
    axes.text(4, 5, "dotted: the truth", color=TRUTH, fontsize=9.5, va="center")
    axes.plot([104, 104 + 5 / PIXEL_MM], [151, 151], color="white", linewidth=3)
    axes.text(104 + 2.5 / PIXEL_MM, 148, "5 mm", color="white", fontsize=9.5, ha="center")


def draw_errors(axes: Axes, angle: Reals, error: Reals, sigma: Reals, gap: tuple[float, float]) -> None:
    """Draw the error of the inner boundary, all around, with the interval that pyicg states."""
    axes.axvspan(*gap, color=GAP, alpha=0.18, linewidth=0)
    axes.text(sum(gap) / 2, 0.95, "gap", color="#c2185b", ha="center", transform=axes.get_xaxis_transform())
    axes.fill_between(
        angle, -1.96 * sigma, 1.96 * sigma, color=INNER, alpha=0.35, linewidth=0, label="95 % interval as stated"
    )
    axes.plot(angle, error, color="#00579c", linewidth=1.8, label="error: found minus true")
    axes.axhline(0, color="#555555", linewidth=0.8)
    reach = 1.3 * max(float(np.max(1.96 * sigma)), float(np.abs(error).max()))
    axes.set(
        xlim=(0, 360),
        ylim=(-reach, reach),
        xticks=range(0, 361, 60),
        xlabel="angle around the tumour, degrees (0 = right, 90 = down)",
        ylabel=f"tumour's edge, px outwards (1 px = {PIXEL_MM:g} mm)",
        title="How far off the tumour's edge is",
    )
    axes.legend(loc="lower left", fontsize=9, frameon=False)
    axes.grid(axis="y", color="#e4e4e4")
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Find the rim, draw it and print its figures."""
    scene = simulate()
    cal = pyicg.calibrate(scene.image, pyicg.CameraProfile.identity(scene.image.shape, bit_depth=None))
    (lesion,) = pyicg.segment_rim(cal, pixel_size_mm=PIXEL_MM).lesions
    ((start, end),) = lesion.gaps_deg.tolist()
    angle = 360 * np.arange(len(lesion.inner_contour)) / len(lesion.inner_contour)
    missing = np.asarray((angle - start) % 360 < end - start)
    error = outwards(lesion.inner_contour, scene.truth.inner_contours[0])
    seen = {"RMS error away from the gap": error[~missing], "in the gap": error[missing]}
    print(", ".join(f"{name} {math.sqrt(np.mean(part**2)):.3f} px" for name, part in seen.items()))
    print(f"completeness {lesion.completeness:.3f}, true {scene.truth.completeness[0]:.3f}; {lesion.thickness_mm} mm")

    figure = Figure(figsize=(11.0, 5.0), dpi=120, layout="constrained")
    panels: Any = figure.subplots(1, 2, width_ratios=[1.0, 1.1])
    draw_frame(panels[0], scene, lesion, missing)
    name_parts(panels[0], lesion, missing)
    draw_errors(panels[1], angle, error, lesion.inner_sigma, (start, end))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, metadata={"Software": None})
    print(f"wrote {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
