"""ImageJ's .roi files and .zip sets of them, as outlines or lines in the coordinates of this package."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from ..errors import InputError
from ..results import FloatArray

if TYPE_CHECKING:
    from roifile import ImagejRoi

_MAX_BYTES = 1 << 26  # a single ROI beyond 64 MiB is damage or a bomb: the format ends at 65535 vertices
_HEADER2_BYTES = 52
_ELLIPSE_VERTICES = 72  # as ImageJ draws its rotated ellipses
_CORNER_VERTICES = 33  # per rounded corner: within 0.0003 of its radius
_TO_CENTRES = 0.5  # ImageJ counts areas from the corner of the first pixel, lines from its centre as pyicg does

_Drawn = TypeVar("_Drawn")


class Oval(NamedTuple):
    """An ellipse along the axes: centre (y, x) and half axes (y, x), px."""

    centre_px: tuple[float, float]
    radii_px: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Outline:
    """One ROI: its name, the frame it was drawn on (from 0, None: every frame), and an oval or closed (N, 2) paths."""

    name: str
    frame: int | None
    form: Oval | tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One ROI as (N, 2) vertices (y, x) in px; freehand: the mouse set them, one beside the other."""

    frame: int | None
    vertices: FloatArray
    freehand: bool


def read_outlines(path: str) -> list[Outline]:
    """Read every ROI of a .roi file or of the .roi entries of a .zip as an area; nothing is unpacked to disk."""
    return _read(path, lambda roi, name, where: Outline(name, _frame(roi, where), _form(roi, where)))


def read_lines(path: str) -> list[Line]:
    """Read every ROI of such a file as the line it was drawn along: lines, and the edges of polygons and outlines."""
    return _read(path, lambda roi, _, where: _line(roi, where))


def _read(path: str, drawn: Callable[[ImagejRoi, str, str], _Drawn]) -> list[_Drawn]:
    try:
        with Path(path).open("rb") as file:
            start = file.read(4)
            if start == b"Iout":
                return [drawn(*_parsed(start + file.read(_MAX_BYTES), path, None, Path(path).stem))]
            if start.startswith(b"PK"):
                with zipfile.ZipFile(file) as archive:
                    return [drawn(*parsed) for parsed in _entries(archive, path)]
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: a damaged archive ({error}). Save the set in ImageJ again") from error
    if not start:
        raise InputError(f"{path}: the file is empty (0 bytes). Save the ROIs in ImageJ again")
    raise InputError(
        f"{path}: not an ImageJ ROI file: it begins with {start!r}. Expected a .roi file or a .zip of them, as the ROI "
        "Manager saves it"
    )


def _entries(archive: zipfile.ZipFile, path: str) -> list[tuple[ImagejRoi, str, str]]:
    # resource forks that macOS packs beside every file end in .roi too
    entries = [e for e in archive.infolist() if e.filename.endswith(".roi") and not e.filename.startswith("__MACOSX/")]
    if not entries:
        raise InputError(f"{path}: the archive holds no .roi files. Save a set from ImageJ's ROI Manager")
    found = []
    for entry in entries:
        where = f"{path}, {entry.filename}"
        if entry.file_size > _MAX_BYTES:
            raise InputError(f"{where}: {entry.file_size} bytes are no ROI; expected at most {_MAX_BYTES}")
        try:
            data = archive.read(entry)
        except Exception as error:  # zipfile and its decoders raise many kinds of error on damaged or locked entries
            raise InputError(f"{where}: cannot be unpacked ({error}). Save the set in ImageJ again") from error
        name = entry.filename.removesuffix(".roi")  # as the ROI Manager shows it
        found.append(_parsed(data, where, name, name))
    return found


def _parsed(data: bytes, where: str, name: str | None, stem: str) -> tuple[ImagejRoi, str, str]:
    """Return a ROI, its name, and the words that tell in an error which one it is."""
    from roifile import ImagejRoi

    try:
        (header2,) = struct.unpack(">i", data[60:64])
        if header2 > len(data) - _HEADER2_BYTES:  # roifile would go on without name and frame
            raise ValueError(f"cut short: {len(data)} bytes, but its second header starts at {header2}")
        roi = ImagejRoi.frombytes(data)
    except Exception as error:  # roifile raises many kinds of error on damaged files
        raise InputError(f"{where}: not a complete ImageJ ROI ({error}). Save it in ImageJ again") from error
    label = name or roi.name or stem
    return roi, label, f"{where} (ROI {label!r})"


def _line(roi: ImagejRoi, where: str) -> Line:
    from roifile import ROI_SUBTYPE, ROI_TYPE

    lines = (ROI_TYPE.LINE, ROI_TYPE.POLYLINE, ROI_TYPE.FREELINE)
    freehand = (ROI_TYPE.FREELINE, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
    known = roi.roitype in (*lines, *freehand, ROI_TYPE.POLYGON)
    if not known or roi.composite or roi.subtype not in (ROI_SUBTYPE.UNDEFINED, ROI_SUBTYPE.ARROW):
        what = roi.roitype if roi.subtype == ROI_SUBTYPE.UNDEFINED else roi.subtype
        raise InputError(
            f"{where}: a {what.name.lower()} ROI is no line. Expected a straight, segmented or freehand line, polygon "
            "or outline: take this one out of the set"
        )
    vertices = np.asarray(roi.coordinates(), dtype=np.float64)[:, ::-1]
    if len(vertices) < 2:
        raise InputError(f"{where}: has {len(vertices)} vertices; expected two or more. Draw it again")
    if roi.roitype not in lines:
        vertices = vertices - _TO_CENTRES
    return Line(_frame(roi, where), vertices, roi.roitype in freehand)


def _frame(roi: ImagejRoi, where: str) -> int | None:
    """Return the frame of a ROI: ImageJ counts positions from 1, and 0 says every frame."""
    if roi.position > 0:
        return roi.position - 1
    z, t = roi.z_position, roi.t_position
    if z > 1 and t > 1:
        raise InputError(
            f"{where}: lies on slice {z} of time {t}. Frames form one row here: split the hyperstack and save its ROIs "
            "for each part"
        )
    return max(z, t) - 1 if max(z, t) > 0 else None


def _form(roi: ImagejRoi, where: str) -> Oval | tuple[FloatArray, ...]:
    from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE

    kind, subtype = roi.roitype, roi.subtype
    if subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE) or kind not in (
        ROI_TYPE.RECT,
        ROI_TYPE.OVAL,
        ROI_TYPE.POLYGON,
        ROI_TYPE.FREEHAND,
        ROI_TYPE.TRACED,
    ):
        what = subtype if subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE) else kind
        raise InputError(
            f"{where}: a {what.name.lower()} ROI has no area. Expected a rectangle, oval, polygon, freehand, traced or "
            "composite ROI: take this one out of the set"
        )
    if roi.composite:
        return _composite(roi, where)
    if kind in (ROI_TYPE.RECT, ROI_TYPE.OVAL):
        if roi.subpixelrect:
            x, y, width, height = roi.xd, roi.yd, roi.widthd, roi.heightd
        else:
            x, y, width, height = roi.left, roi.top, roi.right - roi.left, roi.bottom - roi.top
        if not (width > 0 and height > 0):
            raise InputError(f"{where}: is {width} wide and {height} high; expected an area. Draw it again")
        if kind == ROI_TYPE.OVAL:
            centre = (y + height / 2 - _TO_CENTRES, x + width / 2 - _TO_CENTRES)
            return Oval(centre, (height / 2, width / 2))
        return (_rectangle(x, y, width, height, roi.rounded_rect_arc_size / 2),)
    if subtype in (ROI_SUBTYPE.ELLIPSE, ROI_SUBTYPE.ROTATED_RECT):
        return (_turned(roi),)
    if roi.options & ROI_OPTIONS.SPLINE_FIT:
        raise InputError(
            f"{where}: a spline runs through its vertices, which is not followed here. Make it a plain polygon in "
            "ImageJ: Edit > Selection > Interpolate with interval 1"
        )
    return (np.asarray(roi.coordinates(), dtype=np.float64)[:, ::-1] - _TO_CENTRES,)


def _composite(roi: ImagejRoi, where: str) -> tuple[FloatArray, ...]:
    if roi.multi_coordinates is None:
        raise InputError(f"{where}: a damaged composite, stored as {roi.roitype.name.lower()}. Save it in ImageJ again")
    try:
        paths = roi.path2coords(roi.multi_coordinates)
    except NotImplementedError as error:
        raise InputError(
            f"{where}: a composite with curves, which are not followed here. In ImageJ, choose Edit > Selection > "
            "Create Mask, then Create Selection, and save that"
        ) from error
    except Exception as error:  # roifile raises many kinds of error on damaged paths
        raise InputError(f"{where}: a damaged composite ({error}). Save it in ImageJ again") from error
    return tuple(np.asarray(p, dtype=np.float64)[:, ::-1] - _TO_CENTRES for p in paths if len(p) > 2)


def _rectangle(x: float, y: float, width: float, height: float, arc: float) -> FloatArray:
    """Return the vertices of a rectangle whose top-left corner is (y, x), its corners rounded with radius `arc`."""
    half_y, half_x = height / 2, width / 2
    ry, rx = min(arc, half_y), min(arc, half_x)
    quarter = np.linspace(0, math.pi / 2, _CORNER_VERTICES if arc > 0 else 1)
    corner = np.stack([half_y - ry + ry * np.sin(quarter), half_x - rx + rx * np.cos(quarter)], axis=1)
    around = np.concatenate([corner, corner[::-1] * (1, -1), corner * (-1, -1), corner[::-1] * (-1, 1)])
    vertices: FloatArray = around + np.array([y + half_y, x + half_x]) - _TO_CENTRES
    return vertices


def _turned(roi: ImagejRoi) -> FloatArray:
    """Return the vertices (y, x) of a rotated ellipse or rectangle, computed from its axis as ImageJ does."""
    from roifile import ROI_SUBTYPE

    # one float in the file, which roifile hands over as two bytes and a short
    parts = (roi.arrow_style_or_aspect_ratio, roi.arrow_head_size, roi.rounded_rect_arc_size)
    (parameter,) = struct.unpack(">f", struct.pack(">BBh", *parts))
    start, end = np.array([roi.y1, roi.x1]), np.array([roi.y2, roi.x2])
    along = (end - start) / 2
    across = np.array([along[1], -along[0]])
    if roi.subtype == ROI_SUBTYPE.ROTATED_RECT:  # the parameter is the full width
        length = math.hypot(*along)
        across = across * (parameter / 2 / length if length > 0 else math.nan)
        weights = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    else:  # the parameter is minor over major axis
        across = across * min(max(parameter, 0.0), 1.0)
        angles = np.arange(_ELLIPSE_VERTICES) * (2 * math.pi / _ELLIPSE_VERTICES)
        weights = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vertices: FloatArray = (start + end) / 2 + weights @ np.stack([along, across]) - _TO_CENTRES
    return vertices
