"""Print how long the documents' sentences are; exit code 1 if the mean is above the limit."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 20.0
FILES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "docs/*/README.md")


def sentences(markdown: str) -> list[list[str]]:
    """Return the words of each sentence of the prose: no tables, code, lists or headings."""
    text = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--.*?-->|<[^>]+>|!\[.*?\]\(.*?\)", "", text, flags=re.DOTALL)
    blocks = [block for block in re.split(r"\n\s*\n", text) if _is_prose(block)]
    return [words for block in blocks for words in _sentences(block) if words]


def _is_prose(block: str) -> bool:
    return not re.match(r"\s*([|#>]|[-*+] |\d+\. | {4})", block)


def _sentences(block: str) -> list[list[str]]:
    """Split a paragraph; code and the target of a link count as a word, or not at all."""
    text = re.sub(r"`[^`]*`", "code", block)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    ends = r"(?<=[.!?])[*_)\"]*\s+(?=[\"(*_\[]*[A-Z0-9c])"
    return [re.findall(r"\w[\w'.,/-]*", part) for part in re.split(ends, text)]


def main() -> int:
    """Print the mean for each file and for all of them."""
    found: list[list[str]] = []
    for path in sorted(path for pattern in FILES for path in ROOT.glob(pattern)):
        own = sentences(path.read_text(encoding="utf-8"))
        found += own
        if own:
            print(f"{_mean(own):5.1f} words a sentence, {len(own):3} sentences: {path.name}")
    print(f"{_mean(found):5.1f} words a sentence in all; at most {LIMIT:g} are allowed")
    return int(_mean(found) > LIMIT)


def _mean(found: list[list[str]]) -> float:
    return sum(map(len, found)) / max(1, len(found))


if __name__ == "__main__":
    sys.exit(main())
