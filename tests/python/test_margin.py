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

import pyicg
from pyicg import Plane
from pyicg.errors import InputError
from pyicg.evaluate import AccuracyTable, decision_curve, reweight
from pyicg.labels import label_from_distance, label_from_probability
from pyicg.margin import PublishedAnchorModel, combine, from_distance
from pyicg.results import Distance, MarginStatus, to_plain

BLOCKING = ("saturated_lower_bound", "uncalibrated", "background_not_resolved", "out_of_range", "protocol_differs")


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


@pytest.mark.parametrize("prevalence", [0.02, 0.05, 0.126, 0.25, 0.3, 0.6])
def test_useful_risk_is_that_of_the_users_prevalence(prevalence: float) -> None:
    table = AccuracyTable.from_counts(tp=32, fn=21, fp=27, tn=236)
    values = reweight(table, prevalence=prevalence)
    low, high = 1 - values.npv.value, values.ppv.value
    for threshold, where in ((low - 1e-6, "outside"), (low + 1e-6, "inside"), (high - 1e-6, "inside")):
        model = PublishedAnchorModel(prevalence=prevalence, risk_threshold=threshold)
        assumption = model.predict(fluorescent=True).provenance["risk_threshold"]["assumption"]
        assert f"; {where} the range {low:.3f}-{high:.3f} " in assumption


def test_useful_risk_of_the_trial_itself() -> None:
    low, high = decision_curve(AccuracyTable.from_counts(tp=32, fn=21, fp=27, tn=236)).useful_range
    told = PublishedAnchorModel(prevalence="mimic-accuracy").predict(fluorescent=True).provenance["risk_threshold"]
    assert f"inside the range {low:.3f}-{high:.3f} " in told["assumption"]
    assert (round(low, 3), round(high, 3)) == (0.082, 0.542)
    unknown = PublishedAnchorModel(prevalence=None).predict(fluorescent=True).provenance["risk_threshold"]
    assert unknown["assumption"] == "the risk of R1 at which you would cut again"


def test_other_cuts_stand_beside_the_answer() -> None:
    model = PublishedAnchorModel(prevalence="mimic-overall")
    signs = {1.5: True, 1.75: np.bool_(True), 2.0: False, 3.0: None}
    status = model.predict(fluorescent=True, sbr_cut=1.5, sign_at=signs)
    assert status.provenance["sign"]["sbr_cut"] == 1.5
    beside = status.provenance["at_cuts"]
    assert list(beside) == ["1.5", "1.75", "2", "3"]
    for cut, sign in (("1.5", True), ("1.75", True), ("2", False)):
        alone = model.predict(fluorescent=sign)
        assert beside[cut] == {"sign": sign, "label": alone.label, "p_r1": alone.p_r1, "ci": alone.ci}
    assert (beside["3"]["label"], beside["3"]["sign"]) == ("indeterminate", None)
    assert math.isnan(beside["3"]["p_r1"])
    plain = model.predict(fluorescent=True)
    assert (plain.provenance["sign"]["sbr_cut"], plain.provenance["at_cuts"]) == ("not stated", {})
    assert (plain.label, plain.p_r1, plain.ci) == (status.label, status.p_r1, status.ci)
    blocked = model.predict(fluorescent=True, reasons=("uncalibrated",), sign_at=signs).provenance["at_cuts"]
    assert [at["label"] for at in blocked.values()] == ["indeterminate"] * 4


@pytest.mark.parametrize(
    ("protocol", "differs"),
    [
        ({}, False),
        ({"dose_mg": 10}, False),
        ({"dose_mg": 10.0, "hours_before": 24}, False),
        ({"hours_before": 18.0}, False),
        ({"hours_before": 30.0}, False),
        ({"hours_before": 17.9}, True),
        ({"hours_before": 72.0}, True),
        ({"dose_mg": 9.9}, True),
        ({"dose_mg": 25.0, "hours_before": 24.0}, True),
    ],
)
def test_another_protocol_leaves_the_label_open(protocol: dict[str, float], differs: bool) -> None:
    usual = PublishedAnchorModel(prevalence="mimic-overall").predict(fluorescent=True)
    status = PublishedAnchorModel(prevalence="mimic-overall", **protocol).predict(fluorescent=True)
    assert status.label == ("indeterminate" if differs else "R1")
    assert status.reasons == (("protocol_differs",) if differs else ())
    assert (status.p_r1, status.ci) == (usual.p_r1, usual.ci)
    told = status.provenance["protocol"]
    assert told["trial"] == "10 mg ICG, 24 h before surgery"
    for name in ("dose_mg", "hours_before"):
        assert told[name] == protocol.get(name, "assumed to be the trial's")


def test_a_status_never_has_a_label_alone() -> None:
    for label in ("R0", "R1"):
        for p_r1, ci in ((math.nan, (0.1, 0.2)), (0.1, (math.nan, 0.2)), (0.1, (0.3, 0.2)), (1.1, (0.1, 0.2))):
            with pytest.raises(InputError, match="without them the label is indeterminate"):
                MarginStatus(p_r1, ci, label)  # type: ignore[arg-type]
        assert MarginStatus(0.0, (0.0, 0.0), label).label == label  # type: ignore[arg-type]
    assert MarginStatus(math.nan, (math.nan, math.nan), "indeterminate").label == "indeterminate"
    with pytest.raises(InputError, match="label is 'clear'"):
        MarginStatus(0.1, (0.05, 0.2), "clear")  # type: ignore[arg-type]


def test_anchor_provenance() -> None:
    provenance = PublishedAnchorModel(prevalence="mimic-overall").predict(fluorescent=np.bool_(False)).provenance
    assert provenance["model"] == "published-anchor"
    assert provenance["doi"] == "10.1001/jamanetworkopen.2024.6548"
    assert provenance["table"] == {"tp": 32, "fn": 21, "fp": 27, "tn": 236, "reconstructed": True}
    assert provenance["prevalence"] == {"value": 0.126, "origin": "preset mimic-overall"}
    preset = PublishedAnchorModel(prevalence="mimic-accuracy").predict(fluorescent=True).provenance["prevalence"]
    assert "reconstructed" in preset["origin"]
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
        {"prevalence": 0.1, "risk_threshold": "0.2"},
        {"prevalence": 0.1, "discount": "half"},
        {"prevalence": 0.1, "discount": None},
        {"prevalence": 0.1, "dose_mg": 0.0},
        {"prevalence": 0.1, "dose_mg": "10 mg"},
        {"prevalence": 0.1, "hours_before": math.nan},
        {"prevalence": 0.1, "hours_before": -24.0},
    ):
        with pytest.raises(InputError, match="expected"):
            PublishedAnchorModel(**options)  # type: ignore[arg-type]
    model = PublishedAnchorModel(prevalence=0.1)
    for wrong in (1.7, 1, "yes"):
        with pytest.raises(InputError, match="expected True, False or None"):
            model.predict(fluorescent=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected a sequence of codes"):
        model.predict(fluorescent=True, reasons="uncalibrated")
    for unknown in ("saturated_lower_bond", "none"):
        with pytest.raises(InputError, match="expected codes of the reason list"):
            model.predict(fluorescent=True, reasons=("uncalibrated", unknown))
    with pytest.raises(InputError, match="expected True, False or None"):
        model.predict(fluorescent=True, sign_at={1.5: 1})  # type: ignore[dict-item]
    for options in ({"sbr_cut": "1.5"}, {"sbr_cut": 0.0}, {"sign_at": {"1.5": True}}, {"sign_at": {math.nan: True}}):
        with pytest.raises(InputError, match=r"an SBR cut is .* expected a number > 0"):
            model.predict(fluorescent=True, **options)  # type: ignore[arg-type]


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
        for threshold_mm in (-0.1, math.nan, math.inf, None, "1", True):
            with pytest.raises(InputError, match="threshold_mm"):
                from_distance(dist, threshold_mm=threshold_mm)  # type: ignore[arg-type]
        for tie in ("r1", None, 1):
            with pytest.raises(InputError, match=f"tie is {tie!r}"):
                from_distance(dist, tie=tie)  # type: ignore[arg-type]
    for wrong in (1.2, None, (1.0, 2.0)):
        with pytest.raises(InputError, match="expected a Distance"):
            from_distance(wrong)  # type: ignore[arg-type]


FORBIDS_R0 = ("clipped_by_border", "plane_not_flat", "saturated_lower_bound", "background_not_resolved", "out_of_range")
SAID = ("plane_unverified", "extrapolated", "low_confidence")
IN_THE_INTERVAL = ("slice_too_thick", "slice_missing", "lesion_splits", "not_star_shaped")


@pytest.mark.parametrize("code", FORBIDS_R0)
def test_what_the_interval_cannot_hold_forbids_r0(code: str) -> None:
    far, near = from_distance(gaussian(4.0, 0.5, (code,))), from_distance(gaussian(0.2, 0.1, (code,)))
    assert (far.label, far.reasons) == ("indeterminate", (code,))
    assert far.p_r1 == from_distance(gaussian(4.0, 0.5)).p_r1
    assert (near.label, near.reasons) == ("R1", (code,))


@pytest.mark.parametrize("code", SAID + IN_THE_INTERVAL)
def test_other_warnings_stay_decidable_and_say_what_is_left_out(code: str) -> None:
    status = from_distance(gaussian(4.0, 0.5, (code,)))
    assert (status.label, status.reasons) == ("R0", (code,))
    assert set(status.provenance["not_in_p"]) == {code} & set(SAID)


def test_open_rim_gives_no_probability_but_keeps_r1() -> None:
    far = from_distance(gaussian(4.0, 0.5, ("no_enclosed_core",)))
    assert (far.label, math.isnan(far.p_r1)) == ("indeterminate", True)
    assert from_distance(gaussian(0.2, 0.1, ("no_enclosed_core",))).label == "R1"


def test_distance_provenance() -> None:
    told = from_distance(gaussian(4.0, 0.5), tie="R1").provenance
    assert told["threshold_source"] == "Achterberg et al., JAMA Netw Open 2024;7(4):e246548"
    assert told["tie"] == {"value": "R1", "source": "Achterberg et al., Ann Transl Med 2020;8(21):1448"}
    assert told["prior"].startswith("assumed flat")
    assert "shrinkage" in told["pathology"]
    assert "no confidence interval of P" in told["ci"]
    assert told["not_in_p"] == {}
    assert from_distance(gaussian(4.0, 0.5), threshold_mm=2.0).provenance["threshold_source"] == "given by the user"
    plane = Plane(point_mm=(0, 10, 0), normal=(0, 1, 0))
    given = from_distance(pyicg.distance_to_plane(np.array([[0.0, 7.5, 0.0]]), plane)).provenance["not_in_p"]
    assert list(given) == ["plane"]


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


@pytest.mark.parametrize(
    ("distance", "message"),
    [
        (Distance(2.0, -0.1, (1.8, 2.2), 2.0, (0.0, 0.0, 0.0)), "expected sigma >= 0"),
        (Distance(2.0, 0.1, (2.2, 1.8), 2.0, (0.0, 0.0, 0.0)), "an interval around the distance"),
        (Distance(2.0, 0.1, (3.0, 4.0), 2.0, (0.0, 0.0, 0.0)), "an interval around the distance"),
    ],
)
def test_a_distance_beside_its_interval_is_refused(distance: Distance, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_distance(distance)


def test_an_infinite_distance_is_none() -> None:
    far = from_distance(Distance(math.inf, 0.25, (math.inf, math.inf), 1.0, (0.0, 0.0, 0.0)))
    assert (far.label, far.reasons) == ("indeterminate", ("no_distance",))
    vague = from_distance(Distance(2.0, math.inf, (-math.inf, math.inf), 2.0, (0.0, 0.0, 0.0)))
    assert (vague.label, vague.reasons) == ("indeterminate", ("no_distance",))


def test_absence_at_a_high_prevalence_takes_no_r0_away() -> None:
    far = from_distance(Distance(4.0, 0.3, (3.4, 4.6), 4.1, (0.0, 0.0, 0.0)))
    absent = PublishedAnchorModel(prevalence=0.5).predict(fluorescent=False)
    assert absent.label == "R1"
    assert combine(absent, far).label == "R0"
