"""Every margin status says where it is from, and nothing that pyicg writes calls a margin clear."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import pyicg
from pyicg import Distance, _core
from pyicg._margin_provenance import NEVER_CLEAR
from pyicg.margin import PublishedAnchorModel, TrainedModel, combine, from_distance
from pyicg.phantom import SectionPhantom
from pyicg.report import build
from pyicg.results import MarginStatus, SpecimenLesion, to_plain
from pyicg.specimen import section_answer

from .cohorts import PATIENTS, R1, X
from .reports import Reader

MODEL = PublishedAnchorModel(prevalence="mimic-overall")
TRAINED = TrainedModel.fit({"x": X}, R1, groups=PATIENTS, draws=20)
FAR = Distance(4.0, 0.3, (3.4, 4.6), 4.1, (0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def section() -> SectionPhantom:
    return pyicg.phantom.section_stack(margins_mm=(0.4, 3.0), shape=None, n_slices=7, seed=2)


@pytest.fixture(scope="module")
def bed_score() -> pyicg.StackScore:
    bed = pyicg.phantom.bed_scene(n_frames=3)
    return pyicg.score_stack(bed.stack, profile=bed.profile, prevalence="mimic-overall")


@pytest.fixture(scope="module")
def section_score(section: SectionPhantom) -> pyicg.StackScore:
    return pyicg.score_stack(section.stack, profile=section.profile, view="section", plane=section.plane)


@pytest.fixture(scope="module")
def statuses(
    section: SectionPhantom, bed_score: pyicg.StackScore, section_score: pyicg.StackScore
) -> dict[str, MarginStatus | None]:
    without = pyicg.score_stack(section.stack, profile=section.profile, view="section")
    spacing = section.stack.spacing_mm
    return {
        "sign": MODEL.predict(fluorescent=True),
        "no sign": MODEL.predict(fluorescent=None),
        "no prevalence": PublishedAnchorModel(prevalence=None).predict(fluorescent=False),
        "distance": from_distance(FAR),
        "no distance": from_distance(Distance.undefined()),
        "open rim": from_distance(replace(FAR, warnings=("no_enclosed_core",))),
        "combined": combine(MODEL.predict(fluorescent=True), from_distance(FAR)),
        "bed": bed_score.margin,
        "frame of the bed": bed_score.frames[0].margin,
        "section": section_score.margin,
        "lesion of the section": section_score.lesions[0].margin,
        "section without plane": without.margin,
        "section without lesion": section_answer((), section.plane, section_score.frames, spacing)[1],
        "section of nothing": section_answer((), None, section_score.frames, spacing)[1],
        "section with its bed": section_score.with_sign(bed_score).margin,
        "trained": TRAINED.predict({"x": 1.0}),
        "trained, outside": TRAINED.predict({"x": 9.0}),
        "trained, unknown": TRAINED.predict({"x": None}),
    }


def test_every_status_says_where_it_is_from(statuses: dict[str, MarginStatus | None]) -> None:
    known = set(_core.reason_names()) - {"none"}
    for name, status in statuses.items():
        assert status is not None, name
        assert isinstance(status.reasons, tuple), name
        assert set(status.reasons) <= known, name
        assert len(set(status.reasons)) == len(status.reasons), name
        told = status.provenance
        assert told["model"] in ("published-anchor", "measured-distance", "sign-and-distance", "trained"), name
        assert told["wording"] == NEVER_CLEAR, name
        assert told["pyicg_version"] == pyicg.__version__, name
        text = json.dumps(to_plain(told), allow_nan=False)
        source = "trained by the user" if told["model"] == "trained" else "Achterberg et al., JAMA Netw Open 2024"
        assert source in text, name
        assert "assum" in text, name


def test_rules_over_frames_and_lesions_are_told(statuses: dict[str, MarginStatus | None]) -> None:
    bed, specimen = statuses["bed"], statuses["section"]
    assert bed is not None
    assert specimen is not None
    assert bed.provenance["sign"]["sbr_cut"] == 1.5
    assert list(bed.provenance["at_cuts"]) == ["1.5", "1.75", "2"]
    assert bed.provenance["frames"]["present"] == 3
    assert specimen.provenance["lesions"]["of"] == 2
    assert specimen.provenance["lesions"]["rule"].startswith("the worst lesion decides")
    without = statuses["section without plane"]
    assert without is not None
    assert (without.label, without.reasons) == ("indeterminate", ("no_plane",))


def test_the_worst_lesion_whatever_the_order(section: SectionPhantom, section_score: pyicg.StackScore) -> None:
    base = section_score.lesions[0]
    foot = (3.0, 1.0, 1.0)
    distances = [
        Distance(3.0, 0.1, (2.8, 3.2), 3.0, foot),
        Distance(1.3, 0.3, (0.7, 1.9), 1.3, foot),
        Distance.undefined("no_lesion"),
        Distance.undefined("no_pixel_size"),
        Distance(0.9, 0.3, (0.3, 1.5), 0.9, foot),
    ]
    lesions = [
        SpecimenLesion(n, base.members, distance, from_distance(distance)) for n, distance in enumerate(distances, 1)
    ]
    calm = [replace(frame, rejected=(), lesions=(), reasons=()) for frame in section_score.frames]
    answers = set()
    for order in itertools.permutations(lesions):
        distance, status = section_answer(order, section.plane, calm, section.stack.spacing_mm)
        assert distance is not None
        answers.add((distance.min_mm, status.label, status.reasons, status.provenance["lesions"]["worst"]))
    # Among the indeterminate those without P(R1) are the worst; of those the first by its reason.
    assert answers == {(0.9, "indeterminate", ("no_lesion",), 3)}
    certain = lesions[4]
    near = Distance(0.2, 0.1, (0.0, 0.4), 0.2, foot)
    for order in itertools.permutations([*lesions[1:4], replace(certain, distance=near)]):
        status = section_answer(order, section.plane, calm, section.stack.spacing_mm)[1]
        assert (status.label, status.provenance["lesions"]["worst"]) == ("R1", 5)


@pytest.mark.parametrize("tie", ["R0", "R1"])
def test_the_tie_reaches_every_lesion(section: SectionPhantom, tie: str) -> None:
    # The plane is moved so that the nearest tumour lies at exactly 1 mm, and the distance counts as exact.
    found = pyicg.score_stack(section.stack, profile=section.profile, view="section", plane=section.plane, tie=tie)
    assert found.margin is not None
    assert found.summary["tie"] == tie
    for lesion in found.lesions:
        assert lesion.margin is not None
        assert lesion.margin.provenance["tie"]["value"] == tie
    exact = Distance(1.0, 0.0, (1.0, 1.0), 1.0, (3.0, 1.0, 1.0))
    lesions = [replace(found.lesions[0], distance=exact)]
    calm = [replace(frame, rejected=(), lesions=(), reasons=()) for frame in found.frames]
    status = section_answer(lesions, section.plane, calm, section.stack.spacing_mm, tie=tie)[1]
    assert (status.label, status.p_r1) == (tie, float(tie == "R1"))


def test_no_margin_is_called_clear(
    bed_score: pyicg.StackScore,
    section_score: pyicg.StackScore,
    tmp_path: Path,
) -> None:
    results = {"bed": bed_score, "section": section_score, "joined": section_score.with_sign(bed_score)}
    texts: dict[str, str] = {}
    for name, result in results.items():
        folder = result.write(tmp_path / name)
        texts |= {f"{name}/{file.name}": file.read_text() for file in folder.iterdir() if file.suffix != ".png"}
        texts[f"{name}/report"] = Reader(build(result)[1]).text
        del texts[f"{name}/report.html"]  # its pictures are base64, its text was just read
    assert sum(text.count(NEVER_CLEAR) for text in texts.values()) >= 3
    for name, text in texts.items():
        rest = text.replace(NEVER_CLEAR, "").replace(NEVER_CLEAR.replace("'", "&#39;"), "")
        assert not re.search(r"\bclear(ed|ance)?\b", rest, re.IGNORECASE), name
