"""Distance maps against scipy, brute force and themselves in slabs."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

import pyicg
from pyicg import InputError, UnitError

from .oracles import brute_distance

SIZES = st.sampled_from([1, 2, 3, 7, 11, 13, 17])


@st.composite
def volumes(draw: st.DrawFn) -> tuple[npt.NDArray[np.bool_], tuple[float, ...]]:
    shape = tuple(draw(st.lists(SIZES, min_size=1, max_size=3)))
    spacing = tuple(draw(st.lists(st.floats(0.02, 1.0), min_size=len(shape), max_size=len(shape))))
    share = draw(st.sampled_from([0.02, 0.3, 0.8, 0.98]))
    mask = np.random.default_rng(draw(st.integers(0, 2**32))).random(shape) < share
    mask.flat[draw(st.integers(0, mask.size - 1))] = False
    return mask, spacing


@settings(max_examples=150, deadline=None)
@given(volumes())
def test_transform_is_scipys(volume: tuple[npt.NDArray[np.bool_], tuple[float, ...]]) -> None:
    mask, spacing = volume
    found = pyicg.distance_transform(mask, spacing=spacing)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, distance_transform_edt(mask, sampling=spacing), rtol=1.2e-7, atol=0)
    for threads in (2, 5):
        again = pyicg.distance_transform(mask, spacing=spacing, threads=threads)
        np.testing.assert_array_equal(again.view(np.uint32), found.view(np.uint32))


@settings(max_examples=60, deadline=None)
@given(volumes())
def test_transform_is_brute_force(volume: tuple[npt.NDArray[np.bool_], tuple[float, ...]]) -> None:
    mask, spacing = volume
    found = pyicg.distance_transform(mask.astype(np.uint8) * 200, spacing=spacing)
    np.testing.assert_allclose(found, brute_distance(mask, spacing), rtol=1e-6, atol=0)


def test_transform_with_unit_spacing_is_correctly_rounded() -> None:
    mask = np.random.default_rng(0).random((61, 127)) < 0.97
    expected = distance_transform_edt(mask).astype(np.float32)
    np.testing.assert_array_equal(pyicg.distance_transform(mask, threads=3), expected)


def test_transform_of_a_large_anisotropic_volume() -> None:
    mask = np.ones((23, 101, 97), bool)
    mask[5, 50, 3] = mask[20, 2, 90] = False
    found = pyicg.distance_transform(mask, spacing=(5.0, 0.1, 0.1), threads=2)
    np.testing.assert_allclose(found, distance_transform_edt(mask, sampling=(5.0, 0.1, 0.1)), rtol=1.2e-7)


@settings(max_examples=30, deadline=None)
@given(volumes(), st.integers(0, 2))
def test_transform_follows_flips_turns_and_scale(
    volume: tuple[npt.NDArray[np.bool_], tuple[float, ...]], axis: int
) -> None:
    mask, spacing = volume
    plain = pyicg.distance_transform(mask, spacing=spacing)
    axis = axis % mask.ndim
    np.testing.assert_array_equal(pyicg.distance_transform(np.flip(mask, axis), spacing=spacing), np.flip(plain, axis))
    turned = pyicg.distance_transform(mask.T, spacing=spacing[::-1])
    np.testing.assert_allclose(turned, plain.T, rtol=3e-7)
    doubled = pyicg.distance_transform(mask, spacing=tuple(4 * s for s in spacing))
    np.testing.assert_array_equal(doubled, 4 * plain)


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((400, 300), 1.0), ((40, 90, 70), (2.0, 0.5, 0.5)), ((40, 90, 70), (2.0, 0.683593, 0.7)), ((9000,), 0.3)],
)
def test_transform_into_the_callers_array_has_the_same_bits_on_any_threads(
    shape: tuple[int, ...], spacing: float | tuple[float, ...]
) -> None:
    mask = np.random.default_rng(6).random(shape) < 0.99
    plain = pyicg.distance_transform(mask, spacing=spacing)
    out = np.full(shape, np.nan, np.float32)
    for threads in (1, 2, 3, 8):
        assert pyicg.distance_transform(mask, spacing=spacing, threads=threads, out=out) is out
        np.testing.assert_array_equal(out, plain)


@pytest.mark.parametrize("unit", [0.25, 1.0, 2.0, 3.0, 0.1, 1e-10, 2.0**40])
def test_transform_rounds_once_in_any_unit(unit: float) -> None:
    """Powers of two scale a float32 root exactly; other units are multiplied in float64."""
    mask = np.ones((70, 900), bool)
    mask[3, 5] = False
    y, x = np.ogrid[:70, :900]
    squared = (y - 3) ** 2 + (x - 5) ** 2
    expected = (unit * np.sqrt(squared.astype(np.float64))).astype(np.float32)
    np.testing.assert_array_equal(pyicg.distance_transform(mask, spacing=unit), expected)


def test_transform_takes_any_stride_and_writes_nothing() -> None:
    big = np.random.default_rng(1).random((40, 60)) < 0.9
    for view in (big[::2, ::-3], big.T, big[::-1]):
        view.flags.writeable = False
        before = view.copy()
        np.testing.assert_array_equal(pyicg.distance_transform(view), pyicg.distance_transform(before))
        np.testing.assert_array_equal(view, before)


@pytest.mark.parametrize(
    ("mask", "options", "error", "message"),
    [
        (np.ones((4, 4), bool), {}, InputError, "no pixel of the mask is False"),
        (np.ones((4, 4), bool), {"threads": 2}, ValueError, "no pixel of the mask is False"),
        (np.zeros((4, 4)), {}, InputError, "bool or uint8"),
        (np.zeros((4, 4), np.int32), {}, InputError, "bool or uint8"),
        (np.zeros((2, 2, 2, 2), bool), {}, InputError, "one to three dimensions"),
        (np.zeros((), bool), {}, InputError, "one to three dimensions"),
        (np.zeros((0, 4), bool), {}, InputError, "at least one pixel"),
        (np.zeros((4, 4), bool), {"threads": 0}, InputError, "threads"),
        (np.zeros((4, 4), bool), {"threads": "2"}, InputError, "threads must be a whole number"),
        (np.zeros((4, 4), bool), {"threads": 1.5}, InputError, "threads must be a whole number"),
        (np.zeros((4, 4), bool), {"spacing": None}, UnitError, "one number or one per axis"),
        (np.zeros((4, 4), bool), {"spacing": "1"}, UnitError, "one number or one per axis"),
        (np.zeros((4, 4), bool), {"spacing": 0.0}, UnitError, "positive"),
        (np.zeros((4, 4), bool), {"spacing": (1.0, -1.0)}, UnitError, "positive"),
        (np.zeros((4, 4), bool), {"spacing": (1.0, math.nan)}, UnitError, "positive"),
        (np.zeros((4, 4), bool), {"spacing": (1.0, 1.0, 1.0)}, UnitError, "one per axis"),
    ],
)
def test_transform_refuses(mask: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pyicg.distance_transform(mask, **options)


def frozen() -> npt.NDArray[np.float32]:
    out = np.zeros((4, 4), np.float32)
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.zeros((4, 4)), r"out must be a float32 array of shape \(4, 4\), found float64"),
        (np.zeros((4, 5), np.float32), r"found float32 of \(4, 5\)"),
        ([[0.0]], "found list"),
        (np.zeros((4, 8), np.float32)[:, ::2], "contiguous and writable"),
        (frozen(), "contiguous and writable"),
    ],
)
def test_transform_refuses_an_output_that_does_not_fit(out: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pyicg.distance_transform(np.zeros((4, 4), bool), out=out)


def test_transform_leaves_the_output_alone_when_it_refuses() -> None:
    memory = np.zeros(64, np.uint8)
    with pytest.raises(InputError, match="shares memory"):
        pyicg.distance_transform(memory[:16].reshape(4, 4), out=memory.view(np.float32).reshape(4, 4))
    out = np.full((4, 4), 7, np.float32)
    with pytest.raises(InputError, match="no pixel of the mask is False"):
        pyicg.distance_transform(np.ones((4, 4), bool), out=out)
    assert (out == 7).all()


def test_transform_of_random_masks_is_scipys() -> None:
    rng = np.random.default_rng(7)
    sizes = [1, 2, 5, 16, 17, 31, 32, 37, 61, 67]
    for _ in range(200):
        shape = tuple(int(n) for n in rng.choice(sizes, rng.integers(1, 4)))
        spacing = np.exp(rng.uniform(0, math.log(50), len(shape)))  # up to 50 : 1
        if rng.random() < 0.5:
            spacing = np.maximum(1, np.round(spacing)) * 0.1  # whole multiples of one length
        mask = rng.random(shape) < rng.choice([0.05, 0.5, 0.95, 0.999])
        mask.flat[rng.integers(mask.size)] = False
        found = pyicg.distance_transform(mask, spacing=spacing)
        np.testing.assert_allclose(found, distance_transform_edt(mask, sampling=spacing), rtol=1e-6)


@pytest.mark.parametrize(
    "shape", [(1,), (131,), (1, 1), (97, 1), (1, 97), (53, 61), (1, 31, 37), (29, 1, 31), (7, 11, 1)]
)
@pytest.mark.parametrize("spacing", [1.0, 0.1, 0.0777])
def test_transform_of_nothing_one_pixel_and_its_complement(shape: tuple[int, ...], spacing: float) -> None:
    assert not pyicg.distance_transform(np.zeros(shape, bool), spacing=spacing).any()
    one = np.zeros(shape, bool)
    one.flat[one.size // 2] = True
    for mask in (one, ~one):
        if not mask.all():
            expected = distance_transform_edt(mask, sampling=spacing).astype(np.float32)
            np.testing.assert_array_equal(pyicg.distance_transform(mask, spacing=spacing), expected)


def test_transform_of_rims_and_flecks() -> None:
    """Thin runs, long runs and rows of zeros, wider than the blocks that share a search."""
    y, x = np.ogrid[:190, :333]
    r = np.hypot(y - 90.0, x - 150.0)
    mask = ((r > 50) & (r < 58)) | (np.random.default_rng(2).random((190, 333)) < 0.002)
    for pixels in (mask, ~mask):
        expected = distance_transform_edt(pixels).astype(np.float32)
        np.testing.assert_array_equal(pyicg.distance_transform(pixels), expected)
        volume = np.stack([pixels, np.roll(pixels, 5, 1), pixels[:, ::-1]])
        expected = distance_transform_edt(volume, sampling=(4, 1, 1)).astype(np.float32)
        np.testing.assert_array_equal(pyicg.distance_transform(volume, spacing=(4, 1, 1)), expected)


def slabs(mask: Any, **options: Any) -> npt.NDArray[np.float32]:
    out = np.full(mask.shape, np.nan, np.float32)
    pyicg.distance_transform_slabs(mask, out, **options)
    return out


@settings(max_examples=80, deadline=None)
@given(volumes(), st.integers(1, 18), st.integers(1, 3))
def test_slabs_are_the_whole(
    volume: tuple[npt.NDArray[np.bool_], tuple[float, ...]], planes: int, threads: int
) -> None:
    mask, spacing = volume
    if mask.ndim == 1:
        mask, spacing = mask[:, None], (*spacing, 1.0)
    whole = pyicg.distance_transform(mask, spacing=spacing)
    for slab in (planes, None):
        found = slabs(mask, spacing=spacing, slab=slab, threads=threads)
        np.testing.assert_array_equal(found.view(np.uint32), whole.view(np.uint32))


class Dataset:
    """What a file format's dataset offers: a shape, a dtype, slices; remembers the largest slice."""

    def __init__(self, data: npt.NDArray[Any]) -> None:
        self.data, self.shape, self.dtype, self.largest = data, data.shape, data.dtype, 0

    def __getitem__(self, part: slice) -> npt.NDArray[Any]:
        self.largest = max(self.largest, part.stop - part.start)
        return self.data[part].copy()

    def __setitem__(self, part: slice, values: npt.NDArray[Any]) -> None:
        self.data[part] = values


def test_slabs_of_files_need_little_memory(tmp_path: Path) -> None:
    shape = (96, 128, 120)
    plane = 128 * 120
    mask = np.memmap(tmp_path / "mask", np.uint8, "w+", shape=shape)
    rng = np.random.default_rng(3)
    for z in range(96):
        mask[z] = rng.random(shape[1:]) < 0.9995
    out = np.memmap(tmp_path / "out", np.float32, "w+", shape=shape)
    dataset = Dataset(mask)
    tracemalloc.start()
    pyicg.distance_transform_slabs(dataset, out, spacing=(3.0, 0.68, 0.68), slab=4, threads=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert dataset.largest == 4
    assert peak < 14 * 4 * plane + 4 * plane + 100_000  # of 7.4 MB that the distances take
    np.testing.assert_array_equal(out, pyicg.distance_transform(np.asarray(mask), spacing=(3.0, 0.68, 0.68)))


def test_slabs_into_a_dataset() -> None:
    mask = np.random.default_rng(4).random((9, 20, 21)) < 0.97
    out = Dataset(np.empty(mask.shape, np.float32))
    pyicg.distance_transform_slabs(Dataset(mask), out, slab=2)
    np.testing.assert_array_equal(out.data, pyicg.distance_transform(mask))


@pytest.mark.parametrize(
    ("mask", "out", "options", "error", "message"),
    [
        (np.ones((4, 4), bool), np.empty((4, 4), np.float32), {"slab": 2}, ValueError, "no pixel of the mask is False"),
        (np.zeros((4, 4), bool), np.empty((4, 4)), {}, InputError, "out must be float32"),
        (np.zeros((4, 4), bool), np.empty((4, 5), np.float32), {}, InputError, "out must be float32 of shape"),
        (np.zeros((4, 4), bool), np.empty((4, 4), np.float32), {"slab": 0}, InputError, "slab must be at least 1"),
        (None, np.empty((4, 4), np.float32), {}, InputError, "mask is a NoneType"),
        (np.zeros((4, 4), bool), None, {}, InputError, "found NoneType"),
        (np.zeros(4, bool), np.empty(4, np.float32), {}, InputError, "two to three dimensions"),
        (np.zeros((4, 4)), np.empty((4, 4), np.float32), {}, InputError, "bool or uint8"),
        (np.zeros((4, 4), bool), np.empty((4, 4), np.float32), {"spacing": -1.0}, UnitError, "positive"),
    ],
)
def test_slabs_refuse(mask: Any, out: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pyicg.distance_transform_slabs(mask, out, **options)
