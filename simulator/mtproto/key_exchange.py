"""The exchange by which a client and the server agree on a key, as far as Telethon 1.45 speaks it: the older RSA
padding (hash, data, random bytes) and permanent keys.
"""

from __future__ import annotations

import secrets
import struct
import time
from hashlib import sha1
from typing import Any

from telethon.crypto import AES, AuthKey, rsa
from telethon.errors import TypeNotFoundError
from telethon.extensions import BinaryReader
from telethon.helpers import generate_key_data_from_nonce
from telethon.tl import functions, types

from simulator.mtproto.framing import FramingError
from simulator.mtproto.server_key import ServerKey

GENERATOR = 3
# Telegram's own prime: clients know it, and would spend minutes on proving that another one is good.
PRIME_BYTES = bytes.fromhex(
    "c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f48198a0aa7c14058229493d22530f4dbfa336f6e0ac92513"
    "9543aed44cce7c3720fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f642477fe96bb2a941d5bcd1d4ac8cc4988"
    "0708fa9b378e3c4f3a9060bee67cf9a4a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754fd17ed950d5965b4"
    "b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f"
    "0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b"
)
PRIME = int.from_bytes(PRIME_BYTES, "big")
# The client has to factor the product of two of these: below 2^63, and of 24 bits, which its search always finds.
FACTORS = (16777259, 16777289, 16777291, 16777331, 16777333, 16777337, 16777381, 16777421)


class KeyExchange:
    """One exchange on one connection. Once `auth_key` is set, it is the key that both sides have."""

    def __init__(self, server_key: ServerKey) -> None:
        self.auth_key: AuthKey | None = None
        self._server_key = server_key
        self._nonce = self._server_nonce = self._new_nonce = 0
        self._secret = 0
        self._key_and_iv: tuple[bytes, bytes] = (b"", b"")

    def answer(self, request: Any) -> Any:
        """The answer to the next request. Raises FramingError for one that is out of turn or damaged."""
        if isinstance(request, (functions.ReqPqMultiRequest, functions.ReqPqRequest)):
            return self._begin(request)
        known = self._nonce, self._server_nonce
        if (getattr(request, "nonce", None), getattr(request, "server_nonce", None)) != known:
            raise FramingError("the nonces of the key exchange differ")
        if isinstance(request, functions.ReqDHParamsRequest):
            return self._offer(request)
        if isinstance(request, functions.SetClientDHParamsRequest):
            return self._conclude(request)
        raise FramingError(f"{type(request).__name__} in a key exchange")

    def _begin(self, request: Any) -> Any:
        self._nonce = request.nonce
        self._server_nonce = int.from_bytes(secrets.token_bytes(16), "little", signed=True)
        first, second = secrets.SystemRandom().sample(FACTORS, 2)
        product = rsa.get_byte_array(first * second)
        return types.ResPQ(self._nonce, self._server_nonce, product, [self._server_key.fingerprint])

    def _offer(self, request: Any) -> Any:
        try:
            inner = _verified(self._server_key.decrypt(request.encrypted_data))
        except ValueError as error:
            raise FramingError(str(error)) from None
        self._new_nonce = inner.new_nonce
        # Short on purpose: the power of a number of 2048 bits would cost 50 ms.
        self._secret = secrets.randbits(256)
        offered = bytes(
            types.ServerDHInnerData(
                self._nonce,
                self._server_nonce,
                GENERATOR,
                PRIME_BYTES,
                rsa.get_byte_array(pow(GENERATOR, self._secret, PRIME)),
                int(time.time()),
            )
        )
        self._key_and_iv = generate_key_data_from_nonce(self._server_nonce, self._new_nonce)
        digest = sha1(offered).digest()  # noqa: S324 - the protocol's
        encrypted = AES.encrypt_ige(digest + offered, *self._key_and_iv)
        return types.ServerDHParamsOk(self._nonce, self._server_nonce, encrypted)

    def _conclude(self, request: Any) -> Any:
        if not self._secret:
            raise FramingError("the key exchange ends before it began")
        inner = _verified(AES.decrypt_ige(request.encrypted_data, *self._key_and_iv))
        shared = pow(int.from_bytes(inner.g_b, "big"), self._secret, PRIME)
        # Telethon does not fill the key up to 256 bytes, so neither may this side: one in 256 begins with a zero.
        key = AuthKey(rsa.get_byte_array(shared))
        self.auth_key = key
        return types.DhGenOk(self._nonce, self._server_nonce, key.calc_new_nonce_hash(self._new_nonce, 1))


def _verified(plain: bytes) -> Any:
    """The object behind its hash."""
    try:
        with BinaryReader(plain[20:]) as reader:
            inner = reader.tgread_object()
            length = reader.tell_position()
    except (TypeNotFoundError, BufferError, EOFError, ValueError, struct.error) as error:
        raise FramingError(f"the key exchange holds no object: {type(error).__name__}") from None
    if sha1(plain[20 : 20 + length]).digest() != plain[:20]:  # noqa: S324 - the protocol's
        raise FramingError("the key exchange holds a wrong hash")
    return inner
