"""PNG on Pillow and .npy on numpy."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..frame import Frame, FrameSource, check_dtype
from ._layout import UNKNOWN, ImageFile, Plane, RawPlanes

# colour type of a PNG header -> name, samples per pixel
GREY = 0
PALETTE = 3
PNG_SAMPLES = {GREY: 1, PALETTE: 1, 2: 3, 4: 2, 6: 4}


class PngFrames:
    """The one frame of a PNG file."""

    def __init__(self, path: str, shape: tuple[int, int], dtype: np.dtype[Any], sample: int) -> None:
        self._path = path
        self._sample = sample
        self.shape = shape
        self.dtype = dtype

    def __len__(self) -> int:
        return 1

    def read(self, index: int) -> Frame:
        """Decode the file."""
        from PIL import Image

        try:
            with Image.open(self._path) as image:
                data = np.asarray(image)
        except Exception as error:  # Pillow raises many kinds of error on damaged files
            raise InputError(f"{self.name(index)}: cannot be decoded ({error}). Copy or export it again") from error
        frame = data if data.ndim == 2 else data[..., self._sample]
        if frame.shape != self.shape:
            raise InputError(f"{self.name(index)}: now {frame.shape} pixels, was {self.shape} when it was opened")
        # the header's bit depth is the file's own: Pillow may hand 16 bits over as int32
        return np.ascontiguousarray(frame, dtype=self.dtype)

    def name(self, index: int) -> str:
        """Return file and page."""
        return f"{self._path}, page {index}"


def open_png(path: str) -> ImageFile:
    """Check the header of a PNG file."""
    from PIL import Image

    try:
        # IHDR comes first: bit depth and colour type are bytes 24 and 25
        with Path(path).open("rb") as file:
            header = file.read(26)
        with Image.open(path) as image:
            width, height = image.size
            frames = getattr(image, "n_frames", 1)
            info = dict(image.info)
        bits, colour = header[24], header[25]
        samples = PNG_SAMPLES[colour]
    except Exception as error:  # Pillow raises many kinds of error on damaged files
        raise InputError(f"{path}: cannot be read as PNG ({error}). Copy or export it again") from error
    if frames > 1:
        raise InputError(f"{path}: an animated PNG of {frames} frames; save the frames as a series of files")
    if colour == PALETTE:
        raise InputError(f"{path}: a palette image: its values are indices, not counts. Save it as greyscale")
    if bits not in (8, 16):
        raise InputError(f"{path}: {bits}-bit PNG cannot be used; expected 8 or 16 bits. Save it as 8-bit greyscale")
    if bits == 16 and samples > 1:
        raise InputError(
            f"{path}: holds {samples} channels of 16 bits, which would be cut to 8. Save the channel on its own as "
            "16-bit greyscale"
        )
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
    notes = []
    if "gamma" in info:
        notes.append(f"transfer: the PNG states gamma {info['gamma']:g}, which is not applied: values are as stored")
    if "dpi" in info:
        notes.append("sizes: the resolution of a PNG is ignored; pass pixel_size_mm")

    def open_planes(planes: Sequence[int], sample: int) -> FrameSource:
        del planes
        return PngFrames(path, (height, width), dtype, sample)

    return ImageFile(path=path, axes="", lead=(), samples=samples, open_planes=open_planes, notes=tuple(notes))


def open_npy(path: str) -> ImageFile:
    """Check the header of a .npy file; pickled objects are never loaded."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy raises many kinds of error on damaged files
        raise InputError(
            f"{path}: cannot be mapped as .npy ({error}). Expected plain numbers, complete: objects are not unpickled, "
            "and a file that was cut short must be copied again"
        ) from error
    check_dtype(array.dtype, path)
    if array.ndim < 2 or array.size == 0:
        raise InputError(f"{path}: shape {array.shape} holds no image; expected (H, W), (N, H, W) or more axes")
    if not array.flags.c_contiguous:
        raise InputError(
            f"{path}: stored in Fortran order, which scatters every frame over the whole file. "
            "Save numpy.ascontiguousarray(array) instead"
        )
    lead, shape = array.shape[:-2], array.shape[-2:]
    dtype, start, step = array.dtype, array.offset, prod(shape) * array.dtype.itemsize

    def open_planes(planes: Sequence[int], sample: int) -> FrameSource:
        del sample
        return RawPlanes([Plane(path, plane, start + plane * step) for plane in planes], shape, dtype)

    return ImageFile(
        path=path,
        axes=UNKNOWN * len(lead),
        lead=lead,
        samples=1,
        open_planes=open_planes,
        notes=() if dtype.isnative else ("byte order: foreign in the file, converted to native",),
    )
