"""The report: what it says, and what it must never say."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyicg.errors import InputError
from pyicg.margin import PublishedAnchorModel, combine, from_distance
from pyicg.published import PERRIN
from pyicg.report import build, html, literature, marks, words
from pyicg.report.status import status as card
from pyicg.results import (
    Distance,
    HotSpot,
    MarginStatus,
    Measurement,
    SpecimenLesion,
)

from .reports import (
    NAN,
    FlatPlane,
    Reader,
    Score,
    make_bed,
    make_frame,
    make_lesion,
    make_section,
    make_undefined,
)

# Words and numbers


@pytest.mark.parametrize("code", list(words.SENTENCES))
def test_every_sentence_is_one(code: str) -> None:
    assert re.fullmatch(r"[A-Z][^_]*\.", words.sentence(code))


def test_every_code_of_the_core_has_a_sentence() -> None:
    header = Path(__file__).parents[2] / "src" / "cpp" / "include" / "pyicg" / "measurement.hpp"
    codes = re.findall(r"^  (\w+) = \d+,", header.read_text("utf-8"), re.MULTILINE)
    assert {"no_pixel_size", "plane_not_flat"} <= set(codes)
    assert set(codes) - set(words.SENTENCES) == {"none"}


@given(st.floats(min_value=0.0, max_value=1.0))
def test_percent_never_claims_certainty(share: float) -> None:
    text = words.percent(share)
    shown = float(text.strip("<> %"))
    assert 0 < shown < 100
    assert text[0] in "<>" or abs(shown - 100 * share) <= 0.5


@given(st.floats(min_value=-1e9, max_value=1e9))
def test_number_keeps_three_figures(value: float) -> None:
    assert float(words.number(value)) == pytest.approx(value, rel=5.1e-3, abs=1e-300)


def test_number_never_reads_nan() -> None:
    assert [words.number(value) for value in (NAN, math.inf, -math.inf)] == ["undefined", "∞", "-∞"]


def test_lower_bound_says_at_least() -> None:
    bound = Measurement(2.81, 0.1, (2.81, math.inf), "saturated_lower_bound")
    assert words.measurement(bound) == "at least 2.81 (95 % CI 2.81 to ∞)"


@given(st.floats(min_value=1e-4, max_value=1e5))
def test_scale_bar_length_is_1_2_5(longest: float) -> None:
    length = marks.round_length(longest)
    assert longest / 2.5 <= length * (1 + 1e-9)
    assert length <= longest * (1 + 1e-9)
    assert f"{length:.0e}"[0] in "125"


def test_characters_without_glyph_become_boxes() -> None:
    assert marks.drawable("a\n肝\x00\udcff µ²") == "a□□□□ µ²"


# The page


def text_of(score: Score) -> str:
    """Return the visible text of a report without pictures."""
    return Reader(html.render(score, pictures=())).text


def test_section_report_answers_first() -> None:
    png, page = build(make_section())
    seen = Reader(page)
    assert png.startswith(b"\x89PNG")
    order = [
        words.RESEARCH_ONLY,
        "specimen.tif",
        "5 slices, signal in DN/ms, slice spacing 2.00 mm, pixel height 0.100 mm",
        "SIMULATED data",
        "R0 probability of R1 < 0.1 % (< 0.1 % to 0.2 % at the ends of the distance's 95 % interval)",
        "R1 when its whole interval lies below 1 mm, R0 when none of it does, otherwise indeterminate. ",
        "R0 is a class with a remaining risk",
        "1.42 mm 95 % CI 1.21 to 1.64 mm",
        "Lesions with a rim 1 Rim complete to 93.0 % of its angles in the key slice In 5 of 5 slices.",
        "2.50 95 % CI 2.30 to 2.70",
        "Slice 2, the key slice.",
        "Closest point, enlarged.",
        "0 to 4 (5 slices)",
        "R0, P(R1) < 0.1 % [< 0.1 %, 0.2 %]",
        "Margins of this width in the literature The measured margin, 1.42 mm, lies in the group 1-9.9 mm.",
        "positive < 0.1 % 2.21 (1.49 to 3.26) 2.11 (1.26 to 3.54) 2.32 (1.79 to 3.01) "
        "< 1 mm < 0.1 % 1.42 (0.84 to 2.40) 2.99 (1.74 to 5.15) 1.72 (1.23 to 2.42) "
        "1-9.9 mm > 99.9 % 1.41 (1.08 to 1.84) 0.92 (0.62 to 1.37) 1.33 (1.11 to 1.58) "
        ">= 10 mm < 0.1 % 1 (reference) 1 (reference) 1 (reference)",
        "Perrin et al., Ann Surg 2025, doi 10.1097/SLA.0000000000006659, 1776 patients",
        "not a causal effect of cutting wider",
        "It gives no absolute risk.",
        "Hot spots in slice 2",
        "between slices the tumour may come closer. whole stack slice_too_thick",
        "smallest distance 1.42 mm 1.4 mm 0.0200 mm",
        "sha256:cc",
        "parameters: smooth px not stated",
        "margin: threshold mm 1",
        words.RESEARCH_ONLY,
    ]
    position = 0
    for part in order:
        position = seen.text.index(part, position) + 1
    assert seen.tags.count("img") == 3
    assert "UNCALIBRATED" not in seen.text


def test_section_report_tells_unsure_rims() -> None:
    score = make_section()
    doubtful = [
        replace(item, members=tuple((k, replace(seen, reasons=("low_confidence",))) for k, seen in item.members))
        for item in score.lesions
    ]
    text = text_of(replace(score, lesions=(*score.lesions, *doubtful)))
    assert "Lesions with a rim 2, 1 of low confidence Rim complete" in text
    assert "Lesions with a rim 1, all of low confidence Rim complete" in text_of(replace(score, lesions=doubtful))
    assert "Unsure whether this is a rim (confidence under 0.5): check it on the picture." in text


def test_bed_report_gives_probability_and_sign() -> None:
    text = text_of(make_bed())
    assert "R1 probability of R1 54 % (95 % interval 40 % to 68 %)" in text
    assert "From the fluorescent sign (present). R1 when the whole interval lies above a risk of 20 %" in text
    assert "present at an SBR cut of 1.5 Frame 0 at a cut of 1.5: present, 1.75: present, 2: absent" in text
    assert "Present in 1 of 1 frames. A proximity sign" in text
    assert "not measured A bed view has no plane to measure to." in text
    assert "No lesion was found." in text


def test_undefined_reads_undefined_with_the_reason() -> None:
    text = text_of(make_undefined())
    assert "indeterminate probability of R1 undefined No prevalence of R1 was given" in text
    assert "undefined The pixel size is unknown, so nothing can be given in millimetres." in text
    assert "undefined The background level could not be separated" in text
    assert "UNCALIBRATED : no camera calibration" in text
    assert "a_new_code 1 of 1 slices a_new_code" in text
    assert "Lesions with a rim none found In 0 of 1 slices." in text
    assert "Hot spots" not in text


@pytest.mark.parametrize(
    ("sign", "said"), [(False, "No region lies over the SBR cut."), (None, "No region could be ranked.")]
)
def test_no_hot_spot_is_not_taken_for_an_absent_sign(sign: bool | None, said: str) -> None:
    text = text_of(make_bed(frames=(make_frame(fluorescent=sign, hot_spots=(), lesions=()),)))
    assert f"Hot spots in frame 0 {said}" in text
    assert ("undecided in 1" in text) is (sign is None)


@pytest.mark.parametrize("score", [make_section(), make_bed(), make_undefined()], ids=["section", "bed", "undefined"])
def test_what_no_report_may_hold(score: Score) -> None:
    page = build(score)[1]
    seen = Reader(page)
    assert not re.search(r"\b(nan|NaN|None|[Cc]lear|inf)\b", seen.text)
    assert not re.search(r"https?:|//cdn|@import|url\(", page)
    assert not {"script", "link", "iframe", "object"} & set(seen.tags)
    assert all(item.startswith("data:image/png;base64,") for item in seen.references)
    assert seen.text.count(words.RESEARCH_ONLY) == 2
    assert "SIMULATED" in seen.text or not score.summary


@pytest.mark.parametrize("source", ["<script>alert(1)<x>.tif", '"><img src=x onerror=a>.tif', "$x_{肝\udcff.tif", None])
def test_hostile_file_names_stay_text(source: str | None) -> None:
    page = build(make_bed(summary={"source": source, "parameters": {"<b>": "<script>"}}))[1]
    seen = Reader(page)
    assert "script" not in seen.tags
    assert seen.tags.count("img") == 2
    assert (source or "array in memory").replace("\udcff", "?") in seen.text
    assert "parameters: <b> <script>" in seen.text


def test_sign_shown_is_the_one_behind_the_status() -> None:
    frames = (make_frame(0), *(make_frame(i, fluorescent=False) for i in (1, 2)))
    margin = PublishedAnchorModel(prevalence=0.126).predict(fluorescent=False)
    text = text_of(make_bed(frames=frames, margin=margin))
    assert "Fluorescent sign absent at an SBR cut of 1.5 Frame 0 at a cut of 1.5: present" in text
    assert "Present in 1 of 3 frames" in text


def test_published_anchor_model_is_told_in_words() -> None:
    margin = PublishedAnchorModel(prevalence="mimic-accuracy").predict(fluorescent=True)
    text = text_of(make_bed(margin=margin))
    assert "R1 probability of R1 54 % (95 % interval 40 % to 68 %) 0 % threshold 20 % 100 %" in text
    assert "From the fluorescent sign (present)" in text
    assert "margin: table.reconstructed yes" in text


def test_sign_without_prevalence_is_told_in_words() -> None:
    text = text_of(make_bed(margin=PublishedAnchorModel(prevalence=None).predict(fluorescent=True)))
    assert "indeterminate probability of R1 undefined No prevalence of R1 was given" in text


def test_margin_from_distance_is_told_in_words() -> None:
    score = make_section()
    assert score.distance is not None
    text = text_of(replace(score, margin=from_distance(score.distance, tie="R1")))
    assert "From the measured distance. R1 when its whole interval lies at or below 1 mm" in text
    assert "R1 below 1 mm" in text


def test_trained_model_is_told_in_words() -> None:
    margin = MarginStatus(0.3, (0.25, 0.4), "R1", provenance={"model": "trained", "risk_threshold": 0.2})
    assert "From a model trained by the user." in text_of(make_bed(margin=margin))


def test_distance_without_interval_says_so() -> None:
    distance = Distance(1.42, NAN, (NAN, NAN), 1.6, (4.0, 11.0, 8.0))
    assert "1.42 mm interval unknown" in text_of(make_section(distance=distance))


def test_unknown_sign_is_not_taken_for_a_trained_model() -> None:
    model = PublishedAnchorModel(prevalence=0.126)
    text = text_of(make_bed(margin=model.predict(fluorescent=None, reasons=("saturated_lower_bound",))))
    assert "From the fluorescent sign (undecided). R1 when" in text
    assert "trained by the user" not in text


def test_the_answer_at_other_cuts_stands_beside_it() -> None:
    model = PublishedAnchorModel(prevalence="mimic-accuracy")
    signs = {1.5: True, 1.75: True, 2.0: False}
    text = text_of(make_bed(margin=model.predict(fluorescent=True, sbr_cut=1.5, sign_at=signs)))
    assert (
        "By SBR cut: 1.5, 1.75: present, P(R1) 54 % (40 % to 68 %); 2: absent, P(R1) 8.3 % (4.9 % to 12 %) From" in text
    )
    open_ = PublishedAnchorModel(prevalence=None).predict(fluorescent=True, sbr_cut=1.5, sign_at=signs)
    assert "By SBR cut" not in text_of(make_bed(margin=open_))


def test_sign_and_distance_are_both_shown() -> None:
    sign = PublishedAnchorModel(prevalence="mimic-overall").predict(fluorescent=True, sign_at={2.0: False})
    distance = from_distance(Distance(4.0, 0.3, (3.4, 4.6), 4.1, (4.0, 11.0, 8.0)))
    text = text_of(make_section(margin=combine(sign, distance)))
    assert (
        "Resection margin indeterminate no single probability of R1: sign and distance contradict each other "
        "The fluorescent sign and the measured distance, or frames of one bed, say different things. "
        "By the measured distance: R0" in text
    )
    assert "R1 below 1 mm" in text
    assert "By the measured distance: R0, probability of R1 < 0.1 % (at both ends of the distance's" in text
    assert (
        "By the fluorescent sign of the bed (present): R1, probability of R1 46 % (95 % interval 32 % to 61 %)." in text
    )
    assert "By SBR cut: 2: absent, P(R1) 6.0 % (3.5 % to 8.7 %)" in text
    assert "From sign and distance together: the distance decides" in text


def test_interval_of_a_distance_is_not_called_one_of_p() -> None:
    near = from_distance(Distance(0.3, 0.1, (0.1, 0.5), 0.4, (4.0, 11.0, 8.0)))
    for status in (near, combine(PublishedAnchorModel(prevalence=0.1).predict(fluorescent=True), near)):
        text = text_of(make_section(margin=status))
        assert "R1 probability of R1 > 99.9 % (at both ends of the distance's 95 % interval)" in text


@pytest.mark.parametrize(
    "distance",
    [
        None,
        Distance.undefined("no_lesion"),
        Distance(1.42, 0.1, (1.2, 1.6), 1.5, (4.0, 11.0, 8.0), ("no_enclosed_core",)),
    ],
)
def test_no_margin_width_without_a_distance_that_counts(distance: Distance | None) -> None:
    assert "Margins of this width" not in text_of(make_section(distance=distance))


def test_margin_width_shares_follow_the_distance() -> None:
    distance = Distance(1.2, 0.4, (0.4, 2.0), 1.3, (4.0, 11.0, 8.0))
    found = literature.margin_width(distance)
    assert found is not None
    assert [row[:2] for row in found["rows"]] == [
        ("positive", "0.1 %"),
        ("< 1 mm", "31 %"),
        ("1-9.9 mm", "69 %"),
        (">= 10 mm", "< 0.1 %"),
    ]
    assert found["head"][2:] == [name.capitalize() for name in PERRIN.hazard_ratios]


def test_remaining_risk_of_r0_is_said() -> None:
    origin = {"model": "published-anchor", "risk_threshold": 0.2}
    margin = MarginStatus(0.083, (0.049, 0.117), "R0", False, (), origin)
    text = text_of(make_bed(margin=margin))
    assert "R0 probability of R1 8.3 % (95 % interval 4.9 % to 12 %)" in text
    assert "not a finding that no tumour is left" in text


def test_negative_distance_is_explained() -> None:
    distance = Distance(-0.31, 0.2, (-0.7, 0.1), 0.1, (4.0, 11.0, 8.0), ("extrapolated",))
    text = text_of(make_section(distance=distance, margin=None))
    assert "-0.310 mm 95 % CI -0.700 to 0.100 mm" in text
    assert "the tumour's edge reaches beyond the resection plane" in text
    assert "not determined No margin model was run." in text


def test_leaning_plane_is_explained() -> None:
    score = make_section(plane=FlatPlane((4.0, 12.42, 0.0), (0.5, 1.0, 0.0)))
    caption = html.overlay_caption(score, ((124.2, 0.0), (124.2, 159.0)), (110.0, 80.0))
    assert "leans out of the picture by 27 degrees" in caption
    assert "does not cross this picture" in html.overlay_caption(score, None, None)


@pytest.mark.parametrize(
    ("sure", "said"),
    [(0, "All outlines are dotted: confidence under 0.5"), (1, "Dotted outlines are unsure: confidence")],
)
def test_caption_tells_dotted_outlines(sure: int, said: str) -> None:
    frame = make_frame(lesions=(*[make_lesion()] * sure, make_lesion(reasons=("low_confidence",))))
    assert said in html.overlay_caption(make_section(frames=(frame,), key_index=0), None, None)


def test_long_lists_are_cut_and_said_to_be() -> None:
    spots = tuple(HotSpot(i + 1, 3.0, (9.0, 9.0), 4.0, Measurement(0.04)) for i in range(30))
    lesions = tuple(SpecimenLesion(i, ((0, make_lesion()),), None, None) for i in range(250))
    text = text_of(make_bed(frames=(make_frame(hot_spots=spots),), lesions=lesions))
    assert "The first 12 of 30 are shown." in text
    assert "The first 200 of 250 are shown; lesions.csv holds all." in text


def test_lesion_without_pixel_size_is_given_in_pixels() -> None:
    none = Measurement.undefined("no_pixel_size")
    lesion = make_lesion(thickness_mm=none, area_mm2=none, reasons=("clipped_by_border",))
    score = make_bed(lesions=(SpecimenLesion(7, ((0, lesion),), None, None),), spacing_mm=(None, None, None))
    text = text_of(score)
    assert "7 0 5027 px, frame 0 12.0 px (95 % CI 11.2 to 12.8) 93.0 % (rim)" in text
    assert "The region is cut off by the border of the image." in text
    assert "pixel height unknown" in text


def test_key_frame_must_exist() -> None:
    with pytest.raises(InputError, match="key_index is 1 with 1 frames"):
        build(make_bed(key_index=1))


def test_no_global_plot_state() -> None:
    code = (
        "import sys, pyicg.report\n"
        "assert not {'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "import pyicg.report.figures, pyicg.report.html\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_card_says_what_the_probability_takes_for_granted() -> None:
    model = PublishedAnchorModel(prevalence="mimic-overall", dose_mg=10, hours_before=24)
    told = card(model.predict(fluorescent=False))["basis"]
    assert "a prevalence of 12.6 %, the accuracy of the MIMIC trial as reconstructed; the interval holds" in told
    assert "not worth following" not in told
    assumed = card(PublishedAnchorModel(prevalence=0.01).predict(fluorescent=True))["basis"]
    assert "10 mg ICG, 24 h before surgery (assumed, not stated)" in assumed
    assert "At this threshold and prevalence the sign is not worth following" in assumed
    assert "takes for granted" not in card(PublishedAnchorModel(prevalence=None).predict(fluorescent=True))["basis"]
