"""The type of answer that a question asks for, and whether a text has one, in English and Chinese.

The types are those that a pattern can recognise: a moment, a duration, a sum of money, a number, a person, a place, a
reason, a yes or no. The patterns are in simplified characters, and texts are compared with them in those.
"""

from __future__ import annotations

import re

from ingest.base.chinese_script import simplified
from ingest.base.language import COMMON_IDEOGRAPHS
from ingest.base.normal_forms import claimed_numbers, fold, stated_numbers

_DIGITS = r"\d[\d,.]*"
_CHINESE_NUMBER = r"(?:\d[\d,.]*|[一二三四五六七八九十百千万亿两零〇半]+)"
_NUMBER_WORD = (
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|"
    r"ninety|hundred|thousand|million|billion|dozen|half|third|quarter|twice|once|both|first|second)"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)"
)
_TIME_UNIT = r"(?:second|minute|hour|day|week|month|quarter|year|decade|centur(?:y|ie)|night|season|semester|term)s?"

_ASKED = {
    "moment": r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade|time|period|era|season)\b|"
    r"\bhow (?:soon|early|late)\b|什么时[候间]|什么年代|何[时年月]|哪一?[年天日月]|几[月号日点]|啥时候|什么日期|截止",
    "duration": r"\bhow long\b|多长时间|多久|几[天年周]|多少(?:天|年|个?月|周|小时|分钟|秒|时间)|几个(?:月|小时|"
    r"星期)|时长|期限",
    "money": r"\bhow much (?:money|do|does|did|is|was|were|are|can|will|would|should|may|has|had)\b|"
    r"\b(?:price|cost|fee|budget|salary|revenue|allowance)\b|多少(?:钱|元|美元|英镑|欧元|人民币|块)|价格|费用|金额|"
    r"预算|工资|薪",
    "number": r"\bhow (?:many|much|often|old|far|high|big|large|tall|fast|deep|wide|heavy|close)\b|"
    r"\bwhat (?:is |was |were |are )?(?:the )?(?:\w+ ){0,2}(?:percent(?:age)?|number|share|proportion|fraction|"
    r"temperature|population|size|speed|height|weight|score|ratio|amount|limit|rate|extension)\b|"
    r"多少|几[个次名人位岁种所部集层条座家届楼]|多[大高远快重深宽长]|比例|百分|人口|面积|数量|总数|第几|温度|速度|"
    r"高度|海拔|分机|号码",
    "person": r"\bwho(?:m|se)?\b|\b(?:what|which) (?:person|man|woman|people|player|artist|scientist|king|queen|"
    r"president|"
    r"leader|author|actor|actress|general|director|manager)\b|\bwhat (?:is|was|were|are) the names?\b|"
    r"谁|哪位|何人|什么人|哪些人|叫什么|名字|哪个人|姓名|负责人",
    "place": r"\bwhere\b|\b(?:what|which) (?:city|country|state|town|place|location|region|county|continent|river|"
    r"building|room|stadium|area|island|province|nation|street)\b|哪[里儿]|什么地方|何[处地]|"
    r"哪个?(?:国家|城市|省|市|县|地区|州|区|国|地方|镇|村|洲|岛|楼|房间)|在哪|位于|地址",
    "reason": r"\bwhy\b|\b(?:reason|cause)s?\b|\bwhat (?:caused|causes|led)\b|\bhow come\b|"
    r"为[什何]|原因|何故|怎么会|因何",
}
_HAS = {
    "moment": rf"(?<!\d)(?:1\d{{3}}|20\d{{2}})(?!\d)|\b{_MONTH}\b|\b\d{{1,2}}(?:st|nd|rd|th) century\b|\b\d{{3,4}}s\b|"
    rf"\b\d+ ?(?:bc|ad|bce|ce|a\.m|p\.m|am|pm)\b|\b\d{{1,2}}[:.]\d\d\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|"
    rf"\b(?:spring|summer|autumn|winter|within|before|after|until|during|every|annual|daily|weekly|monthly)\b|"
    rf"\b{_TIME_UNIT}\b|{_CHINESE_NUMBER} ?(?:年|月|日|号|世纪|点|时)|年代|世纪|星期|周[一二三四五六日]|时期|时代|"
    r"[春夏秋冬][季天]|朝|[初末晚早]期",
    "duration": rf"\b(?:{_DIGITS}|{_NUMBER_WORD})[ -]?(?:\w+[ -])?{_TIME_UNIT}\b|"
    rf"{_CHINESE_NUMBER} ?[多余几]?个?(?:年|月|日|天|周|星期|小时|分钟|秒|世纪|载|刻)",
    "money": rf"[$€£¥￥]\s?\d|\b{_DIGITS}\s?(?:million |billion |trillion |k )?(?:dollars?|euros?|pounds?|usd|eur|"
    rf"gbp|rmb|"
    rf"cny|yuan|cents?|%)|\b(?:percent|free)\b|{_CHINESE_NUMBER} ?[多余]?[万亿]?(?:元|美元|英镑|欧元|块|港元|日元|"
    rf"％|%)|免费",
    "number": rf"\d|\b{_NUMBER_WORD}\b|"
    rf"{_CHINESE_NUMBER}[多余几]?[个次名人位岁种所部集层条座家届米里公平吨克度倍分台艘架支只项期]|"
    r"百分之",
    # A name is a capitalised word that does not begin the sentence.
    "person": r"(?-i:(?<=[\w,;:(“\"] )[A-Z][\w’'-]+|\b[A-Z][\w’'-]+ [A-Z][\w’'-]+)|@|·|先生|女士|教授|博士|主席|"
    r"总统|皇帝|国王|"
    r"将军|导演|部长|经理|人员|主管|部门|"
    r"[王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯董萧程曹袁邓许傅沈曾彭吕苏]"
    rf"[{COMMON_IDEOGRAPHS}]{{1,2}}(?=[（，、。的和与在是为说]|$)",
    "place": r"\b(?:in|at|near|from|to|of|on|across|within|outside|inside|into|around|throughout|via)\b "
    r"(?:the |a )?(?:\w+ )?(?-i:[A-Z])\w+|\b(?:north|south|east|west)(?:ern)?\b|\b(?:floor|room|building|street|road|"
    r"office|desk|page|menu|folder|drive|portal|site)\b|https?:|[省市县区州国镇村岛洲山河湖海港路街道楼室层]|位于|"
    r"地处|[东西南北]|"
    r"在.{1,12}[上下里内外旁边部方]",
    "reason": r"\b(?:because|since|due to|owing|as a result|so that|in order to|therefore|thus|caused?|causing|reason|"
    r"led to|result(?:s|ed)? (?:in|from|of)|attributed|fear(?:ed)?)\b|\bto (?:avoid|prevent|protect|reduce|allow|"
    r"ensure|"
    r"make|help|increase|gain)\b|因|由于|所以|故|导致|致使|为了|以[便免]|使|缘于|出于|从而|遂",
}
_ASKED_PATTERNS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _ASKED.items()}
_HAS_PATTERNS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _HAS.items()}

_ASKS_YES_OR_NO = re.compile(
    r"^\s*(?:do|does|did|can|could|should|is|are|am|was|were|may|will|would|has|have|must)(?:n['’]t)?\b|"
    r"吗|是否|能否|可否|是不是|能不能|有没有|可不可以|要不要|需不需要",
    re.IGNORECASE,
)
_YES_OR_NO = re.compile(
    r"(?!\s*\|)[\W_]*(?:(?:yes|no)\b(?=\s*[,.!:;–—-])|"
    r"(?:是的|不是|可以|不可以|不能|不行|能|否|没有|不会|会的|不用|不需要|需要)(?=[，。！；,!]))",
    re.IGNORECASE,
)
# The noun that is counted is before the verb, or else directly after 'how many'.
_COUNTED = re.compile(
    r"\bhow many (?:(?:\w+ ){0,2}?(?P<noun>\w+)(?=\s+(?:do|does|did|is|are|was|were|has|have|had|can|could|will|would|"
    r"should|may|must|of|in|on|at|per|for)\b|\W*$)|(?P<next>\w+))|"
    rf"(?:多少|几)个?(?P<unit>[{COMMON_IDEOGRAPHS}])",
    re.IGNORECASE,
)


def answer_types_asked(question: str) -> list[str]:
    """The types of answer that the question asks for; none when no pattern matches."""
    question = simplified(question)
    return [kind for kind, pattern in _ASKED_PATTERNS.items() if pattern.search(question)]


def has_answer_type(text: str, kind: str) -> bool:
    """Whether the text has something of this type, one of those that `answer_types_asked` returns."""
    return _HAS_PATTERNS[kind].search(simplified(text)) is not None


def asks_yes_or_no(question: str) -> bool:
    """Whether the question asks for yes or no: by its first verb in English, by 吗, 是否 or 能不能 in Chinese."""
    return _ASKS_YES_OR_NO.search(simplified(question)) is not None


def says_yes_or_no(text: str) -> bool:
    """Whether the text begins with a yes or no."""
    return _YES_OR_NO.match(simplified(text)) is not None


def new_numbers(text: str, question: str) -> bool:
    """Whether the text has a number, date or code that the question does not have in any form."""
    return not claimed_numbers(text) <= stated_numbers(question)


def counts_what_is_asked(text: str, question: str) -> bool:
    """Whether a number in the text is followed by what 'how many …' or 多少… counts."""
    asked = _COUNTED.search(simplified(question))
    if asked is None:
        return False
    if asked["unit"]:
        pattern = rf"{_CHINESE_NUMBER}[多余几]?个?\s*{re.escape(asked['unit'])}"
    else:
        noun = re.escape((asked["noun"] or asked["next"]).rstrip("s"))
        pattern = rf"(?:{_DIGITS}|\b{_NUMBER_WORD}\b)(?:\W+\w+){{0,3}}?\W+{noun}"
    return re.search(pattern, fold(text), re.IGNORECASE) is not None
