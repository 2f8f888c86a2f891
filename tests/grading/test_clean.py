"""Nothing that a student writes or displays runs, or is fetched, in a page of feedback."""

from html.parser import HTMLParser

import hostile_html as hostile
import pytest

from dlcourse.grading.clean import clean, formula
from dlcourse.grading.displayed import displayed
from dlcourse.grading.prose import prose

NO = set("script style iframe object embed form input button link base meta svg video".split())
NO |= set("picture source template noscript foreignobject animate textarea".split())


class Elements(HTMLParser):
    """What a page consists of; ours alone, so that the cleaner isn't asked about itself."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def harm(html):
    """What in a piece of HTML could act or fetch something."""
    found = []
    for tag, attributes in Elements(html).found:
        found += [tag] if tag in NO else []
        for name, value in attributes.items():
            value = (value or "").strip()
            if name.startswith("on") or name in ("style", "srcset", "srcdoc", "formaction", "id"):
                found.append((tag, name))
            if name in ("src", "href") and tag == "img" and not value.startswith("data:image/"):
                found.append((tag, value))
            if name == "href" and not value.startswith(("http://", "https://", "mailto:")):
                found.append((tag, value))
    return found


def test_the_test_finds_harm_where_it_is():
    missed = [name for name, text in hostile.HTML.items() if not harm(text)]
    assert missed == ["broken script", "comment"]  # these only a browser sees


@pytest.mark.parametrize("name", hostile.HTML)
def test_no_html_is_harmful(name):
    assert not harm(clean(hostile.HTML[name]))


@pytest.mark.parametrize("name", hostile.MARKDOWN)
def test_no_essay_is_harmful(name):
    assert not harm(prose(hostile.MARKDOWN[name], hostile.ATTACHMENTS))


@pytest.mark.parametrize("name", hostile.OUTPUTS)
def test_no_output_is_harmful(name):
    assert not harm(displayed([hostile.OUTPUTS[name]]))


def test_what_is_harmless_stays():
    table = "<table><tbody><tr><td>1</td></tr></tbody></table>"
    assert clean(table) == table
    assert 'href="https://numpy.org"' in prose("See [NumPy](https://numpy.org), *really*.")
    assert "<em>really</em>" in prose("See *really*.")
    assert "<details><summary>Why</summary>" in prose("<details><summary>Why</summary>x</details>")
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in displayed(
        [hostile.bundle(**{"image/png": "iVBORw0K\nGgo=\n", "text/plain": "Figure"})]
    )


def test_what_only_says_that_it_is_an_image_is_shown_as_its_text():
    forged = hostile.OUTPUTS["PNG that is none"]["data"] | {"text/plain": "Figure"}
    assert displayed([hostile.bundle(**forged)]) == "<pre>Figure</pre>"


def test_classes_and_anchors_of_the_page_cant_be_borrowed():
    assert clean(hostile.HTML["our own classes"]) == "<div>4 of 4</div>"


def test_formulas_are_mathml_that_every_browser_shows():
    pytest.importorskip("latex2mathml")
    assert formula("x^2").startswith("<math") and "<msup>" in formula("x^2")
    assert 'display="block"' in prose("$$\\frac{1}{2}$$") and "<mfrac>" in prose("$$\\frac{1}{2}$$")
    assert "<mtable" in prose("\\begin{align} a &= b \\end{align}")
    assert "script" not in formula(r"\text{<script>alert(1)</script>}")
    assert "href" not in formula(r"\href{https://attacker.test}{x}")


def test_a_formula_that_is_none_stands_there_as_it_was_typed():
    assert formula("\\left(") == '<code class="tex">\\left(</code>'


def test_a_formula_never_lands_in_an_attribute():
    """It would end the attribute: a formula has quotes."""
    image = "![$x$](data:image/png;base64,iVBO) and $y$"
    html = prose(image + ' <a title="$x$" href="https://a.test/$x$">a</a>')
    assert html.count("<math") + html.count('class="tex"') == 1
    assert all("<" not in (v or "") for _, a in Elements(html).found for v in a.values())


def test_code_in_markdown_keeps_its_signs():
    assert "a &lt; b" in prose("`a < b`") and "&amp;lt;" not in prose("`a < b`")


def test_long_output_is_cut_and_said():
    shown = displayed([{"output_type": "stream", "name": "stdout", "text": "x" * 30_000}])
    assert len(shown) < 21_000 and "10000 characters more" in shown
