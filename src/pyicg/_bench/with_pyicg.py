"""The work by pyicg, through its public functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

import pyicg
from pyicg import _core
from pyicg._bench.scene import BenchScene
from pyicg._bench.work import MAD_TO_SIGMA, PERCENTS, FittedFrame, Work

__all__ = ["FullScore", "WithPyicg"]

_Raw = npt.NDArray[np.uint16]


class WithPyicg:
    """Calibration, statistics and distances are the peers' work; a rim is a fitted model, and more than they give."""

    name = "pyicg"
    fits_rims = True

    def __init__(self, scene: BenchScene, threads: int = 1) -> None:
        self.version = f"pyicg {pyicg.__version__}, {_core.instruction_set()}"
        self._scene = scene
        self._threads = threads
        shape = scene.profile.shape
        self._data, self._sbr, self._distances = (np.zeros(shape, np.float32) for _ in range(3))

    def stages(self, work: Work) -> Mapping[str, Callable[[], Any]]:
        """Return what pyicg offers; smoothing, thresholds, components and contours it keeps to itself."""
        frame, raw = work.frame, work.scene.raw
        cal = self.calibrate(raw)
        background = self._background(frame.median, MAD_TO_SIGMA * frame.mad)
        rim, outside = np.asarray(frame.rim, np.bool_), frame.rim == 0
        return {
            "calibrate": lambda: self.calibrate(raw).data,
            "background": lambda: self.background(cal),
            "distance inside the rim": lambda: self.distances(rim),
            "distance outside the rim": lambda: self.distances(outside),
            "rim statistics": lambda: self.rim_statistics(cal, rim, frame.median),
            "rims": lambda: self.rims(cal, background),
            "whole frame": lambda: self.frame(raw),
        }

    def calibrate(self, raw: _Raw) -> pyicg.CalibratedFrame:
        scene = self._scene
        return pyicg.calibrate(raw, scene.profile, exposure_ms=scene.exposure_ms, variance=False, out=self._data)

    def background(self, cal: pyicg.CalibratedFrame) -> tuple[float, float]:
        found = pyicg.region_statistics(cal, region=self._scene.liver, percentiles=(), threads=self._threads)
        return found.median, found.mad

    def distances(self, mask: pyicg.results.BoolArray) -> npt.NDArray[np.float32]:
        return pyicg.distance_transform(mask, out=self._distances, threads=self._threads)

    def rim_statistics(
        self, cal: pyicg.CalibratedFrame, rim: pyicg.results.BoolArray, level: float
    ) -> npt.NDArray[np.float64]:
        found = pyicg.region_statistics(cal, region=rim, percentiles=PERCENTS, threads=self._threads)
        return np.array([found.mean, found.sd, *found.percentiles.values()]) / level

    def rims(self, cal: pyicg.CalibratedFrame, background: pyicg.Background) -> pyicg.RimSegmentation:
        """Masks, cores, both sub-pixel contours of every rim with their uncertainty, thickness along each ray."""
        return pyicg.segment_rim(
            cal, background=background, threshold="otsu", min_area_px=float(self._scene.min_area_px)
        )

    def frame(self, raw: _Raw) -> FittedFrame:
        """Everything that the peers make of a frame, but rims as pyicg finds them and contrasts with intervals."""
        cal = self.calibrate(raw)
        median, mad = self.background(cal)
        background = self._background(median, MAD_TO_SIGMA * mad)
        rims = self.rims(cal, background)
        return FittedFrame(
            data=cal.data,
            median=median,
            mad=mad,
            sbr=np.multiply(cal.data, np.float32(1 / median), out=self._sbr),
            rims=rims,
            distances=self.distances(rims.rim_mask),
            rim_sbr=self.rim_statistics(cal, rims.rim_mask, median),
            contrast=pyicg.contrast(cal, signal=rims.rim_mask, background=background),
        )

    def _background(self, level: float, sigma: float) -> pyicg.Background:
        size = int(self._scene.liver.sum())
        return pyicg.Background(level=level, sigma=sigma, sem=sigma / size**0.5, n_pixels=size, policy="mask")


class FullScore:
    """`Scorer.score`: quality, background, hot spots, rims and every contrast with its interval; no maps."""

    name = "pyicg, full score"
    fits_rims = True

    def __init__(self, scene: BenchScene) -> None:
        self.version = f"pyicg {pyicg.__version__}, {_core.instruction_set()}"
        self._scorer = pyicg.Scorer(scene.profile, shape=scene.profile.shape)

    def stages(self, work: Work) -> Mapping[str, Callable[[], Any]]:
        """Return the whole frame only: a scorer has no steps to call."""
        scene = work.scene
        return {"whole frame": lambda: self._scorer.score(scene.raw, exposure_ms=scene.exposure_ms)}
