"""`robo-reward fit`, and what it kept used by the other verbs, on a small recorded data set."""

import json

import pyarrow.parquet as pq
import pytest
import torch
from recorded import CAMERAS, record_red_to_green

from robo_reward import RewardStream
from robo_reward.cli.build import build
from robo_reward.cli.main import main
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.models.watched import WatchedCameras
from robo_reward.training.fit import load_models, read_description

TWO = ("make it green", "turn the picture green")
SMALL = [f"reward_model.fit.{setting}" for setting in ("members=2", "width=16", "components=6", "steps=40")]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return record_red_to_green(tmp_path_factory.mktemp("recorded") / "data", [12, 14, 9, 11, 10, 13], instructions=TWO)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def own_cache(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))


@pytest.fixture(scope="module")
def fitted(recorded, home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        output = home / "fitted"
        assert main(["fit", "reward_model=process", f"episodes.path={recorded}", f"output={output}", *SMALL]) == 0
    return output


@pytest.fixture(scope="module")
def relabelled(recorded, fitted, home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        output = home / "relabelled"
        assert main(["relabel", f"reward_model={fitted}", f"episodes.path={recorded}", f"output={output}"]) == 0
    return output


def test_a_fit_keeps_one_model_for_each_task_and_how_it_went(fitted):
    described = read_description(fitted)
    assert set(described["models"]) == set(TWO)
    assert described["models"][TWO[0]]["model"]["instruction"] == TWO[0]  # inside the watch on its cameras
    assert len(list((fitted / "weights").iterdir())) == 2
    curves = json.loads((fitted / "fit.json").read_text())
    assert all(curves[text][0]["held_out_error"] > 0 for text in TWO)
    assert (fitted / "fit.png").stat().st_size > 1000
    assert not list(fitted.parent.glob("fitted.*"))


@pytest.mark.slow
def test_relabelling_with_it_then_evaluating(relabelled, fitted):
    provenance = json.loads((relabelled / "meta" / "robo_reward" / "provenance.json").read_text())
    assert str(provenance).count("ProcessReward") == 2
    assert main(["evaluate", f"episodes.path={relabelled}", "overlays=0"]) == 0
    metrics = json.loads((relabelled.parent / "relabelled_report" / "metrics.json").read_text())
    assert set(metrics["tasks"]) == {"make-it-green", "turn-the-picture-green"}


def test_a_stream_of_the_loaded_model_is_the_relabelled_column_bit_for_bit(recorded, relabelled, fitted):
    models = load_models(fitted, build(read_description(fitted)["encoder"]))
    table = pq.read_table(sorted(relabelled.glob("data/**/*.parquet"))).to_pandas()
    source = LeRobotEpisodes(recorded)
    assert isinstance(models[TWO[0]], WatchedCameras)
    for episode in source.episodes[:2]:
        stream = RewardStream(models[episode.instruction], discount=0.99)
        (clip,) = source.clips(episode, num_frames=100)
        column = table[table["episode_index"] == episode.index]["reward.progress"].to_numpy()
        for t in range(episode.num_frames):
            views = {camera: clip.views[camera][0, t] for camera in CAMERAS}
            reward = stream.step(views, stamp=float(clip.stamp[0, t]))
            assert reward is None or reward.progress == float(column[t])
        assert torch.unique(torch.tensor(column)).numel() > 3


def test_an_instruction_that_nothing_was_fitted_to_is_named(fitted, tmp_path, capsys):
    data = record_red_to_green(tmp_path / "data", [3], instructions=("open the drawer",))
    assert main(["relabel", f"reward_model={fitted}", f"episodes.path={data}", f"output={tmp_path / 'out'}"]) == 2
    said = capsys.readouterr().err
    assert "has no model for instruction ['open the drawer']" in said
    assert f"it has models for {sorted(TWO)}" in said
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_fitted_is_said_before_anything_is_written(recorded, fitted, tmp_path, capsys):
    judge = ["reward_model=vlm_judgement", "reward_model.vlm.model.model=some"]
    assert main(["fit", f"episodes.path={recorded}", f"output={tmp_path / 'out'}", *judge]) == 2
    assert "VlmJudgement cannot be fitted to demonstrations; choose process" in capsys.readouterr().err
    assert main(["fit", "reward_model=process", f"episodes.path={recorded}", f"output={fitted}"]) == 2
    assert "exists" in capsys.readouterr().err
    column = ["steps_column=nowhere", *SMALL]
    assert (
        main(["fit", "reward_model=process", f"episodes.path={recorded}", f"output={tmp_path / 'out'}", *column]) == 2
    )
    assert "nowhere" in capsys.readouterr().err
    for wrong, said in (
        (["labels=time"], "labels must be one of time_passed, time_left, got 'time'"),
        (["labels=time_left", "steps_column=step"], "labels=time_left and steps_column=step both label progress"),
    ):
        assert main(["fit", f"episodes.path={recorded}", f"output={tmp_path / 'out'}", *wrong]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_labels_by_time_left_make_another_model(recorded, fitted, tmp_path):
    asked = ["fit", "reward_model=process", f"episodes.path={recorded}", *SMALL, "labels=time_left"]
    assert main([*asked, f"output={tmp_path / 'left'}"]) == 0
    encoder = build(read_description(fitted)["encoder"])
    left, passed = (load_models(folder, encoder)[TWO[0]] for folder in (tmp_path / "left", fitted))
    assert left.version != passed.version


def test_a_folder_that_no_fit_wrote_is_said_so(recorded, tmp_path, capsys):
    saved = ["reward_model=saved", f"reward_model.path={tmp_path}"]
    assert main(["relabel", *saved, f"episodes.path={recorded}", f"output={tmp_path / 'out'}"]) == 2
    assert "was not written by `robo-reward fit`" in capsys.readouterr().err


OWN = ["encoder=own", "encoder.image_size=36", "encoder.batch_size=4", "own_encoder.steps=12"]


def test_an_encoder_of_its_own_is_trained_first_and_goes_where_the_folder_goes(recorded, tmp_path, capsys):
    preference = ["reward_model=preference", "reward_model.pairs=50", "watch_cameras=false"]
    output = tmp_path / "fitted"
    assert main(["fit", f"episodes.path={recorded}", f"output={output}", *OWN, *preference]) == 0
    assert (output / "encoder.safetensors").stat().st_size > 100_000
    moved = output.rename(tmp_path / "moved")
    relabelled = tmp_path / "relabelled"
    assert main(["relabel", f"reward_model={moved}", f"episodes.path={recorded}", f"output={relabelled}"]) == 0
    progress = pq.read_table(sorted(relabelled.glob("data/**/*.parquet"))).to_pandas()["reward.progress"]
    assert progress.notna().all()
    assert progress.nunique() > 5
    capsys.readouterr()
    unfitted = ["reward_model=process", "encoder=own"]
    assert main(["relabel", *unfitted, f"episodes.path={recorded}", f"output={tmp_path / 'none'}"]) == 2
    assert "encoder=own has no weights: it is trained on demonstrations" in capsys.readouterr().err


def test_no_encoder_is_trained_for_a_model_that_looks_through_none(recorded, tmp_path, capsys):
    asked = ["encoder=own", "own_encoder.steps=0", "reward_model=ground_truth"]  # no steps: refused before training
    assert main(["fit", f"episodes.path={recorded}", f"output={tmp_path / 'fitted'}", *asked]) == 2
    assert "StateProgress cannot be fitted" in capsys.readouterr().err
