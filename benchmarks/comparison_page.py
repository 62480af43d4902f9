"""The page and the picture of the comparison, from its JSON alone."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from comparison_models import Contender, contenders
from matplotlib.figure import Figure

BETTER_BY = 0.0005
"""Differences below this are none: figures are shown with three decimals."""

Cells = Sequence[Mapping[str, Any]]


class Table:
    """Figures of each model on one suite.

    Args:
        cells: Of the suite.
        columns: Heading to the figure of a model's cells.
        judged: Headings by which a model is held against ridge and LPIPS; True = larger is better.
    """

    def __init__(
        self, cells: Cells, columns: Mapping[str, Callable[[Cells], str | float | None]], judged: Mapping[str, bool]
    ) -> None:
        self._columns, self._judged = columns, judged
        own = {each.name: [cell for cell in cells if cell["model"] == each.name] for each in contenders()}
        self._refused = {name: [cell["fold"] for cell in found if "refused" in cell] for name, found in own.items()}
        own = {name: [cell for cell in found if "scores" in cell] for name, found in own.items()}
        self.rows = [each for each in contenders() if own[each.name]]
        self.values = {each.name: {name: of(own[each.name]) for name, of in columns.items()} for each in self.rows}

    def markdown(self) -> list[str]:
        """Give the table."""
        lines = ["| | " + " | ".join(self._columns) + " |", "|---" * (len(self._columns) + 1) + "|"]
        for each in self.rows:
            figures = [_shown(value) for value in self.values[each.name].values()]
            lines.append(f"| {_linked(each)} | " + " | ".join(figures) + " |")
        return lines

    def verdicts(self) -> list[str]:
        """Say which model does not beat the baselines, and in what."""
        rivals = [each.name for each in self.rows if each.name in ("ridge", "lpips")]
        lines = []
        for each in contenders():
            if self._refused[each.name]:
                lines.append(f"- **{each.label}** refuses to learn: {', '.join(self._refused[each.name])}.")
        for each in self.rows if rivals else []:
            lost = [name for name, larger in self._judged.items() if not self._beats(each.name, rivals, name, larger)]
            if not each.is_baseline and lost:
                what = "anything" if len(lost) == len(self._judged) else _listed(lost)
                lines.append(f"- **{each.label}** does not beat ridge and LPIPS in {what} (mean over the folds).")
        if not rivals:
            return [*lines, "Ridge and LPIPS were not measured."]
        return lines or ["Every model beats ridge and LPIPS in all of: " + ", ".join(self._judged) + "."]

    def _beats(self, name: str, rivals: Sequence[str], column: str, larger: bool) -> bool:
        sign = 1 if larger else -1
        own = self.values[name][column]
        others = [self.values[rival][column] for rival in rivals]
        return all(sign * (_number(own) - _number(other)) > BETTER_BY for other in others)


def write_page(report: Mapping[str, Any], page: Path, picture: Path) -> None:
    """Write both."""
    tables = {name: _table(name, report["cells"]) for name in ("robo_dopamine", "g1", "simulated")}
    text = (Path(__file__).parent / "comparison_page.md").read_text()
    for name, table in tables.items():
        body = "\n".join([*table.markdown(), "", *table.verdicts()]) if table.rows else "Not measured."
        text = text.replace(f"<!-- {name} -->", body)
    page.write_text(text.replace("<!-- machine -->", _machine(report["machine"])))
    _draw(tables, picture)


def _table(suite: str, cells: Cells) -> Table:
    own = [cell for cell in cells if cell["suite"] == suite]
    if suite == "simulated":
        return _simulated(own)
    return _table_clearing(own) if suite == "robo_dopamine" else _one_camera(own)


def _table_clearing(cells: Cells) -> Table:
    columns = {
        "VOC": _each(lambda s: s["views"]["all"]["voc"]),
        "VOC, high camera absent": _each(lambda s: s["views"].get("without cam_high", {}).get("voc")),
        "VOC, worse wrist camera absent": _each(
            lambda s: min(s["views"][f"without cam_{side}_wrist"]["voc"] for side in ("left", "right"))
        ),
        "error": _each(lambda s: s["views"]["all"]["error"]),
        "inside 90 %": _each(lambda s: s["views"]["all"]["inside"]),
        "VOC backwards": _each(lambda s: s["reversed"]),
        "VOC noisy still": _each(lambda s: s["still"]["noisy"]["voc"]),
        "still: last, highest": _each(lambda s: s["still"]["noisy"]["last"], lambda s: s["still"]["noisy"]["highest"]),
    }
    return Table(cells, columns, {"VOC": True, "VOC, high camera absent": True, "error": False})


def _one_camera(cells: Cells) -> Table:
    columns = {
        "VOC": _each(lambda s: s["views"]["all"]["voc"]),
        "error": _each(lambda s: s["views"]["all"]["error"]),
        "inside 90 %": _each(lambda s: s["views"]["all"]["inside"]),
        "VOC backwards": _each(lambda s: s["reversed"]),
        "VOC noisy still": _each(lambda s: s["still"]["noisy"]["voc"]),
        "still: highest": _each(lambda s: s["still"]["noisy"]["highest"]),
    }
    return Table(cells, columns, {"VOC": True, "error": False})


def _simulated(cells: Cells) -> Table:
    columns = {
        "VOC of successes": _mean("voc"),
        "AUROC": _mean("auroc"),
        "AUROC by task": _each(lambda s: s["auroc"], digits=2),
        "failures below successes": _mean("failures_below"),
        "highest failure by task": _each(lambda s: s["highest_failure"], digits=2),
        "fit [s]": lambda own: f"{mean(cell['fit_seconds'] for cell in own):.0f}",
    }
    return Table(cells, columns, {"VOC of successes": True, "AUROC": True, "failures below successes": True})


class _Figures(str):
    """Figures of several folds, with their mean for comparisons."""

    average: float


def _each(*of: Callable[[Mapping[str, Any]], float | None], digits: int = 3) -> Callable[[Cells], "_Figures | None"]:
    def shown(cells: Cells) -> _Figures | None:
        values = [[each(cell["scores"]) for each in of] for cell in cells]
        known = [value for fold in values for value in fold if value is not None]
        if not known:
            return None
        text = " · ".join(" / ".join(_digits(value, digits) for value in fold) for fold in values)
        figures = _Figures(text)
        figures.average = mean(known)
        return figures

    return shown


def _mean(name: str) -> Callable[[Cells], float]:
    return lambda cells: mean(cell["scores"][name] for cell in cells)


def _number(value: Any) -> float:
    return value.average if isinstance(value, _Figures) else float(value)


def _shown(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else _digits(value, 3)


def _digits(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}".replace("0.", ".", 1).replace("-", "−")


def _linked(each: Contender) -> str:
    return f"[{each.label}]({each.page})" if each.page else f"*{each.label}*"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _machine(facts: Mapping[str, Any]) -> str:
    return f"{facts['processor']}, {facts['threads']} thread{'s' if facts['threads'] > 1 else ''}"


def _draw(tables: Mapping[str, Table], picture: Path) -> None:
    """Draw a dot for each model's mean over the folds."""
    panels = {
        "robo_dopamine": ("two arms, VOC", {"VOC": "o", "VOC, high camera absent": "x"}),
        "g1": ("humanoid, VOC", {"VOC": "o"}),
        "simulated": ("simulated, failures told apart", {"AUROC": "o"}),
    }
    rows = [
        each
        for each in contenders()
        if any(each in table.rows or each.name in table.values for table in tables.values())
    ]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axis, (suite, (title, columns)) in zip(figure.subplots(1, 3, sharey=True), panels.items(), strict=True):
        values = tables[suite].values
        for heading, marker in columns.items():
            points = [
                (_number(values[each.name][heading]), row) for row, each in enumerate(rows) if each.name in values
            ]
            colours = ["tab:grey" if rows[row].is_baseline else "tab:blue" for _, row in points]
            axis.scatter([x for x, _ in points], [row for _, row in points], c=colours, marker=marker, label=heading)
        axis.set_title(title, fontsize="small")
        axis.grid(axis="x", alpha=0.3)
        axis.set_xlim(0, 1.05)
        if len(columns) > 1:
            axis.legend(fontsize="x-small", loc="lower left")
    figure.axes[0].set_yticks(range(len(rows)), [each.label for each in rows], fontsize="small")
    figure.axes[0].invert_yaxis()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=100, metadata={"Software": None})
