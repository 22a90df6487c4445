"""Is the SBR right, and does its interval hold the truth, whatever the camera? 500 frames in each of 480 cells.

Twenty simulated cameras (8-bit and noisy to 16-bit and quiet) x vignetting 0 and 0.4 x SBR 1.05 to 20 x long and short
exposure. Each cell has twenty profiles, measured from 16 dark frames at either exposure and 16 flat frames of a camera
with patterns of its own; an even lesion of 2 to 40 % of the frame lies anywhere on even liver, and the signal mask is
its truth. *Long*: the lesion reaches 70 % of the range. *Short*, an eighth of the exposure: the liver gives a pixel 10
electrons, or twice its read noise. Everything is simulated and seeded. Usage:
``python bench/validation/contrast.py [--runs 500] [--cells 0:40:1] [--policies mode,...] [--jobs 2]``; ``--cells``
takes a slice of the 40 settings (camera, vignetting), each of which has twelve cells.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from predicted_variance import cameras

import pyicg
from pyicg.phantom import SimulatedCamera

Mask = npt.NDArray[np.bool_]

SHAPE = (96, 96)
SBRS = (1.05, 1.2, 1.5, 2.0, 5.0, 20.0)
VIGNETTING = (0.0, 0.4)
EXPOSURES = ("long", "short")
SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)  # of the frame, that the lesion covers
LESION_LEVEL = 0.7  # of the range, at the long exposure
SHORTER = 8.0
PROFILES = 20
PROFILE_FRAMES = 16
LOWEST = 0.88  # coverage of a cell
FIGURES = ("sbr", "weber", "michelson", "cnr", "cvr")

# What may be asked of a run, whose lesion is known.
POLICIES: dict[str, Callable[[Mask], dict[str, Any]]] = {
    "mode": lambda _: {},
    "mode without lesion": lambda lesion: {"exclude": lesion},
    "median without lesion": lambda lesion: {"policy": "median", "exclude": lesion},
    "mask": lambda lesion: {"policy": "mask", "mask": ~lesion},
    "annulus": lambda lesion: {"policy": "annulus", "signal": lesion},
    "distant": lambda lesion: {"policy": "distant", "signal": lesion},
    "surface": lambda lesion: {"policy": "surface", "signal": lesion},
}


@dataclass(frozen=True)
class Cell:
    """What is held fixed over 500 runs."""

    camera: int
    vignetting: float
    exposure: str
    sbr: float
    policy: str


@dataclass(frozen=True)
class Outcome:
    """What one run says of one figure."""

    value: float
    lo: float
    hi: float
    truth: float
    reason: str | None

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth; an unbounded one does."""
        return self.lo <= self.truth <= self.hi


@dataclass(frozen=True)
class Row:
    """What the runs of a cell say of one figure."""

    cell: Cell
    outcomes: Sequence[Outcome]

    @property
    def bias(self) -> float:
        """Mean deviation from the truth of the runs that give a number."""
        errors = [o.value - o.truth for o in self.outcomes if not math.isnan(o.value)]
        return float(np.mean(errors)) if errors else math.nan

    @property
    def coverage(self) -> float:
        return float(np.mean([o.covered for o in self.outcomes]))

    @property
    def refused(self) -> float:
        """Share of the runs with a reason beside the number, or in its place."""
        return float(np.mean([o.reason is not None for o in self.outcomes]))

    @property
    def fails(self) -> bool:
        """Bias of 1 % or more from SBR 1.5 up, of 0.02 or more below; or too low a coverage."""
        largest = 0.01 * self.cell.sbr if self.cell.sbr >= 1.5 else 0.02
        return not abs(self.bias) < largest or self.coverage < LOWEST


def disc(share: float, rng: np.random.Generator) -> Mask:
    """Return a disc that covers this share of the frame, anywhere in it."""
    radius = math.sqrt(share * SHAPE[0] * SHAPE[1] / math.pi)
    y, x = (rng.uniform(radius, n - 1 - radius) for n in SHAPE)
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 < radius**2


def measured_profile(camera: SimulatedCamera, short_ms: float) -> pyicg.CameraProfile:
    """Measure a profile for both exposures, as a user would."""
    dark = {
        exposure: camera.dark_series(PROFILE_FRAMES, shape=SHAPE, exposure_ms=exposure)
        for exposure in (short_ms, camera.exposure_ms)
    }
    return pyicg.build_profile(
        dark,
        camera.flat_series(PROFILE_FRAMES, shape=SHAPE),
        camera="simulated",
        exposure_ms=camera.exposure_ms,
        bit_depth=camera.bit_depth,
    )


def liver_e_per_ms(camera: SimulatedCamera, exposure: str, exposure_ms: float, sbr: float) -> float:
    """Electrons per ms of liver: see the head of this file."""
    if exposure == "short":
        return max(10.0, 2 * camera.read_noise_e) / exposure_ms
    range_e = (camera.saturation_dn - camera.offset_dn) / camera.gain_dn_per_e
    return LESION_LEVEL * range_e / sbr / exposure_ms


def run(job: tuple[int, float, int, int, tuple[str, ...]]) -> dict[Cell, dict[str, list[Outcome]]]:
    """Measure one profile and score `frames` frames with it in each of twelve cells."""
    index, vignetting, turn, frames, policies = job
    rng = np.random.default_rng([index, int(100 * vignetting), turn])
    camera = replace(cameras()[index], vignetting=vignetting, seed=int(rng.integers(2**31)))
    lesion = disc(SHARES[turn % len(SHARES)], rng)
    times = {"long": camera.exposure_ms, "short": camera.exposure_ms / SHORTER}
    profile = measured_profile(camera, times["short"])
    found: dict[Cell, dict[str, list[Outcome]]] = {}
    for exposure, exposure_ms in times.items():
        livers = [liver_e_per_ms(camera, exposure, exposure_ms, sbr) for sbr in SBRS]
        scenes = np.stack([np.where(lesion, liver * sbr, liver) for liver, sbr in zip(livers, SBRS, strict=True)])
        raws = camera.expose(scenes, frames, exposure_ms=exposure_ms).reshape(len(SBRS), frames, *SHAPE)
        for sbr, stack in zip(SBRS, raws, strict=True):
            cals = [pyicg.calibrate(raw, profile, exposure_ms=exposure_ms) for raw in stack]
            truth = truths(sbr, cals, lesion)
            for policy in policies:
                cell = Cell(index, vignetting, exposure, sbr, policy)
                contrasts = [contrast_of(cal, lesion, policy) for cal in cals]
                found[cell] = {name: [outcome(con, name, truth[name]) for con in contrasts] for name in FIGURES}
    return found


def truths(sbr: float, cals: Sequence[pyicg.CalibratedFrame], lesion: Mask) -> dict[str, float]:
    """Return the truth of each figure. That of the pixels' spread is its root mean square over all frames."""
    inside, outside = (
        [cal.data[region & (cal.mask & ~np.uint8(32) == 0)].astype(np.float64) for cal in cals]
        for region in (lesion, ~lesion)
    )
    liver = float(np.mean([values.mean() for values in outside]))
    lesion_sd, liver_sd = (math.sqrt(np.mean([values.var(ddof=1) for values in part])) for part in (inside, outside))
    return {
        "sbr": sbr,
        "weber": sbr - 1,
        "michelson": (sbr - 1) / (sbr + 1),
        "cnr": (sbr - 1) * liver / liver_sd,
        "cvr": (sbr - 1) * liver / math.hypot(liver_sd, lesion_sd),
    }


def contrast_of(cal: pyicg.CalibratedFrame, lesion: Mask, policy: str) -> pyicg.Contrast:
    background = pyicg.estimate_background(cal, **POLICIES[policy](lesion))
    return pyicg.contrast(cal, signal=lesion, background=background)


def outcome(con: pyicg.Contrast, name: str, truth: float) -> Outcome:
    found = getattr(con, name)
    lo, hi = found.ci
    return Outcome(found.value, lo, hi, truth, found.reason)


def grid(
    *, runs: int = 500, settings: slice = slice(None), policies: Sequence[str] = ("mode",), jobs: int = 2
) -> dict[str, list[Row]]:
    """Run the cells of these settings; rows per figure."""
    chosen = [(index, vignetting) for index in range(len(cameras())) for vignetting in VIGNETTING][settings]
    turns = min(PROFILES, runs)
    todo = [(*setting, turn, runs // turns, tuple(policies)) for setting in chosen for turn in range(turns)]
    pooled: dict[str, dict[Cell, list[Outcome]]] = {name: defaultdict(list) for name in FIGURES}
    with ProcessPoolExecutor(jobs) as pool:
        for found in pool.map(run, todo):
            for cell, figures in found.items():
                for name, outcomes in figures.items():
                    pooled[name][cell] += outcomes
    return {name: [Row(cell, outcomes) for cell, outcomes in cells.items()] for name, cells in pooled.items()}


def pooled_coverage(rows: Iterable[Row]) -> float:
    return float(np.mean([o.covered for row in rows for o in row.outcomes]))


def print_summary(rows: Sequence[Row]) -> None:
    """Print one line per policy and exposure."""
    print(
        "| background | exposure | runs | largest bias of a cell, SBR 1.5 up | below 1.5 | coverage, pooled | ", end=""
    )
    print("lowest cell | cells that miss a target |\n|---|---|---|---|---|---|---|---|")
    for (policy, exposure), part in by(rows, lambda c: (c.policy, c.exposure)).items():
        high = max(abs(row.bias) / row.cell.sbr for row in part if row.cell.sbr >= 1.5)
        low = max(abs(row.bias) for row in part if row.cell.sbr < 1.5)
        print(
            f"| {policy} | {exposure} | {sum(len(row.outcomes) for row in part)} | {high:.2%} | {low:.4f} | "
            f"{pooled_coverage(part):.1%} | {min(row.coverage for row in part):.1%} | "
            f"{sum(row.fails for row in part)} of {len(part)} |"
        )


def print_table(rows: Sequence[Row]) -> None:
    """Print the SBR's bias and coverage per policy, exposure and SBR, pooled over cameras and vignetting."""
    print(
        "| background | exposure | SBR | cells | bias, pooled | worst cell | coverage, pooled | lowest cell |", end=""
    )
    print(" runs with a reason |\n|---|---|---|---|---|---|---|---|---|")
    for (policy, exposure, sbr), part in by(rows, lambda c: (c.policy, c.exposure, c.sbr)).items():
        biases = [row.bias for row in part]
        worst = max(biases, key=lambda bias: abs(np.nan_to_num(bias)))
        print(
            f"| {policy} | {exposure} | {sbr:g} | {len(part)} | {np.nanmean(biases):+.4f} | {worst:+.4f} | "
            f"{pooled_coverage(part):.1%} | {min(row.coverage for row in part):.1%} | "
            f"{np.mean([row.refused for row in part]):.1%} |",
        )


def print_cameras(rows: Sequence[Row]) -> None:
    """Print one line per camera."""
    print("| camera (simulated) | background | largest bias, SBR 1.5 up | below | coverage, pooled | lowest cell |")
    print("|---|---|---|---|---|---|")
    for (index, policy), part in by(rows, lambda c: (c.camera, c.policy)).items():
        camera = cameras()[index]
        high = max(abs(row.bias) / row.cell.sbr for row in part if row.cell.sbr >= 1.5)
        low = max(abs(row.bias) for row in part if row.cell.sbr < 1.5)
        name = f"{camera.bit_depth}-bit, {camera.gain_dn_per_e:g} DN/e, {camera.read_noise_e:g} e"
        print(
            f"| {name}, {camera.exposure_ms:g} ms | {policy} | {high:.2%} | {low:.4f} | {pooled_coverage(part):.1%} | "
            f"{min(row.coverage for row in part):.1%} |"
        )


def print_figures(figures: dict[str, list[Row]]) -> None:
    """Print how often each definition's interval holds its truth.

    `cnr` and `cvr` only without vignetting: with it a pixel's noise, and with the noise the truth, is another in every
    part of the frame that a policy may look at.
    """
    print("| background | figure | coverage, pooled | lowest cell | cells under 88 % |\n|---|---|---|---|---|")
    for name, rows in figures.items():
        even = [row for row in rows if row.cell.vignetting == 0 or name not in {"cnr", "cvr"}]
        for policy, part in by(even, lambda c: c.policy).items():
            low = [row.coverage for row in part]
            under = sum(coverage < LOWEST for coverage in low)
            print(f"| {policy} | `{name}` | {pooled_coverage(part):.1%} | {min(low):.1%} | {under} of {len(low)} |")


def print_failures(rows: Sequence[Row]) -> None:
    """Print the cells that miss a target."""
    failed = [row for row in rows if row.fails]
    print(
        f"{len(failed)} of {len(rows)} cells with a bias of 1 % (0.02 under SBR 1.5) or more, or coverage under 88 %.\n"
    )
    if failed:
        print("| camera | vignetting | exposure | SBR | background | bias | coverage |\n|---|---|---|---|---|---|---|")
    for row in failed:
        c = row.cell
        print(
            f"| {c.camera} | {c.vignetting:g} | {c.exposure} | {c.sbr:g} | {c.policy} | {row.bias:+.4f} | "
            f"{row.coverage:.1%} |"
        )


def by(rows: Iterable[Row], key: Callable[[Cell], Any]) -> dict[Any, list[Row]]:
    parts: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        parts[key(row.cell)].append(row)
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500, help="frames in each cell")
    parser.add_argument("--cells", default="::", help="slice of the 40 settings, START:STOP:STEP")
    parser.add_argument("--policies", default="mode,mode without lesion", help=f"some of {', '.join(POLICIES)}")
    parser.add_argument("--jobs", type=int, default=2)
    told = parser.parse_args()
    settings = slice(*(int(part) if part else None for part in told.cells.split(":")))
    figures = grid(runs=told.runs, settings=settings, policies=told.policies.split(","), jobs=told.jobs)
    print("## Summary\n")
    print_summary(figures["sbr"])
    print("\n## SBR\n")
    print_table(figures["sbr"])
    print("\n## Cameras\n")
    print_cameras(figures["sbr"])
    print("\n## Definitions\n")
    print_figures(figures)
    print("\n## Cells that fail\n")
    print_failures(figures["sbr"])


if __name__ == "__main__":
    main()
