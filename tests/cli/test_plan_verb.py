import json
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from chat_server import ChatServer, completion
from key_point_plans import CORNER
from PIL import Image
from plan_pages import GOAL, PUCK, RIG, TASK, get, post, way_points

from robo_reward.camera.rig_file import write_rig
from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.plan import run
from robo_reward.perception.visual_marks import Grid
from robo_reward.plans.plan_file import read_plan, write_plan
from robo_reward.plans.plan_question import PlanError


@pytest.fixture
def rig_and_pictures(tmp_path):
    """Overrides that name a rig file and two pictures."""
    write_rig(RIG, tmp_path / "rig.yaml")
    for name in RIG.cameras:
        Image.new("RGB", (320, 240), (90, 90, 90)).save(tmp_path / f"{name}.png")
    pictures = ", ".join(f"{name}: {tmp_path / name}.png" for name in RIG.cameras)
    return [
        f"rig={tmp_path / 'rig.yaml'}",
        f"instruction={TASK}",
        f"output={tmp_path / 'out'}",
        f"pictures={{{pictures}}}",
    ]


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
