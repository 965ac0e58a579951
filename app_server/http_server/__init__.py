"""A small HTTP/1.1 server for loopback, bounded in every direction: h11 (RFC 9110, RFC 9112) on anyio sockets.

It serves the sign-in callback, whose clients may be hostile programs or web pages on this machine, and the offline
upstream of ``fake_openai``. What is not here: routes, pages, Host and Origin checks (a handler's business), TLS, and
any address but 127.0.0.1.

==============  ==========================================================================
``messages``    requests and answers as a handler sees them
``connection``  one client's connection: h11, time-outs, and the sizes that are granted
``server``      the listener, and how many connections there may be
==============  ==========================================================================
"""

from app_server.http_server.connection import Limits
from app_server.http_server.messages import DropConnection, Handler, Headers, Request, Response
from app_server.http_server.server import HttpServer, bind_loopback

__all__ = ["DropConnection", "Handler", "Headers", "HttpServer", "Limits", "Request", "Response", "bind_loopback"]
