"""A Config in, YAML out that reads back as the same Config."""

from __future__ import annotations

import yaml

from tftrain.config.interpolate import escaped
from tftrain.config.schema import Config
from tftrain.config.text import UNWANTED, Plain, scalar


class _Dumper(yaml.SafeDumper):
    """PyYAML writes for YAML 1.1; whatever 1.2 would read as something else is quoted."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    try:
        plain = scalar(value)
    except ValueError:
        plain = None
    unread = not isinstance(plain, str) or UNWANTED.search(value)
    style = '"' if unread else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def resolved(config: Config) -> str:
    """Every value in force, as YAML.

    Returns:
        The text of `config.resolved.yaml`; `tftrain fit` on it repeats the run.
    """
    return yaml_text(config.model_dump(mode="json"))


def yaml_text(value: Plain) -> str:
    """Plain values as YAML 1.2, keys in their order."""
    return yaml.dump(
        _escaped(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )


def _escaped(value: Plain) -> Plain:
    """Texts that no reference to the environment is found in; keys are not looked into."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return escaped(value) if isinstance(value, str) else value
