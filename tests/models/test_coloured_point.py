from dataclasses import replace

import numpy as np
import pytest
import torch
from key_point_plans import table_rig

from robo_reward.camera.rig_file import write_rig
from robo_reward.clip import Clip
from robo_reward.models.coloured_point import coloured_point
from robo_reward.models.rig_point import RigPoint
from robo_reward.models.still_point import StillPoint

WIDTH, HEIGHT, RED = 160, 120, (210, 30, 30)
RIG = table_rig(width=WIDTH, height=HEIGHT)
WAY = np.linspace((-0.15, 0.66, 0.05), (0.12, 0.74, 0.12), 5)
RADIUS = 0.02


def picture_of(camera, centre) -> torch.Tensor:
    """A red ball of 2 cm before grey: every pixel whose ray comes as near to its centre."""
    down, right = np.mgrid[:HEIGHT, :WIDTH]
    origin, direction = camera.rays(np.stack([right, down], axis=-1).reshape(-1, 2).astype(float))
    away = centre - origin
    distance = np.linalg.norm(away - (away * direction).sum(-1, keepdims=True) * direction, axis=-1)
    drawn = np.full((HEIGHT * WIDTH, 3), 140, np.uint8)
    drawn[distance <= RADIUS] = RED
    return torch.from_numpy(drawn.reshape(HEIGHT, WIDTH, 3)).permute(2, 0, 1).contiguous()


@pytest.fixture(scope="module")
def seen() -> Clip:
    views = {name: torch.stack([picture_of(camera, at) for at in WAY])[None] for name, camera in RIG.cameras.items()}
    stamp = torch.arange(len(WAY), dtype=torch.float64)[None] / 10
    return Clip(views=views, present=torch.ones(1, len(WAY), 2, dtype=torch.bool), stamp=stamp)


def test_a_moving_ball_is_located_within_its_own_deviation(seen):
    located, _ = coloured_point(RIG, colour=RED).locate(seen, None)
    error = np.linalg.norm(located.position[0].numpy() - WAY, axis=1)
    deviation = np.sqrt(np.trace(located.covariance[0].numpy(), axis1=1, axis2=2))
    assert error.max() < 0.003
    assert (error < 3 * deviation).all()


def test_one_that_stands_still_is_where_it_was_while_a_camera_does_not_see_it(seen):
    still = coloured_point(RIG, colour=RED, still=True)
    assert isinstance(still, StillPoint)
    present = seen.present.clone()
    present[0, 1:, 0] = False
    located, _ = still.locate(replace(seen, present=present), None)
    assert np.linalg.norm(located.position[0].numpy() - WAY[0], axis=1).max() < 0.003
    moving, _ = coloured_point(RIG, colour=RED).locate(replace(seen, present=present), None)
    assert moving.position[0, 1:].isnan().all()


def test_the_rig_may_be_a_file_and_cameras_chosen(seen, tmp_path):
    write_rig(RIG, tmp_path / "rig.yaml")
    one, same = (coloured_point(tmp_path / "rig.yaml", colour=RED, cameras=each) for each in ([], ["side", "top"]))
    assert isinstance(one, RigPoint)
    near, _ = coloured_point(RIG, colour=RED).locate(seen, None)
    for each in (one, same):
        assert torch.allclose(each.locate(seen, None)[0].position, near.position, atol=1e-6)
    one = coloured_point(RIG, colour=RED)
    changes = [{"colour": (30, 30, 210)}, {"still": True}, {"pixel_std": 1.0}, {"hue_tolerance": 20.0}]
    changes += [{"min_saturation": 0.5}, {"min_area": 9}]
    versions = {coloured_point(RIG, **({"colour": RED} | change)).version for change in changes}
    assert len(versions | {one.version}) == 7
    with pytest.raises(ValueError, match=r"two cameras or more, got \['top'\]"):
        coloured_point(RIG, colour=RED, cameras=["top"])
    with pytest.raises(ValueError, match="the rig has no camera 'front'"):
        coloured_point(RIG, colour=RED, cameras=["top", "front"])
