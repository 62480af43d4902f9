"""What a bag holds is what the robot's node would have seen: sets, states, words and ends, in the order of receipt."""

import numpy as np
import pytest
import torch
from bag_data import (
    MS,
    PERIOD,
    START,
    compressed_image,
    float64,
    header,
    message,
    raw_image,
    red_to_green,
    string,
    two_cameras,
    write_bag,
)
from opened_bags import FRONT, WRIST, opened, whole

from robo_reward.episodes.lerobot_copy import CopyableSource
from robo_reward.frame_sets import FrameSets
from robo_reward.stamps import episode_seconds, nanoseconds


@pytest.fixture(scope="module", params=["mcap", "sqlite3"])
def bag(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "run"
    return write_bag(folder, two_cameras(12), sqlite=request.param == "sqlite3")


def test_a_bag_is_an_episode_with_its_pictures_bit_for_bit(bag):
    source = opened(bag)
    clip = whole(source)
    for camera, film in ((FRONT, red_to_green(12)), (WRIST, red_to_green(12, seed=1))):
        np.testing.assert_array_equal(clip.views[camera][0].permute(0, 2, 3, 1).numpy(), film)
    assert clip.cameras == source.episodes[0].cameras == (FRONT, WRIST)
    assert bool(clip.present.all())
    assert isinstance(source, CopyableSource)


@pytest.mark.parametrize("num_frames", [1, 5, 12])
def test_chunks_of_any_length_are_the_same_episode(bag, num_frames):
    source = opened(bag)
    chunks = list(source.clips(source.episodes[0], num_frames=num_frames))
    assert {chunk.stamp.shape[1] for chunk in chunks[:-1]} <= {num_frames}
    clip, reference = whole(source, num_frames=num_frames), whole(source)
    assert torch.equal(clip.stamp, reference.stamp)
    assert all(torch.equal(clip.views[camera], reference.views[camera]) for camera in clip.cameras)


def test_the_facts_are_those_of_headers_and_not_of_receipt(bag):
    episode = opened(bag).episodes[0]
    assert episode.stamp.tolist() == [episode_seconds(START + t * PERIOD, start_ns=START) for t in range(12)]
    assert (episode.instruction, episode.terminated, episode.success) == ("make it green", False, None)
    assert opened(bag).fps == 10.0


def test_cameras_that_nobody_names_are_all_image_topics_under_their_names(tmp_path):
    events = two_cameras(3)
    same = [("/front/image_raw/compressed", at, compressed_image(red_to_green(1)[0], at)) for _, at, _ in events[::2]]
    bag = write_bag(tmp_path / "run", [*events, *same, ("/text", START, string("hello"))])
    assert opened(bag, cameras=None).episodes[0].cameras == ("observation.images.front.image_raw", WRIST)


def test_the_sets_are_those_that_the_node_would_form(tmp_path):
    generator = np.random.default_rng(5)
    events = []
    for topic, period, kind in (("/front/image_raw", 33, raw_image), ("/wrist/compressed", 50, compressed_image)):
        for t in range(30):
            if generator.random() < 0.8:
                stamp = START + t * period * MS
                late = stamp + int(generator.integers(1, 60)) * MS
                events.append((topic, late, kind(red_to_green(30)[t], stamp)))
    events.sort(key=lambda event: event[1])
    frames = FrameSets((FRONT, WRIST), 0.02)
    expected = []
    for topic, received_ns, content in events:
        stamp_ns = nanoseconds(content.header.stamp.sec, content.header.stamp.nanosec)
        camera = FRONT if topic.startswith("/front") else WRIST
        found = frames.add(camera, (received_ns, stamp_ns), stamp_ns=stamp_ns)
        if found is not None:
            expected.append((found.stamp_ns, dict(found.frames)))
    source = opened(write_bag(tmp_path / "run", events), tolerance=0.02)
    found = [
        (one.frames.stamp_ns, {name: (f.received_ns, f.stamp_ns) for name, f in one.frames.frames.items()})
        for one in source.recorded[0].sets
    ]
    assert found == expected
    assert 3 < len(found) < 20
    assert sum("are in sets" in note for note in source.notes) == 2


def test_an_optional_camera_may_be_absent_and_is_told_so(tmp_path):
    events = [event for number, event in enumerate(two_cameras(6)) if number not in (5, 7)]  # wrist frames 2 and 3
    source = opened(write_bag(tmp_path / "run", events), optional=["wrist"])
    present = whole(source).present[0]
    assert present[:, 0].all()
    assert source.columns(source.episodes[0], ["present.wrist"])["present.wrist"].tolist() == present[:, 1].tolist()
    assert 0 < int((~present[:, 1]).sum()) <= 3
    assert int(whole(source).views[WRIST][0, ~present[:, 1]].sum()) == 0


def test_raw_pictures_of_every_byte_order_of_colours_and_jpeg_live_in_one_bag(tmp_path):
    film = red_to_green(4)
    events = []
    for t, picture in enumerate(film):
        stamp = START + t * PERIOD
        events += [
            ("/a", stamp, raw_image(picture, stamp)),
            ("/b", stamp + 1, raw_image(np.dstack([picture[..., ::-1], picture[..., 0]]), stamp, encoding="bgra8")),
            ("/c", stamp + 2, raw_image(picture[..., :1], stamp, encoding="mono8")),
            ("/d", stamp + 3, compressed_image(picture, stamp, kind="JPEG")),
        ]
    source = opened(write_bag(tmp_path / "run", events), cameras={name: f"/{name}" for name in "abcd"})
    views = whole(source).views
    assert torch.equal(views["observation.images.a"], views["observation.images.b"])
    assert torch.equal(views["observation.images.c"][:, :, 1], views["observation.images.a"][:, :, 0])
    difference = views["observation.images.d"].int() - views["observation.images.a"].int()
    assert float(difference.abs().float().mean()) < 12


def test_state_is_the_latest_received_word_at_or_before_the_oldest_picture(tmp_path):
    gripper = [("/gripper", START + 250 * MS, float64(40.0)), ("/gripper", START + 330 * MS, float64(30.0))]
    pose = message(
        "geometry_msgs/msg/Pose",
        position=message("geometry_msgs/msg/Point", x=1.0, y=2.0, z=3.0),
        orientation=message("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.6, w=0.8),
    )
    stamped = message("geometry_msgs/msg/PoseStamped", header=header(START + 100 * MS), pose=pose)
    # of the time of the second set, but received after it was formed: causal, it comes too late for it
    late = [("/tool", START + 150 * MS, stamped)]
    events = sorted([*two_cameras(6), *gripper, *late], key=lambda event: event[1])
    source = opened(
        write_bag(tmp_path / "run", events),
        state={
            "gripper_width": {"topic": "/gripper", "scale": 0.001},
            "tool_pose": {"topic": "/tool", "fields": ["pose"]},
            "tool_position": {"topic": "/tool", "fields": ["pose.position"]},
        },
        state_max_age=0.1,
    )
    columns = source.columns(
        source.episodes[0], ["observation.sensed.gripper_width", "observation.sensed.tool_position"]
    )
    nan = np.nan
    np.testing.assert_allclose(columns["observation.sensed.gripper_width"], [nan, nan, nan, 0.04, 0.03, nan])
    np.testing.assert_array_equal(columns["observation.sensed.tool_position"][:, 2], [nan, nan, 3.0, nan, nan, nan])
    clip = whole(source, num_frames=4)
    np.testing.assert_array_equal(clip.state["gripper_width"][0, :, 0], columns["observation.sensed.gripper_width"])
    assert clip.state["tool_pose"][0, 2].tolist() == [1.0, 2.0, 3.0, 0.8, 0.0, 0.0, 0.6]


def test_joints_are_states_by_their_names(tmp_path):
    def joints(at, names, values):
        fields = {"position": np.array(values), "velocity": np.array([]), "effort": np.array([])}
        return ("/joints", at, message("sensor_msgs/msg/JointState", header=header(at), name=names, **fields))

    events = [
        joints(START - MS, ["a", "b"], [1.0, 2.0]),
        *two_cameras(1),
        joints(START + 99 * MS, ["b", "a"], [4.0, 3.0]),
        *two_cameras(1, start_ns=START + PERIOD),
    ]
    state = {"arm": {"topic": "/joints", "fields": ["position.a", "position.b"]}}
    assert whole(opened(write_bag(tmp_path / "run", events), state=state)).state["arm"][0].tolist() == [
        [1.0, 2.0],
        [3.0, 4.0],
    ]


def test_several_bags_are_several_episodes_numbered_on(tmp_path):
    for name, length in (("b", 3), ("a", 5)):
        write_bag(tmp_path / "runs" / name, two_cameras(length))
    source = opened(tmp_path / "runs")
    assert [(e.index, e.num_frames) for e in source.episodes] == [(0, 5), (1, 3)]
    listed = opened([tmp_path / "runs" / "b", tmp_path / "runs" / "a"])
    assert [e.num_frames for e in listed.episodes] == [3, 5]
    assert [e.index for e in opened(tmp_path / "runs", select=[1]).episodes] == [1]


def test_a_single_file_is_a_bag(tmp_path):
    bag = write_bag(tmp_path / "run", two_cameras(3))
    (file,) = bag.glob("*.mcap")
    assert opened(file).episodes[0].num_frames == 3


def test_fingerprints_tell_pictures_apart_and_nothing_else(tmp_path):
    one = opened(write_bag(tmp_path / "one", two_cameras(3)))
    shifted = opened(write_bag(tmp_path / "other", two_cameras(3, start_ns=START + 77 * MS)))
    longer = opened(write_bag(tmp_path / "longer", two_cameras(4)))
    prints = [source.fingerprint(source.episodes[0], camera) for source in (one, longer) for camera in (FRONT, WRIST)]
    assert len(set(prints)) == 4
    assert one.fingerprint(one.episodes[0], FRONT) == shifted.fingerprint(shifted.episodes[0], FRONT)


def test_the_nominal_rate_is_the_median_s_unless_it_is_given(tmp_path):
    events = [event for number, event in enumerate(two_cameras(9)) if number not in (8, 9)]
    bag = write_bag(tmp_path / "run", events)
    assert opened(bag).fps == 10.0
    assert opened(bag, fps=12.5).fps == 12.5
