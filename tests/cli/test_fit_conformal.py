"""`robo-reward fit conformal=…`: a spread that covers, kept in the folder and used by the other verbs."""

import pyarrow.parquet as pq
import pytest
import torch
from recorded import record_red_to_green

from robo_reward.cli.build import build
from robo_reward.cli.main import main
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.models.calibrated_spread import CalibratedSpread
from robo_reward.relabel.embed_episodes import EpisodeEmbedder
from robo_reward.training.fit import load_models, read_description

TASK = "make it green"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def fit(recorded, output, *overrides) -> int:
    prompts = ["reward_model.goal=[a green cube]", "reward_model.baseline=[a red cube]"]
    where = [f"episodes.path={recorded}", f"output={output}", "encoder=embedded", "reward_model=prompt_similarity"]
    return main(["fit", *where, *prompts, *overrides])


def test_a_calibrated_spread_is_kept_and_used_by_relabel_and_evaluate(tmp_path, capsys):
    recorded = record_red_to_green(tmp_path / "data", [12, 14, 9, 11, 10, 13])
    assert fit(recorded, tmp_path / "fitted", "conformal=0.6") == 0
    said = capsys.readouterr().err
    assert "spread of 'make it green': ± 0.84 of it hold 90% of an episode's frames with probability 60%" in said
    encoder = build(read_description(tmp_path / "fitted")["encoder"])
    model = load_models(tmp_path / "fitted", encoder)[TASK]
    assert isinstance(model, CalibratedSpread)
    given = ["relabel", f"reward_model={tmp_path / 'fitted'}", f"episodes.path={recorded}"]
    assert main([*given, f"output={tmp_path / 'out'}"]) == 0
    table = pq.read_table(sorted((tmp_path / "out").glob("data/**/*.parquet"))).to_pandas()
    source = LeRobotEpisodes(recorded)
    for episode, clip in EpisodeEmbedder(encoder, source, store=None).embed_all(source.episodes):
        column = table[table["episode_index"] == episode.index]["reward.spread"].to_numpy()
        assert torch.equal(model.estimate_embedded(clip).spread[0], torch.from_numpy(column.copy()))
    assert main(["evaluate", f"episodes.path={tmp_path / 'out'}", "overlays=0"]) == 0


def test_too_few_labelled_episodes_are_counted_and_nothing_is_written(tmp_path, capsys):
    recorded = record_red_to_green(tmp_path / "data", [6, 7, 5])
    assert fit(recorded, tmp_path / "fitted", "conformal=0.9") == 2
    assert (
        "leave 9 labelled episodes out of the fit, and at least one must remain; got 2 of 3" in capsys.readouterr().err
    )
    assert not (tmp_path / "fitted").exists()
