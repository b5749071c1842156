"""The second step of a login: the password is proven without being sent (SRP, as Telethon computes it)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from telethon import password as srp
from telethon.tl import functions, types

from simulator.accounts.errors import Refusal
from simulator.accounts.model import Account
from simulator.mtproto.key_exchange import GENERATOR, PRIME, PRIME_BYTES
from simulator.mtproto.methods.login import enter
from simulator.mtproto.methods.registry import method

if TYPE_CHECKING:
    from simulator.mtproto.calls import Call
    from simulator.mtproto.server import Server

SALTS = (b"simulated salt 1", b"simulated salt 2")
ALGORITHM = types.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(*SALTS, GENERATOR, PRIME_BYTES)


@dataclass(slots=True)
class Proof:
    """A proof that was begun: the verifier, this side's secret and public number."""

    id: int
    verifier: int
    secret: int
    public: int


_begun: WeakKeyDictionary[Server, dict[int, Proof]] = WeakKeyDictionary()


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def begin(account: Account) -> Proof:
    """A proof of the account's password."""
    verifier = _number(srp.compute_digest(ALGORITHM, account.password))
    secret = secrets.randbits(256)
    prime, generator = srp.num_bytes_for_hash(PRIME_BYTES), srp.big_num_for_hash(GENERATOR)
    multiplier = _number(srp.sha256(prime, generator))
    public = (multiplier * verifier + pow(GENERATOR, secret, PRIME)) % PRIME
    return Proof(secrets.randbits(62), verifier, secret, public)


def is_proven(proof: Proof, given: Any) -> bool:
    """Whether the client knows the password."""
    client = _number(given.A)
    if not 0 < client < PRIME:
        return False
    client_bytes, own_bytes = client.to_bytes(256, "big"), proof.public.to_bytes(256, "big")
    scramble = _number(srp.sha256(client_bytes, own_bytes))
    shared = pow(client * pow(proof.verifier, scramble, PRIME), proof.secret, PRIME)
    prime, generator = srp.num_bytes_for_hash(PRIME_BYTES), srp.big_num_for_hash(GENERATOR)
    expected = srp.sha256(
        srp.xor(srp.sha256(prime), srp.sha256(generator)),
        srp.sha256(SALTS[0]),
        srp.sha256(SALTS[1]),
        client_bytes,
        own_bytes,
        srp.sha256(srp.big_num_for_hash(shared)),
    )
    return secrets.compare_digest(expected, given.M1)


def _whose(call: Call) -> Account:
    if call.account is not None:
        return call.account
    if not call.key.awaiting_password:
        raise Refusal(401, "AUTH_KEY_UNREGISTERED")
    return call.directory.account(call.key.awaiting_password)


@method(functions.account.GetPasswordRequest, login=False)
def get_password(call: Call, request: Any) -> Any:
    """Whether there is a password, and the beginning of a proof."""
    account = _whose(call)
    values: dict[str, Any] = {
        "new_algo": types.PasswordKdfAlgoUnknown(),
        "new_secure_algo": types.SecurePasswordKdfAlgoUnknown(),
        "secure_random": secrets.token_bytes(32),
    }
    if account.password:
        proof = begin(account)
        _begun.setdefault(call.server, {})[call.key.id] = proof
        values |= {
            "has_password": True,
            "current_algo": ALGORITHM,
            "srp_B": proof.public.to_bytes(256, "big"),
            "srp_id": proof.id,
            "hint": account.hint or None,
        }
    return types.account.Password(**values)


@method(functions.auth.CheckPasswordRequest, login=False)
def check_password(call: Call, request: Any) -> Any:
    """Log in with the password. A proof is good for one try."""
    account = _whose(call)
    call.more["phone"] = account.phone
    if isinstance(request.password, types.InputCheckPasswordEmpty):
        raise Refusal(400, "PASSWORD_HASH_INVALID")
    proof = _begun.get(call.server, {}).pop(call.key.id, None)
    if proof is None or proof.id != request.password.srp_id:
        raise Refusal(400, "SRP_ID_INVALID")
    if not is_proven(proof, request.password):
        raise Refusal(400, "PASSWORD_HASH_INVALID")
    return enter(call, account)
