from dataclasses import replace

import numpy as np
import pytest
import yaml
from key_point_plans import plan

from robo_reward.errors import OutputError
from robo_reward.plans.plan_file import PlanFileError, plan_document, plan_from, read_plan, write_plan
from robo_reward.plans.way_points import Sighting

PLAN = plan((0, 0, 0.1234567890123), (1, 0, 0), (1, 1, 0), gripper={1: "closed"}, around={2: "goal"})
SEEN = (Sighting(camera="top", pixel=(12.5, 3.25), mark="c4"), Sighting(camera="side", mark="line 2"))
PLAN = replace(
    PLAN, grasp=1, way_points=(PLAN.way_points[0], replace(PLAN.way_points[1], sightings=SEEN), PLAN.way_points[2])
)


def test_what_is_written_is_read_back(tmp_path):
    back = read_plan(write_plan(PLAN, tmp_path / "folder" / "plan.yaml"))
    assert plan_document(back) == plan_document(PLAN)
    assert np.array_equal(back.positions, PLAN.positions)
    assert back.way_points[1].sightings == SEEN
    assert back.grasp == 1
    assert [point.relative_to for point in back.way_points] == [None, None, "goal"]


def test_a_person_needs_to_write_little(tmp_path):
    (tmp_path / "plan.yaml").write_text(
        "task: open the drawer\nbase_frame: base_link\nway_points:\n- position: [0, 0, 0.2]\n- position: [0.1, 0, 0]\n"
    )
    found = read_plan(tmp_path / "plan.yaml")
    assert [point.gripper for point in found.way_points] == ["any", "any"]
    assert found.way_points[1].name == "way point 1"
    assert (found.grasp, found.made_by) == (None, "hand")


def test_a_file_that_is_there_is_replaced_whole(tmp_path):
    path = write_plan(PLAN, tmp_path / "plan.yaml")
    write_plan(replace(PLAN, task="another task"), path)
    assert read_plan(path).task == "another task"
    assert [file.name for file in tmp_path.iterdir()] == ["plan.yaml"]


def test_a_disk_that_fills_up_leaves_the_old_plan_as_it_was(tmp_path, monkeypatch):
    path = write_plan(PLAN, tmp_path / "plan.yaml")

    def full(descriptor):
        raise OSError(28, "the disk is full on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_plan(replace(PLAN, task="another task"), path)
    assert read_plan(path).task == PLAN.task
    assert [file.name for file in tmp_path.iterdir()] == ["plan.yaml"]


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_plan(PLAN, tmp_path / "file" / "plan.yaml")


def broken(change):
    document = yaml.safe_load(yaml.safe_dump(plan_document(PLAN)))
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.pop("task"), "p: missing task"),
        (lambda d: d.update(format=2), "p: format is 2; this version reads 1"),
        (lambda d: d.update(taks="x"), "p: unknown key taks; allowed: format, task, base_frame"),
        (lambda d: d.update(way_points={}), "p: way_points must be a list, got dict"),
        (lambda d: d.update(way_points=[], grasp=None), "p: a plan needs at least 2 way points, got 0"),
        (lambda d: d.update(task=3), "p: task must be a text, got 3"),
        (lambda d: d.update(grasp="nobody"), r"p: grasp must name one way point of \['point 0'"),
        (lambda d: d["way_points"][1].pop("position"), r"p: way_points\[1\]: missing position"),
        (
            lambda d: d["way_points"][1].update(position=[1, 2]),
            r"way_points\[1\].position must be 3 numbers, got \[1, 2\]",
        ),
        (lambda d: d["way_points"][1].update(position=[1, 2, "a"]), r"position must be 3 numbers"),
        (lambda d: d["way_points"][1].update(position=[1, 2, True]), r"position must be 3 numbers"),
        (lambda d: d["way_points"][1].update(position=[1, 2, float("nan")]), r"position must be 3 finite numbers"),
        (lambda d: d["way_points"][1].update(gripper="shut"), "gripper must be one of open, closed, any; got 'shut'"),
        (lambda d: d["way_points"][1].update(gripper=True), "gripper must be one of open, closed, any; got True"),
        (lambda d: d["way_points"][1].update(tolerance="wide"), r"tolerance must be 1 number, got \['wide'\]"),
        (lambda d: d["way_points"][1].update(relative_to=3), r"way_points\[1\].relative_to must be a text, got 3"),
        (lambda d: d["way_points"][1].update(sightings=3), "sightings must be a list, got int"),
        (lambda d: d["way_points"][1]["sightings"][0].update(pixel=[1]), r"sightings\[0\].pixel must be 2 numbers"),
        (lambda d: d["way_points"][1]["sightings"][1].pop("mark"), "a sighting needs a pixel, a mark, or both"),
    ],
)
def test_errors_name_key_value_and_what_is_allowed(change, text):
    with pytest.raises(PlanFileError, match=text):
        plan_from(broken(change), where="p")


def test_errors_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no plan .*none.yaml"):
        read_plan(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(PlanFileError, match="bad.yaml is not YAML"):
        read_plan(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("[1]")
    with pytest.raises(PlanFileError, match="list.yaml must map task, base_frame, way_points to values, got list"):
        read_plan(tmp_path / "list.yaml")
