"""What an interrupted run had finished: scores of whole episodes, bound to the job that gave them."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from robo_reward.clip import Episode
from robo_reward.durable import atomic_file
from robo_reward.errors import OutputError
from robo_reward.relabel.score_episodes import Scores
from robo_reward.reward_model import Estimate


def job_fingerprint(provenance: Mapping[str, Any], episodes: Sequence[Episode]) -> str:
    """Identify a job by everything that decides its result: two runs of equal fingerprint end in equal bytes."""
    facts = [
        {
            "index": episode.index,
            "instruction": episode.instruction,
            "cameras": episode.cameras,
            "stamp": episode.stamp.tolist(),
            "terminated": episode.terminated,
            "success": None if episode.success is None else episode.success.tolist(),
        }
        for episode in episodes
    ]
    return hashlib.sha256(json.dumps([provenance, facts], sort_keys=True).encode()).hexdigest()


class Journal:
    """Scores of finished episodes on disk, one file each, that appear whole or not at all.

    Args:
        folder: Where they lie; made if absent.
        fingerprint: Of the job. An earlier run of the same job is continued.

    Raises:
        OutputError: The folder belongs to another job.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        marker = folder / "job"
        if marker.exists() and marker.read_text() != fingerprint:
            raise OutputError(
                f"{folder.parent} holds an interrupted run of another job (other model, settings or episodes): "
                "remove it, or name another output"
            )
        with atomic_file(marker) as temporary:
            temporary.write_text(fingerprint)

    def save(self, episode: Episode, scores: Scores) -> None:
        """Keep the scores of an episode."""
        tensors = {"progress": scores.estimate.progress, "spread": scores.estimate.spread}
        if scores.success_probability is not None:
            tensors["success_probability"] = scores.success_probability.contiguous()
        with atomic_file(self._file(episode)) as temporary:
            save_file(tensors, temporary)

    def load(self, episode: Episode) -> Scores:
        """Read the scores of a finished episode.

        Raises:
            OutputError: The file was damaged after it was written.
        """
        try:
            tensors = load_file(self._file(episode))
        except (SafetensorError, OSError) as error:
            raise OutputError(f"{self._file(episode)} is damaged ({error}); remove it and run again") from error
        return Scores(
            estimate=Estimate(progress=tensors["progress"], spread=tensors["spread"]),
            success_probability=tensors.get("success_probability"),
        )

    def has(self, episode: Episode) -> bool:
        """Whether the episode is finished."""
        return self._file(episode).exists()

    def remove(self) -> None:
        """Forget the job."""
        shutil.rmtree(self._folder)

    def _file(self, episode: Episode) -> Path:
        return self._folder / f"episode-{episode.index:06d}.safetensors"
