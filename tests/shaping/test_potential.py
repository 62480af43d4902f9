import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robo_reward.shaping import (
    ExponentialPotential,
    LinearPotential,
    PotentialTrace,
    SigmoidPotential,
    hold_last_known,
    potential_difference,
)

POTENTIALS = [LinearPotential(), LinearPotential(scale=5.0, offset=-1.0), ExponentialPotential(), SigmoidPotential()]


@pytest.mark.parametrize("potential", POTENTIALS)
def test_a_potential_is_increasing_finite_float64_and_keeps_unknowns(potential):
    progress = torch.linspace(0, 1, 101)
    value = potential(progress)
    assert value.dtype == torch.float64
    assert bool((value.diff() > 0).all())
    assert bool(potential(torch.tensor([float("nan")])).isnan().all())


def test_scales_and_offsets():
    assert LinearPotential(scale=2.0, offset=-1.0)(torch.tensor([0.0, 1.0])).tolist() == [-2.0, 0.0]
    ends = ExponentialPotential(scale=3.0, base=32.0)(torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(ends, torch.tensor([0.0, 3 * (32**0.5 - 1) / 31, 3.0], dtype=torch.float64))
    assert SigmoidPotential(reference=0.25)(torch.tensor([0.25])).tolist() == [0.5]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LinearPotential(scale=0.0), "scale must be > 0 and finite, got 0.0"),
        (lambda: LinearPotential(offset=float("inf")), "offset must be finite, got inf"),
        (lambda: ExponentialPotential(base=1.0), "base must be > 1, got 1.0"),
        (lambda: SigmoidPotential(gain=-1.0), "gain must be > 0 and finite, got -1.0"),
        (lambda: SigmoidPotential(reference=float("nan")), "reference must be finite, got nan"),
    ],
)
def test_impossible_potentials_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_a_held_potential_is_the_last_known_one_and_leading_unknowns_stay():
    nan = float("nan")
    held = hold_last_known(torch.tensor([[nan, 1.0, nan, nan, 2.0, nan]]))
    torch.testing.assert_close(held, torch.tensor([[nan, 1.0, 1.0, 1.0, 2.0, 2.0]]), equal_nan=True)


@given(
    known=st.lists(st.booleans(), min_size=2, max_size=30),
    discount=st.floats(min_value=0.1, max_value=1.0),
    terminated=st.booleans(),
)
def test_rewards_of_a_trace_telescope_over_abstentions(known, discount, terminated):
    known[0] = True
    value = torch.linspace(0.1, 0.9, len(known), dtype=torch.float64)
    potential = torch.where(torch.tensor(known), value, torch.nan)
    reward = PotentialTrace(potential=potential, version="a").rewards(discount=discount, terminated=terminated)
    last = hold_last_known(potential[None])[0, -1]
    powers = discount ** torch.arange(len(known), dtype=torch.float64)
    if terminated:
        assert float((reward * powers).sum()) == pytest.approx(-float(value[0]), abs=1e-12)
    else:
        assert bool(reward[-1].isnan())
        expected = float(powers[-1] * last - value[0])
        assert float((reward * powers)[:-1].sum()) == pytest.approx(expected, abs=1e-12)


def test_rewards_before_the_first_known_potential_are_unknown():
    potential = torch.tensor([float("nan"), 0.5, 0.75], dtype=torch.float64)
    reward = PotentialTrace(potential=potential, version="a").rewards(discount=1.0, terminated=True)
    torch.testing.assert_close(reward, torch.tensor([float("nan"), 0.25, -0.75], dtype=torch.float64), equal_nan=True)


def test_a_trace_gives_the_rewards_of_the_law():
    potential = torch.rand(9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    reward = PotentialTrace(potential=potential, version="a").rewards(discount=0.9, terminated=False)
    law = potential_difference(potential[None], torch.zeros(1, 8, dtype=torch.bool), discount=0.9)[0]
    assert torch.equal(reward[:-1], law)


def test_versions_are_never_mixed_within_a_trajectory():
    one = PotentialTrace(potential=torch.zeros(2, dtype=torch.float64), version="one")
    other = PotentialTrace(potential=torch.zeros(2, dtype=torch.float64), version="other")
    assert one.followed_by(one).potential.shape == (4,)
    with pytest.raises(ValueError, match="potentials of model version 'other' cannot follow those of 'one'"):
        one.followed_by(other)


def test_a_trace_needs_one_axis_and_a_version():
    with pytest.raises(ValueError, match="version must name the model that gave the potentials; it is empty"):
        PotentialTrace(potential=torch.zeros(2, dtype=torch.float64), version="")
