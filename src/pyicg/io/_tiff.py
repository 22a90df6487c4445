"""TIFF, BigTIFF, OME-TIFF and ImageJ files, on tifffile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from tifffile import TiffFile, TiffPageSeries

from ..errors import InputError
from ..frame import FrameSource
from ._layout import UNKNOWN, ImageFile, Plane, RawPlanes
from ._sizes import Sizes, imagej_sizes, ome_sizes, ratio, tag_sizes
from ._tiff_pages import Chain, EncodedPlanes, Page, scan


def open_tiff(path: str) -> ImageFile:
    """Check every page of a TIFF file and say what the file holds."""
    with _tifffile_records() as records:
        try:
            with _tiff_file(path) as tif:
                found = _read(tif, path)
        except InputError:
            raise
        except Exception as error:  # tifffile raises many kinds of error on damaged files
            raise InputError(
                f"{path}: cannot be read as TIFF ({error}). The file is damaged or cut short; copy or export it again"
            ) from error
    for record in records:
        if record.levelno >= logging.ERROR:
            raise InputError(
                f"{path}: damaged or cut short; tifffile reports: {record.getMessage()}. Copy or export it again"
            )
    return replace(found, notes=(*found.notes, *(f"tifffile: {record.getMessage()}" for record in records)))


def _tiff_file(path: str) -> TiffFile:
    # vendors' indices can name frames that are not in the file: the chain of pages is what counts here
    return TiffFile(path, is_scanimage=False, is_mmstack=False, is_ndtiff=False)


@contextmanager
def _tifffile_records() -> Iterator[list[logging.LogRecord]]:
    """Collect what tifffile logs in this thread at level WARNING and above."""
    records: list[logging.LogRecord] = []
    thread = threading.get_ident()

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                records.append(record)

    handler = Collect(logging.WARNING)
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield records
    finally:
        logger.removeHandler(handler)


def _read(tif: TiffFile, path: str) -> ImageFile:
    chain = scan(tif, path)
    series = tif.series
    if len(series) != 1:
        raise InputError(f"{path}: holds {len(series)} separate images or series. Save the one to score on its own")
    axes, lead = _lead_axes(series[0], chain, path)
    count = prod(lead)
    _check_imagej(tif, count * chain.shape[3], path)
    pages = _ome_order(series[0], tif, chain, path) if series[0].kind == "ome" else chain.pages
    notes = list(chain.notes)
    if not chain.dtype.isnative:
        notes.append("byte order: foreign in the file, converted to native")
    table = _plane_table(pages, chain, count, path) if chain.raw else []
    if not chain.raw and len(pages) * chain.shape[0] != count:
        raise _wrong_count(path, count, len(pages))

    def open_planes(planes: Sequence[int], sample: int) -> FrameSource:
        if chain.raw:
            return RawPlanes([table[plane] for plane in planes], chain.frame_shape, chain.dtype, chain.shape[3], sample)
        return EncodedPlanes(pages, planes, chain, sample)

    sizes = _sizes(tif)
    return ImageFile(
        path=path,
        axes=axes,
        lead=lead,
        samples=chain.shape[3],
        open_planes=open_planes,
        bit_depth=chain.bit_depth,
        spacing_mm=sizes.spacing_mm,
        exposures_ms=sizes.exposures_ms,
        notes=(*notes, *sizes.notes),
    )


def _unsqueezed(series: Any) -> tuple[str, tuple[int, ...]]:
    """Return a series' axes and shape with those of length 1, which older tifffile (up to 2026.3) drops unless told."""
    if hasattr(series, "get_axes"):
        return series.get_axes(squeeze=False), tuple(series.get_shape(squeeze=False))
    return series.axes, tuple(series.shape)


def _lead_axes(series: TiffPageSeries, chain: Chain, path: str) -> tuple[str, tuple[int, ...]]:
    """Return letters and lengths of the axes before Y and X; planar samples are channels."""
    axes, shape = _unsqueezed(series)
    if axes.endswith("S"):
        axes, shape = axes[:-1], shape[:-1]
    if not axes.endswith("YX") or shape[-2:] != chain.frame_shape:
        raise InputError(
            f"{path}: its metadata state shape {shape} with axes {axes!r}, but its pages are images of "
            f"{chain.frame_shape}. Export the file again"
        )
    letters = "".join(letter if letter in "TZC" else UNKNOWN for letter in axes[:-2].replace("S", "C"))
    return letters, tuple(shape[:-2])


def _check_imagej(tif: TiffFile, count: int, path: str) -> None:
    """Raise when ImageJ's header names more images than the file holds: the rest must not vanish."""
    named = (tif.imagej_metadata or {}).get("images", 1)
    if isinstance(named, int) and named > count:
        raise InputError(
            f"{path}: cut short or damaged: ImageJ's header names {named} images, the file holds {count}. Copy it again"
        )


def _ome_order(series: TiffPageSeries, tif: TiffFile, chain: Chain, path: str) -> tuple[Page, ...]:
    """Return the pages in the order of the OME metadata, which may reach into other files."""
    files = {tif.filehandle.path: chain.pages}
    pages: list[Page] = []
    for page in series:
        if page is None:
            raise InputError(
                f"{path}: the OME metadata name {len(series)} frames, but frame {len(pages)} is in none of the files. "
                "Put all files of the set into one folder, or export the file again"
            )
        other = page.parent.filehandle.path
        if other not in files:
            with _tiff_file(other) as part:
                more = scan(part, other)
            if more.key != chain.key:
                raise InputError(f"{other}: its pages differ in size, dtype or compression from those of {path}")
            files[other] = more.pages
        pages.append(files[other][page.index])
    held = sum(map(len, files.values()))
    if held != len(pages):
        raise _wrong_count(path, len(pages), held)
    return tuple(pages)


def _plane_table(pages: Sequence[Page], chain: Chain, count: int, path: str) -> list[Plane]:
    """Return where each uncompressed plane starts.

    ImageJ and tifffile write long stacks as one page followed by the data of all frames.
    """
    planar, step = chain.shape[0], chain.plane_bytes
    if len(pages) * planar == count:
        return [
            Plane(page.path, page.number, page.offsets[0] + plane * step) for page in pages for plane in range(planar)
        ]
    if len(pages) != 1:
        raise _wrong_count(path, count, len(pages))
    start = pages[0].offsets[0]
    size = Path(path).stat().st_size
    if start + count * step > size:
        whole = (size - start) // step
        raise InputError(
            f"{path}, page {whole // planar}: truncated: {count} frames need {start + count * step} bytes, "
            f"the file has {size}. Copy it again"
        )
    return [Plane(path, plane // planar, start + plane * step) for plane in range(count)]


def _wrong_count(path: str, named: int, held: int) -> InputError:
    return InputError(f"{path}: its metadata name {named} images, but the file holds {held}. Export the file again")


def _sizes(tif: TiffFile) -> Sizes:
    """Return sizes from OME, else ImageJ, else the resolution tags."""
    tags = tif.pages.first.tags
    per_unit = (ratio(tags.valueof(283)), ratio(tags.valueof(282)))
    xml, imagej = tif.ome_metadata, tif.imagej_metadata
    ome = ome_sizes(xml) if xml else Sizes()
    if any(size is not None for size in ome.spacing_mm):
        return ome
    rest = imagej_sizes(imagej, per_unit) if imagej else Sizes()
    if not rest.notes:
        # inch is the TIFF default for a missing unit
        rest = tag_sizes(tags.valueof(296, default=2), per_unit)
    notes = list(ome.notes) + list(rest.notes)
    if imagej and any(key in imagej for key in ("cf", "c0")):
        notes.append("ImageJ's value calibration is not applied: values are as stored")
    return Sizes(rest.spacing_mm, ome.exposures_ms, tuple(notes))
