import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robo_reward.shaping import discount_over_steps, discount_over_time, potential_difference

discounts = st.floats(min_value=0.01, max_value=1.0)
lengths = st.integers(min_value=2, max_value=60)
seeds = st.integers(min_value=0, max_value=2**31)


def random_potential(batch: int, time: int, seed: int) -> torch.Tensor:
    return torch.randn(batch, time, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(time=lengths, seed=seeds, discount=discounts, terminated=st.booleans())
def test_the_return_telescopes(time, seed, discount, terminated):
    potential = random_potential(3, time, seed)
    ends = torch.zeros(3, time - 1, dtype=torch.bool)
    ends[:, -1] = terminated
    reward = potential_difference(potential, ends, discount=discount)
    powers = discount ** torch.arange(time - 1, dtype=torch.float64)
    kept = 0.0 if terminated else discount ** (time - 1) * potential[:, -1]
    torch.testing.assert_close((reward * powers).sum(dim=1), kept - potential[:, 0], atol=1e-12, rtol=1e-12)


@given(time=lengths, seed=seeds, discount=discounts, n=st.integers(1, 10))
def test_n_step_windows_telescope(time, seed, discount, n):
    potential = random_potential(1, time, seed)
    reward = potential_difference(potential, torch.zeros(1, time - 1, dtype=torch.bool), discount=discount)
    n = min(n, time - 1)
    powers = discount ** torch.arange(n, dtype=torch.float64)
    window = float((reward[0, :n] * powers).sum())
    assert window == pytest.approx(float(discount**n * potential[0, n] - potential[0, 0]), abs=1e-12)


@given(seed=seeds, discount=discounts, steps=st.lists(st.integers(1, 5), min_size=1, max_size=10))
def test_skipping_steps_with_the_power_of_the_discount_gives_the_same_return(seed, discount, steps):
    total = sum(steps)
    potential = random_potential(1, total + 1, seed)
    every = potential_difference(potential, torch.zeros(1, total, dtype=torch.bool), discount=discount)
    full = float((every[0] * discount ** torch.arange(total, dtype=torch.float64)).sum())
    stops = torch.tensor([0, *steps]).cumsum(0)
    jumps = torch.tensor([[discount_over_steps(discount, k) for k in steps]], dtype=torch.float64)
    skipped = potential_difference(potential[:, stops], torch.zeros(1, len(steps), dtype=torch.bool), discount=jumps)
    assert float((skipped[0] * discount ** stops[:-1].double()).sum()) == pytest.approx(full, abs=1e-12)


def test_truncation_keeps_the_next_potential_and_termination_does_not():
    potential = torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    kept = potential_difference(potential, torch.tensor([[False]]), discount=0.5)
    ended = potential_difference(potential, torch.tensor([[True]]), discount=0.5)
    assert kept.tolist() == [[0.125]]
    assert ended.tolist() == [[-0.25]]


def test_a_bootstrapped_target_is_unbiased_at_a_truncation_only_with_the_potential_kept():
    """γV'(s_T) with V' = V − Φ: the target equals V's own minus Φ(s); zeroing Φ(s_T) is off by −γΦ(s_T)."""
    discount, value, potential = 0.9, 2.0, torch.tensor([[0.3, 0.8]], dtype=torch.float64)
    bootstrap = discount * (value - 0.8)
    unshaped = discount * value - 0.3
    for terminated, bias in ((False, 0.0), (True, -discount * 0.8)):
        shaped = float(potential_difference(potential, torch.tensor([[terminated]]), discount=discount))
        assert shaped + bootstrap - unshaped == pytest.approx(bias, abs=1e-12)


def test_a_terminal_frame_that_nobody_could_read_still_ends_the_episode():
    potential = torch.tensor([[0.5, float("nan")]])
    assert potential_difference(potential, torch.tensor([[True]]), discount=0.9).tolist() == [[-0.5]]
    assert potential_difference(potential, torch.tensor([[False]]), discount=0.9).isnan().all()


def test_cached_potentials_telescope_where_looking_again_leaves_a_residue():
    """Noise .1 over 10 steps: a residue of about .27 (methods: 6e-17 against .27)."""
    generator = torch.Generator().manual_seed(0)
    draws, steps = 4000, 10
    clean = torch.linspace(0, 1, steps + 1, dtype=torch.float64).expand(draws, -1)

    def look() -> torch.Tensor:
        return clean + 0.1 * torch.randn(draws, steps + 1, generator=generator, dtype=torch.float64)

    first, again = look(), look()
    alive = torch.zeros(draws, steps, dtype=torch.bool)
    powers = 0.9 ** torch.arange(steps, dtype=torch.float64)
    cached = (potential_difference(first, alive, discount=0.9) * powers).sum(1)
    assert (cached - (0.9**steps * first[:, -1] - first[:, 0])).abs().max() < 1e-12
    mixed = ((0.9 * again[:, 1:] - first[:, :-1]) * powers).sum(1)
    residue = (mixed - (0.9**steps * again[:, -1] - first[:, 0])).std()
    assert 0.2 < float(residue) < 0.35


def test_discounts_over_steps_and_time():
    assert discount_over_steps(0.9, 1) == 0.9
    assert discount_over_time(0.5, 2.0) == pytest.approx(0.36787944117144233)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: discount_over_steps(0.9, 0), "steps must be >= 1, got 0"),
        (lambda: discount_over_steps(1.5, 1), r"discount must be in \(0, 1\], got 1.5"),
        (lambda: discount_over_time(-1.0, 1.0), "rate must be >= 0 per second, got -1.0"),
        (lambda: discount_over_time(1.0, 0.0), "seconds must be > 0, got 0.0"),
    ],
)
def test_impossible_discounts_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_discount_outside_its_range_is_refused():
    two, alive = torch.zeros(1, 2), torch.zeros(1, 1, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"discount must be in \(0, 1\], got 0.0"):
        potential_difference(two, alive, discount=0.0)
    with pytest.raises(ValueError, match=r"discount must be in \(0, 1\], got values in \[1.5, 1.5\]"):
        potential_difference(two, alive, discount=torch.tensor([[1.5]]))
