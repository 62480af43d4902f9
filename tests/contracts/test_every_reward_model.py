"""The contract, run for every reward model of the house: one line each."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from demonstrations import demonstration, small_process
from fake_encoder import FakeEncoder
from fake_vlm import GreenVlm
from green_sight import GreenSight, small_rig
from key_point_plans import plan
from reward_model import CONTRACT, random_clip

from robo_reward import RewardModel
from robo_reward.camera.pose import Pose
from robo_reward.models.keypoint_affordance import KeypointAffordance
from robo_reward.models.object_pose import ObjectPoseReward
from robo_reward.models.object_pose_goal import GoalPose, box_corners
from robo_reward.models.object_pose_progress import ExponentialTolerance
from robo_reward.models.perceptual_steps import PerceptualSteps
from robo_reward.models.preference import PreferenceReward
from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.models.similarity_readout import SimilarityReadout
from robo_reward.models.tracked_point import ToolPoint
from robo_reward.models.trajectory_match import TrajectoryMatch
from robo_reward.models.vlm_hops import VlmHops
from robo_reward.models.vlm_judgement import VlmJudgement
from robo_reward.models.vlm_process import VlmProcess
from robo_reward.models.vlm_readings import TokenProbability
from robo_reward.models.watched import WatchedCameras
from robo_reward.perception.encoder import embed_clip
from robo_reward.perception.fitting import FittableRewardModel, LabelledClip

READOUT = SimilarityReadout(weight=(0.3, 0.21, -0.17), offset=0.4, residual=0.1)


def fitted(model: FittableRewardModel, *, strange: int = 1) -> RewardModel:
    """Fitted to rising recordings and some of any colours, so that few pictures are too strange to judge."""
    others = [embed_clip(FakeEncoder(), random_clip(time=24, seed=seed)) for seed in range(1, strange + 1)]
    clips = [demonstration(24), *(LabelledClip(clip=clip, success=True) for clip in others), demonstration(30, seed=2)]
    return model.fitted_to(clips)


MODELS: dict[str, Callable[[], RewardModel]] = {
    "prompt_similarity": lambda: PromptSimilarity(
        FakeEncoder(), goal=["a green square"], baseline=["a red square"], alpha=0.5
    ),
    "prompt_similarity fitted": lambda: PromptSimilarity(
        FakeEncoder(),
        goal=["a green square"],
        baseline=["a red square"],
        alpha=0.5,
        readout={"front": READOUT, "wrist": READOUT},
    ),
    "process": lambda: fitted(small_process()),
    "perceptual_steps": lambda: fitted(
        PerceptualSteps(
            FakeEncoder(),
            num_steps=3,
            min_size=0.1,
            objective="weighted",
            alpha=5.0,
            features_per_step=32,
            classifier="gaussian",
            combination="expected",
            context=4,
        )
    ),
    "trajectory_match": lambda: fitted(
        TrajectoryMatch(FakeEncoder(), directions=8, positions=24, context=4, quantile=0.99)
    ),
    "preference": lambda: fitted(PreferenceReward(FakeEncoder(), pairs=100)),
    "vlm_judgement": lambda: VlmJudgement(
        GreenVlm(),
        task="make it green",
        template="progress",
        reading=TokenProbability(),
        num_frames=3,
        stride=2,
        spread=0.2,
    ),
    "vlm_process": lambda: VlmProcess(
        VlmHops(
            GreenVlm(),
            task="make it green",
            start=dict.fromkeys(("front", "wrist"), torch.zeros(3, 4, 4, dtype=torch.uint8)),
            goal=dict.fromkeys(("front", "wrist"), torch.full((3, 4, 4), 255, dtype=torch.uint8)),
            spread=0.2,
        ),
        stride=3,
    ),
    "watched": lambda: fitted(WatchedCameras(FakeEncoder(), model=small_process()), strange=4),
    "keypoint_affordance": lambda: KeypointAffordance(
        plan((0, 0, 0), (0.5, 0.5, 0.5), (1, 1, 0), gripper={1: "closed"}, tolerance=0.4),
        point=ToolPoint(),
        gripper={"closed_below": 0.03, "open_above": 0.06},
    ),
    "object_pose": lambda: ObjectPoseReward(
        small_rig(),
        objects={"box": GreenSight(small_rig())},
        progress=ExponentialTolerance(
            target=GoalPose(T_base_goal=Pose.identity(), key_points=box_corners((0.2, 0.16, 0.12)))
        ),
    ),
}


@cache
def built(name: str) -> RewardModel:
    return MODELS[name]()


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", MODELS)
def test_contract(name, law):
    law(built(name))


class PeeksAhead:
    """A model that breaks causality: each progress depends on the whole clip."""

    version, context = "peeks", None

    def estimate(self, clip):
        honest = built("prompt_similarity").estimate(clip)
        whole = honest.progress.mean(dim=1, keepdim=True).expand_as(honest.progress)
        return type(honest)(progress=whole.contiguous(), spread=honest.spread)


def test_the_contract_catches_a_model_that_looks_ahead():
    law = next(law for law in CONTRACT if law.__name__ == "is_causal")
    with pytest.raises(AssertionError):
        law(PeeksAhead())


def test_random_clips_are_not_all_alike():
    assert built("prompt_similarity").estimate(random_clip()).progress.std() > 0.01
