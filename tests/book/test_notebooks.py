"""The notebooks made of the chapters. Needs _build/html."""

import re
from pathlib import Path

import nbformat
import notebooks
import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from findable import homepage
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("*.md"))
CODE = re.compile(r"^(`{3,}).*?^\1$|(`+).*?\2", re.MULTILINE | re.DOTALL)
LEFT = re.compile(r"\{[\w:-]+\}`|^\s*(:::|```\{|~~~)|\{glue|\{cite|:tags:|^\(\S+\)=$", re.MULTILINE)


@pytest.fixture(scope="module")
def made(site) -> dict[str, nbformat.NotebookNode]:
    return {
        slug: nbformat.read(site / "chapters" / f"{slug}.ipynb", as_version=4) for slug in CHAPTERS
    }


def texts(notebook) -> str:
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return "\n\n".join(cells)


def test_every_chapter_has_a_valid_one_that_begins_with_its_title(made):
    for slug, notebook in made.items():
        nbformat.validate(notebook)
        assert re.match(r"# \S", notebook.cells[0].source), slug
        assert "%pip install" in notebook.cells[1].source, slug


def test_no_directive_and_no_role_is_left(made):
    left = [
        f"{slug}: {found[0]}"
        for slug, notebook in made.items()
        for found in LEFT.finditer(CODE.sub("", texts(notebook)))
    ]
    assert not left


def test_code_is_the_chapters_own_all_of_it_in_order(made):
    for slug, notebook in made.items():
        source = (ROOT / "chapters" / f"{slug}.md").read_text("utf-8")
        chapter = read_myst_markdown_notebook(source, MdParserConfig()).cells
        wanted = [cell.source for cell in chapter if cell.cell_type == "code"]
        ours = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        assert ours[1:] == wanted, slug


def words(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", " ", text).strip()


def test_the_text_is_the_pages_with_its_numbers_and_terms(site, made):
    missing, seen = [], 0
    for slug, notebook in made.items():
        page = BeautifulSoup((site / "chapters" / f"{slug}.html").read_text("utf-8"), "html.parser")
        linked = re.sub(r"\]\([^)]*\)", "]", texts(notebook))
        ours = words(re.sub(r"</?\w+>|\\", "", linked))
        for paragraph in page.select("article section > p"):
            if paragraph.select_one(".math, code"):
                continue
            seen += 1
            if words(paragraph.get_text()) not in ours:
                missing.append(f"{slug}: {paragraph.get_text()[:100]}")
    assert seen > 400 and not missing


def test_links_lead_to_the_published_site_or_elsewhere(made):
    for slug, notebook in made.items():
        for address in re.findall(r"\]\(([^)]*)\)", CODE.sub("", texts(notebook))):
            assert address.startswith(("https://", "http://")), f"{slug}: {address}"
    assert homepage(ROOT) in texts(made["neurons"])


def test_one_runs_to_its_end_in_an_empty_folder(made, tmp_path):
    notebook = nbformat.from_dict(made["introduction"])
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()


WRITER = notebooks.Markdown("https://example.org/chapters/a.html")


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (nodes.paragraph("", "1. is *no* list_item"), r"1\. is \*no\* list\_item"),
        (nodes.paragraph("", "- and $5 < [6]"), r"\- and \$5 \< \[6\]"),
        (nodes.literal_block("", "a ``` b"), "````\na ``` b\n````"),
        (nodes.paragraph("", "", nodes.literal("", "a`b")), "`` a`b ``"),
        (nodes.paragraph("", "", nodes.math("", r"x^2")), "$x^2$"),
        (nodes.math_block("", "x", number=3), "$$\nx \\tag{3}\n$$"),
        (
            nodes.paragraph("", "", nodes.reference("", "t", refuri="../pages/g.html#term-t")),
            "[t](https://example.org/pages/g.html#term-t)",
        ),
        (
            nodes.paragraph("", "", nodes.reference("", "here", refid="s")),
            "[here](https://example.org/chapters/a.html#s)",
        ),
        (
            nodes.bullet_list(
                "",
                nodes.list_item(
                    "",
                    nodes.paragraph("", "one"),
                    nodes.bullet_list("", nodes.list_item("", nodes.paragraph("", "in it"))),
                ),
            ),
            "- one\n\n  - in it",
        ),
        (
            nodes.note("", nodes.paragraph("", "first"), nodes.paragraph("", "second")),
            "> first\n>\n> second",
        ),
    ],
)
def test_a_node_becomes_markdown_that_means_the_same(node, text):
    assert WRITER.block(node) == text


def test_a_bar_in_a_table_ends_no_cell():
    cells = [
        nodes.entry("", nodes.paragraph("", "", nodes.math("", r"P(a|b) = \|c\|"))),
        nodes.entry("", nodes.paragraph("", "a|b")),
    ]
    head = [nodes.entry("", nodes.paragraph("", name)) for name in ("one", "two")]
    table = nodes.table(
        "",
        nodes.tgroup(
            "", nodes.thead("", nodes.row("", *head)), nodes.tbody("", nodes.row("", *cells))
        ),
    )
    assert WRITER.block(table).splitlines() == [
        "| one | two |",
        "| --- | --- |",
        r"| $P(a\vert b) = \Vert c\Vert $ | a\|b |",
    ]
