"""Plans whose way points go along with what is seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from key_point_plans import CORNER, felt, piece, plan
from reward_model import CONTRACT, random_clip

from robo_reward import Clip
from robo_reward.models.keypoint_affordance import KeypointAffordance
from robo_reward.models.tracked_point import Located, ToolPoint
from robo_reward.plans.way_points import Plan

NAN = float("nan")
LIMITS = {"closed_below": 0.03, "open_above": 0.06}


class At:
    """A point that the clip's state `ball` tells, with one deviation per axis [m]."""

    def __init__(self, std: float = 0.0) -> None:
        self.version, self._std = f"at {std}", std

    def locate(self, seen, memory):
        covariance = torch.eye(3, dtype=torch.float64) * self._std**2
        position = seen.state["ball"]
        return Located(position=position, covariance=covariance.expand(*position.shape[:2], 3, 3)), None


REACH = plan((0, 0, 0), (0, 0, 0.1), around={1: "ball"}, tolerance=0.02)


def model(of: Plan = REACH, *, std: float = 0.0, **settings) -> KeypointAffordance:
    point = settings.pop("point", ToolPoint(std=0.0))
    return KeypointAffordance(of, point=point, anchors={"ball": At(std)}, **settings)


def clip(tool, ball, widths=None) -> Clip:
    made = felt(torch.tensor([tool], dtype=torch.float64), None if widths is None else torch.tensor([widths]))
    return replace(made, state=dict(made.state) | {"ball": torch.tensor([ball], dtype=torch.float64)})


def test_a_way_that_goes_along_is_the_way_where_it_stands():
    """For any place of the ball, the plan says what the plan that was written for that place says, bit for bit."""
    rng = np.random.default_rng(0)
    of = plan((0.1, 0, 0.3), (0, 0, 0.1), (0.05, 0, 0), around={1: "ball", 2: "ball"})
    for _ in range(5):
        ball = rng.uniform(-0.5, 0.5, 3)
        tool = rng.uniform(-0.6, 0.6, (8, 3)).tolist()
        there = KeypointAffordance(of.placed({"ball": ball}), point=ToolPoint(std=0.0), off_way="costs")
        moved = model(of, off_way="costs").estimate(clip(tool, [ball.tolist()] * 8))
        stands = there.estimate(felt(torch.tensor([tool], dtype=torch.float64)))
        assert torch.equal(moved.progress.nan_to_num(-1), stands.progress.nan_to_num(-1))
        assert torch.equal(moved.spread.nan_to_num(-1), stands.spread.nan_to_num(-1))


def test_progress_is_that_toward_where_the_thing_is_now():
    balls = [(1, 0, -0.1)] * 2 + [(0, 2, -0.1)] * 2
    found = model().estimate(clip([(0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0, 2, 0)], balls))
    assert found.progress[0].tolist() == pytest.approx([0, 0.5, 0.25, 1])


def test_from_where_the_tool_is_at_first_one_plan_is_for_every_start_and_every_goal():
    rng = np.random.default_rng(1)
    of = model(start="episode", off_way="costs")
    for _ in range(5):
        start, ball = rng.uniform(-1, 1, 3), rng.uniform(-1, 1, 3)
        goal = ball + np.array([0, 0, 0.1])
        tool = [(start + share * (goal - start)).tolist() for share in (0, 0.25, 0.5, 1)]
        found = of.estimate(clip(tool, [ball.tolist()] * 4)).progress[0]
        assert found.tolist() == pytest.approx([0, 0.25, 0.5, 1], abs=1e-6)


def test_while_the_thing_is_not_seen_it_abstains():
    found = model().estimate(clip([(0.5, 0, 0)] * 3, [(1, 0, -0.1), (NAN,) * 3, (1, 0, -0.1)]))
    assert found.abstained[0].tolist() == [False, True, False]


def test_how_surely_the_thing_is_seen_counts_as_how_surely_the_point_is():
    ball, tool = [(1, 0, -0.1)], [(0.5, 0, 0)]
    of_ball = model(std=0.1).estimate(clip(tool, ball)).spread
    of_point = model(point=ToolPoint(std=0.1)).estimate(clip(tool, ball)).spread
    assert float(of_ball) == pytest.approx(float(of_point)) == pytest.approx((0.1**2 + 0.01**2) ** 0.5)
    # where the segment leads to: of the first of two segments the end of the second says nothing
    corner = plan((0, 0, 0), (1, 0, 0), (0, 1, 0), around={2: "ball"})
    first, second = model(corner, std=0.1).estimate(clip([(0.5, 0, 0), (1, 0.5, 0)], [(1, 0, 0)] * 2)).spread[0]
    assert float(first) == pytest.approx(0.015 / 2)
    assert float(second) == pytest.approx((0.1**2 + 0.015**2) ** 0.5 / 2)


def test_a_grasp_happens_where_the_thing_is():
    of = plan((0, 0, 0.2), (0, 0, 0), (0.5, 0, 0.2), gripper={1: "closed"}, around={1: "ball"})
    tool, widths = [(0.3, 0, 0), (0.3, 0, 0), (0.5, 0, 0.2)], [0.08, 0.02, 0.02]
    grasped = model(of, gripper=LIMITS).estimate(clip(tool, [(0.3, 0, 0)] * 3, widths)).progress[0]
    beside = model(of, gripper=LIMITS).estimate(clip(tool, [(0.2, 0, 0)] * 3, widths)).progress[0]
    assert grasped.tolist() == pytest.approx([0.5, 0.5, 1])
    assert float(beside[2]) <= 0.5


class Felt:
    """Gives the contract's clips a ball and a tool that their colours tell."""

    context = None

    def __init__(self, of: KeypointAffordance) -> None:
        self._model, self.version = of, of.version

    def estimate(self, clip: Clip):
        return self._model.estimate(self._with_state(clip))

    def resume(self, seen: Clip, memory: object):
        return self._model.resume(self._with_state(seen), memory)

    def _with_state(self, clip: Clip) -> Clip:
        colour = torch.stack([frames.double().mean(dim=(-1, -2)) / 200 for frames in clip.views.values()], dim=2)
        seen = clip.present.double()
        point = (colour * seen[..., None]).nan_to_num(0).sum(dim=2) / seen.sum(dim=2, keepdim=True)
        return replace(clip, state={"tool_position": point, "ball": point[..., [1, 2, 0]]})


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize("start", ["plan", "episode"])
def test_contract(law, start):
    of = plan((0, 0, 0), (0.5, 0.5, 0.5), (0.4, 0, 0), around={1: "ball", 2: "ball"}, tolerance=0.4)
    law(Felt(model(of, start=start, off_way="costs")))


def test_piecewise_is_whole_bit_for_bit_with_a_source_that_remembers():
    class Remembering(At):
        def locate(self, seen, memory):
            """Say where the ball was in the frame before."""
            known = torch.full_like(seen.state["ball"][:, :1], NAN) if memory is None else memory
            shown = torch.cat([known, seen.state["ball"]], dim=1)
            located, _ = super().locate(replace(seen, state=dict(seen.state) | {"ball": shown[:, :-1]}), None)
            return located, shown[:, -1:]

    rng = np.random.default_rng(2)
    of = KeypointAffordance(REACH, point=ToolPoint(), anchors={"ball": Remembering()}, off_way="costs")
    seen = clip(rng.uniform(0, 1, (7, 3)).tolist(), rng.uniform(0, 1, (7, 3)).tolist())
    whole = of.estimate(seen)
    memory, progress = None, []
    for start, stop in ((0, 2), (2, 3), (3, 7)):
        found, memory = of.resume(piece(seen, start, stop), memory)
        progress.append(found.progress)
    assert whole.abstained[0].tolist() == [True] + [False] * 6
    assert torch.equal(torch.cat(progress, dim=1).nan_to_num(-1), whole.progress.nan_to_num(-1))


def test_an_episode_in_millimetres_is_refused_wherever_the_ball_is():
    seen = clip([(NAN,) * 3, (500, 300, 200)], [(1, 0, -0.1)] * 2)
    with pytest.raises(ValueError, match=r"begins 616 m from the plan's way, which is 1 m long"):
        model().estimate(seen)


def test_the_version_knows_what_sees_the_anchors():
    assert model().version == model().version
    assert model().version != model(std=0.1).version


@pytest.mark.parametrize(
    ("of", "anchors", "told"),
    [
        (REACH, {}, r"relative to \['ball'\], and anchors are given for nothing"),
        (REACH, {"cup": At()}, r"relative to \['ball'\], and anchors are given for \['cup'\]"),
        (CORNER, {"ball": At()}, r"relative to nothing, and anchors are given for \['ball'\]"),
    ],
)
def test_anchors_are_exactly_those_of_the_plan(of, anchors, told):
    with pytest.raises(ValueError, match=told):
        KeypointAffordance(of, point=ToolPoint(), anchors=anchors)


def test_a_way_that_changes_its_length_has_no_weights_by_it():
    with pytest.raises(ValueError, match=r"weighting=arc_length .* relative to \['ball'\]: choose weighting=segments"):
        model(weighting="arc_length")


def test_a_model_without_anchors_is_what_it_was():
    seen = random_clip()
    plain = KeypointAffordance(CORNER, point=ToolPoint())
    assert plain.version == KeypointAffordance(CORNER, point=ToolPoint(), anchors={}).version
    assert plain.resume(seen, None)[1].anchors == {}
