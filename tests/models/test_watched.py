import pytest
import torch
from fake_encoder import FakeEncoder
from reward_model import CONTRACT, random_clip

from robo_reward.models.watched import WatchedCameras, blank_pictures
from robo_reward.perception.encoder import EmbeddedClip, embed_clip
from robo_reward.perception.fitting import FittableRewardModel, LabelledClip
from robo_reward.reward_model import Estimate

ENCODER = FakeEncoder()
INNER = {
    "_target_": "robo_reward.models.prompt_similarity.PromptSimilarity",
    "goal": ["a green square"],
    "baseline": ["a red square"],
    "alpha": 0.5,
}


class Remembers:
    """An inner model that looks back three frames: the mean first number of all pictures seen in them."""

    version, weights, context = "remembers", {}, 3

    def __init__(self, encoder: FakeEncoder) -> None:
        self.encoder, self.settings = encoder, {}

    def estimate(self, clip):
        return self.estimate_embedded(embed_clip(self.encoder, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        before = clip.embedding.new_full((len(clip.embedding), 2, len(clip.cameras)), torch.nan)
        values = torch.cat([before, clip.embedding[..., 0]], dim=1)
        mean = values.unfold(1, 3, 1).double().flatten(2).nanmean(dim=-1)
        progress = torch.where(clip.present.any(dim=-1), torch.sigmoid(mean), torch.nan).float()
        return Estimate(progress=progress, spread=progress * 0 + 0.1)

    def fitted_to(self, clips, *, on_epoch=None):
        return self


def clips(number: int = 4, *, time: int = 12) -> list[LabelledClip]:
    return [
        LabelledClip(clip=embed_clip(ENCODER, random_clip(time=time, seed=seed)), success=True)
        for seed in range(number)
    ]


@pytest.fixture(scope="module")
def fitted() -> WatchedCameras:
    return WatchedCameras(ENCODER, model=Remembers(ENCODER), frozen_after=4).fitted_to(clips())


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
def test_contract_before_a_fit(law):
    law(WatchedCameras(ENCODER, model=INNER))


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
def test_contract_of_a_watched_model_that_remembers(law, fitted):
    law(fitted)


def test_a_frozen_camera_gives_what_an_absent_one_gives(fitted):
    clip = embed_clip(ENCODER, random_clip(time=16, seed=1))
    frozen, absent = clip.embedding.clone(), clip.embedding.clone()
    frozen[:, 5:, 1] = frozen[:, 5:6, 1]
    absent[:, 5:8, 1] = frozen[:, 5:8, 1]  # not yet known to be frozen
    absent[:, 8:, 1] = torch.nan
    one = fitted.estimate_embedded(EmbeddedClip(embedding=frozen, cameras=clip.cameras, stamp=clip.stamp))
    other = fitted.estimate_embedded(EmbeddedClip(embedding=absent, cameras=clip.cameras, stamp=clip.stamp))
    assert torch.equal(one.progress, other.progress)
    assert not torch.equal(one.progress, fitted.model.estimate_embedded(clip).progress)


def test_black_pictures_of_all_cameras_are_an_abstention(fitted):
    clip = random_clip(time=6, seed=2)
    for frames in clip.views.values():
        frames[:, 3] = 0
    assert fitted.estimate(clip).abstained[0].tolist() == [False, False, False, True, False, False]
    assert not bool(fitted.model.estimate(clip).abstained.any())


def test_cameras_may_come_in_another_order_and_one_may_be_missing_altogether(fitted):
    clip = embed_clip(ENCODER, random_clip(seed=1))
    turned = EmbeddedClip(embedding=clip.embedding.flip(2), cameras=clip.cameras[::-1], stamp=clip.stamp)
    assert torch.equal(
        fitted.trusted(turned).embedding.flip(2).nan_to_num(-9), fitted.trusted(clip).embedding.nan_to_num(-9)
    )
    wrist = EmbeddedClip(embedding=clip.embedding[:, :, 1:], cameras=("wrist",), stamp=clip.stamp)
    assert not bool(fitted.estimate_embedded(wrist).abstained.all())
    strange = EmbeddedClip(embedding=clip.embedding, cameras=("front", "side"), stamp=clip.stamp)
    with pytest.raises(ValueError, match=r"not fitted to camera \['side'\]"):
        fitted.estimate_embedded(strange)


def test_plain_settings_and_weights_rebuild_model_and_watch():
    fitted = WatchedCameras(ENCODER, model=INNER, frozen_after=4).fitted_to(progressing())
    again = WatchedCameras(ENCODER, **fitted.settings, weights=fitted.weights)
    assert isinstance(again, FittableRewardModel)
    assert again.version == fitted.version != WatchedCameras(ENCODER, model=INNER).version
    clip = embed_clip(ENCODER, random_clip(seed=5))
    assert torch.equal(
        again.estimate_embedded(clip).progress.nan_to_num(-1), fitted.estimate_embedded(clip).progress.nan_to_num(-1)
    )
    assert fitted.model.settings["readout"]
    other = {name: tensor + (name == "watch.centre") for name, tensor in fitted.weights.items()}
    assert WatchedCameras(ENCODER, **fitted.settings, weights=other).version != fitted.version


def test_an_inner_model_with_weights_of_its_own_is_rebuilt_too():
    inner = {"_target_": "robo_reward.models.preference.PreferenceReward", "pairs": 50, "weights": None}
    fitted = WatchedCameras(ENCODER, model=inner, frozen_after=4).fitted_to(progressing())
    again = WatchedCameras(ENCODER, **fitted.settings, weights=fitted.weights)
    assert {name.split(".")[0] for name in fitted.weights} == {"model", "watch"}
    assert again.version == fitted.version
    clip = progressing()[0].clip
    assert torch.equal(again.estimate_embedded(clip).progress, fitted.estimate_embedded(clip).progress)
    assert not bool(fitted.estimate_embedded(clip).abstained.all())


def progressing() -> list[LabelledClip]:
    """From red to green, as the prompts of the inner model say."""
    found = []
    for seed in range(3):
        clip = random_clip(time=12, seed=seed)
        for frames in clip.views.values():
            frames[...] = frames // 4
            frames[:, :, 1] += torch.linspace(0, 180, 12).byte()[None, :, None, None]
            frames[:, :, 0] += torch.linspace(180, 0, 12).byte()[None, :, None, None]
        found.append(LabelledClip(clip=embed_clip(ENCODER, clip), success=True))
    return found


def test_pictures_that_show_nothing_are_of_the_encoders_own_size():
    assert blank_pictures(ENCODER).shape == (7, ENCODER.dim)
    assert len(blank_pictures(ENCODER).unique(dim=0)) == 7


def test_what_cannot_be_built_or_fitted_is_refused_by_name():
    with pytest.raises(ValueError, match="must name its class under '_target_'.*got 'os.system'"):
        WatchedCameras(ENCODER, model={"_target_": "os.system"})
    with pytest.raises(ValueError, match="looks through encoder fake-8-16-1"):
        WatchedCameras(ENCODER, model=Remembers(FakeEncoder(seed=1)))
    with pytest.raises(ValueError, match="margin must be >= 1"):
        WatchedCameras(ENCODER, model=INNER, margin=0.9)
    with pytest.raises(ValueError, match="clips are empty"):
        WatchedCameras(ENCODER, model=INNER).fitted_to([])
    other = EmbeddedClip(embedding=clips(1)[0].clip.embedding, cameras=("front", "side"), stamp=clips(1)[0].clip.stamp)
    with pytest.raises(ValueError, match="disagree on cameras"):
        WatchedCameras(ENCODER, model=INNER).fitted_to([*clips(1), LabelledClip(clip=other, success=True)])
