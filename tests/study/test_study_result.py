import json
import math
from dataclasses import replace

import pytest

from robo_reward.errors import DataSetError
from robo_reward.study.result import StudyResult, read_result, read_results, success_matrix, write_result


def result(**changes):
    told = {
        "name": "reach.sparse.0",
        "task": "reach",
        "reward": "sparse",
        "model": None,
        "variant": "",
        "seed": 0,
        "settings": ["reward=sparse", "seed=0"],
        "steps": [500, 1000],
        "success": [0.0, 0.85],
        "returns": [0.0, 0.85],
        "lengths": [50.0, 20.5],
        "cpu_seconds": 12.5,
        "fit_cpu_seconds": 0.0,
        "versions": {"torch": "2.13.0"},
    }
    return StudyResult(**(told | changes))


def test_a_result_that_is_written_reads_back_as_it_was(tmp_path):
    path = write_result(result(), tmp_path)
    assert path.name == "reach.sparse.0.json"
    assert read_result(path) == result()
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_known_is_null_on_disk_and_nan_in_hand(tmp_path):
    path = write_result(result(success=[math.nan, 0.5]), tmp_path)
    assert json.loads(path.read_text())["success"] == [None, 0.5]
    assert math.isnan(read_result(path).success[0])


def test_results_are_read_by_name(tmp_path):
    for seed in (1, 0):
        write_result(result(name=f"reach.sparse.{seed}", seed=seed), tmp_path)
    assert [each.seed for each in read_results(tmp_path)] == [0, 1]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x"}', '{"success": 3}'])
def test_what_is_no_result_is_refused_by_name(text, tmp_path):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(DataSetError, match=r"other\.json is no result of a study with \['name', 'task'"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"success": [0.5]}, r"reach.sparse.0: curves must be of one length, and not empty; got \[1, 2\]"),
        ({"steps": [500, 500]}, r"reach.sparse.0: steps must increase, got \[500, 500\]"),
    ],
)
def test_curves_that_are_none_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        result(**changes)


def test_curves_at_different_steps_are_not_one():
    other = replace(result(), name="reach.sparse.1", steps=[500, 900])
    with pytest.raises(ValueError, match=r"reach.sparse.0 and reach.sparse.1 were judged at different steps"):
        success_matrix([result(), other])
    with pytest.raises(ValueError, match="no runs"):
        success_matrix([])
