import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from green_episodes import ColourFraction, FrameCounter, recordings

from robo_reward.errors import DataSetError, OutputError
from robo_reward.evaluation import EvaluationSettings, evaluate
from robo_reward.evaluation.episode_evaluation import final_progress
from robo_reward.evaluation.evaluation import name_tasks
from robo_reward.evaluation.metrics_file import metrics, write_metrics


@pytest.fixture(scope="module")
def good():
    return evaluate(recordings(), ColourFraction, settings=EvaluationSettings(outcomes=("success", "noise")))


def test_a_model_that_sees_the_task_passes(good):
    task = good.tasks[0]
    assert (task.name, task.episodes, task.successes, task.failures) == ("make-it-green", 6, 3, 3)
    assert task.voc == 1.0
    assert task.voc_over == "successes"
    assert abs(task.voc_static) < 0.1
    assert task.voc_static_exact == 0.0
    assert task.voc_reversed == -1.0
    assert task.voc_wrong_instruction == 0.0
    assert task.success_auroc == 1.0
    assert task.success_auroc_interval == (1.0, 1.0)
    assert task.kendall == 1.0
    assert task.return_correlation > 0.5
    assert task.return_so_far_spearman > 0.4
    assert task.abstained == 0.0
    assert task.epic_final < 0.2


def test_a_model_that_counts_frames_has_a_perfect_voc_and_is_unmasked_by_the_static_control():
    task = evaluate(recordings(lambda _: FrameCounter(), per_task=4), lambda _: FrameCounter()).tasks[0]
    assert (task.voc, task.voc_static, task.voc_reversed, task.voc_wrong_instruction) == (1.0, 1.0, 1.0, 1.0)
    assert task.success_auroc < 0.5


def test_the_outcome_of_an_episode_is_told_where_the_recorder_told(good):
    assert [good.outcome(episode) for episode in good.episodes[:2]] == ["success", "noise"]


def test_where_no_outcome_is_known_voc_is_over_all_episodes_and_says_so():
    task = evaluate(recordings(known=False), ColourFraction).tasks[0]
    assert (task.voc_over, task.unknown, task.successes) == ("all", 6, 0)
    assert task.voc < 1.0
    assert math.isnan(task.success_auroc)


def test_episodes_that_the_model_was_fitted_on_are_counted_in_no_figure(good):
    without = evaluate(recordings(), ColourFraction, settings=EvaluationSettings(fitted_on=[0, 1])).tasks[0]
    assert (without.episodes, without.fitted) == (4, 2)
    assert without.final_progress_failure != good.tasks[0].final_progress_failure


def test_a_lone_task_has_no_wrong_instruction():
    task = evaluate(recordings(tasks=("make it green",)), ColourFraction).tasks[0]
    assert math.isnan(task.voc_wrong_instruction)
    assert task.controls["wrong_instruction"].episodes == 0


def test_another_model_than_the_one_that_wrote_the_columns_is_refused():
    with pytest.raises(DataSetError, match=r"model of 'make it green' is not the one that wrote .* in 24 of 24 frames"):
        evaluate(recordings(), lambda _: ColourFraction("make it blue"))


def test_one_bit_of_difference_is_enough():
    source = recordings()
    progress = source.data[0]["reward.progress"]
    progress[7] = np.nextafter(progress[7], np.float32(2))
    with pytest.raises(DataSetError, match=r"in 1 of 24 frames of episode 0, first in frame 7"):
        evaluate(source, ColourFraction)


def test_a_data_set_without_rewards_says_what_to_do():
    source = recordings()
    for columns in source.data:
        del columns["reward.progress"]
    with pytest.raises(DataSetError, match=r"no column reward.progress: relabel it .* reward.spread, reward.potential"):
        evaluate(source, ColourFraction)


def test_an_empty_data_set_is_refused():
    source = recordings()
    source.episodes = []
    with pytest.raises(DataSetError, match="no episode to evaluate"):
        evaluate(source, ColourFraction)


def test_each_model_is_built_once_and_every_episode_reported():
    built, finished = [], []

    def models(instruction):
        built.append(instruction)
        return ColourFraction(instruction)

    evaluate(recordings(per_task=2), models, on_episode=lambda done, total: finished.append((done, total)))
    assert built == ["make it green", "make it red"]
    assert finished == [(number, 4) for number in range(1, 5)]


def test_equal_input_gives_equal_figures(good):
    again, other = (evaluate(recordings(), ColourFraction, settings=EvaluationSettings(seed=seed)) for seed in (0, 1))
    assert json.dumps(metrics(again)) == json.dumps(metrics(good))
    assert other.tasks[0].voc_static != good.tasks[0].voc_static


def test_worst_is_a_failure_that_looks_done_or_a_success_without_order(good):
    by_badness = sorted(good.episodes, key=lambda episode: -episode.badness)
    assert by_badness[0].recording.succeeded is False
    assert all(episode.recording.succeeded for episode in by_badness[-6:])


def test_final_progress_is_the_mean_of_the_last_three_known_frames():
    nothing = float("nan")
    assert final_progress(torch.tensor([0.0, 0.25, 0.5, nothing, 0.75, nothing])) == 0.5
    assert final_progress(torch.tensor([0.25])) == 0.25
    assert math.isnan(final_progress(torch.tensor([nothing])))


def test_metrics_are_json_with_the_promised_names(good, tmp_path):
    write_metrics(good, tmp_path / "new" / "metrics.json")
    read = json.loads((tmp_path / "new" / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert set(read) == {"tasks", "overall", "provenance"}
    assert list(read["tasks"]) == ["make-it-green", "make-it-red"]
    promised = {"voc", "voc_static", "voc_reversed", "voc_wrong_instruction", "success_auroc", "success_auroc_interval",
                "epic", "kendall", "return_correlation", "abstained", "episodes", "successes", "failures"}  # fmt: skip
    assert promised <= set(read["tasks"]["make-it-green"])
    assert read["overall"]["episodes"] == 12
    assert read["overall"]["voc"] == 1.0
    assert read["provenance"]["model_versions"] == {"make-it-green": "colour-1", "make-it-red": "colour-0"}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["metrics.json"]


def test_what_is_not_defined_is_null():
    read = metrics(evaluate(recordings(tasks=("make it green",), known=False), ColourFraction))
    task = read["tasks"]["make-it-green"]
    assert task["success_auroc"] is None
    assert task["success_auroc_interval"] == [None, None]
    assert task["voc_wrong_instruction"] is None
    assert read["overall"]["success_auroc"] is None


def test_a_place_that_cannot_be_written_is_an_output_error(good, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"metrics\.json cannot be written"):
        write_metrics(good, tmp_path / "file" / "metrics.json")


def test_names_of_tasks_are_unique():
    assert list(name_tasks(["A b", "a-b", "", "c"], given={"c": "a-b"}).values()) == ["a-b-2", "a-b-3", "task", "a-b"]
    with pytest.raises(ValueError, match="task name 'x' stands for two instructions"):
        name_tasks(["a", "b"], given={"a": "x", "b": "x"})


def test_settings_are_checked():
    with pytest.raises(ValueError, match="num_wrong_instructions must be >= 0, got -1"):
        EvaluationSettings(num_wrong_instructions=-1)


def test_a_recording_whose_columns_disagree_is_refused(good):
    recording = good.episodes[0].recording
    with pytest.raises((ValueError, TypeError), match="spread"):
        dataclasses.replace(recording, spread=recording.spread[1:])
