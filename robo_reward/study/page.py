"""The page of a study: its tables and plots are made from results alone, its words are people's."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from robo_reward.durable import atomic_file
from robo_reward.errors import DataSetError
from robo_reward.study.plots import MOST_CONDITIONS, draw_curves
from robo_reward.study.result import StudyResult
from robo_reward.study.statistics import ConditionFigures, condition_figures
from robo_reward.study.tables import claims_table, conditions_table, progress_line

Conditions = Mapping[str, Mapping[str, ConditionFigures]]
"""Task to condition to its figures."""

_APART = ", "
_MARK = r"(<!-- {name} -->\n).*?(<!-- end -->)"


def write_page(results: Sequence[StudyResult], *, parts: Mapping[str, Sequence[str]], page: Path, images: Path) -> None:
    """Write what stands between `<!-- NAME -->` and `<!-- end -->` anew, and the plots beside it.

    NAME is `progress` (how much of the study is done), `claims` (on which tasks its claims hold), or a part's name (a
    plot and a table). What is not done yet is said; a part without results says so.

    Args:
        results: Of all finished runs.
        parts: Name to names of the runs that are planned.
        page: Markdown.
        images: Folder of plots.

    Raises:
        DataSetError: The page lacks the marks of a part.
        OutputError: It cannot be written.
    """
    text = page.read_text()
    text = _replaced(text, "progress", progress_line(results, parts), page)
    for part, names in parts.items():
        figures = figures_of(results, names)
        text = _replaced(text, part, _part(part, figures, images=images, page=page), page)
        if part == "comparison":
            text = _replaced(text, "claims", claims_table(figures), page)
    with atomic_file(page) as temporary:
        temporary.write_text(text)


def figures_of(results: Sequence[StudyResult], names: Sequence[str]) -> Conditions:
    """Give the figures of each condition that runs of these names belong to, as far as they are there."""
    wanted = set(names)
    groups: dict[str, dict[str, list[StudyResult]]] = {}
    for result in sorted(
        (each for each in results if each.name in wanted), key=lambda each: list(names).index(each.name)
    ):
        groups.setdefault(result.task, {}).setdefault(label_of(result), []).append(result)
    return {
        task: {label: condition_figures(runs) for label, runs in conditions.items()}
        for task, conditions in groups.items()
    }


def label_of(result: StudyResult) -> str:
    """Say in words what condition a run is of."""
    return _APART.join(part for part in (result.reward, result.model, result.variant) if part)


def panels_of(figures: Conditions) -> tuple[Conditions, int]:
    """Give what is drawn into each panel, and how many panels stand beside each other.

    A panel a task; where that has more conditions than there are colours, a panel a task and model, with the rewards
    that this model was asked for and those that no model was.
    """
    if len({label for labelled in figures.values() for label in labelled}) <= MOST_CONDITIONS:
        return figures, 3
    panels: dict[str, dict[str, ConditionFigures]] = {}
    models: dict[str, None] = {}
    for task, labelled in figures.items():
        told = {label: label.partition(_APART) for label in labelled}
        own = dict.fromkeys(model for _, _, model in told.values() if model)
        models |= own
        for model in own:
            panels[f"{task}, {model}"] = {
                reward: labelled[label] for label, (reward, _, of) in told.items() if of in ("", model)
            }
    return panels, len(models)


def _part(part: str, figures: Conditions, *, images: Path, page: Path) -> str:
    if not figures:
        return "No run of this part is done yet.\n"
    panels, columns = panels_of(figures)
    plot = draw_curves(images / f"{part}.png", panels, columns=columns)
    shown = plot.resolve().relative_to(page.resolve().parent)
    return f"![Success over environment steps, {part}]({shown})\n\n{conditions_table(figures)}"


def _replaced(text: str, name: str, block: str, page: Path) -> str:
    pattern = re.compile(_MARK.format(name=re.escape(name)), re.DOTALL)
    if not pattern.search(text):
        raise DataSetError(
            f"{page} has no place for '{name}': put <!-- {name} --> and <!-- end --> on lines of their own"
        )
    return pattern.sub(lambda found: f"{found[1]}{block}{found[2]}", text)
