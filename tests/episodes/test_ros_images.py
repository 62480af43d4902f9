import re
from types import SimpleNamespace

import numpy as np
import pytest
from bag_data import compressed_image, raw_image, red_to_green
from hypothesis import given
from hypothesis import strategies as st

from robo_reward.episodes.images import rgb_picture
from robo_reward.episodes.ros_images import encoded_picture, picture_size, png, rgb_of_message

PICTURE = np.random.default_rng(3).integers(0, 256, (5, 7, 3), np.uint8)
ALPHA = np.full((5, 7, 1), 17, np.uint8)
AS_RECORDED = {
    "rgb8": PICTURE,
    "bgr8": PICTURE[..., ::-1],
    "rgba8": np.concatenate([PICTURE, ALPHA], axis=2),
    "bgra8": np.concatenate([PICTURE[..., ::-1], ALPHA], axis=2),
}


@pytest.mark.parametrize("encoding", AS_RECORDED)
@pytest.mark.parametrize("padding", [0, 3])
def test_every_colour_encoding_gives_red_green_and_blue(encoding, padding):
    found = rgb_of_message(raw_image(AS_RECORDED[encoding], 1, encoding=encoding, padding=padding))
    np.testing.assert_array_equal(found, PICTURE)
    assert found.flags.c_contiguous


def test_mono_is_repeated_in_all_channels():
    found = rgb_of_message(raw_image(PICTURE[..., :1], 1, encoding="mono8", padding=2))
    np.testing.assert_array_equal(found, PICTURE[..., :1].repeat(3, axis=2))


def test_a_decoded_picture_is_no_view_of_the_message():
    message = raw_image(PICTURE, 1)
    found = rgb_of_message(message)
    found[:] = 0
    np.testing.assert_array_equal(rgb_of_message(message), PICTURE)


@given(height=st.integers(1, 6), width=st.integers(1, 6), padding=st.integers(0, 5), big=st.integers(0, 1))
def test_sizes_padding_and_the_byte_order_flag_do_not_matter(height, width, padding, big):
    picture = np.random.default_rng(height * 7 + width).integers(0, 256, (height, width, 3), np.uint8)
    message = raw_image(picture, 1, padding=padding, is_bigendian=big)
    np.testing.assert_array_equal(rgb_of_message(message), picture)
    assert picture_size(message) == (height, width)


def test_the_data_may_be_any_buffer():
    message = raw_image(PICTURE, 1)
    for data in (message.data.tobytes(), bytearray(message.data), memoryview(message.data)):
        other = SimpleNamespace(encoding="rgb8", height=5, width=7, step=21, is_bigendian=0, data=data)
        np.testing.assert_array_equal(rgb_of_message(other), PICTURE)


def test_bytes_behind_the_last_row_are_ignored():
    message = raw_image(PICTURE, 1)
    message.data = np.concatenate([message.data, np.zeros(9, np.uint8)])
    np.testing.assert_array_equal(rgb_of_message(message), PICTURE)


@pytest.mark.parametrize("said", ["png", "rgb8; png compressed bgr8", ""])
def test_compressed_pictures_are_read_whatever_their_format_is_called(said):
    message = compressed_image(PICTURE, 1, said=said or "png")
    np.testing.assert_array_equal(rgb_of_message(message), PICTURE)
    assert picture_size(message) == (5, 7)


def test_jpeg_is_decoded_as_in_data_sets():
    picture = red_to_green(3)[1]
    message = compressed_image(picture, 1, kind="JPEG")
    np.testing.assert_array_equal(rgb_of_message(message), rgb_picture(bytes(message.data)))
    assert np.abs(rgb_of_message(message).astype(int) - picture).mean() < 12


def test_grey_compressed_pictures_are_repeated_in_all_channels():
    found = rgb_of_message(compressed_image(PICTURE[..., 0], 1))
    np.testing.assert_array_equal(found, PICTURE[..., :1].repeat(3, axis=2))


def test_compressed_bytes_are_kept_and_raw_ones_become_a_lossless_file():
    jpeg = compressed_image(PICTURE, 1, kind="JPEG")
    assert encoded_picture(jpeg) == bytes(jpeg.data)
    np.testing.assert_array_equal(rgb_picture(encoded_picture(raw_image(PICTURE, 1, padding=4))), PICTURE)
    np.testing.assert_array_equal(rgb_picture(png(PICTURE)), PICTURE)


ALLOWED = "allowed: rgb8, bgr8, rgba8, bgra8, mono8"
FILES = "allowed: JPEG, PNG of 8 bits, grey or colour"


@pytest.mark.parametrize("read", [rgb_of_message, picture_size, encoded_picture])
@pytest.mark.parametrize(
    ("message", "text"),
    [
        (raw_image(PICTURE, 1, encoding="16UC1"), f"encoding '16UC1' is not read; {ALLOWED}"),
        (raw_image(PICTURE, 1, encoding="yuv422_yuy2"), f"encoding 'yuv422_yuy2' is not read; {ALLOWED}"),
        (raw_image(PICTURE, 1, encoding="8UC3"), f"encoding '8UC3' is not read; {ALLOWED}"),
        (raw_image(PICTURE, 1, step=20), "a row of 7 rgb8 pixels needs 21 bytes, step says 20"),
        (raw_image(PICTURE, 1, height=6), "6 rows of 21 bytes need 126, data has 105"),
        (raw_image(PICTURE, 1, height=0), "the picture is empty: 7 x 0 pixels"),
        (raw_image(PICTURE, 1, width=0), "the picture is empty: 0 x 5 pixels"),
        (compressed_image(PICTURE, 1, kind="BMP"), f"compressed format 'bmp' (BMP of mode RGB) is not read; {FILES}"),
        (
            compressed_image(PICTURE[..., 0].astype(np.uint16), 1, said="16UC1; compressedDepth"),
            f"compressed format '16UC1; compressedDepth' (PNG of mode I;16) is not read; {FILES}",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_is_allowed(read, message, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        read(message)


def test_bytes_that_are_no_picture_are_refused():
    message = compressed_image(PICTURE, 1, kind="JPEG")
    message.data = np.arange(50, dtype=np.uint8)
    with pytest.raises(ValueError, match=f"compressed format 'jpeg' is not read; {FILES}"):
        picture_size(message)


def test_a_picture_that_was_cut_off_is_refused_when_it_is_decoded():
    message = compressed_image(red_to_green(1)[0], 1, kind="JPEG")
    message.data = message.data[:-60]
    with pytest.raises(ValueError, match="truncated"):
        rgb_of_message(message)
