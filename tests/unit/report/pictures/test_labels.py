"""Names beside marks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mpcheck.report.pictures.labels import BOLD, Labels, overlap
from mpcheck.report.pictures.words import extent

AREA = (10.0, 10.0, 310.0, 210.0)
SIZE = 7.0
places = st.tuples(st.floats(10, 310), st.floats(10, 210))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(places, st.text("abcdefgmw-16", min_size=1, max_size=20)), min_size=1, max_size=40))
def test_labels_overlap_neither_each_other_nor_marks_and_stay_inside(marks: list[tuple[tuple[float, float], str]]) -> None:
    labels = Labels(AREA, [place for place, _ in marks], SIZE)
    boxes = []
    for place, text in marks:
        found = labels.put(place, text)
        if found is not None:
            high = 1.2 * SIZE / 2
            boxes.append((found.x, found.y - high, found.x + BOLD * extent(text, SIZE), found.y + high))
    for i, box in enumerate(boxes):
        assert AREA[0] <= box[0] and box[2] <= AREA[2] and AREA[1] <= box[1] and box[3] <= AREA[3]
        assert not any(overlap(box, other) for other in boxes[:i])
        assert not any(overlap(box, (x - 3, y - 3, x + 3, y + 3)) for (x, y), _ in marks)


def test_the_nearest_place_is_right_of_the_mark_and_a_farther_one_has_a_line_to_it() -> None:
    labels = Labels(AREA, [(100.0, 100.0)], SIZE)
    first = labels.put((100.0, 100.0), "float32")
    assert first is not None and first.leader is None and 100.0 < first.x < 110.0 and abs(first.y - 100.0) < 1.0
    found = [labels.put((100.0, 100.0), "float32") for _ in range(12)]
    lines = [f.leader for f in found if f is not None and f.leader is not None]
    assert lines and all(line[0] == (100.0, 100.0) for line in lines)


def test_where_there_is_no_room_there_is_no_label() -> None:
    labels = Labels(AREA, [(100.0, 100.0)], SIZE)
    labels.keep_free(AREA)
    assert labels.put((100.0, 100.0), "float32") is None
