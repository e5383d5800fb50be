"""Whether the records of both sides were made by this mpcheck, from the same structures, by the same options, on the same device."""

from __future__ import annotations

from mpcheck._own import own_digest
from mpcheck.history.objections import Objection, cut
from mpcheck.records.read import Results
from mpcheck.records.same import documents_differ


def of_judges(before: Results | None, results: Results | None) -> list[Objection]:
    """Sessions whose records were made by another mpcheck than the gate's own, which both sides were given."""
    own, objections = own_digest(), []
    for side, records in (("base", before), ("head", results)):
        documents = records.documents if records is not None else {}
        others = {str(d.environment.mpcheck_digest or "an unknown one"): name for name, d in documents.items()}
        others.pop(own, None)
        for digest, session in others.items():
            sides = {name: cut(text) for name, text in {"base": own, "head": own, side: digest}.items()}
            objections.append(Objection(kind="mpcheck", what=f"{session} of {side}", effect="contradicts", **sides))
    return objections


def of_records(before: Results | None, results: Results | None) -> list[Objection]:
    """Sessions whose records say that the sides did not do the same work: the gate asked both for the same."""
    if before is None or results is None:
        return []
    objections = []
    for session, ours in before.documents.items():
        theirs = results.documents.get(session)
        if theirs is None:
            continue
        lines = documents_differ(ours, theirs)
        slugs = [str(d.environment.device_slug) for d in (ours, theirs)]
        lines += [f"different devices: {slugs[0]} and {slugs[1]}"] if slugs[0] != slugs[1] else []
        objections += [Objection(kind="records", what=cut(f"{session}: {line}"), effect="contradicts") for line in lines]
    return objections
