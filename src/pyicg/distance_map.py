"""Exact Euclidean distances from every pixel of a mask to its complement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg import _core
from pyicg._threads import check_threads
from pyicg.errors import InputError, UnitError
from pyicg.spacing import spacing_zyx

__all__ = ["distance_transform", "distance_transform_slabs"]

_SLAB_PX = 2**22
_NOTHING_FALSE = (
    "no pixel of the mask is False, so there is nothing to measure the distance to; pass the mask whose True pixels "
    "are to be measured"
)


def distance_transform(
    mask: npt.NDArray[Any],
    *,
    spacing: float | Sequence[float] = 1.0,
    threads: int = 1,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Compute the exact Euclidean distance of every True pixel to the nearest False one, centre to centre.

    Parameters
    ----------
    mask : ndarray of bool or uint8, 1-D to 3-D
        Non-zero pixels are measured; zero pixels get 0.
    spacing : float or sequence of float
        Pixel size along each axis, in the unit wanted.
    threads : int
        Worker threads; the bits do not depend on it.
    out : ndarray of float32, shape of `mask`, optional
        Where the distances go, for example the map of the frame before: memory that is in use already is faster to
        write than new memory, most of all with several threads. By default a new array.

    Returns
    -------
    ndarray of float32, shape of `mask`
        As `scipy.ndimage.distance_transform_edt`, rounded to float32 from exact squared distances; `out` where given.

    Raises
    ------
    InputError
        Nothing is False (a ValueError too), wrong dtype or dimension, fewer than one thread, or an `out` that does not
        fit, is not contiguous and writable, or shares memory with `mask`. `out` is untouched then.
    UnitError
        A spacing that is not positive.

    Notes
    -----
    Pixels are counted along the first axis, then parabolas have their lower envelope along the others (Felzenszwalb and
    Huttenlocher, Theory of Computing 8 (2012) 415-428). Squared distances are integers where the spacings are whole
    multiples of one length, at most a thirty-second of the smallest, and float64 elsewhere. Beside the result it takes
    the memory of a plane or two per thread. A distance between pixel centres is no distance between surfaces: see
    `distance_to_surface`.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> pyicg.distance_transform(np.array([False, True, True, True]), spacing=0.5).tolist()
    [0.0, 0.5, 1.0, 1.5]
    """
    mask = np.asarray(mask)
    steps = _checked_steps(mask, (1, 2, 3), spacing, threads)
    missing = 3 - mask.ndim
    shape = (1,) * missing + mask.shape
    volume = np.ascontiguousarray(mask).view(np.uint8).reshape(shape)
    all_steps = spacing_zyx((1.0,) * missing + steps)
    distances = np.empty(mask.shape, np.float32) if out is None else _checked_out(out, mask)
    _core.distance_transform(volume, distances.reshape(shape), spacing=all_steps, threads=threads)
    return distances


def distance_transform_slabs(
    mask: Any, out: Any, *, spacing: float | Sequence[float] = 1.0, slab: int | None = None, threads: int = 1
) -> None:
    """Compute `distance_transform` of a mask that does not fit in memory, slab by slab, into an array of the caller's.

    Parameters
    ----------
    mask : array-like of bool or uint8, 2-D or 3-D
        Anything with `shape`, `dtype` and slices along its first axis: `numpy.memmap`, a dataset of h5py or zarr. Each
        slab is read twice.
    out : array-like of float32, shape of `mask`
        Where the distances go, for example a writable `numpy.memmap`. Each slab is written twice and read once.
    spacing : float or sequence of float
        Pixel size along each axis, in the unit wanted.
    slab : int, optional
        Planes (rows in 2-D) to a slab. By default about four million pixels.
    threads : int
        Worker threads; the bits do not depend on it.

    Raises
    ------
    InputError
        Nothing is False (a ValueError too), wrong dtype, dimension or shape, no plane to a slab, or fewer than one
        thread. That nothing is False is known only when all has been read: `out` is overwritten by then.
    UnitError
        A spacing that is not positive.

    Notes
    -----
    The same bits as `distance_transform`, whatever the slabs. The first reading counts the planes since the last False
    pixel, the second, from the end, those to the next one, and then finishes each plane by itself. The counts wait in
    `out`, so neither a temporary file nor a second volume is needed, on disk or in memory. Memory: 14 bytes for each
    pixel of a slab, and about 12 for each pixel of a plane and thread. When it fails or is interrupted, `out` holds
    counts and distances mixed, and nothing is left behind elsewhere.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> mask = np.ones((5, 2, 3), bool)
    >>> mask[0] = False
    >>> out = np.empty(mask.shape, np.float32)
    >>> pyicg.distance_transform_slabs(mask, out, spacing=(2.0, 0.5, 0.5), slab=2)
    >>> out[:, 0, 0].tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    steps = _checked_steps(mask, (2, 3), spacing, threads)
    shape = getattr(out, "shape", None)
    if shape is None or tuple(shape) != tuple(mask.shape) or out.dtype != np.float32:
        found = type(out).__name__ if shape is None else f"{out.dtype} of {tuple(shape)}"
        raise InputError(f"out must be float32 of shape {tuple(mask.shape)}, found {found}")
    depth, width = mask.shape[0], mask.shape[-1]
    height = mask.shape[1] if len(mask.shape) == 3 else 1
    all_steps = spacing_zyx(steps if len(mask.shape) == 3 else (steps[0], 1.0, steps[1]))
    planes = max(1, _SLAB_PX // (height * width)) if slab is None else slab
    if planes < 1:
        raise InputError(f"slab must be at least 1, found {planes}")

    slabs = [slice(first, min(first + planes, depth)) for first in range(0, depth, planes)]
    since = np.full((height, width), np.inf, np.float32)
    any_zero = False
    for part in slabs:
        pixels = _slab_bytes(mask, part)
        counts = np.empty(pixels.shape, np.float32)
        _core.count_slab(pixels, since, counts, threads=threads)
        out[part] = counts
        any_zero = any_zero or not pixels.all()
    if not any_zero:
        raise InputError(_NOTHING_FALSE)
    since.fill(np.inf)
    for part in reversed(slabs):
        counts = np.array(out[part], np.float32, order="C")
        _core.finish_slab(
            _slab_bytes(mask, part), since, counts, shape=(depth, height, width), spacing=all_steps, threads=threads
        )
        out[part] = counts


def _checked_out(out: npt.NDArray[np.float32], mask: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if not isinstance(out, np.ndarray) or out.dtype != np.float32 or out.shape != mask.shape:
        found = f"{out.dtype} of {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InputError(f"out must be a float32 array of shape {mask.shape}, found {found}")
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise InputError("out must be contiguous and writable; pass an array as numpy.empty makes it, not a view")
    if np.may_share_memory(out, mask):
        raise InputError("out shares memory with mask, which would be overwritten; pass another array")
    return out


def _checked_steps(
    mask: Any, dimensions: tuple[int, ...], spacing: float | Sequence[float], threads: int
) -> tuple[float, ...]:
    """Return one pixel size per axis of a mask that can be measured."""
    if not (hasattr(mask, "shape") and hasattr(mask, "dtype")):
        raise InputError(f"mask is a {type(mask).__name__}, expected an array of bool or uint8")
    shape = tuple(mask.shape)
    if mask.dtype not in (np.bool_, np.uint8):
        raise InputError(f"mask must be bool or uint8, found {mask.dtype}; write mask.astype(bool)")
    if len(shape) not in dimensions or math.prod(shape) == 0:
        words = {1: "one", 2: "two"}[dimensions[0]]
        raise InputError(f"mask must have {words} to three dimensions and at least one pixel, found shape {shape}")
    check_threads(threads)
    steps = np.broadcast_to(spacing, len(shape)) if np.ndim(spacing) == 0 else np.asarray(spacing)
    if steps.shape != (len(shape),) or steps.dtype.kind not in "iuf":
        raise UnitError(f"spacing must be one number or one per axis ({len(shape)}), found {spacing!r}")
    return tuple(float(step) for step in steps)


def _slab_bytes(mask: Any, part: slice) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(mask[part]).view(np.uint8)
