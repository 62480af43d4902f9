"""What the figures mean in plain words, against stated thresholds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robo_reward.evaluation.controls import DROPPED
from robo_reward.evaluation.task_evaluation import ControlSummary, TaskEvaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where a figure passes.

    Raises:
        ValueError: A threshold outside [0, 1].
    """

    voc: float = 0.8
    """Least VOC on the recorded episodes."""
    still: float = 0.1
    """Largest |VOC| where nothing happens (static and blank)."""
    reversed: float = 0.5
    """Backwards, VOC must be at most the negative of this."""
    shuffled: float = 0.2
    """Largest |VOC| of frames in random order."""
    wrong_instruction: float = 0.5
    """Largest share of the true VOC that another task's model may show."""
    auroc: float = 0.9
    """Least separation of successes from failures."""
    blind_progress: float = 0.5
    """Largest mean progress that may be claimed of black pictures."""
    dropped_shift: float = 0.2
    """Farthest that progress may move, on average, when one camera is lost."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"threshold {name} must be in [0, 1], got {getattr(self, name):g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One figure of one task and whether it passes."""

    name: str
    value: float
    """NaN = not defined."""
    passed: bool | None
    """None = it cannot be judged."""
    rule: str
    """When it passes."""
    reading: str
    """What it tells, for someone who has not read the paper."""
    note: str = ""
    """Beside the value: counts, intervals."""


def verdicts(task: TaskEvaluation, *, thresholds: Thresholds) -> Sequence[Verdict]:
    """Read the headline figures and every control of a task, the most important first."""
    low, high = task.success_auroc_interval
    over = {"successes": f"{task.successes} successes", "all": f"{task.episodes} episodes, outcome unknown"}
    return [
        Verdict(
            name="VOC",
            value=task.voc,
            passed=_judge(task.voc, task.voc >= thresholds.voc),
            rule=f"≥ {thresholds.voc:g}",
            reading="Does progress rise while the task is being done? 1 = always, 0 = no order.",
            note=over[task.voc_over],
        ),
        _separation(task, low, high, thresholds),
        *_order_verdicts(task, thresholds),
        *_camera_verdicts(task, thresholds),
    ]


def _separation(task: TaskEvaluation, low: float, high: float, thresholds: Thresholds) -> Verdict:
    counts = f"{task.successes} against {task.failures}"
    interval = "" if math.isnan(low) else f"; 95 %: {low:.2f}–{high:.2f}"
    return Verdict(
        name="Success AUROC",
        value=task.success_auroc,
        passed=_judge(task.success_auroc, task.success_auroc >= thresholds.auroc),
        rule=f"≥ {thresholds.auroc:g}",
        reading="How often does a success end with more progress than a failure? ½ = no better than a coin.",
        note=counts + interval,
    )


def _order_verdicts(task: TaskEvaluation, thresholds: Thresholds) -> Sequence[Verdict]:
    controls, still = task.controls, thresholds.still
    share = thresholds.wrong_instruction * task.voc
    return [
        _control(
            "Static, with camera noise",
            controls["static"],
            passed=abs(task.voc_static) <= still,
            rule=f"|VOC| ≤ {still:g}",
            reading="Nothing happens. A model that scores here counts frames instead of looking.",
            note=f"mean |VOC| {task.voc_static_magnitude:.2f}",
        ),
        _control(
            "Static, exactly repeated",
            controls["static_exact"],
            passed=controls["static_exact"].voc_magnitude <= still,
            rule=f"mean |VOC| ≤ {still:g}",
            reading="The first frame for the whole length: the same picture must keep the same progress.",
            note=f"{controls['static_exact'].degenerate:.0%} without any order",
        ),
        _control(
            "Reversed",
            controls["reversed"],
            passed=task.voc_reversed <= -thresholds.reversed,
            rule=f"VOC ≤ −{thresholds.reversed:g}",
            reading="Backwards, the task is undone: progress must fall.",
        ),
        _control(
            "Shuffled",
            controls["shuffled"],
            passed=abs(task.voc_shuffled) <= thresholds.shuffled,
            rule=f"|VOC| ≤ {thresholds.shuffled:g}",
            reading="In random order there is no progress to be seen.",
        ),
        _control(
            "Wrong instruction",
            controls["wrong_instruction"],
            passed=_judge(task.voc, task.voc_wrong_instruction <= share) is True,
            rule=f"VOC ≤ {thresholds.wrong_instruction:g} of the true one",
            reading="Models of the other tasks look at these episodes: it is no progress towards what they were asked.",
        ),
    ]


def _camera_verdicts(task: TaskEvaluation, thresholds: Thresholds) -> Sequence[Verdict]:
    blank = task.controls.get("blank")
    dropped = {name: control for name, control in task.controls.items() if name.startswith(DROPPED)}
    black = () if blank is None else (_blank(blank, thresholds),)
    return [
        *black,
        *(
            _control(
                f"Without camera {name.removeprefix(DROPPED).rsplit('.', 1)[-1]}",
                control,
                passed=control.abstained >= 0.5 or control.shift <= thresholds.dropped_shift,
                rule=f"abstains, or progress moves ≤ {thresholds.dropped_shift:g}",
                reading="One camera is lost: the model must say that it cannot tell, or carry on with the others.",
                note=_blind_note(control),
            )
            for name, control in dropped.items()
        ),
    ]


def _blank(control: ControlSummary, thresholds: Thresholds) -> Verdict:
    claims_nothing = control.voc_magnitude <= thresholds.still and control.progress <= thresholds.blind_progress
    return _control(
        "Black cameras",
        control,
        passed=control.abstained >= 0.5 or claims_nothing,
        rule=f"abstains, or progress ≤ {thresholds.blind_progress:g} without order",
        reading="Nothing can be seen, so nothing may be claimed.",
        note=_blind_note(control) + f", progress {control.progress:.2f}",
    )


def _control(name: str, control: ControlSummary, *, passed: bool, rule: str, reading: str, note: str = "") -> Verdict:
    judged = passed if control.episodes else None
    return Verdict(name=name, value=control.voc, passed=judged, rule=rule, reading=reading, note=note)


def _blind_note(control: ControlSummary) -> str:
    return f"abstains {control.abstained:.0%}, moves {control.shift:.2f}"


def _judge(value: float, passed: bool) -> bool | None:
    return None if math.isnan(value) else passed
