"""The simulated frame of the benchmark: four rims, one of them broken, and 160 flecks, seen by a 12-bit camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg.profile import CameraProfile
from pyicg.results import BoolArray

__all__ = ["BenchScene", "bench_scene"]

_Reals = npt.NDArray[np.float64]

_EXPOSURE_MS = 20.0
_LIVER_DN = 150.0
_FULL_SCALE_DN = 4095.0
_GAIN_DN_PER_E = 0.4
_READ_NOISE_DN = 2.0
_BEND = 0.03 / _FULL_SCALE_DN  # 3 % compressive at full scale
_SCALE_ROWS = 1080.0  # lengths below are pixels of a frame of so many rows
_CENTRES = ((0.30, 0.25), (0.68, 0.36), (0.33, 0.62), (0.70, 0.76))  # (y, x) as shares of the frame
_BROKEN = 1  # this rim is open over some 30 degrees
_FLECKS = 160
_MIN_AREA_PX = 600


@dataclass(frozen=True, eq=False)
class BenchScene:
    """A raw frame, the profile of the camera that took it, and what its user marked.

    `liver` (H, W) is the background region: liver away from rims. Regions under `min_area_px` are flecks.
    """

    raw: npt.NDArray[np.uint16]
    profile: CameraProfile
    exposure_ms: float
    liver: BoolArray
    min_area_px: int


def bench_scene(shape: tuple[int, int], *, seed: int = 0) -> BenchScene:
    """Simulate the frame; the profile holds the camera's true maps, its dark one with a little noise."""
    from scipy.ndimage import gaussian_filter, zoom

    rng = np.random.default_rng(seed)
    height, width = shape
    scale = height / _SCALE_ROWS
    y, x = np.mgrid[:height, :width].astype(np.float32)
    off_y, off_x = (y - (height - 1) / 2) / height, (x - (width - 1) / 2) / width
    tissue = (off_y / 0.62) ** 2 + (off_x / 0.60) ** 2 < 1

    coarse = gaussian_filter(rng.standard_normal((height // 4 + 1, width // 4 + 1)), 6 * scale)
    texture = zoom(coarse / coarse.std(), 4, order=1)[:height, :width]
    light = np.where(tissue, 1 + 0.1 * texture, 0.55)
    near_rims = np.zeros(shape, np.bool_)
    sbr = rng.permutation(np.linspace(4.0, 8.0, len(_CENTRES)))
    for k, (share_y, share_x) in enumerate(_CENTRES):
        radius, thickness = rng.uniform(110, 150) * scale, rng.uniform(22, 38) * scale
        dy, dx = y - share_y * height, x - share_x * width
        angle = np.arctan2(dy, dx)
        edge = radius * (1 + 0.06 * np.sin(3 * angle + rng.uniform(0, 6)) + 0.03 * np.sin(7 * angle))
        depth = np.hypot(dy * rng.uniform(1, 1.12), dx) - edge
        glow = np.exp(-((2 * depth / thickness) ** 4))
        if k == _BROKEN:
            glow = glow * (1 - 0.8 * np.exp(-(((angle - 0.7) / 0.25) ** 4)))
        light = np.where(depth < -thickness / 2, 0.5 * light, light) + (sbr[k] - 1) * glow
        near_rims |= depth < thickness / 2 + 12 * scale
    for _ in range(_FLECKS):
        centre = rng.uniform((0, 0), shape)
        radius = rng.uniform(2.5, 7) * scale
        reach = int(radius) + 2
        window = tuple(slice(max(int(c) - reach, 0), int(c) + reach + 1) for c in centre)
        inside = (y[window] - centre[0]) ** 2 + (x[window] - centre[1]) ** 2 < radius**2
        light[window] += inside * rng.uniform(4, 12)
    light = np.asarray(gaussian_filter(light, 3 * scale), np.float32)

    raw, profile = _through_camera(np.float32(_LIVER_DN) * light, (off_y, off_x), rng)
    return BenchScene(raw, profile, _EXPOSURE_MS, tissue & ~near_rims, max(round(_MIN_AREA_PX * scale**2), 1))


def _through_camera(
    signal: npt.NDArray[np.float32],
    place: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.uint16], CameraProfile]:
    """Vignetting, shot noise, a bent response, dark pattern and bad pixels; and the profile that undoes them."""
    shape = signal.shape
    vignetting = 1 / (1 + 1.1 * (place[0] ** 2 + place[1] ** 2)) ** 2
    flat = vignetting * rng.normal(1, 0.01, shape)
    dark = 100 + rng.normal(0, 1.5, shape) + 2 * np.sin(np.arange(shape[1]) / 37)
    counts = rng.poisson(np.maximum(signal * flat, 0) / _GAIN_DN_PER_E) * _GAIN_DN_PER_E
    counts += -_BEND * counts**2 + dark + rng.normal(0, _READ_NOISE_DN, shape)
    raw = np.clip(np.rint(counts), 1, _FULL_SCALE_DN - 1).astype(np.uint16)

    bad = np.zeros(shape, np.bool_)
    hot, dead = int(5e-4 * raw.size) + 1, int(1e-4 * raw.size) + 1
    where = rng.choice(raw.size, hot + dead, replace=False)
    bad.flat[where] = True
    raw.flat[where[:hot]] = rng.integers(1500, 4000, hot)
    raw.flat[where[hot:]] = rng.integers(1, 60, dead)
    profile = CameraProfile(
        camera="simulated for the benchmark",
        shape=(shape[0], shape[1]),
        bit_depth=12,
        dark=(dark + rng.normal(0, 0.05, shape)).astype(np.float32),
        flat=np.where(bad, 1.0, flat).astype(np.float32),
        bad=bad,
        linearity=(1.0, _BEND, 2 * _BEND**2),  # the inverse of x - b x^2, to third order
        saturation_dn=_FULL_SCALE_DN,
        exposure_ms=_EXPOSURE_MS,
        gain_dn_per_e=_GAIN_DN_PER_E,
        read_noise_dn=_READ_NOISE_DN,
        calibrated=True,
    )
    return raw, profile
