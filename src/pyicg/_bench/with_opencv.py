"""The work by a good OpenCV user: one call after the other on whole frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pyicg._bench.scene import BenchScene
from pyicg._bench.work import MAD_TO_SIGMA, PERCENTS, RAYS, SIGMA_PX, Calibration, Frame, Work

__all__ = ["WithOpenCV", "quantiles", "spread_about"]

_Image = npt.NDArray[np.float32]
_Bytes = npt.NDArray[np.uint8]
_Counts = npt.NDArray[np.float64]

_BINS = 4096
_SBR_RANGE = 32.0


class WithOpenCV:
    """OpenCV's own functions throughout: medians from histograms with a mask, components with statistics."""

    name = "OpenCV"
    fits_rims = False

    def __init__(self, scene: BenchScene, threads: int = 1) -> None:
        cv2.setNumThreads(threads)
        self.version = f"OpenCV {cv2.__version__}{', IPP' if cv2.ipp.useIPP() else ''}"
        self._scene = scene
        self._calibration = Calibration(scene)
        self._liver = scene.liver.view(np.uint8)
        self._full_scale = float(_BINS / scene.exposure_ms)

    def stages(self, work: Work) -> Mapping[str, Callable[[], Any]]:
        """Return every step."""
        frame = work.frame
        bright, rim, outside = (np.where(m, 255, 0).astype(np.uint8) for m in (work.bright, frame.rim, frame.rim == 0))
        return {
            "calibrate": lambda: self.calibrate(work.scene.raw),
            "background": lambda: self.background(frame.data),
            "SBR map": lambda: cv2.multiply(frame.data, 1 / frame.median),
            "Gaussian": lambda: self.smooth(frame.data),
            "threshold": lambda: self.threshold(work.smooth),
            "components": lambda: self.components(bright),
            "holes": lambda: self.core(rim, self.contours(rim)),
            "contours": lambda: len(self.contours(rim)[0]),
            "distance inside the rim": lambda: self.distances(rim),
            "distance outside the rim": lambda: self.distances(outside),
            "thickness by angle": lambda: self.thickness(frame.distances, self.contours(rim)),
            "rim statistics": lambda: self.rim_statistics(frame.sbr, rim),
            "rims": lambda: self.rims(frame.data),
            "whole frame": lambda: self.frame(work.scene.raw),
        }

    def calibrate(self, raw: npt.NDArray[np.uint16]) -> _Image:
        c = self._calibration
        c1, c2, c3 = (float(value) for value in c.linearity)
        above = cv2.subtract(raw, c.dark, dtype=cv2.CV_32F)
        data = cv2.addWeighted(above, c3, above, 0, c2)
        data = cv2.multiply(data, above)
        data = cv2.addWeighted(data, 1, data, 0, c1)
        data = cv2.multiply(data, above)
        return c.repair(cv2.multiply(data, c.gain))

    def background(self, data: _Image) -> tuple[float, float]:
        counts = cv2.calcHist([data], [0], self._liver, [_BINS], [0, self._full_scale]).ravel().astype(np.float64)
        step = self._full_scale / _BINS
        median = float(quantiles(counts, np.array([0.5]))[0])
        return median * step, spread_about(counts, median) * step

    def smooth(self, data: _Image) -> _Image:
        blurred: _Image = cv2.GaussianBlur(data, (0, 0), SIGMA_PX, borderType=cv2.BORDER_REFLECT_101)
        return blurred

    def threshold(self, smooth: _Image) -> _Bytes:
        levels = cv2.convertScaleAbs(smooth, alpha=255 / cv2.minMaxLoc(smooth)[1])
        bright: _Bytes = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)[1]
        return bright

    def components(self, bright: _Bytes) -> _Bytes:
        _, labels, found, _ = cv2.connectedComponentsWithStats(bright, connectivity=8, ltype=cv2.CV_16U)
        large = (found[:, cv2.CC_STAT_AREA] >= self._scene.min_area_px).astype(np.uint8) * np.uint8(255)
        large[0] = 0
        rim: _Bytes = np.take(large, labels, mode="clip")
        return rim

    def contours(self, rim: _Bytes) -> tuple[Any, Any]:
        """Return contours and their hierarchy: outer ones and holes."""
        contours, hierarchy = cv2.findContours(rim, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        return contours, hierarchy[0] if len(contours) else np.zeros((0, 4), np.int32)

    def core(self, rim: _Bytes, contours: tuple[Any, Any]) -> _Bytes:
        filled = np.zeros_like(rim)
        outer = [contour for contour, (_, _, _, parent) in zip(*contours, strict=True) if parent < 0]
        cv2.drawContours(filled, outer, -1, 255, cv2.FILLED)
        core: _Bytes = cv2.subtract(filled, rim, dst=filled)
        return core

    def distances(self, mask: _Bytes) -> _Image:
        found: _Image = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return found

    def thickness(self, distances: _Image, contours: tuple[Any, Any]) -> _Image:
        found = []
        for contour, (_, _, _, parent) in zip(*contours, strict=True):
            if parent >= 0:
                continue
            x, y, width, height = cv2.boundingRect(contour)
            found.append(rays(distances[y : y + height, x : x + width]))
        return np.array(found, np.float32).reshape(-1, RAYS)

    def rim_statistics(self, sbr: _Image, rim: _Bytes) -> npt.NDArray[np.float64]:
        mean, sd = cv2.meanStdDev(sbr, mask=rim)
        counts = cv2.calcHist([sbr], [0], rim, [_BINS], [0, _SBR_RANGE]).ravel().astype(np.float64)
        found = quantiles(counts, np.array(PERCENTS) / 100) * (_SBR_RANGE / _BINS)
        return np.array([mean[0, 0], sd[0, 0], *found])

    def rims(self, data: _Image) -> tuple[_Bytes, _Bytes, int, _Image]:
        """From the calibrated frame to rims, cores, contours and thickness."""
        rim = self.components(self.threshold(self.smooth(data)))
        contours = self.contours(rim)
        return rim, self.core(rim, contours), len(contours[0]), self.thickness(self.distances(rim), contours)

    def frame(self, raw: npt.NDArray[np.uint16]) -> Frame:
        data = self.calibrate(raw)
        median, mad = self.background(data)
        sbr = cv2.multiply(data, 1 / median)
        rim = self.components(self.threshold(self.smooth(data)))
        contours = self.contours(rim)
        distances = self.distances(rim)
        rim_sbr = self.rim_statistics(sbr, rim)
        return Frame(
            data=data,
            median=median,
            mad=mad,
            sbr=sbr,
            rim=rim,
            core=self.core(rim, contours),
            contours=len(contours[0]),
            distances=distances,
            thickness=self.thickness(distances, contours),
            rim_sbr=rim_sbr,
            cnr=float((rim_sbr[0] - 1) * median / (MAD_TO_SIGMA * mad)),
        )


def quantiles(counts: _Counts, shares: _Counts) -> _Counts:
    """Return where, in bins, shares of a histogram lie: linear within a bin."""
    below = np.cumsum(counts)
    wanted = shares * below[-1]
    place = np.searchsorted(below, wanted)
    before = below[place] - counts[place]
    return np.asarray(place + (wanted - before) / np.maximum(counts[place], 1))


def spread_about(counts: _Counts, median: float) -> float:
    """Return the distance from the median, in bins, within which half of a histogram lies."""
    edges = np.arange(counts.size + 1.0)
    below = np.concatenate([[0.0], np.cumsum(counts)])
    away = np.arange(min(median, counts.size - median))
    within = np.interp(median + away, edges, below) - np.interp(median - away, edges, below)
    return float(np.interp(below[-1] / 2, within, away))


def rays(distances: _Image) -> _Image:
    """Return twice the largest distance along each ray from the middle of a box."""
    height, width = distances.shape
    reach = int(np.hypot(height, width) / 2) + 2
    flags = cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS  # without the second, what lies outside is whatever memory held
    polar = cv2.warpPolar(distances, (reach, RAYS), (width / 2, height / 2), reach, flags)
    return np.asarray(2 * polar.max(axis=1), np.float32)
