"""The wire of app-server, and nothing else: models, the JSON-RPC envelope, the declarations of methods, and the
exporters that write ``schema/``.

This package does no I/O beyond ``protocol.export`` and imports nothing of ``app_server``, so that a Python client
can use it alone: ``from protocol.account import GetAccountResponse``.
"""
