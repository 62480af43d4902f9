import json

import pytest

from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.main import main
from robo_reward.cli.train_task import TrainingTask

pytest.importorskip("robo_reward_sim.rendering", reason="the tasks are simulated: pip install 'robo-reward[sim]'")

SHORT = [
    "task=table_top/reach",
    "reward_model=ground_truth",
    "task.env.height=32",
    "task.env.width=32",
    "total_steps=40",
    "every=20",
    "evaluation_episodes=1",
    "learner.num_envs=2",
    "learner.hidden=[8]",
    "learner.batch_size=8",
    "learner.learning_starts=10",
    "task.env.horizon=8",
]


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_policy_is_trained_filmed_and_goes_on_from_the_command_line(tmp_path, capsys):
    output = tmp_path / "run"
    assert main(["train", *SHORT, f"output={output}", "videos=2"]) == 0
    said = capsys.readouterr().err
    assert "step 20, success 0%" in said
    assert "stopped after 40 steps: all of 40 steps are taken" in said
    assert [line["step"] for line in lines(output)] == [20, 40]
    assert (output / "videos" / "000000040.mp4").stat().st_size > 1000
    assert main(["train", *SHORT, f"output={output}", "videos=0", "total_steps=60"]) == 0
    assert [line["step"] for line in lines(output)] == [20, 40, 60]
    assert main(["train", *SHORT, f"output={output}", "learner.discount=0.9"]) == 2
    assert "holds a training with another learner (configuration.json)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reward=best"], "unknown reward 'best'; there are sparse, dense, environment, shaped, difference, score"),
        (["task=entry_point", "task.env=nothing"], "task.env must be an entry point module:function, got 'nothing'"),
        (["task=gymnasium", "task.env.id=Pendulum-v1", "task.instruction=swing up"], "no scripted demonstrations"),
    ],
)
def test_what_the_user_can_mend_is_told(arguments, message, tmp_path, capsys):
    assert main(["train", *arguments, f"output={tmp_path / 'run'}"]) == 2
    assert message in capsys.readouterr().err


def test_a_task_of_a_suite_is_named_with_a_slash_and_has_its_words():
    config = compose_verb("train", ["task=metaworld/door-open", "output=x"])
    assert (config.task.name, config.task.env.task, list(config.task.record.tasks)) == ("door-open",) * 2 + (
        ["door-open"],
    )


def pendulum():
    import gymnasium

    return gymnasium.make("Pendulum-v1", max_episode_steps=10)


def test_any_environment_is_trained_by_its_entry_point_with_its_own_reward(tmp_path, capsys):
    arguments = [
        "task=entry_point",
        "task.env=test_train_verb:pendulum",
        "task.only_one=true",
        "reward=environment",
        "learner=ppo",
        "learner.num_envs=1",
        "learner.steps_per_env=20",
        "learner.batch_size=20",
        "total_steps=40",
        "every=20",
        "evaluation_episodes=1",
        f"output={tmp_path / 'run'}",
    ]
    assert main(["train", *arguments]) == 0
    assert lines(tmp_path / "run")[-1]["evaluation/mean_return"] < 0
    assert lines(tmp_path / "run")[-1]["evaluation/success_rate"] is None


def test_a_task_without_words_is_refused():
    task = TrainingTask(env="test_train_verb:pendulum")
    with pytest.raises(ValueError, match="give task.instruction="):
        task.in_words()
