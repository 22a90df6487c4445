"""The work by pyicg, through its public functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

import pyicg
from pyicg import _core
from pyicg._bench.scene import BenchScene
from pyicg._bench.work import MAD_TO_SIGMA, PERCENTS, SIGMA_PX, Frame, Work

__all__ = ["FullScore", "WithPyicg"]

_Raw = npt.NDArray[np.uint16]


class WithPyicg:
    """The same work through public functions, memory reused from frame to frame; rims are thresholded masks."""

    name = "pyicg"
    fits_rims = False

    def __init__(self, scene: BenchScene, threads: int = 1) -> None:
        self.version = f"pyicg {pyicg.__version__}, {_core.instruction_set()}"
        self._scene = scene
        self._liver_size = int(scene.liver.sum())
        self._threads = threads
        shape = scene.profile.shape
        self._data, self._distances = (np.zeros(shape, np.float32) for _ in range(2))
        self._rims: dict[bool, pyicg.ThresholdedRims] = {}  # with and without the map: each has memory of its own

    def stages(self, work: Work) -> Mapping[str, Callable[[], Any]]:
        """Return what pyicg offers; smoothing to contours it does in one go."""
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
        return pyicg.calibrate(
            raw, scene.profile, exposure_ms=scene.exposure_ms, variance=False, out=self._data, threads=self._threads
        )

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

    def rims(
        self, cal: pyicg.CalibratedFrame, background: pyicg.Background
    ) -> tuple[pyicg.results.BoolArray, pyicg.results.BoolArray, int, npt.NDArray[np.float32]]:
        """From the calibrated frame to rims, cores, contours and thickness."""
        rims = self.thresholded(cal, background)
        return rims.rim_mask, rims.core_mask, _contours(rims), rims.thickness

    def thresholded(
        self, cal: pyicg.CalibratedFrame, background: pyicg.Background, *, sbr_map: bool = False
    ) -> pyicg.ThresholdedRims:
        self._rims[sbr_map] = pyicg.threshold_rim(
            cal,
            background=background,
            smooth_px=SIGMA_PX,
            min_area_px=float(self._scene.min_area_px),
            sbr_map=sbr_map,
            threads=self._threads,
            out=self._rims.get(sbr_map),
        )
        return self._rims[sbr_map]

    def frame(self, raw: _Raw) -> Frame:
        """Everything that the peers make of a frame."""
        cal = self.calibrate(raw)
        median, mad = self.background(cal)
        rims = self.thresholded(cal, self._background(median, MAD_TO_SIGMA * mad), sbr_map=True)
        sbr = rims.sbr
        return Frame(
            data=cal.data,
            median=median,
            mad=mad,
            sbr=np.asarray(rims.sbr_map),
            rim=rims.rim_mask,
            core=rims.core_mask,
            contours=_contours(rims),
            distances=rims.distances,
            thickness=rims.thickness,
            rim_sbr=np.array([sbr.mean, sbr.sd, *sbr.percentiles.values()]),
            cnr=(sbr.mean - 1) * median / (MAD_TO_SIGMA * mad),
        )

    def _background(self, level: float, sigma: float) -> pyicg.Background:
        size = self._liver_size
        return pyicg.Background(level=level, sigma=sigma, sem=sigma / size**0.5, n_pixels=size, policy="mask")


def _contours(rims: pyicg.ThresholdedRims) -> int:
    return len(rims.outer_contours) + sum(map(len, rims.inner_contours))


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
