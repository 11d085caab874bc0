"""A Ray dashboard as a client meets it: its versions over HTTP, and its token where it asks for one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def dashboard(ray: str, python: str, token: str | None = None) -> Iterator[str]:
    """The address of a dashboard of a cluster with these versions, which answers 401 and 403 as Ray 2.60 does."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.headers.get("authorization")
            status = 200 if token is None or sent == f"Bearer {token}" else 403 if sent else 401
            data = {"rayVersion": ray, "pythonVersion": python}
            body = json.dumps({"result": True, "msg": "", "data": data}).encode() if status == 200 else b"Unauthorized"
            self.send_response(status if self.path == "/api/v0/cluster_metadata" else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
