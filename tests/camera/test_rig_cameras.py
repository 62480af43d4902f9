import numpy as np
import pytest
from looking_cameras import STRONG, around

from robo_reward.camera.rig import Measurement, Rig


@pytest.mark.parametrize("distortion", [None, STRONG], ids=["pinhole", "distorted"])
def test_a_point_lies_on_the_ray_through_its_pixel(distortion):
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.2, 0.2, (30, 3))
    for camera in around(4, distortion=distortion):
        origin, directions = camera.rays(camera.project(points))
        np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1, atol=1e-12)
        np.testing.assert_allclose(np.cross(points - origin, directions), 0, atol=1e-12)
        assert ((points - origin) * directions).sum(axis=-1).min() > 0
        np.testing.assert_allclose(origin, camera.T_base_camera.translation)


def test_the_place_that_a_camera_looks_at_is_in_the_middle_of_its_picture():
    for camera in around(4):
        lens = camera.intrinsics
        np.testing.assert_allclose(camera.project(np.array([0, 0, 0.1])), [lens.centre_x, lens.centre_y], atol=1e-9)
        above = camera.project(np.array([0, 0, 0.2]))
        assert above[1] < lens.centre_y  # up in the world is up in the picture, where rows count down


def test_a_point_behind_a_camera_has_no_pixel():
    camera = around(1)[0]
    assert np.isnan(camera.project(np.array([2.0, 0.0, 1.1]))).all()


def test_a_camera_is_given_by_name_and_an_unknown_one_refused_with_those_there_are():
    rig = Rig(cameras=dict(zip(("left", "right"), around(2), strict=True)), base_frame="base_link")
    assert rig.camera("right") is rig.cameras["right"]
    with pytest.raises(ValueError, match="the rig has no camera 'top'; its cameras: left, right"):
        rig.camera("top")


def test_what_is_no_rig_is_refused():
    camera = around(1)[0]
    with pytest.raises(ValueError, match="a rig needs at least one camera; cameras is empty"):
        Rig(cameras={}, base_frame="base_link")
    with pytest.raises(ValueError, match="a camera of the rig has an empty name"):
        Rig(cameras={" ": camera}, base_frame="base_link")
    with pytest.raises(ValueError, match="base_frame must name the frame"):
        Rig(cameras={"left": camera}, base_frame="")
    with pytest.raises(ValueError, match="date must be YYYY-MM-DD or 'unknown', got '21.11.2026'"):
        Measurement(date="21.11.2026", how="by hand")
    with pytest.raises(ValueError, match="how must say in words"):
        Measurement(date="unknown", how="")
    with pytest.raises(ValueError, match="residual_px must be >= 0 px or NaN, got -0.1"):
        Measurement(date="unknown", how="by hand", residual_px=-0.1)
