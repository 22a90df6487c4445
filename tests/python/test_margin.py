"""P(R1), its interval and the label from the sign and from a distance."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyicg.errors import InputError
from pyicg.labels import label_from_distance, label_from_probability
from pyicg.margin import PublishedAnchorModel, from_distance
from pyicg.results import Distance, to_plain

BLOCKING = ("saturated_lower_bound", "uncalibrated", "background_not_resolved", "out_of_range")


def gaussian(min_mm: float, sigma_mm: float, warnings: tuple[str, ...] = ()) -> Distance:
    half = 1.959963984540054 * sigma_mm
    return Distance(min_mm, sigma_mm, (min_mm - half, min_mm + half), min_mm, (0.0, 0.0, 0.0), warnings)


def undefined(*warnings: str) -> Distance:
    nan = math.nan
    return Distance(nan, nan, (nan, nan), nan, (nan, nan, nan), warnings)


@pytest.mark.parametrize(
    ("prevalence", "fluorescent", "p_r1", "low", "high"),
    [
        ("mimic-accuracy", True, "0.538", "0.395", "0.683"),
        ("mimic-accuracy", False, "0.0826", "0.0490", "0.1173"),
        ("mimic-overall", True, "0.456", "0.318", "0.606"),
        ("mimic-overall", False, "0.0604", "0.0355", "0.0866"),
    ],
)
def test_published_posterior(prevalence: str, fluorescent: bool, p_r1: str, low: str, high: str) -> None:
    status = PublishedAnchorModel(prevalence=prevalence).predict(fluorescent=fluorescent)
    digits = len(p_r1) - 2
    assert [f"{number:.{digits}f}" for number in (status.p_r1, *status.ci)] == [p_r1, low, high]
    assert status.label == ("R1" if fluorescent else "R0")
    assert status.sign is fluorescent
    assert status.reasons == ()


def test_posterior_agrees_with_sampling() -> None:
    rng = np.random.default_rng(7)
    sens = rng.beta(0.5 + 0.25 * 32, 0.5 + 0.25 * 21, 400_000)
    spec = rng.beta(0.5 + 0.25 * 236, 0.5 + 0.25 * 27, 400_000)
    p_r1 = 0.3 * sens / (0.3 * sens + 0.7 * (1 - spec))
    status = PublishedAnchorModel(prevalence=0.3, discount=0.25).predict(fluorescent=True)
    sampled = (p_r1.mean(), *np.quantile(p_r1, (0.025, 0.975)))
    np.testing.assert_allclose((status.p_r1, *status.ci), sampled, atol=0.002)


def test_discount_widens_the_interval() -> None:
    widths = []
    for discount in (0.25, 0.5, 1.0):
        low, high = PublishedAnchorModel(prevalence=0.168, discount=discount).predict(fluorescent=True).ci
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2] > 0


def test_prevalence_has_no_default() -> None:
    with pytest.raises(TypeError, match="prevalence"):
        PublishedAnchorModel()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        PublishedAnchorModel(0.1)  # type: ignore[misc]


@pytest.mark.parametrize("fluorescent", [True, False])
def test_no_prevalence_shows_the_sign_only(fluorescent: bool) -> None:
    status = PublishedAnchorModel(prevalence=None).predict(fluorescent=fluorescent)
    assert math.isnan(status.p_r1)
    assert all(math.isnan(bound) for bound in status.ci)
    assert (status.label, status.sign, status.reasons) == ("indeterminate", fluorescent, ("no_prevalence",))
    assert status.provenance["prevalence"] == {"value": None, "origin": "not given"}


def test_unknown_sign() -> None:
    model = PublishedAnchorModel(prevalence=0.126)
    status = model.predict(fluorescent=None, reasons=["saturated_lower_bound"])
    assert math.isnan(status.p_r1)
    assert (status.label, status.sign, status.reasons) == ("indeterminate", None, ("saturated_lower_bound",))
    assert model.predict(fluorescent=None).reasons == ("no_sign",)
    both = PublishedAnchorModel(prevalence=None).predict(fluorescent=None)
    assert both.reasons == ("no_sign", "no_prevalence")


@pytest.mark.parametrize("reason", BLOCKING)
def test_blocking_reason_keeps_the_probability(reason: str) -> None:
    model = PublishedAnchorModel(prevalence=0.126)
    status, free = model.predict(fluorescent=True, reasons=(reason,)), model.predict(fluorescent=True)
    assert (status.label, free.label) == ("indeterminate", "R1")
    assert (status.p_r1, status.ci, status.sign) == (free.p_r1, free.ci, True)
    assert status.reasons == (reason,)


def test_other_reasons_are_carried_and_do_not_block() -> None:
    status = PublishedAnchorModel(prevalence=0.126).predict(
        fluorescent=False, reasons=iter(("no_pixel_size", "no_pixel_size"))
    )
    assert (status.label, status.reasons) == ("R0", ("no_pixel_size",))


def test_interval_across_the_risk_threshold() -> None:
    status = PublishedAnchorModel(prevalence=0.168, risk_threshold=0.5).predict(fluorescent=True)
    assert (status.label, status.reasons) == ("indeterminate", ("straddles_threshold",))
    assert "inside the range 0.082-0.542" in status.provenance["risk_threshold"]["assumption"]
    outside = PublishedAnchorModel(prevalence=0.168, risk_threshold=0.6).predict(fluorescent=True)
    assert "outside the range" in outside.provenance["risk_threshold"]["assumption"]


def test_anchor_provenance() -> None:
    provenance = PublishedAnchorModel(prevalence="mimic-overall").predict(fluorescent=np.bool_(False)).provenance
    assert provenance["model"] == "published-anchor"
    assert provenance["doi"] == "10.1001/jamanetworkopen.2024.6548"
    assert provenance["table"] == {"tp": 32, "fn": 21, "fp": 27, "tn": 236, "reconstructed": True}
    assert provenance["prevalence"] == {"value": 0.126, "origin": "preset mimic-overall"}
    assert provenance["discount"]["value"] == 0.5
    assert provenance["risk_threshold"]["value"] == 0.2
    assert all("assumption" in provenance[key] for key in ("discount", "risk_threshold", "sign"))
    assert "never 'clear'" in provenance["wording"]
    json.dumps(to_plain(provenance))


def test_anchor_refuses_bad_options() -> None:
    for options in (
        {"prevalence": 0.0},
        {"prevalence": "nowhere"},
        {"prevalence": 0.1, "discount": 0.0},
        {"prevalence": 0.1, "discount": 1.5},
        {"prevalence": 0.1, "discount": math.nan},
        {"prevalence": 0.1, "risk_threshold": 0.0},
        {"prevalence": 0.1, "risk_threshold": 1.0},
        {"prevalence": 0.1, "risk_threshold": math.nan},
    ):
        with pytest.raises(InputError, match="expected"):
            PublishedAnchorModel(**options)  # type: ignore[arg-type]
    model = PublishedAnchorModel(prevalence=0.1)
    for wrong in (1.7, 1, "yes"):
        with pytest.raises(InputError, match="expected True, False or None"):
            model.predict(fluorescent=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected a sequence of codes"):
        model.predict(fluorescent=True, reasons="uncalibrated")


@given(st.sampled_from([0.02, 0.1, 0.126, 0.168, 0.3, 0.6]), st.sampled_from([0.05, 0.2, 0.5]))
def test_anchor_properties(prevalence: float, risk_threshold: float) -> None:
    model = PublishedAnchorModel(prevalence=prevalence, risk_threshold=risk_threshold)
    positive, negative = model.predict(fluorescent=True), model.predict(fluorescent=False)
    assert 0 < negative.ci[0] < negative.p_r1 < negative.ci[1] < prevalence
    assert prevalence < positive.ci[0] < positive.p_r1 < positive.ci[1] < 1
    for status in (positive, negative):
        assert status.label == label_from_probability(status.ci, risk_threshold=risk_threshold)
        assert (status.label == "indeterminate") == bool(status.reasons)


@pytest.mark.parametrize(
    ("ci", "label"),
    [
        ((0.21, 0.5), "R1"),
        ((0.2, 0.5), "indeterminate"),
        ((0.1, 0.3), "indeterminate"),
        ((0.1, 0.2), "indeterminate"),
        ((0.1, 0.19), "R0"),
        ((math.nan, math.nan), "indeterminate"),
    ],
)
def test_label_from_probability(ci: tuple[float, float], label: str) -> None:
    assert label_from_probability(ci, risk_threshold=0.2) == label


@pytest.mark.parametrize(
    ("ci_mm", "tie", "label"),
    [
        ((1.0, 2.0), "R0", "R0"),
        ((1.0, 2.0), "R1", "indeterminate"),
        ((1.0001, 2.0), "R1", "R0"),
        ((0.2, 1.0), "R0", "indeterminate"),
        ((0.2, 1.0), "R1", "R1"),
        ((0.2, 0.999), "R0", "R1"),
        ((1.0, 1.0), "R0", "R0"),
        ((1.0, 1.0), "R1", "R1"),
        ((0.2, 3.0), "R0", "indeterminate"),
        ((-5.0, -1.0), "R0", "R1"),
        ((math.nan, math.nan), "R0", "indeterminate"),
    ],
)
def test_label_from_distance(ci_mm: tuple[float, float], tie: str, label: str) -> None:
    assert label_from_distance(ci_mm, threshold_mm=1.0, tie=tie) == label


def test_distance_probability() -> None:
    status = from_distance(gaussian(1.5, 0.5))
    assert status.p_r1 == pytest.approx(0.15865525393145707, rel=1e-12)  # Phi(-1)
    at_bounds = [math.erfc((1 + z) / math.sqrt(2)) / 2 for z in (1.959963984540054, -1.959963984540054)]
    assert status.ci == pytest.approx(at_bounds, rel=1e-9)
    assert (status.label, status.sign, status.reasons) == ("indeterminate", None, ("straddles_threshold",))
    assert status.provenance["threshold_mm"] == 1.0
    assert status.provenance["tie"]["value"] == "R0"
    assert from_distance(gaussian(1.5, 0.5), threshold_mm=0.0).p_r1 == pytest.approx(0.0013498980, rel=1e-6)


def test_distance_labels_and_warnings() -> None:
    near, far = from_distance(gaussian(0.2, 0.1)), from_distance(gaussian(4.0, 0.5, ("slice_too_thick",)))
    assert (near.label, near.reasons) == ("R1", ())
    assert (far.label, far.reasons) == ("R0", ("slice_too_thick",))
    across = from_distance(gaussian(1.2, 0.5, ("slice_too_thick", "extrapolated")))
    assert across.label == "indeterminate"
    assert across.reasons == ("slice_too_thick", "extrapolated", "straddles_threshold")


@pytest.mark.parametrize(
    ("min_mm", "tie", "p_r1", "label"),
    [(0.9, "R0", 1.0, "R1"), (1.0, "R0", 0.0, "R0"), (1.0, "R1", 1.0, "R1"), (1.1, "R1", 0.0, "R0")],
)
def test_distance_without_spread(min_mm: float, tie: str, p_r1: float, label: str) -> None:
    status = from_distance(gaussian(min_mm, 0.0), tie=tie)
    assert (status.p_r1, status.ci, status.label, status.reasons) == (p_r1, (p_r1, p_r1), label, ())


def test_undefined_distance_keeps_its_reason() -> None:
    status = from_distance(undefined("no_lesion"))
    assert math.isnan(status.p_r1)
    assert all(math.isnan(bound) for bound in status.ci)
    assert (status.label, status.reasons) == ("indeterminate", ("no_lesion",))
    assert from_distance(undefined()).reasons == ("no_distance",)
    no_sigma = Distance(5.0, math.nan, (math.nan, math.nan), 5.0, (0.0, 0.0, 0.0), ("extrapolated",))
    assert from_distance(no_sigma).reasons == ("extrapolated", "no_distance")
    assert from_distance(no_sigma).label == "indeterminate"


def test_from_distance_refuses_bad_options() -> None:
    for dist in (gaussian(2.0, 0.1), undefined("no_plane")):
        for threshold_mm in (-0.1, math.nan, math.inf):
            with pytest.raises(InputError, match="threshold_mm"):
                from_distance(dist, threshold_mm=threshold_mm)
        with pytest.raises(InputError, match="tie is 'r1'"):
            from_distance(dist, tie="r1")


@given(
    st.floats(-20, 20),
    st.floats(0.001, 5),
    st.floats(0.0, 10),
    st.sampled_from(["R0", "R1"]),
)
def test_distance_properties(min_mm: float, sigma_mm: float, threshold_mm: float, tie: str) -> None:
    status = from_distance(gaussian(min_mm, sigma_mm), threshold_mm=threshold_mm, tie=tie)
    assert 0 <= status.ci[0] <= status.p_r1 <= status.ci[1] <= 1
    # The interval of a Gaussian distance leaves 2.5 % on either side: label and probability cannot disagree.
    expected = {"R1": status.p_r1 >= 0.975 - 1e-9, "R0": status.p_r1 <= 0.025 + 1e-9}
    assert expected.get(status.label, 0.025 - 1e-9 <= status.p_r1 <= 0.975 + 1e-9)
    further = from_distance(gaussian(min_mm + 0.5, sigma_mm), threshold_mm=threshold_mm, tie=tie)
    assert further.p_r1 <= status.p_r1


def test_import_leaves_scipy_alone() -> None:
    code = "import sys, pyicg.margin, pyicg.evaluate; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
