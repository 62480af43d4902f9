"""A reward model whose embeddings are overheard, so that a success model need not encode the pictures again. No ROS."""

from typing import Any, final

from robo_reward.clip import Clip
from robo_reward.perception.encoder import EmbeddedClip, EmbeddingRewardModel, ImageEncoder, embed_clip
from robo_reward.reward_model import Estimate, RecurrentRewardModel, RewardModel


class _Overheard:
    def __init__(self, model: EmbeddingRewardModel) -> None:
        self.model = model
        self.latest: EmbeddedClip | None = None
        """The newest frame as the encoder saw it; None before the first."""

    @property
    def version(self) -> str:
        return self.model.version

    @property
    def context(self) -> int | None:
        return self.model.context

    @property
    def encoder(self) -> ImageEncoder:
        return self.model.encoder

    def estimate(self, clip: Clip) -> Estimate:
        return self.estimate_embedded(embed_clip(self.encoder, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        self.latest = clip.latest(1)
        return self.model.estimate_embedded(clip)


@final
class Overheard(_Overheard):
    """Answers exactly as the model does, and remembers the embedding of the newest frame."""


@final
class OverheardRecurrent(_Overheard):
    """The same for a model that carries a memory."""

    def resume(self, seen: EmbeddedClip, memory: Any | None) -> tuple[Estimate, Any]:
        """Estimate the next frames of an episode."""
        self.latest = seen.latest(1)
        return self.model.resume(seen, memory)  # pyright: ignore[reportAttributeAccessIssue]


def overhear(model: RewardModel) -> Overheard | OverheardRecurrent | None:
    """Give the model with an ear at its encoder; None where it looks through none."""
    if not isinstance(model, EmbeddingRewardModel):
        return None
    return OverheardRecurrent(model) if isinstance(model, RecurrentRewardModel) else Overheard(model)
