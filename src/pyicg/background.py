"""Room 2, first half: the level of what does not glow, under a named policy, and how well it is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg import _core
from pyicg.distance_map import distance_transform
from pyicg.errors import InputError, UnitError
from pyicg.results import Background, BoolArray, CalibratedFrame, UncertaintyBudget

__all__ = ["POLICIES", "BackgroundSurface", "background_surface", "estimate_background"]

POLICIES = ("mode", "median", "percentile", "annulus", "distant", "surface", "mask")


def estimate_background(
    cal: CalibratedFrame,
    *,
    policy: str = "mode",
    mask: BoolArray | None = None,
    exclude: BoolArray | None = None,
    signal: BoolArray | None = None,
    guard_px: float | None = None,
    width_px: float | None = None,
) -> Background:
    r"""Estimate the background level of a frame under a named policy.

    Parameters
    ----------
    cal : CalibratedFrame
        Pixels whose mask holds any bit but 32 (repaired) are left out.
    policy : {"mode", "median", "percentile", "annulus", "distant", "surface", "mask"}
        ``mode``: centre of the densest part of the histogram of small tiles, robust to a bright lesion and to a dark
        drape; ``median``: after clipping at 3 sigma until nothing changes; ``percentile``: the 25th; ``annulus``: mean
        of a ring around `signal`; ``distant``: mode of what lies farther away than that ring; ``surface``: a quadratic
        surface through everything but `signal`, where the light is uneven, taken under `signal`; ``mask``: mean and
        standard deviation of `mask`.
    mask : ndarray of bool, shape (H, W), optional
        True: use this pixel. Needed by policy ``"mask"``; limits the others.
    exclude : ndarray of bool, shape (H, W), optional
        True: leave this pixel out.
    signal : ndarray of bool, shape (H, W), optional
        True on the lesion. Needed by ``annulus``, ``distant`` and ``surface``; the other policies do not look at it:
        pass it as `exclude` to leave it out.
    guard_px, width_px : float, optional
        Free space around the lesion, and width of the ring, pixels. Left out: a quarter (at least 3 px) and half (at
        least 5 px) of the lesion's equivalent radius :math:`\sqrt{A/\pi}`, an assumption of ours.

    Returns
    -------
    Background
        Level, spatial standard deviation of a pixel and standard error of the level, in ``cal.unit``. Fewer than 16
        valid pixels give NaN with reason ``too_few_pixels`` (or ``out_of_range``); a level within 1.96 standard errors
        of zero carries ``background_not_resolved``, one whose upper end is saturated ``background_saturated``.

    Raises
    ------
    InputError
        Unknown policy, masks of another shape or dtype, or a policy without the mask that it needs.
    UnitError
        A negative `guard_px` or a `width_px` that is not positive.

    Notes
    -----
    The standard error joins the noise of the pixels (from ``cal.variance``), the finite sample, and unevenness over
    more than a pixel, found by blocking (Flyvbjerg and Petersen, J Chem Phys 91, 461 (1989)) in two dimensions: the
    scatter of blocks of pixels, at the block size where it is widest beyond its own uncertainty. `Background.budget`
    holds the parts.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> raw = np.random.default_rng(0).poisson(100, (60, 60)).astype(np.uint16)
    >>> raw[:20] += 800
    >>> cal = pyicg.calibrate(raw, pyicg.CameraProfile.identity(raw.shape))
    >>> background = pyicg.estimate_background(cal)
    >>> abs(background.level - 100) < 3 * background.sem
    True
    """
    frame = frame_parts(cal)
    if policy not in POLICIES:
        raise InputError(f"unknown background policy {policy!r}; expected one of {', '.join(POLICIES)}")
    check_length(guard_px, "guard_px")
    check_length(width_px, "width_px", positive=True)
    if policy == "surface":
        if signal is None:
            raise InputError('the background policy "surface" needs signal, the mask of the lesion it is taken under')
        for name, region in (("signal", signal), ("mask", mask), ("exclude", exclude)):
            if region is not None:
                check_region(region, cal, name)
        left_out = _around(signal, guard_px)
        if mask is not None:
            left_out |= ~mask
        if exclude is not None:
            left_out |= exclude
        return background_surface(cal, exclude=left_out).under(signal)
    found = _core.estimate_background(
        *frame,
        policy=policy,
        use=_as_bytes(mask, "mask"),
        exclude=_as_bytes(exclude, "exclude"),
        signal=_as_bytes(signal, "signal"),
        guard_px=math.nan if guard_px is None else guard_px,
        width_px=math.nan if width_px is None else width_px,
    )
    return of_frame(background_of(found, policy), cal)


@dataclass(frozen=True, eq=False)
class BackgroundSurface:
    """A background that varies over the frame.

    Attributes
    ----------
    level : ndarray of float32, shape (H, W)
        The surface in `unit`; NaN where there are too few pixels to fit it.
    sigma : float
        Standard deviation of a pixel around it.
    n_pixels : int
        Pixels behind it.
    unit : str
        Unit of level and sigma.
    reason : str or None
        As in `Background`.
    """

    level: npt.NDArray[np.float32]
    sigma: float
    n_pixels: int
    unit: str
    reason: str | None
    _core: Any = field(repr=False)
    _frame: CalibratedFrame = field(repr=False)

    def under(self, signal: BoolArray) -> Background:
        """Return the background that a region (H, W) has under itself: the mean of the surface over its pixels."""
        return of_frame(background_of(self._core.under(_region(signal)), "surface"), self._frame)


def background_surface(cal: CalibratedFrame, *, exclude: BoolArray | None = None, order: int = 2) -> BackgroundSurface:
    """Fit a smooth background to a frame whose illumination is uneven.

    Parameters
    ----------
    cal : CalibratedFrame
        The frame.
    exclude : ndarray of bool, shape (H, W), optional
        True: leave this pixel out. The lesion and its surroundings belong here; without it the fit still takes a lesion
        for an outlier, but not a large and faint one.
    order : int
        Order of the polynomial in y and x together, 0 to 3.

    Returns
    -------
    BackgroundSurface

    Raises
    ------
    InputError
        `exclude` of another shape or dtype, or an order that is not 0 to 3.

    Notes
    -----
    Least squares over tile means with Tukey's weights (reach 4.685 sigma from the median absolute deviation), one order
    after the other from the median on. Beyond the tissue it is an extrapolation.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> light = np.linspace(100, 300, 80)[None, :] * np.ones((60, 1))
    >>> raw = np.random.default_rng(0).normal(light, 5).astype(np.float32)
    >>> signal = np.zeros(raw.shape, dtype=bool)
    >>> signal[20:40, 55:70] = True
    >>> raw[signal] *= 1.5
    >>> cal = pyicg.calibrate(raw, pyicg.CameraProfile.identity(raw.shape, bit_depth=None))
    >>> surface = pyicg.background_surface(cal, exclude=signal)
    >>> round(pyicg.contrast(cal, signal=signal, background=surface.under(signal)).sbr.value, 2)
    1.5
    >>> round(pyicg.contrast(cal, signal=signal, background=pyicg.estimate_background(cal)).sbr.value, 1)
    1.9
    """
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or not 0 <= order <= 3:
        raise InputError(f"order must be a whole number from 0 to 3, found {order!r}")
    found = _core.BackgroundSurface(*frame_parts(cal), exclude=_as_bytes(exclude, "exclude"), order=int(order))
    return BackgroundSurface(
        level=found.level,
        sigma=found.sigma,
        n_pixels=found.n_pixels,
        unit=cal.unit,
        reason=found.reason,
        _core=found,
        _frame=cal,
    )


def frame_parts(cal: CalibratedFrame) -> tuple[Any, Any, Any, float]:
    """Return what the core takes of a frame: data, mask, variance and the size of one count."""
    if not isinstance(cal, CalibratedFrame):
        raise InputError(f"expected a CalibratedFrame, found {type(cal).__name__}; pyicg.calibrate makes one")
    return cal.data, cal.mask, cal.variance, cal.step


def region_bytes(region: BoolArray, name: str) -> Any:
    """View the bool mask of a region as bytes, without a copy; it must be there."""
    if region is None:
        raise InputError(f"{name} must be a bool mask of the frame's shape, found None")
    return _as_bytes(region, name)


def check_region(region: Any, cal: CalibratedFrame, name: str) -> None:
    """Raise an `InputError` unless a region is a bool mask of the frame's shape."""
    region_bytes(region, name)
    if region.shape != cal.data.shape:
        raise InputError(f"{name} is {region.shape}, the frame {cal.data.shape}; expected one shape")


def check_length(length: float | None, name: str, *, positive: bool = False) -> None:
    """Raise unless a length in pixels is a number that can be one; None is the default."""
    if length is None:
        return
    if isinstance(length, bool) or not isinstance(length, int | float | np.integer | np.floating):
        raise InputError(f"{name} must be a number of pixels, found {length!r}")
    if not 0 <= length < math.inf or (positive and length == 0):
        raise UnitError(f"{name} is {length}; expected {'more than 0' if positive else '0 or more'} pixels")


def budget_of(parts: tuple[float, float, float, float]) -> UncertaintyBudget:
    """Build an `UncertaintyBudget` from what the core returns."""
    noise, *others = parts
    return UncertaintyBudget(None if math.isnan(noise) else noise, *others)


def of_frame(background: Background, cal: CalibratedFrame) -> Background:
    """Note the frame that a background was found in."""
    height, width = cal.data.shape
    return replace(background, unit=cal.unit, shape=(height, width), profile_digest=cal.profile_digest)


def check_background(background: Any, cal: CalibratedFrame) -> None:
    """Raise unless a background may be compared with a frame: same unit, shape and profile, as far as known."""
    if not isinstance(background, Background):
        raise InputError(
            f"background must be a Background, found {type(background).__name__}; pyicg.estimate_background makes one"
        )
    if background.unit and background.unit != cal.unit:
        raise UnitError(f"the background is in {background.unit}, the frame in {cal.unit}; estimate it on this frame")
    if background.shape is not None and background.shape != cal.data.shape:
        raise InputError(
            f"the background was found in a frame of {background.shape}, this one is {cal.data.shape}; estimate it on "
            "this frame"
        )
    if background.profile_digest and cal.profile_digest and background.profile_digest != cal.profile_digest:
        raise InputError(
            f"the background was found with profile {background.profile_digest[:12]}, the frame was calibrated with "
            f"{cal.profile_digest[:12]}; calibrate both with one profile"
        )


def background_of(found: Mapping[str, Any], policy: str) -> Background:
    """Build a `Background` from what the core returns."""
    return Background(policy=policy, **{**found, "budget": budget_of(found["budget"])})


def _region(signal: BoolArray) -> Any:
    return region_bytes(signal, "signal")


def _around(signal: BoolArray, guard_px: float | None) -> npt.NDArray[np.bool_]:
    """Return the lesion and the free space around it."""
    _as_bytes(signal, "signal")
    if not signal.any():
        raise InputError("signal marks no pixel, so there is no lesion to stay away from")
    guard = _core.default_guard_px(float(signal.sum())) if guard_px is None else guard_px
    away = distance_transform(~signal)
    return np.asarray(away.astype(np.float64) <= guard)


def _as_bytes(mask: BoolArray | None, name: str) -> Any:
    """View a bool mask as bytes, without a copy."""
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        found = f"{mask.dtype} array" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise InputError(f"{name} must be a bool array (True = use), found {found}; write mask.astype(bool)")
    return mask.view(np.uint8)
