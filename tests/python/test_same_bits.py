"""Same input, same bits: on every instruction set, for any number of threads, however the rows lie in memory, wherever
a block of a kernel ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyicg
from pyicg import CameraProfile, _core

from .same_bits import build, digest, digests, everything, figures, frames, thresholded

GOLDEN = Path(__file__).with_name("golden_results.json")


def digests_of_a_process(threads: int, layout: str, instruction_set: str, real: Path | None = None) -> dict[str, str]:
    """Of a process of its own: the instruction set is chosen once."""
    command = [sys.executable, str(Path(__file__).with_name("same_bits.py")), str(threads), layout]
    done = subprocess.run(
        [*command, str(real)] if real is not None else command,
        env=os.environ | {"PYICG_ISA": instruction_set},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("\t") for line in done.stdout.splitlines())


def real_images() -> Path | None:
    told = os.environ.get("PYICG_DATA")
    folder = Path(told) if told else Path(__file__).parents[3] / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    """One thread, whole rows, the widest instruction set; real images where there are any."""
    how: dict[str, Any] = {"threads": 1, "layout": "whole"}
    return {
        name: digest([everything(frame, profile, **how), thresholded(frame, profile, **how)])
        for name, (frame, profile) in frames(real_images()).items()
    }


@pytest.mark.parametrize(
    ("threads", "layout", "instruction_set"),
    [
        (1, "whole", "baseline"),
        (2, "padded", "baseline"),
        (3, "bottom up", "baseline"),
        *[(2, "padded", wider) for wider in _core.instruction_sets()[1:]],
        (8, "bottom up", _core.instruction_sets()[-1]),
    ],
)
def test_every_way_gives_the_same_bits(
    expected: dict[str, str], threads: int, layout: str, instruction_set: str
) -> None:
    assert digests_of_a_process(threads, layout, instruction_set, real_images()) == expected


@pytest.fixture(scope="module")
def camera() -> CameraProfile:
    rng = np.random.default_rng(3)
    dark = rng.normal(100, 3, (4, 7, 1100)).clip(0).round().astype(np.uint16)
    flat = rng.normal(2000, 30, (4, 7, 1100)).round().astype(np.uint16)
    return pyicg.build_profile(dark, flat, camera="simulated", exposure_ms=20, bit_depth=12, linearity=(1, 1e-5, 2e-10))


@pytest.mark.parametrize("width", [1, 7, 63, 64, 65, 511, 512, 513, 1025])
def test_where_a_block_ends_makes_no_difference(camera: CameraProfile, width: int) -> None:
    frame = np.random.default_rng(4).integers(0, 4096, (7, 1100)).astype(np.uint16)
    whole = pyicg.calibrate(frame, camera, exposure_ms=20)
    maps = {f.name: getattr(camera, f.name) for f in fields(camera) if f.init}
    cropped = {k: np.ascontiguousarray(v[:, :width]) for k, v in maps.items() if getattr(v, "shape", ()) == frame.shape}
    part = pyicg.calibrate(frame[:, :width], replace(camera, shape=(7, width), **cropped), exposure_ms=20)
    assert len(cropped) >= 2
    for found, expected in ((part.data, whole.data), (part.mask, whole.mask), (part.variance, whole.variance)):
        assert found is not None
        assert expected is not None
        assert found.tobytes() == np.ascontiguousarray(expected[:, :width]).tobytes()


def test_golden_results() -> None:
    """A change of these needs a line in the change log: same_bits.py --golden writes them anew."""
    golden = json.loads(GOLDEN.read_text())
    for name, expected_figures in golden["figures"].items():
        assert figures(name) == pytest.approx(expected_figures, rel=1e-9)
    if build() == golden["build"]:
        assert digests() == golden["digests"]
