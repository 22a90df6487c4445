"""Room 1: raw counts to calibrated signal with a validity mask and a variance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyicg import _core
from pyicg._threads import check_threads
from pyicg.errors import InputError
from pyicg.frame import positive
from pyicg.results import BoolArray, CalibratedFrame

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
    unit: str | None = None,
    variance: bool = True,
    exclude: BoolArray | None = None,
    ambient: CalibratedFrame | None = None,
    threads: int = 1,
) -> CalibratedFrame:
    r"""Turn one raw frame into calibrated signal.

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
    unit : {"DN/ms", "e/ms", "nM", "DN", "e"}, optional
        Unit of the data: counts or electrons per millisecond, or nM of ICG. ``"DN"`` and ``"e"`` are for frames
        without any exposure. Left out: ``"DN/ms"``, or ``"DN"`` where neither frame nor profile tells an exposure.
    variance : bool
        Give the variance of every pixel where the profile knows gain and read noise (else it is None). False: skip it.
    exclude : ndarray of bool, shape (H, W), optional
        True: set bit 8, so that statistics leave the pixel out and no bad pixel is repaired from it.
    ambient : CalibratedFrame, optional
        The same scene with the lamp off, calibrated with the same profile to the same unit. It is taken off; variances
        add; its bits 1, 8, 16 and 64 are taken over. Its exposure may be another one where the unit is a rate.
    threads : int
        Worker threads; the bits do not depend on it.

    Returns
    -------
    CalibratedFrame
        Data, validity mask, variance and unit.

    Raises
    ------
    InputError
        Wrong dtype, byte order or shape; counts over the profile's full scale; an ambient frame of another profile,
        unit or shape, or without the variance that is asked for; `out` in the memory of an input; threads that are no
        whole number of at least 1.
    ProfileError
        A unit that needs what the profile does not know (gain, response, exposure).
    UnitError
        An exposure that is not positive, an unknown unit, or ``"DN"`` or ``"e"`` where an exposure is known.

    Notes
    -----
    All in float32, with t the exposure, :math:`t_0` the profile's, g the gain over the profile's,
    :math:`10^{(G - G_0)/20}`, L the profile's linearity (cubic or table), f its flat and a the ambient frame:

    .. math:: x = y - d - \dot d\,(g t - t_0), \qquad u = L(x), \qquad s = \frac{q\,u}{f\,t\,g} - a

    q is 1 for DN, 1/K for electrons (K: ``gain_dn_per_e``) and the response for nM. The variance is

    .. math:: \sigma_s^2 = \left[g K u + (\sigma_r^2 + \sigma_d^2(t))\,L'(x)^2\right]
              \left(\frac{q}{f\,t\,g}\right)^2 + \left(\frac{q\,u}{f\,t\,g}\,\sigma_f\right)^2 + \sigma_a^2

    The bracket is the photon transfer relation of EMVA 1288 Release 4.0 Linear, carried through the linearity to first
    order: the shot noise arises before the bend of the curve, the read noise after it. It is never less than rounding
    to whole counts makes, 1/12 DN^2. Read noise :math:`\sigma_r` is that of the profile's exposure, plus the shot noise
    :math:`K \dot d\,(t - t_0)` of more or less dark current; it is taken to follow the gain but for that rounding.
    :math:`\sigma_d(t)` is the standard error of the dark map, for a fitted line
    :math:`\sigma_d^2 (1 + ((t - \bar t)/s_t)^2)`, and :math:`\sigma_f` that of the flat map. Both are the same in every
    frame: averaging frames does not make them smaller.

    Bad pixels take the median of their valid neighbours (bit 32) or stay NaN (bit 4). An exposure outside the
    profile's calibrated range sets bit 16 on every pixel, and statistics then leave them out.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> raw = np.array([[100, 200], [300, 4095]], dtype=np.uint16)
    >>> profile = pyicg.CameraProfile.identity((2, 2), bit_depth=12)
    >>> cal = pyicg.calibrate(raw, profile, exposure_ms=10)
    >>> cal.data.tolist(), cal.unit
    ([[10.0, 20.0], [30.0, 409.5]], 'DN/ms')
    >>> cal.mask.tolist()
    [[0, 0], [0, 1]]

    A lamp-off frame of twice the exposure, and one pixel that shall not count:

    >>> dark_room = pyicg.calibrate(np.full((2, 2), 40, np.uint16), profile, exposure_ms=20)
    >>> left_out = np.array([[False, True], [False, False]])
    >>> cal = pyicg.calibrate(raw, profile, exposure_ms=10, ambient=dark_room, exclude=left_out)
    >>> cal.data.tolist(), cal.mask.tolist()
    ([[8.0, 18.0], [28.0, 407.5]], [[0, 8], [0, 1]])

    Electrons, where the gain is known:

    >>> known = pyicg.CameraProfile(camera="c", shape=(2, 2), bit_depth=12, gain_dn_per_e=0.5, read_noise_dn=2.0)
    >>> cal = pyicg.calibrate(raw, known, exposure_ms=10, unit="e/ms")
    >>> cal.data[0].tolist(), cal.variance[0].tolist(), cal.unit  # (100 / 0.5 + (2 / 0.5)^2) / 10^2 in the first pixel
    ([20.0, 40.0], [2.1600000858306885, 4.160000324249268], 'e/ms')
    """
    if exposure_ms is not None:
        positive(exposure_ms, "exposure_ms")
    check_threads(threads)
    data, mask, found_variance, found_unit, used_ms, offset, step = _core.calibrate(
        frame,
        profile.core,
        exposure_ms=math.nan if exposure_ms is None else exposure_ms,
        gain_db=math.nan if gain_db is None else gain_db,
        out=out,
        unit=unit,
        variance=variance,
        exclude=_as_bytes(exclude),
        ambient=_parts(ambient, profile),
        threads=threads,
    )
    return CalibratedFrame(
        data=data,
        mask=mask,
        variance=found_variance,
        unit=found_unit,
        offset=offset,
        step=step,
        calibrated=profile.calibrated,
        profile_digest=profile.digest,
        exposure_ms=None if math.isnan(used_ms) else used_ms,
    )


def _as_bytes(exclude: BoolArray | None) -> Any:
    """View a bool mask as bytes, without a copy."""
    if exclude is None:
        return None
    if not isinstance(exclude, np.ndarray) or exclude.dtype != np.bool_:
        found = f"{exclude.dtype} array" if isinstance(exclude, np.ndarray) else type(exclude).__name__
        raise InputError(f"exclude must be a bool array (True = leave out), found {found}; write exclude.astype(bool)")
    return exclude.view(np.uint8)


def _parts(ambient: CalibratedFrame | None, profile: CameraProfile) -> Any:
    """Check where an ambient frame comes from and take it apart for the core, which compares shape and unit."""
    if ambient is None:
        return None
    if not isinstance(ambient, CalibratedFrame):
        raise InputError(
            f"ambient must be a CalibratedFrame, found {type(ambient).__name__}; calibrate the lamp-off frame first"
        )
    if ambient.profile_digest != profile.digest:
        raise InputError(
            f"the ambient frame was calibrated with profile {ambient.profile_digest[:12] or 'unknown'}, the frame "
            f"with {profile.digest[:12]}; calibrate both with one profile"
        )
    return ambient.data, ambient.mask, ambient.variance, ambient.unit
