"""The lab, served to the person at this machine."""

import socket
import webbrowser
from pathlib import Path
from threading import Timer

import uvicorn

from mezzotint.errors import InputError
from mezzotint.lab.app import create
from mezzotint.lab.studio.folder import default
from mezzotint.pipeline.load import load

HOST = "127.0.0.1"


def serve(model: str | None, port: int, *, opens: bool, gallery: Path | None = None) -> None:
    """Serve the lab until Ctrl-C.

    Args:
        model: as ``mz.load`` takes it.
        port: of the loopback interface.
        opens: whether a browser is opened.
        gallery: the folder that the studio keeps pictures in; among the user's data by default.

    Raises:
        InputError: there is no such model, the gallery cannot be opened, or the port is taken.
    """
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((HOST, port))
        except OSError as error:
            raise InputError(f"port {port}: {error.strerror}; give another --port") from error
        pipe = load(model)
        app = create(lambda: pipe, gallery or default())
        address = f"http://{HOST}:{port}/"
        taken.listen()  # so that whoever reads the address is waited for, however soon they come
        print(f"The lab is at {address} until you press Ctrl-C.", flush=True)
        if opens:
            Timer(0.5, webbrowser.open, [address]).start()
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
        uvicorn.Server(config).run([taken])
