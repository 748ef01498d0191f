"""Stands in for a greeter: says that it is healthy, and greets who is named in the query."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Greeter(BaseHTTPRequestHandler):
    """Answers one request; its header X-Fault may name a fault."""

    def do_GET(self) -> None:
        """Answer /health, and anything else with a greeting."""
        url = urlsplit(self.path)
        name = parse_qs(url.query).get("name", ["nobody"])[0]
        if self.headers["X-Fault"] == "forgets-names":
            name = "whoever you are"
        body = ("ok" if url.path == "/health" else f"Hello, {name}").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Greeter).serve_forever()
