"""Where the YAML files lie, how a verb's configuration is composed, and what `--help` shows of it."""

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

import robo_reward
from robo_reward.cli.key_comments import with_comments
from robo_reward.training.fit import MODELS

_STEPPED = ("calibrate", "study")
"""Verbs that are made of steps."""


def config_folder() -> Path:
    """Find `configs/`: inside an installed package, beside the package in a checkout."""
    package = Path(robo_reward.__file__).resolve().parent
    candidates = (package / "configs", package.parent / "configs")
    for folder in candidates:
        if (folder / "relabel.yaml").is_file():
            return folder
    raise FileNotFoundError(f"configs/ is neither at {candidates[0]} nor at {candidates[1]}: reinstall robo-reward")


def compose_verb(verb: str, overrides: Sequence[str]) -> DictConfig:
    """Compose `configs/<verb>.yaml` with the overrides of the command line.

    Raises:
        HydraException: An override that names no key or choice; its message says which there are.
        ValueError: An encoder for saved models, which have their own.
    """
    given = [part for override in _with_step(verb, overrides) for part in _named_file(override)]
    if "reward_model=saved" in given:
        _check_encoder(given)
        given = _opened("reward_model.encoder.", given)
    if verb == "evaluate":
        given = _opened("encoder.", given)
    with initialize_config_dir(config_dir=str(config_folder()), version_base="1.3"):
        return compose(config_name=verb, overrides=given)


def steps_of(verb: str) -> list[str]:
    """Give the steps that a verb is made of; of most verbs none."""
    return sorted(file.stem for file in (config_folder() / verb).glob("*.yaml")) if verb in _STEPPED else []


def _with_step(verb: str, overrides: Sequence[str]) -> list[str]:
    """Let `robo-reward VERB STEP …` name the step: it is a choice of the group of the verb's own name."""
    steps = steps_of(verb)
    if not overrides or "=" in overrides[0] or not steps:
        return list(overrides)
    if overrides[0] not in steps:
        raise ValueError(f"{verb} has no step '{overrides[0]}'; there are {', '.join(steps)}")
    return [f"{verb}={overrides[0]}", *overrides[1:]]


def _named_file(override: str) -> list[str]:
    """Let `reward_model=FOLDER` name what was fitted, `board=FILE` a board, `task=SUITE/NAME` one task of a suite."""
    key, _, value = override.partition("=")
    if key == "reward_model" and ("/" in value or (Path(value) / MODELS).is_file()):
        return ["reward_model=saved", f"reward_model.path='{Path(value)}'"]
    if key == "board" and ("/" in value or Path(value).suffix == ".yaml"):
        return ["board=file", f"board.path='{Path(value)}'"]
    if key == "task" and "/" in value:
        return [f"task={value.partition('/')[0]}", f"task.name={value.partition('/')[2]}"]
    return [override]


def _opened(prefix: str, overrides: Sequence[str]) -> list[str]:
    """Let overrides change settings of a recorded encoder, which the YAML cannot list; who builds it checks them."""
    return [f"++{override}" if override.startswith(prefix) else override for override in overrides]


def _check_encoder(overrides: Sequence[str]) -> None:
    """Refuse what would change nothing: saved models look through the encoder that they were fitted with."""
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        if key == "encoder":
            raise ValueError(
                f"{override}: saved models look through the encoder that they were fitted with; "
                "fit anew to change it, or override its settings with reward_model.encoder.NAME=…"
            )
        if key.startswith("encoder."):
            raise ValueError(
                f"{override}: saved models look through the encoder that they were fitted with; "
                f"its settings are overridden with reward_model.{override.lstrip('+~')}"
            )


def help_text(verb: str, purpose: str, step: str | None = None) -> str:
    """Say what the verb (or a step of it) does, its keys with their defaults, and the choices of each group.

    Raises:
        HydraException: The verb has no such step.
    """
    folder = config_folder()
    groups = {
        group.name: sorted(file.stem for file in group.glob("*.yaml"))
        for group in sorted(folder.iterdir())
        if group.is_dir() and any(group.glob("*.yaml"))
    }
    main = (folder / f"{verb}.yaml").read_text()
    used = {name: choices for name, choices in groups.items() if f"- {name}:" in main or f"/{name}" in main}
    chosen = "\n".join(f"  {name}={'|'.join(choices)}" for name, choices in used.items())
    if steps_of(verb):
        chosen = "\n".join(line for line in chosen.splitlines() if not line.startswith(f"  {verb}="))
        return _help_of_steps(verb, purpose, step, f"choices:\n{chosen}")
    keys = with_comments(OmegaConf.to_yaml(compose_verb(verb, [])), folder, verb)
    return (
        f"robo-reward {verb}: {purpose}\n\nusage: robo-reward {verb} [key=value …]   (??? must be given)\n\n"
        f"choices:\n{chosen or '  none'}\n\nkeys:\n{keys}"
    )


def _help_of_steps(verb: str, purpose: str, step: str | None, choices: str) -> str:
    """Show the steps of a verb, or the file of one step as it is: its comments say what the keys mean."""
    files = {name: (config_folder() / verb / f"{name}.yaml").read_text() for name in steps_of(verb)}
    if step is None:
        told = "\n".join(f"  {name:11} {text.splitlines()[1].lstrip('# ')}" for name, text in files.items())
        return (
            f"robo-reward {verb}: {purpose}\n\nusage: robo-reward {verb} STEP [key=value …]\n\nsteps:\n{told}\n\n"
            f"{choices}\n\n`robo-reward {verb} STEP --help` shows every key of a step; each has an output: of its own."
        )
    compose_verb(verb, [step])
    lines = files[step].splitlines()
    keys = "\n".join(line for line in lines[2:] if not line.startswith("_target_"))
    return (
        f"robo-reward {verb} {step}: {lines[1].lstrip('# ')}\n\n"
        f"usage: robo-reward {verb} {step} [key=value …]   (??? must be given)\n\n{choices}\n\nkeys:\n{keys}"
    )
