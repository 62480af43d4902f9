"""The least advanced camera: what caution does to the reading of a frame."""

import pytest
import torch
from demonstrations import demonstration, small_process

from robo_reward.models.process_reader import mean_progress
from robo_reward.perception.encoder import EmbeddedClip


@pytest.fixture(scope="module")
def reader():
    return small_process().fitted_to([demonstration()]).reader


def contradicting(clip: EmbeddedClip) -> EmbeddedClip:
    """The second camera runs backwards."""
    embedding = torch.stack([clip.embedding[:, :, 0], clip.embedding[:, :, 1].flip(1)], dim=2)
    return EmbeddedClip(embedding=embedding, cameras=clip.cameras, stamp=clip.stamp)


def only(clip: EmbeddedClip, view: int) -> EmbeddedClip:
    embedding = torch.full_like(clip.embedding, torch.nan)
    embedding[:, :, view] = clip.embedding[:, :, view]
    return EmbeddedClip(embedding=embedding, cameras=clip.cameras, stamp=clip.stamp)


def test_full_caution_is_the_minimum_of_what_the_cameras_say_alone(reader):
    clip = contradicting(demonstration().clip)
    front, wrist = (reader.read(only(clip, view)).probability[0] for view in range(2))
    joint = front[:, :, None] * wrist[:, None, :]
    bins = joint.shape[1]
    least = torch.zeros_like(front)
    for one in range(bins):
        for other in range(bins):
            least[:, min(one, other)] += joint[:, one, other]
    found = reader.with_caution(1.0).read(clip).probability[0]
    assert torch.allclose(found, least, atol=1e-9)
    assert bool((mean_progress(found) <= torch.minimum(mean_progress(front), mean_progress(wrist)) + 1e-9).all())


def test_a_frame_of_one_camera_is_read_as_without_caution(reader):
    clip = only(demonstration().clip, 1)
    careless, cautious = reader.read(clip).probability, reader.with_caution(0.5).read(clip).probability
    assert torch.allclose(careless, cautious, atol=1e-9)


def test_of_one_demonstration_no_camera_is_known_alone(reader):
    assert float(reader.caution) == 0
