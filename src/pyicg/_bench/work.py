"""The work that is measured, step by step, what each step must give, and how closely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pyicg._bench.scene import BenchScene
from pyicg.results import FrameScore

__all__ = [
    "MAD_TO_SIGMA",
    "PERCENTS",
    "RAYS",
    "SIGMA_PX",
    "STAGES",
    "Calibration",
    "Contender",
    "Frame",
    "Stage",
    "Work",
]

SIGMA_PX = 2.0  # of the Gaussian; 17 taps
RAYS = 360
PERCENTS = (5, 25, 50, 75, 95)
MAD_TO_SIGMA = 1.4826
_OF_PIXELS = 1e-4  # of all pixels: so many may lie on the other side of a threshold
_NEAR_DN = 0.1  # counts, of a median from a histogram


@dataclass(frozen=True, eq=False)
class Frame:
    """Everything the work makes of one raw frame; masks are bool, or uint8 and not 0.

    `data` in DN/ms; `median` and `mad` of the liver in it; `sbr` is data over the median. `distances` are those inside
    the rim to its edge, `thickness` (rims, 360) twice the largest of them along each ray from the middle of the rim's
    box. `rim_sbr` holds mean, standard deviation and percentiles over the rim.
    """

    data: npt.NDArray[np.float32]
    median: float
    mad: float
    sbr: npt.NDArray[np.float32]
    rim: npt.NDArray[Any]
    core: npt.NDArray[Any]
    contours: int
    distances: npt.NDArray[np.float32]
    thickness: npt.NDArray[np.float32]
    rim_sbr: npt.NDArray[np.float64]
    cnr: float


@dataclass(frozen=True, eq=False)
class Work:
    """A scene and, as the input of each step and the answer to compare with, what numpy and scipy make of it."""

    scene: BenchScene
    smooth: npt.NDArray[np.float32]
    bright: npt.NDArray[np.bool_]
    frame: Frame

    @cached_property
    def outside(self) -> npt.NDArray[np.float32]:
        """Distance of every pixel outside the rims to the nearest rim."""
        from scipy.ndimage import distance_transform_edt

        return np.asarray(distance_transform_edt(self.frame.rim == 0), np.float32)


class Contender(Protocol):
    """One way to do the work. Whatever it can prepare, it prepares before the clock runs."""

    name: str
    version: str
    fits_rims: bool  # its rims are fitted models, no thresholded masks: where they enter, it gives more than the others

    def stages(self, work: Work) -> Mapping[str, Callable[[], Any]]:
        """Return the steps it offers, by name of the stage, each ready to run on the inputs in `work`."""
        ...


class Calibration:
    """The maps of a profile as numpy and OpenCV use them: float32, with the bad pixels' neighbours looked up."""

    def __init__(self, scene: BenchScene) -> None:
        profile = scene.profile
        if profile.dark is None or profile.flat is None or profile.bad is None:
            raise TypeError("the scene's profile has dark, flat and bad pixels")
        self.dark = profile.dark
        self.gain = (np.float32(1) / profile.flat) * np.float32(1 / scene.exposure_ms)
        self.linearity = tuple(np.float32(c) for c in profile.linearity)
        height, width = profile.shape
        self.bad = np.flatnonzero(profile.bad)
        around = np.array([(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)])
        y, x = self.bad[:, None] // width + around[:, 0], self.bad[:, None] % width + around[:, 1]
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        place = np.where(inside, y * width + x, 0)
        self._left_out = ~inside | profile.bad.ravel()[place]
        self._neighbours = place
        good = 8 - self._left_out.sum(axis=1)
        self._middle = np.stack([np.maximum(good - 1, 0) // 2, good // 2], axis=1)

    def repair(self, data: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Give every bad pixel the median of its good neighbours, in place."""
        flat = data.reshape(-1)
        values = flat[self._neighbours]
        values[self._left_out] = np.inf
        values.sort(axis=1)
        middle = np.take_along_axis(values, self._middle, axis=1)
        flat[self.bad] = np.float32(0.5) * (middle[:, 0] + middle[:, 1])
        return data


@dataclass(frozen=True)
class Stage:
    """One step: the fewest bytes per pixel that it reads and writes, when its output is right, and that in words.

    `fitted` tells instead whether the output of a contender that fits rims makes sense: it is another one.
    """

    name: str
    bytes_per_pixel: int
    agrees: Callable[[Any, Work], bool]
    tolerance: str
    fitted: Callable[[Any, Work], bool] | None = None

    def right(self, contender: Contender, found: Any, work: Work) -> bool:
        """Tell whether a contender's output is what it has to be."""
        check = self.fitted if self.fitted is not None and contender.fits_rims else self.agrees
        return check(found, work)


def _close(found: Any, expected: Any, rtol: float = 1e-6) -> bool:
    return np.shape(found) == np.shape(expected) and bool(np.allclose(found, expected, rtol=rtol, atol=0))


def _few_differ(found: Any, expected: npt.NDArray[Any]) -> bool:
    return bool(np.count_nonzero((found != 0) != (expected != 0)) <= _OF_PIXELS * expected.size)


def _same(found: Any, expected: npt.NDArray[Any]) -> bool:
    return bool(np.array_equal(found != 0, expected != 0))


def _thickness(found: Any, expected: Any) -> bool:
    """Whether each rim, in whatever order they come, is as thick along every ray: OpenCV interpolates in 1/32 px."""
    if np.shape(found) != np.shape(expected):
        return False
    apart = np.abs(found[:, None] - expected[None]).max(axis=2) > 0.25
    return not apart.all(axis=0).any() and not apart.all(axis=1).any()


def _whole(found: Frame, work: Work) -> bool:
    from scipy.ndimage import distance_transform_edt

    expected = work.frame
    near = _NEAR_DN / work.scene.exposure_ms
    return (
        _close(found.data, expected.data)
        and abs(found.median - expected.median) <= near
        and abs(found.mad - expected.mad) <= near
        and _close(found.sbr, found.data / np.float32(found.median))
        and _few_differ(found.rim, expected.rim)
        and _few_differ(found.core, expected.core)
        and found.contours == expected.contours
        and _close(found.distances, distance_transform_edt(found.rim != 0))
        and _thickness(found.thickness, expected.thickness)
        and _close(found.rim_sbr, expected.rim_sbr, rtol=0.005)
        and _close(found.cnr, expected.cnr, rtol=0.005)
    )


def _rims(found: tuple[Any, Any, int, Any], work: Work) -> bool:
    rim, core, contours, thickness = found
    expected = work.frame
    return (
        _few_differ(rim, expected.rim)
        and _few_differ(core, expected.core)
        and contours == expected.contours
        and _thickness(thickness, expected.thickness)
    )


def _scored(found: FrameScore, work: Work) -> bool:
    return abs(found.background.level / work.frame.median - 1) < 0.1 and len(found.lesions) > 0


STAGES = (
    Stage("calibrate", 15, lambda f, w: _close(f, w.frame.data), "relative 1e-6"),
    Stage("background", 5, lambda f, w: _close(f, (w.frame.median, w.frame.mad), 1e-7), "relative 1e-7"),
    Stage("SBR map", 8, lambda f, w: _close(f, w.frame.sbr), "relative 1e-6"),
    Stage("Gaussian", 8, lambda f, w: _close(f, w.smooth, 1e-5), "relative 1e-5"),
    Stage("threshold", 5, lambda f, w: _same(f, w.bright), "equal"),
    Stage("components", 2, lambda f, w: _same(f, w.frame.rim), "equal"),
    Stage("holes", 2, lambda f, w: _same(f, w.frame.core), "equal"),
    Stage("contours", 1, lambda f, w: f == w.frame.contours, "as many"),
    Stage("distance inside the rim", 5, lambda f, w: _close(f, w.frame.distances), "relative 1e-6"),
    Stage("distance outside the rim", 5, lambda f, w: _close(f, w.outside), "relative 1e-6"),
    Stage("thickness by angle", 5, lambda f, w: _thickness(f, w.frame.thickness), "0.25 px"),
    Stage("rim statistics", 5, lambda f, w: _close(f, w.frame.rim_sbr), "relative 1e-6"),
    Stage("rims", 10, _rims, "masks 1 pixel in 10 000, thickness 0.25 px"),
    Stage(
        "whole frame",
        31,
        _whole,
        "data relative 1e-6, masks 1 pixel in 10 000, medians 0.1 counts, rim statistics 0.5 %",
        _scored,
    ),
)
