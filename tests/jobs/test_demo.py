"""The demo ends in a sentence where the machine or the network refuses something."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from jobs import demo
from trivium.devtools.broker.java import BrokerError


@pytest.mark.parametrize("error", [BrokerError("no Kafka. Try: REQUESTS_CA_BUNDLE"), OSError(28, "No space left")])
def test_what_is_refused_is_said_without_a_traceback(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(demo, "prepare", lambda _folder: {"events": {"departure": 1}, "days": 1})
    monkeypatch.setattr(demo, "airlines_in_valkey", lambda _folder: nullcontext("redis://nowhere"))
    monkeypatch.setattr(demo, "step", lambda *_: None)
    monkeypatch.setattr(demo.DevBroker, "start", refuse)
    with pytest.raises(SystemExit) as ended:
        demo.main()
    assert ended.value.code == f"Error: {error}"
