from __future__ import annotations

from typing import Any

import numpy as np

import pyicg


def test_memory_copy(benchmark: Any, copy: Any) -> None:
    benchmark(copy)


def test_calibrate(benchmark: Any, scene: Any, frame: Any) -> None:
    out = np.zeros(frame.shape, np.float32)
    cal = benchmark(pyicg.calibrate, frame, scene.profile, exposure_ms=scene.stack.exposure_ms, out=out)
    assert cal.calibrated


def test_calibrate_identity(benchmark: Any, frame: Any) -> None:
    profile = pyicg.CameraProfile.identity(frame.shape, bit_depth=12)
    out = np.zeros(frame.shape, np.float32)
    cal = benchmark(pyicg.calibrate, frame, profile, out=out)
    assert not cal.calibrated


def test_numpy_calibrate(benchmark: Any, scene: Any, frame: Any) -> None:
    """Dark, flat and exposure alone in numpy: no mask, no variance, no bad pixels."""
    profile, exposure_ms = scene.profile, np.float32(scene.stack.exposure_ms)
    benchmark(lambda: (frame - profile.dark) / (profile.flat * exposure_ms))
