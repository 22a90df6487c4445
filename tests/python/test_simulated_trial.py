"""The simulated trial: its size, its truth, and that it says what it is."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from pyicg.errors import InputError
from pyicg.io._trial_table import COLUMNS, read_trial_table
from pyicg.phantom import SimulatedTrial, trial


@pytest.fixture(scope="module")
def many() -> list[SimulatedTrial]:
    return [trial(seed=seed) for seed in range(100)]


def column(simulated: SimulatedTrial, name: str) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in simulated.columns[name]], dtype=np.float64)


def test_the_size_of_the_trial() -> None:
    simulated = trial()
    assert {len(values) for values in simulated.columns.values()} == {316}
    assert len(set(simulated.columns["patient_id"])) == 201
    assert len(set(simulated.columns["centre"])) == 8
    assert len(set(simulated.columns["lesion_id"])) == 316
    sizes = np.unique(np.array(simulated.columns["patient_id"]), return_counts=True)[1]
    assert (sizes.min(), sizes.max()) == (1, 8)
    assert set(simulated.columns["simulated"]) == {True}


def test_the_default_draw_lies_close_to_its_parameters() -> None:
    simulated = trial()
    r1, sign = column(simulated, "r1"), column(simulated, "fluorescent")
    assert r1.mean() == pytest.approx(0.168, abs=0.01)
    assert np.nanmean(sign[r1 == 1]) == pytest.approx(0.60, abs=0.03)
    assert 1 - np.nanmean(sign[r1 == 0]) == pytest.approx(0.90, abs=0.02)


def test_the_mean_of_many_trials(many: list[SimulatedTrial]) -> None:
    late = [column(t, "procedure") > 10 for t in many]
    r1 = [column(t, "r1") == 1 for t in many]
    sign = [column(t, "fluorescent") for t in many]
    assert np.mean([(t.true_margin_mm < 1).mean() for t in many]) == pytest.approx(0.168, abs=0.006)
    assert np.mean([of.mean() for of in r1]) == pytest.approx(0.168, abs=0.006)
    assert np.mean([np.nanmean(s[of]) for s, of in zip(sign, r1, strict=True)]) == pytest.approx(0.60, abs=0.02)
    positive = [
        [np.nanmean(s[~of & when]) for s, of, when in zip(sign, r1, whens, strict=True)]
        for whens in (late, [~when for when in late])
    ]
    late_share, early_share = (float(np.mean(shares)) for shares in positive)
    assert late_share == pytest.approx(0.10, abs=0.01)
    assert early_share / (1 - early_share) / (late_share / (1 - late_share)) == pytest.approx(1.36, abs=0.15)
    assert np.mean([(column(t, "r0_after") - column(t, "r0_before")).sum() for t in many]) == pytest.approx(16, abs=1)


def test_lesions_of_a_patient_are_alike(many: list[SimulatedTrial]) -> None:
    """Correlation of log margin and of log SBR over all pairs within a patient, against the ICC asked for."""
    pairs: dict[str, list[tuple[float, float]]] = {"margin": [], "sbr": []}
    for simulated in many:
        patient = np.array(simulated.columns["patient_id"])
        r1, log_sbr = column(simulated, "r1"), np.log(column(simulated, "sbr"))
        within = np.where(r1 == 1, log_sbr - np.nanmean(log_sbr[r1 == 1]), log_sbr - np.nanmean(log_sbr[r1 == 0]))
        for name in set(patient):
            for pair in itertools.combinations(np.flatnonzero(patient == name), 2):
                pairs["margin"].append(tuple(np.log(simulated.true_margin_mm[list(pair)])))
                if np.isfinite(within[list(pair)]).all():
                    pairs["sbr"].append(tuple(within[list(pair)]))
    found = {}
    for name, of in pairs.items():
        both = np.array(of)
        found[name] = np.corrcoef(np.vstack([both, both[:, ::-1]]).T)[0, 1]
    assert found["margin"] == pytest.approx(0.30, abs=0.04)
    assert found["sbr"] == pytest.approx(0.33, abs=0.04)  # the centre is shared as well


def test_columns_agree_with_each_other() -> None:
    simulated = trial()
    r1, sign, sbr = (column(simulated, name) for name in ("r1", "fluorescent", "sbr"))
    known = ~np.isnan(sign)
    np.testing.assert_array_equal(r1, column(simulated, "margin_mm") < 1)
    np.testing.assert_array_equal(sign[known], sbr[known] >= 1.5)
    np.testing.assert_array_equal(np.isnan(sbr), ~known)
    before, after = column(simulated, "r0_before"), column(simulated, "r0_after")
    assert (after >= before).all()
    np.testing.assert_array_equal(before, 1 - r1)
    centre, number = np.array(simulated.columns["centre"]), column(simulated, "procedure")
    for name in set(centre):
        numbers = set(number[centre == name])
        assert numbers == set(range(1, len(numbers) + 1))
    patient, changed = np.array(simulated.columns["patient_id"]), column(simulated, "management_changed")
    assert all(len(set(changed[patient == name])) == 1 for name in set(patient))


def test_measured_margins_have_the_error_they_state() -> None:
    simulated = trial(seed=1)
    error = column(simulated, "measured_mm") - simulated.true_margin_mm
    assert np.nanmean(error) == pytest.approx(0.3, abs=0.12)
    assert np.nanstd(error) == pytest.approx(0.6, abs=0.08)
    assert np.nanmax(simulated.true_margin_mm[~np.isnan(error)]) < 10


def test_the_slope_and_the_bias_that_a_table_shows(many: list[SimulatedTrial]) -> None:
    """Over all lesions of many trials: the figures that the documentation states."""
    from pyicg.evaluate import calibration

    def joined(name: str) -> np.ndarray:
        return np.concatenate([column(t, name) for t in many])

    r1, p, number = joined("r1"), joined("p_r1"), joined("procedure")
    for chosen, slope in ((~np.isnan(p), 0.739), (~np.isnan(p) & (number > 10), 0.775)):
        assert calibration(p[chosen], r1[chosen] == 1).slope.value == pytest.approx(slope, abs=0.03)
    assert np.nanmean(joined("measured_mm") - joined("margin_mm")) == pytest.approx(0.350, abs=0.015)


def test_one_seed_one_trial(tmp_path: Path) -> None:
    first, second = (trial(seed=3).write(tmp_path / name) for name in ("a.csv", "b.csv"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != trial(seed=4).write(tmp_path / "c.csv").read_bytes()


def test_the_file_says_simulated_on_every_row_and_is_read_again(tmp_path: Path) -> None:
    simulated = trial()
    path = simulated.write(tmp_path / "new" / "trial.csv")
    assert [p.name for p in path.parent.iterdir()] == ["trial.csv"]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["simulated"] for row in rows} == {"true"}
    table = read_trial_table(path)
    assert table.simulated
    assert table.ignored == ("measured_sigma_mm",)
    assert table.notes == ()
    np.testing.assert_array_equal(table.values["fluorescent"], column(simulated, "fluorescent"))
    np.testing.assert_array_equal(table.values["score"], column(simulated, "sbr"))
    assert set(simulated.columns) - {"measured_sigma_mm", "sbr"} <= set(COLUMNS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lesions": 200}, "200 lesions of 201 patients"),
        ({"lesions": 1609}, "1 to 8 lesions to a patient"),
        ({"centres": 202}, "no more centres than patients"),
        ({"centres": 0}, "in 0 centres"),
        ({"r1_share": 0.0}, "expected shares between 0 and 1"),
        ({"sensitivity": 1.0}, "expected shares between 0 and 1"),
        ({"icc": -0.1}, "expected shares of variance"),
        ({"icc": 0.98}, "leave some over"),
        ({"icc": float("nan")}, "expected shares of variance"),
        ({"centre_icc": float("nan")}, "expected shares of variance"),
        ({"icc": "0.3"}, "icc is '0.3', expected a number"),
        ({"r1_share": None}, "r1_share is None, expected a number"),
        ({"specificity": float("nan")}, "expected shares between 0 and 1"),
        ({"seed": "7"}, "seed is '7', expected a whole number from 0"),
        ({"seed": -1}, "seed is -1, expected a whole number from 0"),
        ({"seed": 1.5}, "seed is 1.5, expected a whole number from 0"),
        ({"patients": 201.0}, "patients is 201.0, expected a whole number from 1"),
        ({"lesions": "316"}, "lesions is '316', expected a whole number from 1"),
        ({"centres": True}, "centres is True, expected a whole number from 1"),
        ({"patients": -3}, "patients is -3, expected a whole number from 1"),
    ],
)
def test_numbers_that_do_not_go_together(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        trial(**options)  # type: ignore[arg-type]
