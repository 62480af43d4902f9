import json

import pytest

from robo_reward.cli.main import main

pytest.importorskip("robo_reward_sim.rendering", reason="the tasks are simulated: pip install 'robo-reward[sim]'")

SHORT = [
    "task=table_top/reach",
    "task.env.height=32",
    "task.env.width=32",
    "task.env.horizon=8",
    "every=40",
    "total_steps=120",
    "evaluation_episodes=1",
    "learner.num_envs=2",
    "learner.hidden=[8]",
    "learner.batch_size=8",
    "learner.learning_starts=10",
    "videos=0",
]
TRUTH = ["reward_model=ground_truth"]
HACKED = ["reward=score", "shaping.offset=0.5"]  # half of what the task is worth for every step that it lasts
LOOKS = [
    "task.record.demonstrations=2",
    "reward_model=prompt_similarity",
    "reward_model.goal=[a gripper at a red ball]",
    "reward_model.baseline=[a table]",
    "encoder=embedded",
    "fit=false",
]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_hacked_reward_is_warned_of_and_stops_the_training_where_it_is_to(tmp_path, capsys):
    output = tmp_path / "run"
    stops = ["monitor.stop_on=[paid_to_loiter]", "total_steps=400", *HACKED, f"output={output}"]
    assert main(["train", *SHORT, *TRUTH, *stops, "videos=1"]) == 2
    said = capsys.readouterr().err
    assert "warning: paid_to_loiter: " in said
    assert "error: stopped at episode" in said
    assert f"the policy that it came to: {output / 'stopped_policy.zip'}, filmed in" in said
    assert (output / "videos" / "stopped.mp4").stat().st_size > 1000
    (alarm,) = lines(output / "alarms.jsonl")
    assert (alarm["rule"], alarm["stops"]) == ("paid_to_loiter", True)
    assert (output / "checkpoints" / f"{alarm['step'] // 40 * 40:09d}" / "training.json").is_file()
    goes_on = [*HACKED, f"output={output}", f"total_steps={alarm['step'] // 40 * 40 + 40}"]
    assert main(["train", *SHORT, *TRUTH, *goes_on]) == 0  # the monitor may change when a training goes on
    assert "warning: paid_to_loiter" in capsys.readouterr().err
    assert lines(output / "metrics.jsonl")[-1]["monitor/alarms"] == 1.0
    assert main(["train", *SHORT, *TRUTH, *goes_on, "monitor=none", f"total_steps={alarm['step'] + 120}"]) == 0
    assert "monitor/alarms" not in lines(output / "metrics.jsonl")[-1]


def test_a_discount_grows_with_demonstrations_that_are_recorded_for_it(tmp_path, capsys):
    output = tmp_path / "run"
    assert main(["train", *SHORT, *LOOKS, f"output={output}", "discount_schedule=automatic", "total_steps=40"]) == 0
    assert "looking at the demonstrations" in capsys.readouterr().err
    assert (output / "demonstrations" / "meta" / "info.json").is_file()
    first, *_ = lines(output / "metrics.jsonl")
    assert 0 < first["learning/discount"] < 0.98
    assert {"monitor/claims_without_success", "monitor/occluded_camera"} <= set(first)
    assert "monitor/strange_frames" not in first  # too few demonstrations for a limit


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [*TRUTH, "discount_schedule=automatic"],
            "discount_schedule=automatic follows demonstrations: it needs a task with task.record",
        ),
        (
            ["reward=sparse", "discount_schedule=automatic"],
            "discount_schedule=automatic needs a reward model, and reward=sparse asks none",
        ),
        ([*TRUTH, "monitor.rules=[occluded_camera]"], "occluded_camera needs a reward model that looks through"),
        ([*TRUTH, "monitor.rules=[looting]"], "unknown rules ['looting'] in monitor; there are"),
        ([*TRUTH, "learner.device=tpu"], "learner.device: unknown device 'tpu'; allowed: auto, cpu, cuda"),
    ],
)
def test_what_the_user_can_mend_is_told(arguments, message, tmp_path, capsys):
    assert main(["train", *SHORT, *arguments, f"output={tmp_path / 'run'}"]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_that_was_begun_before_a_key_existed_has_the_keys_default(tmp_path, capsys):
    output = tmp_path / "run"
    assert main(["train", *SHORT, *TRUTH, f"output={output}", "total_steps=40"]) == 0
    marker = output / "configuration.json"
    before = json.loads(marker.read_text())
    for group, name in ((before, "monitor"), (before, "discount_schedule"), (before["learner"], "train_every")):
        del group[name]
    marker.write_text(json.dumps(before))
    assert main(["train", *SHORT, *TRUTH, f"output={output}", "total_steps=80"]) == 0
    marker.write_text(json.dumps(before))
    assert main(["train", *SHORT, *TRUTH, f"output={output}", "learner.train_every=2"]) == 2
    assert "holds a training with another learner (configuration.json)" in capsys.readouterr().err
