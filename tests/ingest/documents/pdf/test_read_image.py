"""Pictures of text: recognised when the extra is installed, named when it is not, and bounded either way."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.base.errors import ReadError
from ingest.documents.pdf import read_image as module
from ingest.documents.pdf.layout.blocks import blocks, markdown
from ingest.documents.pdf.layout.boxes import Box
from ingest.documents.pdf.read_image import read_image


def picture(*lines: str, size: tuple[int, int] = (900, 300), kind: str = "PNG", **options: Any) -> bytes:
    """Lines of black text on white, 36 pixels high."""
    out = io.BytesIO()
    drawn(*lines, size=size).save(out, kind, **options)
    return out.getvalue()


def drawn(*lines: str, size: tuple[int, int] = (900, 300)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((30, 30 + 60 * number), line, "black", ImageFont.load_default(36))
    return image


@pytest.fixture
def recogniser(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A recogniser that says one line for each picture, and keeps the pictures it was shown."""
    shown: list[Any] = []

    def recognise(array: Any) -> list[Box]:
        shown.append(array)
        return [Box(f"picture {len(shown)}", 0, 90, 0, 10)]

    monkeypatch.setattr(module, "can_recognise", lambda: True)
    monkeypatch.setattr(module, "recognise", recognise)
    return shown


def test_without_the_recogniser(monkeypatch: pytest.MonkeyPatch) -> None:
    """A good picture is said to need OCR, with what to install; a damaged one is called damaged."""
    monkeypatch.setattr(module, "can_recognise", lambda: False)
    with pytest.raises(ReadError, match=r"^needs OCR: .*pip install 'docent\[ocr\]'"):
        read_image(picture("Leave"))
    with pytest.raises(ReadError, match="damaged or not really a picture"):
        read_image(b"GIF89a, or so it says")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"])
def test_kinds(kind: str, recogniser: list[Any]) -> None:
    """Each kind of picture is shown to the recogniser as height × width × blue, green, red."""
    out = io.BytesIO()
    Image.new("RGB", (40, 20), (255, 0, 0)).save(out, kind)
    assert [(page.label, page.text) for page in read_image(out.getvalue())[1]] == [("", "picture 1")]
    assert recogniser[0].shape == (20, 40, 3)
    blue, green, red = recogniser[0][10, 20]
    assert red > 240 and green < 20 and blue < 20


def test_a_fax_of_several_pages(recogniser: list[Any]) -> None:
    """The pictures of a TIFF are pages; those of an animation are not."""
    frames = {"save_all": True, "append_images": [drawn("two"), drawn("three")]}
    _, pages = read_image(picture("one", kind="TIFF", **frames))
    assert [(page.label, page.text) for page in pages] == [(f"p. {n}", f"picture {n}") for n in (1, 2, 3)]
    assert len(read_image(picture("one", kind="GIF", **frames))[1]) == 1
    assert len(recogniser) == 4


def test_transparent_and_turned_pictures(recogniser: list[Any]) -> None:
    """What is transparent is paper, and a photograph is turned as its camera says."""
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, "PNG")
    read_image(out.getvalue())
    assert recogniser[0].min() == 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    read_image(picture("one", size=(90, 30), kind="JPEG", exif=exif))
    assert recogniser[1].shape[:2] == (90, 30)


def test_large_pictures_are_made_smaller(recogniser: list[Any]) -> None:
    """A large picture keeps its shape and is shown with no more points than help."""
    read_image(picture("one", size=(6000, 2000)))
    height, width, _ = recogniser[0].shape
    assert height * width <= module.RECOGNISED_PIXELS and width / height == pytest.approx(3, rel=0.01)


def test_bombs(recogniser: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of more points than the limit is refused before it is unpacked, as are too many in one file."""
    out = io.BytesIO()
    Image.new("1", (30_000, 20_000)).save(out, "PNG")
    assert len(out.getvalue()) < 200_000
    with pytest.raises(ReadError, match="more than 150,000,000 points: save a smaller copy"):
        read_image(out.getvalue())
    monkeypatch.setattr(module, "FRAME_LIMIT", 2)
    with pytest.raises(ReadError, match="holds 3 pictures, and at most 2 are read"):
        read_image(picture("one", kind="TIFF", save_all=True, append_images=[drawn("two"), drawn("three")]))
    assert recogniser == []


def test_a_cut_off_picture(recogniser: list[Any]) -> None:
    """Half a file is damaged, not half a text."""
    data = picture("one", kind="JPEG")
    with pytest.raises(ReadError, match="damaged or not really a picture"):
        read_image(data[: len(data) // 2])
    assert recogniser == []


class ScriptedEngine:
    """Answers with lines whose corners and words are given for the upright picture and its two turns."""

    def __init__(self, *answers: list[Any]) -> None:
        self.answers, self.options = list(answers), list[dict[str, Any]]()

    def __call__(self, _picture: Any, **options: Any) -> tuple[list[Any], list[float]]:
        self.options.append(options)
        return self.answers.pop(0), [0.0]


def line(text: str, left: float, top: float, right: float, bottom: float, score: float) -> list[Any]:
    return [[[left, top], [right, top], [right, bottom], [left, bottom]], text, score]


def test_a_page_on_its_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """When lines run up the picture it is read both ways round, and the one that reads best is kept."""
    np = pytest.importorskip("numpy")
    engine = ScriptedEngine(
        [line("tuoba", 10, 10, 30, 200, 0.6)],
        [line("abovt", 10, 10, 190, 30, 0.7)],
        [line("about", 10, 10, 190, 30, 0.98)],
    )
    monkeypatch.setattr(module, "_engines", [engine])
    [box] = module.recognise(np.zeros((300, 100, 3), "uint8"))
    assert (box.text, box.left, box.right, box.bottom, box.top) == ("about", 10, 190, 70, 90)
    assert [options["use_cls"] for options in engine.options] == [False, False, False]


def test_a_page_upside_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that reads badly is turned as a whole; one that reads well is looked at once."""
    np = pytest.importorskip("numpy")
    wrong, right = [line("tnoqo", 10, 10, 190, 30, 0.6)], [line("about", 10, 10, 190, 30, 0.98)]
    for answers in ([wrong, right], [right]):
        monkeypatch.setattr(module, "_engines", [engine := ScriptedEngine(*answers)])
        assert [box.text for box in module.recognise(np.zeros((300, 100, 3), "uint8"))] == ["about"]
        assert engine.answers == []


def test_lines_of_two_columns_recognised_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where characters of one line stand far apart over the gap between two columns, it is cut there."""
    np = pytest.importorskip("numpy")

    def characters(text: str, left: float, at: float) -> list[Any]:
        places = [left + 7 * number for number in range(len(text))]
        return [[[place, at], [place + 6, at], [place + 6, at + 20], [place, at + 20]] for place in places]

    lines = []
    for number in range(4):
        left, right, at = f"left column, line number {number}", f"right column, line number {number}", 10 + 24 * number
        if number == 2:
            one = line(left + right, 10, at, 450, at + 20, 0.99)
            lines.append([*one, characters(left, 10, at) + characters(right, 230, at)])
        else:
            lines += [line(left, 10, at, 210, at + 20, 0.99), line(right, 230, at, 450, at + 20, 0.99)]
    monkeypatch.setattr(module, "_engines", [ScriptedEngine(lines)])
    text = markdown(blocks(module.recognise(np.zeros((300, 500, 3), "uint8"))))
    assert text.index("left column, line number 3") < text.index("right column, line number 0")
    assert "number 2right" not in text


def test_recognised_english() -> None:
    """Two lines of English are read with the spaces between their words."""
    pytest.importorskip("rapidocr_onnxruntime", reason="the extra `ocr` is not installed")
    lines = ("Every employee has twenty five days of leave", "and hands in receipts within two weeks.")
    [page] = read_image(picture(*lines))[1]
    assert page.text.replace("\n", " ").casefold() == " ".join(lines).casefold()


def test_recognised_table() -> None:
    """The cells of a row stay together."""
    pytest.importorskip("rapidocr_onnxruntime", reason="the extra `ocr` is not installed")
    image = Image.new("RGB", (900, 320), "white")
    for row, cells in enumerate([("Item", "Quantity", "Price"), ("Lamp", "12", "40.50"), ("Desk", "31", "180.75")]):
        for column, cell in enumerate(cells):
            place = (40 + 300 * column, 40 + 90 * row)
            ImageDraw.Draw(image).text(place, cell, "black", ImageFont.load_default(40))
    out = io.BytesIO()
    image.save(out, "PNG")
    [page] = read_image(out.getvalue())[1]
    assert "| Item | Quantity | Price |" in page.text
    assert "| Desk | 31 | 180.75 |" in page.text
