"""One status from the sign of the bed and the distance of the specimen: every pair of the two."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

import pyicg
from pyicg import Distance, InputError
from pyicg.margin import PublishedAnchorModel, combine, from_distance
from pyicg.results import MarginStatus, to_plain

MODEL = PublishedAnchorModel(prevalence="mimic-overall")
NO_PREVALENCE = PublishedAnchorModel(prevalence=None)
SIGNS = {
    "R1": MODEL.predict(fluorescent=True),
    "R0": MODEL.predict(fluorescent=False),
    "straddling, present": PublishedAnchorModel(prevalence=0.126, risk_threshold=0.4).predict(fluorescent=True),
    "no prevalence, present": NO_PREVALENCE.predict(fluorescent=True),
    "no prevalence, absent": NO_PREVALENCE.predict(fluorescent=False),
    "uncalibrated, present": MODEL.predict(fluorescent=True, reasons=("uncalibrated",)),
    "unknown": MODEL.predict(fluorescent=None),
}


def measured(min_mm: float, sigma_mm: float, *warnings: str) -> MarginStatus:
    half = 1.959963984540054 * sigma_mm
    return from_distance(Distance(min_mm, sigma_mm, (min_mm - half, min_mm + half), min_mm, (0.0, 0.0, 0.0), warnings))


DISTANCES = {
    "R1": measured(0.3, 0.1),
    "R0": measured(4.0, 0.3, "slice_too_thick"),
    "straddling": measured(1.2, 0.4),
    "open rim": measured(4.0, 0.3, "no_enclosed_core"),
    "clipped": measured(4.0, 0.3, "clipped_by_border"),
    "no plane": from_distance(Distance.undefined("no_plane")),
    "no lesion": from_distance(Distance.undefined("no_lesion")),
    "no sigma": from_distance(Distance(0.4, math.nan, (math.nan, math.nan), 0.4, (0.0, 0.0, 0.0))),
}

# (sign, distance) -> label, whose figures, what decided, reasons
EXPECTED: dict[tuple[str, str], tuple[str, str, str, tuple[str, ...]]] = {
    ("R1", "R1"): ("R1", "distance", "distance", ()),
    ("R0", "R1"): ("R1", "distance", "distance", ("sign_contradicts",)),
    ("straddling, present", "R1"): ("R1", "distance", "distance", ()),
    ("no prevalence, present", "R1"): ("R1", "distance", "distance", ()),
    ("no prevalence, absent", "R1"): ("R1", "distance", "distance", ()),
    ("uncalibrated, present", "R1"): ("R1", "distance", "distance", ()),
    ("unknown", "R1"): ("R1", "distance", "distance", ()),
    ("R1", "R0"): ("indeterminate", "none", "neither", ("slice_too_thick", "sign_contradicts")),
    ("R0", "R0"): ("R0", "distance", "distance", ("slice_too_thick",)),
    ("straddling, present", "R0"): ("indeterminate", "none", "neither", ("slice_too_thick", "sign_contradicts")),
    ("no prevalence, present", "R0"): ("indeterminate", "none", "neither", ("slice_too_thick", "sign_contradicts")),
    ("no prevalence, absent", "R0"): ("R0", "distance", "distance", ("slice_too_thick",)),
    ("uncalibrated, present", "R0"): ("indeterminate", "none", "neither", ("slice_too_thick", "sign_contradicts")),
    ("unknown", "R0"): ("R0", "distance", "distance", ("slice_too_thick",)),
    ("R1", "straddling"): ("R1", "sign", "sign", ("straddles_threshold",)),
    ("R0", "straddling"): ("indeterminate", "distance", "neither", ("straddles_threshold",)),
    ("no prevalence, absent", "straddling"): (
        "indeterminate",
        "distance",
        "neither",
        ("no_prevalence", "straddles_threshold"),
    ),
    ("R1", "open rim"): ("R1", "sign", "sign", ("no_enclosed_core",)),
    ("R0", "open rim"): ("indeterminate", "distance", "neither", ("no_enclosed_core",)),
    ("R0", "clipped"): ("indeterminate", "distance", "neither", ("clipped_by_border",)),
    ("R1", "no plane"): ("R1", "sign", "sign", ("no_plane",)),
    ("R0", "no plane"): ("R0", "sign", "sign", ("no_plane",)),
    ("R0", "no lesion"): ("R0", "sign", "sign", ("no_lesion",)),
    ("unknown", "no plane"): ("indeterminate", "sign", "neither", ("no_sign", "no_plane")),
    ("uncalibrated, present", "no plane"): ("indeterminate", "sign", "neither", ("uncalibrated", "no_plane")),
    # 0.4 mm without an interval is no distance to rest on, and no ground for R0 either.
    ("R0", "no sigma"): ("indeterminate", "distance", "neither", ("no_distance",)),
}


def figures(status: MarginStatus) -> tuple[Any, ...]:
    return tuple(repr(number) for number in (status.p_r1, *status.ci))  # NaN equals NaN


@pytest.mark.parametrize(("sign", "distance"), list(EXPECTED))
def test_the_rule(sign: str, distance: str) -> None:
    label, figures_of, decided_by, reasons = EXPECTED[sign, distance]
    status = combine(SIGNS[sign], DISTANCES[distance])
    told = status.provenance
    assert (status.label, told["figures_of"], told["decided_by"], status.reasons) == (
        label,
        figures_of,
        decided_by,
        reasons,
    )
    shown = {"sign": SIGNS[sign], "distance": DISTANCES[distance]}.get(figures_of)
    nothing = MarginStatus(math.nan, (math.nan, math.nan), "indeterminate")
    assert figures(status) == figures(shown or nothing)
    assert status.sign is SIGNS[sign].sign


@pytest.mark.parametrize("distance", list(DISTANCES))
@pytest.mark.parametrize("sign", list(SIGNS))
def test_what_holds_for_every_pair(sign: str, distance: str) -> None:
    one, other = SIGNS[sign], DISTANCES[distance]
    status = combine(one, other)
    if status.label == "R0":
        # No R0 beside a sign that is present, and none that the distance withheld.
        assert one.sign is not True
        assert other.label == "R0" or {"no_plane", "no_lesion"} & set(other.reasons)
    if other.label == "R1":
        assert status.label == "R1"
    for name, part in (("sign", one), ("distance", other)):
        kept = status.provenance[name]
        assert (kept["label"], kept["reasons"], kept["provenance"]) == (part.label, part.reasons, part.provenance)
        assert repr((kept["p_r1"], kept["ci"])) == repr((part.p_r1, part.ci))
    json.dumps(to_plain(status), allow_nan=False)


def test_a_present_sign_under_a_high_risk_threshold_agrees_with_r0() -> None:
    sign = PublishedAnchorModel(prevalence="mimic-overall", risk_threshold=0.7).predict(fluorescent=True)
    assert (sign.label, sign.sign) == ("R0", True)
    assert combine(sign, DISTANCES["R0"]).label == "R0"


def test_only_a_sign_and_a_distance_can_be_combined() -> None:
    sign, distance = SIGNS["R0"], DISTANCES["R0"]
    for wrong in (
        (distance, sign),
        (sign, sign),
        (distance, distance),
        (sign, combine(sign, distance)),
        (None, distance),
        (sign, "R0"),
        (sign, replace(distance, provenance={})),
    ):
        with pytest.raises(InputError, match="expected"):
            combine(*wrong)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scored() -> dict[str, pyicg.StackScore]:
    cut = pyicg.phantom.section_stack(margins_mm=(3.0,), n_slices=5)
    found = {"section": pyicg.score_stack(cut.stack, profile=cut.profile, view="section", plane=cut.plane)}
    for name, residual in (("glows", True), ("dark", False)):
        bed = pyicg.phantom.bed_scene(residual=residual, n_frames=1)
        found[name] = pyicg.score_stack(bed.stack, profile=bed.profile, prevalence="mimic-overall")
    return found


def test_a_specimen_with_the_sign_of_its_bed(scored: dict[str, pyicg.StackScore]) -> None:
    section = scored["section"]
    joined = section.with_sign(scored["glows"])
    assert section.margin is not None
    assert joined.margin is not None
    assert (section.margin.label, joined.margin.label) == ("R0", "indeterminate")
    assert joined.margin.reasons == ("sign_contradicts",)
    assert joined.summary["sign_from"]["input_digest"] == scored["glows"].summary["input_digest"]
    agreeing = section.with_sign(scored["dark"]).margin
    assert agreeing is not None
    assert (agreeing.label, agreeing.sign, agreeing.p_r1) == ("R0", False, section.margin.p_r1)
    assert agreeing.provenance["distance"]["provenance"]["lesions"]["of"] == 1
    json.dumps(joined.to_dict(), allow_nan=False)


def test_only_a_bed_joins_a_specimen(scored: dict[str, pyicg.StackScore]) -> None:
    section, bed = scored["section"], scored["dark"]
    for specimen, other in ((section, section), (bed, bed), (bed, section), (section, bed.margin)):
        with pytest.raises(InputError, match="found the views"):
            specimen.with_sign(other)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected one of from_distance"):
        section.with_sign(bed).with_sign(bed)
    with pytest.raises(InputError, match="nothing to join"):
        section.with_sign(replace(bed, margin=None))
