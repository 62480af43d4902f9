import numpy as np
import pytest
import torch

from robo_reward.perception.key_points import (
    ColourSegmenter,
    CornerKeyPoints,
    KeyPointDetector,
    MaskKeyPoints,
    Segmenter,
    farthest_points,
    mask_key_points,
)


def scene() -> torch.Tensor:
    """A grey table with a red rectangle, a blue disc and one green pixel."""
    picture = torch.full((3, 120, 160), 150, dtype=torch.uint8)
    picture += torch.randint(0, 6, picture.shape, generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    picture[:, 20:40, 30:60] = torch.tensor([200, 30, 30], dtype=torch.uint8)[:, None, None]
    down, right = torch.meshgrid(torch.arange(120), torch.arange(160), indexing="ij")
    picture[:, (down - 80) ** 2 + (right - 110) ** 2 < 15**2] = torch.tensor([30, 30, 190], dtype=torch.uint8)[:, None]
    picture[:, 100, 10] = torch.tensor([0, 255, 0], dtype=torch.uint8)
    return picture


class Halves:
    """A mask model that finds the left and the right half."""

    def masks(self, picture):
        left = np.arange(picture.shape[2]) < picture.shape[2] // 2
        return np.stack([np.broadcast_to(half, picture.shape[1:]) for half in (left, ~left)]).copy()


def test_farthest_points_are_far_from_each_other():
    line = np.arange(11.0)[:, None]
    assert farthest_points(line, count=4).tolist() == [0, 10, 5, 2]


def test_copies_of_a_point_are_chosen_once():
    assert farthest_points(np.array([[1.0], [1.0], [3.0]]), count=3).tolist() == [0, 2]


def test_key_points_of_a_mask_are_its_centre_and_its_corners():
    mask = np.zeros((50, 50), dtype=bool)
    mask[10:31, 10:41] = True
    points = mask_key_points(mask, count=5)
    assert points[0].tolist() == [25, 20]
    assert {tuple(point) for point in points[1:].tolist()} == {(10, 10), (40, 10), (10, 30), (40, 30)}


def test_the_centre_of_a_ring_is_moved_onto_it():
    down, right = np.mgrid[:60, :60]
    radius = np.hypot(down - 30, right - 30)
    ring = (radius > 15) & (radius < 20)
    (centre,) = mask_key_points(ring, count=1)
    assert ring[int(centre[1]), int(centre[0])]


def test_an_empty_mask_has_no_key_points_and_one_pixel_one():
    mask = np.zeros((9, 9), dtype=bool)
    assert mask_key_points(mask).shape == (0, 2)
    mask[4, 6] = True
    assert mask_key_points(mask).tolist() == [[6, 4]]


def test_candidates_of_masks_are_labelled_by_kind_and_numbered_through():
    detector = MaskKeyPoints(Halves(), unattached=Halves(), per_object=3, max_objects=2, min_distance=0.0)
    found = detector.key_points(scene())
    assert [point.label for point in found] == [f"{kind}[{at}]" for kind in "PQ" for at in range(1, 7)]
    assert isinstance(detector, KeyPointDetector)
    assert isinstance(Halves(), Segmenter)


def test_candidates_that_could_not_be_told_apart_are_left_out():
    detector = MaskKeyPoints(Halves(), unattached=Halves(), per_object=6, min_distance=0.2)
    places = np.array([point.pixel for point in detector.key_points(scene())])
    apart = np.linalg.norm(places[:, None] - places, axis=-1) + 1000 * np.eye(len(places))
    assert apart.min() >= 0.2 * 120


def test_what_comes_in_from_the_edge_is_no_object():
    picture = scene()
    picture[:, 60:70, 100:] = torch.tensor([200, 160, 20], dtype=torch.uint8)[:, None, None]
    assert not ColourSegmenter().masks(picture)[:, 65, 155].any()


def test_without_a_mask_model_objects_are_told_by_colour():
    masks = ColourSegmenter().masks(scene())
    truth = {"red": (slice(20, 40), slice(30, 60)), "blue": (slice(66, 95), slice(96, 125))}
    for name, (rows, columns) in truth.items():
        box = np.zeros((120, 160), dtype=bool)
        box[rows, columns] = True
        overlap = max((mask & box).sum() / (mask | box).sum() for mask in masks)
        assert overlap > 0.7, name  # a disc fills 79 % of its box
    assert not masks[:, 100, 10].any()  # a speck
    assert not masks[:, 5, 5].any()  # the table


def test_equal_pictures_give_equal_candidates():
    detector = MaskKeyPoints(ColourSegmenter())
    assert detector.key_points(scene()) == detector.key_points(scene().clone())


def test_a_picture_of_one_colour_has_no_candidates():
    plain = torch.full((3, 40, 40), 90, dtype=torch.uint8)
    assert MaskKeyPoints(ColourSegmenter()).key_points(plain) == ()
    assert CornerKeyPoints().key_points(plain) == ()


def test_corners_are_found_where_they_are():
    found = CornerKeyPoints(count=4).key_points(scene())
    places = np.array([point.pixel for point in found])
    for corner in ((30, 20), (59, 20), (30, 39), (59, 39)):
        assert np.hypot(*(places - corner).T).min() < 4
    assert [point.label for point in found] == ["P[1]", "P[2]", "P[3]", "P[4]"]


def test_settings_are_checked_at_the_door():
    with pytest.raises(ValueError, match="per_object and max_objects must be >= 1, got 0 and 6"):
        MaskKeyPoints(Halves(), per_object=0)
    with pytest.raises(ValueError, match="min_distance must be in"):
        MaskKeyPoints(Halves(), min_distance=1.0)
    with pytest.raises(ValueError, match="count must be >= 1 and min_distance"):
        CornerKeyPoints(count=0)
    with pytest.raises(ValueError, match="0 < min_share < max_share < 1"):
        ColourSegmenter(min_share=0.5, max_share=0.1)
    with pytest.raises(ValueError, match="count must be >= 1, got 0"):
        mask_key_points(np.zeros((3, 3), dtype=bool), count=0)
