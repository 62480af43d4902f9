import math

import pytest
import torch
from fake_encoder import FakeEncoder

pytest.importorskip("mujoco_warp", reason="the warp extra is not installed: it needs an environment of its own")
pytest.importorskip("robo_reward_sim.rendering", reason="MuJoCo is not installed", exc_type=ImportError)

from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.shaping import LinearPotential
from robo_reward.stream import RewardStream
from robo_reward_sim.table_top.experts import expert
from robo_reward_sim.warp_table_top.rewarded import RewardedStep, RewardedWorlds
from robo_reward_sim.warp_table_top.worlds import TableTopWorlds

WORLDS, DISCOUNT = 3, 0.97
POTENTIAL = LinearPotential(scale=2.0)


def model() -> PromptSimilarity:
    return PromptSimilarity(FakeEncoder(), goal=["red"], baseline=["white"], alpha=0.5)


@pytest.fixture(scope="module")
def rewarded():
    worlds = TableTopWorlds("reach", num_worlds=WORLDS, seed=2, horizon=14)
    made = RewardedWorlds(
        worlds,
        discount=DISCOUNT,
        model=model(),
        cameras=("front", "side"),
        height=24,
        width=32,
        camera_prefix="observation.",
        potential=POTENTIAL,
    )
    looks = made._cameras.frames

    def seen():
        made.newest = looks()
        return made.newest

    made._cameras.frames = seen
    return made


def to_the_ball(observation: torch.Tensor) -> torch.Tensor:
    """One world goes to the ball, the others away from it."""
    act = expert("reach")
    action = torch.stack([torch.from_numpy(act(row)).float() for row in observation.numpy()])
    action[1:, :3] *= -1
    return action


class Streams:
    """One RewardStream per world, shown the same pictures."""

    def __init__(self) -> None:
        self.each = [RewardStream(model(), discount=DISCOUNT, potential=POTENTIAL) for _ in range(WORLDS)]
        self.stamp = 0.0

    def step(self, frames, ends: RewardedStep | None = None) -> list[float]:
        self.stamp += 0.1
        rewards = []
        for world, stream in enumerate(self.each):
            flags = {name: bool(getattr(ends, name)[world]) for name in ("terminated", "truncated")} if ends else {}
            views = {f"observation.{name}": picture[world] for name, picture in frames.items()}
            got = stream.step(views, stamp=self.stamp, **flags)
            rewards.append(math.nan if got is None else got.reward)
        return rewards


def test_shaping_of_all_worlds_is_that_of_one_stream_per_world_bit_for_bit(rewarded):
    streams, ends, compared = Streams(), {"terminated": 0, "truncated": 0}, 0
    observation = rewarded.reset()
    streams.step(rewarded.newest)
    for _ in range(60):
        step = rewarded.step(to_the_ball(observation))
        alone = streams.step(rewarded.newest, step)
        for ours, theirs, real in zip(step.shaping.tolist(), alone, step.real.tolist(), strict=True):
            assert ours == theirs or (math.isnan(ours) and math.isnan(theirs) and not real)
            compared += real
        ends = {name: count + int(getattr(step, name).sum()) for name, count in ends.items()}
        observation = step.observation
    assert min(ends.values()) >= 2
    assert compared > 60 * WORLDS * 0.8


def test_task_reward_is_paid_once_and_apart_from_shaping(rewarded):
    observation, paid = rewarded.reset(), 0.0
    for _ in range(45):
        step = rewarded.step(to_the_ball(observation))
        assert torch.equal(step.task_reward.bool(), step.terminated)
        assert not (step.task_reward[~step.real] > 0).any()
        assert torch.equal(step.shaping.isnan(), ~step.real)
        paid, observation = paid + float(step.task_reward.sum()), step.observation
    assert paid >= 1


def test_without_a_model_no_picture_is_taken_and_nothing_is_shaped():
    plain = RewardedWorlds(TableTopWorlds("reach", num_worlds=2), discount=0.98, model=None)
    plain.reset()
    assert plain._cameras is None
    assert torch.equal(plain.step(torch.zeros(2, 4)).shaping, torch.zeros(2, dtype=torch.float64))


def test_a_discount_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match=r"discount must be in \(0, 1\], got 1.2"):
        RewardedWorlds(TableTopWorlds("reach", num_worlds=1), discount=1.2, model=None)
