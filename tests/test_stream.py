import pytest
import torch
from fake_encoder import FakeEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from robo_reward import Clip, Estimate, RewardStream
from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.shaping import LinearPotential


class Greenness:
    """Progress is the green share of the newest frame; a whole window gives the mean over `context` frames."""

    def __init__(self, context: int | None = 1) -> None:
        self.context, self.version, self.seen = context, f"greenness-{context}", []

    def estimate(self, clip: Clip) -> Estimate:
        self.seen.append(clip.stamp.shape[1])
        green = torch.stack([frames[:, :, 1].float().mean(dim=(-1, -2)) / 255 for frames in clip.views.values()], -1)
        unseen = ~clip.present.any(dim=-1)
        width = clip.stamp.shape[1] if self.context is None else self.context
        padded = torch.cat([green[:, :1].expand(-1, width - 1, -1), green], dim=1).unfold(1, width, 1)
        progress = padded.mean(dim=(-1, -2)).clamp(0, 1)
        nan = torch.full_like(progress, torch.nan)
        return Estimate(
            progress=torch.where(unseen, nan, progress), spread=torch.where(unseen, nan, torch.full_like(progress, 0.1))
        )


def frame(green: float) -> torch.Tensor:
    picture = torch.zeros(3, 4, 4, dtype=torch.uint8)
    picture[1] = round(green * 255)
    return picture


def run(stream: RewardStream, greens, **last):
    rewards = [stream.step({"front": frame(green)}, stamp=float(t)) for t, green in enumerate(greens[:-1])]
    return [*rewards, stream.step({"front": frame(greens[-1])}, stamp=float(len(greens) - 1), **last)]


def test_the_first_frame_has_no_reward_and_then_each_transition_has_one():
    first, second = run(RewardStream(Greenness(), discount=0.5), [0.2, 0.8])
    assert first is None
    assert second.progress == second.potential == pytest.approx(0.8)
    assert second.reward == pytest.approx(0.5 * 0.8 - 0.2, abs=1e-6)
    assert second.spread == pytest.approx(0.1)
    assert second.stamp == 1.0
    assert second.version == "greenness-1"


@settings(max_examples=30)
@given(
    greens=st.lists(st.floats(0, 1), min_size=2, max_size=12), discount=st.floats(0.1, 1.0), terminated=st.booleans()
)
def test_streamed_rewards_telescope(greens, discount, terminated):
    stream = RewardStream(Greenness(), discount=discount, potential=LinearPotential(scale=3.0, offset=-0.5))
    rewards = run(stream, greens, terminated=terminated, truncated=not terminated)[1:]
    first = 3.0 * (round(greens[0] * 255) / 255 - 0.5)
    total = sum(discount**t * reward.reward for t, reward in enumerate(rewards))
    kept = 0.0 if terminated else discount ** len(rewards) * rewards[-1].potential
    assert total == pytest.approx(kept - first, abs=1e-6)
    potentials = [rewards[0].potential, *(reward.potential for reward in rewards[1:])]
    inner = sum(discount**t * reward.reward for t, reward in enumerate(rewards[1:]))
    if len(rewards) > 1:
        last = 0.0 if terminated else discount ** (len(rewards) - 1) * potentials[-1]
        assert inner == pytest.approx(last - potentials[0], abs=1e-12)


def test_truncation_keeps_the_potential_and_both_ends_start_another_episode():
    for ending, reward in (({"terminated": True}, -0.2), ({"truncated": True}, 0.5 * 0.8 - 0.2)):
        stream = RewardStream(Greenness(), discount=0.5)
        assert run(stream, [0.2, 0.8], **ending)[-1].reward == pytest.approx(reward, abs=1e-6)
        assert stream.step({"front": frame(0.0)}, stamp=0.0) is None


def test_a_skip_of_k_steps_is_discounted_k_times():
    stream = RewardStream(Greenness(), discount=0.5)
    assert run(stream, [0.2, 0.8], steps=3)[-1].reward == pytest.approx(0.125 * 0.8 - 0.2, abs=1e-6)


def test_an_abstention_holds_the_last_potential_is_counted_and_caught_up():
    stream = RewardStream(Greenness(), discount=1.0)
    stream.step({"front": frame(0.2)}, stamp=0.0)
    held = stream.step({"front": None}, stamp=1.0)
    caught_up = stream.step({"front": frame(0.6)}, stamp=2.0)
    assert held.held
    assert held.reward == 0.0
    assert held.progress != held.progress
    assert held.potential == pytest.approx(0.2)
    assert caught_up.reward == pytest.approx(0.4, abs=1e-6)
    assert stream.abstentions == 1


def test_nothing_is_rewarded_before_the_first_known_potential():
    stream = RewardStream(Greenness(), discount=1.0)
    assert stream.step({"front": None}, stamp=0.0) is None
    assert stream.step({"front": None}, stamp=1.0) is None
    assert stream.terminate() is None
    assert stream.abstentions == 2


def test_a_terminal_state_that_no_camera_saw_costs_the_last_potential():
    stream = RewardStream(Greenness(), discount=0.5)
    run(stream, [0.2, 0.8])
    assert stream.terminate() == pytest.approx(-0.8, abs=1e-6)
    assert stream.step({"front": frame(0.1)}, stamp=0.0) is None


@pytest.mark.parametrize("context", [1, 3, None])
def test_the_model_sees_no_more_frames_than_it_depends_on_and_says_what_it_says_in_a_batch(context):
    greens = [0.1, 0.4, 0.2, 0.9, 0.6, 0.7]
    model = Greenness(context)
    rewards = run(RewardStream(model, discount=0.9), greens)[1:]
    assert max(model.seen) == (context or len(greens))
    whole = Clip(
        views={"front": torch.stack([frame(green) for green in greens])[None]},
        present=torch.ones(1, 6, 1, dtype=torch.bool),
        stamp=torch.arange(6, dtype=torch.float64)[None],
    )
    if context is not None:
        progress = Greenness(context).estimate(whole).progress[0, 1:]
        assert [reward.progress for reward in rewards][context - 1 :] == progress.tolist()[context - 1 :]


def test_a_model_that_looks_through_an_encoder_has_every_frame_encoded_once():
    class Counting(FakeEncoder):
        embedded = 0

        def embed(self, pixels):
            Counting.embedded += len(pixels)
            return super().embed(pixels)

    class Remembering:
        version, context = "remembering", None

        def __init__(self):
            self.encoder = Counting()
            self._inner = PromptSimilarity(self.encoder, goal=["green"], baseline=["red"], alpha=0.0)

        def estimate(self, clip):
            return self._inner.estimate(clip)

        def estimate_embedded(self, clip):
            return self._inner.estimate_embedded(clip)

    run(RewardStream(Remembering(), discount=0.9), [0.1, 0.2, 0.3, 0.4, 0.5])
    assert Counting.embedded == 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda stream: stream.step({"wrist": frame(0.5)}, stamp=1.0),
            r"began with cameras \['front'\], this frame set",
        ),
        (
            lambda stream: stream.step({"front": frame(0.5)}, stamp=0.0),
            "stamp 0.0 s is not later than the previous one",
        ),
        (lambda stream: stream.step({"front": frame(0.5)}, stamp=1.0, steps=0), "steps must be >= 1, got 0"),
    ],
)
def test_impossible_frame_sets_are_refused_and_the_stream_goes_on(call, message):
    stream = RewardStream(Greenness(), discount=0.5)
    stream.step({"front": frame(0.2)}, stamp=0.0)
    with pytest.raises(ValueError, match=message):
        call(stream)
    assert stream.step({"front": frame(0.8)}, stamp=1.0).reward == pytest.approx(0.2, abs=1e-6)


class Height:
    """Progress is the tool's height, unknown where the robot did not say."""

    context, version = None, "height"

    def estimate(self, clip: Clip) -> Estimate:
        height = clip.state["tool_position"][..., 2].float()
        return Estimate(progress=height, spread=height * 0)


def test_a_model_feels_the_state_of_every_set_and_one_that_did_not_arrive_is_unknown():
    stream = RewardStream(Height(), discount=1.0)
    heights = [0.1, None, 0.4, 0.9]
    felt = [None if h is None else torch.tensor([0, 0, h], dtype=torch.float64) for h in heights]
    rewards = [
        stream.step({"front": frame(0)}, stamp=float(t), state={"tool_position": numbers})
        for t, numbers in enumerate(felt)
    ]
    assert [reward.held for reward in rewards[1:]] == [True, False, False]
    assert sum(reward.reward for reward in rewards[1:]) == pytest.approx(0.8, abs=1e-6)


def test_a_state_that_goes_missing_or_changes_its_size_is_refused():
    stream = RewardStream(Height(), discount=1.0)
    with pytest.raises(ValueError, match=r"state \['tool_position'\]: pass NaN of its size where the first set"):
        stream.step({"front": frame(0)}, stamp=0.0, state={"tool_position": None})
    stream.step({"front": frame(0)}, stamp=0.0, state={"tool_position": torch.zeros(3, dtype=torch.float64)})
    with pytest.raises(ValueError, match=r"the episode began with state \['tool_position'\], this set has \[\]"):
        stream.step({"front": frame(0)}, stamp=1.0)


def test_a_discount_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"discount must be in \(0, 1\], got 0"):
        RewardStream(Greenness(), discount=0.0)
