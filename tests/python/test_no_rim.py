"""What is bright and no rim: said why, and never with confidence. The scenes are plain on purpose.

bench/validation/no_rim.py draws 500 frames of the same kinds at random.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

import pyicg
from pyicg import RimSegmentation
from pyicg.phantom import RimShape, rim_scene

from .oracles import calibrated

Image = npt.NDArray[np.float64]
SHAPE = (200, 260)
Y, X = np.indices(SHAPE, dtype=np.float64)
LIVER = 100.0


def disc(y: float, x: float, radius: float) -> Image:
    return (np.hypot(Y - y, X - x) < radius).astype(float)


def line(y0: float, x0: float, y1: float, x1: float, width: float) -> Image:
    """A straight tube with round ends."""
    dy, dx = y1 - y0, x1 - x0
    along = np.clip(((Y - y0) * dy + (X - x0) * dx) / (dy**2 + dx**2), 0, 1)
    return (np.hypot(Y - y0 - along * dy, X - x0 - along * dx) < width / 2).astype(float)


def arc(y: float, x: float, radius: float, width: float, start_deg: float, end_deg: float) -> Image:
    angle = np.degrees(np.arctan2(Y - y, X - x)) % 360
    ring = np.abs(np.hypot(Y - y, X - x) - radius) < width / 2
    return (ring & (angle >= start_deg) & (angle <= end_deg)).astype(float)


def segment(excess: Image, *, noise: float = 4.0, blur: float = 1.2, full: float = 3000.0) -> RimSegmentation:
    """Light over liver, in units of liver, to a segmentation; what is over `full` saturates."""
    image = LIVER * (1 + gaussian_filter(excess, blur)) + np.random.default_rng(0).normal(0, noise, SHAPE)
    return pyicg.segment_rim(calibrated(np.minimum(image, full), np.where(image >= full, 1, 0).astype(np.uint8)))


def unsure(rim: RimSegmentation) -> bool:
    return all(lesion.confidence < 0.5 for lesion in rim.lesions)


def near(rim: RimSegmentation, y: float, x: float) -> list[str]:
    """Reasons of the rejected regions whose box holds a place."""
    return [r.reason for r in rim.rejected if r.box[0] <= y <= r.box[2] and r.box[1] <= x <= r.box[3]]


@pytest.mark.parametrize(
    ("excess", "place", "reason"),
    [
        (2 * disc(60, 80, 2), (60, 80), "below_min_area"),
        (2 * line(-20, 40, 220, 180, 8), (100, 110), "elongated"),
        (60 * disc(100, 130, 18), (100, 130), "saturated_blob"),
        (2 * disc(100, 130, 35), (100, 130), "no_enclosed_core"),
        (2 * np.exp(-((Y - 100) ** 2 + (X - 130) ** 2) / 800), (100, 130), "no_enclosed_core"),
        (np.where(X < 50, -0.98, np.where(X < 58, 2.0, 0.0)), (100, 54), "drape_edge"),
        (28 / (1 + ((Y - 80) ** 2 + (X - 90) ** 2) / 9) ** 2, (80, 90), "glare"),
    ],
    ids=["fleck", "vessel", "saturated blob", "even tissue", "dome", "drape", "glare"],
)
def test_each_is_rejected_with_its_reason(excess: Image, place: tuple[float, float], reason: str) -> None:
    rim = segment(excess)
    assert unsure(rim)
    assert near(rim, *place) == [reason]


def test_hot_pixels() -> None:
    image = np.random.default_rng(1).normal(LIVER, 4, SHAPE)
    places = [(30, 40), (90, 200), (150, 100)]
    for y, x in places:
        image[y, x] = 3000
    rim = pyicg.segment_rim(calibrated(image))
    assert rim.lesions == ()
    assert [near(rim, y, x) for y, x in places] == [["hot_pixel"]] * 3


OPEN: dict[str, Image] = {
    "arc over 45 % of the angles": 2 * arc(100, 130, 35, 10, 30, 192),
    "arc with a tail": 2 * np.maximum(arc(100, 130, 30, 8, 90, 250), line(130, 130, 130, 230, 8)),
    "Y-junction": 2
    * np.maximum(line(220, 130, 110, 130, 10), np.maximum(line(110, 130, -20, 60, 8), line(110, 130, -20, 200, 8))),
    "crossing vessels": 2 * np.maximum(line(-20, 20, 220, 240, 9), line(220, 30, -20, 220, 9)),
    "vessels that cross at a narrow angle": 8 * np.maximum(line(-20, 60, 220, 230, 13), line(220, 40, 60, 250, 8)),
    "vessels that close with the frame's border": 6
    * np.maximum(line(-20, 100, 60, 110, 6), line(60, 110, -20, 170, 6)),
    "arc closed over 90 %": arc(100, 130, 40, 16, 20, 344),
    "parallel vessels": 2 * np.maximum(line(-20, 100, 220, 130, 10), line(-20, 130, 220, 160, 10)),
    "winding vessel": 2.0 * (np.abs(Y - 100 - 30 * np.sin(X / 20)) < 8),
    "bright half": 1.5 * (X > 130),
    "cleft": 2 * np.maximum(disc(100, 90, 38), disc(100, 170, 38)) * (np.abs(X - 130) > 4),
    "dark vessel in bright tissue": 1.5 - 1.2 * line(-20, 60, 220, 200, 12),
    "dark vessels that cross": -0.6 * np.maximum(line(-20, 20, 220, 240, 9), line(220, 30, -20, 220, 9)),
    "blob beside blob": 2 * (disc(100, 90, 22) + disc(70, 130, 20) + disc(130, 128, 18)),
    "gradient": 2 * X / SHAPE[1],
}


@pytest.mark.parametrize("name", OPEN)
@pytest.mark.parametrize(("noise", "blur"), [(2.0, 0.8), (20.0, 2.5)])
def test_what_does_not_close_is_no_sure_rim(name: str, noise: float, blur: float) -> None:
    assert unsure(segment(OPEN[name], noise=noise, blur=blur))


@pytest.mark.parametrize("scale", [2.0, 6.0, 15.0])
def test_texture(scale: float) -> None:
    for seed in range(3):
        field = gaussian_filter(np.random.default_rng(seed).normal(0, 1, SHAPE), scale)
        assert unsure(segment(0.2 * field / field.std()))


def cover_with(draw: Callable[[], Image]) -> Any:
    return pytest.param(draw, id=draw.__name__)


def flecks() -> Image:
    return 4 * np.maximum.reduce([disc(y, x, 2.5) for y, x in ((30, 30), (160, 60), (40, 220), (170, 220), (100, 240))])


def vessel() -> Image:
    return 3 * line(-20, 220, 220, 250, 8)


def glare() -> Image:
    return 40 / (1 + ((Y - 30) ** 2 + (X - 230) ** 2) / 9) ** 1.5


@pytest.mark.parametrize("beside", [cover_with(draw) for draw in (flecks, vessel, glare)])
def test_a_rim_beside_them_stays_as_it_is(beside: Callable[[], Image]) -> None:
    shape = RimShape(25.0, 10.0, (100.2, 119.6), harmonics={3: (0.08, 0.4)})
    plain = rim_scene(SHAPE, [shape], sbr=3.0, snr=40.0).image
    found = [
        pyicg.segment_rim(calibrated(image), psf_sigma_px=1.2)
        for image in (plain, plain + LIVER * gaussian_filter(beside(), 1.2))
    ]
    alone, crowded = ([lesion for lesion in rim.lesions if lesion.confidence > 0.5] for rim in found)
    assert len(alone) == len(crowded) == 1
    assert crowded[0].area_px == pytest.approx(alone[0].area_px, rel=2e-3)
    assert crowded[0].completeness == pytest.approx(1.0, abs=0.02)


def broken(core_sbr: float, add: Image | float = 0.0) -> float:
    """Return the confidence of a rim that is open by a quarter, around a core of this level."""
    shape = RimShape(20.0, 10.0, (100.2, 119.6), gaps_deg=((30.0, 120.0),))
    scene = rim_scene(SHAPE, [shape], sbr=3.0, core_sbr=core_sbr, snr=40.0)
    (lesion,) = pyicg.segment_rim(calibrated(scene.image + LIVER * add), psf_sigma_px=1.2).lesions
    assert ("low_confidence" in lesion.reasons) == (lesion.confidence < 0.5)
    return lesion.confidence


def test_a_broken_rim_is_the_less_sure_the_paler_its_core() -> None:
    found = [broken(level) for level in (0.4, 0.76, 0.82, 0.85, 0.88, 0.94)]
    assert found == sorted(found, reverse=True)
    assert found[1] > 0.9
    assert found[3] == pytest.approx(0.5, abs=0.1)
    assert found[-1] == 0


def test_a_fleck_in_the_core_does_not_make_it_pale() -> None:
    assert broken(0.4, 2 * gaussian_filter(disc(100.2, 119.6, 2.5), 1.2)) == pytest.approx(broken(0.4), abs=0.05)
