import asyncio
import base64
from pathlib import Path

import bcrypt
import pytest

from exporter.core.errors import ConfigError
from exporter.exposition.auth import Passwords, WebGuard, unknown_hash
from exporter.exposition.http import create_app
from exporter.exposition.web_config import WebConfig, load_web_config
from tests.fakes.asgi import Asker
from tests.fakes.snapshots import FakeReader, rich_snapshot

# The lowest cost there is: a test needs no protection from guessing.
COST = 4


def hashed(password: bytes, prefix: bytes = b"2b") -> str:
    """Hash a password, cheaply."""
    return bcrypt.hashpw(password, bcrypt.gensalt(COST, prefix)).decode()


def users_file(folder: Path, **users: str) -> Path:
    """Write a web configuration with these users and their hashes."""
    path = folder / "web.yml"
    lines = [f"  {name}: {stored}\n" for name, stored in users.items()]
    path.write_text("basic_auth_users:\n" + "".join(lines), encoding="utf-8")
    return path


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header that says who asks."""
    said = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {said}"}


class Guarded:
    """A node behind a web configuration."""

    def __init__(self, path: Path) -> None:
        self.config: WebConfig = load_web_config(path)
        app = create_app(FakeReader(rich_snapshot()), version="1.2.3")
        self._guard = WebGuard(app, self.config)
        self.client = Asker(self._guard)

    def status(self, path: str, headers: dict[str, str] | None = None) -> int:
        """Ask, and return the status alone."""
        code = self.client.get(path, headers).status_code
        self._guard.close()
        return code


@pytest.mark.parametrize(
    "path", ["/", "/metrics", "/healthz", "/readyz", "/api/v1/node", "/nope"]
)
def test_every_path_asks_who_it_is(tmp_path: Path, path: str) -> None:
    """As Prometheus' own exporters do, health included."""
    node = Guarded(users_file(tmp_path, ada=hashed(b"secret")))

    answer = node.client.get(path)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert node.status(path, basic("ada", "secret")) != 401


@pytest.mark.parametrize(
    "headers",
    [
        basic("ada", "wrong"),
        basic("ada", ""),
        basic("nobody", "secret"),
        basic("", "secret"),
        basic("ada", "sec\0ret"),
        {"authorization": "Bearer abc"},
        {"authorization": "Basic"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"authorization": "Basic " + base64.b64encode(b"\xff\xfe:secret").decode()},
    ],
)
def test_who_is_not_known_stays_out(tmp_path: Path, headers: dict[str, str]) -> None:
    """Whatever is wrong, the answer is the same."""
    node = Guarded(users_file(tmp_path, ada=hashed(b"secret")))

    for _ in range(2):
        assert node.status("/metrics", headers) == 401


@pytest.mark.parametrize("prefix", [b"2a", b"2b"])
@pytest.mark.parametrize(
    "password", ["secret", "a:b", "pässwörd", "x" * 72, "x" * 72 + "beyond"]
)
def test_who_is_known_comes_in(tmp_path: Path, password: str, prefix: bytes) -> None:
    """The hash covers 72 bytes, and so do the other exporters."""
    stored = hashed(password.encode()[:72], prefix)
    node = Guarded(users_file(tmp_path, ada=stored))

    for _ in range(2):
        assert node.status("/metrics", basic("ada", password)) == 200


def test_hashes_of_htpasswd_are_understood(tmp_path: Path) -> None:
    """Its prefix is 2y; that is what everybody makes them with."""
    stored = hashed(b"secret").replace("$2b$", "$2y$")
    node = Guarded(users_file(tmp_path, ada=stored))

    assert node.status("/metrics", basic("ada", "secret")) == 200


def test_users_change_on_reload(tmp_path: Path) -> None:
    """What was remembered of a password must not outlive it."""
    node = Guarded(users_file(tmp_path, ada=hashed(b"old"), grace=hashed(b"hers")))
    assert node.status("/metrics", basic("ada", "old")) == 200
    assert node.status("/metrics", basic("ada", "new")) == 401

    users_file(tmp_path, ada=hashed(b"new"))
    node.config.reload()

    assert node.status("/metrics", basic("ada", "old")) == 401
    assert node.status("/metrics", basic("ada", "new")) == 200
    assert node.status("/metrics", basic("grace", "hers")) == 401


def test_a_reload_that_fails_leaves_the_users_as_they_were(tmp_path: Path) -> None:
    """A typing error must not open the door, nor lock it."""
    path = users_file(tmp_path, ada=hashed(b"secret"))
    node = Guarded(path)

    path.write_text("basic_auth_users:\n  ada: plain\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        node.config.reload()

    assert node.status("/metrics", basic("ada", "secret")) == 200
    assert node.status("/metrics") == 401


def test_without_users_nobody_is_asked(tmp_path: Path) -> None:
    """A file may be there for its headers alone."""
    path = tmp_path / "web.yml"
    path.write_text(
        "http_server_config:\n"
        "  headers:\n"
        "    X-Frame-Options: sameorigin\n"
        "    Strict-Transport-Security: max-age=60\n",
        encoding="utf-8",
    )
    node = Guarded(path)

    page = node.client.get("/").headers
    metrics = node.client.get("/metrics").headers

    assert page["x-frame-options"] == "sameorigin"
    assert page["x-content-type-options"] == "nosniff"
    assert metrics["strict-transport-security"] == "max-age=60"


def test_guesses_wait_in_a_short_queue_and_do_not_push_out_who_is_right() -> None:
    """A flood of guesses may cost one thread, and nobody else's access."""
    users = {"ada": hashed(b"secret")}
    passwords = Passwords()

    async def flood() -> list[bool | None]:
        assert await passwords.check(users, "ada", b"secret")
        guesses = [
            passwords.check(users, "ada", str(number).encode()) for number in range(200)
        ]
        answers = await asyncio.gather(*guesses)
        for number in range(200, 300):
            await passwords.check(users, "ada", str(number).encode())
        assert await passwords.check(users, "ada", b"secret")
        return answers

    try:
        answers = asyncio.run(flood())
    finally:
        passwords.close()

    assert answers.count(None) == 200 - 16
    assert answers.count(False) == 16


def test_too_many_logins_at_once_are_told_to_come_back(tmp_path: Path) -> None:
    """Unlike a wrong password, this passes."""
    node = Guarded(users_file(tmp_path, ada=hashed(b"secret")))
    app = WebGuard(
        create_app(FakeReader(rich_snapshot()), version="1.2.3"), node.config
    )
    statuses: list[int] = []

    async def ask(number: int) -> None:
        said = base64.b64encode(f"ada:{number}".encode())
        scope = {"headers": [(b"authorization", b"Basic " + said)]}

        async def send(message: dict[str, int]) -> None:
            if "status" in message:
                statuses.append(message["status"])

        async def receive() -> dict[str, int]:
            return {}

        await app(scope, receive, send)  # type: ignore[arg-type]

    async def flood() -> None:
        await asyncio.gather(*(ask(number) for number in range(20)))

    asyncio.run(flood())
    app.close()

    assert sorted(statuses) == [401] * 16 + [503] * 4


def test_an_unknown_user_costs_as_much_as_the_costliest_known_one() -> None:
    """Else the time of the answer would tell which names exist."""
    made_up = unknown_hash({"ada": hashed(b"x"), "grace": "$2y$11$" + "a" * 53})

    assert made_up.startswith("$2b$11$")
    assert not bcrypt.checkpw(b"anything", made_up.replace("$11$", "$04$").encode())
