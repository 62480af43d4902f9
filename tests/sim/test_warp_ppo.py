import json
import math

import pytest
import torch

pytest.importorskip("mujoco_warp", reason="the warp extra is not installed: it needs an environment of its own")
pytest.importorskip("torchrl", reason="the warp extra is not installed: it needs an environment of its own")
pytest.importorskip("robo_reward_sim.rendering", reason="MuJoCo is not installed", exc_type=ImportError)

from robo_reward.errors import OutputError
from robo_reward.rl.state_progress import StateProgress
from robo_reward_sim.warp_table_top.policy import best_action
from robo_reward_sim.warp_table_top.ppo import Ppo, PpoSettings
from robo_reward_sim.warp_table_top.rewarded import RewardedStep, RewardedWorlds
from robo_reward_sim.warp_table_top.train import main
from robo_reward_sim.warp_table_top.training import _configuration
from robo_reward_sim.warp_table_top.worlds import TableTopWorlds

NAMES = (*(f"tool_{axis} [m]" for axis in "xyz"), "gripper_width [m]", *(f"goal_{axis} [m]" for axis in "xyz"))


class FlyingPoints:
    """Reach without an arm: points that fly where they are told to, shaped by their distance to the goal."""

    observation_names, device, discount = NAMES, torch.device("cpu"), 0.98

    def __init__(self, num_worlds: int, *, horizon: int = 25, shaped: bool = True):
        self.num_worlds, self.horizon, self.shaped = num_worlds, horizon, shaped
        self.rng = torch.Generator().manual_seed(0)
        self.ended = torch.ones(num_worlds, dtype=torch.bool)
        self.observation, self.age = torch.zeros(num_worlds, 7), torch.zeros(num_worlds, dtype=torch.int64)

    def reset(self):
        self._begin(torch.ones(self.num_worlds, dtype=torch.bool))
        return self.observation

    def step(self, action):
        begins, before = self.ended, self._distance()
        moved = self.observation.clone()
        moved[:, :3] += 0.03 * action[:, :3].clamp(-1, 1)
        self.observation, self.age = torch.where(begins[:, None], self.observation, moved), self.age + 1
        self._begin(begins)
        success = self._distance() < 0.04
        terminated = success & ~begins
        truncated = ~terminated & (self.age >= self.horizon)
        self.ended = terminated | truncated
        shaping = self.discount * (~terminated).double() * (1 - 3 * self._distance()) - (1 - 3 * before)
        return RewardedStep(
            observation=self.observation,
            task_reward=terminated.double(),
            shaping=torch.where(begins, math.nan, shaping if self.shaped else 0.0),
            terminated=terminated,
            truncated=truncated,
            real=~begins,
            success=success,
        )

    def _distance(self):
        return (self.observation[:, :3] - self.observation[:, 4:]).norm(dim=1).double()

    def _begin(self, begins):
        drawn = torch.rand(self.num_worlds, 7, generator=self.rng)
        drawn[:, [0, 4]], drawn[:, [1, 5]] = drawn[:, [0, 4]] * 0.3 + 0.3, drawn[:, [1, 5]] * 0.4 - 0.2
        drawn[:, [2, 6]] *= 0.3
        self.observation = torch.where(begins[:, None], drawn, self.observation)
        self.age = torch.where(begins, 0, self.age)
        self.ended = torch.zeros_like(begins)


def learner(worlds: FlyingPoints, **settings) -> Ppo:
    return Ppo(worlds, settings=PpoSettings(steps_per_world=30, hidden=(16,), **settings), seed=0)


def advantages_by_hand(ppo: Ppo, actions, steps: list[RewardedStep], discount: float, trace: float) -> torch.Tensor:
    """Generalised advantage estimation, one world and one step at a time, from the definition."""
    observed = actions["observation"]
    found = torch.full(observed.shape[:2], torch.nan)
    with torch.no_grad():
        for world in range(observed.shape[1]):
            later = 0.0
            for time in range(len(steps) - 1, -1, -1):
                step = steps[time]
                if not step.real[world]:
                    later = 0.0  # nothing is learnt from it, and nothing reaches over it
                    continue
                value = ppo.critic.module(observed[time, world])[0]
                arrived = 0.0 if step.terminated[world] else ppo.critic.module(step.observation[world])[0]
                if step.ended[world]:
                    later = 0.0
                reward = float(step.task_reward[world] + step.shaping[world])
                later = reward + discount * arrived - value + discount * trace * later
                found[time, world] = later
    return found


def test_advantages_end_at_ends_and_bootstrap_from_the_true_final_state_of_a_truncated_episode():
    ppo = learner(FlyingPoints(6, horizon=7), trace=0.9)
    actions, steps = ppo.collect()
    batch, known = ppo._transitions(actions, steps)
    assert sum(int(step.truncated.sum()) for step in steps) >= 6
    assert torch.equal(known, torch.stack([step.real for step in steps]))
    by_hand = advantages_by_hand(ppo, actions, steps, FlyingPoints.discount, 0.9)
    torch.testing.assert_close(batch["advantage"][..., 0][known], by_hand[known].float(), atol=1e-5, rtol=1e-5)


def test_a_terminal_state_is_worth_nothing():
    ppo = learner(FlyingPoints(256, horizon=40), trace=0.0)
    found = 0
    for _ in range(3):
        actions, steps = ppo.collect()
        batch, _ = ppo._transitions(actions, steps)
        for time, step in enumerate(steps):
            for world in step.terminated.nonzero()[:, 0].tolist():
                with torch.no_grad():
                    value = ppo.critic.module(actions["observation"][time, world])[0]
                wanted = step.task_reward[world] + step.shaping[world] - value
                assert float(batch["advantage"][time, world, 0]) == pytest.approx(float(wanted), abs=1e-5)
                found += 1
    assert found >= 3


def test_a_step_without_a_known_reward_is_not_learnt_from_and_no_advantage_reaches_over_it():
    ppo = learner(FlyingPoints(4, horizon=100))
    actions, steps = ppo.collect()
    before, _ = ppo._transitions(actions.clone(), steps)
    steps[20].shaping[:] = torch.nan
    after, known = ppo._transitions(actions.clone(), steps)
    assert not known[20].any()
    assert known[:20].sum() > 0
    assert after["advantage"].isfinite().all()
    assert torch.equal(after["advantage"][21:], before["advantage"][21:])
    with torch.no_grad():
        now = ppo.critic.module(actions["observation"][19])[:, 0]
        then = ppo.critic.module(steps[19].observation)[:, 0]
    alone = steps[19].task_reward + steps[19].shaping + FlyingPoints.discount * then - now
    torch.testing.assert_close(after["advantage"][19, :, 0], alone.float(), atol=1e-5, rtol=1e-5)


def test_the_same_seed_learns_the_same_bit_for_bit():
    first, again = learner(FlyingPoints(8)), learner(FlyingPoints(8))
    torch.manual_seed(0)
    told = [first.learn() for _ in range(2)]
    torch.manual_seed(0)
    assert [again.learn() for _ in range(2)] == told
    assert all(torch.equal(*pair) for pair in zip(first.policy.parameters(), again.policy.parameters(), strict=True))


def test_metrics_count_transitions_and_episodes():
    told = learner(FlyingPoints(8, horizon=7, shaped=False)).learn()
    assert told.episodes >= 8 * 3
    assert 8 * 30 - told.episodes <= told.transitions < 8 * 30
    assert 0 <= told.success_rate < 1
    assert told.shaping == 0.0
    assert math.isfinite(told.loss)


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="epochs must be >= 1, got 0"):
        PpoSettings(epochs=0)
    with pytest.raises(ValueError, match="clip must be > 0, got -1"):
        PpoSettings(clip=-1.0)
    with pytest.raises(ValueError, match=r"trace must be in \[0, 1\] and entropy >= 0, got 1.5 and 0"):
        PpoSettings(trace=1.5)


@pytest.mark.slow
def test_the_arm_learns_to_reach_where_potentials_are_the_truth():
    """With the task's reward alone less than a fifth of the episodes of such a run succeeded after 82,000 steps."""
    worlds = TableTopWorlds("reach", num_worlds=64, seed=0)
    truth = RewardedWorlds(worlds, discount=0.98, model=StateProgress(), cameras=("front",), height=1, width=1)
    arm = Ppo(truth, settings=PpoSettings(steps_per_world=32, learning_rate=1e-3), seed=0)
    rates = [arm.learn().success_rate for _ in range(20)]
    assert rates[3] < 0.3
    assert sum(rates[-3:]) / 3 > 0.9
    states, done = worlds.reset(), torch.zeros(64, dtype=torch.bool)
    for _ in range(worlds.horizon):
        states = worlds.step(best_action(arm.policy, states.observation))
        done |= states.terminated
    assert done.float().mean() > 0.9


SMALL = ["learner.num_envs=2", "learner.steps_per_env=3", "learner.batch_size=4", "total_steps=12", "every=6"]


def test_the_command_learns_and_leaves_policy_and_metrics(tmp_path):
    pictures = ["task.env.height=8", "task.env.width=8", "task.cameras=[side]"]
    main(["--device", "cpu", *SMALL, *pictures, "reward_model=ground_truth", f"output={tmp_path}/out"])
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [line["steps"] for line in lines] == [6, 12]
    assert all(line["success_rate"] is None and abs(line["shaping"]) < 0.5 for line in lines)
    kept = torch.load(tmp_path / "out" / "policy.pt")
    assert kept["policy"]["module.0.module.0.centre"].tolist()[0] == pytest.approx(0.45)
    with pytest.raises(OutputError, match="metrics.jsonl exists"):
        main(["--device", "cpu", *SMALL, "reward=sparse", f"output={tmp_path}/out"])


def test_the_encoder_is_where_the_worlds_are_unless_the_words_say_otherwise(tmp_path):
    output = f"output={tmp_path}/none"
    assert _configuration([output], "cuda:1").encoder.device == "cuda:1"
    assert _configuration([output, "encoder.device=cpu"], "cuda:1").encoder.device == "cpu"
    saved = [output, f"reward_model={tmp_path}/model"]
    assert _configuration(saved, "cuda:1").reward_model.encoder.device == "cuda:1"
    told = _configuration([*saved, "+reward_model.encoder.device=cpu"], "cuda:1")
    assert told.reward_model.encoder.device == "cpu"


def test_the_command_says_what_it_cannot(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--device", "cpu", "videos=3", f"output={tmp_path}"])
    assert "videos=3 has no meaning here" in capsys.readouterr().err
    for words, message in [
        (["task=metaworld"], "only table-top tasks are simulated here: task=table_top/reach"),
        (["learner=sac"], "only learner=ppo learns here"),
        (["reward=score"], "reward must be shaped or sparse here, got 'score'"),
        ([*SMALL, "task.cameras=[side]"], r"give reward_model=FOLDER of `robo-reward fit`, fit=false"),
    ]:
        with pytest.raises(ValueError, match=message):
            main(["--device", "cpu", *words, f"output={tmp_path}/none"])
