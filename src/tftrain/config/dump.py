"""A Config in, YAML out that reads back as the same Config, with each value's origin if wanted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import yaml

from tftrain.config import text
from tftrain.config.interpolate import escaped
from tftrain.config.schema import Config
from tftrain.config.text import Place, Plain, Scalar, Source
from tftrain.errors import one_line

_DEFAULT = "default"
_WIDEST = 60  # a longer line doesn't push the comments of the others away


class _Dumper(yaml.SafeDumper):
    """PyYAML writes for YAML 1.1; whatever 1.2 would read as something else is quoted."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    try:
        plain = text.scalar(value)
    except ValueError:
        plain = None
    unread = not isinstance(plain, str) or text.UNWANTED.search(value) or "\n" in value
    style = '"' if unread else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def resolved(config: Config) -> str:
    """Every value in force, as YAML.

    Returns:
        The text of `config.resolved.yaml`; `tftrain fit` on it repeats the run.
    """
    return yaml_text(config.model_dump(mode="json"))


def with_origins(config: Config, source: Source) -> str:
    """The text of `resolved`, each value with a comment that tells where it came from.

    The comments stand in a column; the text is still the same YAML.
    """
    written = resolved(config)
    lines = written.split("\n")
    root = yaml.compose(written, Loader=yaml.SafeLoader)  # which knows no limits on size
    places = list(_lines(root))
    widths = [len(lines[line]) for line in places]
    column = max((width for width in widths if width <= _WIDEST), default=0)
    for line, origin in zip(places, origins(config, source).values(), strict=True):
        lines[line] = f"{lines[line]:<{column}}  # {one_line(origin)}"
    return "\n".join(lines)


def origins(config: Config, source: Source) -> dict[Place, str]:
    """Where every value in force came from, by its path, in the order of `resolved`.

    Args:
        config: from `load`.
        source: from the same.

    Returns:
        For each value that holds no others `FILE:LINE`, `override 'KEY=VALUE'`,
        `environment NAME` or `default`.
    """
    places = _leaves(config.model_dump(mode="json"))
    return {place: _origin(source.root, place) for place in places}


def plain(config: Config, *, defaults: bool = True) -> dict[str, Plain]:
    """Every value in force by its dotted path, or only those that are not the default."""
    values = config.model_dump(mode="json", exclude_defaults=not defaults)
    return {".".join(map(str, place)): _value(values, place) for place in _leaves(values)}


def yaml_text(value: Plain) -> str:
    """Plain values as YAML 1.2, keys in their order, a line for each value."""
    return yaml.dump(
        _escaped(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf
    )


def _escaped(value: Plain) -> Plain:
    """Texts that no reference to the environment is found in; keys are not looked into."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return escaped(value) if isinstance(value, str) else value


def _value(value: Any, place: Place) -> Plain:
    for part in place:
        value = value[part]
    plain_value: Plain = value
    return plain_value


def _leaves(value: Plain, place: Place = ()) -> Iterator[Place]:
    """The paths of the values that hold no others."""
    if not value or not isinstance(value, dict | list):
        yield place
        return
    for part, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _leaves(item, (*place, part))


def _lines(node: Any) -> Iterator[int]:
    """The lines where those values stand, in the same order."""
    if not node.value or isinstance(node, yaml.ScalarNode):
        yield node.start_mark.line
        return
    for item in node.value:
        yield from _lines(item[1] if isinstance(node, yaml.MappingNode) else item)


def _origin(root: text.Node, place: Place) -> str:
    node = root
    for part in place:
        below = text.child(node, part)
        if below is None:
            return _DEFAULT
        node = below
    if isinstance(node, Scalar) and node.variables:
        return f"environment {', '.join(node.variables)}"
    mark = node.mark
    return mark.source if mark.line is None else f"{mark.source}:{mark.line}"
