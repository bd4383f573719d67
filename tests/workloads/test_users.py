import os
import pwd
import threading
import time

from exporter.workloads.users import UserNames, name_by_passwd
from tests.fakes.clock import Clock

_GENEROUS_S = 30.0


def _wait_for(names: UserNames, uid: int) -> str:
    end_s = time.monotonic() + _GENEROUS_S
    while True:
        name = names.name(uid)
        if name is not None:
            return name
        assert time.monotonic() < end_s, "no name came"
        time.sleep(0.002)


def _wait_unknown(names: UserNames, uid: int) -> None:
    end_s = time.monotonic() + _GENEROUS_S
    while not names.is_unknown(uid):
        names.name(uid)
        assert time.monotonic() < end_s, "no answer came"
        time.sleep(0.002)


def test_the_users_of_this_machine_are_known() -> None:
    """The default asks the system."""
    uid = os.getuid()

    assert _wait_for(UserNames(), uid) == pwd.getpwuid(uid).pw_name
    assert name_by_passwd(2**31 - 7) is None
    assert name_by_passwd(2**70) is None


def test_a_directory_server_that_hangs_delays_nobody() -> None:
    """A tick that waits for LDAP measures nothing."""
    may_answer = threading.Event()

    def lookup(uid: int) -> str:
        may_answer.wait(_GENEROUS_S)
        return f"user{uid}"

    names = UserNames(lookup)

    first = [names.name(uid) for uid in (1, 2, 3)]
    may_answer.set()

    assert first == [None, None, None]
    assert [_wait_for(names, uid) for uid in (1, 2, 3)] == ["user1", "user2", "user3"]


def test_a_user_is_asked_for_once() -> None:
    """A thousand jobs of one user are one question."""
    asked: list[int] = []

    def lookup(uid: int) -> str:
        asked.append(uid)
        return "alice"

    names = UserNames(lookup)
    _wait_for(names, 7)

    assert {names.name(7) for _ in range(1000)} == {"alice"}
    assert asked == [7]


def test_an_unknown_user_is_asked_for_again_after_a_while() -> None:
    """The server may have been down, or the account may be new."""
    clock = Clock()
    answers: list[str | None] = [None, "late"]
    names = UserNames(lambda _uid: answers.pop(0), clock)
    _wait_unknown(names, 7)

    assert names.name(7) is None
    clock.pass_s(301)

    assert _wait_for(names, 7) == "late"


def test_a_known_name_outlives_a_server_that_fails() -> None:
    """An old name is better than none."""
    clock = Clock()
    answers: list[str | None] = ["alice", None]
    names = UserNames(lambda _uid: answers.pop(0), clock)
    _wait_for(names, 7)
    clock.pass_s(7 * 3600)

    assert names.name(7) == "alice"
    end_s = time.monotonic() + _GENEROUS_S
    while answers:
        assert time.monotonic() < end_s, "it was not asked for again"
        time.sleep(0.002)
    assert names.name(7) == "alice"


def test_names_are_not_kept_without_bound() -> None:
    """A node that has seen every user of a university is still small."""
    names = UserNames(lambda uid: f"user{uid}")

    for first in range(0, 4200, 200):
        for uid in range(first, first + 200):
            names.name(uid)
        for uid in range(first, first + 200):
            _wait_for(names, uid)

    assert len(names._known) == 4096
