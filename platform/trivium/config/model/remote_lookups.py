"""Sections of the built-in lookups that call another system."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.types as pt
from pydantic import Field, SecretStr, model_validator

from trivium.config.model.key_template import KeyTemplate
from trivium.config.model.section import Location, Section
from trivium.config.yaml.interpolate import variable
from trivium.contract.lookup_settings import RemoteLookupSettings
from trivium.contract.secret_uri import SecretUri
from trivium.contract.source import ColumnName

Names = ColumnName | Annotated[tuple[ColumnName, ...], Field(min_length=1)]
Pointer = Annotated[str, Field(pattern=r"^(/([^~/]|~[01])*)*$", max_length=1024)]
Pointers = Pointer | Annotated[tuple[Pointer, ...], Field(min_length=1)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_|~-]+$", max_length=255)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Tls(Section):
    """TLS of a connection. Certificates and host names are always checked."""

    ca_file: Location | None = None
    """A PEM file of certificate authorities; default: the system's."""
    certificate_file: Location | None = None
    """A PEM file of the client's certificate."""
    key_file: Location | None = None
    """A PEM file of the client's key."""

    @model_validator(mode="after")
    def _pair(self) -> Tls:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together")
        return self


class RedisLookupSettings(RemoteLookupSettings):
    """A lookup in Redis or Valkey: a value a key, read in bulk."""

    type: Literal["redis"]
    """The kind of lookup."""
    url: SecretUri | None = None
    """`redis://HOST:PORT/DB`, or `rediss://` for TLS; as `${NAME}` alone where it holds a password."""
    host: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """The server's host, in place of `url`."""
    port: Port = 6379
    """The server's port."""
    db: Annotated[int, Field(ge=0)] = 0
    """The number of the database."""
    username: str | None = None
    """The user; default: the server's default user."""
    password: SecretStr | None = None
    """The password, only as a reference to a variable: `${NAME}`."""
    tls: Tls | None = None
    """TLS, which `{}` turns on with the system's authorities."""
    key: Annotated[str, Field(min_length=1, max_length=512)]
    """The names of keys: a text with fields of the key in braces, by name or by number, as `weather:{origin}:{0}`."""
    value: Literal["json", "hash"] = "json"
    """What a key holds: a text that is one JSON object, or a hash with a field a column."""

    @model_validator(mode="after")
    def _one_address(self) -> RedisLookupSettings:
        if (self.url is None) == (self.host is None):
            raise ValueError("expected url or host, and not both")
        if self.url is not None and variable(self.url.get_secret_value()) is None:
            redis_address(self.url.get_secret_value())
        KeyTemplate.of(self.key)
        return self

    @property
    def place(self) -> str:
        """The server, as people may see it."""
        return f"redis://{self.host}:{self.port}/{self.db}" if self.url is None else str(self.url)

    def key_problem(self, key_type: pa.DataType) -> str | None:
        """Return what the template cannot make of keys of this type."""
        return KeyTemplate.of(self.key).problem(key_type)


class ServeLookupSettings(RemoteLookupSettings):
    """A lookup in a deployment of Ray Serve in the same cluster, a model or a service that answers batches of keys."""

    type: Literal["serve"]
    """The kind of lookup."""
    app: Annotated[str, Field(min_length=1, max_length=255)] = "default"
    """The application's name in Serve."""
    deployment: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """The deployment's name in the application; default: its ingress."""
    method: Annotated[str, Field(pattern=r"^(__call__|[A-Za-z][A-Za-z0-9_]*)$", max_length=255)] = "__call__"
    """The method that takes the keys and returns an answer a key, in their order."""
    keys: Literal["list", "arrow"] = "list"
    """What the method takes: a list of Python values (a tuple for a key of several fields), or an Arrow array."""

    @property
    def place(self) -> str:
        """The method, as people may see it."""
        names = [self.app, *filter(None, [self.deployment])]
        return f"serve://{'/'.join(names)}:{self.method}"


class SqlLookupSettings(RemoteLookupSettings):
    """A lookup in a table, a view or a query of SQLite or PostgreSQL."""

    type: Literal["sql"]
    """The kind of lookup."""
    path: Location | None = None
    """A SQLite file, which is only read."""
    uri: SecretUri | None = None
    """`postgresql://…` as libpq takes it, in place of `path`; as `${NAME}` alone where it holds a password."""
    password: SecretStr | None = None
    """The password of the URI's user, only as a reference to a variable: `${NAME}`."""
    table: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """A table or a view, perhaps with its schema: `reference.airlines`."""
    query: Annotated[str, Field(min_length=1, max_length=65536)] | None = None
    """A SELECT with named columns, in place of `table`; keys are joined to what it gives."""
    where: Annotated[str, Field(min_length=1, max_length=65536)] | None = None
    """A condition that all rows must meet, in SQL."""
    key: Names
    """The column of the key, or the columns of its fields in their order."""
    valid_from: ColumnName | None = None
    """The column of the time from which a row is valid, for facts as of a time."""
    valid_to: ColumnName | None = None
    """The column of the time from which a row is valid no more; null or left out: until the next one begins."""

    @model_validator(mode="after")
    def _complete(self) -> SqlLookupSettings:
        if (self.path is None) == (self.uri is None):
            raise ValueError("expected path (SQLite) or uri (PostgreSQL), and not both")
        if (self.table is None) == (self.query is None):
            raise ValueError("expected table or query, and not both")
        if self.valid_to is not None and self.valid_from is None:
            raise ValueError("valid_to needs valid_from")
        uri = None if self.uri is None else self.uri.get_secret_value()
        if uri is not None and variable(uri) is None and urlsplit(uri).scheme not in ("postgresql", "postgres"):
            raise ValueError("expected a uri that begins with postgresql://")
        if self.password is not None and uri is None:
            raise ValueError("password needs a uri")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the key."""
        return (self.key,) if isinstance(self.key, str) else self.key

    @property
    def place(self) -> str:
        """The database, as people may see it."""
        return str(self.path if self.uri is None else self.uri)

    def key_problem(self, key_type: pa.DataType) -> str | None:
        """Return why the columns can never equal keys of this type."""
        fields = [each.type for each in key_type] if pt.is_struct(key_type) else [key_type]
        if len(fields) != len(self.columns):
            return (
                f"the enrichment has a key of {len(fields)} fields, and the lookup one of {len(self.columns)} columns"
            )
        odd = next((each for each in fields if not any(matches(each) for matches in _SQL_KEYS)), None)
        return None if odd is None else f"expected keys of texts, ints, bools, days, times or decimals, got {odd}"


_SQL_KEYS: Final = (pt.is_string, pt.is_integer, pt.is_boolean, pt.is_date, pt.is_timestamp, pt.is_decimal)


class HttpLookupSettings(RemoteLookupSettings):
    """A lookup in a service that answers many keys of one request with JSON."""

    type: Literal["http"]
    """The kind of lookup."""
    url: SecretUri
    """The service, `https://…`; as `${NAME}` alone where it holds a token. No other host is ever spoken to."""
    method: Literal["POST", "GET"] = "POST"
    """`POST` sends the keys as a JSON list in an object, `GET` as a parameter that is repeated."""
    keys: Annotated[str, Field(min_length=1, max_length=255)] = "keys"
    """The member of the object, or the parameter, that holds the keys."""
    rows: Pointer = ""
    """Where the list of rows is in the answer, a JSON pointer: `/items`. Empty: the answer is the list."""
    key: Pointers
    """Where a row has its key, a JSON pointer as `/id`, or those of its fields in their order."""
    columns: dict[str, Pointer] = Field(default_factory=dict)
    """Where a row has columns that are not its members of the same name, by JSON pointers: `name: /names/0`."""
    headers: dict[HeaderName, Annotated[str, Field(max_length=8192)]] = Field(default_factory=dict)
    """Headers of requests."""
    secret_headers: dict[HeaderName, SecretStr] = Field(default_factory=dict)
    """Headers whose values are secrets, each only as a reference to a variable: `authorization: ${NAME}`."""
    tls: Tls | None = None
    """Authorities and a certificate of its own, for `https://`."""
    max_bytes: Annotated[int, Field(ge=1)] = 16 << 20
    """The most bytes of an answer."""

    @model_validator(mode="after")
    def _web(self) -> HttpLookupSettings:
        url = self.url.get_secret_value()
        if variable(url) is None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise ValueError("expected a url that begins with https:// or http:// and names a host")
        return self

    @property
    def key_pointers(self) -> tuple[str, ...]:
        """The pointers to the key of a row."""
        return (self.key,) if isinstance(self.key, str) else self.key

    @property
    def place(self) -> str:
        """The service, as people may see it."""
        return str(self.url)

    def key_problem(self, key_type: pa.DataType) -> str | None:
        """Return why requests cannot hold keys of this type."""
        fields = [each.type for each in key_type] if pt.is_struct(key_type) else [key_type]
        if len(fields) != len(self.key_pointers):
            return f"the enrichment has a key of {len(fields)} fields, and the lookup one of {len(self.key_pointers)}"
        if self.method == "GET" and len(fields) > 1:
            return "a parameter holds a key of one field; use method: POST"
        odd = next((each for each in fields if not any(matches(each) for matches in _JSON_KEYS)), None)
        return None if odd is None else f"expected keys of texts, ints, bools, days or times, got {odd}"


_JSON_KEYS: Final = (pt.is_string, pt.is_integer, pt.is_boolean, pt.is_date, pt.is_timestamp)


def redis_address(url: str) -> tuple[str, int, int, bool]:
    """Return host, port, database and whether TLS is meant.

    Raises:
        ValueError: it is no URL of Redis; repeats nothing of it.
    """
    form = "redis://HOST:PORT/DB or rediss://HOST:PORT/DB"
    parts = urlsplit(url)
    db = parts.path.strip("/") or "0"
    if parts.scheme not in ("redis", "rediss", "valkey", "valkeys") or not parts.hostname or not db.isdecimal():
        raise ValueError(f"expected {form}")
    if parts.query or parts.fragment:
        raise ValueError(f"expected {form}, without parameters")
    return parts.hostname, parts.port or 6379, int(db), parts.scheme in ("rediss", "valkeys")
