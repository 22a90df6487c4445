"""``pyicg evaluate``: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pyicg import evaluate
from pyicg.cli import main
from pyicg.io._trial_table import read_trial_table
from pyicg.phantom import SimulatedTrial, trial
from pyicg.published import MIMIC

from .interrupts import interrupt

ROOT = Path(__file__).parents[2]
RECONSTRUCTED = ROOT / "docs" / "data" / "mimic_reconstructed.csv"
TABLES = {"accuracy.csv", "accuracy.md", "flow.csv", "summary.json"}
PICTURES = {"roc.png", "decision_curve.png"}


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *(str(a) for a in arguments)])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def rows(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (folder / "accuracy.csv").open(newline="", encoding="utf-8") as file:
        return {(row["section"], row["figure"]): row for row in csv.DictReader(file)}


def summary(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "summary.json").read_text()))


def write(path: Path, columns: dict[str, list[object]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def counted(tp: int, fn: int, fp: int, tn: int) -> dict[str, list[object]]:
    cells = ((tp, 1, 1), (fn, 1, 0), (fp, 0, 1), (tn, 0, 0))
    return {
        "r1": [r1 for n, r1, _ in cells for _ in range(n)],
        "fluorescent": [sign for n, _, sign in cells for _ in range(n)],
    }


@pytest.fixture(scope="module")
def mimic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mimic") / "out"
    assert run(RECONSTRUCTED, "--prevalence", "mimic-overall", "--prevalence", "0.25", "-o", folder) == 0
    return folder


@pytest.fixture(scope="module")
def simulated() -> SimulatedTrial:
    return trial()


@pytest.fixture(scope="module")
def source(simulated: SimulatedTrial, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated.write(tmp_path_factory.mktemp("source") / "lesions.csv")


@pytest.fixture(scope="module")
def evaluated(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated") / "out"
    assert run(source, "--group", "patient_id", "--prevalence", "0.126", "-o", folder) in {0, 4}
    return folder


def column(simulated: SimulatedTrial, name: str) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in simulated.columns[name]], dtype=np.float64)


def counting(simulated: SimulatedTrial, *names: str) -> np.ndarray:
    """Lesions that are not excluded and whose columns are all known."""
    kept = np.array([text == "" for text in simulated.columns["excluded"]])
    return np.logical_and.reduce([kept, *(~np.isnan(column(simulated, name)) for name in names)])


def patients(simulated: SimulatedTrial, chosen: np.ndarray) -> list[str]:
    return [name for name, there in zip(simulated.columns["patient_id"], chosen, strict=True) if there]


# ---- the reconstructed trial


def test_the_reconstructed_file_is_the_reconstructed_table() -> None:
    with RECONSTRUCTED.open(newline="") as file:
        lesions = [(row["r1"], row["fluorescent"], row["source"]) for row in csv.DictReader(file)]
    table = MIMIC.reconstructed_table
    cells = [("R1", "yes", table.tp), ("R1", "no", table.fn), ("R0", "yes", table.fp), ("R0", "no", table.tn)]
    assert lesions == [(r1, sign, "reconstructed") for r1, sign, n in cells for _ in range(n)]
    assert len(lesions) == MIMIC.lesions


@pytest.mark.parametrize(
    ("figure", "value", "low", "high", "digits"),
    [
        ("sensitivity", 0.6038, 0.469, 0.724, 3),
        ("specificity", 0.8973, 0.855, 0.928, 3),
        ("ppv", 0.5424, 0.417, 0.663, 3),
        ("npv", 0.9183, 0.878, 0.946, 3),
        ("lr_positive", 5.88, 3.87, 8.94, 2),
        ("lr_negative", 0.442, 0.316, 0.617, 3),
        ("dor", 13.3, 6.75, 26.3, 1),
        ("auc", 0.751, 0.682, 0.820, 3),
        ("auc_nonparametric", 0.751, 0.668, 0.833, 3),
    ],
)
def test_the_figures_of_the_mimic_abstract(
    mimic: Path, figure: str, value: float, low: float, high: float, digits: int
) -> None:
    row = rows(mimic)["accuracy", figure]
    half = 0.51 * 10**-digits
    assert float(row["value"]) == pytest.approx(value, abs=half)
    assert float(row["lo"]) == pytest.approx(low, abs=half)
    assert float(row["hi"]) == pytest.approx(high, abs=half)


def test_counts_of_the_mimic_table(mimic: Path) -> None:
    found = rows(mimic)
    assert summary(mimic)["counts"] == {"tp": 32, "fn": 21, "fp": 27, "tn": 236}
    shares = {name: (found["accuracy", name]["n"], found["accuracy", name]["N"]) for name in evaluate_names()}
    assert shares == {
        "sensitivity": ("32", "53"),
        "specificity": ("236", "263"),
        "ppv": ("32", "59"),
        "npv": ("236", "257"),
    }
    for name, published in zip(evaluate_names(), (0.60, 0.90, 0.54, 0.92), strict=True):
        assert round(float(found["accuracy", name]["value"]), 2) == published


def evaluate_names() -> tuple[str, ...]:
    return ("sensitivity", "specificity", "ppv", "npv")


def test_the_mimic_table_at_other_prevalences_and_its_decision_limits(mimic: Path) -> None:
    found = rows(mimic)
    expected = {"ppv_at_0.126": 0.459, "npv_at_0.126": 0.940, "ppv_at_0.25": 0.662, "npv_at_0.25": 0.872}
    for name, value in expected.items():
        assert float(found["prevalence", name]["value"]) == pytest.approx(value, abs=0.0005)
    assert float(found["decision", "useful_range_low"]["value"]) == pytest.approx(0.082, abs=0.0005)
    assert float(found["decision", "useful_range_high"]["value"]) == pytest.approx(0.542, abs=0.0005)


def test_the_mimic_page_says_reconstructed_and_that_patients_are_unknown(mimic: Path) -> None:
    assert {path.name for path in mimic.iterdir()} == TABLES | PICTURES
    page = (mimic / "accuracy.md").read_text()
    assert page.startswith("# RECONSTRUCTED data: evaluation of mimic\\_reconstructed.csv\n")
    assert "the patients are not known" in page
    assert "naive interval" not in page  # there is nothing to set it against
    assert all(row["naive_lo"] == "" for row in rows(mimic).values())
    told = summary(mimic)
    assert told["input"]["patient_column"] is None  # type: ignore[index]
    assert told["skipped"] == {
        "score": "no column score",
        "predicted probability": "no column p_r1",
        "score against predicted probability": "no column score and p_r1",
        "calibration": "no column p_r1",
        "re-resection": "no column r0_before and r0_after",
        "learning curve": "no column procedure",
        "centres": "no column centre",
        "agreement": "no column measured_mm and margin_mm",
        "change in management": "no column management_changed",
    }
    assert told["refused"] == {}


# ---- a simulated trial with everything in it


def test_every_output_of_a_simulated_trial_says_so(
    source: Path, evaluated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {path.name for path in evaluated.iterdir()} == TABLES | PICTURES | {"calibration.png"}
    page = (evaluated / "accuracy.md").read_text()
    assert page.startswith("# SIMULATED data: evaluation of lesions.csv\n")
    assert "not a medical device" in page
    assert "Columns without a meaning here: measured\\_sigma\\_mm." in page
    assert summary(evaluated)["simulated"] is True
    run(source, "-o", tmp_path / "again")
    printed = capsys.readouterr().out
    assert printed.startswith("SIMULATED data\n")
    assert printed.endswith("Research software, not a medical device.\n")
    assert "ignored columns: measured_sigma_mm" in printed
    for path in evaluated.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_clustered_and_naive_intervals_stand_side_by_side(simulated: SimulatedTrial, evaluated: Path) -> None:
    chosen = counting(simulated, "r1", "fluorescent")
    r1, sign = (column(simulated, name)[chosen] == 1 for name in ("r1", "fluorescent"))
    naive = evaluate.diagnostic_accuracy(r1, sign)
    clustered = evaluate.diagnostic_accuracy(r1, sign, groups=patients(simulated, chosen), ci="bca")
    for name in (*evaluate_names(), "lr_positive", "dor", "auc"):
        row = rows(evaluated)["accuracy", name]
        assert float(row["value"]) == getattr(naive, name).value
        assert (float(row["lo"]), float(row["hi"])) == getattr(clustered, name).ci
        assert (float(row["naive_lo"]), float(row["naive_hi"])) == getattr(naive, name).ci
        assert row["method"] == clustered.ci_method
        assert row["naive_method"] == naive.ci_method


def test_figures_are_those_of_the_functions(simulated: SimulatedTrial, evaluated: Path) -> None:
    found = rows(evaluated)

    def of(*names: str) -> tuple[list[np.ndarray], list[str]]:
        chosen = counting(simulated, *names)
        return [column(simulated, name)[chosen] for name in names], patients(simulated, chosen)

    def holds(section: str, figure: str, expected: object) -> None:
        row = found[section, figure]
        assert float(row["value"]) == expected.value  # type: ignore[attr-defined]
        assert (float(row["lo"]), float(row["hi"])) == expected.ci  # type: ignore[attr-defined]

    (r1, sbr), who = of("r1", "sbr")
    holds("score", "auc", evaluate.roc(r1 == 1, sbr, groups=who).auc)
    (r1, p), who = of("r1", "p_r1")
    calibration = evaluate.calibration(p, r1 == 1, groups=who)
    for name in ("intercept", "slope", "observed_to_expected"):
        holds("calibration", name, getattr(calibration, name))
    assert float(found["calibration", "brier"]["value"]) == calibration.brier
    (before, after), who = of("r0_before", "r0_after")
    test = evaluate.mcnemar(before == 1, after == 1, groups=who)
    holds("re-resection", "difference", test.difference)
    assert float(found["re-resection", "p_mid"]["value"]) == test.p_mid
    assert int(found["re-resection", "converted_to_r0"]["n"]) == test.gained
    (r1, sign, number), who = of("r1", "fluorescent", "procedure")
    curve = evaluate.learning_curve(r1 == 1, sign == 1, procedure=number.astype(int), groups=who)
    holds("learning curve", "odds_ratio", curve.odds_ratio)
    assert found["learning curve", "false_positive_first_10"]["N"] == str(curve.r0_early)
    (measured, margin), who = of("measured_mm", "margin_mm")
    agreement = evaluate.bland_altman(measured, margin, groups=who)
    for name in ("bias", "lower_limit", "upper_limit", "slope"):
        holds("agreement", name, getattr(agreement, name))
    (changed,), who = of("management_changed")
    management = evaluate.change_in_management(changed == 1, groups=who)
    holds("change in management", "changed", management.share)
    assert found["change in management", "changed"]["N"] == str(len(set(who)))


def test_the_truth_of_the_simulation_lies_in_the_intervals(simulated: SimulatedTrial, evaluated: Path) -> None:
    found = rows(evaluated)
    for section, figure, truth in (
        ("accuracy", "sensitivity", simulated.parameters["sensitivity"]),
        ("accuracy", "specificity", simulated.parameters["specificity"]),
        ("calibration", "slope", simulated.parameters["model_calibration_slope"]),
        ("learning curve", "odds_ratio", simulated.parameters["false_positive_odds_ratio_first"]),
    ):
        row = found[section, figure]
        assert float(row["lo"]) < truth < float(row["hi"])


def test_the_flow_adds_up(simulated: SimulatedTrial, evaluated: Path) -> None:
    with (evaluated / "flow.csv").open(newline="") as file:
        flow = list(csv.DictReader(file))
    lesions = {row["step"]: int(row["lesions"]) for row in flow}
    lost = sum(int(row["lesions"]) for row in flow if row["lost"] == "true")
    assert lesions["in the file"] == 316
    assert lesions["in the file"] - lost == lesions["analysed"] == counting(simulated, "r1", "fluorescent").sum()
    assert lesions["analysed"] == sum(int(row["lesions"]) for row in flow[-4:])
    assert flow[0]["patients"] == "201"
    reasons = {text for text in simulated.columns["excluded"] if text}
    assert {f"excluded: {reason}" for reason in reasons} <= set(lesions)


def test_the_summary_holds_every_figure_and_where_it_came_from(source: Path, evaluated: Path) -> None:
    told = summary(evaluated)
    assert told["schema"] == 1
    assert told["input"]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()  # type: ignore[index]
    columns = [name for name in read_trial_table(source).columns if name != "score"]
    assert told["options"] == {
        "ci": None,
        "prevalences": [0.126],
        "first": 10,
        "risk_threshold": 0.2,
        "threshold_mm": None,
        "tie": None,
        "columns": {"score": "sbr", **{name: name for name in columns}},
    }
    assert set(told["libraries"]) >= {"numpy", "scipy", "statsmodels"}  # type: ignore[call-overload]
    table = rows(evaluated)
    figures = told["figures"]
    assert [(row["section"], row["name"]) for row in figures] == list(table)  # type: ignore[attr-defined]
    for row in figures:  # type: ignore[attr-defined]
        written = table[row["section"], row["name"]]["value"]
        assert (None if written == "" else float(written)) == row["item"]["value"]
    curves = told["curves"]
    assert set(curves["roc"]) == {"score", "p_r1"}  # type: ignore[index]
    assert set(curves["decision"]) == {"sign", "p_r1"}  # type: ignore[index]


def test_the_same_bytes_twice(source: Path, evaluated: Path, tmp_path: Path) -> None:
    run(source, "--group", "patient_id", "--prevalence", "0.126", "-o", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in evaluated.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (evaluated / path.name).read_bytes(), path.name


# ---- options


def test_what_unknown_signs_could_change(tmp_path: Path) -> None:
    columns = counted(8, 2, 4, 16)
    columns["r1"] += [1, 1, 0, ""]
    columns["fluorescent"] += ["unknown", "", "", ""]
    run(write(tmp_path / "t.csv", columns), "-o", tmp_path / "out")
    found = rows(tmp_path / "out")
    shares = {
        f"{name}_{case}_case": (
            int(found["accuracy", f"{name}_{case}_case"]["n"]),
            int(found["accuracy", f"{name}_{case}_case"]["N"]),
        )
        for name in ("sensitivity", "specificity")
        for case in ("worst", "best")
    }
    assert shares == {
        "sensitivity_worst_case": (8, 12),
        "sensitivity_best_case": (10, 12),
        "specificity_worst_case": (16, 21),
        "specificity_best_case": (17, 21),
    }
    assert any("3 lesions with an unknown sign" in words for words in summary(tmp_path / "out")["warnings"])  # type: ignore[attr-defined]


def test_intervals_of_choice(source: Path, simulated: SimulatedTrial, tmp_path: Path) -> None:
    chosen = counting(simulated, "r1", "fluorescent")
    r1, sign = (column(simulated, name)[chosen] == 1 for name in ("r1", "fluorescent"))
    run(source, "--ci", "gee", "-o", tmp_path / "gee")
    gee = evaluate.diagnostic_accuracy(r1, sign, groups=patients(simulated, chosen), ci="gee")
    row = rows(tmp_path / "gee")["accuracy", "sensitivity"]
    assert (float(row["lo"]), float(row["hi"])) == gee.sensitivity.ci
    run(source, "--ci", "clopper-pearson", "-o", tmp_path / "exact")
    exact = evaluate.diagnostic_accuracy(r1, sign, ci="clopper-pearson")
    row = rows(tmp_path / "exact")["accuracy", "sensitivity"]
    assert (float(row["naive_lo"]), float(row["naive_hi"])) == exact.sensitivity.ci


def test_a_margin_in_place_of_r1(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {"margin_mm": [0.5, 1.0, 1.2, 3.0], "fluorescent": [1, 1, 0, 0]}
    path = write(tmp_path / "t.csv", columns)
    for options, expected in (
        ([], [1, 0, 1, 2]),
        (["--tie", "R1"], [2, 0, 0, 2]),
        (["--threshold-mm", "2"], [2, 1, 0, 1]),
    ):
        run(path, *options, "-o", tmp_path / "out")
        assert list(summary(tmp_path / "out")["counts"].values()) == expected  # type: ignore[attr-defined]


def test_first_procedures(tmp_path: Path) -> None:
    columns = counted(2, 2, 4, 8)
    columns["procedure"] = [1, 2, 3, 4, *range(1, 5), *range(1, 9)]
    run(write(tmp_path / "t.csv", columns), "--first", "2", "-o", tmp_path / "out")
    row = rows(tmp_path / "out")["learning curve", "false_positive_first_2"]
    assert (row["n"], row["N"]) == ("2", "4")


def test_the_risk_threshold_is_in_the_decision_curve(tmp_path: Path) -> None:
    run(write(tmp_path / "t.csv", counted(32, 21, 27, 236)), "--risk-threshold", "0.123", "-o", tmp_path / "out")
    found = rows(tmp_path / "out")
    odds = 0.123 / 0.877
    assert float(found["decision", "net_benefit_sign_at_0.123"]["value"]) == pytest.approx((32 - 27 * odds) / 316)
    assert float(found["decision", "net_benefit_treat_all_at_0.123"]["value"]) == pytest.approx((53 - 263 * odds) / 316)


def test_a_prevalence_that_is_asked_for_twice_is_told_once(tmp_path: Path) -> None:
    options = ["--prevalence", "0.2", "--prevalence", "mimic-overall", "--prevalence", "0.126", "--prevalence", "0.20"]
    run(write(tmp_path / "t.csv", counted(8, 4, 4, 16)), *options, "-o", tmp_path / "out")
    told = summary(tmp_path / "out")
    assert told["options"]["prevalences"] == [0.2, "mimic-overall"]  # type: ignore[index]
    names = [row["name"] for row in told["figures"] if row["section"] == "prevalence"]  # type: ignore[attr-defined]
    assert names == ["ppv_at_0.2", "npv_at_0.2", "ppv_at_0.126", "npv_at_0.126"]


@pytest.mark.parametrize("options", [["--tie", "R1"], ["--threshold-mm", "2"]])
def test_the_rule_for_margins_is_refused_where_r1_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    columns = counted(8, 4, 4, 16)
    columns["margin_mm"] = [0.5] * 12 + [2.0] * 20
    assert run(write(tmp_path / "t.csv", columns), *options, "-o", tmp_path / "out") == 3
    assert f"{options[0]} makes R1 out of margin_mm, but the column r1" in capsys.readouterr().err


# ---- who is compared with whom


def some_predicted() -> dict[str, list[object]]:
    """Thirty-two lesions; `p_r1` is known for the 8 true positives, 2 false negatives and 8 true negatives."""
    columns = counted(8, 4, 4, 16)
    columns["p_r1"] = [0.9] * 7 + [0.1] + [0.6, 0.1] + [""] * 6 + [0.1] * 5 + [0.4] * 3 + [""] * 8
    return columns


def test_net_benefits_are_those_of_the_same_lesions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    from pyicg.report import trial_figures

    drawn: list[Figure] = []
    monkeypatch.setattr(trial_figures, "png", lambda figure: drawn.append(figure) or b"")
    run(write(tmp_path / "t.csv", some_predicted()), "-o", tmp_path / "out")
    found = rows(tmp_path / "out")
    benefits = {
        name: (float(found["decision", f"net_benefit_{name}_at_0.2"]["value"]), found["decision", figure]["N"])
        for name in ("sign", "p_r1", "treat_all")
        for figure in (f"net_benefit_{name}_at_0.2",)
    }
    assert benefits == {
        "sign": (pytest.approx(8 / 18), "18"),
        "p_r1": (pytest.approx((8 - 3 * 0.25) / 18), "18"),
        "treat_all": (pytest.approx((10 - 8 * 0.25) / 18), "18"),
    }
    assert found["decision", "useful_range_low"]["N"] == "32"
    warnings = summary(tmp_path / "out")["warnings"]
    assert (
        "net benefits and decision curves rest on the 18 lesions that have both a sign and p_r1, of 32 with a sign and "
        "18 with p_r1"
    ) in warnings  # type: ignore[operator]
    assert any("the ROC curves rest on different lesions (sign 32, p_r1 18)" in words for words in warnings)  # type: ignore[attr-defined]
    roc, _, decision = drawn
    assert decision.axes[0].get_xlabel().endswith("(n = 18 lesions)")
    assert "n =" not in roc.axes[0].get_xlabel() + roc.axes[0].get_ylabel()
    legend = [text.get_text() for text in roc.axes[0].get_legend().get_texts()]
    assert [text.rpartition("\n")[2] for text in legend[1:]] == ["of 10 R1 and 8 R0", "of 12 R1 and 20 R0"]


def test_predictions_of_other_lesions_leave_the_sign_alone(tmp_path: Path) -> None:
    columns = counted(8, 4, 4, 16)
    columns = {name: [*values, *more] for (name, values), more in zip(columns.items(), ([1, 0], ["", ""]), strict=True)}
    columns["p_r1"] = [""] * 32 + [0.7, 0.2]
    run(write(tmp_path / "t.csv", columns), "-o", tmp_path / "out")
    found = rows(tmp_path / "out")
    assert found["decision", "net_benefit_sign_at_0.2"]["N"] == "32"
    assert ("decision", "net_benefit_p_r1_at_0.2") not in found


def test_histology_that_depends_on_the_sign_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = counted(8, 4, 4, 16)
    columns["r1"] += [""] * 47
    columns["fluorescent"] += [0] * 46 + [""]
    run(write(tmp_path / "t.csv", columns), "-o", tmp_path / "out")
    words = "histology is missing in 0 % of fluorescent lesions (0 of 12) and 70 % of dark lesions (46 of 66)"
    assert words in capsys.readouterr().out
    with (tmp_path / "out" / "flow.csv").open(newline="") as file:
        flow = {row["step"]: (int(row["lesions"]), row["lost"]) for row in csv.DictReader(file)}
    assert flow["histology unknown, fluorescent"] == (0, "true")
    assert flow["histology unknown, not fluorescent"] == (46, "true")
    assert flow["in the file"][0] - sum(n for n, lost in flow.values() if lost == "true") == flow["analysed"][0] == 32


@pytest.mark.parametrize(("excluded", "told"), [(10, False), (11, True)])
def test_many_excluded_lesions_are_told(tmp_path: Path, excluded: int, told: bool) -> None:
    columns = counted(8, 7, 7, 8)
    columns["excluded"] = ["late"] * excluded + ["no"] * (30 - excluded)
    run(write(tmp_path / "t.csv", columns), "-o", tmp_path / "out")
    warnings = summary(tmp_path / "out")["warnings"]
    assert any("11 of 30 lesions are excluded, more than a third" in words for words in warnings) is told  # type: ignore[attr-defined]


# ---- no value or no interval, and nothing amiss


def test_a_sign_worse_than_chance_is_never_best_to_follow(tmp_path: Path) -> None:
    assert run(write(tmp_path / "t.csv", counted(6, 14, 30, 10)), "-o", tmp_path / "out") == 0
    found = rows(tmp_path / "out")
    for end in ("low", "high"):
        row = found["decision", f"useful_range_{end}"]
        assert (row["value"], row["reason"]) == ("", "following the sign is never best")
    assert "| none |" in (tmp_path / "out" / "accuracy.md").read_text()


def test_equal_ranks_differ_by_exactly_nothing(tmp_path: Path) -> None:
    columns = counted(8, 6, 6, 16)
    score = np.linspace(0.05, 0.95, 36)[np.random.default_rng(3).permutation(36)]
    columns["score"], columns["p_r1"] = (10 * score**2).tolist(), score.tolist()
    assert run(write(tmp_path / "t.csv", columns), "-o", tmp_path / "out") == 0
    found = rows(tmp_path / "out")
    section = "score against predicted probability"
    row = found[section, "difference"]
    assert (float(row["value"]), row["lo"], row["N"]) == (0.0, "", "36")
    assert "rank the lesions alike: the difference is exactly 0" in row["reason"]
    assert (section, "p_value") not in found


def test_a_net_benefit_without_an_interval_says_why(tmp_path: Path) -> None:
    columns = counted(8, 6, 6, 16)
    columns["p_r1"] = np.linspace(0.01, 0.19, 36)[np.random.default_rng(3).permutation(36)].tolist()
    assert run(write(tmp_path / "t.csv", columns), "-o", tmp_path / "out") == 0
    row = rows(tmp_path / "out")["decision", "net_benefit_p_r1_at_0.2"]
    assert (float(row["value"]), row["lo"], row["reason"]) == (
        0.0,
        "",
        "no lesion is called R1 here: it is re-resecting none",
    )
    run(write(tmp_path / "t.csv", counted(8, 0, 0, 0)), "-o", tmp_path / "ones")
    row = rows(tmp_path / "ones")["decision", "net_benefit_sign_at_0.2"]
    assert (float(row["value"]), row["lo"], row["reason"]) == (1.0, "", "too_few_cases")


# ---- the folder


def test_pictures_of_an_earlier_run_do_not_stay(source: Path, tmp_path: Path) -> None:
    run(source, "-o", tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    run(write(tmp_path / "t.csv", counted(8, 4, 4, 16)), "-o", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == TABLES | PICTURES | {"notes.txt"}


@pytest.mark.parametrize("name", ["accuracy.csv", "flow.csv", "calibration.png"])
def test_the_table_itself_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    path = write(tmp_path / name, counted(8, 4, 4, 16))
    before = path.read_bytes()
    assert run(path, "-o", tmp_path) == 3
    assert "would overwrite this table; choose another folder with -o" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_text_from_the_file_stays_in_its_cell(tmp_path: Path) -> None:
    columns = counted(8, 4, 4, 16)
    columns["centre"] = ["a|b", "<i>c</i>"] * 16
    run(write(tmp_path / "t.csv", columns), "-o", tmp_path / "out")
    page = (tmp_path / "out" / "accuracy.md").read_text()
    assert "| sensitivity, a\\|b |" in page
    assert "\\<i\\>c\\</i\\>" in page


# ---- what the figures show


def test_what_stands_on_the_figures(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    from pyicg.report import trial_figures

    drawn: list[Figure] = []

    def keep(figure: Figure) -> bytes:
        drawn.append(figure)
        return b""

    monkeypatch.setattr(trial_figures, "png", keep)
    run(source, "-o", tmp_path / "out")
    assert len(drawn) == 3
    legends = []
    for figure in drawn:
        assert figure.get_suptitle().startswith("SIMULATED data\n")
        assert "not a medical device" in figure.get_supxlabel()
        legends.append(
            [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()]
        )
    roc, calibration, decision = drawn
    found = rows(tmp_path / "out")
    table = summary(tmp_path / "out")["counts"]
    assert f"(n = {table['tp'] + table['fn']})" in roc.axes[0].get_ylabel()  # type: ignore[index]
    assert f"(n = {table['fp'] + table['tn']})" in roc.axes[0].get_xlabel()  # type: ignore[index]
    auc = found["score", "auc"]
    assert f"score: AUC {float(auc['value']):.2f} [{float(auc['lo']):.2f}, {float(auc['hi']):.2f}]" in legends[0]
    assert [line.get_xdata()[[0, -1]].tolist() for line in roc.axes[0].lines[1:3]] == [[0, 1], [0, 1]]
    assert "Predicted P(R1) (n = " in calibration.axes[1].get_xlabel()
    assert "Observed share of R1" in calibration.axes[0].get_ylabel()
    assert legends[2] == ["re-resect by the sign", "re-resect by predicted P(R1)", "re-resect all", "re-resect none"]
    sign = decision.axes[0].lines[0]
    at = np.flatnonzero(np.asarray(sign.get_xdata()) == 0.2)[0]
    benefit = 100 * float(found["decision", "net_benefit_sign_at_0.2"]["value"])
    assert float(np.asarray(sign.get_ydata())[at]) == pytest.approx(benefit)


# ---- limits of the data: code 4


def test_one_class_only_gives_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(write(tmp_path / "t.csv", counted(0, 0, 3, 9)), "-o", tmp_path / "out") == 4
    found = rows(tmp_path / "out")
    assert found["accuracy", "sensitivity"]["value"] == ""
    assert found["accuracy", "sensitivity"]["reason"] == "too_few_cases"
    assert float(found["accuracy", "specificity"]["value"]) == 0.75
    printed = capsys.readouterr().out
    assert "UNDEFINED" in printed
    assert "cells with fewer than 5 lesions (true positive 0, false negative 0, false positive 3)" in printed


def test_an_empty_column_is_refused_and_the_rest_stands(tmp_path: Path) -> None:
    columns = counted(8, 4, 4, 16)
    columns["p_r1"] = [""] * 32
    assert run(write(tmp_path / "t.csv", columns), "-o", tmp_path / "out") == 4
    assert summary(tmp_path / "out")["refused"]["calibration"] == "no lesion that counts has a value in r1 and p_r1"  # type: ignore[index]
    assert float(rows(tmp_path / "out")["accuracy", "sensitivity"]["value"]) == pytest.approx(8 / 12)


def test_one_centre_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    columns = counted(8, 4, 4, 16)
    columns["centre"] = ["A"] * 32
    assert run(write(tmp_path / "t.csv", columns), "-o", tmp_path / "out") == 0
    assert summary(tmp_path / "out")["skipped"]["centres"] == "all lesions are of one centre"  # type: ignore[index]


def test_one_class_has_no_other_prevalence(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", counted(0, 0, 8, 8))
    assert run(path, "--prevalence", "0.2", "-o", tmp_path / "out") == 4
    assert "all are R0" in summary(tmp_path / "out")["refused"]["prevalence"]  # type: ignore[index]


def test_one_patient_has_no_spread_between_patients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = counted(8, 8, 8, 8)
    columns["patient_id"] = ["A"] * 32
    run(write(tmp_path / "t.csv", columns), "-o", tmp_path / "out")
    assert "all lesions are of one patient" in capsys.readouterr().out


# ---- bad input: code 3; usage: code 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("r1,fluorescent\nmaybe,1\n", "line 2, column r1: found 'maybe', expected yes or no"),
        ("r1,sbr\n1,2\n", "lacks fluorescent"),
        ("r1,fluorescent\n1,\n,1\n", "no lesion has both a histology and a sign"),
        (
            "r1,fluorescent,excluded\n1,1,late\n1,1,withdrawn\n0,1,withdrawn\n",
            "all 3 lesions are excluded (withdrawn 2, late 1)",
        ),
    ],
)
def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    assert run(path, "-o", tmp_path / "out") == 3
    error = capsys.readouterr().err
    assert words in error
    assert str(path) in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--group", "patient"], "has no column 'patient'"),
        (["--prevalence", "1.5"], "expected a number in (0, 1)"),
        (["--prevalence", "mimic"], "mimic-overall, mimic-accuracy"),
        (["--threshold-mm", "2"], "--threshold-mm needs the column margin_mm"),
        (["--tie", "R1"], "--tie needs the column margin_mm"),
        (["--first", "5"], "--first needs the column procedure"),
        (["--column", "r1=histology"], "has no column 'histology' for r1"),
        (["--column", "status=r1"], "no column is called 'status' here"),
    ],
)
def test_options_that_do_not_fit_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert run(write(tmp_path / "t.csv", counted(8, 4, 4, 16)), *options, "-o", tmp_path / "out") == 3
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ci", ["bca", "gee"])
def test_clustered_intervals_need_patients(tmp_path: Path, capsys: pytest.CaptureFixture[str], ci: str) -> None:
    path = write(tmp_path / "t.csv", counted(8, 4, 4, 16))
    assert run(path, "--ci", ci, "-o", tmp_path / "out") == 3
    assert "name their column with --group" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [["--ci", "normal"], ["--column", "r1"], ["--risk-threshold", "1"], ["--threshold-mm", "0"], ["--first", "0"]],
)
def test_wrong_usage(tmp_path: Path, options: list[str]) -> None:
    assert run(write(tmp_path / "t.csv", counted(8, 4, 4, 16)), *options, "-o", tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()


# ---- interrupted, unwritable, without the extra


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    path = trial(patients=6000, lesions=9000).write(tmp_path / "t.csv")
    interrupt("evaluate", path, "-o", tmp_path / "out")
    assert [item.name for item in tmp_path.iterdir()] == ["t.csv"]


def test_a_failure_while_writing_leaves_the_old_results(
    evaluated: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {path.name: path.read_bytes() for path in evaluated.iterdir()}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    real = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "roc.png":
            raise OSError(28, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert run(source, "--risk-threshold", "0.3", "-o", tmp_path) == 3
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old


def without_the_extra(*arguments: str | Path) -> int:
    code = (
        "import sys; sys.modules.update({'statsmodels': None, 'sklearn': None}); import pyicg.cli; "
        "pyicg.cli.main(sys.argv[1:])"
    )
    return subprocess.run([sys.executable, "-c", code, "evaluate", *map(str, arguments)], check=False).returncode


def test_it_works_without_the_extra(source: Path, mimic: Path, tmp_path: Path) -> None:
    assert without_the_extra(RECONSTRUCTED, "-o", tmp_path / "mimic") == 0
    same = rows(tmp_path / "mimic")["accuracy", "auc"]
    assert same == rows(mimic)["accuracy", "auc"]
    assert without_the_extra(source, "-o", tmp_path / "out") == 4
    refused = summary(tmp_path / "out")["refused"]
    assert refused
    assert all("pyicg[trial]" in words for words in refused.values())  # type: ignore[attr-defined]
    assert ("accuracy", "sensitivity") in rows(tmp_path / "out")


# ---- the documentation's pages


def blocks(page: str) -> list[tuple[str, str]]:
    """Fenced blocks of a page, as language and text."""
    found, language, lines = [], None, []
    for line in page.splitlines():
        if line.startswith("```"):
            if language is None:
                language, lines = line[3:], []
            else:
                found.append((language, "\n".join(lines)))
                language = None
        elif language is not None:
            lines.append(line)
    return found


@pytest.mark.parametrize("name", ["trial.md", "evaluate_command.md"])
def test_the_blocks_of_the_pages_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python examples as doctests; commands by the program, with what they print where the page shows it."""
    import doctest
    import shlex
    import shutil

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    shutil.copy(RECONSTRUCTED, tmp_path)
    names: dict[str, object] = {}
    printed = ""
    ran = 0
    for language, text in blocks((ROOT / "docs" / name).read_text()):
        if language == "python":
            examples = doctest.DocTestParser().get_doctest(text + "\n", names, name, None, None)
            result = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF).run(examples, clear_globs=False)
            assert (result.failed, result.attempted > 0) == (0, True)
            names = examples.globs
            ran += 1
        elif language == "sh" and "LESIONS.csv" not in text:
            capsys.readouterr()
            with pytest.raises(SystemExit) as stop:
                main(shlex.split(text.removeprefix("pyicg ")))
            assert stop.value.code in {0, 4}
            printed = capsys.readouterr().out
            ran += 1
        elif language == "text":
            assert text == printed.rstrip("\n")
    assert ran >= 1
