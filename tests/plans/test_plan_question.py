import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from chat_server import ChatServer, client, completion
from key_point_plans import table_rig

from robo_reward.errors import OutputError, RoboRewardError
from robo_reward.perception.key_points import KeyPoint
from robo_reward.perception.visual_marks import Grid
from robo_reward.perception.vlm import NoReply
from robo_reward.perception.vlm_cache import CachedVlm
from robo_reward.plans.plan_file import read_plan, write_plan
from robo_reward.plans.plan_folder import PlanFolder
from robo_reward.plans.plan_lift import TwoViews, ViewAndHeight
from robo_reward.plans.plan_question import PlanError, PlanQuestion, PlanSettings

RIG = table_rig(width=320, height=240)
GRID = Grid(width=320, height=240)
PUCK, OVER, GOAL = np.array([-0.12, 0.66, 0.02]), np.array([-0.02, 0.72, 0.2]), np.array([0.11, 0.78, 0.1])
HEIGHTS = (0.02, 0.1, 0.2)
TASK = "bring the puck to the goal"


def pictures():
    return {name: torch.full((3, 240, 320), 90 + at, dtype=torch.uint8) for at, name in enumerate(RIG.cameras)}


class TruePoints:
    """A detector that finds the puck and something else, at their true pixels."""

    def key_points(self, picture):
        camera = RIG.cameras["top" if torch.equal(picture, pictures()["top"]) else "side"]
        return tuple(
            KeyPoint(label=f"P[{number}]", pixel=tuple(camera.project(point).tolist()))
            for number, point in enumerate((OVER, PUCK), start=1)
        )


def tiles(point, cameras=("top", "side")):
    return {name: GRID.tile_of(tuple(RIG.cameras[name].project(point))) for name in cameras}


def chosen(point, *, height=None, name=None, marks=None, cameras=("top", "side"), gripper="any"):
    found = {"marks": marks or tiles(point, cameras), "gripper": gripper}
    return found | ({"height": height} if height else {}) | ({"name": name} if name else {})


def two_views(**changes):
    grasp = chosen(PUCK, gripper="closed")
    return {
        "grasp": grasp,
        "way_points": [chosen(OVER, name="lifted"), chosen(GOAL, name="goal", gripper="open")],
    } | changes


def one_view():
    grasp = chosen(PUCK, height="h1", cameras=("top",), gripper="closed")
    after = [
        chosen(OVER, height="h3", name="lifted", cameras=("top",)),
        chosen(GOAL, height="h2", name="g", cameras=("top",)),
    ]
    return {"grasp": grasp, "way_points": after}


def question(vlm, *, lift=None, detector=None, **settings):
    lift = lift or TwoViews(RIG, cameras=("top", "side"))
    return PlanQuestion(vlm, lift=lift, detector=detector, settings=PlanSettings(**settings))


def says(*replies):
    """A server that gives these replies in turn, the last one for ever."""

    def behave(asked):
        reply = replies[min(asked.number, len(replies) - 1)]
        asked.answer(completion(reply if isinstance(reply, str) else json.dumps(reply)))

    return ChatServer(behave)


def half_a_tile(camera, point):
    depth = RIG.cameras[camera].T_base_camera.inverse().apply(point)[2]
    return max(GRID.tile_size) / 2 * depth / RIG.cameras[camera].intrinsics.focal_x


def test_with_true_marks_of_one_view_and_height_every_point_is_within_half_a_tile():
    lift = ViewAndHeight(RIG, camera="top", heights=HEIGHTS, side_camera="side", lines_at=(0.0, 0.7))
    with says(one_view()) as server:
        plan = question(client(server), lift=lift).plan(TASK, pictures())
    for point, truth in zip(plan.way_points[1:], (PUCK, OVER, GOAL), strict=True):
        # the camera looks down at an angle: along that angle a tile is a little longer on the table
        assert (np.abs(point.position - truth)[:2] <= half_a_tile("top", truth) * 1.05).all()
        assert abs(point.position[2] - truth[2]) < 1e-9
    assert plan.way_points[1].sightings[-1].mark == "h1"
    assert plan.way_points[1].sightings[-1].camera == "side"


def test_with_true_tiles_of_two_views_every_point_is_seen_within_half_a_tile_of_both_centres():
    with says(two_views()) as server:
        plan = question(client(server)).plan(TASK, pictures())
    for point, truth in zip(plan.way_points[1:], (PUCK, OVER, GOAL), strict=True):
        for name, camera in RIG.cameras.items():
            off = np.abs(camera.project(point.position) - GRID.centre(tiles(truth)[name])) / GRID.tile_size
            assert (off <= 0.51).all()


def test_with_true_key_points_of_two_views_the_grasp_is_within_5_mm():
    reply = two_views(grasp=chosen(PUCK, marks={"top": "P[2]", "side": "P2"}, gripper="closed"))
    with says(reply) as server:
        plan = question(client(server), detector=TruePoints()).plan(TASK, pictures())
    assert np.linalg.norm(plan.way_points[1].position - PUCK) < 0.005
    assert plan.way_points[1].sightings[0].mark == "P[2]"
    assert [point.tolerance for point in plan.way_points[:2]] == [0.03, 0.03]


def test_the_plan_begins_above_the_grasp_and_says_where_it_came_from():
    with says(two_views()) as server:
        plan = question(client(server), approach=0.08, tolerance=0.02).plan(TASK, pictures())
    assert [point.name for point in plan.way_points] == ["approach", "grasp", "lifted", "goal"]
    assert (plan.way_points[0].position - plan.way_points[1].position).tolist() == pytest.approx([0, 0, 0.08])
    assert [point.gripper for point in plan.way_points] == ["any", "closed", "any", "open"]
    assert plan.grasp == 1
    assert plan.made_by.startswith("vlm openai tiny")
    assert all(0.1 < point.tolerance < 0.3 for point in plan.way_points)  # of tiles, what they leave open
    assert (plan.task, plan.base_frame) == (TASK, "world")


def test_the_question_shows_marked_pictures_and_says_what_may_be_chosen():
    lift = ViewAndHeight(RIG, camera="top", heights=HEIGHTS, side_camera="side", lines_at=(0.0, 0.7))
    with says(one_view()) as server:
        question(client(server), lift=lift, detector=TruePoints()).plan(TASK, pictures())
        (asked,) = server.asked
    for words in (
        TASK,
        "camera top:",
        "camera side:",
        "rows 1 to 5 from bottom to top",
        "h2 = 0.1 m",
        "at most 8",
        "P[1]",
    ):
        assert words in asked.text, words
    top, side = asked.pictures
    assert top.shape == side.shape == (480, 640, 3)
    assert (top == [215, 25, 28]).all(axis=-1).any()  # key points where marks are chosen
    assert not (side == [215, 25, 28]).all(axis=-1).any()
    assert (side == [255, 210, 0]).all(axis=-1).any()  # height lines beside


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ("First, grasp the puck.", "not one JSON object"),
        (two_views(way_points=[]), "must be a list of 1 to 8 points"),
        (two_views(grasp=chosen(PUCK, marks={"top": "a5", "side": "e1"})), "do not show one point"),
        (two_views(way_points=[chosen(PUCK, name="same")]), "are the same point"),
    ],
)
def test_after_a_bad_reply_the_model_is_told_what_was_wrong(bad, problem):
    with says(bad, two_views()) as server:
        question(client(server)).plan(TASK, pictures())
        first, second = server.asked
    assert problem not in first.text
    assert problem in second.text
    assert (bad if isinstance(bad, str) else '"grasp"') in second.text


def test_replies_that_stay_bad_end_in_a_clear_error_after_bounded_retries():
    with says("<<<>>>") as server:
        with pytest.raises(PlanError, match="no plan in 4 attempts; the last one: the reply is not one JSON.*'<<<>>>'"):
            question(client(server), attempts=4).plan(TASK, pictures())
        assert len(server.asked) == 4
    assert issubclass(PlanError, RoboRewardError)


def test_a_server_that_gives_nothing_is_asked_a_bounded_number_of_times(tmp_path):
    with ChatServer(lambda asked: asked.answer({}, status=500)) as server:
        vlm = client(server, retries=1)
        with pytest.raises(
            PlanError, match=r"no plan in 2 attempts; the last one: there was no reply: .*reply: none \("
        ):
            question(vlm, attempts=2).plan(TASK, pictures(), folder=PlanFolder(tmp_path))
        assert len(server.asked) == 4  # two questions, each sent twice by the transport
    kept = json.loads((tmp_path / "replies.json").read_text())
    assert [sorted(each) for each in kept] == [["no_reply", "problem", "question"]] * 2
    assert not (tmp_path / "plan.yaml").exists()


def test_the_folder_keeps_all_that_the_plan_was_made_from(tmp_path):
    with says("hm", two_views()) as server:
        plan = question(client(server), detector=TruePoints()).plan(TASK, pictures(), folder=PlanFolder(tmp_path))
    names = {
        "plan.yaml",
        "question.txt",
        "replies.json",
        "request.json",
        "side.png",
        "side_marked.png",
        "top.png",
        "top_marked.png",
    }
    assert {file.name for file in tmp_path.iterdir()} == names
    first, second = json.loads((tmp_path / "replies.json").read_text())
    assert (first["reply"], second["problem"]) == ("hm", None)
    assert "<picture top>" in second["question"]
    assert read_plan(tmp_path / "plan.yaml").positions.tolist() == plan.positions.tolist()


def test_the_same_folder_and_inputs_ask_no_second_question(tmp_path):
    with says(two_views()) as server:
        one = question(client(server)).plan(TASK, pictures(), folder=PlanFolder(tmp_path))
        other = question(client(server)).plan(TASK, pictures(), folder=PlanFolder(tmp_path))
        assert len(server.asked) == 1
    assert one.positions.tolist() == other.positions.tolist()


def test_what_a_person_corrected_in_the_folder_stays(tmp_path):
    with says(two_views()) as server:
        asked = question(client(server))
        plan = asked.plan(TASK, pictures(), folder=PlanFolder(tmp_path))
        moved = replace(plan, way_points=(*plan.way_points[:-1], replace(plan.way_points[-1], position=GOAL)))
        write_plan(moved, tmp_path / "plan.yaml")
        assert asked.plan(TASK, pictures(), folder=PlanFolder(tmp_path)).positions[-1].tolist() == GOAL.tolist()


def test_a_folder_of_another_request_is_refused(tmp_path):
    with says(two_views()) as server:
        question(client(server)).plan(TASK, pictures(), folder=PlanFolder(tmp_path))
        with pytest.raises(OutputError, match=r"made otherwise \(different: question, task\)"):
            question(client(server)).plan("another task", pictures(), folder=PlanFolder(tmp_path))
        with pytest.raises(OutputError, match=r"made otherwise \(different: settings\)"):
            question(client(server), approach=0.2).plan(TASK, pictures(), folder=PlanFolder(tmp_path))


def test_replies_are_kept_by_the_cache_of_the_model_too(tmp_path):
    with says(two_views()) as server:
        vlm = CachedVlm(client(server), tmp_path)
        one = question(vlm).plan(TASK, pictures())
        two = question(vlm).plan(TASK, pictures())
        assert len(server.asked) == 1
    assert one.positions.tolist() == two.positions.tolist()


def test_the_same_seed_gives_the_same_way_points_and_another_other_ones_in_the_same_tiles():
    with says(one_view()) as server:
        lift = ViewAndHeight(RIG, camera="top", heights=HEIGHTS)
        found = [
            question(client(server), lift=lift, tile_point="random", seed=seed).plan(TASK, pictures())
            for seed in (1, 1, 2)
        ]
    assert found[0].positions.tolist() == found[1].positions.tolist()
    assert found[0].positions.tolist() != found[2].positions.tolist()
    for plan in found:
        for point in plan.way_points[1:]:
            assert GRID.tile_of(point.sightings[0].pixel) == point.sightings[0].mark


def test_names_that_are_given_twice_are_told_apart(tmp_path):
    reply = two_views(way_points=[chosen(OVER, name="grasp"), chosen(GOAL, name="approach")])
    with says(reply) as server:
        plan = question(client(server)).plan(TASK, pictures(), folder=PlanFolder(tmp_path))
    assert [point.name for point in plan.way_points] == ["approach", "grasp", "grasp 2", "approach 2"]
    assert read_plan(tmp_path / "plan.yaml").grasp == 1


def test_pictures_must_be_as_they_were_calibrated():
    class Silent:
        version = "silent"

        def ask(self, questions):
            return [NoReply(reason="nobody") for _ in questions]

        def choose(self, questions, choices):
            raise NotImplementedError

    with pytest.raises(ValueError, match=r"no picture of camera side; there are pictures of \['top'\]"):
        question(Silent()).plan(TASK, {"top": pictures()["top"]})
    with pytest.raises(ValueError, match="camera 'top' is 8 x 6 px, the rig was measured at 320 x 240"):
        question(Silent()).plan(TASK, pictures() | {"top": torch.zeros(3, 6, 8, dtype=torch.uint8)})


def test_settings_are_checked_at_the_door():
    with pytest.raises(ValueError, match="attempts and most_way_points must be >= 1, got 0, 8"):
        PlanSettings(attempts=0)
    with pytest.raises(ValueError, match="approach, tolerance and mark_std must be > 0"):
        PlanSettings(approach=0.0)
