"""Asks a server that is not there."""

import urllib.request


def get(day: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:9/{day}") as answer:
            return str(answer.read())
    except OSError:
        return ""
