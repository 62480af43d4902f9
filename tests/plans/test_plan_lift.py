import numpy as np
import pytest
from key_point_plans import looking_at, table_rig

from robo_reward.camera.rig import Rig
from robo_reward.perception.visual_marks import Grid
from robo_reward.plans.plan_lift import Lift, LiftError, Shown, TwoViews, ViewAndDepth, ViewAndHeight, height_lines

RIG = table_rig()
POINTS = np.random.default_rng(0).uniform((-0.2, 0.5, 0.0), (0.2, 0.9, 0.25), size=(200, 3))
HEIGHTS = (0.02, 0.1, 0.2)


def shown(point, *, std=0.5, noise=None):
    pixels = {name: camera.project(point) for name, camera in RIG.cameras.items()}
    off = {name: (0.0, 0.0) if noise is None else noise.normal(0, std, 2) for name in pixels}
    return {name: Shown(pixel=tuple((at + off[name]).tolist()), std=std) for name, at in pixels.items()}


def test_two_views_give_the_point_back():
    lift = TwoViews(RIG, cameras=("top", "side"))
    for point in POINTS[:50]:
        assert np.linalg.norm(lift.lift(shown(point), None) - point) < 1e-6


def test_two_views_with_half_a_pixel_of_noise_are_within_5_mm():
    lift, noise = TwoViews(RIG, cameras=("top", "side")), np.random.default_rng(1)
    errors = [np.linalg.norm(lift.lift(shown(point, noise=noise), None) - point) for point in POINTS[:100]]
    assert max(errors) < 0.005
    assert np.mean(errors) < 0.002


def test_tiles_of_two_views_are_within_half_a_tile_of_what_was_chosen_and_mostly_of_the_truth():
    lift, grid = TwoViews(RIG, cameras=("top", "side")), Grid(width=640, height=480)
    half = (grid.tile_size[0] / 2, grid.tile_size[1] / 2)
    errors = []
    for point in POINTS[:60]:
        pixels = {name: camera.project(point) for name, camera in RIG.cameras.items()}
        tiles = {name: grid.tile_of(tuple(at)) for name, at in pixels.items()}
        seen = {name: Shown(pixel=grid.centre(tile), std=half[0], reach=half) for name, tile in tiles.items()}
        found = lift.lift(seen, None)
        for name, camera in RIG.cameras.items():
            assert (np.abs(camera.project(found) - seen[name].pixel) <= 1.05 * np.array(half)).all()
            errors.append(np.linalg.norm(found - point) / (grid.tile_size[0] * depth(camera, point)))
    assert (
        np.mean(errors) < 0.5
    )  # of a tile, as wide as it is at the point: two tiles leave more room than one and a height
    assert max(errors) < 1.5


def tiles_of(lift, point, grid):
    half = (grid.tile_size[0] / 2, grid.tile_size[1] / 2)
    seen = {name: grid.centre(grid.tile_of(tuple(RIG.cameras[name].project(point)))) for name in lift.cameras}
    return {name: Shown(pixel=pixel, std=half[0], reach=half) for name, pixel in seen.items()}


def test_a_point_lies_within_reach_of_where_its_tiles_are_lifted_to():
    grid = Grid(width=640, height=480)
    for point in POINTS[:60]:
        lifts = [
            (TwoViews(RIG, cameras=("top", "side")), None),
            (ViewAndHeight(RIG, camera="top", heights=[float(point[2])]), float(point[2])),
            (ViewAndDepth(RIG, camera="top", depth=np.full((480, 640), optical_depth("top", point))), None),
        ]
        for lift, height in lifts:
            seen = tiles_of(lift, point, grid)
            found = lift.lift(seen, height)
            reach = lift.reach(seen, found)
            assert np.linalg.norm(found - point) <= reach
            assert 0.05 < reach < (0.36 if len(lift.cameras) == 2 else 0.18)


def test_marks_that_are_no_tiles_have_no_reach():
    for lift in (TwoViews(RIG, cameras=("top", "side")), ViewAndHeight(RIG, camera="top", heights=HEIGHTS)):
        assert lift.reach(shown(POINTS[0]), POINTS[0]) == 0


def optical_depth(camera, point):
    return RIG.cameras[camera].T_base_camera.inverse().apply(point)[2]


def depth(camera, point):
    """Metres per pixel at a point."""
    return camera.T_base_camera.inverse().apply(point)[2] / camera.intrinsics.focal_x


def test_one_view_and_a_height_give_the_point_back():
    lift = ViewAndHeight(RIG, camera="top", heights=HEIGHTS, side_camera="side", lines_at=(0.0, 0.7))
    for point in POINTS[:50]:
        for height in HEIGHTS:
            at = np.array([*point[:2], height])
            assert np.linalg.norm(lift.lift(shown(at), height) - at) < 1e-9


def test_a_view_with_depth_gives_the_point_back():
    camera = RIG.cameras["top"]
    point = np.array([0.05, 0.75, 0.1])
    depth = np.full((480, 640), np.nan)
    right, down = np.round(camera.project(point)).astype(int)
    depth[down - 1 : down + 2, right - 1 : right + 2] = camera.T_base_camera.inverse().apply(point)[2]
    depth[down, right + 1] = 9.0  # an outlier
    lift = ViewAndDepth(RIG, camera="top", depth=depth)
    assert np.linalg.norm(lift.lift(shown(point), None) - point) < 1e-9
    with pytest.raises(LiftError, match=r"camera 'top' has no depth at pixel \(10, 20\)"):
        lift.lift({"top": Shown(pixel=(10.0, 20.0), std=1.0)}, None)


def test_marks_that_do_not_show_one_point_are_refused():
    lift = TwoViews(RIG, cameras=("top", "side"))
    one, other = shown(POINTS[0], std=2.0), shown(POINTS[0] + [0, 0.1, 0.15], std=2.0)
    with pytest.raises(LiftError, match=r"do not show one point: lines of sight miss: top \(\d+, \d+\), side"):
        lift.lift({"top": one["top"], "side": other["side"]}, None)


def test_a_line_of_sight_that_does_not_come_down_is_refused():
    up = Rig(
        cameras={
            "up": RIG.cameras["top"].__class__(
                intrinsics=RIG.cameras["top"].intrinsics, T_base_camera=looking_at((0, 0, 1.0), (1, 0, 2.0))
            )
        },
        base_frame="world",
    )
    lift = ViewAndHeight(up, camera="up", heights=HEIGHTS)
    with pytest.raises(LiftError, match="camera 'up' does not come to height 0.1 m"):
        lift.lift({"up": Shown(pixel=(320.0, 240.0), std=1.0)}, 0.1)
    with pytest.raises(LiftError, match="a height is needed"):
        lift.lift({"up": Shown(pixel=(320.0, 240.0), std=1.0)}, None)


def test_height_lines_are_where_things_of_that_height_are():
    lines = height_lines(RIG.cameras["side"], HEIGHTS, through=np.array([0.0, 0.7, 0.0]))
    assert [line.label for line in lines] == ["h1", "h2", "h3"]
    for line, height in zip(lines, HEIGHTS, strict=True):
        seen = RIG.cameras["side"].project(np.array([0.0, 0.7, height]))
        start, end = line.ends
        down = start[1] + (seen[0] - start[0]) / (end[0] - start[0]) * (end[1] - start[1])
        assert down == pytest.approx(seen[1], abs=1e-6)
    downs = [line.ends[:, 1].mean() for line in lines]
    assert downs == sorted(downs, reverse=True)  # higher is further up


def test_only_a_side_camera_has_height_lines():
    assert list(ViewAndHeight(RIG, camera="top", heights=HEIGHTS, side_camera="side").lines()) == ["side"]
    assert ViewAndHeight(RIG, camera="top", heights=HEIGHTS).lines() == {}
    assert TwoViews(RIG, cameras=("top", "side")).lines() == {}


def test_versions_tell_rigs_and_settings_apart():
    lifts: list[Lift] = [
        TwoViews(RIG, cameras=("top", "side")),
        TwoViews(RIG, cameras=("side", "top")),
        TwoViews(RIG, cameras=("top", "side"), gate=2.0),
        TwoViews(table_rig(width=320, height=240), cameras=("top", "side")),
        ViewAndHeight(RIG, camera="top", heights=HEIGHTS),
        ViewAndHeight(RIG, camera="top", heights=HEIGHTS[:2]),
        ViewAndDepth(RIG, camera="top", depth=np.ones((480, 640))),
        ViewAndDepth(RIG, camera="top", depth=np.full((480, 640), 2.0)),
    ]
    assert len({each.version for each in lifts}) == len(lifts)
    assert lifts[0].version == TwoViews(table_rig(), cameras=("top", "side")).version


def test_settings_are_checked_at_the_door():
    with pytest.raises(ValueError, match=r"two views need two different cameras, got \['top', 'top'\]"):
        TwoViews(RIG, cameras=("top", "top"))
    with pytest.raises(ValueError, match="the rig has no camera 'front'"):
        TwoViews(RIG, cameras=("top", "front"))
    with pytest.raises(ValueError, match="gate must be > 0"):
        TwoViews(RIG, cameras=("top", "side"), gate=0.0)
    for heights in ((), (0.2, 0.1)):
        with pytest.raises(ValueError, match="heights must be one or more increasing numbers"):
            ViewAndHeight(RIG, camera="top", heights=heights)
    with pytest.raises(ValueError, match=r"depth image of camera 'top' must be \(480, 640\) px, got \(2, 2\)"):
        ViewAndDepth(RIG, camera="top", depth=np.ones((2, 2)))
    with pytest.raises(ValueError, match="window must be >= 0"):
        ViewAndDepth(RIG, camera="top", depth=np.ones((480, 640)), window=-1)
    with pytest.raises(ValueError, match=r"lines_at must be \(x, y\)"):
        ViewAndHeight(RIG, camera="top", heights=HEIGHTS, lines_at=(0.0,))
