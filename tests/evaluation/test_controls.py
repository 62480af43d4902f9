import math

import pytest
import torch
from fake_encoder import FakeEncoder
from green_episodes import CAMERAS, ColourFraction, FrameCounter, colour_frames, recordings

from robo_reward import Clip, Estimate
from robo_reward.evaluation import value_order_correlation
from robo_reward.evaluation.controls import SensorNoise, noisy_still, run_controls, wrong_instruction_control
from robo_reward.evaluation.footage import EmbeddedFootage, PixelFootage, read_footage
from robo_reward.perception.encoder import embed_clip

NOISE = SensorNoise()


class GreenText:
    """Progress = likeness to green minus likeness to black, through an encoder."""

    version, context = "green-text", 1

    def __init__(self, encoder: FakeEncoder, text: str = "green") -> None:
        self.encoder = encoder
        goal, start = encoder.encode_text([text, "black"])
        self.direction, self.start = goal - start, start

    def estimate(self, clip: Clip) -> Estimate:
        return self.estimate_embedded(embed_clip(self.encoder, clip))

    def estimate_embedded(self, clip) -> Estimate:
        score = ((clip.embedding - self.start) * self.direction).sum(-1) / self.direction.square().sum()
        progress = score.nanmean(-1).clamp(0, 1)
        return Estimate(progress=progress, spread=torch.where(progress.isnan(), torch.nan, 0.1))


def controls_of(model, source, episode):
    footage = read_footage(source, episode, model=model, embed=None)
    progress = footage.estimate(model).progress[0]
    outcomes = run_controls(
        source, episode, footage=footage, model=model, progress=progress, noise=NOISE, seed=0, others=[]
    )
    return progress, {name: found[0] if len(found) == 1 else found for name, found in outcomes.items()}


@pytest.fixture(params=["pixels", "embeddings"])
def model(request):
    return ColourFraction("make it green") if request.param == "pixels" else GreenText(FakeEncoder())


def test_backwards_a_model_of_single_frames_gives_exactly_the_opposite(model):
    source = recordings()
    for episode in source.episodes[:4]:
        progress, outcomes = controls_of(model, source, episode)
        assert outcomes["reversed"].voc.value == -value_order_correlation(progress).value
        assert outcomes["reversed"].shift == 0.0


def test_a_still_scene_has_no_order_for_a_model_of_single_frames(model):
    source = recordings(per_task=12)
    outcomes = [controls_of(model, source, episode)[1] for episode in source.episodes[:12]]
    assert all(outcome["static_exact"].voc.degenerate for outcome in outcomes)
    noisy = [found for outcome in outcomes for found in outcome["static"]]
    assert not any(found.voc.degenerate for found in noisy)
    values = torch.tensor([found.voc.value for found in noisy])
    assert values.mean().abs() < 0.07  # 96 orders of 32 frames: standard error .018
    assert 0.1 < values.abs().mean() < 0.2  # √(2/π)/√31 = .143: each order has the noise of its length


def test_a_model_that_counts_frames_is_caught_by_every_control_of_order():
    source = recordings()
    _, outcomes = controls_of(FrameCounter(), source, source.episodes[0])
    assert [found.voc.value for found in outcomes["static"]] == [1.0] * NOISE.num_orders
    for name in ("static_exact", "reversed", "shuffled", "blank"):
        assert outcomes[name].voc.value == 1.0


def test_shuffling_shows_every_frame_once():
    source = recordings()
    progress, outcomes = controls_of(ColourFraction("make it green"), source, source.episodes[0])
    assert outcomes["shuffled"].progress == pytest.approx(float(progress.mean()), abs=1e-6)
    assert abs(outcomes["shuffled"].voc.value) < 0.6
    assert outcomes["shuffled"].shift == 0.0


def test_black_cameras_and_a_lost_camera(model):
    source = recordings()
    progress, outcomes = controls_of(model, source, source.episodes[0])
    assert {"blank", *(f"dropped_{camera}" for camera in CAMERAS)} <= set(outcomes)
    assert outcomes["blank"].voc.degenerate
    assert outcomes["blank"].shift == pytest.approx(
        float((progress - outcomes["blank"].progress).abs().mean()), abs=1e-6
    )
    assert outcomes["dropped_front"].abstained == 0.0
    assert outcomes["dropped_front"].shift < 0.02  # both cameras see the same colour


def test_the_last_camera_that_is_lost_makes_the_model_abstain(model):
    source = recordings()
    footage = read_footage(source, source.episodes[0], model=model, embed=None)
    blind = footage.without("front").without("wrist").estimate(model)
    assert bool(blind.abstained.all())


def test_a_wrong_instruction_sees_no_order():
    source = recordings()
    right, wrong = ColourFraction("make it green"), ColourFraction("make it blue")
    footage = read_footage(source, source.episodes[0], model=right, embed=None)
    (outcome,) = wrong_instruction_control(footage, [wrong], progress=footage.estimate(right).progress[0])
    assert outcome.voc.degenerate
    assert outcome.shift > 0.2


def test_embeddings_and_pixels_are_one_mechanism():
    source, encoder = recordings(), FakeEncoder()
    model, episode = GreenText(encoder), source.episodes[0]
    embedded = read_footage(source, episode, model=model, embed=None)
    pixels = PixelFootage(clip=next(source.clips(episode, num_frames=episode.num_frames)))
    index, stamp = torch.tensor([5, 0, 3]), torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    for change in (lambda f: f, lambda f: f.take(index, stamp=stamp), lambda f: f.without("wrist")):
        assert torch.equal(change(embedded).estimate(model).progress, change(pixels).estimate(model).progress)


def test_a_cache_of_embeddings_is_asked_once_and_believed():
    source, model, asked = recordings(), GreenText(FakeEncoder()), []

    def embed(episode):
        asked.append(episode.index)
        return embed_clip(model.encoder, next(source.clips(episode, num_frames=episode.num_frames)))

    footage = read_footage(source, source.episodes[2], model=model, embed=embed)
    assert asked == [2]
    assert isinstance(footage, EmbeddedFootage)


def test_embeddings_of_another_encoder_are_refused():
    source = recordings()
    footage = read_footage(source, source.episodes[0], model=GreenText(FakeEncoder(seed=0)), embed=None)
    with pytest.raises(ValueError, match="must share one encoder: the embeddings are from fake-8-16-0"):
        footage.estimate(GreenText(FakeEncoder(seed=1)))
    with pytest.raises(TypeError, match="EmbeddingRewardModel only, not to ColourFraction"):
        footage.estimate(ColourFraction("make it green"))


def still(value: float = 0.5) -> Clip:
    frames = colour_frames([value], 1)
    return Clip(
        views={"a": frames, "b": frames},
        present=torch.ones(1, 1, 2, dtype=torch.bool),
        stamp=torch.tensor([[3.0]], dtype=torch.float64),
    )


def test_noise_is_that_of_a_camera_and_the_same_for_the_same_seed():
    clip = noisy_still(still(), noise=SensorNoise(flicker=0.0, num_frames=50), seed=4, fps=10.0)
    error = clip.views["a"].double() - still().views["a"].double()
    assert error.std() == pytest.approx(math.hypot(2.0, 12**-0.5), rel=0.02)  # 2/255, and rounding
    assert abs(error.mean()) < 0.05
    again = noisy_still(still(), noise=SensorNoise(flicker=0.0, num_frames=50), seed=4, fps=10.0)
    assert torch.equal(clip.views["a"], again.views["a"])
    assert not torch.equal(clip.views["a"], clip.views["b"])
    assert clip.stamp[0, :3].tolist() == pytest.approx([3.0, 3.1, 3.2])


def test_flicker_moves_whole_frames():
    clip = noisy_still(still(), noise=SensorNoise(pixel=0.0, flicker=0.05, num_frames=200), seed=4, fps=10.0)
    bright = clip.views["a"][0, :, 1].double().mean((-1, -2)) / 128
    assert bright.std() == pytest.approx(0.05, rel=0.15)


def test_bad_noise_is_refused():
    with pytest.raises(ValueError, match="noise must be >= 0, got pixel=-1"):
        SensorNoise(pixel=-1.0)
    with pytest.raises(ValueError, match="at least 2 frames to have an order, got 1"):
        SensorNoise(num_frames=1)
    with pytest.raises(ValueError, match="num_orders must be at least 1, got 0"):
        SensorNoise(num_orders=0)
    with pytest.raises(ValueError, match="fps must be > 0, got 0"):
        noisy_still(still(), noise=NOISE, seed=0, fps=0.0)
    with pytest.raises(ValueError, match="a still is made from one frame"):
        noisy_still(noisy_still(still(), noise=NOISE, seed=0, fps=1.0), noise=NOISE, seed=0, fps=1.0)
