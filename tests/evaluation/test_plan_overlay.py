from dataclasses import replace

import av
import numpy as np
import pytest
import torch
from key_point_plans import table_rig, way_seen

from robo_reward.errors import OutputError
from robo_reward.evaluation.plan_overlay import paint_frame, paint_plan, plan_video
from robo_reward.models.keypoint_affordance import KeypointAffordance

WAY, GRASP, POINT = (86, 180, 233), (230, 120, 60), (255, 210, 0)


def painted(**changes):
    clip, rig, plan, source = way_seen(**changes)
    located, _ = source.locate(clip, None)
    return clip, rig, plan, located, paint_plan(clip, rig=rig, plan=plan, located=located)


def colour_at(picture, pixel):
    right, down = np.round(pixel).astype(int)
    return tuple(picture[:, down, right].tolist())


def test_way_points_are_drawn_where_the_camera_sees_them():
    _, rig, plan, _, drawn = painted()
    for name, camera in rig.cameras.items():
        for position in plan.positions:
            assert colour_at(drawn.views[name][0, 3], camera.project(position)) == WAY


def test_the_grasp_has_a_colour_of_its_own():
    clip, rig, plan, source = way_seen()
    located, _ = source.locate(clip, None)
    drawn = paint_plan(clip, rig=rig, plan=replace(plan, grasp=1), located=located)
    pixel = rig.cameras["top"].project(plan.positions[1])
    assert colour_at(drawn.views["top"][0, 3], pixel) == GRASP


def test_the_tracked_point_is_drawn_where_it_is_and_not_where_nobody_knows():
    _, rig, _, located, drawn = painted()
    for t in (1, 2, 4, 5):
        pixel = rig.cameras["side"].project(located.position[0, t].numpy())
        assert colour_at(drawn.views["side"][0, t], pixel) == POINT
    yellow = torch.tensor(POINT, dtype=torch.uint8)[:, None, None]
    assert not bool((drawn.views["side"][0, 3] == yellow).all(dim=0).any())


def test_the_ellipse_is_two_deviations_wide():
    camera = table_rig().cameras["top"]
    _, _, plan, _ = way_seen()
    far = replace(plan, way_points=tuple(replace(p, position=p.position + 50.0) for p in plan.way_points))
    position = np.array([0.05, 0.68, 0.1])
    for std in (0.02, 0.04):
        picture = paint_frame(
            np.zeros((480, 640, 3), np.uint8),
            camera=camera,
            plan=far,
            trail=position[None],
            covariance=np.eye(3) * std**2,
        )
        columns = np.flatnonzero((picture[..., 0] > 60).any(axis=0))
        depth = camera.T_base_camera.inverse().apply(position)[2]
        expected = 4 * std / depth * camera.intrinsics.focal_x
        assert columns.max() - columns.min() == pytest.approx(expected, rel=0.08)


def test_the_frames_that_are_given_stay_as_they_were():
    clip, rig, plan, source = way_seen()
    before = {name: frames.clone() for name, frames in clip.views.items()}
    located, _ = source.locate(clip, None)
    paint_plan(clip, rig=rig, plan=plan, located=located)
    assert all(torch.equal(clip.views[name], frames) for name, frames in before.items())


def test_pictures_of_another_size_have_the_plan_at_the_same_place():
    clip, _, plan, source = way_seen()
    located, _ = source.locate(clip, None)
    large = table_rig(width=640, height=480)  # the same view, measured at four times the size
    drawn = paint_plan(clip, rig=large, plan=plan, located=located)
    small = table_rig(width=160, height=120).cameras["top"]
    assert colour_at(drawn.views["top"][0, 3], small.project(plan.positions[0])) == WAY


def test_the_video_has_every_frame(tmp_path):
    clip, rig, plan, source = way_seen()
    located, _ = source.locate(clip, None)
    estimate = KeypointAffordance(plan, point=source).estimate(clip)
    plan_video(tmp_path / "plan.mp4", clip, rig=rig, plan=plan, located=located, estimate=estimate, fps=10.0)
    with av.open(str(tmp_path / "plan.mp4")) as container:
        assert len(list(container.decode(video=0))) == 6
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        plan_video(tmp_path / "file" / "p.mp4", clip, rig=rig, plan=plan, located=located, estimate=estimate, fps=10.0)


def test_what_cannot_be_painted_is_refused():
    clip, rig, plan, source = way_seen()
    located, _ = source.locate(clip, None)
    other = replace(clip, views={"front": clip.views["top"]}, present=clip.present[..., :1])
    with pytest.raises(ValueError, match=r"no camera of the clip \['front'\] is in the rig"):
        paint_plan(other, rig=rig, plan=plan, located=located)
    both = clip.views | {name: frames.expand(2, -1, -1, -1, -1) for name, frames in clip.views.items()}
    two = replace(clip, views=both, present=clip.present.expand(2, -1, -1), stamp=clip.stamp.expand(2, -1), state={})
    with pytest.raises(ValueError, match="got a batch of 2"):
        paint_plan(two, rig=rig, plan=plan, located=located)
