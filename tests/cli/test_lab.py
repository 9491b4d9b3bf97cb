"""`mezzotint lab`: it is served on this machine alone, until Ctrl-C."""

import signal
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from mezzotint.errors import InputError
from mezzotint.lab.serve import HOST, serve

COMMAND = [sys.executable, "-c", "from mezzotint.cli import main; main()", "lab", "--no-browser"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def test_a_port_that_is_taken_is_said():
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port}: .* give another --port"):
            serve(None, port, opens=False)


def test_a_model_that_is_not_there_is_said_at_once():
    with pytest.raises(InputError, match=r"nowhere\.xyz"):
        serve("nowhere.xyz", free_port(), opens=False)


def test_it_serves_until_it_is_stopped(tmp_path):
    port, gallery = free_port(), tmp_path / "gallery"
    with subprocess.Popen(
        [*COMMAND, "--port", str(port), "--gallery", str(gallery)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as lab:
        assert lab.stdout is not None
        assert lab.stderr is not None
        try:
            said = lab.stdout.readline()
            assert f"http://127.0.0.1:{port}/" in said, lab.stderr.read()
            page = b""
            while not page:
                try:
                    page = urlopen(f"http://127.0.0.1:{port}/", timeout=10).read()
                except URLError:
                    time.sleep(0.05)
            assert b"From noise to a picture" in page
            assert (gallery / "gallery.sqlite").is_file()
            with socket.socket() as outside:
                outside.bind(("127.0.0.2", port))  # free on this machine's other addresses
        finally:
            lab.send_signal(signal.SIGINT)
        assert lab.wait(timeout=30) in (0, 130)
        assert "Traceback" not in lab.stderr.read()
