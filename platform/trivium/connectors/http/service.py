"""Requests to one service: bounded in time and bytes, with no redirect, no retry and no other host."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from trivium.config.model.remote_lookups import HttpLookupSettings
from trivium.connectors.remote.trouble import Trouble, optional
from trivium.core.clock import Deadline
from trivium.core.error_text import shown

_PIECE: Final = 1 << 16
_LONGEST_PAUSE: Final = 300.0
_PASSING: Final = (408, 425, 429)


class HttpService:
    """Sends the keys of a call and returns the bytes of the answer."""

    def __init__(self, settings: HttpLookupSettings, trouble: Trouble) -> None:
        self._urllib3: Any = optional("urllib3", "http")
        self._settings, self._trouble = settings, trouble
        url = settings.url.get_secret_value()
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise trouble.wrong("its url is none of a service", "the URL in the variable: https://HOST/PATH")
        self._path, self._query = parts.path or "/", parts.query
        self._headers = {"accept": "application/json", "accept-encoding": "identity", **settings.headers}
        self._headers |= {name: value.get_secret_value() for name, value in settings.secret_headers.items()}
        options: dict[str, Any] = {"maxsize": settings.concurrency, "block": False}
        if parts.scheme == "https":
            options |= {"cert_reqs": "CERT_REQUIRED"}
            if settings.tls is not None:
                tls = settings.tls
                options |= {"ca_certs": tls.ca_file, "cert_file": tls.certificate_file, "key_file": tls.key_file}
        self._pool = self._urllib3.connection_from_url(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", **options)

    def ask(self, keys: list[Any], body: bytes, deadline: Deadline) -> bytes:
        """Return the answer to a request with these keys.

        Raises:
            LookupUnavailable: no answer within the deadline, or one that says to come back later.
            LookupAnswerError: the service refuses, or answers what is no JSON of a bounded size.
        """
        trouble, errors = self._trouble, self._urllib3.exceptions
        left = trouble.left(deadline)
        posts = self._settings.method == "POST"
        query = self._query if posts else "&".join(filter(None, (self._query, self._parameters(keys))))
        headers = {**self._headers, "content-type": "application/json"} if posts else self._headers
        response: Any = None
        try:
            response = self._pool.urlopen(
                self._settings.method,
                f"{self._path}?{query}" if query else self._path,
                body=body if posts else None,
                headers=headers,
                retries=False,
                redirect=False,
                timeout=self._urllib3.Timeout(total=left),
                preload_content=False,
                decode_content=False,
            )
            self._judge(response, deadline)
            content = self._content(response, deadline)
        except errors.SSLError as error:
            self._drop(response)
            if "certificate" not in str(error).lower():
                raise trouble.away(error) from trouble.cause(error)
            hint = "the ca_file of its authority"
            raise trouble.wrong("the service's certificate is not trusted", hint, error) from trouble.cause(error)
        except (errors.HTTPError, OSError) as error:
            self._drop(response)
            raise trouble.away(error) from trouble.cause(error)
        except BaseException:
            self._drop(response)
            raise
        response.release_conn()
        return content

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _parameters(self, keys: list[Any]) -> str:
        texts = [("true" if key else "false") if isinstance(key, bool) else key for key in keys]
        return urlencode([(self._settings.keys, text) for text in texts])

    def _judge(self, response: Any, deadline: Deadline) -> None:
        """Raise what a status or a header says that is no answer."""
        status, headers, trouble = response.status, response.headers, self._trouble
        if status in _PASSING or status >= 500:
            pause = _pause(headers.get("retry-after"), deadline.clock.now_us())
            raise trouble.away(f"the service answers {status}", pause)
        if status in (401, 403):
            raise trouble.wrong(f"the service refuses the credentials ({status})", "another secret in its variable")
        if 300 <= status < 400:
            where = shown(headers.get("location", ""), 100)
            message = f"expected 200, got {status} to {where}; redirects are not followed"
            raise trouble.wrong(message, "the url it leads to")
        if status != 200:
            raise trouble.wrong(f"expected 200, got {status}", "the url, the method, or keys as it wants them")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise trouble.wrong(f"expected application/json, got {shown(kind, 100)}", "the url of the service's JSON")
        if headers.get("content-encoding", "identity") != "identity":
            raise trouble.wrong("expected no content-encoding, got one", "a service that honours accept-encoding")

    def _content(self, response: Any, deadline: Deadline) -> bytes:
        limit, size = self._settings.max_bytes, 0
        pieces: list[bytes] = []
        while True:
            left = deadline.remaining()
            if left <= 0:
                raise self._trouble.away("the answer did not end in time")
            # The client takes its time-out when it sends; what is left now is less.
            socket = getattr(getattr(response, "connection", None), "sock", None)
            if socket is not None:
                socket.settimeout(left)
            piece = response.read1(_PIECE)
            if not piece:
                return b"".join(pieces)
            size += len(piece)
            if size > limit:
                message = f"expected an answer of at most {limit:,} bytes (max_bytes), got more"
                raise self._trouble.wrong(message, "fewer keys a call (max_keys), or raise max_bytes")
            pieces.append(piece)

    def _drop(self, response: Any) -> None:
        if response is not None:
            response.close()


def _pause(text: str | None, now_us: int) -> float | None:
    """Return the seconds of a Retry-After, which is a number of them or a date, bounded; None for anything else."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return min(_LONGEST_PAUSE, float(text.strip()[:9]))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return min(_LONGEST_PAUSE, max(0.0, moment.timestamp() - now_us / 1e6))
