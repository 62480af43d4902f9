"""The model: contract, truth of poses, spread, memory, and what it refuses."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from green_sight import GreenSight, green_pose, small_rig
from looking_cameras import around
from reward_model import (
    CONTRACT,
    is_causal,
    random_clip,
    same,
    streams_what_it_gives_in_a_batch_bit_for_bit,
)

from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Measurement, Rig
from robo_reward.camera.rig_file import write_rig
from robo_reward.clip import Clip
from robo_reward.models.object_pose import ObjectPoseReward, moved, read_progress
from robo_reward.models.object_pose_fit import locate_object
from robo_reward.models.object_pose_goal import GoalPose, box_corners
from robo_reward.models.object_pose_progress import ExponentialTolerance, PausedReference, RelativeDistance
from robo_reward.models.object_pose_sight import Seen
from robo_reward.models.relations import Relation, RelationTarget

RIG = small_rig()
CORNERS = box_corners((0.2, 0.16, 0.12))
FULL_GREEN = green_pose(torch.full((3, 2, 2), 255, dtype=torch.uint8))
GOAL = GoalPose(T_base_goal=FULL_GREEN, key_points=CORNERS)


def green_clip(greens: list[int], *, gone: dict[int, tuple[int, ...]] | None = None) -> Clip:
    views = {}
    for name, camera in RIG.cameras.items():
        size = (camera.intrinsics.height, camera.intrinsics.width)
        frames = torch.zeros(1, len(greens), 3, *size, dtype=torch.uint8)
        frames[0, :, 1] = torch.tensor(greens, dtype=torch.uint8)[:, None, None]
        views[name] = frames
    present = torch.ones(1, len(greens), 2, dtype=torch.bool)
    for view, times in (gone or {}).items():
        present[0, list(times), view] = False
    stamp = 0.1 * torch.arange(len(greens), dtype=torch.float64)[None]
    return Clip(views=views, present=present, stamp=stamp)


def reference(speed: float = 1.0) -> PausedReference:
    steps = np.linspace(0, 1, 6)
    targets = [
        GoalPose(T_base_goal=moved(FULL_GREEN, np.array([0.3 * (s - 1), 0, 0, 0, 0, 0])), key_points=CORNERS)
        for s in steps
    ]
    return PausedReference(targets=targets, stamps=(steps * speed).tolist())


def model(progress=None, *, std: float = 8.0, rig: Rig = RIG) -> ObjectPoseReward:
    read = ExponentialTolerance(target=GOAL) if progress is None else progress
    return ObjectPoseReward(rig, objects={"box": GreenSight(RIG, std=std)}, progress=read)


MODELS = {
    "exponential": model,
    "relative": lambda: model(RelativeDistance(target=GOAL)),
    "reference": lambda: model(reference()),
}


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
def test_contract(law):
    law(model())


@pytest.mark.parametrize("law", [is_causal, streams_what_it_gives_in_a_batch_bit_for_bit], ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", ["relative", "reference"])
def test_contract_of_a_progress_that_remembers(name, law):
    law(MODELS[name]())


def test_progress_is_that_of_the_distance_to_the_goal():
    estimate = model(std=0.5).estimate(green_clip([0, 85, 170, 255]))
    expected = [math.exp(-10 * d) for d in (0.3, 0.2, 0.1, 0.0)]
    assert estimate.progress[0].tolist() == pytest.approx(expected, abs=1e-4)
    relative = model(RelativeDistance(target=GOAL, tolerance=1e-6), std=0.5).estimate(green_clip([0, 85, 170, 255]))
    assert relative.progress[0].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1], abs=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_piece_by_piece_is_the_same_as_whole_bit_for_bit(name):
    clip, pieces, memory = random_clip(time=6), [], None
    for start, stop in ((0, 1), (1, 4), (4, 6)):
        part = Clip(
            views={camera: frames[:, start:stop] for camera, frames in clip.views.items()},
            present=clip.present[:, start:stop],
            stamp=clip.stamp[:, start:stop],
        )
        estimate, memory = MODELS[name]().resume(part, memory)
        pieces.append(estimate)
    whole = MODELS[name]().estimate(clip)
    same(
        whole,
        type(whole)(
            progress=torch.cat([p.progress for p in pieces], 1), spread=torch.cat([p.spread for p in pieces], 1)
        ),
    )


class NoisySight(GreenSight):
    """The same box, its pixels as noisy as it says."""

    def __init__(self, rig, *, std, seed):
        super().__init__(rig, std=std)
        self._rng = np.random.default_rng(seed)

    def see(self, camera, frames, present, memory):
        seen, _ = super().see(camera, frames, present, memory)
        return Seen(pixels=seen.pixels + self._rng.normal(0, self._std, seen.pixels.shape), std=seen.std), None


@pytest.mark.parametrize(
    "green", [pytest.param(60, marks=pytest.mark.slow), 200, 255], ids=["far", "near", "at the goal"]
)
def test_the_spread_is_that_of_the_error_of_progress(green):
    clip, std = green_clip([green] * 24), 0.4
    truth = math.exp(-10 * 0.3 * (1 - green / 255))
    told = ObjectPoseReward(
        RIG, objects={"box": NoisySight(RIG, std=std, seed=green)}, progress=ExponentialTolerance(target=GOAL)
    ).estimate(clip)
    errors = (told.progress[0] - truth).numpy()
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(float(told.spread.mean()), rel=0.4)


def test_noisier_pixels_a_worse_rig_and_fewer_cameras_widen_the_spread():
    clip = green_clip([100])
    spread = float(model(std=0.5).estimate(clip).spread)
    assert float(model(std=1.0).estimate(clip).spread) == pytest.approx(2 * spread, rel=0.1)
    worse = Rig(
        cameras=RIG.cameras,
        base_frame="world",
        measured=Measurement(date="unknown", how="by eye", residual_px=math.sqrt(0.75)),
    )
    assert float(model(std=0.5, rig=worse).estimate(clip).spread) == pytest.approx(2 * spread, rel=0.1)
    assert float(model(std=0.5).estimate(green_clip([100], gone={1: (0,)})).spread) > 1.2 * spread


SQUARE = 0.03 * np.array([[-1.0, 1.0, 0.0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]])
TILTED = Pose.from_rotation_vector(np.array([0.0, 0.0, 0.1]), np.array([0.0, 0.9, 0.0]))
FAR_OUT = GoalPose(T_base_goal=Pose.identity(), key_points=np.array([[0.0, 0.0, 0.5]]))
"""A key point far out turns the doubt about a turn into a distance."""


class Ambiguous(GreenSight):
    """A small flat square: one camera alone leaves two poses open."""

    @property
    def points(self):
        return SQUARE

    def see(self, camera, frames, present, memory):
        shown = present.numpy()[:, None]
        seen = np.where(shown[..., None], in_doubt() if camera == "front" else shown_by(camera, TILTED), np.nan)
        return Seen(pixels=seen, std=np.where(shown, 0.1, np.nan) * np.ones((1, 4))), None


def shown_by(camera: str, pose: Pose) -> np.ndarray:
    return RIG.cameras[camera].project(pose.apply(SQUARE))


def in_doubt() -> np.ndarray:
    """Pixels of the front camera between those of both poses, a little nearer to the wrong one's."""
    exact = shown_by("front", TILTED)
    rival = locate_object(SQUARE, exact[None], np.full((1, 4), 0.1), [RIG.cameras["front"]]).rival
    return 0.4 * exact + 0.6 * shown_by("front", rival)


def ambiguous() -> ObjectPoseReward:
    progress = ExponentialTolerance(target=FAR_OUT, sharpness=2.0)
    return ObjectPoseReward(RIG, objects={"square": Ambiguous(RIG)}, progress=progress)


def test_two_poses_that_one_camera_does_not_tell_apart_widen_the_spread_by_half_their_difference():
    found = locate_object(SQUARE, in_doubt()[None], np.full((1, 4), 0.1), [RIG.cameras["front"]])
    assert found.rival is not None
    values = [math.exp(-2 * FAR_OUT.distance([each])) for each in (found.T_base_object, found.rival)]
    told = ambiguous().estimate(green_clip([0], gone={1: (0,)}))
    alone = replace(found, rival=None)
    progress = ExponentialTolerance(target=FAR_OUT, sharpness=2.0)
    certain = read_progress([alone], progress, None)[1]
    assert float(told.spread) == pytest.approx(math.hypot(certain, (values[0] - values[1]) / 2), rel=1e-3)
    assert float(told.spread) > 1.02 * certain


def test_an_object_that_two_cameras_placed_stays_there_when_one_of_them_is_lost():
    told = ambiguous().estimate(green_clip([0] * 3, gone={1: (1, 2)})).progress[0]
    truth = math.exp(-2 * FAR_OUT.distance([TILTED]))
    assert told.tolist() == pytest.approx([truth] * 3, abs=0.1)
    other = ambiguous().estimate(green_clip([0], gone={1: (0,)})).progress[0]
    assert abs(float(other) - truth) > 0.1  # what the one camera would take it for, alone


class Contradicting(GreenSight):
    """Each camera shows the box somewhere else."""

    def see(self, camera, frames, present, memory):
        seen, _ = super().see(camera, frames, present, memory)
        return Seen(pixels=seen.pixels + (3.0 if camera == "wrist" else 0.0), std=seen.std), None


def test_cameras_that_contradict_each_other_and_pixels_that_are_not_seen_make_it_abstain():
    contradicted = ObjectPoseReward(
        RIG, objects={"box": Contradicting(RIG, std=0.1)}, progress=ExponentialTolerance(target=GOAL)
    )
    assert contradicted.estimate(green_clip([100, 120])).abstained.all()
    estimate = model(std=0.5).estimate(green_clip([100, 120, 140], gone={0: (1,), 1: (1,)}))
    assert estimate.abstained[0].tolist() == [False, True, False]
    assert estimate.progress[0, 1].isnan()


def test_a_reference_is_followed_by_an_object_that_keeps_up_and_waits_for_one_that_lags():
    greens = [round(255 * s) for s in np.linspace(0, 1, 11)]
    keeping_up = model(reference(), std=0.3).estimate(green_clip(greens)).progress[0]
    assert keeping_up[-1] == pytest.approx(1.0, abs=0.02)
    assert (keeping_up.diff() > -0.25).all()  # between two moments of the reference the object is ahead of it
    resting = model(reference(), std=0.3).estimate(green_clip([0] * 20)).progress[0]
    # the reference stands 0.24 m ahead: 4 of 5 moments passed, exp(-2.4), and a tenth because it lags
    assert resting[-1] == pytest.approx(0.8 * math.exp(-2.4) * 0.1, abs=0.002)
    assert (resting[-8:] == resting[-1]).all()


class Turning(GreenSight):
    """A second box that stands still."""

    def see(self, camera, frames, present, memory):
        pose = Pose.from_rotation_vector(np.array([0.3, 0.1, 0.1]), np.zeros(3))
        pixels = np.repeat(self._rig.cameras[camera].project(pose.apply(self.points))[None], len(frames), axis=0)
        return Seen(pixels=pixels, std=np.full((len(frames), 8), self._std)), None


def test_a_relation_of_two_tracked_objects_is_a_target_as_a_goal_is():
    ahead = np.array([1.0, 0.0, 0.0])
    relation = Relation(point_a=np.zeros(3), axis_a=ahead, point_b=np.zeros(3), axis_b=ahead, distance=0.1)
    two = ObjectPoseReward(
        RIG,
        objects={"moving": GreenSight(RIG, std=0.3), "still": Turning(RIG, std=0.3)},
        progress=RelativeDistance(target=RelationTarget(relations=(relation,)), tolerance=1e-4),
    )
    told = two.estimate(green_clip([0, 128, 255])).progress[0]
    apart = [math.hypot(0.3 - 0.3 * g / 255, 0.1) - 0.1 for g in (0, 128, 255)]
    assert told.tolist() == pytest.approx([1 - each / apart[0] for each in apart], abs=2e-3)


def test_the_version_is_that_of_rig_objects_and_target():
    other = Rig(cameras={"front": RIG.cameras["front"]}, base_frame="world")
    versions = {
        model().version,
        model(rig=other).version,
        model(RelativeDistance(target=GOAL)).version,
        model(ExponentialTolerance(target=GOAL, tolerance=0.01)).version,
        model(reference()).version,
    }
    assert len(versions) == 5
    assert model().version == model().version


def test_a_rig_is_read_from_its_file(tmp_path):
    write_rig(RIG, tmp_path / "rig.yaml")
    clip = green_clip([0, 200])
    told = ObjectPoseReward(
        str(tmp_path / "rig.yaml"), objects={"box": GreenSight(RIG)}, progress=ExponentialTolerance(target=GOAL)
    ).estimate(clip)
    torch.testing.assert_close(told.progress, model().estimate(clip).progress)


def test_cameras_that_the_rig_does_not_have_are_not_looked_at_and_at_least_one_must_be():
    clip = random_clip(cameras=("front", "elsewhere"), time=2)
    told = model(rig=Rig(cameras={"front": RIG.cameras["front"]}, base_frame="world")).estimate(clip)
    assert not told.abstained.any()
    with pytest.raises(
        ValueError, match=r"the rig has none of the clip's cameras \['elsewhere'\]; it has \['front', 'w"
    ):
        model().estimate(random_clip(cameras=("elsewhere",)))
    big = Rig(cameras={"front": around(1)[0]}, base_frame="world")
    with pytest.raises(ValueError, match=r"camera 'front' was measured with 640 x 480 px, its frames have 28 x 20 px"):
        model(rig=big).estimate(clip)


def test_objects_must_be_as_many_as_the_target_takes():
    with pytest.raises(ValueError, match=r"progress takes the poses of 1 objects, got \['a', 'b'\]"):
        ObjectPoseReward(
            RIG,
            objects={"a": GreenSight(RIG), "b": GreenSight(RIG)},
            progress=ExponentialTolerance(target=GOAL),
        )
