"""Jobs whose record is broken, and some that only look so."""

from __future__ import annotations

from tests.hooks.vectors import A, Build, several, vector
from tests.hooks.world import World, job

# -- broken records


def _broken(old: str, new: str) -> Build:
    return lambda w: w.push(A, w.event(job(), "add", edit=(old, new)))


LONG = "x" * 501
several(
    "format",
    a_later_format=_broken("Orch-Format: 1", "Orch-Format: 2"),
    no_format=_broken("Orch-Format: 1\n", ""),
    a_format_with_a_zero=_broken("Orch-Format: 1", "Orch-Format: 01"),
    another_record=_broken("Record: job", "Record: lease"),
    no_record=_broken("Record: job\n", ""),
    no_title=_broken("Title: Work\n", ""),
    an_empty_title=_broken("Title: Work", "Title: "),
    a_title_with_a_space_after_it=_broken("Title: Work", "Title: Work "),
    a_title_with_a_space_that_is_none=_broken("Title: Work", "Title: Work\u2003"),
    a_title_with_a_hard_space_before_it=_broken("Title: Work", "Title: \u00a0Work"),
    a_title_that_is_too_long=_broken("Title: Work", f"Title: {LONG}"),
    a_title_with_an_escape=_broken("Title: Work", "Title: W\x1b[31mork"),
    a_title_with_a_tab=_broken("Title: Work", "Title: W\tork"),
    a_title_with_a_control_character_of_the_upper_half=_broken("Title: Work", "Title: W\u0085ork"),
    a_title_with_a_broken_byte=_broken("Title: Work", "Title: W\udcffork"),
    a_title_with_half_a_character=_broken("Title: Work", "Title: W\udce6\udc97"),
    a_title_with_an_overlong_character=_broken("Title: Work", "Title: W\udcc0\udcaf"),
    a_key_twice=_broken("Title: Work\n", "Title: Work\nTitle: Else\n"),
    a_key_in_lower_case=_broken("Title: Work\n", "Title: Work\ntitle: Else\n"),
    a_key_with_an_underscore=_broken("Title: Work\n", "Title: Work\nA_b: Else\n"),
    a_line_that_is_no_trailer=_broken("Title: Work\n", "Title: Work\nhello\n"),
    a_line_that_is_folded=_broken("Title: Work\n", "Title: Work\n more\n"),
    a_value_without_a_space=_broken("Title: Work", "Title:Work"),
    a_state_of_no_name=_broken("State: queued", "State: conjured"),
    a_state_in_capitals=_broken("State: queued", "State: Queued"),
    a_time_without_a_zone=_broken("Created: 2023-11-14T22:13:20.123Z", "Created: 2023-11-14T22:13:20.123"),
    a_time_in_another_zone=_broken("Created: 2023-11-14T22:13:20.123Z", "Created: 2023-11-14T22:13:20+01:00"),
    a_day_that_is_none=_broken("Created: 2023-11-14", "Created: 2023-02-29"),
    a_month_that_is_none=_broken("Created: 2023-11-14", "Created: 2023-13-14"),
    an_hour_that_is_none=_broken("T22:13:20.123Z\nUpdated", "T24:13:20.123Z\nUpdated"),
    an_id_in_capitals=_broken("Id: a", "Id: A"),
    no_nonce=_broken("Nonce: n000000000\n", ""),
    an_empty_nonce=_broken("Nonce: n000000000", "Nonce: "),
    a_priority_that_is_too_high=_broken("Title: Work", "Title: Work\nPriority: 1000001"),
    a_priority_with_a_plus=_broken("Title: Work", "Title: Work\nPriority: +1"),
    a_priority_with_a_zero=_broken("Title: Work", "Title: Work\nPriority: 01"),
    a_priority_that_is_less_than_nothing=_broken("Title: Work", "Title: Work\nPriority: -0"),
    a_priority_of_many_digits=_broken("Title: Work", "Title: Work\nPriority: 99999999999999999999999"),
    a_priority_in_other_digits=_broken("Title: Work", "Title: Work\nPriority: \u0661"),
    a_head_that_is_cut_off=_broken("Title: Work", "Title: Work\nHead: 0123"),
    a_label_with_a_comma=_broken("Title: Work", "Title: Work\nLabels: a,b"),
    labels_with_two_spaces=_broken("Title: Work", "Title: Work\nLabels: a  b"),
    after_something_that_is_no_id=_broken("Title: Work", "Title: Work\nAfter: A"),
    lands_yes=_broken("Title: Work", "Title: Work\nLands: yes"),
    kept_no=_broken("Title: Work", "Title: Work\nKept: no"),
    too_many_unknown_keys=_broken("Title: Work\n", "Title: Work\n" + "".join(f"X{i}: 1\n" for i in range(51))),
    unknown_keys_that_are_too_long=_broken("Title: Work\n", "Title: Work\nX: " + "x" * 20_001 + "\n"),
    more_trailers_than_a_hundred=_broken("Title: Work\n", "Title: Work\n" + "".join(f"X{i}: 1\n" for i in range(100))),
    a_claimed_job_without_a_worker=_broken("State: queued", "State: claimed"),
    a_submitted_job_without_a_head=_broken("State: queued", "State: submitted"),
    text_after_the_trailers=_broken("Title: Work\n", "Title: Work\n\ntext\n"),
)
several(
    "kind",
    a_title_with_nul=_broken("Title: Work", "Title: W\0ork"),
    nul_before_everything=_broken("add\n", "add\0\n"),
)
several(
    "",
    a_time_without_a_fraction=_broken("Created: 2023-11-14T22:13:20.123Z", "Created: 2023-11-14T22:13:20Z"),
    a_leap_day=_broken("Created: 2023-11-14", "Created: 2024-02-29"),
    a_leap_day_of_a_century=_broken("Created: 2023-11-14", "Created: 2000-02-29"),
    the_trailers_in_another_order=_broken("Record: job\nEvent: add\n", "Event: add\nRecord: job\n"),
    broken_bytes_above_the_trailers=_broken("add\n\n", "add\n\n\udcff\udcfe\n\n"),
    a_title_of_five_hundred_characters=_broken("Title: Work", "Title: " + "日" * 500),
)


@vector("format")
def a_day_of_a_century_that_leaps_not(w: World) -> None:
    w.push(A, w.event(job(), "add", edit=("Created: 2023-11-14", "Created: 1900-02-29")))
