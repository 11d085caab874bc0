"""A result for people: the same parts as text and as HTML. Every value is made harmless before it is shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from trivium.engine.outcomes import Reject
from trivium.notebook.result import RunResult

SHOWN_ROWS: Final = 5
_CELL_WIDTH: Final = 28
_EVENT_WIDTH: Final = 100
_LINE_WIDTH: Final = 120
_LINE: Final = "rgba(128,128,128,.35)"
_MUTED: Final = "opacity:.7"
_CELL: Final = f"padding:.2em .8em .2em 0;border-bottom:1px solid {_LINE};text-align:left;vertical-align:top"
_SHORT: Final = f"{_CELL};white-space:nowrap"
_LONG: Final = f"{_CELL};min-width:16em;max-width:36em;overflow-wrap:anywhere"
_LONG_COLUMNS: Final = ("error", "line", "event")
_BAR: Final = {"emitted": "#2f9e6e", "dropped": "#9a9a9a", "rejected": "#d9534f", "incomplete": "#e0a030"}


@dataclass(frozen=True)
class _Section:
    """One part: its name, how much of it there is, and the first lines as a table of texts."""

    name: str
    amount: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    rest: str


def text(result: RunResult) -> str:
    """Return the result as plain text, at most 120 characters wide."""
    return "\n".join([_title(result), *(line for section in _sections(result) for line in _text_section(section))])


def html(result: RunResult) -> str:
    """Return the result as HTML: no script, no style sheet, no asset; colours that hold on light and on dark pages."""
    sections = "".join(_html_section(section) for section in _sections(result))
    return (
        '<div style="font-size:.95em;line-height:1.45;color:inherit">'
        f'<div style="font-weight:600">{escape(_title(result))}</div>{sections}</div>'
    )


def _title(result: RunResult) -> str:
    total = result.total
    return f"{_harmless(result.event_type)}: {_many(total.read, 'event')}, {_many(total.emitted_rows, 'row')}"


def _sections(result: RunResult) -> tuple[_Section, ...]:
    total = result.total
    rows = result.rows.slice(0, SHOWN_ROWS).to_pylist()
    drops, rejects = result.drops[:SHOWN_ROWS], result.rejects[:SHOWN_ROWS]
    coded = any(each.raised_at for each in rejects)
    return (
        _Section(
            "emitted",
            f"{_many(total.emitted_inputs, 'event')}, {_many(total.emitted_rows, 'row')}",
            tuple(map(_harmless, result.rows.schema.names)),
            tuple(tuple(_shown(value) for value in row.values()) for row in rows),
            _rest(total.emitted_rows, "result.rows"),
        ),
        _Section(
            "dropped",
            _many(total.dropped, "event"),
            ("index", "by", "event"),
            tuple((str(each.index), each.reason, _event(result, each.index)) for each in drops),
            _rest(total.dropped, "result.dropped"),
        ),
        _Section(
            "rejected",
            _many(total.rejected, "event"),
            ("index", "stage", "reason", "error", *(("line",) if coded else ()), "event"),
            tuple(
                (
                    *(str(each.index), each.stage, _harmless(each.reason), _clipped(each.error)),
                    *((_line(each),) if coded else ()),
                    _event(result, each.index),
                )
                for each in rejects
            ),
            _rest(total.rejected, "result.rejected"),
        ),
        *([_incomplete(result)] if result.states else []),
    )


def _line(reject: Reject) -> str:
    """Return the line of the executor's code that raised, empty where none did."""
    at = reject.raised_at
    if at is None:
        return ""
    # A cell is found by its text; numbers of lines are others where cells were gathered for a cluster.
    return _clipped(at.source if at.file.startswith("<") else f"{at.file}:{at.line}: {at.source}")


def _incomplete(result: RunResult) -> _Section:
    """Return the part about emitted events with facts that were no plain hit."""
    counts = Counter((each.enrichment, each.state) for each in result.states)
    return _Section(
        "incomplete",
        _many(len({each.index for each in result.states}), "emitted event"),
        ("enrichment", "state", "events", "first index"),
        tuple(
            (
                name,
                state,
                f"{count:,}",
                str(next(e.index for e in result.states if (e.enrichment, e.state) == (name, state))),
            )
            for (name, state), count in sorted(counts.items())
        ),
        "each in result.incomplete",
    )


def _rest(count: int, where: str) -> str:
    return f"and {count - SHOWN_ROWS:,} more in {where}" if count > SHOWN_ROWS else ""


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _event(result: RunResult, index: int) -> str:
    return _clipped(result.data.text(index))


def _clipped(value: str) -> str:
    shown = _harmless(value[: _EVENT_WIDTH + 1])
    return shown if len(shown) <= _EVENT_WIDTH else f"{shown[: _EVENT_WIDTH - 1]}…"


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    shown = _harmless(str(value)[: _CELL_WIDTH + 1])
    return shown if len(shown) <= _CELL_WIDTH else f"{shown[: _CELL_WIDTH - 1]}…"


def _harmless(value: str) -> str:
    """Text without characters that move the cursor, colour a terminal or turn the reading direction."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in value)


def _text_section(section: _Section) -> list[str]:
    lines = [f"{section.name}: {section.amount}"]
    if section.lines:
        lines += _text_table(section.header, section.lines)
    return [*lines, f"  {section.rest}"] if section.rest else lines


def _text_table(header: tuple[str, ...], lines: tuple[tuple[str, ...], ...]) -> list[str]:
    """Return columns side by side while they fit; those that do not are listed one below the other under their line."""
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    fitting = _fitting(widths)
    shown = [_text_line(each[:fitting], widths) for each in (header, *lines)]
    if fitting == len(header):
        return shown
    if header[-1] != "event":
        return [*shown, f"  … and {', '.join(header[fitting:])}"]
    table = [shown[0]]
    for line, texts in zip(shown[1:], lines, strict=True):
        table += [
            line,
            *(f"      {name}: {text}" for name, text in zip(header[fitting:], texts[fitting:], strict=True)),
        ]
    return table


def _fitting(widths: list[int]) -> int:
    used = 0
    for place, width in enumerate(widths):
        used += width + 2
        if used > _LINE_WIDTH:
            return max(place, 1)
    return len(widths)


def _text_line(texts: tuple[str, ...], widths: list[int]) -> str:
    padded = (text.ljust(width) for text, width in zip(texts, widths, strict=False))
    return f"  {'  '.join(padded)}".rstrip()


def _html_section(section: _Section) -> str:
    bar = f"margin:.6em 0;padding-left:.7em;border-left:3px solid {_BAR[section.name]}"
    head = f"<div><b>{section.name}</b> <span>{section.amount}</span></div>"
    rest = f'<div style="{_MUTED}">{escape(section.rest)}</div>' if section.rest else ""
    return f'<div style="{bar}">{head}{_html_table(section) if section.lines else ""}{rest}</div>'


def _html_table(section: _Section) -> str:
    # Tables do not inherit colours on pages without a doctype.
    look = "border-collapse:collapse;color:inherit;font-size:.92em;margin:.3em 0"
    styles = [_LONG if name in _LONG_COLUMNS else _SHORT for name in section.header]
    head = _html_cells("th", section.header, styles)
    rows = "".join(f"<tr>{_html_cells('td', line, styles)}</tr>" for line in section.lines)
    return (
        f'<div style="overflow-x:auto"><table style="{look}">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _html_cells(tag: str, texts: tuple[str, ...], styles: list[str]) -> str:
    cells = zip(texts, styles, strict=True)
    return "".join(f'<{tag} style="{style}">{escape(text)}</{tag}>' for text, style in cells)
