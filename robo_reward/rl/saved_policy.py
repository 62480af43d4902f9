"""Policies out of the files that learners save, to act with: whatever algorithm learnt them."""

from pathlib import Path
from zipfile import BadZipFile

from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.save_util import load_from_zip_file


def load_saved_policy(file: Path) -> BasePolicy:
    """Load the policy of a learner that Stable-Baselines3 saved, such as `best_policy.zip` of a training.

    Such a file can hold any code: load only those that you trust.

    Args:
        file: A zip that `BaseAlgorithm.save` wrote.

    Returns:
        The policy, on the CPU; `predict(observation, deterministic=True)` gives its action.

    Raises:
        ValueError: No such file, or one that no learner saved.
    """
    if not file.is_file():
        raise ValueError(f"{file}: there is no such policy")
    try:
        data, parameters, _ = load_from_zip_file(file, device="cpu")
    except (ValueError, BadZipFile) as error:
        raise ValueError(f"{file} is no policy that a learner saved: {error}") from error
    needed = ("policy_class", "observation_space", "action_space", "policy_kwargs")
    if data is None or any(name not in data for name in needed) or "policy" not in parameters:
        raise ValueError(f"{file} is no policy that a learner saved: it lacks {', '.join(needed)} or weights")
    kind = data["policy_class"]
    policy = kind(data["observation_space"], data["action_space"], lambda _: 0.0, **data["policy_kwargs"])
    policy.load_state_dict(parameters["policy"])
    policy.set_training_mode(False)
    return policy
