"""Hashes for strangers, and guesses that would lock the right person out."""

from __future__ import annotations

from benchmarks.attacks import OTHER_EMAIL, PASSWORD, Attack, Target

_NETWORKS = tuple(f"127.0.0.{number}" for number in range(2, 34))


def _resets(target: Target) -> None:
    """32 callers at a time set new passwords with tokens that nobody gave them."""
    body = {"token": "x" * 43, "password": "a new and long password"}
    target.at_once([lambda: _repeat(target, "/api/auth/password-reset/confirm", body)] * 32)


def _logins(target: Target) -> None:
    """32 callers at a time, each from a network of its own, sign in as people who do not exist."""
    target.at_once(
        [
            lambda number=number, network=network: _repeat(
                target, "/api/auth/login", {"email": f"n{number}@example.com", "password": "wrong wrong"}, network
            )
            for number, network in enumerate(_NETWORKS)
        ]
    )


def _registrations(target: Target) -> None:
    """32 callers at a time, each from a network of its own, register."""
    rounds = 1 if target.quick else 4

    def register(number: int, network: str) -> None:
        for turn in range(rounds):
            email = f"r{number}-{turn}@example.net"
            body = {"email": email, "password": PASSWORD, "name": "R", "workspace": "R"}
            target.ask("POST", "/api/auth/register", body, anonymous=True, network=network)

    target.at_once(
        [lambda number=number, address=address: register(number, address) for number, address in enumerate(_NETWORKS)]
    )


def _lock_out(target: Target) -> None:
    """Wrong passwords for somebody from 33 networks, theirs among them; then they sign in."""
    wrong = {"email": OTHER_EMAIL, "password": "wrong wrong wrong"}
    target.at_once(
        [
            lambda network=network: _repeat(target, "/api/auth/login", wrong, network, times=12)
            for network in (*_NETWORKS, "127.0.0.1")
        ]
    )
    right = {"email": OTHER_EMAIL, "password": PASSWORD}
    answer = target.ask("POST", "/api/auth/login", right, token=target.others, patience=5)
    if "access_token" not in answer:
        target.wrong.append(f"the right person: {answer}")


def _repeat(target: Target, path: str, body: dict[str, str], network: str = "127.0.0.1", times: int = 0) -> None:
    for _ in range(times or (2 if target.quick else 10)):
        target.ask("POST", path, body, anonymous=True, network=network)


ATTACKS = (
    Attack("32 callers with unknown reset tokens", _resets),
    Attack("32 callers sign in as nobody", _logins),
    Attack("32 callers register", _registrations),
    Attack("wrong passwords for another from 33 networks", _lock_out),
)
