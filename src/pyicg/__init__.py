"""Calibrated numbers from indocyanine-green fluorescence: SBR, the tumour's rim, millimetres, R0/R1.

Research software, not a medical device.
"""

from pyicg import evaluate, margin, phantom, published
from pyicg._core import version as _version
from pyicg.calibrate import calibrate
from pyicg.characterize import CameraReport, characterize
from pyicg.contrast import contrast, estimate_background
from pyicg.distance import Plane, distance_to_plane, distance_to_surface, distance_transform, fit_plane
from pyicg.errors import CalibrationRangeError, InputError, ProfileError, PyicgError, UnitError
from pyicg.frame import Stack
from pyicg.io import read_stack
from pyicg.profile import CameraProfile, build_profile
from pyicg.profile_check import ProfileCheck, check_profile
from pyicg.results import (
    Background,
    CalibratedFrame,
    Contrast,
    Distance,
    Finding,
    FrameScore,
    HotSpot,
    Lesion,
    MarginStatus,
    Measurement,
    Quality,
    RejectedRegion,
    RimSegmentation,
    SpecimenLesion,
)
from pyicg.rim import segment_rim
from pyicg.score import StackScore, score_stack
from pyicg.scorer import Scorer, score_frame

__all__ = [
    "Background",
    "CalibratedFrame",
    "CalibrationRangeError",
    "CameraProfile",
    "CameraReport",
    "Contrast",
    "Distance",
    "Finding",
    "FrameScore",
    "HotSpot",
    "InputError",
    "Lesion",
    "MarginStatus",
    "Measurement",
    "Plane",
    "ProfileCheck",
    "ProfileError",
    "PyicgError",
    "Quality",
    "RejectedRegion",
    "RimSegmentation",
    "Scorer",
    "SpecimenLesion",
    "Stack",
    "StackScore",
    "UnitError",
    "__version__",
    "build_profile",
    "calibrate",
    "characterize",
    "check_profile",
    "contrast",
    "distance_to_plane",
    "distance_to_surface",
    "distance_transform",
    "estimate_background",
    "evaluate",
    "fit_plane",
    "margin",
    "phantom",
    "published",
    "read_stack",
    "score_frame",
    "score_stack",
    "segment_rim",
]

__version__ = _version()
