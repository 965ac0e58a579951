"""app-server: a JSON-RPC server over stdio that owns sign-in, tokens and authorised model calls.

Nothing is imported here: the first answer of a freshly started server waits for every import on its way.
"""
