"""The safety nets of a training as they are configured, and the demonstrations that they compare with."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from robo_reward.cli.build import build
from robo_reward.cli.train_task import TrainingTask
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.models.watched import WatchedCameras
from robo_reward.perception.encoder import EmbeddingRewardModel
from robo_reward.relabel.embed_episodes import EpisodeEmbedder
from robo_reward.reward_model import RewardModel
from robo_reward.rl.demonstrations import Demonstrations
from robo_reward.rl.discount_schedule import AutomaticDiscount, side_by_side
from robo_reward.rl.hacking_monitor_settings import HackingMonitorSettings
from robo_reward.rl.safety_nets import SafetyNets
from robo_reward.shaping import Potential


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomaticDiscountSettings:
    """How the discount grows; see `AutomaticDiscount.following`."""

    alpha: float = 0.2
    """What a reward k steps ahead counts, in (0, 1)."""
    start: float = 0.2
    """Share of the longest demonstration that the policy is taken to follow at first, in (0, 1]."""
    metric: str = "cosine"

    def following(self, demonstrations: Demonstrations) -> AutomaticDiscount:
        """Give the discount that begins with these demonstrations."""
        return AutomaticDiscount.following(
            [side_by_side(each) for each in demonstrations.embeddings],
            alpha=self.alpha,
            start=self.start,
            metric=self.metric,
            cameras=demonstrations.cameras,
        )


def no_monitor() -> None:
    """Stand for `monitor=none` in the configuration."""


def fixed_discount() -> None:
    """Stand for `discount_schedule=fixed` in the configuration."""


def nets_of(
    config: DictConfig, model: RewardModel | None, *, task: TrainingTask, potential: Potential, output: Path
) -> SafetyNets:
    """Give the nets of a training whose reward is perceived; none where no model is asked.

    Raises:
        ValueError: A rule or a discount that the reward model or the task has nothing for.
    """
    watching: HackingMonitorSettings | None = build(config.monitor)
    growing: AutomaticDiscountSettings | None = build(config.discount_schedule)
    if model is None:
        if growing is not None:
            raise ValueError(f"discount_schedule=automatic needs a reward model, and reward={config.reward} asks none")
        return SafetyNets()
    wanted = growing is not None or (watching is not None and watching.wants_demonstrations)
    shown = _demonstrations(config, model, task=task, output=output, record=growing is not None) if wanted else None
    if growing is not None and shown is None:
        raise ValueError(
            "discount_schedule=automatic follows demonstrations: it needs a task with task.record and a reward model "
            "that looks through an encoder; or take discount_schedule=fixed"
        )
    monitor = None
    if watching is not None:
        monitor = watching.monitor(
            potential,
            embeds=isinstance(model, EmbeddingRewardModel),
            watch=model.watch if isinstance(model, WatchedCameras) else None,
            demonstrations=shown,
        )
    return SafetyNets(monitor=monitor, discount=None if growing is None or shown is None else growing.following(shown))


def _demonstrations(
    config: DictConfig, model: RewardModel, *, task: TrainingTask, output: Path, record: bool
) -> Demonstrations | None:
    """Look at the demonstrations in the output folder; those that are missing are recorded only where they must be."""
    folder = output / "demonstrations"
    if not isinstance(model, EmbeddingRewardModel):
        return None
    if not folder.exists() and record and task.record is not None:
        task.record.record_demonstrations(folder)
    if not folder.exists():
        return None
    source = LeRobotEpisodes(folder)
    Console(stderr=True, soft_wrap=True).print("looking at the demonstrations", markup=False)
    embedder = EpisodeEmbedder(model.encoder, source, store=build(config.embeddings), batch_size=config.batch_size)
    clips = [clip for _, clip in embedder.embed_all(source.episodes)]
    return Demonstrations(embeddings=[clip.embedding[0] for clip in clips], cameras=clips[0].cameras)
