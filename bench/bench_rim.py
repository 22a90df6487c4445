from __future__ import annotations

from typing import Any

import pytest

import pyicg


def test_memory_copy(benchmark: Any, copy: Any) -> None:
    benchmark(copy)


def test_segment_rim(benchmark: Any, scene: Any, cal: Any) -> None:
    background = pyicg.estimate_background(cal)
    rim = benchmark(pyicg.segment_rim, cal, background=background, pixel_size_mm=0.2)
    assert len(rim.lesions) == 1
    assert rim.lesions[0].thickness_mm.value == pytest.approx(scene.truth.ring_thickness_mm, abs=0.1)


def test_segment_rim_corrected_for_blur(benchmark: Any, scene: Any, cal: Any) -> None:
    background = pyicg.estimate_background(cal)
    rim = benchmark(
        pyicg.segment_rim,
        cal,
        background=background,
        pixel_size_mm=0.2,
        psf_sigma_px=scene.truth.psf_sigma_px,
    )
    assert len(rim.lesions) == 1


@pytest.mark.parametrize("memory", ["new", "reused"])
def test_threshold_rim(benchmark: Any, cal: Any, memory: str) -> None:
    """The conventional masks, to compare with."""
    background = pyicg.estimate_background(cal)
    out = pyicg.threshold_rim(cal, background=background) if memory == "reused" else None
    rims = benchmark(pyicg.threshold_rim, cal, background=background, out=out)
    assert rims.core_mask.any()


def test_scipy_gaussian(benchmark: Any, cal: Any) -> None:
    """The smoothing that comes first, alone."""
    from scipy.ndimage import gaussian_filter

    benchmark(gaussian_filter, cal.data, 1.0)
