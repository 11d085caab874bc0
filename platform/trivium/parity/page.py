"""The report as one HTML page without scripts and without external resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from trivium.parity.branches import Branches
from trivium.parity.compare import Difference, ParityReport, RuntimeResult
from trivium.parity.fields import FieldPair, field_pairs

_BYTES = 200_000
_TEXT, _VALUE, _FIELDS, _LINES = 2_000, 300, 40, 400
_STYLE = """
:root { color-scheme: light dark; --good: #1a7f37; --bad: #cf222e; --line: #8884; --soft: #8881; --mark: #ffd8d3; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #f85149; --mark: #6e2a26; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1.5rem; }
header { border-left: .4rem solid var(--good); padding: .2rem 1rem; background: var(--soft); }
header.broken { border-color: var(--bad); }
h1 { font-size: 1.35rem; margin: .5rem 0; color: var(--good); } .broken h1 { color: var(--bad); }
h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
code, pre, td.value { font-family: ui-monospace, monospace; font-size: .85em; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 1.2rem; }
th, td { padding: .3rem .8rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; background: var(--soft); }
.number { text-align: right; } td.number { font-variant-numeric: tabular-nums; } td.number.zero { opacity: .45; }
td.good { color: var(--good); font-weight: 600; } td.bad { color: var(--bad); font-weight: 600; }
td.value { overflow-wrap: anywhere; width: 38%; } mark { background: var(--mark); color: inherit; padding: 0 .15rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0; padding: .5rem; background: var(--soft); }
"""


def page(report: ParityReport) -> str:
    """Return the page, at most 200 KB: as many differences are shown as find room."""
    shown = len(report.differences)
    while len((html := _page(report, shown)).encode()) > _BYTES and shown:
        shown //= 2
    return html


def _page(report: ParityReport, shown: int) -> str:
    cover = report.coverage
    outcomes = [(name or "(none)", how, count) for (name, how), count in sorted(cover.outcomes.items())]
    rejects = [(stage, reason, count) for (stage, reason), count in sorted(cover.rejects.items())]
    fields = [
        (f"{each.event_type}.{each.field}", each.values, each.nulls, ", ".join(each.edges)) for each in cover.fields
    ]
    states = [(f"lookup {name}", state or "names no state") for name, state in sorted(report.states.items())]
    hashes = [("logic", report.logic), ("plan", report.plan), *sorted(report.executors.items()), *states]
    parts = [
        f'<header class="{"holds" if report.holds else "broken"}"><h1>{escape(report.verdict)}</h1>',
        f"<p>Pipeline <b>{escape(report.pipeline)}</b>, again with <code>{escape(report.again)}</code></p></header>",
        "<h2>Runtimes</h2>",
        _matrix(report.results),
        *_differences(report, shown),
        "<h2>What was tried</h2>",
        _table(("event type", "outcome", "inputs"), outcomes),
        _table(("rejected at", "reason", "inputs"), rejects),
        _table(("field", "values", "nulls", "edges among them"), fields),
        *_branches(cover.branches),
        "<h2>What was not tried</h2>",
        _list(report.not_tried) or "<p>Nothing that this looks for.</p>",
        "<h2>Versions</h2>",
        _table(("what", "digest"), hashes),
    ]
    head = f'<meta charset="utf-8"><title>Parity of {escape(report.pipeline)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _branches(branches: Branches | None) -> Iterable[str]:
    if branches is not None:
        yield f"<h2>Branches of the executors: {branches.ran} of {branches.total} ran</h2>{_list(branches.missed)}"


def _matrix(results: Sequence[RuntimeResult]) -> str:
    names = ("equal", "differs", "missing", "extra", "cannot take")
    head = "<th>runtime</th>" + "".join(f'<th class="number">{name}</th>' for name in names)
    lines = (
        f"<tr><td>{escape(each.runtime)}</td>{_count(each.equal, 'good')}{_count(each.differs, 'bad')}"
        f"{_count(each.missing, 'bad')}{_count(each.extra, 'bad')}{_count(each.untaken, '')}</tr>"
        for each in results
    )
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _count(count: int, css: str) -> str:
    return f'<td class="number {css if count else "zero"}">{count:,}</td>'


def _differences(report: ParityReport, shown: int) -> Iterable[str]:
    if not report.differences:
        return
    first = report.results[0].runtime
    yield f"<h2>First differences ({shown} shown)</h2>"
    for each in report.differences[:shown]:
        yield f"<h3>{escape(each.runtime)}: {each.kind}</h3><p>{escape(each.input.origin)}</p>"
        yield f"<pre>{escape(each.input.value[:_TEXT].decode('utf-8', 'backslashreplace'))}</pre>"
        yield _side_by_side(first, each)


def _side_by_side(first: str, difference: Difference) -> str:
    """Return what differs first; a runtime's missing field is a dash."""
    pairs = sorted(field_pairs(difference.expected, difference.got), key=lambda pair: not pair.differs)
    head = f"<tr><th>field</th><th>{escape(first)}</th><th>{escape(difference.runtime)}</th></tr>"
    return f"<table>{head}{''.join(map(_field, pairs[:_FIELDS]))}</table>"


def _field(pair: FieldPair) -> str:
    def cell(value: str | None) -> str:
        text = "—" if value is None else escape(value[:_VALUE])
        return f'<td class="value">{f"<mark>{text}</mark>" if pair.differs else text}</td>'

    name = escape(pair.path)
    return f"<tr><td>{f'<mark>{name}</mark>' if pair.differs else name}</td>{cell(pair.expected)}{cell(pair.got)}</tr>"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return ""
    css = [' class="number"' if isinstance(each, int) else "" for each in rows[0]]
    head = "".join(f"<th{each}>{escape(name)}</th>" for each, name in zip(css, header, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[:_LINES])
    return f"<table><tr>{head}</tr>{body}</table>{_more(len(rows))}"


def _cell(value: object) -> str:
    return _count(value, "") if isinstance(value, int) else f"<td>{escape(str(value))}</td>"


def _list(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines[:_LINES])}</ul>{_more(len(lines))}"


def _more(count: int) -> str:
    return f"<p>… and {count - _LINES:,} more</p>" if count > _LINES else ""
