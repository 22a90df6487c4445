"""The work with numpy, scipy and, for contours, scikit-image: what the others are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pyicg._bench.scene import BenchScene
from pyicg._bench.work import MAD_TO_SIGMA, PERCENTS, RAYS, SIGMA_PX, Calibration, Frame, Work

__all__ = ["WithScipy"]

_Image = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]

_TOUCHING = np.ones((3, 3), np.bool_)


class WithScipy:
    """Plain array code, one thread."""

    fits_rims = False

    def __init__(self, scene: BenchScene) -> None:
        self._scene = scene
        self._calibration = Calibration(scene)
        libraries = ["numpy", "scipy"] + (["scikit-image"] if find_spec("skimage") else [])
        self.name = " + ".join(libraries)
        self.version = ", ".join(f"{name} {metadata.version(name)}" for name in libraries)

    def work(self) -> Work:
        """Do the work once and keep what each step gave."""
        data = self.calibrate(self._scene.raw)
        smooth = self.smooth(data)
        return Work(self._scene, smooth, self.threshold(smooth), self.frame(self._scene.raw))

    def stages(self, work: Work) -> Mapping[str, Callable[[], Any]]:
        """Return the steps; contours and with them the whole frame need scikit-image."""
        frame = work.frame
        steps: dict[str, Callable[[], Any]] = {
            "calibrate": lambda: self.calibrate(work.scene.raw),
            "background": lambda: self.background(frame.data),
            "SBR map": lambda: frame.data / np.float32(frame.median),
            "Gaussian": lambda: self.smooth(frame.data),
            "threshold": lambda: self.threshold(work.smooth),
            "components": lambda: self.components(work.bright),
            "holes": lambda: self.core(frame.rim),
            "distance inside the rim": lambda: self.distances(frame.rim),
            "distance outside the rim": lambda: self.distances(frame.rim == 0),
            "thickness by angle": lambda: self.thickness(frame.distances, frame.rim),
            "rim statistics": lambda: self.rim_statistics(frame.sbr, frame.rim),
        }
        if find_spec("skimage"):
            steps["contours"] = lambda: self.contours(frame.rim)
            steps["whole frame"] = lambda: self.frame(work.scene.raw)
            steps["rims"] = lambda: self.rims(frame.data)
        return steps

    def calibrate(self, raw: npt.NDArray[np.uint16]) -> _Image:
        c = self._calibration
        c1, c2, c3 = c.linearity
        above = np.subtract(raw, c.dark, dtype=np.float32)
        data = above * c3
        data += c2
        data *= above
        data += c1
        data *= above
        data *= c.gain
        return c.repair(data)

    def background(self, data: _Image) -> tuple[float, float]:
        values = data[self._scene.liver].astype(np.float64)
        median = float(np.median(values))
        return median, float(np.median(np.abs(values - median)))

    def smooth(self, data: _Image) -> _Image:
        blurred: _Image = ndimage.gaussian_filter(data, SIGMA_PX, truncate=4.0, mode="mirror")
        return blurred

    def threshold(self, smooth: _Image) -> _Mask:
        """Otsu over 256 levels up to the brightest pixel."""
        levels = np.rint(smooth * np.float32(255 / float(smooth.max()))).clip(0, 255).astype(np.uint8)
        counts = np.bincount(levels.ravel(), minlength=256).astype(np.float64)
        below = np.cumsum(counts)
        above = below[-1] - below
        total = np.cumsum(counts * np.arange(256))
        with np.errstate(invalid="ignore", divide="ignore"):
            between = below * above * (total / below - (total[-1] - total) / above) ** 2
        return np.asarray(levels > np.nanargmax(between))

    def components(self, bright: _Mask) -> _Mask:
        labels, _ = ndimage.label(bright, _TOUCHING)
        large = np.bincount(labels.ravel()) >= self._scene.min_area_px
        large[0] = False
        return np.asarray(large[labels])

    def core(self, rim: _Mask) -> _Mask:
        return np.asarray(ndimage.binary_fill_holes(rim) & ~rim)

    def contours(self, rim: _Mask) -> int:
        from skimage.measure import find_contours

        return len(find_contours(rim, 0.5, fully_connected="high"))

    def distances(self, mask: _Mask) -> _Image:
        return np.asarray(ndimage.distance_transform_edt(mask), np.float32)

    def thickness(self, distances: _Image, rim: _Mask) -> _Image:
        labels, count = ndimage.label(rim, _TOUCHING)
        angle = np.arange(RAYS)[:, None] * (2 * np.pi / RAYS)
        found = np.zeros((count, RAYS), np.float32)
        for k, box in enumerate(ndimage.find_objects(labels)):
            height, width = (side.stop - side.start for side in box)
            radius = np.arange(int(np.hypot(height, width) / 2) + 2)
            rays = height / 2 + radius * np.sin(angle), width / 2 + radius * np.cos(angle)
            found[k] = 2 * ndimage.map_coordinates(distances[box], rays, order=1, mode="constant").max(axis=1)
        return found

    def rim_statistics(self, sbr: _Image, rim: _Mask) -> npt.NDArray[np.float64]:
        values = sbr[rim].astype(np.float64)
        return np.array([values.mean(), values.std(ddof=1), *np.percentile(values, PERCENTS)])

    def rims(self, data: _Image) -> tuple[_Mask, _Mask, int, _Image]:
        """From the calibrated frame to rims, cores, contours and thickness."""
        rim = self.components(self.threshold(self.smooth(data)))
        return rim, self.core(rim), self.contours(rim), self.thickness(self.distances(rim), rim)

    def frame(self, raw: npt.NDArray[np.uint16]) -> Frame:
        data = self.calibrate(raw)
        median, mad = self.background(data)
        sbr = data / np.float32(median)
        rim = self.components(self.threshold(self.smooth(data)))
        distances = self.distances(rim)
        rim_sbr = self.rim_statistics(sbr, rim)
        return Frame(
            data=data,
            median=median,
            mad=mad,
            sbr=sbr,
            rim=rim,
            core=self.core(rim),
            contours=self.contours(rim) if find_spec("skimage") else 0,
            distances=distances,
            thickness=self.thickness(distances, rim),
            rim_sbr=rim_sbr,
            cnr=float((rim_sbr[0] - 1) * median / (MAD_TO_SIGMA * mad)),
        )
