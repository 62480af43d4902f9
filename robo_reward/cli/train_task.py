"""The task of a training as it is configured: its environments, its cameras, and where demonstrations come from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from robo_reward.rl.environments import Environments


@runtime_checkable
class Recording(Protocol):
    """Plays scripted demonstrations of the task; see `robo-reward record`."""

    def record_demonstrations(self, folder: Path) -> Path:
        """Write the demonstrations as a data set."""
        ...


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class TrainingTask:
    """What is to be learnt.

    Raises:
        ValueError: An entry point that is not `module:function`.
    """

    env: str | Callable[[], Any]
    """Makes one `gymnasium.Env`, by an entry point `module:function` or a function."""
    name: str | None = None
    """Which of several tasks, where `env` knows some."""
    instruction: str | None = None
    """The task in words, by which its reward model is found; None = what the environment says."""
    cameras: Sequence[str] = ()
    """Cameras that the reward model looks through; none where the environment puts pictures into `info` itself."""
    camera_prefix: str = ""
    """Before each camera's name in recordings, and so in reward models that were fitted to them."""
    step_duration: float | None = None
    """Time between two actions [s]; None = what the environment says."""
    parallel: bool = False
    """A process for each environment."""
    only_one: bool = False
    """There is one environment, such as a robot: the policy is judged in the one that it learns in."""
    record: Recording | None = None
    """Demonstrations that a reward model is fitted to; None = there are none."""

    def __post_init__(self) -> None:
        if isinstance(self.env, str) and not all(self.env.partition(":")):
            raise ValueError(f"task.env must be an entry point module:function, got '{self.env}'")

    def environments(self) -> Environments:
        """Give what makes the environments."""
        return Environments(
            make=_entry_point(self.env) if isinstance(self.env, str) else self.env,
            cameras=tuple(self.cameras),
            camera_prefix=self.camera_prefix,
            step_duration=self.step_duration,
            parallel=self.parallel,
            only_one=self.only_one,
        )

    def in_words(self) -> str:
        """Give the task in words; asks an environment where the configuration does not say.

        Raises:
            ValueError: Neither says.
        """
        if self.instruction is not None:
            return self.instruction
        env = self.environments().single(seen=False)
        said = getattr(env.unwrapped, "instruction", None)
        env.close()
        if not said:
            raise ValueError("the environment has no `instruction`: give task.instruction='what is to be done'")
        return str(said)


def _entry_point(text: str) -> Callable[[], Any]:
    module, _, name = text.partition(":")
    return getattr(import_module(module), name)
