import json
import threading
import time
from dataclasses import replace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
import torch
from chat_server import ChatServer, completion
from key_point_plans import CORNER, table_rig
from PIL import Image

from robo_reward.camera.rig_file import write_rig
from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.plan import run
from robo_reward.cli.plan_server import PAGE, PlanServer
from robo_reward.perception.visual_marks import Grid
from robo_reward.plans.plan_file import read_plan, write_plan
from robo_reward.plans.plan_question import PlanError

RIG = table_rig(width=320, height=240)
PUCK, GOAL = np.array([-0.12, 0.66, 0.02]), np.array([0.11, 0.78, 0.1])
PICTURES = {name: torch.full((3, 240, 320), 90, dtype=torch.uint8) for name in RIG.cameras}
MOVED = GOAL + np.array([0.02, 0.0, 0.0])
TASK = "bring the puck to the goal"


@pytest.fixture
def rig_and_pictures(tmp_path):
    """Overrides that name a rig file and two pictures."""
    write_rig(RIG, tmp_path / "rig.yaml")
    for name in RIG.cameras:
        Image.new("RGB", (320, 240), (90, 90, 90)).save(tmp_path / f"{name}.png")
    pictures = ", ".join(f"{name}: {tmp_path / name}.png" for name in RIG.cameras)
    return [f"rig={tmp_path / 'rig.yaml'}", f"task={TASK}", f"output={tmp_path / 'out'}", f"pictures={{{pictures}}}"]


def ask(server, *overrides):
    vlm = ["vlm.model.model=tiny", f"vlm.model.url={server.url}", "vlm.model.transport.retries=0"]
    run(compose_verb("plan", [*overrides, *vlm]))


def tiles(point, *cameras):
    grid = Grid(width=320, height=240)
    return {name: grid.tile_of(tuple(RIG.cameras[name].project(point))) for name in cameras}


def says(reply):
    return ChatServer(lambda asked: asked.answer(completion(json.dumps(reply))))


def test_the_verb_asks_and_writes_the_plan(rig_and_pictures, tmp_path, capsys):
    grasp = {"marks": tiles(PUCK, "top", "side"), "gripper": "closed"}
    goal = {"name": "goal", "marks": tiles(GOAL, "top", "side"), "gripper": "open"}
    with says({"grasp": grasp, "way_points": [goal]}) as server:
        ask(server, *rig_and_pictures, f"vlm.folder={tmp_path / 'replies'}")
        ask(server, *rig_and_pictures, f"vlm.folder={tmp_path / 'replies2'}")
        assert len(server.asked) == 1
    plan = read_plan(tmp_path / "out" / "plan.yaml")
    assert [point.gripper for point in plan.way_points] == ["any", "closed", "open"]
    assert plan.task == TASK
    told = capsys.readouterr().err
    assert str(tmp_path / "out" / "plan.yaml") in told
    widest = max(point.tolerance for point in plan.way_points)
    assert widest > 0.1
    assert f"warning: tiles leave open where points are, up to {widest:.2f} m" in told


def test_the_verb_takes_one_camera_with_heights_or_depth(rig_and_pictures, tmp_path):
    grasp = {"marks": tiles(PUCK, "top"), "height": "h1", "gripper": "closed"}
    goal = {"name": "goal", "marks": tiles(GOAL, "top"), "height": "h2", "gripper": "open"}
    lift = ["lift.cameras=[top]", "lift.heights=[0.02, 0.1]", "lift.side_camera=side", "lift.lines_at=[0.0, 0.7]"]
    with says({"grasp": grasp, "way_points": [goal]}) as server:
        ask(server, *rig_and_pictures, *lift, f"vlm.folder={tmp_path / 'replies'}", "key_points=none")
    assert read_plan(tmp_path / "out" / "plan.yaml").positions[1:, 2].tolist() == pytest.approx([0.02, 0.1])
    np.save(tmp_path / "depth.npy", np.full((240, 320), 1.0, dtype=np.float32))
    flat = [{key: each[key] for key in each if key != "height"} for each in (grasp, goal)]
    with says({"grasp": flat[0], "way_points": [flat[1]]}) as server:
        depth = ["lift.cameras=[top]", f"lift.depth={tmp_path / 'depth.npy'}", f"output={tmp_path / 'deep'}"]
        ask(server, *rig_and_pictures, *depth, f"vlm.folder={tmp_path / 'replies'}")
    plan = read_plan(tmp_path / "deep" / "plan.yaml")
    away = RIG.cameras["top"].T_base_camera.inverse().apply(plan.positions[1:])
    assert away[:, 2].tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (np.full((240, 320), 1000, dtype=np.uint16), "holds uint16: it must be metres as float32; is it millimetres"),
        (np.full((240, 320), 1000, dtype=np.float32), "goes to 1000 m, more than 100 m; is it millimetres"),
    ],
)
def test_depth_in_millimetres_is_refused(rig_and_pictures, tmp_path, depth, message):
    np.save(tmp_path / "depth.npy", depth)
    with ChatServer(lambda asked: None) as server, pytest.raises(ValueError, match=message):
        ask(server, *rig_and_pictures, "lift.cameras=[top]", f"lift.depth={tmp_path / 'depth.npy'}")


def test_a_model_that_does_not_understand_is_a_clear_error(rig_and_pictures, tmp_path):
    with says("what?") as server:
        with pytest.raises(PlanError, match="no plan in 2 attempts"):
            ask(server, *rig_and_pictures, f"vlm.folder={tmp_path / 'replies'}", "settings.attempts=2")
        assert len(server.asked) == 2


def test_one_camera_alone_is_refused(rig_and_pictures, tmp_path):
    with (
        ChatServer(lambda asked: None) as server,
        pytest.raises(ValueError, match=r"with one camera \(top\) nothing tells how far points are"),
    ):
        ask(server, *rig_and_pictures, "lift.cameras=[top]")


# ---- the page


def get(url, **headers):
    with urlopen(Request(url, headers=headers), timeout=5) as answer:
        return answer.status, answer.headers.get_content_type(), answer.read()


def post(url, body, *, content_type="application/json", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(url, data=content, headers={"content-type": content_type, **headers})
    try:
        with urlopen(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.fixture
def page(tmp_path):
    with PlanServer(RIG, pictures=PICTURES, task=TASK, path=tmp_path / "plan.yaml", plan=None, port=0) as server:
        yield server


def clicks(point, *cameras):
    return {name: RIG.cameras[name].project(point).tolist() for name in cameras}


def way_points():
    return [
        {"name": "grasp", "gripper": "closed", "tolerance": 0.02, "shown": clicks(PUCK, "top", "side"), "height": None},
        {"name": "goal", "gripper": "open", "tolerance": 0.03, "shown": clicks(GOAL, "top"), "height": 0.1},
    ]


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


def free_port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def clicking(overrides, port):
    """Run the verb in a thread until its page answers."""
    ended: list[BaseException | None] = []

    def verb():
        try:
            run(compose_verb("plan", [*overrides, "click=true", f"port={port}", "open_browser=false"]))
            ended.append(None)
        except ValueError as error:
            ended.append(error)

    thread = threading.Thread(target=verb, daemon=True)
    thread.start()
    for _ in range(200):
        try:
            get(f"http://127.0.0.1:{port}/state")
            return thread, ended
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the page does not come up")


def test_the_verb_waits_for_the_page_and_ends_with_the_plan(rig_and_pictures, tmp_path):
    port = free_port()
    thread, ended = clicking(rig_and_pictures, port)
    url = f"http://127.0.0.1:{port}/"
    assert post(url + "plan", {"points": way_points(), "grasp": 0})[0] == 200
    assert post(url + "done", {})[0] == 200
    thread.join(10)
    assert ended == [None]
    assert read_plan(tmp_path / "out" / "plan.yaml").grasp == 0


def test_a_page_that_was_left_without_a_plan_is_an_error(rig_and_pictures):
    port = free_port()
    thread, ended = clicking(rig_and_pictures, port)
    post(f"http://127.0.0.1:{port}/done", {})
    thread.join(10)
    assert "no plan was saved" in str(ended[0])


def test_the_verb_corrects_the_plan_of_a_model(rig_and_pictures, tmp_path):
    grasp = {"marks": tiles(PUCK, "top", "side"), "gripper": "closed"}
    goal = {"name": "goal", "marks": tiles(GOAL, "top", "side"), "gripper": "open"}
    with says({"grasp": grasp, "way_points": [goal]}) as server:
        ask(server, *rig_and_pictures, f"vlm.folder={tmp_path / 'replies'}")
        path = tmp_path / "out" / "plan.yaml"
        told = read_plan(path)
        write_plan(replace(told, way_points=told.way_points[1:], grasp=0), path)
        ask(server, *rig_and_pictures, f"vlm.folder={tmp_path / 'replies'}")
    assert len(read_plan(path).way_points) == 2


def test_the_page_of_the_verb_shows_the_plan_that_is_there(rig_and_pictures, tmp_path):
    write_plan(replace(CORNER, task=TASK), tmp_path / "out" / "plan.yaml")
    port = free_port()
    thread, ended = clicking(rig_and_pictures, port)
    shown = json.loads(get(f"http://127.0.0.1:{port}/state")[2])["plan"]
    post(f"http://127.0.0.1:{port}/done", {})
    thread.join(10)
    assert [point["position"] for point in shown["way_points"]] == CORNER.positions.tolist()
    assert ended == [None]  # what is there is a plan, also if nothing was changed
