"""The report as one HTML page without scripts and without anything from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape

from trivium.operations.parity.compare import Difference, ParityReport
from trivium.operations.parity.seen import Seen

_MOST = 4_000
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.holds { color: #1a7f37; } .broken { color: #cf222e; }
table { border-collapse: collapse; margin: .5rem 0; } th, td { padding: .25rem .8rem; text-align: left; }
th { border-bottom: 1px solid; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
mark { background: #fff3b0; color: #000; }
"""


def page(report: ParityReport) -> str:
    """The page, at most 200 KB."""
    css = "holds" if report.holds else "broken"
    standings = [(each.road, each.equal, each.differs, each.untaken) for each in report.standings]
    outcomes = [(name or "(none)", how, count) for (name, how), count in sorted(report.coverage.outcomes.items())]
    rejects = [(stage, reason, count) for (stage, reason), count in sorted(report.coverage.rejects.items())]
    hashes = [("logic", report.logic), ("plan", report.plan), *sorted(report.executors.items())]
    parts = [
        f'<h1 class="{css}">{escape(report.verdict)}</h1>',
        f"<p>Pipeline {escape(report.pipeline)}. Again: <code>{escape(report.again)}</code></p>",
        "<h2>Roads</h2>",
        _table(("road", "equal", "differs", "cannot take"), standings),
        *_differences(report),
        "<h2>What was tried</h2>",
        _table(("event type", "outcome", "inputs"), outcomes),
        _table(("stage", "reason", "rejected"), rejects),
        "<h2>What was not tried</h2>",
        _list(report.coverage.thin) or "<p>Nothing that this looks for.</p>",
        "<h2>Versions</h2>",
        _table(("what", "digest"), hashes),
    ]
    head = f'<meta charset="utf-8"><title>Parity of {escape(report.pipeline)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _differences(report: ParityReport) -> Iterable[str]:
    if not report.differences:
        return
    first = report.standings[0].road
    yield f"<h2>First differences ({len(report.differences)} shown)</h2>"
    for each in report.differences:
        yield f"<p>{escape(each.input.origin)}</p><pre>{escape(_text(each.input.value))}</pre>"
        yield _pair(first, each)


def _pair(first: str, difference: Difference) -> str:
    left, right = _lines(difference.expected), _lines(difference.got)
    shown = [
        f"<div><b>{escape(road)}</b><pre>{_marked(lines, other)}</pre></div>"
        for road, lines, other in ((first, left, right), (difference.road, right, left))
    ]
    return f'<div class="pair">{"".join(shown)}</div>'


def _lines(seen: Seen) -> list[str]:
    return json.dumps(seen.as_json(), indent=1, ensure_ascii=False)[:_MOST].splitlines()


def _marked(lines: Sequence[str], other: Sequence[str]) -> str:
    known = set(other)
    return "\n".join(escape(line) if line in known else f"<mark>{escape(line)}</mark>" for line in lines)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    return f'<td class="number">{value:,}</td>' if isinstance(value, int) else f"<td>{escape(str(value))}</td>"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines[:200])}</ul>" if lines else ""


def _text(value: bytes) -> str:
    return value[:_MOST].decode("utf-8", "backslashreplace")
