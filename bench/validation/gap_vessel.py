"""What is taken for a gap of the rim? A vessel beyond it, a core that glows within it. Simulated, with exact truth.

Every frame holds one broken rim (radius 14 to 50 px, gap 20 to 130 degrees, half of them not circles) and a vessel
that passes before the gap, straight or bent around the lesion, half to a whole rim's step over liver. The same frame is
measured without the vessel, and once more with a part of the core beside the gap that glows at 0.8 to 1.3 of liver: a
cap, a fleck or a sector in turn. SBR 2 to 8, SNR 10 to 40, blur 0.5 to 4 px, core 0.1 to 0.7 of liver. What counts is
the largest error of the inner boundary over all angles, the gap included. "Strip" is the width of bare liver between
the tumour's edge and the vessel's half brightness, the narrowest in the gap. Everything is seeded; a frame follows from
the seed and its number. Usage: ``python bench/validation/gap_vessel.py [--frames 400] [--seed 1] [--processes 2]``
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

import pyicg
from pyicg.phantom import RimShape, rim_scene

Reals = npt.NDArray[np.float64]

LIVER = 100.0
LIMIT = 0.5  # of the confidence
HALF_WIDTH = math.sqrt(2 * math.log(2))  # sigmas of a Gaussian to its half
STRIPS_PX = (-math.inf, 6.0, 12.0, math.inf)
CORES = ((0.1, 0.3), (0.5,), (0.7,))
GLOWS = ("cap", "fleck", "sector")
GLOW_BLUR_PX = 1.5


@dataclass(frozen=True)
class Outcome:
    """What was found of one rim; NaN where it was not."""

    frame: int
    core: float
    strip_px: float
    added: str  # "", "vessel" or one of GLOWS
    confidence: float = math.nan
    outwards_px: float = math.nan  # the largest error away from the tumour
    inwards_px: float = math.nan  # and into it, positive
    completeness: float = math.nan  # less the true one


@dataclass(frozen=True)
class Frame:
    """A rim with its vessel and its glow apart, so that they can be left out."""

    shape: RimShape
    core: float
    image: Reals
    vessel: Reals
    glow: Reals
    kind: str  # of the glow
    strip_px: float


def draw(number: int, seed: int) -> Frame:
    """Return a broken rim and what runs past its gap."""
    rng = np.random.default_rng([seed, number])
    radius = rng.uniform(14, 50)
    thickness = rng.uniform(0.15, 0.5) * radius + 3
    side = int(2 * (radius + thickness) + 90)
    centre = (side / 2 + rng.uniform(-1, 1), side / 2 + rng.uniform(-1, 1))
    span, start = rng.uniform(20, 130), rng.uniform(0, 360)
    bent = bool(rng.integers(2))
    shape = RimShape(
        radius,
        thickness,
        centre,
        ellipticity=rng.uniform(0.1, 0.3) if bent else 0.0,
        angle_deg=rng.uniform(0, 180),
        harmonics={3: (0.04, rng.uniform(0, 6))} if bent else {},
        gaps_deg=((start, start + span),),
    )
    core, sbr, blur = rng.choice([0.1, 0.3, 0.5, 0.7]), rng.choice([2.0, 3.0, 4.0, 6.0, 8.0]), rng.uniform(0.5, 4)
    snr = rng.choice([10.0, 20.0, 40.0])
    scene = rim_scene(
        (side, side), [shape], sbr=sbr, core_sbr=core, snr=snr, psf_sigma_px=blur, seed=seed * 100_000 + number
    )

    width = math.hypot(rng.uniform(1, 4), blur)
    away = radius + rng.uniform(0.6, 1.6) * thickness + 1.5 * width
    tilt, bend = rng.normal(0, 0.25), rng.choice([0.0, 0.5 / away])
    across = distance_to_vessel(math.radians(start + span / 2), away, tilt, bend)
    y, x = np.indices((side, side)) - np.reshape(centre, (2, 1, 1))
    vessel = LIVER * (sbr - 1) * rng.uniform(0.5, 1.0) * np.exp(-0.5 * (across(y, x) / width) ** 2)
    angle = np.radians(np.linspace(start, start + span, 200))
    edge = shape.inner_radius_px(angle)
    strip = float(np.min(-across(edge * np.sin(angle), edge * np.cos(angle)))) - HALF_WIDTH * width
    kind = GLOWS[number % len(GLOWS)]
    towards = math.radians(start + span / 2) + rng.normal(0, 0.3)
    glow = LIVER * max(rng.uniform(0.8, 1.3) - core, 0) * glowing(kind, shape, y, x, towards, rng)
    return Frame(shape, float(core), scene.image.astype(np.float64), vessel, glow, kind, strip)


def glowing(kind: str, shape: RimShape, y: Reals, x: Reals, towards: float, rng: np.random.Generator) -> Reals:
    """Return where a part of the core towards the gap glows, 0 to 1, blurred; y and x are relative to the centre."""
    angle, radius = np.arctan2(y, x), np.hypot(y, x)
    out = (x * math.cos(towards) + y * math.sin(towards)) / shape.radius_px
    across = (y * math.cos(towards) - x * math.sin(towards)) / shape.radius_px
    if kind == "cap":
        part = out > rng.uniform(0.2, 0.7)
    elif kind == "fleck":
        part = np.hypot(out - 0.6, across) < rng.uniform(0.3, 0.6)
    else:
        part = np.abs(np.angle(np.exp(1j * (angle - towards)))) < rng.uniform(0.3, 1.2)
    return np.asarray(gaussian_filter((part & (radius < shape.inner_radius_px(angle))).astype(float), GLOW_BLUR_PX))


def distance_to_vessel(towards: float, away: float, tilt: float, bend: float) -> Callable[[Reals, Reals], Reals]:
    """Return how far a point (y, x) relative to the centre lies beyond the vessel's middle, about."""

    def across(y: Reals, x: Reals) -> Reals:
        out = x * math.cos(towards) + y * math.sin(towards)
        along = y * math.cos(towards) - x * math.sin(towards)
        return np.asarray((out - away - math.tan(tilt) * along + bend * along**2) * math.cos(tilt))

    return across


def look(number: int, seed: int) -> list[Outcome]:
    """Measure one rim as it is, with the vessel, and with the glow."""
    frame = draw(number, seed)
    return [measure(frame, number, added) for added in ("", "vessel", frame.kind)]


def measure(frame: Frame, number: int, added: str) -> Outcome:
    image = frame.image + (frame.vessel if added == "vessel" else frame.glow if added else 0)
    profile = pyicg.CameraProfile.identity(image.shape, bit_depth=None)
    rim = pyicg.segment_rim(pyicg.calibrate(image.astype(np.float32), profile))
    here = [one for one in rim.lesions if math.dist(one.centroid, frame.shape.centre_px) < 0.6 * frame.shape.radius_px]
    if not here:
        return Outcome(number, frame.core, frame.strip_px, added)
    lesion = max(here, key=lambda one: one.confidence)
    y, x = (lesion.inner_contour - frame.shape.centre_px).T
    off = np.hypot(y, x) - frame.shape.inner_radius_px(np.arctan2(y, x))
    return Outcome(
        number,
        frame.core,
        frame.strip_px,
        added,
        lesion.confidence,
        float(off.max()),
        float(-off.min()),
        lesion.completeness - frame.shape.completeness,
    )


def print_table(outcomes: Sequence[Outcome]) -> None:
    """Print one row per level of the core and width of the strip."""
    print("| added | core | strip, px | rims | confidence >= 0.5 | off by > 1 px | > 4 px outwards | > 4 px inwards |")
    print("|---|---|---|---:|---:|---:|---:|---:|")
    for added in ("", "vessel", *GLOWS):
        for cores in CORES:
            bounds = itertools.pairwise(STRIPS_PX) if added == "vessel" else [(-math.inf, math.inf)]
            for least, most in bounds:
                mine = [
                    one for one in outcomes if one.added == added and one.core in cores and least <= one.strip_px < most
                ]
                if mine:
                    print_row(added or "nothing", cores, strip_text(least, most), mine)


def print_row(added: str, cores: Sequence[float], strip: str, mine: Sequence[Outcome]) -> None:
    sure = [one for one in mine if one.confidence >= LIMIT]
    over = [
        np.mean([max(one.outwards_px, one.inwards_px) > 1 for one in sure]),
        np.mean([one.outwards_px > 4 for one in sure]),
        np.mean([one.inwards_px > 4 for one in sure]),
    ]
    shares = " | ".join(f"{share:.1%}" for share in over)
    levels = ", ".join(f"{core:g}" for core in cores)
    print(f"| {added} | {levels} | {strip} | {len(mine)} | {len(sure) / len(mine):.1%} | {shares} |")


def strip_text(least: float, most: float) -> str:
    if math.isinf(least):
        return "all" if math.isinf(most) else f"under {most:g}"
    return f"{least:g} and more" if math.isinf(most) else f"{least:g} to {most:g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    told = parser.parse_args()
    with ProcessPoolExecutor(told.processes) as pool:
        found = [
            one for each in pool.map(partial(look, seed=told.seed), range(told.frames), chunksize=4) for one in each
        ]
    print_table(found)
    for name, kinds in (("nothing added", ("",)), ("the vessel", ("vessel",)), ("a glow", GLOWS)):
        mine = [one for one in found if one.added in kinds]
        sure = [one for one in mine if one.confidence >= LIMIT]
        off = np.array([[one.outwards_px, one.inwards_px, abs(one.completeness)] for one in sure])
        print(
            f"\nWith {name}, {len(sure)} of {len(mine)} at {LIMIT} or more: "
            f"largest error {off[:, 0].max():.1f} px outwards, {off[:, 1].max():.1f} px inwards; "
            f"completeness off by more than 10 points in {np.mean(off[:, 2] > 0.1):.1%}."
        )


if __name__ == "__main__":
    main()
