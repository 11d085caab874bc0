"""Databases as lookups: SQLite and a real PostgreSQL answer alike, as of times too, and say what is wrong."""

from __future__ import annotations

import os
import socket
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
from pydantic import SecretStr

from tests.support.databases import FilledDatabase, postgresql, sqlite
from tests.support.fault_front import FaultFront
from tests.support.remote_facts import EMPTY, FULL, answered, bound, opened
from trivium import LookupUnavailable, Row
from trivium.config.model.remote_lookups import SqlLookupSettings
from trivium.connectors import check_lookup
from trivium.core.clock import SystemClock
from trivium.core.errors import LookupAnswerError
from trivium.testing import assert_lookup_compliance

COLUMNS = {
    "postgresql": "name text, count int2, ratio float8, paid bool, price numeric(6,2), day date, at timestamptz",
    "sqlite": "name text, count int, ratio real, paid bool, price numeric, day text, at text",
}
VALUES = "'Zürich 東', -5, 0.1, true, 12.5, '2026-03-01', '2026-03-01 09:30:00.123456+01:00'"


class Named(Row):
    name: str


class Defaulted(Row):
    name: str
    count: int = 7


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledDatabase]:
    with postgresql(tmp_path_factory.mktemp("postgresql")) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> FilledDatabase:
    if request.param == "sqlite":
        return sqlite(tmp_path)
    server: FilledDatabase = request.getfixturevalue("server")
    server.run("drop schema public cascade", "create schema public")
    return server


def section(database: FilledDatabase, **settings: Any) -> SqlLookupSettings:
    whole = {"type": "sql", "table": "facts", "key": "id", **database.section, **settings}
    return SqlLookupSettings.model_validate(whole)


def test_columns_are_read_as_declared(database: FilledDatabase) -> None:
    database.run(
        f"create table facts (id text primary key, {COLUMNS[database.name]}, unread text)",
        f"insert into facts values ('a', {VALUES}, 'x')",
        "insert into facts (id) values ('c')",
    )
    lookup = opened(section(database))
    assert answered(lookup, ["a", "b", "c"]) == [FULL, None, EMPTY]
    assert answered(lookup, ["c", "a\0", "a' or '1'='1", "\\", "", '"', "é"]) == [EMPTY, *[None] * 6]
    assert_lookup_compliance(lookup, ["a", "c"], unknown=["b", ""])
    lookup.close()  # type: ignore[attr-defined]
    assert answered(lookup, ["c"]) == [EMPTY]
    assert check_lookup(bound(section(database)), SystemClock()) == "2 of 2 keys read"


@pytest.mark.parametrize(
    ("column", "key_type", "value", "literal"),
    [
        ("int", pa.int64(), 5, "5"),
        ("bigint", pa.int8(), -5, "-5"),
        ("date", pa.date32(), date(2026, 3, 1), "'2026-03-01'"),
        ("bool", pa.bool_(), True, "true"),
        ("numeric(6,2)", pa.decimal128(6, 2), Decimal("1.10"), "1.10"),
        ("varchar(9)", pa.string(), "x", "'x'"),
    ],
)
def test_keys_of_every_type_are_bound(
    database: FilledDatabase, column: str, key_type: pa.DataType, value: Any, literal: str
) -> None:
    database.run(f"create table facts (id {column}, name text)", f"insert into facts values ({literal}, 'here')")
    config = section(database)
    assert config.key_problem(key_type) is None
    lookup = opened(config, Named, key_type)
    assert answered(lookup, pa.array([value], key_type)) == [{"name": "here"}]
    assert check_lookup(bound(config, Named, key_type), SystemClock()) == "1 of 1 keys read"


def test_composite_keys_a_view_a_condition_and_a_query(database: FilledDatabase) -> None:
    database.run(
        'create table "Odd ""table" (origin text, "the hour" int, name text, gone int)',
        """insert into "Odd ""table" values ('JFK', 5, 'five', 0), ('JFK', 6, 'six', 0), ('JFK', 6, 'old', 1)""",
    )
    key_type = pa.struct([("place", pa.string()), ("at", pa.int32())])
    keys = pa.array([("JFK", 6), ("LGA", 5), ("JFK", 5)], key_type)
    two = {"key": ("origin", "the hour")}
    by_table = section(database, table='Odd "table', where="gone = 0", **two)
    by_query = section(
        database,
        table=None,
        query='select origin, "the hour", upper(name) as name from "Odd ""table" where gone = 0',
        **two,
    )
    assert by_table.key_problem(key_type) is None
    assert by_table.key_problem(pa.string()) == "the enrichment has a key of 1 fields, and the lookup one of 2 columns"
    assert answered(opened(by_table, Named, key_type), keys) == [{"name": "six"}, None, {"name": "five"}]
    assert answered(opened(by_query, Named, key_type), keys) == [{"name": "SIX"}, None, {"name": "FIVE"}]
    with pytest.raises(LookupAnswerError, match=r"expected one row a key, got 2 for .*JFK"):
        answered(opened(section(database, table='Odd "table', **two), Named, key_type), keys)


def test_a_thousand_keys_are_one_statement(database: FilledDatabase) -> None:
    series = {
        "sqlite": "json_each('[0' || replace(hex(zeroblob(2500)), '0', ',0') || ']')",
        "postgresql": "generate_series(0, 5000) as g(key)",
    }
    database.run(
        "create table facts (id text primary key, count int)",
        f"insert into facts select cast(key as text), key % 100 from {series[database.name]}",
    )
    keys = [str(3 * at) for at in range(1000)]
    rows = answered(opened(section(database), Counted), keys)
    assert rows == [{"count": 3 * at % 100} for at in range(1000)]


class Counted(Row):
    count: int


def test_defaults_stand_in_for_columns_that_are_not_there(database: FilledDatabase) -> None:
    database.run("create table facts (id text, name text)", "insert into facts values ('a', 'A')")
    assert answered(opened(section(database), Defaulted), ["a"]) == [{"name": "A", "count": 7}]


START = datetime(2026, 3, 1, 8, tzinfo=UTC)
HISTORY = [("a", 0, 2, "first"), ("a", 2, 4, "second"), ("a", 3, None, "corrected"), ("b", 1, None, "b")]


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"])
def test_the_fact_that_was_valid_is_the_one_that_began_last(database: FilledDatabase, form: str) -> None:
    kind = "text" if database.name == "sqlite" else "timestamptz"
    database.run(f"create table facts (id text, since {kind}, until {kind}, name text)")
    for key, since, until, name in HISTORY:
        end = "null" if until is None else f"'{(START + timedelta(hours=until)).strftime(form)}'"
        begin = (START + timedelta(hours=since)).strftime(form)
        zone = "" if database.name == "sqlite" or form.endswith("Z") else "+00"
        database.run(f"insert into facts values ('{key}', '{begin}{zone}', {end}, '{name}')")
    asked = [
        ("a", timedelta(microseconds=-1), None),
        ("a", timedelta(0), "first"),
        ("a", timedelta(hours=2, microseconds=-1), "first"),
        ("a", timedelta(hours=2), "second"),
        ("a", timedelta(hours=3, microseconds=500_000), "corrected"),
        ("a", timedelta(days=900), "corrected"),
        ("b", timedelta(hours=1), "b"),
        ("c", timedelta(hours=1), None),
    ]
    keys, times = [key for key, _, _ in asked], [START + after for _, after, _ in asked]
    expected = [None if name is None else {"name": name} for _, _, name in asked]
    lookup = opened(section(database, valid_from="since", valid_to="until"), Named)
    assert answered(lookup, keys, times) == expected
    assert answered(lookup, ["a", "b"]) == [{"name": "corrected"}, {"name": "b"}]
    without_end = opened(section(database, valid_from="since"), Named)
    assert answered(without_end, ["a"], [START + timedelta(hours=5)]) == [{"name": "corrected"}]


def test_the_newest_of_many_facts_costs_what_the_oldest_does(tmp_path: Path) -> None:
    database = sqlite(tmp_path)
    database.run(
        "CREATE TABLE facts (id TEXT, since TEXT, until TEXT, name TEXT, PRIMARY KEY (id, since)) WITHOUT ROWID",
        "INSERT INTO facts WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 49999) "
        "SELECT 'a', datetime(1000000000 + i * 60, 'unixepoch'), datetime(1000000060 + i * 60, 'unixepoch'), i FROM n",
    )
    lookup = opened(section(database, valid_from="since", valid_to="until"), Named)
    seconds = []
    for first in (0, 49_800):
        minutes = range(first, first + 200)
        times = [datetime.fromtimestamp(1_000_000_001 + minute * 60, UTC) for minute in minutes]
        started = time.perf_counter()
        assert answered(lookup, ["a"] * 200, times) == [{"name": str(minute)} for minute in minutes]
        seconds.append(time.perf_counter() - started)
    assert seconds[1] < 20 * seconds[0] + 0.2, "each key costs its whole history"


def test_an_interval_without_a_fact_has_none_and_a_tie_is_an_error(database: FilledDatabase) -> None:
    kind = "text" if database.name == "sqlite" else "timestamp"
    database.run(
        f"create table facts (id text, since {kind}, until {kind}, name text)",
        "insert into facts values ('a', '2026-03-01 08:00:00', '2026-03-01 09:00:00', 'one')",
        "insert into facts values ('b', '2026-03-01 08:00:00', null, 'x'), ('b', '2026-03-01 08:00:00', null, 'y')",
    )
    lookup = opened(section(database, valid_from="since", valid_to="until"), Named)
    times = [START, START + timedelta(hours=1)]
    assert answered(lookup, ["a", "a"], times) == [{"name": "one"}, None]
    with pytest.raises(LookupAnswerError, match="expected one row a key, got 2 for 'b'"):
        answered(lookup, ["b"], [START])


def test_times_of_several_forms_are_refused_by_sqlite(tmp_path: Path) -> None:
    database = sqlite(tmp_path)
    database.run(
        "create table facts (id text, since text, name text)",
        "insert into facts values ('a', '2026-03-01 08:00:00', 'x'), ('a', '2026-03-01T09:00:00Z', 'y')",
    )
    with pytest.raises(LookupAnswerError, match="column since: expected times of one form, got"):
        opened(section(database, valid_from="since"), Named)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"table": "nope"}, "nope"),
        ({"key": "nope"}, "column nope is missing"),
        ({"valid_from": "nope"}, "column nope is missing"),
        ({"where": "nope = 1"}, "nope"),
        ({"table": None, "query": "select id as id from facts"}, "column name is missing"),
        ({"table": None, "query": "delete from facts"}, "the database refuses"),
    ],
)
def test_what_is_missing_is_named_at_open_and_by_the_check(
    database: FilledDatabase, changed: dict[str, Any], reason: str
) -> None:
    database.run("create table facts (id text, name text)", "insert into facts values ('a', 'A')")
    for look in (opened, lambda config, kind: check_lookup(bound(config, kind), SystemClock())):
        with pytest.raises(LookupAnswerError, match=r"lookup facts: .*Try: ") as caught:
            look(section(database, **changed), Named)
        assert reason in str(caught.value)
    assert answered(opened(section(database), Named), ["a"]) == [{"name": "A"}]


def test_a_row_of_another_type_is_named_with_its_key(tmp_path: Path) -> None:
    database = sqlite(tmp_path)
    database.run(
        "create table facts (id text, count, ratio, paid, day)", "insert into facts (id, count) values ('good', 1)"
    )
    lookup = opened(section(database))
    for column, value in (("count", "300"), ("count", "'x'"), ("paid", "2"), ("day", "'1.3.26'"), ("ratio", "1 << 60")):
        database.run("delete from facts where id = 'bad'", f"insert into facts (id, {column}) values ('bad', {value})")
        with pytest.raises(LookupAnswerError, match=f"the key 'bad': .*{column}"):
            answered(lookup, ["good", "bad"])


def test_types_that_do_not_fit_are_problems_at_open(server: FilledDatabase) -> None:
    server.run(
        "drop schema public cascade",
        "create schema public",
        "create table facts (id int, name text, naive timestamp)",
        "create table others (id text, name int)",
    )

    class Naive(Row):
        naive: datetime

    with pytest.raises(LookupAnswerError, match="key column id: it is int32, and the keys are string"):
        opened(section(server), Named)
    with pytest.raises(LookupAnswerError, match="column name: "):
        opened(section(server, table="others"), Named)
    with pytest.raises(LookupAnswerError, match="column naive: "):
        opened(section(server), Naive, pa.int64())


def test_the_session_only_reads(server: FilledDatabase) -> None:
    server.run(
        "drop schema public cascade",
        "create schema public",
        "create table facts (id text, name text)",
        "create function spoil() returns text language sql as $$ insert into facts values ('x', 'x') returning id $$",
    )
    with pytest.raises(LookupAnswerError, match="read-only transaction"):
        answered(opened(section(server, table=None, query="select spoil() as id, 'x' as name"), Named), ["a"])


def test_a_server_that_went_without_a_word_is_noticed_within_a_minute(server: FilledDatabase) -> None:
    server.run("drop table if exists facts", "create table facts (id text, name text)")
    with closing(FaultFront(server.socket)) as front:
        uri = f"postgresql://postgres@127.0.0.1:{front.port}/postgres?keepalives_interval=7"
        lookup = opened(section(FilledDatabase("postgresql", {"uri": uri}, "")), Named)
        assert answered(lookup, ["a"]) == [None]
        (end,) = [each for each in psutil.Process().net_connections("tcp") if each.raddr[1:] == (front.port,)]
        with socket.socket(fileno=os.dup(end.fd)) as connection:
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            assert [connection.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [20, 7, 3]
        lookup.close()  # type: ignore[attr-defined]


def test_credentials_and_rights(server: FilledDatabase) -> None:
    server.run(
        "drop schema public cascade",
        "create schema public",
        "create table facts (id text, name text)",
        "drop role if exists reader",
        "create role reader login password 'the-right-one'",
        "grant usage on schema public to reader",
    )
    rules = Path(server.value("select current_setting('hba_file')"))
    rules.write_text(f"local all reader scram-sha-256\n{rules.read_text()}")
    server.run("select pg_reload_conf()")
    database = FilledDatabase("postgresql", {"uri": server.target.replace("postgres:@", "reader@")}, "")
    guarded = section(database, password=SecretStr("${PW}"))
    with pytest.raises(LookupAnswerError, match="permission denied"):
        opened(guarded, Named, PW="the-right-one")
    server.run("grant select on facts to reader")
    assert answered(opened(guarded, Named, PW="the-right-one"), ["a"]) == [None]
    whole = server.target.replace("postgres:@", "reader:the-right-one@")
    by_uri = section(FilledDatabase("postgresql", {"uri": "${URI}"}, ""))
    assert answered(opened(by_uri, Named, URI=whole), ["a"]) == [None]
    for config, secret in ((guarded, {"PW": "a-wrong-one"}), (by_uri, {"URI": whole.replace("right", "wrong")})):
        with pytest.raises(LookupAnswerError, match="password authentication failed") as refused:
            opened(config, Named, **secret)
        assert "wrong" not in f"{refused.value!r} {refused.value.__cause__!r}"
    for uri, secret in (
        (server.target.replace("/postgres?", "/nowhere?"), ""),
        ("${URI}", "postgresql://u:hush-hush@[bad"),
        ("${URI}", "postgresql://u:hush-hush@127.0.0.1:1/x?nope=1"),
        ("${URI}", "postgresql://u:hush-hush%ZZ@127.0.0.1:1/x"),
    ):
        with pytest.raises(LookupAnswerError, match=r"the database refuses|cannot be read") as caught:
            opened(section(FilledDatabase("postgresql", {"uri": uri}, "")), Named, URI=secret)
        assert "hush-hush" not in "".join(traceback.format_exception(caught.value))


def test_a_statement_ends_with_the_deadline_and_a_broken_connection_is_replaced(server: FilledDatabase) -> None:
    server.run(
        "drop schema public cascade",
        "create schema public",
        "create table facts (id text, name text)",
        "insert into facts values ('a', 'A')",
    )
    slow = opened(section(server, table=None, query="select id, name, pg_sleep(5) as nap from facts offset 0"), Named)
    began = time.monotonic()
    with pytest.raises(LookupUnavailable, match="statement timeout"):
        answered(slow, ["a"], seconds=0.3)
    assert time.monotonic() - began < 2.0
    lookup = opened(section(server), Named)
    assert answered(lookup, ["a"]) == [{"name": "A"}]
    server.run("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
    with pytest.raises(LookupUnavailable):
        answered(lookup, ["a"])
    assert answered(lookup, ["a"]) == [{"name": "A"}]
    server.run("alter table facts rename column name to title")
    with pytest.raises(LookupAnswerError, match="name"):
        answered(lookup, ["a"])


def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    away = FilledDatabase("postgresql", {"uri": "postgresql://127.0.0.1:1/x"}, "")
    lookup = opened(section(away), Named)
    with pytest.raises(LookupUnavailable, match="Connection refused"):
        answered(lookup, ["a"])
    with pytest.raises(LookupUnavailable, match="no time is left"):
        answered(lookup, ["a"], seconds=0.0)
    with pytest.raises(LookupAnswerError, match="expected a SQLite file, found none"):
        opened(section(FilledDatabase("sqlite", {"path": str(tmp_path / "none")}, "")), Named)
    (tmp_path / "text").write_text("no database" * 100)
    with pytest.raises(LookupAnswerError, match="not a database"):
        opened(section(FilledDatabase("sqlite", {"path": str(tmp_path / "text")}, "")), Named)


@pytest.mark.parametrize(
    "changed",
    [{"uri": "postgresql://h"}, {"table": None}, {"query": "select 1"}, {"valid_to": "x"}, {"password": "${PW}"}],
)
def test_a_section_says_one_thing(tmp_path: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|needs"):
        section(sqlite(tmp_path), **changed)
