"""Is the variance that `calibrate` states the one there is? 500 simulated frames of a ramp per camera.

For each simulated camera a profile is measured from fresh dark and flat frames; frames of a ramp from dark to near
saturation are calibrated with it, and the mean squared error against the known truth is compared with the mean of the
predicted variance, per signal bin of at least 1000 pixels. Everything is simulated. Usage:
``python bench/validation/predicted_variance.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import pyicg
from pyicg.phantom import SimulatedCamera

BINS = 16
SHAPE = (104, 10 * BINS)  # 1040 pixels a bin
RAMP = (0.0, 0.92)  # share of the range above the offset


@dataclass(frozen=True)
class Row:
    camera: SimulatedCamera
    ratio: npt.NDArray[np.float64]  # predicted over measured variance, dark to bright

    @property
    def worst(self) -> float:
        return float(np.abs(self.ratio - 1).max())


def cameras() -> list[SimulatedCamera]:
    """Twenty cameras: 8-bit and noisy to 16-bit and quiet."""
    made = []
    for seed, (bits, gain, read_e, exposure_ms) in enumerate(
        (bits, gain, read_e, exposure_ms)
        for bits, gain, read_e in [
            (8, 0.02, 60.0), (8, 0.05, 25.0), (8, 0.1, 15.0), (8, 0.3, 6.0),
            (10, 0.05, 30.0), (10, 0.1, 12.0), (12, 0.1, 12.0), (12, 0.25, 8.0), (14, 0.5, 4.0), (16, 2.0, 2.0),
        ]
        for exposure_ms in (5.0, 40.0)
    ):  # fmt: skip
        noise_dn = gain * read_e
        made.append(
            SimulatedCamera(
                bit_depth=bits,
                gain_dn_per_e=gain,
                read_noise_e=read_e,
                offset_dn=max(6.0, 8.0 * noise_dn),
                dsnu_dn=0.5 * max(1.0, noise_dn),
                prnu=0.01,
                vignetting=0.2,
                hot_pixel_share=2e-4,
                dark_current_e_per_s=100.0,
                exposure_ms=exposure_ms,
                seed=seed,
            )
        )
    return made


def compare(camera: SimulatedCamera, *, frames: int = 500, calibration_frames: int = 64) -> Row:
    profile = camera.measure_profile(SHAPE, n_frames=calibration_frames)
    share = np.repeat(np.linspace(*RAMP, BINS), SHAPE[1] // BINS)
    full_e_per_ms = (camera.saturation_dn - camera.offset_dn) / camera.gain_dn_per_e / camera.exposure_ms
    radiance = np.broadcast_to(share * full_e_per_ms, SHAPE)
    truth = radiance * camera.gain_dn_per_e * camera.mean_response(SHAPE)
    error = np.zeros(SHAPE)
    predicted = np.zeros(SHAPE)
    used = np.ones(SHAPE, bool)
    for raw in camera.expose(radiance, frames):
        cal = pyicg.calibrate(raw, profile, exposure_ms=camera.exposure_ms)
        assert cal.variance is not None
        error += (cal.data.astype(np.float64) - truth) ** 2
        predicted += cal.variance
        used &= cal.mask == 0
    bins = used.reshape(SHAPE[0], BINS, -1).transpose(1, 0, 2).reshape(BINS, -1)

    def by_bin(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        columns = image.reshape(SHAPE[0], BINS, -1).transpose(1, 0, 2).reshape(BINS, -1)
        return np.where(bins, columns, 0).sum(axis=1) / bins.sum(axis=1)

    assert bins.sum(axis=1).min() >= 1000
    return Row(camera, by_bin(predicted) / by_bin(error))


def main() -> None:
    print("| camera (simulated) | K, DN/e | dark noise, DN | predicted / measured variance: lowest | highest |")
    print("|---|---|---|---|---|")
    for camera in cameras():
        row = compare(camera)
        noise = camera.gain_dn_per_e * camera.read_noise_e
        print(
            f"| {camera.bit_depth}-bit, {camera.exposure_ms:g} ms | {camera.gain_dn_per_e:g} | {noise:.2g} | "
            f"{row.ratio.min():.3f} | {row.ratio.max():.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
