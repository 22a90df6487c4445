"""The rims of a frame as files that other programs open: GeoJSON, ImageJ ROIs, label and mask images, a picture."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..results import CalibratedFrame, FloatArray, Lesion, Measurement, RimSegmentation, to_plain
from ._results_folder import check_writable, write_files

if TYPE_CHECKING:
    from ..results import RejectedRegion

__all__ = ["to_geojson", "write"]

# QuPath, ImageJ and maps count from the corner of the first pixel, pyicg from its centre.
_TO_CORNERS = 0.5
_COLOURS = {"tumour_edge": (79, 210, 255), "rim": (255, 140, 26), "rejected": (150, 150, 150)}
_COORDINATES = (
    "Positions are [x, y] in pixels of the image: (0, 0) is the outer corner of its first pixel, whose centre is "
    "(0.5, 0.5); x runs right, y down. Not geographic: the coordinate reference system of GeoJSON does not apply."
)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same segmentation gives the same bytes


def to_geojson(rim: RimSegmentation) -> dict[str, Any]:
    """Return all lesions and rejected regions as a FeatureCollection; see `RimSegmentation.to_geojson`."""
    from .. import __version__

    features = [feature for lesion in rim.lesions for feature in _lesion_features(lesion, rim.pixel_size_mm)]
    features += [_rejected_feature(region) for region in rim.rejected]
    return {
        "type": "FeatureCollection",
        "features": features,
        "pyicg": {
            "version": __version__,
            "note": "Research software, not a medical device.",
            "coordinates": _COORDINATES,
            "shape": list(rim.labels.shape),
            "pixel_size_mm": rim.pixel_size_mm,
            "sbr_cut": rim.sbr_cut,
            "background": to_plain(rim.background),
        },
    }


def write(
    rim: RimSegmentation, folder: str | Path, image: CalibratedFrame | npt.NDArray[np.generic] | None = None
) -> Path:
    """Write every file; see `RimSegmentation.write`."""
    from ..report.rim_picture import rim_picture

    folder = Path(folder)
    check_writable(folder)
    shown = _shown(image, rim.labels.shape)
    files = {
        "rims.geojson": json.dumps(to_geojson(rim), allow_nan=False).encode(),
        "rims.zip": _roi_zip(rim),
        "labels.tif": _tiff(_label_image(rim.labels), rim.pixel_size_mm),
        "core_mask.tif": _tiff(rim.core_mask.astype(np.uint8) * np.uint8(255), rim.pixel_size_mm),
        "rim_mask.tif": _tiff(rim.rim_mask.astype(np.uint8) * np.uint8(255), rim.pixel_size_mm),
        "overlay.png": rim_picture(rim, shown),
    }
    write_files(folder, files)
    return folder


def _lesion_features(lesion: Lesion, pixel_size_mm: float | None) -> Iterator[dict[str, Any]]:
    scalars = {
        field.name: to_plain(getattr(lesion, field.name))
        for field in fields(lesion)
        if field.name not in ("label", "centroid") and not isinstance(getattr(lesion, field.name), np.ndarray)
    }
    scalars["gaps_deg"] = to_plain(lesion.gaps_deg)
    common = {
        "label": lesion.label,
        "units": "px",
        "pixel_size_mm": pixel_size_mm,
        "centroid_xy": _position(lesion.centroid),
        **scalars,
        "measurements": _numbers(lesion),
    }
    inner, outer = _ring(lesion.inner_contour), _ring(lesion.outer_contour)
    if inner:
        yield _feature([inner], "tumour_edge", f"lesion {lesion.label} tumour edge", common)
    if inner and outer:
        yield _feature([outer, inner[::-1]], "rim", f"lesion {lesion.label} rim", common)


def _rejected_feature(region: RejectedRegion) -> dict[str, Any]:
    top, left, bottom, right = region.box
    ring = [[left, top], [right + 1, top], [right + 1, bottom + 1], [left, bottom + 1], [left, top]]
    properties = {
        "units": "px",
        "centroid_xy": _position(region.centroid),
        "reason": region.reason,
        "area_px": region.area_px,
    }
    return _feature([ring], "rejected", f"rejected: {region.reason}", properties)


def _feature(rings: list[Any], role: str, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return a polygon as QuPath reads it: objectType, name, classification and flat measurements."""
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": rings},
        "properties": {
            "objectType": "annotation",
            "name": name,
            "classification": {"name": role, "color": list(_COLOURS[role])},
            "role": role,
            **properties,
        },
    }


def _numbers(lesion: Lesion) -> dict[str, float]:
    """Return the finite numbers alone: QuPath's measurements hold nothing else."""
    found = {}
    for field in fields(lesion):
        value = getattr(lesion, field.name)
        if isinstance(value, Measurement):
            value = value.value
        if isinstance(value, float) and math.isfinite(value):
            found[field.name] = value
    return found


def _ring(contour: FloatArray) -> list[list[float]]:
    """Return a closed ring of [x, y], empty where there are no three vertices."""
    if len(contour) < 3:
        return []
    ring: list[list[float]] = (contour[:, ::-1] + _TO_CORNERS).tolist()
    return [*ring, ring[0]]


def _position(yx: tuple[float, float]) -> list[float]:
    return [float(yx[1]) + _TO_CORNERS, float(yx[0]) + _TO_CORNERS]


def _roi_zip(rim: RimSegmentation) -> bytes:
    """Return ImageJ's ROI set: two polygons with sub-pixel vertices per lesion, in ImageJ's coordinates."""
    from roifile import ROI_TYPE, ImagejRoi

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for lesion in rim.lesions:
            for which, contour, role in (
                ("inner", lesion.inner_contour, "tumour_edge"),
                ("outer", lesion.outer_contour, "rim"),
            ):
                if len(contour) < 3:
                    continue
                name = f"lesion-{lesion.label}-{which}"
                roi = ImagejRoi.frompoints(contour[:, ::-1] + _TO_CORNERS, name=name)
                roi.roitype = ROI_TYPE.POLYGON
                roi.stroke_color = bytes((255, *_COLOURS[role]))
                archive.writestr(zipfile.ZipInfo(f"{name}.roi", _EPOCH), roi.tobytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _label_image(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.uint16]:
    if labels.max(initial=0) > np.iinfo(np.uint16).max:
        raise InputError(
            f"{labels.max()} lesions do not fit into the 16 bits of ImageJ's label image; raise min_area_px"
        )
    return labels.astype(np.uint16)


def _tiff(image: npt.NDArray[np.generic], pixel_size_mm: float | None) -> bytes:
    """Return an ImageJ TIFF; the size of a pixel stands in its resolution."""
    import tifffile

    told: dict[str, Any] = {"axes": "YX", "min": 0.0, "max": float(max(1, int(np.max(image, initial=0))))}
    resolution = None
    if pixel_size_mm is not None:
        told["unit"] = "mm"
        resolution = (1 / pixel_size_mm, 1 / pixel_size_mm)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image, imagej=True, resolution=resolution, metadata=told)
    return buffer.getvalue()


def _shown(
    image: CalibratedFrame | npt.NDArray[np.generic] | None, shape: tuple[int, ...]
) -> npt.NDArray[np.generic] | None:
    """Return the pixels to show behind the contours."""
    if image is None:
        return None
    pixels = image.data if isinstance(image, CalibratedFrame) else np.asarray(image)
    if pixels.shape != shape or pixels.dtype.kind not in "buif":
        raise InputError(
            f"image is {pixels.dtype} of shape {pixels.shape}; expected the {shape} frame that was segmented, or leave "
            "it out"
        )
    return pixels
