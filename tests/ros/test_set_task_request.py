"""From a request for another task to settings."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from robo_reward_ros.set_task_request import task_of_request
from robo_reward_ros.task_settings import TaskSettings
from ros_pictures import compressed, picture

SETTINGS = TaskSettings(
    reward_model="prompt_similarity", instruction="open it", discount=0.9, cameras=("front", "wrist"), plan="old.yaml"
)
LISTS = ("goal", "baseline", "goal_images", "goal_image_cameras")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def asked(**fields) -> TaskSettings:
    empty = dict.fromkeys(LISTS, ()) | {"instruction": "", "demonstrations": "", "plan": ""}
    return task_of_request(SimpleNamespace(**(empty | fields)), SETTINGS)


def test_what_a_request_leaves_empty_is_as_configured():
    told = asked(goal=["it's open"])
    assert (told.instruction, told.prompts, told.discount) == ("open it", {"goal": ("it's open",)}, 0.9)
    assert (told.plan, told.goal_pictures, told.demonstrations) == ("old.yaml", {}, "")


def test_demonstrations_and_plans_bring_their_own_words(tmp_path):
    (tmp_path / "plan.yaml").write_text("")
    assert asked(demonstrations=str(tmp_path)).instruction == ""
    for plan in (tmp_path, tmp_path / "plan.yaml"):
        told = asked(plan=str(plan))
        assert (told.instruction, told.plan) == ("", str(tmp_path / "plan.yaml"))
    assert asked(plan=str(tmp_path), instruction="close it").instruction == "close it"


def test_goal_images_are_kept_under_their_digest_byte_for_byte():
    image = compressed(picture(0.9))
    one, again = (asked(goal_images=[image], goal_image_cameras=["front"]).goal_pictures for _ in range(2))
    assert one == again
    assert Path(one["front"]).read_bytes() == image.data


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "the request is empty: give instruction, goal, goal_images, demonstrations or plan"),
        ({"plan": "/nowhere"}, "plan: there is no /nowhere; name a plan's YAML file"),
        ({"demonstrations": "/nowhere"}, "demonstrations: there is no folder /nowhere"),
        ({"goal_images": [1]}, r"goal_image_cameras must name a camera for each of the 1 goal_images, .* got \[\]"),
        (
            {"goal_images": [compressed(picture(0.1))], "goal_image_cameras": ["side"]},
            r"goal_image_cameras \['side'\] are none of the cameras \['front', 'wrist'\]",
        ),
        (
            {
                "goal_images": [SimpleNamespace(format="jpeg", data=b"no picture")],
                "goal_image_cameras": ["front"],
            },
            "goal image of camera 'front': ",
        ),
    ],
)
def test_a_request_that_cannot_be_met_says_what_is_wrong(fields, text):
    with pytest.raises(ValueError, match=text):
        asked(**fields)
