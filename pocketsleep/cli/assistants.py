"The command for other assistants: mcp."

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from pocketsleep import hooks
from pocketsleep.cli import app, opened, out
from pocketsleep.errors import MissingPart


@app.command()
def mcp(
    http: Annotated[bool, typer.Option("--http", help="Over HTTP on the loopback address, instead of stdin and stdout.")] = False,
    port: Annotated[int, typer.Option(help="Port on the loopback address.")] = 8766,
) -> None:
    """Serve the memory as tools (Model Context Protocol): remember, recall, why, forget, nights.

    Example: pocketsleep mcp --http --port 8766
    """
    try:
        with redirect_stdout(sys.stderr):  # until the protocol has it: what plugins print while they are loaded
            from pocketsleep.serve import mcp as tools

            hooks.installed()
    except ModuleNotFoundError as missing:
        raise MissingPart(f"the MCP server needs a package that is not installed ({missing.name})",
                          hint="pip install 'pocketsleep[mcp]'") from None
    from pocketsleep.serve import server

    with opened() as pocket:
        if not http:
            tools.server(pocket).run("stdio")
            return
        token = pocket.token()
        out.talk.print(f"http://127.0.0.1:{port}{tools.PATH}   token: {pocket.home.token}", markup=False)
        server.run(tools.application(pocket, token, port), "127.0.0.1", port, linger=2)
