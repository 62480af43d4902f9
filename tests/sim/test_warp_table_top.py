import numpy as np
import pytest
import torch

pytest.importorskip("mujoco_warp", reason="the warp extra is not installed: it needs an environment of its own")
pytest.importorskip("robo_reward_sim.rendering", reason="MuJoCo is not installed", exc_type=ImportError)

import mujoco
import warp as wp

from robo_reward_sim.table_top.experts import expert
from robo_reward_sim.table_top.kinematics import MAX_WIDTH, WORKSPACE, ArmKinematics
from robo_reward_sim.table_top.scene import TableTopScene
from robo_reward_sim.table_top.task import TOOL_SPEED
from robo_reward_sim.table_top.tasks import TABLE_TOP_TASKS
from robo_reward_sim.warp_table_top.arm import Arm, Joints, arm_of, joints_at
from robo_reward_sim.warp_table_top.tasks import WARP_TASKS
from robo_reward_sim.warp_table_top.worlds import TableTopWorlds

TASKS = tuple(TABLE_TOP_TASKS)
WORLDS = 3


@pytest.fixture(scope="module")
def made():
    """Worlds of each task, made once: making them takes longer than stepping them."""
    kept = {}

    def worlds(task: str) -> TableTopWorlds:
        if task not in kept:
            kept[task] = TableTopWorlds(task, num_worlds=WORLDS, seed=7)
        kept[task].terminate_on_success, kept[task].horizon = True, 1000
        return kept[task]

    return worlds


@wp.kernel(enable_backward=False)
def solve(arm: Arm, target: wp.array(dtype=wp.vec3d), near: wp.array(dtype=Joints), found: wp.array(dtype=Joints)):
    i = wp.tid()
    found[i] = joints_at(arm, target[i], near[i])


def test_inverse_kinematics_are_those_of_the_arm_on_plain_mujoco(made):
    arm, rng = ArmKinematics(), np.random.default_rng(0)
    targets = rng.uniform(WORKSPACE[0] - 0.05, WORKSPACE[1] + 0.05, (20, 3))
    near = np.array([arm.joints_at(rng.uniform(*WORKSPACE)) for _ in targets])
    found = wp.zeros(len(targets), dtype=Joints)
    given = [wp.array(targets, dtype=wp.vec3d), wp.array(near, dtype=Joints)]
    wp.launch(solve, dim=len(targets), inputs=[arm_of(made("reach").physics.model), *given], outputs=[found])
    wanted = [arm.joints_at(target, near=begin) for target, begin in zip(targets, near, strict=True)]
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-9)


def act_plainly(scene: TableTopScene, action: np.ndarray) -> np.ndarray:
    """What `TableTopEnvironment.step` does to its scene."""
    delta, width = action[:3] * TOOL_SPEED * 0.1, MAX_WIDTH * (1.0 - action[3]) / 2
    scene.move_tool(delta, gripper_width=width, duration=0.1)
    return scene.observation


def experts(task: str, observation: torch.Tensor) -> np.ndarray:
    act = expert(task)
    return np.stack([act(row) for row in observation.numpy()])


def bring_together(scenes: list[TableTopScene], worlds: TableTopWorlds) -> None:
    """Put every plain scene into the state of its world."""
    data = worlds.physics.data
    for world, scene in enumerate(scenes):
        scene.model.body_pos[:] = worlds.physics.device_model.body_pos.numpy()[world]
        scene.data.mocap_pos[:] = data.mocap_pos.numpy()[world]
        for name in ("qpos", "qvel", "act", "qacc_warmstart"):
            getattr(scene.data, name)[:] = getattr(data, name).numpy()[world]
        mujoco.mj_forward(scene.model, scene.data)


@pytest.mark.parametrize("task", TASKS)
def test_every_step_of_an_expert_leads_where_it_leads_on_plain_mujoco(made, task):
    worlds = made(task)
    worlds.terminate_on_success = False
    scenes = [TableTopScene(worlds.task.plain, height=64, width=64) for _ in range(WORLDS)]
    states, done, apart = worlds.reset(), torch.zeros(WORLDS, dtype=torch.bool), []
    for _ in range(45):
        bring_together(scenes, worlds)
        action = experts(task, states.observation).astype(np.float32)
        states = worlds.step(torch.from_numpy(action))
        plainly = [act_plainly(scene, one.astype(np.float64)) for scene, one in zip(scenes, action, strict=True)]
        apart.append(np.abs(states.observation.numpy() - plainly).max())
        done |= states.success
        if bool(done.all()):
            break
    assert done.all()
    assert np.median(apart) < 5e-5  # [m]
    # where things come to touch, they do so a moment sooner or later
    assert max(apart) < (5e-5 if task == "reach" else 2e-3)


def test_a_whole_episode_without_contact_stays_with_plain_mujoco(made):
    worlds = made("reach")
    worlds.terminate_on_success = False
    states, scenes = worlds.reset(), [TableTopScene(worlds.task.plain, height=64, width=64) for _ in range(WORLDS)]
    bring_together(scenes, worlds)
    for action in wandering(40, seed=4):
        states = worlds.step(action)
        plainly = [act_plainly(scene, one.double().numpy()) for scene, one in zip(scenes, action, strict=True)]
        np.testing.assert_allclose(states.observation, plainly, rtol=0, atol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_success_and_progress_are_those_of_the_plain_task(task):
    rng, plain, many = np.random.default_rng(1), TABLE_TOP_TASKS[task], WARP_TASKS[task]
    size = 4 + len(plain.point_names)
    low, high = np.append(WORKSPACE[0], 0.0), np.append(WORKSPACE[1], MAX_WIDTH)
    start, now = (np.resize(rng.uniform(low, high, (400, 4)), (400, size)) for _ in range(2))
    now[:, 4:], start[:, 4:] = (rng.uniform(0, 0.4, (400, size - 4)) for _ in range(2))
    now[200:, 4:7] = now[200:, :3] + rng.uniform(-0.02, 0.02, (200, 3))
    if task == "push":
        now[100:300, 7:10] = now[100:300, 4:7] + rng.uniform(-0.03, 0.03, (200, 3))
    exact = [torch.from_numpy(each) for each in (now, start)]
    success = [plain.success(row) for row in now]
    progress = [plain.progress(*rows) for rows in zip(now, start, strict=True)]
    assert 0 < sum(success) < 400
    assert many.success(exact[0]).tolist() == success
    np.testing.assert_allclose(many.progress(*exact), progress, atol=1e-12)


def wandering(steps: int, seed: int, num_worlds: int = WORLDS) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [2 * torch.rand(num_worlds, 4, generator=generator) - 1 for _ in range(steps)]


def observations(worlds: TableTopWorlds, actions: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack([worlds.reset().observation, *(worlds.step(action).observation for action in actions)])


def test_the_same_seed_gives_the_same_trajectory_bit_for_bit_whatever_the_other_worlds_do():
    few = TableTopWorlds("push", num_worlds=2, seed=5, horizon=3)
    many = TableTopWorlds("push", num_worlds=4, seed=5, horizon=3)
    actions = wandering(6, seed=2, num_worlds=4)
    first = observations(few, [action[:2] for action in actions])
    other = observations(many, [torch.cat([action[:2], -action[2:]]) for action in actions])
    assert torch.equal(first, other[:, :2])
    again = TableTopWorlds("push", num_worlds=4, seed=5, horizon=3)
    assert torch.equal(observations(again, actions)[:, :2], first)
    assert not torch.equal(TableTopWorlds("push", num_worlds=2, seed=6).reset().observation, first[0])


def test_nothing_of_an_earlier_episode_remains():
    one, other = (TableTopWorlds("push", num_worlds=2, seed=5, horizon=6) for _ in range(2))
    actions = wandering(14, seed=2, num_worlds=2)
    first = observations(one, actions)
    second = observations(other, [-action for action in actions[:6]] + actions[6:])
    assert not torch.equal(first[6], second[6])
    assert torch.equal(first[7:], second[7:])


def test_every_episode_of_every_world_begins_elsewhere_within_the_tasks_limits(made):
    worlds = made("push")
    begun = torch.cat([worlds.reset().observation for _ in range(8)]).numpy()
    assert len(np.unique(begun.round(6), axis=0)) == 8 * WORLDS
    puck, mark = begun[:, 4:6], begun[:, 7:9]
    apart = np.linalg.norm(puck - mark, axis=1)
    assert ((apart > 0.12) & (apart < 0.22)).all()
    assert (np.concatenate([puck, mark]) >= [0.36, -0.17]).all()
    assert (np.concatenate([puck, mark]) <= [0.54, 0.17]).all()
    assert (np.abs(begun[:, :3] - [0.42, 0.0, 0.22]) < 0.0301).all()
    np.testing.assert_allclose(begun[:, 3], MAX_WIDTH, atol=1e-6)
    balls = torch.cat([made("reach").reset().observation for _ in range(8)]).numpy()
    assert (np.linalg.norm(balls[:, :3] - balls[:, 4:7], axis=1) > 0.1 - 1e-6).all()


def test_a_world_that_ended_shows_its_last_state_once_and_then_begins_anew(made):
    worlds = made("reach")
    worlds.horizon = 14
    states, begun = worlds.reset(), 0
    assert states.begins.all()
    assert not states.ended.any()
    before, ends = states, {"terminated": 0, "truncated": 0}
    for number in range(48):
        # one world goes to the ball, the others stay away
        action = torch.from_numpy(experts("reach", before.observation).astype(np.float32))
        action[1:] = -action[1:]
        states = worlds.step(action)
        assert torch.equal(states.begins, before.ended), number
        assert not (states.terminated & states.truncated).any()
        assert torch.equal(states.terminated, states.success & ~states.begins)
        assert (states.task_reward == states.terminated).all()
        stays = (states.observation[:, 4:7] == before.observation[:, 4:7]).all(dim=1)
        assert torch.equal(stays, ~states.begins)
        assert (states.progress[states.begins] == 0).all()
        ends = {name: count + int(getattr(states, name).sum()) for name, count in ends.items()}
        before, begun = states, begun + int(states.begins.sum())
    assert ends["truncated"] >= 6
    assert ends["terminated"] >= 2
    assert begun >= 7


def steps_to_the_end(**settings):
    """What an expert's only world is in, step by step, until its episode ends."""
    worlds = TableTopWorlds("reach", num_worlds=1, seed=9, **settings)
    told = [worlds.reset()]
    while not bool(told[-1].ended):
        told.append(worlds.step(torch.from_numpy(experts("reach", told[-1].observation).astype(np.float32))))
    return told


def test_success_in_the_last_step_is_terminal_and_where_nothing_terminates_truncated():
    told = steps_to_the_end()
    last = len(told) - 1
    assert bool(told[-1].terminated)
    at_the_limit = steps_to_the_end(horizon=last)[-1]
    assert (bool(at_the_limit.terminated), bool(at_the_limit.truncated)) == (True, False)
    cut = steps_to_the_end(horizon=last, terminate_on_success=False)
    assert len(cut) == last + 1
    assert (bool(cut[-1].terminated), bool(cut[-1].truncated), bool(cut[-1].success)) == (False, True, True)
    assert cut[-1].task_reward.tolist() == [1.0]


def test_the_worlds_own_time_limit_is_that_of_the_environment(made):
    assert TableTopWorlds("open", num_worlds=1, step_duration=0.2).horizon == 40


def test_what_a_step_gave_stays_what_it_was(made):
    worlds = made("reach")
    first = worlds.reset()
    kept = first.observation.clone()
    worlds.step(torch.ones(WORLDS, 4))
    assert torch.equal(first.observation, kept)


def test_what_means_nothing_is_refused(made):
    with pytest.raises(ValueError, match="unknown table-top task 'fly'; available: reach, push, pick, open"):
        TableTopWorlds("fly", num_worlds=1)
    with pytest.raises(ValueError, match=r"num_worlds must be >= 1 and seed in \[0, 2\^31\), got 0 and 0"):
        TableTopWorlds("reach", num_worlds=0)
    with pytest.raises(ValueError, match="horizon must be >= 1 step, got 0"):
        TableTopWorlds("reach", num_worlds=1, horizon=0)
    with pytest.raises(ValueError, match=r"warp has no device 'cuda:7'; there are: cpu"):
        TableTopWorlds("reach", num_worlds=1, device="cuda:7")
    with pytest.raises(RuntimeError, match=r"call reset\(\) before the first step"):
        TableTopWorlds("reach", num_worlds=1).step(torch.zeros(1, 4))
    made("reach").reset()
    with pytest.raises(ValueError, match=r"action must be \(world=3, 4\), got \(2, 4\)"):
        made("reach").step(torch.zeros(2, 4))
