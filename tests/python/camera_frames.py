"""Dark and flat frames of a simple simulated camera, for the tests of the camera profile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyicg.profile import CameraProfile, build_profile

SHAPE = (48, 64)
OFFSET, READ_DN, GAIN, LEVEL_E = 100.0, 3.0, 0.5, 4000.0
Frames = npt.NDArray[np.uint16]


def series(
    n: int, level_e: float = 0.0, seed: int = 0, response: npt.ArrayLike = 1.0, offset: float = OFFSET
) -> Frames:
    """Return (n, H, W) frames of `level_e` electrons; 12 bits."""
    rng = np.random.default_rng([seed, n, int(level_e)])
    counts = offset + READ_DN * rng.standard_normal((n, *SHAPE))
    counts += GAIN * rng.poisson(np.broadcast_to(level_e * np.asarray(response), (n, *SHAPE)))
    return np.rint(counts).clip(0, 4095).astype(np.uint16)


def build(dark: object, flat: object = None, **options: object) -> CameraProfile:
    """Build a profile at 20 ms."""
    return build_profile(dark, flat, **{"camera": "test", "exposure_ms": 20.0, "bit_depth": 12, **options})  # type: ignore[arg-type]


def full_profile() -> CameraProfile:
    """Return a profile with dark, flat and one hot pixel."""
    dark, flat = series(16), series(16, LEVEL_E)
    dark[:, 5, 6] = 900
    return build(dark, flat, gain_db=6.0, linearity=(1.0, 1e-6, 0.0))


def codes(profile: CameraProfile) -> list[str]:
    """Return the codes of what `build_profile` found amiss."""
    return [finding["code"] for finding in profile.provenance["findings"]]
