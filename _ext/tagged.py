"""Tags of joined PDFs: what is a heading, a table, a figure's text, for those who listen.

pypdf joins the pages of PDFs and drops this structure. It is a tree of elements that name their
pages, and a list (ParentTree) by whose numbers pages and links name their elements. Here the trees
stand side by side, and the numbers of each PDF begin where those of the last one end.
"""

from collections.abc import Iterator
from typing import Any

from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    TextStringObject,
)


def numbered(tree: Any) -> Iterator[tuple[int, Any]]:
    """The entries of a PDF's number tree."""
    for kid in tree.get("/Kids", []):
        yield from numbered(kid.get_object())
    entries = tree.get("/Nums", [])
    yield from zip(entries[::2], entries[1::2], strict=True)


def carry_over(writer: PdfWriter, pdfs: list[PdfReader]) -> None:
    """Give ``writer``, which holds the pages of ``pdfs`` and no other, their tags."""
    root = DictionaryObject({NameObject("/Type"): NameObject("/StructTreeRoot")})
    place = writer._add_object(root)
    tops, parents = ArrayObject(), ArrayObject()
    sheets = iter(writer.pages)
    first = 0
    for pdf in pdfs:
        tree: Any = pdf.trailer["/Root"]["/StructTreeRoot"]
        top = tree["/K"].clone(writer)  # and all below it; its pages are the writer's already
        top[NameObject("/P")] = place
        tops.append(top.indirect_reference)
        entries = list(numbered(tree["/ParentTree"]))
        for number, entry in entries:
            mine = entry.get_object().clone(writer).indirect_reference
            parents.extend([NumberObject(first + number), mine])
        for old, sheet in zip(pdf.pages, sheets, strict=False):  # the rest are the next PDFs'
            if (number := old.get("/StructParents")) is not None:  # which pypdf left out
                sheet[NameObject("/StructParents")] = NumberObject(first + number)
            for link in sheet.get("/Annots", []):
                number = link.get_object()["/StructParent"]
                link.get_object()[NameObject("/StructParent")] = NumberObject(first + number)
        first += 1 + max(number for number, _ in entries)
    root[NameObject("/K")] = tops
    numbers = DictionaryObject({NameObject("/Nums"): parents})
    root[NameObject("/ParentTree")] = writer._add_object(numbers)
    root[NameObject("/ParentTreeNextKey")] = NumberObject(first)
    marked = DictionaryObject({NameObject("/Marked"): BooleanObject(True)})
    writer.root_object[NameObject("/StructTreeRoot")] = place
    writer.root_object[NameObject("/MarkInfo")] = marked
    writer.root_object[NameObject("/Lang")] = TextStringObject("en")
