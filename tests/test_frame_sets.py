"""Laws of frame sets under any sequence of arrivals, then each rule by example. Times in the examples are ms."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robo_reward.frame_sets import Drop, FrameSet, FrameSets

MS = 1_000_000
CAMERAS = ("front", "side", "wrist")

arrivals = st.lists(
    st.tuples(
        st.sampled_from(CAMERAS),
        st.integers(-50, 3000) | st.integers(1, 150),  # stamp [ms]
        st.integers(0, 3000),  # now [ms]
    ),
    max_size=60,
)
cameras_settings = st.fixed_dictionaries(
    {
        "tolerance": st.sampled_from([0.0, 0.01, 0.05, 0.2]),
        "optional": st.sets(st.sampled_from(CAMERAS), max_size=2),
        "max_age": st.sampled_from([None, 0.3]),
        "jump": st.sampled_from([0.1, 1.0]),
        "depth": st.integers(1, 4),
    }
)


def fed(sets: FrameSets[int], events, *, clock: bool = False) -> list[FrameSet[int]]:
    """All sets that come out; a frame is the number of its arrival."""
    found = []
    for number, (camera, stamp, now) in enumerate(events):
        out = sets.add(camera, number, stamp_ns=stamp * MS, now_ns=now * MS if clock else None)
        if out is not None:
            found.append(out)
    return found


def built(*, cameras=("front", "side"), tolerance=0.01, **settings) -> FrameSets[int]:
    return FrameSets(cameras, tolerance, **settings)


def stamps(found: list[FrameSet[int]]) -> list[float]:
    return [out.stamp_ns / MS for out in found]


# Laws


@given(events=arrivals, chosen=cameras_settings, clock=st.booleans())
def test_a_set_has_every_required_camera_within_the_tolerance_and_the_oldest_stamp(events, chosen, clock):
    sets = FrameSets(CAMERAS, **chosen)
    for out in fed(sets, events, clock=clock):
        used = [events[number][1] * MS for number in out.frames.values() if number is not None]
        assert tuple(out.frames) == CAMERAS
        assert all(out.frames[name] is not None for name in set(CAMERAS) - chosen["optional"])
        assert (out.stamp_ns, out.newest_stamp_ns) == (min(used), max(used))
        assert out.spread <= chosen["tolerance"] + 1e-12


@given(events=arrivals, chosen=cameras_settings, clock=st.booleans())
def test_a_set_holds_frames_of_their_own_cameras(events, chosen, clock):
    for out in fed(FrameSets(CAMERAS, **chosen), events, clock=clock):
        assert all(number is None or events[number][0] == name for name, number in out.frames.items())


@given(events=arrivals, chosen=cameras_settings, clock=st.booleans())
def test_stamps_increase_within_a_generation_and_generations_never_go_back(events, chosen, clock):
    found = fed(FrameSets(CAMERAS, **chosen), events, clock=clock)
    for before, after in pairwise(found):
        assert (after.generation, after.stamp_ns) > (before.generation, before.stamp_ns)
        assert after.generation >= before.generation


@given(events=arrivals, chosen=cameras_settings, clock=st.booleans())
def test_no_frame_is_used_twice(events, chosen, clock):
    found = fed(FrameSets(CAMERAS, **chosen), events, clock=clock)
    used = [number for out in found for number in out.frames.values() if number is not None]
    assert len(used) == len(set(used))


@given(events=arrivals, chosen=cameras_settings, clock=st.booleans())
def test_every_frame_is_used_dropped_or_waiting(events, chosen, clock):
    sets = FrameSets(CAMERAS, **chosen)
    found = fed(sets, events, clock=clock)
    for name in CAMERAS:
        accounted = sets.used[name] + sum(sets.dropped[name].values()) + sets.waiting[name]
        assert sets.arrived[name] == accounted == sum(camera == name for camera, _, _ in events)
        assert sets.used[name] == sum(out.frames[name] is not None for out in found)
        assert sets.waiting[name] <= chosen["depth"]


@given(events=arrivals, chosen=cameras_settings)
def test_with_a_clock_no_frame_in_a_set_is_too_old_or_from_the_future(events, chosen):
    sets = FrameSets(CAMERAS, max_future=0.02, **chosen)
    for number, (camera, stamp, now) in enumerate(events):
        out = sets.add(camera, number, stamp_ns=stamp * MS, now_ns=now * MS)
        if out is not None:
            assert out.newest_stamp_ns <= (now + 20) * MS or number not in out.frames.values()
            assert chosen["max_age"] is None or out.stamp_ns >= (now - 300) * MS


@settings(deadline=None)
@given(data=st.data(), count=st.integers(1, 12))
def test_how_long_frames_of_triggered_cameras_travel_does_not_change_the_sets(data, count):
    ticks = [100 + 33 * tick for tick in range(count)]
    left = {name: list(ticks) for name in CAMERAS}
    events = []
    while any(left.values()):
        name = data.draw(st.sampled_from([name for name, stamps_left in left.items() if stamps_left]))
        events.append((name, left[name].pop(0), 0))
    found = fed(FrameSets(CAMERAS, 0.016), events)
    assert stamps(found) == ticks
    assert all(out.spread == 0 for out in found)


@given(ticks=st.lists(st.integers(1, 900), unique=True))
def test_one_camera_gives_a_set_for_each_frame_that_is_newer_than_all_before(ticks):
    found = fed(FrameSets(["front"], 0.0, jump=1.0), [("front", tick, 0) for tick in ticks])
    assert stamps(found) == [tick for place, tick in enumerate(ticks) if tick > max(ticks[:place], default=0)]


@given(events=arrivals, chosen=cameras_settings)
def test_equal_arrivals_give_equal_sets(events, chosen):
    one, other = (fed(FrameSets(CAMERAS, **chosen), events) for _ in range(2))
    assert [(out.stamp_ns, dict(out.frames)) for out in one] == [(out.stamp_ns, dict(out.frames)) for out in other]


# Rules


def test_the_newest_of_several_possible_sets_goes_out_and_the_older_frames_are_counted():
    sets = built()
    found = fed(sets, [("front", 100, 0), ("front", 133, 0), ("front", 166, 0), ("side", 134, 0)])
    assert stamps(found) == [133]
    assert found[0].frames == {"front": 1, "side": 3}
    assert found[0].spread == pytest.approx(0.001)
    assert sets.dropped == {"front": {Drop.SUPERSEDED: 1}, "side": {}}
    assert sets.waiting == {"front": 1, "side": 0}


def test_frames_further_apart_than_the_tolerance_make_no_set():
    assert fed(built(), [("front", 100, 0), ("side", 111, 0)]) == []
    assert stamps(fed(built(), [("front", 100, 0), ("side", 110, 0)])) == [100]


def test_a_set_waits_for_an_optional_camera_that_is_alive():
    sets = built(optional=["side"])
    found = fed(sets, [("side", 60, 0), ("front", 100, 0)])
    assert found == []
    out = sets.add("side", 7, stamp_ns=101 * MS)
    assert out is not None
    assert out.frames == {"front": 1, "side": 7}


def test_a_set_does_not_wait_for_an_optional_camera_that_is_silent():
    found = fed(built(optional=["side"]), [("front", 100, 0), ("front", 133, 0)])
    assert stamps(found) == [100, 133]
    assert all(out.frames["side"] is None for out in found)


def test_an_optional_camera_that_falls_silent_holds_up_one_set_only():
    alive = [("side", 100, 0), ("front", 100, 0)]
    found = fed(built(optional=["side"]), [*alive, ("front", 133, 0), ("front", 166, 0), ("front", 200, 0)])
    assert stamps(found) == [100, 166, 200]


def test_an_optional_camera_that_comes_a_little_later_each_time_is_in_every_set_but_the_first():
    events = [(name, tick, 0) for tick in (100, 133, 166, 200) for name in ("front", "side")]
    found = fed(built(optional=["side"]), events)
    assert stamps(found) == [100, 133, 166, 200]
    assert [out.frames["side"] is None for out in found] == [True, False, False, False]


def test_an_optional_frame_that_can_no_longer_fit_ends_the_waiting():
    sets = built(optional=["side"])
    assert fed(sets, [("side", 60, 0), ("front", 100, 0)]) == []
    out = sets.add("side", 7, stamp_ns=140 * MS)
    assert out is not None
    assert out.frames == {"front": 1, "side": None}
    assert sets.dropped["side"] == {Drop.OUT_OF_ORDER: 1}
    assert sets.waiting["side"] == 1


def test_an_optional_frame_does_not_widen_a_set_beyond_the_tolerance():
    sets = built(cameras=CAMERAS, optional=["wrist"])
    (out,) = fed(sets, [("wrist", 115, 0), ("front", 100, 0), ("side", 108, 0)])
    assert out.frames == {"front": 1, "side": 2, "wrist": None}
    (out,) = fed(built(cameras=CAMERAS, optional=["wrist"]), [("wrist", 98, 0), ("front", 100, 0), ("side", 108, 0)])
    assert (out.frames["wrist"], out.stamp_ns) == (0, 98 * MS)


def test_an_optional_frame_older_than_the_last_set_does_not_turn_time_back():
    sets = built(tolerance=0.2, optional=["side"])
    found = fed(sets, [("front", 100, 0), ("side", 90, 0), ("front", 200, 0), ("front", 233, 0)])
    assert stamps(found) == [100, 233]
    assert sets.dropped["side"] == {Drop.OUT_OF_ORDER: 1}


@pytest.mark.parametrize("stamp", [0, -5])
def test_a_stamp_that_the_driver_did_not_set_is_dropped(stamp):
    sets = built(cameras=["front"])
    assert fed(sets, [("front", stamp, 0)]) == []
    assert sets.dropped["front"] == {Drop.NO_STAMP: 1}


def test_a_frame_from_the_future_is_dropped_and_one_within_the_clocks_difference_is_not():
    sets = built(cameras=["front"], max_future=0.05)
    assert stamps(fed(sets, [("front", 251, 200), ("front", 250, 200)], clock=True)) == [250]
    assert sets.dropped["front"] == {Drop.FUTURE: 1}


def test_a_frame_that_is_too_old_on_arrival_is_dropped():
    sets = built(cameras=["front"], max_age=0.3)
    assert stamps(fed(sets, [("front", 99, 400), ("front", 100, 400)], clock=True)) == [100]
    assert sets.dropped["front"] == {Drop.TOO_OLD: 1}


def test_a_frame_that_grew_too_old_while_it_waited_is_dropped():
    sets = built(max_age=0.3)
    assert fed(sets, [("front", 100, 100), ("side", 105, 401)], clock=True) == []
    assert sets.dropped["front"] == {Drop.TOO_OLD: 1}


@pytest.mark.parametrize("later", [100, 60])
def test_a_stamp_that_repeats_or_falls_back_a_little_is_dropped(later):
    sets = built(cameras=["front"])
    assert stamps(fed(sets, [("front", 100, 0), ("front", later, 0)])) == [100]
    assert sets.dropped["front"] == {Drop.OUT_OF_ORDER: 1}


def test_a_camera_whose_clock_jumps_back_begins_another_generation():
    sets = built()
    found = fed(sets, [("side", 5000, 0), ("front", 5000, 0), ("side", 5033, 0), ("front", 100, 0), ("side", 100, 0)])
    assert [(out.generation, out.stamp_ns / MS) for out in found] == [(0, 5000), (1, 100)]
    assert sets.dropped["side"] == {Drop.RESET: 1}
    assert sets.generation == 1


def test_a_clock_that_jumps_back_begins_another_generation():
    sets = built(max_age=0.3)
    events = [("front", 5000, 5010), ("side", 100, 110), ("front", 101, 111)]
    found = fed(sets, events, clock=True)
    assert [(out.generation, out.stamp_ns / MS) for out in found] == [(1, 100)]
    assert sets.dropped["front"] == {Drop.RESET: 1}


def test_a_clock_that_is_adjusted_a_little_changes_nothing():
    found = fed(built(max_age=0.3), [("front", 5000, 5010), ("side", 5001, 4990)], clock=True)
    assert [(out.generation, out.stamp_ns / MS) for out in found] == [(0, 5000)]


def test_reset_forgets_what_waits_and_what_was_sent():
    sets = built()
    fed(sets, [("side", 100, 0), ("front", 100, 0), ("side", 133, 0)])
    sets.reset()
    assert sets.waiting == {"front": 0, "side": 0}
    found = fed(sets, [("front", 100, 0), ("side", 100, 0)])
    assert [(out.generation, out.stamp_ns / MS) for out in found] == [(1, 100)]


def test_only_so_many_frames_wait_for_a_lost_camera():
    sets = built(depth=3)
    fed(sets, [("front", 100 + tick, 0) for tick in range(10)])
    assert sets.waiting["front"] == 3
    assert sets.dropped["front"] == {Drop.SUPERSEDED: 7}


# Errors


def test_an_unknown_camera_is_refused_and_nothing_is_counted():
    sets = built()
    with pytest.raises(ValueError, match="unknown camera 'rear'; the cameras are front, side"):
        sets.add("rear", 0, stamp_ns=MS)
    assert sets.arrived == {"front": 0, "side": 0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cameras": []}, "cameras must be at least one name, each once; got none"),
        ({"cameras": ["front", "front"]}, "cameras must be at least one name, each once; got front, front"),
        ({"optional": ["rear"]}, "unknown optional camera rear; the cameras are front, side"),
        ({"optional": ["front", "side"]}, "at least one camera must be required; all of front, side are optional"),
        ({"tolerance": -0.1}, "tolerance must be >= 0 s and finite, got -0.1"),
        ({"tolerance": float("nan")}, "tolerance must be >= 0 s and finite, got nan"),
        ({"max_age": -1.0}, "max_age must be >= 0 s and finite, got -1"),
        ({"max_future": -1.0}, "max_future must be >= 0 s and finite, got -1"),
        ({"jump": float("inf")}, "jump must be >= 0 s and finite, got inf"),
        ({"depth": 0}, "depth must be >= 1, got 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        built(**wrong)
