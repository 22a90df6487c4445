"""Scores and frames that reports are made of in tests, and a reader of their pages."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pyicg.results import (
    Background,
    Contrast,
    Distance,
    FrameScore,
    HotSpot,
    Lesion,
    MarginStatus,
    Measurement,
    Quality,
    RejectedRegion,
    SpecimenLesion,
)
from pyicg.sensitivity import SensitivityTable

NAN = math.nan
SIZE = 160
MM = 0.1
SBR = Measurement(3.1, 0.1, (2.9, 3.3))


@dataclass(frozen=True)
class FlatPlane:
    point_mm: tuple[float, float, float]
    normal: tuple[float, float, float]
    oriented: bool = True


@dataclass(frozen=True)
class Score:
    frames: tuple[FrameScore, ...]
    key_image: npt.NDArray[np.float32]
    key_mask: npt.NDArray[np.uint8]
    view: str = "section"
    lesions: tuple[SpecimenLesion, ...] = ()
    distance: Distance | None = None
    margin: MarginStatus | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    spacing_mm: tuple[float | None, float | None, float | None] = (None, None, None)
    plane: FlatPlane | None = None
    key_index: int = 0
    sensitivity: SensitivityTable | None = None


def circle(radius: float, centre: tuple[float, float] = (70.0, 80.0)) -> npt.NDArray[np.float64]:
    angle = np.arange(180) * math.tau / 180
    return np.stack([centre[0] + radius * np.sin(angle), centre[1] + radius * np.cos(angle)], axis=1)


def make_lesion(radius: float = 40.0, **changes: Any) -> Lesion:
    lesion = Lesion(
        label=1,
        inner_contour=circle(radius),
        outer_contour=circle(radius + 12),
        inner_sigma=np.full(180, 0.3),
        outer_sigma=np.full(180, 0.4),
        correlation_px=4.0,
        edge_sigma_px=1.8,
        thickness=Measurement(12.0, 0.4, (11.2, 12.8)),
        thickness_mm=Measurement(1.2, 0.04, (1.12, 1.28)),
        thickness_profile=np.full(180, 12.0),
        thickness_min_px=12.0,
        thickness_max_px=12.0,
        completeness=0.93,
        gaps_deg=np.array([[40.0, 65.0]]),
        area_px=math.pi * radius**2,
        area_mm2=Measurement(math.pi * radius**2 * MM**2, 0.5, (49.3, 51.3)),
        equivalent_diameter_px=2 * radius,
        equivalent_diameter_mm=Measurement(2 * radius * MM, 0.04, (7.92, 8.08)),
        centroid=(70.0, 80.0),
        sbr=Measurement(3.1, 0.1, (2.9, 3.3)),
        sbr_core=Measurement(7.5, 0.3, (6.9, 8.1)),
        core_depth=0.87,
        core_bright_share=0.0,
        pattern="rim",
        confidence=0.9,
    )
    return replace(lesion, **changes)


def make_frame(index: int = 0, sbr: Measurement = SBR, **changes: Any) -> FrameScore:
    frame = FrameScore(
        index=index,
        unit="DN/ms",
        background=Background(10.0, 1.0, 0.01, 9000, "mode"),
        contrast=Contrast(*[sbr] * 8),
        fluorescent=True,
        sbr_cut=1.5,
        sign_at={1.5: True, 1.75: True, 2.0: False},
        residual_area_px=900.0,
        residual_area_mm2=Measurement(9.0, 0.1, (8.8, 9.2)),
        hot_spots=(
            HotSpot(1, 3.9, (24.0, 80.0), 600.0, Measurement(6.0, 0.1, (5.8, 6.2))),
            HotSpot(2, 2.2, (130.0, 30.0), 300.0, Measurement.undefined("no_pixel_size")),
        ),
        lesions=(make_lesion(),),
        rejected=(RejectedRegion("no_enclosed_core", (130.0, 30.0), 300.0, (120, 20, 140, 40)),),
        quality=Quality(0.002, 0.0, 3, 1, 0.4, True, 0.95, 0.0),
        reasons=(),
        profile_digest="sha256:aa",
        frame_digest="sha256:bb",
    )
    return replace(frame, **changes)


def picture() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Return a simulated rim with a saturated patch and two bad pixels."""
    y, x = np.mgrid[:SIZE, :SIZE]
    rim = np.exp(-(((np.hypot(y - 70, x - 80) - 46) / 5) ** 2))
    spot = np.exp(-(((y - 130) ** 2 + (x - 30) ** 2) / 60))
    noise = np.random.default_rng(1).normal(0, 0.6, (SIZE, SIZE))
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[20:24, 78:84] = 1
    mask[100, 100:102] = 4
    return (10 + 22 * rim + 12 * spot + noise).astype(np.float32), mask


def make_section(**changes: Any) -> Score:
    frames = tuple(
        make_frame(
            i,
            Measurement(2 + i / 4, 0.1, (1.8 + i / 4, 2.2 + i / 4)),
            lesions=(make_lesion(20.0 + 10 * min(i, 4 - i)),),
        )
        for i in range(5)
    )
    distance = Distance(1.42, 0.11, (1.21, 1.64), 1.6, (4.0, 11.0, 8.0))
    margin = MarginStatus(
        0.0004, (0.0001, 0.002), "R0", None, (), {"model": "measured-distance", "threshold_mm": 1.0, "tie": "R0"}
    )
    members = tuple((frame.index, frame.lesions[0]) for frame in frames)
    image, mask = picture()
    score = Score(
        frames,
        image,
        mask,
        lesions=(SpecimenLesion(1, members, distance, margin),),
        distance=distance,
        margin=margin,
        summary={
            "source": "specimen.tif",
            "version": "0.1.0",
            "input_digest": "sha256:cc",
            "profile_digest": "sha256:aa",
            "parameters": {"sbr_cut": 1.5, "smooth_px": None},
            "reasons": ["slice_too_thick"],
            "truth": [{"quantity": "smallest distance", "unit": "mm", "measured": 1.42, "true": 1.4}],
        },
        spacing_mm=(2.0, MM, MM),
        plane=FlatPlane((0.0, 12.42, 0.0), (0.0, 1.0, 0.0)),
        key_index=2,
    )
    return replace(score, **changes)


def make_bed(**changes: Any) -> Score:
    image, mask = picture()
    margin = MarginStatus(0.54, (0.40, 0.68), "R1", True, (), {"model": "published-anchor", "risk_threshold": 0.2})
    score = Score((make_frame(lesions=()),), image, mask, view="bed", margin=margin, spacing_mm=(None, MM, MM))
    return replace(score, **changes)


def make_undefined() -> Score:
    """Return a score in which nothing could be measured."""
    none = Measurement.undefined("background_not_resolved")
    frame = make_frame(
        sbr=none,
        unit="DN",
        background=Background(NAN, NAN, NAN, 0, "mode", "background_not_resolved"),
        fluorescent=None,
        sign_at={1.5: None, 1.75: None, 2.0: None},
        residual_area_px=NAN,
        residual_area_mm2=Measurement.undefined("no_pixel_size"),
        hot_spots=(),
        lesions=(),
        rejected=(),
        quality=Quality(0.0, 0.0, 0, 0, NAN, False, NAN, NAN),
        reasons=("background_not_resolved", "uncalibrated", "a_new_code"),
    )
    distance = Distance(NAN, NAN, (NAN, NAN), NAN, (NAN, NAN, NAN), ("no_pixel_size",))
    margin = MarginStatus(NAN, (NAN, NAN), "indeterminate", None, ("no_prevalence",), {"prevalence": None, "x": NAN})
    return Score(
        (frame,),
        np.full((SIZE, SIZE), np.nan, np.float32),
        np.full((SIZE, SIZE), 64, np.uint8),
        distance=distance,
        margin=margin,
    )


class Reader(HTMLParser):
    """Collects tags, their references and the visible text; complains about tags that do not nest."""

    VOID = frozenset({"meta", "img", "br", "link", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        assert self.stack == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data"}]
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack[-1:] != ["style"]:
            self.words.append(data)


def pixels(png: bytes) -> npt.NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=np.int16)


def has_colour(png: bytes, colour: str) -> int:
    """Return how many pixels of a picture have nearly this colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(pixels(png) - wanted).max(axis=2) <= 6).sum())
