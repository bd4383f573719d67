import pytest

from exporter.hub.slurm.hosts import MOST_HOSTS, expand_hosts


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", []),
        ("vm", ["vm"]),
        ("n1,n2", ["n1", "n2"]),
        ("n[08-11]", ["n08", "n09", "n10", "n11"]),
        ("n[1,3-4],login", ["n1", "n3", "n4", "login"]),
        ("r[1-2]n[01-02]-ib", ["r1n01-ib", "r1n02-ib", "r2n01-ib", "r2n02-ib"]),
    ],
)
def test_a_list_of_hosts_becomes_their_names(text: str, hosts: list[str]) -> None:
    """As scontrol show hostnames writes them."""
    assert list(expand_hosts(text)) == hosts


@pytest.mark.parametrize(
    "text",
    [
        "n[1-",
        "n]1[",
        "n[a-b]",
        "n[3-1]",
        "n[]",
        "n[1-999999999]",
        f"n[1-{MOST_HOSTS}],m[1-2]",
        "a[1-300]b[1-300]",
        "n" * 70_000,
    ],
)
def test_what_is_no_list_or_far_too_long_is_refused(text: str) -> None:
    """A few bytes could else fill the memory."""
    with pytest.raises(ValueError, match="host"):
        expand_hosts(text)
