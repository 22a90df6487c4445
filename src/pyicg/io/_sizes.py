"""Pixel size, slice spacing and exposure as OME, ImageJ and TIFF tags state them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from xml.etree import ElementTree

from ..frame import Spacing

MM_PER_UNIT = {
    "m": 1e3,
    "meter": 1e3,
    "cm": 10.0,
    "mm": 1.0,
    "millimeter": 1.0,
    "micron": 1e-3,
    "microns": 1e-3,
    "micrometer": 1e-3,
    "um": 1e-3,
    "\u00b5m": 1e-3,  # micro sign
    "\u03bcm": 1e-3,  # Greek letter mu
    "\\u00b5m": 1e-3,  # ImageJ writes the escape out
    "nm": 1e-6,
    "nanometer": 1e-6,
    "inch": 25.4,
    "inches": 25.4,
    "in": 25.4,
}
MS_PER_UNIT = {"s": 1e3, "ms": 1.0, "\u00b5s": 1e-3, "\u03bcs": 1e-3, "us": 1e-3, "ns": 1e-6, "min": 6e4}
# what printers, screens and image editors write into files that were never measured
PRINT_DPI = (72, 96, 100, 150, 200, 300, 600, 1200)
PIXELS_PER = {2: ("inch", 25.4), 3: ("cm", 10.0)}


class Sizes(NamedTuple):
    """Spacing (z, y, x) in mm, exposure per channel, and where they came from."""

    spacing_mm: Spacing = (None, None, None)
    exposures_ms: Mapping[int, float | None] = MappingProxyType({})
    notes: tuple[str, ...] = ()


def ome_sizes(xml: str) -> Sizes:
    """Read PhysicalSizeX/Y/Z (unit um unless stated) and the planes' ExposureTime (s unless stated)."""
    try:
        pixels = ElementTree.fromstring(xml).findall(".//{*}Pixels")
    except ElementTree.ParseError as error:
        return Sizes(notes=(f"sizes: the OME-XML cannot be parsed ({error}) and was not used",))
    if len(pixels) != 1:
        return Sizes(notes=(f"sizes: the OME-XML describes {len(pixels)} images and was not used",))
    lengths: dict[str, float | None] = {}
    notes = []
    for axis in "ZYX":
        value = pixels[0].get(f"PhysicalSize{axis}")
        unit = pixels[0].get(f"PhysicalSize{axis}Unit", "\u00b5m")
        lengths[axis] = None if value is None else _length_mm(value, unit)
        if value is not None and lengths[axis] is None:
            notes.append(f"sizes: OME PhysicalSize{axis} {value} {unit} is no length and was ignored")
    spacing: Spacing = (lengths["Z"], lengths["Y"], lengths["X"])
    if any(size is not None for size in spacing):
        notes.append("sizes: from OME PhysicalSize")
    return Sizes(spacing, _ome_exposures(pixels[0]), tuple(notes))


def _ome_exposures(pixels: ElementTree.Element) -> dict[int, float | None]:
    """Return one exposure per channel, None where its planes do not all state the same; empty when none states any."""
    found: dict[int, set[float | None]] = {}
    for plane in pixels.findall("{*}Plane"):
        unit = MS_PER_UNIT.get(plane.get("ExposureTimeUnit", "s"), math.nan)
        ms = _number(plane.get("ExposureTime")) * unit
        found.setdefault(int(plane.get("TheC", "0")), set()).add(ms if 0 < ms < math.inf else None)
    if pixels.find("{*}Plane[@ExposureTime]") is None:
        return {}
    return {channel: stated.pop() if len(stated) == 1 else None for channel, stated in found.items()}


def imagej_sizes(meta: Mapping[str, Any], per_unit: tuple[float, float]) -> Sizes:
    """Read ImageJ's `unit` and `spacing`; `per_unit` is the page's resolution, pixels per unit (y, x)."""
    unit = str(meta.get("unit", ""))
    if unit.lower() in ("", "pixel", "pixels"):
        return Sizes()
    y, x = (
        None if math.isnan(number) else _length_mm(1 / number, name)
        for number, name in zip(per_unit, (str(meta.get("yunit", unit)), unit), strict=True)
    )
    z = _length_mm(meta["spacing"], str(meta.get("zunit", unit))) if "spacing" in meta else None
    if z is y is x is None:
        return Sizes(notes=(f"sizes: ImageJ states the unit {unit!r} but no usable size",))
    return Sizes((z, y, x), notes=(f"sizes: from ImageJ metadata, unit {unit}",))


def tag_sizes(unit: int, per_unit: tuple[float, float]) -> Sizes:
    """Read plain TIFF resolution tags, pixels per inch or cm (y, x), and ignore print and screen defaults."""
    if unit not in PIXELS_PER or any(math.isnan(number) for number in per_unit):
        return Sizes()
    name, mm = PIXELS_PER[unit]
    if any(number <= 1 or _is_print(number * 25.4 / mm) for number in per_unit):
        y, x = per_unit
        return Sizes(
            notes=(
                f"sizes: the resolution tag ({x:g} x {y:g} pixels per {name}) is a print default or no measured size "
                "and was ignored; pass pixel_size_mm",
            )
        )
    return Sizes((None, mm / per_unit[0], mm / per_unit[1]), notes=(f"sizes: from the resolution tag, {name}",))


def ratio(value: Any) -> float:
    """Return a TIFF rational (numerator, denominator) as a positive float, NaN when it is none."""
    try:
        number = float(value[0]) / float(value[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return math.nan
    return number if 0 < number < math.inf else math.nan


def _is_print(dpi: float) -> bool:
    return any(abs(dpi - default) < 0.005 * default for default in PRINT_DPI)


def _length_mm(value: object, unit: str) -> float | None:
    mm = _number(value) * MM_PER_UNIT.get(unit.lower(), math.nan)
    return mm if 0 < mm < math.inf else None


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
