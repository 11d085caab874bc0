"""The download of Kafka: behind a network that inspects TLS, whom it trusts, and that jars are those of the lock."""

from __future__ import annotations

import http.server
import os
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from trivium.devtools.broker import java as dev_broker_java
from trivium.devtools.broker.java import BrokerError, java_command, locked_jars

ASK = """
import sys, jgo
jgo.MAVEN_CENTRAL_URL = sys.argv[1]
from trivium.cli.main import main
sys.argv = ["trivium", "kafka", "up", "--folder", "kafka", "--port", "20999"]
main()
"""
OF_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Inspecting(http.server.BaseHTTPRequestHandler):
    """A network's own page in the place of whatever is asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Sign in to the network & go on" + b"!" * 5_000)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Network:
    """A server with a certificate of a company's own, in the place of the registry."""

    url: str
    authority: Authority
    folder: Path

    def kafka_up(self, **variables: str) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if name not in OF_CERTIFICATES}
        environ |= {"HOME": str(self.folder), "M2_REPO": str(self.folder / "m2"), **variables}
        command = [sys.executable, "-c", ASK, self.url]
        return subprocess.run(
            command, env=environ, cwd=self.folder, capture_output=True, text=True, check=False, timeout=60
        )


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    authority = Authority(tmp_path, "company")
    _, _, both = authority.issue("inspector", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Inspecting)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Network(f"https://127.0.0.1:{server.server_address[1]}", authority, tmp_path)
    server.shutdown()
    server.server_close()


def test_a_certificate_that_nobody_knows_is_one_clear_message(network: Network) -> None:
    done = network.kafka_up()
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    for words in (
        "Maven Central",
        "certificate",
        "system's trust store",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "Java",
    ):
        assert words in line
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_that_a_variable_names_is_used_and_a_page_in_between_is_no_jar(
    network: Network, variable: str
) -> None:
    done = network.kafka_up(**{variable: str(network.authority.ca_file)})
    assert done.returncode == 1
    assert "got a certificate" not in done.stderr
    assert "reaches Maven Central" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 1_500


def test_a_bundle_that_is_not_there_is_named(network: Network) -> None:
    done = network.kafka_up(REQUESTS_CA_BUNDLE="/nowhere/bundle.pem")
    assert (done.returncode, "/nowhere/bundle.pem" in done.stderr) == (1, True)


@dataclass
class Artifact:
    """A package as the resolver gives it."""

    jar: Path

    def resolve(self) -> Path:
        return self.jar


def _jar(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("Main.class", "not what it was")
    return path


@pytest.mark.parametrize("name", ["kafka-clients-4.3.0.jar", "another-1.0.jar"])
def test_a_jar_that_was_changed_or_is_unknown_is_refused_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    jar = _jar(tmp_path / name)
    monkeypatch.setattr("jgo.resolve", lambda _endpoint: [Artifact(jar)])
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    with pytest.raises(BrokerError, match=rf"{name} is not the jar .*not run") as caught:
        java_command("kafka.Kafka")
    assert str(jar) in str(caught.value)


def test_the_jars_that_run_are_those_of_the_lock() -> None:
    found = dev_broker_java.jars([dev_broker_java.KAFKA, dev_broker_java.LOGGING])
    assert {jar.name for jar in found} <= set(locked_jars())
    assert all(len(digest) == 64 for digest in locked_jars().values())


def test_the_lock_of_the_download_is_followed_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "m2").mkdir()
    (tmp_path / "m2/.trivium.lock").symlink_to(target)
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    with pytest.raises(BrokerError, match="symbolic link"):
        java_command("kafka.Kafka")
    assert target.read_text() == "precious"
