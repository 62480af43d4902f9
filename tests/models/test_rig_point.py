from dataclasses import replace

import numpy as np
import pytest
import torch
from key_point_plans import piece, plan, table_rig

from robo_reward.camera.rig_file import write_rig
from robo_reward.clip import Clip
from robo_reward.models.keypoint_affordance import KeypointAffordance
from robo_reward.models.rig_point import RigPoint, rig_point
from robo_reward.perception.point_tracker import PointTracker, TrackedPoints

WIDTH, HEIGHT = 240, 180
RIG = table_rig(width=WIDTH, height=HEIGHT)
START, END = np.array([-0.15, 0.66, 0.03]), np.array([0.12, 0.74, 0.12])
WAY = np.linspace(START, END, 8)
PATCH = torch.randint(0, 256, (3, 8, 8), generator=torch.Generator().manual_seed(3)).float()
PATCH = torch.nn.functional.interpolate(PATCH[None], size=(33, 33), mode="bicubic")[0].clamp(0, 255)


def picture_of(camera, point) -> torch.Tensor:
    """A grey picture with a textured square whose middle is exactly where the camera sees the point."""
    right, down = camera.project(point)
    columns, rows = torch.arange(WIDTH) - float(right), torch.arange(HEIGHT) - float(down)
    y, x = torch.meshgrid(rows / 16.5, columns / 16.5, indexing="ij")
    drawn = torch.nn.functional.grid_sample(
        PATCH[None], torch.stack([x, y], dim=-1)[None].float(), align_corners=False, padding_mode="border"
    )[0]
    inside = (x.abs() < 1) & (y.abs() < 1)
    return torch.where(inside, drawn, 120.0).round().to(torch.uint8)


def clip(points=WAY) -> Clip:
    views = {
        name: torch.stack([picture_of(camera, point) for point in points])[None] for name, camera in RIG.cameras.items()
    }
    stamp = torch.arange(len(points), dtype=torch.float64)[None] / 10
    return Clip(views=views, present=torch.ones(1, len(points), 2, dtype=torch.bool), stamp=stamp)


def point(**settings) -> RigPoint:
    references = {name: picture_of(camera, START) for name, camera in RIG.cameras.items()}
    pixels = {name: camera.project(START).tolist() for name, camera in RIG.cameras.items()}
    return rig_point(RIG, references=references, pixels=pixels, **settings)


def test_a_point_that_two_cameras_follow_is_found_within_5_mm():
    located, _ = point(pixel_std=0.1).locate(clip(), None)
    error = np.linalg.norm(located.position[0].numpy() - WAY, axis=1)
    assert error.max() < 0.005
    deviation = np.sqrt([np.linalg.eigvalsh(each).max() for each in located.covariance[0].numpy()])
    assert (deviation < 0.005).all()
    assert (error < 4 * deviation).all()


def test_the_rig_s_own_error_is_part_of_the_covariance():
    sure, unsure = (point(pixel_std=std).locate(clip(WAY[:1]), None)[0].covariance[0, 0] for std in (0.2, 2.0))
    assert float(unsure.trace()) > 10 * float(sure.trace())


def test_where_one_camera_alone_sees_it_nobody_knows_where_it_is():
    seen = clip()
    present = seen.present.clone()
    present[0, 3, 1] = False
    located, _ = point().locate(replace(seen, present=present), None)
    unknown = located.position[0].isnan().any(dim=-1)
    assert unknown.tolist() == [at == 3 for at in range(8)]
    assert bool(located.covariance[0, 3].isnan().all())


def test_piecewise_is_whole_bit_for_bit():
    seen, source = clip(), point()
    whole, _ = source.locate(seen, None)
    memory, found = None, []
    for start, stop in ((0, 1), (1, 4), (4, 8)):
        located, memory = source.locate(piece(seen, start, stop), memory)
        found.append(located.position)
    assert torch.equal(torch.cat(found, dim=1), whole.position)


def test_a_batch_gets_what_each_gets_alone():
    one, other = clip(), clip(WAY[::-1].copy())
    both = Clip(
        views={name: torch.cat([one.views[name], other.views[name]]) for name in one.views},
        present=torch.cat([one.present, other.present]),
        stamp=torch.cat([one.stamp, other.stamp]),
    )
    together, _ = point().locate(both, None)
    for row, each in enumerate((one, other)):
        assert torch.equal(together.position[row], point().locate(each, None)[0].position[0])


def test_progress_follows_the_point_that_the_cameras_see():
    way = plan(tuple(START), tuple(END))
    model = KeypointAffordance(way, point=point(pixel_std=0.2))
    estimate = model.estimate(clip())
    assert estimate.progress[0].tolist() == pytest.approx(np.linspace(0, 1, 8).tolist(), abs=0.02)
    assert bool((estimate.spread > 0).all())


class Says:
    """A tracker that always says the same pixel, with the same doubt."""

    version, num_points = "says", 1

    def __init__(self, pixel=(5.0, 5.0), *, std=1.0):
        self._pixel, self._std = np.array(pixel), std

    def follow(self, frames, present, memory=None):
        return TrackedPoints(
            pixels=np.tile(self._pixel, (len(frames), 1, 1)),
            covariance=np.tile(np.eye(2) * self._std**2, (len(frames), 1, 1, 1)),
        ), None


def test_the_doubt_of_the_image_tracks_is_part_of_the_covariance():
    traces = []
    for std in (1.0, 10.0):
        trackers = {name: Says(camera.project(START), std=std) for name, camera in RIG.cameras.items()}
        located, _ = RigPoint(RIG, trackers=trackers, pixel_std=0.1).locate(clip(WAY[:1]), None)
        traces.append(float(located.covariance[0, 0].trace()))
    assert traces[1] == pytest.approx(100 * traces[0], rel=0.02)


def test_cameras_that_contradict_each_other_know_nothing():
    at = RIG.cameras["top"].project(START)[None]
    top = PointTracker(picture_of(RIG.cameras["top"], START), at)
    source = RigPoint(RIG, trackers={"top": top, "side": Says()})
    assert bool(source.locate(clip(WAY[:2]), None)[0].position.isnan().all())


def test_pictures_and_rig_may_be_files(tmp_path):
    from PIL import Image

    references = {}
    for name, camera in RIG.cameras.items():
        Image.fromarray(picture_of(camera, START).permute(1, 2, 0).numpy()).save(tmp_path / f"{name}.png")
        references[name] = tmp_path / f"{name}.png"
    write_rig(RIG, tmp_path / "rig.yaml")
    pixels = {name: camera.project(START).tolist() for name, camera in RIG.cameras.items()}
    one, same = (rig_point(tmp_path / "rig.yaml", references=references, pixels=pixels) for _ in range(2))
    other = rig_point(str(tmp_path / "rig.yaml"), references=references, pixels=pixels, pixel_std=1.0)
    assert one.version == same.version != other.version
    assert torch.allclose(one.locate(clip(), None)[0].position, point().locate(clip(), None)[0].position)


def test_what_cannot_be_is_refused():
    pixels = {name: camera.project(START).tolist() for name, camera in RIG.cameras.items()}
    with pytest.raises(ValueError, match=r"two cameras or more, got \['side'\]"):
        RigPoint(RIG, trackers={"side": Says()})
    with pytest.raises(ValueError, match="pixel_std must be > 0 px"):
        RigPoint(RIG, trackers={"side": Says(), "top": Says()}, pixel_std=0.0)
    with pytest.raises(ValueError, match="the rig has no camera 'front'"):
        RigPoint(RIG, trackers={"side": Says(), "front": Says()})
    with pytest.raises(ValueError, match="both must name the same"):
        rig_point(RIG, references={"top": picture_of(RIG.cameras["top"], START)}, pixels=pixels)
    seen = clip(WAY[:1])
    with pytest.raises(ValueError, match=r"the clip has no camera \['side'\]"):
        point().locate(replace(seen, views={"top": seen.views["top"]}, present=seen.present[..., :1]), None)
    small = {name: frames[..., :100, :] for name, frames in seen.views.items()}
    with pytest.raises(ValueError, match="frames of camera 'top' are 240 x 100 px, the rig was measured at 240 x 180"):
        point().locate(replace(seen, views=small), None)
