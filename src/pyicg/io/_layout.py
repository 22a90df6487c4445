"""From what a file holds to one row of frames: axes are named, a channel is picked, the rest is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..frame import Frame, FrameSource, Spacing

UNKNOWN = "?"
"""Letter of an axis that the file does not name."""


class Plane(NamedTuple):
    """One uncompressed plane in a file: where it starts, and the number of the page it belongs to."""

    path: str
    page: int
    offset: int


@dataclass(frozen=True, slots=True)
class ImageFile:
    """What a file, or a series of files, holds before axes and channel are chosen.

    `axes` has one letter (T, Z, C or ?) per length in `lead`, the axes before Y and X; `samples` counts the values
    that lie interleaved in each pixel. `open_planes` takes plane numbers (C order over `lead`) and a sample.
    `exposures_ms` has one entry per channel that states any, None where its planes disagree.
    """

    path: str
    axes: str
    lead: tuple[int, ...]
    samples: int
    open_planes: Callable[[Sequence[int], int], FrameSource]
    bit_depth: int | None = None
    spacing_mm: Spacing = (None, None, None)
    exposures_ms: Mapping[int, float | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def exposure_ms(self, channel: int, *, relabelled: bool) -> float | None:
        """Return the exposure of a channel; once the caller has named the axes, only one that all channels share."""
        if len(set(self.exposures_ms.values())) == 1:
            return next(iter(self.exposures_ms.values()))
        return None if relabelled else self.exposures_ms.get(channel)


@dataclass(frozen=True, slots=True)
class Choice:
    """The frames picked from an `ImageFile`, their axes and channel, and what was assumed."""

    frames: FrameSource
    axes: str
    channel: int
    notes: tuple[str, ...]


class RawPlanes:
    """Uncompressed planes, read one by one at their offsets; every read opens the file for itself."""

    def __init__(
        self, planes: Sequence[Plane], shape: tuple[int, int], dtype: np.dtype[Any], samples: int = 1, sample: int = 0
    ) -> None:
        self._planes = planes
        self._stored = dtype
        self._samples = samples
        self._sample = sample
        self.shape = shape
        self.dtype = dtype.newbyteorder("=")

    def __len__(self) -> int:
        return len(self._planes)

    def read(self, index: int) -> Frame:
        """Read one plane; a short read is an error."""
        plane = self._planes[index]
        data = np.empty(prod(self.shape) * self._samples, self._stored)
        try:  # not numpy.fromfile, which answers Ctrl-C with a SystemError
            with Path(plane.path).open("rb") as file:
                file.seek(plane.offset)
                found = file.readinto(data.view(np.uint8).data) // data.itemsize
        except OSError as error:
            raise InputError(f"{self.name(index)}: cannot be read ({error})") from error
        if found != data.size:
            raise InputError(f"{self.name(index)}: the file ends after {found} of {data.size} values; copy it again")
        frame = data.reshape(*self.shape, self._samples)[..., self._sample]
        return np.ascontiguousarray(frame, dtype=self.dtype)

    def name(self, index: int) -> str:
        """Return file and page."""
        return f"{self._planes[index].path}, page {self._planes[index].page}"


def choose(file: ImageFile, *, axes: str | None, channel: int | None, slices: bool) -> Choice:
    """Name the axes, pick the channel and return what is left: one frame, or a row of frames over T or Z.

    `slices` says that a slice spacing was given: an unnamed axis is then Z, not T.
    """
    letters, sizes, notes = _given_axes(file, axes) if axes is not None else _file_axes(file, slices)
    planes: npt.NDArray[np.intp] = np.arange(prod(sizes)).reshape(sizes)
    channels = sizes[letters.index("C")] if "C" in letters else 1
    if channels > 1 and file.samples > 1:
        raise InputError(
            f"{file.path}: {channels} channels of {file.samples} samples each cannot be read; save one channel per file"
        )
    picked = _checked_channel(file.path, max(channels, file.samples), channel)
    if "C" in letters:
        planes = np.take(planes, [0 if file.samples > 1 else picked], axis=letters.index("C"))
    rows = [(letter, size) for letter, size in zip(letters, sizes, strict=True) if letter != "C"]
    long = [(letter, size) for letter, size in rows if size > 1]
    if len(long) > 1:
        raise InputError(
            f"{file.path}: holds {long[0][1]} ({long[0][0]}) x {long[1][1]} ({long[1][0]}) frames. A stack runs over "
            "time or over slices, not both: split the file and read one volume or one slice at a time"
        )
    # a caller who names one axis keeps it even when it has length 1
    row = long or (rows if axes is not None and len(rows) == 1 else [])
    frames = file.open_planes(planes.ravel().tolist(), picked if file.samples > 1 else 0)
    return Choice(frames, row[0][0] + "YX" if row else "YX", picked, notes)


def _file_axes(file: ImageFile, slices: bool) -> tuple[str, tuple[int, ...], tuple[str, ...]]:
    kept = [(letter, size) for letter, size in zip(file.axes, file.lead, strict=True) if size > 1]
    letters = "".join(letter for letter, _ in kept)
    sizes = tuple(size for _, size in kept)
    if UNKNOWN not in letters:
        if len(set(letters)) != len(letters):
            raise InputError(f'{file.path}: axes "{letters}YX" name one axis twice; pass axes=')
        return letters, sizes, ()
    if letters.count(UNKNOWN) > 1 or "T" in letters or "Z" in letters:
        raise InputError(
            f"{file.path}: shape {(*sizes, *_frame_shape(file))} has axes the file does not name "
            f'("{letters}YX"); say what they are, for example axes="CZYX" with channel=0'
        )
    guess = "Z" if slices else "T"
    why = "slice_spacing_mm was given" if slices else "the default"
    named = letters.replace(UNKNOWN, guess)
    return named, sizes, (f'axes: the file does not name its frames; read as "{guess}YX" ({why})',)


def _given_axes(file: ImageFile, axes: str) -> tuple[str, tuple[int, ...], tuple[str, ...]]:
    if not isinstance(axes, str) or not re.fullmatch(r"[TZC]{0,3}YX", axes) or len(set(axes)) != len(axes):
        raise InputError(
            f'axes are {axes!r}; expected letters of T (time), Z (slices), C (channels), then "YX", such as "ZYX"'
        )
    letters = axes[:-2]
    kept = tuple(size for size in file.lead if size > 1)
    if len(letters) == len(kept):
        sizes = kept
    elif len(letters) == len(file.lead):
        sizes = file.lead
    elif len(letters) == 1 and not kept:
        sizes = (1,)
    else:
        raise InputError(
            f"{file.path}: axes {axes!r} name {len(axes)} dimensions, but the file holds "
            f"{(*kept, *_frame_shape(file))} (interleaved samples left out)"
        )
    said = "".join(letter for letter, size in zip(file.axes, file.lead, strict=True) if size > 1)
    if len(said) == len(letters) and any(old not in (UNKNOWN, new) for old, new in zip(said, letters, strict=True)):
        return letters, sizes, (f'axes: "{axes}" given by the caller; the file says "{said}YX"',)
    return letters, sizes, ()


def _frame_shape(file: ImageFile) -> tuple[int, int]:
    return file.open_planes([0], 0).shape


def _checked_channel(path: str, channels: int, channel: int | None) -> int:
    if channel is None:
        if channels > 1:
            raise InputError(
                f"{path}: holds {channels} channels or colours. Name the one with the fluorescence: "
                f"channel=0 to {channels - 1}"
            )
        return 0
    if isinstance(channel, bool) or not isinstance(channel, int | np.integer) or not 0 <= channel < channels:
        raise InputError(
            f"{path}: channel is {channel!r}, but the image holds {channels}; expected 0 to {channels - 1}"
        )
    return int(channel)
