"""The stack: a lazy sequence of 2-D frames with their axes, sizes and provenance."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, overload

import numpy as np
import numpy.typing as npt

from .errors import InputError, UnitError

__all__ = ["Stack"]

Frame = npt.NDArray[Any]
Spacing = tuple[float | None, float | None, float | None]

DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))
DTYPE_REMEDY = (
    "expected uint8, uint16 or float32. Convert openly, for example array.astype(numpy.float32) once its range is known"
)
# The note of a stack whose frames state more than one exposure: it then has none.
EXPOSURES_DIFFER = "exposure: stated ones differ or are no time; unused"
# float32 holds every integer up to 2^24
MAX_BITS = {"uint8": 8, "uint16": 16, "float32": 24}


class FrameSource(Protocol):
    """Where a stack takes its frames from; `read` is called from several threads at once."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a frame."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native dtype of a frame."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> Frame:
        """Return frame `index`: native byte order, C-contiguous."""

    def name(self, index: int) -> str:
        """Return the file and page of frame `index` for messages."""


class ArrayFrames:
    """Frames of an array in memory or mapped from a file."""

    def __init__(self, array: Frame, label: str) -> None:
        self._array = array
        self._label = label
        self.shape: tuple[int, int] = array.shape[1:]
        self.dtype = array.dtype.newbyteorder("=")

    def __len__(self) -> int:
        return len(self._array)

    def read(self, index: int) -> Frame:
        """Return a view, or a contiguous copy where the array is strided."""
        return np.ascontiguousarray(self._array[index], dtype=self.dtype)

    def name(self, index: int) -> str:
        """Return the label and the frame's number."""
        return f"{self._label}, page {index}"


class Stack:
    """A lazy sequence of 2-D frames of one size and one dtype.

    Made by :func:`pyicg.read_stack` or :meth:`Stack.from_array`. A frame is read when it is asked for, and only that
    frame, so a stack may be larger than memory. No file stays open between reads: frames may be read from several
    threads at once, and nothing is left to close when a stack is dropped.

    ``len(stack)`` is the number of frames (1 for axes ``"YX"``), ``stack[i]`` a native, C-contiguous (H, W) array of
    `dtype`, and ``stack[a:b:c]`` again a lazy stack; a step widens the slice spacing of a ``"ZYX"`` stack with it.

    Examples
    --------
    >>> import numpy as np
    >>> from pyicg import Stack
    >>> stack = Stack.from_array(np.zeros((5, 4, 6), np.uint16), axes="ZYX", spacing_mm=(2.0, 0.1, 0.1), bit_depth=12)
    >>> len(stack), stack.shape, stack[-1].shape, stack[::2].spacing_mm
    (5, (5, 4, 6), (4, 6), (4.0, 0.1, 0.1))
    """

    def __init__(
        self,
        frames: FrameSource,
        *,
        axes: str,
        spacing_mm: Spacing = (None, None, None),
        exposure_ms: float | None = None,
        bit_depth: int | None = None,
        transfer: str | None = "linear",
        source: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._frames: FrameSource | None = frames
        self._picked = range(len(frames))
        self._frame_shape = frames.shape
        self._dtype = frames.dtype
        self._axes = axes
        self._spacing_mm = checked_spacing(spacing_mm, axes)
        self._exposure_ms = None if exposure_ms is None else positive(exposure_ms, "exposure_ms")
        self._bit_depth = checked_bit_depth(bit_depth, frames.dtype)
        if transfer not in ("linear", "srgb", None):
            raise InputError(f'transfer is {transfer!r}; expected "linear", "srgb" or None (unknown)')
        self._transfer = transfer
        self._source = source
        self._notes = notes

    @classmethod
    def from_array(
        cls,
        array: npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32],
        *,
        axes: str,
        spacing_mm: Spacing | None = None,
        exposure_ms: float | None = None,
        bit_depth: int | None = None,
    ) -> Stack:
        """Wrap an array without copying it.

        Parameters
        ----------
        array : ndarray of uint8, uint16 or float32, shape (H, W) or (N, H, W)
            Counts in native byte order. Frames of a contiguous array are views of it; frames with other strides are
            copied when they are read.
        axes : {"YX", "TYX", "ZYX"}
            Meaning of the axes: one frame, a series in time, or the slices of a specimen.
        spacing_mm : tuple (z, y, x), optional
            Slice spacing and pixel size in millimetres; None where unknown.
        exposure_ms : float, optional
            Exposure of every frame in milliseconds.
        bit_depth : int, optional
            Bits of the camera. Default: 8 for uint8, 16 for uint16, none for float32.

        Returns
        -------
        Stack

        Raises
        ------
        InputError
            Wrong dtype, byte order, number of dimensions, axes or bit depth, or no pixels.
        UnitError
            A spacing or exposure that is not positive and finite.

        Examples
        --------
        >>> import numpy as np
        >>> from pyicg import Stack
        >>> Stack.from_array(np.ones((4, 6), np.float32), axes="YX").shape
        (4, 6)
        """
        if not isinstance(array, np.ndarray):
            raise InputError(f"array is a {type(array).__name__}; expected a numpy array")
        if axes not in ("YX", "TYX", "ZYX"):
            raise InputError(f'axes are {axes!r}; expected "YX", "TYX" or "ZYX". Pick one channel or one volume first')
        check_dtype(array.dtype, "array")
        if not array.dtype.isnative:
            raise InputError(
                f"array has foreign byte order ({array.dtype.str}); expected native. "
                'Convert openly: array.astype(array.dtype.newbyteorder("="))'
            )
        if array.ndim != len(axes):
            raise InputError(f"array has shape {array.shape}, but axes {axes!r} need {len(axes)} dimensions")
        if array.size == 0:
            raise InputError(f"array has shape {array.shape}: no pixels")
        frames = ArrayFrames(array[np.newaxis] if array.ndim == 2 else array, "array")
        return cls(
            frames,
            axes=axes,
            spacing_mm=(None, None, None) if spacing_mm is None else spacing_mm,
            exposure_ms=exposure_ms,
            bit_depth=bit_depth,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the order of `axes`: (H, W) for ``"YX"``, else (N, H, W)."""
        return self._frame_shape if self._axes == "YX" else (len(self._picked), *self._frame_shape)

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Height and width of a frame, pixels."""
        return self._frame_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Native dtype of the frames: uint8, uint16 or float32."""
        return self._dtype

    @property
    def axes(self) -> str:
        """``"YX"`` (one frame), ``"TYX"`` (time) or ``"ZYX"`` (slices)."""
        return self._axes

    @property
    def spacing_mm(self) -> Spacing:
        """Slice spacing and pixel size (z, y, x) in millimetres, None where unknown."""
        return self._spacing_mm

    @property
    def exposure_ms(self) -> float | None:
        """Exposure of every frame in milliseconds, None where unknown."""
        return self._exposure_ms

    @property
    def bit_depth(self) -> int | None:
        """Bits of the camera; None for float32 frames of unknown depth."""
        return self._bit_depth

    @property
    def transfer(self) -> str | None:
        """``"linear"``, ``"srgb"`` or None (unknown); anything but linear is uncalibrated."""
        return self._transfer

    @property
    def source(self) -> str | None:
        """Path, folder or pattern the frames come from; None for an array."""
        return self._source

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed, converted or ignored on the way in, in plain words."""
        return self._notes

    def __len__(self) -> int:
        return len(self._picked)

    @overload
    def __getitem__(self, index: slice) -> Stack: ...

    @overload
    def __getitem__(self, index: int) -> Frame: ...

    def __getitem__(self, index: int | slice) -> Stack | Frame:
        if isinstance(index, slice):
            return self._slice(index)
        frames = self._open_frames()
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"frame {number} of a stack of {len(self)}")
        place = self._picked[number]
        frame = frames.read(place)
        self._check_bits(frame, frames, place)
        return frame

    def __iter__(self) -> Iterator[Frame]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"<Stack {self.axes} {self.shape} {self.dtype} from {self.source or 'array'}>"

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file or array; reading a frame afterwards raises InputError. Slices stay usable."""
        self._frames = None

    def _open_frames(self) -> FrameSource:
        if self._frames is None:
            raise InputError(f"{self.source or 'the stack'} is closed; read its frames before closing it")
        return self._frames

    def _slice(self, index: slice) -> Stack:
        picked = self._picked[index]
        if not picked:
            raise InputError(f"the slice {index.start}:{index.stop}:{index.step} picks none of {len(self)} frames")
        z, y, x = self.spacing_mm
        if z is not None and self.axes == "ZYX":
            z *= abs(index.step or 1)
        part = Stack(
            self._open_frames(),
            axes=self.axes,
            spacing_mm=(z, y, x),
            exposure_ms=self.exposure_ms,
            bit_depth=self.bit_depth,
            transfer=self.transfer,
            source=self.source,
            notes=self.notes,
        )
        part._picked = picked
        return part

    def _check_bits(self, frame: Frame, frames: FrameSource, place: int) -> None:
        if self.bit_depth is None or self.bit_depth == 8 * self.dtype.itemsize:
            return
        top = 2**self.bit_depth - 1
        # NaN and infinity are no counts; calibration flags them
        over = np.isfinite(frame) & (frame > top) if self.dtype.kind == "f" else frame.max() > top
        if not np.any(over):
            return
        found = frame[over].max() if self.dtype.kind == "f" else frame.max()
        raise InputError(
            f"{frames.name(place)}: found the value {found}, but bit_depth={self.bit_depth} allows at most {top}. "
            "Give the camera's true bit depth, or bring left-shifted data back to its own scale first"
        )


def positive(value: object, name: str) -> float:
    """Return `value` as a float, or raise UnitError unless it is a positive, finite number."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise UnitError(f"{name} is {value!r}; expected a positive, finite number")
    return number


def checked_spacing(spacing_mm: Spacing, axes: str) -> Spacing:
    """Return (z, y, x) as floats or None; a time series has no slice spacing."""
    if not isinstance(spacing_mm, Sequence) or isinstance(spacing_mm, str) or len(spacing_mm) != 3:
        raise UnitError(f"spacing_mm is {spacing_mm!r}; expected (z, y, x) in millimetres, None where unknown")
    if axes == "TYX" and spacing_mm[0] is not None:
        raise UnitError('a slice spacing is given, but the axes are "TYX" (time). Slices need axes="ZYX"')
    names = ("slice spacing in mm", "pixel height in mm", "pixel width in mm")
    z, y, x = (None if size is None else positive(size, name) for size, name in zip(spacing_mm, names, strict=True))
    return z, y, x


def checked_bit_depth(bit_depth: int | None, dtype: np.dtype[Any]) -> int | None:
    """Return the bit depth, by default the width of an integer dtype."""
    if bit_depth is None:
        return 8 * dtype.itemsize if dtype.kind == "u" else None
    most = MAX_BITS[dtype.name]
    try:
        bits = operator.index(bit_depth)
    except TypeError:
        bits = 0
    if not 1 <= bits <= most:
        raise InputError(
            f"bit_depth is {bit_depth!r}; expected a whole number from 1 to {most} for {dtype.name} frames"
        )
    return bits


def check_dtype(dtype: np.dtype[Any], name: str) -> None:
    """Raise InputError unless frames of this dtype can be used."""
    if dtype.newbyteorder("=") not in DTYPES:
        raise InputError(f"{name}: dtype {dtype} cannot be used; {DTYPE_REMEDY}")
