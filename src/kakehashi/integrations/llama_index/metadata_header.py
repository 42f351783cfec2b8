"""The modality of a text that LlamaIndex passes to be embedded, from the metadata before it.

An index passes texts to its embed model, and no nodes. But LlamaIndex writes the metadata of a node
before its text, a line for each field and then an empty line::

    modality: source
    page: 3

    The text.
"""

from __future__ import annotations

from collections.abc import Sequence


def split_modality(text: str, field: str, modalities: Sequence[str]) -> tuple[str | None, str]:
    """Return the modality that the metadata before a text name, and the text without that line.

    The modality is None, and the text as it is, where the metadata name none.
    """
    header, empty_line, content = text.partition("\n\n")
    lines = header.split("\n")
    named = {f"{field}: {modality}": modality for modality in modalities}
    found = next((line for line in lines if line in named), None)
    if found is None or not empty_line:
        return None, text
    lines.remove(found)
    rest = "\n".join(lines)
    return named[found], f"{rest}\n\n{content}" if rest else content
