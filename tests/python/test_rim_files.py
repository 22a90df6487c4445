"""The rims as files: GeoJSON as QuPath reads it, ImageJ's ROIs and label images, and the picture."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
import tifffile
from PIL import Image

import pyicg
from pyicg import CalibratedFrame, InputError, Lesion, Measurement, RejectedRegion, RimSegmentation
from pyicg.regions import polygon, read_rois
from pyicg.results import FloatArray, to_plain

FILES = ["core_mask.tif", "labels.tif", "overlay.png", "rim_mask.tif", "rims.geojson", "rims.zip"]
SHAPE = (150, 520)


@pytest.fixture(scope="module")
def section() -> tuple[CalibratedFrame, RimSegmentation]:
    phantom = pyicg.phantom.section_stack(margins_mm=(4.0,), shape=None, n_slices=1)
    cal = pyicg.calibrate(phantom.stack[0], phantom.profile)
    return cal, pyicg.segment_rim(cal, pixel_size_mm=0.1)


def loop(centre: tuple[float, float], radius: float, wobble: float = 0.0, n: int = 90) -> FloatArray:
    angle = np.arange(n) * (2 * math.pi / n)
    r = radius * (1 + wobble * np.cos(3 * angle))
    return np.stack([centre[0] + r * np.sin(angle), centre[1] + r * np.cos(angle)], axis=1)


def drawn(like: RimSegmentation, contours: list[tuple[FloatArray, FloatArray]], **changes: Any) -> RimSegmentation:
    """Lesions with the contours told, and the maps that belong to them."""
    core, rim, labels = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool), np.zeros(SHAPE, np.int32)
    lesions = []
    for label, (inner, outer) in enumerate(contours, start=1):
        inside = polygon(SHAPE, vertices_px=inner, clip=True)
        both = polygon(SHAPE, vertices_px=outer, clip=True)
        core |= inside
        rim |= both & ~inside
        labels[both] = label
        lesions.append(replace(like.lesions[0], label=label, inner_contour=inner, outer_contour=outer, **changes))
    return replace(like, core_mask=core, rim_mask=rim, labels=labels, lesions=tuple(lesions))


def ten(like: RimSegmentation) -> RimSegmentation:
    places = [(40.3 + 70 * (k // 5), 50.7 + 100 * (k % 5)) for k in range(10)]
    return drawn(like, [(loop(p, 15, 0.1), loop(p, 24)) for p in places])


def area(ring: list[list[float]]) -> float:
    """Positive for a ring that is counterclockwise in x and y as RFC 7946 wants the outer one."""
    x, y = np.array(ring).T
    return 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def as_qupath_reads(found: dict[str, Any]) -> None:
    """What QuPath's reader of objects asks for: rings JTS takes, names, and measurements that are numbers."""
    assert found["type"] == "FeatureCollection"
    for feature in found["features"]:
        assert feature["type"] == "Feature"
        assert feature["geometry"]["type"] == "Polygon"
        for ring in feature["geometry"]["coordinates"]:
            assert len(ring) >= 4
            assert ring[0] == ring[-1]
            assert all(len(p) == 2 and all(isinstance(v, float | int) for v in p) for p in ring)
        properties = feature["properties"]
        assert properties["objectType"] == "annotation"
        assert isinstance(properties["name"], str)
        assert isinstance(properties["classification"]["name"], str)
        colour = properties["classification"]["color"]
        assert len(colour) == 3
        assert all(isinstance(v, int) and 0 <= v <= 255 for v in colour)
        assert all(isinstance(v, float) for v in properties.get("measurements", {}).values())


# ---- GeoJSON


def test_contours_run_through_geojson_and_back(section: tuple[CalibratedFrame, RimSegmentation]) -> None:
    _, rim = section
    found = rim.to_geojson()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    as_qupath_reads(found)
    (lesion,) = rim.lesions
    core, around = found["features"]
    assert [f["properties"]["role"] for f in (core, around)] == ["tumour_edge", "rim"]
    (ring,) = core["geometry"]["coordinates"]
    # [x, y] from the corner of the first pixel, as QuPath and ImageJ count
    assert np.abs(np.array(ring[:-1])[:, ::-1] - 0.5 - lesion.inner_contour).max() < 1e-12
    assert area(ring) == pytest.approx(lesion.area_px, rel=1e-12)
    outer, hole = around["geometry"]["coordinates"]
    assert np.abs(np.array(outer[:-1])[:, ::-1] - 0.5 - lesion.outer_contour).max() < 1e-12
    assert area(outer) > area(ring) > 0
    assert hole == ring[::-1]
    assert found["pyicg"]["shape"] == list(rim.labels.shape)
    assert found["pyicg"]["sbr_cut"] == 1.5
    assert found["pyicg"]["background"]["level"] == rim.background.level


def test_every_scalar_of_the_lesion_travels(section: tuple[CalibratedFrame, RimSegmentation]) -> None:
    cal, rim = section
    (lesion,) = rim.lesions
    arrays = {"inner_contour", "outer_contour", "inner_sigma", "outer_sigma", "thickness_profile"}
    scalars = {name: to_plain(getattr(lesion, name)) for name in Lesion.__dataclass_fields__ if name not in arrays}
    y, x = scalars.pop("centroid")
    for feature in rim.to_geojson()["features"]:
        properties = feature["properties"]
        assert {name: properties[name] for name in scalars} == scalars
        assert properties["centroid_xy"] == [x + 0.5, y + 0.5]
        assert properties["units"] == "px"
        assert properties["pixel_size_mm"] == 0.1
        assert properties["measurements"]["sbr"] == lesion.sbr.value
        assert properties["measurements"]["area_mm2"] == lesion.area_mm2.value
    unsized = pyicg.segment_rim(cal).to_geojson()["features"][0]["properties"]
    assert unsized["area_mm2"] == {"value": None, "sigma": None, "ci": [None, None], "reason": "no_pixel_size"}
    assert "area_mm2" not in unsized["measurements"]
    assert unsized["pixel_size_mm"] is None


def test_gaps_reasons_and_bounds_without_end(section: tuple[CalibratedFrame, RimSegmentation]) -> None:
    _, rim = section
    place = (60.0, 80.0)
    seen = drawn(
        rim,
        [(loop(place, 15), loop(place, 20))],
        gaps_deg=np.array([[30.0, 75.5], [350.0, 372.0]]),
        completeness=0.81,
        pattern="partial",
        reasons=("clipped_by_border",),
        sbr=Measurement(2.5, 0.1, (2.3, math.inf), "saturated_lower_bound"),
    )
    properties = json.loads(json.dumps(seen.to_geojson(), allow_nan=False))["features"][0]["properties"]
    assert properties["gaps_deg"] == [[30.0, 75.5], [350.0, 372.0]]
    assert properties["reasons"] == ["clipped_by_border"]
    assert properties["pattern"] == "partial"
    assert properties["sbr"] == {"value": 2.5, "sigma": 0.1, "ci": [2.3, None], "reason": "saturated_lower_bound"}


def test_rejected_regions_are_boxes_with_their_reason(section: tuple[CalibratedFrame, RimSegmentation]) -> None:
    _, rim = section
    region = RejectedRegion("below_min_area", (10.5, 21.0), 12.0, (9, 20, 12, 22))
    found = replace(rim, lesions=(), rejected=(region,)).to_geojson()
    as_qupath_reads(found)
    (feature,) = found["features"]
    (ring,) = feature["geometry"]["coordinates"]
    # rows 9 to 12, columns 20 to 22 inclusive, from corner to corner
    assert ring == [[20, 9], [23, 9], [23, 13], [20, 13], [20, 9]]
    assert area(ring) == 12
    properties = feature["properties"]
    assert (properties["role"], properties["reason"]) == ("rejected", "below_min_area")
    assert properties["name"] == "rejected: below_min_area"
    assert properties["area_px"] == 12.0
    assert properties["centroid_xy"] == [21.5, 11.0]


def test_a_lesion_that_is_not_star_shaped(section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path) -> None:
    _, rim = section
    # two lobes and a neck; inner and outer boundary have different numbers of vertices
    inner = np.array([(40, 40), (40, 70), (52, 70), (52, 90), (40, 90), (40, 120), (80, 120), (80, 40)], float)[::-1]
    outer = np.array([(30, 30), (30, 130), (90, 130), (90, 30)], float)[::-1]
    lobed = drawn(rim, [(inner[::-1], outer[::-1])], reasons=("not_star_shaped",))
    features = lobed.to_geojson()["features"]
    as_qupath_reads(lobed.to_geojson())
    assert [len(ring) for ring in features[1]["geometry"]["coordinates"]] == [5, 9]
    assert features[0]["properties"]["reasons"] == ["not_star_shaped"]
    masks = read_rois(lobed.write(tmp_path / "out") / "rims.zip", shape=SHAPE)
    assert np.array_equal(masks["lesion-1-inner"], lobed.core_mask)


def test_a_contour_of_two_vertices_is_no_ring(section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path) -> None:
    _, rim = section
    (lesion,) = rim.lesions
    bare = replace(rim, lesions=(replace(lesion, outer_contour=np.empty((0, 2))),))
    assert [f["properties"]["role"] for f in bare.to_geojson()["features"]] == ["tumour_edge"]
    folder = bare.write(tmp_path / "out")
    assert list(read_rois(folder / "rims.zip", shape=rim.labels.shape)) == ["lesion-1-inner"]


# ---- files


def test_ten_lesions_as_imagej_rois(section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path) -> None:
    rim = ten(section[1])
    folder = rim.write(tmp_path / "out")
    assert folder == tmp_path / "out"
    assert sorted(file.name for file in folder.iterdir()) == FILES
    masks = read_rois(folder / "rims.zip", shape=SHAPE)
    assert list(masks) == [f"lesion-{k}-{which}" for k in range(1, 11) for which in ("inner", "outer")]
    for k in range(1, 11):
        of_lesion = rim.labels == k
        assert np.array_equal(masks[f"lesion-{k}-inner"], of_lesion & rim.core_mask)
        assert np.array_equal(masks[f"lesion-{k}-outer"], of_lesion)
    rois = roifile.roiread(folder / "rims.zip")
    for roi, contour in zip(rois[::2], [lesion.inner_contour for lesion in rim.lesions], strict=True):
        assert roi.roitype == roifile.ROI_TYPE.POLYGON
        assert roi.options & roifile.ROI_OPTIONS.SUB_PIXEL_RESOLUTION
        assert np.abs(roi.coordinates()[:, ::-1] - 0.5 - contour).max() < 2e-5  # float32 in the file
    features = json.loads((folder / "rims.geojson").read_text())["features"]
    assert len(features) == 20 + len(rim.rejected)


def test_the_rois_of_a_found_rim_are_its_masks(
    section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path
) -> None:
    _, rim = section
    masks = read_rois(rim.write(tmp_path / "out") / "rims.zip", shape=rim.labels.shape)
    core, all_of_it = rim.core_mask, rim.core_mask | rim.rim_mask
    assert np.count_nonzero(masks["lesion-1-inner"] ^ core) <= 0.01 * core.sum()
    assert np.count_nonzero(masks["lesion-1-outer"] ^ all_of_it) <= 0.01 * all_of_it.sum()


def test_label_and_mask_images_are_imagejs(section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path) -> None:
    rim = ten(section[1])
    folder = rim.write(tmp_path / "out")
    for name, expected in (
        ("labels", rim.labels.astype(np.uint16)),
        ("core_mask", rim.core_mask * np.uint8(255)),
        ("rim_mask", rim.rim_mask * np.uint8(255)),
    ):
        with tifffile.TiffFile(folder / f"{name}.tif") as file:
            assert file.is_imagej
            found = file.asarray()
            assert file.imagej_metadata["unit"] == "mm"
            assert file.imagej_metadata["max"] == expected.max()
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)
        assert pyicg.read_stack(folder / f"{name}.tif").spacing_mm[1:] == pytest.approx((0.1, 0.1), rel=1e-6)
    unsized = replace(rim, pixel_size_mm=None).write(tmp_path / "unsized")
    assert pyicg.read_stack(unsized / "labels.tif").spacing_mm == (None, None, None)


def colours(png: Path) -> set[tuple[int, ...]]:
    with Image.open(png) as picture:
        assert picture.width == 1200
        counted = picture.convert("RGB").getcolors(picture.width * picture.height)
    assert counted is not None
    return {colour for _, colour in counted if isinstance(colour, tuple)}


def test_the_picture_shows_masks_or_frame_and_contours(
    section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path
) -> None:
    cal, rim = section
    masks = rim.write(tmp_path / "masks") / "overlay.png"
    frame = rim.write(tmp_path / "frame", image=cal) / "overlay.png"
    array = rim.write(tmp_path / "array", image=cal.data) / "overlay.png"
    inner, outer, core_area = (0x4F, 0xD2, 0xFF), (0xFF, 0x8C, 0x1A), (0x1F, 0x5F, 0x86)
    for file in (masks, frame):
        assert {inner, outer} <= colours(file)
    assert core_area in colours(masks)
    assert core_area not in colours(frame)
    assert frame.read_bytes() == array.read_bytes()
    nothing = replace(
        rim, lesions=(), labels=0 * rim.labels, core_mask=rim.core_mask & False, rim_mask=rim.rim_mask & False
    )
    assert inner not in colours(nothing.write(tmp_path / "nothing") / "overlay.png")


def test_images_of_any_kind_behind_the_contours(
    section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path
) -> None:
    _, rim = section
    shape = rim.labels.shape
    holed = np.full(shape, 7, np.float32)
    holed[:20] = np.nan
    for image in (np.full(shape, np.nan), holed, np.ones(shape, bool), np.zeros(shape, np.uint8)):
        rim.write(tmp_path, image=image)
    for wrong in (np.zeros((*shape, 3), np.uint8), np.zeros((5, 5)), np.zeros(shape, complex), np.full(shape, "a")):
        with pytest.raises(InputError, match=r"expected the \(.*\) frame that was segmented"):
            rim.write(tmp_path / "wrong", image=wrong)
    assert not (tmp_path / "wrong").exists()


def test_no_lesion_still_writes_every_file(section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path) -> None:
    empty = drawn(section[1], [])
    folder = replace(empty, rejected=()).write(tmp_path / "out")
    assert sorted(file.name for file in folder.iterdir()) == FILES
    found = json.loads((folder / "rims.geojson").read_text())
    assert found["features"] == []
    assert not tifffile.imread(folder / "labels.tif").any()
    assert (folder / "rims.zip").read_bytes()[:2] == b"PK"
    with pytest.raises(InputError, match=r"holds no \.roi files"):
        read_rois(folder / "rims.zip", shape=SHAPE)


def test_a_rim_cut_by_the_border_reads_back_clipped(
    section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path
) -> None:
    rim = drawn(section[1], [(loop((8.0, 500.0), 20), loop((8.0, 500.0), 30))])
    folder = rim.write(tmp_path / "out")
    masks = read_rois(folder / "rims.zip", shape=SHAPE, clip=True)
    assert np.array_equal(masks["lesion-1-inner"], rim.core_mask)
    assert np.array_equal(masks["lesion-1-outer"], rim.core_mask | rim.rim_mask)


def test_the_same_rims_give_the_same_bytes(section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path) -> None:
    cal, rim = section
    first, second = rim.write(tmp_path / "a", image=cal), rim.write(tmp_path / "b", image=cal)
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_more_lesions_than_sixteen_bits(section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path) -> None:
    _, rim = section
    with pytest.raises(InputError, match="65536 lesions do not fit"):
        replace(rim, labels=rim.labels * 65536).write(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(
    section: tuple[CalibratedFrame, RimSegmentation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, rim = section
    (tmp_path / "file").write_text("here")
    with pytest.raises(InputError, match="cannot write to"):
        rim.write(tmp_path / "file" / "out")
    folder = rim.write(tmp_path / "out")
    before = {name: (folder / name).read_bytes() for name in FILES}

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        replace(rim, lesions=()).write(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    monkeypatch.undo()

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", denied)
    with pytest.raises(InputError, match="Permission denied"):
        rim.write(tmp_path / "read-only")
