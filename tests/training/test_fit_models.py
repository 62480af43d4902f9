import json
import math

import pytest
import yaml
from demonstrations import ENCODER, demonstration, small_process
from reward_model import same

from robo_reward.errors import DataSetError, OutputError
from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.perception.fitting import FitProgress
from robo_reward.training import curve
from robo_reward.training.fit import FittedModels, fit_models, load_models, read_description, save_models

TWO = ("make it green", "öffne die Lade")


@pytest.fixture(scope="module")
def fitted() -> FittedModels:
    told: list[tuple[str, int]] = []
    clips = {text: [demonstration(20, seed=number)] for number, text in enumerate(TWO)}
    models, curves = fit_models(
        {text: small_process(instruction=text, fit={"steps": 30}) for text in TWO},
        clips.__getitem__,
        on_epoch=lambda text, progress: told.append((text, progress.epoch)),
    )
    assert told == [(text, each.epoch) for text in TWO for each in curves[text]]
    return FittedModels(
        encoder={"_target_": "some"}, models=models, fitted_on={"episodes": {"path": "x"}}, curves=curves
    )


def test_models_are_what_was_saved(fitted, tmp_path):
    folder = save_models(fitted, tmp_path / "out")
    again = load_models(folder, ENCODER)
    assert list(again) == list(TWO)
    clip = demonstration(15, seed=7).clip
    for text in TWO:
        assert again[text].version == fitted.models[text].version
        same(again[text].estimate_embedded(clip), fitted.models[text].estimate_embedded(clip))
    described = read_description(folder)
    assert described["encoder"] == {"_target_": "some"}
    assert described["fitted_on"] == {"episodes": {"path": "x"}}


def test_a_person_can_read_it_and_nothing_in_it_can_run(fitted, tmp_path):
    folder = save_models(fitted, tmp_path / "out")
    assert TWO[1] in (folder / "reward_model.yaml").read_text()
    yaml.safe_load((folder / "reward_model.yaml").read_text())
    files = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert files == {".yaml", ".json", ".png", ".safetensors"}


def test_the_curve_is_kept_with_what_nobody_measured_as_null(fitted, tmp_path):
    curve = json.loads((save_models(fitted, tmp_path / "out") / "fit.json").read_text())[TWO[0]]
    assert [each["epoch"] for each in curve] == [each.epoch for each in fitted.curves[TWO[0]]]
    assert curve[0]["held_out_error"] == fitted.curves[TWO[0]][0].held_out_error
    assert math.isnan(fitted.curves[TWO[0]][-1].held_out_error)
    assert curve[-1]["held_out_error"] is None


def test_the_same_fit_is_the_same_bytes(fitted, tmp_path):
    one, other = (save_models(fitted, tmp_path / name) for name in ("one", "other"))
    for path in one.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (other / path.relative_to(one)).read_bytes()


def test_what_is_there_is_never_written_over(fitted, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="out"):
        save_models(fitted, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_failure_leaves_no_output_and_the_next_run_starts_afresh(fitted, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(curve, "draw_curves", full)
        with pytest.raises(OutputError, match="the disk is full"):
            save_models(fitted, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (leftover,) = tmp_path.iterdir()
    (leftover / "weights" / "stale.safetensors").write_bytes(b"of a run that was killed")
    folder = save_models(fitted, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not (folder / "weights" / "stale.safetensors").exists()


def test_a_model_of_closed_form_has_no_picture(tmp_path):
    model = PromptSimilarity(ENCODER, goal=["a green square"], baseline=["a red square"], alpha=0.5)
    folder = save_models(
        FittedModels(encoder={}, models={"x": model}, fitted_on={}, curves={"x": []}), tmp_path / "out"
    )
    assert not (folder / "fit.png").exists()
    assert not (folder / "weights").exists()
    assert load_models(folder, ENCODER)["x"].version == model.version


def test_a_fit_without_anything_held_out_is_drawn_all_the_same(tmp_path):
    curve = [FitProgress(epoch=1, epochs=1, training_error=0.5, held_out_error=math.nan)]
    saved = FittedModels(encoder={}, models={"x": small_process()}, fitted_on={}, curves={"x": curve})
    assert (save_models(saved, tmp_path / "out") / "fit.png").stat().st_size > 1000


def test_what_is_not_there_or_damaged_is_said(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match="was not written by `robo-reward fit`"):
        load_models(tmp_path, ENCODER)
    folder = save_models(fitted, tmp_path / "out")
    next((folder / "weights").iterdir()).write_bytes(b"nothing")
    with pytest.raises(DataSetError, match="cannot be read"):
        load_models(folder, ENCODER)
    with pytest.raises(ValueError, match="models is empty; fit at least one"):
        FittedModels(encoder={}, models={}, fitted_on={}, curves={})
