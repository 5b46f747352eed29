"""Nothing in the source can run, or unpickle, what a file says: looked for in its syntax."""

from __future__ import annotations

import ast

import pytest

from conftest import ROOT

SOURCES = sorted((ROOT / "src").rglob("*.py"))
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "h5py",
}
MODULES |= {"runpy", "code", "codeop", "imp", "ctypes"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
# attributes, whatever they are of: Keras's and TensorFlow's loaders, the shell, code by its name
NAMES = {"load_model", "model_from_json", "model_from_config", "load_weights", "saved_model"}
NAMES |= {"deserialize_keras_object", "enable_unsafe_deserialization", "SourceFileLoader"}
NAMES |= {"spec_from_file_location", "exec_module", "system", "popen", "startfile", "Unpickler"}
YAML = {"load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all"}
LOADERS = {"Loader", "CLoader", "UnsafeLoader", "CUnsafeLoader", "FullLoader", "CFullLoader"}
# what may stand in a module all the same: its path below src/tftrain, and the fault
ALLOWED: set[tuple[str, str]] = set()


def faults(source: str):
    """What may not be there, each with its line."""
    for node in ast.walk(ast.parse(source)):
        for name in named(node):
            yield name, node.lineno


def named(node: ast.AST):
    if isinstance(node, ast.Import):
        yield from (one.name for one in node.names if one.name.split(".")[0] in MODULES)
    elif isinstance(node, ast.ImportFrom):
        if (node.module or "").split(".")[0] in MODULES:
            yield node.module
        wrong = {one.name for one in node.names} & (NAMES | LOADERS | {"import_module"})
        yield from sorted(wrong)
    elif isinstance(node, ast.Name) and node.id in BUILTINS:
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield from of_attribute(node)
    elif isinstance(node, ast.Call):
        yield from of_call(node)


def of_attribute(node: ast.Attribute):
    of = node.value.id if isinstance(node.value, ast.Name) else ""
    if node.attr in NAMES or (of == "yaml" and node.attr in YAML | LOADERS):
        yield f"{of}.{node.attr}"
    if of == "builtins" and node.attr in BUILTINS:
        yield f"builtins.{node.attr}"


def of_call(node: ast.Call):
    called = node.func
    given = {one.arg: one.value for one in node.keywords}
    if (shell := given.get("shell")) is not None and not is_constant(shell, value=False):
        yield "shell"
    if isinstance(called, ast.Attribute):
        of = called.value.id if isinstance(called.value, ast.Name) else ""
        loads = of in ("np", "numpy") and called.attr in ("load", "save")
        loads |= of in ("npy", "format") and called.attr in ("read_array", "write_array")
        if loads and not is_constant(given.get("allow_pickle"), value=False):
            yield f"{of}.{called.attr} without allow_pickle=False"
        if called.attr == "import_module" and not isinstance(node.args[0], ast.Constant):
            yield "import_module of a name that isn't written out"


def is_constant(node, *, value):
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_here_runs_what_a_file_says(path):
    module = path.relative_to(ROOT / "src" / "tftrain").as_posix()
    found = faults(path.read_text("utf-8"))
    assert [one for one in found if (module, one[0]) not in ALLOWED] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.numpy_pickle",
        "eval(text)",
        "run = exec",
        "__import__(name)",
        "builtins.eval(text)",
        "keras.models.load_model(path)",
        "from keras.models import load_model",
        "tf.saved_model.load(path)",
        "yaml.load(text, Loader=yaml.CSafeLoader)",
        "yaml.unsafe_load(text)",
        "yaml.parse(text, Loader=yaml.Loader)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=asked)",
        "npy.read_array(file)",
        "os.system(line)",
        "subprocess.run(line, shell=True)",
        "subprocess.run(line, shell=asked)",
        "importlib.import_module(name)",
    ],
)
def test_what_would_is_found(source):
    assert list(faults(source))


def test_what_looks_like_it_is_left_alone():
    source = "re.compile(x); ast.literal_eval(x); network.compile(); json.load(f); 'eval('"
    assert list(faults(source)) == []
