from dataclasses import replace

import numpy as np
import pytest
import torch
from key_point_plans import felt, piece

from robo_reward.models.still_point import StillPoint
from robo_reward.models.tracked_point import Located, PointSource

NAN = float("nan")


class Told:
    """A source that says what the clip's tool position says, as surely as its x says: a deviation of x / 10 [m]."""

    version = "told"

    def locate(self, seen, memory):
        position = seen.state["tool_position"]
        deviation = (position[..., :1, None] / 10).square()
        return Located(position=position, covariance=deviation * torch.eye(3, dtype=torch.float64)), (memory or 0) + 1


def located(*positions, pieces=None):
    clip = felt(torch.tensor([positions], dtype=torch.float64))
    if pieces is None:
        return StillPoint(Told()).locate(clip, None)[0]
    memory, found, at = None, [], 0
    for length in pieces:
        part, memory = StillPoint(Told()).locate(piece(clip, at, at + length), memory)
        found.append(part)
        at += length
    return Located(
        position=torch.cat([each.position for each in found], dim=1),
        covariance=torch.cat([each.covariance for each in found], dim=1),
    )


def test_it_is_a_point_source_with_a_version_of_its_own():
    assert isinstance(StillPoint(Told()), PointSource)
    assert StillPoint(Told()).version not in ("told", StillPoint(StillPoint(Told())).version)


def test_it_is_known_from_its_first_sighting_on_hidden_or_not():
    found = located((NAN,) * 3, (1, 2, 3), (NAN,) * 3, (NAN,) * 3)
    assert found.position[0, 0].isnan().all()
    assert found.covariance[0, 0].isnan().all()
    assert found.position[0, 1:].tolist() == pytest.approx(np.array([[1, 2, 3]] * 3))
    assert found.covariance[0, 3].numpy() == pytest.approx(0.01 * np.eye(3))


def test_sightings_count_by_how_sure_they_are():
    """Of 1 and 2, the second being half as sure in deviation: (1 / 0.1² + 2 / 0.2²) / (1 / 0.1² + 1 / 0.2²) = 1.2."""
    found = located((1, 1, 1), (2, 2, 2))
    assert found.position[0, 1].tolist() == pytest.approx([1.2] * 3)


def test_many_sightings_are_no_surer_than_the_surest():
    found = located((2, 0, 0), (1, 0, 0), (1, 0, 0), (2, 0, 0))
    assert found.covariance[0, :, 0, 0].tolist() == pytest.approx([0.04, 0.01, 0.01, 0.01])


def test_piecewise_is_whole_bit_for_bit_and_a_batch_gets_what_each_gets_alone():
    rng = np.random.default_rng(0)
    way = [tuple(each) for each in rng.uniform(0.5, 1, (6, 3)).tolist()]
    way[2] = (NAN,) * 3
    whole, parts = located(*way), located(*way, pieces=(1, 3, 2))
    assert torch.equal(whole.position, parts.position)
    assert torch.equal(whole.covariance, parts.covariance)
    both = felt(torch.tensor([way, way[::-1]], dtype=torch.float64))
    together, memory = StillPoint(Told()).locate(both, None)
    assert torch.equal(together.position[0], whole.position[0])
    assert torch.equal(together.position[1], located(*way[::-1]).position[0])
    assert memory.point == 1  # the source's own memory is carried
    assert StillPoint(Told()).locate(both, memory)[1].point == 2


def test_an_episode_knows_nothing_of_another_one():
    clip = felt(torch.tensor([[(1, 1, 1)]], dtype=torch.float64))
    source = StillPoint(Told())
    source.locate(clip, None)
    unknown = replace(clip, state={"tool_position": torch.full((1, 1, 3), NAN, dtype=torch.float64)})
    assert source.locate(unknown, None)[0].position.isnan().all()
