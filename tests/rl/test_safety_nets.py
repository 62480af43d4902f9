import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from looking_at_stamps import Looking
from stable_baselines3 import SAC
from stamped_worlds import LENGTHS, Greenness, StampedWorld, green, worlds

from robo_reward.rl.checkpoints import newest_checkpoint
from robo_reward.rl.discount_schedule import AutomaticDiscount
from robo_reward.rl.environments import Environments
from robo_reward.rl.hacking_monitor import HackingMonitor, RewardHackingError
from robo_reward.rl.hacking_monitor_gathering import EpisodeGathering
from robo_reward.rl.hacking_monitor_rules import ClaimsWithoutSuccess, PaidToLoiter
from robo_reward.rl.learners import Ppo, Sac
from robo_reward.rl.safety_nets import SafetyNets
from robo_reward.rl.scored_vector_env import ScoredVectorEnv
from robo_reward.rl.training import Training
from robo_reward.rl.training_result import TrainingListener
from robo_reward.rl.training_settings import TrainingSettings

SMALL = Sac(num_envs=2, hidden=(8,), batch_size=8, buffer_size=60, learning_starts=6, updates_per_step=0.5)
SETTINGS = {"total_steps": 120, "every": 40, "evaluation_episodes": 2, "videos": 0, "reward": "score"}
NEVER = {"goal_potential": 0.6}


class NeverDone(StampedWorld):
    def _info(self):
        return super()._info() | {"success": False}


class NobodyTells(StampedWorld):
    def _info(self):
        return {name: value for name, value in super()._info().items() if name != "success"}


class CutError(Exception):
    """Stands for a power cut."""


def loitering(**settings) -> SafetyNets:
    """Watches worlds whose score pays far more than the whole task is worth."""
    return SafetyNets(monitor=HackingMonitor([PaidToLoiter(**NEVER), ClaimsWithoutSuccess(**NEVER)], **settings))


def growing() -> AutomaticDiscount:
    """Follows demonstrations that every episode of these worlds repeats: their last number counts the steps."""
    steps = torch.arange(12.0)
    shown = [torch.stack([steps * 0, steps * 0 + shift, steps], dim=1) / 255 for shift in (1.0, 2.0)]
    return AutomaticDiscount.following(shown, start=0.1, metric="euclidean", cameras=("front",))


def training(output: Path, nets=None, *, learner=SMALL, world=NeverDone, on_steps=lambda _: None, **changes):
    heard = changes.pop("heard", [])
    return Training(
        Environments(make=partial(world, 0)),
        learner,
        settings=TrainingSettings(**(SETTINGS | changes)),
        output=output,
        model=Looking(),
        nets=nets,
        listener=TrainingListener(on_steps=on_steps, on_alarm=heard.append),
    )


def tensors(one: Training) -> dict:
    return {
        f"{part}.{name}": value
        for part, state in one.algorithm.get_parameters().items()
        for name, value in state.items()
        if isinstance(value, torch.Tensor)
    }


def told(folder: Path, *names: str) -> list:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [[line[name] for name in names] for line in lines]


def alarms(folder: Path) -> list:
    return [json.loads(line) for line in (folder / "alarms.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_each_episode_has_the_embeddings_of_its_own_frames_from_the_first_to_the_true_last(mode, deferred):
    env = ScoredVectorEnv(worlds(mode=mode), Looking(), deferred=deferred, keep_embeddings=True)
    gathering = EpisodeGathering(3, mode="shaped", discount=lambda: 0.9)
    env.reset(seed=0)
    gathering.begin()
    played, seen = [0, 0, 0], 0
    for _ in range(30):
        env.step(np.zeros((3, 1), np.float32))
        gathering.after_step(env.latest, success=np.full(3, np.nan))
        ends = np.flatnonzero((env.latest.terminated | env.latest.truncated) & env.latest.real)
        env.settle()
        for row, episode in zip(ends, gathering.finished(env.potentials, embeddings=env.embeddings), strict=True):
            length = LENGTHS[(row + played[row]) % len(LENGTHS)]
            wanted = [[row, green(row, played[row], time), time] for time in range(length + 1)]
            assert (episode.embedding[:, 0] * 255).round().tolist() == wanted
            assert (episode.cameras, episode.success) == (("front",), None)
            played[row] += 1
            seen += 1
    assert seen > 12


def test_embeddings_are_kept_for_no_longer_than_their_episodes_run(tmp_path):
    one = training(tmp_path, loitering(), total_steps=160)
    most = []
    source = one._envs.source
    one._callback._on_steps = lambda _: most.append(len(source.embeddings))
    one.run()
    assert max(most) <= 2 * 2 * (max(LENGTHS) + 1)  # two environments, the running episodes and those just ended


def test_a_monitor_warns_in_time_and_changes_nothing_of_what_is_learnt(tmp_path):
    heard = []
    watched, alone = training(tmp_path / "watched", loitering(), heard=heard), training(tmp_path / "alone")
    watched.run()
    alone.run()
    assert all(torch.equal(value, tensors(alone)[name]) for name, value in tensors(watched).items())
    assert [alarm.rule for alarm in heard] == [each["rule"] for each in alarms(tmp_path / "watched")]
    assert heard[0].episode <= 10
    assert not any(each["stops"] for each in alarms(tmp_path / "watched"))
    figures = told(tmp_path / "watched", "monitor/alarms", "monitor/paid_to_loiter")
    assert sum(count for count, _ in figures) == len(heard) > 2
    assert all(0 <= share < 1 for _, share in figures)
    assert not (tmp_path / "alone" / "alarms.jsonl").exists()


def test_a_rule_of_stop_on_stops_the_training_with_its_last_checkpoint_whole_and_it_can_go_on_without(tmp_path):
    stopping = partial(loitering, stop_on=["paid_to_loiter"], horizon=10**9)  # past the first checkpoint
    for _ in range(2):  # a second time at the same moment
        with pytest.raises(RewardHackingError, match="paid_to_loiter: ") as caught:
            training(tmp_path / "stopped", stopping()).run()
        checkpoint = newest_checkpoint(tmp_path / "stopped" / "checkpoints")
        (alarm,) = alarms(tmp_path / "stopped")
        assert (alarm["rule"], alarm["stops"], alarm["message"]) == ("paid_to_loiter", True, caught.value.alarm.message)
        assert int(checkpoint.folder.name) < alarm["step"] < 120
    assert isinstance(SAC.load(tmp_path / "stopped" / "stopped_policy.zip", device="cpu"), SAC)
    goes_on, warned = (
        training(tmp_path / "stopped", loitering(horizon=10**9)),
        training(tmp_path / "warned", loitering(horizon=10**9)),
    )
    assert goes_on.run().steps == warned.run().steps == 120
    assert all(torch.equal(value, tensors(warned)[name]) for name, value in tensors(goes_on).items())
    assert alarms(tmp_path / "stopped") == alarms(tmp_path / "warned")


@pytest.mark.parametrize(
    ("learner", "nets", "changes"),
    [
        (SMALL, loitering, {}),
        (SMALL, lambda: SafetyNets(discount=growing()), {"reward": "shaped"}),
        (SMALL, lambda: SafetyNets(discount=growing()), {"reward": "shaped", "deferred": True}),
        (Ppo(num_envs=2, hidden=(8,), batch_size=10, steps_per_env=10, epochs=1), loitering, {"deferred": True}),
    ],
    ids=["monitor", "discount", "discount deferred", "ppo"],
)
def test_a_training_that_was_cut_goes_on_with_its_nets_to_exactly_the_same_result(learner, nets, changes, tmp_path):
    whole = training(tmp_path / "whole", nets(), learner=learner, **changes)
    whole.run()

    def cut(steps):
        if steps >= 70:
            raise CutError

    with pytest.raises(CutError):
        training(tmp_path / "cut", nets(), learner=learner, on_steps=cut, **changes).run()
    resumed = training(tmp_path / "cut", nets(), learner=learner, **changes)
    resumed.run()
    assert all(torch.equal(value, tensors(whole)[name]) for name, value in tensors(resumed).items())
    states = [newest_checkpoint(tmp_path / name / "checkpoints").state for name in ("whole", "cut")]
    assert states[0]["nets"] == states[1]["nets"]
    assert states[0]["alarms"] == states[1]["alarms"]
    names = ("learning/discount", *(("monitor/alarms", "monitor/paid_to_loiter") if nets is loitering else ()))
    assert told(tmp_path / "whole", *names) == told(tmp_path / "cut", *names)


def test_a_growing_discount_is_the_learners_and_the_shapings_at_once(tmp_path):
    schedule = growing()
    one = training(tmp_path, SafetyNets(discount=schedule), reward="shaped")
    one.run()
    last = told(tmp_path, "learning/discount")[-1][0]
    assert growing()() == pytest.approx(0.2)  # one frame ahead; then as far as episodes of these worlds last
    assert last == schedule() == pytest.approx(0.2 ** (1 / 6))
    buffer = one.algorithm.replay_buffer
    assert buffer.sample(4).discounts.flatten().tolist() == pytest.approx([schedule()] * 4)
    places, envs = np.array([3]), np.array([0])
    after = 0.0 if buffer.dones[3, 0] and not buffer.timeouts[3, 0] else buffer.next_potentials[3, 0]
    wanted = buffer.rewards[3, 0] + schedule() * after - buffer.potentials[3, 0]
    assert buffer.learning_rewards(places, envs)[0] == pytest.approx(wanted, abs=1e-6)


def test_of_a_task_whose_success_nobody_tells_nothing_is_claimed(tmp_path):
    one = training(tmp_path, loitering(), world=NobodyTells, success_reward=0.0)
    one.run()
    assert not (tmp_path / "alarms.jsonl").exists()
    assert told(tmp_path, "episodes/success_rate", "monitor/paid_to_loiter")[-1] == [None, 0.0]
    assert one._nets.monitor.evidence["claims_without_success"].observed == 0


def test_evidence_for_rules_that_are_not_watched_any_more_is_dropped_when_a_training_goes_on(tmp_path):
    training(tmp_path, loitering(), total_steps=80).run()
    fewer = SafetyNets(monitor=HackingMonitor([PaidToLoiter(**NEVER)]))
    training(tmp_path, fewer).run()
    assert fewer.monitor.state["num_episodes"] > 20
    assert list(fewer.monitor.evidence) == ["paid_to_loiter"]


def test_an_automatic_discount_needs_a_model_that_looks_and_a_learner_that_can_follow(tmp_path):
    def made(**changes):
        given = {"model": Greenness(), "learner": SMALL, "reward": "shaped"} | changes
        return Training(
            Environments(make=partial(NeverDone, 0)),
            given["learner"],
            settings=TrainingSettings(**(SETTINGS | {"reward": given["reward"]})),
            output=tmp_path,
            model=given["model"],
            nets=SafetyNets(discount=growing()),
        )

    with pytest.raises(ValueError, match=r"Greenness looks through none: choose .* or discount_schedule=fixed"):
        made()
    with pytest.raises(ValueError, match="and none is asked"):
        made(reward="sparse")
    with pytest.raises(ValueError, match="PPO's critic follows one discount"):
        made(model=Looking(), learner=Ppo(num_envs=2, batch_size=16, steps_per_env=8))


def test_embeddings_of_a_model_that_looks_through_no_encoder_cannot_be_kept():
    with pytest.raises(ValueError, match="Greenness looks through no encoder: there are no embeddings to keep"):
        ScoredVectorEnv(worlds(), Greenness(), keep_embeddings=True)
