"""Pictures of text: recognised when the extra `ocr` is installed, refused when it is not, limited in both cases."""

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
    """A recogniser that returns one line for each picture; the list holds the pictures it was given."""
    pictures: list[Any] = []

    def recognise(array: Any) -> list[Box]:
        pictures.append(array)
        return [Box(f"picture {len(pictures)}", 0, 90, 0, 10)]

    monkeypatch.setattr(module, "can_recognise", lambda: True)
    monkeypatch.setattr(module, "recognise", recognise)
    return pictures


def test_without_the_recogniser(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for a good picture says what to install; a damaged picture is called damaged."""
    monkeypatch.setattr(module, "can_recognise", lambda: False)
    with pytest.raises(ReadError, match=r"^needs OCR: .*pip install 'docent\[ocr\]'"):
        read_image(picture("Leave"))
    with pytest.raises(ReadError, match="damaged or not really a picture"):
        read_image(b"GIF89a, or so it says")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"])
def test_kinds(kind: str, recogniser: list[Any]) -> None:
    """Each format of picture is recognised as an array of height × width × (blue, green, red)."""
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
    """Transparent parts become white, and a photograph is turned as its EXIF orientation says."""
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, "PNG")
    read_image(out.getvalue())
    assert recogniser[0].min() == 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    read_image(picture("one", size=(90, 30), kind="JPEG", exif=exif))
    assert recogniser[1].shape[:2] == (90, 30)


def test_large_pictures_are_made_smaller(recogniser: list[Any]) -> None:
    """A large picture keeps its proportions and is reduced to the pixels that recognition uses."""
    read_image(picture("one", size=(3600, 1200)))
    height, width, _ = recogniser[0].shape
    assert height * width <= module.RECOGNISED_PIXELS and width / height == pytest.approx(3, rel=0.01)


def test_bombs(recogniser: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture with more pixels than the limit is refused before it is unpacked, as are too many in one file."""
    out = io.BytesIO()
    Image.new("1", (20_000, 9_500)).save(out, "PNG")
    assert len(out.getvalue()) < 200_000
    with pytest.raises(ReadError, match="more than 150,000,000 pixels: save a smaller copy"):
        read_image(out.getvalue())
    monkeypatch.setattr(module, "FRAME_LIMIT", 2)
    with pytest.raises(ReadError, match="holds 3 pictures, and at most 2 are read"):
        read_image(picture("one", kind="TIFF", save_all=True, append_images=[drawn("two"), drawn("three")]))
    assert recogniser == []


def test_a_cut_off_picture(recogniser: list[Any]) -> None:
    """Half a file is an error, not half a text."""
    data = picture("one", kind="JPEG")
    with pytest.raises(ReadError, match="damaged or not really a picture"):
        read_image(data[: len(data) // 2])
    assert recogniser == []


class ScriptedEngine:
    """Returns the given lines, one list for each call, and keeps the options it was called with."""

    def __init__(self, *answers: list[Any]) -> None:
        self.answers, self.options = list(answers), list[dict[str, Any]]()

    def __call__(self, _picture: Any, **options: Any) -> tuple[list[Any], list[float]]:
        self.options.append(options)
        return self.answers.pop(0), [0.0]


def line(text: str, left: float, top: float, right: float, bottom: float, score: float) -> list[Any]:
    return [[[left, top], [right, top], [right, bottom], [left, bottom]], text, score]


def test_a_page_on_its_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """When lines run up or down the picture, both turns are recognised and the one with the higher score is kept."""
    np = pytest.importorskip("numpy")
    engine = ScriptedEngine(
        [line("tuoba", 10, 10, 30, 200, 0.6)],
        [line("abovt", 10, 10, 190, 30, 0.7)],
        [line("about", 10, 10, 190, 30, 0.98)],
    )
    monkeypatch.setattr(module, "_engine", lambda: engine)
    [box] = module.recognise(np.zeros((300, 100, 3), "uint8"))
    assert (box.text, box.left, box.right, box.bottom, box.top) == ("about", 10, 190, 70, 90)
    assert [options["use_cls"] for options in engine.options] == [False, False, False]


def test_a_page_upside_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page with a low score is turned as a whole; one with a high score is recognised once."""
    np = pytest.importorskip("numpy")
    wrong, right = [line("tnoqo", 10, 10, 190, 30, 0.6)], [line("about", 10, 10, 190, 30, 0.98)]
    for answers in ([wrong, right], [right]):
        engine = ScriptedEngine(*answers)
        monkeypatch.setattr(module, "_engine", lambda engine=engine: engine)
        assert [box.text for box in module.recognise(np.zeros((300, 100, 3), "uint8"))] == ["about"]
        assert engine.answers == []


def test_lines_of_two_columns_recognised_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that reaches over two columns is cut where its characters are far apart over the gap between them."""
    np = pytest.importorskip("numpy")

    def characters(text: str, left: float, at: float) -> list[Any]:
        starts = [left + 7 * number for number in range(len(text))]
        return [[[x, at], [x + 6, at], [x + 6, at + 20], [x, at + 20]] for x in starts]

    lines = []
    for number in range(4):
        left, right, at = f"left column, line number {number}", f"right column, line number {number}", 10 + 24 * number
        if number == 2:
            both = line(left + right, 10, at, 450, at + 20, 0.99)
            lines.append([*both, characters(left, 10, at) + characters(right, 230, at)])
        else:
            lines += [line(left, 10, at, 210, at + 20, 0.99), line(right, 230, at, 450, at + 20, 0.99)]
    monkeypatch.setattr(module, "_engine", lambda: ScriptedEngine(lines))
    text = markdown(blocks(module.recognise(np.zeros((300, 500, 3), "uint8"))))
    assert text.index("left column, line number 3") < text.index("right column, line number 0")
    assert "number 2right" not in text


def test_recognised_english() -> None:
    """Two lines of English are recognised with the spaces between their words."""
    pytest.importorskip("rapidocr_onnxruntime", reason="the extra `ocr` is not installed")
    lines = ("Every employee has twenty five days of leave", "and hands in receipts within two weeks.")
    [page] = read_image(picture(*lines))[1]
    assert page.text.replace("\n", " ").casefold() == " ".join(lines).casefold()


def test_recognised_table() -> None:
    """The cells of a recognised row stay in one row."""
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
