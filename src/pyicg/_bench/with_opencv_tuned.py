"""The work by an OpenCV expert who tunes it: every buffer reused, no pass that another one can save."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pyicg._bench.scene import BenchScene
from pyicg._bench.with_opencv import quantiles, rays, spread_about
from pyicg._bench.work import MAD_TO_SIGMA, PERCENTS, RAYS, SIGMA_PX, Calibration, Frame, Work

__all__ = ["WithTable", "WithTunedOpenCV"]

_Image = npt.NDArray[np.float32]
_Bytes = npt.NDArray[np.uint8]
_Box = tuple[slice, slice]

_STRIP_BYTES = 1 << 18  # of a strip of float32 rows: four of them stay in a core's second cache
_COUNTS = 4096  # of the camera
_FINE = 16  # bins per count where a median is to be exact
_SBR_RANGE = 32.0


class WithTunedOpenCV:
    """Calibrates strip by strip in cache, counts 16-bit pixels without a mask, and measures in the rims' boxes only."""

    name = "OpenCV, tuned"
    fits_rims = False

    def __init__(self, scene: BenchScene, threads: int = 1) -> None:
        cv2.setNumThreads(threads)
        self.version = f"OpenCV {cv2.__version__}{', IPP' if cv2.ipp.useIPP() else ''}"
        self._scene = scene
        self._calibration = Calibration(scene)
        shape = scene.raw.shape
        # One multiplication masks, scales to bins and rounds to 16 bits; what is left out becomes 0.
        liver = scene.liver.astype(np.float32) * np.float32(scene.exposure_ms)
        self._liver_bins = {1: liver, _FINE: _FINE * liver}
        self._liver_size = int(scene.liver.sum())
        rows = max(_STRIP_BYTES // (4 * shape[1]), 1)
        self._strips = [slice(y, min(y + rows, shape[0])) for y in range(0, shape[0], rows)]
        self._above, self._part = (np.zeros((rows, shape[1]), np.float32) for _ in range(2))
        self._data, self._sbr, self._smooth, self._distances = (np.zeros(shape, np.float32) for _ in range(4))
        self._levels, self._bright, self._rim, self._core = (np.zeros(shape, np.uint8) for _ in range(4))
        self._counts = np.zeros(shape, np.uint16)
        self._drawn: list[_Box] = []
        self._measured: list[_Box] = []

    def stages(self, work: Work) -> Mapping[str, Callable[[], Any]]:
        """Return the steps in which tuning changes something."""
        frame = work.frame
        bright, rim = (np.where(mask, 255, 0).astype(np.uint8) for mask in (work.bright, frame.rim))
        outer = self.large(rim)
        return {
            "calibrate": lambda: self.calibrate(work.scene.raw),
            "background": lambda: self.exact_background(frame.data),
            "SBR map": lambda: self.sbr_map(frame.data, frame.median),
            "Gaussian": lambda: self.smooth(frame.data),
            "threshold": lambda: self.threshold(work.smooth),
            "components": lambda: self.draw(self.large(bright))[0],
            "holes": lambda: self.draw(self.large(rim))[1],
            "contours": lambda: sum(1 + len(holes) for _, holes in self.large(rim)),
            "distance inside the rim": lambda: self.distances(rim, self.boxes(outer)),
            "thickness by angle": lambda: self.thickness(frame.distances, self.boxes(outer)),
            "rim statistics": lambda: self.exact_rim_statistics(frame.sbr, rim, self.boxes(outer)),
            "rims": lambda: self.rims(frame.data),
            "whole frame": lambda: self.frame(work.scene.raw),
        }

    def calibrate(self, raw: npt.NDArray[np.uint16]) -> _Image:
        c = self._calibration
        c1, c2, c3 = c.linearity
        for strip in self._strips:
            height = strip.stop - strip.start
            above = cv2.subtract(raw[strip], c.dark[strip], dst=self._above[:height], dtype=cv2.CV_32F)
            part = np.multiply(above, c3, out=self._part[:height])  # numpy's arithmetic with one number is the faster
            part += c2
            part *= above
            part += c1
            part *= above
            np.multiply(part, c.gain[strip], out=self._data[strip])
        return c.repair(self._data)

    def background(self, data: _Image) -> tuple[float, float]:
        """Median and MAD to about half a count, from the histogram alone."""
        counts, _ = self._histogram(data, 1)
        median = float(quantiles(counts, np.array([0.5]))[0])
        # Rounded, not cut off: bin k is k - 0.5 to k + 0.5.
        return (median - 0.5) / self._scene.exposure_ms, spread_about(counts, median) / self._scene.exposure_ms

    def exact_background(self, data: _Image) -> tuple[float, float]:
        """Median and MAD exactly: the histogram says which few pixels to look at again."""
        counts, pixels = self._histogram(data, _FINE)
        below = np.cumsum(counts)
        size = int(below[-1])
        ranks = (size - 1) // 2, size // 2
        first, last = (int(place) for place in np.searchsorted(below, ranks, side="right"))
        median = _middle(self._values(data, pixels, [(first, last)]), ranks, int(below[first - 1]))

        # Bins that are nearer than the MAD for certain are counted; those that may hold it are looked at.
        centre = median * self._scene.exposure_ms * _FINE
        about = spread_about(counts, centre + 0.5)
        inner, outer = max(about - 1.5, 0), about + 1.5
        low, high = int(np.ceil(centre - inner + 0.5)), int(np.floor(centre + inner - 0.5))
        least, most = max(int(np.floor(centre - outer)), 1), int(np.ceil(centre + outer))
        values = self._values(data, pixels, [(least, low - 1), (high + 1, most)])
        away = np.abs(values.astype(np.float64) - median)
        return median, _middle(away, ranks, int(counts[low : high + 1].sum()))

    def _histogram(self, data: _Image, per_count: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint16]]:
        """Count the liver without a mask: what is no liver is 0, and its size is known."""
        pixels = cv2.multiply(data, self._liver_bins[per_count], dst=self._counts, dtype=cv2.CV_16U)
        bins = per_count * _COUNTS
        counts = cv2.calcHist([pixels], [0], None, [bins], [0, bins]).ravel().astype(np.float64)
        counts[0] -= pixels.size - self._liver_size
        return counts, pixels

    def _values(self, data: _Image, pixels: npt.NDArray[np.uint16], bins: list[tuple[int, int]]) -> _Image:
        """Return what lies in ranges of bins, the ends included."""
        wanted = cv2.inRange(pixels, *bins[0], dst=self._levels)
        for span in bins[1:]:
            wanted = cv2.bitwise_or(wanted, cv2.inRange(pixels, *span, dst=self._bright), dst=wanted)
        values: _Image = data[wanted.view(np.bool_)]
        return values

    def sbr_map(self, data: _Image, median: float) -> _Image:
        return np.multiply(data, np.float32(1 / median), out=self._sbr)

    def smooth(self, data: _Image) -> _Image:
        blurred: _Image = cv2.GaussianBlur(data, (0, 0), SIGMA_PX, dst=self._smooth, borderType=cv2.BORDER_REFLECT_101)
        return blurred

    def threshold(self, smooth: _Image) -> _Bytes:
        levels = cv2.convertScaleAbs(smooth, dst=self._levels, alpha=255 / cv2.minMaxLoc(smooth)[1])
        bright: _Bytes = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU, dst=self._bright)[1]
        return bright

    def large(self, bright: _Bytes) -> list[tuple[Any, list[Any]]]:
        """Return the outer contour and the holes of every region that is large enough."""
        contours, hierarchy = cv2.findContours(bright, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        if not contours:
            return []
        parents = hierarchy[0, :, 3].tolist()
        holes: dict[int, list[Any]] = {}
        for contour, parent in zip(contours, parents, strict=True):
            if parent >= 0:
                holes.setdefault(parent, []).append(contour)
        smallest = self._scene.min_area_px
        return [
            (contour, holes.get(k, []))
            for k, (contour, parent) in enumerate(zip(contours, parents, strict=True))
            # No region is larger than the square that its contour could make.
            if parent < 0 and (len(contour) / 4 + 1) ** 2 >= smallest and _area(contour, holes.get(k, [])) >= smallest
        ]

    def draw(self, regions: list[tuple[Any, list[Any]]]) -> tuple[_Bytes, _Bytes]:
        """Return masks of the regions and of what they enclose; what the last call drew is wiped box by box."""
        for box in self._drawn:
            self._rim[box] = 0
            self._core[box] = 0
        self._drawn = self.boxes(regions)
        for outer, holes in regions:
            cv2.drawContours(self._core, [outer], -1, 255, cv2.FILLED)
            cv2.drawContours(self._rim, [outer, *holes], -1, 255, cv2.FILLED)
        for box in self._drawn:
            cv2.subtract(self._core[box], self._rim[box], dst=self._core[box])
        return self._rim, self._core

    def boxes(self, regions: list[tuple[Any, list[Any]]]) -> list[_Box]:
        found = []
        for outer, _ in regions:
            x, y, width, height = cv2.boundingRect(outer)
            found.append((slice(y, y + height), slice(x, x + width)))
        return found

    def distances(self, rim: _Bytes, boxes: list[_Box]) -> _Image:
        """In each box, with a border of one pixel where the frame has one: it is outside the rim."""
        for box in self._measured:
            self._distances[box] = 0
        self._measured = [
            (slice(max(rows.start - 1, 0), rows.stop + 1), slice(max(columns.start - 1, 0), columns.stop + 1))
            for rows, columns in boxes
        ]
        for box in self._measured:
            self._distances[box] = cv2.distanceTransform(rim[box], cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return self._distances

    def thickness(self, distances: _Image, boxes: list[_Box]) -> _Image:
        return np.array([rays(distances[box]) for box in boxes], np.float32).reshape(-1, RAYS)

    def rim_statistics(self, sbr: _Image, rim: _Bytes, boxes: list[_Box]) -> npt.NDArray[np.float64]:
        counts = np.zeros(_COUNTS)
        sums = np.zeros(3)
        for box in boxes:
            values, inside = sbr[box], rim[box]
            found = cv2.calcHist([values], [0], inside, [_COUNTS], [0, _SBR_RANGE]).ravel()
            mean, sd = (float(part[0, 0]) for part in cv2.meanStdDev(values, mask=inside))
            counts += found
            sums += found.sum() * np.array([1, mean, mean**2 + sd**2])
        mean = sums[1] / sums[0]
        percentiles = quantiles(counts, np.array(PERCENTS) / 100) * (_SBR_RANGE / _COUNTS)
        return np.array([mean, np.sqrt(max(sums[2] / sums[0] - mean**2, 0)), *percentiles])

    def exact_rim_statistics(self, sbr: _Image, rim: _Bytes, boxes: list[_Box]) -> npt.NDArray[np.float64]:
        values = np.concatenate([sbr[box][rim[box] != 0] for box in boxes]).astype(np.float64)
        return np.array([values.mean(), values.std(ddof=1), *np.percentile(values, PERCENTS)])

    def rims(self, data: _Image) -> tuple[_Bytes, _Bytes, int, _Image]:
        """From the calibrated frame to rims, cores, contours and thickness."""
        regions = self.large(self.threshold(self.smooth(data)))
        rim, core = self.draw(regions)
        boxes = self.boxes(regions)
        contours = sum(1 + len(holes) for _, holes in regions)
        return rim, core, contours, self.thickness(self.distances(rim, boxes), boxes)

    def frame(self, raw: npt.NDArray[np.uint16]) -> Frame:
        data = self.calibrate(raw)
        median, mad = self.background(data)
        sbr = self.sbr_map(data, median)
        regions = self.large(self.threshold(self.smooth(data)))
        rim, core = self.draw(regions)
        boxes = self.boxes(regions)
        distances = self.distances(rim, boxes)
        rim_sbr = self.rim_statistics(sbr, rim, boxes)
        return Frame(
            data=data,
            median=median,
            mad=mad,
            sbr=sbr,
            rim=rim,
            core=core,
            contours=sum(1 + len(holes) for _, holes in regions),
            distances=distances,
            thickness=self.thickness(distances, boxes),
            rim_sbr=rim_sbr,
            cnr=float((rim_sbr[0] - 1) * median / (MAD_TO_SIGMA * mad)),
        )


class WithTable(WithTunedOpenCV):
    """The same with a table of the linearity, looked up by whole counts: dark levels are rounded."""

    name = "OpenCV, tuned, table"

    def __init__(self, scene: BenchScene, threads: int = 1) -> None:
        super().__init__(scene, threads)
        c1, c2, c3 = self._calibration.linearity
        above = np.arange(1 << 16, dtype=np.float32)
        self._table = above * (c1 + above * (c2 + above * c3))
        self._whole_dark = np.rint(self._calibration.dark).astype(np.uint16)

    def stages(self, work: Work) -> Mapping[str, Callable[[], Any]]:
        """Return what the table changes."""
        return {name: call for name, call in super().stages(work).items() if name in ("calibrate", "whole frame")}

    def calibrate(self, raw: npt.NDArray[np.uint16]) -> _Image:
        above = cv2.subtract(raw, self._whole_dark, dst=self._counts)
        cv2.multiply(cv2.LUT(above, self._table), self._calibration.gain, dst=self._data)
        return self._calibration.repair(self._data)


def _area(outer: Any, holes: list[Any]) -> float:
    """Return the pixels of a region: polygons through the centres of edge pixels leave half of the edge out (Pick)."""
    area: float = cv2.contourArea(outer) + len(outer) / 2 + 1
    for hole in holes:
        area -= cv2.contourArea(hole) - len(hole) / 2 + 1
    return area


def _middle(values: npt.NDArray[Any], ranks: tuple[int, int], before: int) -> float:
    """Return the mean of the values with two ranks, of which so many belong to smaller values not given."""
    lower, upper = (rank - before for rank in ranks)
    found = np.partition(values, (lower, upper)).astype(np.float64)
    return float(0.5 * (found[lower] + found[upper]))
