"""Markdown, reStructuredText and Org."""

from __future__ import annotations

from ingest.documents.text.read_markup import from_markdown, from_org, from_rst


def test_markdown() -> None:
    """Markdown is unchanged, except for front matter, comments and addresses of pictures."""
    assert from_markdown("---\ntitle: T\n---\n# A\n<!-- x\ny -->![p](p.png)") == ("T", "# A\np")


def test_rst_headings() -> None:
    """Levels follow the order in which marks appear; a mark over and under a heading is a mark of its own."""
    text = "=====\nGuide\n=====\n\nLeave\n-----\nA text.\n\n请假\n~~~~\n\nTravel\n------\nend"
    assert [line for line in from_rst(text).split("\n") if line] == [
        "# Guide", "## Leave", "A text.", "### 请假", "## Travel", "end",
    ]  # fmt: skip


def test_rst_directives() -> None:
    """Notes keep their text, code its lines; pictures, included files, options and comments are left out."""
    text = (
        ".. include:: other.rst\n\n.. note:: Mind\n   the gap.\n\n.. code-block:: bash\n   :caption: x\n\n   ls -l\n\n"
        ".. image:: a.png\n   :width: 3\n\n.. a comment\n   of two lines\n\n.. _target:\n\n.. [1] A source.\n\nend"
    )
    lines = [line for line in from_rst(text).split("\n") if line]
    assert lines == ["Note: Mind", "the gap.", "```", "ls -l", "```", "[1] A source.", "end"]


def test_rst_inline() -> None:
    """Roles and references become their text; literals and links become Markdown."""
    text = "See :ref:`the rules <rules>`, ``ls``, `HR <https://hr.example>`_ and `Leave`_. Like this::"
    assert from_rst(text) == "See the rules, `ls`, [HR](https://hr.example) and Leave. Like this:"


def test_rst_substitutions() -> None:
    """A name between bars is replaced by its definition, wherever that is; without a definition it stays."""
    text = (
        "Ask |HR team| about |days|, not |other| or ``|days|``. See |logo|.\n\n.. |hr team| replace:: the *people*\n"
        "   of |place|\n.. |place| replace:: Cork\n.. |days| replace:: 25 days\n"
        ".. |logo| image:: a.png\n   :alt: our logo\n\n"
        "+------+-----+\n| City | Sum |\n+======+=====+\n| Cork | 120 |\n+------+-----+\n"
    )
    assert from_rst(text).strip() == (
        "Ask the *people* of Cork about 25 days, not |other| or `|days|`. See our logo.\n\n\n\n"
        "| City | Sum |\n| --- | --- |\n| Cork | 120 |"
    )


def test_rst_tables() -> None:
    """Grid tables and simple tables become Markdown tables."""
    grid = "+------+-----+\n| City | Sum |\n+======+=====+\n| Cork | 120 |\n| city |     |\n+------+-----+\n"
    assert from_rst(grid).strip() == "| City | Sum |\n| --- | --- |\n| Cork city | 120 |"
    simple = "====  ====\nCity  Sum\n====  ====\nCork  120\n      more\n====  ====\nafter"
    assert from_rst(simple).strip() == "| City | Sum |\n| --- | --- |\n| Cork | 120 more |\n\nafter"


def test_org() -> None:
    """Stars are headings, without states and tags; drawers, planning lines, options and comments are left out."""
    text = (
        "#+TITLE: Guide\n#+OPTIONS: x\n* TODO [#A] Leave :hr:\n:PROPERTIES:\n:ID: 3\n:END:\nSCHEDULED: <2026-01-01>\n"
        "Ask [[https://hr.example][HR]] with =form= ~a~.\n# a comment\n** Steps\n| City | Sum |\n|------+-----|\n"
        "| Cork | 120 |\n#+BEGIN_SRC sh\n* not a heading\n#+END_SRC\n- an item"
    )
    title, body = from_org(text)
    assert title == "Guide"
    assert [line for line in body.split("\n") if line] == [
        "# Leave", "Ask [HR](https://hr.example) with `form` `a`.", "## Steps", "| City | Sum |", "| --- | --- |",
        "| Cork | 120 |", "```", "* not a heading", "```", "- an item",
    ]  # fmt: skip


def test_rst_that_was_lost() -> None:
    """Tables written as lists or as CSV, a figure's caption, and what follows an empty comment are text; marks of
    notes and of literal blocks are not."""
    text = from_rst(
        ".. list-table:: Ports\n   :header-rows: 1\n\n   * - Port\n     - Use\n   * - 443\n     - Safe\n       web\n\n"
        '.. csv-table::\n   :header: "Name", "Size"\n\n   "Large, wide", 10\n\n.. figure:: x.png\n\n   The plant.\n\n'
        "Agreed. [1]_ A\\*B\n\n..\n\n   Nobody pays.\n\n::\n\n   run\n"
    )
    assert "\n".join(line for line in text.split("\n") if line.strip()) == (
        "Ports\n| Port | Use |\n| --- | --- |\n| 443 | Safe web |\n| Name | Size |\n"
        "| --- | --- |\n| Large, wide | 10 |\n"
        "The plant.\nAgreed. [1] A*B\n   Nobody pays.\n   run"
    )


def test_org_marks() -> None:
    """A footnote's mark becomes its number in brackets; Org's `\\vert` becomes a bar."""
    assert from_org("Text.[fn:1]\n| A\\vert{}B | 6 |")[1].rstrip() == "Text.[1]\n| A\\|B | 6 |\n| --- | --- |"
