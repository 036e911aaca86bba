"""Documents with numbers, dates, codes and Chinese characters in one form are found by questions in another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.base.settings import Settings
from ingest.library import Library
from ingest.runs.check import check
from ingest.sync import ingest

DOCUMENTS = {
    "opening.md": "# Opening\n\nThe new office opens on 2027-06-11. Everybody is invited.",
    "closing.md": "# Closing\n\nThe old office closes on 12 June 2027. Everybody helps to pack.",
    "部署.md": "# 部署\n\n系統於二〇二七年九月三日上線。資料庫備份保留三十天。",
    "费用.md": "# 费用\n\n每次出差的住宿补贴为一千五百元，上限为百分之十五。",
    "parts.md": "# Parts\n\nThe valve PPR-9087 fits every pump. Order it from the store.",
    "other-parts.md": "# Parts\n\nThe valve PPR-8907 fits no pump. Order it from the store.",
    "network.md": "# Network\n\nThe printer has the address 10.0.0.12 in every office.",
    "other-network.md": "# Network\n\nThe scanner has the address 10.0.0.1 in every office.",
}  # fmt: skip
# Question → the document that must be first.
QUESTIONS = {
    "11 June 2027": "opening.md",
    "2027年6月11日": "opening.md",
    "六月十一日": "opening.md",
    "June 12, 2027": "closing.md",
    "2027/6/12": "closing.md",
    "系统上线 2027-09-03": "部署.md",
    "系统上线 3 Sept 2027": "部署.md",
    "数据库 系统上线 9月3日": "部署.md",
    "资料库备份保留30天": "部署.md",
    "1,500": "费用.md",
    "15%": "费用.md",
    "PPR9087": "parts.md",
    "PPR8907": "other-parts.md",
    "ppr 9087": "parts.md",
    "10.0.0.12": "network.md",
    "10.0.0.1": "other-network.md",
}


@pytest.mark.usefixtures("in_process_readers")
def test_the_other_form_finds_the_document(tmp_path: Path, settings: Settings) -> None:
    """Dates, sums, shares, codes and addresses across languages and scripts; the look-alike is never first."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, "utf-8")
    assert ingest([folder], settings).added == len(DOCUMENTS)
    assert check(settings.home) == []
    library = Library(settings.home)
    found = {question: library.search(question, 1)[0].path for question in QUESTIONS}
    shown = library.search("资料库备份", 1)[0].text
    traditional = library.search("資料庫備份", 1)[0]
    simple = library.search("资料库备份", 1)[0]
    library.close()
    assert found == QUESTIONS
    assert "資料庫備份" in shown  # what is shown stays in the document's own characters
    assert (traditional.passage_id, traditional.score) == (simple.passage_id, simple.score)
