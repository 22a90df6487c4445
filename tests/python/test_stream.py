"""Frames in a ring of slots: the digits of the C interface, whatever holds the pixels."""

from __future__ import annotations

import _thread
import ctypes
import gc
import math
import mmap
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import pyicg
from pyicg import CameraProfile, InputError, StreamScorer, UnitError, _capi
from pyicg.phantom import BedPhantom


@pytest.fixture(scope="module")
def bed() -> BedPhantom:
    return pyicg.phantom.bed_scene(shape=(120, 161), n_frames=5, ring_inner_radius_mm=2.4, pixel_size_mm=0.2, seed=3)


@pytest.fixture(scope="module")
def ring(bed: BedPhantom) -> npt.NDArray[np.uint16]:
    return np.stack([frame for frame in bed.stack])


def same(found: Any, wanted: Any) -> bool:
    return bool(np.asarray(found).tobytes() == np.asarray(wanted).tobytes())


def test_the_digits_of_the_scorer(bed: BedPhantom, ring: npt.NDArray[np.uint16]) -> None:
    scorer = pyicg.Scorer(bed.profile, shape=ring.shape[1:], pixel_size_mm=0.2)
    stream = StreamScorer(bed.profile, ring, pixel_size_mm=0.2)
    assert len(stream) == 5
    for slot in range(5):
        score = scorer.score(ring[slot], exposure_ms=20)
        record = stream.score(slot, exposure_ms=20, timestamp_ns=1000 + slot)
        for name in ("sbr", "sbr_raw", "weber", "michelson", "cnr", "cvr", "signal_level"):
            wanted = getattr(score.contrast, name)
            assert [record[name][part] for part in ("value", "sigma", "lo", "hi")] == [
                wanted.value, wanted.sigma, *wanted.ci,
            ]  # fmt: skip
        assert record["background_level"] == score.background.level
        assert record["residual_area_px"] == score.residual_area_px
        assert record["focus"] == score.quality.focus
        assert record["timestamp_ns"] == 1000 + slot
        assert StreamScorer.fluorescent(record) is score.fluorescent is True
        assert StreamScorer.reasons(record) == score.reasons
        lesions = stream.lesions()
        assert [lesion["area_px"] for lesion in lesions] == [lesion.area_px for lesion in score.lesions]
        assert len(lesions) == record["n_lesions"] == 1
        np.testing.assert_array_equal(stream.contours(0)[0], score.lesions[0].inner_contour)


def packed(frames: npt.NDArray[np.uint16], bits: int) -> npt.NDArray[np.uint8]:
    """Pack pixels by PFNC, lowest bits first, every row beginning with a byte."""
    planes = (frames[..., None] >> np.arange(bits, dtype=np.uint16)) & 1
    return np.packbits(planes.reshape(*frames.shape[:-1], -1).astype(np.uint8), axis=-1, bitorder="little")


def test_any_buffer_without_a_copy(bed: BedPhantom, ring: npt.NDArray[np.uint16], tmp_path: Path) -> None:
    wanted = StreamScorer(bed.profile, ring).score_many(exposure_ms=20)
    (tmp_path / "ring.raw").write_bytes(ring.tobytes())
    padded = np.zeros((5, 120, 190), np.uint16)
    padded[:, :, 5:166] = ring
    read_only = ring.copy()
    read_only.setflags(write=False)
    with (tmp_path / "ring.raw").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        rings: list[Any] = [
            ring.copy(),
            read_only,
            padded[:, :, 5:166],
            np.ascontiguousarray(ring[:, ::-1])[:, ::-1],
            np.ascontiguousarray(ring[::-1])[::-1],
            list(ring.copy()),
            tuple(memoryview(frame) for frame in ring),
            memoryview(ring.tobytes()).cast("B").cast("H", ring.shape),
            memoryview(mapped).cast("H", ring.shape),
            (ctypes.c_uint16 * 161 * 120 * 5).from_buffer_copy(ring),
        ]
        for held in rings:
            assert same(StreamScorer(bed.profile, held).score_many(exposure_ms=20), wanted)
        del held, rings
        gc.collect()
    assert same(StreamScorer(bed.profile, packed(ring, 12), packing="mono12p").score_many(exposure_ms=20), wanted)
    small = (ring // 8).astype(np.uint16)
    ten = StreamScorer(bed.profile, packed(small, 10), packing="mono10p").score_many(exposure_ms=20)
    assert same(ten, StreamScorer(bed.profile, small).score_many(exposure_ms=20))


def test_a_slot_is_read_when_it_is_scored(bed: BedPhantom, ring: npt.NDArray[np.uint16]) -> None:
    held = np.zeros_like(ring)
    stream = StreamScorer(bed.profile, held, lesions=False)
    wanted = StreamScorer(bed.profile, ring, lesions=False).score(4, exposure_ms=20)
    held[1] = ring[4]
    assert same(stream.score(1, exposure_ms=20), wanted)
    kept = stream.score(1, exposure_ms=20)
    held[1] = 0
    assert same(kept, wanted)  # a record is its own
    assert not kept.flags.writeable


def test_slots_in_any_order(bed: BedPhantom, ring: npt.NDArray[np.uint16]) -> None:
    stream = StreamScorer(bed.profile, ring)
    one = [stream.score(slot, exposure_ms=20) for slot in range(5)]
    chosen = [3, 0, 0, 4]
    assert same(stream.score_many(chosen, exposure_ms=20), np.array([one[slot] for slot in chosen]))
    assert stream.score_many([]).shape == (0,)


def test_many_threads_on_one_stream(bed: BedPhantom, ring: npt.NDArray[np.uint16]) -> None:
    stream = StreamScorer(bed.profile, ring)
    wanted = stream.score_many(exposure_ms=20)
    right = []

    def work() -> None:
        right.append(all(same(stream.score_many(exposure_ms=20), wanted) for _ in range(5)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 4


def test_the_ring_is_held_as_long_as_the_stream(bed: BedPhantom) -> None:
    pixels = bytearray(2 * 120 * 161 * 2)
    stream = StreamScorer(bed.profile, memoryview(pixels).cast("H", (2, 120, 161)), lesions=False)
    with pytest.raises(BufferError):
        pixels.clear()  # would free what the stream reads
    del stream
    gc.collect()
    pixels.clear()


def test_nothing_is_left_behind(bed: BedPhantom, ring: npt.NDArray[np.uint16]) -> None:
    before = sys.getrefcount(ring)
    for _ in range(50):
        StreamScorer(bed.profile, ring)
        with pytest.raises(InputError):
            StreamScorer(bed.profile, ring, packing="mono12p")
    gc.collect()
    assert sys.getrefcount(ring) == before


def test_what_was_hardly_seen(ring: npt.NDArray[np.uint16]) -> None:
    """The same sign and reasons as the scorer's where most pixels are NaN."""
    frame = np.full(ring.shape[1:], 500, np.float32)
    for seen in (10, 30, 90):
        frame[seen:] = np.nan
        profile = CameraProfile.identity(frame.shape, bit_depth=None)
        wanted = pyicg.Scorer(profile, shape=frame.shape, dtype="float32").score(frame)
        record = StreamScorer(profile, [frame]).score(0)
        assert StreamScorer.fluorescent(record) is wanted.fluorescent
        assert StreamScorer.reasons(record) == wanted.reasons
        assert ("too_few_pixels" in wanted.reasons) is (seen < 24)
        frame[:] = 500


def test_names_of_records_are_the_callers(bed: BedPhantom, ring: npt.NDArray[np.uint16]) -> None:
    stream = StreamScorer(bed.profile, ring)
    for records in (stream.score_many([0, 1], exposure_ms=20), stream.score(0, exposure_ms=20)):
        assert records.dtype.names is not None
        records.dtype.names = tuple(f"my_{name}" for name in records.dtype.names)
        record = stream.score(0, exposure_ms=20)
        assert StreamScorer.fluorescent(record) is True
        assert StreamScorer.reasons(record) == ("no_pixel_size",)


RING = np.full((2, 20, 30), 100, np.uint16)
PROFILE = CameraProfile.identity((20, 30), bit_depth=12)


@pytest.mark.parametrize(
    ("held", "options", "error", "message"),
    [
        (RING[0], {}, InputError, "found 2 axes"),
        (RING[None], {}, InputError, "found 4 axes"),
        ([RING], {}, InputError, "found 3 axes"),
        ([], {}, InputError, "no slot"),
        (RING[:0], {}, InputError, "no slot"),
        (RING[:, 1:], {}, InputError, r"\(19, 30\), expected \(20, 30\)"),
        ([RING[0], RING[1].T], {}, InputError, r"\(30, 20\), expected \(20, 30\)"),
        (np.repeat(RING, 2, axis=2)[:, :, ::2], {}, InputError, "side by side"),
        (RING[:, :, ::-1], {}, InputError, "side by side"),
        (np.broadcast_to(RING[:, :1], RING.shape), {}, InputError, "rows must not overlap, found a step of 0 bytes"),
        (RING.astype(">u2"), {}, InputError, "native order"),
        (RING.astype(np.int16), {}, InputError, "uint8, uint16 or float32"),
        (RING.astype(np.float64), {}, InputError, "uint8, uint16 or float32"),
        (RING.astype(bool), {}, InputError, "uint8, uint16 or float32"),
        (RING, {"packing": "mono12p"}, InputError, "packing is one of"),
        (RING.view(np.uint8), {"packing": "mono12packed"}, InputError, "mono12packed"),
        (RING.view(np.uint8), {"packing": []}, InputError, "packing is one of"),
        (RING.view(np.uint8), {"packing": "mono12p"}, InputError, r"\(20, 60\), expected \(20, 45\)"),
        (RING, {"view": "top"}, InputError, "view"),
        (RING, {"view": 3}, InputError, "view must be"),
        (RING, {"view": "section", "lesions": False}, InputError, "bed view"),
        (RING, {"sbr_cut": 1}, InputError, "sbr_cut"),
        (RING, {"pixel_size_mm": 0}, UnitError, "pixel_size_mm"),
        (RING, {"pixel_size_mm": 1.8e308}, UnitError, "pixel_size_mm"),
        (RING, {"threads": -1}, InputError, "threads"),
        (RING, {"threads": 2**40}, InputError, "threads"),
        (object(), {}, TypeError, "bytes-like"),
        (None, {}, TypeError, "bytes-like"),
    ],
)
def test_rings_that_are_refused(held: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        StreamScorer(PROFILE, held, **options)


def test_slots_that_change_amid_the_call(bed: BedPhantom, ring: npt.NDArray[np.uint16]) -> None:
    stream = StreamScorer(bed.profile, ring, lesions=False)
    order = np.zeros(300, np.intp)
    spoiled = threading.Timer(0.05, lambda: order.__setitem__(slice(None), 2**40))
    spoiled.start()
    records = stream.score_many(order, exposure_ms=20)  # type: ignore[arg-type]
    spoiled.join()
    assert same(records, np.repeat(records[:1], 300))


@pytest.mark.parametrize("shape", [(120, 161), (1, 1)])
def test_many_slots_end_at_ctrl_c(ring: npt.NDArray[np.uint16], shape: tuple[int, int]) -> None:
    held = np.ascontiguousarray(ring[:1, : shape[0], : shape[1]])
    stream = StreamScorer(CameraProfile.identity(shape, bit_depth=12), held, lesions=False)
    wanted = stream.score(0)
    pressed = threading.Timer(0.2, _thread.interrupt_main)
    begun = time.monotonic()
    pressed.start()
    with pytest.raises(KeyboardInterrupt):
        stream.score_many(np.zeros(5 * 10**6, np.intp))  # type: ignore[arg-type]  # minutes
    assert time.monotonic() - begun < 20
    pressed.join()
    assert same(stream.score(0), wanted)


def test_a_finalizer_that_asks_the_same_scorer() -> None:
    section = pyicg.phantom.section_stack(margins_mm=(1.5,), shape=None, n_slices=3)
    frame = np.ascontiguousarray(section.stack[1], np.uint16)
    stream = StreamScorer(CameraProfile.identity(frame.shape, bit_depth=12), frame[None], view="section")
    assert stream.score(0)["n_lesions"] == 1
    wanted = stream.lesions()
    asked = []

    class Asks:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            asked.append(len(stream.lesions()))

    threshold = gc.get_threshold()
    try:
        for room in range(1, 30):
            gc.disable()
            gc.collect()
            Asks()
            gc.set_threshold(gc.get_count()[0] + room)
            gc.enable()
            assert repr(stream.lesions()) == repr(wanted)
            stream.contours(0)
    finally:
        gc.set_threshold(*threshold)
        gc.enable()
    gc.collect()
    assert asked == [1] * 29


def test_a_finalizer_that_scores_another_frame_amid_contours() -> None:
    """Both contours are of one frame, of which does not matter."""
    section = pyicg.phantom.section_stack(margins_mm=(1.5,), shape=None, n_slices=3)
    first = np.ascontiguousarray(section.stack[1], np.uint16)
    ring = np.stack([first, np.ascontiguousarray(first[::-1, ::-1])])
    ring[1, : first.shape[0] // 3] = ring[1, 0, 0]
    stream = StreamScorer(CameraProfile.identity(first.shape, bit_depth=12), ring, view="section")
    wanted = []
    for slot in (0, 1):
        assert stream.score(slot)["n_lesions"] > 0
        wanted.append(repr(stream.contours(0)))
    assert wanted[0] != wanted[1]

    class Scores:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            stream.score(1)

    threshold = gc.get_threshold()
    try:
        for room in range(12):
            gc.disable()
            gc.collect()
            stream.score(0)
            Scores()
            tuples = [(k, k) for k in range(6000)]  # none is left to use again
            gc.set_threshold(gc.get_count()[0] + room)
            gc.enable()
            found = stream.contours(0)
            gc.disable()
            del tuples
            assert repr(found) in wanted
    finally:
        gc.set_threshold(*threshold)
        gc.enable()


def test_calls_that_are_refused() -> None:
    stream = StreamScorer(PROFILE, RING.copy())
    for slot in (-1, 2, 10**9, 10**30):
        with pytest.raises(InputError, match=f"slot {slot} of 2"):
            stream.score(slot)
    for stamp in (-1, 2**64):
        with pytest.raises(InputError, match="timestamp_ns is"):
            stream.score(0, timestamp_ns=stamp)
    for no_record in (stream.score_many(), np.float64(1), None, {}):
        for ask in (StreamScorer.fluorescent, StreamScorer.reasons):
            with pytest.raises(InputError, match="one record"):
                ask(no_record)  # type: ignore[arg-type]
    with pytest.raises(UnitError, match="slot 1: exposure"):
        stream.score(1, exposure_ms=-1.0)
    wrong: list[Any] = [[0, 2], [-1], [[0]], 1, [0.9], [math.nan], [2**70], [None], "1", ["1"], np.array([True, False])]
    for slots in wrong:
        with pytest.raises(InputError, match="whole numbers from 0 to 1"):
            stream.score_many(slots)
    for name in ("exposure_ms", "gain_db"):
        with pytest.raises(UnitError, match=f"{name} is nan"):
            stream.score(0, **{name: math.nan})
    bright = RING.copy()
    bright[1, 3, 4] = 4096
    with pytest.raises(InputError, match=r"slot 1: .*4096"):
        StreamScorer(PROFILE, bright).score_many()
    with pytest.raises(IndexError, match="no lesion"):
        stream.contours(0)
    with pytest.raises(TypeError):
        _capi.Stream(None, RING)  # type: ignore[arg-type]
