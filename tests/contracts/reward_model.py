"""What every reward model owes the house; parametrise `CONTRACT` over a model and run each law."""

from collections.abc import Callable
from dataclasses import replace

import torch

from robo_reward import Clip, Estimate, RewardModel, RewardStream
from robo_reward.perception.encoder import EmbeddingRewardModel, embed_clip
from robo_reward.shaping import LinearPotential, PotentialTrace

DISCOUNT = 0.97


def random_clip(*, time: int = 7, cameras: tuple[str, ...] = ("front", "wrist"), seed: int = 0, batch: int = 1) -> Clip:
    """Frames of noise over drifting colours, cameras of different sizes, every camera present; a tool that wanders."""
    generator = torch.Generator().manual_seed(seed)
    views = {}
    for view, camera in enumerate(cameras):
        size = (20 + 4 * view, 28)
        colour = torch.randint(0, 200, (batch, time, 3, 1, 1), generator=generator)
        noise = torch.randint(0, 55, (batch, time, 3, *size), generator=generator)
        views[camera] = (colour + noise).to(torch.uint8)
    stamp = torch.linspace(0, 0.1 * (time - 1), time, dtype=torch.float64).expand(batch, -1).contiguous()
    present = torch.ones(batch, time, len(cameras), dtype=torch.bool)
    state = {
        "tool_position": torch.rand(batch, time, 3, generator=generator, dtype=torch.float64),
        "gripper_width": torch.rand(batch, time, 1, generator=generator, dtype=torch.float64) / 10,
    }
    return Clip(views=views, present=present, stamp=stamp, state=state)


def cut(clip: Clip, stop: int) -> Clip:
    return clip.take(torch.arange(stop), stamp=clip.stamp[0, :stop])


def absent(clip: Clip, where: torch.Tensor) -> Clip:
    """Lose cameras; where all are lost the robot feels nothing either."""
    present = clip.present & ~where
    blind = ~present.any(dim=-1, keepdim=True)
    state = {name: torch.where(blind, torch.nan, numbers) for name, numbers in clip.state.items()}
    return replace(clip, present=present, state=state)


def same(one: Estimate, other: Estimate) -> None:
    assert torch.equal(one.progress.nan_to_num(-1), other.progress.nan_to_num(-1))
    assert torch.equal(one.spread.nan_to_num(-1), other.spread.nan_to_num(-1))


def is_a_reward_model(model: RewardModel) -> None:
    assert isinstance(model, RewardModel)
    assert model.version == model.version != ""
    assert model.context is None or model.context >= 1


def gives_one_finite_float32_per_frame_without_gradient(model: RewardModel) -> None:
    clip = random_clip()
    estimate = model.estimate(clip)
    assert estimate.progress.shape == estimate.spread.shape == clip.stamp.shape
    assert estimate.progress.dtype == estimate.spread.dtype == torch.float32
    assert bool(torch.isfinite(estimate.progress).all())
    assert not estimate.progress.requires_grad


def is_deterministic_and_leaves_its_input_alone(model: RewardModel) -> None:
    clip = random_clip()
    before = {camera: frames.clone() for camera, frames in clip.views.items()}
    same(model.estimate(clip), model.estimate(clip))
    assert all(torch.equal(frames, before[camera]) for camera, frames in clip.views.items())


def is_causal(model: RewardModel) -> None:
    clip = random_clip()
    whole = model.estimate(clip)
    for stop in (1, 3, 6):
        part = model.estimate(cut(clip, stop))
        assert torch.equal(part.progress, whole.progress[:, :stop])


def gives_a_batch_what_it_gives_each_alone(model: RewardModel) -> None:
    both = random_clip(batch=3)
    together = model.estimate(both)
    for row in range(3):
        alone = Clip(
            views={camera: frames[row : row + 1] for camera, frames in both.views.items()},
            present=both.present[row : row + 1],
            stamp=both.stamp[row : row + 1],
            state={name: numbers[row : row + 1] for name, numbers in both.state.items()},
        )
        assert torch.equal(model.estimate(alone).progress[0], together.progress[row])


def ignores_the_pixels_of_an_absent_camera(model: RewardModel) -> None:
    clip = random_clip()
    gone = torch.zeros_like(clip.present)
    gone[:, 2:5, 1] = True
    other = dict(clip.views) | {"wrist": torch.where(gone[:, :, 1, None, None, None], 255, clip.views["wrist"]).byte()}
    noisy = replace(clip, views=other)
    same(model.estimate(absent(clip, gone)), model.estimate(absent(noisy, gone)))


def abstains_when_nothing_is_seen_or_felt(model: RewardModel) -> None:
    clip = random_clip()
    gone = torch.zeros_like(clip.present)
    gone[:, 3] = True
    estimate = model.estimate(absent(clip, gone))
    assert estimate.abstained[0].tolist() == [False] * 3 + [True] + [False] * 3
    assert bool(estimate.progress[0, 3].isnan())


def streams_what_it_gives_in_a_batch_bit_for_bit(model: RewardModel) -> None:
    clip = random_clip(time=9)
    gone = torch.zeros_like(clip.present)
    gone[:, 4] = True
    clip = absent(clip, gone)
    estimate = model.estimate(clip)
    trace = PotentialTrace(potential=LinearPotential()(estimate.progress[0]), version=model.version)
    expected = trace.rewards(discount=DISCOUNT, terminated=True)
    stream = RewardStream(model, discount=DISCOUNT)
    for t in range(9):
        views = {
            camera: frames[0, t] if bool(clip.present[0, t, view]) else None
            for view, (camera, frames) in enumerate(clip.views.items())
        }
        felt = {name: None if bool(n[0, t].isnan().any()) else n[0, t] for name, n in clip.state.items()}
        reward = stream.step(views, stamp=float(clip.stamp[0, t]), state=felt)
        assert (reward is None) == (t == 0)
        if reward is not None:
            assert reward.reward == float(expected[t - 1])
            assert reward.held == bool(estimate.abstained[0, t])
            assert reward.held or reward.progress == float(estimate.progress[0, t])
    assert stream.abstentions == 1
    assert stream.terminate() == float(expected[-1])


def embeds_or_looks_and_says_the_same(model: RewardModel) -> None:
    if isinstance(model, EmbeddingRewardModel):
        clip = random_clip()
        same(model.estimate(clip), model.estimate_embedded(embed_clip(model.encoder, clip)))


CONTRACT: tuple[Callable[[RewardModel], None], ...] = (
    is_a_reward_model,
    gives_one_finite_float32_per_frame_without_gradient,
    is_deterministic_and_leaves_its_input_alone,
    is_causal,
    gives_a_batch_what_it_gives_each_alone,
    ignores_the_pixels_of_an_absent_camera,
    abstains_when_nothing_is_seen_or_felt,
    streams_what_it_gives_in_a_batch_bit_for_bit,
    embeds_or_looks_and_says_the_same,
)
