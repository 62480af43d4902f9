"""What the YAML files say about their keys, put beside the same keys of a composed configuration."""

import re
from pathlib import Path

import yaml

_KEY = re.compile(r"( *)([\w-]+):(?: |$)")
_SAID = re.compile(r"\s#\s?(.*)$")
Keys = tuple[str, ...]
"""A key below others, from the outermost on."""


def with_comments(composed: str, folder: Path, verb: str) -> str:
    """Give a composed configuration with the comments of the files that it came from.

    Args:
        composed: YAML in blocks, two spaces a level.
        folder: Of the files.
        verb: The name of the file that was composed, with no choice overridden.
    """
    above, beside = _comments(folder, folder / f"{verb}.yaml", ())
    lines, path = [], ()
    for line in composed.splitlines():
        if not (key := _KEY.match(line)):
            lines.append(line)
            continue
        path = (*path[: len(key[1]) // 2], key[2])
        lines += [f"{key[1]}# {each}" for each in above.get(path, [])]
        lines.append(f"{line:22}  # {beside[path]}" if path in beside else line)
    return "\n".join(lines) + "\n"


def _comments(folder: Path, file: Path, package: Keys) -> tuple[dict[Keys, list[str]], dict[Keys, str]]:
    """Comments above and beside keys, by path, of a file and of the choices that it names."""
    text = file.read_text()
    above: dict[Keys, list[str]] = {}
    beside: dict[Keys, str] = {}
    for chosen, where in _chosen(yaml.safe_load(text).get("defaults", []), folder):
        inner = _comments(folder, chosen, (*package, where))
        above |= inner[0]
        beside |= inner[1]
    block, path = [], package
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            block.append(line.lstrip()[1:].removeprefix(" "))
        elif key := _KEY.match(line):
            path = (*path[: len(package) + len(key[1]) // 2], key[2])
            above[path] = [each for each in block if not each.startswith("@package")]
            if said := _SAID.search(line):
                beside[path] = said[1]
            block = []
        else:
            block = []
    return above, beside


def _chosen(defaults: list[object], folder: Path) -> list[tuple[Path, str]]:
    """Files that a list of defaults names, with the key under which each comes."""
    found = []
    for each in defaults:
        for group, choice in each.items() if isinstance(each, dict) else ():
            name, _, where = group.removeprefix("/").partition("@")
            file = folder / name / f"{choice}.yaml"
            if file.is_file():
                found.append((file, where or name))
    return found
