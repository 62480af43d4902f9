"""What a task changes in a model's settings, and which models take it."""

import pytest
from robo_reward_ros.model_changes import changed_settings, rig_of
from robo_reward_ros.task_settings import TaskSettings

AFFORDANCE = {
    "_target_": "robo_reward.models.keypoint_affordance.KeypointAffordance",
    "plan": "old.yaml",
    "point": {"_target_": "robo_reward.models.rig_point.rig_point", "rig": "old_rig.yaml"},
}
PROMPTS = {"_target_": "robo_reward.models.prompt_similarity.PromptSimilarity", "goal": ["a"], "baseline": ["b"]}
HOPS = {
    "_target_": "robo_reward.models.vlm_process.VlmProcess",
    "source": {"_target_": "robo_reward.models.vlm_hops.VlmHops", "goal": "???"},
}
POSE = {
    "_target_": "robo_reward.models.object_pose.ObjectPoseReward",
    "rig": "rig.yaml",
    "objects": {"cube": {"_target_": "robo_reward.models.object_pose_sight.FiducialSight", "markers": []}},
    "progress": {
        "_target_": "robo_reward.models.object_pose_progress.ExponentialTolerance",
        "target": {
            "_target_": "robo_reward.models.object_pose_goal.goal_pose",
            "translation": "???",
            "quaternion_wxyz": "???",
            "box": [0.1, 0.1, 0.1],
            "symmetry": [],
        },
    },
}


def changed(settings, **task):
    return changed_settings(settings, TaskSettings(reward_model="some", **task))


def test_a_task_that_says_nothing_changes_nothing_and_a_change_spares_what_it_was_made_from():
    assert changed(PROMPTS) == PROMPTS
    assert changed(PROMPTS, prompts={"goal": ("done", "over")})["goal"] == ["done", "over"]
    assert PROMPTS["goal"] == ["a"]


def test_a_plan_and_a_rig_go_where_the_model_has_them():
    new = changed(AFFORDANCE, plan="new.yaml", rig="new_rig.yaml")
    assert (new["plan"], rig_of(new), rig_of(AFFORDANCE)) == ("new.yaml", "new_rig.yaml", "old_rig.yaml")
    assert rig_of(PROMPTS) == ""


def test_goal_pictures_go_to_who_compares_with_them():
    assert changed(HOPS, goal_pictures={"front": "a.png"})["source"]["goal"] == {"front": "a.png"}


def test_a_goal_that_was_typed_in_gives_way_to_one_that_is_shown():
    target = changed(POSE, goal_pictures={"front": "a.png"}, rig="measured.yaml")["progress"]["target"]
    assert target == {
        "_target_": "robo_reward.models.object_pose_pictures.goal_in_pictures",
        "rig": "measured.yaml",
        "sight": POSE["objects"]["cube"],
        "box": [0.1, 0.1, 0.1],
        "symmetry": [],
        "pictures": {"front": "a.png"},
    }


@pytest.mark.parametrize(
    ("settings", "task", "text"),
    [
        (PROMPTS, {"plan": "x.yaml"}, "PromptSimilarity takes no plan; keypoint_affordance does"),
        (AFFORDANCE, {"prompts": {"goal": ("a",)}}, "KeypointAffordance takes no prompts 'goal'; prompt_similarity"),
        (PROMPTS, {"goal_pictures": {"front": "a"}}, "PromptSimilarity takes no goal images; vlm_process does"),
        (PROMPTS, {"prompts": {"goal": ("${oc.env:HOME}",)}}, r"prompts 'goal' must not contain '\$\{'"),
    ],
)
def test_what_a_model_does_not_take_is_refused_with_one_that_does(settings, task, text):
    with pytest.raises(ValueError, match=text):
        changed(settings, **task)
