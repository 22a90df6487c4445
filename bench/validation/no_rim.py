"""Does `segment_rim` stay unsure of what is bright and no rim? Simulated frames of liver without a rim.

Every frame shows one kind of distractor (or several at once): flecks and smears of bile, vessels, arcs that close over
at most 45 % of the angles, dark vessels, glare, blobs, saturated blobs, hot pixels, a drape's edge, bright tissue,
texture. Closed rings are not drawn: to a segmentation by shape they are rims. Frames in which vessels or blobs happen
to enclose a hole, openings up to 12 px not counted, are drawn again. Liver is at 100, blur 0.5 to 4 px, noise 0.5 to 50
a pixel; what reaches the camera's full scale is flagged as saturated. Options are the defaults, without and with a
pixel size of 0.1 mm. Everything is simulated and seeded; a frame follows from the seed and its number, so any part of a
run can be repeated. Usage:
``python bench/validation/no_rim.py [--frames 500] [--seed 0] [--processes 2] [--slice START:STOP:STEP]``
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

import pyicg

Image = npt.NDArray[np.float64]
Points = npt.NDArray[np.float64]
Rng = np.random.Generator

LIVER = 100.0
LIMIT = 0.5  # of the confidence
SEEN_OF_AN_ARC = (0.25, 0.45)  # share of the angles
LARGEST_HOLE_PX = 20
CLOSED_OVER_PX = 12  # a ring that is open no wider than this counts as closed
PIXEL_SIZES_MM = (None, 0.1)


@dataclass(frozen=True)
class Outcome:
    """What was found in one frame with one pixel size."""

    frame: int
    kind: str
    pixel_size_mm: float | None
    confidences: tuple[float, ...]
    completeness: float  # of the lesion the segmentation is surest of
    rejected: tuple[str, ...]

    @property
    def highest(self) -> float:
        return max(self.confidences, default=0.0)


# What glows: the drawings return light over liver, in units of liver.


def flecks(shape: tuple[int, int], rng: Rng) -> Image:
    """Draw 1 to 40 spots and smears of bile."""
    excess = np.zeros(shape)
    for _ in range(rng.integers(1, 41)):
        long, wide = rng.uniform(0.7, 5.0, 2) * (rng.choice([1.0, 3.0], p=[0.7, 0.3]), 1.0)
        y, x = turned(shape, anywhere(shape, rng), rng.uniform(0, math.pi))
        excess = np.maximum(excess, brightness(rng) * soft(1 - np.hypot(x / long, y / wide), 1 / min(long, wide)))
    return excess


def vessels(shape: tuple[int, int], rng: Rng) -> Image:
    """Draw 1 to 5 bright tubes that bend, cross and branch."""
    return brightness(rng) * tubes(shape, rng, int(rng.integers(1, 6)))


def arcs(shape: tuple[int, int], rng: Rng) -> Image:
    """Draw 1 or 2 tubes bent to less than half a ring, a tail at one end now and then."""
    excess = np.zeros(shape)
    for _ in range(rng.integers(1, 3)):
        radius, seen = rng.uniform(10, 50), 2 * math.pi * rng.uniform(*SEEN_OF_AN_ARC)
        angle = rng.uniform(0, 2 * math.pi) + np.linspace(0, seen, 400)
        line = anywhere(shape, rng) + radius * np.column_stack([np.sin(angle), np.cos(angle)])
        if rng.random() < 0.5:
            away = line[-1] - line[-2]
            line = np.vstack([line, line[-1] + away / np.hypot(*away) * np.arange(0, 60, 0.5)[:, None]])
        excess = np.maximum(excess, brightness(rng) * tube(shape, line, rng.uniform(3, 20)))
    return excess


def dark_vessels(shape: tuple[int, int], rng: Rng) -> Image:
    """Draw dark tubes on liver, half of the time with bright tissue on one side."""
    dark = tubes(shape, rng, int(rng.integers(1, 5)))
    ground = half_plane(shape, rng) * brightness(rng, 0.6, 4) if rng.random() < 0.5 else np.zeros(shape)
    # A tube that ends within bright tissue would be a dark core: only those that run through the frame are drawn.
    return ground - rng.uniform(0.3, 0.9) * (1 + ground) * dark


def glare(shape: tuple[int, int], rng: Rng) -> Image:
    """Draw 1 to 6 reflections with a halo, some with streaks, far over the camera's full scale."""
    excess = np.zeros(shape)
    for _ in range(rng.integers(1, 7)):
        centre, size, power = anywhere(shape, rng), rng.uniform(2, 12), rng.uniform(1, 2.5)
        y, x = turned(shape, centre, rng.uniform(0, math.pi))
        peak = rng.uniform(10, 60)
        excess += peak * (1 + (np.hypot(y, x) / size) ** 2) ** -power
        if rng.random() < 0.4:
            excess += peak / 2 * np.exp(-0.5 * (y / rng.uniform(0.7, 3)) ** 2 - np.abs(x) / rng.uniform(10, 60))
    return excess


def blobs(shape: tuple[int, int], rng: Rng, least: float = 0.6, most: float = 8.0) -> Image:
    """Draw 1 to 4 smooth bright patches, flat or domed."""
    excess = np.zeros(shape)
    for _ in range(rng.integers(1, 5)):
        long, wide = rng.uniform(6, 45, 2)
        y, x = turned(shape, anywhere(shape, rng), rng.uniform(0, math.pi))
        angle = np.arctan2(y, x)
        wobble = 1 + rng.uniform(0, 0.15) * np.cos(rng.integers(2, 5) * angle + rng.uniform(0, 6.3))
        r = np.hypot(x / long, y / wide) / wobble
        dome = np.exp(-(r**2)) if rng.random() < 0.5 else soft(1 - r, 1 / min(long, wide))
        excess = np.maximum(excess, brightness(rng, least, most) * dome)
    return excess


def drape(shape: tuple[int, int], rng: Rng) -> Image:
    """Cover 5 to 45 % of the frame from one side, or two adjoining ones, with a bright fringe beside the liver."""
    glow, covered = np.zeros(shape), np.zeros(shape)
    fringe, width = brightness(rng, 0.6, 5), rng.uniform(2, 15)
    first = rng.integers(4)
    for side in range(first, first + rng.integers(1, 3)):
        y, x = np.indices(np.rot90(glow, side).shape, dtype=float)
        bow = rng.uniform(-0.1, 0.1) * x.shape[1] * np.sin(math.pi * x / x.shape[1])
        edge = x.shape[0] * rng.uniform(0.05, 0.45) + rng.uniform(-0.3, 0.3) * (x - x.shape[1] / 2) + bow
        beyond = np.rot90(y - edge, -side)
        glow = np.maximum(glow, fringe * np.exp(-np.maximum(beyond, 0) / width))
        covered = np.maximum(covered, soft(-beyond, 1))
    return glow * (1 - covered) - 0.98 * covered


def bright_tissue(shape: tuple[int, int], rng: Rng) -> Image:
    """Draw a large bright area: plain, with a gradient, cut by a cleft, or with dark flecks too small for a core."""
    area, level = half_plane(shape, rng), brightness(rng, 0.6, 4)
    if rng.random() < 0.5:
        y, x = turned(shape, anywhere(shape, rng), rng.uniform(0, math.pi))
        area = soft(1 - np.hypot(x / rng.uniform(50, 110), y / rng.uniform(40, 80)), 1 / 60)
    match rng.integers(4):
        case 0:
            return level * area
        case 1:
            y, x = turned(shape, anywhere(shape, rng), rng.uniform(0, 2 * math.pi))
            return level * area * np.clip(1 + x / rng.uniform(100, 300), 0.1, 3)
        case 2:
            y, x = turned(shape, np.array(shape) / 2 + rng.uniform(-20, 20, 2), rng.uniform(0, math.pi))
            bend = rng.uniform(0, 12) * np.sin(x / 40)
            return level * area * (1 - rng.uniform(0.3, 1) * soft(rng.uniform(2, 12) - np.abs(y - bend), 1))
        case _:
            holes = np.zeros(shape)
            for _ in range(rng.integers(5, 60)):
                y, x = np.indices(shape) - anywhere(shape, rng)[:, None, None]
                holes = np.maximum(holes, rng.uniform(0.3, 1) * soft(rng.uniform(0.5, 2.5) - np.hypot(y, x), 1))
            return level * area * (1 - holes)


def texture(shape: tuple[int, int], rng: Rng) -> Image:
    """Draw liver whose brightness wanders by 5 to 25 % over 2 to 30 px."""
    excess = np.zeros(shape)
    for _ in range(rng.integers(1, 3)):
        field = ndimage.gaussian_filter(rng.standard_normal(shape), math.exp(rng.uniform(math.log(2), math.log(30))))
        excess += rng.uniform(0.05, 0.25) * field / field.std()
    return np.maximum(excess, -0.95)


def mixture(shape: tuple[int, int], rng: Rng) -> Image:
    """Draw two or three kinds at once."""
    kinds: list[Callable[[tuple[int, int], Rng], Image]] = [flecks, vessels, glare, blobs, texture]
    chosen = rng.choice(len(kinds), rng.integers(2, 4), replace=False)
    return np.asarray(sum(kinds[i](shape, rng) for i in chosen))


def nothing(shape: tuple[int, int], rng: Rng) -> Image:  # noqa: ARG001
    """Draw plain liver; hot pixels come after the blur."""
    return np.zeros(shape)


KINDS: dict[str, Callable[[tuple[int, int], Rng], Image]] = {
    "flecks of bile": flecks,
    "vessels": vessels,
    "arcs": arcs,
    "dark vessels": dark_vessels,
    "glare": glare,
    "blobs": blobs,
    "saturated blobs": partial(blobs, least=20.0, most=60.0),
    "hot pixels": nothing,
    "drape's edge": drape,
    "bright tissue": bright_tissue,
    "texture": texture,
    "several kinds": mixture,
}
MAY_ENCLOSE = {"texture", "bright tissue", "hot pixels", "dark vessels"}  # small or faint holes are what they are about


# Brushes.


def brightness(rng: Rng, least: float = 0.6, most: float = 12.0) -> float:
    """Draw a brightness over liver, even in its logarithm."""
    return math.exp(rng.uniform(math.log(least), math.log(most)))


def anywhere(shape: tuple[int, int], rng: Rng) -> Points:
    return rng.uniform(0, shape)


def turned(shape: tuple[int, int], centre: Points, angle: float) -> tuple[Image, Image]:
    """Return coordinates (y, x) about a centre, turned."""
    y, x = np.indices(shape) - centre[:, None, None]
    return y * math.cos(angle) - x * math.sin(angle), y * math.sin(angle) + x * math.cos(angle)


def soft(inside: Image, pixel: float) -> Image:
    """Return 1 inside, 0 outside and a ramp one pixel wide between."""
    return np.clip(inside / pixel + 0.5, 0, 1)


def half_plane(shape: tuple[int, int], rng: Rng) -> Image:
    return soft(turned(shape, rng.uniform(0.3, 0.7, 2) * shape, rng.uniform(0, 2 * math.pi))[0], 1)


def tube(shape: tuple[int, int], line: Points, width: float) -> Image:
    """Return the cover of a line drawn with a round pen."""
    pixels = np.column_stack([axis.ravel() for axis in np.indices(shape)])
    distance, _ = cKDTree(line).query(pixels, distance_upper_bound=width / 2 + 1)
    return soft(width / 2 - np.reshape(distance, shape), 1)


def tubes(shape: tuple[int, int], rng: Rng, count: int) -> Image:
    """Return the cover of vessels that run through the frame and of branches that leave them to its border."""
    cover = np.zeros(shape)
    across = 1.5 * math.hypot(*shape)
    for _ in range(count):
        heading = rng.uniform(0, 2 * math.pi)
        start = anywhere(shape, rng) - across / 2 * np.array([math.sin(heading), math.cos(heading)])
        line, width = course(start, heading, across, rng), rng.uniform(2, 14)
        cover = np.maximum(cover, tube(shape, line, width))
        for _ in range(rng.integers(0, 3)):
            fork = int(rng.uniform(0.3, 0.7) * len(line))
            along = line[fork + 1] - line[fork]
            turn = rng.choice([-1, 1]) * rng.uniform(0.4, 1.3)
            branch = course(line[fork], math.atan2(*along) + turn, across, rng)
            cover = np.maximum(cover, tube(shape, branch, width * rng.uniform(0.5, 1)))
    return cover


def course(start: Points, heading: float, length: float, rng: Rng) -> Points:
    """Return a line (y, x) that wanders by up to 50 degrees about its heading."""
    s = np.arange(0, length, 0.5)
    swing = rng.uniform(0, 0.9) * np.sin(2 * math.pi * s / rng.uniform(60, 400) + rng.uniform(0, 6.3))
    steps = 0.5 * np.column_stack([np.sin(heading + swing), np.cos(heading + swing)])
    return start + np.cumsum(steps, axis=0)


def encloses(excess: Image) -> bool:
    """Return whether what is bright encloses a hole at some level: then its shape is a rim's."""
    for level in np.geomspace(0.2, max(float(excess.max()), 0.2), 12)[:-1]:
        bright = np.pad(excess > level, CLOSED_OVER_PX, mode="edge")
        for mask in (bright, ndimage.distance_transform_edt(~bright) <= CLOSED_OVER_PX / 2):
            holes, count = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
            if count and np.bincount(holes.ravel())[1:].max() > LARGEST_HOLE_PX:
                return True
    return False


# Frames.


def draw(number: int, seed: int) -> tuple[str, pyicg.CalibratedFrame]:
    """Return the kind of a frame and the frame itself."""
    kind = list(KINDS)[number % len(KINDS)]
    rng = np.random.default_rng([seed, number])
    shape = (int(rng.integers(160, 281)), int(rng.integers(160, 281)))
    while True:
        excess = ndimage.gaussian_filter(KINDS[kind](shape, rng), rng.uniform(0.5, 4), mode="nearest")
        if kind in MAY_ENCLOSE or not encloses(excess):
            break
    image = LIVER * (1 + excess)
    if kind == "hot pixels" or rng.random() < 0.2:
        hot = rng.random(shape) < math.exp(rng.uniform(math.log(1e-4), math.log(1e-2)))
        image[hot] += LIVER * rng.uniform(0.5, 30, np.count_nonzero(hot))
    image += rng.normal(0, math.exp(rng.uniform(math.log(0.5), math.log(50))), shape)
    full_scale = LIVER * rng.uniform(6, 15)
    profile = pyicg.CameraProfile(camera="simulated", shape=shape, bit_depth=16, saturation_dn=full_scale)
    return kind, pyicg.calibrate(np.minimum(image, full_scale).astype(np.float32), profile)


def look(number: int, seed: int) -> list[Outcome]:
    """Segment one frame without and with a pixel size."""
    kind, cal = draw(number, seed)
    found = []
    for size in PIXEL_SIZES_MM:
        rim = pyicg.segment_rim(cal, pixel_size_mm=size)
        surest = max(rim.lesions, key=lambda lesion: lesion.confidence, default=None)
        found.append(
            Outcome(
                number,
                kind,
                size,
                tuple(lesion.confidence for lesion in rim.lesions),
                math.nan if surest is None else surest.completeness,
                tuple(region.reason for region in rim.rejected),
            )
        )
    return found


def print_table(outcomes: Sequence[Outcome]) -> None:
    """Print one row per kind and one for all."""
    print("| distractor | frames | with a lesion | of confidence >= 0.5 | highest | regions rejected |")
    print("|---|---:|---:|---:|---:|---|")
    for kind in (*KINDS, "all"):
        mine = [one for one in outcomes if kind in (one.kind, "all")]
        if not mine:
            continue
        any_lesion = np.mean([bool(one.confidences) for one in mine])
        sure = np.mean([one.highest >= LIMIT for one in mine])
        highest = max(one.highest for one in mine)
        reasons = reason_text(reason for one in mine for reason in one.rejected)
        print(f"| {kind} | {len(mine)} | {any_lesion:.1%} | {sure:.1%} | {highest:.2f} | {reasons} |")


def reason_text(reasons: Iterable[str]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in Counter(reasons).most_common()) or "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--slice", default="::", help="part of the frames, START:STOP:STEP")
    told = parser.parse_args()
    numbers = range(told.frames)[slice(*(int(part) if part else None for part in told.slice.split(":")))]
    with ProcessPoolExecutor(told.processes) as pool:
        found = [one for pair in pool.map(partial(look, seed=told.seed), numbers, chunksize=4) for one in pair]
    for size in PIXEL_SIZES_MM:
        print(f"## {'No pixel size' if size is None else f'pixel_size_mm={size:g}'}\n")
        print_table([one for one in found if one.pixel_size_mm == size])
        print()
    worst = sorted((one for one in found if one.highest >= LIMIT), key=lambda one: -one.highest)
    print(f"## Frames over {LIMIT}\n")
    print("| frame | distractor | pixel_size_mm | confidence | completeness |\n|---:|---|---|---:|---:|")
    for one in worst:
        size_text = "–" if one.pixel_size_mm is None else f"{one.pixel_size_mm:g}"
        print(f"| {one.frame} | {one.kind} | {size_text} | {one.highest:.2f} | {one.completeness:.2f} |")


if __name__ == "__main__":
    main()
