"""What cameras say of themselves against the rig that was measured."""

import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from key_point_plans import table_rig
from robo_reward_ros.camera_geometry import read_geometry, with_poses

from robo_reward.camera.camera_info import camera_info_from_intrinsics
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig_file import read_rig, write_rig


@pytest.fixture
def geometry(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_rig(table_rig(), tmp_path / "rig.yaml")
    return read_geometry(str(tmp_path / "rig.yaml"))


def info(geometry, **changes) -> SimpleNamespace:
    fields = camera_info_from_intrinsics(geometry.rig.camera("top").intrinsics) | changes
    return SimpleNamespace(**(fields | {"roi": SimpleNamespace(**fields["roi"])}))


def scaled(geometry, factor: float) -> list[float]:
    return (np.array(info(geometry).k).reshape(3, 3) * [[factor, 1, 1], [1, factor, 1], [1, 1, 1]]).ravel().tolist()


def test_what_agrees_with_the_rig_is_no_problem(geometry):
    assert geometry.problem("top", info(geometry)) == ""
    assert geometry.problem("top", info(geometry), rectified=True) == ""
    assert geometry.problem("top", info(geometry, k=scaled(geometry, 1.04))) == ""
    assert geometry.sizes() == {"top": (480, 640), "side": (480, 640)}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"k": [math.nan] * 9}, "the camera is not calibrated: k must be 9 finite numbers"),
        ({"k": [0.0] * 9}, "the camera is not calibrated: k is"),
        (
            {"width": 320, "height": 240},
            "its pictures are 320 x 240 px, the rig .*rig.yaml was measured with 640 x 480",
        ),
        ({"distortion_model": "equidistant"}, "distortion_model must be plumb_bob"),
    ],
)
def test_what_contradicts_the_rig_is_told(geometry, change, text):
    assert re.search(text, geometry.problem("top", info(geometry, **change)))


def test_another_focal_length_or_principal_point_is_told(geometry):
    said = geometry.problem("top", info(geometry, k=scaled(geometry, 1.1)))
    assert said.startswith("its focal_x is 637.4 px, the rig ")
    k = list(info(geometry).k)
    k[2] += 50
    assert geometry.problem("top", info(geometry, k=k)).startswith("its centre_x is 369.5 px")


def test_poses_of_tf_are_kept_in_a_rig_of_their_own(geometry):
    moved = Pose.from_rotation_vector(np.array([0.1, 0.2, 0.3]), np.zeros(3))
    told = with_poses(geometry, {"top": moved})
    kept = read_rig(Path(told.file))
    assert told.poses == "tf"
    assert np.allclose(kept.camera("top").T_base_camera.matrix, moved.matrix)
    assert np.allclose(
        kept.camera("side").T_base_camera.matrix, geometry.rig.camera("side").T_base_camera.matrix, atol=1e-12
    )
    assert kept.measured.how.endswith("poses: TF")
    assert math.isnan(kept.measured.residual_px)
    assert with_poses(geometry, {"top": moved}).file == told.file
    turned = replace(moved, translation=moved.translation + 0.1)
    assert with_poses(geometry, {"top": turned}).file != told.file
