"""How a process reward is fitted: labels, a held-out recording, the number of steps, and what error to expect."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32
from torch import Tensor

from robo_reward.models.frame_compression import fit_compression
from robo_reward.models.process_fit_settings import FitSettings
from robo_reward.models.process_head import ProcessHead
from robo_reward.models.process_reader import ProcessReader, mean_progress
from robo_reward.models.process_training import Lessons, train_head
from robo_reward.models.progress_filter import unrest
from robo_reward.models.step_labels import step_progress
from robo_reward.perception.fitting import FitProgress, LabelledClip, OnEpoch

CHECK_EVERY = 25
"""Optimiser steps in what `FitProgress` calls an epoch."""
REFERENCE_FRAMES = 3
"""First and last frames of demonstrations that make the reference start and goal."""
BLOCKS, HELD_BLOCK = 20, 4
"""Parts of the only recording, and which of them is held out: every fourth."""
CAUTION, CAUTION_PRICE = 0.5, 1.5
"""Weight of the least advanced camera, and how much larger the error may be with it than without."""
CHECKED_FRAMES = 256
"""Held-out frames that a check looks at, at most, evenly spread."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class FittedProcess:
    """What a fit gives."""

    reader: ProcessReader
    duration: float
    """Mean duration of the labelled recordings [s]."""
    held_out_error: float
    """Root mean square error of single frames that the rehearsal did not learn from."""
    rehearsal: ProcessReader
    """A reader that learnt from all but what was held out."""
    held_out: LabelledClip | None
    """The recording that was held out; None where parts of the only one were."""


def fit_process(
    clips: Sequence[LabelledClip], settings: FitSettings, *, text: Float32[Tensor, " dim"] | None, on_epoch: OnEpoch
) -> FittedProcess:
    """Fit first without what is held out, to find when to stop, then to everything for as many steps.

    Of a single recording parts are held out. They share its layout and light, so they say what error to expect but not
    when to stop: it is learnt for all steps.

    Raises:
        ValueError: No clip, clips of other cameras, no success or label among them, fewer than two labelled frames.
    """
    clips = _labelled(clips, settings)
    known = [number for number, each in enumerate(clips) if bool(_lesson_frames(each).any())]
    compression = fit_compression([each.clip for each in clips], num_components=settings.components)
    pictures = [compression(each.clip.embedding)[0] for each in clips]
    lessons, held = _lessons(clips, pictures, known, text)
    quiet = unrest([pictures[number] for number in known], stillness=1.0)
    course = _Course(settings, lessons, held, on_epoch, stops=len(known) > 1)

    def reader(head: ProcessHead) -> ProcessReader:
        return ProcessReader(
            compression=compression,
            head=head,
            references=lessons.references,
            unrest=quiet,
            text=text,
            cameras=clips[0].clip.cameras,
            caution=torch.tensor(0.0),
        )

    held_out = clips[known[-1]] if len(known) > 1 else None
    rehearsal = reader(course.rehearse())
    caution = 0.0 if held_out is None else _caution(rehearsal, held_out)
    seconds = [float(clips[number].clip.stamp[0, -1] - clips[number].clip.stamp[0, 0]) for number in known]
    return FittedProcess(
        reader=reader(course.learn()).with_caution(caution),
        duration=max(sum(seconds) / len(seconds), 1e-3),
        held_out_error=course.best_error,
        rehearsal=rehearsal.with_caution(caution),
        held_out=held_out,
    )


class _Course:
    """Trains twice: once to see when to stop (`stops`) or what error to expect, once on everything."""

    def __init__(
        self, settings: FitSettings, lessons: Lessons, held: Tensor, on_epoch: OnEpoch, *, stops: bool
    ) -> None:
        self._settings, self._lessons, self._held, self._tell = settings, lessons, held, on_epoch
        self._stops = stops
        self._rounds = math.ceil(settings.steps / CHECK_EVERY)
        self.best_step, self.best_error = settings.steps, math.inf
        self._done = 0

    def rehearse(self) -> ProcessHead:
        """Train without what is held out, and keep the head of the best check, or of the last where none can tell."""
        lessons, kept = self._lessons.only(~self._held), {}
        test = self._lessons.only(self._held & ~self._lessons.target.isnan())

        def on_step(step: int, head: ProcessHead, loss: float) -> bool:
            if step % CHECK_EVERY and step != self._settings.steps:
                return False
            error = _error(head, test)
            self._report(loss, error)
            last = step == self._settings.steps
            if last if not self._stops else step > self._settings.steps // 2 and error < self.best_error:
                self.best_step, self.best_error = step, error
                kept.update({name: tensor.clone() for name, tensor in head.state_dict().items()})
            return bool(kept) and step - self.best_step >= self._settings.patience * CHECK_EVERY

        self._train(lessons, self._settings.steps, on_step)
        self._done = self._rounds
        return ProcessHead.from_weights(kept).eval().requires_grad_(False)

    def learn(self) -> ProcessHead:
        """Train on everything for as many steps as were best."""

        def on_step(step: int, head: ProcessHead, loss: float) -> bool:
            if step % CHECK_EVERY == 0:
                self._report(loss, math.nan)
            return False

        return self._train(self._lessons, self.best_step, on_step)

    def _train(self, lessons: Lessons, steps: int, on_step: Callable[[int, ProcessHead, float], bool]) -> ProcessHead:
        settings = self._settings
        return train_head(
            lessons,
            members=settings.members,
            width=settings.width,
            steps=steps,
            seed=settings.seed,
            disturbance=settings.disturbance,
            on_step=on_step,
        )

    def _report(self, loss: float, error: float) -> None:
        self._done += 1
        self._tell(FitProgress(epoch=self._done, epochs=2 * self._rounds, training_error=loss, held_out_error=error))


def _labelled(clips: Sequence[LabelledClip], settings: FitSettings) -> list[LabelledClip]:
    """Check the clips, and label demonstrations that have no key frames."""
    if not clips:
        raise ValueError("clips are empty; give at least one successful episode of the task")
    cameras = {each.clip.cameras for each in clips}
    if len(cameras) > 1:
        raise ValueError(f"clips disagree on cameras: {sorted(cameras)}")
    if all(bool(each.target.isnan().all()) for each in clips):
        raise ValueError("no clip is a success or has progress labels; give at least one successful episode")
    count = sum(int(_lesson_frames(each).sum()) for each in clips)
    if count < 2:
        raise ValueError(f"{count} frames have both a label and a picture; at least 2 are needed, best a few hundred")
    if settings.num_steps is None:
        return list(clips)
    bare = [each for each in clips if each.success and each.progress is None]
    labels = iter(step_progress(_common_views(bare), settings.num_steps) if bare else [])
    return [
        LabelledClip(clip=each.clip, success=True, progress=next(labels)) if each in bare else each for each in clips
    ]


def _common_views(clips: Sequence[LabelledClip]) -> list[LabelledClip]:
    """Keep the cameras that gave a frame in each of the clips: steps are told by what can be compared.

    Raises:
        ValueError: There is none.
    """
    cameras = clips[0].clip.cameras if clips else ()
    views = [view for view in range(len(cameras)) if all(bool(each.clip.present[0, :, view].any()) for each in clips)]
    if clips and not views:
        raise ValueError(f"none of the cameras {list(cameras)} gave a frame in every demonstration; fit.num_steps=null")
    names = tuple(cameras[view] for view in views)
    return [
        replace(each, clip=replace(each.clip, embedding=each.clip.embedding[:, :, views], cameras=names))
        for each in clips
    ]


def _lessons(
    clips: Sequence[LabelledClip], pictures: Sequence[Tensor], known: Sequence[int], text: Tensor | None
) -> tuple[Lessons, Tensor]:
    """Put all frames that a camera saw together, and mark those that are held out of the rehearsal."""
    held = [torch.full((len(each),), number == known[-1] and len(known) > 1) for number, each in enumerate(pictures)]
    if len(known) == 1:
        held[known[0]] = _held_blocks(_lesson_frames(clips[known[0]]))
    failed = [
        torch.full((len(each),), float(clip.success is False and bool(clip.target.isnan().all())))
        for clip, each in zip(clips, pictures, strict=True)
    ]
    together = torch.cat(list(pictures))
    lessons = Lessons(
        pictures=together,
        target=torch.cat([each.target for each in clips]),
        failed=torch.cat(failed),
        references=torch.stack(
            [
                _reference([pictures[number][:REFERENCE_FRAMES] for number in known]),
                _reference([pictures[number][-REFERENCE_FRAMES:] for number in known]),
            ]
        ),
        text=text,
    )
    seen = (~together.isnan().any(dim=-1)).any(dim=-1)
    return lessons.only(seen), torch.cat(held)[seen]


def _lesson_frames(clip: LabelledClip) -> Tensor:
    """Mark the frames that a camera saw and whose progress is known."""
    return clip.clip.present[0].any(dim=-1) & ~clip.target.isnan()


def _held_blocks(usable: Tensor) -> Tensor:
    """Mark every fourth of the blocks that the only recording's usable frames fall into."""
    count = int(usable.sum())
    blocks = min(BLOCKS, count)
    held = torch.zeros_like(usable)
    held[usable] = (torch.arange(count) * blocks // count) % HELD_BLOCK == 1
    return held


def _reference(ends: Sequence[Tensor]) -> Tensor:
    """Mean picture of each camera; 0 where it gave nothing."""
    return torch.cat(list(ends)).nanmean(dim=0).nan_to_num(0.0)


def _caution(reader: ProcessReader, held_out: LabelledClip) -> float:
    """Choose between reading all cameras together (0) and listening to the least advanced one, too (CAUTION).

    Caution is taken where it costs no more than `CAUTION_PRICE` times the error on the held-out recording: cameras that
    contradict each other cannot fool it. Of a single recording nobody can tell what a camera alone is worth in another
    scene: there is none.
    """
    if len(held_out.clip.cameras) == 1:
        return 0.0
    price = _reading_error(reader.with_caution(CAUTION), held_out) / _reading_error(reader, held_out)
    return CAUTION if float(price) <= CAUTION_PRICE else 0.0


def _reading_error(reader: ProcessReader, labelled: LabelledClip) -> Tensor:
    """Give the root mean square error of single frames; NaN where no frame can be read."""
    progress = mean_progress(reader.read(labelled.clip).probability[0])
    return (progress - labelled.target).square().nanmean().sqrt()


def _error(head: ProcessHead, test: Lessons) -> float:
    """Give the root mean square error on frames that were held out."""
    rows = torch.linspace(0, len(test.target) - 1, min(len(test.target), CHECKED_FRAMES)).round().long()
    test = test.only(rows)
    seen = ~test.pictures.isnan().any(dim=-1)
    pictures = torch.where(seen[..., None], test.pictures, 0.0)
    members = head.bias.shape[0]
    with torch.no_grad():
        logits = head(
            pictures.expand(members, *pictures.shape),
            seen.float().expand(members, *seen.shape),
            test.references,
            test.text,
        )
    progress = mean_progress(logits.double().softmax(dim=-1).mean(dim=0))
    return float((progress - test.target).square().mean().sqrt())
