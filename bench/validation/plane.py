"""Is the error that a fitted plane states the one it has? Points with outliers, and wavy edges in masks.

Each run fits a plane to fresh simulated data and compares its offset from the true plane, at a foot near the border of
the patch, with the variance it states there and with the 95 % interval by Student's t. All is simulated and seeded.
Usage: ``python bench/validation/plane.py [--runs 2000] [--edge-runs 500]``; prints the tables of
``docs/distance_evidence.md``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.special import stdtrit

import pyicg

Floats = npt.NDArray[np.float64]

NORMAL = np.array([0.2, 0.9, 0.3]) / np.linalg.norm([0.2, 0.9, 0.3])
PATCH_MM = (4.0, 12.0)  # half lengths
FOOT = (0.5, 0.7)  # share of the half lengths
SIGMA_MM = 0.15
SPACING_MM = (1.0, 0.1, 0.1)
EDGE_PX = 200
TILT = 0.02  # of the edge, px per px: it crosses rows


@dataclass(frozen=True)
class Row:
    errors_mm: Floats
    variances_mm2: Floats
    inside: npt.NDArray[np.bool_]
    outliers_found: float
    refused: float

    @property
    def ratio(self) -> float:
        """Median stated variance over measured one; a few wide statements must not hide many narrow ones."""
        return float(np.median(self.variances_mm2) / np.var(self.errors_mm))

    @property
    def mean_ratio(self) -> float:
        return float(np.mean(self.variances_mm2) / np.var(self.errors_mm))

    @property
    def bias_sd(self) -> float:
        return float(np.mean(self.errors_mm) / np.std(self.errors_mm))

    @property
    def coverage(self) -> float:
        return float(np.mean(self.inside))


def compare(fits: Iterable[pyicg.Plane | None], foot: Floats, normal: Floats) -> Row:
    errors, variances, inside, outliers, refused = [], [], [], [], []
    for plane in fits:
        refused.append(plane is None)
        if plane is None:
            continue
        seen = plane if np.dot(plane.normal, normal) > 0 else plane.flipped()
        error = float(np.dot(np.subtract(seen.point_mm, foot), seen.normal))
        (variance,) = seen.variance_mm2(foot[None])
        errors.append(error)
        variances.append(variance)
        inside.append(abs(error) <= stdtrit(seen.freedom, 0.975) * math.sqrt(variance))
        outliers.append(seen.n_outliers)
    return Row(
        np.array(errors), np.array(variances), np.array(inside), float(np.mean(outliers)), float(np.mean(refused))
    )


def tried(fit: Callable[..., pyicg.Plane], *arguments: object, **options: object) -> pyicg.Plane | None:
    try:
        return fit(*arguments, **options)
    except pyicg.InputError:
        return None


def points(n: int, share: float, *, kind: str = "far", runs: int, seed: int = 1) -> Row:
    """Points with normal errors; a share lies beyond on one side, 0.5 to 5 mm (far) or exponentially, 2 mm (near)."""
    rng = np.random.default_rng(seed)
    _, _, axes = np.linalg.svd(NORMAL[None])
    places = rng.uniform(-1, 1, (n, 2)) * PATCH_MM @ axes[1:]
    foot = np.multiply(FOOT, PATCH_MM) @ axes[1:]
    wrong = round(share * n)

    def fits() -> Iterable[pyicg.Plane | None]:
        for _ in range(runs):
            offset = rng.normal(0, SIGMA_MM, n)
            chosen = rng.choice(n, wrong, replace=False)
            offset[chosen] += rng.uniform(0.5, 5, wrong) if kind == "far" else rng.exponential(2.0, wrong)
            yield tried(pyicg.fit_plane, places + offset[:, None] * NORMAL)

    return compare(fits(), foot, NORMAL)


def edges(
    slices: int,
    wave_px: float,
    *,
    amplitude_px: float = 2.0,
    thickness_px: int = 3,
    slice_px: float = 0.0,
    runs: int,
    seed: int = 1,
) -> Row:
    """Strips in the slices of a mask: waves of a correlation length along the edge, every slice shifted by an error.

    The correlation of the waves falls to exp(-1/2) over the length. Columns jitter by half a pixel, a tenth of the
    pixels is missing, and one column in fifty is smeared 20 px outwards.
    """
    rng = np.random.default_rng(seed)
    columns = np.arange(EDGE_PX)
    true = 60.0 + TILT * columns
    normal = np.array([0.0, SPACING_MM[2], -TILT * SPACING_MM[1]])
    normal /= np.linalg.norm(normal)
    middle = np.array([(slices - 1) / 2, true.mean(), columns.mean()])
    along = np.array([FOOT[0] * (slices - 1) / 2, TILT * FOOT[1] * EDGE_PX / 2, FOOT[1] * EDGE_PX / 2])
    foot = (middle + along) * SPACING_MM
    rows = np.arange(140)[:, None]
    pad = math.ceil(5 * wave_px)

    def mask() -> npt.NDArray[np.bool_]:
        made = np.zeros((slices, len(rows), EDGE_PX), bool)
        for one in made:
            wave = rng.normal(0, 1, EDGE_PX + 2 * pad)
            if wave_px > 0:
                smooth = wave_px / math.sqrt(2)
                wave = gaussian_filter1d(wave, smooth) * math.sqrt(2 * math.sqrt(math.pi) * smooth)
            edge = true + amplitude_px * wave[pad : pad + EDGE_PX] + slice_px * rng.normal()
            start = np.round(edge + rng.normal(0, 0.5, EDGE_PX) - (thickness_px - 1) / 2)
            smear = 20 * (rng.random(EDGE_PX) < 0.02)
            one[:] = (rows >= start) & (rows < start + thickness_px + smear) & (rng.random(EDGE_PX) > 0.1)
        return made

    fits = (tried(pyicg.plane_from_mask, mask(), spacing_mm=SPACING_MM) for _ in range(runs))
    return compare(fits, foot, normal)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--edge-runs", type=int, default=500)
    given = parser.parse_args()
    print("| points | outliers | stated / measured variance | bias, sd | coverage | found | refused |")
    print("|---|---|---|---|---|---|---|")
    for n in (4, 8, 12, 25, 60, 200):
        for share, kind in ((0.0, "far"), (0.1, "far"), (0.2, "far"), (0.3, "far"), (0.3, "near")):
            if share and (n < 8 or (n, share) == (8, 0.2)):  # 30 % of 8 are two as well
                continue
            row = points(n, share, kind=kind, runs=given.runs)
            what = f"{100 * share:.0f} %, {kind}" if share else "none"
            print(
                f"| {n} | {what} | {row.mean_ratio:.2f} | {row.bias_sd:+.2f} | "
                f"{100 * row.coverage:.1f} % | {row.outliers_found:.1f} of {round(share * n)} | "
                f"{100 * row.refused:.1f} % |",
                flush=True,
            )
    print(
        "\n| slices | waves, px | slices shifted, px | thickness, px | stated / measured variance | median | coverage |"
    )
    print("|---|---|---|---|---|---|---|")
    for slices in (3, 8):
        for wave, shift, thickness in (
            (0, 0, 3),
            (5, 0, 3),
            (15, 0, 1),
            (15, 0, 3),
            (15, 0, 6),
            (40, 0, 3),
            (15, 1, 3),
        ):
            row = edges(slices, wave, slice_px=shift, thickness_px=thickness, runs=given.edge_runs)
            print(
                f"| {slices} | {wave} | {shift} | {thickness} | {row.mean_ratio:.2f} | {row.ratio:.2f} | "
                f"{100 * row.coverage:.1f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
