from dataclasses import replace

import numpy as np
import pytest
import torch
from key_point_plans import CORNER, felt, piece, plan
from reward_model import CONTRACT
from torch import Tensor

from robo_reward import Clip, Estimate, RewardModel
from robo_reward.models.keypoint_affordance import KeypointAffordance
from robo_reward.models.tracked_point import ToolPoint
from robo_reward.plans.plan_file import write_plan
from robo_reward.reward_model import RecurrentRewardModel

LIMITS = {"closed_below": 0.03, "open_above": 0.06}
PICK = plan((0, 0, 0.2), (0, 0, 0), (0.5, 0, 0.2), (0.5, 0, 0), gripper={1: "closed", 3: "open"})


def model(of=CORNER, **settings) -> KeypointAffordance:
    return KeypointAffordance(of, point=settings.pop("point", ToolPoint()), **settings)


def told(of: KeypointAffordance, points: list, widths: list | None = None) -> list[float]:
    width = None if widths is None else torch.tensor([widths], dtype=torch.float64)
    return of.estimate(felt(torch.tensor([points], dtype=torch.float64), width)).progress[0].tolist()


class Felt:
    """Gives a model the state that the contract's clips lack: a point and a width told from what the cameras saw."""

    context = None

    def __init__(self, of: KeypointAffordance) -> None:
        self._model, self.version = of, of.version

    def estimate(self, clip: Clip) -> Estimate:
        return self._model.estimate(self._with_state(clip))

    def resume(self, seen: Clip, memory: object) -> tuple[Estimate, object]:
        return self._model.resume(self._with_state(seen), memory)

    def _with_state(self, clip: Clip) -> Clip:
        colour = torch.stack([frames.double().mean(dim=(-1, -2)) / 200 for frames in clip.views.values()], dim=2)
        seen = clip.present.double()
        total = (colour * seen[..., None]).nan_to_num(0).sum(dim=2)
        point: Tensor = total / seen.sum(dim=2, keepdim=True)  # NaN where no camera saw
        return replace(clip, state={"tool_position": point, "gripper_width": point[..., :1] / 10})


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize(("start", "off_way"), [("plan", "free"), ("episode", "free"), ("plan", "costs")])
def test_contract(law, start, off_way):
    gripper = plan((0, 0, 0), (0.5, 0.5, 0.5), (1, 1, 0), gripper={1: "closed"}, tolerance=0.4)
    law(Felt(model(gripper, gripper=LIMITS, start=start, off_way=off_way)))


def test_it_is_a_model_with_memory():
    assert isinstance(model(), RecurrentRewardModel)
    assert isinstance(model(), RewardModel)


def test_progress_is_the_place_on_the_way():
    assert told(model(), [(0, 0, 0), (0.5, 0.3, 0), (1, 0, 0), (1, 0.5, 0), (1, 2, 0)]) == [0, 0.25, 0.5, 0.75, 1]


def test_by_arc_length_long_segments_are_worth_more():
    long = plan((0, 0, 0), (3, 0, 0), (3, 1, 0))
    assert told(model(long, weighting="arc_length"), [(3, 0, 0)]) == [0.75]


def test_progress_after_the_grasp_counts_only_once_it_has_happened():
    never = told(model(PICK, gripper=LIMITS), [(0, 0, 0.1), (0, 0, 0), (0.5, 0, 0.2), (0.5, 0, 0)], [0.08] * 4)
    assert max(never) == pytest.approx(0.25)  # K = 3 and the release: a quarter each
    done = told(
        model(PICK, gripper=LIMITS),
        [(0, 0, 0.1), (0, 0, 0), (0, 0, 0), (0.5, 0, 0.2), (0.5, 0, 0), (0.5, 0, 0)],
        [0.08, 0.08, 0.02, 0.02, 0.02, 0.08],
    )
    assert done == pytest.approx([0.125, 0.25, 0.25, 0.5, 0.75, 1.0])


def test_a_dropped_object_takes_its_progress_away():
    found = told(model(PICK, gripper=LIMITS), [(0, 0, 0), (0.5, 0, 0.2), (0.5, 0, 0.2)], [0.02, 0.02, 0.08])
    assert found[1] == pytest.approx(0.5)
    assert found[2] <= 0.25


def test_the_gripper_may_be_left_out():
    assert told(model(PICK), [(0.5, 0, 0)]) == [1.0]


@pytest.mark.parametrize(("start", "off_way"), [("plan", "free"), ("episode", "free"), ("episode", "costs")])
def test_piecewise_is_whole_bit_for_bit(start, off_way):
    """Two noisy episodes along the plan: one holds what it grasped, one drops it; some frames say nothing."""
    place = torch.linspace(0, 2.99, 40, dtype=torch.float64)
    way = torch.from_numpy(PICK.positions)
    along = way[place.long()] + (place % 1)[:, None] * (way[place.long() + 1] - way[place.long()])
    noise = torch.randn(2, 40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 0.005
    points = along + noise
    points[0, :3] = torch.nan
    points[1, 17] = torch.nan
    width = torch.where(place > 0.95, 0.02, 0.08).repeat(2, 1)
    width[1, 25:] = 0.08
    clip = felt(points, width)
    of = model(PICK, gripper=LIMITS, start=start, off_way=off_way)
    whole = of.estimate(clip)
    assert bool((whole.progress[0, 20:] > 0.25).all())  # it was grasped
    assert float(whole.progress[1, -1]) <= 0.25  # it was dropped
    memory, progress, spread, at = None, [], [], 0
    for length in (1, 2, 5, 1, 12, 19):
        found, memory = of.resume(piece(clip, at, at + length), memory)
        progress.append(found.progress)
        spread.append(found.spread)
        at += length
    assert torch.equal(torch.cat(progress, dim=1).nan_to_num(-1), whole.progress.nan_to_num(-1))
    assert torch.equal(torch.cat(spread, dim=1).nan_to_num(-1), whole.spread.nan_to_num(-1))


def test_an_episode_may_begin_anywhere():
    found = told(model(start="episode"), [(float("nan"),) * 3, (-2, 0, 0), (-0.5, 0, 0), (1, 0, 0)])
    assert found[1:] == [0, 0.25, 0.5]


def test_unknown_point_or_width_is_an_abstention():
    nan = float("nan")
    clip = felt(
        torch.tensor([[(0, 0, 0), (nan, 0, 0), (0, 0, 0)]], dtype=torch.float64), torch.tensor([[0.08, 0.08, nan]])
    )
    assert model(PICK, gripper=LIMITS).estimate(clip).abstained[0].tolist() == [False, True, True]
    assert model(PICK).estimate(clip).abstained[0].tolist() == [False, True, False]  # nobody asks for the width


def test_the_spread_is_that_of_point_and_plan_along_the_way():
    of = model(point=ToolPoint(std=0.04))
    spread = of.estimate(felt(torch.tensor([[(0.5, 0.02, 0)]], dtype=torch.float64))).spread
    assert float(spread[0, 0]) == pytest.approx((0.04**2 + 0.015**2) ** 0.5 / 2)


def test_off_the_way_the_spread_grows_with_the_distance_beyond_the_tolerance():
    points = torch.tensor([[(0.5, 0.03, 0), (0.5, 0.13, 0), (0.5, 0.23, 0)]], dtype=torch.float64)
    spread = model(point=ToolPoint(std=0.0)).estimate(felt(points)).spread[0].double()
    doubt = (spread.square() - spread[0].square()).clamp(min=0).sqrt()
    assert doubt.tolist() == pytest.approx([0, 0.05, 0.1], abs=1e-4)  # of two segments of 1 m each: half as much


def test_beside_the_goal_is_done_as_published_and_less_so_where_being_off_the_way_costs():
    points = [(0.5, 0.03, 0), (1, 1, 0), (1, 1, 0.43), (1, 1.83, 0), (0, 0, 1.9)]
    assert told(model(), points) == [0.25, 1, 1, 1, 0]
    assert told(model(off_way="costs"), points) == pytest.approx([0.25, 1, 0.8, 0.6, 0])


@pytest.mark.parametrize("off_way", ["free", "costs"])
def test_where_the_spread_is_wider_than_all_progress_it_abstains(off_way):
    points = torch.tensor([[(0, 0, 1.9), (0, 0, 2.1), (0, 0, 150)]], dtype=torch.float64)
    found = model(off_way=off_way).estimate(felt(points))
    assert found.abstained[0].tolist() == [False, True, True]
    assert bool((found.spread[0, :1] <= 1).all())


@pytest.mark.parametrize("start", ["plan", "episode"])
def test_an_episode_that_begins_in_millimetres_is_refused(start):
    nan, of = float("nan"), model(start=start)
    points = torch.tensor([[(nan, nan, nan), (500, 300, 200)]], dtype=torch.float64)
    message = r"begins 615 m from the plan's way, which is 2 m long: positions must be metres in the base frame 'world'"
    with pytest.raises(ValueError, match=message):
        of.estimate(felt(points))
    _, memory = of.resume(piece(felt(points), 0, 1), None)
    with pytest.raises(ValueError, match=message):
        of.resume(piece(felt(points), 1, 2), memory)


def test_a_plan_of_another_task_is_refused():
    assert model(instruction="Bring the  puck to the goal\n").version == model().version
    assert model(instruction="bring it", any_task=True).version == model().version
    with pytest.raises(ValueError, match="plan is of the task 'bring the puck to the goal', .* told 'bring it'"):
        model(instruction="bring it")


def test_where_being_off_the_way_costs_the_spread_is_that_of_many_noisy_points():
    of, std = model(plan((0, 0, 0), (1, 0, 0), tolerance=0.02), point=ToolPoint(std=0.01), off_way="costs"), 0.01
    place = torch.tensor([0.5, 0.1, 0.0], dtype=torch.float64)
    noise = torch.randn(1, 20_000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * std
    measured = of.estimate(felt(place + noise)).progress.double().std()
    spread = of.estimate(felt(place[None, None])).spread[0, 0].double()
    # what is there beside the point's own noise: the plan's (half of .02, along and across) and the doubt of .08 m
    own = (spread.square() - 2 * 0.01**2 - 0.08**2).sqrt()
    assert float(own) == pytest.approx(float(measured), rel=0.02)


def test_the_tip_is_turned_with_the_tool():
    half = 0.5**0.5
    pose = torch.tensor([[(0.5, 0, 0, half, 0, 0, half)]], dtype=torch.float64)  # +90° about z: x of the tool is y
    clip = replace(felt(torch.zeros(1, 1, 3)), state={"tool_pose": pose})
    located, _ = ToolPoint(tip=(0.1, 0, 0.2)).locate(clip, None)
    assert located.position[0, 0].tolist() == pytest.approx([0.5, 0.1, 0.2])


def test_the_tip_is_where_scipy_puts_it():
    from scipy.spatial.transform import Rotation

    for seed in range(5):
        rotation = Rotation.random(random_state=seed)
        pose = torch.tensor([[[1.0, 2, 3, *rotation.as_quat(scalar_first=True)]]], dtype=torch.float64)
        clip = replace(felt(torch.zeros(1, 1, 3)), state={"tool_pose": pose})
        located, _ = ToolPoint(tip=(0.3, -0.2, 0.1)).locate(clip, None)
        expected = rotation.apply([0.3, -0.2, 0.1]) + np.array([1, 2, 3])
        assert located.position[0, 0].tolist() == pytest.approx(expected.tolist(), abs=1e-12)


def test_a_clip_without_the_state_is_refused():
    blind = replace(felt(torch.zeros(1, 1, 3)), state={"joints": torch.zeros(1, 1, 6, dtype=torch.float64)})
    with pytest.raises(ValueError, match=r"neither 'tool_pose' nor 'tool_position'; it has \['joints'\]"):
        model().estimate(blind)
    with pytest.raises(ValueError, match=r"no 'gripper_width'; it has \['tool_position'\]; give gripper=null"):
        told(model(PICK, gripper=LIMITS), [(0, 0, 0)])
    with pytest.raises(ValueError, match=r"the tip \[0.0, 0.0, 0.1\] needs the state 'tool_pose'"):
        told(model(point=ToolPoint(tip=(0, 0, 0.1))), [(0, 0, 0)])
    with pytest.raises(ValueError, match="state 'tool_position' must have 3 numbers per frame, got 2"):
        model().estimate(replace(blind, state={"tool_position": torch.zeros(1, 1, 2, dtype=torch.float64)}))
    with pytest.raises(ValueError, match="unit quaternion"):
        model().estimate(replace(blind, state={"tool_pose": torch.zeros(1, 1, 7, dtype=torch.float64)}))


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="tip must be 3 numbers"):
        ToolPoint(tip=(0.0, 0.1))
    with pytest.raises(ValueError, match="std must be >= 0 m, got -1"):
        ToolPoint(std=-1.0)


def test_versions_tell_plans_and_settings_apart(tmp_path):
    models = [
        model(),
        model(PICK),
        model(PICK, gripper=LIMITS),
        model(weighting="arc_length"),
        model(start="episode"),
        model(off_way="costs"),
        model(point=ToolPoint(std=0.5)),
    ]
    assert len({each.version for each in models}) == len(models)
    assert model(write_plan(CORNER, tmp_path / "plan.yaml")).version == model().version
