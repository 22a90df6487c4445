from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import pyicg


@pytest.fixture(scope="session")
def scene() -> pyicg.phantom.BedPhantom:
    """A simulated 12-bit frame of 1080 x 1920 pixels: a patch and a rim on uneven liver, with a measured profile."""
    return pyicg.phantom.bed_scene(
        shape=(1080, 1920), n_frames=1, patch_radius_mm=10, ring_inner_radius_mm=30, ring_thickness_mm=8, texture=0.05
    )


@pytest.fixture(scope="session")
def frame(scene: pyicg.phantom.BedPhantom) -> npt.NDArray[Any]:
    return scene.stack[0]


@pytest.fixture(scope="session")
def cal(scene: pyicg.phantom.BedPhantom, frame: npt.NDArray[Any]) -> pyicg.CalibratedFrame:
    return pyicg.calibrate(frame, scene.profile, exposure_ms=scene.stack.exposure_ms)


@pytest.fixture
def copy(cal: pyicg.CalibratedFrame) -> Any:
    """A copy of the float32 frame between two arrays that are in use: the yardstick of every ratio."""
    target = np.zeros_like(cal.data)
    return lambda: np.copyto(target, cal.data)
