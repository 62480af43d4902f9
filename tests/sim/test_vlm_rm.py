import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import robo_reward_sim.vlm_rm  # noqa: F401  # registers
from robo_reward_sim.vlm_rm.cart_pole import UprightCartPole
from robo_reward_sim.vlm_rm.drawing import cart_pole_picture
from robo_reward_sim.vlm_rm.humanoid import PUBLISHED_CAMERA, PosingHumanoid, free_camera, textured_model
from robo_reward_sim.vlm_rm.mountain_car import TexturedMountainCar
from robo_reward_sim.vlm_rm.prompts import PROMPTS, Prompt

NAMES = {"CartPole": (200, (400, 600, 3)), "MountainCar": (200, (400, 600, 3)), "Humanoid": (100, (480, 480, 3))}
"""Episode length and size of the pictures."""


def made(name: str, **settings) -> gymnasium.Env:
    return gymnasium.make(f"robo_reward/VlmRm{name}-v0", **settings)


@pytest.fixture(params=NAMES)
def env(request):
    one = made(request.param)
    one.name = request.param
    yield one
    one.close()


def played(env: gymnasium.Env, *, seed: int, steps: int) -> list:
    observations = [env.reset(seed=seed)[0]]
    env.action_space.seed(seed)
    observations += [env.step(env.action_space.sample())[0] for _ in range(steps)]
    return observations


def test_an_episode_is_truncated_at_its_length_and_never_terminated(env):
    env.reset(seed=0)
    env.action_space.seed(0)
    length, _ = NAMES[env.name]
    ends = [env.step(env.action_space.sample())[2:4] for _ in range(length)]
    assert ends[:-1] == [(False, False)] * (length - 1)
    assert ends[-1] == (False, True)
    env.reset()
    assert env.step(env.action_space.sample())[2:4] == (False, False)


def test_the_same_seed_gives_the_same_trajectory_and_another_one_does_not(env):
    one, other, third = (played(env, seed=seed, steps=20) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(one[0], third[0])
    assert not np.array_equal(one[-1], one[-2])


def test_observations_belong_to_the_space_and_share_no_memory(env):
    observations = played(env, seed=0, steps=10)
    assert all(env.observation_space.contains(each) for each in observations)
    assert len({each.__array_interface__["data"][0] for each in observations}) == len(observations)


def test_pictures_have_the_published_size_and_a_new_one_shares_no_memory(env):
    env.reset(seed=0)
    first = env.render()
    assert (first.shape, first.dtype) == (NAMES[env.name][1], np.uint8)
    kept = first.copy()
    for _ in range(8):
        env.step(env.action_space.sample())
    assert not np.array_equal(env.render(), kept)
    assert np.array_equal(first, kept)
    assert list(env.unwrapped.frames()) == ["render"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.*A Box observation space:UserWarning")
def test_gymnasium_finds_nothing_to_object_to(name):
    env = made(name).unwrapped
    check_env(env, skip_render_check=True)
    env.close()


def test_the_fallen_pole_goes_on_turning_within_the_bounds_and_is_not_paid_for():
    env = UprightCartPole()
    env.reset(seed=0)
    told = []
    for _ in range(200):
        observation, reward, *_, info = env.step(1)
        assert env.observation_space.contains(observation)
        assert reward == info["task_reward"]
        assert not info["success"]
        told.append((reward, observation[0]))
    assert (told[0][0], told[-1][0]) == (1.0, 0.0)
    assert max(position for _, position in told) == np.float32(2.4)


def test_the_pole_succeeds_once_it_was_upright_in_half_of_an_episodes_steps():
    env = UprightCartPole(episode_length=10)
    for _ in range(2):
        _, info = env.reset(seed=0)
        told = [info["success"]]
        for action in (0, 1) * 5:
            told.append(env.step(action)[4]["success"])
        assert told == [False] * 5 + [True] * 6


def test_a_pole_that_is_swung_through_wraps_at_half_a_turn():
    env = UprightCartPole()
    env.reset(seed=0)
    env.state = np.array([0.0, 0.0, 3.13, 2.0])
    angle = env.step(0)[0][2]
    assert -np.pi <= angle < -3.0
    assert env.step(0)[4]["progress"] < 0.01


def test_the_goal_of_the_mountain_car_is_absorbing():
    env = TexturedMountainCar()
    observation, info = env.reset(seed=1)
    assert (info["success"], info["task_reward"]) == (False, 0.0)
    while not info["success"]:  # bang-bang with the velocity reaches the goal
        observation, reward, terminated, truncated, info = env.step(np.array([np.sign(observation[1]) or 1.0]))
        assert not truncated
    assert (reward, terminated, info["progress"]) == (1.0, False, 1.0)
    for action in (-1.0, 1.0, 0.0, -1.0):
        observation, reward, _, _, info = env.step(np.array([action], np.float32))
        assert observation.tolist() == [np.float32(0.45), 0.0]
        assert (reward, info["success"]) == (1.0, True)
    assert not env.reset(seed=2)[1]["success"]


def test_progress_of_the_mountain_car_is_one_at_the_goal_only():
    env = TexturedMountainCar()
    env.reset(seed=0)
    env.state = np.array([0.4499, 0.0], np.float32)
    assert env.step(np.array([0.0], np.float32))[4]["progress"] < 1.0


def test_the_car_is_drawn_where_it_is_on_the_ground_and_upright():
    env = TexturedMountainCar()
    env.reset(seed=0)
    places = {}
    for position in (-1.0, -0.5236, 0.45):
        env.state = np.array([position, 0.0])
        picture = env.render().astype(int)
        red = (picture[..., 0] > 180) & (picture[..., 1] < 60) & (picture[..., 2] < 60)
        assert red.sum() > 300
        down, across = np.argwhere(red).mean(axis=0)
        places[position] = (across, down)
        assert across == pytest.approx((position + 1.2) / 1.8 * 600, abs=12)
    assert places[-0.5236][1] > places[-1.0][1] > places[0.45][1]  # the goal is high, row 0 is the top
    sky, rock = env.render()[5, 200].astype(int), env.render()[395, 450].astype(int)
    assert sky[2] > sky[0]
    assert rock[0] > rock[2]


def test_the_yellow_flag_stands_at_the_goal():
    env = TexturedMountainCar()
    env.reset(seed=0)
    picture = env.render().astype(int)
    yellow = (picture[..., 0] > 230) & (picture[..., 1] > 190) & (picture[..., 2] < 40)
    down, across = np.argwhere(yellow).mean(axis=0)
    assert across == pytest.approx(1.65 / 1.8 * 600, abs=20)
    assert down < 60


@pytest.mark.parametrize(("position", "angle"), [(0.0, 0.0), (-1.3, 0.4), (1.0, -2.5)])
def test_cart_and_pole_look_as_gymnasium_draws_them(position, angle):
    pytest.importorskip(
        "pygame", reason="Gymnasium's own picture needs pygame: pip install 'gymnasium[classic-control]'"
    )
    from gymnasium.envs.classic_control.cartpole import CartPoleEnv

    theirs = CartPoleEnv(render_mode="rgb_array")
    theirs.reset(seed=0)
    theirs.state = np.array([position, 0.0, angle, 0.0])
    ours = cart_pole_picture(position, angle, threshold=2.4).astype(int)
    different = np.abs(ours - theirs.render().astype(int)).max(axis=2) > 60
    theirs.close()
    assert different.mean() < 2e-3  # edges


def test_the_pole_is_above_the_cart_when_upright_and_leans_to_the_right_for_positive_angles():
    def pole(angle: float) -> np.ndarray:
        picture = cart_pole_picture(0.0, angle, threshold=2.4).astype(int)
        return np.argwhere(np.abs(picture - (202, 152, 101)).max(axis=2) < 8).mean(axis=0)

    (up, centre), (_, right) = pole(0.0), pole(0.3)
    assert up < 285
    assert centre == pytest.approx(300, abs=1)
    assert right > 310


def test_the_humanoid_stands_upright_in_the_middle_of_the_picture():
    env = PosingHumanoid(height=120, width=120)
    env.reset(seed=0)
    clothed = env.render().astype(int)
    env.model.geom_rgba[1:, 3] = 0.0  # all but the floor
    empty = env.render().astype(int)
    rows, columns = np.nonzero(np.abs(clothed - empty).max(axis=2) > 20)
    assert columns.mean() == pytest.approx(60, abs=6)
    assert rows.max() - rows.min() > 1.5 * (columns.max() - columns.min()) / 2
    sky, floor = empty[5].mean(axis=0), empty[-5].mean(axis=0)
    assert sky[2] > sky[0] + 30
    assert abs(floor[2] - floor[0]) < 15
    env.close()


def test_textures_change_nothing_but_looks():
    seen = []
    for textured in (True, False):
        env = PosingHumanoid(textured=textured, height=60, width=60)
        seen.append((played(env, seed=5, steps=10)[-1], env.render().astype(int)))
        env.close()
    assert np.array_equal(seen[0][0], seen[1][0])
    assert np.abs(seen[0][1] - seen[1][1]).mean() > 20


def test_the_published_camera_is_free_and_does_not_follow():
    camera = free_camera(PUBLISHED_CAMERA)
    assert (camera.distance, camera.elevation, camera.azimuth) == (3.5, -10.0, 180.0)
    assert camera.lookat.tolist() == [0.0, 0.0, 1.0]
    assert int(camera.type) == 0
    with pytest.raises(ValueError, match="a free camera has no 'zoom'; it has azimuth, distance"):
        free_camera({"zoom": 2.0})


def test_the_floor_reflects_nothing_and_the_body_is_white_before_its_texture():
    model = textured_model()
    assert model.mat("MatPlane").reflectance == 0.0
    assert model.geom("head").rgba.tolist() == [1.0, 1.0, 1.0, 1.0]


def test_prompts_are_those_of_the_paper():
    assert len(PROMPTS) == 10
    assert PROMPTS["mountaincar"].goal == "a car at the peak of the mountain, next to the yellow flag"
    assert PROMPTS["humanoid_splits"].goal == "a humanoid robot practicing gymnastics, doing the side splits"
    assert {each.baseline for name, each in PROMPTS.items() if name.startswith("humanoid")} == {"a humanoid robot"}
    assert PosingHumanoid(pose="lotus").instruction == PROMPTS["humanoid_lotus"].goal


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: UprightCartPole(episode_length=0), "episode_length must be >= 1 step, got 0"),
        (lambda: TexturedMountainCar(render_mode="human"), "render_mode must be rgb_array or None, got 'human'"),
        (lambda: PosingHumanoid(pose="running"), "unknown pose 'running'; available: kneeling, lotus"),
        (lambda: PosingHumanoid(width=0), "height and width must be > 0 px, got 480 and 0"),
        (lambda: Prompt(goal="", baseline="a"), "a prompt needs a goal and a baseline"),
    ],
)
def test_settings_that_mean_nothing_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("kind", [UprightCartPole, TexturedMountainCar])
def test_who_looks_before_the_first_reset_or_through_another_camera_is_told(kind):
    env = kind()
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset before"):
        env.frames()
    with pytest.raises(ValueError, match=r"there is one camera, 'render'; got \['front'\]"):
        env.frames(("front",))


def test_without_a_render_mode_nothing_is_drawn():
    env = UprightCartPole(render_mode=None)
    env.reset(seed=0)
    assert env.render() is None


def test_without_textures_the_mountain_is_gymnasiums_line_drawing():
    pytest.importorskip(
        "pygame", reason="Gymnasium's own picture needs pygame: pip install 'gymnasium[classic-control]'"
    )
    env = TexturedMountainCar(textured=False)
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (400, 600, 3)
    assert (picture == 255).mean() > 0.9
    env.close()


def test_the_humanoid_goes_on_when_it_has_fallen_without_being_paid_for_health():
    env = PosingHumanoid()
    env.reset(seed=0)
    env.set_state(env.init_qpos * [1, 1, 0.3, *[1] * 21], env.init_qvel)
    *_, terminated, _, info = env.step(np.zeros(17, np.float32))
    assert (terminated, info["reward_alive"]) == (False, 0.0)
