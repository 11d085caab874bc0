"""Built-in lookups of other systems in a pipeline file: its problems, its plan, its check, and a run with the facts."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import deltalake
import pytest

from tests.support.terminal import Trivium
from tests.support.valkey_server import client, valkey
from tests.support.visit_project import compiled, visit_project, with_lookup
from trivium.config.problems import ConfigError
from trivium.config.rebuild import rebuild
from trivium.connectors import open_lookup
from trivium.core.clock import SystemClock
from trivium.core.errors import RunError

ROWS = [
    {"event_id": "1", "shop_name": "Bakery", "city": "Bern"},
    {"event_id": "2", "shop_name": "Books, old", "city": None},
    {"event_id": "3", "shop_name": None, "city": None},
]
SHOPS = {1: {"name": "Bakery", "city": "Bern"}, 2: {"name": "Books, old", "city": None}}
REDIS = '{type: redis, host: "${HOST}", port: 6390, key: "shop:{id}", password: "${PW}"'
HTTP = '{type: http, url: "https://facts.internal/v1", key: /id'
SQL = "{type: sql, path: ../data/shops.sqlite, table: shops, key: id}"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    path = list(sys.path)
    yield visit_project(tmp_path)
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("executors", "lookups")]:
        del sys.modules[name]


def problems(root: Path, section: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        compiled(root, section, {"HOST": "h", "PW": "hush-hush"})
    assert "hush-hush" not in str(caught.value)
    return [str(each).partition(".yaml:")[2] for each in caught.value.problems]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (REDIS.replace("{id}", "{id}:{x}") + "}", "5:58: wrong-key: lookups.shops: the key is one field, and"),
        (REDIS.replace("{id}", "id") + "}", "expected a text with fields of the key in braces"),
        (REDIS + ", url: redis://h}", "expected url or host, and not both"),
        (
            REDIS.replace('host: "${HOST}"', "url: http://h") + "}",
            "expected redis://HOST:PORT/DB or rediss://HOST:PORT/DB",
        ),
        (REDIS + ", tls: {certificate_file: a.pem, key_file: b.pem}}", "file-missing: certificate_file is no file: "),
        (REDIS + ", tls: {certificate_file: ../configs/visits.yaml}}", "certificate_file and key_file belong together"),
        (
            SQL.replace("id}", "[id, x]}"),
            "key-type: visit asks shops by shop: expected 2 values (id, x), got 1",
        ),
        (HTTP.replace("https:", "ftp:") + "}", "expected a url that begins with https:// or http:// and names a host"),
        (HTTP.replace("/id", "id") + "}", "wrong-value: lookups.shops.key"),
        (HTTP.replace("/v1", "/v1?api_key=${PW}") + "}", "secret-literal: url is a secret"),
        (HTTP + ", secret_headers: {authorization: x}}", "secret-literal: secret_headers.authorization is a secret"),
        (SQL.replace("table: shops, ", ""), "expected table or query, and not both"),
        (SQL.replace("path: ../data/shops.sqlite", 'uri: "postgresql://u:${PW}@h"'), "secret-literal: uri is a secret"),
        (SQL.replace("path: ../data/shops.sqlite", "uri: mysql://h"), "expected a uri that begins with postgresql://"),
        (REDIS.replace('"${PW}"', "hush-hush") + "}", "secret-literal: password is a secret"),
    ],
)
def test_a_problem_is_named_at_its_place(project: Path, section: str, expected: str) -> None:
    found = problems(project, section)
    assert any(expected in each for each in found), found


def test_certificates_are_found_below_the_project_of_a_worker(project: Path) -> None:
    (project / "ca.pem").write_text("")
    pipeline = compiled(project, f"{REDIS}, tls: {{ca_file: ../ca.pem}}}}", {"HOST": "h", "PW": "hush-hush"})
    assert json.loads(pipeline.plan.json)["config"]["lookups"]["shops"]["tls"]["ca_file"] == "ca.pem"
    there = rebuild(pipeline.plan.json, pipeline.secrets, project)
    assert there.lookups["shops"].settings().tls.ca_file == str(project / "ca.pem")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("section", "extra", "module"),
    [(REDIS + "}", "redis", "redis"), (SQL, "sql", "adbc_driver_manager"), (HTTP + "}", "http", "urllib3")],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, section: str, extra: str, module: str
) -> None:
    pipeline = compiled(project, section, {"HOST": "h", "PW": "hush-hush"})
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RunError, match=rf"needs {module}: pip install 'trivium\[{extra}\]'"):
        open_lookup(pipeline.lookups["shops"], SystemClock())


def test_only_the_check_with_connections_asks_the_system(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "127.0.0.1")
    monkeypatch.setenv("PW", "hush-hush")
    config = with_lookup(project, REDIS.replace("6390", "1") + "}")
    assert Trivium()("check", str(config)).exit_code == 0
    planned = Trivium()("plan", str(config))
    assert "redis://127.0.0.1:1/0" in planned.stdout
    assert "hush-hush" not in planned.output
    connected = Trivium()("check", "--connect", str(config))
    assert connected.exit_code != 0
    assert "lookups.shops: lookup shops: ConnectionError" in connected.output


def connected(config: Path) -> str:
    """What `check --connect` prints, on one line."""
    return " ".join(Trivium()("check", "--connect", str(config)).output.split())


def test_a_batch_run_gets_its_facts_from_sql(project: Path, ray_cluster: str) -> None:
    with sqlite3.connect(project / "data/shops.sqlite") as database:
        database.execute("CREATE TABLE shops (id INTEGER PRIMARY KEY, name TEXT, city TEXT)")
        database.executemany("INSERT INTO shops VALUES (?, ?, ?)", [(key, *row.values()) for key, row in SHOPS.items()])
    config = with_lookup(project, SQL)
    assert "2 of 2 keys read; 2 of 3 keys of the source have a row" in connected(config)
    done = Trivium()("run", "batch", str(config))
    assert done.exit_code == 0, done.output
    table = deltalake.DeltaTable(str(project / "data/table"))
    assert table.to_pyarrow_table(columns=list(ROWS[0])).sort_by("event_id").to_pylist() == ROWS


def test_a_batch_run_gets_its_facts_from_redis(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ray_cluster: str
) -> None:
    with valkey(tmp_path / "valkey") as server, client(server) as store:
        store.mset({f"shop:{key}": json.dumps(row) for key, row in SHOPS.items()})
        store.config_set("requirepass", "hush-hush")
        monkeypatch.setenv("HOST", "127.0.0.1")
        monkeypatch.setenv("PW", "hush-hush")
        config = with_lookup(project, REDIS.replace("6390", str(server.port)) + "}")
        assert "2 keys like shop:* read; 2 of 3 keys of the source have a row" in connected(config)
        done = Trivium()("run", "batch", str(config))
        assert done.exit_code == 0, done.output
    table = deltalake.DeltaTable(str(project / "data/table"))
    assert table.to_pyarrow_table(columns=list(ROWS[0])).sort_by("event_id").to_pylist() == ROWS
    for file in (file for file in (project / "data").rglob("*") if file.is_file()):
        assert b"hush-hush" not in file.read_bytes(), file
