"""Questions, and passages that answer them, each in English and in Chinese, for measuring an embedding model.

The items have nothing to do with each other, so the question of one item and the passage of another are unrelated.
"""

from __future__ import annotations

from typing import NamedTuple


class ReferenceItem(NamedTuple):
    """A question and a passage that answers it, in both languages."""

    english_question: str
    chinese_question: str
    english_passage: str
    chinese_passage: str


REFERENCE_ITEMS = (
    ReferenceItem(
        "How long does bread dough need to rise?",
        "面团需要发酵多长时间？",
        "Cover the bowl with a cloth and leave it in a warm kitchen for about ninety minutes, until it has doubled.",
        "用布盖住盆，放在温暖的厨房里大约九十分钟，直到体积变成原来的两倍。",
    ),
    ReferenceItem(
        "Why do leaves change colour in autumn?",
        "秋天树叶为什么会变色？",
        "As the days grow shorter, trees stop making chlorophyll, and the yellow and red pigments become visible.",
        "白天变短以后，树木不再制造叶绿素，黄色和红色的色素就显露出来。",
    ),
    ReferenceItem(
        "Who approves travel expenses?",
        "差旅费由谁审批？",
        "Hand in receipts for hotels and trains within a month; the head of your department signs the claim.",
        "住宿和火车票据须在一个月内提交，由部门主管签字报销。",
    ),
    ReferenceItem(
        "How is the printer connected to the wireless network?",
        "打印机怎样连接无线网络？",
        "Open the settings menu on its display, choose Wi-Fi, pick the office network and type the password.",
        "在机器的显示屏上打开设置菜单，选择无线局域网，再选办公室的网络并输入密码。",
    ),
    ReferenceItem(
        "What does a goalkeeper wear?",
        "守门员穿什么？",
        "The player between the posts has padded gloves and a shirt whose colour differs from both teams.",
        "站在球门前的球员戴有衬垫的手套，球衣颜色与两队都不同。",
    ),
    ReferenceItem(
        "How often should the bearings be greased?",
        "轴承多久加一次润滑脂？",
        "Lubricate the main shaft of the pump every five hundred operating hours and wipe off what comes out.",
        "水泵主轴每运行五百小时润滑一次，并擦去溢出的油脂。",
    ),
    ReferenceItem(
        "When was the old bridge closed to cars?",
        "旧桥是什么时候禁止汽车通行的？",
        "Since the flood damaged its pillars, only pedestrians and bicycles may cross the river there.",
        "自从洪水损坏了桥墩，那里只允许行人和自行车过河。",
    ),
    ReferenceItem(
        "How much does a child's ticket cost?",
        "儿童票多少钱？",
        "Admission to the museum is twelve euros for adults; visitors under sixteen pay half of that.",
        "博物馆门票成人十二欧元，十六岁以下的参观者半价。",
    ),
    ReferenceItem(
        "What should I do when my password has expired?",
        "密码过期了怎么办？",
        "Press the link on the sign-in screen, confirm the code sent to your phone and choose a new one.",
        "点击登录界面上的链接，确认发到手机上的验证码，然后设置新的。",
    ),
    ReferenceItem(
        "Which vaccine does a puppy get first?",
        "小狗首先打哪种疫苗？",
        "At eight weeks the vet injects young dogs against distemper and parvovirus, and a month later again.",
        "幼犬八周大时，兽医给它注射预防犬瘟热和细小病毒的针，一个月后再打一次。",
    ),
    ReferenceItem(
        "How many days of holiday do new employees have?",
        "新员工有多少天假期？",
        "In the first year of service the annual leave is twenty-five working days, given in proportion.",
        "入职第一年的年休假为二十五个工作日，按比例计算。",
    ),
    ReferenceItem(
        "What is the moon made of?",
        "月球由什么组成？",
        "Its crust consists mostly of oxygen, silicon and aluminium, bound in grey volcanic rock.",
        "它的外壳主要是氧、硅和铝，结合在灰色的火山岩里。",
    ),
    ReferenceItem(
        "How do I cancel my subscription?",
        "怎样取消订阅？",
        "Write to customer service before the end of the month; the magazine then stops with the next issue.",
        "月底之前写信给客户服务部，下一期起就不再寄送杂志。",
    ),
    ReferenceItem(
        "Why did the composer stop giving concerts?",
        "那位作曲家为什么不再开音乐会？",
        "Growing deafness made it impossible for him to play the piano together with an orchestra.",
        "日益严重的耳聋使他无法再与乐队一起演奏钢琴。",
    ),
    ReferenceItem(
        "What is the deadline for the tax return?",
        "纳税申报的截止日期是哪天？",
        "The form must reach the revenue office by the thirty-first of July; later ones cost a fine.",
        "表格须在七月三十一日之前送达税务局，逾期要交罚款。",
    ),
    ReferenceItem(
        "Where do salmon lay their eggs?",
        "鲑鱼在哪里产卵？",
        "The fish swim from the sea up to the gravel of the cold streams in which they were born.",
        "这种鱼从大海游回它们出生的寒冷溪流，来到砾石河床上。",
    ),
    ReferenceItem(
        "How high may the load on the shelf be?",
        "货架最多能承重多少？",
        "Each level of the storage rack bears at most two hundred kilograms, spread evenly.",
        "仓库架子的每一层最多放二百公斤，并且要均匀摆放。",
    ),
    ReferenceItem(
        "Who may use the company car privately?",
        "谁可以私人使用公司的汽车？",
        "Managers who pay the fuel themselves are allowed to drive the vehicle at weekends.",
        "自己支付油费的经理可以在周末驾驶这辆车。",
    ),
    ReferenceItem(
        "What helps against a headache?",
        "头痛怎么缓解？",
        "Drink enough water, rest in a dark room, and take a tablet if the pain does not go away.",
        "多喝水，在黑暗的房间里休息，如果疼痛不消失就吃一片药。",
    ),
    ReferenceItem(
        "How is a flat tyre repaired?",
        "自行车轮胎破了怎么修？",
        "Take the tube off the wheel of the bicycle, roughen the place around the hole and glue a patch on it.",
        "把内胎从车轮上取下，把破洞周围磨毛，再贴上补片。",
    ),
    ReferenceItem(
        "What is recorded in the minutes of a meeting?",
        "会议纪要里记录什么？",
        "The secretary notes who was present, what was decided, and who does what until when.",
        "秘书写下谁出席了、决定了什么，以及谁在什么时候之前做什么。",
    ),
    ReferenceItem(
        "How far is the airport from the city?",
        "机场离市区有多远？",
        "The express train covers the thirty kilometres to the terminal in twenty minutes.",
        "快速列车二十分钟走完到航站楼的三十公里。",
    ),
    ReferenceItem(
        "Which wood is suitable for garden furniture?",
        "哪种木材适合做花园家具？",
        "Teak and oak stand rain and frost for decades, if they are oiled once a year.",
        "柚木和橡木只要每年上一次油，就能经受几十年的雨水和霜冻。",
    ),
    ReferenceItem(
        "How is waste paper disposed of?",
        "废纸怎么处理？",
        "Confidential sheets go into the locked grey container, everything else into the blue bin.",
        "机密文件放进上锁的灰色箱子，其余的放进蓝色垃圾桶。",
    ),
)
