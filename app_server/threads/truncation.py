"""Cutting long texts in the middle, where a tool's output says least.

A token is taken for four bytes of UTF-8, as the reference does.
"""

from typing import Final

BYTES_PER_TOKEN: Final = 4


def tokens_in(text: str) -> int:
    """About how many tokens the text takes."""
    return -(-_utf8_size(text) // BYTES_PER_TOKEN)


def truncate_middle(text: str, max_bytes: int) -> str:
    """The beginning and the end of a text, and between them how much is missing.

    :param max_bytes: bytes of the text in UTF-8 that are kept at most; the note between them comes on top.
    """
    size = _utf8_size(text)
    if size <= max_bytes:
        return text
    data = text.encode(errors="surrogatepass")
    half = max_bytes // 2
    head = data[:half].decode(errors="ignore")
    tail = data[size - (max_bytes - half) :].decode(errors="ignore")
    missing = -(-(size - max_bytes) // BYTES_PER_TOKEN)
    return f"{head}…{missing} tokens truncated…{tail}"


def _utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
