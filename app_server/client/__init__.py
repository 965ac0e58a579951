"""A typed client for Python parents: start the server, or embed it, and talk to it in the terms of ``protocol``.

    async with spawn() as client:
        await client.initialize("my-editor", "1.0")
        await client.log_in_with_api_key("sk-…")
        thread = await client.start_thread()
        async for text in (await thread.ask("Hello, model")).texts():
            print(text, end="", flush=True)

=============  ==========================================================================
``starting``   :func:`spawn` and :func:`in_process`: a server, and a client of it
``client``     :class:`Client`: the handshake, logins, threads and turns
``connection`` what it is built on: requests and their results, notifications
``handlers``   what answers the server's own requests
``login``      a login whose user is in the browser
``thread``     a thread to ask questions in
``turn``       a turn that is followed to its end
``followers``  which of these is told of a notification
``feed``       notifications that nobody has read yet
``sync``       all of it for callers without an event loop
``errors``     what goes wrong
=============  ==========================================================================
"""

from app_server.client.client import Client
from app_server.client.connection import Trace
from app_server.client.errors import InvalidAnswer, LoginFailed, ServerError, ServerGone, TurnFailed
from app_server.client.handlers import Handlers
from app_server.client.login import FollowedLogin
from app_server.client.starting import in_process, spawn
from app_server.client.sync import SyncClient, SyncLogin, SyncThread, SyncTurn, spawn_sync
from app_server.client.thread import OpenThread
from app_server.client.turn import FollowedTurn, Said

__all__ = [
    "Client",
    "FollowedLogin",
    "FollowedTurn",
    "Handlers",
    "InvalidAnswer",
    "LoginFailed",
    "OpenThread",
    "Said",
    "ServerError",
    "ServerGone",
    "SyncClient",
    "SyncLogin",
    "SyncThread",
    "SyncTurn",
    "Trace",
    "TurnFailed",
    "in_process",
    "spawn",
    "spawn_sync",
]
