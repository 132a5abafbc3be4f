"""A web site on the loopback interface whose connections break when a test wants it."""

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Site:
    """What the site serves, and what it was asked for.

    Attributes:
        files: path to content.
        ranges: whether it can continue a download.
        length: whether it says how long a file is.
        cuts: path to numbers of bytes after which its next answers break off, one answer each.
        answers: path to status, reason and headers that it answers instead.
        asked: path and Range of each request, in order.
        url: its address.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ranges = self.length = True
        self.cuts: dict[str, list[int]] = {}
        self.answers: dict[str, tuple[int, str, dict[str, str]]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""


@contextlib.contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Serve ``site`` while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            site.asked.append((self.path, asked))
            self.close_connection = True
            path = self.path.partition("?")[0]
            if path in site.answers:
                status, reason, headers = site.answers[path]
                self._head(status, reason, headers, 0)
                return
            content = site.files.get(path)
            if content is None:
                self._head(404, "Not Found", {}, 0)
                return
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and site.ranges else 0
            total = len(content)
            if start >= total > 0:
                self._head(416, "Range Not Satisfiable", {"Content-Range": f"bytes */{total}"}, 0)
                return
            if start:
                span = {"Content-Range": f"bytes {start}-{total - 1}/{total}"}
                self._head(206, "Partial Content", span, total - start)
            else:
                self._head(200, "OK", {}, total)
            cuts = site.cuts.get(path, [])
            # The other side may go before it has all.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content[start : start + cuts.pop(0)] if cuts else content[start:])

        do_HEAD = do_GET

        def _head(self, status: int, reason: str, headers: dict[str, str], length: int) -> None:
            self.send_response(status, reason)
            for name, value in headers.items():
                self.send_header(name, value)
            if site.length or status not in (200, 206):
                self.send_header("Content-Length", str(length))
            self.send_header("Connection", "close")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
