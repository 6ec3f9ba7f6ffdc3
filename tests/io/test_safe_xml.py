"""Elements come one after the other, whole, and XML that means harm is refused before it does any."""

from __future__ import annotations

import socket

import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.safe_xml import Element, read_elements


def read(text: str | bytes, encoding: str | None = None) -> list[tuple[Element, ...]]:
    return list(read_elements(text.encode() if isinstance(text, str) else text, "c.xml", encoding))


def test_elements_come_as_they_end_with_all_that_hold_them() -> None:
    found = read("<a><b k='1'>x<c/>y</b><b/></a>")
    assert [[element.name for element in path] for path in found] == [["a", "b", "c"], ["a", "b"], ["a", "b"], ["a"]]
    assert (found[1][1].attributes, found[1][1].text) == ({"k": "1"}, "xy")
    assert found[0][0] is found[3][0]  # the same root throughout
    assert found[1][1] is not found[2][1]


def test_namespaces_are_taken_off() -> None:
    ((root,),) = read('<n:a xmlns:n="urn:one" xmlns:m="urn:two" m:k="1" l="2"/>')
    assert root == Element("a", {"k": "1", "l": "2"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_encodings_that_are_declared(encoding: str) -> None:
    head = f"<?xml version='1.0' encoding='{encoding.removesuffix('-sig')}'?>"
    ((root,),) = read(f"{head}<a k='é'>Å⁻¹</a>".replace("⁻¹", "^-1").encode(encoding))
    assert root == Element("a", {"k": "é"}, "Å^-1")


@pytest.mark.parametrize("declared", ["utf-8", "iso-8859-1", "utf-16"])
def test_encoding_of_a_text_that_was_decoded_stands_above_the_declared_one(declared: str) -> None:
    ((root,),) = read(f"<?xml version='1.0' encoding='{declared}'?><a>Å</a>", "utf-8")
    assert root.text == "Å"


@pytest.mark.parametrize("place", range(65_528, 65_537))
def test_what_lies_across_two_chunks_is_whole(place: int) -> None:
    """A number and a character of two bytes around byte 65536, where the second piece begins."""
    comment = f"<a><!--{' ' * (place - 13)}-->"
    found = read(f"{comment}<b>0.125Å</b></a>")
    assert len(comment) + 3 == place
    assert found[0][1].text == "0.125Å"


def test_long_texts_are_cut_and_the_next_element_is_not() -> None:
    found = read(f"<a><b>{'x' * 200_000}</b><b>7</b></a>")
    assert 1000 <= len(found[0][1].text) < 3000
    assert found[1][1].text == "7"


def test_depth_that_a_data_file_may_have() -> None:
    assert len(read("<a>" * 50 + "</a>" * 50)[0]) == 50
    with pytest.raises(InputError, match="50 deep"):
        read("<a>" * 51 + "</a>" * 51)
    with pytest.raises(InputError, match="50 deep"):
        read("<a>" * 100_000)  # refused where it begins, complete or not


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/hostname">',
        '<!ENTITY a PUBLIC "-//x" "file:///etc/hostname">',
        '<!ENTITY % a SYSTEM "http://localhost:9/x.dtd"> %a;',
        '<!NOTATION n SYSTEM "viewer"><!ENTITY a SYSTEM "x.gif" NDATA n>',
    ],
)
def test_entities_are_refused_before_they_grow_or_fetch(declaration: str) -> None:
    with pytest.raises(InputError, match=r"^c\.xml: .*entities \(a\)"):
        read(f"<?xml version='1.0'?><!DOCTYPE a [{declaration}]><a>&a;</a>")


def test_defaults_of_attributes_are_refused_before_every_element_has_one() -> None:
    text = f"<!DOCTYPE r [<!ATTLIST a b CDATA '{'x' * 100_000}'>]><r>{'<a/>' * 5000}</r>"  # 500 MB of attributes
    with pytest.raises(InputError, match=r"^c\.xml: .*attributes \(b\)"):
        read(text)


def test_long_names_are_cut_in_the_message() -> None:
    with pytest.raises(InputError) as caught:
        read(f"<!DOCTYPE r [<!ENTITY {'n' * 10_000} 'x'>]><r/>")
    assert len(str(caught.value)) < 200


def test_outer_definition_is_not_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/cansas1d.dtd"
        assert [path[-1].text for path in read(f'<!DOCTYPE a SYSTEM "{address}"><a>1</a>')] == ["1"]
        with pytest.raises(BlockingIOError):  # nobody called
            server.accept()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no XML",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a>&b;</a>",
        "<a k='1' k='2'/>",
        "<a>\x00</a>",
        b"<a>\xff</a>",
        "<?xml version='1.0' encoding='klingon'?><a/>",
        "<?xml version='1.0' encoding='utf-16'?><a/>",
        "<?xml version='1.0' encoding='rot13'?><a/>",
    ],
)
def test_damage_is_one_line(text: str | bytes) -> None:
    with pytest.raises(InputError, match=r"^c\.xml: ") as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_what_was_whole_before_the_damage_is_given() -> None:
    """Whoever reads on finds out; whoever stops early was served."""
    elements = read_elements(b"<a><b>1</b>" + b" " * 70_000 + b"</c>", "c.xml")
    assert next(elements)[-1] == Element("b", {}, "1")
    with pytest.raises(InputError, match="damaged or incomplete"):
        list(elements)
