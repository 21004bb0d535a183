"A server on a real socket, for as long as a test needs it."

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pocketsleep.serve.server import Server


@contextmanager
def served(server: Server) -> Iterator[None]:
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
