"""The single file ``app-server.pyz``: ``build`` makes it, and ``bootstrap`` is what runs first inside it."""
