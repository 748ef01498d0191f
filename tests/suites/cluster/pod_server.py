"""What the pods of this suite run: answers with the pod's name, and prints a word that is looked for in its log."""

from __future__ import annotations

import http.server
import os
import socketserver
import sys


class Answer(http.server.BaseHTTPRequestHandler):
    """Tells the kubelet that it is there, and anybody its name unless it is deaf."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a request."""
        deaf = os.environ["DEAF"] == "true" and self.path != "/ready"
        body = b"" if deaf else os.environ["POD"].encode()
        self.send_response(503 if deaf else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing of requests."""


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Answers several at once."""

    daemon_threads = True
    allow_reuse_address = True

    def server_bind(self) -> None:
        """Bind without asking a name server who this is."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


sys.stdout.write(os.environ["WORD"] + "\n")
sys.stdout.flush()
Server(("", 8080), Answer).serve_forever()
