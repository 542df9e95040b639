"""What encoders of texts share."""

from equipoise.encoders.base import UnreadableItem

PASS = {"cpu": 8, "cuda": 256}
"""Texts of a forward pass, sorted by length: few where padding is paid for, many where the device is wide."""


def decode_text(content: bytes) -> str:
    """The text of an item.

    Raises:
        UnreadableItem: ``unreadable_text``: no UTF-8; ``empty_text``: nothing can be said about it.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UnreadableItem("unreadable_text", f"no UTF-8: {error.reason} at byte {error.start}") from error
    if not text.strip():
        raise UnreadableItem("empty_text", f"{len(content)} bytes of white space")
    return text
