import json
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from fake_encoder import FakeEncoder
from recorded import CAMERAS, INSTRUCTION, Stops, greenness, record_red_to_green

from robo_reward import RewardStream
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.errors import OutputError
from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.perception.embedding_store import EmbeddingStore
from robo_reward.relabel.run import Relabelling, read_provenance, relabel

LENGTHS = [9, 40, 5]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    return record_red_to_green(tmp_path_factory.mktemp("recorded") / "data", LENGTHS)


def relabelling(**changes) -> Relabelling:
    return Relabelling(**({"models": {INSTRUCTION: greenness()}, "discount": 0.95} | changes))


def rows(folder: Path):
    return pq.read_table(sorted(folder.glob("data/**/*.parquet"))).to_pandas()


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_the_recorded_column_is_the_online_reward_bit_for_bit(recorded, tmp_path):
    folder = relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(), store=None, batch_size=7)
    table, source = rows(folder), LeRobotEpisodes(recorded)
    for episode in source.episodes:
        own = table[table.episode_index == episode.index]
        stream = RewardStream(greenness(), discount=0.95)
        online = []
        for clip in source.clips(episode, num_frames=3):
            for t in range(clip.stamp.shape[1]):
                views = {camera: frames[0, t] for camera, frames in clip.views.items()}
                online.append(stream.step(views, stamp=float(clip.stamp[0, t])))
        assert online[0] is None
        assert [reward.reward for reward in online[1:]] == own["reward.shaped"].tolist()[:-1]
        assert [np.float32(reward.progress) for reward in online[1:]] == own["reward.progress"].tolist()[1:]
        assert [reward.potential for reward in online[1:]] == own["reward.potential"].tolist()[1:]
        last = own["reward.shaped"].tolist()[-1]
        assert (last == stream.terminate()) if episode.terminated else np.isnan(last)


def test_returns_of_the_recorded_column_telescope(recorded, tmp_path):
    table = rows(relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(), store=None))
    for index in (0, 1):
        own = table[table.episode_index == index]
        total = (0.95 ** np.arange(len(own)) * own["reward.shaped"]).sum()
        assert total == pytest.approx(-own["reward.potential"].iloc[0], abs=1e-12)


def test_the_next_reward_adds_the_task_reward_of_recorded_success(recorded, tmp_path):
    table = rows(relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(success_reward=2.0), store=None))
    assert table["next.success"].sum() == 2
    shaped = table["reward.shaped"].to_numpy()
    expected = (2.0 * table["next.success"] + shaped).to_numpy().astype(np.float32)
    np.testing.assert_array_equal(table["next.reward"].to_numpy(), expected)


def test_everything_recorded_is_copied_and_the_input_is_not_touched(recorded, tmp_path):
    before = files(recorded)
    folder = relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(), store=None)
    assert files(recorded) == before
    old, new = rows(recorded), rows(folder)
    np.testing.assert_array_equal(np.stack(new["action"]), np.stack(old["action"]))
    info = json.loads((folder / "meta" / "info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    assert info["features"]["reward.progress"]["dtype"] == "float32"
    stats = json.loads((folder / "meta" / "stats.json").read_text())
    known = new["reward.progress"]
    assert stats["reward.progress"]["mean"] == pytest.approx([known.mean()], abs=1e-6)
    for camera in CAMERAS:
        counts = []
        for root in (recorded, folder):
            with av.open(sorted((root / "videos" / camera).rglob("*.mp4"))[0]) as video:
                counts.append(sum(1 for _ in video.decode(video=0)))
        assert counts == [sum(LENGTHS)] * 2


def test_the_side_car_says_what_the_column_says(recorded, tmp_path):
    folder = relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(), store=None)
    side_car = pq.read_table(folder / "sarm_progress.parquet")
    assert side_car.column("progress_sparse").to_pylist() == rows(folder)["reward.progress"].tolist()
    assert b"reward_model_path" in side_car.schema.metadata


def test_provenance_says_what_the_rewards_came_from(recorded, tmp_path):
    given = {"software": "robo_reward 1"}
    folder = relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(provenance=given), store=None)
    found = read_provenance(folder)
    assert found["software"] == "robo_reward 1"
    assert found["discount"] == 0.95
    assert found["model_versions"] == {INSTRUCTION: greenness().version}


def test_a_changed_prompt_embeds_nothing_again(recorded, tmp_path):
    class Counting(FakeEncoder):
        pictures = 0

        def embed(self, pixels):
            Counting.pictures += len(pixels)
            return super().embed(pixels)

    store, encoder = EmbeddingStore(tmp_path / "store", max_bytes=2**30), Counting()
    for number, goal in enumerate(("a green square", "a blue square")):
        model = PromptSimilarity(encoder, goal=[goal], baseline=["a red square"], alpha=0.5)
        output = tmp_path / f"out{number}"
        relabel(LeRobotEpisodes(recorded), output, relabelling(models={INSTRUCTION: model}), store=store)
        assert Counting.pictures == 2 * sum(LENGTHS)


def test_results_do_not_depend_on_the_batch_size_or_the_store(recorded, tmp_path):
    store = EmbeddingStore(tmp_path / "store", max_bytes=2**30)
    one = relabel(LeRobotEpisodes(recorded), tmp_path / "one", relabelling(), store=None, batch_size=1)
    two = relabel(LeRobotEpisodes(recorded), tmp_path / "two", relabelling(), store=store, batch_size=33)
    three = relabel(LeRobotEpisodes(recorded), tmp_path / "three", relabelling(), store=store, batch_size=64)
    assert files(one) == files(two) == files(three)


def test_an_output_that_exists_is_refused_and_left_alone(recorded, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(OutputError, match=r"out exists"):
        relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(), store=None)
    assert (tmp_path / "out" / "mine").read_text() == "mine"
    assert not (tmp_path / "out.partial").exists()


def stopped(recorded: Path, output: Path, pictures: int) -> None:
    model = PromptSimilarity(Stops(pictures), goal=["a green square"], baseline=["a red square"], alpha=0.5)
    with pytest.raises(KeyboardInterrupt):
        relabel(LeRobotEpisodes(recorded), output, relabelling(models={INSTRUCTION: model}), store=None, batch_size=4)


def test_an_interrupted_run_leaves_nothing_that_looks_whole_and_resumes_to_the_same_bytes(recorded, tmp_path):
    whole = relabel(LeRobotEpisodes(recorded), tmp_path / "whole", relabelling(), store=None)
    stopped(recorded, tmp_path / "out", 40)
    assert not (tmp_path / "out").exists()
    assert len(list((tmp_path / "out.partial" / "finished").glob("episode-*"))) == 1
    again = relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(), store=None)
    assert files(again) == files(whole)
    assert not (tmp_path / "out.partial").exists()


def test_an_interrupted_run_of_another_job_is_not_continued(recorded, tmp_path):
    stopped(recorded, tmp_path / "out", 40)
    with pytest.raises(OutputError, match=r"out.partial holds an interrupted run of another job"):
        relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(discount=0.5), store=None)


def test_a_run_that_was_killed_after_the_renaming_is_finished_by_the_next(recorded, tmp_path):
    folder = relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(), store=None)
    (tmp_path / "out.partial" / "finished").mkdir(parents=True)
    before = files(folder)
    assert relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(), store=None) == folder
    assert files(folder) == before
    assert not (tmp_path / "out.partial").exists()


def test_every_instruction_needs_its_model(recorded, tmp_path):
    with pytest.raises(ValueError, match=r"no reward model for instruction \['make it green'\]; there are models for"):
        relabel(LeRobotEpisodes(recorded), tmp_path / "out", relabelling(models={"other": greenness()}), store=None)
    with pytest.raises(ValueError, match="models is empty"):
        relabelling(models={})


def test_models_that_keep_pixels_are_scored_in_windows_as_a_stream_scores_them(recorded, tmp_path):
    class MeanOfThree:
        """Mean green share of the last three frames of the first camera."""

        version, context = "mean-of-three", 3

        def estimate(self, clip):
            green = next(iter(clip.views.values()))[:, :, 1].double().mean(dim=(-1, -2)) / 255
            first = torch.arange(green.shape[1]).sub(2).clamp(min=0)
            total = torch.nn.functional.pad(green.cumsum(1), (1, 0))
            stop = torch.arange(1, green.shape[1] + 1)
            progress = ((total[:, stop] - total[:, first]) / (stop - first)).float()
            return type(greenness().estimate(clip))(progress=progress, spread=torch.full_like(progress, 0.1))

    source = LeRobotEpisodes(recorded)
    table = rows(relabel(source, tmp_path / "out", relabelling(models={INSTRUCTION: MeanOfThree()}), store=None))
    episode = source.episodes[1]
    stream = RewardStream(MeanOfThree(), discount=0.95)
    (clip,) = source.clips(episode, num_frames=100)
    online = [
        stream.step({camera: frames[0, t] for camera, frames in clip.views.items()}, stamp=float(clip.stamp[0, t]))
        for t in range(episode.num_frames)
    ]
    own = table[table.episode_index == 1]["reward.shaped"].to_numpy()[:-1]
    np.testing.assert_allclose([reward.reward for reward in online[1:]], own, atol=1e-6)
