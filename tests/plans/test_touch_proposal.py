import numpy as np
import pytest
import torch
from key_point_plans import table_rig

from robo_reward.perception.dense_similarity import DenseSimilarity, TouchPoint
from robo_reward.perception.key_points import KeyPointDetector
from robo_reward.plans.touch_proposal import NamedKeyPoints, TouchFinder, propose_touch_point

RIG = table_rig(width=320, height=240)
HANDLE = np.array([0.05, 0.7, 0.1])
PICTURES = {name: torch.full((3, 240, 320), 10 * at, dtype=torch.uint8) for at, name in enumerate(RIG.cameras)}


class Finder:
    """Knows the handle's true pixel in each picture, give or take."""

    def __init__(self, *, std: float, off: float = 0.0) -> None:
        self._std, self._off = std, off

    def touch_point(self, picture, words):
        name = list(RIG.cameras)[int(picture[0, 0, 0]) // 10]
        pixel = RIG.cameras[name].project(HANDLE) + (self._off if name == "side" else 0.0) * np.array([1.0, 0.0])
        return TouchPoint(
            pixel=tuple(pixel.tolist()), covariance=np.eye(2) * self._std**2, probability=len(words) / 100
        )


def test_two_cameras_propose_the_point_with_their_doubt():
    sure = propose_touch_point(RIG, PICTURES, "the handle", finder=Finder(std=2.0))
    unsure = propose_touch_point(RIG, PICTURES, "the handle", finder=Finder(std=40.0))
    assert np.linalg.norm(sure.position - HANDLE) < 1e-6
    assert np.trace(unsure.covariance) > 100 * np.trace(sure.covariance)
    assert set(sure.seen) == {"top", "side"}


def test_proposals_that_contradict_each_other_beyond_their_doubt_are_none():
    assert np.isnan(propose_touch_point(RIG, PICTURES, "x", finder=Finder(std=2.0, off=90.0)).position).all()
    assert np.isfinite(propose_touch_point(RIG, PICTURES, "x", finder=Finder(std=60.0, off=90.0)).position).all()


def test_each_of_several_words_is_a_candidate_of_its_own():
    detector = NamedKeyPoints(Finder(std=2.0), words=["the handle", "the lid"])
    found = detector.key_points(PICTURES["side"])
    assert [each.label for each in found] == ["P[1]", "P[2]"]
    assert found[0].pixel == pytest.approx(RIG.cameras["side"].project(HANDLE).tolist())
    assert isinstance(detector, KeyPointDetector)


def test_dense_similarity_is_such_a_finder():
    assert issubclass(DenseSimilarity, TouchFinder)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"needs two cameras or more, got \['top'\]"):
        propose_touch_point(RIG, {"top": PICTURES["top"]}, "x", finder=Finder(std=1.0))
    for words in ([], "the handle", [" "]):
        with pytest.raises(ValueError, match="words must be a list of one or more texts"):
            NamedKeyPoints(Finder(std=1.0), words=words)
