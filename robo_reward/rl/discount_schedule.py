"""The discount that learner and shaping read, one and the same at a time; it may grow as the policy comes further."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, final, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from robo_reward.models.progress_recogniser import ProgressRecogniser, discount_from_progress
from robo_reward.rl.hacking_monitor_episode import SeenEpisode
from robo_reward.shaping.potential_difference import check_discount


def side_by_side(views: Float[Tensor, "time view dim"]) -> Float[Tensor, "known joined"]:
    """Give one vector a frame set, the views' embeddings; frame sets that lack a picture are left out, not guessed."""
    joined = views.flatten(1)
    return joined[~joined.isnan().any(dim=1)]


@runtime_checkable
class Discount(Protocol):
    """Gives γ when it is needed.

    The target of a learner and the shaping in it call it once per batch and use the same number: shaping made with
    another γ than the learner's changes which policy is optimal. Keep potentials in a buffer, never shaped rewards.
    """

    def __call__(self) -> float:
        """Give the present discount per step, in (0, 1]."""
        ...


@final
class ConstantDiscount:
    """A discount that stays.

    Raises:
        ValueError: A discount outside (0, 1].
    """

    def __init__(self, discount: float) -> None:
        check_discount(discount)
        self._discount = discount

    def __call__(self) -> float:
        """Give the discount."""
        return self._discount


@final
class AutomaticDiscount:
    """Automatic discount scheduling: look only as far ahead as the policy follows the demonstrations.

        γ = α^{1/k}

    k grows with each episode that follows the demonstrations' first k frames about as far as they follow each other,
    by at most five frames an episode, and never shrinks; see `ProgressRecogniser`. While k is small, later rewards of
    a demonstration count nothing, so that the policy learns the early part first. k counts frames as the demonstrations
    were sampled: the policy's embeddings must come at the same rate.

    Args:
        recogniser: Holds the demonstrations' embeddings and the progress that the policy begins with.
        alpha: What a reward k steps ahead counts, in (0, 1).
        cameras: Names of the demonstrations' views, whose embeddings stand side by side; None = not known.

    Raises:
        ValueError: alpha outside (0, 1).

    Source:
        Automatic discount scheduling (2310.07433) and its code: k from a fifth of the horizon, α = 0.2.
    """

    def __init__(
        self, recogniser: ProgressRecogniser, *, alpha: float = 0.2, cameras: tuple[str, ...] | None = None
    ) -> None:
        discount_from_progress(1, alpha=alpha)
        self._recogniser, self._alpha, self._cameras = recogniser, alpha, cameras

    @classmethod
    def following(
        cls,
        demonstrations: Sequence[Float[Tensor, "_expert dim"]],
        *,
        alpha: float = 0.2,
        start: float = 0.2,
        metric: str = "cosine",
        cameras: tuple[str, ...] | None = None,
    ) -> "AutomaticDiscount":
        """Begin with a share of the demonstrations' length, as published.

        Args:
            demonstrations: Embeddings of at least two.
            alpha: What a reward k steps ahead counts, in (0, 1).
            start: Share of the longest demonstration that the policy is taken to follow at first, in (0, 1].
            metric: Distance of embeddings, "cosine" or "euclidean".
            cameras: Names of the views whose embeddings stand side by side; None = not known.

        Raises:
            ValueError: Fewer than two demonstrations, a start outside (0, 1], an unknown metric.
        """
        if not 0 < start <= 1:
            raise ValueError(f"start must be in (0, 1], got {start:g}")
        horizon = max((len(each) for each in demonstrations), default=0)
        progress = max(1, int(start * horizon))
        recogniser = ProgressRecogniser(demonstrations=demonstrations, progress=progress, metric=metric)
        return cls(recogniser, alpha=alpha, cameras=cameras)

    @property
    def progress(self) -> int:
        """Frames of the demonstrations that the policy follows (k)."""
        return self._recogniser.progress

    @property
    def state(self) -> dict[str, Any]:
        """What changes in training, as plain data."""
        return {"progress": self.progress}

    def __call__(self) -> float:
        """Give the present discount."""
        return self._recogniser.discount(alpha=self._alpha)

    def after_episode(self, embedding: Float[Tensor, "time dim"]) -> float:
        """Take the embeddings of one more finished episode, and give the discount from now on."""
        self._recogniser = self._recogniser.after(embedding)
        return self()

    def after_seen(self, episode: SeenEpisode) -> float:
        """Take one more finished episode of a training, and give the discount from now on.

        Raises:
            ValueError: It has no embeddings, or lacks a camera of the demonstrations.
        """
        views = episode.views(self._cameras)
        if views is None:
            raise ValueError("an automatic discount compares what an encoder saw, and the episode has no embeddings")
        lacking = set(self._cameras or ()) - set(episode.cameras or self._cameras or ())
        if lacking:
            raise ValueError(f"the episode lacks cameras {sorted(lacking)} that the demonstrations have")
        return self.after_episode(side_by_side(views))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave.

        Raises:
            ValueError: A progress outside the demonstrations.
        """
        known = self._recogniser
        self._recogniser = ProgressRecogniser(
            demonstrations=known.demonstrations,
            progress=int(state["progress"]),
            metric=known.metric,
            share=known.share,
            most_at_once=known.most_at_once,
        )
