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


def failure_text(error: BaseException) -> str | None:
    """Give the message for the user, or None for an error that is the program's own."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        inner = failure_text(error.__cause__)
        return inner if inner is None else f"{inner} (in the configuration under {_full_key(error)})"
    if isinstance(error, ModuleNotFoundError):
        return f"{error}; it comes with an extra: pip install 'robo-reward[sim]', [onnx] or [openvino]"
    return str(error).strip() if isinstance(error, USER_ERRORS) else None


def _full_key(error: InstantiationException) -> str:
    last = str(error).strip().splitlines()[-1]
    return last.removeprefix("full_key: ") if last.startswith("full_key: ") else "the top level"
