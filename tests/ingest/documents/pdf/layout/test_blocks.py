"""From boxes on a page to Markdown: reading order, tables and joined lines, without any PDF."""

from __future__ import annotations

from ingest.documents.pdf.layout.blocks import blocks, join_broken_words, markdown
from ingest.documents.pdf.layout.boxes import BROKEN_WORD, Box, rows


def box(text: str, left: float, top: float, order: int = 0, size: float = 10) -> Box:
    """A box with letters half as wide as high, and Chinese characters as wide as high."""
    width = sum(size if ord(letter) > 0x2E80 else size / 2 for letter in text)
    return Box(text, left, left + width, top - size, top, order)


def read(*boxes: Box) -> str:
    return markdown(blocks([*boxes]))


def test_pieces_of_a_line_are_put_together() -> None:
    """Pieces close to each other are one text, with a space where there is one; distant pieces are cells."""
    [row] = rows([box("word", 30, 100), box("Bold", 5, 100), box("5.00", 300, 100)])
    assert [piece.text for piece in row] == ["Bold word", "5.00"]
    [row] = rows([box("H", 0, 100), box("2", 5, 97, size=6), box("O", 8, 100)])
    assert [piece.text for piece in row] == ["H2O"]
    [row] = rows([box("年假", 0, 100), box("制度", 22, 100)])
    assert [piece.text for piece in row] == ["年假制度"]


def test_a_mark_belongs_to_its_item() -> None:
    """The mark of a list item or the number of a section is not a cell of a table."""
    items = [(".1", "Hand in the receipts"), (".2", "Wait for the answer"), (".3", "Be patient with us")]
    pieces = [
        piece
        for n, (mark, text) in enumerate(items)
        for piece in (box(mark, 0, 100 - 20 * n), box(text, 40, 100 - 20 * n))
    ]
    assert "|" not in read(*pieces)
    assert read(*pieces).startswith(".1 Hand in the receipts")


def test_lines_are_joined_at_the_edge_of_their_column() -> None:
    """A line continues when the next word had no room on it; Chinese without a space; a new paragraph never."""
    first = "Every employee who travels for the company keeps the receipts"
    assert read(box(first, 0, 100), box("until they are paid.", 0, 88)) == f"{first} until they are paid."
    chinese = "员工因公出差所发生的交通费住宿费和餐饮补贴应当在返回公司之后"
    assert read(box(chinese, 0, 100), box("的十四个自然日内报销。", 0, 88)) == f"{chinese}的十四个自然日内报销。"
    short = "All receipts are kept until the end of the year."
    assert read(box(first, 0, 112), box(short, 0, 100), box("The rest is thrown away.", 0, 88)).count("\n") == 1
    assert "\n\n" in read(box(first, 0, 100), box("until they are paid.", 0, 60))
    assert "\n" in read(box(first, 0, 100), box("• taxi", 0, 88))


def test_a_table_of_contents_keeps_its_lines() -> None:
    """Lines of a table of contents that all end at the edge are not one paragraph."""
    lines = [f"{name} {'.' * (60 - len(name))} {page}" for name, page in (("Leave", 4), ("Travel", 7), ("Work", 9))]
    assert read(*(box(line, 0, 100 - 12 * n) for n, line in enumerate(lines))) == "\n".join(lines)


def table(*cells: tuple[str, float, float]) -> str:
    return read(*(box(text, left, top) for text, left, top in cells))


def test_a_header_of_close_words() -> None:
    """A header whose words are as close as in a sentence is cut at the gaps of the rows below."""
    header = Box("Base Model Large Model", 100, 220, 190, 200, gaps=((5, 125, 130), (11, 155, 162), (17, 187, 191)))
    rows = [box(said, left, 180 - 15 * row) for row in range(3) for said, left in (("a", 0), ("12", 110), ("34", 170))]
    assert read(box("Dataset", 0, 200), header, *rows) == (
        "| Dataset | Base Model | Large Model |\n| --- | --- | --- |" + 3 * "\n| a | 12 | 34 |"
    )


def test_a_table_with_broken_cells() -> None:
    """The second line of a cell belongs to the row above when rows are further apart than lines."""
    assert table(
        ("Item", 0, 200), ("Where", 100, 200), ("Price", 250, 200),
        ("Lamp", 0, 170), ("on every desk", 100, 170), ("40", 250, 170),
        ("of the office", 100, 159),
        ("Chair", 0, 130), ("meeting room", 100, 130), ("180", 250, 130),
    ) == (
        "| Item | Where | Price |\n| --- | --- | --- |\n"
        "| Lamp | on every desk of the office | 40 |\n| Chair | meeting room | 180 |"
    )  # fmt: skip


def test_a_table_without_a_header() -> None:
    """A first row of numbers is no header; years over numbers are one."""
    rows_of = [
        (str(value), 60.0 * column, 100.0 - 20 * row) for row in range(3) for column, value in enumerate((row, 17, 4))
    ]
    assert table(*rows_of).startswith("|  |  |  |\n| --- | --- | --- |\n| 0 | 17 | 4 |")
    years = [("Sales", 0.0, 120.0), ("2024", 60.0, 120.0), ("2025", 120.0, 120.0)]
    body = [("Cork", 0.0, 100.0), ("17", 60.0, 100.0), ("4", 120.0, 100.0)]
    assert table(*years, *body).startswith("| Sales | 2024 | 2025 |\n")


def test_rows_close_together_stay_rows() -> None:
    """Full rows are not joined into one because the table has a gap somewhere."""
    names = [("Name", "Ada"), ("Claim", "SF-8"), ("Policy", "PO-5")]
    years = [("Year", "two"), ("Make", "Jeep"), ("Trim", "Limited")]
    cells = [
        (text, 80.0 * column, 100.0 - 12 * row)
        for row, both in enumerate(zip(names, years, strict=True))
        for column, text in enumerate(both[0] + both[1])
    ]
    cells += [("Order", 0.0, 40.0), ("RO-1", 80.0, 40.0), ("By", 160.0, 40.0), ("Ellis", 240.0, 40.0)]
    found = table(*cells)
    assert "| Claim | SF-8 | Make | Jeep |" in found and "| Order | RO-1 | By | Ellis |" in found


def test_a_header_in_bold() -> None:
    """Two columns of words are a table when their first row is set in bold."""
    cells = [("Property", 0.0, 100.0), ("Value", 150.0, 100.0), ("Power", 0.0, 80.0), ("by cable", 150.0, 80.0)]
    cells += [("Weight", 0.0, 60.0), ("a few kilograms", 150.0, 60.0)]
    assert "|" not in table(*cells)
    bold = [box(*cell) for cell in cells]
    bold[0].bold = bold[1].bold = True
    assert read(*bold).startswith("| Property | Value |\n| --- | --- |\n| Power | by cable |\n")


def test_a_bold_line_is_no_part_of_the_text_below() -> None:
    """A heading in bold stays separate, however long it is."""
    heading = box("The rules for employees who travel for the company abroad", 0, 100)
    heading.bold = True
    assert read(heading, box("begin with the ticket, which is bought by the office.", 0, 88)).count("\n") == 1


def test_a_mark_in_a_cell_is_escaped() -> None:
    """A cell with Markdown's `|` stays one cell."""
    cells = [
        ("Key", 0.0, 100.0),
        ("Use", 90.0, 100.0),
        ("No", 180.0, 100.0),
        ("a|b", 0.0, 80.0),
        ("or", 90.0, 80.0),
        ("1", 180.0, 80.0),
    ]
    assert "| a\\|b | or | 1 |" in table(*cells)


def test_columns_of_short_lines() -> None:
    """A narrow column that is drawn after its neighbour is read after it, even when its lines are short."""
    main = [box(f"Sentence {n} of the main text is long enough", 150, 300 - 12 * n, 100 + n) for n in range(6)]
    side = [box(f"Note {n}", 0, 297 - 15 * n, n) for n in range(4)]
    text = read(*main, *side)
    assert text.index("Note 3") < text.index("Sentence 0")


def test_three_columns() -> None:
    """Columns are found within columns, from left to right."""
    pieces = [
        box(f"column {name} line {n} of the text", left, 300 - 12 * n, order * 10 + n)
        for order, (name, left) in enumerate((("A", 0), ("B", 200), ("C", 400)))
        for n in range(5)
    ]
    text = read(*pieces)
    assert [
        text.index(f"column {name} line 4") < text.index(f"column {after} line 0") for name, after in ("AB", "BC")
    ] == [
        True,
        True,
    ]


def test_broken_words() -> None:
    """A broken word is joined, unless the document has it with a hyphen or its second part begins with a capital."""
    broken = f"certifi{BROKEN_WORD}cate dual{BROKEN_WORD}encoder Lucene{BROKEN_WORD}BM25 end{BROKEN_WORD}"
    assert join_broken_words([broken, "a dual-encoder"]) == [
        "certificate dual-encoder Lucene-BM25 end-",
        "a dual-encoder",
    ]


def test_nothing_on_the_page() -> None:
    """An empty page is an empty text."""
    assert read() == ""
