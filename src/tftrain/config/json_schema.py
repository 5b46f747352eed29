"""JSON Schema of the config out, the installed Keras's catalog included; for editors.

It says what `load` says of keys, types, bounds, and Keras's names and arguments; what takes a look
at two places at once, at the text, or at the disk (any text may be a folder's name), no schema can
say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tftrain.config import catalog
from tftrain.config.catalog import Argument, Catalog, Entry
from tftrain.config.checks import CALLBACK_PATHS
from tftrain.config.data import DATASETS, TABLE_SUFFIXES
from tftrain.config.losses import ACCURACY, BY_SHAPES
from tftrain.config.resolve import ARGUMENTS, REFUSED, VOCABULARY, accepted_by, class_of, kinds_in
from tftrain.config.schema import Config
from tftrain.errors import CODES

Schema = dict[str, Any]
Kinds = tuple[str, ...]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DESCRIPTION = "One reproducible Keras training run: data, network and training. Keras {version}."
_EXTENDS = {
    "type": "string",
    "minLength": 1,
    "description": "Another config, by its path from this one's folder, whose values hold where "
    "this one is silent.",
}
_KEYS: Mapping[str, Kinds] = {  # of the sections, those that hold Keras objects
    "layers": ("layer",),
    "loss": ("loss",),
    "optimizer": ("optimizer",),
    "metrics": ("metric",),
    "weighted_metrics": ("metric",),
    "callbacks": ("callback",),
}
_PATH = {"type": "string", "minLength": 1}
_NPY_FILE = {"type": "string", "pattern": r"\.[nN][pP][yY]$"}
_LINT = {code: text for code, text in CODES.items() if code.startswith("N")}
_TEXTS: Mapping[tuple[str, str], list[Schema]] = {  # what the checks of `schema` ask of a text
    ("Data", "source"): [{"enum": list(DATASETS)}, _PATH],
    ("Split", "validation"): [_PATH],
    ("Split", "test"): [_PATH],
    ("Arrays", "x"): [_NPY_FILE],
    ("Arrays", "y"): [_NPY_FILE],
    ("Arrays", "sample_weight"): [_NPY_FILE],
    ("Lint", "ignore"): [{"enum": list(_LINT), "enumDescriptions": list(_LINT.values())}],
}
_REFUSED_TEXTS: Mapping[str, Schema] = {  # by an object's argument
    VOCABULARY: {},
    **{name: {"pattern": r"^/|(^|/)\.\.(/|$)"} for name in CALLBACK_PATHS},
}
_NOTES = ("description", "default")
_ANY_SCALAR = ["string", "number", "boolean", "null"]
_TYPES = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}
_LIST = {"type": "array", "items": {"$ref": "#/$defs/value"}}
_OWN = "^[^>]+>[^>]+$"  # an object of one's own, by its registered name
_NOTHING = {"type": ["object", "null"], "maxProperties": 0}
_BY_SHAPES = {
    "description": "The accuracy that fits the outputs and the labels.",
    "type": ["object", "null"],
    "properties": {"name": {"description": "What it is called in the logs."}},
    "additionalProperties": False,
}


def json_schema() -> Schema:
    """The schema of the whole config.

    Returns:
        JSON Schema 2020-12 as plain values; every Keras object is a definition of its own, such as
        `layer.Dense`. A text with `${env:NAME}` passes wherever a text, a number, or true or false
        can stand, and beside `extends` no key of a section is required.
    """
    known = catalog.load()
    root = Config.model_json_schema()
    sections = root.pop("$defs")
    root = _section("Config", root)
    complete = _complete(root, sections)
    complete["required"].remove("name")  # the file's, if not given
    complete["properties"]["data"] |= _of_a_table()
    return {
        "$schema": _DIALECT,
        "title": "tftrain config",
        "description": _DESCRIPTION.format(version=known.version),
        "type": "object",
        "properties": root["properties"] | {"extends": _EXTENDS},
        "additionalProperties": False,
        "if": {"not": {"required": ["extends"]}},
        "then": complete,
        "$defs": {
            **{name: _section(name, section) for name, section in sections.items()},
            **dict(_values(known)),
            **dict(_kinds(known)),
            **dict(_objects(known)),
        },
    }


def _complete(section: Schema, sections: Mapping[str, Schema]) -> Schema:
    """What a section and those in it must hold; it is taken out of them."""
    required = section.pop("required", [])
    inner = {
        name: _complete(sections[value["$ref"].rpartition("/")[2]], sections)
        for name, value in section["properties"].items()
        if "$ref" in value
    }
    inner = {name: one for name, one in inner.items() if one}
    return {
        **({"required": required} if required else {}),
        **({"properties": inner} if inner else {}),
    }


def _of_a_table() -> Schema:
    """What the data section must hold where its source is a table."""
    ends = "|".join(map(_any_case, TABLE_SUFFIXES))
    given = {"not": {"type": "null"}}
    return {
        "if": {"properties": {"source": {"type": "string", "pattern": f"({ends})$"}}},
        "then": {
            "anyOf": [
                {"required": [key], "properties": {key: given}} for key in ("target", "series")
            ]
        },
    }


def _section(name: str, section: Schema) -> Schema:
    """Pydantic's schema of a section, with Keras's objects and the forms of texts put in."""
    if name == "Column":
        return _column(section)
    properties = {
        key: _key(name, key, value) | {note: value[note] for note in _NOTES if note in value}
        for key, value in section["properties"].items()
    }
    return {key: value for key, value in section.items() if key != "title"} | {
        "properties": properties
    }


def _column(section: Schema) -> Schema:
    """The word for a kind of column, or a mapping of that one word to its options."""
    kinds = section["properties"]
    words = [kind["description"] for kind in kinds.values()]
    forms = [
        {"enum": list(kinds), "enumDescriptions": words},
        _reference("environment"),
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {name: _key("Column", name, kind) for name, kind in kinds.items()},
            "additionalProperties": False,
        },
    ]
    return {"description": section["description"], "anyOf": forms}


def _key(section: str, key: str, value: Schema) -> Schema:
    if key not in _KEYS:
        return _open(value, _TEXTS.get((section, key)))
    kind = _reference(_label(_KEYS[key]))
    if value.get("type") != "array":
        return kind
    return {name: one for name, one in value.items() if name != "title"} | {"items": kind}


def _open(value: Schema, texts: list[Schema] | None = None) -> Schema:
    """A value's schema, the environment let in; a free text is one of `texts`, if there are any."""
    if "$ref" in value:
        return value
    forms = value.get("anyOf") or value.get("oneOf")
    if forms:
        return {"anyOf": _flat(_open(form, texts) for form in forms)}
    rules = {name: one for name, one in value.items() if name not in ("title", *_NOTES)}
    if value["type"] == "array":
        return _list(rules, texts)
    if value["type"] == "object":
        return rules | {"additionalProperties": _open(value["additionalProperties"])}
    if rules == {"type": "string"}:
        return {"anyOf": [*texts, _reference("environment")]} if texts else rules
    return rules if value["type"] == "null" else {"anyOf": [rules, _reference("environment")]}


def _list(rules: Schema, texts: list[Schema] | None) -> Schema:
    """A list's schema: of so many values, each of its own form, or of any number of one form."""
    if "prefixItems" in rules:
        return rules | {"prefixItems": [_open(item) for item in rules["prefixItems"]]}
    items = {"items": _open(rules["items"], texts)}
    if "minLength" in rules:  # pydantic's word for a list that may be null
        items["minItems"] = rules["minLength"]
    return {name: one for name, one in rules.items() if name != "minLength"} | items


def _flat(forms: Iterable[Schema]) -> list[Schema]:
    """Alternatives inside alternatives beside them, each once."""
    flat: list[Schema] = []
    for form in forms:
        flat += [one for one in form.get("anyOf", [form]) if one not in flat]
    return flat


def _values(known: Catalog) -> Iterator[tuple[str, Schema]]:
    """What can stand as an argument where its name alone, or nothing, tells more."""
    yield "environment", {"type": "string", "pattern": r"\$\{env:"}
    yield "value", {"anyOf": [{"type": _ANY_SCALAR}, _LIST, _reference("mapping")]}
    yield "mapping", _mapping(known)
    for name, words in _TYPES.items():
        forms = [{"type": [words, "null"]}, _reference("environment"), _LIST]
        yield f"{name}_or_list", {"anyOf": forms}
    for kinds in _every_kind():
        forms = [_reference(_label(kinds)), {"type": ["number", "boolean", "null"]}]
        yield _value_of(kinds), {"anyOf": [*forms, _list_of(kinds)]}


def _mapping(known: Catalog) -> Schema:
    """One Keras object of any kind where the only key names one; else values by their names."""
    by_name = {}
    for place, (end, kinds) in enumerate(ARGUMENTS.items()):
        earlier = [other for other in list(ARGUMENTS)[:place] if other.endswith(f"_{end}")]
        others = "".join(f"(?!(.*_)?{other}$)" for other in earlier)
        if kinds:
            by_name[f"^{others}(.*_)?{end}$"] = _reference(_value_of(kinds))
    named = {
        "minProperties": 1,
        "maxProperties": 1,
        "propertyNames": {"enum": sorted(set(known.names(catalog.KINDS)))},
        "additionalProperties": {"type": ["object", "null"]},
    }
    return {
        "type": "object",
        "if": named,
        "then": _one_object(known, catalog.KINDS),
        "else": {
            "not": {"required": ["class_name"]},
            "patternProperties": by_name,
            "additionalProperties": _reference("value"),
        },
    }


def _kinds(known: Catalog) -> Iterator[tuple[str, Schema]]:
    """By kind: a name, or a mapping of one name to its arguments."""
    for kinds in _every_kind():
        words = BY_SHAPES.get(kinds[0], ()) if kinds in _KEYS.values() else ()
        bare = dict.fromkeys(words, "The one that fits the outputs and the labels.")
        for name, (kind, entry) in _named(known, kinds).items():
            if not _required(known, kind, entry):
                bare.setdefault(name, entry.description)
        forms = [
            {"enum": list(bare), "enumDescriptions": list(bare.values())},
            {"type": "string", "pattern": _OWN},
            _reference("environment"),
            _one_object(known, kinds, words),
        ]
        if kinds == ("optimizer map",):
            by_pattern = _reference(_value_of(("optimizer",)))
            own = {"required": ["OptimizerMap"]}
            forms += [{"type": "object", "not": own, "additionalProperties": by_pattern}]
        described = f"A Keras {' or '.join(kinds)}: its name, or its name and its arguments."
        yield _label(kinds), {"description": described, "anyOf": forms}


def _one_object(known: Catalog, kinds: Iterable[str], words: Iterable[str] = ()) -> Schema:
    """A mapping of one name to arguments; short names pass, but aren't offered."""
    short = {name for kind in kinds for name in known.short[kind]}
    properties = {name: _reference(_definition(*one)) for name, one in _named(known, kinds).items()}
    properties |= {word: _BY_SHAPES if word in ACCURACY else _NOTHING for word in words}
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {name: one for name, one in properties.items() if name not in short},
        "patternProperties": {
            **{f"^{n}$": one for n, one in properties.items() if n in short},
            _OWN: {"type": ["object", "null"]},
        },
        "additionalProperties": False,
    }


def _objects(known: Catalog) -> Iterator[tuple[str, Schema]]:
    """Every object's arguments."""
    for kind in catalog.KINDS:
        for entry in known.objects[kind].values():
            if entry.name not in REFUSED:
                yield _definition(kind, entry), _object(known, kind, entry)


def _object(known: Catalog, kind: str, entry: Entry) -> Schema:
    required = _required(known, kind, entry)
    accepted = accepted_by(known, kind, entry)
    return {
        "description": entry.description,
        "type": "object" if required else ["object", "null"],
        "properties": {name: _argument(name, argument) for name, argument in accepted.items()},
        "required": required,
        "additionalProperties": False,
    }


def _argument(name: str, argument: Argument) -> Schema:
    notes: Schema = {"description": argument.description} if argument.description else {}
    if not argument.required and argument.default is not None:
        notes["default"] = argument.default
    if name in _REFUSED_TEXTS:
        notes["not"] = {"type": "string"} | _REFUSED_TEXTS[name]
    kinds = kinds_in(name)
    if argument.choices:
        return notes | {"anyOf": _choices(argument)}
    if not argument.types:
        return notes | _reference(_value_of(kinds) if kinds else "value")
    if not kinds:
        return notes | _reference(f"{argument.types[-1]}_or_list")
    plain = {"type": [_TYPES[argument.types[-1]], "null"]}
    return notes | {"anyOf": [_reference(_label(kinds)), plain, _list_of(kinds)]}


def _choices(argument: Argument) -> list[Schema]:
    """The words as they are offered, and in whatever letters they pass."""
    any_case = "|".join(map(_any_case, argument.choices))
    return [
        {"enum": [*argument.choices, None]},
        {"type": "string", "pattern": f"^({any_case})$"},
        _reference("environment"),
        _LIST,
        *([] if argument.types else [_reference("mapping")]),
    ]


def _any_case(word: str) -> str:
    """A pattern of a word in whatever letters."""
    return "".join(f"[{one}{one.upper()}]" if one.isalpha() else re.escape(one) for one in word)


def _named(known: Catalog, kinds: Iterable[str]) -> dict[str, tuple[str, Entry]]:
    """What every name of these kinds stands for: its kind, of several the first, and its entry."""
    found: dict[str, tuple[str, Entry]] = {}
    for kind in kinds:
        for name in (*known.objects[kind], *known.short[kind]):
            entry = known.find(kind, name)
            if entry is not None:
                found.setdefault(name, (kind, entry))
    return {name: (kind, one) for name, (kind, one) in found.items() if one.name not in REFUSED}


def _required(known: Catalog, kind: str, entry: Entry) -> list[str]:
    """The arguments that must be given: of a function, those of the class that is made of it."""
    _, twin = (kind, None) if entry.is_class else class_of(known, kind, entry)
    needed = (twin or entry).arguments.items()
    return [name for name, argument in needed if argument.required]


def _every_kind() -> list[Kinds]:
    """The kinds of object that stand together somewhere."""
    return list(dict.fromkeys(kinds for kinds in (*_KEYS.values(), *ARGUMENTS.values()) if kinds))


def _list_of(kinds: Kinds) -> Schema:
    return {"type": "array", "items": _reference(_value_of(kinds))}


def _value_of(kinds: Kinds) -> str:
    return f"value.{_label(kinds)}"


def _label(kinds: Kinds) -> str:
    return " or ".join(kinds).replace(" ", "_")


def _definition(kind: str, entry: Entry) -> str:
    return f"{_label((kind,))}.{entry.name}"


def _reference(definition: str) -> Schema:
    return {"$ref": f"#/$defs/{definition}"}
