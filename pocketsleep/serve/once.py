"""One-time links: how a browser on this machine is let in without typing a token.

`/open?once=CODE` gives the page a cookie. The code is used up by that; the cookie holds a key of its own made from the token, since
browsers show cookies to every port of a host: whoever else listens here must not learn the token from it.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time

LIVES = 120.0  # seconds that a code may wait
MOST = 32  # codes that may wait at once


class Once:
    "Codes that each open the door one time."

    def __init__(self, lives: float = LIVES) -> None:
        self.lives = lives
        self._ends: dict[str, float] = {}
        self._lock = threading.Lock()

    def make(self) -> str:
        "A new code. The oldest is given up where too many wait."
        code = secrets.token_urlsafe(24)
        with self._lock:
            while len(self._ends) >= MOST:
                del self._ends[next(iter(self._ends))]
            self._ends[code] = time.monotonic() + self.lives
        return code

    def redeem(self, code: str) -> bool:
        "Whether the code opens the door now; it never will again."
        with self._lock:
            return self._ends.pop(code, 0.0) > time.monotonic()


class Badge:
    "The cookie of the page. Its name has the port in it: cookies are shared by all ports of a host."

    def __init__(self, token: str, port: int) -> None:
        self.name = f"pocketsleep-{port}"
        self.key = hmac.new(token.encode(), b"pocketsleep page", "sha256").hexdigest()

    @property
    def header(self) -> str:
        "For Set-Cookie; until the browser is closed."
        return f"{self.name}={self.key}; Path=/; HttpOnly; SameSite=Strict"

    def shown(self, cookies: list[str]) -> bool:
        "Whether a request's Cookie headers hold it, once and right."
        if len(cookies) != 1:
            return False
        # Read by hand: what other programs of this host set need not be a cookie by the book, and may not stand in the way.
        pairs = [pair.strip().partition("=") for pair in cookies[0].split(";")]
        found = [value for name, _, value in pairs if name == self.name]
        return len(found) == 1 and hmac.compare_digest(found[0].encode("latin-1", "replace"), self.key.encode())
