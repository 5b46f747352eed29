"""`tftrain report`: pages that hold what they should, ask nobody for anything, and can be read."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT
from tftrain import files, reporting, runs
from tftrain.errors import RunError
from tftrain.report import colours, history, inline, members, origin, pictures
from tftrain.report.drawing import Line, lines, panel
from tftrain.reporting import Wanted, report
from tftrain.terminal import Silent

OLD = ROOT / "tests" / "runs" / "0.1.0" / "digits-1"
HARM = "<script>alert(1)</script>"
MATH = '$\\frac{1}{0}$ & "it\'s"'
VOID = {"meta", "link", "img", "br", "path", "use", "rect"}
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
EVERY = ["verdict", "curves", "scores", "examples", "network", "data", "config", "environment"]
CONFIGS = {
    "classes": """\
data: {source: classes.csv, target: what, split: {train: 0.6, validation: 0.2, test: 0.2}}
model: {layers: [{Dense: {units: 3, activation: softmax}}]}
training: {loss: SparseCategoricalCrossentropy, metrics: [accuracy], epochs: 2, threads: 2}
""",
    "numbers": """\
data: {source: numbers.csv, target: price, split: {train: 0.6, validation: 0.2, test: 0.2}}
model: {layers: [{Dense: {units: 1}}]}
training: {loss: MeanSquaredError, epochs: 2, threads: 2}
""",
    "images": """\
data: {source: images, split: {train: 0.6, validation: 0.4}}
model: {layers: [Flatten, {Dense: {units: 1, activation: sigmoid}}]}
training: {loss: BinaryCrossentropy, epochs: 1, threads: 2}
""",
    "texts": """\
data: {source: texts.csv, target: good, positive: "yes", columns: {said: text}}
model: {layers: [{Dense: {units: 1, activation: sigmoid}}]}
training: {loss: BinaryCrossentropy, epochs: 1, threads: 2}
""",
    "starts": """\
data: {source: digits, classes: [0, 1]}
model: {layers: [{Dense: {units: 1, activation: sigmoid}}]}
training: {loss: BinaryCrossentropy, metrics: [accuracy], restarts: 3, epochs: 2, threads: 2}
""",
}


class Page(HTMLParser):
    """A page's elements; that they are closed in their order is seen on the way."""

    def __init__(self, content, path=None):
        super().__init__()
        self.path = path
        self.found, self.open, self.texts = [], [], []
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def of(self, *tags):
        return [attrs for tag, attrs in self.found if tag in tags]

    @property
    def sections(self):
        return [attrs["id"] for attrs in self.of("h2")]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def read(path):
    """A page, once it is one that asks for nothing and that axe would not find fault with."""
    page = Page(path.read_text("utf-8"), path)
    for _, attrs in page.found:
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert (attrs.get(name) or "#").startswith(("#", "data:")), attrs
    assert not page.of("script", "iframe", "object", "embed")
    assert "@import" not in page.text
    assert set(re.findall(r"url\(([^)]*)\)", path.read_text("utf-8"))) <= local(page)
    ids = Counter(attrs["id"] for _, attrs in page.found if "id" in attrs)
    assert [name for name, count in ids.items() if count > 1] == []
    links = {attrs["href"][1:] for attrs in page.of("a")}
    assert links == set(page.sections)
    assert page.of("html") == [{"lang": "en"}]
    assert len(page.of("title")) == len(page.of("h1")) == len(page.of("main")) == 1
    levels = [int(tag[1]) for tag, _ in page.found if re.fullmatch(r"h\d", tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(attrs.get("alt") for attrs in page.of("img"))
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in page.of("svg"))
    assert all(attrs["aria-label"] for attrs in page.of("div") if "tabindex" in attrs)
    return page


def local(page):
    return {f"#{attrs['id']}" for _, attrs in page.found if "id" in attrs}


def told(page, start):
    """The first picture's words that begin so."""
    return next(one["aria-label"] for one in page.of("svg") if one["aria-label"].startswith(start))


@pytest.fixture
def run(tmp_path):
    """A copy of a finished run of two classes that kept its predictions."""
    return shutil.copytree(OLD, tmp_path / "runs" / "digits-1")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of that run."""
    return written(shutil.copytree(OLD, tmp_path_factory.mktemp("runs") / "digits-1"))


def written(folder, **wanted):
    said = []
    (path,) = report(folder.parent, [folder.name], Wanted(**wanted), said.append)
    assert said == []
    return read(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data of each kind, whose names are what no page may take for more."""
    folder = tmp_path_factory.mktemp("kinds")
    random = np.random.default_rng(0)
    classes = [
        f'{value:.2f},"{("_a", HARM, MATH.replace(chr(34), chr(34) * 2))[row % 3]}"'
        for row, value in enumerate(random.normal(size=60))
    ]
    (folder / "classes.csv").write_text("\n".join([f'"{HARM}",what', *classes]) + "\n")
    numbers = [f"{value:.2f},{value * 3 + 1:.2f}" for value in random.normal(size=60)]
    (folder / "numbers.csv").write_text("\n".join(["$x_1$,price", *numbers]) + "\n")
    texts = [f"{('good', 'bad')[row % 2]} {HARM},{('yes', 'no')[row % 2]}" for row in range(40)]
    (folder / "texts.csv").write_text("\n".join(["said,good", *texts]) + "\n")
    for row in range(20):
        (folder / "images" / "ab"[row % 2]).mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (6, 5, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "images" / "ab"[row % 2] / f"{row}.png")
    return folder


@pytest.fixture(scope="module")
def trained(place, tensorflow):  # noqa: ARG001 - training needs it
    """A run of each config, trained when it is asked for."""
    from tftrain.fit import fit, prepare

    made = {}

    def train(kind, progress=None, **settings):
        if kind not in made:
            (place / f"{kind}.yaml").write_text(CONFIGS[kind])
            asked = prepare(place / f"{kind}.yaml", [], runs_dir=place / "runs", **settings)
            made[kind] = fit(asked, progress or Silent()).folder
        return made[kind]

    return train


class TestOneRun:
    def test_two_classes(self, run, tftrain):
        code, out, said = tftrain("report", "digits-1", "--png")  # which sees no TensorFlow
        assert (code, said) == (0, "")
        *drawn, path = out.splitlines()
        assert path == "runs/digits-1/report.html"
        page = read(run / runs.REPORT)
        assert page.sections == [*EVERY, "repeat"]
        said = [attrs["aria-label"] for attrs in page.of("svg")]
        assert [one.split()[0] for one in said] == [
            *("loss", "accuracy", "auc", "learning", "confusion", "ROC", "precision"),
            *("calibration", "entropy"),
        ]
        assert "too few rows to tell it from always `1`: +0.181 (" in page.text
        assert "accuracy 0.6944 (95 %: 0.5805 to 0.7887) on 72 test rows" in page.text
        assert "best epoch 3 of 3 by val_loss 0.5105; its weights are kept" in page.text
        assert told(page, "loss").endswith("validation 0.5105; best epoch 3")
        assert told(page, "confusion") == "confusion matrix: 50 of 72 rows lie on the diagonal"
        names = [one.rpartition("report-")[2] for one in drawn]
        assert names == [
            *("curve-loss.png", "curve-accuracy.png", "curve-auc.png", "learning-rate.png"),
            *("confusion.png", "roc.png", "precision-recall.png", "calibration.png"),
            "entropy.png",
        ]
        for name in names:
            with Image.open(run / f"report-{name}") as image:
                assert min(image.size) > 300

    def test_the_same_run_gives_the_same_bytes(self, run):
        written(run)
        first = (run / runs.REPORT).read_bytes()
        written(run)
        assert (run / runs.REPORT).read_bytes() == first
        assert len(first) < 400_000

    def test_entropy_is_in_bits_at_the_labels_frequency(self, page):
        arrays = files.read_arrays(OLD / runs.PREDICTIONS)
        labels = arrays["test/labels"]
        share = labels.mean()
        bits = -(share * np.log2(share) + (1 - share) * np.log2(1 - share))
        chance = np.where(labels == 1, arrays["test/outputs"], 1 - arrays["test/outputs"])
        model = -np.log2(chance).mean()
        expected = (
            f"frequency {share:.4f} it is {bits:.4f}, the network's cross-entropy {model:.4f}"
        )
        assert expected in told(page, "entropy of a coin")

    def test_examples_are_pictures(self, page):
        alts = [attrs["alt"] for attrs in page.of("img")]
        assert len(alts) == 20
        assert re.fullmatch(
            r"row \d+, is \d, taken for \d, probability 0\.\d+, loss [\d.]+", alts[0]
        )
        assert page.of("img")[0]["src"].startswith("data:image/png;base64,")

    def test_a_template_and_what_was_changed(self, page):
        assert "began as the template digits" in page.text
        assert "training.epochs 100 3" in page.text

    def test_another_split_and_file(self, run, tmp_path):
        page = written(run, output=tmp_path / "page.html", split="validation")
        assert "on 72 validation rows" in page.text
        assert not (run / runs.REPORT).exists()

    def test_a_sentence_in_place_of_rows_that_are_gone(self, run):
        summary = json.loads((run / runs.SUMMARY).read_text()) | {"fingerprint": "other"}
        (run / runs.SUMMARY).write_text(json.dumps(summary))
        text = (run / runs.CONFIG).read_text()
        (run / runs.CONFIG).write_text(f"# Mine.\n{text}")
        page = written(run)
        assert "of no template" in page.text
        assert "the rows themselves can't be read any more" in page.text
        assert "no linear model beside it: the data have changed" in page.text
        assert page.sections == [*EVERY, "repeat"]

    def test_neither_predictions_nor_rows(self, run):
        summary = json.loads((run / runs.SUMMARY).read_text()) | {"fingerprint": "other"}
        (run / runs.SUMMARY).write_text(json.dumps(summary))
        (run / runs.PREDICTIONS).unlink()
        said = []
        (path,) = report(run.parent, [run.name], Wanted(), said.append)
        page = read(path)
        assert said == [f"{run}: it kept no predictions, so its network is asked again"]
        assert "not scored: the data have changed since this run" in page.text
        assert page.sections == ["verdict", "curves", *EVERY[4:], "repeat"]

    @pytest.mark.parametrize("state", ["stopped", "failed", "interrupted"])
    def test_a_run_that_ended_early(self, run, state):
        summary = json.loads((run / runs.SUMMARY).read_text())
        for name in ("metrics", "best_epoch", "best_value", "epochs_run", "monitor", "kept"):
            del summary[name]
        written_as = (
            runs.RUNNING if state == runs.INTERRUPTED else state
        )  # which nobody is any more
        summary |= {"state": written_as, "reason": f"by {HARM}"}
        (run / runs.SUMMARY).write_text(json.dumps(summary))
        (run / runs.PREDICTIONS).unlink()
        (run / runs.WEIGHTS).unlink()
        page = written(run)
        assert page.sections == ["verdict", "curves", *EVERY[4:], "repeat"]
        assert f"{state}: by {HARM}; `tftrain fit --resume {run}` goes on" in page.text
        assert told(page, "loss").startswith("loss over 3 epochs")


@pytest.mark.usefixtures("tensorflow")
class TestKinds:
    def test_classes_of_any_name(self, trained):
        page = written(trained("classes"))
        assert page.sections == [*EVERY, "repeat"]
        raw = (trained("classes") / runs.REPORT).read_text("utf-8")
        assert HARM not in raw
        names = [one for one in page.texts if one.strip() in (HARM[:21] + "...", MATH, "_a")]
        assert len(names) > 10  # twice on the axes of the matrix, in tables, with the examples
        assert "confusion matrix" in page.text
        assert "mathdefault" not in raw

    def test_numbers(self, trained):
        page = written(trained("numbers"))
        assert page.sections == [*EVERY, "repeat"]
        assert told(page, "predictions over targets of 12 rows")
        assert told(page, "how many rows are off by how much")
        assert "root_mean_squared_error" in page.text
        assert "mean deviation smallest largest" in page.text
        assert "$x_1$" in page.text

    def test_images(self, trained):
        page = written(trained("images"))
        assert page.sections == [*EVERY, "repeat"]
        assert len(page.of("img")) == 16
        assert "on 8 validation rows" in page.text

    def test_texts(self, trained):
        page = written(trained("texts"))
        assert page.sections == [*EVERY, "repeat"]
        assert f"good {HARM}" in page.text

    def test_restarts(self, trained):
        page = written(trained("starts"))
        assert page.sections == [*EVERY[:4], "networks", *EVERY[4:], "repeat"]
        assert told(page, "val_loss over the epochs of each of 3 networks")
        assert "over 3 starts (best " in page.text

    def test_a_run_that_kept_no_predictions_is_asked_again(self, run, page):
        (run / runs.PREDICTIONS).unlink()
        said = []
        (path,) = report(run.parent, [run.name], Wanted(), said.append)
        assert read(path).sections == page.sections
        assert "its network is asked again" in said[0]

    def test_a_run_s_own_code_needs_leave(self, place):
        from tftrain.fit import fit, prepare

        (place / "own.py").write_text(
            "import keras\n\n\n@keras.saving.register_keras_serializable()\n"
            "class Mine(keras.layers.Dense):\n    pass\n"
        )
        text = CONFIGS["numbers"].replace("Dense", "Mine")
        (place / "own.yaml").write_text(f"code: [own.py]\n{text}")
        asked = prepare(place / "own.yaml", [], runs_dir=place / "runs", allow_code=True)
        folder = fit(asked, Silent()).folder
        assert "scores" in written(folder).sections
        (folder / runs.PREDICTIONS).unlink()
        said = []
        (path,) = report(folder.parent, [folder.name], Wanted(), said.append)
        page = read(path)
        assert "not scored: this would run" in page.text
        assert "scores" not in page.sections
        (path,) = report(folder.parent, [folder.name], Wanted(allow_code=True), said.append)
        assert "scores" in read(path).sections


class TestSeveral:
    @pytest.fixture
    def three(self, run):
        for number in (2, 3):
            other = shutil.copytree(run, run.with_name(f"digits-{number}"))
            resolved = other / runs.RESOLVED
            resolved.write_text(resolved.read_text().replace("epochs: 3", f"epochs: {number}"))
        return run.parent

    def test_runs_beside_each_other(self, three, tftrain):
        names = ("digits-1", "digits-2", "digits-3")
        code, out, said = tftrain("report", *names, "--output", "all.html", "--json")
        assert (code, said) == (0, "")
        assert json.loads(out) == {"report": "all.html", "pictures": []}
        page = read(three.parent / "all.html")
        assert page.sections == ["verdict", "curves", "metrics", "config", "environment"]
        assert "digits-2: no row tells it from digits-1 in accuracy; McNemar's p 1" in page.text
        assert "training.epochs 3 2" not in page.text.replace("training.epochs 3 2 3", "")
        assert told(page, "val_loss, at the end digits-1 0.5105, digits-2 0.5105")
        assert "no difference" in page.text

    def test_several_need_a_file(self, three, tftrain):
        code, out, said = tftrain("report", "digits-1", "digits-2")
        assert (code, out) == (2, "")
        assert "expected a file for several runs" in said
        assert [*three.glob("*/report.html")] == []


class TestFit:
    def test_writes_a_page_when_asked(self, trained, monkeypatch):
        said = []
        reporting.after(trained("numbers"), said.append)
        path = trained("numbers") / runs.REPORT
        assert said == [f"report: {path}"]
        assert read(path).sections == [*EVERY, "repeat"]

        def fail(*_):
            raise ZeroDivisionError("of pictures")

        monkeypatch.setattr(pictures, "of_run", fail)
        reporting.after(trained("numbers"), said.append)
        assert said[1:] == ["no report: of pictures"]

    def test_a_smoke_run_writes_none(self, tftrain):
        code, out, said = tftrain("fit", ROOT / "configs" / "digits.yaml", "--smoke", "--report")
        assert (code, out) == (2, "")
        assert "not with --smoke" in said


class TestHarm:
    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            (runs.METRICS, "epoch,loss\n1,x\n", "expected a table of numbers"),
            (runs.METRICS, "epoch,loss\n1\n", "expected as many numbers in each row"),
            (runs.METRICS, "loss,loss\n1,1\n", "expected as many numbers in each row"),
            (runs.METRICS, '"epoch', "expected a table of numbers"),
            (runs.METRICS, "e" * 200_000, "expected a table of numbers"),
            (runs.MEMBERS, "epoch,loss\n1,1\n", "expected a column `member`, in order"),
            (runs.MEMBERS, "member,epoch\n1,1\n0,1\n", "expected a column `member`, in order"),
        ],
    )
    def test_epochs_that_are_no_numbers(self, run, name, text, message):
        (run / name).write_text(text)
        with pytest.raises(RunError) as raised:
            report(run.parent, [run.name], Wanted(), print)
        assert str(raised.value) == f"{run / name}: error[R002]: damaged: {message}" + (
            " as there are columns" if "as many" in message else ""
        )
        assert not (run / runs.REPORT).exists()

    @pytest.mark.parametrize("value", [[], {"kept": 0}, {"kept": "x", "members": []}, 3])
    def test_a_population_of_no_form(self, run, value):
        with pytest.raises(RunError) as raised:
            members.of(run, {"population": value})
        assert str(raised.value).endswith("error[R002]: damaged: `population` is wrong")

    def test_a_damaged_file_is_one_line(self, run, tftrain):
        path = run / runs.PREDICTIONS
        path.write_bytes(path.read_bytes()[:-1])
        code, out, said = tftrain("report", "digits-1")
        assert (code, out) == (2, "")
        assert said.count("\n") == 1
        assert "error[R002]: damaged: " in said
        assert not (run / runs.REPORT).exists()

    @pytest.mark.parametrize(
        ("name", "wanted", "message"),
        [
            ("digits-2", {}, "error[R001]: no such run; did you mean `digits-1`?"),
            ("digits-1", {"split": "tset"}, "no rows of `tset` to score; did you mean `test`?"),
            ("digits-1", {"output": Path("a.pdf")}, "error[R003]: expected a .html or .htm file"),
            ("digits-1", {"output": Path("no/a.html")}, "error[R003]: can't be written: No such"),
        ],
    )
    def test_what_is_wrong_is_told(self, run, name, wanted, message):
        with pytest.raises(RunError) as raised:
            report(run.parent, [name], Wanted(**wanted), print)
        assert message in str(raised.value)
        assert not (run / runs.REPORT).exists()

    def test_numbers_that_no_picture_can_show(self, run):
        (run / runs.METRICS).write_text("epoch,loss,val_loss\n1,1e308,nan\n2,-1e308,inf\n3,1,2\n")
        assert told(written(run), "loss").startswith("loss over 3 epochs, at the end training 1.0")

    def test_texts_are_never_formulas_or_markup(self):
        with inline.settings():
            figure, axes = panel(MATH, HARM, "漢字")
            lines(axes, [Line("_hidden", [0, 1], [0, 1]), Line(MATH, [0, 1], [1, 0])])
            axes.legend()
            shown = inline.svg(figure, "x", "&lt;")
        assert HARM not in shown
        texts = [one.strip() for one in Page(shown).texts if one.strip()]
        assert {MATH, HARM, "漢字", "_hidden"} <= {*texts}


def test_histories_are_read_by_network(tmp_path):
    (tmp_path / runs.MEMBERS).write_text("member,epoch,loss\n0,1,3\n0,2,2\n1,1,5\n")
    first, second = history.members(tmp_path)
    assert (first["loss"], second["loss"]) == ((3.0, 2.0), (5.0,))
    assert history.read(tmp_path) == {}


def test_every_template_knows_itself():
    for path in (ROOT / "configs").glob("*.yaml"):
        found = origin.templates.origin(path.read_text("utf-8"))
        assert found is not None
        assert found[0] == path.stem


def contrast(first, second):
    """WCAG's ratio of two colours, (r, g, b) each."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [one / 255 for one in colour]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def rgb(text):
    return np.array([int(text[place : place + 2], 16) for place in (1, 3, 5)], float)


@pytest.mark.parametrize("scheme", [colours.LIGHT, colours.DARK], ids=["light", "dark"])
def test_colours_can_be_told_from_what_lies_behind(scheme):
    paper = rgb(scheme["paper"])
    for name in ("ink", "muted", *colours.SERIES):
        assert contrast(rgb(scheme[name]), paper) >= 4.5, name
    for name in ("blue", "red"):  # under the numbers of a matrix
        cell = colours.DEEPEST * rgb(scheme[name]) + (1 - colours.DEEPEST) * paper
        assert contrast(rgb(scheme["ink"]), cell) >= 4.5, name
    assert len(set(scheme.values())) == len(scheme)
    assert scheme.keys() == colours.LIGHT.keys()


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
class TestBrowser:
    """What a browser makes of a page: it says nothing, and is light or dark as it is asked."""

    @pytest.fixture
    def browse(self, page, tmp_path):
        def start(*arguments):
            command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", *arguments]
            command += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr"]
            command.append(f"file://{page.path}")
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path
            )
            assert "CONSOLE" not in done.stderr

        return start

    @pytest.mark.parametrize(("scheme", "asked"), [("LIGHT", 1), ("DARK", 0)])
    def test_light_and_dark(self, browse, tmp_path, scheme, asked):
        settings = f"--blink-settings=preferredColorScheme={asked}"
        browse("--screenshot=page.png", "--window-size=800,1200", settings)
        with Image.open(tmp_path / "page.png") as image:
            pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
            counts = Counter(map(tuple, pixels.tolist()))
        wanted = {name: tuple(map(int, rgb(one))) for name, one in getattr(colours, scheme).items()}
        assert counts.most_common(1)[0][0] == wanted["paper"]
        assert all(counts[wanted[name]] > 20 for name in ("ink", "blue", "red", "line"))

    def test_it_can_be_printed(self, browse, tmp_path):
        browse("--print-to-pdf=page.pdf")
        assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
