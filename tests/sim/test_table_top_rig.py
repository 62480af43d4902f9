"""The table top's cameras as a rig, and the reward that geometry gives on it."""

import numpy as np
import pytest
import torch

pytest.importorskip("robo_reward_sim.rendering", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward.cli.choose_models import choose_models
from robo_reward.cli.configuration import compose_verb
from robo_reward.clip import Clip
from robo_reward.models.coloured_point import coloured_point
from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.table_top.experts import expert
from robo_reward_sim.table_top.rig import STANDING, table_top_rig

SIZE, RED = 112, (210, 30, 30)


@pytest.fixture(scope="module")
def reach():
    env = TableTopEnvironment("reach", height=SIZE, width=SIZE, terminate_on_success=True)
    yield env
    env.close()


def clip_of(frames: list[dict[str, np.ndarray]], tool: list[np.ndarray]) -> Clip:
    views = {name: np.stack([each[name].transpose(2, 0, 1) for each in frames]) for name in frames[0]}
    return Clip(
        views={name: torch.from_numpy(pictures)[None] for name, pictures in views.items()},
        present=torch.ones(1, len(frames), len(views), dtype=torch.bool),
        stamp=torch.arange(len(frames), dtype=torch.float64)[None] / 10,
        state={"tool_position": torch.from_numpy(np.stack(tool))[None].double()},
    )


def played(env, policy, *, seed: int) -> tuple[Clip, np.ndarray, bool]:
    """An episode as the cameras and the arm have it, its true progress, and whether it succeeded."""
    observation, info = env.reset(seed=seed)
    frames, infos, over = [env.frames(STANDING)], [info], False
    while not over:
        observation, _, terminated, truncated, info = env.step(policy(observation))
        frames.append(env.frames(STANDING))
        infos.append(info)
        over = terminated or truncated
    clip = clip_of(frames, [each["state"]["tool_position"] for each in infos])
    return clip, np.array([each["progress"] for each in infos]), info["success"]


@pytest.fixture(scope="module")
def geometry():
    """The reward model of the experiment, as the command line builds it."""
    config = compose_verb("train", ["experiment=table_top_reach_geometry", "output=unused"])
    return choose_models(config, ["move the gripper to the red ball"]).models["move the gripper to the red ball"]


def test_the_ball_is_where_the_cameras_of_the_rig_see_it(reach):
    ball = coloured_point(table_top_rig(height=SIZE, width=SIZE), colour=RED)
    errors = []
    for seed in range(40):
        observation, info = reach.reset(seed=seed)
        located, _ = ball.locate(clip_of([reach.frames(STANDING)], [info["state"]["tool_position"]]), None)
        errors.append(float(np.linalg.norm(located.position[0, 0].numpy() - observation[4:7])))
    # none is unknown: the arm hides it from one camera at most
    assert np.median(errors) < 0.0015
    assert np.max(errors) < 0.02


def test_cameras_may_be_called_as_recordings_call_them():
    rig = table_top_rig(("side", "front"), height=48, width=64, prefix="observation.images.")
    assert list(rig.cameras) == ["observation.images.side", "observation.images.front"]
    assert rig.base_frame == "base"
    lens = rig.camera("observation.images.side").intrinsics
    assert (lens.height, lens.width) == (48, 64)
    for wrong in (("wrist",), ()):
        with pytest.raises(ValueError, match=r"cameras must be of front, side, left, which stand still; got"):
            table_top_rig(wrong, height=48, width=64)


def test_what_geometry_tells_of_starts_that_nothing_was_fitted_to_follows_the_truth(reach, geometry):
    rng = np.random.default_rng(0)
    drift = rng.uniform(-0.7, 0.7, (3, 4))
    policies = [expert("reach")] * 3 + [lambda _, way=way: np.clip(way + rng.normal(0, 0.5, 4), -1, 1) for way in drift]
    ends = []
    for seed, policy in enumerate(policies, start=500):
        clip, truth, success = played(reach, policy, seed=seed)
        told = geometry.estimate(clip).progress[0].numpy()
        known = np.isfinite(told)
        assert np.abs(told - truth)[known].mean() < 0.15
        if success:
            assert np.corrcoef(told[known], truth[known])[0, 1] > 0.98
        ends.append((success, float(told[known][-1])))
    successes, others = ([end for success, end in ends if success is wanted] for wanted in (True, False))
    assert len(successes) >= 3
    assert min(successes) > 0.8
    assert max(others) < 0.6
