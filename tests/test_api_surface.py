"""Names that others build on: taking one away is a decision, not an accident."""

from importlib import import_module

import pytest

SURFACE = {
    "robo_reward": ["Clip", "Episode", "Estimate", "Reward", "RewardModel", "RewardStream"],
    "robo_reward.shaping": [
        "ExponentialPotential",
        "LinearPotential",
        "Potential",
        "PotentialTrace",
        "SigmoidPotential",
        "discount_over_steps",
        "discount_over_time",
        "hold_last_known",
        "potential_difference",
    ],
}
NAMED = {
    "robo_reward.models.prompt_similarity": ["PromptSimilarity", "goal_baseline_similarity"],
    "robo_reward.evaluation": ["value_order_correlation"],
    "robo_reward.perception.encoder": ["EmbeddedClip", "EmbeddingRewardModel", "Encoder", "embed_clip"],
    "robo_reward.perception.open_clip": ["OpenClipEncoder"],
    "robo_reward.perception.embedded_encoder": ["embedded_encoder"],
    "robo_reward.episodes.lerobot": ["LeRobotEpisodes"],
    "robo_reward.episodes.lerobot_writer": ["LeRobotWriter"],
    "robo_reward.relabel.run": ["Relabelling", "relabel"],
    "robo_reward.camera.pose": ["Pose", "pose_difference"],
    "robo_reward.camera.rig": ["Rig", "RigCamera"],
    "robo_reward.camera.rig_file": ["read_rig", "write_rig"],
    "robo_reward.camera.triangulation": ["triangulate"],
    "robo_reward.models.keypoint_affordance": ["KeypointAffordance"],
    "robo_reward.models.object_pose": ["ObjectPoseReward"],
}


@pytest.mark.parametrize("module", SURFACE)
def test_public_names_are_exactly_these(module):
    assert sorted(import_module(module).__all__) == SURFACE[module]
    assert all(hasattr(import_module(module), name) for name in SURFACE[module])


@pytest.mark.parametrize("module", NAMED)
def test_names_that_the_documentation_uses_exist(module):
    assert all(hasattr(import_module(module), name) for name in NAMED[module])
