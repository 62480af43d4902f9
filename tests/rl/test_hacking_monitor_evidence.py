import math

import numpy as np
import pytest

from robo_reward.rl.hacking_monitor_evidence import EventEvidence

EMPTY = EventEvidence(usual=0.2, hacked=0.8)


def test_evidence_is_the_sum_of_likelihood_ratios_over_every_moment_of_change():
    events, ratios = [True, False, True, True, False], {True: 4.0, False: 0.25}
    evidence = EMPTY
    for event in events:
        evidence = evidence.after(event)
    summed = sum(math.prod(ratios[each] for each in events[start:]) for start in range(len(events)))
    assert evidence.log_evidence == pytest.approx(math.log(summed), abs=1e-12)
    assert (evidence.observed, evidence.events) == (5, 3)


def test_a_false_alarm_is_as_rare_as_promised_where_the_null_hypothesis_just_holds():
    """300 streams of 150 events that come just as often as is usual: the promise is 5 %."""
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(300):
        evidence = EMPTY
        for event in rng.random(150) < 0.2:
            evidence = evidence.after(bool(event))
            if evidence.enough(false_alarm=0.05, horizon=150):
                alarms += 1
                break
    assert 0 < alarms <= 22  # 15 and two standard deviations


def test_much_evidence_against_is_forgotten_at_once():
    quiet = EMPTY
    for _ in range(5000):
        quiet = quiet.after(False)
    assert math.isfinite(quiet.log_evidence)
    assert quiet.after(True).log_evidence < EMPTY.after(True).log_evidence + math.log(1 + 1 / 3) + 1e-9
    assert quiet.emptied() == EMPTY


def test_probabilities_out_of_order_are_refused():
    with pytest.raises(ValueError, match=r"0 < usual < hacked < 1 is needed, got usual 0.5 and hacked 0.5"):
        EventEvidence(usual=0.5, hacked=0.5)
