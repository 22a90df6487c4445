"""Room 1: raw counts to calibrated signal with a validity mask."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyicg import _core
from pyicg.frame import positive
from pyicg.results import CalibratedFrame

if TYPE_CHECKING:
    from pyicg.profile import CameraProfile

__all__ = ["calibrate"]


def calibrate(
    frame: npt.NDArray[Any],
    profile: CameraProfile,
    *,
    exposure_ms: float | None = None,
    gain_db: float | None = None,
    out: npt.NDArray[np.float32] | None = None,
) -> CalibratedFrame:
    """Turn one raw frame into calibrated signal.

    Parameters
    ----------
    frame : ndarray of uint8, uint16 or float32, shape (H, W)
        Raw counts in native byte order. Rows may have any stride, also a negative one; read-only is fine.
    profile : CameraProfile
        The camera's profile; `CameraProfile.identity` where there is none.
    exposure_ms : float, optional
        Exposure of this frame. Left out: the exposure the profile was measured at.
    gain_db : float, optional
        Camera gain of this frame. Left out: the gain of the profile.
    out : ndarray of float32, shape (H, W), optional
        Array that receives the data.

    Returns
    -------
    CalibratedFrame
        Data in DN/ms, or in DN where neither frame nor profile tells an exposure.

    Raises
    ------
    InputError
        Wrong dtype, byte order or shape, or counts over the profile's full scale.
    UnitError
        An exposure that is not positive.

    Notes
    -----
    With x = raw - dark the signal is ``(c1 x + c2 x^2 + c3 x^3) / flat / exposure / gain``, in float32. Bad pixels take
    the median of their valid neighbours (bit 32) or stay NaN (bit 4). An exposure outside the profile's calibrated
    range sets bit 16 on every pixel, and statistics then leave them out. The variance, where gain K and read noise are
    known, is ``(K x + read noise^2) (d signal / d raw)^2`` (the photon transfer relation of EMVA 1288 Release 4.0).

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> raw = np.array([[100, 200], [300, 4095]], dtype=np.uint16)
    >>> cal = pyicg.calibrate(raw, pyicg.CameraProfile.identity((2, 2), bit_depth=12), exposure_ms=10)
    >>> cal.data.tolist(), cal.unit
    ([[10.0, 20.0], [30.0, 409.5]], 'DN/ms')
    >>> cal.mask.tolist()
    [[0, 0], [0, 1]]
    """
    if exposure_ms is not None:
        positive(exposure_ms, "exposure_ms")
    data, mask, variance, used_ms, offset, step = _core.calibrate(
        frame,
        profile.core,
        exposure_ms=math.nan if exposure_ms is None else exposure_ms,
        gain_db=math.nan if gain_db is None else gain_db,
        out=out,
    )
    known = not math.isnan(used_ms)
    return CalibratedFrame(
        data=data,
        mask=mask,
        variance=variance,
        unit="DN/ms" if known else "DN",
        offset=offset,
        step=step,
        calibrated=profile.calibrated,
        profile_digest=profile.digest,
        exposure_ms=used_ms if known else None,
    )
