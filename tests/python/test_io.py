from __future__ import annotations

import csv
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pyicg import InputError, Stack, read_stack

Array = np.ndarray[Any, Any]


def counts(*shape: int, dtype: str = "uint16") -> Array:
    """Values that differ at every position modulo the range of the dtype."""
    return (np.arange(np.prod(shape)) * 7 % 251).reshape(shape).astype(dtype)


def assert_frames(stack: Stack, expected: Array) -> None:
    assert len(stack) == len(expected)
    for frame, truth in zip(stack, expected, strict=True):
        assert frame.dtype == truth.dtype.newbyteorder("=")
        assert frame.dtype.isnative
        assert frame.flags.c_contiguous
        np.testing.assert_array_equal(frame, truth)


def write_pages(path: Path, pages: Array, **options: Any) -> Path:
    with tifffile.TiffWriter(path) as tif:
        for page in pages:
            tif.write(page, contiguous=False, metadata=None, photometric="minisblack", **options)
    return path


# -- what is read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"imagej": True},
        {"imagej": True, "byteorder": ">"},
        {"ome": True},
        {"compression": "zlib"},
        {"compression": "zlib", "rowsperstrip": 5, "byteorder": ">"},
        {"compression": "zlib", "predictor": True, "photometric": "minisblack", "rowsperstrip": 5},
        {"tile": (16, 16)},
        {"tile": (16, 16), "compression": "zlib", "ome": True},
        {"rowsperstrip": 3},
    ],
    ids=str,
)
def test_every_kind_of_tiff_gives_back_its_pixels(tmp_path: Path, dtype: str, options: dict[str, Any]) -> None:
    if options.get("predictor") and dtype == "float32":
        options = {**options, "predictor": False}
    data = counts(6, 21, 35, dtype=dtype)
    path = tmp_path / ("a.ome.tif" if "ome" in options else "a.tif")
    tifffile.imwrite(path, data, **{"photometric": "minisblack", **options}, metadata={"axes": "TYX"})
    stack = read_stack(path)
    assert (stack.axes, stack.shape, stack.frame_shape, stack.dtype) == ("TYX", (6, 21, 35), (21, 35), dtype)
    assert stack.bit_depth == {"uint8": 8, "uint16": 16, "float32": None}[dtype]
    assert stack.source == str(path)
    foreign = any("byte order" in note for note in stack.notes)
    assert foreign == ("byteorder" in options and dtype != "uint8" and sys.byteorder == "little")
    assert_frames(stack, data)


def test_a_single_page_is_one_frame(tmp_path: Path) -> None:
    data = counts(9, 11)
    tifffile.imwrite(tmp_path / "a.tif", data)
    stack = read_stack(tmp_path / "a.tif")
    assert (len(stack), stack.axes, stack.shape) == (1, "YX", (9, 11))
    assert_frames(stack, data[np.newaxis])
    assert read_stack(tmp_path / "a.tif", axes="ZYX").shape == (1, 9, 11)


def test_pages_written_one_by_one_are_time_unless_told(tmp_path: Path) -> None:
    data = counts(12, 9, 11)
    path = write_pages(tmp_path / "a.tif", data)
    stack = read_stack(path)
    assert stack.axes == "TYX"
    assert any("does not name its frames" in note for note in stack.notes)
    assert_frames(stack, data)
    told = read_stack(path, axes="ZYX")
    assert (told.axes, told.notes) == ("ZYX", ())
    implied = read_stack(path, slice_spacing_mm=2)
    assert (implied.axes, implied.spacing_mm) == ("ZYX", (2.0, None, None))


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_imagej_hyperstack_with_one_directory(tmp_path: Path, byteorder: str) -> None:
    # as ImageJ writes stacks over 4 GB: one page, then the data of all frames
    data = counts(5, 2, 13, 17)
    path = tmp_path / "a.tif"
    header = "ImageJ=1.53t\nimages=10\nchannels=2\nslices=5\nhyperstack=true\n"
    tifffile.imwrite(path, data[0, 0], byteorder=byteorder, metadata=None, description=header)
    with tifffile.TiffFile(path) as tif:
        start = tif.pages.first.dataoffsets[0]
    path.write_bytes(path.read_bytes()[:start] + data.astype(f"{byteorder}u2").tobytes())
    stack = read_stack(path, channel=1)
    assert stack.axes == "ZYX"
    assert_frames(stack, data[:, 1])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="cut short or damaged: ImageJ's header names 10 images, the file holds 1"):
        read_stack(path, channel=1)


def test_stack_with_one_page_and_the_data_of_all(tmp_path: Path) -> None:
    data = counts(5, 13, 17)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, truncate=True, photometric="minisblack", metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as tif:
        assert len(tif.pages) == 1
    assert_frames(read_stack(path), data)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match="truncated"):
        read_stack(path)


def test_channels_and_colours_are_picked(tmp_path: Path) -> None:
    data = counts(3, 4, 16, 20)
    tifffile.imwrite(tmp_path / "c.ome.tif", data, ome=True, metadata={"axes": "CTYX"}, photometric="minisblack")
    assert_frames(read_stack(tmp_path / "c.ome.tif", channel=2), data[2])
    assert_frames(read_stack(tmp_path / "c.ome.tif", axes="TCYX", channel=3), data[:, 3])
    rgb = counts(4, 16, 20, 3, dtype="uint8")
    for name, options in [("raw", {}), ("zip", {"compression": "zlib"})]:
        tifffile.imwrite(tmp_path / f"{name}.tif", rgb, photometric="rgb", **options)
        assert_frames(read_stack(tmp_path / f"{name}.tif", channel=1), rgb[..., 1])
    planar = counts(3, 16, 20)
    for name, options in [("raw", {}), ("zip", {"compression": "zlib"})]:
        tifffile.imwrite(tmp_path / f"p{name}.tif", planar, photometric="rgb", planarconfig="separate", **options)
        assert_frames(read_stack(tmp_path / f"p{name}.tif", channel=2), planar[2:])


def test_ome_order_of_pages_and_files_is_followed(tmp_path: Path) -> None:
    data = counts(4, 8, 9)
    path = tmp_path / "a.ome.tif"
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYZCT" Type="uint16" SizeX="9" SizeY="8" SizeZ="4" SizeC="1" SizeT="1">'
        + "".join(f'<TiffData IFD="{ifd}" FirstZ="{z}" PlaneCount="1"/>' for z, ifd in enumerate([2, 0, 3, 1]))
        + "</Pixels></Image></OME>"
    )
    with tifffile.TiffWriter(path) as tif:
        for number, page in enumerate(data):
            tif.write(page, contiguous=False, metadata=None, description=xml if number == 0 else None)
    stack = read_stack(path)
    assert stack.axes == "ZYX"
    assert_frames(stack, data[[2, 0, 3, 1]])


def ome_set(folder: Path, data: Array) -> Path:
    """Write two files of two pages each that share one OME description."""
    blocks = "".join(
        f'<TiffData IFD="{z % 2}" FirstZ="{z}" PlaneCount="1"><UUID FileName="{z // 2}.ome.tif">u:{z // 2}</UUID>'
        "</TiffData>"
        for z in range(4)
    )
    for part in range(2):
        xml = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="u:{part}"><Image ID="Image:0">'
            '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="9" SizeY="8" SizeZ="4" SizeC="1" '
            f'SizeT="1">{blocks}</Pixels></Image></OME>'
        )
        with tifffile.TiffWriter(folder / f"{part}.ome.tif") as tif:
            for number, page in enumerate(data[2 * part : 2 * part + 2]):
                tif.write(page, contiguous=False, metadata=None, description=xml if number == 0 else None)
    return folder / "0.ome.tif"


def test_ome_set_over_two_files(tmp_path: Path) -> None:
    data = counts(4, 8, 9)
    path = ome_set(tmp_path, data)
    assert_frames(read_stack(path), data)
    (tmp_path / "1.ome.tif").unlink()
    with pytest.raises(InputError, match="frame 2 is in none of the files"):
        read_stack(path)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_png_alone_and_as_a_series(tmp_path: Path, dtype: str) -> None:
    data = counts(12, 7, 9, dtype=dtype)
    for number, frame in enumerate(data):
        Image.fromarray(frame).save(tmp_path / f"f{number}.png")
    (tmp_path / "notes.txt").write_text("left out")
    assert_frames(read_stack(tmp_path / "f3.png"), data[3:4])
    folder = read_stack(tmp_path)
    assert (folder.axes, folder.shape) == ("TYX", (12, 7, 9))
    assert any("notes.txt" in note for note in folder.notes)
    assert_frames(folder, data)  # natural order: f2 before f10
    assert_frames(read_stack(f"{tmp_path}/f1*.png"), data[[1, 10, 11]])
    listed = read_stack([tmp_path / "f5.png", tmp_path / "f2.png"], axes="ZYX", slice_spacing_mm=1.5)
    assert listed.spacing_mm == (1.5, None, None)
    assert_frames(listed, data[[5, 2]])


def test_colour_png_needs_a_channel(tmp_path: Path) -> None:
    data = counts(7, 9, 3, dtype="uint8")
    Image.fromarray(data).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: holds 3 channels or colours.*channel=0 to 2"):
        read_stack(tmp_path / "a.png")
    assert_frames(read_stack(tmp_path / "a.png", channel=1), data[np.newaxis, ..., 1])
    with pytest.raises(InputError, match="channel is 3, but the image holds 3"):
        read_stack([tmp_path / "a.png"], channel=3)


@pytest.mark.parametrize("dtype", ["uint8", "<u2", ">u2", "<f4", ">f4"])
def test_npy(tmp_path: Path, dtype: str) -> None:
    data = counts(5, 2, 7, 9, dtype=dtype)
    np.save(tmp_path / "a.npy", data[:, 0])
    assert_frames(read_stack(tmp_path / "a.npy"), data[:, 0])
    np.save(tmp_path / "b.npy", data)
    assert_frames(read_stack(tmp_path / "b.npy", axes="ZCYX", channel=1), data[:, 1])


# -- the stack -----------------------------------------------------------------------------------------------------


def test_stack_is_a_sequence() -> None:
    data = counts(10, 4, 6)
    stack = Stack.from_array(data, axes="ZYX", spacing_mm=(2.0, 0.1, 0.2), exposure_ms=20, bit_depth=12)
    assert np.shares_memory(stack[3], data)
    np.testing.assert_array_equal(stack[-1], data[9])
    assert stack[np.int64(2)][0, 0] == data[2, 0, 0]
    for index in (10, -11):
        with pytest.raises(IndexError):
            stack[index]
    with pytest.raises(TypeError):
        stack["a"]  # type: ignore[call-overload]
    part = stack[8:1:-3]
    assert (part.shape, part.spacing_mm, part.exposure_ms, part.bit_depth) == ((3, 4, 6), (6.0, 0.1, 0.2), 20.0, 12)
    assert_frames(part, data[8:1:-3])
    with pytest.raises(InputError, match="picks none of 10 frames"):
        stack[4:4]
    with stack:
        pass
    with pytest.raises(InputError, match="closed"):
        stack[0]
    assert_frames(part, data[8:1:-3])


@given(st.slices(9), st.slices(9))
def test_slices_of_slices_match_numpy(first: slice, second: slice) -> None:
    data = counts(9, 2, 3)
    expected = data[first]
    if len(expected) and len(expected[second]):
        assert_frames(Stack.from_array(data, axes="TYX")[first][second], expected[second])


def test_strided_arrays_give_contiguous_frames() -> None:
    data = counts(6, 8, 10)
    assert_frames(Stack.from_array(data[::-2, ::2, ::-1], axes="TYX"), data[::-2, ::2, ::-1])


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (counts(4, 6, dtype="int32"), {"axes": "YX"}, "dtype int32 cannot be used.*astype"),
        (counts(4, 6, dtype="float64"), {"axes": "YX"}, "dtype float64 cannot be used"),
        (counts(4, 6) > 9, {"axes": "YX"}, "dtype bool cannot be used"),
        (counts(4, 6, dtype=">u2"), {"axes": "YX"}, "foreign byte order.*newbyteorder"),
        (counts(4, 6), {"axes": "TYX"}, "need 3 dimensions"),
        (counts(2, 4, 6), {"axes": "CYX"}, "axes are 'CYX'"),
        (counts(0, 4, 6), {"axes": "TYX"}, "no pixels"),
        (counts(4, 6), {"axes": "YX", "bit_depth": 17}, "bit_depth is 17.*1 to 16"),
        (counts(4, 6), {"axes": "YX", "bit_depth": 0}, "bit_depth is 0"),
        (counts(4, 6), {"axes": "YX", "bit_depth": 12.0}, r"bit_depth is 12\.0"),
        ([[1, 2]], {"axes": "YX"}, "array is a list"),
    ],
)
def test_from_array_refuses(array: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Stack.from_array(array, **options)


def test_bit_depth_is_told_and_checked_never_guessed(tmp_path: Path) -> None:
    data = np.full((3, 5, 6), 4095, np.uint16)
    data[2, 1, 4] = 4096
    path = write_pages(tmp_path / "a.tif", data)
    assert read_stack(path).bit_depth == 16
    stack = read_stack(path, bit_depth=12)
    assert stack[1].max() == 4095
    with pytest.raises(InputError, match=r"a\.tif, page 2: found the value 4096, but bit_depth=12 allows at most 4095"):
        stack[2]
    floats = np.array([[np.nan, np.inf, 4095.0]], np.float32)
    assert np.isnan(Stack.from_array(floats, axes="YX", bit_depth=12)[0][0, 0])
    assert Stack.from_array(floats, axes="YX").bit_depth is None


def test_frames_from_several_threads(tmp_path: Path) -> None:
    data = counts(64, 32, 48)
    for name, options in [("raw", {}), ("zip", {"compression": "zlib"})]:
        path = write_pages(tmp_path / f"{name}.tif", data, **options)
        stack = read_stack(path)
        order = [number * 37 % 64 for number in range(512)]
        with ThreadPoolExecutor(8) as pool:
            for number, frame in zip(order, pool.map(stack.__getitem__, order), strict=True):
                np.testing.assert_array_equal(frame, data[number])


@pytest.mark.skipif(sys.platform == "win32", reason="sparse files and peak memory are read the POSIX way")
@pytest.mark.parametrize("kind", ["tif", "npy"])
def test_a_stack_larger_than_memory(tmp_path: Path, kind: str) -> None:
    import resource

    frames, height, width = 3000, 1000, 1000  # 6 GB of uint16, of which nothing but two pixels is written
    path = tmp_path / f"big.{kind}"
    if kind == "npy":
        with path.open("wb") as file:
            np.lib.format.write_array_header_2_0(
                file, {"descr": "<u2", "fortran_order": False, "shape": (frames, height, width)}
            )
            start = file.tell()
    else:
        array = tifffile.memmap(
            path,
            shape=(frames, height, width),
            dtype="uint16",
            bigtiff=True,
            truncate=True,
            photometric="minisblack",
        )
        start = array.offset
        del array
    size = frames * height * width * 2
    with path.open("r+b") as file:
        file.truncate(start + size)
        file.seek(start)
        file.write(struct.pack("<H", 11))
        file.seek(start + size - 2)
        file.write(struct.pack("<H", 22))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stack = read_stack(path)
    assert stack.shape == (frames, height, width)
    assert (int(stack[0][0, 0]), int(stack[-1][-1, -1])) == (11, 22)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown / (1024 if sys.platform == "darwin" else 1) < 64 * 1024  # KiB
    with path.open("r+b") as file:
        file.truncate(start + size - 1)
    with pytest.raises(InputError, match=r"truncated|mapped"):
        read_stack(path)


def test_transfer(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", counts(4, 6))
    assert [read_stack(tmp_path / "a.npy", transfer=t).transfer for t in ("linear", "srgb", None)] == [
        "linear",
        "srgb",
        None,
    ]
    with pytest.raises(InputError, match="transfer is 'gamma'"):
        read_stack(tmp_path / "a.npy", transfer="gamma")


# -- real images ---------------------------------------------------------------------------------------------------


def test_real_tiff_images(shared_data: Path) -> None:
    quel = sorted((shared_data / "quel").glob("*.tif"))
    exposures = sorted((shared_data / "exposure_series").glob("*.tif"))
    assert (len(quel), len(exposures)) == (6, 42)
    for path in quel + exposures:
        stack = read_stack(path)
        assert (stack.axes, stack.dtype, stack.spacing_mm) == ("YX", "uint8", (None, None, None))
        np.testing.assert_array_equal(stack[0], tifffile.imread(path))
        assert any("was ignored" in note for note in stack.notes) == (path in exposures)


def test_real_exposure_series_is_one_stack(shared_data: Path) -> None:
    stack = read_stack(shared_data / "exposure_series" / "d1_disks*.tif", exposure_ms=25)
    assert stack.shape == (7, 344, 408)
    for frame, ms in zip(stack, (25, 50, 100, 250, 500, 2000, 3916), strict=True):
        (path,) = (shared_data / "exposure_series").glob(f"d1_disks*_{ms}ms_*.tif")
        np.testing.assert_array_equal(frame, tifffile.imread(path))


def test_real_spheroids_by_channel(shared_data: Path) -> None:
    with (shared_data / "spheroids" / "truth.csv").open() as file:
        assert len(list(csv.DictReader(file))) > 0
    paths = sorted((shared_data / "spheroids").glob("*.tif"))
    assert len(paths) == 3
    for path in paths:
        stack = read_stack(path, axes="CYX", channel=2)
        assert stack.shape == (1024, 1024)
        np.testing.assert_array_equal(stack[0], tifffile.imread(path)[2])


def test_real_png_images(shared_data: Path) -> None:
    mice = read_stack(shared_data / "nir_mouse")
    assert (mice.shape, mice.dtype, mice.bit_depth) == ((3, 512, 640), "uint8", 8)
    plants = [read_stack(shared_data / "plantcv" / f"FLUO_TV_{name}.png") for name in ("dark", "max", "min")]
    assert [(p.shape, p.dtype.name, int(p[0].max())) for p in plants] == [
        ((1038, 1388), "uint16", top) for top in (1776, 43000, 30520)
    ]


def test_real_emva_series(shared_data: Path) -> None:
    images = shared_data / "emva1288_set001" / "images"
    dark = read_stack(images / "d_s_*.png", bit_depth=12)
    assert dark.shape == (17, 480, 640)
    assert np.mean([frame.mean() for frame in dark]) == pytest.approx(14.75, abs=0.1)
    whole = read_stack(images, bit_depth=12)
    assert max(int(frame.max()) for frame in whole) == 4095
    assert any("gamma 0.45455" in note for note in whole.notes)
