"""Score real images that nobody on this project made, and print what comes out beside what is known of them.

Run ``python bench/validation/real_images.py``; the Markdown it prints is the evidence of docs/real_images.md. The
images lie in the folder that PYICG_DATA names, or in ``../shared/data`` beside the repository. Nothing is random here.
"""

from __future__ import annotations

import csv
import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import pyicg
from pyicg import detection

Frame = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Point = tuple[float, float]

SPHEROID_PX_PER_UM = 0.8045
SPHEROID_MM_PER_PX = 1e-3 / SPHEROID_PX_PER_UM
SURE = 0.5
PUBLISHED_CNR_OF_THE_SHALLOWEST = 173.314


def main() -> None:
    """Print every table."""
    told = os.environ.get("PYICG_DATA")
    data = Path(told) if told else Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not data.is_dir():
        sys.exit(f"no real images at {data}: set PYICG_DATA to the folder that holds them")
    every_image(data)
    sure_of_a_rim(data)
    spheroids(data / "spheroids")
    depth_target(data / "quel")
    concentration_target(data / "quel")
    lung_phantom(data / "quel")
    dark_frame(data / "plantcv")


def every_image(data: Path) -> None:
    """Print `score_frame` on each image as it is."""
    rows = []
    for name, frame, profile, view, pixel_size_mm in _images(data):
        score = pyicg.score_frame(frame, profile=profile, view=view, pixel_size_mm=pixel_size_mm)
        best = max(score.lesions, key=lambda lesion: lesion.confidence, default=None)
        rows.append(
            (
                name,
                view,
                f"{score.background.level:.3g} ± {score.background.sem:.1g} {score.unit}",
                _text(score.contrast.sbr),
                _sign(score.sign_at[1.5]) if view == "bed" else "–",
                len(score.lesions),
                "–" if best is None else f"{best.confidence:.2f}",
                " ".join(score.reasons),
            )
        )
    header = ("file", "view", "background level", "SBR (95 % CI)", "sign at 1.5", "lesions", "confidence", "reasons")
    _table("score_frame, as it is", header, rows)


def _images(data: Path) -> Iterator[tuple[str, Frame, pyicg.CameraProfile, str, float | None]]:
    for path in _quel(data):
        frame = pyicg.read_stack(path, transfer=None)[0]
        yield path.name, frame, pyicg.CameraProfile.identity(frame.shape, bit_depth=8), "bed", None
    for row in _csv(data / "spheroids" / "truth.csv"):
        shell = _shell(data / "spheroids" / row["file"])
        identity = pyicg.CameraProfile.identity(shell.shape, bit_depth=8)
        yield row["file"], shell, identity, "section", SPHEROID_MM_PER_PX
        yield f"{row['file']}, no pixel size", shell, identity, "section", None
    for path in sorted((data / "nir_mouse").glob("*.png"), key=lambda path: int(path.stem)):
        frame = pyicg.read_stack(path)[0]
        yield f"nir_mouse/{path.name}", frame, pyicg.CameraProfile.identity(frame.shape, bit_depth=8), "bed", None
    profile = _plant_profile(data / "plantcv")
    for name in ("FLUO_TV_max.png", "FLUO_TV_min.png"):
        yield f"{name} with dark", pyicg.read_stack(data / "plantcv" / name)[0], profile, "bed", None


def sure_of_a_rim(data: Path) -> None:
    """Print how sure `segment_rim` is, with default options, on every image of each folder."""
    rows = []
    for told, paths, bits in (
        ("spheroids", sorted((data / "spheroids").glob("*.tif")), 8),
        ("nir_mouse", sorted((data / "nir_mouse").glob("*.png")), 8),
        ("quel", _quel(data), 8),
        ("quel, drawings left out", _quel(data), 8),
        ("plantcv", sorted((data / "plantcv").glob("FLUO_TV_m??.png")), 16),
        ("exposure_series", sorted((data / "exposure_series").glob("*.tif")), 8),
        ("emva1288_set001", sorted((data / "emva1288_set001" / "images").glob("*.png")), 12),
    ):
        surest: list[float] = []
        lesions = 0
        for path in paths:
            frame = _shell(path) if told == "spheroids" else pyicg.read_stack(path, transfer=None)[0]
            drawn = path.with_name(path.name.replace("_u8", "_overlaymask_u8"))
            exclude = pyicg.read_stack(drawn)[0] != 0 if "left out" in told and drawn.exists() else None
            profile = pyicg.CameraProfile.identity(frame.shape, bit_depth=bits)
            found = pyicg.segment_rim(pyicg.calibrate(frame, profile, exclude=exclude)).lesions
            lesions += len(found)
            surest.append(max((lesion.confidence for lesion in found), default=0.0))
        sure = sum(confidence >= SURE for confidence in surest)
        rows.append((told, len(paths), lesions, f"{min(surest):.2f} to {max(surest):.2f}", sure))
    header = ("images", "number", "lesions", "confidence of the surest lesion of each", f"images over {SURE}")
    _table("segment_rim, default options", header, rows)


def spheroids(folder: Path) -> None:
    """Print radius and rim of the spheroids beside the published ones: default options, and other smoothings."""
    rows = []
    for row in _csv(folder / "truth.csv"):
        radius_um, rim_um = float(row["radius_um"]), float(row["rim_um"])
        shell = _shell(folder / row["file"])
        cal = pyicg.calibrate(shell, pyicg.CameraProfile.identity(shell.shape, bit_depth=8))
        for smooth_px in (None, 2.0, 4.0, 8.0):
            found = pyicg.segment_rim(cal, pixel_size_mm=SPHEROID_MM_PER_PX, smooth_px=smooth_px)
            lesion = max(found.lesions, key=lambda one: one.confidence, default=None)
            settings = (row["file"], "default" if smooth_px is None else f"{smooth_px:g}")
            if lesion is None:
                reasons = sorted({region.reason for region in found.rejected})
                rows.append((*settings, *[""] * 7, " ".join(reasons)))
                continue
            outer_um, core_um = (
                _equivalent_radius(contour) / SPHEROID_PX_PER_UM
                for contour in (lesion.outer_contour, lesion.inner_contour)
            )
            thickness_um = lesion.thickness_mm.value * 1e3
            rows.append(
                (
                    *settings,
                    f"{outer_um:.0f} ({radius_um:.0f})",
                    f"{outer_um / radius_um - 1:+.1%}",
                    f"{thickness_um:.0f} ({rim_um:.0f})",
                    f"{thickness_um / rim_um - 1:+.1%}",
                    f"{(outer_um - core_um) / rim_um - 1:+.1%}",
                    f"{lesion.completeness:.2f}",
                    f"{lesion.confidence:.2f}",
                    " ".join(lesion.reasons),
                )
            )
    header = (
        "file",
        "smooth_px",
        "radius (published), um",
        "",
        "rim (published), um",
        "",
        "from areas",
        "completeness",
        "confidence",
        "reasons",
    )
    _table("spheroids: segment_rim with a pixel size and nothing else", header, rows)


def depth_target(folder: Path) -> None:
    """Print intensity and CNR of the depth target, its decay and its limit of detection."""
    found = _target(folder, "rds_depth_ex1", "depth_mm")
    decay = found.decay()
    print(f"Decay of the intensity: {_text(decay.factor)} exp({_text(decay.slope_per_mm)} z/mm)")
    print(f"CNR falls to 3 at {_text(found.limit_of_detection())} mm on the curve through all wells,")
    print(f"at {_text(found.limit_of_detection(method='linear'))} mm on straight lines between wells")
    scale = found.cnr[0].value / PUBLISHED_CNR_OF_THE_SHALLOWEST
    limit = found.limit_of_detection(threshold=3 * scale)
    print(f"CNR is {scale:.2f} of the published one; it falls to 3 of those at {_text(limit)} mm\n")


def concentration_target(folder: Path) -> None:
    """Print intensity and CNR of the concentration target, its exponent and its limit of detection."""
    found = _target(folder, "rcs_conc_ex1", "concentration_nm")
    used = found.usable()
    print(f"Exponent from {used[-1]:g} to {used[0]:g} nM: {_text(found.exponent())}")
    print(f"CNR falls to 3 at {_text(found.limit_of_detection())} nM\n")


def _target(folder: Path, name: str, quantity: Literal["concentration_nm", "depth_mm"]) -> detection.Series:
    """Print normalised intensity and CNR of every well; rings drawn into the image are left out."""
    frame = pyicg.read_stack(folder / f"{name}_u8.tif", transfer=None)[0]
    drawn = pyicg.read_stack(folder / f"{name}_overlaymask_u8.tif")[0] != 0
    cal = pyicg.calibrate(frame, pyicg.CameraProfile.identity(frame.shape, bit_depth=8))
    wells = {row["well"]: row for row in _csv(folder / f"{name}_wells.csv")}
    regions = {
        well: _disc(frame.shape, (float(row["row"]), float(row["col"])), float(row["roi_radius_px"])) & ~drawn
        for well, row in wells.items()
    }
    control = regions.pop("control")
    found = detection.series(
        cal, regions={float(well): region for well, region in regions.items()}, control=control, quantity=quantity
    )
    rows = []
    for well, intensity, cnr in zip(regions, found.normalised, found.cnr, strict=True):
        published = float(wells[well]["published_normalised"])
        rows.append((well, f"{published:.4f}", f"{intensity:.4f}", f"{intensity - published:+.4f}", _text(cnr)))
    unit = {"concentration_nm": "concentration, nM", "depth_mm": "depth, mm"}[quantity]
    _table(name, (unit, "published intensity", "found", "difference", "CNR (95 % CI)"), rows)
    return found


def lung_phantom(folder: Path) -> None:
    """Print the contrasts of the lung phantom's inclusions beside the published ones."""
    frame = pyicg.read_stack(folder / "lung_phantom_reference_u8.tif", transfer=None)[0]
    labels = pyicg.read_stack(folder / "lung_phantom_reference_labels_u8.tif")[0]
    cal = pyicg.calibrate(frame, pyicg.CameraProfile.identity(frame.shape, bit_depth=8))
    background = pyicg.estimate_background(cal, policy="mask", mask=labels == 1)
    rows = []
    for row in _csv(folder / "lung_phantom_reference_inclusions.csv"):
        inside = _disc(frame.shape, (float(row["row"]), float(row["col"])), float(row["mask_diam_px"]) / 2)
        found = pyicg.contrast(cal, signal=inside, background=background)
        cells = [row["inclusion_diam_mm"], row["depth_mm"]]
        for name, measured in (("pub_TBR", found.sbr), ("pub_CNR", found.cnr), ("pub_CVR", found.cvr)):
            published = float(row[name])
            cells += [f"{published:.3f}", _text(measured), f"{measured.value / published - 1:+.1%}"]
        rows.append(cells)
    header = ("diameter, mm", "depth, mm", "TBR", "sbr", "", "CNR", "cnr", "", "CVR", "cvr", "")
    _table("lung phantom: published TBR, CNR and CVR beside ours", header, rows)


def dark_frame(folder: Path) -> None:
    """Print what the dark frame of the plants does to their mean, and the area over the cut beside the plant's."""
    plant_px = int(np.count_nonzero(pyicg.read_stack(folder / "FLUO_TV_MASK.png")[0]))
    dark = pyicg.read_stack(folder / "FLUO_TV_dark.png")[0]
    profile = _plant_profile(folder)
    rows = []
    for name in ("FLUO_TV_max.png", "FLUO_TV_min.png"):
        frame = pyicg.read_stack(folder / name)[0]
        cal = pyicg.calibrate(frame, profile)
        area = pyicg.score_frame(frame, profile=profile).residual_area_px
        rows.append(
            (
                name,
                f"{np.mean(frame < dark):.1%}",
                f"{np.mean(frame - dark, dtype=np.float64):.1f}",
                f"{np.mean(cal.data, dtype=np.float64):.1f}",
                f"{np.mean((cal.mask & 2) != 0):.1%}",
                "undefined" if np.isnan(area) else f"{area:.0f}",
                plant_px,
            )
        )
    header = (
        "file",
        "pixels under the dark frame",
        "mean, unsigned",
        "mean, pyicg",
        "pixels of count 0",
        "px over SBR 1.5",
        "px of the plant",
    )
    _table("plants: mean after the dark frame", header, rows)


def _plant_profile(folder: Path) -> pyicg.CameraProfile:
    dark = pyicg.read_stack(folder / "FLUO_TV_dark.png")[0]
    return pyicg.CameraProfile(
        camera="PlantCV fluorescence, one dark frame",
        shape=dark.shape,
        bit_depth=16,
        dark=dark.astype(np.float32),
        saturation_dn=65535.0,
    )


def _quel(data: Path) -> list[Path]:
    """Return the images, without the masks beside them."""
    found = sorted((data / "quel").glob("*_u8.tif"))
    return [path for path in found if "overlaymask" not in path.name and "labels" not in path.name]


def _shell(path: Path) -> Frame:
    return pyicg.read_stack(path, axes="CYX", channel=2)[0]


def _disc(shape: tuple[int, ...], centre: Point, radius: float) -> Mask:
    y, x = np.ogrid[: shape[0], : shape[1]]
    inside: Mask = np.hypot(y - centre[0], x - centre[1]) <= radius
    return inside


def _equivalent_radius(contour: npt.NDArray[np.float64]) -> float:
    """Radius of the circle whose area the contour encloses, px."""
    y, x = contour.T
    return math.sqrt(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2 / math.pi)


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _text(measurement: pyicg.Measurement) -> str:
    """Value and interval without the reason that every uncalibrated figure carries."""
    return str(measurement).replace(" (uncalibrated)", "")


def _sign(sign: bool | None) -> str:
    return "unknown" if sign is None else "positive" if sign else "negative"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


if __name__ == "__main__":
    main()
