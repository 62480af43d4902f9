from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from robo_reward.calibration.bag_pictures import BagPictures
from robo_reward.calibration.pictures import PictureSource, ReadingSettings, open_pictures
from robo_reward.errors import DataSetError

PLAIN = ReadingSettings()


def striped(place: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    picture = np.full((*size, 3), 40, np.uint8)
    picture[:, 4 * place : 4 * place + 8] = (0, 0, 255)  # blue in RGB, 29 of 255 in grey
    picture[:8] = 200
    return picture


def video(path: Path, frames: int = 6) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.bit_rate = 4_000_000
        for place in range(frames):
            for packet in stream.encode(av.VideoFrame.from_ndarray(striped(place), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def grey_of(place: int) -> np.ndarray:
    return cv2.cvtColor(striped(place), cv2.COLOR_RGB2GRAY)


def test_a_folder_gives_its_pictures_by_name_and_nothing_else(tmp_path):
    for place, name in enumerate(("b.png", "a.jpg", "c.bmp")):
        cv2.imwrite(str(tmp_path / name), striped(place)[..., ::-1])
    (tmp_path / "notes.txt").write_text("no picture")
    source = open_pictures(tmp_path, PLAIN)
    assert isinstance(source, PictureSource)
    pictures = list(source)
    assert [each.name for each in pictures] == ["a.jpg", "b.png", "c.bmp"]
    assert [each.place for each in pictures] == [0, 1, 2]
    assert source.count() == 3
    assert np.abs(pictures[1].grey.astype(int) - grey_of(0)).max() <= 1


def test_a_single_picture_is_a_source_too(tmp_path):
    cv2.imwrite(str(tmp_path / "one.png"), striped(0))
    cv2.imwrite(str(tmp_path / "other.png"), striped(1))
    assert [each.name for each in open_pictures(tmp_path / "one.png", PLAIN)] == ["one.png"]


def test_a_picture_is_taken_as_it_lies_in_the_file_whatever_its_note_on_turning(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter
    Image.fromarray(striped(0)).save(tmp_path / "turned.jpg", exif=exif)
    assert next(iter(open_pictures(tmp_path, PLAIN))).grey.shape == (48, 64)


def test_a_video_gives_every_so_manieth_frame_with_its_time(tmp_path):
    source = open_pictures(video(tmp_path / "clip.mp4"), ReadingSettings(every=2))
    pictures = list(source)
    assert [each.name for each in pictures] == ["frame 0", "frame 2", "frame 4"]
    assert [each.place for each in pictures] == [0, 2, 4]
    assert [each.stamp for each in pictures] == pytest.approx([0.0, 0.2, 0.4])
    assert source.count() == 3
    # luma of limited range instead of full: as bright to a few levels, and at the same place
    assert np.abs(pictures[1].grey[20:].astype(int) - grey_of(2)[20:]).mean() < 25
    assert int(np.argmin(pictures[1].grey[30])) in range(8, 16)


def test_a_live_camera_gives_so_many_pictures(tmp_path):
    file = video(tmp_path / "clip.mp4", frames=12)
    from robo_reward.calibration.pictures import DevicePictures

    source = DevicePictures(device=str(file), settings=ReadingSettings(number=3, interval=0.0))
    assert [each.name for each in source] == ["picture 0", "picture 1", "picture 2"]
    assert source.count() == 3
    drained = DevicePictures(device=str(file), settings=ReadingSettings(number=40, interval=0.0))
    with pytest.raises(DataSetError, match="gives no picture"):
        list(drained)


def test_a_camera_that_is_not_there_is_named():
    with pytest.raises(DataSetError, match="camera /dev/video97 cannot be opened"):
        list(open_pictures("/dev/video97", PLAIN))


def bag(path: Path, topics: dict[str, str]) -> Path:
    rosbag2 = pytest.importorskip("rosbags.rosbag2", reason="the bags extra is not installed")
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    image, compressed = store.types["sensor_msgs/msg/Image"], store.types["sensor_msgs/msg/CompressedImage"]
    header, time = store.types["std_msgs/msg/Header"], store.types["builtin_interfaces/msg/Time"]
    with rosbag2.Writer(path, version=9) as writer:
        for topic, encoding in topics.items():
            kind = compressed if encoding == "png" else image
            connection = writer.add_connection(topic, kind.__msgtype__, typestore=store)
            for place in range(3):
                head = header(stamp=time(sec=7, nanosec=place * 100_000_000), frame_id="camera")
                picture = striped(place)
                if encoding == "png":
                    data = cv2.imencode(".png", picture[..., ::-1])[1].ravel()
                    message = compressed(header=head, format="png", data=data)
                else:
                    rows = {"rgb8": picture, "bgr8": picture[..., ::-1], "mono8": grey_of(place)}.get(encoding, picture)
                    rows = rows.reshape(48, -1)
                    padded = np.pad(rows, ((0, 0), (0, 8)))
                    message = image(
                        header=head, height=48, width=64, encoding=encoding, is_bigendian=0,
                        step=padded.shape[1], data=padded.ravel(),
                    )  # fmt: skip
                writer.write(connection, place, store.serialize_cdr(message, kind.__msgtype__))
    return path


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8", "png"])
def test_a_ros_bag_gives_raw_and_compressed_pictures_with_the_headers_time(tmp_path, encoding):
    source = open_pictures(bag(tmp_path / "bag", {"/camera/image": encoding}), ReadingSettings(every=2))
    assert isinstance(source, BagPictures)
    pictures = list(source)
    assert source.count() == 2
    assert [each.stamp for each in pictures] == pytest.approx([7.0, 7.2])
    for each, place in zip(pictures, (0, 2), strict=True):
        assert each.grey.shape == (48, 64)
        assert np.abs(each.grey.astype(int) - grey_of(place)).max() <= 1


def test_a_bag_with_several_image_topics_wants_one_named(tmp_path):
    path = bag(tmp_path / "bag", {"/left": "rgb8", "/right": "mono8"})
    with pytest.raises(DataSetError, match="name one image topic; there are /left, /right"):
        open_pictures(path, PLAIN)
    with pytest.raises(DataSetError, match="has no image topic '/top'; there are /left, /right"):
        open_pictures(path, ReadingSettings(topic="/top"))
    assert open_pictures(path, ReadingSettings(topic="/right")).count() == 3


def test_an_encoding_that_is_not_read_is_named(tmp_path):
    path = bag(tmp_path / "bag", {"/depth": "16UC1"})
    with pytest.raises(DataSetError, match="encoding '16UC1' is not read; raw ones are mono8, "):
        list(open_pictures(path, PLAIN))


def test_without_rosbags_a_bag_says_which_extra_reads_it(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "rosbags.highlevel", None)
    (tmp_path / "recording.mcap").write_bytes(b"")
    with pytest.raises(DataSetError, match=r"read with rosbags, which is not here: pip install 'robo-reward\[bags\]'"):
        open_pictures(tmp_path / "recording.mcap", PLAIN)


def test_a_file_that_is_no_bag_is_named(tmp_path):
    pytest.importorskip("rosbags", reason="the bags extra is not installed")
    (tmp_path / "recording.mcap").write_bytes(b"no bag")
    with pytest.raises(DataSetError, match=r"recording\.mcap is no ROS bag"):
        open_pictures(tmp_path / "recording.mcap", PLAIN)


def test_what_holds_no_pictures_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "broken.png").write_text("no picture")
    (tmp_path / "broken.mp4").write_text("no video")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="nowhere: there is no such folder, video, ROS bag or camera"):
        open_pictures(tmp_path / "nowhere", PLAIN)
    with pytest.raises(DataSetError, match=r"notes\.txt: pictures come from a folder of \.bmp"):
        open_pictures(tmp_path / "notes.txt", PLAIN)
    with pytest.raises(DataSetError, match=r"broken\.png cannot be read as a picture"):
        list(open_pictures(tmp_path / "broken.png", PLAIN))
    with pytest.raises(DataSetError, match=r"broken\.mp4 is no video"):
        list(open_pictures(tmp_path / "broken.mp4", PLAIN))
    with pytest.raises(DataSetError, match="empty holds no picture"):
        list(open_pictures(tmp_path / "empty", PLAIN))


@pytest.mark.parametrize("values", [{"every": 0}, {"number": 0}, {"interval": -1.0}])
def test_reading_settings_outside_their_range_are_refused(values):
    with pytest.raises(ValueError, match="every and number must be >= 1 and interval >= 0 s"):
        ReadingSettings(**values)
