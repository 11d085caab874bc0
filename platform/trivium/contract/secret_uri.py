"""URIs of the pipeline file that may hold a password."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

_NAMES: Final = re.compile(r"pass|pwd|secret|token|credential|signature|api_?key", re.IGNORECASE)


class SecretUri(SecretStr):
    """A URI: written out where it holds no password, and a secret where it is `${NAME}`.

    It shows itself unless it holds a password.
    """

    @property
    def has_password(self) -> bool:
        """True where it holds a password, in the place of one or in a parameter that is named like one."""
        text = self.get_secret_value()
        try:
            parts = urlsplit(text)
            parameters = parse_qsl(parts.query, keep_blank_values=True)
        except ValueError:
            return True  # it cannot be told, so it is not shown
        password = parts.netloc.rpartition("@")[0].partition(":")[2]
        return bool(password) or any(_NAMES.search(name) for name, _ in parameters)

    def _display(self) -> str:
        return super()._display() if self.has_password else self.get_secret_value()
