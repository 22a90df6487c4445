"""Bad input: every file that must not be read says what is wrong, where, and what to do."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pyicg import InputError, read_stack

Array = np.ndarray[Any, Any]


def counts(*shape: int, dtype: str = "uint16") -> Array:
    return (np.arange(np.prod(shape)) * 7 % 251 + 1).reshape(shape).astype(dtype)


def write_pages(path: Path, pages: list[Array] | Array, **options: Any) -> Path:
    with tifffile.TiffWriter(path) as tif:
        for page in pages:
            tif.write(page, contiguous=False, metadata=None, photometric="minisblack", **options)
    return path


def refused(path: Any, match: str, **options: Any) -> None:
    with pytest.raises(InputError, match=match) as caught:
        read_stack(path, **options)
    if isinstance(path, Path):
        assert path.name in str(caught.value)


def set_tag(path: Path, name: str, value: Any, page: int = 0) -> None:
    with tifffile.TiffFile(path, mode="r+") as tif:
        found = tif.pages[page]
        assert isinstance(found, tifffile.TiffPage)
        found.tags[name].overwrite(value)


def test_missing_empty_and_foreign_files(tmp_path: Path) -> None:
    refused(tmp_path / "none.tif", "no such file")
    refused(f"{tmp_path}/*.png", "no file matches this pattern")
    refused([], "list of files is empty")
    (tmp_path / "empty.tif").touch()
    refused(tmp_path / "empty.tif", "0 bytes")
    (tmp_path / "text.tif").write_text("not an image")
    refused(tmp_path / "text.tif", "begins with b'not an i'.*Expected a TIFF, PNG or .npy")
    Image.new("L", (4, 4)).save(tmp_path / "a.jpg")
    refused(tmp_path / "a.jpg", "not an image that can be read")


def test_folders_without_a_series(tmp_path: Path) -> None:
    refused(tmp_path, "found no files")
    (tmp_path / "log.txt").write_text("x")
    refused(tmp_path, r"without PNG or TIFF images; found log\.txt")
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.TIF", counts(4, 4))
    refused(tmp_path, "holds PNG and TIFF images")


def test_a_series_must_be_alike(tmp_path: Path) -> None:
    Image.fromarray(counts(4, 6, dtype="uint8")).save(tmp_path / "a.png")
    Image.fromarray(counts(4, 7, dtype="uint8")).save(tmp_path / "b.png")
    refused(tmp_path, r"b\.png, page 0: \(4, 7\) pixels, but .*a\.png, page 0 has \(4, 6\)")
    Image.fromarray(counts(4, 6)).save(tmp_path / "b.png")
    refused(tmp_path, "dtype uint16, but .* has uint8")
    write_pages(tmp_path / "c.tif", counts(3, 4, 6, dtype="uint8"))
    refused([tmp_path / "a.png", tmp_path / "c.tif"], r"c\.tif: holds 3 frames, but a series takes one per file")


def test_png_kinds_that_would_change_silently(tmp_path: Path) -> None:
    Image.new("P", (4, 4)).save(tmp_path / "palette.png")
    refused(tmp_path / "palette.png", "palette image")
    Image.new("1", (4, 4)).save(tmp_path / "bits.png")
    refused(tmp_path / "bits.png", "1-bit PNG cannot be used")
    frames = [Image.new("L", (4, 4), value) for value in (1, 2)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    refused(tmp_path / "moving.png", "animated PNG of 2 frames", channel=0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + bytes(12))) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    refused(tmp_path / "deep.png", "3 channels of 16 bits, which would be cut to 8", channel=0)


def test_damaged_png(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 65536, (64, 64), dtype=np.uint16)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:20])
    refused(path, "cannot be read as PNG")
    path.write_bytes(whole[: len(whole) // 2])
    stack = read_stack(path)
    with pytest.raises(InputError, match=r"a\.png, page 0: cannot be decoded"):
        stack[0]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{}, {}], dtype=object), "objects are not unpickled"),
        (counts(4, 6, dtype="int32"), "dtype int32 cannot be used"),
        (counts(6), r"shape \(6,\) holds no image"),
        (counts(0, 4, 6), "holds no image|cannot be mapped"),
        (np.asfortranarray(counts(3, 4, 6)), "Fortran order.*ascontiguousarray"),
        (counts(2, 3, 4, 6), 'has axes the file does not name.*axes="CZYX"'),
    ],
)
def test_npy_that_cannot_be_used(tmp_path: Path, array: Array, message: str) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    refused(tmp_path / "a.npy", message)


def test_truncated_npy(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, counts(3, 4, 6))
    path.write_bytes(path.read_bytes()[:-1])
    refused(path, "cannot be mapped")


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "float64", "bool", "float16", "complex64"])
def test_dtypes_of_tiff(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", counts(16, 16, dtype=dtype))
    refused(tmp_path / "a.tif", f"page 0: dtype {dtype} cannot be used; expected uint8, uint16 or float32.*astype")


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}], ids=str)
@pytest.mark.parametrize("bigtiff", [False, True])
def test_pages_cut_anywhere_are_never_zeros_nor_fewer(tmp_path: Path, options: dict[str, Any], bigtiff: bool) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as tif:
        for page in counts(9, 20, 24):
            tif.write(page, contiguous=False, metadata=None, photometric="minisblack", **options)
    whole = path.read_bytes()
    assert len(read_stack(path)) == 9
    for size in {*range(8, len(whole), 61), len(whole) - 1, len(whole) - 2}:
        path.write_bytes(whole[:size])
        refused(path, "truncated|cut short|holds no pages")


@pytest.mark.parametrize(
    "options",
    [{"imagej": True}, {"imagej": True, "byteorder": "<"}, {}, {"ome": True}, {"bigtiff": True}],
    ids=str,
)
def test_contiguous_stacks_cut_anywhere(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "a.tif"
    data = counts(9, 20, 24)
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": "TYX"}, **options)
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as tif:
        ends = [page.dataoffsets[0] + 960 for page in tif.pages]
        values = [tag.valueoffset + tag.valuebytecount for tag in tif.pages.first.tags]
        needed = max(*ends, *values, (tif.pages.next_page_offset or 0) + tif.tiff.offsetsize)
    assert needed > len(whole) - 40  # what may follow is padding that no tag points to
    for size in {*range(8, needed, 97), *range(needed - 9, needed)}:
        path.write_bytes(whole[:size])
        refused(path, "truncated|cut short|holds no pages")
    path.write_bytes(whole[:needed])
    np.testing.assert_array_equal(list(read_stack(path)), data)


def test_truncated_message_names_page_and_sizes(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "a.tif", counts(3, 20, 24))
    with tifffile.TiffFile(path) as tif:
        end = tif.pages[2].dataoffsets[0] + 20 * 24 * 2
    assert end == path.stat().st_size
    path.write_bytes(path.read_bytes()[:-10])
    refused(path, rf"a\.tif, page 2: truncated: the data end at byte {end}, the file at byte {end - 10}")


def test_imagej_header_that_names_more_images(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    header = "ImageJ=1.53t\nimages=10\nmin=0\n"
    tifffile.imwrite(path, counts(20, 24), metadata=None, description=header)
    refused(path, "cut short or damaged: ImageJ's header names 10 images, the file holds 1")


def test_metadata_that_name_more_pages_than_there_are(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "a.tif", counts(3, 20, 24))
    for shape, match in [((2, 20, 24), "separate images|damaged"), ((5, 20, 24), "name 5 images.*holds 3|damaged")]:
        with tifffile.TiffWriter(path) as tif:
            for number, page in enumerate(counts(3, 20, 24)):
                text = f'{{"shape": {list(shape)}}}' if number == 0 else None
                tif.write(page, contiguous=False, metadata=None, photometric="minisblack", description=text)
        refused(path, match)


@pytest.mark.parametrize("place", [1, 5, 11])
def test_one_page_of_another_size(tmp_path: Path, place: int) -> None:
    pages = list(counts(12, 20, 24))
    pages[place] = counts(20, 25)
    write_pages(tmp_path / "a.tif", pages, compression="zlib")
    refused(tmp_path / "a.tif", rf"page {place}: has shape \(20, 25\), but page 0 has \(20, 24\)")
    pages[place] = counts(20, 24, dtype="uint8")
    write_pages(tmp_path / "a.tif", pages)
    refused(tmp_path / "a.tif", rf"page {place}: has dtype uint8, but page 0 has uint16")


def test_strip_that_was_never_written(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "a.tif", counts(2, 20, 24), rowsperstrip=5, compression="zlib")
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[1]
        assert isinstance(page, tifffile.TiffPage)
        values = list(page.databytecounts)
    values[2] = 0
    set_tag(path, "StripByteCounts", values, page=1)
    refused(path, "page 1: a strip or tile was never written; a missing part is not zero")


def test_too_few_bytes_for_the_image(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "a.tif", counts(2, 20, 24))
    set_tag(path, "StripByteCounts", 100)
    refused(path, "page 0: damaged: 100 bytes for an image of 960")


def test_damaged_compressed_page_is_named_when_read(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "a.tif", counts(3, 20, 24), compression="zlib")
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[1].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[offset : offset + 20] = bytes(20)
    path.write_bytes(data)
    stack = read_stack(path)
    np.testing.assert_array_equal(stack[2], counts(3, 20, 24)[2])
    with pytest.raises(InputError, match=r"a\.tif, page 1: cannot be decoded"):
        stack[1]


def test_file_that_shrinks_after_opening(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "a.tif", counts(3, 20, 24))
    stack = read_stack(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"page 2: the file ends after 475 of 480 values"):
        stack[2]
    path.unlink()
    with pytest.raises(InputError, match=r"page 0: cannot be read"):
        stack[0]


def test_missing_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pages(tmp_path / "a.tif", counts(1, 20, 24))
    set_tag(path, "Compression", 5)

    class NoCodecs(dict[int, Any]):
        def __missing__(self, key: int) -> Any:
            raise KeyError(key)

    # the same whether or not imagecodecs happens to be installed
    monkeypatch.setattr(tifffile.TIFF, "DECOMPRESSORS", NoCodecs({1: bytes}))
    refused(path, r'page 0: compression LZW .*needs a codec that is not installed.*pip install "pyicg\[codecs\]"')

    packed = write_pages(tmp_path / "b.tif", counts(1, 20, 24))
    set_tag(packed, "BitsPerSample", 12)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    refused(packed, r'page 0: samples packed to 12 bits need a codec.*pip install "pyicg\[codecs\]"')


def test_kinds_of_tiff_that_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "p.tif",
        counts(16, 16, dtype="uint8"),
        photometric="palette",
        colormap=np.zeros((3, 256), np.uint16),
    )
    refused(tmp_path / "p.tif", "palette image")
    tifffile.imwrite(tmp_path / "v.tif", counts(16, 16, 16), volumetric=True, tile=(16, 16, 16))
    refused(tmp_path / "v.tif", "volume of 16 slices in one page")
    tifffile.imwrite(tmp_path / "tz.tif", counts(2, 3, 16, 16), imagej=True, metadata={"axes": "TZYX"})
    refused(tmp_path / "tz.tif", r"2 \(T\) x 3 \(Z\) frames.*split the file")
    with tifffile.TiffWriter(tmp_path / "two.tif") as tif:
        tif.write(counts(2, 16, 16), photometric="minisblack")
        tif.write(counts(3, 16, 16), photometric="minisblack")
    refused(tmp_path / "two.tif", "2 separate images or series")
    (tmp_path / "no.tif").write_bytes(b"II*\0\0\0\0\0")
    refused(tmp_path / "no.tif", "holds no pages")


def test_axes_and_channel_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, counts(3, 4, 16, 16), imagej=True, metadata={"axes": "ZCYX"})
    refused(path, r"holds 4 channels or colours.*channel=0 to 3")
    refused(path, "channel is 4, but the image holds 4", channel=4)
    refused(path, "channel is -1", channel=-1)
    refused(path, r"axes 'ZYX' name 3 dimensions, but the file holds \(3, 4, 16, 16\)", axes="ZYX")
    for axes in ("XY", "zyx", "TTYX", "QYX", "YXC", ""):
        with pytest.raises(InputError, match="axes are"):
            read_stack(path, axes=axes)
    tifffile.imwrite(path, counts(16, 16))
    refused(path, "channel is 1, but the image holds 1; expected 0", channel=1)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bytes_give_frames_of_the_right_kind_or_a_typed_error(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "a.tif"
    options: dict[str, Any] = data.draw(st.sampled_from([{}, {"imagej": True}, {"compression": "zlib"}]))
    tifffile.imwrite(path, counts(3, 12, 14), photometric="minisblack", **options)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, 400), min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        stack = read_stack(path)
        for frame in stack:
            assert frame.shape == stack.frame_shape
            assert frame.dtype == stack.dtype
    except InputError as error:
        assert "a.tif" in str(error)  # noqa: PT017
