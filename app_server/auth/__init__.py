"""Credentials: what they are, where they are kept, how they are obtained and renewed. JSON-RPC is not known here."""
