"""Frames by the thread: scorers side by side, and a stack from a file beside a scorer with the frames at hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

import pyicg

FRAMES = 40


@pytest.fixture(scope="module")
def frames() -> npt.NDArray[np.uint16]:
    """Frames of 1080 x 1920 pixels with noise of their own on one scene."""
    bed = pyicg.phantom.bed_scene(
        shape=(1080, 1920), n_frames=4, patch_radius_mm=10, ring_inner_radius_mm=30, ring_thickness_mm=8
    )
    return np.stack([bed.stack[n % 4] for n in range(FRAMES)])


@pytest.fixture(scope="module")
def profile() -> pyicg.CameraProfile:
    return pyicg.CameraProfile.identity((1080, 1920))


@pytest.mark.parametrize("threads", [1, 2])
def test_scorers_side_by_side(
    benchmark: Any, frames: npt.NDArray[np.uint16], profile: pyicg.CameraProfile, threads: int
) -> None:
    """All frames, a scorer a thread: the GIL must not hold them up."""
    scorers = [pyicg.Scorer(profile, shape=(1080, 1920), pixel_size_mm=0.2) for _ in range(threads)]

    def share(n: int) -> list[str]:
        return [scorers[n].score(frame).frame_digest for frame in frames[n::threads]]

    with ThreadPoolExecutor(threads) as pool:
        benchmark.pedantic(lambda: list(pool.map(share, range(threads))), rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("threads", [1, 2])
def test_stack_from_a_file(
    benchmark: Any, frames: npt.NDArray[np.uint16], profile: pyicg.CameraProfile, threads: int, tmp_path: Path
) -> None:
    """The same frames from an uncompressed TIFF in the page cache, with all that a stack's result holds."""
    path = tmp_path / "frames.tif"
    tifffile.imwrite(path, frames, photometric="minisblack", resolution=(50, 50), resolutionunit="CENTIMETER")
    stack = pyicg.read_stack(path)
    benchmark.pedantic(lambda: pyicg.score_stack(stack, profile=profile, threads=threads), rounds=3, warmup_rounds=1)
