"""What the calibration verb says of itself: help, keys, defaults, and errors that a user can mend."""

import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

from robo_reward.calibration.corners import DetectionSettings
from robo_reward.calibration.hand_eye import HandEyeSettings
from robo_reward.calibration.intrinsics_fit import IntrinsicsSettings
from robo_reward.calibration.pictures import ReadingSettings
from robo_reward.calibration.rig_fit import RigSettings
from robo_reward.calibration.verify import VerifySettings
from robo_reward.cli.configuration import compose_verb, config_folder, steps_of
from robo_reward.cli.main import main

STEPS = ["board", "hand-eye", "intrinsics", "rig", "verify"]


def said(capsys) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_the_steps_are_listed_and_each_has_its_help(capsys):
    assert steps_of("calibrate") == STEPS
    assert main(["calibrate", "--help"]) == 0
    told = said(capsys)
    assert all(f"  {step}" in told for step in STEPS)
    for step in STEPS:
        assert main(["calibrate", step, "--help"]) == 0
        told = said(capsys)
        assert f"usage: robo-reward calibrate {step} [key=value …]" in told
        assert "output: " in told
        assert "charuco_5x7" in told
        assert "_target_" not in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a step: robo-reward calibrate board|hand-eye|intrinsics|rig|verify [key=value …]"),
        (["rigs"], "calibrate has no step 'rigs'; there are board, hand-eye, intrinsics, rig, verify"),
        (["intrinsics", "output=a.yaml"], "Missing mandatory value: pictures"),
        (["intrinsics", "pictures=nowhere", "output=a.yaml"], "nowhere: there is no such folder, video, ROS bag or"),
        (
            ["intrinsics", "pictures=nowhere", "output=a.yaml", "views=0"],
            "views must be >= fit.min_views, 8, got 0: of all pictures with the board so many are fitted",
        ),
        (["board", "output=board.png"], "output must be a .pdf, got board.png"),
        (["board", "board=charuco_7x10_a3", "output=board.pdf"], "too much for A4"),
        (["board", "board=none.yaml", "output=board.pdf"], "none.yaml"),
        (["rig", "pictures={a: x}", "cameras={b: y}", "output=r.yaml"], "must name the same, got ['a'] and ['b']"),
        (
            ["hand-eye", "mounting=in_hand", "hand_poses=h.csv", "camera=c.yaml", "frame=f", "output=r.yaml"],
            "mounting must be eye_in_hand or eye_to_hand, got 'in_hand'",
        ),
        (
            ["hand-eye", "mounting=eye_in_hand", "hand_poses=h.csv", "camera=c.yaml", "frame=f", "output=r.yaml"],
            "give either pictures or board_poses",
        ),
    ],
)
def test_what_the_user_can_mend_is_said_in_a_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", *words]) == 2
    told = said(capsys)
    assert message in told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("step", "key", "settings"),
    [
        ("intrinsics", "fit", IntrinsicsSettings),
        ("intrinsics", "reading", ReadingSettings),
        ("intrinsics", "detection", DetectionSettings),
        ("hand-eye", "fit", HandEyeSettings),
        ("hand-eye", "detection", DetectionSettings),
        ("rig", "fit", RigSettings),
        ("rig", "detection", DetectionSettings),
        ("verify", "test", VerifySettings),
        ("verify", "detection", DetectionSettings),
    ],
)
def test_the_files_state_every_setting_with_its_own_default(step, key, settings):
    stated = OmegaConf.to_container(compose_verb("calibrate", [step])[key])
    assert stated == {field.name: getattr(settings(), field.name) for field in fields(settings)}


@pytest.mark.parametrize("step", STEPS)
def test_every_key_of_a_step_is_an_argument_of_what_it_calls(step):
    from inspect import signature

    config = OmegaConf.load(config_folder() / f"calibrate/{step}.yaml")
    called = get_object(config.pop("_target_"))
    assert {"board", *map(str, config)} == set(signature(called).parameters)


def commands_of_the_page() -> list[list[str]]:
    page = (Path(__file__).parents[2] / "docs/calibration.md").read_text()
    lines = page.replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("robo-reward calibrate ")]


@pytest.mark.parametrize("words", commands_of_the_page(), ids=lambda words: words[1])
def test_commands_that_need_a_camera_state_all_that_their_step_must_be_told(words):
    verb, *overrides = words
    config = compose_verb(verb, overrides)
    assert OmegaConf.missing_keys(config) == set()
    assert callable(get_object(config["_target_"]))
