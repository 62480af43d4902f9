"""Where an episode of a bag begins and ends, and how it went."""

from bag_data import (
    MS,
    PERIOD,
    START,
    boolean,
    empty,
    string,
    two_cameras,
    write_bag,
)
from opened_bags import opened, whole


def test_success_belongs_to_the_transition_that_arrives_after_the_word(tmp_path):
    said = ("/success", START + 250 * MS, boolean(True))  # between the sets of 200 ms and 300 ms
    events = sorted([*two_cameras(5), said], key=lambda event: event[1])
    episode = opened(write_bag(tmp_path / "run", events), success_topic="/success").episodes[0]
    assert episode.success is not None
    assert episode.success.tolist() == [False, False, True, True, True]
    assert episode.terminated


def test_a_word_of_success_after_the_last_set_is_of_the_last_transition(tmp_path):
    events = [*two_cameras(3), ("/success", START + 900 * MS, boolean(True))]
    episode = opened(write_bag(tmp_path / "run", events), success_topic="/success").episodes[0]
    assert episode.success is not None
    assert episode.success.tolist() == [False, False, True]


def test_a_success_that_is_taken_back_does_not_terminate(tmp_path):
    words = [("/success", START + 150 * MS, boolean(True)), ("/success", START + 350 * MS, boolean(False))]
    events = sorted([*two_cameras(5), *words], key=lambda event: event[1])
    episode = opened(write_bag(tmp_path / "run", events), success_topic="/success").episodes[0]
    assert episode.success is not None
    assert episode.success.tolist() == [False, True, True, False, False]
    assert not episode.terminated


def test_a_message_on_the_topic_of_episodes_begins_another_and_forgets_what_was_said(tmp_path):
    later = START + 10**9
    events = [
        ("/reset_episode", START - MS, empty()),
        *two_cameras(4),
        ("/success", START + 350 * MS, boolean(True)),
        ("/reset_episode", START + 400 * MS, empty()),
        *two_cameras(3, start_ns=later),
    ]
    source = opened(write_bag(tmp_path / "run", events), success_topic="/success", episode_topic="/reset_episode")
    one, other = source.episodes
    assert (one.num_frames, other.num_frames) == (4, 3)
    assert (one.terminated, other.terminated) == (True, False)
    assert other.success is None
    assert other.stamp[0] == 0.0
    stamps = source.columns(other, ["stamp_ns"])["stamp_ns"]
    assert stamps.tolist() == [later + t * PERIOD for t in range(3)]
    assert source.columns(other, ["index"])["index"].tolist() == [4, 5, 6]


def test_a_frame_before_a_boundary_makes_no_set_with_one_after_it(tmp_path):
    events = two_cameras(2)
    marker = ("/reset_episode", events[1][1] - MS, empty())
    source = opened(
        write_bag(tmp_path / "run", [events[0], marker, *events[1:]]), episode_topic="/reset_episode", fps=10
    )
    assert [episode.num_frames for episode in source.episodes] == [1]
    assert source.columns(source.episodes[0], ["stamp_ns"])["stamp_ns"].tolist() == [START + PERIOD]


def test_another_instruction_is_another_episode_and_a_repeated_one_is_not(tmp_path):
    later = START + 10**9
    events = [
        ("/task", START - MS, string("make it green")),
        *two_cameras(2),
        ("/task", later - 2 * MS, string("make it green")),
        *two_cameras(2, start_ns=later),
        ("/task", later + 900 * MS, string(" turn it green ")),
        *two_cameras(2, start_ns=2 * later - START),
    ]
    bag = write_bag(tmp_path / "run", events)
    source = opened(bag, instruction=None, instruction_topic="/task")
    assert [(e.instruction, e.num_frames) for e in source.episodes] == [("make it green", 4), ("turn it green", 2)]
    assert source.tasks == {0: "make it green", 1: "turn it green"}
    assert source.columns(source.episodes[1], ["task_index"])["task_index"].tolist() == [1, 1]


def test_an_instruction_that_comes_a_little_late_is_the_episode_s(tmp_path):
    events = sorted([*two_cameras(3), ("/task", START + 50 * MS, string("go"))], key=lambda event: event[1])
    source = opened(write_bag(tmp_path / "run", events), instruction=None, instruction_topic="/task")
    assert [(e.instruction, e.num_frames) for e in source.episodes] == [("go", 3)]


def test_a_clock_that_jumps_back_begins_another_episode(tmp_path):
    again = two_cameras(3, start_ns=START - 60 * 10**9, delay=70 * 10**9)
    source = opened(write_bag(tmp_path / "run", [*two_cameras(4), *again]), max_age=None)
    assert [episode.num_frames for episode in source.episodes] == [4, 3]
    assert whole(source, 1).stamp[0, 0] == 0.0
