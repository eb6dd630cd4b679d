"""What a URL may show of its credentials: nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.mask import mask_urls

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"https://bob:{SECRET}@example.org/r.git", "https://***@example.org/r.git"),
        (f"https://{SECRET}@example.org/r.git", "https://***@example.org/r.git"),
        (f"HTTPS://bob:{SECRET}@example.org", "HTTPS://***@example.org"),
        (f"http://:{SECRET}@example.org:8080/", "http://***@example.org:8080/"),
        (f"https://bob:{SECRET}@at@example.org/r", "https://***@example.org/r"),
        (f"https://bob:{SECRET}'\"<,@example.org/r", "https://***@example.org/r"),
        (f"ssh://git:{SECRET}@example.org/r.git", "ssh://git:***@example.org/r.git"),
        ("ssh://git@example.org/r.git", "ssh://git@example.org/r.git"),
        (f"git+ssh://git:{SECRET}@example.org/r", "git+ssh://git:***@example.org/r"),
        (
            f"fatal: unable to access 'https://x:{SECRET}@h/r.git/': 403",
            "fatal: unable to access 'https://***@h/r.git/': 403",
        ),
        (f"https://h/r?private_token={SECRET}&page=2", "https://h/r?private_token=***&page=2"),
        (f"https://h/r?page=2&access_token={SECRET}", "https://h/r?page=2&access_token=***"),
        (f"a https://u:{SECRET}@h/ b https://v:{SECRET}@h/ c", "a https://***@h/ b https://***@h/ c"),
    ],
)
def test_the_secret_part_is_replaced_and_nothing_else(text: str, masked: str) -> None:
    assert mask_urls(text) == masked
    assert SECRET not in mask_urls(text)


@pytest.mark.parametrize(
    "text",
    [
        "git@example.org:team/r.git",
        "write to bob@example.org",
        "https://example.org/@bob/r",
        "https://example.org:8443/r.git and bob@example.org",
        "file:///srv/git/r.git",
        "https://example.org/r?page=2#at@here",
        "",
    ],
)
def test_a_text_without_credentials_stays(text: str) -> None:
    assert mask_urls(text) == text


USERS = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="/?#"), max_size=20)


@given(st.sampled_from(["https", "http", "ftp", "socks5"]), USERS, USERS)
def test_no_password_survives_whatever_it_is_made_of(scheme: str, user: str, password: str) -> None:
    secret = f"{SECRET}{password}{SECRET}"
    masked = mask_urls(f"cannot read {scheme}://{user}:{secret}@example.org/r.git today")
    assert masked == f"cannot read {scheme}://***@example.org/r.git today"


@given(st.text(max_size=80))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask_urls(mask_urls(text)) == mask_urls(text)
