"""One scene, two cameras: do their SBRs agree?

A noisy 8-bit scope (offset, vignetting 0.4, response bent by 15 %) and a quiet 16-bit camera look at a lesion. Each has
a profile with its linearity, from its own dark and flat frames. *One scene*: both see the same lesion at the same place
on the same even liver, so that only the cameras differ. *Two fields*: the tissue is uneven and each sees a field of its
own, with the lesion elsewhere: the same SBR at large, another sample of it.
Calibrated, the two SBRs agree when the joint interval of their difference (MOVER, Zou and Donner 2008) holds zero;
uncalibrated, the same question is put to the counts. Everything is simulated and seeded. Usage:
``python bench/validation/two_cameras.py [--runs 1000] [--jobs 2]``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

import pyicg
from pyicg import CameraProfile, Measurement
from pyicg.phantom import SimulatedCamera

Image = npt.NDArray[np.float64]

SHAPE = (96, 96)
SBRS = (1.1, 1.5, 2.0, 3.0, 5.0)
RADIUS_PX = (8.0, 20.0)
BRIGHTEST = 0.7  # share of the range that the brightest lesion reaches
TEXTURES = {"one scene": 0.0, "two fields": 0.1}
TEXTURE_PX = 2.0
SCENES_PER_PROFILE = 25
PROFILE_FRAMES = 16
FLAT_SHARES = (0.1, 0.25, 0.4, 0.6, 0.8, 1.0)

SCOPE = SimulatedCamera(
    bit_depth=8,
    gain_dn_per_e=0.05,
    read_noise_e=25.0,
    offset_dn=20.0,
    dsnu_dn=0.6,
    prnu=0.02,
    vignetting=0.4,
    bend=0.15,
    hot_pixel_share=2e-4,
    exposure_ms=40.0,
)
QUIET = SimulatedCamera(
    bit_depth=16,
    gain_dn_per_e=1.5,
    read_noise_e=2.0,
    offset_dn=500.0,
    dsnu_dn=2.0,
    prnu=0.005,
    vignetting=0.1,
    hot_pixel_share=2e-4,
    exposure_ms=20.0,
)


@dataclass(frozen=True)
class Pair:
    """One lesion on both cameras."""

    tissue: str
    sbr: float
    calibrated: tuple[Measurement, Measurement]
    counts: tuple[Measurement, Measurement]


def measured_profile(camera: SimulatedCamera) -> CameraProfile:
    """Measure a profile with its linearity, as a user would: one lamp at several exposures."""
    times = [share * camera.exposure_ms for share in FLAT_SHARES]
    return pyicg.build_profile(
        {t: camera.dark_series(PROFILE_FRAMES, shape=SHAPE, exposure_ms=t) for t in (times[0], times[-1])},
        {
            t: camera.flat_series(PROFILE_FRAMES, shape=SHAPE, level=0.8 * share, exposure_ms=t)
            for t, share in zip(times, FLAT_SHARES, strict=True)
        },
        camera="simulated",
        exposure_ms=camera.exposure_ms,
        bit_depth=camera.bit_depth,
        linearity="polynomial",
    )


def run(job: tuple[str, int]) -> list[Pair]:
    """Measure both profiles afresh and show both cameras some scenes."""
    tissue, turn = job
    rng = np.random.default_rng([list(TEXTURES).index(tissue), turn])
    cameras = [replace(camera, seed=int(rng.integers(2**31))) for camera in (SCOPE, QUIET)]
    sbrs = [SBRS[k % len(SBRS)] for k in range(SCENES_PER_PROFILE)]
    found = []
    for side, camera in enumerate(cameras):
        if side == 0 or TEXTURES[tissue] > 0:
            lesions = [_disc(rng) for _ in sbrs]
            light = np.stack([_light(tissue, lesion, sbr, rng) for lesion, sbr in zip(lesions, sbrs, strict=True)])
        brightest_e = BRIGHTEST * (camera.saturation_dn - camera.offset_dn) / camera.gain_dn_per_e
        raws = camera.expose(light / max(SBRS) * brightest_e / camera.exposure_ms)
        profiles = measured_profile(camera), CameraProfile.identity(SHAPE, bit_depth=camera.bit_depth)
        found.append([[_sbr(raw, p, lesion) for p in profiles] for raw, lesion in zip(raws, lesions, strict=True)])
    return [
        Pair(tissue, sbr, (scope[0], quiet[0]), (scope[1], quiet[1]))
        for sbr, scope, quiet in zip(sbrs, *found, strict=True)
    ]


def _disc(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    radius = rng.uniform(*RADIUS_PX)
    y, x = (rng.uniform(radius, n - 1 - radius) for n in SHAPE)
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return np.asarray((rows - y) ** 2 + (columns - x) ** 2 < radius**2)


def _light(tissue: str, lesion: npt.NDArray[np.bool_], sbr: float, rng: np.random.Generator) -> Image:
    """Light of the scene, 1 on liver."""
    # A Gaussian of s px leaves white noise a standard deviation of 1/(2 sqrt(pi) s).
    grain = gaussian_filter(rng.standard_normal(SHAPE), TEXTURE_PX) * 2 * math.sqrt(math.pi) * TEXTURE_PX
    return np.asarray(np.where(lesion, sbr, 1.0) * (1 + TEXTURES[tissue] * grain))


def _sbr(raw: npt.NDArray[np.uint16], profile: CameraProfile, lesion: npt.NDArray[np.bool_]) -> Measurement:
    cal = pyicg.calibrate(raw, profile, exposure_ms=profile.exposure_ms)
    background = pyicg.estimate_background(cal, exclude=lesion)
    return pyicg.contrast(cal, signal=lesion, background=background).sbr


def agree(a: Measurement, b: Measurement) -> bool:
    """Whether the joint interval of the difference holds zero."""
    if a.value < b.value:
        a, b = b, a
    return a.value - b.value <= math.hypot(a.value - a.ci[0], b.ci[1] - b.value)


def pairs(*, runs: int = 1000, jobs: int = 2) -> list[Pair]:
    todo = [(tissue, turn) for tissue in TEXTURES for turn in range(-(-runs // SCENES_PER_PROFILE))]
    with ProcessPoolExecutor(jobs) as pool:
        return [pair for part in pool.map(run, todo) for pair in part]


def agreement(found: Iterable[tuple[Measurement, Measurement]]) -> float:
    return float(np.mean([agree(*two) for two in found]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="scenes of each kind")
    parser.add_argument("--jobs", type=int, default=2)
    told = parser.parse_args()
    found = pairs(runs=told.runs, jobs=told.jobs)
    print("| | true SBR | scenes | calibrated: 8-bit | 16-bit | agree | uncalibrated: 8-bit | 16-bit | agree |")
    print("|---|---|---|---|---|---|---|---|---|")
    for tissue in TEXTURES:
        for sbr in (*SBRS, None):
            part = [pair for pair in found if pair.tissue == tissue and sbr in (pair.sbr, None)]
            cells = []
            for twos in ([pair.calibrated for pair in part], [pair.counts for pair in part]):
                medians = [np.median([two[side].value for two in twos]) for side in (0, 1)]
                cells += [f"{median:.3f}" if sbr else "" for median in medians] + [f"{agreement(twos):.1%}"]
            print(f"| {tissue} | {sbr or 'all'} | {len(part)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
