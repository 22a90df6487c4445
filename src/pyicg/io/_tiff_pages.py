"""The pages of a TIFF file: each is checked when the file is opened and decoded when it is asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import TIFF, TiffFile, TiffPage

from ..errors import InputError
from ..frame import Frame, check_dtype

PALETTE = 3
JPEG = (6, 7)
# photometric interpretations that a reader should know about
PHOTOMETRIC_NOTES = {
    0: "photometric MinIsWhite: values are handed out as stored, not inverted",
    32803: "a raw colour mosaic: neighbouring pixels see through different filters",
}
CODECS_REMEDY = 'Run: pip install "pyicg[codecs]"'


@dataclass(frozen=True, slots=True)
class Page:
    """Where the data of one page lie: a byte offset and a byte count for each strip or tile."""

    path: str
    number: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    jpegtables: bytes | None


@dataclass(frozen=True, slots=True)
class Chain:
    """All pages of a file and what they share.

    `shape` is (planar samples, height, width, interleaved samples); `dtype` has the byte order of the file; `raw` says
    that every page is one uncompressed block; pages with the same `key` share `decode`, tifffile's decoder.
    """

    pages: tuple[Page, ...]
    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    raw: bool
    key: int
    decode: Callable[..., Any]
    bit_depth: int | None
    notes: tuple[str, ...]

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.shape[1:3]

    @property
    def plane_bytes(self) -> int:
        """Size of one plane with its interleaved samples."""
        return prod(self.shape[1:]) * self.dtype.itemsize


class EncodedPlanes:
    """Planes of compressed, tiled or scattered pages, decoded page by page."""

    def __init__(self, pages: Sequence[Page], planes: Sequence[int], chain: Chain, sample: int) -> None:
        self._pages = pages
        self._planes = planes
        self._chain = chain
        self._sample = sample
        self.shape = chain.frame_shape
        self.dtype = chain.dtype.newbyteorder("=")

    def __len__(self) -> int:
        return len(self._planes)

    def read(self, index: int) -> Frame:
        """Decode one page and return the plane asked for."""
        page, planar = self._place(index)
        try:
            out = np.empty(self._chain.shape, self.dtype)
            with Path(page.path).open("rb") as file:
                for segment, (offset, count) in enumerate(zip(page.offsets, page.counts, strict=True)):
                    file.seek(offset)
                    data, (s, _, y, x, _), (_, height, width, _) = self._chain.decode(
                        file.read(count), segment, jpegtables=page.jpegtables
                    )
                    into = out[s, y : y + height, x : x + width]
                    # the last row and column of tiles overhang the image
                    into[...] = data[0, : into.shape[0], : into.shape[1]]
        except Exception as error:  # codecs raise whatever they like on damaged data
            raise InputError(
                f"{self.name(index)}: cannot be decoded ({error}). The file is damaged; copy or export it again"
            ) from error
        return np.ascontiguousarray(out[planar, :, :, self._sample])

    def name(self, index: int) -> str:
        """Return file and page."""
        page, _ = self._place(index)
        return f"{page.path}, page {page.number}"

    def _place(self, index: int) -> tuple[Page, int]:
        number, planar = divmod(self._planes[index], self._chain.shape[0])
        return self._pages[number], planar


def scan(tif: TiffFile, path: str) -> Chain:
    """Walk the whole chain of pages: all alike, all inside the file, and the chain ends where it should."""
    if len(tif.pages) == 0:
        raise InputError(f"{path}: holds no pages: the first one is missing or lies beyond the file's end")
    size = Path(path).stat().st_size
    first = tif.pages.first
    _check_format(first, f"{path}, page 0")
    pages = []
    raw = True
    for number, page in enumerate(tif.pages):
        where = f"{path}, page {number}"
        if not isinstance(page, TiffPage) or page.hash != first.hash:
            raise InputError(f"{where}: {_difference(page, first)}")
        entry = Page(path, number, tuple(page.dataoffsets), tuple(page.databytecounts), page.jpegtables)
        _check_segments(entry, size, page.nbytes if page.is_final else None, where)
        raw = raw and page.is_final
        pages.append(entry)
    _check_end(tif, f"{path}, page {len(pages) - 1}")
    dtype = np.dtype(first.dtype).newbyteorder(tif.byteorder)
    planar, _, height, width, samples = first.shaped
    bits, notes = _stated(first)
    return Chain(tuple(pages), (planar, height, width, samples), dtype, raw, first.hash, first.decode, bits, notes)


def _stated(page: TiffPage) -> tuple[int | None, tuple[str, ...]]:
    """Return the bit depth where the file packs its samples, and notes on what is not applied."""
    notes = [PHOTOMETRIC_NOTES[page.photometric]] if page.photometric in PHOTOMETRIC_NOTES else []
    orientation = page.tags.valueof(274, default=1)
    if orientation != 1:
        notes.append(f"orientation tag {orientation} is not applied: rows and columns are as stored")
    if page.compression in JPEG:
        notes.append("compression JPEG is lossy: values are not the camera's own counts")
    if page.bitspersample in (8, 16, 32):
        return None, tuple(notes)
    notes.append(f"bit depth: the file states {page.bitspersample} bits per sample")
    return page.bitspersample, tuple(notes)


def _check_format(page: TiffPage, where: str) -> None:
    if page.photometric == PALETTE:
        raise InputError(f"{where}: a palette image: its values are indices, not counts. Save it as greyscale")
    if page.dtype is None:
        raise InputError(
            f"{where}: sample format {page.sampleformat} of {page.bitspersample} bits cannot be used; "
            "expected uint8, uint16 or float32. Export the file in one of them"
        )
    check_dtype(page.dtype, where)
    _, depth, height, width, _ = page.shaped
    if depth > 1:
        raise InputError(f"{where}: holds a volume of {depth} slices in one page; save one slice per page")
    if 0 in page.shaped:
        raise InputError(f"{where}: an image of {height} x {width} pixels holds nothing")
    try:
        TIFF.DECOMPRESSORS[page.compression]
        TIFF.UNPREDICTORS[page.predictor]
    except KeyError as error:
        compression = getattr(page.compression, "name", page.compression)
        raise InputError(
            f"{where}: compression {compression} with predictor {int(page.predictor)} needs a codec that is not "
            f"installed. {CODECS_REMEDY}"
        ) from error
    if page.bitspersample not in (8, 16, 32) and importlib.util.find_spec("imagecodecs") is None:
        raise InputError(
            f"{where}: samples packed to {page.bitspersample} bits need a codec that is not installed. {CODECS_REMEDY}"
        )


def _check_segments(page: Page, size: int, nbytes: int | None, where: str) -> None:
    """Raise unless every strip or tile was written and lies inside the file; `nbytes` is known for raw pages."""
    if not page.offsets or len(page.offsets) != len(page.counts):
        raise InputError(
            f"{where}: damaged or cut short: {len(page.offsets)} data offsets beside {len(page.counts)} byte counts. "
            "Copy or export it again"
        )
    if 0 in page.offsets or 0 in page.counts:
        raise InputError(f"{where}: a strip or tile was never written; a missing part is not zero. Export it again")
    end = max(offset + count for offset, count in zip(page.offsets, page.counts, strict=True))
    if nbytes is not None:
        if sum(page.counts) < nbytes:
            raise InputError(
                f"{where}: damaged: {sum(page.counts)} bytes for an image of {nbytes} bytes. Export it again"
            )
        end = max(end, page.offsets[0] + nbytes)
    if end > size:
        raise InputError(f"{where}: truncated: the data end at byte {end}, the file at byte {size}. Copy it again")


def _check_end(tif: TiffFile, where: str) -> None:
    """Raise unless the last page that was found says that it is the last."""
    tif.filehandle.seek(tif.pages.next_page_offset or 0)
    link = tif.filehandle.read(tif.tiff.offsetsize)
    if len(link) != tif.tiff.offsetsize or any(link):
        raise InputError(f"{where}: truncated: the chain of pages breaks off after this page. Copy the file again")


def _difference(page: Any, first: TiffPage) -> str:
    if page.shape != first.shape:
        return (
            f"has shape {page.shape}, but page 0 has {first.shape}; all pages must be of one size. "
            "Save thumbnails and other images to files of their own"
        )
    if page.dtype != first.dtype:
        return f"has dtype {page.dtype}, but page 0 has {first.dtype}; all pages must be alike. Save one kind per file"
    return "is stored in another way (compression, strips, colours) than page 0. Save the file again in one way"
