"""What must not change what `segment_rim` finds: where a lesion lies, how the camera was held, the unit, the memory.

All frames are simulated with `pyicg.phantom.rim_scene`: a lobed rim, one broken by gaps, one cut by the border.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyicg
from pyicg import Background, CalibratedFrame, CameraProfile, InputError, Lesion, RimSegmentation
from pyicg.phantom import RimShape, rim_scene

from .oracles import F32, calibrated

Image = npt.NDArray[np.float32]
Contour = npt.NDArray[np.float64]
CONTOURS = ("inner_contour", "outer_contour")
SIDE = 128
SHAPE = (118, 132)
LIVER = Background(100.0, 6.0, 0.02, 20_000, "mode")

WHOLE = RimShape(20.0, 9.0, (60.3, 62.8), ellipticity=0.2, angle_deg=25.0, harmonics={3: (0.07, 0.4)})
BROKEN = RimShape(22.0, 9.0, (58.7, 66.2), harmonics={2: (0.05, 1.0)}, gaps_deg=((40.0, 85.0), (200.0, 230.0)))
CUT = RimShape(21.0, 10.0, (57.6, 26.3), harmonics={3: (0.05, 2.0)})  # 5 px of its rim lie outside
CORE_CUT = RimShape(21.0, 10.0, (57.6, 9.3))
RIMS = {"whole": WHOLE, "broken": BROKEN, "cut by the border": CUT, "core cut by the border": CORE_CUT}


def frame(*shapes: RimShape, seed: int = 0, size: tuple[int, int] = SHAPE, snr: float = 40.0, **light: float) -> Image:
    return rim_scene(size, shapes, snr=snr, seed=seed, **light).image


def segment(image: npt.NDArray[Any], mask: npt.NDArray[np.uint8] | None = None, **options: Any) -> RimSegmentation:
    return pyicg.segment_rim(calibrated(image, mask), **options)


def the_lesion(image: npt.NDArray[Any], mask: npt.NDArray[np.uint8] | None = None, **options: Any) -> Lesion:
    (lesion,) = segment(image, mask, **options).lesions
    return lesion


def distance(found: Contour, expected: Contour) -> float:
    """Largest distance from a vertex of either contour to the nearest of the other."""
    assert len(found) == len(expected)
    apart = np.hypot(*(found[:, None] - expected[None]).transpose(2, 0, 1))
    return float(max(apart.min(axis=0).max(), apart.min(axis=1).max()))


def radius_by_angle(contour: Contour, centre: tuple[float, float]) -> Contour:
    """Distance of a contour from a centre at 360 angles."""
    y, x = (contour - centre).T
    angle = np.arctan2(y, x)
    order = np.argsort(angle)
    told = np.radians(np.arange(-180, 180))
    return np.interp(told, angle[order], np.hypot(y, x)[order], period=2 * math.pi)


def same_bits(one: RimSegmentation, other: RimSegmentation) -> None:
    for name in ("rim_mask", "core_mask", "labels"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert [repr(r) for r in one.rejected] == [repr(r) for r in other.rejected]
    assert len(one.lesions) == len(other.lesions)
    for a, b in zip(one.lesions, other.lesions, strict=True):
        for name in (field.name for field in fields(a)):
            found, expected = getattr(b, name), getattr(a, name)
            if isinstance(expected, np.ndarray):
                np.testing.assert_array_equal(found, expected)
            else:
                assert repr(found) == repr(expected)  # every bit of a float, and NaN for NaN


# Where the lesion lies.


@pytest.mark.parametrize("psf", [None, 1.2])
@pytest.mark.parametrize("name", ["whole", "broken"])
@settings(max_examples=3, deadline=None, derandomize=True)
@given(shift=st.tuples(st.integers(1, 60), st.integers(1, 70)))
def test_shift_by_whole_pixels(name: str, psf: float | None, shift: tuple[int, int]) -> None:
    patch = frame(RIMS[name])
    options: dict[str, Any] = {"background": LIVER, "psf_sigma_px": psf}
    found = []
    for y, x in ((0, 0), shift):
        image = np.full((SHAPE[0] + 60, SHAPE[1] + 70), 100, F32)
        image[y : y + SHAPE[0], x : x + SHAPE[1]] = patch
        found.append(the_lesion(image, **options))
    first, moved = found
    for contour in CONTOURS:
        np.testing.assert_allclose(getattr(moved, contour) - shift, getattr(first, contour), rtol=0, atol=1e-9)
    np.testing.assert_allclose(moved.inner_sigma, first.inner_sigma, rtol=1e-9)
    assert moved.completeness == first.completeness
    assert moved.confidence == pytest.approx(first.confidence, rel=1e-9)


TURNS: dict[str, tuple[Callable[[Image], Image], Callable[[Contour], Contour]]] = {
    "up-down": (np.flipud, lambda p: np.column_stack([SHAPE[0] - 1 - p[:, 0], p[:, 1]])),
    "left-right": (np.fliplr, lambda p: np.column_stack([p[:, 0], SHAPE[1] - 1 - p[:, 1]])),
    "quarter turn": (np.rot90, lambda p: np.column_stack([SHAPE[1] - 1 - p[:, 1], p[:, 0]])),
    "half turn": (lambda a: np.rot90(a, 2), lambda p: np.subtract(SHAPE, 1) - p),
    "three quarters": (lambda a: np.rot90(a, 3), lambda p: np.column_stack([p[:, 1], SHAPE[0] - 1 - p[:, 0]])),
    "transposed": (np.transpose, lambda p: p[:, ::-1]),
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", RIMS)
def test_turns_and_flips(name: str, turn: str) -> None:
    # The sides of the frame change places: what the border cuts is the same on all four.
    image, (turned, follow) = frame(RIMS[name]), TURNS[turn]
    plain, other = segment(image), segment(np.ascontiguousarray(turned(image)))
    assert (
        len(other.lesions) == len(plain.lesions) == (0 if name == "core cut by the border" and not plain.lesions else 1)
    )
    for found, expected in zip(other.lesions, plain.lesions, strict=True):
        for contour in CONTOURS:
            assert distance(getattr(found, contour), follow(getattr(expected, contour))) < 1e-4
        assert found.completeness == pytest.approx(expected.completeness, abs=1e-9)
        assert found.confidence == pytest.approx(expected.confidence, abs=1e-6)
        assert (found.reasons, found.pattern) == (expected.reasons, expected.pattern)
        assert found.sbr.value == pytest.approx(expected.sbr.value, rel=1e-5)
    assert sorted(region.reason for region in other.rejected) == sorted(region.reason for region in plain.rejected)


def test_a_rim_cut_by_the_border_is_found_and_says_so() -> None:
    lesion = the_lesion(frame(CUT))
    assert "clipped_by_border" in lesion.reasons
    inside = radius_by_angle(lesion.inner_contour, CUT.centre_px)
    np.testing.assert_allclose(inside, CUT.inner_radius_px(np.radians(np.arange(-180, 180))), atol=0.6)


def test_two_lesions_do_not_know_which_comes_first() -> None:
    # Two patches change places on a constant field: each lesion keeps every vertex.
    patches = [frame(RimShape(r, 8.0, (48.2, 47.7)), size=(96, 96), seed=seed) for seed, r in enumerate((16.0, 22.0))]
    found = []
    for order in (patches, patches[::-1]):
        rim = segment(np.hstack(order), background=LIVER, psf_sigma_px=1.2)
        assert len(rim.lesions) == 2
        found.append(sorted(rim.lesions, key=lambda lesion: lesion.area_px))
    for one, other, side in zip(*found, (96, -96), strict=True):
        for contour in CONTOURS:
            moved = np.add(getattr(one, contour), (0, side))
            np.testing.assert_allclose(moved, getattr(other, contour), rtol=0, atol=1e-9)
        assert one.confidence == pytest.approx(other.confidence, rel=1e-9)


# The unit and the camera.


@pytest.mark.parametrize("psf", [None, 1.2])
@pytest.mark.parametrize("name", ["whole", "broken", "cut by the border"])
@pytest.mark.parametrize("factor", [2.0**-20, 0.5, 64.0])
def test_powers_of_two_change_no_bit(name: str, psf: float | None, factor: float) -> None:
    image = frame(RIMS[name])
    plain, scaled = segment(image, psf_sigma_px=psf), segment(image * F32(factor), psf_sigma_px=psf)
    assert scaled.background.level == factor * plain.background.level
    same_bits(plain, scaled)


@pytest.mark.parametrize("name", ["whole", "broken", "cut by the border"])
@settings(max_examples=3, deadline=None, derandomize=True)
@given(exponent=st.floats(-6, 6))
def test_any_factor(name: str, exponent: float) -> None:
    image = frame(RIMS[name])
    plain, scaled = the_lesion(image), the_lesion(image * F32(10**exponent))
    for contour in CONTOURS:
        np.testing.assert_allclose(getattr(scaled, contour), getattr(plain, contour), rtol=0, atol=1e-4)
    assert scaled.sbr.value == pytest.approx(plain.sbr.value, rel=1e-5)
    assert scaled.confidence == pytest.approx(plain.confidence, rel=1e-4)


def test_an_offset_of_the_camera_changes_the_ratio_and_not_the_boundary() -> None:
    image, offset = frame(WHOLE, sbr=4.0), 50.0
    plain, shifted = the_lesion(image, psf_sigma_px=1.2), the_lesion(image + F32(offset), psf_sigma_px=1.2)
    for contour in CONTOURS:
        apart = [radius_by_angle(getattr(lesion, contour), WHOLE.centre_px) for lesion in (plain, shifted)]
        assert np.abs(apart[1] - apart[0]).mean() < 0.01
    assert shifted.thickness.value == pytest.approx(plain.thickness.value, abs=0.01)
    assert shifted.sbr.value == pytest.approx((100 * plain.sbr.value + offset) / (100 + offset), rel=2e-3)


def test_the_same_frame_gives_the_same_bits_twice() -> None:
    image = frame(WHOLE)
    same_bits(segment(image), segment(image))
    assert segment(image, background=LIVER).background is LIVER


# Memory.


def strided(name: str, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the same values in other memory, rows packed."""
    match name:
        case "upside down":
            return image[::-1].copy()[::-1]
        case "every other row":
            return np.repeat(image, 2, axis=0)[::2]
        case "cut out of a larger frame":
            return np.pad(image, 7)[7:-7, 7:-7]
        case _:
            image = image.copy()
            image.flags.writeable = False
            return image


@pytest.mark.parametrize("name", ["upside down", "every other row", "cut out of a larger frame", "read-only"])
def test_rows_of_any_stride(name: str) -> None:
    cal = calibrated(frame(BROKEN))
    view = replace(cal, data=strided(name, cal.data), mask=strided(name, cal.mask))
    before = view.data.copy()
    same_bits(pyicg.segment_rim(cal, background=LIVER), pyicg.segment_rim(view, background=LIVER))
    np.testing.assert_array_equal(view.data, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cal: replace(cal, data=cal.data.astype(">f4")), "float32 in native byte order, found >f4"),
        (lambda cal: replace(cal, data=cal.data.astype(np.float64)), "float32 in native byte order, found float64"),
        (lambda cal: replace(cal, data=cal.data.astype(np.uint16)), "float32 in native byte order, found uint16"),
        (lambda cal: replace(cal, mask=cal.mask.astype(bool)), "uint8 in native byte order, found bool"),
        (lambda cal: replace(cal, data=np.repeat(cal.data, 2, axis=1)[:, ::2]), "ascontiguousarray"),
        (lambda cal: replace(cal, data=cal.data[:, ::-1]), "ascontiguousarray"),
        (lambda cal: replace(cal, data=cal.data[0]), "2-D array"),
        (lambda cal: replace(cal, data=cal.data[None]), "2-D array"),
        (lambda cal: replace(cal, data=cal.data[:0], mask=cal.mask[:0]), "at least one pixel"),
        (lambda cal: replace(cal, mask=cal.mask[:-1]), "mask is 117 x 132, the frame 118 x 132"),
    ],
)
def test_what_cannot_be_read_is_refused(change: Callable[[CalibratedFrame], CalibratedFrame], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pyicg.segment_rim(change(calibrated(frame(WHOLE))), background=LIVER)


# Pixels that say nothing.


@pytest.mark.parametrize("bit", [4, 8, 16, 64])
@pytest.mark.parametrize("fill", [math.nan, 0.0, 1e6])
def test_scattered_bad_pixels(bit: int, fill: float) -> None:
    image = frame(WHOLE)
    lost = np.random.default_rng(bit).random(SHAPE) < 0.05
    plain, holed = the_lesion(image), the_lesion(np.where(lost, fill, image), np.where(lost, bit, 0).astype(np.uint8))
    for contour in CONTOURS:
        apart = [radius_by_angle(getattr(lesion, contour), WHOLE.centre_px) for lesion in (plain, holed)]
        assert np.abs(apart[1] - apart[0]).mean() < 0.05
    assert holed.completeness == pytest.approx(plain.completeness, abs=0.02)


def test_a_dead_row_and_column_through_the_rim() -> None:
    image = frame(WHOLE)
    bits = np.zeros(SHAPE, np.uint8)
    bits[55] = bits[:, 70] = 4
    plain, holed = the_lesion(image), the_lesion(np.where(bits, np.nan, image), bits)
    for contour in CONTOURS:
        apart = [radius_by_angle(getattr(lesion, contour), WHOLE.centre_px) for lesion in (plain, holed)]
        assert np.abs(apart[1] - apart[0]).mean() < 0.05


TINY = [(1, 1), (1, 2), (1, 50), (50, 1), (2, 2), (3, 3), (5, 200), (64, 64)]


@pytest.mark.parametrize("size", TINY)
@pytest.mark.parametrize("fill", [0.0, 100.0, -3.0, 3e38, math.inf, -math.inf, math.nan])
def test_frames_with_nothing_in_them(size: tuple[int, int], fill: float) -> None:
    profile = CameraProfile.identity(size, bit_depth=None)
    for image in (np.full(size, fill, F32), np.where(np.indices(size).sum(axis=0) % 2, 100, fill).astype(F32)):
        nothing_in(pyicg.segment_rim(pyicg.calibrate(image, profile)), size)
    unflagged = segment(np.full(size, fill))  # not finite, and the mask does not say so
    nothing_in(unflagged, size)


@pytest.mark.parametrize("bit", [1, 4, 8, 16, 64])
def test_everything_masked(bit: int) -> None:
    rim = segment(frame(WHOLE), np.full(SHAPE, bit, np.uint8))
    if bit != 1:  # saturated pixels are bright: they bound a level, and stay
        nothing_in(rim, SHAPE)
    nothing_in(segment(np.full(SHAPE, 100.0), np.full(SHAPE, bit, np.uint8), background=LIVER), SHAPE)


def nothing_in(rim: RimSegmentation, size: tuple[int, int]) -> None:
    assert rim.lesions == ()
    for name in ("labels", "rim_mask", "core_mask"):
        assert getattr(rim, name).shape == size
        assert not getattr(rim, name).any()


def test_a_rim_without_noise() -> None:
    lesion = the_lesion(frame(RimShape(20.0, 9.0, (60.3, 62.8)), snr=math.inf), psf_sigma_px=1.2)
    np.testing.assert_allclose(radius_by_angle(lesion.inner_contour, (60.3, 62.8)), 20, atol=0.03)
    assert lesion.confidence > 0.5


# One result agrees with itself.


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    radius=st.floats(12, 28),
    thickness=st.floats(5, 12),
    gap=st.floats(0, 120),
    start=st.floats(0, 359),
    x=st.floats(20, 100),
    snr=st.floats(15, 100),
)
def test_a_result_agrees_with_itself(
    seed: int, radius: float, thickness: float, gap: float, start: float, x: float, snr: float
) -> None:
    gaps = ((start, start + gap),) if gap > 5 else ()
    rim = segment(frame(RimShape(radius, thickness, (64.0, x), gaps_deg=gaps), size=(SIDE, SIDE), seed=seed, snr=snr))
    assert not (rim.rim_mask & rim.core_mask).any()
    np.testing.assert_array_equal(rim.labels > 0, rim.rim_mask | rim.core_mask)
    assert [lesion.label for lesion in rim.lesions] == list(range(1, len(rim.lesions) + 1))
    for lesion in rim.lesions:
        n = len(lesion.inner_contour)
        assert lesion.inner_contour.shape == lesion.outer_contour.shape == (n, 2)
        assert np.isfinite(lesion.inner_contour).all()
        assert np.isfinite(lesion.outer_contour).all()
        assert (lesion.inner_sigma > 0).all()
        assert lesion.thickness_profile.shape == lesion.inner_sigma.shape == (n,)
        assert 0 <= lesion.completeness <= 1
        assert 0 <= lesion.confidence <= 1
        if "clipped_by_border" not in lesion.reasons:  # angles out of view count as neither
            assert np.diff(lesion.gaps_deg, axis=1).sum() / 360 == pytest.approx(1 - lesion.completeness, abs=1e-9)
        inner, outer = (radius_by_angle(getattr(lesion, name), lesion.centroid) for name in CONTOURS)
        assert (outer > inner).all()
        core = np.count_nonzero(rim.core_mask & (rim.labels == lesion.label))
        if not lesion.reasons:
            assert core == pytest.approx(lesion.area_px, rel=0.02, abs=20)  # pixels of a small disc come and go in rows
        assert lesion.thickness_mm.reason == lesion.area_mm2.reason == "no_pixel_size"
