import gymnasium
import numpy as np
import pytest
from scipy.stats import spearmanr

pytest.importorskip("robo_reward_sim.rendering", reason="the sim extra is not installed", exc_type=ImportError)

from robo_reward_sim.study_environments import meta_world_with_progress, reach_with_own_shaping
from robo_reward_sim.table_top.environment import TableTopEnvironment
from robo_reward_sim.table_top.relative_observation import relative_observation
from robo_reward_sim.table_top.tasks import TABLE_TOP_TASKS

DISCOUNT = 0.9


def played(env: gymnasium.Env, policy, *, seed: int = 0, steps: int = 60):
    """Rewards and infos of an episode, with what its first state was told to be."""
    _, info = env.reset(seed=seed)
    rewards, infos, terminated, truncated = [], [info], False, False
    while not (terminated or truncated) and len(rewards) < steps:
        _, reward, terminated, truncated, info = env.step(policy())
        rewards.append(reward)
        infos.append(info)
    env.close()
    return np.array(rewards), infos, terminated


def expert(env):
    scene = env.unwrapped.scene
    return lambda: scene.task.expert(scene.observation)


def reach(**arguments):
    return reach_with_own_shaping("reach", terminate_on_success=True, height=32, width=32, **arguments)


def discounted(rewards):
    return float(np.sum(rewards * DISCOUNT ** np.arange(len(rewards))))


def test_with_the_learners_discount_shaping_only_shifts_the_return():
    env = reach(discount=DISCOUNT)
    rewards, infos, terminated = played(env, expert(env))
    assert terminated
    assert infos[-1]["success"]
    assert discounted(rewards) == pytest.approx(DISCOUNT ** (len(rewards) - 1))  # Φ of the start is 0


def test_a_terminal_potential_that_is_kept_stays_in_the_return():
    env = reach(discount=DISCOUNT, keep_terminal=True, scale=3.0)
    rewards, _, _ = played(env, expert(env))
    count = len(rewards)
    assert discounted(rewards) == pytest.approx(DISCOUNT ** (count - 1) + 3.0 * DISCOUNT**count)


def test_a_wrong_discount_pays_for_high_potentials():
    env = reach(discount=1.0)
    rewards, infos, _ = played(env, expert(env))
    paid = [info["progress"] * (1.0 - DISCOUNT) for info in infos[1:-1]]
    assert discounted(rewards) == pytest.approx(DISCOUNT ** (len(rewards) - 1) + discounted(np.array([*paid, 0.0])))


@pytest.mark.parametrize(("keep", "told"), [(True, True), (False, False)])
def test_the_decoy_ends_an_episode_without_success_and_pays_if_its_potential_is_kept(keep, told):
    env = reach(discount=DISCOUNT, keep_terminal=keep, decoy=True, scale=3.0)
    scene = env.unwrapped.scene
    decoy = env.env
    rewards, infos, terminated = played(
        env, lambda: np.append(np.clip(8 * decoy._way() / 0.15, -1, 1), 1.0)
    )  # as the expert goes, to the other ball
    assert terminated
    assert infos[-1]["wrong"]
    assert not infos[-1]["success"]
    assert infos[-1]["progress"] == 1.0
    assert (discounted(rewards) > 1.0) == told
    assert scene.task.progress(scene.observation, scene.observation) < 1.0


def test_the_decoy_is_observed_in_decimetres():
    env = reach(discount=DISCOUNT, decoy=True, relative=True)
    observation, _ = env.reset(seed=3)
    assert env.observation_space.contains(observation)
    assert observation[-3:] == pytest.approx(-observation[1:4] / 3, abs=1e-4)
    env.close()


def test_traps_are_set_in_reach_alone():
    with pytest.raises(ValueError, match="traps are set in reach alone, got 'push'"):
        reach_with_own_shaping("push", discount=0.9)


@pytest.mark.parametrize("task", ["drawer-close", "door-close", "window-close"])
def test_progress_in_meta_world_rises_along_the_experts_way_from_0_to_1_in_success(task):
    env = meta_world_with_progress(task, cameras=("left",), image_size=32)
    act = env.unwrapped.scene.expert()
    observation, info = env.reset(seed=0)
    told, ended = [info["progress"]], False
    while not ended:
        observation, _, terminated, truncated, info = env.step(act(observation))
        told.append(info["progress"])
        ended = terminated or truncated
    env.close()
    assert info["success"]
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert max(told[:-1]) < 1.0
    assert spearmanr(told, range(len(told))).statistic > 0.8


@pytest.mark.parametrize("task", sorted(TABLE_TOP_TASKS))
def test_relative_observations_are_ways_in_decimetres_wherever_the_tool_is(task):
    metres, ways = TableTopEnvironment(task), TableTopEnvironment(task, relative=True)
    before, _ = metres.reset(seed=1)
    after, _ = ways.reset(seed=1)
    assert ways.observation_space.contains(after)
    assert after == pytest.approx(relative_observation(before, place=False), abs=1e-5)
    assert after[0] == pytest.approx(10 * before[3])
    assert 10 * before[:3] + after[1:4] == pytest.approx(10 * before[4:7], abs=1e-5)
    if task == "push":
        assert 10 * before[4:7] + after[4:7] == pytest.approx(10 * before[7:10], abs=1e-5)
    if task == "open":
        assert after[4] == pytest.approx(10 * before[7])
    assert len(after) == len(before) - 3
    assert len(ways.observation_names) == len(after)
    assert ways.observation_names[1].startswith("tool_to_")
    for env in (metres, ways):
        env.close()


def test_the_place_of_the_tool_is_observed_beside_the_ways_where_it_is_asked_for():
    ways, both = TableTopEnvironment("push", relative=True), TableTopEnvironment("push", relative=True, place=True)
    alone, beside = ways.reset(seed=2)[0], both.reset(seed=2)[0]
    assert beside[3:].tolist() == alone.tolist()
    assert beside[:3] == pytest.approx(10 * both.scene.tool_position, abs=1e-5)
    assert both.observation_names[:3] == ("tool_x [dm]", "tool_y [dm]", "tool_z [dm]")
    assert both.observation_names[3:] == ways.observation_names


def test_names_of_ways_say_from_where_to_where():
    names = TableTopEnvironment("push", relative=True).observation_names
    assert names[0] == "gripper_width [dm]"
    assert names[1] == "tool_to_object_x [dm]"
    assert names[4] == "object_to_goal_x [dm]"
    assert TableTopEnvironment("open", relative=True).observation_names[-1] == "opening [dm]"
