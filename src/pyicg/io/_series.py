"""A series: one image per file, in the order given or in natural order of the names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import InputError
from ..frame import Frame, FrameSource
from ._layout import UNKNOWN, Choice, ImageFile, choose

KINDS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"}


class SeriesFrames:
    """One frame from each of several files."""

    def __init__(self, files: Sequence[FrameSource]) -> None:
        self._files = files
        self.shape = files[0].shape
        self.dtype = files[0].dtype

    def __len__(self) -> int:
        return len(self._files)

    def read(self, index: int) -> Frame:
        """Read the frame of one file."""
        return self._files[index].read(0)

    def name(self, index: int) -> str:
        """Return the file and its page."""
        return self._files[index].name(0)


def natural_order(path: str) -> list[tuple[int, int | str]]:
    """Return a sort key under which frame2 comes before frame10."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", path) if part]


def folder_files(folder: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the images of a folder in natural order and a note on files that were left out; dot files do not count."""
    files = [entry for entry in Path(folder).iterdir() if entry.is_file() and not entry.name.startswith(".")]
    kinds = {KINDS[file.suffix.lower()] for file in files if file.suffix.lower() in KINDS}
    others = sorted(file.name for file in files if file.suffix.lower() not in KINDS)
    if not kinds:
        found = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "") if others else "no files"
        raise InputError(f"{folder}: a folder without PNG or TIFF images; found {found}. Name the folder of the frames")
    if len(kinds) > 1:
        raise InputError(
            f'{folder}: holds PNG and TIFF images. Name one kind with a pattern, for example "{folder}/*.png"'
        )
    images = sorted((str(file) for file in files if file.suffix.lower() in KINDS), key=natural_order)
    note = f"series: {len(others)} other files in the folder were left out ({', '.join(others[:3])})"
    return images, (note,) if others else ()


def open_series(
    paths: Sequence[str],
    open_file: Callable[[str], ImageFile],
    *,
    name: str,
    channel: int | None,
    notes: tuple[str, ...] = (),
) -> ImageFile:
    """Open one image per file; size and dtype must agree, sizes and exposure are kept where all files state the same.

    Of every file only the header is read, and no file stays open.
    """
    files: list[ImageFile] = []
    choices: list[Choice] = []
    for path in paths:
        file = open_file(path)
        choice = choose(file, axes=None, channel=channel, slices=False)
        if len(choice.frames) != 1:
            raise InputError(
                f"{path}: holds {len(choice.frames)} frames, but a series takes one per file. Read this file on its own"
            )
        files.append(file)
        choices.append(choice)
        _check_alike(choice.frames, choices[0].frames)
    spacings = {file.spacing_mm for file in files}
    exposures = {
        file.exposure_ms(choice.channel, relabelled=False) for file, choice in zip(files, choices, strict=True)
    }
    depths = {file.bit_depth for file in files}
    if len(depths) > 1:
        raise InputError(f"{name}: the files state different bit depths; a stack needs one. Read them apart")
    said = list(dict.fromkeys(note for file in files for note in file.notes))
    if len(spacings) > 1:
        said.append("sizes: the files of the series state different sizes; none was used")
    frames = [choice.frames for choice in choices]
    return ImageFile(
        path=name,
        axes=UNKNOWN,
        lead=(len(files),),
        samples=1,
        open_planes=lambda planes, sample: SeriesFrames([frames[plane] for plane in planes]),  # noqa: ARG005
        bit_depth=depths.pop(),
        spacing_mm=spacings.pop() if len(spacings) == 1 else (None, None, None),
        exposures_ms={} if exposures == {None} else {0: exposures.pop() if len(exposures) == 1 else None},
        notes=(*notes, *said),
    )


def _check_alike(frames: FrameSource, first: FrameSource) -> None:
    if frames.shape != first.shape:
        raise InputError(
            f"{frames.name(0)}: {frames.shape} pixels, but {first.name(0)} has {first.shape}; "
            "all files of a series must be of one size"
        )
    if frames.dtype != first.dtype:
        raise InputError(
            f"{frames.name(0)}: dtype {frames.dtype}, but {first.name(0)} has {first.dtype}; "
            "all files of a series must be of one dtype"
        )
