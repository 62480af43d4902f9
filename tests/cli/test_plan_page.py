import json
from urllib.error import HTTPError

import numpy as np
import pytest
import torch
from plan_pages import GOAL, MOVED, PICTURES, PUCK, RIG, TASK, clicks, get, post, way_points

from robo_reward.cli.plan_server import PAGE, PlanServer
from robo_reward.plans.plan_file import read_plan


@pytest.fixture
def page(tmp_path):
    with PlanServer(RIG, pictures=PICTURES, task=TASK, path=tmp_path / "plan.yaml", plan=None, port=0) as server:
        yield server


def test_the_page_needs_nothing_from_elsewhere(page):
    status, kind, body = get(page.url)
    assert (status, kind) == (200, "text/html")
    text = body.decode()
    assert body == PAGE.read_bytes()
    assert "http:" not in text
    assert "https:" not in text
    assert "src=" not in text


def test_the_page_is_told_task_cameras_and_pictures(page):
    state = json.loads(get(page.url + "state")[2])
    assert (state["task"], state["base_frame"], state["plan"]) == (TASK, "world", None)
    assert [camera["name"] for camera in state["cameras"]] == ["top", "side"]
    status, kind, body = get(page.url.rstrip("/") + state["cameras"][1]["picture"])
    assert (status, kind) == (200, "image/png")
    assert body.startswith(b"\x89PNG")


def test_a_click_is_answered_with_a_line_and_two_with_a_point(page):
    status, told = post(page.url + "locate", {"shown": clicks(PUCK, "top")})
    assert (status, told["position"]) == (200, None)
    assert len(told["lines"]["side"]) > 10
    status, told = post(page.url + "locate", {"shown": clicks(PUCK, "top", "side")})
    assert told["position"] == pytest.approx(PUCK.tolist(), abs=1e-6)
    assert told["pixels"]["side"] == pytest.approx(clicks(PUCK, "side")["side"])
    assert told["std"] < 0.02


def test_the_plan_is_written_whole(page, tmp_path):
    status, told = post(page.url + "plan", {"points": way_points(), "grasp": 0})
    assert (status, told) == (200, {"written": str(tmp_path / "plan.yaml")})
    plan = read_plan(tmp_path / "plan.yaml")
    assert np.abs(plan.positions - [PUCK, GOAL]).max() < 1e-6
    assert [point.gripper for point in plan.way_points] == ["closed", "open"]
    assert (plan.grasp, plan.task, plan.made_by) == (0, TASK, "click")
    assert [file.name for file in tmp_path.iterdir()] == ["plan.yaml"]


def test_a_plan_that_is_there_is_shown_and_can_be_corrected(page, tmp_path):
    post(page.url + "plan", {"points": way_points(), "grasp": 0})
    state = json.loads(get(page.url + "state")[2])
    shown = state["plan"]["way_points"]
    assert shown[0]["pixels"]["top"] == pytest.approx(clicks(PUCK, "top")["top"])
    kept = {"name": "grasp", "gripper": "closed", "tolerance": 0.02, "shown": {}, "position": shown[0]["position"]}
    moved = way_points()[1] | {"shown": clicks(MOVED, "top", "side")}
    assert post(page.url + "plan", {"points": [kept, moved], "grasp": 0})[0] == 200
    plan = read_plan(tmp_path / "plan.yaml")
    assert np.abs(plan.positions - [PUCK, MOVED]).max() < 1e-6


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"points": way_points()[:1]}, "at least 2 way points, got 1"),
        ({"points": [*way_points(), {"name": "nowhere"}]}, "way point 'nowhere': nobody showed where it is"),
        ({"points": way_points(), "grasp": 5}, "grasp must be an index of a way point"),
        ({"points": way_points(), "grasp": "a"}, "grasp must be the number of a way point or null"),
        ({"points": [way_points()[0] | {"gripper": "shut"}]}, "gripper must be one of open, closed, any; got 'shut'"),
        ({"points": [way_points()[0] | {"tolerance": -1}]}, "tolerance must be > 0 m"),
        ({"points": [way_points()[0] | {"shown": {"front": [1, 2]}}] * 2}, "the rig has no camera 'front'"),
        ({"points": [way_points()[0] | {"shown": {"top": [1]}}] * 2}, "a pixel must be 2 numbers"),
        ({"points": [way_points()[0] | {"shown": 3}] * 2}, "shown must map cameras to pixels"),
        ({"points": [way_points()[0] | {"height": "high"}] * 2}, "height must be a number"),
        ({"points": [3]}, "a way point must be an object"),
        (
            {"points": [way_points()[0], way_points()[1] | {"name": "grasp"}], "grasp": 0},
            "grasp must name one way point",
        ),
        ({"points": [{"position": [0, "a", 0]}] * 2}, "must be 3 numbers"),
        ([], "the page must send points"),
        (b"{", "Expecting property name"),
        (b'{"points": NaN}', "NaN is no JSON"),
    ],
)
def test_what_is_no_plan_is_refused_with_a_reason_and_nothing_is_written(page, tmp_path, body, problem):
    status, told = post(page.url + "plan", body)
    assert status == 400
    assert problem in told["problem"]
    assert not list(tmp_path.iterdir())


def test_only_the_page_itself_may_write(page, tmp_path):
    body = {"points": way_points(), "grasp": 0}
    assert post(page.url + "plan", body, content_type="text/plain")[0] == 403  # what a form of another site can send
    assert post(page.url + "plan", body, host="evil.example:80")[0] == 403
    with pytest.raises(HTTPError, match="404"):
        get(page.url + "state", host="evil.example:80")
    assert post(page.url + "plan", b" " * 1_000_001)[0] == 403
    assert not list(tmp_path.iterdir())


def test_there_is_nothing_else(page):
    for path in ("picture/2", "picture/-1", "../pyproject.toml", "plan_server.py"):
        with pytest.raises(HTTPError, match="404"):
            get(page.url + path)
    assert post(page.url + "other", {})[0] == 404


def test_pictures_must_fit_the_rig(tmp_path):
    wrong = {"top": torch.zeros(3, 4, 4, dtype=torch.uint8)}
    with pytest.raises(ValueError, match="camera 'top' is 4 x 4 px, the rig was measured at 320 x 240"):
        PlanServer(RIG, pictures=wrong, task=TASK, path=tmp_path / "p", plan=None, port=0)
    with pytest.raises(ValueError, match="no pictures to click in"):
        PlanServer(RIG, pictures={}, task=TASK, path=tmp_path / "p", plan=None, port=0)
