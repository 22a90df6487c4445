"""Thresholded rims against a slow pipeline of numpy and scipy, pixel for pixel."""

from __future__ import annotations

import copy
import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

import pyicg
from pyicg import Background, InputError, ThresholdedRims, UnitError

from .oracles import F32, calibrated

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

BACKGROUND = Background(level=100.0, sigma=3.0, sem=0.1, n_pixels=1000, policy="mask")
CORNERS = np.ones((3, 3), np.bool_)
NOT_IN_PICTURE = 4 | 8 | 16 | 64
MAPS = ("rim_mask", "core_mask", "labels", "distances")


@dataclass
class Expected:
    threshold: float
    rim_mask: Mask
    core_mask: Mask
    labels: npt.NDArray[np.int32]
    distances: Image
    thickness: Image


def levels_of(smooth: Image) -> npt.NDArray[np.int64]:
    """0 to 255 up to the largest value."""
    if not np.nanmax(smooth, initial=-np.inf) > 0:
        return np.zeros(smooth.shape, np.int64)
    scaled = smooth * F32(255 / float(np.nanmax(smooth)))
    return np.rint(np.nan_to_num(scaled, nan=0.0)).clip(0, 255).astype(np.int64)


def otsu(levels: npt.NDArray[np.int64]) -> int:
    """Try every level: the first that has the largest variance between what is up to it and what is over it."""
    best, found = -1.0, -1
    for level in range(255):
        dark, bright = levels[levels <= level], levels[levels > level]
        if dark.size and bright.size:
            between = float(dark.size) * bright.size * (dark.mean() - bright.mean()) ** 2
            if between > best * (1 + 1e-12):
                best, found = between, level
    return found


def smoothed(cal: pyicg.CalibratedFrame, sigma: float) -> Image:
    def blur(image: Image) -> Image:
        return np.asarray(ndimage.gaussian_filter(image, sigma, truncate=4.0, mode="mirror"))

    valid = (cal.mask & NOT_IN_PICTURE) == 0
    if valid.all():
        return blur(cal.data)
    weights = blur(valid.astype(F32))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weights > 0.01, blur(np.where(valid, cal.data, F32(0))) / weights, F32(np.nan))


def thickness_of(distances: Image, box: tuple[slice, slice]) -> Image:
    height, width = (side.stop - side.start for side in box)
    angle = np.arange(360)[:, None] * (2 * np.pi / 360)
    radius = np.arange(int(np.hypot(height, width) / 2) + 2)
    rays = height / 2 + radius * np.sin(angle), width / 2 + radius * np.cos(angle)
    return 2 * ndimage.map_coordinates(distances[box], rays, order=1, mode="constant").max(axis=1)


def expected_of(cal: pyicg.CalibratedFrame, *, smooth_px: float = 2.0, min_area_px: float = 64.0) -> Expected:
    smooth = smoothed(cal, smooth_px)
    levels = levels_of(smooth)
    level = otsu(levels[np.isfinite(smooth)])
    bright = (levels > level) & (level >= 0)
    regions, count = ndimage.label(bright, CORNERS)
    large = [k for k in range(1, count + 1) if (regions == k).sum() >= min_area_px]
    rim = np.isin(regions, large)
    core = ndimage.binary_fill_holes(rim) & ~rim
    labels = np.zeros(rim.shape, np.int32)
    for label, k in enumerate(large, start=1):
        labels[regions == k] = label
    holes, count = ndimage.label(core)
    for k in range(1, count + 1):
        y, x = np.argwhere(holes == k)[0]
        labels[holes == k] = labels[y, x - 1]
    distances = np.asarray(ndimage.distance_transform_edt(rim), F32) if rim.any() else np.zeros(rim.shape, F32)
    boxes = ndimage.find_objects(np.where(rim, labels, 0))
    thick = [thickness_of(np.where(rim & (labels == k + 1), distances, F32(0)), box) for k, box in enumerate(boxes)]
    return Expected(
        threshold=(level + 0.5) / 255 * float(np.nanmax(smooth)) if level >= 0 else math.nan,
        rim_mask=rim,
        core_mask=core,
        labels=labels,
        distances=distances,
        thickness=np.array(thick, F32).reshape(-1, 360),
    )


def check_contours(found: ThresholdedRims) -> None:
    """Closed walks from neighbour to neighbour over those pixels of a rim that lie beside what they part it from."""
    rim, core = found.rim_mask, found.core_mask
    inverse, _ = ndimage.label(np.pad(~rim, 1, constant_values=True))
    places = [np.argwhere((found.labels == k + 1) & rim) for k in range(len(found.outer_contours))]
    assert len(found.inner_contours) == len(found.outer_contours) == found.labels.max(initial=0)
    assert sum(map(len, found.inner_contours)) == ndimage.label(core)[1]
    for pixels, outer, holes in zip(places, found.outer_contours, found.inner_contours, strict=True):
        beside = {}  # of each piece of the rest the rim's pixels that touch it with a side
        for y, x in pixels:
            for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                piece = inverse[y + dy + 1, x + dx + 1]
                if piece:
                    beside.setdefault(int(piece), set()).add((y, x))
        y, x = pixels[0]
        assert outer[0].tolist() == [y, x]
        walks = [{tuple(v) for v in walk.astype(int).tolist()} for walk in (outer, *holes)]
        assert walks[0] == beside[int(inverse[y, x + 1])]  # the piece above its first pixel
        assert sorted(map(sorted, walks)) == sorted(map(sorted, beside.values()))
        for walk in (outer, *holes):
            assert walk.dtype == np.float64
            steps = np.abs(np.roll(walk, -1, axis=0) - walk).max(axis=1)
            assert (steps == (1 if len(walk) > 1 else 0)).all()


def check(cal: pyicg.CalibratedFrame, **options: Any) -> ThresholdedRims:
    found = pyicg.threshold_rim(cal, background=BACKGROUND, **options)
    expected = expected_of(cal, **options)
    assert np.array_equal(found.rim_mask, expected.rim_mask)
    assert np.array_equal(found.core_mask, expected.core_mask)
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.distances, expected.distances)
    assert found.thickness.shape == expected.thickness.shape
    assert np.abs(found.thickness - expected.thickness).max(initial=0) < 1e-5
    assert found.threshold == pytest.approx(expected.threshold, rel=1e-5, nan_ok=True)
    check_contours(found)
    assert (found.rim_mask.dtype, found.labels.dtype, found.distances.dtype) == (np.bool_, np.int32, F32)
    return found


def scene(seed: int, shape: tuple[int, int] = (150, 190)) -> Image:
    """Rims whole and broken, flecks, noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.full(shape, 100.0)
    for k in range(3):
        cy, cx, inner = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(8, 30)
        r, angle = np.hypot(y - cy, x - cx), np.arctan2(y - cy, x - cx)
        ring = (r > inner) & (r < inner + rng.uniform(4, 9))
        image[r <= inner] *= 0.5
        image[ring & ((k != 0) | (np.abs(angle) > 0.4))] = rng.uniform(300, 500)
    for cy, cx in rng.uniform((0, 0), shape, (12, 2)):
        image[np.hypot(y - cy, x - cx) < rng.uniform(1, 4)] = 450
    return np.asarray(ndimage.gaussian_filter(image, 1.0) + rng.normal(0, 5, shape), F32)


def ring(
    shape: tuple[int, int] = (90, 100), centre: tuple[float, float] = (45, 50), radii: tuple[float, float] = (15, 25)
) -> Image:
    y, x = np.mgrid[: shape[0], : shape[1]]
    r = np.hypot(y - centre[0], x - centre[1])
    return np.where((r > radii[0]) & (r < radii[1]), 400, 100).astype(F32)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("smooth_px", "min_area_px"), [(2.0, 64.0), (0.5, 1.0), (1.7, 200.0)])
def test_as_scipy(seed: int, smooth_px: float, min_area_px: float) -> None:
    check(calibrated(scene(seed)), smooth_px=smooth_px, min_area_px=min_area_px)


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (70, 1), (2, 3), (5, 64), (7, 65), (129, 63), (40, 200)])
@pytest.mark.parametrize("smooth_px", [0.5, 2.0, 9.0])
def test_any_shape(shape: tuple[int, int], smooth_px: float) -> None:
    rng = np.random.default_rng(shape[0])
    check(calibrated(rng.gamma(0.5, 100, shape)), smooth_px=smooth_px, min_area_px=1)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.sampled_from([0, 0, 1, 9])))
@settings(max_examples=300, deadline=None)
def test_shapes_of_few_pixels(pixels: npt.NDArray[np.uint8]) -> None:
    cal = calibrated(np.kron(pixels, np.ones((3, 3))))
    smooth = smoothed(cal, 0.5)
    levels = smooth * (255 / max(float(smooth.max()), 1e-9))
    assume((np.abs(levels % 1 - 0.5) > 1e-3).all())  # sums in float and in double round to the same level
    check(cal, smooth_px=0.5, min_area_px=2)


def test_as_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    for seed in range(4):
        found = pyicg.threshold_rim(calibrated(scene(seed)), background=BACKGROUND)
        contours, hierarchy = cv2.findContours(found.rim_mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        ours = {False: found.outer_contours, True: tuple(c for holes in found.inner_contours for c in holes)}
        for hole, walks in ours.items():
            theirs = [c[:, 0, ::-1] for c, h in zip(contours, hierarchy[0], strict=True) if (h[3] >= 0) == hole]
            assert sorted(map(from_first, theirs)) == sorted(map(from_first, walks))


def from_first(walk: npt.NDArray[Any]) -> list[list[int]]:
    """The walk from its least pixel on, in the direction that comes first."""
    pixels = walk.astype(int).tolist()
    start = pixels.index(min(pixels))
    turned = pixels[start:] + pixels[:start]
    return min(turned, [turned[0], *turned[:0:-1]])


def test_a_ring_with_flecks_in_its_core() -> None:
    image = ring()
    image[42:48, 42:48] = 400
    found = check(calibrated(image))
    assert len(found.outer_contours) == 1
    assert found.core_mask[45, 45]  # a fleck of about 36 pixels is no rim, and lies in the core
    assert found.labels[45, 45] == 1
    assert found.thickness.min() > 9
    assert found.reasons == ()
    two = check(calibrated(image), min_area_px=1)
    assert len(two.outer_contours) == 2
    assert two.labels[45, 45] == 2


def test_a_rim_within_a_rim() -> None:
    image = np.maximum(ring(radii=(30, 38)), ring(radii=(8, 16)))
    found = check(calibrated(image))
    assert [len(holes) for holes in found.inner_contours] == [1, 1]
    assert found.labels[45, 50 + 23] == 1  # between them
    assert found.labels[45, 50] == 2
    assert not (found.core_mask & found.rim_mask).any()


def test_a_broken_rim_has_no_core() -> None:
    image = ring()
    image[40:50, 60:80] = 100
    found = check(calibrated(image))
    assert not found.core_mask.any()
    assert found.inner_contours == ((),)
    assert found.thickness[0, 0] == 0  # the gap


def test_a_rim_that_the_border_cuts() -> None:
    found = check(calibrated(ring(centre=(10, 50))))
    assert not found.core_mask.any()  # open at the border
    assert found.rim_mask[0].any()


def test_the_unsafe_direction() -> None:
    """What the docstring says of the bias, on rings with the edge at 20 px."""
    for width, least in ((12, 0.3), (5, 1.0)):
        image = ndimage.gaussian_filter(ring(radii=(20, 20 + width)), 2.0)
        core = pyicg.threshold_rim(calibrated(image), background=BACKGROUND).core_mask
        assert 20 - math.sqrt(core.sum() / math.pi) > least


@pytest.mark.parametrize("value", [0.0, -3.0, 7.0])
def test_a_frame_of_one_level(value: float) -> None:
    found = check(calibrated(np.full((20, 30), value)))
    assert math.isnan(found.threshold)
    assert not found.rim_mask.any()
    assert found.thickness.shape == (0, 360)
    assert found.sbr.n == 0
    assert found.sbr.reason == "too_few_pixels"
    assert found.reasons == ("no_lesion",)


def test_only_negative_values_under_the_bright_ones() -> None:
    image = ring() - F32(250)
    check(calibrated(image))


def test_sbr_of_the_rims() -> None:
    image = scene(3)
    mask = np.zeros(image.shape, np.uint8)
    rng = np.random.default_rng(0)
    mask[rng.random(image.shape) < 0.2] = 1
    mask[rng.random(image.shape) < 0.1] |= 32
    cal = calibrated(image, mask)
    found = check(cal)
    use = found.rim_mask & ((mask & ~np.uint8(32)) == 0)
    values = image[use].astype(np.float64) / BACKGROUND.level
    assert found.sbr.n == values.size
    assert found.sbr.n_left_out == found.sbr.n_saturated == (found.rim_mask & ~use).sum()
    assert found.sbr.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.sbr.sd == pytest.approx(values.std(ddof=1), rel=1e-12)
    assert found.sbr.median == pytest.approx(np.median(values), rel=1e-15)
    assert found.sbr.mad == pytest.approx(np.median(np.abs(values - np.median(values))), rel=1e-14)
    assert list(found.sbr.percentiles) == [5, 25, 50, 75, 95]
    percentiles = np.percentile(values, [5, 25, 50, 75, 95])
    assert list(found.sbr.percentiles.values()) == pytest.approx(percentiles, rel=1e-15)
    assert found.sbr.unit == "1"
    assert found.reasons == ("saturated_lower_bound",)
    assert found.sbr_map is None
    whole = pyicg.threshold_rim(cal, background=BACKGROUND, sbr_map=True)
    assert whole.sbr_map is not None
    assert np.array_equal(whole.sbr_map, image / F32(100))
    assert whole.sbr_map.dtype == F32


@pytest.mark.parametrize("lost", [0.0, 0.3])
def test_sbr_of_many_pixels(lost: float) -> None:
    rng = np.random.default_rng(7)
    image = ring((500, 520), (250, 260), (150, 200)) + rng.normal(0, 20, (500, 520)).astype(F32)
    mask = np.where(rng.random(image.shape) < lost, 1, 0).astype(np.uint8)
    cal = calibrated(image, mask)
    for threads in (1, 3):
        found = pyicg.threshold_rim(cal, background=BACKGROUND, threads=threads)
        same_pixels = pyicg.region_statistics(cal, region=found.rim_mask)
        assert found.sbr.n == same_pixels.n > 30_000
        assert (found.sbr.n_left_out, found.sbr.n_saturated) == (same_pixels.n_left_out, same_pixels.n_saturated)
        for name in ("minimum", "maximum", "sum", "mean", "sd", "median", "mad"):
            expected = getattr(same_pixels, name) / BACKGROUND.level
            assert getattr(found.sbr, name) == pytest.approx(expected, rel=1e-14)
        assert list(found.sbr.percentiles.values()) == [v / 100 for v in same_pixels.percentiles.values()]


def test_background() -> None:
    cal = calibrated(scene(1))
    found = pyicg.threshold_rim(cal)
    assert found.background == pyicg.estimate_background(cal)
    unresolved = pyicg.threshold_rim(cal, background=replace(BACKGROUND, reason="background_not_resolved"))
    assert np.array_equal(unresolved.rim_mask, found.rim_mask)
    assert math.isnan(unresolved.sbr.mean)
    assert unresolved.sbr.reason == "background_not_resolved"
    assert unresolved.reasons == ("background_not_resolved",)
    black = pyicg.threshold_rim(cal, background=replace(BACKGROUND, level=0.0), sbr_map=True)
    assert black.reasons == ("background_not_resolved",)
    assert black.sbr_map is not None
    assert np.isnan(black.sbr_map).all()
    assert "uncalibrated" in pyicg.threshold_rim(calibrated(scene(1), calibrated=False)).reasons


@pytest.mark.parametrize("bit", [4, 8, 16, 64])
def test_pixels_that_are_not_in_the_picture(bit: int) -> None:
    rng = np.random.default_rng(bit)
    image = scene(2)
    mask = np.where(rng.random(image.shape) < 0.1, bit, 0).astype(np.uint8)
    mask[20:60, 30:70] = bit  # nothing valid is near its middle
    image[mask != 0] = np.nan if bit == 64 else 1e6
    found = check(calibrated(image, mask))
    assert not found.rim_mask[38:42, 48:52].any()
    assert found.threshold < 500
    nothing = check_nothing(calibrated(image, np.full(image.shape, bit, np.uint8)))
    assert nothing.sbr.n == 0


def check_nothing(cal: pyicg.CalibratedFrame) -> ThresholdedRims:
    found = pyicg.threshold_rim(cal, background=BACKGROUND)
    assert not found.rim_mask.any()
    assert found.reasons == ("no_lesion",)
    return found


def test_saturated_and_cut_off_pixels_stay_in_the_picture() -> None:
    image = scene(2)
    clean = pyicg.threshold_rim(calibrated(image), background=BACKGROUND)
    mask = np.where(image > 350, 1, 0).astype(np.uint8) | np.where(image < 50, 2, 0).astype(np.uint8)
    same(clean, pyicg.threshold_rim(calibrated(image, mask), background=BACKGROUND))


def test_numbers_that_a_clean_mask_hides() -> None:
    image = scene(2)
    for value in (np.nan, np.inf, -np.inf):
        broken = image.copy()
        broken[70, 80] = value
        found = pyicg.threshold_rim(calibrated(broken), background=BACKGROUND)
        assert not found.rim_mask[70, 80]


def same(one: ThresholdedRims, other: ThresholdedRims) -> None:
    for name in MAPS:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert np.array_equal(one.threshold, other.threshold, equal_nan=True)
    assert one.thickness.tobytes() == other.thickness.tobytes()
    for a, b in zip(one.outer_contours, other.outer_contours, strict=True):
        assert np.array_equal(a, b)


def test_a_turned_frame_gives_turned_masks() -> None:
    image = scene(5)
    found = pyicg.threshold_rim(calibrated(image), background=BACKGROUND)
    for flip in (np.s_[::-1], np.s_[:, ::-1], np.s_[::-1, ::-1]):
        turned = pyicg.threshold_rim(calibrated(image[flip].copy()), background=BACKGROUND)
        assert turned.threshold == found.threshold
        for name in ("rim_mask", "core_mask", "distances"):
            assert np.array_equal(getattr(turned, name)[flip], getattr(found, name))


def test_a_shifted_frame_gives_shifted_masks() -> None:
    image = np.full((160, 170), 100, F32)
    image[30:120, 30:130] = ring()
    found = pyicg.threshold_rim(calibrated(image), background=BACKGROUND)
    moved = pyicg.threshold_rim(calibrated(np.roll(image, (7, -5), (0, 1))), background=BACKGROUND)
    for name in MAPS:
        assert np.array_equal(getattr(moved, name), np.roll(getattr(found, name), (7, -5), (0, 1)))
    assert np.array_equal(moved.thickness, found.thickness)


@pytest.mark.parametrize("threads", [2, 3, 8, 300])
def test_threads_do_not_change_the_bits(threads: int) -> None:
    image = scene(4, (201, 150))
    mask = np.zeros(image.shape, np.uint8)
    mask[50:70, 20:90] = 8
    for bits in (np.zeros_like(mask), mask):
        cal = calibrated(image, bits)
        one = pyicg.threshold_rim(cal, background=BACKGROUND, sbr_map=True)
        several = pyicg.threshold_rim(cal, background=BACKGROUND, sbr_map=True, threads=threads)
        same(one, several)
        assert one.sbr == several.sbr


def test_rows_of_any_stride_that_may_not_be_written() -> None:
    image = scene(4)
    found = pyicg.threshold_rim(calibrated(image), background=BACKGROUND)
    wide = np.zeros((image.shape[0], image.shape[1] + 9), F32)
    wide[:, 4:-5] = image
    for laid in (wide[:, 4:-5], image[::-1].copy()[::-1]):
        laid.flags.writeable = False
        cal = replace(calibrated(image), data=laid)
        before = laid.copy()
        same(found, pyicg.threshold_rim(cal, background=BACKGROUND))
        assert np.array_equal(laid, before)


def test_memory_is_used_again() -> None:
    first = pyicg.threshold_rim(calibrated(scene(0)), background=BACKGROUND, sbr_map=True)
    for seed in (1, 2, 3):
        cal = calibrated(scene(seed) if seed != 2 else np.zeros_like(scene(0)))
        fresh = pyicg.threshold_rim(cal, background=BACKGROUND)
        again = pyicg.threshold_rim(cal, background=BACKGROUND, out=first)
        same(fresh, again)
        assert again.sbr_map is None
        for name in MAPS:
            assert np.shares_memory(getattr(again, name), getattr(first, name))
            with pytest.raises(ValueError, match="read-only"):
                getattr(again, name)[0, 0] = 1


def test_maps_outlive_the_result() -> None:
    mask = pyicg.threshold_rim(calibrated(scene(0)), background=BACKGROUND).rim_mask
    assert np.array_equal(mask, expected_of(calibrated(scene(0))).rim_mask)


def test_copies() -> None:
    cal = calibrated(scene(0))
    found = pyicg.threshold_rim(cal, background=BACKGROUND)
    for copied in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        same(found, copied)
        assert not np.shares_memory(copied.rim_mask, found.rim_mask)
        same(found, pyicg.threshold_rim(cal, background=BACKGROUND, out=copied))


def test_threads_of_the_caller() -> None:
    cals = [calibrated(scene(seed)) for seed in range(4)]
    alone = [pyicg.threshold_rim(cal, background=BACKGROUND) for cal in cals]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda cal: pyicg.threshold_rim(cal, background=BACKGROUND), cals))
    for one, other in zip(alone, together, strict=True):
        same(one, other)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"smooth_px": 0.4}, InputError, "smooth_px must be between 0.5 and 100, found 0.4"),
        ({"smooth_px": 101}, InputError, "smooth_px must be between 0.5 and 100, found 101"),
        ({"smooth_px": "2"}, InputError, "smooth_px must be a finite number"),
        ({"smooth_px": math.nan}, InputError, "smooth_px must be a finite number"),
        ({"min_area_px": 0}, InputError, "min_area_px must be at least 1, found 0"),
        ({"min_area_px": math.inf}, InputError, "min_area_px must be a finite number"),
        ({"sbr_map": 1}, InputError, "sbr_map must be True or False, found 1"),
        ({"threads": 0}, InputError, "threads must be a whole number of at least 1, found 0"),
        ({"threads": 1.5}, InputError, "threads must be a whole number of at least 1, found 1.5"),
        ({"background": 100.0}, InputError, "background must be a Background, found float"),
        ({"background": replace(BACKGROUND, unit="DN/ms")}, UnitError, "the background is in DN/ms"),
        ({"background": replace(BACKGROUND, shape=(3, 3))}, InputError, "the background was found in a frame of"),
        ({"out": np.zeros((150, 190))}, InputError, "out must be an earlier result of threshold_rim, found ndarray"),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text.replace("(", r"\(")):
        pyicg.threshold_rim(calibrated(scene(0)), **options)


def test_wrong_frames() -> None:
    cal = calibrated(scene(0))
    with pytest.raises(InputError, match=r"data must be float32"):
        pyicg.threshold_rim(replace(cal, data=cal.data.astype(np.float64)), background=BACKGROUND)
    with pytest.raises(InputError, match=r"must be a 2-D array of at least one pixel, found shape \(0, 4\)"):
        pyicg.threshold_rim(calibrated(np.zeros((0, 4))), background=BACKGROUND)
    with pytest.raises(InputError, match=r"frames here are 150 x 190, found data of 150 x 190 and a mask of 149 x 190"):
        pyicg.threshold_rim(replace(cal, mask=cal.mask[1:]), background=BACKGROUND)
    found = pyicg.threshold_rim(cal, background=BACKGROUND, sbr_map=True)
    with pytest.raises(InputError, match=r"out is of a frame of \(150, 190\), this one is \(90, 100\)"):
        pyicg.threshold_rim(calibrated(ring()), background=BACKGROUND, out=found)
    assert found.sbr_map is not None
    with pytest.raises(InputError, match="out shares memory with the frame"):
        pyicg.threshold_rim(replace(cal, data=found.sbr_map), background=BACKGROUND, out=found)
