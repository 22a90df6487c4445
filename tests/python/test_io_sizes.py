"""Where pixel size, slice spacing and exposure come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from pyicg import InputError, UnitError, read_stack


def counts(*shape: int) -> np.ndarray[Any, Any]:
    return np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)


@pytest.mark.parametrize(("unit", "mm"), [("mm", 1.0), ("cm", 10.0), ("\u00b5m", 1e-3), ("nm", 1e-6), ("inch", 25.4)])
def test_sizes_from_ome_and_imagej(tmp_path: Path, unit: str, mm: float) -> None:
    data = counts(3, 8, 10)
    ome = {"axes": "ZYX", "PhysicalSizeX": 4.0, "PhysicalSizeY": 5.0, "PhysicalSizeZ": 80.0}
    ome_unit = "in" if unit == "inch" else unit
    units = {f"PhysicalSize{axis}Unit": ome_unit for axis in "XYZ"}
    tifffile.imwrite(tmp_path / "a.ome.tif", data, metadata={**ome, **units})
    assert read_stack(tmp_path / "a.ome.tif").spacing_mm == pytest.approx((80 * mm, 5 * mm, 4 * mm), rel=1e-12)
    imagej = {"axes": "ZYX", "unit": unit.replace("\u00b5", "\\u00B5"), "spacing": 80.0}
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, resolution=(0.25, 0.2), metadata=imagej)
    stack = read_stack(tmp_path / "a.tif")
    assert stack.spacing_mm == pytest.approx((80 * mm, 5 * mm, 4 * mm), rel=1e-6)
    assert any("ImageJ" in note for note in stack.notes)


def test_ome_lengths_default_to_micrometres(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", counts(8, 10), metadata={"PhysicalSizeX": 4.0, "PhysicalSizeY": 5.0})
    assert read_stack(tmp_path / "a.ome.tif").spacing_mm == pytest.approx((None, 0.005, 0.004))


@pytest.mark.parametrize("unit", ["pixel", "furlong"])
def test_a_unit_that_is_no_length_gives_no_size(tmp_path: Path, unit: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", counts(8, 10), imagej=True, resolution=(4, 4), metadata={"unit": unit})
    assert read_stack(tmp_path / "a.tif").spacing_mm == (None, None, None)


@pytest.mark.parametrize(
    ("unit", "per_unit", "expected"),
    [
        ("CENTIMETER", (200, 100), (None, 0.1, 0.05)),
        ("INCH", (254, 508), (None, 0.05, 0.1)),
        ("NONE", (50, 50), (None, None, None)),
        ("CENTIMETER", (0.5, 0.5), (None, None, None)),
        ("CENTIMETER", (28.35, 28.35), (None, None, None)),
        *(("INCH", (dpi, dpi), (None, None, None)) for dpi in (1, 72, 96, 100, 150, 200, 300, 600, 1200)),
    ],
)
def test_resolution_tags(tmp_path: Path, unit: str, per_unit: tuple[float, float], expected: tuple[Any, ...]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", counts(8, 10), resolution=per_unit, resolutionunit=unit)
    stack = read_stack(tmp_path / "a.tif")
    assert stack.spacing_mm == pytest.approx(expected)
    ignored = any("was ignored; pass pixel_size_mm" in note for note in stack.notes)
    assert ignored == (expected[1] is None and unit != "NONE")


def test_the_caller_overrides_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    metadata = {"axes": "ZYX", "unit": "mm", "spacing": 3.0}
    tifffile.imwrite(path, counts(3, 8, 10), imagej=True, resolution=(10, 10), metadata=metadata)
    assert read_stack(path).spacing_mm == pytest.approx((3.0, 0.1, 0.1))
    assert read_stack(path, pixel_size_mm=0.2).spacing_mm == (3.0, 0.2, 0.2)
    assert read_stack(path, pixel_size_mm=(0.2, 0.3), slice_spacing_mm=1).spacing_mm == (1.0, 0.2, 0.3)
    assert read_stack(path, exposure_ms=40).exposure_ms == 40.0
    assert read_stack(path, axes="TYX").spacing_mm == pytest.approx((None, 0.1, 0.1))
    with pytest.raises(InputError, match='Slices need axes="ZYX"'):
        read_stack(path, axes="TYX", slice_spacing_mm=1)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), "x", (0.1, 0.0)])
@pytest.mark.parametrize("option", ["pixel_size_mm", "slice_spacing_mm", "exposure_ms"])
def test_sizes_that_are_none(tmp_path: Path, option: str, bad: Any) -> None:
    np.save(tmp_path / "a.npy", counts(2, 4, 6))
    with pytest.raises(UnitError, match="positive, finite"):
        read_stack(tmp_path / "a.npy", axes="ZYX", **{option: bad})


@pytest.mark.parametrize(
    ("times", "unit", "expected"),
    [([0.02, 0.02], "s", 20.0), ([20.0, 20.0], "ms", 20.0), ([0.02, 0.03], "s", None)],
)
def test_exposure_from_ome(tmp_path: Path, times: list[float], unit: str, expected: float | None) -> None:
    plane = {"ExposureTime": times, "ExposureTimeUnit": [unit] * 2}
    tifffile.imwrite(tmp_path / "a.ome.tif", counts(2, 8, 10), metadata={"axes": "TYX", "Plane": plane})
    stack = read_stack(tmp_path / "a.ome.tif")
    assert stack.exposure_ms == (None if expected is None else pytest.approx(expected))
    assert any(note.startswith("exposure") for note in stack.notes)


def test_exposure_of_each_channel(tmp_path: Path) -> None:
    plane = {"ExposureTime": [0.02, 0.02, 0.05, 0.05], "TheC": [0, 0, 1, 1], "TheT": [0, 1, 0, 1], "TheZ": [0] * 4}
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, counts(2, 2, 8, 10), photometric="minisblack", metadata={"axes": "CTYX", "Plane": plane})
    assert [read_stack(path, channel=c).exposure_ms for c in (0, 1)] == pytest.approx([20.0, 50.0])
    # the caller's axes need not be the file's, so its channels are not trusted either
    assert read_stack(path, axes="TCYX", channel=1).exposure_ms is None
    assert read_stack(path, channel=1, exposure_ms=7).exposure_ms == 7.0
