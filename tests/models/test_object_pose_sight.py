"""Markers are seen where they are, to what the sight says; key points as their trackers follow them."""

import numpy as np
import pytest
import torch
from looking_cameras import around
from printed_things import marker_print, shown

from robo_reward.camera.pose import Pose
from robo_reward.models.object_pose_sight import FiducialSight, KeyPointSight, Marker
from robo_reward.perception.point_tracker import PointTracker

CAMERA = around(1)[0]
SIDE = 0.16
"""Of the print [m]: the black square is 3/4 of it, 0.12 m."""
MARKER = {"number": 7, "size": 0.12}


def pose(x: float = 0.0, *, turn: tuple[float, float, float] = (0.0, 0.2, 1.2)) -> Pose:
    return Pose.from_rotation_vector(np.array([x, 0.03, 0.1]), np.array(turn))


def frames(*prints) -> torch.Tensor:
    return torch.stack([shown(CAMERA, each, seed=index) for index, each in enumerate(prints)])


def present(number: int, *gone: int) -> torch.Tensor:
    return torch.tensor([index not in gone for index in range(number)])


def sight(**settings) -> FiducialSight:
    return FiducialSight(**({"dictionary": "DICT_4X4_50", "markers": [MARKER]} | settings))


def test_a_markers_corners_are_seen_where_they_are_to_their_deviation_without_bias():
    poses = [pose(0.02 * k, turn=(0.1 * k, 0.2, 0.7 * k)) for k in range(8)]
    seen, _ = sight().see("any", frames(*([(marker_print(7), SIDE, each)] for each in poses)), present(8), None)
    error = seen.pixels - np.stack([CAMERA.project(each.apply(sight().points)) for each in poses])
    assert np.isfinite(error).all()
    # half a pixel of bias is what OpenCV's two ways of counting pixels differ by
    assert np.abs(error.mean(axis=(0, 1))).max() < 0.08
    assert 0.3 < np.mean((error / seen.std[..., None]) ** 2) < 2.0


def test_corners_go_around_from_the_top_left_and_belong_to_their_marker():
    two = sight(markers=[MARKER, {"number": 3, "size": 0.06, "translation": [0.15, 0, 0]}])
    assert two.points.shape == (8, 3)
    np.testing.assert_allclose(two.points[:4], 0.06 * np.array([[-1, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]]))
    np.testing.assert_allclose(two.points[4:].mean(axis=0), [0.15, 0, 0], atol=1e-12)
    body = pose(-0.05)
    second = body @ Pose.from_rotation_vector(np.array([0.15, 0.0, 0.0]), np.zeros(3))
    both = [(marker_print(7), SIDE, body), (marker_print(3), SIDE / 2, second)]
    seen, _ = two.see("any", frames(both), present(1), None)
    np.testing.assert_allclose(seen.pixels[0], CAMERA.project(body.apply(two.points)), atol=1.5)
    alone, _ = two.see("any", frames(both[:1]), present(1), None)
    assert np.isnan(alone.pixels[0, :, 0]).tolist() == [False] * 4 + [True] * 4


def test_a_marker_that_is_absent_hidden_twice_there_or_of_another_number_is_not_told():
    prints = [
        [(marker_print(7), SIDE, pose())],
        [(marker_print(8), SIDE, pose())],
        [(marker_print(7), SIDE, pose(-0.15)), (marker_print(7), SIDE, pose(0.15))],
        [],
    ]
    seen, _ = sight().see("any", frames(*prints), present(4), None)
    assert np.isnan(seen.pixels).any(axis=(1, 2)).tolist() == [False, True, True, True]
    assert np.isnan(seen.std).any(axis=1).tolist() == [False, True, True, True]
    gone, _ = sight().see("any", frames(*prints[:1]), present(1, 0), None)
    assert np.isnan(gone.pixels).all()


def test_corners_of_a_small_oblique_marker_are_known_four_times_less_well():
    small, oblique = sight(markers=[MARKER | {"size": 0.0375}]), pose(turn=(0.0, 1.2, 0.0))
    seen, _ = small.see("any", frames([(marker_print(7), 0.05, oblique)]), present(1), None)
    assert seen.std[0].tolist() == [4 * 0.2] * 4
    assert np.abs(seen.pixels[0] - CAMERA.project(oblique.apply(small.points))).max() < 2.0


def test_what_are_no_markers_is_refused():
    for settings, text in (
        ({"dictionary": "DICT_9X9"}, "unknown dictionary 'DICT_9X9'; available: DICT_4X4_100"),
        ({"markers": []}, r"markers must be at least one, none twice, with numbers in \[0, 49\]; got \[\]"),
        ({"markers": [MARKER, MARKER]}, r"got \[7, 7\]"),
        ({"markers": [MARKER | {"number": 50}]}, r"got \[50\]"),
        ({"markers": [MARKER | {"size": 0.0}]}, "a marker's size must be > 0 m, got 0.0"),
        ({"markers": [MARKER | {"number": -1}]}, "a marker's number must be >= 0, got -1"),
        ({"markers": [MARKER | {"sise": 1}]}, "a marker has the keys number, size, translation, quaternion_wxyz; got"),
        ({"pixel_std": 0.0}, "pixel_std must be > 0 px, got 0.0"),
    ):
        with pytest.raises(ValueError, match=text):
            sight(**settings)


def test_versions_tell_sights_apart():
    ours = Marker(number=7, size=0.12, T_object_marker=Pose.identity())
    assert sight(markers=[ours]).version == sight().version
    others = (sight(pixel_std=0.3), sight(dictionary="DICT_5X5_50"), sight(markers=[MARKER | {"size": 0.1}]))
    assert len({sight().version, *(each.version for each in others)}) == 4


def texture() -> np.ndarray:
    fine = np.random.default_rng(0).uniform(0, 255, (16, 16))
    return np.kron(fine, np.ones((20, 20)))


KEYS = 0.02 * np.array([[-2.0, 1.0, 0.0], [2, 1, 0], [1, -2, 0], [-1, -1, 0]])


def test_key_points_are_followed_with_their_own_deviation_and_a_camera_without_a_tracker_sees_nothing():
    places = [pose(0.006 * k) for k in range(6)]
    film = frames(*([(texture(), SIDE, each)] for each in places))
    points = CAMERA.project(places[0].apply(KEYS))
    following = KeyPointSight(points=KEYS, trackers={"left": PointTracker(film[0], points)})
    seen, memory = following.see("left", film, present(6), None)
    truth = np.stack([CAMERA.project(each.apply(KEYS)) for each in places])
    assert np.linalg.norm(seen.pixels - truth, axis=-1).max() < 0.5
    assert (seen.std > 0).all()
    first, memory = following.see("left", film[:3], present(3), None)
    rest, _ = following.see("left", film[3:], present(3), memory)
    assert np.array_equal(np.concatenate([first.pixels, rest.pixels]), seen.pixels)
    nothing, _ = following.see("right", film, present(6), None)
    assert np.isnan(nothing.pixels).all()


def test_trackers_must_follow_the_objects_points():
    film = frames([(texture(), SIDE, pose())])
    tracker = PointTracker(film[0], CAMERA.project(pose().apply(KEYS)))
    with pytest.raises(ValueError, match=r"each camera's tracker must follow the object's 3 points, got \{'left': 4\}"):
        KeyPointSight(points=KEYS[:3], trackers={"left": tracker})
    with pytest.raises(ValueError, match="must follow the object's 4 points, got none"):
        KeyPointSight(points=KEYS, trackers={})
