"""Elements of an XML file from outside, one after the other: no tree, no entities, no files fetched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from pyfai_grf.core.errors import InputError

_CHUNK = 1 << 16
#: data files are flat: deeper nesting is an attack, or damage
_MAX_DEPTH = 50
#: characters of one element's text that are kept: a number, a title
_MAX_TEXT = 1000


@dataclass
class Element:
    """An element: its name without namespace, its attributes, and its own text as far as it is short."""

    name: str
    attributes: dict[str, str]
    text: str = ""


def read_elements(data: bytes, where: str, encoding: str | None = None) -> Iterator[tuple[Element, ...]]:
    """Yield, as each element of ``data`` ends, the elements from the root down to it.

    ``encoding`` stands above the one that the XML declares, for text that was decoded already.

    Raises
    ------
    InputError
        If the XML is not well-formed, declares entities or attributes (which can grow without bound, or name other
        files), or nests too deeply.
    """
    reader = _Reader(where, encoding)
    for start in range(0, len(data), _CHUNK):
        yield from reader.feed(data[start : start + _CHUNK])
    yield from reader.feed(b"", is_final=True)


class _Reader:
    def __init__(self, where: str, encoding: str | None) -> None:
        self._where = where
        self._open: list[Element] = []
        self._ended: list[tuple[Element, ...]] = []
        self._parser = expat.ParserCreate(encoding, namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._add_text
        self._parser.EntityDeclHandler = self._reject_entity
        self._parser.AttlistDeclHandler = self._reject_attribute

    def feed(self, data: bytes, is_final: bool = False) -> list[tuple[Element, ...]]:
        """Return the elements that end in ``data``."""
        try:
            self._parser.Parse(data, is_final)
        except expat.ExpatError as problem:
            raise InputError(f"{self._where}: damaged or incomplete XML ({problem})") from None
        except (ValueError, LookupError) as problem:  # an encoding that Python does not know
            if isinstance(problem, InputError):
                raise
            raise InputError(f"{self._where}: XML that cannot be decoded ({problem})") from None
        ended, self._ended = self._ended, []
        return ended

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) == _MAX_DEPTH:
            raise InputError(f"{self._where}: XML nested more than {_MAX_DEPTH} deep is not a data file")
        plain = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        self._open.append(Element(name.rpartition(" ")[2], plain))

    def _end(self, name: str) -> None:
        self._ended.append(tuple(self._open))
        self._open.pop()

    def _add_text(self, text: str) -> None:
        element = self._open[-1]
        if len(element.text) < _MAX_TEXT:
            element.text += text[:_MAX_TEXT]

    def _reject_entity(self, *declaration: object) -> None:
        raise InputError(f"{self._where}: the XML declares entities ({str(declaration[0])[:40]}): data files have none")

    def _reject_attribute(self, *declaration: object) -> None:
        # one long default, and every element of that name would have it
        raise InputError(f"{self._where}: the XML declares attributes ({str(declaration[1])[:40]}): data files do not")
