"""Keras's package folder in, its public classes and functions out, read with `ast`, never run.

So are other modules, whose classes have Keras's as their bases.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Definition = ast.ClassDef | ast.FunctionDef
_SECTION = re.compile(r"^(?:Args|Arguments):[ \t]*\n((?:[ \t]+\S.*\n|[ \t]*\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^\*{0,2}(\w+)(?: \([^)]*\))?:[ \t]*(.*(?:\n(?:[ \t]+.*)?)*)", re.MULTILINE)
_BACKEND = "tensorflow"
_OF_KERAS = (f"{_BACKEND}.", "tftrain.backend.")  # where `keras` comes from besides itself
_LARGEST_POWER = 64  # of a number as a default, such as 2**15


@dataclass(frozen=True)
class Parameter:
    """One parameter that can be given by name.

    Args:
        name: Keras's.
        required: whether it has no default.
        default: as plain values; as Python text where it is something else.
        description: what the docstring says of it.
    """

    name: str
    required: bool
    default: Any
    description: str


@dataclass(frozen=True)
class Found:
    """A public class or function.

    Args:
        name: as it is exported.
        is_class: or else a function.
        ancestors: its own name, then Keras's classes that it inherits from; empty for a function.
        summary: the first line of its docstring.
        parameters: of the function, or of `__init__`, its bases' too where it passes them on.
    """

    name: str
    is_class: bool
    ancestors: tuple[str, ...]
    summary: str
    parameters: tuple[Parameter, ...]


@dataclass
class _Module:
    """One source file: where its names come from."""

    name: str
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)
    updates: list[ast.expr] = field(default_factory=list)


_Line = list[tuple[_Module, ast.ClassDef]]


class KerasSource:
    """The source of an installed Keras.

    Args:
        root: the package's folder, the one with `src` in it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._modules: dict[str, _Module | None] = {}

    def version(self) -> str:
        """Keras's version."""
        value = self._require("keras.src.version").values["__version__"]
        return str(ast.literal_eval(value))

    def public(self, package: str) -> Iterator[Found]:
        """The classes and functions that a package such as `keras.layers` exports."""
        for name in self._require(package).imports:
            found = self._resolve(package, name)
            if found is not None and not name.startswith("_"):
                yield self._found(name, *found)

    def add(self, package: str, tree: ast.Module) -> None:
        """Takes in a module that isn't Keras's."""
        module = _Module(package)
        _read(tree.body, module)
        self._modules[package] = module

    def decorated(
        self, package: str, decorator: str
    ) -> Iterator[tuple[Definition, dict[str, Any]]]:
        """A module's classes and functions under a decorator of Keras's that is called.

        Returns:
            Each with the call's arguments as plain values, by Keras's names.
        """
        module = self._require(package)
        for node in module.definitions.values():
            for call in node.decorator_list:
                if not isinstance(call, ast.Call):
                    continue
                _, target = self._target(module, call.func) or (None, None)
                if isinstance(target, ast.FunctionDef) and target.name == decorator:
                    names = [argument.arg for argument in target.args.args]
                    given = dict(zip(names, call.args, strict=False))
                    given |= {one.arg: one.value for one in call.keywords if one.arg}
                    yield node, {name: self._value(module, one) for name, one in given.items()}

    def find(self, package: str, name: str) -> Found:
        """A class or a function that a module defines."""
        module = self._require(package)
        return self._found(name, module, module.definitions[name])

    def has_method(self, package: str, name: str, method: str) -> bool:
        """Whether a class that a module defines, or a base of it, defines a method."""
        module = self._require(package)
        node = module.definitions[name]
        line = self._line(module, node) if isinstance(node, ast.ClassDef) else []
        return any(_method(one, method) for _, one in line)

    def _found(self, name: str, module: _Module, node: Definition) -> Found:
        if isinstance(node, ast.ClassDef):
            return self._class(name, self._line(module, node))
        described = _described(ast.get_docstring(node))
        parameters = tuple(self._parameters(module, node, described))
        return Found(name, False, (), _first_line(node), parameters)

    def short_names(self, package: str) -> dict[str, str]:
        """Other names that `get` of a package such as `keras.src.losses` knows.

        Returns:
            The name of the class or function by each other name, such as `MeanSquaredError` or
            `mean_squared_error` by `mse`.
        """
        module = self._require(package)
        every = [name.id for name in _elements(module.values["ALL_OBJECTS"])]
        short: dict[str, str] = {}
        for table in [module.values["ALL_OBJECTS_DICT"], *module.updates]:
            if isinstance(table, ast.DictComp):
                short |= {_key(table.key, name): name for name in every}
            elif isinstance(table, ast.Dict):
                pairs = zip(table.keys, table.values, strict=True)
                short |= {
                    str(key.value): value.id
                    for key, value in pairs
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Name)
                }
        return short

    def _class(self, name: str, line: _Line) -> Found:
        described = self._descriptions(line)
        parameters: dict[str, Parameter] = {}
        own = True
        for module, node in line:
            init = _init(node)
            if init is None:
                continue
            for parameter in self._parameters(module, init, described):
                if own or not parameter.required:  # else the class itself hands it to its base
                    parameters.setdefault(parameter.name, parameter)
            own = False
            if init.args.kwarg is None:
                break
        bases = (node.name for module, node in line[1:] if _is_keras(module.name))
        ancestors = (line[0][1].name, *bases)
        return Found(name, True, ancestors, _first_line(line[0][1]), tuple(parameters.values()))

    def _parameters(
        self, module: _Module, node: ast.FunctionDef, described: Mapping[str, str]
    ) -> Iterator[Parameter]:
        """All but the first, which is `self` or the function's input."""
        given = node.args
        positional = [*given.posonlyargs, *given.args]
        missing = [None] * (len(positional) - len(given.defaults))
        pairs = list(zip(positional, [*missing, *given.defaults], strict=True))[1:]
        pairs += zip(given.kwonlyargs, given.kw_defaults, strict=True)
        for parameter, default in pairs:
            value = None if default is None else self._value(module, default)
            description = described.get(parameter.arg, "")
            yield Parameter(parameter.arg, default is None, value, description)

    def _value(self, module: _Module, node: ast.expr) -> Any:
        """A default as plain values, module-level constants followed; else its text."""
        if isinstance(node, ast.Name) and node.id in module.values:
            return self._value(module, module.values[node.id])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            base, power = self._value(module, node.left), self._value(module, node.right)
            if all(
                type(one) in (int, float) and 0 <= one <= _LARGEST_POWER for one in (base, power)
            ):
                return base**power
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError):
            return ast.unparse(node)

    def _descriptions(self, line: _Line) -> dict[str, str]:
        """What is said of each argument, by the class itself before its bases."""
        described: dict[str, str] = {}
        for module, node in line:
            init = _init(node)
            for documented in (node, init):
                text = documented and ast.get_docstring(documented)
                described = _described(text or None) | described
            for name, value in module.values.items():
                if name.endswith("_keyword_args") and isinstance(value, ast.Constant):
                    described = _entries(inspect.cleandoc(str(value.value))) | described
        return described

    def _line(self, module: _Module, node: ast.ClassDef) -> _Line:
        """The class and its ancestors within Keras, in the order Python looks them up (C3)."""
        bases = [found for base in node.bases if (found := self._base(module, base))]
        lines = [self._line(*found) for found in bases] + [bases]
        merged: _Line = [(module, node)]
        while lines := [line for line in lines if line]:
            head = next(
                line[0]
                for line in lines
                if not any(line[0][1] is other for rest in lines for _, other in rest[1:])
            )
            merged.append(head)
            lines = [line[1:] if line[0][1] is head[1] else line for line in lines]
        return merged

    def _base(self, module: _Module, node: ast.expr) -> tuple[_Module, ast.ClassDef] | None:
        found = self._target(module, node)
        if found is None or not isinstance(found[1], ast.ClassDef):
            return None
        return found[0], found[1]

    def _target(self, module: _Module, node: ast.expr) -> tuple[_Module, Definition] | None:
        """Where that is defined which a name or `package.module.name` stands for."""
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        if not names:
            return self._resolve(module.name, node.id)
        place = ".".join(filter(None, module.imports.get(node.id, ())))
        return self._resolve(".".join([place, *names[:-1]]), names[-1])

    def _resolve(self, package: str, name: str) -> tuple[_Module, Definition] | None:
        """Where a name of a module is defined, imports followed; None outside of Keras."""
        for prefix in _OF_KERAS:  # `tf.keras` is `keras`
            package = package.removeprefix(prefix)
        module = self._module(package)
        if module is None:
            return None
        if name in module.definitions:
            return module, module.definitions[name]
        place, attribute = module.imports.get(name, (package, name))
        own = (place, attribute) == (package, name)  # a module of its own below the package
        return None if own else self._resolve(place, attribute)

    def _require(self, package: str) -> _Module:
        module = self._module(package)
        if module is None:
            raise ModuleNotFoundError(f"Keras has no source file for {package}")
        return module

    def _module(self, package: str) -> _Module | None:
        if package not in self._modules:
            self._modules[package] = None
            base = self._root.joinpath(*package.split(".")[1:])
            for path in (base.with_suffix(".py"), base / "__init__.py"):
                if _is_keras(package) and path.is_file():
                    module = _Module(package)
                    _read(ast.parse(path.read_bytes()).body, module)
                    self._modules[package] = module
                    break
        return self._modules[package]


def _is_keras(package: str) -> bool:
    return package.partition(".")[0] == "keras"


def _read(body: list[ast.stmt], module: _Module) -> None:
    """Notes what a module's top level imports and defines, under TensorFlow as the backend."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module.imports |= _imported(node)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            module.definitions[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            module.values[node.targets[0].id] = node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            module.updates.append(ast.Dict([node.targets[0].slice], [node.value]))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            module.updates += node.value.args
        elif isinstance(node, ast.If):
            chosen = _BACKEND in ast.unparse(node.test)
            _read(node.body if chosen else node.orelse, module)


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, tuple[str, str]]:
    """The module and the name there of each name that is imported; `""` and a whole module."""
    if isinstance(node, ast.ImportFrom):
        place = node.module
        return {one.asname or one.name: (place, one.name) for one in node.names} if place else {}
    whole = (one.name.partition(".")[0] for one in node.names)
    return {
        one.asname or top: ("", one.name if one.asname else top)
        for one, top in zip(node.names, whole, strict=True)
    }


def _init(node: ast.ClassDef) -> ast.FunctionDef | None:
    return _method(node, "__init__")


def _method(node: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    found = (one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == name)
    return next(found, None)


def _elements(node: ast.expr) -> list[ast.Name]:
    elements = node.elts if isinstance(node, ast.Set | ast.List | ast.Tuple) else []
    return [element for element in elements if isinstance(element, ast.Name)]


def _key(node: ast.expr, name: str) -> str:
    """`cls.__name__`, `cls.__name__.lower()` or `to_snake_case(cls.__name__)` of a name."""
    text = ast.unparse(node)
    if text.endswith(".lower()"):
        return name.lower()
    return _snake_case(name) if text.startswith("to_snake_case") else name


def _snake_case(name: str) -> str:
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _first_line(node: Definition) -> str:
    text = ast.get_docstring(node) or ""
    return " ".join(text.split("\n\n")[0].split())


def _described(docstring: str | None) -> dict[str, str]:
    """What the `Args` section of a docstring says, by argument."""
    section = _SECTION.search(f"{docstring or ''}\n")
    return _entries(section[1]) if section else {}


def _entries(text: str) -> dict[str, str]:
    """`name: words` entries, the words' further lines indented more."""
    lines = [line for line in text.split("\n") if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    level = "\n".join(line[margin:] if line.strip() else "" for line in text.split("\n"))
    return {name: " ".join(words.split()) for name, words in _ENTRY.findall(level)}
