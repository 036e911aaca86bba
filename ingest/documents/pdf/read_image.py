"""Text recognition (OCR) in pictures, with RapidOCR's Chinese and English models.

RapidOCR is the extra `ocr`; its package contains the models, so nothing is downloaded.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from statistics import fmean
from typing import Any

from ingest.base.errors import ReadError
from ingest.base.logs import get_logger
from ingest.base.types import Page
from ingest.documents.pdf.layout.blocks import blocks, join_broken_words, markdown
from ingest.documents.pdf.layout.boxes import Box, Gap
from ingest.documents.pdf.lost_spaces import with_spaces

log = get_logger(__name__)

NEEDS_OCR = "needs OCR: the file holds pictures of text only; pip install 'docent[ocr]' and ingest it again"
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF")
# A0 at 300 dots an inch has 140 million; decoding more takes gigabytes of memory.
PIXEL_LIMIT = 150_000_000
# Recognising a page takes seconds: more pictures in one file would delay all others by a quarter of an hour.
FRAME_LIMIT = 500
# An A4 page at 170 dots an inch. More pixels take longer and are recognised no better.
RECOGNISED_PIXELS = 3_000_000
# A line whose box is this much higher than wide runs up or down.
_UPRIGHT = 1.5
_LETTERS = 3
# Characters this far apart, in heights of the line, may be in two columns or cells.
_WIDE_GAP = 0.4
# Upright pages score higher than this: four of them .98 to .99, the same upside down .60 to .79.
_UPRIGHT_SCORE = 0.85


def read_image(data: bytes) -> tuple[str, list[Page]]:
    """('', pages): one page without a label, or for a TIFF of several pictures one for each, labelled 'p. 1', …

    Raises ReadError for a damaged picture, for one of more than `PIXEL_LIMIT` pixels or `FRAME_LIMIT` pictures, and
    when the extra `ocr` is not installed.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            frames = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
            if frames > FRAME_LIMIT:
                raise ReadError(f"the file holds {frames:,} pictures, and at most {FRAME_LIMIT:,} are read: split it")
            pictures = _pictures(image, frames)
            if not can_recognise():
                raise ReadError(NEEDS_OCR)
            texts = join_broken_words([markdown(blocks(recognise(picture))) for picture in pictures])
    except Image.DecompressionBombError as error:
        raise ReadError(_too_large()) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise ReadError("the file is damaged or not really a picture: open and save it again") from error
    return "", [Page(f"p. {number}" if frames > 1 else "", text) for number, text in enumerate(texts, 1)]


def can_recognise() -> bool:
    """Whether the extra `ocr` is installed."""
    return find_spec("rapidocr_onnxruntime") is not None


def recognise(picture: Any) -> list[Box]:
    """The lines of text in a picture (array of height × width × 3 bytes: blue, green, red), in pixels with y upward.

    Raises ReadError when RapidOCR is installed but does not start.
    """
    import numpy as np

    sys.audit("docent.read.page")  # tells the parent process that reading makes progress
    engine = _engine()
    # The whole page is turned, and the turn with the highest score is used. RapidOCR can turn single lines, but then it
    # also turns some that are upright.
    lines = _lines(engine, picture)
    turns = (1, 3) if _is_on_its_side(lines) else (2,) if lines and _score(lines) < _UPRIGHT_SCORE else ()
    views = [(picture.shape[0], lines)]
    for turn in turns:
        view = np.ascontiguousarray(np.rot90(picture, turn))
        views.append((view.shape[0], _lines(engine, view)))
    height, lines = max(views, key=lambda view: _score(view[1]))
    return [_box(line, height) for line in lines]


def _pictures(image: Any, frames: int) -> Iterator[Any]:
    """Each picture as an array of height × width × 3 bytes (blue, green, red), at most `RECOGNISED_PIXELS` large."""
    import numpy as np
    from PIL import Image, ImageOps

    for frame in range(frames):
        image.seek(frame)
        if image.width * image.height > PIXEL_LIMIT:
            raise ReadError(_too_large())
        scale = (RECOGNISED_PIXELS / (image.width * image.height)) ** 0.5
        if scale < 1:
            image.draft("RGB", (int(image.width * scale), int(image.height * scale)))
        picture = ImageOps.exif_transpose(image).convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        paper.alpha_composite(picture)
        picture = paper.convert("RGB")
        if scale < 1:
            area = picture.width * picture.height
            scale = min(1.0, (RECOGNISED_PIXELS / area) ** 0.5)
            picture = picture.resize((max(1, int(picture.width * scale)), max(1, int(picture.height * scale))))
        yield np.asarray(picture)[:, :, ::-1]


def _too_large() -> str:
    return f"the picture has more than {PIXEL_LIMIT:,} pixels: save a smaller copy"


@cache
def _engine() -> Any:
    """The text recognition of this process, created at first use because loading its models takes a second."""
    try:
        from rapidocr_onnxruntime import RapidOCR
    except ImportError as error:  # its own libraries can be missing, such as libGL on a server
        log.warning("ocr.does_not_start", exc_info=True)
        raise ReadError(f"needs OCR, and text recognition does not start ({error}): install what it names") from error
    # The size is limited by area here; RapidOCR's own limit of the longer side would make long screenshots unreadable.
    # One thread: several files are read at the same time, each in a process of its own.
    return RapidOCR(max_side_len=100_000, intra_op_num_threads=1)


def _lines(engine: Any, picture: Any) -> list[Any]:
    """For each line [corners, text, score, corners of each character, …]."""
    lines, _ = engine(picture, return_word_box=True, use_cls=False)
    return list(lines or [])


def _is_on_its_side(lines: list[Any]) -> bool:
    long = [line for line in lines if len(line[1]) >= _LETTERS]
    upright = sum(_extent(line[0], 1) > _UPRIGHT * _extent(line[0], 0) for line in long)
    return upright > len(long) / 2


def _score(lines: list[Any]) -> float:
    """The mean of RapidOCR's scores for the lines, 0 to 1; 0 without lines."""
    return fmean(float(line[2]) for line in lines) if lines else 0.0


def _extent(corners: Any, axis: int) -> float:
    positions = [float(corner[axis]) for corner in corners]
    return max(positions) - min(positions)


def _box(line: Any, height: int) -> Box:
    corners, text = line[0], str(line[1])
    characters = line[3] if len(line) > 3 else []
    across, down = [float(corner[0]) for corner in corners], [float(corner[1]) for corner in corners]
    # A line's edges slope with the page; half the height of the corners' spread is the line itself.
    top, bottom = height - (down[0] + down[1]) / 2, height - (down[2] + down[3]) / 2
    top, bottom = max(top, bottom), min(top, bottom)
    spans = [(float(character[0][0]), float(character[2][0])) for character in characters]
    spaced = with_spaces(text, [(left + right) / 2 for left, right in spans])
    return Box(spaced, min(across), max(across), bottom, top, gaps=_wide_gaps(text, spaced, spans, top - bottom))


def _wide_gaps(text: str, spaced: str, spans: list[tuple[float, float]], height: float) -> tuple[Gap, ...]:
    """The wide gaps between characters: (index in `spaced`, which is the text with more spaces; left, right)."""
    if len(spans) != len(text):
        return ()
    visible = [span for letter, span in zip(text, spans, strict=True) if not letter.isspace()]
    indexes = [index for index, letter in enumerate(spaced) if not letter.isspace()]
    pairs = zip(indexes[1:], pairwise(visible), strict=False)
    return tuple((at, left[1], right[0]) for at, (left, right) in pairs if right[0] - left[1] > _WIDE_GAP * height)
