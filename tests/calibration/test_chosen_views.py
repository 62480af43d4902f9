import cv2
import numpy as np
from board_scenes import BOARD, board_before, rendered, rig_of, seen_corners

from robo_reward.calibration.chosen_views import choose_spread, look_for_board
from robo_reward.calibration.corners import DetectionSettings
from robo_reward.calibration.pictures import FolderPictures

CAMERA = next(iter(rig_of(1).cameras.values()))


def views_of(number: int, *, spread_of_places: float, seed: int = 0):
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < number:
        pose = board_before(rng, [CAMERA.T_base_camera], tilt=5 + 30 * spread_of_places)
        corners = seen_corners(CAMERA, pose, rng, noise=0.1, name=f"picture {len(found)}")
        if corners is not None:
            found.append(corners)
    return found


def sharpened(view, width: float):
    from dataclasses import replace

    return replace(view, edge_width=width)


def test_few_views_that_differ_are_picked_from_many_that_do_not():
    same = [sharpened(views_of(1, spread_of_places=0.0)[0], 2.0) for _ in range(20)]
    others = [sharpened(view, 2.0) for view in views_of(5, spread_of_places=1.0, seed=3)]
    picked = choose_spread([*same, *others], BOARD, number=6)
    assert set(range(20, 25)) <= set(picked)
    assert len(picked) == 6
    assert picked == sorted(picked)


def test_views_much_less_sharp_than_usual_are_not_picked():
    views = [sharpened(view, 2.0) for view in views_of(8, spread_of_places=1.0)]
    views[3] = sharpened(views[3], 4.5)
    assert 3 not in choose_spread(views, BOARD, number=7)
    assert choose_spread(views, BOARD, number=8) == list(range(8))


def test_every_picture_of_a_folder_is_looked_at_and_accounted_for(tmp_path):
    rng = np.random.default_rng(1)
    for place in range(2):
        picture = rendered(CAMERA, board_before(rng, [CAMERA.T_base_camera], tilt=20), scale=2)
        cv2.imwrite(str(tmp_path / f"{place}.png"), picture)
    cv2.imwrite(str(tmp_path / "2.png"), np.full((480, 640), 90, np.uint8))
    told = []
    found = look_for_board(FolderPictures(folder=tmp_path), BOARD, settings=DetectionSettings(), on_picture=told.append)
    assert told == ["0.png", "1.png", "2.png"]
    assert [view.picture for view in found.views] == ["0.png", "1.png"]
    assert found.stamps.tolist() == [0.0, 1.0]
    assert found.places.tolist() == [0, 1]
    assert [(each.picture, each.reason) for each in found.rejected] == [("2.png", "the board is not seen")]
