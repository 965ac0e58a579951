"""Threads on disk, in the reference's layout. What a thread does while it runs is not known here, nor is JSON-RPC."""
