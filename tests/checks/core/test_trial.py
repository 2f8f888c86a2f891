import numpy as np
import pytest

from dlcourse.checks.core.exercise import Case, Exercise
from tests.checks.core import examples
from tests.checks.core.examples import linear_backward, one_hot


def hints(*names, of=linear_backward):
    return [of.mistakes[name].hint for name in names]


def test_two_mistakes_at_once_lose_their_parts_and_give_two_hints():
    def both(dy, x, weight):
        return dy @ weight, x.T @ dy, dy.mean(axis=0)

    verdict = linear_backward.score(both)
    assert verdict.parts == {"dx": True, "dweight": False, "dbias": False}
    assert sorted(verdict.hints) == sorted(hints("transposed", "mean_of_bias"))


def test_a_mistake_is_recognised_in_single_precision_too():
    def wrong(dy, x, weight):
        return tuple(np.float32(a) for a in linear_backward.mistakes["downhill"].fn(dy, x, weight))

    assert linear_backward.score(wrong).mistakes == ["downhill"]


def test_an_unknown_wrong_answer_gets_no_hint():
    def odd(dy, x, weight):
        return dy @ weight + 0.3, dy.T @ x + 0.1, dy.sum(axis=0) - 2

    assert linear_backward.score(odd).mistakes == []


def test_a_value_that_is_slightly_off_is_not_taken_for_single_precision():
    def off(dy, x, weight):
        return tuple(a * (1 + 1e-7) for a in (dy @ weight, dy.T @ x, dy.sum(axis=0)))

    verdict = linear_backward.score(off)
    assert verdict.earned == 0 and verdict.mistakes == []


def test_wrong_in_the_last_case_only_is_wrong():
    seen = []

    def late(dy, x, weight):
        seen.append(1)
        return dy @ weight, dy.T @ x, dy.sum(axis=0) + (len(seen) == 12)

    verdict = linear_backward.score(late)
    assert verdict.parts == {"dx": True, "dweight": True, "dbias": False}
    assert verdict.failures[0].case == "Case 12 of 12"


def test_an_exception_is_shown_at_the_learners_line():
    source = "def f(dy, x, weight):\n    half = dy @ weight\n    return half / missing\n"
    namespace = {}
    exec(compile(source, "<a cell>", "exec"), namespace)
    import linecache

    linecache.cache["<a cell>"] = (len(source), None, source.splitlines(True), "<a cell>")
    text = linear_backward.score(namespace["f"]).text()
    assert "NameError: name 'missing' is not defined (your line 3: return half / missing)" in text


def test_a_crash_on_one_case_loses_all_parts():
    def batch_of_one(dy, x, weight):
        if len(dy) > 1:
            raise RuntimeError("only one")
        return dy @ weight, dy.T @ x, dy.sum(axis=0)

    verdict = linear_backward.score(batch_of_one)
    assert verdict.earned == 0
    assert "RuntimeError: only one" in verdict.text()


def test_leaving_is_an_outcome_and_an_interrupt_is_not():
    def leaves(*case):
        raise SystemExit

    def interrupted(*case):
        raise KeyboardInterrupt

    assert linear_backward.score(leaves).earned == 0
    with pytest.raises(KeyboardInterrupt):
        linear_backward.score(interrupted)


def test_the_stub_is_told_that_there_is_nothing_yet():
    def stub(*case):
        raise NotImplementedError()

    assert "there is no answer here yet" in linear_backward.score(stub).text()


@pytest.mark.parametrize(
    "answer, words",
    [
        (3, "should be a function; it is a number"),
        (
            lambda dy, x, weight: dy,
            "should return 3 values, dx, dweight, dbias; it returned an arr",
        ),
        (lambda dy, x, weight: (dy, x), "it returned a list or tuple of 2"),
        (lambda dy, x, weight: None, "it returned None"),
        (lambda: None, "takes 0 positional arguments but 3 were given"),
    ],
)
def test_an_answer_of_the_wrong_form_is_told_which_form_it_needs(answer, words):
    verdict = linear_backward.score(answer)
    assert verdict.earned == 0
    assert words in verdict.text()


def test_a_class_is_asked_for_where_one_is_needed():
    assert "should be a class" in examples.running_mean.score(lambda: 1).text()


def test_a_changed_argument_is_named_and_loses_everything():
    verdict = linear_backward.score(linear_backward.mistakes["in_place"].fn)
    assert verdict.earned == 0
    assert "changed its argument `x`" in verdict.text()


def test_changing_an_argument_cannot_change_the_next_case():
    def spoils(dy, x, weight):
        out = dy @ weight, dy.T @ x, dy.sum(axis=0)
        dy[:] = np.nan
        return out

    assert linear_backward.score(spoils).earned == 0
    assert linear_backward.score(linear_backward.reference).right


def test_must_raise_says_what_was_raised_instead():
    text = one_hot.score(one_hot.mistakes["index_error"].fn).text()
    assert "should raise ValueError; it raised IndexError" in text
    assert "a label too large" in text
    assert one_hot.score(lambda labels, k: np.eye(k)[labels % k]).parts == {
        "rows": True,
        "refuses": False,
    }


def test_a_subclass_of_the_named_error_is_that_error():
    class Better(ValueError):
        pass

    def answer(labels, k):
        if labels.min() < 0 or labels.max() >= k:
            raise Better
        return np.eye(k)[labels]

    assert one_hot.score(answer).right


def test_a_judged_answer_that_cannot_be_read_is_wrong_and_not_a_crash():
    class Order(list):
        pass

    assert "can't be judged" in examples.topological.score(lambda graph: Order(graph)).text()


@pytest.mark.parametrize("answer", [[1.0], None, "weights", {"weight": 1}])
def test_a_judge_sees_no_other_type_than_the_right_answers(answer):
    text = examples.he_init.score(lambda fan_out, fan_in, noise: answer).text()
    assert "it should be an array of shape" in text


def test_an_unreadable_part_does_not_keep_the_others_from_being_judged():
    pair = Exercise("pair", "Pair", {"low": 1, "high": 1}, of="value", **examples.COMMON)
    pair.answer(lambda: {"low": 1.0, "high": 2.0})

    @pair.judge
    def _(case, parts):
        return {} if parts["low"] < parts["high"] else {"high": "`high` is below `low`."}

    assert pair.score({"low": 1.0, "high": 3.0}).earned == 2
    assert pair.score({"low": "1", "high": 3.0}).earned == 1
    assert pair.score({"low": "1", "high": 0.0}).earned == 0


def test_a_case_judges_only_the_parts_it_names():
    exercise = Exercise("e", "E", parts={"a": 1, "b": 1}, minutes=1, difficulty=1, outcomes=())

    @exercise.cases
    def _(rng):
        yield Case((1,), "", ("a",))
        while True:
            yield Case((2,), "", ("b",))

    @exercise.answer
    def _(v):
        return v, v

    assert exercise.score(lambda v: (v, 1)).parts == {"a": True, "b": False}
    assert exercise.score(lambda v: (v, 1)).parts == {"a": True, "b": False}
    assert exercise.score(lambda v: (v, 2)).right
    assert exercise.score(lambda v: (1, v)).right


def test_hidden_cases_come_from_the_key_and_visible_ones_from_seed_0():
    def drawn(key):
        seen = []

        def spy(dy, x, weight):
            seen.append(x)
            return dy @ weight, dy.T @ x, dy.sum(axis=0)

        assert linear_backward.score(spy, key).right
        return seen

    visible, hidden = drawn(None), drawn(b"k" * 32)
    assert np.array_equal(visible[0], drawn(None)[0])
    assert np.array_equal(hidden[0], drawn(b"k" * 32)[0])
    assert not np.array_equal(visible[0], hidden[0])
    assert len(hidden) == 2 * len(visible)


def test_small_arguments_are_shown_and_large_ones_are_not():
    assert "k = 3" in one_hot.score(lambda labels, k: None).text()
    assert "noise" not in examples.he_init.score(lambda a, b, noise: noise).text()


def test_an_answer_in_words_says_which_key_is_missing_and_which_word_is_none():
    said = str(examples.diagnosis.score({"first": "overfits"}))
    assert "missing: `second`" in said
    said = str(examples.diagnosis.score({"first": "overfits", "second": "fine", "third": 1}))
    assert "nothing was asked about 'third'" in said
    said = str(examples.diagnosis.score({"first": "Overfits", "second": "fine"}))
    assert "`first` is 'Overfits'; the words are 'fine', 'overfits', 'rate too large'." in said
    said = str(examples.diagnosis.score({"first": "fine", "second": "fine"}))
    assert "words are" not in said and "`first`" in said


def test_arguments_near_0_are_not_shown_as_0():
    exercise = Exercise("tiny", "Tiny", parts={"sign": 1}, **examples.COMMON)

    @exercise.cases
    def _(rng):
        while True:
            yield Case((np.array([1e-12, -1.0]),), "")

    @exercise.answer
    def _(z):
        return np.sign(z)

    assert "1.e-12" in str(exercise.score(lambda z: z))
