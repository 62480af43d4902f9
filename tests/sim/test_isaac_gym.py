import isaac_stand_in as stand_in
import numpy as np
import pytest
import torch
from fake_encoder import FakeEncoder

from robo_reward.clip import Clip
from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.stream import RewardStream
from robo_reward_sim.isaac_gym.camera_tensors import CameraPlacement, IsaacGymCameras
from robo_reward_sim.isaac_gym.gym_worlds import IsaacGymWorlds
from robo_reward_sim.isaac_gym.lab_worlds import IsaacLabWorlds
from robo_reward_sim.isaac_gym.world_potentials import WorldPotentials
from robo_reward_sim.isaac_gym.worlds_step import WorldsStep

WORLDS, DISCOUNT = 4, 0.97
FRONT = CameraPlacement(position=(0.0, -2.0, 0.6), target=(0.0, 0.0, 0.2), width=32, height=24)
SIDE = CameraPlacement(position=(1.6, -1.0, 0.5), target=(0.0, 0.0, 0.2), width=20, height=20)


@pytest.fixture
def gym(monkeypatch):
    stand_in.install(monkeypatch)
    one = stand_in.Gym()
    yield one
    one.close()


def cameras(gym, **placed) -> IsaacGymCameras:
    return IsaacGymCameras(gym, "sim", list(range(WORLDS)), cameras=placed or {"front": FRONT, "side": SIDE})


def gym_worlds(gym, **placed) -> IsaacGymWorlds:
    return IsaacGymWorlds(stand_in.Task(gym, WORLDS), cameras(gym, **placed), step_duration=stand_in.STEP)


def lab_worlds(gym) -> IsaacLabWorlds:
    cameras(gym, front=FRONT)
    return IsaacLabWorlds(stand_in.LabEnv(gym, WORLDS), cameras={"front": "tiled_camera"})


def model() -> PromptSimilarity:
    return PromptSimilarity(FakeEncoder(), goal=["green"], baseline=["black"], alpha=0.5)


def actions(steps: int) -> list[torch.Tensor]:
    """Different velocities: some worlds come to the goal, others to the time limit."""
    rng = torch.Generator().manual_seed(5)
    drift = torch.tensor([[2.0], [1.2], [0.2], [-0.1]])
    return [drift + 0.3 * torch.randn(WORLDS, 1, generator=rng) for _ in range(steps)]


def ball(frames: torch.Tensor) -> np.ndarray:
    """Column of the green ball in each picture."""
    picture = frames.numpy().astype(int)
    green = (picture[:, 1] > picture[:, 0] + 40) & (picture[:, 1] > picture[:, 2] + 40)
    return np.array([np.nonzero(each)[1].mean() for each in green])


def test_frames_are_new_tensors_of_every_world_and_camera(gym):
    seen = cameras(gym)
    gym.simulate(torch.tensor([-0.5, 0.0, 0.5, 0.25]))
    frames = seen.frames()
    assert {name: tuple(each.shape) for name, each in frames.items()} == {
        "front": (WORLDS, 3, 24, 32),
        "side": (WORLDS, 3, 20, 20),
    }
    assert all(each.dtype == torch.uint8 and each.is_contiguous() for each in frames.values())
    kept = frames["front"].clone()
    gym.simulate(torch.zeros(WORLDS))
    again = seen.frames()["front"]
    assert torch.equal(frames["front"], kept)
    assert not torch.equal(again, kept)
    assert (seen.names, seen.num_worlds) == (("front", "side"), WORLDS)


def test_every_world_shows_its_own_present_state_upright(gym):
    seen = cameras(gym)
    gym.simulate(torch.tensor([-0.5, 0.0, 0.5, 0.25]))
    columns = ball(seen.frames()["front"])
    assert columns[0] < columns[1] < columns[3] < columns[2]
    assert columns[1] == pytest.approx(15.5, abs=0.6)
    wall, floor = seen.frames()["front"][0].float().mean(dim=0)[[0, -1]].mean(dim=1)
    assert wall < floor  # the dark background is above the floor


def test_each_gpu_buffer_is_read_between_start_and_end_of_access_only(gym):
    frames = cameras(gym, front=FRONT)
    gym.simulate(torch.zeros(WORLDS))
    assert not (frames.frames()["front"] == 7).all()
    assert not gym.open


def test_a_simulation_without_a_graphics_device_is_told_apart(gym):
    gym.graphics = False
    with pytest.raises(ValueError, match=r"camera 'front' cannot be made: the simulation has no graphics device"):
        cameras(gym, front=FRONT)


def test_without_nvidias_download_the_error_is_pythons_own():
    with pytest.raises(ImportError, match="isaacgym"):
        IsaacGymCameras(None, None, [0], cameras={"front": FRONT})


def test_an_end_is_either_terminal_or_a_time_limit_and_the_next_step_begins(gym):
    worlds = gym_worlds(gym, front=FRONT)
    first = worlds.reset()
    assert first.begins.all()
    assert not first.real.any()
    before, ends = first, {"terminated": 0, "truncated": 0}
    for action in actions(60):
        step = worlds.step(action)
        assert torch.equal(step.begins, before.ended)
        assert torch.equal(step.real, ~before.ended)
        assert bool((step.observation["obs"][step.terminated] > stand_in.GOAL).all())
        assert bool((step.observation["obs"][step.truncated] <= stand_in.GOAL).all())
        ends = {name: count + int(getattr(step, name).sum()) for name, count in ends.items()}
        before = step
    assert min(ends.values()) >= 3


def test_the_frame_after_an_end_shows_where_it_ended(gym):
    worlds = gym_worlds(gym, front=FRONT)
    worlds.reset()
    looked = 0
    for action in actions(40):
        step = worlds.step(action)
        if bool(step.terminated.any()):
            assert bool((torch.from_numpy(ball(step.clip.views["front"][:, 0]))[step.terminated] > 22).all())
            looked += 1
    assert looked


def test_what_a_step_gave_stays_what_it_was(gym):
    worlds = gym_worlds(gym, front=FRONT)
    worlds.reset()
    steps = [worlds.step(action) for action in actions(30)]
    ends = [int(step.ended.sum()) for step in steps]
    assert 0 < sum(ends) < 30 * WORLDS
    observations = torch.stack([step.observation["obs"] for step in steps])
    assert len(observations.unique()) > 60


def test_a_task_that_hides_its_time_limits_is_refused(gym, monkeypatch):
    worlds = gym_worlds(gym, front=FRONT)
    task = worlds._task
    plain = task.step
    monkeypatch.setattr(task, "step", lambda action: (*plain(action)[:3], {}))
    with pytest.raises(ValueError, match=r"extras have no 'time_outs', only \[\]: without it every time limit"):
        worlds.reset()


def streamed(steps: list[WorldsStep], *, same_step: bool) -> list[list[float | None]]:
    """Shaping of each step and world by one RewardStream per world; None where there is no transition."""
    streams = [RewardStream(model(), discount=DISCOUNT) for _ in range(WORLDS)]
    shaped = []
    for step in steps:
        row, ended = [], step.ended.nonzero()[:, 0].tolist()
        for world, stream in enumerate(streams):
            flags = {"terminated": bool(step.terminated[world]), "truncated": bool(step.truncated[world])}
            clip, place = step.clip, world
            if same_step and world in ended:
                clip, place = step.final, ended.index(world)
            now = {name: frames[place, 0] for name, frames in clip.views.items()}
            got = stream.step(now, stamp=float(clip.stamp[place, 0]), **flags)
            row.append(None if got is None else got.reward)
            if same_step and world in ended:
                first = {name: frames[world, 0] for name, frames in step.clip.views.items()}
                stream.step(first, stamp=float(step.clip.stamp[world, 0]))
        shaped.append(row)
    return shaped


@pytest.mark.parametrize("kind", ["gym", "lab"])
def test_shaping_of_all_worlds_together_is_that_of_one_stream_per_world_bit_for_bit(gym, kind):
    worlds = gym_worlds(gym, front=FRONT) if kind == "gym" else lab_worlds(gym)
    steps = [worlds.reset(), *[worlds.step(action) for action in actions(45)]]
    follows = WorldPotentials(model(), num_worlds=WORLDS)
    follows.begin(steps[0])
    together = [follows.after(step).shaping(DISCOUNT) for step in steps[1:]]
    alone = streamed(steps, same_step=kind == "lab")
    assert alone[0] == [None] * WORLDS
    compared = 0
    for ours, theirs in zip(together, alone[1:], strict=True):
        for one, other in zip(ours.tolist(), theirs, strict=True):
            assert (other is None and np.isnan(one)) or one == other
            compared += other is not None
    ends = sum(int(step.ended.sum()) for step in steps)
    assert ends > 8
    assert compared == 45 * WORLDS - (ends - int(steps[-1].ended.sum()) if kind == "gym" else 0)


def test_a_terminal_potential_counts_as_nothing_and_a_truncated_one_is_kept(gym):
    worlds = gym_worlds(gym, front=FRONT)
    follows, seen = WorldPotentials(model(), num_worlds=WORLDS), {"terminated": 0, "truncated": 0}
    follows.begin(worlds.reset())
    for action in actions(50):
        step = worlds.step(action)
        after = follows.after(step)
        shaping = after.shaping(DISCOUNT)
        for world in step.ended.nonzero()[:, 0].tolist():
            kept = 0.0 if step.terminated[world] else DISCOUNT * float(after.next_potential[world])
            assert float(shaping[world]) == pytest.approx(kept - float(after.potential[world]), abs=1e-12)
            seen["terminated" if step.terminated[world] else "truncated"] += 1
    assert min(seen.values()) >= 2


def test_isaac_labs_final_pictures_are_taken_before_the_reset(gym):
    worlds = lab_worlds(gym)
    worlds.reset()
    looked = 0
    for action in actions(40):
        step = worlds.step(action)
        assert torch.equal(step.begins, step.ended)
        assert step.real.all()
        if step.final is not None:
            at_end = ball(step.final.views["front"][:, 0])
            at_start = ball(step.clip.views["front"][:, 0])[step.ended.numpy()]
            assert (at_end[step.terminated[step.ended].numpy()] > 22).all()
            assert (at_start < 15).all()
            looked += int(step.terminated.sum())
    assert looked >= 3


def test_a_world_that_comes_to_the_goal_in_its_last_step_is_terminal_and_not_bootstrapped(gym):
    cameras(gym, front=FRONT)
    env = stand_in.LabEnv(gym, WORLDS)
    worlds = IsaacLabWorlds(env, cameras={"front": "tiled_camera"})
    worlds.reset()
    env.position[:], env.length[:] = torch.tensor([0.79, 0.0, 0.79, 0.0]), torch.tensor([11, 11, 0, 0])
    step = worlds.step(torch.ones(WORLDS, 1))
    assert step.terminated.tolist() == [True, False, True, False]
    assert step.truncated.tolist() == [False, True, False, False]


def test_isaac_lab_says_what_is_missing(gym):
    cameras(gym, front=FRONT)
    env = stand_in.LabEnv(gym, WORLDS)
    with pytest.raises(ValueError, match=r"cameras must name sensors of the scene, which has \['tiled_camera'\]"):
        IsaacLabWorlds(env, cameras={"front": "camera"})
    worlds = IsaacLabWorlds(env, cameras={"front": "tiled_camera"})
    env.kinds = ()
    with pytest.raises(ValueError, match=r"camera 'front' has no data type rgb, only \[\]"):
        worlds.reset()


def test_worlds_that_end_without_a_reset_are_noticed(gym):
    worlds = lab_worlds(gym)
    worlds.reset()
    worlds._env.step = lambda action: ({}, torch.zeros(WORLDS), torch.ones(WORLDS, dtype=torch.bool), *no_more())
    with pytest.raises(ValueError, match=r"worlds \[0, 1, 2, 3\] ended, but \[\] went through _reset_idx"):
        worlds.step(torch.zeros(WORLDS, 1))


def no_more() -> tuple:
    return torch.zeros(WORLDS, dtype=torch.bool), {}


def test_steps_and_placements_that_mean_nothing_are_refused(gym):
    flags = torch.zeros(2, dtype=torch.bool)
    clip = Clip(
        views={"front": torch.zeros(2, 1, 3, 4, 4, dtype=torch.uint8)},
        present=torch.ones(2, 1, 1, dtype=torch.bool),
        stamp=torch.zeros(2, 1, dtype=torch.float64),
    )
    plain = {"observation": None, "clip": clip, "task_reward": torch.zeros(2), "begins": flags}
    with pytest.raises(ValueError, match="a world is both terminated and truncated"):
        WorldsStep(**plain, terminated=~flags, truncated=~flags)
    with pytest.raises(ValueError, match=r"terminated must be \(world=2,\), got \(3,\)"):
        WorldsStep(**plain, terminated=torch.zeros(3, dtype=torch.bool), truncated=flags)
    with pytest.raises(ValueError, match="final frames must be of the 0 worlds that ended, got 2"):
        WorldsStep(**plain, terminated=flags, truncated=flags, final=clip)
    with pytest.raises(ValueError, match=r"a camera cannot look at where it is, \(0, 0, 0\)"):
        CameraPlacement(position=(0, 0, 0), target=(0, 0, 0), width=1, height=1)
    with pytest.raises(ValueError, match=r"horizontal_fov must be in \(0, 180\) degrees, got 180"):
        CameraPlacement(position=(0, 0, 1), target=(0, 0, 0), width=1, height=1, horizontal_fov=180.0)
    with pytest.raises(ValueError, match="width and height must be > 0 px"):
        CameraPlacement(position=(0, 0, 1), target=(0, 0, 0), width=0, height=1)
    with pytest.raises(ValueError, match="worlds and cameras must be given, got 4 worlds and cameras"):
        IsaacGymCameras(gym, "sim", list(range(WORLDS)), cameras={})
    with pytest.raises(ValueError, match="step_duration must be > 0 s, got 0"):
        IsaacGymWorlds(stand_in.Task(gym, WORLDS), cameras(gym), step_duration=0.0)
    follows = WorldPotentials(model(), num_worlds=2)
    with pytest.raises(ValueError, match="every world must begin here"):
        follows.begin(WorldsStep(**plain, terminated=flags, truncated=flags))


@pytest.mark.gpu
def test_frames_stay_on_the_device_from_the_simulator_to_the_encoder(monkeypatch):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    stand_in.install(monkeypatch)
    gym = stand_in.Gym(device="cuda")
    worlds = gym_worlds(gym, front=FRONT)
    step = worlds.reset()
    assert step.clip.views["front"].device.type == "cuda"
    gym.close()
