"""Which errors are the user's to mend, and what to say then; all others keep their traceback."""

from hydra.errors import HydraException, InstantiationException
from omegaconf.errors import OmegaConfBaseException

from robo_reward.errors import RoboRewardError

USER_ERRORS = (
    RoboRewardError,
    HydraException,
    OmegaConfBaseException,
    ValueError,
    FileNotFoundError,
    ModuleNotFoundError,
)

EXTRAS = {
    "metaworld": "sim",
    "mujoco": "sim",
    "gymnasium": "rl",
    "robo_reward_sim": "sim",
    "stable_baselines3": "rl",
    "tensorboard": "rl",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "transformers": "vlm",
    "rosbags": "bags",
    "rerun": "rerun",
}
"""Module to the extra that brings it."""


def failure_text(error: BaseException) -> str | None:
    """Give the message for the user, or None for an error that is the program's own."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        inner = failure_text(error.__cause__)
        return inner if inner is None else f"{inner} (in the configuration under {_full_key(error)})"
    if isinstance(error, ModuleNotFoundError):
        return _with_extra(error)
    return str(error).strip() if isinstance(error, USER_ERRORS) else None


def _with_extra(error: ModuleNotFoundError) -> str:
    """Say what to install, unless the error says so itself."""
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    told = str(error)
    return told if extra is None or "pip install" in told else f"{told}: pip install 'robo-reward[{extra}]'"


def _full_key(error: InstantiationException) -> str:
    last = str(error).strip().splitlines()[-1]
    return last.removeprefix("full_key: ") if last.startswith("full_key: ") else "the top level"
