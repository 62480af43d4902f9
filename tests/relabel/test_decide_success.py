"""Success that a fitted classifier decides: the recorded column is what the latch says online, frame by frame."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from fake_encoder import FakeEncoder
from recorded import INSTRUCTION, Stops, greenness, record_red_to_green

from robo_reward.clip import Episode
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.errors import OutputError
from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.models.success import SuccessClassifier
from robo_reward.models.success_decision import SuccessLatch
from robo_reward.perception.embedding_store import EmbeddingStore
from robo_reward.perception.encoder import embed_clip
from robo_reward.relabel.decide_success import decided_episode
from robo_reward.relabel.embed_episodes import EpisodeEmbedder
from robo_reward.relabel.run import PROVENANCE, Relabelling, read_provenance, relabel
from robo_reward.relabel.success_counts import count_successes
from robo_reward.training.fit_success import DecisionSettings, FittedSuccess, fit_success
from robo_reward.training.recordings import labelled_clips

LENGTHS = [20, 32, 18, 25]
COLUMN = "reward.success_probability"
EARLY = DecisionSettings(votes=2, window=3)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    return record_red_to_green(tmp_path_factory.mktemp("recorded") / "data", LENGTHS)


@pytest.fixture(scope="module")
def told(recorded) -> FittedSuccess:
    """Fitted to the recordings themselves, whose greenest frames are the successes."""
    source = LeRobotEpisodes(recorded)
    embedded = EpisodeEmbedder(FakeEncoder(), source, store=None).embed_all(source.episodes)
    clips = list(labelled_clips(source, embedded, steps_column=None, unknown_success=None))
    return fit_success(SuccessClassifier(FakeEncoder(), positive_from=0.9), clips, EARLY)


def relabelling(told: FittedSuccess, **changes) -> Relabelling:
    models, success = {INSTRUCTION: greenness()}, {INSTRUCTION: told}
    given = Relabelling(models=models, discount=0.95, success=success, success_from="model")
    return replace(given, **changes)


def rows(folder: Path):
    return pq.read_table(sorted(folder.glob("data/**/*.parquet"))).to_pandas()


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def relabelled(recorded, told, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("relabelled") / "out"
    return relabel(LeRobotEpisodes(recorded), output, relabelling(told, success_reward=2.0), store=None, batch_size=7)


def test_the_recorded_decision_is_the_latch_run_online_bit_for_bit(recorded, relabelled, told):
    table, source, fired = rows(relabelled), LeRobotEpisodes(recorded), []
    for episode in source.episodes:
        own, latch, online, probability = table[table.episode_index == episode.index], told.latch(), [], []
        for clip in source.clips(episode, num_frames=1):
            probability.append(float(told.classifier.probability(embed_clip(FakeEncoder(), clip))))
            online.append(latch.step(probability[-1]))
        assert [np.float32(each) for each in probability] == own[COLUMN].tolist()
        assert [*online[1:], online[-1]] == own["next.success"].tolist()  # row t is about the transition t → t+1
        fired.append(any(online))
    assert fired == [True, True, False, True]


def test_the_recorded_column_alone_gives_the_decision_again(relabelled, told):
    table = rows(relabelled)
    for _, own in table.groupby("episode_index"):
        decision = told.latch().over(torch.tensor(own[COLUMN].to_numpy()))
        assert [*decision[1:], decision[-1]] == own["next.success"].tolist()


def test_a_decided_success_pays_and_ends_like_a_recorded_one(relabelled):
    table = rows(relabelled)
    expected = (2.0 * table["next.success"] + table["reward.shaped"]).to_numpy().astype(np.float32)
    np.testing.assert_array_equal(table["next.reward"].to_numpy(), expected)
    for _, own in table.groupby("episode_index"):
        last = own.iloc[-1]
        assert np.isnan(last["reward.shaped"]) != last["next.success"]
        if last["next.success"]:
            assert last["reward.shaped"] == -last["reward.potential"]
    again = LeRobotEpisodes(relabelled).episodes
    assert [each.terminated for each in again] == [True, True, False, True]


def test_recorded_success_stands_unless_the_model_is_asked(recorded, relabelled, told, tmp_path):
    source = LeRobotEpisodes(recorded)
    without = relabel(source, tmp_path / "without", relabelling(told, success={}, success_from="dataset"), store=None)
    beside = relabel(source, tmp_path / "beside", relabelling(told, success_from="dataset"), store=None)
    plain, table = rows(without), rows(beside)
    assert COLUMN not in plain
    assert table.drop(columns=[COLUMN]).equals(plain)
    assert table[COLUMN].equals(rows(relabelled)[COLUMN])
    assert table["next.success"].sum() == 3
    assert rows(relabelled)["next.success"].sum() > 3


def test_an_interrupted_run_resumes_to_the_same_bytes_and_keeps_its_probabilities(recorded, relabelled, told, tmp_path):
    source, output, settings = LeRobotEpisodes(recorded), tmp_path / "out", {"success_reward": 2.0}
    model = PromptSimilarity(Stops(120), goal=["a green square"], baseline=["a red square"], alpha=0.5)
    stopping = relabelling(told, models={INSTRUCTION: model}, **settings)
    with pytest.raises(KeyboardInterrupt):
        relabel(source, output, stopping, store=None, batch_size=4)
    assert len(list((tmp_path / "out.partial" / "finished").glob("episode-*"))) == 2
    assert files(relabel(source, output, relabelling(told, **settings), store=None)) == files(relabelled)


def test_another_latch_or_classifier_is_another_job(recorded, told, tmp_path):
    source, output = LeRobotEpisodes(recorded), tmp_path / "out"
    model = PromptSimilarity(Stops(60), goal=["a green square"], baseline=["a red square"], alpha=0.5)
    with pytest.raises(KeyboardInterrupt):
        relabel(source, output, relabelling(told, models={INSTRUCTION: model}), store=None, batch_size=4)
    others = replace(told, threshold=0.6), replace(told, classifier=SuccessClassifier(FakeEncoder()))
    for changes in ({"success_from": "dataset"}, *({"success": {INSTRUCTION: other}} for other in others)):
        with pytest.raises(OutputError, match="another job"):
            relabel(source, output, relabelling(told, **changes), store=None)


def test_no_frame_is_embedded_for_success_that_was_embedded_for_progress(recorded, told, tmp_path):
    class Counting(FakeEncoder):
        pictures = 0

        def embed(self, pixels):
            Counting.pictures += len(pixels)
            return super().embed(pixels)

    store = EmbeddingStore(tmp_path / "store", max_bytes=2**30)
    model = PromptSimilarity(Counting(), goal=["a green square"], baseline=["a red square"], alpha=0.5)
    for name in ("one", "two"):
        given = relabelling(told, models={INSTRUCTION: model})
        relabel(LeRobotEpisodes(recorded), tmp_path / name, given, store=store)
        assert Counting.pictures == 2 * sum(LENGTHS)


def test_provenance_says_who_decided_and_by_which_version(relabelled, told):
    found = read_provenance(relabelled)
    assert found["success_from"] == "model"
    assert found["success_versions"] == {
        INSTRUCTION: {"version": told.classifier.version, "threshold": 0.5, "release": 0.3, "votes": 2, "window": 3}
    }
    assert len(list((relabelled / PROVENANCE).parent.glob("weights/*"))) == 1


def test_where_the_model_abstains_success_is_unknown_and_counted(recorded, told, tmp_path):
    abstains = replace(told, classifier=SuccessClassifier(FakeEncoder()))
    given = relabelling(abstains, success={INSTRUCTION: abstains})
    output = relabel(LeRobotEpisodes(recorded), tmp_path / "out", given, store=None)
    table = rows(output)
    assert table[COLUMN].isna().all()
    assert not table["next.success"].any()
    counts = count_successes(LeRobotEpisodes(output))
    assert (counts.episodes, counts.succeeded, counts.frames, counts.unknown) == (4, 0, sum(LENGTHS), sum(LENGTHS))


def test_a_task_without_a_success_model_has_unknown_probability(tmp_path, told):
    tasks = (INSTRUCTION, "make it red")
    recorded = record_red_to_green(tmp_path / "data", [6, 7], instructions=tasks)
    given = relabelling(told, models=dict.fromkeys(tasks, greenness()), success_from="dataset")
    table = rows(relabel(LeRobotEpisodes(recorded), tmp_path / "out", given, store=None))
    assert table[COLUMN].isna().groupby(table["episode_index"]).mean().tolist() == [0.0, 1.0]


def episode(num_frames: int, *, terminated: bool) -> Episode:
    stamp = torch.arange(num_frames, dtype=torch.float64)
    return Episode(
        index=0, instruction=INSTRUCTION, cameras=("front",), stamp=stamp, terminated=terminated, success=None
    )


LATCH = {"on": 0.5, "off": 0.3, "votes": 2, "window": 3}


@pytest.mark.parametrize(
    ("probability", "success"),
    [
        ([0.1, 0.9, 0.1, 0.1], [0, 0, 0, 0]),
        ([0.1, 0.9, 0.9, 0.4], [0, 1, 1, 1]),
        ([0.9, 0.9, 0.1, 0.1], [1, 0, 0, 0]),
        ([0.1, 0.1, 0.9, 0.9], [0, 0, 1, 1]),
        ([float("nan"), 0.9, float("nan"), 0.9], [0, 0, 1, 1]),
        ([0.9], [0]),
    ],
)
def test_a_transition_succeeds_where_the_frame_that_it_leads_to_is_decided(probability, success):
    for terminated in (False, True):
        given = episode(len(probability), terminated=terminated), torch.tensor([probability])
        own = decided_episode(*given, latch=SuccessLatch(**LATCH), ends_recorded=False)
        assert own.success is not None
        assert own.success.int().tolist() == success
        assert own.terminated == bool(success[-1])
        kept = decided_episode(*given, latch=SuccessLatch(**LATCH), ends_recorded=True)
        assert kept.terminated == terminated  # what the data set says of its ends stands


def test_a_probability_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"probability must be \(1, 3\), got \(1, 2\)"):
        decided_episode(
            episode(3, terminated=False), torch.zeros(1, 2), latch=SuccessLatch(**LATCH), ends_recorded=True
        )


def test_what_nothing_can_decide_is_refused(recorded, told, tmp_path):
    with pytest.raises(ValueError, match="success_from must be dataset or model, got 'nobody'"):
        relabelling(told, success_from="nobody")
    with pytest.raises(ValueError, match=r"success_from=model needs a success model of \['make it green'\]; there are"):
        relabelling(told, success={"other": told})

    blind = replace(told, classifier=SuccessClassifier(FakeEncoder(seed=1)))
    with pytest.raises(ValueError, match=r"share an encoder, got \['fake-8-16-0', 'fake-8-16-1'\]"):
        relabel(
            LeRobotEpisodes(recorded), tmp_path / "other", relabelling(told, success={INSTRUCTION: blind}), store=None
        )

    class LooksAtPixels:
        version, context = "looks", 1

        def estimate(self, clip):
            return greenness().estimate(clip)

    pixels = relabelling(told, models={INSTRUCTION: LooksAtPixels()})
    with pytest.raises(ValueError, match=r"the models of \['make it green'\] look through no encoder"):
        relabel(LeRobotEpisodes(recorded), tmp_path / "out", pixels, store=None)
