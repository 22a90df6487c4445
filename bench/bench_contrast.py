from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyicg


def test_memory_copy(benchmark: Any, copy: Any) -> None:
    benchmark(copy)


@pytest.mark.parametrize("policy", ["mode", "median", "percentile"])
def test_estimate_background(benchmark: Any, scene: Any, cal: Any, policy: str) -> None:
    background = benchmark(pyicg.estimate_background, cal, policy=policy)
    assert background.level == pytest.approx(scene.truth.background_level, rel=0.05)


def test_contrast(benchmark: Any, scene: Any, cal: Any) -> None:
    background = pyicg.estimate_background(cal)
    contrast = benchmark(pyicg.contrast, cal, signal=scene.truth.residual_mask[0], background=background)
    assert contrast.sbr.value == pytest.approx(scene.truth.sbr, rel=0.05)


def test_numpy_median(benchmark: Any, cal: Any) -> None:
    """One median of all pixels; `policy="median"` clips and takes several."""
    benchmark(np.median, cal.data)
