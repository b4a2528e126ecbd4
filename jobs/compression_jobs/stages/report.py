"""Report: draw the page that a person reads after a run, passed or failed.

Owns what the Report artifact consists of. Must not judge anything; no gate reads it.
"""

from __future__ import annotations

from typing import Final

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import ReportInput
from compression_contract.results import ReportFacts
from compression_jobs.context import Output, StageContext, StageOutcome
from compression_jobs.report.evidence import collect
from compression_jobs.report.page import draw

PAGE: Final = "report.html"
PICTURES: Final = "pictures"


def run(context: StageContext[ReportInput]) -> StageOutcome:
    """Draw the page and store it beside its pictures.

    Raises:
        Denied, Unavailable: the store's answer.
    """
    given = context.parameters
    page = draw(given.task, given.summary, collect(context))
    folder = context.folder("report")
    (folder / PICTURES).mkdir()
    content = page.html.encode()
    (folder / PAGE).write_bytes(content)
    for name, picture in page.pictures.items():
        (folder / PICTURES / f"{name}.png").write_bytes(picture)
    facts = ReportFacts(page=PAGE, bytes=len(content))
    return StageOutcome(facts, Output(folder, ArtifactKind.REPORT, {"run": given.summary.name}))
