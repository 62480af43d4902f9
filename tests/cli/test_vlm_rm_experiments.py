"""Every published experiment of VLM-RM composes, builds and steps, with the paper's numbers."""

import pytest
import torch
from fake_encoder import FakeEncoder

pytest.importorskip("robo_reward_sim.vlm_rm", reason="needs the extra sim: pip install 'robo-reward[sim]'")

from robo_reward.cli.build import build
from robo_reward.cli.choose_models import choose_models
from robo_reward.cli.configuration import compose_verb, config_folder
from robo_reward.clip import Clip
from robo_reward.models.prompt_similarity import goal_baseline_similarity
from robo_reward_sim.vlm_rm.prompts import PROMPTS

EXPERIMENTS = {
    path.stem.removeprefix("vlm_rm_"): path.stem
    for path in (config_folder() / "experiment").glob("vlm_rm_*.yaml")
    if path.stem != "vlm_rm_humanoid"
}
PUBLISHED = {
    "cartpole": {"learning_starts": 75_000, "train_every": 200, "learning_rate": 2.3e-3, "hidden": [256, 256]},
    "mountaincar": {"learning_rate": 1e-4, "tau": 0.01, "discount": 0.9999, "entropy": 0.1, "hidden": [64, 64]},
    "humanoid": {
        "learning_starts": 50_000,
        "train_every": 100,
        "entropy_start": 1.0,
        "batch_size": 512,
        "learning_rate": 6e-4,
        "tau": 0.005,
        "discount": 0.95,
        "entropy": None,
        "buffer_size": 1_000_000,
        "num_envs": 32,
    },
}
"""Table of hyperparameters of 2310.12921."""


def composed(name: str):
    return compose_verb("train", [f"experiment={EXPERIMENTS[name]}"])


def test_there_is_an_experiment_for_every_published_prompt():
    assert set(EXPERIMENTS) == set(PROMPTS)


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_an_experiment_has_the_published_prompt_and_numbers(name):
    config = composed(name)
    kind = name.split("_")[0]
    assert list(config.reward_model.goal) == [PROMPTS[name].goal]
    assert list(config.reward_model.baseline) == [PROMPTS[name].baseline]
    assert config.encoder.model == "ViT-bigG-14/laion2b_s39b_b160k"
    assert {key: config.learner[key] for key in PUBLISHED[kind]} == PUBLISHED[kind]
    assert config.total_steps == (10_000_000 if kind == "humanoid" else 3_000_000)
    assert (config.reward, config.success_reward, config.seed) == ("score", 0.0, 42)
    if kind == "humanoid":
        assert (config.reward_model.alpha, config.every) == (0.0, 128_000)


@pytest.mark.parametrize(("name", "steps", "updates"), [("cartpole", 200, 200), ("humanoid_kneeling", 100, 100)])
def test_updates_come_as_published_so_many_after_so_many_steps_of_each_environment(name, steps, updates):
    learner = build(composed(name).learner)
    assert learner.rollout_steps == steps * learner.num_envs
    assert learner.updates_per_step * learner.rollout_steps == updates
    if name.startswith("humanoid"):
        assert learner.rollout_steps == 3200  # one batch of the published encoder


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_an_experiment_builds_and_steps(name):
    config = composed(name)
    task, learner = build(config.task), build(config.learner)
    assert learner.num_envs == config.learner.num_envs
    seen = name in ("cartpole", "mountaincar", "humanoid_kneeling")  # the others differ in their prompts alone
    env = task.environments().single(seen=seen)
    assert env.unwrapped.instruction == PROMPTS[name].goal
    _, info = env.reset(seed=0)
    step = env.step(env.action_space.sample())
    assert step[2:4] == (False, False)
    if seen:
        assert list(info["frames"]) == ["render"]
        assert step[4]["stamp"] > info["stamp"]
    env.close()


@pytest.mark.parametrize("name", ["cartpole", "humanoid_kneeling"])
def test_the_learners_reward_is_the_papers_similarity_of_the_picture(name):
    config = composed(name)
    config.encoder = {"_target_": "fake_encoder.FakeEncoder"}
    model = choose_models(config, [PROMPTS[name].goal]).models[PROMPTS[name].goal]
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (1, 5, 3, 12, 16), generator=generator, dtype=torch.uint8)
    clip = Clip(
        views={"render": frames},
        present=torch.ones(1, 5, 1, dtype=torch.bool),
        stamp=torch.arange(5, dtype=torch.float64)[None],
    )
    potential = build(config.shaping)(model.estimate(clip).progress)[0]
    encoder = FakeEncoder()
    goal, baseline = encoder.encode_text([PROMPTS[name].goal, PROMPTS[name].baseline]).double()
    seen = encoder.embed(encoder.prepare(frames[0])).double()
    wanted = goal_baseline_similarity(seen, goal, baseline, alpha=config.reward_model.alpha)
    assert torch.allclose(potential, wanted, atol=1e-6)
    assert wanted.max() - wanted.min() > 1e-3
