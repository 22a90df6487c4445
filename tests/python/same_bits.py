"""Everything the core says of a few frames, as one digest: run as a program, so that an environment can be set."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import pyicg
from pyicg import CameraProfile, Scorer

MAPS = ("data", "mask", "labels", "signal", "lesion")
Frame = npt.NDArray[Any]


def frames(real: Path | None = None) -> dict[str, tuple[Frame, CameraProfile]]:
    """A bed and a slice (simulated), noise in an odd shape, missing pixels, and real images where there are any."""
    bed = pyicg.phantom.bed_scene(
        shape=(301, 517), n_frames=1, patch_radius_mm=4, ring_inner_radius_mm=9, ring_thickness_mm=4, texture=0.05
    )
    section = pyicg.phantom.section_stack()
    rng = np.random.default_rng(11)
    noise = rng.poisson(300, (67, 131)).astype(np.uint8)
    holes = rng.normal(500, 5, (140, 203)).astype(np.float32)
    holes[30:100, 40:120] *= 3
    holes[50:80, 60:100] /= 3
    holes[110:118] = np.nan
    made = {
        "bed": (bed.stack[0], bed.profile),
        "section": (section.stack[len(section.stack) // 2], section.profile),
        "noise": (noise, CameraProfile.identity(noise.shape, bit_depth=8)),
        "holes": (holes, CameraProfile.identity(holes.shape, bit_depth=None)),
    }
    if real is not None:
        for path in (real / "quel" / "lung_phantom_reference_u8.tif", real / "nir_mouse" / "7.png"):
            frame = np.ascontiguousarray(np.asarray(pyicg.read_stack(path)[0]))
            made[path.name] = (frame, CameraProfile.identity(frame.shape, bit_depth=8 * frame.itemsize))
    return made


def strided(frame: Frame, how: str) -> Frame:
    """The same pixels in memory laid out otherwise."""
    height, width = frame.shape
    if how == "padded":
        wide = np.zeros((height, width + 13), frame.dtype)
        wide[:, 5 : 5 + width] = frame
        return wide[:, 5 : 5 + width]
    if how == "bottom up":
        return np.ascontiguousarray(frame[::-1])[::-1]
    return frame


def everything(frame: Frame, profile: CameraProfile, *, threads: int, layout: str) -> dict[str, Any]:
    """Every figure and map of one frame."""
    laid = strided(frame, layout)
    found: dict[str, Any] = {}
    for view in ("bed", "section"):
        scorer = Scorer(
            profile,
            shape=frame.shape,
            dtype=str(frame.dtype),
            view=view,
            pixel_size_mm=0.2,
            outputs=MAPS,
            threads=threads,
        )
        found[view] = scorer.score(laid, exposure_ms=20.0)
        found[f"{view} maps"] = dict(scorer.maps)
    cal = pyicg.calibrate(laid, profile, exposure_ms=20.0, threads=threads)
    found["variance"] = cal.variance
    for policy in ("mode", "median", "percentile"):
        found[policy] = pyicg.estimate_background(cal, policy=policy)
    bright = found["bed maps"]["lesion"]
    if not bright.all():
        found["distance"] = pyicg.distance_transform(strided(bright, layout), threads=threads)
        found["distance, mm"] = pyicg.distance_transform(bright, spacing=(0.2, 0.3), threads=threads)
    return found


def thresholded(frame: Frame, profile: CameraProfile, *, threads: int, layout: str) -> dict[str, Any]:
    """The conventional masks of the same frame, twice in the same memory."""
    cal = pyicg.calibrate(strided(frame, layout), profile, exposure_ms=20.0, threads=threads)
    first = pyicg.threshold_rim(cal, sbr_map=True, threads=threads)
    again = pyicg.threshold_rim(cal, sbr_map=True, threads=threads, out=first)
    return {field.name: getattr(again, field.name) for field in fields(again) if not field.name.startswith("_")}


def digest(value: Any) -> str:
    """Of every byte: numbers by their bits, arrays by their contents."""
    hashed = hashlib.sha256()

    def add(part: Any) -> None:
        if is_dataclass(part):
            add({field.name: getattr(part, field.name) for field in fields(part)})
        elif isinstance(part, Mapping):
            for key in sorted(part, key=str):
                hashed.update(str(key).encode())
                add(part[key])
        elif isinstance(part, list | tuple):
            hashed.update(str(len(part)).encode())
            for one in part:
                add(one)
        elif isinstance(part, np.ndarray):
            hashed.update(f"{part.dtype.str}{part.shape}".encode())
            hashed.update(np.ascontiguousarray(part).tobytes())
        else:
            hashed.update((part.hex() if isinstance(part, float) else repr(part)).encode())

    add(value)
    return hashed.hexdigest()


def figures(name: str) -> dict[str, float]:
    frame, profile = frames()[name]
    found = everything(frame, profile, threads=1, layout="whole")
    return {
        "background": found["bed"].background.level,
        "sigma": found["bed"].background.sigma,
        "sbr": found["bed"].contrast.sbr.value,
        "cnr": found["bed"].contrast.cnr.value,
        "residual_area_px": found["bed"].residual_area_px,
        "focus": found["bed"].quality.focus,
        "thickness_px": found["section"].lesions[0].thickness.value,
        "lesion_area_px": found["section"].lesions[0].area_px,
    }


def build() -> str:
    """What the bits of the mathematical library depend on."""
    return f"{platform.machine()}, {' '.join(platform.libc_ver())}"


def digests() -> dict[str, str]:
    return {name: digest(everything(*given, threads=1, layout="whole")) for name, given in frames().items()}


if __name__ == "__main__":
    if sys.argv[1] == "--golden":
        golden = {
            "build": build(),
            "figures": {name: figures(name) for name in ("bed", "section")},
            "digests": digests(),
        }
        Path(__file__).with_name("golden_results.json").write_text(json.dumps(golden, indent=1) + "\n")
    else:
        data = Path(sys.argv[3]) if len(sys.argv) > 3 else None
        for name, (raw, camera) in frames(data).items():
            how: dict[str, Any] = {"threads": int(sys.argv[1]), "layout": sys.argv[2]}
            print(name, digest([everything(raw, camera, **how), thresholded(raw, camera, **how)]), sep="\t")
