"""The console script `robo-reward`: one verb, then hydra overrides."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

VERBS: Mapping[str, str] = {
    "demo": "record simulated tasks, put rewards into them, evaluate, report; needs no data and no download",
    "record": "record simulated tasks with scripted experts, successes and failures, into a LeRobot v3 data set",
    "fit": "learn reward models from demonstrations, one for each task, and keep them in a folder",
    "relabel": "write a copy of a data set with progress, spread, potential and reward of every frame",
    "plan": "key points and way points of a task on calibrated cameras: asked of a vision-language model, or clicked",
    "evaluate": "judge the rewards of a relabelled data set: value order, controls, success separation, report",
    "train": "learn a policy from what cameras see: checkpoints, videos; goes on exactly where it stopped",
    "study": "many trainings that answer one question: resumable run by run, tables and plots of the results",
    "calibrate": "measure cameras with a printed board: board|intrinsics|hand-eye|rig, and verify that none has moved",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb that the arguments name; 0 = well, 2 = the user can mend it, 130 = stopped with Ctrl-C."""
    try:
        return _main(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        sys.stderr.write("stopped; nothing unfinished carries the output's name, the same command continues\n")
        return 130


def _main(given: Sequence[str]) -> int:
    # imports take seconds and belong to what Ctrl-C stops
    from rich.console import Console  # noqa: PLC0415

    from robo_reward.cli.configuration import help_text  # noqa: PLC0415

    out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)
    if not given or given[0] in ("-h", "--help"):
        out.print(_usage(), markup=False)
        return 0
    if given[0] == "--version":
        out.print(version("robo-reward"))
        return 0
    verb, overrides = given[0], given[1:]
    if verb not in VERBS:
        err.print(f"error: unknown verb '{verb}'; there are {', '.join(VERBS)}", markup=False)
        return 2
    if {"-h", "--help"} & set(overrides):
        named = next((word for word in overrides if not word.startswith("-") and "=" not in word), None)
        out.print(help_text(verb, VERBS[verb], named), markup=False)
        return 0
    return _run(verb, overrides, err)


def _run(verb: str, overrides: Sequence[str], err: "Console") -> int:
    from robo_reward.cli.configuration import compose_verb  # noqa: PLC0415
    from robo_reward.cli.failure import USER_ERRORS, failure_text  # noqa: PLC0415

    run: Callable[..., None] = import_module(f"robo_reward.cli.{verb}").run
    try:
        run(compose_verb(verb, overrides))
    except USER_ERRORS as error:
        text = failure_text(error)
        if text is None:
            raise
        err.print(f"error: {text}", markup=False)
        return 2
    return 0


def _usage() -> str:
    verbs = "\n".join(f"  {verb:10} {what}" for verb, what in VERBS.items())
    return (
        "usage: robo-reward VERB [key=value …]\n\nCameras in, a trustworthy reward out.\n\n"
        f"{verbs}\n\n`robo-reward VERB --help` shows every key with its default, and the choices of each group."
    )


if __name__ == "__main__":
    sys.exit(main())
