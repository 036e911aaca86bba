"""Traditional and simplified characters are compared as one."""

from __future__ import annotations

import pytest

from ingest.base.chinese_script import simplified
from ingest.base.language import terms


@pytest.mark.parametrize(
    ("traditional", "simple"),
    [
        ("臺灣的資料庫備份", "台湾的资料库备份"),
        ("員工應當於十四個自然日內提交報銷申請", "员工应当于十四个自然日内提交报销申请"),
        ("裡面、裏面", "里面、里面"),
        ("頭髮與發展", "头发与发展"),
        ("為什麼", "为什么"),
    ],
)
def test_both_scripts_have_the_same_terms(traditional: str, simple: str) -> None:
    """A text has one form and the same terms in both scripts."""
    assert simplified(traditional) == simple
    assert terms(traditional) == terms(simple)


def test_places_stay_the_same_and_simplified_text_stays_as_it_is() -> None:
    """One character becomes one, also beyond the common planes; doing it twice changes nothing; other text stays."""
    every = "".join(map(chr, range(0x3400, 0xA000))) + "".join(map(chr, range(0x20000, 0x2B000)))
    once = simplified(every)
    assert len(once) == len(every)
    assert simplified(once) == once
    common = (
        "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方"
        "后多定行学法所民得经么"
    )
    assert simplified(common) == common
    assert simplified("Plain text, ünïcode, かな, 한글") == "Plain text, ünïcode, かな, 한글"
