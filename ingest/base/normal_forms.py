"""One normal form for numbers, dates, versions and codes, whatever way they are written.

`2027-06-11`, `11 June 2027`, `June 11th, 2027` and `2027年6月11日` are one date; `1,500`, `1500.00` and `一千五百` one
number; `PPR-9087` and `PPR9087` one code. Search terms, evidence and the checks of answers all compare these forms.
What has two readings (`11/06/2027`; a lone `2.10`, which may be a version) is equal only to what is written like it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ingest.base.chinese_numbers import NUMERALS, chinese_digits, chinese_number
from ingest.base.chinese_script import simplified
from ingest.base.dates import DIGIT_FIRST, MONTH, MONTH_FIRST, MONTHS, NUMERAL_FIRST, Date, date_of, month_number

# Letters and digits of Latin, Greek and Cyrillic, inside the [...] of a regular expression.
_LETTER = "0-9A-Za-zÀ-ӿ"
# Digits in groups of three, with a blank that no line may break at: NFKC makes an ordinary blank of it.
_GROUPS = re.compile("(?<![0-9.,])[0-9]{1,3}(?:[\u00a0\u2009\u202f][0-9]{3})+(?![0-9])")
_BLANKS = "\u00a0\u2009\u202f"
_GROUP_BLANK = re.compile(f"[{_BLANKS}]")
# Hyphens and minus signs that word processors put in place of '-'; a dash only inside a code, elsewhere it is a range.
_HYPHENS = "\u2010\u2011\u2012\u2013\u2212"
_HYPHEN = re.compile(f"[{_HYPHENS}](?:(?<=[{_LETTER}][^\u2013])(?=[{_LETTER}])|(?<=[A-Za-z]\u2013)(?=[0-9]))")

_PLAIN = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)(?![0-9])"
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
# Units of measure: 五千克 is five kilograms; and words that begin with the last numeral before them: 第一百货商店.
_NUMERAL = f"(?:[{NUMERALS}](?<![百千万])|百(?![货姓科合叶])|千(?![克瓦卡赫兆帕伏])|万(?![能物维分]))"
_BEGINS = rf"(?<![{_LETTER}_])(?<![{_LETTER}][.,/:+&'’_-])"
# Where a form may begin, a set of characters first so that the search skips all others.
_TRIGGER = re.compile(f"[0-9{NUMERALS}](?:(?<=[0-9])|(?=[{NUMERALS}]|[ ]?月|分之))")
_AT_DIGIT = re.compile(
    rf"{_BEGINS}(?:{DIGIT_FIRST}|(?P<percent>{_PLAIN})[ ]?(?:%|per ?cent\b)"
    rf"|(?P<scaled>{_PLAIN})[ -]?(?P<scale>thousand|million|billion|trillion)\b"
    rf"|(?P<mixed>{_PLAIN})[ ]?(?P<mixed_scale>[十百千]?[万亿]亿?)(?![{NUMERALS}能物维分]))",
    re.IGNORECASE,
)
_AT_NUMERAL = re.compile(
    rf"(?<![0-9{NUMERALS}])(?:{NUMERAL_FIRST}"
    rf"|百分之(?:(?P<share>{_PLAIN})|(?P<numeral_share>[{NUMERALS}]+)(?:点(?P<decimals>[{NUMERALS}]+))?)?"
    rf"|(?<![几数])(?P<chinese>{_NUMERAL}{{2,}})(?![{NUMERALS}](?<![百千万])))",
)
_AT_MONTH = re.compile(MONTH_FIRST, re.IGNORECASE)
_MONTH_BEFORE = re.compile(rf"(?<![{_LETTER}_]){MONTH}\.?,?[ -]\Z", re.IGNORECASE)
_MONTH_WORD = re.compile(rf"(?<![{_LETTER}_]){MONTH}", re.IGNORECASE)
_LONGEST_MONTH = len("september., ")

# A code in capitals whose number stands apart, such as ISO 9001. Not years, sums of money or ordinary words.
_CAPITALS_BEFORE = re.compile(rf"(?<![{_LETTER}_-])[A-Z]{{2,5}} \Z")
_APART = re.compile(rf"(?!(?:19|20)[0-9]{{2}}(?![0-9]))[0-9]{{3,}}(?![{_LETTER}]|[.,:/][0-9])")
_CURRENCIES = "USD EUR GBP RMB CNY HKD TWD JPY CHF AUD CAD SGD INR KRW".split()
_NOT_CODES = frozenset([*_CURRENCIES, *"A AN THE OF IN ON AT TO BY FOR AND OR IS FROM WITH MAX MIN ABOUT OVER".split()])

# A decimal with zeros at its end is a plain number when money or a unit says so; else it may be a version.
_MONEY_BEFORE = re.compile(rf"(?:[$€£¥]|\b(?:{'|'.join(_CURRENCIES)})) ?\Z", re.IGNORECASE)
_UNIT_AFTER = re.compile(
    r" ?(?:[元块万亿米克吨升度天年%]|小时|分钟|公里|千米|千克|公斤|美元|欧元|英镑|人民币|"
    r"(?:euros?|dollars?|pounds?|yuan|"
    r"usd|eur|gbp|rmb|cny|hkd|[kcm]?m|[km]?g|[kmgt]b|hours?|days?|weeks?|months?|years?|minutes?|seconds?|percent)\b)",
    re.IGNORECASE,
)
_VERSION_BEFORE = re.compile(r"(?:\bv|\bver\.?|\bversion|\brelease|版本|版)[ :：]*\Z", re.IGNORECASE)
_NUMBER_FORM = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?")
_DOTTED = re.compile(r"v?([0-9]+(?:\.[0-9]+)+)")
# The parts of a token: numbers, versions and addresses stay whole.
_PART = re.compile(
    rf"[0-9]{{1,3}}(?:,[0-9]{{3}})+(?:\.[0-9]+)?(?![{_LETTER}])|v?[0-9]+(?:\.[0-9]+)+(?![{_LETTER}])|[^\W_]+"
)
_CODE = re.compile(r"([a-z]{2,6}(?=[0-9])|[a-z](?=[0-9]{2}))([0-9]+[a-z]{0,2})")
_INSIDE_CODE = re.compile(r"(?<=[a-z])[-_](?=[0-9])|(?<=[a-z][0-9])[-_](?=[a-z]\Z)|(?<=[0-9]{2})[-_](?=[a-z]\Z)")
_WORD = re.compile(rf"[{_LETTER}]+(?:[.,:/+&'’_-][{_LETTER}]+)*")
_CODE_BEGINS = re.compile("[a-z]+[0-9]")
_HAS_DIGIT = re.compile("[0-9]")
_NEAR = 12
# A percent sign or word without a number, as in the head of a column.
_PERCENT_ALONE = re.compile(r"(?<![0-9 ])[ ]?%|\bper ?cent|百分比|百分率|比例", re.IGNORECASE)
_PERCENT = "percent"
_WITHOUT_YEAR = "any year "


@dataclass(frozen=True)
class NormalForm:
    """A date or number of several words or characters at `text[start:end]`, and the search terms it is found by.

    `value` is what the checks compare. A form without length adds its terms to those of the words after it.
    """

    start: int
    end: int
    value: str
    terms: tuple[str, ...]
    date: Date | None = None


def fold(text: str) -> str:
    """The text with full-width forms, blanks in numbers, hyphens and traditional characters made ordinary ones."""
    if text.isascii():
        return text
    # Looking for single characters costs next to nothing; most texts have none of them.
    if any(blank in text for blank in _BLANKS):
        text = _GROUPS.sub(lambda found: _GROUP_BLANK.sub("", found.group()), text)
    text = simplified(unicodedata.normalize("NFKC", text))
    return _HYPHEN.sub("-", text) if any(hyphen in text for hyphen in _HYPHENS) else text


def find_forms(text: str) -> Iterator[NormalForm]:
    """The forms of several words or characters in a folded text, in order; they do not overlap.

    A single word, such as a code or `1,500`, is not among them: `token_terms` knows these.
    """
    position = 0
    while (trigger := _TRIGGER.search(text, position)) is not None:
        position = trigger.start()
        form = _form_at(text, position, trigger.group().isascii())
        if form is None:
            position = trigger.end()
            continue
        yield form
        position = max(form.end, trigger.end())


def _form_at(text: str, start: int, digit: bool) -> NormalForm | None:
    if not digit:
        match = _AT_NUMERAL.match(text, start)
        return _numeral_form(match) if match else None
    if start > 2 and text[start - 1] in " -":
        before = max(0, start - _LONGEST_MONTH)
        month = _MONTH_BEFORE.search(text, before, start)
        match = _AT_MONTH.match(text, month.start()) if month else None
        form = _date_form(match) if match else None
        if form is not None:
            return form
        capitals = _CAPITALS_BEFORE.search(text, max(0, start - 7), start)
        number = _APART.match(text, start) if capitals else None
        if capitals and number and (word := capitals.group().strip()) not in _NOT_CODES:
            code = f"{word}{number.group()}".lower()
            return NormalForm(capitals.start(), capitals.start(), code, (code,))
    match = _AT_DIGIT.match(text, start)
    return _digit_form(match) if match else None


def _date_form(match: re.Match[str]) -> NormalForm | None:
    date = date_of(match)
    if date is None:
        return None
    terms = [part.value for part in date.parts if part.year or part.day]
    if date.month:
        terms.append(MONTHS[date.month - 1])
    if date.day:
        terms.append(str(date.day))
    if "." in match.group() and match.group()[0].isdigit() and match.group()[-1].isdigit():
        terms.append(match.group())  # 2027.6.11 may be a version all the same
    return NormalForm(match.start(), match.end(), date.value, tuple(terms), date)


def _digit_form(match: re.Match[str]) -> NormalForm | None:
    found = match.groupdict()
    if found["percent"]:
        return _percent(match, _value(found["percent"]))
    if found["scaled"]:
        value = _value(found["scaled"], _SCALES[found["scale"].lower()])
        return NormalForm(match.start(), match.end(), value, (value, found["scale"].lower()))
    if found["mixed"]:
        scale = chinese_number("一" + found["mixed_scale"])
        if scale is None:
            return None
        value = _value(found["mixed"], len(str(scale)) - 1)
        return NormalForm(match.start(), match.end(), value, (value,))
    return _date_form(match)


def _numeral_form(match: re.Match[str]) -> NormalForm | None:
    if match.group().startswith("百分之"):
        share = match["share"] or _numeral_share(match["numeral_share"] or "", match["decimals"] or "")
        return _percent(match, _value(share) if share else "")
    if match["chinese"] is None:
        return _date_form(match)
    number = chinese_number(match["chinese"])
    return None if number is None else NormalForm(match.start(), match.end(), str(number), (str(number),))


def _numeral_share(numerals: str, decimals: str) -> str:
    """Of 百分之十五点五: '15.5'; '' where it cannot be read."""
    value: int | None = {"百": 100, "十": 10}.get(numerals, chinese_number(numerals))
    try:
        whole = chinese_digits(numerals) if value is None else str(value)
        return f"{whole}.{chinese_digits(decimals)}" if decimals and whole else whole
    except KeyError:  # a unit where a digit must be
        return ""


def _percent(match: re.Match[str], value: str) -> NormalForm:
    terms = (value, "percent") if value else ("percent",)
    return NormalForm(match.start(), match.end(), f"{value}%" if value else "", terms)


def _value(number: str, zeros: int = 0) -> str:
    """A number in digits times a power of ten, without separators and without zeros that say nothing."""
    whole, _, decimals = number.replace(",", "").partition(".")
    digits = whole + decimals[:zeros].ljust(zeros, "0") if zeros else whole
    rest = decimals[zeros:].rstrip("0")
    digits = digits.lstrip("0") or "0" if zeros else digits
    return f"{digits}.{rest}" if rest else digits


def token_terms(token: str, before: str = "", after: str = "") -> tuple[str, list[str]]:
    """The normal form of a single word with a digit, in lower case, and its parts; no parts for what is one whole.

    `before` and `after` are the text around it: `2.10` is a version after 'version' and a number before 'euros'.
    """
    parts = [_whole(part, before, after) for part in _PART.findall(token)]
    if len(parts) == 1 and (parts[0] != token or not token.isalnum()):
        return parts[0], []
    code = _CODE.fullmatch(token)
    if code:
        return token, [code[1], code[2]]
    if len(parts) == 1:
        return token, []
    dotted = _DOTTED.match(token)
    whole = token.removeprefix("v") if dotted else _INSIDE_CODE.sub("", token)
    return whole, [piece for part in parts for piece in _pieces(part)]


def _pieces(part: str) -> list[str]:
    code = _CODE.fullmatch(part)
    return [part, code[1], code[2]] if code else [part]


def _whole(part: str, before: str, after: str) -> str:
    """A version or address as it is written, without its v; a number by its value."""
    if _NUMBER_FORM.fullmatch(part) is None:
        dotted = _DOTTED.fullmatch(part)
        return dotted[1] if dotted else part
    whole, _, decimals = part.partition(".")
    if not decimals.endswith("0") or "," in part:
        return _value(part)
    if _VERSION_BEFORE.search(before):
        return part
    plain = len(whole) > 2 or _MONEY_BEFORE.search(before) or _UNIT_AFTER.match(after)
    return _value(part) if plain else part


def claimed_numbers(text: str) -> set[str]:
    """The numbers, dates and codes that a text says, each in its normal form: '1500', '15%', '2027-06-11', 'e07'."""
    return {claim for claim, _ in _numbers(fold(text))}


def stated_numbers(text: str) -> set[str]:
    """The normal forms that a text has or implies, for `supports`: a date has its month and year, 15% has 15."""
    folded = fold(text)
    stated = {f"month {month_number(match.group()):02}" for match in _MONTH_WORD.finditer(folded)}
    for claim, implied in _numbers(folded):
        stated.add(claim)
        stated.update(implied)
    if _PERCENT_ALONE.search(folded):
        stated.add(_PERCENT)
    return stated


def supports(stated: AbstractSet[str], claimed: AbstractSet[str]) -> bool:
    """Whether a text with these `stated_numbers` has every one of these `claimed_numbers`.

    The year of a date, and the percent of a number, may stand apart: in the title, or at the head of a column.
    """
    for claim in claimed - stated:
        year, _, day = claim.partition("-")
        apart = (
            {claim.rstrip("%"), _PERCENT}
            if claim.endswith("%")
            else {year, f"{_WITHOUT_YEAR}{day}"}
            if day
            else {claim}
        )
        if not apart <= stated:
            return False
    return True


def _numbers(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(normal form, what follows from it) of every number, date and code in a folded text."""
    last = 0
    for form in find_forms(text):
        yield from _word_numbers(text, last, form.start)
        last = form.end
        if form.date is not None:
            day = (str(form.date.day), f"{form.date.day:02}") if form.date.day else ()
            alone = () if form.date.year else (f"{_WITHOUT_YEAR}{form.value}",)
            yield form.value, (*(part.value for part in form.date.parts), *day, *alone)
        elif form.value and form.end > form.start:
            yield form.value, (form.value.rstrip("%"),)
    yield from _word_numbers(text, last, len(text))


def _word_numbers(text: str, start: int, end: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    before = ""
    for match in _WORD.finditer(text, start, end):
        word = match.group().lower()
        if _HAS_DIGIT.search(word) is None:
            before = word if text[match.end() : match.end() + 1] == " " else ""
            continue
        whole, parts = token_terms(word, *surroundings(text, match))
        numbers = tuple(part for part in parts if _HAS_DIGIT.search(part))
        if not parts:
            # 'ppr 9087' says the code PPR-9087 too.
            yield whole, (f"{before}{whole}",) if before else ()
        elif _CODE_BEGINS.match(whole):
            yield whole, numbers
        else:
            yield from ((number, ()) for number in numbers)
        before = ""


def surroundings(text: str, match: re.Match[str]) -> tuple[str, str]:
    """The text just before and after a word, as `token_terms` wants it."""
    return text[max(0, match.start() - _NEAR) : match.start()], text[match.end() : match.end() + _NEAR]
