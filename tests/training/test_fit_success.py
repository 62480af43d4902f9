"""Success fitted beside progress: thresholds from left-out episodes, kept in the folder of the models."""

import math
import re
from pathlib import Path

import pytest
import torch
import yaml
from demonstrations import ENCODER, demonstration, small_process
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st
from recorded import record_red_to_green

from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.main import main
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.errors import DataSetError
from robo_reward.models.success import SuccessClassifier, SuccessModel
from robo_reward.models.success_decision import SuccessLatch, negatives_needed
from robo_reward.models.vlm_judgement import VlmSuccess
from robo_reward.training.fit import FittedModels, load_models, load_success, read_description, save_models
from robo_reward.training.fit_success import FOLDS, DecisionSettings, FittedSuccess, fit_success, latch_score

PAGE = Path(__file__).parents[2] / "docs" / "models" / "success.md"
TASK = "make it green"
LOOSE = DecisionSettings(votes=2, window=3, max_false_positive_rate=0.3, confidence=0.9)
NEEDED = negatives_needed(0.3, confidence=0.9)


def recordings(*, successes: int, failures: int):
    return [demonstration(20, seed=seed) for seed in range(successes)] + [
        demonstration(20, reach=0.5, success=False, seed=100 + seed) for seed in range(failures)
    ]


@given(
    probability=st.lists(
        st.one_of(st.just(math.nan), st.integers(0, 1023).map(lambda n: n / 1024)), min_size=1, max_size=12
    ),
    votes=st.integers(2, 4),
    extra=st.integers(0, 3),
)
def test_a_latch_calls_an_episode_a_success_exactly_where_its_threshold_lies_below_the_score(probability, votes, extra):
    episode = torch.tensor(probability)
    score = latch_score(episode, votes=votes, window=votes + extra)
    assert not any(SuccessLatch(on=score, off=0.0, votes=votes, window=votes + extra).over(episode))
    if score > 0:
        below = math.nextafter(score, 0)
        assert any(SuccessLatch(on=below, off=0.0, votes=votes, window=votes + extra).over(episode))


def test_without_failures_enough_the_threshold_is_the_stated_one_and_says_so():
    fitted = fit_success(SuccessClassifier(ENCODER), recordings(successes=3, failures=NEEDED - 1), LOOSE)
    assert fitted.certified is None
    assert (fitted.threshold, fitted.release, fitted.votes, fitted.window) == (0.5, 0.3, 2, 3)
    assert fitted.classifier.weights


def test_with_failures_enough_the_threshold_is_certified():
    fitted = fit_success(SuccessClassifier(ENCODER), recordings(successes=4, failures=NEEDED), LOOSE)
    assert fitted.certified is not None
    assert fitted.threshold == fitted.certified.threshold
    assert fitted.release <= fitted.threshold
    assert fitted.certified.false_positive_bound <= 0.3
    assert (fitted.certified.negatives, fitted.certified.false_positives) == (NEEDED, 0)
    assert fitted.certified.recall == 1.0
    for reach, success in ((1.0, True), (0.5, False)):
        new = demonstration(40, reach=reach, success=success, seed=900).clip
        assert any(fitted.latch().over(fitted.classifier.probability(new)[0])) == success


@pytest.mark.parametrize(("successes", "judged"), [(2, NEEDED), (4, NEEDED + 4)])
def test_no_episode_is_judged_by_a_classifier_that_learnt_from_it(successes, judged, monkeypatch):
    learnt, scored = {}, []
    fit, probability = SuccessClassifier.fitted_to, SuccessClassifier.probability

    def noted(self, clips):
        fitted = fit(self, clips)
        learnt[id(fitted)] = ({id(each.clip) for each in clips}, fitted)
        return fitted

    def checked(self, clip):
        assert id(clip) not in learnt[id(self)][0]
        scored.append(id(clip))
        return probability(self, clip)

    monkeypatch.setattr(SuccessClassifier, "fitted_to", noted)
    monkeypatch.setattr(SuccessClassifier, "probability", checked)
    unknown = demonstration(20, success=None, seed=50)
    clips = [*recordings(successes=successes, failures=NEEDED), unknown]
    fitted = fit_success(SuccessClassifier(ENCODER), clips, LOOSE)
    assert len(set(scored)) == len(scored) == judged
    assert len(learnt) == FOLDS + 1
    assert fitted.certified is not None
    assert math.isnan(fitted.certified.recall) == (successes == 2)


def test_failures_that_no_threshold_keeps_out_are_not_certified(monkeypatch):
    sure = lambda self, clip: torch.ones(clip.stamp.shape)  # noqa: E731
    monkeypatch.setattr(SuccessClassifier, "probability", sure)
    fitted = fit_success(SuccessClassifier(ENCODER), recordings(successes=3, failures=NEEDED), LOOSE)
    assert fitted.certified is None
    assert fitted.threshold == 0.5


def test_a_decision_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="votes <= window"):
        DecisionSettings(votes=9, window=8)
    with pytest.raises(ValueError, match="got 1.5 and 0.95"):
        DecisionSettings(max_false_positive_rate=1.5)


@pytest.mark.parametrize("failures", [1, NEEDED])
def test_a_folder_keeps_classifier_and_latch_beside_the_model(failures, tmp_path):
    clips = recordings(successes=2, failures=failures)
    success = fit_success(SuccessClassifier(ENCODER), clips, LOOSE)
    fitted = FittedModels(
        encoder={},
        models={TASK: small_process(fit={"steps": 10}).fitted_to(clips)},
        fitted_on={},
        curves={},
        success={TASK: success},
    )
    folder = save_models(fitted, tmp_path / "fitted")
    again = load_success(folder, ENCODER)[TASK]
    assert isinstance(again.classifier, SuccessModel)
    assert again.classifier.version == success.classifier.version
    assert torch.equal(again.classifier.probability(clips[0].clip), success.classifier.probability(clips[0].clip))
    assert repr(plain(again)) == repr(plain(success))
    assert load_models(folder, ENCODER)[TASK].version == fitted.models[TASK].version
    assert (read_description(folder)["success"][TASK]["certified"] is None) == (failures == 1)
    assert (folder / "reward_model.yaml").read_text().count("robo_reward.models.success.SuccessClassifier") == 1


def plain(success: FittedSuccess) -> list:
    return [success.threshold, success.release, success.votes, success.window, success.certified]


def test_a_damaged_classifier_is_refused_by_name(tmp_path):
    success = fit_success(SuccessClassifier(ENCODER), recordings(successes=2, failures=1), LOOSE)
    given = FittedModels(encoder={}, models={TASK: small_process()}, fitted_on={}, curves={}, success={TASK: success})
    folder = save_models(given, tmp_path / "fitted")
    (file,) = (folder / "weights").iterdir()
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(DataSetError, match="cannot be read"):
        load_success(folder, ENCODER)


def test_what_tells_success_is_never_loaded_as_a_reward_model(tmp_path):
    success = fit_success(SuccessClassifier(ENCODER), recordings(successes=2, failures=1), LOOSE)
    given = FittedModels(encoder={}, models={TASK: small_process()}, fitted_on={}, curves={}, success={TASK: success})
    folder = save_models(given, tmp_path / "fitted")
    description = read_description(folder)
    description["models"][TASK] = description["success"][TASK]["classifier"]
    (folder / "reward_model.yaml").write_text(yaml.safe_dump(description))
    with pytest.raises(DataSetError, match="SuccessClassifier, which is no reward model"):
        load_models(folder, ENCODER)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return record_red_to_green(tmp_path_factory.mktemp("recorded") / "data", [12, 14, 9])


def fit(recorded, output, *overrides) -> int:
    prompts = ["reward_model.goal=[a green cube]", "reward_model.baseline=[a red cube]", "embeddings=none"]
    where = [f"episodes.path={recorded}", f"output={output}", "encoder=embedded", "reward_model=prompt_similarity"]
    return main(["fit", *where, *prompts, *overrides])


def test_the_verb_fits_success_when_it_is_told_to(recorded, tmp_path, capsys):
    assert fit(recorded, tmp_path / "fitted", "success=classifier", "success_decision.votes=2") == 0
    said = capsys.readouterr().err
    assert "success of 'make it green': threshold 0.5 as stated; 59 failures would be needed to certify one" in said
    description = read_description(tmp_path / "fitted")
    assert description["success"][TASK]["latch"] == {"threshold": 0.5, "release": 0.3, "votes": 2, "window": 8}
    encoder = instantiate(description["encoder"], _convert_="all")
    success = load_success(tmp_path / "fitted", encoder)[TASK]
    assert sorted(success.classifier.skills) == sorted(LeRobotEpisodes(recorded).episodes[0].cameras)
    page: dict = {}
    (snippet,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    exec(compile(snippet, str(PAGE), "exec"), page)
    decided = page["successes"](tmp_path / "fitted", encoder, LeRobotEpisodes(recorded))
    assert [len(each) for each in decided.values()] == [12, 14, 9]
    assert not any(decided[2])  # the failure


def test_the_verb_fits_no_success_unless_it_is_told_to(recorded, tmp_path):
    assert fit(recorded, tmp_path / "fitted", "watch_cameras=false") == 0
    assert yaml.safe_load((tmp_path / "fitted" / "reward_model.yaml").read_text())["success"] == {}
    assert load_success(tmp_path / "fitted", ENCODER) == {}


def test_what_cannot_be_fitted_is_refused_before_anything_is_looked_at(recorded, tmp_path, capsys):
    vlm = ["success=vlm", "success.vlm.model.model=some", f"success.vlm.folder={tmp_path / 'replies'}"]
    assert fit(recorded, tmp_path / "fitted", *vlm) != 0
    assert "VlmSuccess is not fitted: fit with success=classifier or success=none" in capsys.readouterr().err
    assert not (tmp_path / "fitted").exists()


def test_the_configuration_of_a_vision_language_model_builds_what_tells_success(tmp_path):
    config = compose_verb("fit", ["success=vlm", "success.vlm.model.model=some", f"success.vlm.folder={tmp_path}"])
    assert isinstance(instantiate(config.success, _convert_="all"), VlmSuccess)
