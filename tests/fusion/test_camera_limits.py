import math

import torch

from robo_reward.fusion.camera_limits import CameraLimits, measures, nearness


def limits(views: int) -> CameraLimits:
    exchanged = torch.full((views, views), math.log(1.1), dtype=torch.float64).fill_diagonal_(math.inf)
    alone = torch.tensor([[math.inf, math.inf, math.inf, math.log(2.0)]] * views, dtype=torch.float64)
    return CameraLimits(alone=alone, exchanged=exchanged)


def log(rows: list[list[float]]) -> torch.Tensor:
    """One frame of distances: of each camera's picture to each bank."""
    return torch.tensor([rows], dtype=torch.float64).log()


def test_of_three_cameras_only_the_two_that_were_exchanged_tell_on_each_other():
    # camera 1 is a little nearer to its own; compared with the exchanged camera 0, both together would be beyond
    distance = log([[9.0, 3.0, 1.0], [2.0, 1.0, 4.0], [1.0, 6.0, 9.0]])
    assert limits(3).exchanged_beyond(distance, window=1).tolist() == [[True, False, True]]


def test_a_camera_nearer_to_another_ones_pictures_is_told_alone():
    distance = log([[5.0, 2.0], [4.0, 1.0]])
    assert limits(2).alone_beyond(distance, torch.zeros(1, 2, dtype=torch.float64))[1].tolist() == [[True, False]]


def test_measures_are_own_distance_outside_and_ratios_to_blank_and_other():
    measured = measures(log([[4.0, 2.0, 8.0], [3.0, 6.0, 1.5]]), torch.full((1, 2), 0.25, dtype=torch.float64))
    assert torch.allclose(measured[0, 0].exp(), torch.tensor([4.0, math.exp(0.25), 0.5, 2.0], dtype=torch.float64))
    assert torch.allclose(measured[0, 1].exp(), torch.tensor([6.0, math.exp(0.25), 4.0, 2.0], dtype=torch.float64))


def test_an_exchange_is_judged_on_the_mean_of_the_window_and_unknown_frames_do_not_count():
    swapped, sound, gone = [[2.0, 1.0], [1.0, 2.0]], [[1.0, 2.0], [2.0, 1.0]], [[math.nan] * 2, [1.0, 2.0]]
    distance = torch.cat([log(each) for each in (sound, swapped, swapped, gone, gone, gone)])
    found = limits(2).exchanged_beyond(distance, window=3)
    assert found[:, 0].tolist() == [False, False, True, True, True, False]
    assert torch.equal(found[:, 0], found[:, 1])
    assert bool(nearness(log(gone))[0, 0, 1].isnan())


def test_a_picture_four_times_nearer_to_the_good_ones_than_to_nothing_is_not_strange_however_alike_these_are():
    # limits of recordings that hardly differ: half a unit; own distance 1, to the other camera 9, to the blank one last
    narrow = torch.tensor([[math.log(0.5), 0.1, math.log(1.5), math.inf]] * 2, dtype=torch.float64)
    watched = CameraLimits(alone=narrow, exchanged=limits(2).exchanged)
    outside = torch.full((1, 2), 0.2, dtype=torch.float64)
    near, far = (log([[1.0, 9.0, blank], [9.0, 1.0, blank]]) for blank in (4.1, 3.9))
    assert watched.alone_beyond(near, outside)[0].tolist() == [[False, False]]
    assert watched.alone_beyond(far, outside)[0].tolist() == [[True, True]]


def test_where_nobody_said_what_shows_nothing_the_limits_decide_alone():
    narrow = torch.tensor([[math.log(0.5), 0.1, math.log(1.5), math.inf]] * 2, dtype=torch.float64)
    watched = CameraLimits(alone=narrow, exchanged=limits(2).exchanged)
    assert watched.alone_beyond(log([[1.0, 9.0], [9.0, 1.0]]), torch.zeros(1, 2, dtype=torch.float64))[0].all()
