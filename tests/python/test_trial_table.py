"""The table of a trial: what is read, and the words for what cannot be."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from pyicg.errors import InputError
from pyicg.io._trial_table import TrialTable, read_trial_table

PLAIN = """lesion_id,patient_id,r1,fluorescent,score
1,A,yes,yes,2.5
2,A,no,no,1.1
1,B,no,unknown,
"""


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "trial.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path, content: str | bytes, **options: object) -> TrialTable:
    return read_trial_table(written(folder, content), **options)  # type: ignore[arg-type]


def refusal(folder: Path, content: str | bytes, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, content, **options)
    assert str(folder / "trial.csv") in str(caught.value)
    return str(caught.value)


def test_a_plain_table(tmp_path: Path) -> None:
    table = read(tmp_path, PLAIN)
    assert table.n == 3
    assert table.patients == ("A", "A", "B")
    assert table.group == "patient_id"
    np.testing.assert_array_equal(table.values["r1"], [1, 0, 0])
    np.testing.assert_array_equal(table.values["fluorescent"], [1, 0, np.nan])
    np.testing.assert_array_equal(table.values["score"], [2.5, 1.1, np.nan])
    np.testing.assert_array_equal(table.known("score"), [True, True, False])
    assert table.ignored == ()
    assert not table.simulated
    assert not table.excluded.any()


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(",", ";").replace("2.5", "2,5").replace("1.1", "1,1"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace("2,A,no", '"2"," A ","no"'),
        "\n" + PLAIN.replace("\n", "\n\n"),
        PLAIN.replace("yes", "TRUE").replace("no,", "False,").replace("unknown", ""),
        PLAIN.replace("yes,yes", "R1,1").replace("no,no", "R0,0").replace("no,unknown", "r0,NA"),
        PLAIN.replace("yes", "1.0").replace("no,", "0.0,").replace("unknown", "nan"),
        PLAIN.replace("r1,fluorescent,score", "R1,Fluorescent,SBR"),
        PLAIN.removesuffix("\n"),
        "sep=;\n" + PLAIN.replace(",", ";").replace("2.5", "2,5"),
        '"sep=,"\n' + PLAIN,
        "sep=\t\r\n" + PLAIN.replace(",", "\t"),
        PLAIN.replace("\n", ",,\n"),
    ],
)
def test_the_same_table_in_other_spellings(tmp_path: Path, content: str) -> None:
    table = read(tmp_path, content)
    expected = read(tmp_path, PLAIN)
    assert table.patients == expected.patients
    assert set(table.values) == set(expected.values)
    for name, column in expected.values.items():
        np.testing.assert_array_equal(table.values[name], column)


def test_a_quoted_separator_and_line_break_stay_in_their_cell(tmp_path: Path) -> None:
    table = read(tmp_path, 'r1,fluorescent,excluded\n1,1,"late, ""very""\nlate"\n0,0,\n')
    assert table.texts["excluded"] == ('late, "very"\nlate', "")
    np.testing.assert_array_equal(table.excluded, [True, False])


@pytest.mark.parametrize("word", ["", "no", "No", "nein", "none", "0", "false", "FALSE", "included", "-", "–", "n/a"])
def test_no_is_no_reason_for_leaving_a_lesion_out(tmp_path: Path, word: str) -> None:
    table = read(tmp_path, f"r1,fluorescent,excluded\n1,1,{word}\n0,0,lost\n")
    np.testing.assert_array_equal(table.excluded, [False, True])


def test_ids_that_restart_in_each_centre_are_different_people(tmp_path: Path) -> None:
    content = "lesion_id,patient_id,centre,r1,fluorescent\n1,1,A,1,1\n2,1,A,0,0\n1,1,B,0,0\n1,2,B,1,1\n1,3,,1,1\n"
    table = read(tmp_path, content)
    assert table.patients == ("1 at A", "1 at A", "1 at B", "2", "3")
    (note,) = table.notes
    assert note.startswith("1 patient ids occur at more than one centre and are taken as different people at each")
    assert "lesion 1 of patient 1 at B is there twice" in refusal(tmp_path, content + "1,1,B,0,0\n")
    assert "line 7: found no centre for patient 1" in refusal(tmp_path, content + "9,1,,0,0\n")
    by_site = read(tmp_path, content.replace("centre", "site"), names={"centre": "site"})
    assert by_site.patients == table.patients


def test_ids_of_one_centre_each_stay_as_they_are(tmp_path: Path) -> None:
    table = read(tmp_path, "patient_id,centre,r1,fluorescent\n1,A,1,1\n1,,0,0\n2,B,0,0\n")
    assert (table.patients, table.notes) == (("1", "1", "2"), ())


def test_a_margin_that_looks_like_a_code_is_told(tmp_path: Path) -> None:
    content = "r1,margin_mm,measured_mm,fluorescent\n0,999,-0.4,1\n0,100,-99,1\n0,3,999,0\n1,0,0,1\n"
    assert [note.partition(":")[0] for note in read(tmp_path, content).notes] == [
        "1 lesions have a margin_mm beyond 100 mm",
        "1 lesions have a measured_mm beyond 100 mm",
    ]


def test_the_rule_and_the_columns_that_were_used(tmp_path: Path) -> None:
    table = read(tmp_path, "Pathology_mm,glow\n0.9,1\n", names={"fluorescent": "glow"}, threshold_mm=2.0, tie="R1")
    assert table.columns == {"fluorescent": "glow", "margin_mm": "Pathology_mm"}
    assert (table.threshold_mm, table.tie) == (2.0, "R1")
    decided = read(tmp_path, PLAIN)
    assert (decided.threshold_mm, decided.tie) == (None, None)


@pytest.mark.parametrize(("tie", "at_1_mm"), [("R0", 0.0), ("R1", 1.0)])
def test_the_margin_of_pathology_gives_r1(tmp_path: Path, tie: str, at_1_mm: float) -> None:
    table = read(tmp_path, "margin_mm,fluorescent\n0.9,1\n1.0,1\n1.1,0\n,0\n", tie=tie)
    np.testing.assert_array_equal(table.values["r1"], [1, at_1_mm, 0, np.nan])
    assert table.notes == (f"R1 is a margin under 1 mm, and one of exactly 1 mm is {tie}",)


def test_another_threshold(tmp_path: Path) -> None:
    table = read(tmp_path, "pathology_mm,fluorescent\n0.9,1\n1.4,1\n", threshold_mm=1.5)
    np.testing.assert_array_equal(table.values["r1"], [1, 1])


def test_r1_wins_over_the_margin_and_a_contradiction_is_told(tmp_path: Path) -> None:
    table = read(tmp_path, "r1,margin_mm,fluorescent\n0,0.4,1\n1,0.4,1\n0,,0\n")
    np.testing.assert_array_equal(table.values["r1"], [0, 1, 0])
    assert table.notes == ("r1 disagrees with margin_mm at 1 mm in 1 lesions: r1 counts, look at them",)


def test_columns_by_other_names(tmp_path: Path) -> None:
    content = "histology,glows,who,note\nR1,yes,7,x\nR0,no,8,y\n"
    table = read(tmp_path, content, names={"r1": "histology", "fluorescent": "glows"}, group="who")
    np.testing.assert_array_equal(table.values["r1"], [1, 0])
    assert table.patients == ("7", "8")
    assert table.ignored == ("note",)


def test_simulated_and_source(tmp_path: Path) -> None:
    table = read(tmp_path, "r1,fluorescent,simulated,source\n1,1,true,x\n0,0,false,y\n")
    assert table.simulated
    assert table.texts["source"] == ("x", "y")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty", "one row per lesion"]),
        (b"\n\n", ["is empty"]),
        (b"PK\x03\x04rest", ["workbook", "CSV UTF-8"]),
        (b"\xd0\xcf\x11\xe0rest", ["old Excel workbook"]),
        ("r1,fluorescent\n1,1\n".encode("utf-16"), ["UTF-16", "CSV UTF-8"]),
        (b"r1,fluorescent\n1,\0\n", ["is no text"]),
        ("r1,fluorescent,centre\n1,1,A\n1,1,Orléans\n".encode("latin-1"), ["line 3", "0xe9", "CSV UTF-8"]),
        ("r1,fluorescent\n", ["no row", "one row per lesion"]),
        ("r1,fluorescent,r1\n1,1,1\n", ["names r1 more than once"]),
        ("r1,,fluorescent\n1,1,1\n", ["column 2 has no name"]),
        ("r1,fluorescent,,\n1,1,,\n0,0,,x\n", ["column 3 has no name"]),
        ("sep=;\n", ["is empty but for its first line"]),
        ("margin_mm,fluorescent\n2,1\n-9,1\n", ["line 3, column margin_mm", "'-9'", "leave the cell empty"]),
        ("r1,pathology_mm,fluorescent\n1,-0.1,1\n", ["line 2, column pathology_mm", "codes such as -9 or 999"]),
        ("margin_mm,fluorescent\n<1,1\n", ["'<1'", "a bound is no number", "column r1"]),
        ("margin_mm,fluorescent\n>10,1\n", ["'>10'", "a bound is no number"]),
        ("r1,fluorescent,p_r1\n1,1,12%\n", ["'12%'", "0.12 for 12 %"]),
        ("r1,fluorescent\n1,ja\n", ["line 2, column fluorescent", "write yes for 'ja'"]),
        ("r1,fluorescent\nNein,1\n", ["line 2, column r1", "write no for 'Nein'"]),
        ("r1,fluorescent\n1,1\n1,1,0\n", ["line 3", "found 3 cells, expected 2"]),
        ('r1,fluorescent\n1,"1\n', ["line 2", "quotation mark"]),
        (
            "fluorescent,histology\n1,1\n",
            ["lacks r1 (or margin_mm", "found fluorescent, histology", "--column r1=NAME"],
        ),
        ("r1,sbr\n1,1\n", ["lacks fluorescent"]),
        ("r1,fluorescent\n1,1\nmaybe,1\n", ["line 3, column r1", "'maybe'", "yes or no", "R0 or R1"]),
        ("r1,fluorescent\n1,R1\n", ["line 2, column fluorescent", "'R1'", "1 or 0, or nothing"]),
        ("r1,fluorescent,sbr\n1,1,bright\n", ["line 2, column sbr", "'bright'", "a number such as 1.5"]),
        ('r1,fluorescent,sbr\n1,1,"1,5"\n', ["line 2, column sbr", "'1,5'", "decimal point"]),
        ("r1;fluorescent;sbr\n1;1;1.234,5\n", ["line 2, column sbr", "'1.234,5'"]),
        ("r1,fluorescent,sbr\n1,1,inf\n", ["line 2, column sbr", "'inf'"]),
        ("r1,fluorescent,p_r1\n1,1,54\n", ["column p_r1", "'54'", "a probability from 0 to 1"]),
        ("r1,fluorescent,procedure\n1,1,0\n", ["column procedure", "'0'", "whole number from 1"]),
        ("r1,fluorescent,procedure\n1,1,1.5\n", ["column procedure", "'1.5'"]),
        ("r1,fluorescent,patient_id\n1,1,A\n1,1,\n", ["line 3, column patient_id", "fill it in"]),
        ("lesion_id,r1,fluorescent\na,1,1\nb,1,1\na,0,0\n", ["lines 2 and 4", "lesion a is there twice"]),
        (
            "lesion_id,patient_id,r1,fluorescent\n1,A,1,1\n1,B,1,1\n1,A,0,0\n",
            ["lines 2 and 4", "lesion 1 of patient A is there twice"],
        ),
        ("r1,fluorescent,sbr,score\n1,1,1,1\n", ["score and sbr may both be score", "--column score=score"]),
        ("r1,R1,fluorescent\n1,1,1\n", ["r1 and R1 may both be r1"]),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    message = refusal(tmp_path, content)
    for part in words:
        assert part in message


def test_an_unknown_group_column_is_told_with_those_there_are(tmp_path: Path) -> None:
    message = refusal(tmp_path, PLAIN, group="patient")
    assert "no column 'patient'" in message
    assert "lesion_id, patient_id, r1, fluorescent, score" in message


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    assert "no column 'histology' for r1" in refusal(tmp_path, PLAIN, names={"r1": "histology"})
    with pytest.raises(InputError, match="no column is called 'R-status' here; expected one of centre, excluded"):
        read(tmp_path, PLAIN, names={"R-status": "r1"})


def test_one_column_has_one_role(tmp_path: Path) -> None:
    message = refusal(tmp_path, PLAIN, names={"p_r1": "score"})
    assert "column 'score' is used for score and p_r1, expected a column of its own" in message
    assert "column 'r1' holds r1, expected one that names the patient" in refusal(tmp_path, PLAIN, group="r1")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="expected a CSV table"):
            read_trial_table(path)


def test_the_lesions_of_a_score_are_told_what_to_join(tmp_path: Path) -> None:
    from pyicg.phantom import section_stack
    from pyicg.score import score_stack

    phantom = section_stack(margins_mm=(0.4,), n_slices=3)
    result = score_stack(phantom.stack, profile=phantom.profile, view="section", plane=phantom.plane)
    result.write(tmp_path / "out")
    with pytest.raises(InputError, match=r"lesions.csv of pyicg score.*join patient_id, r1 \(or margin_mm\)"):
        read_trial_table(tmp_path / "out" / "lesions.csv")
    with (tmp_path / "out" / "lesions.csv").open(newline="") as file:
        assert {"lesion_distance_mm", "lesion_p_r1"} <= set(next(csv.reader(file)))  # the names in the advice
