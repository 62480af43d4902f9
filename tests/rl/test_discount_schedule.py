import json

import pytest
import torch

from robo_reward.models.progress_recogniser import longest_increasing
from robo_reward.rl.discount_schedule import AutomaticDiscount, ConstantDiscount, Discount, side_by_side
from robo_reward.rl.hacking_monitor_episode import SeenEpisode
from robo_reward.shaping import potential_difference

HORIZON = 50
PUBLISHED = {5: 0.7248, 10: 0.8513, 20: 0.9227, 50: 0.9683, 100: 0.984, 125: 0.9872}
"""γ for k frames of progress, α = 0.2; re-derived for this project."""


def demonstration(seed: int, *, length: int = HORIZON) -> torch.Tensor:
    """A quarter turn in the plane with a little noise beside it: cosine tells where a frame is."""
    noise = torch.Generator().manual_seed(seed)
    angle = torch.linspace(0, torch.pi / 2, length)
    turn = torch.stack([angle.cos(), angle.sin()], dim=1)
    return torch.cat([turn, 0.001 * torch.randn(length, 4, generator=noise)], dim=1)


def schedule(**settings) -> AutomaticDiscount:
    return AutomaticDiscount.following([demonstration(seed) for seed in range(3)], **settings)


@pytest.mark.parametrize(("progress", "discount"), PUBLISHED.items())
def test_the_discount_of_a_progress_is_the_published_one(progress, discount):
    long = AutomaticDiscount.following([demonstration(seed, length=125) for seed in range(2)])
    long.restore({"progress": progress})
    assert long() == pytest.approx(discount, abs=5e-5)


def test_order_counts_as_in_the_acceptance_table():
    assert longest_increasing([0, 1, 2, 2, 1, 3]) == 4


def test_it_begins_with_a_fifth_of_the_demonstrations():
    assert schedule().progress == 10
    assert schedule()() == pytest.approx(0.8513, abs=5e-5)


def test_a_policy_that_follows_sees_further_by_five_frames_an_episode():
    growing = schedule()
    seen = [growing.after_episode(demonstration(9)) for _ in range(10)]
    assert growing.progress == HORIZON
    assert seen == sorted(seen)
    assert seen[0] == pytest.approx(0.2 ** (1 / 15))
    assert seen[-1] == pytest.approx(0.9683, abs=5e-5)


def test_a_policy_that_goes_backwards_stalls_or_stays_at_the_start_sees_no_further():
    path = demonstration(9)
    for episode in (path.flip(0), path[:1].expand(HORIZON, -1)):
        growing = schedule()
        growing.after_episode(episode)
        assert growing.progress == 10
    stalled = torch.cat([path[:25], path[24:25].expand(25, -1)])
    growing = schedule()
    for _ in range(20):
        growing.after_episode(stalled)
    assert 20 <= growing.progress <= 30  # half-way, and a tenth that `share` forgives


def test_shaping_with_the_present_discount_telescopes_and_with_an_earlier_one_it_does_not():
    """The learner's return of F is γ^T Φ_T − Φ_0 for the γ it uses, whatever γ was when the frames came."""
    growing, potential = schedule(), torch.rand(1, 21, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    alive = torch.zeros(1, 20, dtype=torch.bool)
    early = growing()
    growing.after_episode(demonstration(9))
    late = growing()
    assert late > early
    weights = late ** torch.arange(20, dtype=torch.float64)
    telescoped = late**20 * potential[0, -1] - potential[0, 0]
    fresh, stale = (potential_difference(potential, alive, discount=each)[0] for each in (late, early))
    assert float(weights @ fresh) == pytest.approx(float(telescoped), abs=1e-12)
    assert abs(float(weights @ stale) - float(telescoped)) > 0.1


def test_a_resumed_schedule_goes_on_where_it_was():
    one, other = schedule(), schedule()
    one.after_episode(demonstration(9))
    other.restore(json.loads(json.dumps(one.state)))
    assert other.progress == one.progress == 15
    assert other.after_episode(demonstration(8)) == one.after_episode(demonstration(8))


def test_learner_and_shaping_read_either_kind_alike():
    constant = ConstantDiscount(0.98)
    assert isinstance(constant, Discount)
    assert isinstance(schedule(), Discount)
    assert constant() == 0.98


def test_what_is_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"discount must be in \(0, 1\], got 0"):
        ConstantDiscount(0.0)
    with pytest.raises(ValueError, match=r"start must be in \(0, 1\], got 0"):
        schedule(start=0.0)
    with pytest.raises(ValueError, match=r"alpha must be in \(0, 1\), got 1"):
        schedule(alpha=1.0)
    with pytest.raises(ValueError, match="at least two demonstrations are compared, got 1"):
        AutomaticDiscount.following([demonstration(0)])
    with pytest.raises(ValueError, match=r"progress must be in \[1, 50\], got 51"):
        schedule().restore({"progress": 51})


def seen(views: torch.Tensor, *cameras: str) -> SeenEpisode:
    known = torch.zeros(len(views), dtype=torch.float64)
    return SeenEpisode(
        potential=known, shaping=known[1:], success=None, terminated=False, embedding=views.float(), cameras=cameras
    )


def test_a_frame_set_that_lacks_a_picture_is_left_out_and_not_taken_for_zero():
    views = torch.stack([demonstration(9), demonstration(10)], dim=1)
    lost = views.clone()
    lost[20:25, 1] = torch.nan
    assert torch.equal(side_by_side(lost), torch.cat([views[:20], views[25:]]).flatten(1))


def test_an_episode_whose_camera_was_never_there_moves_nothing_and_one_without_the_camera_is_refused():
    demonstrations = [torch.cat([demonstration(seed), demonstration(seed + 9)], dim=1) for seed in range(3)]
    growing = AutomaticDiscount.following(demonstrations, cameras=("front", "wrist"))
    views = torch.stack([demonstration(3), demonstration(12)], dim=1)
    dark = views.clone()
    dark[:, 1] = torch.nan
    assert growing.after_seen(seen(dark, "front", "wrist")) == growing()
    assert growing.progress == 10
    growing.after_seen(seen(views, "front", "wrist"))
    assert growing.progress == 15
    with pytest.raises(ValueError, match=r"the episode lacks cameras \['wrist'\] that the demonstrations have"):
        growing.after_seen(seen(views[:, :1], "front"))
