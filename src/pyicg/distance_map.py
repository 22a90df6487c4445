"""Exact Euclidean distances from every pixel of a mask to its complement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg import _core
from pyicg.errors import InputError, UnitError
from pyicg.spacing import spacing_zyx

__all__ = ["distance_transform"]


def distance_transform(
    mask: npt.NDArray[Any], *, spacing: float | Sequence[float] = 1.0, threads: int = 1
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

    Returns
    -------
    ndarray of float32, shape of `mask`
        As `scipy.ndimage.distance_transform_edt`, rounded to float32 from exact squared distances in float64.

    Raises
    ------
    InputError
        Nothing is False (a ValueError too), wrong dtype or dimension, or fewer than one thread.
    UnitError
        A spacing that is not positive.

    Notes
    -----
    Lower envelopes of parabolas, one axis after the other (Felzenszwalb and Huttenlocher, Theory of Computing 8 (2012)
    415-428). A distance between pixel centres is no distance between surfaces: see `distance_to_surface`.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> pyicg.distance_transform(np.array([False, True, True, True]), spacing=0.5).tolist()
    [0.0, 0.5, 1.0, 1.5]
    """
    mask = np.asarray(mask)
    if mask.dtype not in (np.bool_, np.uint8):
        raise InputError(f"mask must be bool or uint8, found {mask.dtype}; write mask.astype(bool)")
    if not 1 <= mask.ndim <= 3 or mask.size == 0:
        raise InputError(f"mask must have one to three dimensions and at least one pixel, found shape {mask.shape}")
    if threads < 1:
        raise InputError(f"threads must be at least 1, found {threads}")
    steps = np.broadcast_to(spacing, mask.ndim) if np.ndim(spacing) == 0 else np.asarray(spacing)
    if len(steps) != mask.ndim:
        raise UnitError(f"spacing must be one number or one per axis ({mask.ndim}), found {len(steps)}")
    missing = 3 - mask.ndim
    volume = np.ascontiguousarray(mask).view(np.uint8).reshape((1,) * missing + mask.shape)
    all_steps = spacing_zyx((1.0,) * missing + tuple(float(step) for step in steps))
    return _core.distance_transform(volume, spacing=all_steps, threads=threads).reshape(mask.shape)
