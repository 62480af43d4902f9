"""From configuration to objects: one place that reads it, plain Python behind it."""

from inspect import signature
from typing import Any

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

Plain = dict[str, Any]


def build(config: DictConfig | Plain, **given: Any) -> Any:
    """Build what `_target_` names from plain Python values."""
    return instantiate(config, _convert_="all", **given)


def build_with_encoder(config: DictConfig | Plain, encoder: Any) -> Any:
    """Build what `_target_` names, and hand it the encoder if it looks through one."""
    return build(config, encoder=encoder) if takes_encoder(config) else build(config)


def takes_encoder(config: DictConfig | Plain) -> bool:
    """Tell whether what `_target_` names looks through an encoder."""
    return "encoder" in signature(get_object(config["_target_"])).parameters


def no_store() -> None:
    """Stand for `embeddings=none` in the configuration."""


def no_success() -> None:
    """Stand for `success=none` in the configuration."""


def plain(config: DictConfig | None) -> Plain:
    """Resolve a part of the configuration to plain Python values; a missing value is an error that names it."""
    if config is None:
        return {}
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # pyright: ignore[reportReturnType]
