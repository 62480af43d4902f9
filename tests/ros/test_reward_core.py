"""The core of the reward node: pictures and words in, answers out, without ROS."""

import math

import pytest
from robo_reward_ros.answer import Status
from robo_reward_ros.core_settings import CoreSettings
from robo_reward_ros.reward_core import FAILURE, SUCCESS, TRUNCATED, RewardCore
from ros_pictures import SECOND, START, Clocks, Gated, bound, compressed, green_model, picture, raw, tensor, until

from robo_reward import RewardStream
from robo_reward.stamps import episode_seconds

PERIOD = SECOND // 10


class Robot:
    """A core with its clocks, and what it said."""

    def __init__(self, model=None, **changes) -> None:
        self.clocks, self.said = Clocks(), []
        settings = CoreSettings(**({"cameras": ("front",), "session": 7, "max_answer_age": 0.0} | changes))
        self.core = RewardCore(bound(model), settings, clocks=self.clocks, publish=self.said.append)

    def sees(self, share: float, *, camera: str = "front", message=None, stamp_ns: int | None = None) -> None:
        self.core.picture(
            camera,
            raw(picture(share)) if message is None else message,
            stamp_ns=self.clocks.ros if stamp_ns is None else stamp_ns,
        )

    def steps(self, *shares: float) -> None:
        """See and answer picture by picture."""
        for share in shares:
            before = len(self.said)
            self.clocks.pass_by(0.1)
            self.sees(share)
            until(lambda before=before: len(self.said) > before)

    def settle(self) -> None:
        """Let the worker finish."""
        until(lambda: self.core._worker.idle)

    @property
    def statuses(self) -> list[Status]:
        return [answer.status for answer in self.said]


@pytest.fixture
def robot():
    made = []

    def make(model=None, **changes) -> Robot:
        made.append(Robot(model, **changes))
        return made[-1]

    yield make
    for each in made:
        each.core.close(5)


SHARES = (0.1, 0.3, 0.35, 0.2, 0.7, 0.9)


def test_live_rewards_are_those_of_a_stream_offline_bit_for_bit(robot):
    live = robot()
    live.steps(*SHARES)
    stream = RewardStream(green_model(), discount=0.99)
    offline = []
    for number, share in enumerate(SHARES):
        stamp_ns = START + (number + 1) * PERIOD
        views = {"front": tensor(picture(share))}
        offline.append(stream.step(views, stamp=episode_seconds(stamp_ns, start_ns=START + PERIOD)))
    assert live.statuses == [Status.WARMUP] + [Status.OK] * 5
    assert [(each.reward, each.progress, each.potential) for each in live.said[1:]] == [
        (each.reward, each.progress, each.potential) for each in offline[1:]
    ]
    assert [each.stamp_ns for each in live.said] == [START + (number + 1) * PERIOD for number in range(6)]


def test_an_answer_carries_the_oldest_stamp_its_age_and_what_each_camera_gave(robot):
    live = robot(cameras=("front", "wrist", "side"), optional_cameras=("side",))
    for _ in range(2):
        live.clocks.pass_by(0.1)
        now = live.clocks.ros
        live.sees(0.2, camera="wrist", stamp_ns=now - 5_000_000)
        live.sees(0.2, camera="front", stamp_ns=now - 12_000_000)
        live.settle()
    last = live.said[-1]
    assert last.status == Status.OK
    assert (last.stamp_ns, last.newest_stamp_ns) == (now - 12_000_000, now - 5_000_000)
    assert last.input_age == pytest.approx(0.012)
    assert last.views == ("front", "wrist", "side")
    assert last.view_present == (True, True, False)
    assert last.view_lag[:2] == pytest.approx((0.0, 0.007))
    assert math.isnan(last.view_lag[2])
    assert (last.session, last.sequence, last.steps, last.discount) == (7, 1, 1, 0.99)


def test_raw_and_compressed_pictures_of_mixed_encodings_give_the_same_rewards(robot):
    one, other = robot(), robot()
    one.steps(*SHARES)
    shown = [
        lambda pixels: raw(pixels[..., ::-1].copy(), encoding="bgr8"),
        lambda pixels: compressed(pixels, kind="png"),
        raw,
    ]
    for number, share in enumerate(SHARES):
        other.clocks.pass_by(0.1)
        other.sees(share, message=shown[number % 3](picture(share)))
        other.settle()
    assert [each.reward for each in one.said[1:]] == [each.reward for each in other.said[1:]]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (raw(picture(0.5), encoding="bayer_rggb8"), "encoding 'bayer_rggb8' is not read"),
        (raw(picture(0.5)[:6], encoding="rgba8"), "step says 30"),
        (compressed(picture(0.5), kind="gif"), "compressed format"),
    ],
)
def test_a_picture_that_cannot_be_read_makes_the_input_stale_at_once_and_a_good_one_ends_it(robot, message, reason):
    live = robot()
    live.steps(0.1, 0.2)
    live.clocks.pass_by(0.1)
    live.sees(0.3, message=message)
    live.core.tick()
    assert live.said[-1].status == Status.STALE_INPUT
    assert reason in live.said[-1].reason
    assert live.said[-1].pictures_refused == 1
    live.steps(0.4)
    assert live.said[-1].status == Status.OK


def test_a_damaged_jpeg_is_noticed_when_it_is_decoded(robot):
    live = robot()
    whole = compressed(picture(0.5, height=64, width=64), kind="jpeg")
    whole.data = whole.data[:400]
    live.steps(0.1)
    live.clocks.pass_by(0.1)
    live.sees(0.2, message=whole)
    live.settle()
    live.core.tick()
    assert live.statuses == [Status.WARMUP, Status.STALE_INPUT]
    assert live.said[-1].pictures_refused == 1


@pytest.mark.parametrize(
    ("offset", "name"), [(-START, "zero"), (SECOND, "future"), (-SECOND, "old"), (-PERIOD, "frozen")]
)
def test_pictures_with_a_stamp_that_cannot_be_used_are_refused_and_the_input_grows_stale(robot, offset, name):
    live = robot()
    live.steps(0.1, 0.2)
    for _ in range(6):
        live.clocks.pass_by(0.1)
        stamp = live.clocks.ros + offset
        live.sees(0.3, stamp_ns=0 if name == "zero" else START + 2 * PERIOD if name == "frozen" else stamp)
        live.settle()
        live.core.tick()
    assert live.statuses == [Status.WARMUP, Status.OK, Status.STALE_INPUT]
    assert live.said[-1].pictures_refused == 6
    live.steps(0.3)
    assert live.said[-1].status == Status.OK


def test_a_silent_camera_makes_the_input_stale_until_it_returns_and_no_number_goes_out(robot):
    live = robot()
    live.steps(0.1, 0.2)
    live.clocks.pass_by(0.6)
    live.core.tick()
    live.core.tick()
    assert live.statuses[2:] == [Status.STALE_INPUT] * 2
    assert all(math.isnan(each.reward) and math.isnan(each.potential) for each in live.said[2:])
    assert live.said[-1].reason == "no picture of front for more than 0.5 s"
    assert [each.sequence for each in live.said] == [0, 1, 2, 3]
    live.steps(0.3)
    assert live.said[-1].status == Status.OK


def test_cameras_that_are_too_far_apart_are_told_from_silent_ones(robot):
    live = robot(cameras=("front", "wrist"))
    for _ in range(7):
        live.clocks.pass_by(0.1)
        live.sees(0.1, camera="front")
        live.clocks.pass_by(0.05)
        live.sees(0.1, camera="wrist")
    live.core.tick()
    assert live.said[-1].status == Status.SYNC


def test_a_clock_that_jumps_back_begins_another_episode_and_cuts_the_one_before(robot):
    live = robot()
    live.steps(0.1, 0.5)
    live.clocks.ros -= 60 * SECOND
    live.clocks.pass_by(0.1)
    live.sees(0.2)
    live.settle()
    live.steps(0.3)
    assert live.statuses == [Status.WARMUP, Status.OK, Status.WARMUP, Status.WARMUP, Status.OK]
    assert [each.truncated for each in live.said] == [False, False, True, False, False]
    assert [each.episode for each in live.said] == [0, 0, 0, 1, 1]
    assert live.said[2].reason == "a clock jumped back"


def test_a_stopped_robot_gets_no_reward_and_its_episode_is_cut(robot):
    live = robot(use_robot_ok=True, robot_ok_timeout=0.5)
    live.core.tick()
    assert live.said[-1].status == Status.ROBOT_STOPPED
    live.core.robot_said(ok=True)
    live.steps(0.1, 0.2)
    assert live.said[-1].status == Status.OK
    before = len(live.said)
    live.core.robot_said(ok=False)
    live.settle()
    assert [each.truncated for each in live.said[-2:]].count(True) == 1
    asked = live.said[-1].sets_answered
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    live.settle()
    assert {each.status for each in live.said[before:]} == {Status.ROBOT_STOPPED}
    assert live.core._teller.sets_answered == asked
    live.core.robot_said(ok=True)
    live.steps(0.3, 0.4)
    assert live.statuses[-2:] == [Status.WARMUP, Status.OK]
    live.clocks.pass_by(0.3)
    live.sees(0.5)
    live.settle()
    live.clocks.pass_by(0.3)
    live.core.tick()
    assert live.said[-1].status == Status.ROBOT_STOPPED
    assert live.said[-1].reason == "robot_ok is silent for more than 0.5 s"


def test_a_result_that_the_robot_stopped_before_is_not_told(robot):
    model = Gated(green_model())
    live = robot(model, use_robot_ok=True)
    live.core.robot_said(ok=True)
    live.steps(0.1, 0.2)
    model.gate.clear()
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    until(lambda: model.asked == 3)
    before = len(live.said)
    live.core.robot_said(ok=False)
    model.gate.set()
    live.settle()
    assert {each.status for each in live.said[before:]} == {Status.ROBOT_STOPPED}


def test_a_slow_model_answers_the_newest_set_and_counts_those_that_it_missed(robot):
    model = Gated(green_model())
    live = robot(model)
    live.steps(0.1)
    model.gate.clear()
    for number in range(4):
        live.clocks.pass_by(0.1)
        live.sees(0.1 * number)
        until(lambda: model.asked == 2)
    model.gate.set()
    until(lambda: len(live.said) == 3)
    assert [(each.stamp_ns - START) // PERIOD for each in live.said] == [1, 2, 5]
    assert live.said[-1].sets_dropped == 2


def test_an_answer_that_comes_too_late_carries_no_reward(robot):
    model = Gated(green_model())
    live = robot(model, max_answer_age=0.3)
    live.steps(0.1, 0.2)
    model.gate.clear()
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    until(lambda: model.asked == 3)
    live.clocks.pass_by(0.4)
    model.gate.set()
    until(lambda: len(live.said) == 3)
    assert live.said[-1].status == Status.STALE_INPUT
    assert live.said[-1].reason == "the answer came when its oldest picture was 0.4 s old"


def test_a_model_that_fails_is_a_fault_that_ends_with_its_next_answer(robot):
    model = Gated(green_model())
    live = robot(model)
    live.steps(0.1, 0.2)
    model.fault = RuntimeError("CUDA out of memory")
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    live.settle()
    live.core.tick()
    assert live.said[2].truncated
    assert live.said[-1].status == Status.FAULT
    assert live.said[-1].reason == "RuntimeError: CUDA out of memory"
    model.fault = None
    live.steps(0.3, 0.4)
    assert live.statuses[-2:] == [Status.WARMUP, Status.OK]
    assert live.said[-1].episode == 1


def test_a_model_that_hangs_is_a_fault(robot):
    model = Gated(green_model())
    live = robot(model, inference_timeout=0.02)
    model.gate.clear()
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    until(lambda: live.core.tick()[0] == Status.FAULT)
    assert live.said[-1].reason == "the model is busy for more than 0.02 s"
    model.gate.set()


def test_reset_ends_the_episode_truncated_and_the_next_picture_begins_another(robot):
    live = robot()
    assert live.core.reset_episode().result(5) == "no frame of an episode yet"
    live.steps(0.1, 0.2)
    assert live.core.reset_episode("asked").result(5) == "episode 0 ended, truncated: asked"
    live.steps(0.3)
    assert live.statuses == [Status.WARMUP, Status.OK, Status.WARMUP, Status.WARMUP]
    assert [(each.truncated, each.episode) for each in live.said[2:]] == [(True, 0), (False, 1)]


@pytest.mark.parametrize(("outcome", "task_reward"), [(SUCCESS, 1.0), (FAILURE, 0.0)])
def test_a_marked_outcome_pays_minus_the_last_potential_and_the_return_telescopes(robot, outcome, task_reward):
    live = robot()
    live.steps(*SHARES)
    assert live.core.mark(outcome).result(5) == 0
    last = live.said[-1]
    assert (last.status, last.terminated, last.success) == (Status.OK, True, outcome == SUCCESS)
    assert last.reward == -live.said[-2].potential
    assert (last.task_reward, last.total_reward) == (task_reward, last.reward + task_reward)
    stream = RewardStream(green_model(), discount=0.99)
    stream.step({"front": tensor(picture(SHARES[0]))}, stamp=0.0)
    first = -stream.terminate()
    shaped = sum(0.99**number * each.reward for number, each in enumerate(live.said[1:]))
    assert shaped == pytest.approx(-first, abs=1e-12)


def test_a_cut_and_an_outcome_of_nothing_are_told_apart(robot):
    live = robot()
    with pytest.raises(ValueError, match="there is no episode to end: it has no frame yet"):
        live.core.mark(SUCCESS).result(5)
    with pytest.raises(ValueError, match=r"outcome must be 1 \(success\), 2 \(failure\) or 3 \(truncated\), got 9"):
        live.core.mark(9)
    live.steps(0.1, 0.2)
    assert live.core.mark(TRUNCATED, who="operator").result(5) == 0
    assert (live.said[-1].terminated, live.said[-1].truncated) == (False, True)
    assert live.said[-1].reason == "operator ended the episode"


def test_switched_off_there_is_no_reward_and_switched_on_another_episode(robot):
    live = robot()
    live.steps(0.1, 0.2)
    live.core.enable(enabled=False)
    live.settle()
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    live.core.tick()
    assert {each.status for each in live.said[2:]} == {Status.DISABLED}
    live.core.enable(enabled=True)
    live.steps(0.4, 0.5)
    assert (live.said[-1].status, live.said[-1].episode) == (Status.OK, 1)


def test_a_result_of_before_rewards_were_switched_off_is_not_told_after_they_were_switched_on(robot):
    model = Gated(green_model())
    live = robot(model)
    live.steps(0.1, 0.2)
    model.gate.clear()
    live.clocks.pass_by(0.1)
    live.sees(0.3)
    until(lambda: model.asked == 3)
    live.core.enable(enabled=False)
    live.core.enable(enabled=True)
    model.gate.set()
    live.settle()
    assert [each.status for each in live.said[2:]] == [Status.DISABLED, Status.WARMUP]
    assert live.said[-1].truncated


def test_another_task_is_another_model_and_another_episode(robot):
    live = robot()
    live.steps(0.1, 0.2)
    told = live.core.set_task(lambda: bound(green_model(), goal_id="another"))
    assert told.result(5).goal_id == "another"
    live.steps(0.3, 0.4)
    assert [each.goal_id for each in live.said] == ["make it green"] * 3 + ["another"] * 2
    assert [each.episode for each in live.said] == [0, 0, 0, 1, 1]


def test_a_task_that_cannot_be_bound_leaves_the_old_one(robot):
    def refuse():
        raise ValueError("no model for instruction ['dance']")

    live = robot()
    live.steps(0.1, 0.2)
    with pytest.raises(ValueError, match="dance"):
        live.core.set_task(refuse).result(5)
    live.steps(0.3, 0.4)
    assert (live.said[-1].status, live.said[-1].goal_id) == (Status.OK, "make it green")


def test_a_large_spread_is_low_confidence_and_any_is_allowed_with_zero(robot):
    live = robot()
    live.steps(0.1, 0.2)
    live.core.allow_spread(1e-9)
    live.steps(0.3)
    assert live.said[-1].status == Status.LOW_CONFIDENCE
    assert "is larger than 1e-09" in live.said[-1].reason
    assert live.said[-1].progress == live.said[-1].progress
    live.core.allow_spread(0.0)
    live.steps(0.4)
    assert live.said[-1].status == Status.OK


def test_nothing_goes_out_after_close(robot):
    model = Gated(green_model())
    live = robot(model)
    live.steps(0.1)
    model.gate.clear()
    live.clocks.pass_by(0.1)
    live.sees(0.2)
    until(lambda: model.asked == 2)
    assert not live.core.close(0.01)
    model.gate.set()
    assert live.core.close(5)
    live.clocks.pass_by(2.0)
    live.core.tick()
    assert len(live.said) == 1


def test_steps_follow_the_time_between_sets(robot):
    live = robot(step_duration=0.05)
    live.steps(0.1, 0.2)
    live.clocks.pass_by(0.2)
    live.steps(0.3)
    assert [each.steps for each in live.said] == [0, 2, 6]
    assert live.said[-1].discount == 0.99**6


def test_the_stages_are_timed(robot):
    live = robot()
    live.steps(0.1, 0.2)
    live.settle()
    assert set(live.core.timing.summary()) == {"receive", "synchronise", "wait", "read", "model", "age"}
