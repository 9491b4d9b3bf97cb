"""A machine without a network, for tests and for the processes that they start."""

import socket

import pytest


def block(patch: pytest.MonkeyPatch) -> None:
    """Let every connection but loopback's fail."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a connection to {address} was tried")
        connect(self, address)

    patch.setattr(socket.socket, "connect", guarded)
