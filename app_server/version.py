"""The one place where this program's own version stands, and the wire version that it speaks."""

__version__ = "0.1.0"

WIRE_VERSION = "0.169.0"
"""Version of ``codex app-server`` whose wire this is; two published clients refuse a server that reports
less than 0.149.0 in its user agent, so this is what stands there (wire.md section 16)."""
