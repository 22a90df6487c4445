"""How far do the boundaries of `pyicg.segment_rim` lie from the true ones? Markdown tables for docs/rim_evidence.md.

Every frame is drawn at random from a grid: shape (circle, ellipse, wobbled, lobed) x SBR x SNR x blur x thickness x
gaps x 1 to 4 lesions x flecks (`rim_frames.py`). Beside pyicg, with the point spread told and estimated, the same
frames go through what others would write (`rim_peers.py`). Then the mean error of whole circles over curvature and
blur, rims that touch or that the border cuts, and the grid again through a point spread with the wide tail of turbid
tissue. Everything is simulated and seeded; 2000 frames take about half an hour of two cores.
Usage:
``python bench/validation/rim.py [--scenes 2000] [--tail-scenes 400] [--crowded-scenes 200] [--repeats 24] [--seed 1]
[--processes 2] [--figure docs/_static/rim_errors.png] [--slice]``.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import rim_frames as frames
import rim_peers
from rim_frames import BLURS_PX, GAPS, KINDS, SBRS, SNRS, THICK, Found, Setting

import pyicg
from pyicg.phantom import RimScene, RimShape

RADII_PX = (12.0, 20.0, 40.0, 80.0)  # of the table of curvature and blur
TAIL = 0.3
TOLD, ESTIMATED, KNOWN = "pyicg, point spread told", "pyicg, estimated", rim_peers.KNOWN


@dataclass(frozen=True)
class Row:
    """One true lesion, one method. Errors in pixels, NaN when it was not found."""

    route: str
    setting: Setting
    broken: bool
    thickness: float  # smallest, over the blur's sigma
    inner_bias: float = math.nan
    inner_rms: float = math.nan
    outer_bias: float = math.nan
    outer_rms: float = math.nan
    dice: float = math.nan
    completeness: float = math.nan
    confidence: float = math.nan
    normalised_mean: float = math.nan
    normalised_square: float = math.nan

    @property
    def found(self) -> bool:
        return not math.isnan(self.inner_rms)


@dataclass(frozen=True)
class Frame:
    """One frame, one method."""

    route: str
    setting: Setting
    false: int
    seconds: float
    rows: tuple[Row, ...]


def segment(scene: RimScene, psf_sigma_px: float | None) -> list[Found]:
    """Find rims with pyicg, the background left to it."""
    cal = pyicg.calibrate(scene.image, pyicg.CameraProfile.identity(scene.image.shape, bit_depth=None))
    rim = pyicg.segment_rim(cal, psf_sigma_px=psf_sigma_px)
    return [
        Found(
            les.inner_contour,
            les.outer_contour,
            rim.rim_mask & (rim.labels == les.label),
            les.inner_sigma,
            les.completeness,
            les.confidence,
        )
        for les in rim.lesions
    ]


def run(setting: Setting, scene: RimScene, routes: Iterable[str]) -> list[Frame]:
    """Send a frame through the routes and compare with the truth."""
    methods: dict[str, Callable[[RimScene], list[Found]]] = {
        TOLD: partial(segment, psf_sigma_px=setting.told_px),
        ESTIMATED: partial(segment, psf_sigma_px=None),
        **rim_peers.installed(),
    }
    out = []
    for route in routes:
        start = time.perf_counter()
        found = methods[route](scene)
        seconds = time.perf_counter() - start
        pairs, false = frames.matched(found, scene)
        rows = []
        for k, shape in enumerate(scene.truth.shapes):
            about = (route, setting, bool(shape.gaps_deg), frames.least_thickness_px(shape) / setting.blur_px)
            rows.append(Row(*about, **figures(frames.errors(pairs[k], scene, k))) if k in pairs else Row(*about))
        out.append(Frame(route, setting, false, seconds, tuple(rows)))
    return out


def figures(e: frames.Errors) -> dict[str, float]:
    def mean(values: Any) -> float:
        return float(np.mean(values)) if len(values) else math.nan

    return {
        "inner_bias": mean(e.inner),
        "inner_rms": math.sqrt(mean(e.inner**2)),
        "outer_bias": mean(e.outer),
        "outer_rms": math.sqrt(mean(e.outer**2)),
        "dice": e.dice,
        "completeness": e.completeness,
        "confidence": e.confidence,
        "normalised_mean": mean(e.normalised),
        "normalised_square": mean(e.normalised**2),
    }


def grid_frame(seed: int, tail: float) -> list[Frame]:
    return run(*frames.draw(seed, tail), [TOLD, ESTIMATED, *rim_peers.installed()])


def crowded_frame(seed: int, place: str) -> list[Frame]:
    return run(*frames.draw(seed, place=place), [TOLD, ESTIMATED])


def circle_frame(cell: tuple[float, float, int]) -> tuple[tuple[float, float], list[Frame]]:
    """One whole circle of the table of curvature and blur, at SBR 3 and SNR 40, as thick as the grid asks."""
    radius, blur, seed = cell
    setting = Setting(seed, "circle", sbr=3.0, core_sbr=0.4, snr=40.0, blur_px=blur, gap=0.0, lesions=1, flecks=0)
    shape = RimShape(radius, max(1.1 * THICK * blur, 8.0), (0.0, 0.0))
    rng = np.random.default_rng(seed)
    scene = frames.scene_of(setting, *frames.placed(rng, [shape], blur))
    return (radius, blur), run(setting, scene, [TOLD, ESTIMATED, KNOWN])


# Tables


def table(title: str, head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    print(f"\n### {title}\n\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for line in lines:
        print("| " + " | ".join(line) + " |")


HEAD = (
    "lesions",
    "found",
    "inner RMS: median",
    "95 %",
    "pooled",
    "inner mean",
    "outer RMS pooled",
    "outer mean",
    "Dice mean (5 %)",
    "completeness, 95 % of errors (points)",
    "error / sigma: SD",
    "confidence > 0.5",
)


def pooled(values: Iterable[float]) -> float:
    finite = [v for v in values if not math.isnan(v)]
    return math.sqrt(float(np.mean(np.square(finite)))) if finite else math.nan


def quantile(values: Iterable[float], q: float) -> float:
    finite = [v for v in values if not math.isnan(v)]
    return float(np.quantile(finite, q)) if finite else math.nan


def mean(values: Iterable[float]) -> float:
    finite = [v for v in values if not math.isnan(v)]
    return float(np.mean(finite)) if finite else math.nan


def normalised_sd(rows: Sequence[Row]) -> float:
    about = mean(r.normalised_mean for r in rows)
    return math.sqrt(max(mean(r.normalised_square for r in rows) - about**2, 0.0)) if rows else math.nan


def summary(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return ["0"] + ["–"] * (len(HEAD) - 1)
    text = [
        f"{len(rows)}",
        f"{mean(float(r.found) for r in rows):.1%}",
        f"{quantile((r.inner_rms for r in rows), 0.5):.3f}",
        f"{quantile((r.inner_rms for r in rows), 0.95):.3f}",
        f"{pooled(r.inner_rms for r in rows):.3f}",
        f"{mean(r.inner_bias for r in rows):+.3f}",
        f"{pooled(r.outer_rms for r in rows):.3f}",
        f"{mean(r.outer_bias for r in rows):+.3f}",
        f"{mean(r.dice for r in rows):.3f} ({quantile((r.dice for r in rows), 0.05):.3f})",
        f"{100 * quantile((abs(r.completeness) for r in rows), 0.95):.1f}",
        f"{normalised_sd(rows):.2f}",
        f"{mean(float(r.confidence >= 0.5) for r in rows if r.found):.1%}",
    ]
    return ["–" if "nan" in cell else cell for cell in text]


def good(r: Row) -> bool:
    """Bright, quiet and thick enough for the targets."""
    return r.setting.sbr >= 3 and r.setting.snr >= 20 and r.thickness >= THICK


def grid_tables(done: Sequence[Frame], title: str) -> None:
    routes = list(dict.fromkeys(f.route for f in done))
    rows = {route: [r for f in done if f.route == route for r in f.rows] for route in routes}
    parts: dict[str, Callable[[Row], bool]] = {
        "whole": lambda r: good(r) and not r.broken,
        "whole, SNR 40 up": lambda r: good(r) and not r.broken and r.setting.snr >= 40,
        "broken, away from gaps": lambda r: good(r) and r.broken,
        "all": lambda _: True,
    }
    lines = [
        [name, route, *summary([r for r in rows[route] if keep(r)])] for name, keep in parts.items() for route in routes
    ]
    table(
        f"{title}: SBR 3 up, SNR 20 up, thickness 4 blur sigmas up; last the whole grid",
        ["rims", "method", *HEAD],
        lines,
    )
    cuts: dict[str, tuple[Sequence[Any], Callable[[Row], Any]]] = {
        "SBR": (SBRS, lambda r: r.setting.sbr),
        "SNR": (SNRS, lambda r: r.setting.snr),
        "blur (px)": (BLURS_PX, lambda r: r.setting.blur_px),
        "shape": (KINDS, lambda r: r.setting.kind),
        "missing angles": (GAPS, lambda r: r.setting.gap),
        "lesions in frame": ((1, 2, 3, 4), lambda r: r.setting.lesions),
        "thickness over blur sigma": (
            ("under 2.5", "2.5 to 4", "4 to 6", "6 up"),
            lambda r: ("under 2.5", "2.5 to 4", "4 to 6", "6 up")[
                int(np.searchsorted((2.5, 4, 6), r.thickness, "right"))
            ],
        ),
    }
    for route in (TOLD, ESTIMATED):
        lines = [
            [f"{cut} {value}", *summary([r for r in rows[route] if of(r) == value])]
            for cut, (values, of) in cuts.items()
            for value in values
        ]
        table(f"{title}: every cut through the grid, {route}", ["", *HEAD], lines)
    lines = []
    for route in routes:
        mine = [f for f in done if f.route == route]
        false = "–" if route == KNOWN else f"{mean(float(f.false > 0) for f in mine):.2%}"
        lines.append([route, f"{len(mine)}", false, f"{1000 * quantile((f.seconds for f in mine), 0.5):.1f}"])
    table(f"{title}: frames", ["method", "frames", "frames with a false lesion", "median ms per frame"], lines)


def crowded_table(done: Sequence[Frame]) -> None:
    lines = [
        [
            place,
            route,
            *summary([r for f in done if (f.route, f.setting.place) == (route, place) for r in f.rows if good(r)]),
        ]
        for place in frames.PLACES[1:]
        for route in (TOLD, ESTIMATED)
    ]
    table("Touching and cut: SBR 3 up, SNR 20 up, thickness 4 blur sigmas up", ["rims", "method", *HEAD], lines)


def bias_tables(cells: dict[tuple[float, float], list[Frame]]) -> None:
    for route in (TOLD, ESTIMATED, KNOWN):
        lines = []
        for radius in RADII_PX:
            line = [f"{radius:g}"]
            for blur in BLURS_PX:
                biases = biases_of(cells[radius, blur], route)
                error = np.std(biases) / math.sqrt(max(len(biases), 1))
                line.append(f"{mean(biases):+.3f} ± {error:.3f}")
            lines.append(line)
        table(
            f"Mean error of the inner boundary, {route}", ["radius (px)", *(f"blur {b:g} px" for b in BLURS_PX)], lines
        )


def biases_of(done: Sequence[Frame], route: str) -> list[float]:
    return [r.inner_bias for f in done if f.route == route for r in f.rows if r.found]


def verdicts(done: Sequence[Frame], cells: dict[tuple[float, float], list[Frame]]) -> None:
    """Print what was wanted and what was reached."""
    lines = []

    def wanted(name: str, route: str, value: float, limit: str, passed: bool, count: int) -> None:
        lines.append([name, route, str(count), limit, f"{value:.4g}", "PASS" if passed else "**FAIL**"])

    for route, largest in ((TOLD, 0.02), (ESTIMATED, 0.04)):
        mine = [f for f in done if f.route == route]
        rows = [r for f in mine for r in f.rows]
        best = [r for r in rows if good(r)]
        whole = [r for r in best if not r.broken]
        quiet = [r for r in whole if r.setting.snr >= 40]
        for name, part, limit in (
            ("inner RMS, whole, pooled (px)", whole, 0.06),
            ("inner RMS, whole, SNR 40 up, pooled (px)", quiet, 0.04),
            ("inner RMS, broken, away from gaps, pooled (px)", [r for r in best if r.broken], 0.12),
        ):
            value = pooled(r.inner_rms for r in part)
            wanted(name, route, value, f"<= {limit}", value <= limit, len(part))
        dice = mean(r.dice for r in best)
        wanted("Dice of rim, mean", route, dice, ">= 0.97", dice >= 0.97, len(best))
        complete = quantile((abs(r.completeness) for r in best), 0.95)
        wanted("completeness, 95 % of errors", route, complete, "<= 0.03", complete <= 0.03, len(best))
        found = mean(float(r.found) for r in best)
        wanted("lesions found", route, found, ">= 0.99", found >= 0.99, len(best))
        sure = mean(float(r.confidence >= 0.5) for r in best if r.found)
        wanted("confidence 0.5 up", route, sure, ">= 0.99", sure >= 0.99, len(best))
        false = mean(float(f.false > 0) for f in mine)
        wanted("frames with a false lesion", route, false, "<= 0.01", false <= 0.01, len(mine))
        faint = [r for r in rows if (r.setting.sbr, r.setting.snr) == (1.5, 10.0)]
        dice = mean(r.dice if r.found else 0.0 for r in faint)
        wanted("Dice at SBR 1.5, SNR 10, mean, 0 when not found", route, dice, ">= 0.90", dice >= 0.90, len(faint))
        sd = normalised_sd(rows)
        wanted("error / sigma, SD over the grid", route, sd, "0.8 to 1.25", 0.8 <= sd <= 1.25, len(rows))
        worst = max((abs(mean(biases_of(f, route))) for f in cells.values()), default=math.nan)
        wanted(
            "largest mean error over curvature and blur (px)",
            route,
            worst,
            f"<= {largest}",
            worst <= largest,
            len(cells),
        )
    table("What was wanted", ["figure", "method", "of", "wanted", "found", ""], lines)


def figure(done: Sequence[Frame], path: str) -> None:
    """Plot RMS of whole rims against SNR and blur, method by method."""
    import matplotlib.pyplot as plt

    panels, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, constrained_layout=True)
    routes = list(dict.fromkeys(f.route for f in done))
    for ax, name, values, of in (
        (axes[0], "SNR", SNRS, lambda r: r.setting.snr),
        (axes[1], "blur (px)", BLURS_PX, lambda r: r.setting.blur_px),
    ):
        for route in routes:
            rows = [r for f in done if f.route == route for r in f.rows]
            rows = [r for r in rows if r.setting.sbr >= 3 and not r.broken and r.thickness >= THICK]
            rows = rows if name == "SNR" else [r for r in rows if r.setting.snr >= 20]
            ax.plot(values, [pooled(r.inner_rms for r in rows if of(r) == v) for v in values], "o-", label=route)
        ax.set(xscale="log", yscale="log", xlabel=name, xticks=values, xticklabels=[f"{v:g}" for v in values])
        ax.minorticks_off()
        ax.set_yticks(ticks := (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0), [f"{tick:g}" for tick in ticks])
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("inner boundary, RMS error (px)")
    panels.legend(*axes[1].get_legend_handles_labels(), loc="outside upper center", ncols=len(routes), fontsize=7)
    panels.savefig(path, dpi=110)


def main() -> None:
    """Run the grid and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--tail-scenes", type=int, default=400)
    parser.add_argument("--crowded-scenes", type=int, default=200, help="of touching and of cut rims")
    parser.add_argument("--repeats", type=int, default=24, help="frames per cell of curvature and blur")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--figure")
    parser.add_argument("--slice", action="store_true", help="a minute of it")
    options = parser.parse_args()
    if options.slice:
        options.scenes, options.tail_scenes, options.crowded_scenes, options.repeats = 40, 8, 8, 2
    first = 1_000_000 * options.seed
    seeds = range(first, first + options.scenes)
    cells: dict[tuple[float, float], list[Frame]] = {cell: [] for cell in product(RADII_PX, BLURS_PX)}
    circles = [(*cell, first + i) for cell in cells for i in range(options.repeats)]
    with ProcessPoolExecutor(options.processes) as pool:
        done = [f for part in pool.map(partial(grid_frame, tail=0.0), seeds, chunksize=4) for f in part]
        for cell, part in pool.map(circle_frame, circles, chunksize=4):
            cells[cell] += part
        crowded = [
            f
            for place in frames.PLACES[1:]
            for part in pool.map(partial(crowded_frame, place=place), seeds[: options.crowded_scenes])
            for f in part
        ]
        tailed = [f for part in pool.map(partial(grid_frame, tail=TAIL), seeds[: options.tail_scenes]) for f in part]
    verdicts(done, cells)
    grid_tables(done, "Gaussian blur")
    bias_tables(cells)
    crowded_table(crowded)
    if tailed:
        grid_tables(tailed, f"{TAIL:.0%} of the light through scattering tissue")
    if options.figure:
        figure(done, options.figure)


if __name__ == "__main__":
    main()
