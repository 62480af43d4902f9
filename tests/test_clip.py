import pytest
import torch

from robo_reward import Clip, Episode
from robo_reward.clip import _check_state


def clip(**changes) -> Clip:
    arguments = {
        "views": {
            "front": torch.zeros(1, 3, 3, 8, 10, dtype=torch.uint8),
            "wrist": torch.zeros(1, 3, 3, 6, 6, dtype=torch.uint8),
        },
        "present": torch.ones(1, 3, 2, dtype=torch.bool),
        "stamp": torch.tensor([[0.0, 0.1, 0.2]], dtype=torch.float64),
    }
    return Clip(**(arguments | changes))


def episode(**changes) -> Episode:
    arguments = {
        "index": 4,
        "instruction": "open the drawer",
        "cameras": ("front",),
        "stamp": torch.tensor([0.0, 0.1], dtype=torch.float64),
        "terminated": True,
        "success": torch.tensor([False, True]),
    }
    return Episode(**(arguments | changes))


def test_a_clip_can_be_cut_and_joined_again():
    whole = clip()
    first = Clip(
        views={name: frames[:, :2] for name, frames in whole.views.items()},
        present=whole.present[:, :2],
        stamp=whole.stamp[:, :2],
    )
    again = first.followed_by(whole.latest(1))
    assert torch.equal(again.stamp, whole.stamp)
    assert again.cameras == ("front", "wrist")
    assert all(torch.equal(again.views[name], frames) for name, frames in whole.views.items())
    assert whole.latest(None) is whole.latest(9) is whole


def test_clips_of_other_frames_or_earlier_stamps_do_not_join():
    other = clip(
        views={name: torch.zeros(1, 3, 3, 4, 4, dtype=torch.uint8) for name in ("front", "wrist")},
        stamp=clip().stamp + 1,
    )
    with pytest.raises(ValueError, match=r"camera 'front' had frames \(3, 8, 10\); the later clip has"):
        clip().followed_by(other)
    with pytest.raises(ValueError, match="stamp must be strictly increasing; the smallest step is -0.2 s"):
        clip().followed_by(clip())


# The annotation hooks of the test run would refuse some of these before the class does; users have no hooks.
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"views": {}}, ValueError, "a clip needs at least one camera; views is empty"),
        (
            {"stamp": torch.tensor([[0.0, 0.2, 0.1]], dtype=torch.float64)},
            ValueError,
            "stamp must be strictly increasing; the smallest step is -0.1 s",
        ),
        (
            {"stamp": torch.tensor([[0.0, float("nan"), 0.1]], dtype=torch.float64)},
            ValueError,
            "stamp must be finite seconds; found NaN or infinity",
        ),
        (
            {"present": torch.ones(1, 3, 3, dtype=torch.bool)},
            ValueError,
            r"present must have shape \(1, 3, 2\), got \(1, 3, 3\)",
        ),
    ],
)
def test_a_clip_that_cannot_be_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        clip(**changes)


def test_frames_are_checked_by_the_class_itself():
    from robo_reward.clip import _check_frames, _check_tensor

    with pytest.raises(TypeError, match=r"camera 'front': frames must be uint8 RGB in \[0, 255\], got torch.float32"):
        _check_frames("front", torch.zeros(1, 1, 3, 4, 4))
    with pytest.raises(ValueError, match=r"got \(1, 1, 4, 4, 3\); move the channels first"):
        _check_frames("front", torch.zeros(1, 1, 4, 4, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"frames are empty, shape \(1, 0, 3, 4, 4\)"):
        _check_frames("front", torch.zeros(1, 0, 3, 4, 4, dtype=torch.uint8))
    with pytest.raises(TypeError, match="present must be torch.bool, got torch.int64"):
        _check_tensor("present", torch.zeros(1, dtype=torch.int64), (1,), torch.bool)


def test_an_episode_states_its_length():
    assert episode().num_frames == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cameras": ()}, "episode 4 has no camera"),
        ({"stamp": torch.zeros(0, dtype=torch.float64), "success": None}, r"episode 4: stamp must be \(time,\)"),
        ({"stamp": torch.tensor([0.1, 0.1], dtype=torch.float64)}, "stamp must be strictly increasing"),
    ],
)
def test_an_episode_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        episode(**changes)


def test_state_travels_with_its_frames():
    felt = torch.arange(9, dtype=torch.float64).reshape(1, 3, 3)
    whole = clip(state={"tool_position": felt})
    first = whole.take(torch.tensor([0, 1]), stamp=whole.stamp[0, :2])
    assert torch.equal(first.followed_by(whole.latest(1)).state["tool_position"], felt)
    turned = whole.take(torch.tensor([2, 1, 0]), stamp=whole.stamp[0])
    assert torch.equal(turned.state["tool_position"], felt.flip(1))
    assert torch.equal(turned.views["front"], whole.views["front"].flip(1))
    later = clip(stamp=clip().stamp + 1)
    with pytest.raises(ValueError, match=r"the clip has state \['tool_position'\], the later one \[\]"):
        whole.followed_by(later)


@pytest.mark.parametrize(
    ("numbers", "error", "message"),
    [
        (torch.zeros(1, 3), ValueError, r"state 'tool_position' must be \(batch, time, size >= 1\), got \(1, 3\)"),
        (torch.zeros(1, 2, 3, dtype=torch.float64), ValueError, r"must have shape \(1, 3, 3\), got \(1, 2, 3\)"),
        (torch.full((1, 3, 3), torch.inf, dtype=torch.float64), ValueError, "finite, or NaN where unknown"),
        (torch.zeros(1, 3, 3), TypeError, "state 'tool_position' must be torch.float64, got torch.float32"),
    ],
)
def test_a_state_that_cannot_be_is_refused(numbers, error, message):
    with pytest.raises(error, match=message):
        _check_state("tool_position", numbers, (1, 3))


def test_a_clip_checks_its_state():
    with pytest.raises(ValueError, match="finite, or NaN where unknown"):
        clip(state={"tool_position": torch.full((1, 3, 3), torch.inf, dtype=torch.float64)})
