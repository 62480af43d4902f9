import numpy as np
import pytest
from stable_baselines3.common.buffers import ReplayBuffer
from stamped_worlds import Greenness, green, worlds

from robo_reward.rl.sb3_vec_env import Sb3VecEnv
from robo_reward.rl.scored_vector_env import ScoredVectorEnv
from robo_reward.rl.shaped_replay_buffer import ShapedReplayBuffer
from robo_reward.rl.unscored_vector_env import UnscoredVectorEnv

ROWS = 3


class Filled:
    """A buffer filled by its environments as Stable-Baselines3 fills one, true last observations included."""

    def __init__(self, *, size: int = 7, mode="shaped", source=None, **settings) -> None:
        self.discount = 0.9
        self.source = source or ScoredVectorEnv(worlds(**settings.pop("world", {})), Greenness(), **settings)
        self.env = Sb3VecEnv(self.source)
        self.buffer = ShapedReplayBuffer(
            size * ROWS,
            self.env.observation_space,
            self.env.action_space,
            n_envs=ROWS,
            source=self.source,
            mode=mode,
            discount=lambda: self.discount,
        )
        self.env.next_seeds = (0, 0, 0)
        self._last = self.env.reset()

    def step(self, steps: int = 1) -> "Filled":
        for _ in range(steps):
            actions = np.zeros((ROWS, 1), np.float32)
            observation, reward, done, infos = self.env.step(actions)
            following = observation.copy()
            for row in np.flatnonzero(done):
                following[row] = infos[row]["terminal_observation"]
            self.buffer.add(self._last, following, actions, reward, done, infos)
            self._last = observation
        return self

    def every(self):
        """Every stored transition's learning reward beside what its own stamped observations say."""
        self.buffer.refresh()
        rows = self.buffer.buffer_size if self.buffer.full else self.buffer.pos
        places, envs = (each.reshape(-1) for each in np.indices((rows, ROWS)))
        return places, envs, self.buffer.learning_rewards(places, envs)


def progress(observation) -> float:
    number, episode, time = (int(each) for each in observation)
    return green(number, episode, time) / 255


def expected(filled: Filled, place: int, env: int) -> float:
    """F of a transition from its stored observations alone."""
    buffer = filled.buffer
    state, following = buffer.observations[place, env], buffer.next_observations[place, env]
    terminated = buffer.dones[place, env] > 0 and not buffer.timeouts[place, env] > 0
    assert state[:2].tolist() == following[:2].tolist()  # one episode: the next one's first frame never counts
    after = 0.0 if terminated else progress(following)
    return 10.0 * float(state[0]) + float(state[1]) + filled.discount * after - progress(state)


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("steps", [5, 7, 8, 40])
def test_each_stored_reward_is_that_of_its_own_true_frames_before_and_after_the_ring_wraps_around(steps, deferred):
    filled = Filled(deferred=deferred).step(steps)
    places, envs, rewards = filled.every()
    assert len(rewards) == min(steps, 7) * ROWS
    for place, env, reward in zip(places, envs, rewards, strict=True):
        assert reward == pytest.approx(expected(filled, place, env), abs=1e-6)
    ends = filled.buffer.dones[: filled.buffer.pos or None] > 0
    assert steps < 7 or ends.any()


def test_termination_zeroes_the_last_potential_and_a_time_limit_keeps_it():
    filled = Filled(size=40).step(40)
    places, envs, rewards = filled.every()
    kinds = set()
    for place, env, reward in zip(places, envs, rewards, strict=True):
        if filled.buffer.dones[place, env]:
            limit = bool(filled.buffer.timeouts[place, env])
            state, following = filled.buffer.observations[place, env], filled.buffer.next_observations[place, env]
            after = 0.9 * progress(following) if limit else 0.0
            assert reward - 10.0 * float(state[0]) - float(state[1]) == pytest.approx(after - progress(state), abs=1e-6)
            kinds.add(limit)
    assert kinds == {True, False}


def test_a_changed_discount_changes_rewards_and_the_learners_own_without_a_look_at_any_frame():
    filled = Filled().step(9)
    filled.every()
    looked = len(filled.source.scorer.model.batches)
    filled.discount = 0.5
    places, envs, rewards = filled.every()
    assert rewards[0] == pytest.approx(expected(filled, places[0], envs[0]), abs=1e-6)
    assert filled.buffer.sample(4).discounts.flatten().tolist() == [0.5] * 4
    assert len(filled.source.scorer.model.batches) == looked


def test_a_transition_over_k_steps_is_discounted_k_times_in_shaping_and_target_alike():
    filled = Filled().step(2)
    filled.buffer.steps[:] = 3
    places, envs, rewards = filled.every()
    filled.discount = 0.9**3
    assert rewards[0] == pytest.approx(expected(filled, places[0], envs[0]), abs=1e-6)
    filled.discount = 0.9
    assert filled.buffer.sample(2).discounts.flatten().tolist() == pytest.approx([0.9**3] * 2)


def test_another_version_relabels_the_whole_buffer_and_nothing_of_the_old_one_is_sampled():
    filled = Filled(size=12, keep_frames=True).step(12)
    _, _, before = filled.every()
    filled.source.change_model(Greenness(scale=0.5))
    places, envs, after = filled.every()
    assert filled.buffer.versions == ["greenness-1-1.0", "greenness-1-0.5"]
    assert set(filled.buffer.version_index.flatten()) == {1}
    task = filled.buffer.rewards[places, envs]
    assert after - task == pytest.approx((before - task) / 2, abs=1e-6)


def test_transitions_that_the_new_version_cannot_look_at_are_never_sampled():
    filled = Filled(size=20, keep_frames=True).step(10)
    filled.every()
    filled.buffer.departures[:4] = filled.buffer.arrivals[:4] = -1  # of an earlier process: their frames are gone
    filled.source.change_model(Greenness(scale=0.5))
    sampled = filled.buffer.sample(500).observations.numpy()
    stored = filled.buffer.observations[4:10].reshape(-1, 3)
    assert {tuple(each) for each in sampled.tolist()} <= {tuple(each) for each in stored.tolist()}
    assert np.isnan(filled.buffer.potentials[:4]).all()


def test_transitions_of_another_version_are_not_sampled_even_where_their_potentials_are_there():
    filled = Filled(size=20).step(10)
    filled.every()
    filled.buffer.version_index[:9] = 7
    assert filled.buffer.sample(50).observations.unique(dim=0).shape[0] <= ROWS


@pytest.mark.parametrize("unknown", [0, 5])  # before and behind the place where the ring goes on
def test_after_the_ring_has_wrapped_around_all_of_it_is_sampled_but_what_is_unknown(unknown):
    filled = Filled(size=7).step(10)
    filled.every()
    filled.buffer.potentials[unknown] = np.nan
    sampled = {tuple(each) for each in filled.buffer.sample(1000).observations.numpy().tolist()}
    left_out = {tuple(each) for each in filled.buffer.observations[unknown].tolist()}
    stored = {tuple(each) for each in filled.buffer.observations.reshape(-1, 3).tolist()}
    assert (filled.buffer.pos, filled.buffer.full) == (3, True)
    assert sampled == stored - left_out


def test_unknown_potentials_are_not_sampled_and_none_at_all_is_an_error():
    filled = Filled(source=ScoredVectorEnv(worlds(), Silent())).step(4)
    with pytest.raises(ValueError, match="no transition's reward is known: the reward model abstained on all"):
        filled.buffer.sample(4)


class Silent(Greenness):
    def estimate(self, clip):
        return (
            super()
            .estimate(clip)
            .__class__(progress=clip.stamp.float() * float("nan"), spread=clip.stamp.float() * float("nan"))
        )


def test_the_modes_add_what_they_say():
    for mode, added in (
        ("difference", lambda p, q, _: q - p),
        ("score", lambda p, q, _: q),
        ("sparse", lambda *_: 0.0),
    ):
        filled = Filled(mode=mode).step(6)
        places, envs, rewards = filled.every()
        for place, env, reward in zip(places, envs, rewards, strict=True):
            state, following = filled.buffer.observations[place, env], filled.buffer.next_observations[place, env]
            terminated = bool(filled.buffer.dones[place, env])
            own = added(progress(state), progress(following), terminated)
            assert reward == pytest.approx(10.0 * float(state[0]) + float(state[1]) + own, abs=1e-6)


def test_without_a_model_it_samples_what_stable_baselines_own_buffer_samples():
    filled = Filled(mode="sparse", source=UnscoredVectorEnv(worlds())).step(20)
    own = ReplayBuffer(21, filled.env.observation_space, filled.env.action_space, device="cpu", n_envs=ROWS)
    for name in ("observations", "next_observations", "actions", "rewards", "dones", "timeouts", "pos", "full"):
        setattr(own, name, getattr(filled.buffer, name))
    np.random.seed(3)
    one = filled.buffer.sample(64)
    np.random.seed(3)
    other = own.sample(64)
    for name in ("observations", "next_observations", "actions", "rewards", "dones"):
        assert (getattr(one, name) == getattr(other, name)).all()


def test_a_source_that_has_not_stepped_is_refused():
    filled = Filled()
    nothing = np.zeros((ROWS, 3), np.float32)
    with pytest.raises(ValueError, match="the source has not stepped"):
        filled.buffer.add(nothing, nothing, nothing[:, :1], np.zeros(ROWS), np.zeros(ROWS), [{}] * ROWS)
