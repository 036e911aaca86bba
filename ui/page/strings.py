"""Every string of the page, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Strings:
    """The interface in one language. Fields with `{…}` are filled by the page with `str.format`."""

    language: str
    welcome: str
    introduction: str
    try_one: str
    placeholder: str
    new_conversation: str
    stop: str
    searching: str
    searched: str
    as_typed: str
    queued: str
    queued_next: str
    queued_estimate: str
    writing: str
    stopped: str
    stopped_empty: str
    cut_short: str
    timed_out: str
    found: str
    sources: str
    other_passages: str
    nearest: str
    open_original: str
    replaces: str
    newer: str
    abstained: str
    caution: str
    unsupported: str
    extractive: str
    library_empty: str
    library_building: str
    building_progress: str
    building_left: str
    units: tuple[str, str, str]
    library_problem: str
    model_loading: str
    copy: str
    copy_hint: str
    refused: dict[int, str]
    failed: str


ENGLISH = Strings(
    language="en",
    welcome="What would you like to know?",
    introduction="Docent answers from your company's documents and shows where each answer comes from.",
    try_one="For example",
    placeholder="Ask about your documents",
    new_conversation="New conversation",
    stop="Stop",
    searching="Searching the documents …",
    searched="Searched for: {question}",
    as_typed="Search exactly as typed",
    queued="{position} questions before yours …",
    queued_next="1 question before yours …",
    queued_estimate=" About {seconds} s.",
    writing="Writing …",
    stopped="Stopped. The answer is not complete.",
    stopped_empty="Stopped before the answer began.",
    cut_short="The answer was cut off: it reached the maximum length.",
    timed_out="The answer was cut off because it took too long.",
    found="Found in",
    sources="Sources",
    other_passages="Other passages found ({count})",
    nearest="The nearest passages",
    open_original="Open the document",
    replaces="Replaces {names}",
    newer="There is a newer version: {name}",
    abstained="The documents do not say. Try other words, or look at the nearest passages below.",
    caution="This may not be what you asked for: check the sources before you rely on it.",
    unsupported="No source supports: “{sentence}”. Check it before you rely on it.",
    extractive="No language model is installed: answers are quoted from the documents word for word. "
    "Your administrator can add one with `docent models pull`.",
    library_empty="There are no documents yet: ask your administrator to run `docent ingest FOLDER`.",
    library_building="The documents are being read right now ({documents} so far). Answers may still miss some.",
    building_progress=" {done} of {total} files are done",
    building_left=", about {duration} left",
    units=("{} s", "{} min", "{} h"),
    library_problem="The library needs your administrator: {problem}",
    model_loading="The language model is still loading: you can ask in a moment.",
    copy="Copy",
    copy_hint="Select the text, or use the button in the corner.",
    refused={},
    failed="{message}",
)

CHINESE = Strings(
    language="zh",
    welcome="您想了解什么？",
    introduction="Docent 根据公司的文档回答问题，并标明每个回答的出处。",
    try_one="例如",
    placeholder="就公司文档提问",
    new_conversation="新对话",
    stop="停止",
    searching="正在查找文档……",
    searched="实际检索：{question}",
    as_typed="按我输入的原文检索",
    queued="前面还有 {position} 个问题……",
    queued_next="前面还有 1 个问题……",
    queued_estimate="大约 {seconds} 秒。",
    writing="正在回答……",
    stopped="已停止，回答不完整。",
    stopped_empty="已停止，回答尚未开始。",
    cut_short="回答已达到最大长度，被截断。",
    timed_out="回答用时过长，被截断。",
    found="找到的段落",
    sources="出处",
    other_passages="其他相关段落（{count}）",
    nearest="最接近的段落",
    open_original="打开原文",
    replaces="取代 {names}",
    newer="已有新版本：{name}",
    abstained="文档中没有相关说明。请换一种说法，或查看下面最接近的段落。",
    caution="找到的内容不一定能回答这个问题，使用前请核对出处。",
    unsupported="没有出处能证实：“{sentence}”。使用前请核对。",
    extractive="尚未安装语言模型：目前直接引用文档原文作答。管理员可以运行 `docent models pull` 安装模型。",
    library_empty="还没有任何文档：请管理员运行 `docent ingest 文件夹`。",
    library_building="正在读取文档（已完成 {documents} 份），回答可能还不完整。",
    building_progress="已处理 {done} / {total} 个文件",
    building_left="，大约还需 {duration}",
    units=("{} 秒", "{} 分钟", "{} 小时"),
    library_problem="文档库需要管理员处理：{problem}",
    model_loading="语言模型正在加载，请稍候再提问。",
    copy="复制",
    copy_hint="选中文字，或点击右上角的按钮。",
    refused={
        422: "问题为空或过长，请修改后再试。",
        503: "现在提问的人太多，请稍后再试。",
        504: "等待时间过长，请稍后再试。",
    },
    failed="回答时出现问题，请重试；若仍然失败，请把编号 {request_id} 告诉管理员。",
)


def strings_for(language: str | None) -> Strings:
    """The interface for a browser language such as `zh-CN` or `en-GB`: Chinese for any `zh`, else English."""
    return CHINESE if language is not None and language.lower().startswith("zh") else ENGLISH
