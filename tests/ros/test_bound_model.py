"""Models bound to a task from choices, folders and files; and what success adds to an episode."""

import math
import shutil

import pytest
import torch
from demonstrations import ENCODER, demonstration, small_process
from robo_reward_ros.answer import Status
from robo_reward_ros.bound_model import bind_model
from robo_reward_ros.episode_teller import EpisodeTeller
from robo_reward_ros.task_settings import TaskSettings
from robo_reward_ros.warm_up import warm_up
from ros_pictures import SECOND, START, bound, picture, tensor

from robo_reward.models.success import SuccessClassifier
from robo_reward.training.fit import FittedModels, save_models
from robo_reward.training.fit_success import FittedSuccess

FILE = """
encoder: {_target_: fake_encoder.FakeEncoder}
reward_model:
  _target_: robo_reward.models.prompt_similarity.PromptSimilarity
  goal: ["{instruction}, a green square"]
  baseline: [a red square]
  alpha: 0.5
  renormalize: true
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    demonstrations = [demonstration(seed=seed) for seed in range(3)]
    failures = [demonstration(seed=seed, reach=0.4, success=False) for seed in range(3, 6)]
    models = {text: small_process(instruction=text).fitted_to(demonstrations) for text in ("green", "greener")}
    classifier = SuccessClassifier(ENCODER, rank=3).fitted_to([*demonstrations, *failures])
    success = FittedSuccess(classifier=classifier, threshold=0.5, release=0.3, votes=2, window=3, certified=None)
    folder = tmp_path_factory.mktemp("models") / "fitted"
    save_models(
        FittedModels(
            encoder={"_target_": "fake_encoder.FakeEncoder"},
            models=models,
            fitted_on={},
            curves={text: [] for text in models},
            success={"green": success},
        ),
        folder,
    )
    return folder


def test_a_folder_of_fitted_models_gives_the_one_of_the_task_with_its_success(fitted):
    one = bind_model(TaskSettings(reward_model=str(fitted), instruction="green", discount=0.9, shaping="exponential"))
    other = bind_model(TaskSettings(reward_model=str(fitted / "reward_model.yaml"), instruction="greener"))
    assert (one.goal_id, one.discount, one.bounds) == ("green", 0.9, (0.0, 1.0))
    assert one.success is not None
    assert other.success is None
    assert one.model.version != other.model.version
    assert one.sha256 != other.sha256
    assert "ProcessReward" in one.configuration


def test_a_file_of_settings_gives_a_model_with_the_task_filled_in(tmp_path):
    (tmp_path / "mine.yaml").write_text(FILE)
    settings = TaskSettings(reward_model=str(tmp_path / "mine.yaml"), instruction="paint")
    mine = bind_model(settings)
    asked = TaskSettings(**{**_fields(settings), "prompts": {"goal": ("a blue square",)}})
    assert "paint, a green square" in mine.configuration
    assert "a blue square" in bind_model(asked).configuration
    warm_up(mine, ["front"], size=(8, 8))


def test_the_models_that_come_with_the_package_are_bound_by_name():
    chosen = bind_model(
        TaskSettings(
            reward_model="prompt_similarity",
            instruction="open the drawer",
            overrides=("reward_model.baseline=[the drawer is closed]",),
            prompts={"goal": ("the drawer's 'open', wide",)},
        )
    )
    assert "the drawer''s ''open'', wide" in chosen.configuration or "the drawer's 'open', wide" in chosen.configuration


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"reward_model": ""}, "reward_model is empty: give a choice such as process"),
        ({"reward_model": "nonsense"}, "nonsense"),
        ({"reward_model": "/nowhere/mine.yaml"}, "there is no such file"),
        ({"reward_model": "/nowhere/"}, "is missing: /nowhere was not written by `robo-reward fit`"),
        ({"reward_model": "FITTED"}, r"instruction is empty, and .* has models for several: \['green', 'greener'\]"),
        ({"reward_model": "FITTED", "instruction": "dance"}, r"has no model for instruction \['dance'\]"),
        ({"reward_model": "FITTED", "instruction": "green", "discount": 1.5, "overrides": ["nonsense=1"]}, "nonsense"),
    ],
)
def test_what_cannot_be_bound_says_what_is_allowed(fitted, settings, text):
    given = settings | {"reward_model": settings["reward_model"].replace("FITTED", str(fitted))}
    with pytest.raises(ValueError, match=text):
        bind_model(TaskSettings(**given))


def test_weights_that_were_changed_are_refused(fitted, tmp_path):
    copy = shutil.copytree(fitted, tmp_path / "copy")
    for file in (copy / "weights").iterdir():
        file.write_bytes(file.read_bytes()[:-4] + b"\0\1\2\3")
    with pytest.raises(ValueError, match="holds other tensors than its name says: the file was changed"):
        bind_model(TaskSettings(reward_model=str(copy), instruction="green"))


def test_cameras_that_the_model_was_not_fitted_to_are_noticed_in_the_warm_up(fitted):
    model = bind_model(TaskSettings(reward_model=str(fitted), instruction="green"))
    warm_up(model, ["front", "wrist"], size=(12, 10))
    with pytest.raises(ValueError, match="side"):
        warm_up(model, ["side"], size=(12, 10))


def test_success_is_latched_from_embeddings_that_were_computed_anyway(fitted, monkeypatch):
    teller = EpisodeTeller(bind_model(TaskSettings(reward_model=str(fitted), instruction="green")))
    embedded = []
    encoder = teller._bound.model.encoder
    real = type(encoder).embed
    monkeypatch.setattr(type(encoder), "embed", lambda self, pixels: embedded.append(len(pixels)) or real(self, pixels))
    told = []
    for number, share in enumerate((0.1, 0.4, 1.0, 1.0, 1.0, 0.1)):
        views = {"front": tensor(picture(share)), "wrist": tensor(picture(share))}
        stamp = START + number * SECOND // 10
        told.append(teller.tell(views, stamp_ns=stamp, newest_stamp_ns=stamp))
    assert embedded == [2] * 6
    assert [each.success for each in told] == [False, False, False, True, True, False]
    assert all(0 <= each.success_probability <= 1 for each in told)


def test_without_a_success_model_its_probability_is_unknown():
    teller = EpisodeTeller(bound())
    told = teller.tell({"front": tensor(picture(0.5))}, stamp_ns=START, newest_stamp_ns=START)
    assert math.isnan(told.success_probability)
    assert not told.success


class OutOfRange:
    """A potential that the numbers of a model leave: something that no model here does."""

    def __call__(self, progress: torch.Tensor) -> torch.Tensor:
        inside = progress.double()
        return torch.where((inside == 0) | (inside == 1), inside, 7.0)


def test_a_number_out_of_its_range_never_passes():
    teller = EpisodeTeller(bound(potential=OutOfRange()))
    teller.tell({"front": tensor(picture(0.2))}, stamp_ns=START, newest_stamp_ns=START)
    with pytest.raises(ValueError, match=r"potential 7.0; allowed \[0.0, 1.0\]"):
        teller.tell({"front": tensor(picture(0.4))}, stamp_ns=START + 1_000_000, newest_stamp_ns=START)


def test_a_model_that_abstains_has_low_confidence_and_the_next_reward_still_telescopes():
    teller, told = EpisodeTeller(bound()), []
    for number, share in enumerate((0.2, None, 0.6)):
        views = {"front": None if share is None else tensor(picture(share))}
        stamp = START + number * SECOND // 10
        told.append(teller.tell(views, stamp_ns=stamp, newest_stamp_ns=stamp))
    assert [each.status for each in told] == [Status.WARMUP, Status.LOW_CONFIDENCE, Status.OK]
    assert told[1].reason == "the model abstained"
    assert math.isnan(told[1].reward)


def _fields(settings: TaskSettings) -> dict:
    return {name: getattr(settings, name) for name in TaskSettings.__dataclass_fields__}
