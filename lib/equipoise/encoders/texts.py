"""What encoders of texts share."""

from equipoise.encoders.base import UnreadableItem

PASS = {"cpu": 8, "cuda": 1024}
"""Texts of a forward pass, at most, sorted by length: few where padding is paid for, many where the device is wide."""
TOKENS = {"cpu": 8 * 512, "cuda": 256 * 256}
"""And their tokens, of which a model for long texts takes 32 times as many as one for sentences."""


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
