"""From a board to a verified rig, with pictures that are rendered of a scene whose truth is known."""

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from board_scenes import BOARD, LENS, board_before, rendered, rig_of

from robo_reward.calibration.board_file import read_board, write_board
from robo_reward.calibration.boards import CharucoBoard
from robo_reward.calibration.camera_file import read_camera, write_camera
from robo_reward.camera.pose import Pose, pose_difference
from robo_reward.camera.rig import NOT_MEASURED, Rig, RigCamera
from robo_reward.camera.rig_file import read_rig, write_rig
from robo_reward.cli.main import main

T_HAND_BOARD = Pose.from_rotation_vector(np.array([0.02, -0.03, 0.05]), np.array([0.3, -0.2, 0.4]))


@dataclass(frozen=True)
class Scene:
    """Two cameras' folders of pictures of one board at nine moments, and the hand's poses that carried it."""

    folder: Path
    rig: Rig

    def __truediv__(self, name: str) -> str:
        return str(self.folder / name)

    @property
    def pictures(self) -> str:
        return f"pictures={{camera_0: '{self / 'camera_0'}', camera_1: '{self / 'camera_1'}'}}"


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    folder, rng, rig = tmp_path_factory.mktemp("scene"), np.random.default_rng(3), rig_of(2, nearness=0.62)
    rows = ["picture,x,y,z,qx,qy,qz,qw"]
    for moment in range(9):
        pose = board_before(rng, [each.T_base_camera for each in rig.cameras.values()], tilt=28)
        for name, camera in rig.cameras.items():
            (folder / name).mkdir(exist_ok=True)
            cv2.imwrite(str(folder / name / f"{moment}.png"), rendered(camera, pose, scale=2))
        hand = pose @ T_HAND_BOARD.inverse()
        w, x, y, z = hand.quaternion_wxyz
        rows.append(",".join(map(str, (f"{moment}.png", *hand.translation, x, y, z, w))))
    (folder / "hand.csv").write_text("\n".join(rows))
    write_board(BOARD, folder / "board.yaml", measured="drawn")
    write_camera(LENS, folder / "lens.yaml", name="lens", measured=NOT_MEASURED)
    return Scene(folder=folder, rig=rig)


def said(capsys) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_a_board_is_drawn_with_its_file(tmp_path, capsys):
    output = tmp_path / "board.pdf"
    assert main(["calibrate", "board", "board.square=0.03", "board.marker=0.022", f"output={output}"]) == 0
    assert output.read_bytes().startswith(b"%PDF")
    board = read_board(tmp_path / "board.yaml")
    assert isinstance(board, CharucoBoard)
    assert board.square == 0.03
    assert "print it at 100 %" in said(capsys)
    assert main(["calibrate", "board", f"output={output}"]) == 2
    assert "exists" in said(capsys)


@pytest.mark.parametrize("board", ["charuco_5x7", "chessboard_9x6", "april_tags_5x7"])
def test_boards_that_come_along_fit_on_a4_and_letter(board, tmp_path):
    for paper in ("A4", "Letter"):
        assert main(["calibrate", "board", f"board={board}", f"paper={paper}", f"output={tmp_path / paper}.pdf"]) == 0


def test_intrinsics_come_from_a_folder_of_pictures(scene, tmp_path, capsys):
    output = tmp_path / "camera.yaml"
    words = [f"pictures={scene / 'camera_0'}", f"board={scene / 'board.yaml'}", f"output={output}", "fit.min_tilt=15"]
    assert main(["calibrate", "intrinsics", *words, "fit.max_focal_std=0.03", "fit.min_coverage=0.3"]) == 0
    lens = read_camera(output)
    assert lens.focal_x == pytest.approx(LENS.focal_x, rel=0.02)
    told = said(capsys)
    assert "the board is seen in 9 of 9 pictures" in told
    assert "error of held-out corners" in told
    assert (tmp_path / "camera.png").read_bytes().startswith(b"\x89PNG")
    measured = yaml.safe_load(output.read_text())["measured"]
    assert measured["residual_px"] < 0.4


def test_a_refused_calibration_writes_nothing_and_says_why(scene, tmp_path, capsys):
    output = tmp_path / "camera.yaml"
    words = [f"pictures={scene / 'camera_0'}", f"board={scene / 'board.yaml'}", f"output={output}"]
    assert main(["calibrate", "intrinsics", *words, "fit.min_views=20"]) == 2
    told = said(capsys)
    assert "error: the board is seen in 9 pictures, 20 are needed" in told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["intrinsics", "rig", "hand-eye"])
def test_a_photo_of_the_same_name_is_not_written_over(step, scene, tmp_path, capsys):
    (tmp_path / "left.png").write_bytes(b"a photo")
    words = {
        "intrinsics": [f"pictures={scene / 'camera_0'}", "fit.min_tilt=5", "fit.max_focal_std=1"],
        "rig": [scene.pictures, f"cameras={{camera_0: '{scene / 'lens.yaml'}', camera_1: '{scene / 'lens.yaml'}'}}"],
        "hand-eye": [
            f"pictures={scene / 'camera_0'}", f"hand_poses={scene / 'hand.csv'}", f"camera={scene / 'lens.yaml'}",
            "mounting=eye_to_hand", "frame=base_link", "fit.max_angle=1.0",
        ],
    }[step]  # fmt: skip
    board = f"board={scene / 'board.yaml'}"
    assert main(["calibrate", step, *words, board, f"output={tmp_path / 'left.yaml'}"]) == 2
    assert "left.png exists; name a" in said(capsys)
    assert main(["calibrate", step, *words, board, f"output={tmp_path / 'other.png'}"]) == 2
    assert "output must be a .yaml, with room for a .png of the same name" in said(capsys)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"left.png": b"a photo"}


@pytest.fixture(scope="module")
def rig_file(scene, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("rig") / "rig.yaml"
    cameras = f"cameras={{camera_0: '{scene / 'lens.yaml'}', camera_1: '{scene / 'lens.yaml'}'}}"
    words = [scene.pictures, cameras, f"board={scene / 'board.yaml'}", f"output={output}", "base=board:4.png"]
    assert main(["calibrate", "rig", *words]) == 0
    return output


def test_a_rig_comes_from_one_folder_of_each_camera(scene, rig_file):
    found = read_rig(rig_file)
    assert found.base_frame == "board"
    assert found.measured.residual_px < 0.4
    between, true = (
        each.cameras["camera_0"].T_base_camera.inverse() @ each.cameras["camera_1"].T_base_camera
        for each in (found, scene.rig)
    )
    distance, angle = pose_difference(between, true)
    assert distance < 2e-3
    assert np.degrees(angle) < 0.2
    assert rig_file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_a_rig_in_place_passes_and_one_that_moved_fails(scene, rig_file, tmp_path, capsys):
    words = [f"pictures={{camera_0: '{scene / 'camera_0/2.png'}', camera_1: '{scene / 'camera_1/2.png'}'}}"]
    words += [f"board={scene / 'board.yaml'}", f"output={tmp_path / 'verdict.yaml'}"]
    assert main(["calibrate", "verify", f"rig={rig_file}", *words]) == 0
    verdict = yaml.safe_load((tmp_path / "verdict.yaml").read_text())
    assert not verdict["moved"]
    assert verdict["cameras"]["camera_0"]["standing"] == "in place"
    rig = read_rig(rig_file)
    shifted = rig.cameras["camera_1"].T_base_camera @ Pose.from_rotation_vector(
        np.array([0.02, 0.01, 0.0]), np.radians([0.0, 2.0, 1.0])
    )
    cameras = {**rig.cameras, "camera_1": RigCamera(intrinsics=LENS, T_base_camera=shifted)}
    write_rig(Rig(cameras=cameras, base_frame="board"), tmp_path / "moved.yaml")
    capsys.readouterr()
    assert main(["calibrate", "verify", f"rig={tmp_path / 'moved.yaml'}", *words]) == 2
    told = said(capsys)
    assert "the rig is not as it was measured: camera_0 (suspect), camera_1 (suspect); measure it again" in told
    assert yaml.safe_load((tmp_path / "verdict.yaml").read_text())["moved"]


def test_a_camera_that_was_not_compared_is_not_in_place(scene, rig_file, tmp_path, capsys):
    """A blank picture, or none: exit 2 with the camera's name, unless it is left out on purpose."""
    rig = read_rig(rig_file)
    three = {**rig.cameras, "top": rig.cameras["camera_1"]}
    write_rig(Rig(cameras=three, base_frame="board", measured=rig.measured), tmp_path / "three.yaml")
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((480, 640), 128, np.uint8))
    both = [f"{name}: '{scene / name}/2.png'" for name in ("camera_0", "camera_1")]
    words = ["calibrate", "verify", f"rig={tmp_path / 'three.yaml'}", f"board={scene / 'board.yaml'}"]
    words += [f"output={tmp_path / 'verdict.yaml'}"]
    blank = f"pictures={{{', '.join([*both, f'top: {tmp_path}/blank.png'])}}}"
    for pictures, reason in ((blank, "the board is not seen"), (f"pictures={{{', '.join(both)}}}", "no picture was")):
        assert main([*words, pictures]) == 2
        told = said(capsys)
        assert f"not every camera was compared, so the rig is not called in place: top: {reason}" in told
        assert "leave it out on purpose: cameras=[camera_0, camera_1]" in told
        assert not yaml.safe_load((tmp_path / "verdict.yaml").read_text())["in_place"]
        assert main([*words, pictures, "cameras=[camera_0, camera_1]"]) == 0
        assert yaml.safe_load((tmp_path / "verdict.yaml").read_text())["in_place"]
    capsys.readouterr()
    assert main([*words, blank, "cameras=[camera_0, left]"]) == 2
    assert "the rig has no camera 'left'; its cameras: camera_0, camera_1, top" in said(capsys)


def test_pictures_that_would_miss_a_move_that_matters_are_not_enough(scene, rig_file, capsys):
    words = [f"pictures={{camera_0: '{scene / 'camera_0/2.png'}', camera_1: '{scene / 'camera_1/2.png'}'}}"]
    words += [f"rig={rig_file}", f"board={scene / 'board.yaml'}", "test.pixel_std=3"]
    assert main(["calibrate", "verify", *words]) == 2
    told = said(capsys)
    assert re.search(r"would catch with 99% only a move of \d+\.\d mm or [\d.]+°, 20 mm and 2° are asked for, so", told)
    assert "take more pictures" in told
    assert main(["calibrate", "verify", *words, "test.max_distance=1", "test.max_angle=45"]) == 0
    assert "caught with 99%" in said(capsys)


def test_a_board_that_was_left_in_place_tells_which_camera_moved(scene, rig_file, tmp_path, capsys):
    """The rig's base is the board as it lay in picture 4."""
    pictures = f"pictures={{camera_0: '{scene / 'camera_0/4.png'}', camera_1: '{scene / 'camera_1/5.png'}'}}"
    words = [pictures, f"board={scene / 'board.yaml'}", "board_pose=[0, 0, 0, 1, 0, 0, 0]"]
    assert main(["calibrate", "verify", f"rig={rig_file}", *words]) == 2
    assert "the rig is not as it was measured: camera_1 (moved)" in said(capsys)


def test_a_camera_beside_the_base_is_found_from_a_board_in_the_hand(scene, tmp_path, capsys):
    output = tmp_path / "base.yaml"
    words = [f"pictures={scene / 'camera_0'}", f"hand_poses={scene / 'hand.csv'}", f"camera={scene / 'lens.yaml'}"]
    words += [f"board={scene / 'board.yaml'}", "mounting=eye_to_hand", "frame=base_link", "name=camera_0"]
    assert main(["calibrate", "hand-eye", *words, f"output={output}", "fit.max_angle=1.0"]) == 0
    found = read_rig(output)
    assert found.base_frame == "base_link"
    true = scene.rig.cameras["camera_0"].T_base_camera
    distance, angle = pose_difference(found.cameras["camera_0"].T_base_camera, true)
    assert distance < 3e-3
    assert np.degrees(angle) < 0.3
    told = said(capsys)
    assert "DANIILIDIS" in told
    assert "the camera's pose is in base_link, which must be the arm's base" in told
    assert output.with_suffix(".png").is_file()
    assert found.measured.how.endswith("; 9 poses, refined on corners; the residual is of held-out pictures")
    assert found.measured.residual_px < 1.0


def test_the_residual_of_hand_eye_is_of_pictures_that_were_not_fitted(scene, tmp_path, monkeypatch):
    """Recorded, not the fitted one: the file's residual is what a verification takes for scatter."""
    from robo_reward.cli import calibrate_hand_eye as step

    fitted, refine = [], step.refine_on_pixels
    monkeypatch.setattr(step, "refine_on_pixels", lambda *a, **k: fitted.append(refine(*a, **k)) or fitted[-1])
    words = [f"pictures={scene / 'camera_0'}", f"hand_poses={scene / 'hand.csv'}", f"camera={scene / 'lens.yaml'}"]
    words += [f"board={scene / 'board.yaml'}", "mounting=eye_to_hand", "frame=base_link", "fit.max_angle=1.0"]
    assert main(["calibrate", "hand-eye", *words, f"output={tmp_path / 'rig.yaml'}"]) == 0
    rms = np.sqrt((np.concatenate(fitted[0].residuals) ** 2).sum(axis=1).mean())
    assert read_rig(tmp_path / "rig.yaml").measured.residual_px > 1.02 * rms


def test_poses_of_other_pictures_are_named(scene, tmp_path, capsys):
    (tmp_path / "hand.csv").write_text("picture,x,y,z,qx,qy,qz,qw\nleft_0.png,0,0,0,0,0,0,1\n")
    words = [f"pictures={scene / 'camera_0'}", f"hand_poses={tmp_path / 'hand.csv'}", f"camera={scene / 'lens.yaml'}"]
    words += [f"board={scene / 'board.yaml'}", "mounting=eye_to_hand", "frame=base_link"]
    assert main(["calibrate", "hand-eye", *words, f"output={tmp_path / 'rig.yaml'}"]) == 2
    assert "names none of the pictures with the board: it has left_0.png, …, the pictures are 0.png" in said(capsys)


def test_a_camera_on_the_hand_is_found_from_two_recordings_by_two_clocks(scene, tmp_path, capsys):
    rng = np.random.default_rng(0)
    camera = Pose.from_rotation_vector(np.array([0.03, -0.05, 0.08]), np.array([0.1, -0.2, 1.5]))
    board = Pose.from_rotation_vector(np.array([0.6, 0.1, 0.0]), np.array([3.0, 0.1, 0.0]))
    lines = {"hand": [], "board": []}
    for t in np.arange(0, 30, 0.02):
        turn = np.array([0.5 * np.sin(0.9 * t), 0.4 * np.sin(1.3 * t + 1), 0.6 * np.sin(0.7 * t + 2)])
        hand = Pose.from_rotation_vector(0.1 * np.sin([t, 0.8 * t, 1.1 * t]), turn)
        noise = Pose.from_rotation_vector(rng.normal(0, 5e-4, 3), rng.normal(0, 5e-4, 3))
        seen = board.inverse() @ hand @ camera @ noise  # as many trackers have it: the camera in the board
        for name, stamp, pose in (("hand", t, hand), ("board", t - 0.25, seen)):
            w, x, y, z = pose.quaternion_wxyz
            lines[name].append(",".join(map(str, (stamp, *pose.translation, x, y, z, w))))
    for name, rows in lines.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(rows))
    words = [f"hand_poses={tmp_path / 'hand.csv'}", f"board_poses={tmp_path / 'board.csv'}", "inverse_board_poses=true"]
    words += [f"camera={scene / 'lens.yaml'}", "mounting=eye_in_hand", "frame=tool0", "name=wrist"]
    assert main(["calibrate", "hand-eye", *words, f"output={tmp_path / 'rig.yaml'}"]) == 0
    found = read_rig(tmp_path / "rig.yaml")
    assert found.base_frame == "tool0"
    assert np.isnan(found.measured.residual_px)
    assert pose_difference(found.cameras["wrist"].T_base_camera, camera)[0] < 2e-3
    told = said(capsys)
    assert "held-out error" in told
    assert "the camera's pose is in tool0, the hand's frame, which moves" in told
    assert found.measured.how.startswith("hand-eye, eye in hand: the base frame is the hand's and moves with the arm;")
    cameras = f"cameras={{wrist: '{scene / 'lens.yaml'}', camera_1: '{scene / 'lens.yaml'}'}}"
    pictures = f"pictures={{wrist: '{scene / 'camera_0'}', camera_1: '{scene / 'camera_1'}'}}"
    words = [pictures, cameras, f"board={scene / 'board.yaml'}", f"base={tmp_path / 'rig.yaml'}"]
    assert main(["calibrate", "rig", *words, f"output={tmp_path / 'all.yaml'}"]) == 2
    assert "holds a camera that the hand carries: its frame 'tool0' moves with the arm and is no base" in said(capsys)


def test_a_rig_is_put_into_the_base_that_hand_eye_found(scene, tmp_path):
    true = scene.rig.cameras["camera_0"]
    write_rig(Rig(cameras={"camera_0": true}, base_frame="base_link"), tmp_path / "one.yaml")
    cameras = f"cameras={{camera_0: '{scene / 'lens.yaml'}', camera_1: '{scene / 'lens.yaml'}'}}"
    words = [scene.pictures, cameras, f"board={scene / 'board.yaml'}", f"base={tmp_path / 'one.yaml'}"]
    assert main(["calibrate", "rig", *words, f"output={tmp_path / 'rig.yaml'}"]) == 0
    found = read_rig(tmp_path / "rig.yaml")
    assert found.base_frame == "base_link"
    assert pose_difference(found.cameras["camera_0"].T_base_camera, true.T_base_camera)[0] < 1e-6
