"""Distance maps beside scipy, edt, OpenCV and SimpleITK, each of them where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import distance_transform_edt

import pyicg

Mask = npt.NDArray[np.bool_]
Measured = tuple[Mask, Any, npt.NDArray[np.float32]]


def rings_and_flecks(rng: np.random.Generator) -> Mask:
    """Four thin, wavy rings and 160 flecks in a frame."""
    y, x = np.ogrid[:1080, :1920]
    mask = np.zeros((1080, 1920), bool)
    for cy, cx in ((324, 480), (734, 691), (356, 1190), (756, 1459)):
        angle = np.arctan2(y - cy, x - cx)
        radius = rng.uniform(110, 150) * (1 + 0.06 * np.sin(3 * angle) + 0.03 * np.sin(7 * angle))
        mask |= np.abs(np.hypot(1.05 * (y - cy), x - cx) - radius) < rng.uniform(11, 19)
    for cy, cx, radius in zip(*rng.integers(20, 1060, (2, 160)), rng.uniform(2.5, 7, 160), strict=True):
        mask |= (y - cy) ** 2 + (x - cx) ** 2 < radius**2
    return mask


def shells(rng: np.random.Generator) -> Mask:
    """Three thin shells and single pixels in 64 thick slices."""
    z, y, x = np.ogrid[:64, :512, :512]
    mask = rng.random((64, 512, 512)) < 2e-4
    for cz, cy, cx, radius, thickness in ((30, 150, 160, 40, 4), (34, 350, 330, 45, 5), (28, 380, 120, 28, 3)):
        r = np.sqrt((2 * (z - cz)) ** 2 + (0.5 * (y - cy)) ** 2 + (0.5 * (x - cx)) ** 2)
        mask |= np.abs(r - radius) < thickness / 2
    return mask


@pytest.fixture(scope="module", params=["rim", "dense", "shell", "dense_volume", "odd_spacing"])
def measured(request: pytest.FixtureRequest) -> Measured:
    """A mask, its spacing and scipy's distances."""
    rng = np.random.default_rng(0)
    thick = (2.0, 0.5, 0.5)
    mask, spacing = {
        "rim": lambda: (rings_and_flecks(rng), (1.0, 1.0)),
        "dense": lambda: (rng.random((1080, 1920)) > 1e-4, (1.0, 1.0)),
        "shell": lambda: (shells(rng), thick),
        "dense_volume": lambda: (rng.random((64, 512, 512)) > 1e-4, thick),
        "odd_spacing": lambda: (rng.random((64, 512, 512)) > 1e-4, (2.0, 0.683593, 0.683593)),  # no common unit
    }[request.param]()
    return mask, spacing, distance_transform_edt(mask, sampling=spacing).astype(np.float32)


def test_memory_copy(benchmark: Any, measured: Measured) -> None:
    target = np.zeros_like(measured[2])
    benchmark(np.copyto, target, measured[2])


@pytest.mark.parametrize("threads", [1, 2])
def test_distance_transform(benchmark: Any, measured: Measured, threads: int) -> None:
    mask, spacing, expected = measured
    np.testing.assert_allclose(pyicg.distance_transform(mask, spacing=spacing, threads=threads), expected, rtol=1.2e-7)
    benchmark(pyicg.distance_transform, mask, spacing=spacing, threads=threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_distance_transform_into(benchmark: Any, measured: Measured, threads: int) -> None:
    """Into memory that is in use, as the copy and OpenCV are timed."""
    mask, spacing, expected = measured
    out = np.zeros_like(expected)
    pyicg.distance_transform(mask, spacing=spacing, threads=threads, out=out)
    np.testing.assert_allclose(out, expected, rtol=1.2e-7)
    benchmark(pyicg.distance_transform, mask, spacing=spacing, threads=threads, out=out)


def test_distance_transform_slabs(benchmark: Any, measured: Measured) -> None:
    mask, spacing, expected = measured
    out = np.empty(mask.shape, np.float32)
    pyicg.distance_transform_slabs(mask, out, spacing=spacing)
    np.testing.assert_allclose(out, expected, rtol=1.2e-7)
    benchmark(pyicg.distance_transform_slabs, mask, out, spacing=spacing)


def test_scipy(benchmark: Any, measured: Measured) -> None:
    mask, spacing, _ = measured
    benchmark.pedantic(distance_transform_edt, (mask,), {"sampling": spacing}, rounds=2)


def test_edt(benchmark: Any, measured: Measured) -> None:
    edt = pytest.importorskip("edt")
    mask, spacing, expected = measured
    np.testing.assert_allclose(edt.edt(mask, anisotropy=spacing, parallel=1), expected, rtol=1e-5)
    benchmark(edt.edt, mask, anisotropy=spacing, parallel=1)


@pytest.mark.parametrize("ipp", [True, False])
def test_opencv_precise(benchmark: Any, measured: Measured, ipp: bool) -> None:
    cv2 = pytest.importorskip("cv2")
    mask, _, expected = measured
    if mask.ndim == 3:
        pytest.skip("OpenCV measures images only")
    pixels, out = mask.astype(np.uint8), np.empty(mask.shape, np.float32)
    cv2.setNumThreads(1)
    cv2.ipp.setUseIPP(ipp)
    cv2.distanceTransform(pixels, cv2.DIST_L2, cv2.DIST_MASK_PRECISE, dst=out)
    np.testing.assert_allclose(out, expected, rtol=1e-4)
    benchmark(cv2.distanceTransform, pixels, cv2.DIST_L2, cv2.DIST_MASK_PRECISE, dst=out)


def test_simpleitk_maurer(benchmark: Any, measured: Measured) -> None:
    """Signed from the border of what is marked: of the complement, so that True pixels get our distance."""
    sitk = pytest.importorskip("SimpleITK")
    mask, spacing, expected = measured
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image = sitk.GetImageFromArray((~mask).astype(np.uint8))
    image.SetSpacing(spacing[::-1])
    options = {"insideIsPositive": False, "squaredDistance": False, "useImageSpacing": True}
    found = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, **options))
    np.testing.assert_allclose(found[mask], expected[mask], rtol=1e-4)
    benchmark.pedantic(sitk.SignedMaurerDistanceMap, (image,), options, rounds=2)
