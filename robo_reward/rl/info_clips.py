"""From the `info` of vectorised environments to the frame sets that a reward model looks at."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.clip import Clip
from robo_reward.rl.environment_info import FRAMES, PROGRESS, STAMP, STATE, Info

_NO_CAMERA = "none"


class InfoClips:
    """Makes clips of one frame set out of `info`; the first ones fix cameras, sizes and names of state.

    Args:
        truth: Hand the simulator's own progress to the model as state `progress`, for `StateProgress` alone; pictures
            and stamps may then be missing.
    """

    def __init__(self, *, truth: bool) -> None:
        self._truth = truth
        self._sizes: dict[str, tuple[int, int]] = {}
        self._state: dict[str, int] = {}

    def clip(self, infos: Info, rows: Sequence[int], *, elapsed: Float64[np.ndarray, " row"]) -> Clip:
        """Give the frame set of each of these environments, as one batch.

        Args:
            infos: Of a reset or step.
            rows: Which environments.
            elapsed: Steps since each one's episode began: the stamp where only the truth is asked.

        Raises:
            ValueError: No pictures or stamps, or pictures, cameras or states other than those that came first.
        """
        chosen = list(rows)
        frames = infos.get(FRAMES, {})
        self._learn(infos)
        views, present = {}, []
        for name, (height, width) in self._sizes.items():
            given = frames.get(name)
            seen = np.asarray(frames.get(f"_{name}", np.zeros(0, np.bool_)))
            there = np.zeros(len(chosen), np.bool_) if given is None else seen[chosen]
            pictures = np.zeros((len(chosen), 3, height, width), np.uint8) if given is None else given[chosen]
            views[name] = torch.from_numpy(np.ascontiguousarray(pictures))[:, None]
            present.append(torch.from_numpy(there))
        return Clip(
            views=views,
            present=torch.stack(present, dim=-1)[:, None],
            stamp=self._stamps(infos, chosen, elapsed)[:, None],
            state=self._felt(infos, chosen),
        )

    def _learn(self, infos: Info) -> None:
        names = [name for name in infos.get(FRAMES, {}) if not name.startswith("_")]
        if not self._sizes:
            if not names and not self._truth:
                raise ValueError(
                    f"info has no '{FRAMES}': wrap each environment in CameraInfo, or let it give pictures"
                )
            pictures = infos.get(FRAMES, {})
            self._sizes = {name: pictures[name].shape[-2:] for name in names} or {_NO_CAMERA: (1, 1)}
        elif unknown := sorted(set(names) - set(self._sizes)):
            raise ValueError(f"the first frame sets were of cameras {list(self._sizes)}, these are of {unknown} too")
        if not self._state:
            told = infos.get(STATE, {})
            self._state = {name: told[name].shape[-1] for name in told if not name.startswith("_")}

    def _stamps(self, infos: Info, rows: list[int], elapsed: Float64[np.ndarray, " row"]) -> Float64[Tensor, " row"]:
        if STAMP in infos and infos[f"_{STAMP}"][rows].all():
            return torch.from_numpy(infos[STAMP][rows].astype(np.float64))
        if not self._truth:
            raise ValueError(f"info has no '{STAMP}' [s] beside its pictures: wrap each environment in CameraInfo")
        return torch.from_numpy(elapsed.astype(np.float64))

    def _felt(self, infos: Info, rows: list[int]) -> dict[str, Float64[Tensor, "row 1 _size"]]:
        told = infos.get(STATE, {})
        felt = {}
        for name, size in self._state.items():
            numbers = np.full((len(rows), size), np.nan)
            if name in told:
                there = told[f"_{name}"][rows]
                numbers[there] = told[name][rows][there]
            felt[name] = torch.from_numpy(numbers)[:, None]
        if self._truth:
            if PROGRESS not in infos:
                raise ValueError(f"info has no '{PROGRESS}': this environment does not tell the truth about it")
            felt[PROGRESS] = torch.from_numpy(infos[PROGRESS][rows].astype(np.float64))[:, None, None]
        return felt
