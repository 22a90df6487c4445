"""Lazy readers: TIFF, PNG and .npy through one door, :func:`read_stack`."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError, UnitError
from ..frame import EXPOSURES_DIFFER, Stack, positive
from ._images import open_npy, open_png
from ._layout import ImageFile, choose
from ._series import folder_files, natural_order, open_series

__all__ = ["read_stack"]

TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
PNG_START = b"\x89PNG\r\n\x1a\n"
NPY_START = b"\x93NUMPY"

PathLike = str | os.PathLike[str]


def read_stack(
    path: PathLike | Sequence[PathLike],
    *,
    axes: str | None = None,
    channel: int | None = None,
    pixel_size_mm: float | tuple[float, float] | None = None,
    slice_spacing_mm: float | None = None,
    exposure_ms: float | None = None,
    bit_depth: int | None = None,
    transfer: str | None = "linear",
) -> Stack:
    """Open images as a lazy stack of 2-D frames.

    Headers and the place of every page are checked now, pixels are read frame by frame later. `stack.notes` records
    what was assumed, converted or ignored.

    Parameters
    ----------
    path : str, path or sequence of these
        A TIFF (2-D, multi-page, BigTIFF, OME-TIFF, ImageJ), PNG or ``.npy`` file; a folder of PNG or of TIFF files or
        a pattern such as ``"run1/*.png"``, taken in natural order; or a list of files, taken as listed. A series
        holds one image per file.
    axes : str, optional
        Axes of the file in order, letters of T, Z, C before ``"YX"``, such as ``"ZYX"`` or ``"CYX"``. Default: what the
        file says, and T for frames it does not name (Z when `slice_spacing_mm` is given).
    channel : int, optional
        Channel or colour to read, from 0. Required when there are several.
    pixel_size_mm : float or tuple (y, x), optional
        Pixel size in millimetres; overrides the file.
    slice_spacing_mm : float, optional
        Distance between slices in millimetres; overrides the file.
    exposure_ms : float, optional
        Exposure of every frame in milliseconds; overrides the file.
    bit_depth : int, optional
        Bits of the camera. Default: what the file packs, else 8 for uint8, 16 for uint16, none for float32. It is never
        guessed from pixel values, and a frame with a larger value raises InputError when it is read.
    transfer : {"linear", "srgb", None}, optional
        How pixel values follow the light; None when unknown.

    Returns
    -------
    Stack
        uint8, uint16 or float32 frames in native byte order.

    Raises
    ------
    InputError
        The file is missing, damaged, cut short, of an unsupported kind, or needs an option; the message names the file,
        the page (counted from 0) and the remedy.
    UnitError
        A size or exposure that is not positive and finite.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from pyicg import read_stack
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "slices.npy"
    ...     np.save(path, np.arange(24, dtype=np.uint16).reshape(2, 3, 4))
    ...     stack = read_stack(path, axes="ZYX", pixel_size_mm=0.1, slice_spacing_mm=2.0, bit_depth=12)
    ...     stack.shape, stack.spacing_mm, int(stack[1][0, 0])
    ((2, 3, 4), (2.0, 0.1, 0.1), 12)
    """
    if slice_spacing_mm is not None:
        slice_spacing_mm = positive(slice_spacing_mm, "slice_spacing_mm")
    pixel = None if pixel_size_mm is None else _pixel_size(pixel_size_mm)
    file, channel = _open(path, channel)
    choice = choose(file, axes=axes, channel=channel, slices=slice_spacing_mm is not None)
    notes = [*file.notes, *choice.notes]
    z, y, x = file.spacing_mm
    if choice.axes == "TYX":
        if slice_spacing_mm is not None:
            raise InputError(
                f'{file.path}: slice_spacing_mm is given, but the axes are "TYX" (time). Slices need axes="ZYX"'
            )
        z = None
    if slice_spacing_mm is not None:
        z = slice_spacing_mm
        notes.append("sizes: slice spacing given by the caller")
    if pixel is not None:
        y, x = pixel
        notes.append("sizes: pixel size given by the caller")
    if exposure_ms is not None:
        notes.append("exposure: given by the caller")
    elif file.exposures_ms:
        exposure_ms = file.exposure_ms(choice.channel, relabelled=axes is not None)
        notes.append("exposure: from the file" if exposure_ms else EXPOSURES_DIFFER)
    return Stack(
        choice.frames,
        axes=choice.axes,
        spacing_mm=(z, y, x),
        exposure_ms=exposure_ms,
        bit_depth=file.bit_depth if bit_depth is None else bit_depth,
        transfer=transfer,
        source=file.path,
        notes=tuple(notes),
    )


def _open(path: PathLike | Sequence[PathLike], channel: int | None) -> tuple[ImageFile, int | None]:
    """Open a file or a series; a series has its channel picked file by file, so none is left to pick."""
    if not isinstance(path, str | os.PathLike):
        paths = [os.fspath(one) for one in path]
        if not paths:
            raise InputError("the list of files is empty; name at least one image")
        name = paths[0] if len(paths) == 1 else f"{paths[0]} to {paths[-1]} ({len(paths)} files)"
        return open_series(paths, _open_file, name=name, channel=channel), None
    name = os.fspath(path)
    if Path(name).is_dir():
        paths, notes = folder_files(name)
        return open_series(paths, _open_file, name=name, channel=channel, notes=notes), None
    # a file whose own name holds brackets is a file, not a pattern
    if glob.has_magic(name) and not Path(name).exists():
        # Path.glob takes no absolute patterns
        paths = sorted((one for one in glob.glob(name) if Path(one).is_file()), key=natural_order)  # noqa: PTH207
        if not paths:
            raise InputError(f"{name}: no file matches this pattern")
        return open_series(paths, _open_file, name=name, channel=channel), None
    return _open_file(name), channel


def _open_file(path: str) -> ImageFile:
    try:
        with Path(path).open("rb") as file:
            start = file.read(8)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror})") from error
    if not start:
        raise InputError(f"{path}: the file is empty (0 bytes). Copy or export it again")
    if start.startswith(TIFF_STARTS):
        from ._tiff import open_tiff

        return open_tiff(path)
    if start.startswith(PNG_START):
        return open_png(path)
    if start.startswith(NPY_START):
        return open_npy(path)
    raise InputError(
        f"{path}: not an image that can be read: it begins with {start!r}. Expected a TIFF, PNG or .npy file"
    )


def _pixel_size(size: float | tuple[float, float]) -> tuple[float, float]:
    sizes = size if isinstance(size, tuple | list) else (size, size)
    if len(sizes) != 2:
        raise UnitError(f"pixel_size_mm is {size!r}; expected one number or (y, x)")
    return positive(sizes[0], "pixel_size_mm"), positive(sizes[1], "pixel_size_mm")
