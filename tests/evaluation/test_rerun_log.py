import sys
from dataclasses import replace

import pytest
from key_point_plans import way_seen

from robo_reward.errors import OutputError
from robo_reward.models.keypoint_affordance import KeypointAffordance

ENTITIES = (
    "/world/cameras/top",
    "/world/cameras/side/picture",
    "/world/plan/way",
    "/world/plan/points",
    "/world/point",
    "/world/point/covariance",
    "/world/point/trail",
    "/progress/value",
    "/progress/low",
    "/progress/high",
)


def logged(path, **changes):
    from robo_reward.evaluation.rerun_log import log_plan

    clip, rig, plan, source = way_seen()
    located, _ = source.locate(clip, None)
    estimate = KeypointAffordance(plan, point=source).estimate(clip)
    return log_plan(path, changes.get("clip", clip), rig=rig, plan=plan, located=located, estimate=estimate)


def test_the_recording_has_every_entity(tmp_path):
    pytest.importorskip("rerun", reason="the rerun extra is not installed")
    path = logged(tmp_path / "folder" / "episode.rrd")
    content = path.read_bytes()
    assert content.startswith(b"RRF")
    for entity in ENTITIES:
        assert entity.encode() in content, entity
    assert [file.name for file in path.parent.iterdir()] == ["episode.rrd"]


def test_values_are_those_of_the_estimate(tmp_path):
    pytest.importorskip("rerun", reason="the rerun extra is not installed")
    chunk = pytest.importorskip("rerun.chunk", reason="this Rerun cannot read its own files")
    path = logged(tmp_path / "episode.rrd")
    clip, _, plan, source = way_seen()
    progress = KeypointAffordance(plan, point=source).estimate(clip).progress[0]
    known = [float(each) for each in progress if not each.isnan()]
    values = []
    for each in chunk.RrdReader(path).stream().to_chunks():
        if each.entity_path == "/progress/value":
            batch = each.to_record_batch()
            names = [name for name in batch.schema.names if name.startswith("Scalars")]
            values += [row[0] for name in names for row in batch.column(name).to_pylist() if row]
    assert values == pytest.approx(known)


def test_without_rerun_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(ModuleNotFoundError, match=r"Rerun is not installed: pip install 'robo-reward\[rerun\]'"):
        logged(tmp_path / "episode.rrd")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path):
    pytest.importorskip("rerun", reason="the rerun extra is not installed")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        logged(tmp_path / "file" / "episode.rrd")


def test_one_episode_is_logged_at_a_time(tmp_path):
    clip, *_ = way_seen()
    views = {name: frames.expand(2, -1, -1, -1, -1) for name, frames in clip.views.items()}
    two = replace(clip, views=views, present=clip.present.expand(2, -1, -1), stamp=clip.stamp.expand(2, -1), state={})
    with pytest.raises(ValueError, match="got a batch of 2"):
        logged(tmp_path / "episode.rrd", clip=two)
