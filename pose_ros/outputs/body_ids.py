"""Ids of bodies by REP 155, and the frames that are named after them."""

from __future__ import annotations

import re


def body_id(tf_prefix: str, person_id: int) -> str:
    """Return the id of a body: a letter and the person's, after the letters of `tf_prefix`."""
    words = re.findall("[0-9A-Za-z]+", tf_prefix)
    name = "_".join([*words, f"p{person_id}"])
    return name if name[0].isalpha() else f"p{name}"


def body_frame(tf_prefix: str, person_id: int) -> str:
    """Return the name of the frame of a body."""
    return f"body_{body_id(tf_prefix, person_id)}"
