import pytest
import torch

from robo_reward.models.process_training import bin_centres, soft_labels
from robo_reward.models.progress_filter import FilterMemory, FilterSettings, ProgressFilter, unrest

BINS, DURATION = 64, 10.0
UNREST = torch.tensor([0.1, 0.1])
FLAT = torch.full((1, BINS), 1 / BINS, dtype=torch.float64)


def reading(*progress: float) -> torch.Tensor:
    likely = soft_labels(torch.tensor(progress)).double()
    return likely / likely.sum(dim=-1, keepdim=True)


def picture(*places: float) -> torch.Tensor:
    """Two cameras' pictures of a place, as far from each other as the places."""
    return torch.tensor(places)[:, None, None].expand(-1, 2, 3).contiguous() / 3**0.5


FAR = 100.0
"""Places so far apart that every frame is a look."""


def mean(memory: FilterMemory) -> float:
    return float((memory.belief * bin_centres()).sum())


def follow(
    probability, pictures, *, rate: float = 10.0, memory: FilterMemory | None = None, start: int = 0, **settings
):
    """Give the memory after each frame of one episode."""
    steps = ProgressFilter(FilterSettings(**settings), duration=DURATION, unrest=UNREST)
    found = []
    for t, (said, shown) in enumerate(zip(probability, pictures, strict=True), start=start):
        stamp = torch.tensor([t / rate], dtype=torch.float64)
        memory = steps.step(memory, probability=said, pictures=shown, stamp=stamp)
        found.append(memory)
    return found


def walk(places: torch.Tensor, *, rate: float = 10.0, apart: float = FAR, **how) -> list[FilterMemory]:
    """Frames that read and look like the place they are at."""
    said, shown = [reading(float(each)) for each in places], [picture(apart * float(each)) for each in places]
    return follow(said, shown, rate=rate, **how)


def test_belief_is_a_distribution():
    for memory in walk(torch.linspace(0, 1, 100)):
        assert float(memory.belief.sum()) == pytest.approx(1, abs=1e-12)
        assert float(memory.belief.min()) >= 0


def test_progress_follows_the_readings_and_walks_back_when_they_are_reversed():
    places = torch.cat([torch.linspace(0, 1, 100), torch.linspace(1, 0, 100)])
    found = [mean(memory) for memory in walk(places)]
    assert found[99] > 0.9
    assert found[-1] < 0.1
    there, back = torch.tensor(found[5:99:10]), torch.tensor(found[199:105:-10])
    assert float((there - back).abs().max()) < 0.25  # each lags a little behind its own way
    assert bool((torch.tensor(found[:99:5]).diff() > 0).all())
    assert bool((torch.tensor(found[105::5]).diff() < 0).all())


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_still_scene_moves_nothing_for_ever(noise):
    generator = torch.Generator().manual_seed(0)
    said = [reading(0.3)] + [reading(0.9)] * 500  # whatever single frames would say
    shown = [picture(0.5) + noise * (torch.rand(1, 2, 3, generator=generator) - 0.5) for _ in said]
    found = follow(said, shown)
    assert all(torch.equal(memory.belief, found[0].belief) for memory in found)


def test_a_picture_that_changed_is_looked_at():
    found = follow([reading(0.3), reading(0.9), reading(0.9)], [picture(0.5), picture(0.5), picture(0.7)])
    assert mean(found[1]) == mean(found[0])
    assert mean(found[2]) > mean(found[0])


def test_slow_motion_is_motion():
    """Each step is less than the unrest; the way from the last picture that counted is not."""
    found = walk(torch.linspace(0.2, 0.8, 100), apart=2.0)
    assert mean(found[-1]) > 0.7


def test_flat_readings_drift_nowhere():
    shown = [picture(float(place)) for place in torch.arange(300)]
    middle = FilterMemory(belief=reading(0.5), anchor=picture(-1.0), stamp=torch.tensor([-0.1], dtype=torch.float64))
    found = follow([FLAT] * 300, shown, memory=middle)
    assert all(mean(memory) == pytest.approx(0.5, abs=1e-9) for memory in found)
    assert float(found[-1].belief.max()) < 0.05
    assert torch.allclose(found[-1].belief, found[-1].belief.flip(1), atol=1e-12)


def test_there_and_back_are_alike():
    """A mirrored task gives the mirrored belief: neither direction is favoured."""
    places = torch.cat([torch.linspace(0.1, 0.8, 40), torch.linspace(0.8, 0.3, 30)])
    for one, other in zip(walk(places), walk(1 - places), strict=True):
        assert torch.allclose(one.belief, other.belief.flip(1), atol=1e-6)


def test_the_frame_rate_does_not_matter():
    places = {rate: torch.linspace(0, 1, 10 * rate + 1) for rate in (10, 30)}
    found = {rate: [mean(memory) for memory in walk(each, rate=float(rate))] for rate, each in places.items()}
    slow, fast = torch.tensor(found[10]), torch.tensor(found[30][::3])
    assert float((slow - fast).abs().max()) < 0.05


def test_more_frames_of_the_same_time_are_no_more_evidence():
    """What frames vaguely say convinces at the pace of time, not of frames."""
    vague = 0.7 * FLAT + 0.3 * reading(0.7)
    found = {}
    for rate in (10, 30):
        said = [reading(0.3), *[vague] * rate]
        shown = [picture(FAR * t) for t in range(rate + 1)]
        found[rate] = mean(follow(said, shown, rate=float(rate), looks=34.0, diffusion=0.6)[-1])
    assert 0.35 < found[10] < 0.65
    assert found[10] == pytest.approx(found[30], abs=0.03)


def test_a_batch_is_each_alone_bit_for_bit():
    places = torch.rand(3, 40, generator=torch.Generator().manual_seed(1))
    rows = [walk(row) for row in places]
    together = _batched(places)
    for row, alone in enumerate(rows):
        assert torch.equal(torch.cat([memory.belief for memory in alone]), together[row])


def _batched(places: torch.Tensor) -> torch.Tensor:
    steps, memory, found = ProgressFilter(FilterSettings(), duration=DURATION, unrest=UNREST), None, []
    for t, column in enumerate(places.T):
        memory = steps.step(
            memory,
            probability=reading(*column.tolist()),
            pictures=picture(*(FAR * column).tolist()),
            stamp=torch.full((3,), t / 10, dtype=torch.float64),
        )
        found.append(memory.belief)
    return torch.stack(found, dim=1)


def blind(count: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    return [FLAT * torch.nan] * count, [picture(0.0) * torch.nan] * count


def test_frames_that_no_camera_saw_keep_the_belief():
    said, shown = blind(5)
    first = follow([reading(0.4)], [picture(0.4)])[-1]
    found = follow(said, shown, memory=first, start=1)
    assert all(torch.equal(memory.belief, first.belief) for memory in found)
    after = follow([reading(0.9)], [picture(0.9)], memory=found[-1], start=6)[-1]
    assert mean(after) > mean(first)


def test_an_episode_begins_with_the_first_frame_that_a_camera_saw():
    said, shown = blind(3)
    found = follow([*said, reading(0.7)], [*shown, picture(0.7)])
    assert bool(found[2].belief.isnan().all())
    assert torch.equal(found[3].belief, reading(0.7))


def test_a_camera_that_shows_itself_is_a_look_and_one_that_comes_back_to_a_still_scene_is_none():
    half = picture(0.5)
    half[:, 1] = torch.nan
    found = follow([reading(0.3), reading(0.3), reading(0.9)], [half, half, picture(0.5)])
    assert mean(found[2]) > mean(found[1])
    flickers = follow([reading(0.3), *[reading(0.9)] * 40], [picture(0.5), *[half, picture(0.5)] * 20])
    assert torch.equal(flickers[-1].belief, flickers[0].belief)
    moved = follow([reading(0.3), reading(0.9), reading(0.9)], [picture(0.5), half, picture(0.9)])
    assert mean(moved[2]) > mean(moved[1])


def test_one_wrong_frame_is_doubted():
    places = torch.linspace(0.4, 0.5, 30)
    said = [reading(float(each)) for each in places]
    said[20] = reading(1.0)
    found = follow(said, [picture(FAR * float(each)) for each in places])
    assert abs(mean(found[20]) - mean(found[19])) < 0.05


def test_unrest_is_the_quietest_tenth_or_a_twentieth_of_how_far_pictures_lie_apart():
    generator = torch.Generator().manual_seed(0)
    noise = 0.01 * torch.randn(200, 2, 3, generator=generator)
    moving = noise + torch.linspace(0, 50, 200)[:, None, None] * torch.tensor([0.0, 1.0])[:, None]
    moving[:100, 1] = noise[:100, 1]
    still, found = unrest([torch.zeros(5, 2, 3)], stillness=3.0), unrest([moving, moving * torch.nan], stillness=2.0)
    assert still.tolist() == [0, 0]
    assert 0.005 < float(found[0]) / 2 < 0.02
    apart = torch.pdist(moving[:, 1]).median()
    assert float(found[1]) / 2 == pytest.approx(0.05 * float(apart), rel=0.05)
    assert unrest([moving * torch.nan], stillness=2.0).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"looks": 0.0}, "looks must be > 0, got 0.0"), ({"doubt": 1.0}, "doubt must be < 1, got 1.0")],
)
def test_settings_are_checked(wrong, message):
    with pytest.raises(ValueError, match=message):
        FilterSettings(**wrong)
    with pytest.raises(ValueError, match="duration must be > 0 s, got 0"):
        ProgressFilter(FilterSettings(), duration=0.0, unrest=UNREST)
