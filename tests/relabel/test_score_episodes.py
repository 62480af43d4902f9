"""Episodes scored chunk by chunk, where models of one run look in different ways."""

import pytest
import torch
from fake_encoder import FakeEncoder
from recorded import greenness, record_red_to_green

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.models.watched import WatchedCameras
from robo_reward.relabel import score_episodes as scoring

TASKS = ("make it green", "make it greener")


class LooksAtPixels:
    """A model without an encoder, which makes the run hand out frames instead of embeddings."""

    version, context = "looks", 1

    def estimate(self, clip):
        return greenness().estimate(clip)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_a_model_with_a_memory_beside_one_without_an_encoder_is_shown_embeddings(chunk, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", chunk)
    source = LeRobotEpisodes(record_red_to_green(tmp_path / "data", [9, 12], instructions=TASKS))
    models = {TASKS[0]: WatchedCameras(FakeEncoder(), model=greenness()), TASKS[1]: LooksAtPixels()}
    found = scoring.score_episodes(source, models, episodes=source.episodes, store=None)
    for episode, scores in found:
        (whole,) = source.clips(episode, num_frames=64)
        assert torch.equal(scores.estimate.progress, greenness().estimate(whole).progress)
        assert scores.success_probability is None
