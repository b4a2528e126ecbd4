"""From a summary and its evidence to one HTML page and its pictures.

Owns what stands where. Must not fetch, and must not draw a verdict.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from compression_contract.report import CandidateSummary, Measured, RunSummary, Value
from compression_jobs.report import answers, plots, texts
from compression_jobs.report.evidence import Evidence

_TONES: Final[Mapping[str, str]] = {"Pass": "good", "Fail": "bad", "Passed": "good", "Rejected": "bad"}
_FRAME: Final = Markup(
    '<figure><img alt="{}" src="data:image/png;base64,{}"><figcaption><small>{}</small></figcaption></figure>'
)


@dataclass(frozen=True, slots=True)
class Page:
    """What is stored: the page, and each picture as a file of its own."""

    html: str
    pictures: Mapping[str, bytes]


def draw(task: str, run: RunSummary, evidence: Evidence) -> Page:
    """Draw the page of a run."""
    pictures = {name: picture for name, picture in _pictures(run, evidence) if picture is not None}
    environment = Environment(
        loader=PackageLoader("compression_jobs.report", "."), autoescape=True, undefined=StrictUndefined
    )
    judged = _judged(run)
    html = environment.get_template("page.html.j2").render(
        task=task,
        run=run,
        took=_took(run),
        cards=list(_cards(run)),
        notices=list(_notices(run)),
        judged=judged,
        metric_names=_metric_names(run),
        rows=list(_rows(run)),
        pictures=pictures,
        picture=_embedder(pictures),
        details=[(name, caption) for name, caption in _captions(run, evidence) if name in pictures],
        environment=list(_environment(evidence)),
        missing=evidence.missing,
        tone=lambda verdict: _TONES.get(verdict, "unsure"),
        number=texts.number,
        bytes=texts.size,
        duration=texts.duration,
    )
    return Page(html, pictures)


def _pictures(run: RunSummary, evidence: Evidence) -> Iterator[tuple[str, bytes | None]]:
    yield "training", plots.training(evidence.histories)
    names = _metric_names(run)
    if names:
        points = list(_points(run, names[0]))
        yield "pareto", plots.pareto(points, names[0], names[0] in run.lower_is_better)
    for step, layers in evidence.sensitivities.items():
        yield f"sensitivity-{step}", plots.sensitivity(layers)
    for (step, target), records in evidence.predictions.items():
        yield f"answers-{step}-{target}", answers.draw(records)


def _captions(run: RunSummary, evidence: Evidence) -> Iterator[tuple[str, str]]:
    for step, target in evidence.predictions:
        if step == (run.selected or step):
            yield f"answers-{step}-{target}", f"{step} on {target}, all measured samples"
    for step in evidence.sensitivities:
        yield f"sensitivity-{step}", f"Layers of {step}; those at the top gain most from skipLayers"


def _judged(run: RunSummary) -> CandidateSummary | None:
    """The candidate whose gates are shown: the chosen one, else the one that was judged last."""
    with_gates = [candidate for candidate in run.candidates if candidate.gates]
    chosen = [candidate for candidate in with_gates if candidate.step == run.selected]
    shown = chosen or with_gates
    return shown[-1] if shown else None


def _metric_names(run: RunSummary) -> list[str]:
    seen = [value.name for candidate in run.candidates for r in candidate.results for value in r.metrics]
    return list(dict.fromkeys(seen))


def _value(measured: Measured, name: str) -> Value | None:
    return next((value for value in measured.metrics if value.name == name), None)


def _baseline(run: RunSummary, target: str) -> Measured | None:
    return next((one for one in run.baseline if one.target == target), None)


def _points(run: RunSummary, name: str) -> Iterator[plots.Point]:
    for baseline in run.baseline:
        yield from _point("FP32", "Baseline", baseline, name)
    for candidate in run.candidates:
        for result in candidate.results:
            label = candidate.step if len(candidate.results) == 1 else f"{candidate.step}/{result.target}"
            yield from _point(label, candidate.state, result, name)


def _point(label: str, state: str, measured: Measured, name: str) -> Iterator[plots.Point]:
    value = _value(measured, name)
    if value is not None and measured.bytes:
        low = value.value if value.low is None else value.low
        high = value.value if value.high is None else value.high
        p95 = measured.latency.p95 if measured.latency else None
        yield plots.Point(label, value.value, low, high, measured.bytes / 1e6, p95, state)


def _rows(run: RunSummary) -> Iterator[dict[str, Any]]:
    for baseline in run.baseline:
        yield _row(run, "FP32 baseline", baseline)
    for candidate in run.candidates:
        for result in candidate.results:
            row = _row(run, candidate.step, result)
            tone = _TONES.get(candidate.state, "unsure")
            chosen = candidate.step == run.selected
            yield {
                **row,
                "state": candidate.state,
                "tone": tone,
                "message": candidate.message,
                "chosen": chosen,
            }


def _row(run: RunSummary, name: str, measured: Measured) -> dict[str, Any]:
    latency = measured.latency
    values = [_value(measured, metric) for metric in _metric_names(run)]
    return {
        "name": name,
        "where": " · ".join(part for part in (measured.target, measured.runtime, measured.format) if part),
        "metrics": [
            {"value": texts.number(v.value), "interval": texts.interval(v.low, v.high)}
            if v
            else {"value": texts.NOTHING}
            for v in values
        ],
        "size": texts.size(measured.bytes),
        **{key: texts.milliseconds(getattr(latency, key, None)) for key in ("p50", "p95", "p99")},
        "memory": texts.size(measured.peak_resident_bytes),
        "agreement": texts.NOTHING if measured.agreement is None else texts.number(measured.agreement),
        "state": "",
        "tone": "quiet",
        "message": "",
        "chosen": False,
    }


def _cards(run: RunSummary) -> Iterator[dict[str, str]]:
    """The four figures a reader looks for first, of the candidate that is shown."""
    judged = _judged(run)
    if judged is None or not judged.results:
        return
    result = judged.results[0]
    baseline = _baseline(run, result.target)
    for value in result.metrics[:1]:
        before = _value(baseline, value.name) if baseline else None
        note = f"FP32 {texts.number(before.value)}" if before else f"{result.samples:,} samples"
        yield {"label": value.name, "value": texts.number(value.value), "note": note}
    if baseline and baseline.bytes and result.bytes:
        ratio = f"{baseline.bytes / result.bytes:.2f} times smaller"
        yield {"label": "Model file", "value": texts.size(result.bytes), "note": ratio}
    if result.latency:
        note = f"on {result.runtime or result.target}"
        if baseline and baseline.latency and result.latency.p95:
            factor = baseline.latency.p95 / result.latency.p95
            note = f"{factor:.2f} times faster" if factor >= 1 else f"{1 / factor:.2f} times SLOWER than FP32"
        yield {"label": "Latency p95", "value": texts.milliseconds(result.latency.p95), "note": note}
    if run.scan:
        worst = {key: run.scan.counts.get(key, 0) for key in ("critical", "high")}
        findings = " / ".join(str(count) for count in worst.values())
        yield {"label": "Critical / high findings", "value": findings, "note": run.scan.scanner}


def _notices(run: RunSummary) -> Iterator[str]:
    for candidate in run.candidates:
        for result in candidate.results:
            baseline = _baseline(run, result.target)
            if baseline and baseline.latency and result.latency and result.latency.p50 > baseline.latency.p50:
                ours, theirs = (texts.milliseconds(one.p50) for one in (result.latency, baseline.latency))
                yield (
                    f"{candidate.step} on {result.target} is slower than its FP32 baseline: "
                    f"p50 {ours} against {theirs}."
                )


def _environment(evidence: Evidence) -> Iterator[tuple[str, str]]:
    nodes = {
        str(measured["node"].get("cpuModel", ""))
        for measured in evidence.measured.values()
        if isinstance(measured.get("node"), dict)
    }
    for node in sorted(nodes - {""}):
        yield "Measured on", node


def _took(run: RunSummary) -> str:
    if run.started is None or run.ended is None:
        return ""
    return texts.duration((run.ended - run.started).total_seconds())


def _embedder(pictures: Mapping[str, bytes]) -> Any:
    def embed(name: str, caption: str) -> Markup:
        """The picture within the page, or nothing where it was not drawn."""
        if name not in pictures:
            return Markup()
        data = base64.b64encode(pictures[name]).decode()
        return _FRAME.format(caption, data, caption)

    return embed
