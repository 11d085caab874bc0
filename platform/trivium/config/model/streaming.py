"""The streaming section of the pipeline file, and the breaker that both table-writing runtimes share."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_serializer, model_validator

from trivium.config.model.section import Location, Seconds, Section
from trivium.config.yaml.interpolate import variable

KAFKA_FILES: Final = ("ca_file", "certificate_file", "key_file")
_EVERY: Final = re.compile("every ([1-9][0-9]{0,5})(s|min|h|d)")
_UNIT_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_TOPIC: Final = "[a-zA-Z0-9._-]{1,249}"
_SERVER: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


def _topic(name: str) -> str:
    if name in (".", ".."):
        raise ValueError("no topic can be called . or ..")
    if re.fullmatch(_TOPIC, name) is None:
        raise ValueError("expected the name of a topic, 1 to 249 of a-z A-Z 0-9 . _ -; patterns are not supported")
    return name


def _some(topics: tuple[str, ...]) -> tuple[str, ...]:
    if not topics:
        raise ValueError("expected at least one topic")
    return topics


def _host_and_port(servers: str) -> str:
    """Return the text. Messages do not repeat it: it may come from a variable."""
    for server in servers.split(","):
        found = _SERVER.fullmatch(server.strip())
        if found is None or not 0 < int(found[1]) < 1 << 16:
            raise ValueError("expected host:port, several separated by commas, each with its port and without a scheme")
    return servers


Topic = Annotated[str, Field(json_schema_extra={"pattern": f"^{_TOPIC}$"}), AfterValidator(_topic)]
# Pydantic's own least length would be told of a list whose topics are wrong, too.
Topics = Annotated[tuple[Topic, ...], Field(json_schema_extra={"minItems": 1}), AfterValidator(_some)]
Servers = Annotated[str, Field(min_length=1), AfterValidator(_host_and_port)]
Bytes = Annotated[int, Field(ge=1 << 16, le=1 << 40)]


def _every(text: str) -> str:
    if text != "off" and _EVERY.fullmatch(text) is None:
        raise ValueError("expected off, or `every` and a time, for example every 30min, every 1h or every 1d")
    return text


class KafkaSecurity(Section):
    """TLS and SASL. `password` may only be a reference to a variable, `${NAME}`. Host names are always checked."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "SASL_SSL"
    """Encryption and authentication of connections."""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """The SASL mechanism."""
    username: str | None = None
    """The SASL user."""
    password: SecretStr | None = None
    """The SASL password, only as a reference to a variable: `${NAME}`."""
    ca_file: Location | None = None
    """A PEM file of certificate authorities; default: the system's."""
    certificate_file: Location | None = None
    """A PEM file of the client's certificate."""
    key_file: Location | None = None
    """A PEM file of the client's key."""

    @model_validator(mode="after")
    def _complete(self) -> KafkaSecurity:
        sasl = {"mechanism": self.mechanism, "username": self.username, "password": self.password}
        if self.protocol.startswith("SASL") and (missing := [name for name, value in sasl.items() if value is None]):
            raise ValueError(f"{self.protocol} needs {', '.join(missing)}")
        if not self.protocol.startswith("SASL") and any(value is not None for value in sasl.values()):
            raise ValueError(f"{self.protocol} takes no mechanism, username or password")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together")
        return self

    @field_serializer("password", when_used="json")
    def _reference(self, password: SecretStr | None) -> str | None:
        """Return the reference, which workers resolve again; stars for anything else."""
        if password is None:
            return None
        text = password.get_secret_value()
        return text if variable(text) else str(password)


class KafkaSource(Section):
    """Topics of a Kafka cluster, read with static assignment; nothing resumes from the cluster's group offsets."""

    type: Literal["kafka"]
    """The kind of source."""
    servers: Servers
    """Bootstrap servers as `host:port`, separated by commas."""
    topics: Topics
    """The topics to read."""
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"
    """`read_committed` leaves out records of open and aborted transactions."""
    security: KafkaSecurity = KafkaSecurity(protocol="PLAINTEXT")
    """TLS and SASL of the connection."""
    fetch_bytes: Bytes = 64 << 20
    """The most bytes a worker holds fetched and not yet processed."""
    max_batch_bytes: Bytes = 128 << 20
    """The most bytes of one record batch after decompression."""
    request_timeout_seconds: Seconds = 30.0
    """Seconds after which a request to a broker is given up."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The servers, one host:port each."""
        return tuple(server.strip() for server in self.servers.split(","))


class Streaming(Section):
    """The streaming runtime: its source, its workers, and their bounds."""

    source: KafkaSource
    """The topics to read."""
    workers: Annotated[int, Field(ge=1, le=10_000)] = 2
    """The number of worker processes."""
    commit_interval_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 5.0
    """Seconds between commits, after which rows become readable."""
    epoch_bytes: Bytes = 256 << 20
    """Bytes of uncommitted input at which a worker ends its epoch early."""
    batch_deadline_seconds: Seconds = 300.0
    """Seconds after which a batch counts as hanging."""
    record_deadline_seconds: Seconds = 60.0
    """Seconds after which a record that is run alone counts as hanging."""
    drain_seconds: Seconds = 30.0
    """The most seconds a stop takes to commit what is under way."""
    group: Annotated[str, Field(min_length=1, max_length=249)] | None = None
    """The Kafka group whose offsets show progress to lag tools; default: the pipeline's name."""
    maintain: Annotated[str, AfterValidator(_every)] = "off"
    """`every 1h` (s, min, h, d): the stream has its tables maintained beside it, as `trivium maintain` does."""

    @property
    def maintain_seconds(self) -> float | None:
        """Seconds between maintenances, or None."""
        found = _EVERY.fullmatch(self.maintain)
        return None if found is None else float(found[1]) * _UNIT_SECONDS[found[2]]


class Breaker(Section):
    """The limit at which rejects look systemic: a run stops, or parks the type, and does not make it dead letters.

    It is reached when, for one event type, a share of `ratio` or more of its last `window_events` inputs was rejected
    for one reason. Records without a type are judged among all inputs.
    """

    ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The share of a type's inputs, rejected for one reason, that stops a run."""
    window_events: Annotated[int, Field(ge=1)] = 10_000
    """The number of a type's latest inputs over which the share is taken."""
    least: Annotated[int, Field(ge=1)] = 1_000
    """The number of a type's inputs from which it is judged, before `window_events` are there."""
    then: Literal["stop", "park"] = "stop"
    """`park`: all other types go on. A stream keeps the type's inputs as letters, batch leaves the type out."""

    @property
    def judged_from(self) -> int:
        """The inputs from which a type is judged; a smaller window is all there ever is."""
        return min(self.least, self.window_events)


def _breaker(value: Any) -> Any:
    """Validate a mapping by its own keys, so that its problems name them and not the alternatives."""
    if isinstance(value, dict):
        return Breaker.model_validate(value)
    if value != "off" and not isinstance(value, Breaker):
        raise ValueError("expected off, or a mapping with ratio, window_events, least and then")
    return value


BreakerSetting = Annotated[Breaker | Literal["off"], BeforeValidator(_breaker)]
