"""Negative controls: footage on which a trustworthy reward shows no progress, or the opposite of it."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from robo_reward.clip import Clip, Episode
from robo_reward.episodes.source import EpisodeSource
from robo_reward.evaluation.footage import Footage, show
from robo_reward.evaluation.spread_calibration import abstention_rate
from robo_reward.evaluation.value_order import OrderCorrelation, value_order_correlation
from robo_reward.reward_model import RewardModel

DROPPED = "dropped_"
"""What the name of a control without one camera begins with; the camera follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorNoise:
    """What a camera adds to a scene that stands still.

    Raises:
        ValueError: A negative amount, or fewer than two frames.
    """

    pixel: float = 2.0
    """Standard deviation of each pixel and channel [1/255]; 0 = none."""
    flicker: float = 0.01
    """Standard deviation of a frame's relative brightness; 0 = none."""
    num_frames: int = 32
    """Length of the noisy clip; bounded because each of its frames must be looked at anew."""
    num_orders: int = 8
    """The noisy frames are shown in so many random orders, all equally likely to have been recorded: it costs no frame
    that must be encoded, and takes the luck of one order out of the figure."""

    def __post_init__(self) -> None:
        if self.pixel < 0 or self.flicker < 0:
            raise ValueError(f"noise must be >= 0, got pixel={self.pixel:g}, flicker={self.flicker:g}")
        if self.num_frames < 2:
            raise ValueError(f"a noisy clip needs at least 2 frames to have an order, got {self.num_frames}")
        if self.num_orders < 1:
            raise ValueError(f"num_orders must be at least 1, got {self.num_orders}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlOutcome:
    """What a model said about one piece of control footage."""

    voc: OrderCorrelation
    abstained: float
    """Fraction of frames on which the model did not say."""
    progress: float
    """Mean progress over the known frames; NaN if there is none."""
    shift: float
    """Mean |progress − recorded progress of the frame it came from|, over the frames known to both; NaN if none."""


def run_controls(
    source: EpisodeSource,
    episode: Episode,
    *,
    footage: Footage,
    model: RewardModel,
    progress: Float[Tensor, " time"],
    noise: SensorNoise,
    seed: int,
    others: Sequence[RewardModel],
) -> Mapping[str, Sequence[ControlOutcome]]:
    """Run every control on one episode.

    Args:
        source: Where the first frame is decoded from.
        episode: Which episode.
        footage: The episode as its model looks at it.
        model: The model of the episode's task.
        progress: Recorded progress.
        noise: Noise of the static control.
        seed: Seed of noise and shuffling; the index of the episode is added.
        others: Models of other tasks.
    """
    first = next(source.clips(episode, num_frames=1))
    seed += episode.index
    single = {
        **order_controls(footage, model, progress=progress, seed=seed),
        **camera_controls(footage, model, progress=progress, first=first),
    }
    return {
        "static": static_control(first, model, progress=progress[0], noise=noise, seed=seed, fps=source.fps),
        **{name: [outcome] for name, outcome in single.items()},
        "wrong_instruction": wrong_instruction_control(footage, others, progress=progress),
    }


def order_controls(
    footage: Footage, model: RewardModel, *, progress: Float[Tensor, " time"], seed: int
) -> Mapping[str, ControlOutcome]:
    """Show the episode's own frames in an order that tells nothing, or the contrary.

    `static_exact`: the first frame for the whole length. `reversed`: last frame first. `shuffled`: at random. Stamps
    increase in all of them.

    Args:
        footage: The episode.
        model: The model of the episode's task.
        progress: Recorded progress, to tell how far each frame's progress moves.
        seed: Seed of the shuffling.
    """
    time = footage.stamp.shape[0]
    orders = {
        "static_exact": torch.zeros(time, dtype=torch.int64),
        "reversed": torch.arange(time - 1, -1, -1),
        "shuffled": torch.randperm(time, generator=torch.Generator().manual_seed(seed)),
    }
    return {
        name: _outcome(footage.take(index, stamp=footage.stamp), model, reference=progress[index])
        for name, index in orders.items()
    }


def camera_controls(
    footage: Footage, model: RewardModel, *, progress: Float[Tensor, " time"], first: Clip
) -> Mapping[str, ControlOutcome]:
    """Blind the model: all cameras black (`blank`), or one camera without frames (`dropped_` and its name).

    Args:
        footage: The episode.
        model: The model of the episode's task.
        progress: Recorded progress.
        first: The first frame of the episode, whose sizes the black frames take.
    """
    black = replace(
        first,
        views={name: torch.zeros_like(frames) for name, frames in first.views.items()},
        present=torch.ones_like(first.present),
    )
    nothing = torch.zeros(footage.stamp.shape[0], dtype=torch.int64)
    outcomes = {
        "blank": _outcome(show(black, model).take(nothing, stamp=footage.stamp), model, reference=progress),
    }
    for camera in footage.cameras:
        outcomes[DROPPED + camera] = _outcome(footage.without(camera), model, reference=progress)
    return outcomes


def static_control(
    first: Clip, model: RewardModel, *, progress: Float[Tensor, ""], noise: SensorNoise, seed: int, fps: float
) -> Sequence[ControlOutcome]:
    """Show a scene that stands still, through cameras with noise: nothing happens, so progress has no order.

    A repeated frame without noise gives a model that judges frames one by one no chance to fail.

    Args:
        first: The first frame of the episode.
        model: The model of the episode's task.
        progress: Recorded progress of that frame.
        noise: Amount of noise, length of the clip, number of orders.
        seed: Seed of noise and orders.
        fps: Frame rate of the clip [1/s].

    Returns:
        One outcome per order.
    """
    footage = show(noisy_still(first, noise=noise, seed=seed, fps=fps), model)
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(noise.num_frames, generator=generator) for _ in range(noise.num_orders)]
    reference = progress.expand(noise.num_frames)
    return [_outcome(footage.take(order, stamp=footage.stamp), model, reference=reference) for order in orders]


def wrong_instruction_control(
    footage: Footage, others: Sequence[RewardModel], *, progress: Float[Tensor, " time"]
) -> Sequence[ControlOutcome]:
    """Let models of other tasks look at the episode: it is no progress towards what they were asked."""
    return [_outcome(footage, other, reference=progress) for other in others]


def noisy_still(first: Clip, *, noise: SensorNoise, seed: int, fps: float) -> Clip:
    """Repeat one set of frames with Gaussian pixel noise and brightness flicker, independent in each frame and camera.

    Raises:
        ValueError: `first` has more than one frame, or `fps` is not positive.
    """
    if first.stamp.shape != (1, 1):
        raise ValueError(f"a still is made from one frame, got a clip of (batch, time) {tuple(first.stamp.shape)}")
    if not fps > 0:
        raise ValueError(f"fps must be > 0, got {fps:g}")
    time = noise.num_frames
    return Clip(
        views={name: _noisy(frames, noise, seed ^ zlib.crc32(name.encode())) for name, frames in first.views.items()},
        present=first.present.expand(1, time, -1),
        stamp=first.stamp + torch.arange(time, dtype=torch.float64) / fps,
        state={name: numbers.expand(-1, time, -1) for name, numbers in first.state.items()},
    )


def _noisy(frames: Tensor, noise: SensorNoise, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (1, noise.num_frames, *frames.shape[2:])
    gain = 1 + noise.flicker * torch.randn(1, noise.num_frames, 1, 1, 1, generator=generator)
    pixel = torch.randn(shape, generator=generator).mul_(noise.pixel)
    return pixel.add_(frames * gain).round_().clamp_(0, 255).to(torch.uint8)


def _outcome(footage: Footage, model: RewardModel, *, reference: Tensor) -> ControlOutcome:
    progress = footage.estimate(model).progress[0]
    return ControlOutcome(
        voc=value_order_correlation(progress),
        abstained=abstention_rate(progress),
        progress=float(progress.nanmean()),
        shift=float((progress - reference).abs().nanmean()),
    )
