"""The camera profile, and how one is measured from dark frames and flat frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ._camera.build_steps import (
    BadPixels,
    Notes,
    choose_linearity,
    flat_levels,
    flat_maps,
    gain_of,
    measure_noise,
    note_dark,
    note_levels,
    note_target,
    saturation_level,
    with_scene,
)
from ._camera.camera_profile import CameraProfile
from ._camera.dark_model import Frames, read_dark
from ._camera.fields import bit_depth_of, number, shape_of
from ._camera.flat_map import combine
from ._camera.frame_series import dead_pixels
from ._camera.target_response import TargetResponse, measure_response

__all__ = ["CameraProfile", "build_profile"]


def build_profile(
    dark: Frames | Mapping[float, Frames],
    flat: Frames | Mapping[float, Frames] | None = None,
    *,
    camera: str,
    exposure_ms: float,
    bit_depth: int,
    flat_exposure_ms: float | None = None,
    gain_db: float | None = None,
    linearity: str | Sequence[float] | npt.NDArray[np.float64] | None = None,
    response: float | Mapping[float, float] | Sequence[tuple[float, float]] | None = None,
    scene_flat: Frames | None = None,
    scene_flat_exposure_ms: float | None = None,
    saturation_dn: float | None = None,
    noise_maps: bool = False,
    sensor: str | None = None,
    optics: str | None = None,
    lens_distance_mm: float | None = None,
    filter_band_nm: tuple[float, float] | None = None,
) -> CameraProfile:
    """Measure a camera profile from dark frames and flat frames.

    Frames are read one at a time and summed in 64-bit integers: memory does not grow with their number, and their
    order does not change a bit of any map or number; only blinking pixels are told by it.

    Parameters
    ----------
    dark : array of shape (N, H, W), Stack, or sequence of 2-D frames; uint8 or uint16. Or a mapping of these
        Frames with the light off. One frame is enough for a map; read noise needs two. A mapping ``{exposure in ms:
        frames}`` of two or more exposures gives a dark map that rises with exposure (`dark_rate`), and the profile
        then holds over all of them.
    flat : as `dark`, optional
        Frames of an evenly lit target. Gain needs two. A mapping ``{exposure in ms: frames}`` holds exposures of **one
        constant light**; they are averaged, and the linearity can be estimated from them.
    camera : str
        Name of the camera.
    exposure_ms : float
        Exposure of the dark frames; with several, the one at which `CameraProfile.dark` is stated, inside their range.
    bit_depth : int
        Bits per pixel, 1 to 16.
    flat_exposure_ms : float, optional
        Exposure of the flat frames, when it is another one. With one dark exposure the same dark map is then taken off
        the flat frames, and `provenance` lists that as an assumption.
    gain_db : float, optional
        Camera gain setting.
    linearity : {"polynomial", "table"}, three floats, or array of shape (N, 2), optional
        How to estimate it from flat frames at five or more exposures; or coefficients (c1, c2, c3); or a table of
        counts above dark, from 0 in even steps, and linear signal. (1, 0, 0) when not given.
    response : float, or pairs (nM, DN/ms), optional
        Concentration of ICG per calibrated signal: a number, or three or more concentrations of a target with the
        signal that a profile from these same frames gives.
    scene_flat : as `dark`, one exposure, optional
        Frames of an even target through the lens in use. Their smooth part multiplies the flat map.
    scene_flat_exposure_ms : float, optional
        Exposure of the scene flat; left out: `exposure_ms`.
    saturation_dn : float, optional
        Level at which a pixel saturates, for example from `characterize`. Left out: ``2**bit_depth - 1``, or the level
        at which the flat frames are cut off.
    noise_maps : bool
        Store read noise and gain per pixel; needs 64 dark and 64 flat frames.
    sensor, optics, lens_distance_mm, filter_band_nm
        What the profile was measured with, see `CameraProfile`.

    Returns
    -------
    CameraProfile
        ``provenance["assumptions"]`` lists in words what was assumed, ``provenance["findings"]`` what is amiss, each
        with ``code`` and ``text``.

    Raises
    ------
    ProfileError
        When over 5 % of the dark samples are zero (clipped: neither offset nor read noise can be known), over 0.1 % of
        the flat samples sit at the maximum or at a lower cut-off, flat frames lie less than 1 % of the range above the
        dark ones or outside several dark exposures, a Stack's own exposure is another one than stated, there are fewer
        exposures, frames or concentrations than needed, frames differ in shape, are not linear unsigned integers, or
        exceed the bit depth.

    Notes
    -----
    *Dark map*: temporal mean; with several exposures a straight line per pixel, least squares weighted by frames.
    `dark_sigma` is ``sqrt(s^2/N)`` with s^2 the pixel's temporal variance from 64 frames on and the mean over the good
    pixels below; where it is not resolved, ``sqrt(0.24/N + 1/12)`` DN.

    *Linearity*: ``x + c2 x^2 + c3 x^3`` in proportion to exposure, least squares with weights 1/x^2 (the weights of
    EMVA 1288 Release 4.0); ``"table"`` goes through every exposure instead, made monotone by isotonic regression, in
    64 steps.

    *Flat map*: linearised (mean flat - dark map), divided by its mean over good pixels; 1 at bad pixels; several
    exposures are averaged with inverse-variance weights per pixel. `flat_sigma` holds shot noise, read noise and the
    dark map's uncertainty; the smooth part of a scene flat adds none.

    *Temporal variance* s^2: sample variance of each pixel, averaged over the good pixels (unbiased at any number of
    frames, which its median is not), minus the variance of the frame means, so that a drifting offset or lamp does not
    count as noise (EMVA 1288 Release 4.0, the N-frame form of its two-image formula). *Read noise*: s_dark at
    `exposure_ms`; where s_dark^2 < 0.24 DN^2 it is not resolved and 0.49 DN stands in, as in EMVA 1288. *Gain*:
    two-point photon transfer K = (s_flat^2 - s_dark^2)/(mean flat - mean dark) on the linearised axis, s_dark^2 taken
    as at least 1/12 DN^2, averaged over the exposures up to 70 % of saturation. Both uncertainties are delete-one
    jackknives over 32 bands of rows.

    *Bad pixels* are **hot** (dark map over its median by more than 10 robust sigma, 1.4826 MAD, and by 5 DN), **dead**
    (response under 0.5 or over 2 times the median of the 7x7 window, or under 5 % of the median of the whole map),
    **noisy** (with at least 8 dark frames: temporal variance over 10 times its median, the median taken as at least
    1/12 DN^2), **blinking** (with at least 16 dark frames: slow jumps between levels) or **clipped** (ten or more
    pixels that sit at the same largest level in every flat frame).

    *Findings*: `not_linear` (flat exposures deviate from proportion by over 1 % after the linearity in use, or the
    response to ICG by over 10 %), `uneven_light` (the plane part of the flat map is over 3 % peak to peak),
    `exposure_inconsistent` (with four dark exposures or more: one stands off the line of the others by 5 sigma, 0.1 DN
    and 5 %).

    Examples
    --------
    >>> import numpy as np
    >>> import pyicg
    >>> rng = np.random.default_rng(1)
    >>> dark = np.rint(rng.normal(100, 3, (8, 32, 32))).astype(np.uint16)
    >>> flat = np.rint(rng.normal(100, 3, (8, 32, 32)) + 0.5 * rng.poisson(2000, (8, 32, 32))).astype(np.uint16)
    >>> profile = pyicg.build_profile(dark, flat, camera="simulated", exposure_ms=20.0, bit_depth=12)
    >>> round(profile.read_noise_dn), round(profile.gain_dn_per_e, 1), profile.saturation_dn
    (3, 0.5, 4095.0)
    """
    depth = bit_depth_of(bit_depth)
    exposure = number("exposure_ms", exposure_ms, low=0.0)
    target = TargetResponse(math.nan) if response is None else measure_response(response)
    offsets = read_dark(dark, exposure, depth)
    notes = Notes()
    bad = BadPixels(offsets)
    note_dark(offsets, exposure, notes)

    levels = flat_levels(flat, flat_exposure_ms, exposure, offsets, depth, notes)
    saturation = saturation_level(saturation_dn, levels, depth, bad, notes)
    curve = choose_linearity(linearity, levels, bad.good, 2.0**depth - 1.0)
    if levels:
        rough = combine(levels, curve, bad.good, noise=[None] * len(levels), gain_dn_per_e=math.nan)
        bad.add("dead", dead_pixels(rough.relative))
        curve = choose_linearity(linearity, levels, bad.good, 2.0**depth - 1.0)
    good = bad.good
    note_levels(offsets, levels, curve, good, notes)

    noise = measure_noise(offsets, exposure, good, noise_maps=noise_maps, notes=notes)
    gain = gain_of(levels, offsets, curve, good, saturation, noise_maps=noise_maps, notes=notes)
    flat_map, flat_sigma = flat_maps(levels, offsets, curve, good, gain, notes)
    if scene_flat is not None:
        time = exposure
        if scene_flat_exposure_ms is not None:
            time = number("scene_flat_exposure_ms", scene_flat_exposure_ms, low=0.0)
        flat_map = with_scene(flat_map, scene_flat, time, offsets, curve, good, depth, notes)
    note_target(target, notes)
    current, current_sigma = offsets.current(good)
    mean_and_sd = offsets.mean_and_sd
    return CameraProfile(
        camera=camera,
        sensor=sensor,
        optics=optics,
        lens_distance_mm=lens_distance_mm,
        filter_band_nm=filter_band_nm,
        shape=shape_of(good.shape),
        bit_depth=depth,
        dark=offsets.at(exposure).astype(np.float32),
        dark_rate=None if offsets.rate is None else offsets.rate.astype(np.float32),
        dark_sigma=noise.dark_sigma,
        dark_exposures_ms=None if offsets.rate is None else mean_and_sd,
        flat=flat_map,
        flat_sigma=flat_sigma,
        bad=~good,
        read_noise_map=noise.per_pixel,
        gain_map=gain.per_pixel,
        linearity=curve.coefficients,
        linearity_table=curve.table,
        linearity_step_dn=curve.step_dn,
        saturation_dn=saturation,
        exposure_ms=exposure,
        exposure_range_ms=(float(offsets.times[0]), float(offsets.times[-1])),
        gain_db=gain_db,
        gain_dn_per_e=gain.value,
        gain_sigma_dn_per_e=gain.sigma,
        read_noise_dn=noise.value,
        read_noise_sigma_dn=noise.sigma,
        dark_current_dn_per_ms=current,
        dark_current_sigma_dn_per_ms=current_sigma,
        response_nm_per_dn_ms=target.value,
        response_sigma_nm_per_dn_ms=target.sigma,
        response_range_nm=target.range_nm,
        calibrated=True,
        provenance={"method": "pyicg.build_profile", **notes.values, **bad.counts, **notes.lists},
    )
