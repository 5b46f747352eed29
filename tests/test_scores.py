"""Figures are scikit-learn's, also of resampled rows; intervals are SciPy's; words fit figures."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from conftest import ROOT
from tftrain import scoreboard
from tftrain.predictions import Predictions
from tftrain.scores import Wish, assess, baselines, figures, likelihood, points, ranks, rows
from tftrain.scores.measures import EPSILON, losses, measure, taken
from tftrain.scores.paired import mcnemar
from tftrain.scores.resample import Resampled, bca, wilson
from tftrain.scores.verdicts import outcome

F, L = partial(np.array, dtype=np.float32), partial(np.array, dtype=np.int32)
EXACT = {"rel": 0, "abs": 1e-9}


def made(kind, count=300, seed=0, *, ties=False, margins=False):
    random = np.random.default_rng(seed)
    if kind == "regression":
        labels = random.normal(3, 1, count).astype(np.float32)
        outputs = labels + random.normal(0, 0.5, count).astype(np.float32)
    elif kind == "binary":
        labels = (random.random(count) < 0.3).astype(np.int32)
        scores = random.normal(size=count) + 1.5 * labels - 0.7
        outputs = (scores if margins else 1 / (1 + np.exp(-scores))).astype(np.float32)
        outputs = outputs.round(1) if ties else outputs
    else:
        labels = random.integers(0, 5, count).astype(np.int32)
        powers = np.exp(random.normal(size=(count, 5)) + np.eye(5)[labels]).astype(np.float32)
        outputs = powers / powers.sum(axis=1, keepdims=True)
    return Predictions(kind, outputs, labels, np.arange(count) + 1000, count, margins)


def by_sklearn(one, places=slice(None)):
    """The figures as anyone computes them from a run's `predictions.npz`."""
    y, p = one.labels[places], one.outputs[places].astype(np.float64)
    if one.kind == "regression":
        return {
            "mean_absolute_error": metrics.mean_absolute_error(y, p),
            "root_mean_squared_error": metrics.root_mean_squared_error(y, p),
            "r2": metrics.r2_score(y, p),
            "mean_absolute_percentage_error": metrics.mean_absolute_percentage_error(y, p),
        }
    if one.kind == "multiclass":
        p /= p.sum(axis=1, keepdims=True)
        guess = p.argmax(axis=1)
        found = {
            "top_3_accuracy": metrics.top_k_accuracy_score(y, p, k=3, labels=range(5)),
            "log_loss": metrics.log_loss(y, p, labels=range(5)),
        }
        for mean in ("macro", "weighted"):
            found |= {
                f"precision_{mean}": metrics.precision_score(y, guess, average=mean),
                f"recall_{mean}": metrics.recall_score(y, guess, average=mean),
                f"f1_{mean}": metrics.f1_score(y, guess, average=mean),
            }
    else:
        guess = p > (0 if one.margins else 0.5)
        found = {
            "precision": metrics.precision_score(y, guess),
            "recall": metrics.recall_score(y, guess),
            "f1": metrics.f1_score(y, guess),
            "roc_auc": metrics.roc_auc_score(y, p),
            "average_precision": metrics.average_precision_score(y, p),
        }
        if not one.margins:
            cut = p.clip(EPSILON, 1 - EPSILON)
            found |= {"log_loss": metrics.log_loss(y, cut)}
            found |= {"brier_score": metrics.brier_score_loss(y, p)}
    return found | {
        "accuracy": metrics.accuracy_score(y, guess),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, guess),
    }


CASES = {
    "binary": made("binary"),
    "ties": made("binary", ties=True),
    "margins": made("binary", margins=True),
    "multiclass": made("multiclass"),
    "regression": made("regression"),
}
CLASSES = {"binary": ("no", "yes"), "multiclass": tuple("abcde"), "regression": ()}


def assessed(one, **others):
    classes = CLASSES[one.kind]
    learnt = np.arange(len(classes), 0, -1) if classes else np.array([2.5])
    return assess(one, classes, learnt, part="test", **others)


@pytest.mark.parametrize("name", CASES)
def test_every_figure_is_scikit_learn_s(name):
    one = CASES[name]
    found = assessed(one).values()
    assert found == pytest.approx(by_sklearn(one), **EXACT)
    assert set(found) <= set(figures(len(CLASSES[one.kind])))


@pytest.mark.parametrize("name", CASES)
def test_figures_of_resampled_rows_are_scikit_learn_s_of_these_rows(name):
    one = CASES[name]
    random = np.random.default_rng(1)
    drawn = [random.integers(0, len(one), len(one)) for _ in range(4)]
    weights = np.array([np.bincount(places, minlength=len(one)) for places in drawn], float)
    found = measure(one, len(CLASSES[one.kind])).weighted(weights)
    for place, places in enumerate(drawn):
        for figure, value in by_sklearn(one, places).items():
            assert found[figure][place] == pytest.approx(value, **EXACT), figure


def test_figures_of_several_numbers_a_row_are_means_over_them():
    random = np.random.default_rng(0)
    y = random.normal(3, 1, (200, 3)).astype(np.float32)
    one = Predictions("regression", y + np.float32(0.1) * y**2, y, np.arange(200), 200)
    found = assessed(one)
    assert found.values() == pytest.approx(by_sklearn(one), **EXACT)
    assert all(
        metric.interval.low < metric.value < metric.interval.high for metric in found.metrics
    )
    assert isinstance(found.worst[0].label, tuple)


def test_bca_is_scipy_s():
    values = np.random.default_rng(3).exponential(size=150)
    boot = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(0)
    )
    left = np.array([np.delete(values, place).mean() for place in range(len(values))])
    ours = bca(values.mean(), boot.bootstrap_distribution, left)
    assert (ours.low, ours.high) == pytest.approx(tuple(boot.confidence_interval), rel=1e-9)


@pytest.mark.parametrize(("count", "of"), [(0, 5), (3, 7), (50, 50), (190, 200)])
def test_wilson_is_scipy_s(count, of):
    theirs = stats.binomtest(count, of).proportion_ci(method="wilson")
    ours = wilson(count, of)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert wilson(0, 0) is None


def test_intervals_repeat_and_are_near_those_of_scipy():
    one = CASES["regression"]
    found, again = (assessed(one).metrics for _ in range(2))
    assert found == again
    errors = np.abs(one.outputs.astype(float) - one.labels)
    theirs = stats.bootstrap((errors,), np.mean, rng=np.random.default_rng(0)).confidence_interval
    ours = found[0].interval
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.1 * width)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_intervals_of_500_data_sets_hold_the_truth_93_to_97_times_of_100(kind, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    from coverage_of_intervals import BAR, coverage

    found = coverage(kind, sets=500, seed=1, resamples=400)
    assert {name: share for name, share in found.items() if not BAR[0] <= share <= BAR[1]} == {}


def test_a_figure_that_no_row_can_change_has_no_interval():
    one = made("binary", 40)
    perfect = replace(one, outputs=one.labels.astype(np.float32) * np.float32(0.8))
    found = {metric.name: metric for metric in assessed(perfect).metrics}
    assert found["roc_auc"].value == 1
    assert found["roc_auc"].interval is None
    assert found["accuracy"].interval.low < 1  # Wilson's knows that 40 rows are few


class TestEntropy:
    """The notes, B: H(P), H(P, Q), and H(P, Q) >= H(P)."""

    def test_of_a_fair_coin_is_one_bit(self):
        labels = np.arange(10, dtype=np.int32) % 2
        half = Predictions("binary", np.full(10, 0.5, np.float32), labels, np.arange(10), 10)
        found = likelihood.entropy(half)
        assert found.labels / math.log(2) == pytest.approx(1, abs=1e-12)
        assert found.model / math.log(2) == pytest.approx(1, abs=1e-12)
        assert found.gap == pytest.approx(0, abs=1e-12)
        assert found.explained == pytest.approx(0, abs=1e-12)

    def test_of_n_equally_likely_classes_is_the_logarithm_of_n(self):
        labels = np.arange(40, dtype=np.int32) % 8
        even = np.full((40, 8), 1 / 8, np.float32)
        found = likelihood.entropy(Predictions("multiclass", even, labels, labels, 40))
        assert found.labels / math.log(2) == pytest.approx(3, abs=1e-12)

    @pytest.mark.parametrize("name", ["binary", "multiclass"])
    def test_is_scipy_s_and_the_gap_is_the_divergence(self, name):
        one = CASES[name]
        found = likelihood.entropy(one)
        shares = np.bincount(one.labels) / len(one)
        second = one.outputs.astype(float)
        chances = np.stack([1 - second, second], 1) if name == "binary" else second
        mean = chances.mean(axis=0) / chances.mean(axis=0).sum()
        assert found.labels == pytest.approx(stats.entropy(shares), abs=1e-9)
        assert found.gap == pytest.approx(stats.entropy(shares, mean), abs=1e-7)
        assert found.without_inputs == pytest.approx(found.labels + found.gap, abs=1e-12)
        assert found.model == pytest.approx(by_sklearn(one)["log_loss"], **EXACT)
        assert found.explained == pytest.approx(1 - found.model / found.labels, abs=1e-12)
        assert found.sound

    @pytest.mark.parametrize("seed", range(20))
    def test_no_code_is_shorter_than_that_of_the_labels_themselves(self, seed):
        found = likelihood.entropy(made("binary", 30, seed))
        assert found.sound
        assert found.gap >= 0


def test_calibration_counts_what_the_probabilities_promise():
    random = np.random.default_rng(0)
    p = random.random(5000).astype(np.float32)
    right = Predictions(
        "binary", p, (random.random(5000) < p).astype(np.int32), np.arange(5000), 5000
    )
    found = likelihood.calibration(right)
    theirs = metrics_of_bins(right)
    assert [one.observed for one in found.bins] == pytest.approx(theirs[0], **EXACT)
    assert [one.predicted for one in found.bins] == pytest.approx(theirs[1], **EXACT)
    assert found.error < found.chance
    assert sum(one.rows for one in found.bins) == 5000
    bold = likelihood.calibration(replace(right, outputs=(p > 0.5).astype(np.float32)))
    assert bold.error > 5 * bold.chance


def metrics_of_bins(one):
    from sklearn.calibration import calibration_curve

    return calibration_curve(one.labels, one.outputs.astype(float), n_bins=10)


class TestThresholds:
    def test_are_chosen_on_validation_and_reported_on_test(self):
        validation, test = made("binary", seed=5), made("binary", seed=6)
        found = assessed(test, validation=validation, wish=Wish(0.3, 0.95)).points
        assert [one.name for one in found] == ["default", "best F1", "recall 0.95", "threshold 0.3"]
        assert [one.chosen_on for one in found] == [None, "validation", "validation", None]
        borders = np.unique(validation.outputs) - 1e-6
        best = max(metrics.f1_score(validation.labels, validation.outputs > one) for one in borders)
        chosen = metrics.f1_score(validation.labels, taken(validation, found[1].threshold))
        assert chosen == pytest.approx(best, **EXACT)
        for one in found:
            guess = test.outputs > one.threshold
            values = {metric.name: metric.value for metric in one.metrics}
            assert values["f1"] == pytest.approx(metrics.f1_score(test.labels, guess), **EXACT)
            theirs = metrics.confusion_matrix(test.labels, guess).ravel()
            assert one.counts == tuple(theirs)

    @pytest.mark.parametrize("recall", [0.0, 0.5, 0.9, 1.0])
    @pytest.mark.parametrize("ties", [False, True])
    def test_reach_the_recall_that_is_asked_for_and_no_larger_one_does(self, recall, ties):
        one = made("binary", ties=ties)
        border = points.chosen(one, recall)
        assert metrics.recall_score(one.labels, taken(one, border)) >= recall
        above = np.unique(one.outputs[one.outputs > border])[0]
        assert metrics.recall_score(one.labels, one.outputs > above) < max(recall, 1e-9)

    def test_lie_between_scores_that_nothing_lies_between(self):
        near = np.nextafter(np.float32(0.5), np.float32(1))
        one = Predictions("binary", F([0.5, near]), L([0, 1]), np.arange(2), 2)
        assert taken(one, points.chosen(one)).tolist() == [0, 1]
        assert taken(one, points.chosen(replace(one, labels=L([1, 0])), 1.0)).tolist() == [1, 1]


@pytest.mark.parametrize("ties", [False, True])
def test_areas_of_plain_counts_are_scikit_learn_s(ties):
    one = made("binary", ties=ties)
    counts = ranks.ranked(one.labels, one.outputs).counts(np.ones((1, len(one))))
    assert ranks.roc_auc(*counts)[0] == pytest.approx(by_sklearn(one)["roc_auc"], **EXACT)


def test_the_worst_rows_are_those_of_the_largest_loss_by_their_numbers():
    one = CASES["binary"]
    found = assessed(one)
    chance = np.where(one.labels == 1, one.outputs, 1 - one.outputs.astype(float))
    order = np.argsort(chance, kind="stable")
    assert [example.row for example in found.worst] == one.rows[order][:10].tolist()
    assert found.worst[0].loss == pytest.approx(-math.log(chance[order[0]]), rel=1e-6)
    assert found.worst[0].label == CLASSES["binary"][one.labels[order[0]]]
    assert found.most_certain[0].row == one.rows[order[-1]]


def test_the_hinge_is_the_loss_of_margins():
    one = CASES["margins"]
    theirs = metrics.hinge_loss(one.labels, one.outputs.astype(float))
    assert losses(one).mean() == pytest.approx(theirs, **EXACT)


class TestGroups:
    def test_are_scored_each_by_itself(self):
        one = CASES["binary"]
        values = np.array(["north", None, "south"], object)[np.arange(len(one)) % 3]
        found = assessed(one, by=("place", values)).groups
        assert {group.name: group.rows for group in found} == {
            "north": 100,
            rows.EMPTY: 100,
            "south": 100,
        }
        south = next(group for group in found if group.name == "south")
        scores = {metric.name: metric.value for metric in south.metrics}
        assert scores == pytest.approx(by_sklearn(one, values == "south"), **EXACT)

    def test_of_many_numbers_are_quarters(self):
        one = CASES["regression"]
        values = np.arange(len(one)).astype(str).astype(object)
        found = assessed(one, by=("age", values)).groups
        assert [group.rows for group in found] == [75, 75, 75, 75]
        assert found[0].name == "0 to 74.75"

    def test_of_many_texts_are_the_most_frequent_ones_and_the_others(self):
        one = CASES["binary"]
        values = np.array([f"n{min(place % 40, place % 7)}x" for place in range(len(one))], object)
        values[:30] = np.array([f"rare {n}" for n in range(30)], object)
        found = assessed(one, by=("name", values)).groups
        assert found[-1].name == rows.OTHERS
        assert sum(group.rows for group in found) == len(one)

    def test_of_one_class_have_no_area(self):
        one = CASES["binary"]
        (no, _) = assessed(one, by=("y", one.labels.astype(str).astype(object))).groups
        names = {metric.name for metric in no.metrics}
        assert "roc_auc" not in names
        assert "accuracy" in names


class TestVerdicts:
    def test_say_by_how_much_a_baseline_is_beaten(self):
        found = assessed(made("binary", 3000)).verdicts[0]
        assert (found.baseline, found.outcome) == ("majority", "better")
        half = (found.interval.high - found.interval.low) / 2
        expected = f"beats always `no` by {found.difference:.3g} ± {half:.2g} in accuracy"
        assert found.words == expected

    def test_say_that_rows_are_too_few(self):
        found = assessed(made("binary", 12), linear=made("binary", 12)).verdicts[1]
        assert found.outcome == "undecided"
        assert found.words == "no row tells it from a logistic regression in accuracy"
        close = assessed(made("binary", 40), linear=made("binary", 40, seed=0, ties=True)).verdicts
        assert close[1].outcome == "undecided"

    def test_of_errors_are_better_where_these_are_smaller(self):
        one = CASES["regression"]
        (mean,) = assessed(one).verdicts
        assert (mean.baseline, mean.outcome) == ("mean", "better")
        (mean,) = assessed(replace(one, outputs=-one.outputs)).verdicts
        assert mean.outcome == "worse"
        assert mean.difference < 0

    def test_of_very_unequal_classes_are_of_the_area(self):
        one = CASES["binary"]
        found = assess(one, ("no", "yes"), np.array([90, 10]), part="test")
        assert found.main == "roc_auc"
        assert found.verdicts[0].difference == pytest.approx(found.values()["roc_auc"] - 0.5)

    @pytest.mark.parametrize("difference", [0.0, 0.5, math.nan])
    def test_nothing_is_better_where_the_rows_say_nothing(self, difference):
        assert outcome(difference, None) == "undecided"

    def test_of_a_difference_on_every_row_are_no_chance(self):
        labels = np.ones(12, np.int32)
        right = Predictions("binary", np.full(12, 0.9, np.float32), labels, labels, 12)
        learnt = np.array([60, 40])
        assert assess(right, ("a", "b"), learnt, part="test").verdicts[0].words == (
            "beats always `a` by 1 ± 0 in accuracy"
        )
        few = assess(right.taken(np.arange(3)), ("a", "b"), learnt, part="test").verdicts[0]
        assert few.words == "too few rows to tell it from always `a`: +1 in accuracy"


def test_of_many_classes_the_worst_are_shown():
    random = np.random.default_rng(0)
    labels = random.integers(0, 15, 300).astype(np.int32)
    chances = random.dirichlet(np.ones(15), 300).astype(np.float32)
    one = Predictions("multiclass", chances, labels, np.arange(300), 300)
    found = assess(one, tuple("abcdefghijklmno"), np.ones(15), part="test")
    shown = "\n".join(scoreboard.lines(found, {"loss": 2.7}))
    assert "worst of 15" in shown
    assert "true, down" not in shown
    assert len(found.per_class) == len(found.confusion) == 15


def test_differences_are_paired():
    one = CASES["regression"]
    near = replace(one, outputs=one.outputs + np.float32(0.01))
    measured = {"a": measure(one, 0), "b": measure(near, 0), "c": measure(one, 0)}
    found = Resampled(measured, len(one))
    paired = found.difference("a", "b", "mean_absolute_error")
    alone = found.interval("a", "mean_absolute_error")
    assert paired.high - paired.low < (alone.high - alone.low) / 10
    assert found.difference("a", "c", "mean_absolute_error") is None


def test_mcnemar_is_exact():
    labels = np.zeros(20, np.int32)
    first, second = (
        Predictions("binary", (np.arange(20) < wrong).astype(np.float32), labels, labels, 20)
        for wrong in (1, 7)
    )
    assert mcnemar(first, second) == pytest.approx(2 * 0.5**6)
    assert mcnemar(first, first) == 1


class TestBaselines:
    def test_the_linear_ones_are_scikit_learn_s(self):
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.preprocessing import StandardScaler

        random = np.random.default_rng(0)
        x = random.normal(2, 3, (80, 4)).astype(np.float32)
        y = (x[:, 0] + random.normal(size=80) > 2).astype(np.int32)
        scaler = StandardScaler().fit(x)
        theirs = LogisticRegression(max_iter=200).fit(scaler.transform(x), y)
        ours = baselines.linear(baselines.Lesson(x, y, 2), x)
        expected = theirs.predict_proba(scaler.transform(x)).astype(np.float32)
        assert (ours == expected).all()
        ridge = Ridge().fit(scaler.transform(x), x[:, 1])
        ours = baselines.linear(baselines.Lesson(x, x[:, 1], 0), x)
        assert (ours == ridge.predict(scaler.transform(x)).astype(np.float32)).all()

    def test_a_class_that_no_training_row_is_of_has_no_chance(self):
        x = np.arange(40, dtype=np.float32)[:, None]
        y = (np.arange(40) % 2 * 2).astype(np.int32)
        assert (baselines.linear(baselines.Lesson(x, y, 3), x)[:, 1] == 0).all()

    @pytest.mark.parametrize(
        ("rows", "numbers", "count"), [(100, 4, 100), (19, 4, 0), (99, 10**7, 0)]
    )
    def test_are_learnt_from_as_many_rows_as_is_quick(self, rows, numbers, count):
        assert baselines.enough(rows, numbers) == count
        assert baselines.enough(10**6, 1000) == 4000


FEW = {
    "one row": Predictions("binary", F([0.5]), L([1]), L([0]), 1),
    "one class": Predictions("binary", F([0.2, 0.7]), L([0, 0]), L([0, 1]), 2),
    "all wrong": Predictions("binary", F([0.0, 1.0]), L([1, 0]), L([0, 1]), 2),
    "all alike": Predictions("binary", F([0.5] * 5), L([1, 0, 1, 0, 0]), np.arange(5), 5),
    "no chance": Predictions("multiclass", F(np.zeros((3, 3))), L([1, 1, 2]), np.arange(3), 3),
    "no probability": Predictions("multiclass", F(-np.eye(3)), L([1, 1, 2]), np.arange(3), 3),
    "one number": Predictions("regression", F([1]), F([2]), L([0]), 1),
    "no error": Predictions("regression", F(range(9)), F(range(9)), np.arange(9), 9),
    "huge": Predictions("regression", F(range(9)) * F(3e37), F(range(9)), np.arange(9), 9),
}


@pytest.mark.parametrize("name", FEW)
def test_few_and_odd_rows_are_scored_without_a_warning(name):
    one = FEW[name]
    classes = {"binary": ("x", "y"), "multiclass": ("x", "y", "z"), "regression": ()}[one.kind]
    learnt = np.array([3, 1, 0])[: len(classes)] if classes else np.array([1.0])
    values = np.arange(len(one)).astype(object)
    found = assess(one, classes, learnt, part="test", linear=one, by=("c", values))
    assert all(line.isprintable() or "\n" in line for line in scoreboard.lines(found, {}))
    assert {math.isfinite(value) for value in found.values().values()} == {True}
