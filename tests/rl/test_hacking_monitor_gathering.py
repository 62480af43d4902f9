import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from stamped_worlds import LENGTHS, Greenness, green, worlds

from robo_reward.rl.hacking_monitor import HackingMonitor
from robo_reward.rl.hacking_monitor_gathering import EpisodeGathering
from robo_reward.rl.hacking_monitor_rules import PaidToLoiter
from robo_reward.rl.scored_vector_env import ScoredVectorEnv

ACTIONS, DISCOUNT = np.zeros((3, 1), np.float32), 0.9


def gathered(mode, *, deferred: bool = False, reward: str = "shaped", success=(0.0, 1.0, np.nan)):
    """Episodes of three environments, with the number of each one's environment and episode, in the order of ends."""
    env = ScoredVectorEnv(worlds(mode=mode), Greenness(), deferred=deferred)
    gathering = EpisodeGathering(3, mode=reward, discount=lambda: DISCOUNT)
    env.reset(seed=0)
    gathering.begin()
    found, names, played = [], [], [0, 0, 0]
    for step in range(30):
        env.step(ACTIONS)
        latest = env.latest
        gathering.after_step(latest, success=np.array(success))
        for row in np.flatnonzero((latest.terminated | latest.truncated) & latest.real).tolist():
            names.append((row, played[row]))
            played[row] += 1
        if not deferred or step % 10 == 9:
            env.settle()
            found += gathering.finished(env.potentials)
    return list(zip(names, found, strict=True))


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_each_episode_has_the_potentials_of_its_own_frames_from_the_first_to_the_true_last(mode, deferred):
    episodes = gathered(mode, deferred=deferred)
    assert len(episodes) > 12
    for (row, number), episode in episodes:
        length = LENGTHS[(row + number) % len(LENGTHS)]
        wanted = [green(row, number, time) / 255 for time in range(length + 1)]
        assert episode.potential.tolist() == pytest.approx(wanted, abs=1e-7)
        assert episode.terminated == (number % 2 == 0)
        assert episode.success is (False, True, None)[row]


def test_shaping_is_what_the_learner_gets():
    for _, episode in gathered(AutoresetMode.SAME_STEP):
        after = episode.potential[1:].clone()
        after[-1] *= not episode.terminated
        assert (episode.shaping - (DISCOUNT * after - episode.potential[:-1])).abs().max() < 1e-12
        assert episode.surplus <= 0
    for _, episode in gathered(AutoresetMode.SAME_STEP, reward="score"):
        assert episode.shaping.tolist() == episode.potential[1:].tolist()


def test_a_monitor_tells_potentials_paid_as_rewards_from_lawful_shaping():
    for reward, expected in (("shaped", set()), ("score", {"paid_to_loiter"})):
        monitor = HackingMonitor([PaidToLoiter(goal_potential=0.5)])
        episodes = [episode for _, episode in gathered(AutoresetMode.SAME_STEP, reward=reward, success=(0.0, 1.0, 0.0))]
        assert {alarm.rule for episode in episodes for alarm in monitor.after(episode)} == expected


def test_episodes_that_did_not_end_are_forgotten_when_all_begin_anew():
    env = ScoredVectorEnv(worlds(), Greenness())
    gathering = EpisodeGathering(3, mode="shaped", discount=lambda: DISCOUNT)
    for _ in range(2):
        env.reset(seed=0)
        gathering.begin()
        env.step(ACTIONS)
        gathering.after_step(env.latest, success=np.zeros(3))
    for _ in range(2):
        env.step(ACTIONS)
        gathering.after_step(env.latest, success=np.zeros(3))
    (first, *_) = gathering.finished(env.potentials)
    assert len(first.potential) == LENGTHS[0] + 1
    assert not gathering.finished(env.potentials)
