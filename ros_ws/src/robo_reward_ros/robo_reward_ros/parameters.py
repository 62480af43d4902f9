"""The parameters of a node as one table: what it declares, checks and documents. No ROS."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

Value = bool | int | float | str | Sequence[str] | Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a node.

    Raises:
        ValueError: A default that the parameter itself would refuse.
    """

    name: str
    default: Value
    """Also says the type: bool, int, float, str, or a tuple."""
    doc: str
    """Meaning, unit, and what a special value such as 0 stands for."""
    least: float = -math.inf
    most: float = math.inf
    choices: tuple[str, ...] = ()
    """Allowed values of a str; empty = any."""
    element: type[str] | type[float] = str
    """Type of what a tuple holds."""
    live: bool = False
    """May be changed while the node is configured; the others take effect when it is configured."""

    def __post_init__(self) -> None:
        problem = self.problem(self.default)
        if problem:
            raise ValueError(f"default of {problem}")

    @property
    def kind(self) -> str:
        """Name of the type, as ROS has it."""
        if isinstance(self.default, tuple):
            return "string_array" if self.element is str else "double_array"
        return {bool: "bool", int: "integer", float: "double", str: "string"}[type(self.default)]

    def problem(self, value: Any) -> str:
        """Say what is wrong with a value; empty = nothing."""
        if isinstance(self.default, tuple):
            return self._array_problem(value)
        if type(value) is not type(self.default):
            return f"{self.name} must be of type {self.kind}, got {value!r}"
        if self.choices and value not in self.choices:
            return f"{self.name} must be one of {', '.join(self.choices)}; got '{value}'"
        if isinstance(value, int | float) and not self.least <= value <= self.most:
            return f"{self.name} must be in [{self.least:g}, {self.most:g}], got {value:g}"
        return ""

    def _array_problem(self, value: Any) -> str:
        # ROS gives arrays of numbers as such, not as lists; and a whole number may stand for a fraction
        allowed, named = (str, "strings") if self.element is str else ((int, float), "numbers")
        known = isinstance(value, Iterable) and not isinstance(value, str | bytes)
        good = known and all(isinstance(each, allowed) and not isinstance(each, bool) for each in value)
        return "" if good else f"{self.name} must be {named}"


class ParameterTable(Mapping[str, Parameter]):
    """Parameters by name.

    Raises:
        ValueError: A name twice.
    """

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._by_name = MappingProxyType({each.name: each for each in parameters})
        if len(self._by_name) != len(parameters):
            raise ValueError(f"a parameter's name occurs twice: {sorted(each.name for each in parameters)}")

    def __getitem__(self, name: str) -> Parameter:
        return self._by_name[name]

    def __iter__(self):  # noqa: ANN204
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def problems(self, changes: Mapping[str, Any], *, configured: bool) -> list[str]:
        """Say what is wrong with changes of parameters; unknown names are none of this table's business.

        Args:
            changes: Name to new value.
            configured: The node is configured: only live parameters may change.
        """
        found = []
        for name, value in changes.items():
            if name not in self._by_name:
                continue
            problem = self._by_name[name].problem(value)
            if not problem and configured and not self._by_name[name].live:
                problem = f"{name} takes effect when the node is configured: clean it up first"
            found += [problem] if problem else []
        return found

    def markdown(self) -> str:
        """Give the table for the documentation."""
        rows = [f"| `{each.name}` | {each.kind} | {_shown(each)} | {each.doc} |" for each in self.values()]
        return "\n".join(["| parameter | type | default, allowed | meaning |", "|---|---|---|---|", *rows]) + "\n"


def _shown(parameter: Parameter) -> str:
    default = parameter.default
    text = "[]" if default == () else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    if default == "":
        text = '`""`'
    if parameter.choices:
        text += f", one of {', '.join(parameter.choices)}"
    elif math.isfinite(parameter.most) or math.isfinite(parameter.least):
        low = f"{parameter.least:g}" if math.isfinite(parameter.least) else "-∞"
        high = f"{parameter.most:g}" if math.isfinite(parameter.most) else "∞"
        text += f", {low} … {high}"
    return text + (", live" if parameter.live else "")
