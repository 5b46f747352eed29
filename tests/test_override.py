"""Overrides by number and by name, those that add and those that take away."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tftrain import config
from tftrain.config import dump, override, schema, text
from tftrain.errors import ConfigError

often = settings(max_examples=300, derandomize=True, deadline=None)
CONFIG = """\
name: nets
data: {source: digits, classes: [0, 1], scaling: standardize}
model:
  layers:
    - Flatten
    - Dense: {units: 5, name: hidden, activation: relu}
    - Dropout: {rate: 0.5}
    - Dense: {units: 1, name: Dropouts, activation: sigmoid}
training:
  loss: BinaryCrossentropy
  optimizer: {Adam: {learning_rate: 0.1}}
  metrics: [accuracy]
  epochs: 1
  batch_size: full
  callbacks: [{EarlyStopping: {patience: 3}}, TerminateOnNaN]
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG, "utf-8")
    return path


def load(path, *overrides):
    return config.load(path, overrides)[0].model_dump(mode="json")


def at(value, path):
    for part in path.split("."):
        value = value[int(part) if isinstance(value, list) else part]
    return value


TABLE = """\
data:
  source: rows.csv
  target: y
  columns: {age: number, x: drop, x.box: {number: {impute: 0}}, x box: id}
model: {layers: [{Dense: {units: 1}}]}
training: {loss: mse, epochs: 1}
"""


@pytest.mark.parametrize(
    ("change", "place", "value"),
    [
        ("data.columns.zip=category", ("columns", "zip"), "category"),
        ("data.columns.age=drop", ("columns", "age"), "drop"),
        (
            "data.columns.age.number.impute=mean",
            ("columns", "age"),
            {"number": {"impute": "mean"}},
        ),
        (
            "data.columns.new.category={max_categories: 7}",
            ("columns", "new"),
            {"category": {"max_categories": 7}},
        ),
        (
            "data.columns.x.box.number.num_bins=4",
            ("columns", "x.box"),
            {"number": {"impute": 0.0, "num_bins": 4}},
        ),
        ("data.columns.x.box=text", ("columns", "x.box"), "text"),
        ("data.columns.x box=text", ("columns", "x box"), "text"),
        ("data.columns={a.b: id}", ("columns",), {"a.b": "id"}),
        ("data.size=[28,28]", ("size",), [28, 28]),
        ('data.missing+="?"', ("missing",), ["?"]),
        ("data.positive=true", ("positive",), True),
    ],
)
def test_the_keys_of_tables_and_images_can_be_overridden(change, place, value, path):
    path.write_text(TABLE)
    images = ["data.columns.i=image"] if "size" in change else []
    found = load(path, change, *images)["data"]
    for part in place:
        found = found[part]
    assert found == value


def test_a_series_can_take_the_target_s_place(path):
    path.write_text(TABLE)
    changed = ["data.series={column: value, lags: 24}", "data.target=null", "data.series.lags=12"]
    series = load(path, *changed)["data"]["series"]
    assert series == {"column": "value", "lags": 12, "horizon": 1}


def test_a_column_can_be_taken_out_whatever_its_name(path):
    path.write_text(TABLE)
    columns = load(path, "data.columns.x.box=null", "data.columns.age=null")["data"]["columns"]
    assert columns == {"x": "drop", "x box": "id"}


def test_a_name_with_a_dot_that_is_not_there_is_a_path(path):
    path.write_text(TABLE)
    with pytest.raises(ConfigError) as raised:
        config.load(path, ["data.columns.y.box=id"])
    assert "unknown key `box` in `data.columns.y`; expected number, cat" in str(raised.value)


@pytest.mark.parametrize(
    ("change", "place", "value"),
    [
        ("model.layers.1.Dense.units=9", "model.layers.1.Dense.units", 9),
        ("model.layers.hidden.units=9", "model.layers.1.Dense.units", 9),
        ("model.layers.Dropout.rate=0.1", "model.layers.2.Dropout.rate", 0.1),
        ("model.layers.Dropouts.use_bias=false", "model.layers.3.Dense.use_bias", False),
        ("model.layers.Flatten.name=flat", "model.layers.0.Flatten.name", "flat"),
        ("model.layers.Dropout={rate: 0.2}", "model.layers.2", {"Dropout": {"rate": 0.2}}),
        (
            "model.layers.hidden.kernel_initializer.HeNormal.seed=1",
            "model.layers.1.Dense",
            ...,
        ),
        ("training.callbacks.EarlyStopping.patience=7", "training.callbacks.0", ...),
        ("training.callbacks.TerminateOnNaN=null", "training.callbacks", ...),
        ("training.metrics.accuracy.name=acc", "training.metrics.0.accuracy.name", "acc"),
        ("training.metrics+=AUC", "training.metrics", ["accuracy", "AUC"]),
        ("training.metrics += AUC", "training.metrics", ["accuracy", "AUC"]),
        (
            "training.metrics+=[AUC, Precision]",
            "training.metrics",
            ["accuracy", "AUC", "Precision"],
        ),
        ("training.metrics+={AUC: {name: a}}", "training.metrics.1", {"AUC": {"name": "a"}}),
        ("training.weighted_metrics+=AUC", "training.weighted_metrics", ["AUC"]),
        ("data.classes+=7", "data.classes", [0, 1, 7]),
        ("training.optimizer.Adam=", "training.optimizer", "Adam"),
        ("model.layers.hidden.dtype=a,b=c:d", "model.layers.1.Dense.dtype", "a,b=c:d"),
    ],
)
def test_an_override_changes_what_it_names_and_nothing_else(change, place, value, path):
    before, after = load(path), load(path, change)
    if value is ...:
        value = {
            "model.layers.1.Dense": {
                "units": 5,
                "name": "hidden",
                "activation": "relu",
                "kernel_initializer": {"HeNormal": {"seed": 1}},
            },
            "training.callbacks.0": {"EarlyStopping": {"patience": 7}},
            "training.callbacks": [{"EarlyStopping": {"patience": 3}}],
        }[place]
    assert at(after, place) == value
    section, key = place.split(".")[:2]
    for one, keys in before.items():
        for other in keys if isinstance(keys, dict) else ():
            assert (one, other) == (section, key) or after[one][other] == keys[other]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("model.layers.Dense.units=1", "`Dense` is the name of 1, 3 in the list: give its number"),
        ("model.layers.Dens.units=1", "`Dens` is not in the list; did you mean `Dense`?"),
        ("model.layers.hiden.units=1", "`hiden` is not in the list; did you mean `hidden`?"),
        (
            "model.layers.x.units=1",
            "`x` is not in the list: expected a number from 0 to 3, or Flatten, Dense, hid",
        ),
        ("model.layers.4.Dense=", "`4` is not in the list: expected a number from 0 to 3"),
        (f"model.layers.{'9' * 5000}=", f"`{'9' * 5000}` is not in the list: expected a number"),
        ("model.layers.-1=Flatten", "`-1` is not in the list: expected a number from 0 to 3"),
        ("training.weighted_metrics.AUC.name=x", None),
        ("data.classes.x=1", "`x` is not in the list: expected a number from 0 to 1"),
        ("training.batch_size+=1", "`batch_size`: expected a list to append to, got 'full'"),
        ("data+=1", "`data`: expected a list to append to, got a mapping"),
        ("model.layers.hidden+=1", "`hidden`: expected a list to append to, got a mapping"),
        ("training.loss.x.y+=1", None),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_could(change, said, path):
    with pytest.raises(ConfigError) as raised:
        load(path, change)
    if said:
        (problem,) = raised.value.problems
        assert problem.code == "C009"
        assert problem.message.startswith(said)
    assert all(str(problem.mark) == f"override '{change}'" for problem in raised.value.problems)


@pytest.mark.parametrize("letter", ["\udcff", "\0", "\ufeff"])
def test_a_path_holds_no_letter_that_no_key_can(letter, path):
    """The first is what becomes of a byte that is no UTF-8."""
    with pytest.raises(ConfigError) as raised:
        load(path, f"model.layers.hidd{letter}en.units=1")
    (problem,) = raised.value.problems
    assert problem.code == "C005"
    assert problem.message == f"the path holds the character U+{ord(letter):04X}"


def test_an_empty_list_says_how_to_add_to_it(path):
    with pytest.raises(ConfigError, match="`AUC`: the list is empty; `\\+=` adds to it"):
        load(path, "training.metrics=[]", "training.metrics.AUC.name=x")
    assert load(path, "training.metrics=[]", "training.metrics+=AUC", "training.metrics.AUC.name=x")


def test_null_takes_an_optional_key_away(path):
    plain = path.with_name("plain.yaml")
    plain.write_text(
        CONFIG.replace("name: nets\n", "").replace(", scaling: standardize", "")
        .replace("  optimizer: {Adam: {learning_rate: 0.1}}\n", "")
        .replace("  metrics: [accuracy]\n", "").replace("  batch_size: full\n", "")
        .replace("callbacks: [{EarlyStopping: {patience: 3}}, TerminateOnNaN]", "threads: 1"),
        "utf-8",
    )  # fmt: skip
    keys = ["data.scaling", *(f"training.{key}" for key in ("optimizer", "metrics", "callbacks"))]
    keys += ["training.batch_size", "training.threads", "seed", "data.split", "data.split.test"]
    changes = [f"{key}=null" for key in keys]
    assert load(path, *changes, "name=plain", "training.threads=1") == load(plain)
    assert load(path, "name=null")["name"] == "c"


def every_key():
    """The dotted path and the field of each key of the form."""
    for section, form in schema.SECTIONS.items():
        for key, field in form.model_fields.items():
            if key != "extends":
                yield pytest.param((*section, key), field, id=".".join([*section, key]))


@pytest.mark.parametrize(("place", "field"), list(every_key()))
def test_null_is_the_default_or_names_what_is_needed(place, field, path):
    change = f"{'.'.join(place)}=null"
    root = text.read(CONFIG.encode(), "f")
    override.apply(root, change)
    needed = field.is_required() and place != ("name",)
    left = text.child(root, place[0])
    for part in place[1:]:
        left = text.child(left, part)
    assert (left is not None) == needed
    if needed:
        with pytest.raises(ConfigError) as raised:
            load(path, change)
        assert {str(problem.mark) for problem in raised.value.problems} == {f"override '{change}'"}
    else:
        assert load(path, change)


def test_null_takes_an_entry_of_a_list_away(path):
    layers = load(path, "model.layers.Dropout=null", "model.layers.0=")["model"]["layers"]
    assert [next(iter(layer)) for layer in layers] == ["Dense", "Dense"]
    with pytest.raises(ConfigError, match="expected at least 1 in the list"):
        load(path, *["model.layers.0=null"] * 4)


def test_null_within_a_keras_object_is_a_value(path):
    settled = load(path, "model.layers.hidden.activation=null", "training.optimizer.Adam.clipnorm=")
    assert settled["model"]["layers"][1]["Dense"]["activation"] is None
    assert settled["training"]["optimizer"]["Adam"]["clipnorm"] is None


@pytest.mark.parametrize("key", ["training.epoch", "sed", "data.split.valid"])
def test_null_does_not_hide_a_misspelt_key(key, path):
    with pytest.raises(ConfigError, match="unknown key"):
        load(path, f"{key}=null")


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@often
@given(values)
@example({"a, b": "c: d", "e=f": ["#", "${x}", "$${"]})
@example("training.epochs=5")
def test_any_value_written_as_yaml_is_put_as_it_is(value):
    root = text.read(b"{}", "f")
    override.apply(root, f"a.b={dump.yaml_text(value)}")
    assert text.plain(root) == {"a": {"b": value}}
    items = value if isinstance(value, list) else [value]
    override.apply(root, f"a.c+={dump.yaml_text(value)}")
    override.apply(root, f"a.c+={dump.yaml_text(value)}")
    assert text.plain(root)["a"]["c"] == items + items


names = st.sampled_from(["Dense", "Flatten", "out", "x", "Dropout"])
entries = st.one_of(
    names,
    names.map(lambda name: {name: None}),
    st.tuples(names, names).map(lambda both: {both[0]: {"name": both[1]}}),
    st.sampled_from([3, None, [1], {}, {"Dense": 1}, {"a": {}, "b": {}}]),
)


@often
@given(st.lists(entries, max_size=5), names)
def test_a_name_stands_for_the_one_entry_that_has_it(items, name):
    given = [item for item in items if name in names_of(item)[1:]]
    found = given or [item for item in items if name == names_of(item)[0]]
    root = text.read(dump.yaml_text({"model": {"layers": items}}).encode(), "f")
    try:
        override.apply(root, f"model.layers.{name}.new=1")
    except ConfigError as error:
        (problem,) = error.problems
        assert problem.code == "C009"
        assert len(found) != 1 or found == [{"Dense": 1}] or found[0] == {"Dense": 1}
        return
    (item,) = found
    place = next(place for place, one in enumerate(items) if one is item)
    keras = names_of(item)[0]
    before = item[keras] if isinstance(item, dict) else None
    after = text.plain(root)["model"]["layers"]
    assert after[place] == {keras: {**(before if isinstance(before, dict) else {}), "new": 1}}
    assert after[:place] + after[place + 1 :] == items[:place] + items[place + 1 :]


def names_of(item):
    """An entry's Keras name, then what it is called by `name:`."""
    if isinstance(item, str):
        return [item]
    if not isinstance(item, dict) or len(item) != 1:
        return [None]
    ((keras, arguments),) = item.items()
    return [keras, *([arguments["name"]] if isinstance(arguments, dict) else [])]
