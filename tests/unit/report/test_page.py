"""The page: everything a reader looks for is there, nothing is fetched, nothing from outside is markup."""

from __future__ import annotations

import re
import struct

import pytest

from compression_jobs.report import page, texts
from compression_jobs.report.evidence import Evidence
from unit.report import story


@pytest.fixture(scope="module")
def drawn() -> page.Page:
    return page.draw("ImageClassification", story.run(), story.evidence())


def text_of(html: str) -> str:
    """The page as it reads, without pictures."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html.partition("<main>")[2]))


@pytest.mark.parametrize(
    "sentence",
    [
        "fashion-mnist 1.4.0",
        "4 min 35 s",
        "top1 0.8430 FP32 0.8404",
        "Model file 520 kB 3.79 times smaller",
        "Latency p95 0.3 ms 1.83 times faster",
        "Critical / high findings 0 / 2",
        "0.8357..0.8500",
        "Gates on int8-qat, the candidate that was chosen",
        "Teachers, measured before any training: large 0.9060",
        "AMD EPYC 7763",
    ],
)
def test_the_page_says(drawn, sentence):
    assert sentence in text_of(drawn.html)


def test_the_page_is_one_file_that_fetches_nothing(drawn):
    assert not re.findall(r"<(?:script|link|iframe|object)", drawn.html)
    sources = re.findall(r"src=\"([^\"]{0,22})", drawn.html)
    assert sources
    assert set(sources) == {"data:image/png;base64,"}
    assert "url(" not in drawn.html


def test_every_picture_is_a_png_of_a_readable_size(drawn):
    assert set(drawn.pictures) == {"training", "pareto", "sensitivity-int8-ptq", "answers-int8-qat-ort"}
    for picture in drawn.pictures.values():
        width, height = struct.unpack(">II", picture[16:24])
        assert picture.startswith(b"\x89PNG")
        assert width >= 600
        assert height >= 300


def test_the_same_run_gives_the_same_bytes(drawn):
    again = page.draw("ImageClassification", story.run(), story.evidence())
    assert again.html == drawn.html


def test_words_from_outside_are_text():
    hostile = "<script>alert(1)</script>"
    html = page.draw("ImageClassification", story.run(message=hostile, version=hostile), Evidence()).html
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_a_run_that_failed_before_anything_was_measured_has_a_page():
    failed = story.run(
        outcome="Failed",
        reason="TeacherTooWeak",
        candidates=(),
        baseline=(),
        selected="",
        scan=None,
        image="",
    )
    html = page.draw("ImageClassification", failed, Evidence(missing=["train of distill: gone"])).html
    assert "Failed: TeacherTooWeak" in html
    assert "train of distill: gone" in html


def test_int8_slower_than_fp32_is_said_aloud():
    slow = story.run(baseline=(story.measured(0.84, 1.97, 0.1),))
    html = page.draw("ImageClassification", slow, Evidence()).html
    assert "int8-qat on ort is slower than its FP32 baseline" in html
    assert "times SLOWER than FP32" in html


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, texts.NOTHING), (0.4, "0 s"), (75, "1 min 15 s"), (7290, "2 h 1 min")]
)
def test_durations(seconds, said):
    assert texts.duration(seconds) == said


@pytest.mark.parametrize(("count", "said"), [(0, texts.NOTHING), (999, "999 B"), (1_970_000, "1.97 MB")])
def test_sizes(count, said):
    assert texts.size(count) == said
