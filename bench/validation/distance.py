"""How far is `pyicg.distance_to_plane` off, and do its intervals hold the truth? Simulated, with exact truth.

Every case is a sliced tumour (sphere, ellipsoid or lobed body, 4 to 9 mm, drawn by `distance_scenes.py`) in pixels of
0.2 mm, and a plane up to 60 degrees off the slices' perpendicular at a true margin of -1 to 6 mm. Each slice is a frame
of its own (SBR 2 to 6, core 0.2 to 0.7 of liver, SNR 10, 20 or 40, blur 0.5 to 2 px, which nobody tells) that goes
through `calibrate` and `segment_rim`. A rim is 1.2 mm or 4 sigmas of the blur thick, thicker towards the poles; cores
under 6 px are not drawn, their slices show liver. Slices are 0.5, 1 and 2 mm apart in turn.

The distance is measured twice: to the exact plane (accuracy), and to `fit_plane` of 8 to 40 points around the foot,
each off by 0.05 to 0.2 mm (intervals). On the same frames, two references: centres of the pixels of the true core, and
the bare vertices of the found contours. Then slices of 5 mm at a true -1 to 4 mm and at 20 mm, and the whole path from
raw frames of a simulated camera (0.1 mm pixels, rim of 6 mm outer radius cut by the plane, 0.4 to 3 mm from the tumour;
the exact plane).

Segmenting takes nearly all of the time: ``--keep FILE`` writes the cases with their segmentations, and ``--from FILE``
measures the distances of such a file again. It is a pickle: read none but your own. Everything is seeded; a case
follows from the seed, its part and its number. The defaults take about an hour of two cores. Usage:
``python bench/validation/distance.py [--draws 1000] [--thick 120] [--specimens 240] [--thin 0] [--seed 1]
[--processes 2] [--keep FILE | --from FILE] [--slice]``
"""

from __future__ import annotations

import argparse
import gzip
import math
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path

import distance_scenes as scenes
import numpy as np
from distance_scenes import Case, Reals

import pyicg

ROUTES = ("pyicg", "pixels of the true core", "vertices alone")
RMSE_MM = {0.2: 0.03, 0.5: 0.03, 1.0: 0.05, 2.0: 0.12}
BIAS_MM = {0.2: 0.02, 0.5: 0.02, 1.0: 0.02, 2.0: 0.03}
THRESHOLD_MM = 1.0
TILTS_DEG = (0.0, 20.0, 40.0, 60.0)
CORES_PX = (6.0, 8.0, 12.0, 20.0, math.inf)


@dataclass(frozen=True)
class Section:
    """One core that a slice shows: its contour's radial errors in pixels, positive outwards; NaN when not found."""

    radius_px: float
    bias_px: float = math.nan
    rms_px: float = math.nan
    normalised_rms: float = math.nan
    sure: bool = False


@dataclass(frozen=True, eq=False)
class Row:
    """One case measured; `others` are the references, mm."""

    case: Case
    exact: pyicg.Distance
    told: pyicg.Distance
    label: str
    reasons: tuple[str, ...]
    others: tuple[float, float]
    sections: tuple[Section, ...]
    false: int  # lesions that are none

    @property
    def step(self) -> float:
        return self.case.spacing_mm[0]

    @property
    def error(self) -> float:
        return self.exact.min_mm - self.case.true_mm

    @property
    def told_error(self) -> float:
        return self.told.min_mm - self.case.true_mm

    @property
    def covered(self) -> bool:
        return self.told.ci_mm[0] <= self.case.true_mm <= self.told.ci_mm[1]

    @property
    def straddles(self) -> bool:
        return self.told.ci_mm[0] < THRESHOLD_MM <= self.told.ci_mm[1]

    @property
    def right(self) -> str:
        return "R1" if self.case.true_mm < THRESHOLD_MM else "R0"


def look(job: tuple[str, int], seed: int, keep: bool) -> tuple[Row, bytes]:
    """Segment and measure a case; return it with its segmentations, packed, when they are to be kept."""
    case = scenes.draw(job[1], seed, job[0])
    rims = scenes.rims_of(case)
    return measure(case, rims), gzip.compress(pickle.dumps((case, rims)), 1) if keep else b""


def look_again(packed: bytes) -> Row:
    return measure(*pickle.loads(gzip.decompress(packed)))


def read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while file.peek(1):
            yield pickle.load(file)


def measure(case: Case, rims: Sequence[pyicg.RimSegmentation]) -> Row:
    exact, told = (
        pyicg.distance_to_plane(rims, plane, spacing_mm=case.spacing_mm) for plane in (case.exact, case.told)
    )
    status = pyicg.margin.from_distance(told, threshold_mm=THRESHOLD_MM)
    sections, false = compare(case, rims)
    others = (nearest(case, map(core_pixels, case.shapes)), nearest(case, map(vertices, rims)))
    return Row(case, exact, told, status.label, status.reasons, others, sections, false)


def nearest(case: Case, slices: Iterable[Reals]) -> float:
    """Return the smallest distance of points (y, x), slice by slice in pixels, to the exact plane; NaN for none."""
    found = [np.insert(at, 0, k, axis=1) for k, at in enumerate(slices)]
    points = np.vstack([np.empty((0, 3)), *found]) * case.spacing_mm
    return float(np.min((case.exact.point_mm - points) @ case.exact.normal)) if len(points) else math.nan


def vertices(rim: pyicg.RimSegmentation) -> Reals:
    return np.vstack([np.empty((0, 2)), *(lesion.inner_contour for lesion in rim.lesions)])


def core_pixels(shape: pyicg.phantom.RimShape | None) -> Reals:
    if shape is None:
        return np.empty((0, 2))
    far = shape.contours()[0]
    lowest, highest = np.floor(far.min(axis=0)).astype(int), np.ceil(far.max(axis=0)).astype(int) + 1
    at = np.mgrid[lowest[0] : highest[0], lowest[1] : highest[1]].reshape(2, -1).T.astype(np.float64)
    y, x = (at - shape.centre_px).T
    return np.asarray(at[np.hypot(y, x) < shape.inner_radius_px(np.arctan2(y, x))])


def compare(case: Case, rims: Sequence[pyicg.RimSegmentation]) -> tuple[tuple[Section, ...], int]:
    """Compare the contours with the sections drawn; return how many lesions are none as well."""
    sections, false = [], 0
    for shape, rim in zip(case.shapes, rims, strict=bool(case.shapes)):
        if shape is None:
            false += len(rim.lesions)
            continue
        here = [one for one in rim.lesions if math.dist(one.centroid, shape.centre_px) < 0.6 * shape.radius_px]
        false += len(rim.lesions) - len(here[:1])
        if not here:
            sections.append(Section(shape.radius_px))
            continue
        y, x = (here[0].inner_contour - shape.centre_px).T
        off = np.hypot(y, x) - shape.inner_radius_px(np.arctan2(y, x))
        rms, normalised = (float(np.sqrt(np.mean(v**2))) for v in (off, off / here[0].inner_sigma))
        sections.append(Section(shape.radius_px, float(off.mean()), rms, normalised, here[0].confidence >= 0.5))
    return tuple(sections), false


# Tables


def table(title: str, head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    print(f"\n### {title}\n\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for line in lines:
        print("| " + " | ".join("–" if "nan" in cell else cell for cell in line) + " |")


def rms(values: Sequence[float]) -> float:
    return math.sqrt(float(np.mean(np.square(values)))) if len(values) else math.nan


def mean(values: Sequence[float] | Sequence[bool]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def verdict(passed: bool) -> str:
    return "PASS" if passed else "**FAIL**"


def off(errors: Sequence[float]) -> list[str]:
    """Return count, RMSE, bias, 95 % and largest overestimate of errors in mm."""
    known = np.array([e for e in errors if not math.isnan(e)])
    if len(known) == 0:
        return ["0", "–", "–", "–", "–"]
    return [
        str(len(known)),
        f"{rms(known.tolist()):.3f}",
        f"{known.mean():+.3f}",
        f"{np.quantile(np.abs(known), 0.95):.3f}",
        f"{known.max():+.3f}",
    ]


OFF = ("cases", "RMSE", "bias", "95 %", "largest overestimate")


def accuracy(rows: Sequence[Row]) -> None:
    lines = []
    for step in sorted({row.step for row in rows}):
        mine = [row for row in rows if row.step == step]
        errors = [row.error for row in mine if not math.isnan(row.error)]
        for name, value, limit in (
            ("RMSE", rms(errors), RMSE_MM[step]),
            ("bias, absolute", abs(mean(errors)), BIAS_MM[step]),
        ):
            lines.append([f"{step:g}", name, f"<= {limit:g}", f"{value:.3f}", verdict(value <= limit)])
    table("Accuracy to the exact plane, mm: wanted and found", ["slices", "figure", "wanted", "found", ""], lines)
    lines = []
    for step in sorted({row.step for row in rows}):
        for kind in ("all", *scenes.KINDS):
            mine = [row for row in rows if row.step == step and kind in ("all", row.case.kind)]
            lines.append([f"{step:g}", kind, ROUTES[0], *off([row.error for row in mine])])
            for i, route in enumerate(ROUTES[1:]):
                lines.append([f"{step:g}", kind, route, *off([row.others[i] - row.case.true_mm for row in mine])])
    table("Accuracy to the exact plane, mm", ["slices", "shape", "method", *OFF], lines)
    table("The same by slices and tilt of the plane", ["cases of", *OFF], cuts(rows, lambda some: off(errors_of(some))))


def errors_of(rows: Sequence[Row]) -> list[float]:
    return [row.error for row in rows]


def cuts(rows: Sequence[Row], figures: Callable[[list[Row]], list[str]]) -> Iterator[list[str]]:
    for step in sorted({row.step for row in rows}):
        for least, most in pairwise(TILTS_DEG):
            mine = [row for row in rows if row.step == step and least <= row.case.tilt_deg < most]
            yield [f"slices {step:g} mm, tilt {least:g}° to {most:g}°", *figures(mine)]
    for snr in (10, 20, 40):
        yield [f"SNR {snr}", *figures([row for row in rows if row.case.snr == snr])]
    for low, high in pairwise((0.5, 1.0, 1.5, 2.0)):
        yield [f"blur {low:g} to {high:g} px", *figures([row for row in rows if low <= row.case.blur_px < high])]


def intervals(rows: Sequence[Row]) -> None:
    def figures(some: Sequence[Row]) -> list[str]:
        known = [row for row in some if row.told.sigma_mm > 0]
        if not known:
            return ["0", "–", "–", "–", "–"]
        normalised = np.array([row.told_error / row.told.sigma_mm for row in known])
        return [
            str(len(known)),
            f"{mean([row.covered for row in known]):.1%}",
            f"{normalised.std():.2f}",
            f"{normalised.mean():+.2f}",
            f"{np.median([row.told.sigma_mm for row in known]):.3f}",
        ]

    steps = sorted({row.step for row in rows})
    parts = [
        ("all", list(rows)),
        *((f"slices {step:g} mm", [row for row in rows if row.step == step]) for step in steps),
    ]
    head = ["cases of", "cases", "95 % intervals that hold the truth", "error / sigma: SD", "mean", "median sigma, mm"]
    table("Intervals, plane fitted to points", head, chain(([n, *figures(p)] for n, p in parts), cuts(rows, figures)))
    share = mean([row.covered for row in rows if not math.isnan(row.told.min_mm)])
    print(f"\nWanted: 92 to 98 % of all. {verdict(0.92 <= share <= 0.98)}")


def thick(rows: Sequence[Row]) -> None:
    lines = []
    for name, mine in (
        ("-1 to 4", [row for row in rows if row.case.true_mm != scenes.FAR_MM]),
        (f"{scenes.FAR_MM:g}", [row for row in rows if row.case.true_mm == scenes.FAR_MM]),
    ):
        labels = [f"{mean([row.label == label for row in mine]):.1%}" for label in ("R1", "indeterminate", "R0")]
        wrong = [row.label not in ("indeterminate", row.right) for row in mine]
        lines.append(
            [name, str(len(mine)), *labels, f"{mean(wrong):.1%}", f"{mean([row.covered for row in mine]):.1%}"]
        )
    head = ["true margin, mm", "cases", "R1", "indeterminate", "R0", "wrong", "intervals that hold the truth"]
    table("Slices of 5 mm", head, lines)
    across = [row for row in rows if row.straddles]
    told = [row.label == "indeterminate" and "slice_too_thick" in row.reasons for row in across]
    far = [row.label == "R0" for row in rows if row.case.true_mm == scenes.FAR_MM]
    print(f"\nOf {len(told)} intervals across 1 mm, {sum(told)} say slice_too_thick. {verdict(all(told))}")
    print(f"At 20 mm, {sum(far)} of {len(far)} are R0. {verdict(all(far))}")


def whole_path(rows: Sequence[Row]) -> None:
    lines, wanted = [], []
    for margin in scenes.SPECIMEN_MARGINS_MM:
        mine = [row for row in rows if row.case.true_mm == margin]
        for step in scenes.SPECIMEN_SPACINGS_MM:
            some = [row for row in mine if row.step == step]
            shares = (
                mean([row.label == row.right for row in some]),
                mean([row.label == "indeterminate" for row in some]),
                mean([row.label not in ("indeterminate", row.right) for row in some]),
                mean([row.covered for row in some]),
            )
            lines.append([f"{margin:g}", f"{step:g}", *off([r.error for r in some]), *(f"{s:.1%}" for s in shares)])
        if margin in (0.4, 3.0):
            share = mean([row.label == row.right for row in mine])
            wanted.append(f"{margin:g} mm, decided and right: {share:.1%}, wanted >= 95 %. {verdict(share >= 0.95)}")
        else:
            share = mean([row.label not in ("indeterminate", row.right) for row in mine])
            wanted.append(f"{margin:g} mm, labels that are wrong: {share:.1%}, wanted <= 1 %. {verdict(share <= 0.01)}")
    head = ["true margin", "slices", *OFF, "right", "indeterminate", "wrong", "intervals that hold the truth"]
    table("From raw frames, mm", head, lines)
    value = rms([row.error for row in rows])
    print(f"\nRMSE {value:.3f} mm, wanted <= 0.1. {verdict(value <= 0.1)}")
    print("\n".join(wanted))


def segmentations(rows: Sequence[Row]) -> None:
    lines = []
    for least, most in pairwise(CORES_PX):
        mine = [one for row in rows for one in row.sections if least <= one.radius_px < most]
        found = [one for one in mine if not math.isnan(one.rms_px)]
        lines.append(
            [
                f"{least:g} to {most:g}",
                str(len(mine)),
                f"{len(found) / max(len(mine), 1):.1%}",
                f"{mean([one.sure for one in found]):.1%}",
                f"{mean([one.bias_px for one in found]):+.3f}",
                f"{rms([one.rms_px for one in found]):.3f}",
                f"{np.median([one.rms_px for one in found] or [math.nan]):.3f}",
                f"{rms([one.normalised_rms for one in found]):.2f}",
            ]
        )
    head = ["core radius, px", "slices", "found", "confidence >= 0.5", "mean, px", "RMS", "median RMS", "RMS / sigma"]
    table("Contours, radial errors", head, lines)
    print(f"\nLesions that are none: {sum(row.false for row in rows)}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000, help="slices 0.5, 1 and 2 mm in turn")
    parser.add_argument("--thick", type=int, default=120, help="slices of 5 mm")
    parser.add_argument("--specimens", type=int, default=240, help="from raw frames")
    parser.add_argument("--thin", type=int, default=0, help="slices of 0.2 mm, 10 s each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--keep", type=Path, help="write the segmentations to this file")
    files.add_argument("--from", type=Path, dest="kept", help="read them, and measure distances only")
    parser.add_argument("--slice", action="store_true", help="a minute of it")
    told = parser.parse_args()
    if told.slice:
        told.draws, told.thick, told.specimens = 36, 8, 8
    counts = {"grid": told.draws, "thick": told.thick, "specimen": told.specimens, "thin": told.thin}
    rows: list[Row] = []
    with ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor(told.processes))
        if told.kept:
            rows = list(pool.map(look_again, read(told.kept), chunksize=4))
        else:
            file = stack.enter_context(told.keep.open("wb")) if told.keep else None
            jobs = [(part, number) for part, count in counts.items() for number in range(count)]
            for row, packed in pool.map(partial(look, seed=told.seed, keep=file is not None), jobs):
                rows.append(row)
                if file:
                    pickle.dump(packed, file)
    parts = {part: [row for row in rows if row.case.part == part] for part in scenes.PARTS}
    for name, mine in parts.items():
        lost = sum(math.isnan(row.exact.min_mm) for row in mine)
        print(f"{name}: {len(mine)} cases, {lost} without a distance")
    for show, mine in (
        (accuracy, parts["grid"] + parts["thin"]),
        (intervals, parts["grid"]),
        (thick, parts["thick"]),
        (whole_path, parts["specimen"]),
        (segmentations, parts["grid"] + parts["thin"] + parts["thick"]),
    ):
        if mine:
            show(mine)


if __name__ == "__main__":
    main()
