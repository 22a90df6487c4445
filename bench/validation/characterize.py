"""Does `characterize` give a simulated camera's truth back, do its intervals hold it, and does it find what is wrong?

Twenty simulated cameras, 8-bit and noisy to 16-bit and quiet. *Accuracy*: one long series each. *Coverage*: many short
series of small frames each, every one with its own fixed patterns; a truth is that of the population the patterns are
drawn from. *Findings*: clean cameras, and the same with bent linearity, uneven light or one exposure misstated.
Everything is simulated and seeded. It prints the tables of docs/characterize.md. Usage:
``python bench/validation/characterize.py [--runs 100] [--jobs 2]``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

import pyicg
from pyicg.phantom import SimulatedCamera

DARK_VARIANCE_FLOOR = 0.24  # DN^2; below it the standard gives no dark noise
LAMP_SCATTER = 0.002  # relative, of every second camera's photon numbers
SATURATED = (0.001, 0.002)
# Their intervals reach from level to level, or down to zero: they hold the truth more often than 95 % by construction.
BOUNDS = ("saturation_e", "saturation_dn", "snr_max", "dynamic_range", "linearity_error")


def cameras() -> list[SimulatedCamera]:
    """Twenty cameras: 8-bit and noisy to 16-bit and quiet."""
    made = []
    for bits, gain, read_e in [
        (8, 0.02, 60.0), (8, 0.05, 25.0), (8, 0.1, 15.0), (8, 0.3, 6.0), (8, 0.05, 6.0),
        (10, 0.05, 30.0), (10, 0.1, 12.0), (12, 0.1, 12.0), (12, 0.25, 8.0), (16, 2.0, 2.0),
    ]:  # fmt: skip
        for prnu, rows in [(0.01, 0.3), (0.004, 0.0)]:
            noise_dn = max(gain * read_e, 0.5)
            made.append(
                SimulatedCamera(
                    bit_depth=bits,
                    gain_dn_per_e=gain,
                    read_noise_e=read_e,
                    offset_dn=max(6.0, 8.0 * noise_dn),
                    dsnu_dn=0.7 * noise_dn,
                    dsnu_row_dn=rows * noise_dn,
                    dsnu_column_dn=rows * noise_dn,
                    prnu=prnu,
                    prnu_row=rows * prnu,
                    prnu_column=rows * prnu,
                    vignetting=0.0,
                    hot_pixel_share=0.0,
                    dark_current_e_per_s=2000.0 if read_e > 10.0 else 200.0,
                    exposure_ms=50.0,
                    quantum_efficiency=0.6,
                    seed=len(made),
                )
            )
    return made


def truths(camera: SimulatedCamera) -> dict[str, tuple[float, float]]:
    """Return every figure's truth; as a range where the standard's rule leaves one."""
    k = camera.gain_dn_per_e
    threshold = math.sqrt(camera.read_noise_e**2 + 1 / 12 / k**2 + 0.25) + 0.5
    low, high = (_saturating_e(camera, share) for share in SATURATED)
    points = {
        "gain_dn_per_e": k,
        "quantum_efficiency": camera.quantum_efficiency,
        "responsivity": k * camera.quantum_efficiency,
        "dark_current": camera.dark_current_e_per_s,
        "dsnu_e": camera.dsnu_e,
        "dsnu_row_e": camera.dsnu_row_dn / k,
        "dsnu_column_e": camera.dsnu_column_dn / k,
        "dsnu_pixel_e": camera.dsnu_dn / k,
        "prnu": camera.prnu_total,
        "prnu_row": camera.prnu_row,
        "prnu_column": camera.prnu_column,
        "prnu_pixel": camera.prnu,
        "linearity_error": 0.0,
    }
    ranges = {"saturation_e": (low, high), "saturation_dn": (k * low, k * high)}
    ranges["snr_max"] = (math.sqrt(low), math.sqrt(high))
    if resolved(camera):
        points["dark_noise_e"] = camera.read_noise_e
        points["absolute_threshold_e"] = threshold
        points["absolute_threshold_photons"] = threshold / camera.quantum_efficiency
        ranges["dynamic_range"] = (low / threshold, high / threshold)
    return {**{name: (value, value) for name, value in points.items()}, **ranges}


def resolved(camera: SimulatedCamera) -> bool:
    """Say whether the dark noise stands out from the converter's steps."""
    return (camera.gain_dn_per_e * camera.read_noise_e) ** 2 + 1 / 12 >= DARK_VARIANCE_FLOOR


def _saturating_e(camera: SimulatedCamera, share: float) -> float:
    """Return the electrons of light at which this share of the pixels sits at full scale."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    k = camera.gain_dn_per_e

    def missing(electrons: float) -> float:
        dark_e = camera.dark_current_e_per_s * camera.exposure_ms * 2 * electrons / camera.saturation_e / 1000
        shot = k * math.sqrt(electrons + dark_e + camera.read_noise_e**2)
        fixed = math.hypot(k * camera.dsnu_e, k * electrons * camera.prnu_total)
        room = camera.saturation_dn - 0.5 - camera.offset_dn - k * (electrons + dark_e)
        return float(ndtr(-room / math.hypot(shot, fixed))) - share

    return float(brentq(missing, 0.5 * camera.saturation_e, 1.2 * camera.saturation_e))


def drawn(camera: SimulatedCamera, rng: np.random.Generator, shape: tuple[int, int]) -> SimulatedCamera:
    """Return the camera with other patterns. It scales rows and columns to their exact spread; here they are drawn."""

    def spread(sigma: float, n: int) -> float:
        return sigma * math.sqrt(float(rng.chisquare(n - 1)) / n)

    return replace(
        camera,
        seed=int(rng.integers(2**31)),
        dsnu_row_dn=spread(camera.dsnu_row_dn, shape[0]),
        dsnu_column_dn=spread(camera.dsnu_column_dn, shape[1]),
        prnu_row=spread(camera.prnu_row, shape[0]),
        prnu_column=spread(camera.prnu_column, shape[1]),
    )


def report_of(
    camera: SimulatedCamera,
    shape: tuple[int, int],
    *,
    levels: int = 14,
    n: int = 2,
    spatial_frames: int = 16,
    lamp: np.random.Generator | None = None,
    misstate: int | None = None,
    release: str = "4.0",
) -> pyicg.CameraReport:
    """Film a series and characterise it."""
    s = camera.characterization_series(shape=shape, levels=levels, n=n, spatial_frames=spatial_frames)
    photons, exposures = np.array(s.photons), np.array(s.exposures_ms)
    if lamp is not None:
        photons = photons * (1 + LAMP_SCATTER * lamp.standard_normal(levels))
    if misstate is not None:
        exposures[misstate] *= 1.2
    return pyicg.characterize(
        s.bright, s.dark, photons=photons, exposures_ms=exposures, spatial=s.spatial, bit_depth=camera.bit_depth,
        release=release,
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One figure of one run: covered or not, and the error in units of sigma."""

    name: str
    covered: bool
    score: float


def coverage_run(index: int, run: int) -> list[Case]:
    """Characterise one small series of camera `index` and compare every figure with its truth."""
    camera = cameras()[index]
    rng = np.random.default_rng([1288, index, run])
    shape = (64, 80) if index % 2 else (80, 72)
    report = report_of(drawn(camera, rng, shape), shape, lamp=rng if index % 4 > 1 else None)
    cases = []
    for name, (low, high) in truths(camera).items():
        m = getattr(report, name)
        if m.ci[0] == m.ci[0]:
            score = (m.value - 0.5 * (low + high)) / m.sigma if m.sigma > 0 else math.nan
            cases.append(Case(name, m.ci[0] <= high and low <= m.ci[1], score))
        else:
            cases.append(Case(name, False, math.nan))
    return cases


def accuracy_run(index: int) -> dict[str, tuple[float, float]]:
    """Characterise one long series of camera `index`: relative error and relative sigma of each figure."""
    camera = cameras()[index]
    report = report_of(camera, (256, 256), levels=20, n=8, spatial_frames=32)
    found = {}
    for name, (low, high) in truths(camera).items():
        if low == high > 0:
            m = getattr(report, name)
            found[name] = (m.value / low - 1, m.sigma / low)
    return found


def faults(index: int, seed: int) -> dict[str, tuple[str, ...]]:
    """Return the codes found on a clean camera and on the same with one fault."""
    camera = replace(cameras()[index], seed=seed)
    variants = {
        "clean": report_of(camera, (96, 96)),
        "bent 1 %": report_of(replace(camera, bend=0.01), (96, 96)),
        "bent 2 %": report_of(replace(camera, bend=0.02), (96, 96)),
        "tilted 5 %": report_of(replace(camera, tilt=0.05), (96, 96)),
        "exposure +20 %": report_of(camera, (96, 96), misstate=seed % 12),
    }
    return {name: tuple(f.code for f in report.findings) for name, report in variants.items()}


def coverage_table(cases: Iterator[list[Case]]) -> list[str]:
    """Return the table of coverage per figure, pooled over cameras."""
    pooled: dict[str, list[Case]] = {}
    for run in cases:
        for case in run:
            pooled.setdefault(case.name, []).append(case)
    lines = ["| figure | runs | 95 % interval holds the truth | mean error / sigma |", "|---|---:|---:|---:|"]
    for name, found in sorted(pooled.items(), key=lambda item: item[0] in BOUNDS):
        share = np.mean([case.covered for case in found])
        scores = np.array([case.score for case in found])
        lines.append(f"| `{name}` | {len(found)} | {share:.1%} | {np.nanmean(scores):+.2f} |")
    narrow = [case.covered for name, found in pooled.items() if name not in BOUNDS for case in found]
    return [*lines, f"| all but the {len(BOUNDS)} above | {len(narrow)} | {np.mean(narrow):.1%} | |"]


def accuracy_table(runs: Iterator[dict[str, tuple[float, float]]]) -> list[str]:
    """Return the table of the largest errors over the cameras."""
    pooled: dict[str, list[tuple[float, float]]] = {}
    for run in runs:
        for name, pair in run.items():
            pooled.setdefault(name, []).append(pair)
    lines = ["| figure | cameras | largest error | median error | largest error / sigma |", "|---|---:|---:|---:|---:|"]
    for name, pairs in pooled.items():
        errors, sigmas = np.array(pairs).T
        size = np.abs(errors)
        lines.append(
            f"| `{name}` | {len(pairs)} | {np.nanmax(size):.2%} | {np.nanmedian(size):.2%} | "
            f"{np.nanmax(size / sigmas):.1f} |"
        )
    return lines


FAULT_CODES = {
    "bent 1 %": "not_linear",
    "bent 2 %": "not_linear",
    "tilted 5 %": "uneven_light",
    "exposure +20 %": "exposure_inconsistent",
}


def findings_table(found: Iterator[dict[str, tuple[str, ...]]]) -> list[str]:
    """Return how often each fault was found, and what else was."""
    runs = list(found)
    lines = ["| camera | found | other findings |", "|---|---:|---|"]
    for name in runs[0]:
        codes = [run[name] for run in runs]
        wanted = FAULT_CODES.get(name)
        others = sorted({code for run in codes for code in run if code != wanted})
        hits = f"{sum(wanted in run for run in codes)} of {len(codes)}" if wanted else "–"
        counts = ", ".join(f"{code} {sum(code in run for run in codes)}" for code in others)
        lines.append(f"| {name} | {hits} | {counts or 'none'} |")
    return lines


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="coverage runs per camera")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=["accuracy", "coverage", "findings"])
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs) as pool:
        if options.only in (None, "accuracy"):
            print("\n".join(accuracy_table(pool.map(accuracy_run, range(20)))), end="\n\n", flush=True)
        if options.only in (None, "coverage"):
            indices = [index for _ in range(options.runs) for index in range(20)]
            runs = [run for run in range(options.runs) for _ in range(20)]
            table = coverage_table(pool.map(coverage_run, indices, runs, chunksize=10))
            print("\n".join(table), end="\n\n", flush=True)
        if options.only in (None, "findings"):
            indices = [*range(20), *range(20)]
            print("\n".join(findings_table(pool.map(faults, indices, range(1000, 1040), chunksize=2))), flush=True)


if __name__ == "__main__":
    main()
