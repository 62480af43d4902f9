"""The law of the robot side: live = replayed bag = relabelled offline, bit for bit, for every model. No ROS."""

from pathlib import Path

import pytest
from chat_server import ChatServer
from recorded_models import ASKING, MODELS, QUICK, RecordedModel, judge
from recorded_roads import assert_columns, estimates_of_the_data_set, in_the_bag, in_the_data_set, through_the_core
from robo_reward_ros.answer import Status

from robo_reward.cli.configuration import config_folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def recorded(request, tmp_path):
    """The model of a name with its bag; where it asks a server, one runs."""
    name = request.param
    folder = tmp_path / "recorded"
    folder.mkdir()
    if name in MODELS:
        yield MODELS[name](folder)
        return
    with ChatServer(judge) as server:
        yield ASKING[name](folder, server.url)


EVERY = pytest.mark.parametrize(
    "recorded",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in [*MODELS, *ASKING]],
    indirect=True,
)


@EVERY
def test_a_live_core_says_what_relabelling_its_bag_says_bit_for_bit(recorded: RecordedModel, tmp_path: Path):
    live = through_the_core(recorded)
    assert live == in_the_bag(recorded, tmp_path / "rewarded")
    folder, columns = in_the_data_set(recorded, tmp_path / "data")
    assert_columns(columns, live)
    again = estimates_of_the_data_set(recorded, folder)
    assert again.progress.numpy().tobytes() == columns["reward.progress"].tobytes()
    assert again.spread.numpy().tobytes() == columns["reward.spread"].tobytes()
    assert [each.status for each in live].count(Status.OK) > 4
    assert len({each.numbers for each in live}) > 4


def test_no_reward_model_that_can_be_chosen_is_forgotten():
    choices = {path.stem for path in (config_folder() / "reward_model").glob("*.yaml")}
    tried = {name.split()[0] for name in [*MODELS, *ASKING]}
    assert choices - tried == {"saved"}  # the folder of every fitted one
