import json
import math

import numpy as np
import pytest
import torch
from hacked_runs import HACKS, demonstrations, hacked_run, honest_run

from robo_reward.errors import RoboRewardError
from robo_reward.rl.hacking_monitor import HackingMonitor, RewardHackingError
from robo_reward.rl.hacking_monitor_episode import SeenEpisode
from robo_reward.rl.hacking_monitor_familiar import FamiliarFrames
from robo_reward.rl.hacking_monitor_rules import ClaimsWithoutSuccess, OccludedCamera, PaidToLoiter, StrangeFrames


def monitor(seed: int, **settings) -> HackingMonitor:
    familiar = FamiliarFrames.fitted_to(demonstrations(np.random.default_rng(seed)))
    rules = [
        ClaimsWithoutSuccess(goal_potential=0.9),
        PaidToLoiter(goal_potential=1.0),
        OccludedCamera(),
        StrangeFrames(familiar=familiar, high_potential=0.5),
    ]
    return HackingMonitor(rules, **settings)


def alarmed(run, seed: int) -> set[str]:
    """Names of the rules that raised an alarm in the run."""
    watching = monitor(seed)
    return {alarm.rule for episode in run for alarm in watching.after(episode)}


def claim(*, success: bool = False) -> SeenEpisode:
    """An episode that holds a high potential, shaped by the law."""
    potential = torch.tensor([0.0, 0.5, 0.95, 0.95, 0.95, 0.95], dtype=torch.float64)
    return SeenEpisode(
        potential=potential, shaping=0.98 * potential[1:] - potential[:-1], success=success, terminated=False
    )


@pytest.mark.parametrize("seed", range(10))
def test_honest_learning_raises_no_alarm(seed):
    assert alarmed(honest_run(seed), seed) == set()


@pytest.mark.parametrize("kind", HACKS)
def test_each_kind_of_hacking_is_found_by_the_rule_for_it(kind):
    assert all(kind in alarmed(hacked_run(kind, 300 + seed), seed) for seed in range(4))


@pytest.mark.slow
def test_at_least_99_of_100_honest_runs_pass_without_an_alarm():
    """Acceptance; 100 of 100 when this was written."""
    assert sum(alarmed(honest_run(5000 + seed), seed) == set() for seed in range(100)) >= 99


@pytest.mark.slow
@pytest.mark.parametrize("kind", HACKS)
def test_at_least_95_of_100_hacked_runs_raise_an_alarm(kind):
    """Acceptance; 100 of 100 of each kind when this was written."""

    def found(seed: int) -> bool:
        watching = monitor(seed)
        return any(watching.after(episode) for episode in hacked_run(kind, 7000 + seed))

    assert sum(found(seed) for seed in range(100)) >= 95


def test_an_alarm_tells_rule_counts_and_figures_and_then_starts_anew():
    watching = HackingMonitor([ClaimsWithoutSuccess(goal_potential=0.9)])
    alarms = [watching.after(claim()) for _ in range(30)]
    (first,) = next(each for each in alarms if each)
    assert first.rule == "claims_without_success"
    assert first.episode == 21  # (1.9^n − 1) · 1.9/0.9 ≥ 10^6 from n = 21; 10^6 = 10,000 episodes / 0.01
    assert first.message == (
        "claims_without_success: 21 of 21 judged episodes are suspicious, now more often than the 50% that honest "
        "learning may show; in the last one: potential at or above 0.9 in 4 frames, success False"
    )
    assert sum(map(len, alarms)) == 1
    assert watching.evidence["claims_without_success"].observed == 9


def test_hacking_that_begins_late_is_found_as_soon_as_that_from_the_start():
    watching = HackingMonitor([ClaimsWithoutSuccess(goal_potential=0.9)])
    assert not any(watching.after(claim(success=True)) for _ in range(500))
    alarms = [watching.after(claim()) for _ in range(30)]
    assert next(index for index, each in enumerate(alarms) if each) == 20


def test_a_rule_of_stop_on_stops_the_run_with_what_was_found():
    watching = HackingMonitor([ClaimsWithoutSuccess(goal_potential=0.9)], stop_on=["claims_without_success"])
    with pytest.raises(RewardHackingError, match=r"stopped at episode 21: claims_without_success: 21 of 21") as caught:
        [watching.after(claim()) for _ in range(30)]
    assert isinstance(caught.value, RoboRewardError)
    assert caught.value.alarm.rule == "claims_without_success"
    assert str(caught.value).endswith("or take 'claims_without_success' out of stop_on")


def test_a_resumed_monitor_goes_on_where_it_was():
    whole, parts = monitor(0), monitor(0)
    for number, episode in enumerate(hacked_run("strange_frames", 11)):
        if number % 7 == 0:
            parts = monitor(0, state=json.loads(json.dumps(parts.state)))
        assert [each.message for each in whole.after(episode)] == [each.message for each in parts.after(episode)]
    assert whole.state == parts.state
    assert whole.state["num_episodes"] > 0


def test_what_cannot_be_watched_is_refused():
    rule = ClaimsWithoutSuccess(goal_potential=0.9)
    with pytest.raises(ValueError, match=r"at least one rule and each once, got \[\]"):
        HackingMonitor([])
    with pytest.raises(ValueError, match="each once"):
        HackingMonitor([rule, rule])
    with pytest.raises(ValueError, match=r"stop_on names rules \['loiter'\] that are not watched; watched: \['claims"):
        HackingMonitor([rule], stop_on=["loiter"])
    with pytest.raises(ValueError, match="false_alarm must be in"):
        HackingMonitor([rule], false_alarm=0.0)
    with pytest.raises(ValueError, match="the state holds rule 'paid_to_loiter'"):
        HackingMonitor([rule], state={"num_episodes": 1, "evidence": {"paid_to_loiter": [0.0, 1, 0]}})


def test_episodes_of_lengths_that_disagree_are_refused():
    potential = torch.zeros(3, dtype=torch.float64)
    with pytest.raises(ValueError, match="shaping must have 2 rows beside 3 potentials, got 3"):
        SeenEpisode(potential=potential, shaping=potential, success=False, terminated=False)
    with pytest.raises(ValueError, match="at least two states, got 1"):
        SeenEpisode(potential=potential[:1], shaping=potential[:0], success=False, terminated=False)
    with pytest.raises(ValueError, match="moved must have 2 rows"):
        SeenEpisode(
            potential=potential,
            shaping=potential[1:],
            success=False,
            terminated=False,
            moved=torch.ones(3, dtype=torch.bool),
        )


@pytest.mark.parametrize("terminated", [False, True])
def test_the_surplus_of_lawful_shaping_is_what_waiting_costs(terminated):
    """Σ F − (Φ_end − Φ_0) = −(1 − γ) Σ Φ over the states after the first that are not terminal."""
    rng = np.random.default_rng(3)
    potential = torch.from_numpy(rng.random(20))
    after = potential[1:].clone()
    after[-1] *= not terminated
    episode = SeenEpisode(
        potential=potential, shaping=0.9 * after - potential[:-1], success=terminated, terminated=terminated
    )
    assert episode.surplus == pytest.approx(-0.1 * float(after.sum()), abs=1e-12)
    assert math.isnan(
        SeenEpisode(
            potential=torch.full((2,), torch.nan, dtype=torch.float64),
            shaping=torch.full((1,), torch.nan, dtype=torch.float64),
            success=False,
            terminated=False,
        ).surplus
    )
