import pytest
import torch

from robo_reward.clip import Clip, Episode
from robo_reward.errors import DataSetError
from robo_reward.perception.trained_convolution import Convolution
from robo_reward.training import fit_encoder as module
from robo_reward.training.fit_encoder import EncoderFit, encoder_lessons, fit_encoder

SIZE, CAMERAS = 40, ("front", "side")


def episode(index: int, *, frames: int, success: bool | None = True) -> Episode:
    said = None if success is None else torch.tensor([False] * (frames - 1) + [success])
    return Episode(
        index=index,
        instruction="bring it right",
        cameras=CAMERAS,
        stamp=torch.arange(frames, dtype=torch.float64) / 10,
        terminated=True,
        success=said,
    )


class Travelling:
    """A white square that comes from the left, as far from the right edge as there are frames left; noise around it."""

    description, fps, column_names = "squares", 10.0, ()

    def __init__(self, *episodes: Episode) -> None:
        self.episodes = episodes

    def clips(self, episode, *, num_frames):
        noise = torch.Generator().manual_seed(episode.index)
        whole = torch.randint(0, 60, (episode.num_frames, 2, 3, SIZE, SIZE), generator=noise, dtype=torch.uint8)
        for t in range(episode.num_frames):
            place = SIZE - 8 - 2 * (episode.num_frames - 1 - t)
            whole[t, 0, :, 12:20, place : place + 8] = whole[t, 1, :, place : place + 8, 12:20] = 255
        for start in range(0, episode.num_frames, num_frames):
            part = whole[start : start + num_frames]
            present = torch.ones(1, len(part), 2, dtype=torch.bool)
            present[0, :, 1] = torch.arange(start, start + len(part)) != 3  # the side camera missed a frame
            yield Clip(
                views={camera: part[None, :, number] for number, camera in enumerate(CAMERAS)},
                present=present,
                stamp=episode.stamp[None, start : start + num_frames],
            )

    def columns(self, episode, names):
        raise NotImplementedError

    def fingerprint(self, episode, camera):
        raise NotImplementedError


def lessons_of(*episodes: Episode, unknown_success: bool | None = True):
    source = Travelling(*episodes)
    return encoder_lessons(source, image_size=SIZE, unknown_success=unknown_success, on_frames=lambda frames: None)


MANY = [episode(number, frames=frames) for number, frames in enumerate([16, 9, 12, 16, 7, 16, 11, 16])]
SHORT = EncoderFit(steps=250, batch_size=32, learning_rate=2e-3, shift=1)


@pytest.fixture(scope="module")
def trained():
    errors = []
    state = fit_encoder(lessons_of(*MANY), SHORT, on_step=lambda step, error: errors.append(error))
    return state, errors


def test_lessons_are_every_cameras_pictures_with_the_time_left_without_frames_that_it_missed():
    lessons = lessons_of(episode(0, frames=6), episode(1, frames=11))
    assert len(lessons.pictures) == 2 * 17 - 2
    front = lessons.target[lessons.camera == 0]
    assert front.tolist() == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, *[place / 10 for place in range(11)]])
    assert lessons.target[lessons.camera == 1].tolist() == pytest.approx(
        [value for frame, value in enumerate(front[:6].tolist()) if frame != 3]
        + [value for frame, value in enumerate(front[6:].tolist()) if frame != 3]
    )


def test_pictures_of_long_recordings_are_thinned_evenly_and_keep_their_targets(monkeypatch):
    monkeypatch.setattr(module, "_FRAMES_AT_ONCE", 4)  # thinning goes on over the borders of chunks
    whole = lessons_of(episode(0, frames=12))
    assert whole.target[whole.camera == 0].tolist() == pytest.approx([place / 11 for place in range(12)])
    monkeypatch.setattr(module, "MOST_PICTURES", 8)
    thinned = lessons_of(episode(0, frames=12))
    assert thinned.target[thinned.camera == 0].tolist() == whole.target[whole.camera == 0][::3].tolist()
    assert torch.equal(thinned.pictures[thinned.camera == 0], whole.pictures[whole.camera == 0][::3])


def test_failures_teach_nothing_and_unknown_episodes_what_is_said():
    good, bad, unknown = (episode(number, frames=8, success=said) for number, said in enumerate((True, False, None)))
    assert len(lessons_of(good, bad, unknown).pictures) == 2 * len(lessons_of(good).pictures)
    assert len(lessons_of(good, unknown, unknown_success=None).pictures) == len(lessons_of(good).pictures)
    with pytest.raises(
        DataSetError, match="squares has no successful episode: there is nothing to train an encoder on"
    ):
        lessons_of(bad)


def test_what_is_learnt_tells_the_place_in_recordings_that_were_not_seen(trained):
    state, errors = trained
    assert sum(errors[-20:]) / 20 < 0.25 * sum(errors[:20]) / 20
    network = Convolution(SIZE)
    network.load_state_dict(dict(state))

    def seen(*episodes: Episode) -> tuple[torch.Tensor, torch.Tensor]:
        lessons = lessons_of(*episodes)
        with torch.no_grad():
            rows = network(lessons.pictures.float() / 127.5 - 1).flatten(1)
        return torch.cat([rows, torch.ones(len(rows), 1)], dim=1), lessons.target

    rows, target = seen(*MANY)
    readout = torch.linalg.lstsq(rows.double(), target.double()[:, None], driver="gelsd").solution
    new, wanted = seen(episode(50, frames=16), episode(51, frames=10), episode(52, frames=16))
    scaled = torch.cat([wanted[:16], wanted[16:]])
    error = (new.double() @ readout)[:, 0] - scaled
    assert float(error.square().mean().sqrt()) < 0.1


def test_the_same_seed_gives_the_same_weights_and_leaves_other_random_numbers_alone():
    lessons, few = lessons_of(*MANY[:2]), EncoderFit(steps=5, batch_size=4)
    before = torch.random.get_rng_state()
    first, again, other = (
        fit_encoder(lessons, settings, on_step=lambda step, error: None)
        for settings in (few, few, EncoderFit(steps=5, batch_size=4, seed=1))
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"shift": -1}])
def test_settings_out_of_their_range_are_refused(wrong):
    with pytest.raises(ValueError, match="steps and batch_size must be >= 1, learning_rate > 0 and shift >= 0"):
        EncoderFit(**wrong)
