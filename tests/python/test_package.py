"""The package itself: what importing it loads, one version, every public name, one list of reasons."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pyicg
from pyicg import _core

REPO = Path(__file__).resolve().parents[2]
HEAVY = {
    "scipy",
    "matplotlib",
    "tifffile",
    "jinja2",
    "PIL",
    "click",
    "tqdm",
    "tomli_w",
    "sklearn",
    "statsmodels",
    "pandas",
    "roifile",
}

# Names of the public contract and the options of the callable ones.
CONTRACT = {
    "read_stack": "path axes channel pixel_size_mm slice_spacing_mm exposure_ms bit_depth transfer",
    "Stack.from_array": "array axes spacing_mm exposure_ms bit_depth",
    "CameraProfile.load": "path",
    "CameraProfile.save": "self path",
    "CameraProfile.identity": "shape bit_depth",
    "build_profile": "dark flat camera exposure_ms bit_depth flat_exposure_ms gain_db linearity response",
    "characterize": "bright dark photons exposures_ms spatial bit_depth release",
    "calibrate": "frame profile exposure_ms gain_db out",
    "estimate_background": "cal policy mask exclude signal guard_px width_px",
    "background_surface": "cal exclude order",
    "BackgroundSurface.under": "self signal",
    "contrast": "cal signal background placement_px",
    "sensitivity_table": "cal signal lesion mask exclude placement_px",
    "region_statistics": "cal region percentiles threads",
    "sbr_curve": "frames times_s rules window",
    "FrameRules": "max_saturated min_focus min_isotropy max_glare",
    "regions.circle": "shape centre_px radius_px clip",
    "regions.polygon": "shape vertices_px clip",
    "regions.read_rois": "path shape frame clip",
    "regions.of_rim": "segmentation label",
    "regions.of_core": "segmentation label",
    "detection.series": "cal regions control quantity",
    "detection.series_from_summary": "targets control quantity",
    "detection.Target": "value mean sd n",
    "segment_rim": "cal background pixel_size_mm sbr_cut psf_sigma_px min_area_px smooth_px",
    "fit_plane": "points_mm",
    "Plane": "point_mm normal",
    "Plane.save": "self path",
    "Plane.load": "path",
    "plane_from_lines": "lines_px spacing_mm perpendicular",
    "plane_from_roi": "path spacing_mm slices perpendicular",
    "plane_from_mask": "surface_mask spacing_mm perpendicular",
    "distance_to_plane": "surface plane spacing_mm",
    "distance_to_surface": "mask surface_mask spacing_mm",
    "distance_transform": "mask spacing threads",
    "distance_transform_slabs": "mask out spacing slab threads",
    "score_frame": "frame profile view pixel_size_mm exposure_ms prevalence sbr_cut risk_threshold",
    "score_stack": "stack profile view plane prevalence threads progress tie risk_threshold",
    "Scorer": "profile shape dtype view pixel_size_mm outputs",
    "Scorer.score": "self frame exposure_ms",
    "margin.PublishedAnchorModel": "prevalence discount risk_threshold dose_mg hours_before",
    "margin.PublishedAnchorModel.predict": "self fluorescent reasons sbr_cut sign_at",
    "margin.PublishedAnchorModel.save": "self path",
    "margin.PublishedAnchorModel.load": "path",
    "margin.combine": "sign_status distance_status",
    "margin.from_distance": "dist threshold_mm tie",
    "margin.TrainedModel.fit": ("features r1 groups names penalty risk_threshold centres missing units draws seed"),
    "margin.TrainedModel.predict": "self features reasons",
    "margin.TrainedModel.recalibrate": "self features r1 groups method",
    "margin.TrainedModel.save": "self path",
    "margin.TrainedModel.load": "path",
    "margin.riley_minimum": "n_features prevalence c_statistic",
    "evaluate.diagnostic_accuracy": "r1 fluorescent groups ci",
    "evaluate.mcnemar": "before after groups",
    "evaluate.learning_curve": "r1 fluorescent procedure first groups",
    "evaluate.reweight": "accuracy prevalence",
    "evaluate.decision_curve": "table_or_p r1 thresholds groups prevalence",
    "evaluate.calibration": "p r1 groups bins strategy",
    "evaluate.roc": "r1 score groups",
    "evaluate.compare_auc": "r1 first second groups",
    "evaluate.compare_centres": "r1 fluorescent centre groups",
    "evaluate.bland_altman": "measured_mm pathology_mm groups",
    "evaluate.change_in_management": "changed groups ci",
    "phantom.bed_scene": "",
    "phantom.section_stack": "",
    "phantom.trial": "patients lesions centres r1_share sensitivity specificity icc centre_icc seed",
    "Measurement": "value sigma ci reason",
}
FIELDS = {
    "CalibratedFrame": "data mask variance unit",
    "Background": "level sigma sem n_pixels policy reason budget dof effective_pixels sigma_error",
    "BackgroundSurface": "level sigma n_pixels unit reason",
    "UncertaintyBudget": "pixel_noise sampling heterogeneity placement total",
    "Contrast": ("sbr sbr_raw weber michelson cnr cvr signal_level background_level signal_budget background_budget"),
    "SensitivityTable": "rows unit spread to_records",
    "RegionStatistics": "n n_left_out n_saturated minimum maximum sum mean sd median mad percentiles unit",
    "SbrCurve": "times sbr sigma ci left_out smooth band window to_records",
    "detection.Series": "values levels cnr normalised limit_of_detection exponent decay",
    "RimSegmentation": "rim_mask core_mask labels lesions rejected",
    "Lesion": (
        "inner_contour outer_contour inner_sigma correlation_px thickness thickness_mm completeness gaps_deg area_px "
        "area_mm2 centroid sbr pattern confidence"
    ),
    "Distance": "min_mm sigma_mm ci_mm p05_mm foot_mm warnings",
    "Plane": (
        "point_mm normal rms_mm covariance n_points n_outliers freedom patch variance_mm2 outside_patch facing to_dict "
        "from_dict"
    ),
    "MarginStatus": "p_r1 ci label sign reasons provenance",
    "StackScore": "frames lesions distance margin summary to_dict to_records write with_sign",
    "Stack": "shape dtype axes spacing_mm exposure_ms bit_depth transfer source",
    "CameraProfile": "digest",
    "CameraReport": (
        "gain_dn_per_e quantum_efficiency responsivity dark_noise_e saturation_e snr_max dynamic_range linearity_error "
        "dsnu_e prnu dark_current"
    ),
}


def test_import_loads_numpy_and_the_core_only() -> None:
    code = "import sys, pyicg; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert {"numpy", "pyicg"} <= loaded
    assert loaded & HEAVY == set()


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert pyicg.__version__ == _core.version() == project["version"]
    citation = re.findall(r"^version: (\S+)$", (REPO / "CITATION.cff").read_text(), re.MULTILINE)
    changes = re.findall(r"^## \[(\d[^\]]*)\]", (REPO / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert citation == [project["version"]]
    assert changes[0] == project["version"]


def found(name: str) -> object:
    value: object = pyicg
    for part in name.split("."):
        value = getattr(value, part)
    return value


def test_nothing_is_pickled() -> None:
    """A model or result that is unpickled may run any code."""
    for path in (REPO / "src" / "pyicg").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) (pickle|joblib|dill|shelve)\b", path.read_text(), re.MULTILINE), path


@pytest.mark.parametrize("name", CONTRACT)
def test_contract_callables(name: str) -> None:
    parameters = inspect.signature(found(name)).parameters  # type: ignore[arg-type]
    assert set(CONTRACT[name].split()) <= set(parameters)


@pytest.mark.parametrize("name", FIELDS)
def test_contract_fields(name: str) -> None:
    kind = found(name)
    names = set(dir(kind)) | set(getattr(kind, "__dataclass_fields__", ()))
    assert set(FIELDS[name].split()) <= names


@pytest.mark.parametrize(
    ("name", "arrays"),
    [
        ("calibrate", 2),
        ("estimate_background", 1),
        ("background_surface", 1),
        ("contrast", 1),
        ("sensitivity_table", 1),
        ("region_statistics", 1),
        ("sbr_curve", 1),
        ("segment_rim", 1),
        ("plane_from_lines", 1),
        ("plane_from_roi", 1),
        ("plane_from_mask", 1),
        ("distance_to_plane", 2),
        ("distance_to_surface", 2),
        ("distance_transform", 1),
        ("distance_transform_slabs", 2),
        ("score_frame", 1),
        ("score_stack", 1),
    ],
)
def test_options_are_keyword_only(name: str, arrays: int) -> None:
    kinds = [p.kind for p in inspect.signature(getattr(pyicg, name)).parameters.values()]
    assert set(kinds[arrays:]) == {inspect.Parameter.KEYWORD_ONLY}


def test_all_is_sorted_and_true() -> None:
    assert list(pyicg.__all__) == sorted(pyicg.__all__)
    assert all(hasattr(pyicg, name) for name in pyicg.__all__)
    assert {"MIMIC", "PERRIN"} <= set(dir(pyicg.published))


def test_errors() -> None:
    for name in ("InputError", "ProfileError", "UnitError"):
        assert issubclass(getattr(pyicg, name), pyicg.PyicgError)
        assert issubclass(getattr(pyicg, name), ValueError)
    assert issubclass(pyicg.CalibrationRangeError, pyicg.PyicgError)


def test_reasons_are_unique_and_documented() -> None:
    names = _core.reason_names()
    assert names[0] == "none"
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-z_]*", name) for name in names)
    page = (REPO / "docs" / "conventions.md").read_text()
    section = page.partition("## Reason codes")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == set(names) - {"none"}


def test_reasons_of_the_contract() -> None:
    wanted = (
        "no_pixel_size no_prevalence background_not_resolved saturated_lower_bound uncalibrated out_of_range "
        "too_few_pixels no_lesion no_plane slice_too_thick extrapolated not_star_shaped clipped_by_border"
    )
    assert set(wanted.split()) <= set(_core.reason_names())


def test_stub_names_what_the_core_has() -> None:
    stub = ast.parse((REPO / "src" / "pyicg" / "_core.pyi").read_text())
    told = {node.name: node for node in stub.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert set(told) == {name for name in dir(_core) if not name.startswith("_")}
    for name, node in told.items():
        if isinstance(node, ast.ClassDef):
            members = {item.name for item in node.body if isinstance(item, ast.FunctionDef)} - {"__init__"}
            assert members == {member for member in vars(getattr(_core, name)) if not member.startswith("_")}


def test_stub_names_the_arguments_of_the_core() -> None:
    stub = ast.parse((REPO / "src" / "pyicg" / "_core.pyi").read_text())
    for node in stub.body:
        if isinstance(node, ast.FunctionDef):
            line = (getattr(_core, node.name).__doc__ or "").splitlines()[0]
            told = [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
            assert [name for name in re.findall(r"(\w+): ", line) if name in told] == told
