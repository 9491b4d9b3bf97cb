"""The lab as it is served, with the tiny model."""

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from mezzotint.lab.app import create
from mezzotint.pipeline.pipeline import Pipeline


@pytest.fixture(scope="module")
def address(tiny_model) -> Iterator[str]:
    config = uvicorn.Config(
        create(lambda: Pipeline(tiny_model, "tiny")), port=0, log_level="warning"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
