import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robo_reward.calibration.hand_eye import HandEyeSettings, eye_in_hand
from robo_reward.calibration.hand_eye_poses import named_poses
from robo_reward.calibration.hand_eye_streams import (
    Alignment,
    PoseStream,
    align_streams,
    paired_moments,
    read_pose_stream,
)
from robo_reward.calibration.refusal import CalibrationError
from robo_reward.camera.pose import Pose, pose_difference
from robo_reward.errors import DataSetError

T_HAND_CAMERA = Pose.from_rotation_vector(np.array([0.03, -0.05, 0.08]), np.array([0.1, -0.2, 1.5]))
T_BASE_BOARD = Pose.from_rotation_vector(np.array([0.6, 0.1, 0.0]), np.array([3.0, 0.1, 0.0]))


def hand_at(stamp: np.ndarray) -> list[Pose]:
    """A smooth motion that turns about all axes."""
    angles = np.stack([0.5 * np.sin(0.9 * stamp), 0.4 * np.sin(1.3 * stamp + 1), 0.6 * np.sin(0.7 * stamp + 2)], axis=1)
    places = 0.1 * np.stack([np.sin(stamp), np.cos(0.8 * stamp), np.sin(1.1 * stamp)], axis=1)
    return [Pose(rotation=r, translation=t) for r, t in zip(Rotation.from_euler("xyz", angles).as_matrix(), places)]  # noqa: B905


def recorded(offset: float, rng: np.random.Generator, *, noise: float = 0.0005) -> tuple[PoseStream, PoseStream]:
    """Hand at 100 Hz and board at 30 Hz by a clock that is `offset` behind the hand's."""
    fast, slow = np.arange(0, 40, 0.01), np.arange(3.009, 38, 1 / 30)
    board = [
        T_HAND_CAMERA.inverse() @ pose.inverse() @ T_BASE_BOARD
        @ Pose.from_rotation_vector(rng.normal(0, noise, 3), rng.normal(0, noise, 3))
        for pose in hand_at(slow)
    ]  # fmt: skip
    return PoseStream.of(fast + 1000, hand_at(fast)), PoseStream.of(slow + 1000 - offset, board)


@pytest.mark.parametrize("offset", [-2.347, 0.0, 0.013, 1.5])
def test_the_clocks_difference_is_found_to_milliseconds(offset):
    hand, camera = recorded(offset, np.random.default_rng(0))
    found = align_streams(hand, camera)
    assert found.offset == pytest.approx(offset, abs=0.004)
    assert found.correlation > 0.98


def test_a_camera_is_found_from_streams_of_two_clocks():
    hand, camera = recorded(0.731, np.random.default_rng(1))
    alignment = align_streams(hand, camera)
    picked, stamps = paired_moments(hand, camera, alignment, number=60)
    assert len(picked) == 60
    assert (np.diff(picked) > 0).all()
    np.testing.assert_allclose(stamps, camera.stamp[picked] + alignment.offset)
    found = eye_in_hand(hand.at(stamps), camera.at(camera.stamp[picked]), HandEyeSettings())
    assert pose_difference(found.T_mount_camera, T_HAND_CAMERA)[0] < 0.003
    assert found.diverging == ()


def test_poses_between_stamps_lie_on_lines_and_arcs():
    ends = [Pose.identity(), Pose.from_rotation_vector(np.array([2.0, 0, 0]), np.array([0, 0, 1.0]))]
    stream = PoseStream.of(np.array([0.0, 2.0]), ends)
    (half,) = stream.at(np.array([1.0]))
    np.testing.assert_allclose(half.translation, [1, 0, 0])
    np.testing.assert_allclose(half.rotation_vector, [0, 0, 0.5], atol=1e-12)
    np.testing.assert_allclose(stream.angular_speed(np.array([1.0]), 0.5), 0.5)


def test_the_inverse_stream_has_the_inverse_poses():
    stream, _ = recorded(0.0, np.random.default_rng(2))
    stamp = stream.stamp[::700]
    for one, other in zip(stream.at(stamp), stream.inverse().at(stamp), strict=True):
        assert pose_difference(one.inverse(), other) == pytest.approx((0, 0), abs=1e-9)


def test_streams_that_never_turn_alike_are_refused():
    hand, _ = recorded(0.0, np.random.default_rng(3))
    stamp = np.arange(0, 30, 1 / 30)
    rng = np.random.default_rng(4)
    random = [Pose.from_rotation_vector(np.zeros(3), rng.normal(0, 0.2, 3)) for _ in stamp]
    with pytest.raises(CalibrationError, match=r"never turn alike \(best correlation [\d.]+, 0\.7 needed\)"):
        align_streams(hand, PoseStream.of(stamp, random))


def test_streams_that_hardly_overlap_or_are_short_are_refused():
    hand, camera = recorded(0.0, np.random.default_rng(5))
    with pytest.raises(CalibrationError, match=r"the streams share \d+ moments, at least 30 are needed"):
        paired_moments(hand, camera, Alignment(offset=36.6, correlation=1.0), number=20)
    short = PoseStream.of(np.array([0.0, 0.5]), [Pose.identity(), Pose.identity()])
    with pytest.raises(CalibrationError, match="shorter than a second"):
        align_streams(hand, short)


def test_moments_in_a_gap_of_the_hands_stream_are_not_used():
    hand, camera = recorded(0.0, np.random.default_rng(6))
    kept = (hand.stamp < 1010) | (hand.stamp > 1020)
    holed = PoseStream(
        stamp=hand.stamp[kept], translation=hand.translation[kept], quaternion_xyzw=hand.quaternion_xyzw[kept]
    )
    _, stamps = paired_moments(holed, camera, Alignment(offset=0.0, correlation=1.0), number=200)
    assert not ((stamps > 1010) & (stamps < 1020)).any()


def test_a_csv_of_poses_is_read_and_repeated_stamps_are_dropped(tmp_path):
    file = tmp_path / "poses.csv"
    file.write_text("0.0, 1, 2, 3, 0, 0, 0, 1\n0.0, 1, 2, 3, 0, 0, 0, 1\n0.5, 1, 2, 4, 0, 0, 1, 0\n")
    stream = read_pose_stream(file)
    assert stream.stamp.tolist() == [0.0, 0.5]
    assert stream.translation[1].tolist() == [1, 2, 4]
    file.write_text("0.0, 1, 2, 3\n0.5, 1, 2, 3\n")
    with pytest.raises(DataSetError, match="eight columns t,x,y,z,qx,qy,qz,qw are needed, got 4"):
        read_pose_stream(file)
    file.write_text("picture,x\na,1\n")
    with pytest.raises(DataSetError, match="is no pose stream"):
        read_pose_stream(file)
    file.write_text("0.0, 1, 2, 3, 0, 0, 0, 2\n0.5, 1, 2, 3, 0, 0, 0, 1\n")
    with pytest.raises(DataSetError, match="quaternions must have length 1"):
        read_pose_stream(file)


def test_poses_with_names_of_pictures_are_read(tmp_path):
    file = tmp_path / "poses.csv"
    file.write_text("picture, x,y,z,qx,qy,qz,qw\na.png, 1,2,3, 0,0,0,1\nb.png, 0,0,0, 0,0,1,0\n")
    poses = named_poses(file)
    assert list(poses) == ["a.png", "b.png"]
    assert poses["a.png"].translation.tolist() == [1, 2, 3]
    np.testing.assert_allclose(poses["b.png"].rotation, np.diag([-1.0, -1.0, 1.0]), atol=1e-12)
    file.write_text("0.0,1,2,3,0,0,0,1\n")
    assert named_poses(file) is None
    file.write_text("picture,x,y,z,qx,qy,qz,qw\na.png,1,2,3,0,0,0,x\n")
    with pytest.raises(DataSetError, match="line 2: could not convert string to float: 'x'"):
        named_poses(file)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stamp": np.array([1.0, 1.0])}, "stamps must increase strictly"),
        ({"translation": np.full((2, 3), np.nan)}, "stamps and poses must be finite"),
        ({"quaternion_xyzw": np.ones((2, 4))}, "quaternions must have length 1"),
    ],
)
def test_streams_that_cannot_be_are_refused(changed, message):
    good = {
        "stamp": np.array([0.0, 1.0]),
        "translation": np.zeros((2, 3)),
        "quaternion_xyzw": np.array([[0, 0, 0, 1.0], [0, 0, 0, 1.0]]),
    }
    with pytest.raises(ValueError, match=message):
        PoseStream(**good | changed)
