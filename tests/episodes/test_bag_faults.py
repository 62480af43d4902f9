"""Bags that are not what they are said to be: each a clear error."""

import re
import sys

import numpy as np
import pytest
from bag_data import (
    MS,
    PERIOD,
    START,
    boolean,
    compressed_image,
    float64,
    raw_image,
    red_to_green,
    string,
    two_cameras,
    write_bag,
)

from robo_reward.episodes.bag import BagEpisodes
from robo_reward.episodes.bag_file import BagFile
from robo_reward.episodes.bag_writer import check_copy
from robo_reward.errors import DataSetError

CAMERAS = {"front": "/front/image_raw", "wrist": "/wrist/compressed"}


def opened(bag, **settings) -> BagEpisodes:
    return BagEpisodes(bag, **({"cameras": CAMERAS, "instruction": "make it green"} | settings))


def refused(bag, text: str, **settings) -> None:
    with pytest.raises(DataSetError, match=re.escape(text)):
        opened(bag, **settings)


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    width = [("/width", START, float64(1.0)), ("/task", START, string("go"))]
    return write_bag(tmp_path_factory.mktemp("faults") / "run", [*width, *two_cameras(4)])


def test_a_missing_camera_topic_lists_the_image_topics(bag):
    refused(
        bag,
        f"{bag} has no topic '/rear' for camera 'observation.images.rear'; its image topics are "
        "/front/image_raw, /wrist/compressed",
        cameras={"rear": "/rear"},
    )


def test_a_topic_of_another_type_is_refused(bag):
    both = "sensor_msgs/msg/Image or sensor_msgs/msg/CompressedImage"
    text = f"topic '/width' for camera 'observation.images.rear' must be {both}, is std_msgs/msg/Float64"
    refused(bag, text, cameras={"rear": "/width"})
    text = "topic '/width' for the instruction must be std_msgs/msg/String, is std_msgs/msg/Float64"
    refused(bag, text, instruction=None, instruction_topic="/width")
    text = "topic '/task' for success must be std_msgs/msg/Bool, is std_msgs/msg/String"
    refused(bag, text, success_topic="/task")


def test_a_missing_state_topic_lists_all_topics(bag):
    text = "has no topic '/joints' for state 'arm'; its topics are /front/image_raw, /task, /width, /wrist/compressed"
    refused(bag, text, state={"arm": {"topic": "/joints"}})


def test_a_state_that_holds_no_numbers_is_refused(bag):
    text = "for state 'arm': field 'data' holds no numbers; name one of its numbers"
    refused(bag, text, state={"arm": {"topic": "/task"}})
    refused(bag, "no field 'x' in the message; there are data", state={"arm": {"topic": "/width", "fields": ["x"]}})
    text = "state 'arm' has ['column']; allowed: ['topic', 'fields', 'scale'], of which topic is needed"
    refused(bag, text, state={"arm": {"column": "a"}})


def test_a_bag_without_image_topics_lists_what_there_is(tmp_path):
    empty = write_bag(tmp_path / "run", [("/width", START, float64(1.0))])
    refused(empty, f"{empty} has no image topic; its topics are /width", cameras=None)


def test_a_bag_without_messages_has_no_image_topic(tmp_path):
    empty = write_bag(tmp_path / "run", [])
    refused(empty, f"{empty} has no image topic; its topics are none", cameras=None)


def test_cameras_that_never_meet_are_told_with_what_arrived(tmp_path):
    events = [(topic, at + (PERIOD // 2 if "wrist" in topic else 0), content) for topic, at, content in two_cameras(4)]
    for topic, _, content in events:
        if "wrist" in topic:
            content.header.stamp.nanosec += 46 * MS
    bag = write_bag(tmp_path / "run", sorted(events, key=lambda event: event[1]))
    text = "no set of frames within 0.02 s of each other: observation.images.front: 0 of 4 frames are in sets (4 left"
    refused(bag, text, tolerance=0.02)


def test_stamps_that_the_drivers_did_not_set_are_told(tmp_path):
    events = [("/front/image_raw", START + t * PERIOD, raw_image(red_to_green(1)[0], 0)) for t in range(3)]
    text = "observation.images.front: 0 of 3 frames are in sets (3 no stamp)"
    refused(write_bag(tmp_path / "run", events), text, cameras={"front": "/front/image_raw"})


def test_unsorted_stamps_are_dropped_and_told(tmp_path):
    film = red_to_green(5)
    order = [0, 2, 1, 3, 3]
    events = [("/front", START + at * PERIOD, raw_image(film[t], START + t * PERIOD)) for at, t in enumerate(order)]
    source = opened(write_bag(tmp_path / "run", events), cameras={"front": "/front"}, max_age=None)
    assert source.columns(source.episodes[0], ["stamp_ns"])["stamp_ns"].tolist() == [
        START + t * PERIOD for t in (0, 2, 3)
    ]
    assert source.notes[0].endswith("observation.images.front: 3 of 5 frames are in sets (2 out of order)")


def test_old_pictures_are_dropped_where_ages_are_judged(tmp_path):
    bag = write_bag(tmp_path / "run", two_cameras(4, delay=200 * MS))
    assert opened(bag).episodes[0].num_frames == 4
    assert opened(bag, max_age=0.3).episodes[0].num_frames == 4
    refused(bag, "(4 too old); max_age=null does not judge ages: right where cameras and recorder", max_age=0.1)


def test_an_encoding_that_is_not_read_names_message_and_allowed_ones(tmp_path):
    stamp = 1_700_000_000_250_000_000
    picture = raw_image(red_to_green(1)[0][..., :2], stamp, encoding="yuv422")
    bag = write_bag(tmp_path / "run", [("/front", stamp, picture)])
    refused(
        bag,
        f"{bag}: topic '/front', message received at 1700000000.250 s: encoding 'yuv422' is not read; "
        "allowed: rgb8, bgr8, rgba8, bgra8, mono8",
        cameras={"front": "/front"},
    )


def test_a_camera_that_changes_its_size_is_refused(tmp_path):
    events = two_cameras(3)
    events.append(
        ("/front/image_raw", START + 900 * MS, raw_image(red_to_green(1, size=(48, 64))[0], START + 890 * MS))
    )
    refused(
        write_bag(tmp_path / "run", events),
        "pictures must keep their size; height and width were (24, 32), are (48, 64)",
    )


def test_bags_of_cameras_of_different_size_are_refused(tmp_path):
    for name, size in (("a", (24, 32)), ("b", (12, 16))):
        events = [("/front", START + t, raw_image(red_to_green(1, size=size)[0], START + t)) for t in (0, PERIOD)]
        write_bag(tmp_path / name, events)
    text = (
        f"{tmp_path / 'b'} has cameras of (height, width) {{'observation.images.front': (12, 16)}}, the first bag "
        "{'observation.images.front': (24, 32)}; they must be equal"
    )
    refused(tmp_path, text, cameras={"front": "/front"})


def test_a_damaged_picture_is_told_when_it_is_decoded(tmp_path):
    events = []
    for t in range(3):
        content = compressed_image(red_to_green(1)[0], START + t * PERIOD, kind="JPEG")
        if t == 1:
            content.data = content.data[:-60]
        events.append(("/front", START + t * PERIOD, content))
    source = opened(write_bag(tmp_path / "run", events), cameras={"front": "/front"})
    with pytest.raises(DataSetError, match=r"run: topic '/front', message received at [0-9.]+ s: .*truncated"):
        list(source.clips(source.episodes[0], num_frames=2))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99])
def test_a_truncated_mcap_is_refused(tmp_path, share):
    bag = write_bag(tmp_path / "run", two_cameras(6))
    (file,) = bag.glob("*.mcap")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    refused(bag, f"{bag} is no whole ROS bag: ")


def test_a_recorder_that_was_killed_is_recognised(tmp_path):
    bag = write_bag(tmp_path / "run", two_cameras(6))
    (file,) = bag.glob("*.mcap")
    file.write_bytes(file.read_bytes()[:-100])
    refused(bag, "a recorder that was killed leaves its file without an end: `mcap recover` mends it")


@pytest.mark.parametrize("sqlite", [False, True])
def test_whatever_is_damaged_is_told_as_a_fault_of_the_data(tmp_path, sqlite):
    events = [("/success", START, boolean(True)), ("/width", START + 1, float64(1.0)), *two_cameras(5)]
    bag = write_bag(tmp_path / "run", events, sqlite=sqlite)
    (file,) = bag.glob("*.db3" if sqlite else "*.mcap")
    whole, generator, refusals = file.read_bytes(), np.random.default_rng(7), 0
    for trial in range(24):
        content = bytearray(whole)
        at = int(generator.integers(len(whole)))
        content[at : at + 1 + trial] = generator.bytes(1 + trial)
        file.write_bytes(content if trial % 3 else content[:at])
        try:
            source = opened(bag, success_topic="/success", state={"width": {"topic": "/width"}})
            list(source.clips(source.episodes[0], num_frames=3))
        except DataSetError:
            refusals += 1
    # damage inside raw pixels cannot be seen
    assert 6 < refusals < 24


def test_a_truncated_sqlite3_file_is_refused(tmp_path):
    bag = write_bag(tmp_path / "run", two_cameras(6), sqlite=True)
    (file,) = bag.glob("*.db3")
    file.write_bytes(file.read_bytes()[:5000])
    refused(bag, f"{bag} is no whole ROS bag: ")


def test_a_bag_of_ros_1_is_read_too(tmp_path):
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC)
    kind, film = "sensor_msgs/msg/Image", red_to_green(3)
    with Writer(tmp_path / "old.bag") as writer:
        topic = writer.add_connection("/front", kind, typestore=store)
        for t in range(3):
            image = raw_image(film[t], START + t * PERIOD)
            old = store.types["std_msgs/msg/Header"](seq=t, stamp=image.header.stamp, frame_id="")
            fields = {
                name: getattr(image, name) for name in ("height", "width", "encoding", "is_bigendian", "step", "data")
            }
            raw = store.serialize_ros1(store.types[kind](header=old, **fields), kind)
            writer.write(topic, START + t * PERIOD, raw)
    source = opened(tmp_path / "old.bag", cameras={"front": "/front"})
    (clip,) = source.clips(source.episodes[0], num_frames=9)
    np.testing.assert_array_equal(clip.views["observation.images.front"][0].permute(0, 2, 3, 1).numpy(), film)
    with pytest.raises(DataSetError, match="is a bag of ROS 1, which is read only"):
        check_copy(BagFile(tmp_path / "old.bag"), [])


def test_without_rosbags_the_extra_is_named(bag, monkeypatch):
    monkeypatch.setitem(sys.modules, "rosbags.highlevel", None)
    with pytest.raises(
        ModuleNotFoundError, match=re.escape("reading ROS bags needs rosbags: pip install 'robo-reward[bags]'")
    ):
        opened(bag)


def test_what_is_no_bag_is_refused(tmp_path):
    refused(tmp_path / "nothing", f"{tmp_path / 'nothing'} is not there; name a bag, or a folder of bags")
    refused(tmp_path, f"{tmp_path} holds no bag: no metadata.yaml, no folder with one, and no .mcap, .db3, .bag")
    (tmp_path / "notes.txt").write_text("hello")
    refused(tmp_path / "notes.txt", "is no whole ROS bag: Unrecognized storage format '.txt'")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metadata.yaml").write_text("a: [")
    refused(tmp_path / "run", "is no whole ROS bag: Could not load YAML")
    refused([], "no bag is named; name a bag, a folder of bags, or a list of bags")


def test_an_episode_without_an_instruction_is_refused(bag, tmp_path):
    refused(bag, "nobody said the task of episode 0", instruction=None, instruction_topic="/absent")
    with pytest.raises(ValueError, match="say the task in one way: instruction=TEXT, or instruction_topic=TOPIC"):
        opened(bag, instruction_topic="/task")
    with pytest.raises(ValueError, match="say the task in one way"):
        opened(bag, instruction=None)


def test_settings_that_make_no_sense_are_refused(bag):
    refused(bag, "no episode [3]; allowed: 0 to 0, at least one", select=[3])
    refused(bag, "no episode []; allowed: 0 to 0, at least one", select=[])
    with pytest.raises(ValueError, match="unknown optional camera observation.images.rear; the cameras are"):
        opened(bag, optional=["rear"])
    with pytest.raises(ValueError, match="fps must be positive, got 0"):
        opened(bag, fps=0)
    with pytest.raises(ValueError, match="a topic can be one thing only; given twice: /front/image_raw"):
        opened(bag, cameras={"front": "/front/image_raw", "wrist": "/front/image_raw"})
    with pytest.raises(ValueError, match="the scale of '/width' must not be 0"):
        opened(bag, state={"arm": {"topic": "/width", "scale": 0.0}})
    with pytest.raises(ValueError, match="the fields of '/width' must be a list of at least one, got 'data'"):
        opened(bag, state={"arm": {"topic": "/width", "fields": "data"}})
    with pytest.raises(ValueError, match="num_frames must be at least 1, got 0"):
        list(opened(bag).clips(opened(bag).episodes[0], num_frames=0))
    with pytest.raises(DataSetError, match="no column truth; available: stamp_ns, timestamp"):
        opened(bag).columns(opened(bag).episodes[0], ["truth"])


def test_one_set_alone_has_no_rate(tmp_path):
    refused(write_bag(tmp_path / "run", two_cameras(1)), "no episode has more than one set of frames; name its rate")
    assert opened(tmp_path / "run", fps=30).fps == 30.0
