from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import pyicg


@pytest.fixture(scope="module")
def full_profile(scene: Any) -> pyicg.CameraProfile:
    shape = scene.profile.shape

    def level(value: float) -> Any:
        return np.full(shape, value, np.float32)

    return replace(
        scene.profile,
        dark_rate=level(0.01),
        dark_sigma=level(0.3),
        dark_exposures_ms=(20.0, 8.0),
        flat_sigma=level(2e-3),
        read_noise_map=level(2.0),
        gain_map=level(0.25),
        gain_db=0.0,
        linearity=(1.0, 0.0, 0.0),
        linearity_table=tuple(np.linspace(0.0, 4096.0, 65).tolist()),
        linearity_step_dn=64.0,
    )


def test_memory_copy(benchmark: Any, copy: Any) -> None:
    benchmark(copy)


@pytest.mark.parametrize("variance", [False, True], ids=["data", "data and variance"])
def test_calibrate(benchmark: Any, scene: Any, frame: Any, variance: bool) -> None:
    out = np.zeros(frame.shape, np.float32)
    options = {"exposure_ms": scene.stack.exposure_ms, "out": out, "variance": variance}
    cal = benchmark(pyicg.calibrate, frame, scene.profile, **options)
    assert cal.calibrated
    assert (cal.variance is not None) == variance


def test_calibrate_every_map(benchmark: Any, frame: Any, full_profile: Any) -> None:
    """Dark current, all uncertainties and a table of linearity at another exposure and gain."""
    out = np.zeros(frame.shape, np.float32)
    cal = benchmark(pyicg.calibrate, frame, full_profile, exposure_ms=30.0, gain_db=6.0, out=out)
    assert cal.variance is not None


def test_calibrate_ambient(benchmark: Any, scene: Any, frame: Any, cal: Any) -> None:
    out = np.zeros(frame.shape, np.float32)
    options = {"exposure_ms": scene.stack.exposure_ms, "out": out, "ambient": cal, "exclude": cal.mask != 0}
    found = benchmark(pyicg.calibrate, frame, scene.profile, **options)
    assert found.variance is not None


def test_calibrate_identity(benchmark: Any, frame: Any) -> None:
    profile = pyicg.CameraProfile.identity(frame.shape, bit_depth=12)
    out = np.zeros(frame.shape, np.float32)
    cal = benchmark(pyicg.calibrate, frame, profile, out=out)
    assert not cal.calibrated


def test_numpy_calibrate(benchmark: Any, scene: Any, frame: Any) -> None:
    """Dark, flat and exposure alone in numpy: no mask, no variance, no bad pixels."""
    profile, exposure_ms = scene.profile, np.float32(scene.stack.exposure_ms)
    benchmark(lambda: (frame - profile.dark) / (profile.flat * exposure_ms))
