"""Names of atoms are elements or are refused with what to write instead."""

from __future__ import annotations

import pytest

from mpcheck.systems.species import UnknownSpeciesError, element, site

ELEMENTS = {"O": "O", "o": "O", "Cl": "Cl", "cl": "Cl", "MG": "Mg", "D": "D"}
SITES = ELEMENTS | {
    "O1": "O",
    "Fe2+": "Fe",
    "O2-": "O",
    "Fe+3": "Fe",
    "C12A": "C",
    "H(2)": "H",
    "D7": "D",
    "Ca": "Ca",
    "O_1": "O",
    "C1'": "C",
    "c1": "C",
}
REFUSED = {
    "X": "vacancy or a dummy", "0": "vacancy or a dummy", "": "vacancy or a dummy", "Vac": "vacancy or a dummy", "Va": "vacancy", "Q1": "vacancy",
    "T": "tritium", "8": "write O", "119": "write the element's", "CA": "write C or Ca", "CO": "write C or Co", "OW": "write O", "HW1": "write H",
    "C/O": "write C", "C,O": "write C", "H2O": "write H", "?": "element's symbol", ".": "element's symbol", "Qq": "element's symbol",
}  # fmt: skip


@pytest.mark.parametrize("text", ELEMENTS)
def test_elements(text: str) -> None:
    assert element(text) == ELEMENTS[text]


@pytest.mark.parametrize("text", SITES)
def test_sites(text: str) -> None:
    assert site(text) == SITES[text]


@pytest.mark.parametrize("text", REFUSED)
def test_neither(text: str) -> None:
    for read in (element, site):
        with pytest.raises(UnknownSpeciesError) as caught:
            read(text)
        assert REFUSED[text] in str(caught.value)


@pytest.mark.parametrize("text", ["O1", "Fe2+", "O2-", "C12A"])
def test_a_column_of_species_has_neither_numbers_nor_charges(text: str) -> None:
    with pytest.raises(UnknownSpeciesError, match="if that is meant"):
        element(text)
