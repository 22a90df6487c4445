"""Is each named part of a standard error as large as the scatter that it stands for?

Scenes that vary one thing: a camera's noise, white texture, texture of 1 and 2 px, a region that lies a little off; and
all of it. *Stated* is the root mean square of the part over the runs, *put in* that of the level's error (for
heterogeneity without the sampling that every texture holds). Everything is simulated and seeded. Usage:
``python bench/validation/contrast_budget.py [--runs 2000]``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from contrast_parts import LIVER, SBR, blurred, disc, frame_of, known_camera, region_policies, sbr_of, texture

import pyicg
from pyicg import CalibratedFrame
from pyicg.results import UncertaintyBudget


@dataclass
class Part:
    """One part of a standard error in every run, and the error of the level."""

    stated: list[float] = field(default_factory=list)
    sampling: list[float] = field(default_factory=list)  # of the pixels, that every texture holds
    total: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    @property
    def put_in(self) -> float:
        return math.sqrt(max(rms(self.errors) ** 2 - rms(self.sampling) ** 2, 0.0))

    @property
    def ratio(self) -> float:
        return rms(self.stated) / self.put_in if self.put_in > 0 else math.inf

    @property
    def whole(self) -> float:
        """The whole standard error beside the scatter."""
        return rms(self.total) / rms(self.errors)


def rms(values: Sequence[float]) -> float:
    return math.sqrt(float(np.mean(np.square(values))))


Budget = dict[tuple[str, str, str], Part]  # scene, level, part


def budget(runs: int, policies: Sequence[str] = ("mode", "median", "mask", "annulus", "surface")) -> Budget:
    """Compare each named part with the scatter of the level in scenes that vary only it; then all of them together."""
    shape = (96, 96)
    rng = np.random.default_rng(8)
    camera, profile = known_camera(shape, 12, 0.25, 8.0)
    electrons, off, centre = 101.6, 1.0, (45.0, 50.0)
    unit = electrons * camera.gain_dn_per_e / camera.exposure_ms
    rows, columns = np.indices(shape)
    signal = disc(shape, centre, 15.0)
    patch = disc(shape, centre, 40.0) & ~disc(shape, centre, 20.0)
    even = np.where(signal, SBR, 1.0)
    away = np.hypot(rows - centre[0], columns - centre[1])
    blob = blurred(15.0 - away, 2.0)
    slope = np.where(away < 20, SBR + 3 * (columns - centre[1]) / 50, 1.0)  # on even liver
    table: Budget = {}

    def add(scene: str, level: str, part: str, found: float, truth: float, said: UncertaintyBudget | None) -> None:
        assert said is not None
        line = table.setdefault((scene, level, part.replace("_", " ")), Part())
        line.stated.append(getattr(said, part))
        line.sampling.append(said.sampling if part == "heterogeneity" else 0.0)
        line.total.append(said.total)
        line.errors.append(found - truth)

    def add_all(scene: str, part: str, cal: CalibratedFrame, unit: float) -> None:
        for name, policy in region_policies(signal, patch, policies).items():
            found = pyicg.estimate_background(cal, **policy)
            add(scene, f"background, {name}", part, found.level, unit, found.budget)
        con = sbr_of(cal, signal, policy="mask", mask=patch)
        add(scene, "signal", part, con.signal_level.value, SBR * unit, con.signal_budget)

    for _ in range(runs):
        camera = replace(camera, seed=int(rng.integers(2**31)))  # noise of its own
        raw = camera.expose((even * electrons / camera.exposure_ms)[None])[0]
        add_all("even light, a camera's noise", "pixel_noise", pyicg.calibrate(raw, profile), unit)
        for length, part in ((0.0, "sampling"), (1.0, "heterogeneity"), (2.0, "heterogeneity")):
            light = LIVER * even * (1 + 0.1 * texture(shape, length, rng))
            scene = f"texture of {length:g} px, no noise" if length else "white texture, no noise"
            add_all(scene, part, frame_of(light, known_noise=True), LIVER)
        dy, dx = off * rng.standard_normal(2)
        moved = disc(shape, (centre[0] + dy, centre[1] + dx), 15.0)
        for scene, light in (("a slope, moved by 1 px", slope), ("a blob, moved by 1 px", blob)):
            cal = frame_of(LIVER * light, known_noise=True)
            con = sbr_of(cal, moved, placement_px=off, policy="mask", mask=patch)
            truth = LIVER * float(light[signal].mean())
            add(scene, "signal", "placement", con.signal_level.value, truth, con.signal_budget)
        light = slope * (1 + 0.05 * texture(shape, 0.0, rng) + 0.05 * texture(shape, 1.0, rng))
        cal = pyicg.calibrate(camera.expose((light * electrons / camera.exposure_ms)[None])[0], profile)
        con = sbr_of(cal, moved, placement_px=off, policy="mask", mask=patch)
        truth = unit * float(slope[signal].mean())
        add("all of it on a slope", "signal", "total", con.signal_level.value, truth, con.signal_budget)
    return table


def print_budget(table: Budget) -> None:
    """Print one line per level and part."""
    print("| scene | level | part | stated | put in | ratio | whole error / scatter |\n|---|---|---|---|---|---|---|")
    for key, part in table.items():
        print(
            f"| {' | '.join(key)} | {rms(part.stated):.4g} | {part.put_in:.4g} | {part.ratio:.2f} | {part.whole:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    print_budget(budget(parser.parse_args().runs))


if __name__ == "__main__":
    main()
