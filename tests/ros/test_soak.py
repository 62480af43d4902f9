"""Every fault of the soak, alone and in rounds: no reward while it lasts, and a reward within a second of its end."""

from itertools import islice

import pytest
from soak_faults import FAULTS, SETTINGS, good
from soak_rounds import rounds
from soaked_core import SoakedCore

STALE_AFTER = SETTINGS["stale_after"]


@pytest.fixture
def soaked():
    made = SoakedCore()
    yield made
    assert made.core.close(5)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_gives_no_reward_that_it_forbids_and_rewards_return_within_a_second(name, soaked, monkeypatch):
    monkeypatch.setattr("soak_rounds.FAULTS", {name: FAULTS[name]})
    first, second = islice(rounds(soaked, stale_after=STALE_AFTER, good_sets=4, lasting=0.5), 2)
    assert soaked.watch.broken == []
    assert first.forbidden == second.forbidden == 0
    assert max(first.recovery, second.recovery) < 1.0
    assert soaked.watch.good > 6


def test_good_pictures_alone_are_all_answered(soaked):
    for number in range(50):
        soaked.send(good(number, soaked.now_ns), answered=True)
    assert (soaked.watch.heard, soaked.watch.good) == (50 + 1, 49)  # one heartbeat before the robot spoke, one warm-up


@pytest.mark.slow
def test_thousands_of_sets_with_every_fault_in_turn_break_no_law(soaked):
    done = list(islice(rounds(soaked, stale_after=STALE_AFTER, good_sets=40, lasting=0.5), 2 * len(FAULTS)))
    assert sum(each.sets for each in done) > 2500
    assert soaked.watch.broken == []
    assert {each.fault for each in done if each.forbidden} == set()
    assert max(each.recovery for each in done) < 1.0
