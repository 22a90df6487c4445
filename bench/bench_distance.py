from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import distance_transform_edt

import pyicg

Mask = npt.NDArray[np.bool_]


@pytest.fixture(scope="module", params=["rim", "dense", "volume"])
def measured(request: pytest.FixtureRequest, scene: Any) -> tuple[Mask, Any]:
    """What glows in the frame; nearly everything; a volume of a shell with thick slices. Each with its spacing."""
    if request.param == "rim":
        return scene.truth.residual_mask[0], 1.0
    rng = np.random.default_rng(0)
    if request.param == "dense":
        return rng.random((1080, 1920)) > 1e-4, 1.0
    z, y, x = np.ogrid[:32, :256, :256]
    r = np.sqrt((4 * (z - 16)) ** 2 + (y - 128) ** 2 + (x - 128) ** 2)
    return (r > 40) & (r < 60), (4.0, 1.0, 1.0)


def test_memory_copy(benchmark: Any, copy: Any) -> None:
    benchmark(copy)


@pytest.mark.parametrize("threads", [1, 2])
def test_distance_transform(benchmark: Any, measured: tuple[Mask, Any], threads: int) -> None:
    mask, spacing = measured
    found = benchmark(pyicg.distance_transform, mask, spacing=spacing, threads=threads)
    np.testing.assert_array_equal(found, distance_transform_edt(mask, sampling=spacing).astype(np.float32))


def test_scipy_distance_transform_edt(benchmark: Any, measured: tuple[Mask, Any]) -> None:
    mask, spacing = measured
    benchmark(distance_transform_edt, mask, sampling=spacing)
