"""The pages of the codes: every code has one, and its examples do what they are there for."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from conftest import ROOT
from tftrain import check, config, errors, pages, prepare, query, require, templates
from tftrain.errors import TftrainError
from tftrain.explain import derivation
from tftrain.sweep import plan, storage

BLOCK = re.compile(r"^(Wrong|Right):\n\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = {code: BLOCK.findall(body) for code, body in pages.sections().items()}
CASES = [
    (code, side, content, language)
    for code, blocks in EXAMPLES.items()
    for side, language, content in blocks
]
BASE = {
    "data": "data: {source: digits, classes: [0, 1]}\n",
    "model": "model: {layers: [{Dense: {units: 1, activation: sigmoid}}]}\n",
    "training": "training: {loss: BinaryCrossentropy, epochs: 2}\n",
}
ROWS = "data: {source: rows.npz}\n"
BUILT = ("K004", "K005", "K006")  # what only Keras knows
FOUND = tuple(code for code in EXAMPLES if code.startswith("D02"))  # what only `check` looks for
TABLE = "data: {source: rows.csv, target: label"
CHECKED = ("K009", "K010")  # what only `check` tells
# Commands on runs and on files in other encodings: what they show, other tests show at length.
NOT_RUN = (
    *("C005", "C035", "C036", "K008", "D008", "D009"),
    *("R001", "R002", "R003", "R004", "E004", "T004"),
)


def cases(*languages, beginning, besides=()):
    return [
        pytest.param(code, side, content, id=f"{code}-{side.lower()}")
        for code, side, content, language in CASES
        if language in languages and code[0] in beginning and code not in besides
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the pages' examples are at home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NUMBER_OF_EPOCHS", raising=False)
    shutil.copy(ROOT / "configs" / "digits.yaml", tmp_path)
    (tmp_path / "base.yaml").write_text("".join(BASE.values()))
    (tmp_path / "rows.csv").write_text("age,town,label\n" + "25,Rome,0\n30,Oslo,1\n" * 10)
    (tmp_path / "own.py").write_text(block("C050", "Right"))
    (tmp_path / "own.yaml").write_text("code: [own.py]\n" + "".join(BASE.values()))
    exec(block("D003", "Right"), {})  # noqa: S102 - our own page's code, which writes rows.npz
    return tmp_path


def block(code, side):
    return next(content for c, s, content, _ in CASES if (c, s) == (code, side))


def whole(part, base=BASE):
    """A part of a config, the sections that it leaves out added."""
    left = (text for name, text in base.items() if not re.search(f"^{name}:", part, re.MULTILINE))
    Path("c.yaml").write_text(part + "".join(left), "utf-8")
    return Path("c.yaml")


def told(do):
    """The codes of all that is wrong."""
    try:
        do()
    except TftrainError as error:
        return {problem.code for problem in error.problems}
    return set()


def expected(code, side):
    return {code} if side == "Wrong" else set()


def test_every_code_has_a_page_with_a_wrong_and_a_right_example():
    assert [code for code in errors.CODES if not code.startswith("N")] == list(EXAMPLES)
    for code, blocks in EXAMPLES.items():
        assert [side for side, _, _ in blocks] == ["Wrong", "Right"], code
        assert len({language for _, language, _ in blocks}) == 1, code
        words = pages.sections()[code].partition("Wrong:")[0]
        assert words.rstrip().endswith("."), code


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("side", ["Wrong", "Right"])
@pytest.mark.parametrize("code", CHECKED)
def test_an_example_of_check_is_told_under_its_code(code, side):
    problems = check.check(whole(block(code, side)), build=False).problems
    assert {problem.code for problem in problems} & set(CHECKED) == expected(code, side)


def test_a_page_is_found_by_its_code_and_by_no_other():
    text = pages.page("c010")
    assert text.startswith(f"C010: {errors.CODES['C010']}\n\nNo such key")
    assert "\nWrong:\n\n    training:\n      loss: BinaryCrossentropy\n" in text
    assert "```" not in text
    assert not text.endswith("\n")
    for wrong in ("C01O", "C999", "", "digits", "\x1b[2J"):
        with pytest.raises(TftrainError) as raised:
            pages.page(wrong)
        assert str(raised.value).isprintable()
        assert "error[C031]: no code is called so" in str(raised.value)


def test_pages_of_other_codes_are_handed_in():
    assert pages.page("x001", {"X001": "A rule.\n\n```yaml\na: 1\n```\n"}) == "A rule.\n\n    a: 1"


def test_no_example_is_left_out():
    run = [
        *cases("yaml", beginning="CDK"),
        *cases("python", beginning="CD"),
        *cases("console", beginning="CE", besides=NOT_RUN),
        *cases("yaml", beginning="T"),
    ]
    skipped = [case for case in CASES if case[0] in NOT_RUN]
    assert len(run) + len(skipped) == len(CASES)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("code", "side", "content"), cases("yaml", beginning="CK", besides=(*BUILT, *CHECKED))
)
def test_a_config_s_example_is_told_under_its_code(code, side, content):
    assert told(lambda: config.load(whole(content))) == expected(code, side)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("code", "side", "content"),
    [case for case in cases("yaml", beginning="K") if case.values[0] in CHECKED],
)
def test_what_the_table_shows_is_told_under_its_code(code, side, content):
    problems = check.check(whole(content), build=False).problems
    assert {one.code for one in problems if one.code[0] == "K"} == expected(code, side)


@pytest.mark.usefixtures("folder", "tensorflow")
@pytest.mark.parametrize(("code", "side", "content"), cases("python", beginning="C"))
def test_code_of_one_s_own_is_told_under_its_code(code, side, content):
    from tftrain import foreign

    def run():
        _, source = config.load(Path("own.yaml"))
        if code == "C053":
            foreign.run(config.permit(source, allowed=True))

    Path("own.py").write_text(content)
    assert told(run) == expected(code, side)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("code", "side", "content"), cases("yaml", "python", beginning="D", besides=FOUND)
)
def test_an_example_of_data_is_told_under_its_code(code, side, content):
    from tftrain import data

    if "import" in content:
        exec(content, {})  # noqa: S102 - our own page's code, which writes rows.npz
        content = ROWS
    assert told(lambda: data.load(*config.load(whole(content)))) == expected(code, side)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("code", "side", "content"),
    [case for case in cases("python", beginning="D") if case.values[0] in FOUND],
)
def test_what_rows_are_found_to_be_is_told_under_its_code(code, side, content):
    exec(content, {})  # noqa: S102 - our own page's code, which writes rows.csv, perhaps test.csv
    other = ", split: {train: 0.8, validation: 0.2, test: test.csv}"
    names = Path("rows.csv").read_text().partition("\n")[0].split(",")
    group = ", group: house" * ("house" in names)
    images = ", columns: {file: image}, on_error: skip" * ("file" in names)
    section = f"{TABLE}{group}{images}{other * Path('test.csv').exists()}}}\n"
    if images:
        section += "model: {layers: [Flatten, {Dense: {units: 1, activation: sigmoid}}]}\n"
    report = check.check(whole(section), data=True)
    assert {one.code for one in report.problems if one.code[0] == "D"} == expected(code, side)
    assert not report.has("error")


@pytest.mark.usefixtures("folder", "tensorflow")
@pytest.mark.parametrize(
    ("code", "side", "content"),
    [case for case in cases("yaml", beginning="K") if case.values[0] in BUILT],
)
def test_what_only_keras_knows_is_told_under_its_code(code, side, content):
    from tftrain import data, model

    settled, source = config.load(whole(content))
    form = data.load(settled, source).form
    assert told(lambda: model.build(settled, source, form)) == expected(code, side)


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize(("code", "side", "content"), cases("yaml", beginning="T"))
def test_training_that_can_not_go_on_is_told_under_its_code(code, side, content, folder):
    from tftrain.fit import fit, prepare
    from tftrain.terminal import Silent

    asked = prepare(whole(content), ["training.epochs=30"], runs_dir=folder)
    assert told(lambda: fit(asked, Silent())) == expected(code, side)


def sweep(path, arguments):
    swept = [one for one in arguments if "=" in one]
    rest = [one for one in arguments if one not in swept]
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    asked = plan.Asked(trials=int(options["--trials"]), objective=options.get("--objective"))
    storage.where(options.get("--storage"), Path())
    plan.plan(path, swept, asked, timed=False)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("code", "side", "content"), cases("console", beginning="CE", besides=NOT_RUN)
)
def test_a_command_s_example_is_told_under_its_code(code, side, content):
    program, command, first, *rest = shlex.split(content.removeprefix("$ "))
    assert program == "tftrain"

    def run():
        if command == "init":
            templates.write(first, Path(*rest))
        elif command == "explain":
            derivation.derive(first, rest[1:2], tape=False)
        elif command == "runs":
            metrics = {"metrics": {"validation": {"loss": 0.05}, "test": {"auc": 1.0}}}
            query.select([(Path("r-1"), metrics)], rest[:1], (rest[2:] or [None])[0])
        elif command == "sweep":
            sweep(Path(first), rest)
        elif "--require" in rest:
            settled, _ = config.load(Path(first))
            require.parse(rest[1:], settled.training.log_names())
        elif first == "own.yaml":
            prepare.prepare(Path(first), runs_dir=Path(), allow_code="--allow-code" in rest)
        else:
            config.load(Path(first), rest)

    assert told(run) == expected(code, side)
