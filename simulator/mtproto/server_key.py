"""The server's RSA key: a client encrypts the beginning of the key exchange with it, and knows its public half."""

from __future__ import annotations

from hashlib import sha1

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from telethon.crypto.rsa import get_byte_array
from telethon.tl import TLObject

BITS = 2048
BLOCK = 255


class ServerKey:
    """An RSA key of 2048 bits. `fingerprint` is how the exchange names it, signed 64 bits."""

    def __init__(self, private_pem: bytes | None = None) -> None:
        """`private_pem`: a saved key in PKCS#1; a new one is made without it. Raises ValueError for another kind."""
        if private_pem is None:
            key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
        else:
            loaded = serialization.load_pem_private_key(private_pem, None)
            if not isinstance(loaded, rsa.RSAPrivateKey) or loaded.key_size != BITS:
                raise ValueError("the saved key is not RSA of 2048 bits")
            key = loaded
        self._key = key
        numbers = key.private_numbers()
        self._modulus = numbers.public_numbers.n
        self._exponent = numbers.d
        public = numbers.public_numbers
        parts = TLObject.serialize_bytes(get_byte_array(public.n)) + TLObject.serialize_bytes(get_byte_array(public.e))
        self.fingerprint = int.from_bytes(sha1(parts).digest()[-8:], "little", signed=True)  # noqa: S324 - the protocol's

    @property
    def private_pem(self) -> bytes:
        """The whole key, to be saved."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )

    @property
    def public_pem(self) -> str:
        """The public half in PKCS#1, as Telethon's `rsa.add_key(pem, old=False)` takes it."""
        public = self._key.public_key()
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1).decode()

    def decrypt(self, encrypted: bytes) -> bytes:
        """255 bytes of plain text: hash, data and padding, without a padding scheme. Raises ValueError when the block
        is none of this key's.
        """
        number = int.from_bytes(encrypted, "big")
        if number >= self._modulus:
            raise ValueError("the block is not encrypted with this key")
        plain = pow(number, self._exponent, self._modulus)
        if plain.bit_length() > BLOCK * 8:
            raise ValueError("the block is not encrypted with this key")
        return plain.to_bytes(BLOCK, "big")
