import numpy as np
import pytest
from fake_encoder import FakeEncoder
from gymnasium.vector import AutoresetMode
from stamped_worlds import LENGTHS, Greenness, green, worlds

from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.rl.learning_reward import perceived_reward
from robo_reward.rl.scored_vector_env import ScoredVectorEnv
from robo_reward.rl.state_progress import StateProgress
from robo_reward.shaping import LinearPotential

ACTIONS = np.zeros((3, 1), np.float32)
MODES = (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP)


def played(env: ScoredVectorEnv, steps: int = 20):
    """Every real transition: (environment, Φ(s), Φ(s'), terminated, truncated), in order."""
    env.reset(seed=0)
    taken = []
    for _ in range(steps):
        env.step(ACTIONS)
        taken.append(env.latest)
    env.settle()
    return [
        (row, env.potentials(each.departure)[row], env.potentials(each.arrival)[row], each.terminated[row], each)
        for each in taken
        for row in range(3)
        if each.real[row]
    ]


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_both_ends_of_every_transition_have_the_potential_of_their_own_true_frame(mode, deferred):
    env = ScoredVectorEnv(worlds(mode=mode), Greenness(), deferred=deferred)
    clock = {row: (0, 0) for row in range(3)}  # episode and step of each environment's state
    for row, before, after, _, each in played(env):
        episode, time = clock[row]
        assert before == pytest.approx(green(row, episode, time) / 255, abs=1e-7)
        assert after == pytest.approx(green(row, episode, time + 1) / 255, abs=1e-7)
        ended = time + 1 == LENGTHS[(row + episode) % len(LENGTHS)]
        assert ended == (each.terminated[row] or each.truncated[row])
        clock[row] = (episode + 1, 0) if ended else (episode, time + 1)


@pytest.mark.parametrize("mode", MODES)
def test_shaping_telescopes_over_every_episode_and_only_termination_zeroes_the_last_potential(mode):
    env = ScoredVectorEnv(worlds(mode=mode), Greenness(3), potential=LinearPotential(scale=2.0, offset=-0.25))
    discount, sums, first, steps, ends = 0.9, np.zeros(3), [None] * 3, np.zeros(3, int), set()
    for row, before, after, terminated, each in played(env, steps=30):
        shaping = perceived_reward(
            "shaped",
            potential=np.array([before]),
            next_potential=np.array([after]),
            terminated=np.array([terminated]),
            discount=np.array([discount]),
        )[0]
        first[row] = before if first[row] is None else first[row]
        sums[row] += discount ** steps[row] * shaping
        steps[row] += 1
        if each.terminated[row] or each.truncated[row]:
            kept = 0.0 if each.terminated[row] else discount ** steps[row] * after
            assert sums[row] == pytest.approx(kept - first[row], abs=1e-12)
            ends.add(bool(each.terminated[row]))
            sums[row], first[row], steps[row] = 0.0, None, 0
    assert ends == {True, False}


def test_all_environments_are_looked_at_in_one_batch_a_step_and_all_of_a_rollout_in_one_when_deferred():
    class Counting(FakeEncoder):
        def __init__(self):
            super().__init__()
            self.batches = []

        def embed(self, pixels):
            self.batches.append(len(pixels))
            return super().embed(pixels)

    def scored(**settings):
        encoder = Counting()
        model = PromptSimilarity(encoder, goal=["green"], baseline=["red"], alpha=0.0)
        env = ScoredVectorEnv(worlds(), model, **settings)
        env.reset(seed=0)
        for _ in range(3):
            env.step(ACTIONS)
        return env, encoder

    _, encoder = scored()
    assert encoder.batches == [3, 3, 3, 3 + 1]  # environment 0 ends after three steps and begins anew in the same step
    env, encoder = scored(deferred=True)
    assert encoder.batches == []
    with pytest.raises(ValueError, match="frame sets wait to be scored: call settle"):
        env.potentials(env.latest.arrival)
    env.settle()
    assert encoder.batches == [3 * 4 + 1]


def test_deferred_potentials_are_those_that_come_at_once_bit_for_bit():
    for context in (1, 3):
        one = played(ScoredVectorEnv(worlds(), Greenness(context)))
        other = played(ScoredVectorEnv(worlds(), Greenness(context), deferred=True))
        assert [each[:4] for each in one] == [each[:4] for each in other]


def test_a_frame_that_no_camera_gave_holds_the_last_potential_on_both_sides():
    env = ScoredVectorEnv(worlds(lost=frozenset({(1, 0, 2)})), Greenness())
    of_row = [(before, after) for row, before, after, _, _ in played(env, steps=4) if row == 1]
    assert of_row[1] == (of_row[1][0], of_row[1][0])
    assert of_row[2][0] == of_row[1][1]
    assert of_row[2][1] == pytest.approx(green(1, 0, 3) / 255, abs=1e-7)


def test_environments_that_are_reset_by_hand_begin_episodes_of_their_own():
    env = ScoredVectorEnv(worlds(mode=AutoresetMode.DISABLED), Greenness())
    env.reset(seed=0)
    for _ in range(3):
        _, _, terminated, truncated, _ = env.step(ACTIONS)
    mask = terminated | truncated
    assert mask.tolist() == [True, False, False]
    before = env.potentials(env._here)
    env.reset(options={"reset_mask": mask})
    after = env.potentials(env._here)
    assert after[0] == pytest.approx(green(0, 1, 0) / 255, abs=1e-7)
    assert after[1:].tolist() == before[1:].tolist()


def test_another_version_looks_at_every_kept_frame_anew_in_finished_and_running_episodes():
    env = ScoredVectorEnv(worlds(), Greenness(2), keep_frames=True)
    old = played(env, steps=8)
    env.change_model(Greenness(2, scale=0.5))
    assert env.version == "greenness-2-0.5"
    new = [(row, env.potentials(e.departure)[row], env.potentials(e.arrival)[row]) for row, _, _, _, e in old]
    assert [(row, p, q) for row, p, q in new] == [
        (row, pytest.approx(p / 2, abs=1e-6), pytest.approx(q / 2, abs=1e-6)) for row, p, q, _, _ in old
    ]
    fresh = ScoredVectorEnv(worlds(), Greenness(2, scale=0.5))
    expected = played(fresh, steps=9)[-3:]
    env.step(ACTIONS)
    assert [env.potentials(env.latest.arrival)[row] for row in range(3)] == [each[2] for each in expected]


def test_frames_that_were_not_kept_cannot_be_looked_at_by_another_version():
    env = ScoredVectorEnv(worlds(), Greenness())
    env.reset(seed=0)
    with pytest.raises(ValueError, match="keep_frames=True is needed"):
        env.change_model(Greenness(scale=0.5))


def test_what_is_forgotten_is_an_error_and_what_is_kept_stays():
    env = ScoredVectorEnv(worlds(), Greenness(), keep_frames=True)
    played(env, steps=800)
    last = env.latest.arrival
    kept = env.potentials(last).tolist()
    env.forget_before(int(env.latest.departure.min()))
    assert env.potentials(last).tolist() == kept
    with pytest.raises(ValueError, match="frame set 0 was forgotten"):
        env.potentials(np.array([0]))
    assert len(env.scorer._episodes) <= 6


def test_the_truth_takes_the_place_of_a_model():
    env = ScoredVectorEnv(worlds(), StateProgress())
    for (_, before, after, _, _), (_, p, q, _, _) in zip(
        played(env), played(ScoredVectorEnv(worlds(), Greenness())), strict=True
    ):
        assert (before, after) == (pytest.approx(p, abs=1e-6), pytest.approx(q, abs=1e-6))


def test_info_without_pictures_is_refused_with_what_to_do():
    env = ScoredVectorEnv(worlds(lost=frozenset((row, 0, 0) for row in range(3))), Greenness())
    with pytest.raises(ValueError, match="info has no 'frames': wrap each environment in CameraInfo"):
        env.reset(seed=0)
