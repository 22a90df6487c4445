"""Frames in a ring buffer, scored in place as they arrive: numbers only, through the C interface."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyicg import _capi
from pyicg._region_options import check_pixel_size
from pyicg._threads import check_threads
from pyicg.errors import InputError, UnitError

if TYPE_CHECKING:
    from pyicg.profile import CameraProfile

__all__ = ["StreamScorer"]

_REASONS = _capi.reason_strings()
_SCORE = _capi.score_dtype()


class StreamScorer:
    """Scores frames that a camera writes into a ring of slots. No pixel is copied.

    Results are records with the members of ``pyicg_frame_score`` (docs: linking), cheaper to make than a `FrameScore`
    and without digest and margin. One call at a time: a second thread waits. The GIL is free while a frame is scored.
    A forked child must not use a stream that another thread was just using.

    Parameters
    ----------
    profile : CameraProfile
        Of this camera mode; its shape is that of every slot.
    ring : buffer of uint8, uint16 or float32 with axes (slot, row, column), or list of buffers with (row, column)
        Anything with the buffer protocol: ndarray, mmap with a shape, a camera's own frames. Held, and read only while
        a call scores; the caller sees to it that a slot is not written meanwhile. Columns lie side by side, rows may
        be padded.
    packing : {"mono10p", "mono12p"}, optional
        Rows of packed bytes, as GenICam's PFNC names them; the ring is of uint8 then.
    view : {"bed", "section"}
        As in `Scorer`.
    pixel_size_mm : float, optional
        Side of a pixel in mm; without it areas have no millimetres.
    sbr_cut : float
        Cut of the fluorescent sign and of the rim.
    lesions : bool
        False, in bed view only: look for no rims.
    threads : int
        Worker threads for one frame; the bits do not depend on it.

    Raises
    ------
    InputError
        When ring, packing or an option make no sense together.
    ProfileError, UnitError
        When the profile is inconsistent or the pixel size is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> import pyicg
    >>> bed = pyicg.phantom.bed_scene(n_frames=3, sbr=3.0)  # simulated
    >>> ring = np.empty((4, *bed.stack.frame_shape), np.uint16)
    >>> stream = pyicg.StreamScorer(bed.profile, ring, pixel_size_mm=0.2, lesions=False)
    >>> ring[2] = bed.stack[0]  # the camera fills slot 2
    >>> record = stream.score(2, exposure_ms=20)
    >>> round(float(record["sbr"]["value"]), 1), stream.fluorescent(record), stream.reasons(record)
    (3.0, True, ('lesions_not_sought',))
    """

    def __init__(
        self,
        profile: CameraProfile,
        ring: Any,
        *,
        packing: str | None = None,
        view: str = "bed",
        pixel_size_mm: float | None = None,
        sbr_cut: float = 1.5,
        lesions: bool = True,
        threads: int = 1,
    ) -> None:
        check_pixel_size(pixel_size_mm)
        check_threads(threads)
        self.profile = profile
        scorer = _capi.Scorer(
            **profile.core_arguments(),
            view=view,
            pixel_size_mm=math.nan if pixel_size_mm is None else pixel_size_mm,
            sbr_cut=sbr_cut,
            lesions=lesions,
            threads=threads,
        )
        self._stream = _capi.Stream(scorer, ring, packing)

    def __len__(self) -> int:
        return self._stream.slots

    def score(
        self, slot: int, *, exposure_ms: float | None = None, gain_db: float | None = None, timestamp_ns: int = 0
    ) -> np.void:
        """Score the frame in one slot.

        Parameters
        ----------
        slot : int
            From 0.
        exposure_ms, gain_db : float, optional
            How the frame was taken; None: as the profile says.
        timestamp_ns : int
            Carried to the record.

        Returns
        -------
        numpy.void
            Record of ``pyicg_frame_score``; read-only.

        Raises
        ------
        InputError, UnitError
            When the frame or its exposure cannot be used; the message names the slot.
        """
        return self._stream.score(slot, _number(exposure_ms, "exposure_ms"), _number(gain_db, "gain_db"), timestamp_ns)

    def score_many(
        self, slots: Sequence[int] | None = None, *, exposure_ms: float | None = None, gain_db: float | None = None
    ) -> npt.NDArray[np.void]:
        """Score the frames of several slots, one after the other in one loop without the GIL.

        Parameters
        ----------
        slots : sequence of int, optional
            In this order; None: every slot.
        exposure_ms, gain_db : float, optional
            Of all these frames; None: as the profile says.

        Returns
        -------
        ndarray of records, shape (len(slots),)

        Raises
        ------
        InputError, UnitError
            At the first frame that cannot be used; the message names its slot.
        KeyboardInterrupt
            At Ctrl-C, between two frames; what was scored is gone.
        """
        chosen = range(len(self)) if slots is None else slots
        return self._stream.score_many(chosen, _number(exposure_ms, "exposure_ms"), _number(gain_db, "gain_db"))

    def lesions(self) -> list[dict[str, Any]]:
        """Return the lesions of the last frame, one dictionary per ``pyicg_lesion``."""
        return self._stream.scorer.lesions()

    def contours(self, lesion: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the inner and outer contour of one lesion of the last frame, each (N, 2) y, x in pixels."""
        return self._stream.scorer.contours(lesion)

    @staticmethod
    def fluorescent(record: np.void) -> bool | None:
        """Return the fluorescent sign of a record: True, False, or None where it cannot be known."""
        _check_record(record)
        return (False, True, None)[int(record["sign"])]

    @staticmethod
    def reasons(record: np.void) -> tuple[str, ...]:
        """Return what limits a record, in words."""
        _check_record(record)
        return tuple(_REASONS[code] for code in record["reasons"][: record["n_reasons"]])


def _check_record(record: np.void) -> None:
    if np.shape(record) != () or getattr(record, "dtype", None) != _SCORE:
        raise InputError("expected one record of a stream; ask for each of an array's in turn")


def _number(value: float | None, name: str) -> float:
    if value is None:
        return math.nan
    if math.isnan(value):
        raise UnitError(f"{name} is nan; expected a number, or None for the profile's")
    return value
