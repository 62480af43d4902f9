"""Process rewards: how far along its task a frame of any number of cameras is, from one demonstration or more."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, final

import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.models.hop_integration import HopReadings, Integration, integrate
from robo_reward.models.process_fit import FittedProcess, fit_process
from robo_reward.models.process_fit_settings import FitSettings
from robo_reward.models.process_reader import FrameReadings, ProcessReader, hops_between, mean_progress
from robo_reward.models.process_training import bin_centres
from robo_reward.models.progress_filter import FilterMemory, FilterSettings, ProgressFilter
from robo_reward.perception.encoder import EmbeddedClip, Encoder, ImageEncoder, embed_clip
from robo_reward.perception.fitting import LabelledClip, OnEpoch, silently
from robo_reward.reward_model import Estimate

SMALLEST_RESIDUAL = 0.05
"""No fit is trusted further than this: another day, another table."""


@final
class ProcessReward:
    """Reads a frame's place in the task from all its cameras, and follows it through time.

    Args:
        encoder: What the model looks through.
        instruction: The task in words, for encoders that read text; None = the head is told by pictures alone.
        integration: `filter`, or one of the published ones over relative hops (see `integrate`).
        filter: Settings of the filter, see `FilterSettings`.
        fit: Settings of the fit, see `FitSettings`.
        cameras: Names that the weights were fitted to, in their order; None before a fit.
        duration: Mean duration of the demonstrations [s]; None before a fit.
        residual: Error of progress that does not show in the belief, one standard deviation; None before a fit.
        weights: From `ProcessReward.weights`.

    Raises:
        ValueError: An unknown integration, or weights without cameras, duration and residual.

    Source:
        Tan et al. 2025 (Robo-Dopamine, 2512.23703) for hops and integrations; filter and head are this project's.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        *,
        instruction: str | None = None,
        integration: Integration | Literal["filter"] = "filter",
        filter: Mapping[str, float] | None = None,
        fit: Mapping[str, float | int | None] | None = None,
        cameras: Sequence[str] | None = None,
        duration: float | None = None,
        residual: float | None = None,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        known = ("filter", "incremental", "forward", "backward", "mean", "consistent")
        if integration not in known:
            raise ValueError(f"integration must be one of {', '.join(known)}; got '{integration}'")
        self._encoder, self._instruction, self._integration = encoder, instruction, integration
        self._filter_settings = FilterSettings(**dict(filter or {}))
        self._fit_settings = FitSettings(**dict(fit or {}))  # pyright: ignore[reportArgumentType]
        self._fitted: _Fitted | None = None
        if weights:
            if cameras is None or duration is None or residual is None:
                raise ValueError("weights need the cameras, duration and residual that were saved with them")
            reader = ProcessReader.from_weights(weights, cameras=tuple(cameras))
            self._fitted = _Fitted(reader=reader, duration=duration, residual=residual)

    @property
    def encoder(self) -> ImageEncoder:
        """What the model looks through."""
        return self._encoder

    @property
    def context(self) -> None:
        """All frames since the episode began, by way of its memory."""
        return None

    @property
    def reader(self) -> ProcessReader:
        """What says of single frames; a source of relative hops.

        Raises:
            ValueError: The model was not fitted.
        """
        return self._known.reader

    @property
    def _known(self) -> "_Fitted":
        if self._fitted is None:
            raise ValueError("this process reward was not fitted: give it at least one demonstration of the task")
        return self._fitted

    @property
    def settings(self) -> dict[str, object]:
        """The constructor's arguments beside encoder and weights, as plain data."""
        fitted = self._fitted
        return {
            "instruction": self._instruction,
            "integration": self._integration,
            "filter": asdict(self._filter_settings),
            "fit": asdict(self._fit_settings),
            "cameras": None if fitted is None else list(fitted.reader.cameras),
            "duration": None if fitted is None else fitted.duration,
            "residual": None if fitted is None else fitted.residual,
        }

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Compression, ensemble and references; empty before a fit."""
        return {} if self._fitted is None else self._fitted.reader.weights

    @property
    def version(self) -> str:
        """Identifies encoder, settings and weights."""
        learnt = None if self._fitted is None else self._fitted.reader.version
        text = json.dumps([type(self).__name__, self._encoder.version, self.settings, learnt], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def estimate(self, clip: Clip) -> Estimate:
        """Estimate the progress of every frame of the clip."""
        return self.estimate_embedded(embed_clip(self._encoder, clip))

    def estimate_embedded(self, clip: EmbeddedClip) -> Estimate:
        """Estimate the progress of every frame from its embeddings; the clip begins an episode.

        Raises:
            ValueError: The model was not fitted, or a camera that it was not fitted to.
        """
        return self.resume(clip, None)[0]

    def resume(self, seen: EmbeddedClip, memory: "ProcessMemory | None") -> tuple[Estimate, "ProcessMemory"]:
        """Estimate the next frames of an episode; see `RecurrentRewardModel`."""
        readings = self.reader.read(seen)
        if self._integration == "filter":
            return self._filtered(readings, seen.stamp, memory)
        return self._integrated(readings, memory)

    def fitted_to(self, clips: Sequence[LabelledClip], *, on_epoch: OnEpoch = silently) -> "ProcessReward":
        """Give the model fitted to episodes of its task: successes and labelled ones teach, failures warn.

        Raises:
            ValueError: No clip, clips that disagree on cameras, no success or label among them.
        """
        text = None
        if self._instruction is not None and isinstance(self._encoder, Encoder):
            text = self._encoder.encode_text([self._instruction])[0]
        fitted = fit_process(clips, self._fit_settings, text=text, on_epoch=on_epoch)
        return self._with(fitted.reader, fitted.duration, self._measured(fitted))

    def _measured(self, fitted: FittedProcess) -> float:
        """Measure the error of progress on the recording that was held out, through filter and all."""
        if fitted.held_out is None:
            return max(fitted.held_out_error, SMALLEST_RESIDUAL)
        rehearsal = self._with(fitted.rehearsal, fitted.duration, SMALLEST_RESIDUAL)
        error = rehearsal.estimate_embedded(fitted.held_out.clip).progress[0] - fitted.held_out.target
        return max(float(error.square().nanmean().sqrt()), SMALLEST_RESIDUAL)

    def _with(self, reader: ProcessReader, duration: float, residual: float) -> "ProcessReward":
        settings = self.settings | {"cameras": list(reader.cameras), "duration": duration, "residual": residual}
        return ProcessReward(self._encoder, **settings, weights=reader.weights)  # pyright: ignore[reportArgumentType]

    def _filtered(
        self, readings: FrameReadings, stamp: Tensor, memory: "ProcessMemory | None"
    ) -> tuple[Estimate, "ProcessMemory"]:
        unrest = self.reader.unrest * self._filter_settings.stillness
        follow = ProgressFilter(self._filter_settings, duration=self._known.duration, unrest=unrest)
        state = None if memory is None else memory.filter
        beliefs = []
        for t in range(stamp.shape[1]):
            state = follow.step(
                state,
                probability=readings.probability[:, t],
                pictures=readings.pictures[:, t],
                stamp=stamp[:, t],
            )
            beliefs.append(state.belief)
        belief = torch.stack(beliefs, dim=1)
        progress = mean_progress(belief)
        variance = (belief * (bin_centres() - progress[..., None]).square()).sum(dim=-1)
        return self._estimate(progress, variance, readings), ProcessMemory(filter=state)

    def _integrated(self, readings: FrameReadings, memory: "ProcessMemory | None") -> tuple[Estimate, "ProcessMemory"]:
        """Integrate hops from frame to frame; a frame that no camera saw is stepped over."""
        last = None if memory is None else memory.probability
        known = None if memory is None else memory.progress
        progress = []
        for probability in readings.probability.unbind(dim=1):
            now = self._hopped(probability, last, known)
            progress.append(now)
            blind = now.isnan()
            known = now if known is None else torch.where(blind, known, now)
            last = probability if last is None else torch.where(blind[:, None], last, probability)
        together = torch.stack(progress, dim=1)
        middle = mean_progress(readings.probability)
        variance = (readings.probability * (bin_centres() - middle[..., None]).square()).sum(dim=-1)
        return self._estimate(together, variance, readings), ProcessMemory(probability=last, progress=known)

    def _hopped(
        self,
        probability: Float64[Tensor, "batch bin"],
        last: Float64[Tensor, "batch bin"] | None,
        known: Float64[Tensor, " batch"] | None,
    ) -> Float64[Tensor, " batch"]:
        """Give the integrated progress of one frame; the first one's hop is from the start of the task."""
        forward = mean_progress(probability)[:, None]
        first = torch.zeros_like(probability)
        first[:, 0] = 1
        before = first if last is None else torch.where(last.isnan(), first, last)
        begin = torch.zeros_like(forward[:, 0]) if known is None else known.nan_to_num(0.0)
        hop = hops_between(before[:, None], probability[:, None]).value
        readings = HopReadings(incremental=hop, forward=forward, backward=forward - 1)
        return integrate(readings, self._integration, begin=begin)[:, 0]  # pyright: ignore[reportArgumentType]

    def _estimate(self, progress: Tensor, variance: Tensor, readings: FrameReadings) -> Estimate:
        blind = readings.probability[..., 0].isnan()
        spread = (variance + self._known.residual**2).sqrt()
        return Estimate(
            progress=torch.where(blind, torch.nan, progress.clamp(0, 1)).float(),
            spread=torch.where(blind, torch.nan, spread).float(),
        )


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ProcessMemory:
    """What the model carries along an episode."""

    filter: FilterMemory | None = None
    probability: Float64[Tensor, "batch bin"] | None = None
    """Of the last frame that any camera saw."""
    progress: Float64[Tensor, " batch"] | None = None
    """The last known."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Fitted:
    """What a fit adds to the settings."""

    reader: ProcessReader
    duration: float
    residual: float
