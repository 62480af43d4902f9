import numpy as np
import pytest
import torch
from lerobot_data import write_data_set

from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.state_columns import StateColumn, chosen_state
from robo_reward.errors import DataSetError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp("state") / "squares", lengths=(7,), success={0: True})


def test_state_comes_with_the_frames_that_it_was_recorded_with(folder):
    choice = {"tool_position": {"column": "observation.state"}, "gripper_width": {"column": "observation.state"}}
    choice["gripper_width"] |= {"first": 2, "stop": 3, "scale": 0.1}
    source = LeRobotEpisodes(folder, state=choice)
    recorded = source.columns(source.episodes[0], ["observation.state"])["observation.state"].astype(np.float64)
    clips = list(source.clips(source.episodes[0], num_frames=3))
    assert [clip.stamp.shape[1] for clip in clips] == [3, 3, 1]
    felt = {name: torch.cat([clip.state[name] for clip in clips], dim=1)[0].numpy() for name in choice}
    assert np.array_equal(felt["tool_position"], recorded)
    assert np.array_equal(felt["gripper_width"], recorded[:, 2:3] * 0.1)


@pytest.mark.parametrize(
    ("recorded", "choice"),
    [
        ("x y z qw qx qy qz", {"column": "a"}),
        ("x y z qx qy qz qw", {"column": "a", "indices": [0, 1, 2, 6, 3, 4, 5]}),
        ("qx qy qz qw gripper x y z", {"column": "a", "indices": [5, 6, 7, 3, 0, 1, 2]}),
    ],
)
def test_a_pose_is_read_from_quaternions_of_either_order(recorded, choice):
    names = recorded.split()
    features = {"observation.a": Feature(dtype="float32", shape=(len(names),), names=names)}
    column = chosen_state(features, {"tool_pose": choice | {"column": "observation.a"}}, where="data")["tool_pose"]
    pose = {"x": 0.1, "y": 0.2, "z": 0.3, "qw": 0.5, "qx": -0.5, "qy": 0.5, "qz": -0.5, "gripper": 9.0}
    felt = column.read(np.array([[pose[name] for name in names]] * 2))
    assert felt.tolist() == [[0.1, 0.2, 0.3, 0.5, -0.5, 0.5, -0.5]] * 2


def test_nothing_is_felt_unless_asked_for(folder):
    source = LeRobotEpisodes(folder)
    assert next(source.clips(source.episodes[0], num_frames=1)).state == {}


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"column": "tool"}, "no column 'tool' for state 'tool_position'; there are observation.state$"),
        ({"column": "next.success"}, "no column 'next.success' for state"),
        ({"column": "observation.images.front"}, "no column 'observation.images.front' for state"),
        (
            {"column": "observation.state", "first": 1, "stop": 5},
            r"asks for \[1, 5\) of 'observation.state', which has 3",
        ),
        (
            {"first": 1},
            r"has the fields \['first'\]; allowed: \['column', 'first', 'stop', 'indices', 'scale'\]",
        ),
        (
            {"column": "observation.state", "indices": [0, 3]},
            r"asks for the indices \[0, 3\] of 'observation.state', which has 3",
        ),
        ({"column": "observation.state", "first": 3}, r"asks for \[3, None\) of 'observation.state', which has 3"),
    ],
)
def test_a_column_that_models_may_not_feel_is_refused(folder, column, message):
    with pytest.raises(DataSetError, match=message):
        LeRobotEpisodes(folder, state={"tool_position": column})


def test_an_empty_slice_and_a_scale_of_nothing_are_refused():
    with pytest.raises(ValueError, match=r"a slice of 'a' needs 0 <= first < stop, got \[2, 2\)"):
        StateColumn(column="a", first=2, stop=2)
    with pytest.raises(ValueError, match=r"indices of 'a' must be one or more, from 0, got \[-1\]"):
        StateColumn(column="a", indices=(-1,))
    with pytest.raises(ValueError, match="'a' is read by indices or by first and stop, not by both"):
        StateColumn(column="a", indices=(0,), stop=3)
    with pytest.raises(ValueError, match="the scale of 'a' must be finite and not 0, got 0"):
        StateColumn(column="a", scale=0.0)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (["tool_position"], r"state must map names to fields such as \{column: .*\}, got \['tool_position'\]"),
        ({"tool_position": "a"}, r"state 'tool_position' must hold fields such as \{column: .*\}, got 'a'"),
        (
            {"tool_position": {"column": "a", "stop": 2.5}},
            "state 'tool_position': stop must be a whole number, got 2.5",
        ),
        ({"tool_position": {"column": "a", "first": None}}, "first must be a whole number, got None"),
        ({"tool_position": {"column": "a", "scale": "mm"}}, "state 'tool_position': scale must be a number, got 'mm'"),
        (
            {"tool_position": {"column": "a", "indices": [0, True]}},
            r"indices must be a list of whole numbers, got \[0, True\]",
        ),
        ({"tool_position": {"column": "a", "indices": 3}}, "indices must be a list of whole numbers, got 3"),
        ({"tool_position": {"column": ["a"]}}, r"state 'tool_position': column must be a name, got \['a'\]"),
    ],
)
def test_what_a_configuration_may_hold_instead_of_a_choice_is_refused_in_words(state, message):
    features = {"a": Feature(dtype="float32", shape=(3,), names=None)}
    with pytest.raises(DataSetError, match=message):
        chosen_state(features, state, where="data")
