import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3 import SAC
from stamped_worlds import Greenness, StampedWorld

from robo_reward.rl.checkpoints import newest_checkpoint
from robo_reward.rl.environments import Environments
from robo_reward.rl.learner_state import CheckpointError
from robo_reward.rl.learners import Dqn, Ppo, Sac
from robo_reward.rl.training import Training, TrainingListener
from robo_reward.rl.training_settings import TrainingSettings

SMALL_SAC = Sac(num_envs=2, hidden=(8,), batch_size=8, buffer_size=60, learning_starts=6, updates_per_step=0.5)
SMALL_PPO = Ppo(num_envs=2, hidden=(8,), batch_size=10, steps_per_env=10, epochs=1)
SETTINGS = {"total_steps": 120, "every": 40, "evaluation_episodes": 2, "videos": 0, "reward": "shaped"}


class Discrete(StampedWorld):
    from gymnasium.spaces import Discrete as _Discrete

    action_space = _Discrete(2)


class CutError(Exception):
    """Stands for a power cut."""


def training(output: Path, learner=SMALL_SAC, *, world=StampedWorld, on_steps=lambda _: None, **changes) -> Training:
    return Training(
        Environments(make=partial(world, 0)),
        learner,
        settings=TrainingSettings(**(SETTINGS | changes)),
        output=output,
        model=Greenness(2),
        listener=TrainingListener(on_steps=on_steps),
    )


def result_of(one: Training, output: Path):
    """Everything that a training comes to but the time it took."""
    state = one.algorithm.get_parameters()
    tensors = {f"{name}.{key}": value for name, part in state.items() for key, value in leaves(part)}
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    buffer = getattr(one.algorithm, "replay_buffer", None)
    stored = {} if buffer is None else {n: getattr(buffer, n).copy() for n in ("rewards", "potentials", "observations")}
    return tensors, [{k: v for k, v in line.items() if not k.startswith("time/")} for line in lines], stored


def leaves(part, name=""):
    if isinstance(part, torch.Tensor):
        yield name, part
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from leaves(value, f"{name}.{key}")


def same(one, other) -> None:
    assert one[1] == other[1]
    assert one[0].keys() == other[0].keys()
    assert all(torch.equal(one[0][name], other[0][name]) for name in one[0])
    assert all(np.array_equal(one[2][name], other[2][name], equal_nan=True) for name in one[2])


@pytest.mark.parametrize(
    ("learner", "world", "changes"),
    [
        (SMALL_SAC, StampedWorld, {}),
        (Sac(num_envs=2, hidden=(8,), batch_size=8, learning_starts=6, entropy=None), StampedWorld, {}),
        (SMALL_PPO, StampedWorld, {"deferred": True}),
        (Dqn(num_envs=2, hidden=(8,), batch_size=8, learning_starts=6, target_interval=30), Discrete, {}),
    ],
    ids=["sac", "sac tuned", "ppo deferred", "dqn"],
)
def test_a_training_that_was_cut_in_the_middle_goes_on_to_exactly_the_same_result(learner, world, changes, tmp_path):
    whole = training(tmp_path / "whole", learner, world=world, **changes)
    whole.run()

    def cut(steps):
        if steps >= 70:
            raise CutError

    with pytest.raises(CutError):
        training(tmp_path / "cut", learner, world=world, on_steps=cut, **changes).run()
    assert newest_checkpoint(tmp_path / "cut" / "checkpoints").folder.name == "000000040"
    np.random.seed(99)  # what lies between the two processes does not count
    torch.manual_seed(99)
    resumed = training(tmp_path / "cut", learner, world=world, **changes)
    result = resumed.run()
    assert result.steps == 120
    same(result_of(whole, tmp_path / "whole"), result_of(resumed, tmp_path / "cut"))


def test_another_seed_gives_another_result(tmp_path):
    results = []
    for seed in (0, 1):
        one = training(tmp_path / str(seed), seed=seed)
        one.run()
        results.append(result_of(one, tmp_path / str(seed)))
    assert results[0][1] != results[1][1]


def test_a_finished_training_goes_on_where_more_steps_are_asked_for(tmp_path):
    training(tmp_path / "short", total_steps=80).run()
    longer = training(tmp_path / "short")
    longer.run()
    whole = training(tmp_path / "whole")
    whole.run()
    same(result_of(whole, tmp_path / "whole"), result_of(longer, tmp_path / "short"))


def test_it_stops_when_the_policy_is_good_enough_and_says_so(tmp_path):
    result = training(tmp_path, stop_success_rate=1.0, stop_evaluations=2).run()  # these worlds succeed by themselves
    assert (result.steps, result.stopped_early, result.success_rate) == (80, True, 1.0)
    assert isinstance(SAC.load(result.best_policy, device="cpu"), SAC)


def test_task_reward_and_shaping_are_counted_apart(tmp_path):
    training(tmp_path, total_steps=40).run()
    line = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert line["episodes/task_return"] >= 1.0  # every step from the third on is a success here
    assert -1 < line["episodes/shaping_return"] < 1
    assert line["evaluation/success_rate"] == 1.0
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_checkpoint_of_another_learner_is_refused(tmp_path):
    training(tmp_path, total_steps=40).run()
    other = Sac(num_envs=2, hidden=(9,), batch_size=8, buffer_size=60, learning_starts=6)
    with pytest.raises(CheckpointError, match="was written by another learner"):
        training(tmp_path, other).run()


def test_a_reward_that_asks_a_model_needs_one(tmp_path):
    with pytest.raises(ValueError, match="reward=score asks a reward model, and none is given"):
        Training(
            Environments(make=partial(StampedWorld, 0)),
            SMALL_SAC,
            settings=TrainingSettings(reward="score"),
            output=tmp_path,
        )


def test_the_one_environment_that_there_is_is_judged_in_too(tmp_path):
    one = StampedWorld(0)
    alone = Training(
        Environments(make=lambda: one, only_one=True),
        Sac(num_envs=1, hidden=(8,), batch_size=8, buffer_size=60, learning_starts=6),
        settings=TrainingSettings(**(SETTINGS | {"reward": "environment", "total_steps": 40})),
        output=tmp_path,
    )
    assert alone.run().success_rate == 1.0
    with pytest.raises(ValueError, match=r"there is only one environment: set learner.num_envs=1, got 2"):
        Environments(make=lambda: one, only_one=True).vector(2, seen=False)


@pytest.mark.slow
def test_a_process_that_is_killed_goes_on_to_exactly_the_same_result(tmp_path):
    script = "import sys; from test_training import *; training(Path(sys.argv[1]), total_steps=400).run()"
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "killed")], env=environment)
    while not (tmp_path / "killed" / "checkpoints" / "000000080").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / "killed" / "metrics.jsonl").read_text().count("\n") < 10
    torch.set_num_threads(1)
    resumed, whole = (training(tmp_path / name, total_steps=400) for name in ("killed", "whole"))
    resumed.run()
    whole.run()
    same(result_of(whole, tmp_path / "whole"), result_of(resumed, tmp_path / "killed"))
