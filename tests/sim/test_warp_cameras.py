import numpy as np
import pytest
import torch

pytest.importorskip("mujoco_warp", reason="the warp extra is not installed: it needs an environment of its own")
pytest.importorskip("robo_reward_sim.rendering", reason="MuJoCo is not installed", exc_type=ImportError)

import mujoco

from robo_reward_sim.table_top.scene import TableTopScene
from robo_reward_sim.warp_table_top.cameras import WorldCameras
from robo_reward_sim.warp_table_top.worlds import TableTopWorlds

WORLDS, HEIGHT, WIDTH = 3, 96, 112
CAMERAS = ("side", "front", "wrist")


@pytest.fixture(scope="module")
def worlds():
    made = TableTopWorlds("push", num_worlds=WORLDS, seed=3)
    made.reset()
    return made


@pytest.fixture(scope="module")
def cameras(worlds):
    return WorldCameras(worlds.physics, CAMERAS, height=HEIGHT, width=WIDTH)


def plainly(worlds: TableTopWorlds, world: int) -> dict[str, np.ndarray]:
    """Pictures of one world's state by MuJoCo's own renderer."""
    with TableTopScene(worlds.task.plain, height=HEIGHT, width=WIDTH) as scene:
        scene.data.qpos[:] = worlds.physics.data.qpos.numpy()[world]
        scene.data.mocap_pos[:] = worlds.physics.data.mocap_pos.numpy()[world]
        mujoco.mj_forward(scene.model, scene.data)
        return scene.frames(CAMERAS)


def centre(picture: np.ndarray, colour: int) -> np.ndarray:
    """Mean row and column of what is blue (2) or green (1)."""
    others = [picture[..., other].astype(int) + 40 for other in range(3) if other != colour]
    of_it = (picture[..., colour] > others[0]) & (picture[..., colour] > others[1])
    assert of_it.sum() > 20
    return np.argwhere(of_it).mean(axis=0)


def test_pictures_show_what_mujocos_own_renderer_shows(worlds, cameras):
    worlds.reset()
    frames, compared = cameras.frames(), 0
    for world in range(WORLDS):
        plain = plainly(worlds, world)
        for camera in ("side", "front"):
            ours = frames[camera][world].permute(1, 2, 0).numpy()
            for colour in (1, 2):
                np.testing.assert_allclose(centre(ours, colour), centre(plain[camera], colour), atol=1.0)
                compared += 1
        away = {
            camera: np.abs(frames[camera][world].permute(1, 2, 0).numpy() - plain[camera].astype(int))
            for camera in CAMERAS
        }
        assert away["side"].mean() < 2
        # MuJoCo's renderer lights the corners of the table, ray casting every pixel of it: brighter before the camera
        assert max(away["front"].mean(), away["wrist"].mean()) < 25
    assert compared == 4 * WORLDS


def test_frames_are_new_tensors_of_every_world_and_camera(worlds, cameras):
    first = cameras.frames()
    assert list(first) == list(CAMERAS)
    assert {tuple(each.shape) for each in first.values()} == {(WORLDS, 3, HEIGHT, WIDTH)}
    assert all(each.dtype == torch.uint8 and each.is_contiguous() for each in first.values())
    kept = {name: each.clone() for name, each in first.items()}
    worlds.reset()
    second = cameras.frames()
    assert all(torch.equal(first[name], kept[name]) for name in CAMERAS)
    assert not any(torch.equal(first[name][0], second[name][0]) for name in CAMERAS)
    assert not torch.equal(second["side"][0], second["side"][1])


def test_the_same_state_gives_the_same_picture_in_every_world_and_run(worlds, cameras):
    first, again = cameras.frames(), cameras.frames()
    assert all(torch.equal(first[name], again[name]) for name in CAMERAS)
    alone = WorldCameras(worlds.physics, ("front",), height=HEIGHT, width=WIDTH).frames()
    assert torch.equal(alone["front"], first["front"])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_moves_and_shows_the_worlds_as_the_cpu_does():
    actions = 2 * torch.rand(12, WORLDS, 4, generator=torch.Generator().manual_seed(0)) - 1
    seen = {}
    for run, device in {"cpu": "cpu", "cuda": "cuda", "again": "cuda"}.items():
        made = TableTopWorlds("push", num_worlds=WORLDS, seed=3, device=device)
        looks = WorldCameras(made.physics, CAMERAS, height=HEIGHT, width=WIDTH)
        made.reset()
        states = [made.step(action.to(device)).observation.cpu() for action in actions]
        seen[run] = torch.stack(states), {name: frames.cpu() for name, frames in looks.frames().items()}
    assert torch.equal(seen["cuda"][0], seen["again"][0])
    torch.testing.assert_close(seen["cuda"][0], seen["cpu"][0], atol=1e-4, rtol=0)
    for name in CAMERAS:
        assert (seen["cuda"][1][name].float() - seen["cpu"][1][name].float()).abs().mean() < 1


def test_cameras_that_mean_nothing_are_refused(worlds):
    with pytest.raises(ValueError, match="unknown table-top camera 'back'; available: front, side, wrist"):
        WorldCameras(worlds.physics, ("back",), height=8, width=8)
    with pytest.raises(ValueError, match=r"cameras must be different ones, and at least one, got \['side', 'side'\]"):
        WorldCameras(worlds.physics, ("side", "side"), height=8, width=8)
    with pytest.raises(ValueError, match="height and width must be > 0 px, got 0 and 8"):
        WorldCameras(worlds.physics, ("side",), height=0, width=8)
