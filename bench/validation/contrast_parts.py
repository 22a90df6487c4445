"""Each part of a contrast's interval on its own: a simulation that varies only it.

*Pixel noise*: an even scene, a camera without patterns and its exact profile, few pixels. *Finite sample*: white
texture and no camera. *Heterogeneity*: tissue of correlated texture, and an even lesion on liver that slopes.
*Placement*: a scene without noise whose mask lies a little off. Then Fieller's interval beside a block bootstrap, and
beside backgrounds near zero. Everything is simulated and seeded. Usage: ``python bench/validation/contrast_parts.py
[--runs 2000] [--parts pixel,sample,uneven,slope,placement,bootstrap,zero] [--policies mode,...] [--figure FILE.png]``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.special import erf

import pyicg
from pyicg import CalibratedFrame, CameraProfile, Contrast, Measurement
from pyicg.phantom import SimulatedCamera

Mask = npt.NDArray[np.bool_]
Image = npt.NDArray[np.float64]

SBR = 3.0
LIVER = 100.0
TEXTURES_PX = (0.0, 1.0, 2.0, 4.0, 8.0)
QUARTILE = 0.6744897501960817  # of the normal distribution


@dataclass
class Tally:
    """How often an interval held its truth, how often it had no bound, and how wide it was."""

    held: list[bool] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)  # infinite: unbounded

    def add(self, found: Measurement, truth: float) -> None:
        self.held.append(found.ci[0] <= truth <= found.ci[1])
        self.widths.append(found.ci[1] - found.ci[0])

    @property
    def coverage(self) -> float:
        return float(np.mean(self.held))

    @property
    def unbounded(self) -> float:
        return float(np.mean(np.isinf(self.widths)))

    @property
    def bounded_coverage(self) -> float:
        """Of the runs whose interval is bounded."""
        held = [ok for ok, width in zip(self.held, self.widths, strict=True) if math.isfinite(width)]
        return float(np.mean(held)) if held else math.nan

    @property
    def width(self) -> float:
        return float(np.median(self.widths))


Table = dict[tuple[str, str], Tally]


def frame_of(data: Image, *, known_noise: bool) -> CalibratedFrame:
    """Wrap a made-up scene. `known_noise`: the camera is known to add none."""
    return CalibratedFrame(
        data=data.astype(np.float32),
        mask=np.zeros(data.shape, np.uint8),
        variance=np.zeros(data.shape, np.float32) if known_noise else None,
        unit="DN",
        calibrated=True,
    )


def disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> Mask:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2)


def sbr_of(cal: CalibratedFrame, lesion: Mask, *, placement_px: float = 0.0, **policy: Any) -> Contrast:
    """Measure the contrast; a placement of zero says that the mask is exact."""
    background = pyicg.estimate_background(cal, **policy)
    return pyicg.contrast(cal, signal=lesion, background=background, placement_px=placement_px)


def known_camera(
    shape: tuple[int, int], bits: int, gain: float, read_e: float
) -> tuple[SimulatedCamera, CameraProfile]:
    """Return a camera without patterns, and the profile that is its truth."""
    camera = SimulatedCamera(
        bit_depth=bits, gain_dn_per_e=gain, read_noise_e=read_e, offset_dn=10 * gain * read_e, dsnu_dn=0.0,
        prnu=0.0, vignetting=0.0, hot_pixel_share=0.0, seed=bits,
    )  # fmt: skip
    profile = CameraProfile(
        camera="simulated, exactly known",
        shape=shape,
        bit_depth=bits,
        dark=np.full(shape, camera.offset_dn, np.float32),
        gain_dn_per_e=gain,
        read_noise_dn=math.hypot(gain * read_e, 12**-0.5),  # as a camera's is measured: with the rounding in it
        exposure_ms=camera.exposure_ms,
    )
    return camera, profile


def pixel_noise(runs: int) -> Table:
    """Few pixels of an even scene under a camera whose profile is the truth: nothing varies but its noise."""
    shape = (40, 40)
    table: Table = {}
    for bits, gain, read_e in ((8, 0.3, 6.0), (12, 0.25, 8.0), (16, 2.0, 2.0)):
        camera, profile = known_camera(shape, bits, gain, read_e)
        for light, electrons in (("low", 30.0), ("high", 200.0)):
            for n in (2, 3, 5, 10, 50):
                signal = np.zeros(shape, bool)
                signal[20, 20] = True
                signal.flat[np.argsort(np.hypot(*(np.indices(shape) - 20)), axis=None)[:n]] = True
                level = np.where(signal, SBR * electrons, electrons) / camera.exposure_ms
                few = np.zeros(shape, bool)
                few[2:6, 2:6] = True
                options: dict[str, dict[str, Any]] = {
                    "of 16 pixels": {"policy": "mask", "mask": few},
                    "mode": {"exclude": signal},
                }
                for raw in camera.expose(np.broadcast_to(level, (runs // 20, *shape)), 20):
                    cal = pyicg.calibrate(raw, profile)
                    for name, policy in options.items():
                        key = (f"{bits}-bit, {light} light, background {name}", f"{n} pixels")
                        table.setdefault(key, Tally()).add(sbr_of(cal, signal, **policy).sbr, SBR)
    return table


def finite_sample(runs: int) -> Table:
    """White texture on both sides, seen without a camera's noise; the truth is the mean that texture has at large."""
    shape = (40, 40)
    rng = np.random.default_rng(2)
    rows, columns = np.indices(shape)
    far = np.argsort(-np.hypot(rows - 20, columns - 20), axis=None)
    near = far[::-1]
    textures: dict[str, Callable[[], Image]] = {
        "normal": lambda: 1 + 0.15 * rng.standard_normal(shape),
        "skewed": lambda: rng.gamma(8.0, 1 / 8.0, shape),
    }
    table: Table = {}
    for name, draw in textures.items():
        for known_noise in (True, False):
            for n_signal, n_background in ((2, 16), (3, 16), (5, 16), (10, 16), (10, 100), (50, 50), (200, 800)):
                signal = np.zeros(shape, bool)
                signal.flat[near[:n_signal]] = True
                background = np.zeros(shape, bool)
                background.flat[far[:n_background]] = True
                known = "known to be 0" if known_noise else "unknown"
                key = (f"{name}, variance {known}", f"{n_signal} on {n_background} pixels")
                tally = table.setdefault(key, Tally())
                for _ in range(runs):
                    cal = frame_of(LIVER * np.where(signal, SBR, 1.0) * draw(), known_noise=known_noise)
                    tally.add(sbr_of(cal, signal, policy="mask", mask=background).sbr, SBR)
    return table


def texture(shape: tuple[int, int], length_px: float, rng: np.random.Generator) -> Image:
    """Gaussian texture of standard deviation 1, smoothed by a Gaussian of `length_px`."""
    white = rng.standard_normal(shape)
    if length_px == 0:
        return white
    # The standard deviation that the filter leaves, of white noise at large, not of this draw.
    impulse = np.zeros(2 * (int(4 * length_px + 0.5) + 1) + 1)
    impulse[impulse.size // 2] = 1
    left = float((gaussian_filter(impulse, length_px) ** 2).sum())
    return np.asarray(gaussian_filter(white, length_px, mode="wrap") / left)


def region_policies(signal: Mask, patch: Mask, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {
        "mode": {"exclude": signal},
        "median": {"policy": "median", "exclude": signal},
        "percentile": {"policy": "percentile", "exclude": signal},
        "mask": {"policy": "mask", "mask": patch},
        "annulus": {"policy": "annulus", "signal": signal},
        "distant": {"policy": "distant", "signal": signal},
        "surface": {"policy": "surface", "signal": signal},
    }
    return {name: known[name] for name in names}


def uneven(runs: int, policies: Sequence[str]) -> Table:
    """Tissue of correlated texture, lesion and liver alike; the truth is the ratio that it has at large.

    Smoothed by a Gaussian of s px, 4 pi s^2 pixels vary as one: a patch. Columns say how many the lesion holds.
    """
    shape = (128, 128)
    radius = 12.0
    rng = np.random.default_rng(3)
    table: Table = {}
    for length in TEXTURES_PX:
        patches = math.pi * radius**2 / max(4 * math.pi * length**2, 1.0)
        for _ in range(runs):
            centre = tuple(rng.uniform(40, 87, 2))
            signal = disc(shape, (centre[0], centre[1]), radius)
            light = np.where(signal, SBR, 1.0) * (1 + 0.1 * texture(shape, length, rng))
            cal = frame_of(LIVER * light, known_noise=True)
            patch = disc(shape, (centre[0], centre[1]), 30.0) & ~disc(shape, (centre[0], centre[1]), 15.0)
            for name, policy in region_policies(signal, patch, policies).items():
                level = 1 - 0.1 * QUARTILE if name == "percentile" else 1.0
                tally = table.setdefault((name, f"{length:g} px, {patches:.0f} patches"), Tally())
                tally.add(sbr_of(cal, signal, **policy).sbr, SBR / level)
    return table


def slope(runs: int, policies: Sequence[str]) -> Table:
    """An even lesion on liver that slopes; the truth is the liver under the lesion.

    Only the policies that look beside the lesion, or model the slope, can know it.
    """
    shape = (128, 128)
    rng = np.random.default_rng(4)
    table: Table = {}
    rows, columns = np.mgrid[-1 : 1 : 1j * shape[0], -1 : 1 : 1j * shape[1]]
    for rise in (0.1, 0.4):
        for _ in range(runs):
            y, x = rng.uniform(25, 102, 2)
            signal = disc(shape, (y, x), 12.0)
            angle = rng.uniform(0, 2 * math.pi)
            shape_of_light = 1 + 0.5 * rise * (math.cos(angle) * rows + math.sin(angle) * columns)
            truth = float(shape_of_light[signal].mean())
            liver = LIVER * (shape_of_light + 0.02 * texture(shape, 1.0, rng))
            cal = frame_of(np.where(signal, SBR * LIVER * truth, liver), known_noise=True)
            patch = disc(shape, (y, x), 30.0) & ~disc(shape, (y, x), 15.0)
            for name, policy in region_policies(signal, patch, policies).items():
                key = (name, f"slope {rise:.0%} across the frame")
                table.setdefault(key, Tally()).add(sbr_of(cal, signal, **policy).sbr, SBR)
    return table


def placement(runs: int) -> Table:
    """A scene without noise; the mask is moved, or its edge is drawn too far out or in.

    The truth is the ratio in the mask that lies right. The liver is a mask far away: it has no error. *On a blob*: the
    mask fits a blurred lesion, and whichever way it moves it loses light. *On an edge*, *on a slope*: it does not, and
    the level moves with the mask. *Edge drawn out or in* is no movement, and `placement_px` does not speak of it.
    """
    shape = (96, 96)
    rng = np.random.default_rng(5)
    rows, columns = np.indices(shape)
    table: Table = {}
    for radius in (6.0, 12.0):
        for off in (0.5, 1.0, 2.0):
            for _ in range(runs):
                y, x = rng.uniform(38, 42, 2)
                turn = rng.uniform(0, 2 * math.pi)
                dy, dx, wider = off * rng.standard_normal(3)
                right = disc(shape, (y, x), radius)
                moved = disc(shape, (y + dy, x + dx), radius)
                along = (rows - y) * math.sin(turn) + (columns - x) * math.cos(turn)
                depth = radius - np.hypot(rows - y, columns - x)
                blob = blurred(depth, 1.5)
                cases = {
                    "moved on a blob, blur 1.5 px": (blob, moved),
                    "moved on a blob, blur 3 px": (blurred(depth, 3.0), moved),
                    "moved on an edge, blur 3 px": (blurred(along, 3.0), moved),
                    "moved on a slope": (1 + 0.5 * (SBR - 1) * (1 + along / 40), moved),
                    "edge drawn out or in, blur 1.5 px": (blob, disc(shape, (y, x), max(radius + wider, 1.0))),
                }
                corner = np.zeros(shape, bool)
                corner[-8:, -8:] = True
                for name, (light, mask) in cases.items():
                    cal = frame_of(LIVER * np.where(corner, 1.0, light), known_noise=True)
                    con = sbr_of(cal, mask, placement_px=off, policy="mask", mask=corner)
                    key = (f"{name}, radius {radius:g} px", f"placement {off:g} px")
                    table.setdefault(key, Tally()).add(con.sbr, float(light[right].mean()))
    return table


def blurred(depth_px: Image, blur_px: float) -> Image:
    """Light of a lesion on liver of light 1, by the depth inside its edge."""
    return np.asarray(1 + (SBR - 1) * 0.5 * (1 + erf(depth_px / blur_px / math.sqrt(2))))


def bootstrap(runs: int, *, block_px: int = 16, resamples: int = 400) -> Table:
    """Fieller's interval and that of a block bootstrap, on the same textured frames; the truth is the mean at large."""
    shape = (128, 128)
    rng = np.random.default_rng(6)
    lesion = np.zeros(shape, bool)
    lesion[:, :64] = True
    table: Table = {}
    for spread, length in ((0.1, 0.0), (0.1, 2.0), (0.4, 2.0)):
        for _ in range(runs):
            light = np.where(lesion, SBR, 1.0) * (1 + spread * texture(shape, length, rng))
            cal = frame_of(LIVER * light, known_noise=True)
            con = sbr_of(cal, lesion, policy="mask", mask=~lesion)
            blocks = cal.data.astype(np.float64).reshape(shape[0] // block_px, block_px, -1, block_px).mean(axis=(1, 3))
            inside, outside = (
                rng.choice(part.ravel(), (resamples, part.size)).mean(axis=1) for part in np.split(blocks, 2, axis=1)
            )
            low, high = np.quantile(inside / outside, (0.025, 0.975))
            key = f"texture {spread:.0%}, correlation {length:g} px"
            table.setdefault((key, "Fieller"), Tally()).add(con.sbr, SBR)
            drawn = Measurement(con.sbr.value, math.nan, (float(low), float(high)))
            table.setdefault((key, "block bootstrap"), Tally()).add(drawn, SBR)
    return table


def near_zero(runs: int) -> Table:
    """Backgrounds whose level is a few of its standard errors: where is the interval unbounded, and does it hold?"""
    shape = (20, 20)
    rng = np.random.default_rng(7)
    lesion = np.zeros(shape, bool)
    lesion[:10] = True
    table: Table = {}
    for errors in (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 10.0):
        level = errors / math.sqrt(200)
        for _ in range(runs):
            cal = frame_of(np.where(lesion, SBR, 1.0) * level + rng.standard_normal(shape), known_noise=False)
            con = sbr_of(cal, lesion, policy="mask", mask=~lesion)
            table.setdefault((f"level / standard error {errors:g}", "Fieller"), Tally()).add(con.sbr, SBR)
    return table


def print_coverage(table: Table) -> None:
    """Print coverage, one case a line, one size a column."""
    rows, columns = (list(dict.fromkeys(key[axis] for key in table)) for axis in (0, 1))
    print(f"| | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
    for row in rows:
        print(f"| {row} | {' | '.join(f'{table[row, column].coverage:.1%}' for column in columns)} |")
    outside = sum(not 0.92 <= tally.coverage <= 0.98 for tally in table.values())
    pooled = np.mean([tally.coverage for tally in table.values()])
    print(f"\nPooled {pooled:.1%}; {outside} of {len(table)} outside 92 to 98 %.")


def draw_texture(table: Table, path: str) -> None:
    """Draw the coverage of `uneven`, one line per policy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.axhspan(92, 98, color="0.9", label="92 to 98 %")
    textures = list(dict.fromkeys(key[1] for key in table))
    for name, marker in zip(dict.fromkeys(key[0] for key in table), "osD^v<>", strict=False):
        axes.plot([100 * table[name, texture].coverage for texture in textures], marker + "-", label=name)
    axes.set(
        ylim=(40, 101),
        xlabel="correlation length of the texture, and independent patches of it in the lesion",
        ylabel="95 % interval of the SBR holds the truth, %",
        title="Simulated tissue: the fewer the patches, the less the interval knows",
    )
    axes.set_xticks(range(len(textures)), [texture.replace(", ", "\n") for texture in textures])
    axes.legend(loc="lower left", ncols=2)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def print_intervals(table: Table) -> None:
    """Print one line per case, unbounded intervals beside bounded ones."""
    print("| | interval | coverage | unbounded | coverage of the bounded | median width |\n|---|---|---|---|---|---|")
    for key, tally in table.items():
        print(
            f"| {' | '.join(key)} | {tally.coverage:.1%} | {tally.unbounded:.1%} | {tally.bounded_coverage:.1%} | "
            f"{tally.width:.4g} |"
        )


def main() -> None:
    parts: dict[str, tuple[str, Callable[[int, Sequence[str]], Any], Callable[[Any], None]]] = {
        "pixel": ("Pixel noise", lambda runs, _: pixel_noise(runs), print_coverage),
        "sample": ("Finite sample", lambda runs, _: finite_sample(runs), print_coverage),
        "uneven": ("Heterogeneity: texture", uneven, print_coverage),
        "slope": ("Heterogeneity: slope", slope, print_coverage),
        "placement": ("Placement", lambda runs, _: placement(runs), print_coverage),
        "bootstrap": ("Fieller beside a block bootstrap", lambda runs, _: bootstrap(runs), print_intervals),
        "zero": ("A background near zero", lambda runs, _: near_zero(runs), print_intervals),
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--parts", default=",".join(parts))
    parser.add_argument("--policies", default="mode,median,percentile,mask,annulus,distant,surface")
    parser.add_argument("--figure", help="PNG of the part uneven")
    told = parser.parse_args()
    for name in told.parts.split(","):
        title, simulate, show = parts[name]
        print(f"\n## {title}\n")
        table = simulate(told.runs, told.policies.split(","))
        show(table)
        if name == "uneven" and told.figure:
            draw_texture(table, told.figure)


if __name__ == "__main__":
    main()
