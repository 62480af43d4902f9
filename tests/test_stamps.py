import pytest

from robo_reward.stamps import episode_seconds, nanoseconds


def test_a_header_becomes_nanoseconds_without_rounding():
    assert nanoseconds(1_763_716_500, 999_999_999) == 1_763_716_500_999_999_999


def test_the_first_set_of_an_episode_is_at_zero():
    assert episode_seconds(1_763_716_500_123_456_789, start_ns=1_763_716_500_123_456_789) == 0.0


def test_seconds_are_those_that_single_precision_keeps():
    # 1/30 s in nanoseconds; the nearest float32 is 0x3d088888, one below that of 1/30
    assert episode_seconds(33_333_333, start_ns=0) == pytest.approx(1 / 30, abs=3e-9)
    assert episode_seconds(33_333_333, start_ns=0).hex() == "0x1.1111100000000p-5"


def test_frames_at_30_hz_stay_apart_for_three_days():
    late = 3 * 24 * 3600 * 10**9
    assert episode_seconds(late + 33_333_333, start_ns=0) > episode_seconds(late, start_ns=0)
