"""Calibrated numbers from indocyanine-green fluorescence: SBR, the tumour's rim, millimetres, R0/R1.

Research software, not a medical device.
"""

from pyicg import detection, evaluate, margin, phantom, published, regions
from pyicg._core import version as _version
from pyicg._linking import get_include
from pyicg.background import BackgroundSurface, background_surface, estimate_background
from pyicg.calibrate import calibrate
from pyicg.characterize import CameraReport, characterize
from pyicg.contrast import contrast
from pyicg.curved_surface import distance_to_surface
from pyicg.distance import distance_to_plane
from pyicg.distance_map import distance_transform, distance_transform_slabs
from pyicg.distance_results import DistanceBudget, DistanceMap
from pyicg.errors import CalibrationRangeError, InputError, ProfileError, PyicgError, UnitError
from pyicg.frame import Stack
from pyicg.io import read_stack
from pyicg.plane import Plane, fit_plane
from pyicg.plane_sources import plane_from_lines, plane_from_mask, plane_from_roi
from pyicg.profile import CameraProfile, build_profile
from pyicg.profile_check import ProfileCheck, check_profile
from pyicg.residual import ResidualFluorescence, residual_fluorescence
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
    UncertaintyBudget,
)
from pyicg.rim import segment_rim
from pyicg.score import StackScore, score_stack
from pyicg.scorer import Scorer, score_frame
from pyicg.sensitivity import SensitivityTable, sensitivity_table
from pyicg.statistics import RegionStatistics, region_statistics
from pyicg.stream import StreamScorer
from pyicg.threshold_rim import ThresholdedRims, threshold_rim
from pyicg.timeline import FrameRules, SbrCurve, sbr_curve
from pyicg.tumour_mesh import TumourMesh, iso_surface

__all__ = [
    "Background",
    "BackgroundSurface",
    "CalibratedFrame",
    "CalibrationRangeError",
    "CameraProfile",
    "CameraReport",
    "Contrast",
    "Distance",
    "DistanceBudget",
    "DistanceMap",
    "Finding",
    "FrameRules",
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
    "RegionStatistics",
    "RejectedRegion",
    "ResidualFluorescence",
    "RimSegmentation",
    "SbrCurve",
    "Scorer",
    "SensitivityTable",
    "SpecimenLesion",
    "Stack",
    "StackScore",
    "StreamScorer",
    "ThresholdedRims",
    "TumourMesh",
    "UncertaintyBudget",
    "UnitError",
    "__version__",
    "background_surface",
    "build_profile",
    "calibrate",
    "characterize",
    "check_profile",
    "contrast",
    "detection",
    "distance_to_plane",
    "distance_to_surface",
    "distance_transform",
    "distance_transform_slabs",
    "estimate_background",
    "evaluate",
    "fit_plane",
    "get_include",
    "iso_surface",
    "margin",
    "phantom",
    "plane_from_lines",
    "plane_from_mask",
    "plane_from_roi",
    "published",
    "read_stack",
    "region_statistics",
    "regions",
    "residual_fluorescence",
    "sbr_curve",
    "score_frame",
    "score_stack",
    "segment_rim",
    "sensitivity_table",
    "threshold_rim",
]

__version__ = _version()
