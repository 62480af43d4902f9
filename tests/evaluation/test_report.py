from html.parser import HTMLParser

import pytest
import torch
from green_episodes import ColourFraction, FrameCounter, recordings

from robo_reward.evaluation import EvaluationSettings, evaluate
from robo_reward.evaluation.report import write_report
from robo_reward.evaluation.task_evaluation import evaluate_task
from robo_reward.evaluation.verdicts import Thresholds, verdicts

VOID = {"meta", "link", "br", "img", "hr", "input"}
PER_TASK = 3


class Page(HTMLParser):
    """Reads a page strictly: every element that is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.sources: list[str] = []
        self.unfolded = 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.sources += [given[name] for name in ("src", "href", "xlink:href") if given.get(name)]
        self.unfolded += tag == "details" and "open" in given
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def source():
    return recordings(per_task=PER_TASK)


@pytest.fixture(scope="module")
def evaluation(source):
    settings = EvaluationSettings(outcomes=("success", "early_stop"), fitted_on=[2])
    return evaluate(source, ColourFraction, settings=settings, provenance={"prompts": {"goal": ["<green> & co"]}})


@pytest.fixture(scope="module")
def text(evaluation, source, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(evaluation, path, source=source, title="Greens & reds", overlays=1)
    worst = max(evaluation.episodes, key=lambda found: found.badness).episode.index
    assert [found.name for found in (path.parent / "overlays").iterdir()] == [f"episode_{worst:06d}.mp4"]
    return path.read_text()


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_every_episode_is_there_once_and_the_page_is_well_formed(page):
    episodes = [name for name in page.ids if name.startswith("episode-")]
    assert sorted(episodes) == [f"episode-{index}" for index in range(2 * PER_TASK)]
    assert len(set(page.ids)) == len(page.ids)


def test_within_a_task_the_worst_comes_first(page, evaluation):
    episodes = [int(name.removeprefix("episode-")) for name in page.ids if name.startswith("episode-")]
    badness = {found.episode.index: found.badness for found in evaluation.episodes}
    for task in (episodes[:PER_TASK], episodes[PER_TASK:]):
        assert [badness[index] for index in task] == sorted((badness[index] for index in task), reverse=True)


def test_nothing_is_fetched_from_elsewhere(page):
    assert page.sources
    allowed = ("data:image/jpeg;base64,", "#", "overlays/")
    assert [found[:80] for found in page.sources if not found.startswith(allowed)] == []


def test_what_users_wrote_is_escaped(text):
    assert "<title>Greens &amp; reds</title>" in text
    assert "&lt;green&gt; &amp; co" in text
    assert "<green>" not in text


def test_what_was_fitted_on_and_how_failures_were_made_is_said(text):
    assert text.count("fitted on, not counted") == 1
    assert "early stop" in text


def test_the_same_evaluation_gives_the_same_page(evaluation, source, text, tmp_path):
    write_report(evaluation, tmp_path / "report.html", source=source, title="Greens & reds", overlays=1)
    assert (tmp_path / "report.html").read_text() == text


def test_an_unknown_outcome_and_a_model_that_abstains_can_be_reported(tmp_path):
    class Silent(ColourFraction):
        def estimate(self, clip):
            nothing = torch.full(clip.stamp.shape, torch.nan)
            return type(super().estimate(clip))(progress=nothing, spread=nothing)

    source = recordings(Silent, per_task=2, known=False)
    write_report(evaluate(source, Silent), tmp_path / "report.html", source=source, overlays=1)
    page = Page((tmp_path / "report.html").read_text())
    assert len([name for name in page.ids if name.startswith("episode-")]) == 4


def test_a_negative_number_of_videos_is_refused(evaluation, source, tmp_path):
    with pytest.raises(ValueError, match="overlays must be >= 0, or None for all, got -1"):
        write_report(evaluation, tmp_path / "report.html", source=source, overlays=-1)


def verdicts_of(model) -> dict[str, bool | None]:
    task = evaluate(recordings(model, per_task=4), model).tasks[0]
    return {verdict.name: verdict.passed for verdict in verdicts(task, thresholds=Thresholds())}


def test_a_good_model_passes_all_and_a_counter_fails_what_it_must():
    assert set(verdicts_of(ColourFraction).values()) == {True}
    counter = verdicts_of(lambda _: FrameCounter())
    passed = [name for name, verdict in counter.items() if verdict]
    assert passed == ["VOC", "Without camera front", "Without camera wrist"]


def test_what_cannot_be_judged_is_neither_passed_nor_failed(evaluation):
    alone = [found for found in evaluation.episodes if found.fitted]
    task = evaluate_task("x", alone, seed=0)  # no episode is counted
    assert {verdict.passed for verdict in verdicts(task, thresholds=Thresholds())} == {None}


def test_thresholds_are_checked():
    with pytest.raises(ValueError, match=r"threshold voc must be in \[0, 1\], got 2"):
        Thresholds(voc=2.0)
