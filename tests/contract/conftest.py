"""The server of Chroma that the contract tests of both searches ask."""

import pytest
from support import vector_stores


@pytest.fixture(scope="session")
def chroma_server(tmp_path_factory):
    """Return what starts a server once, and only where a test asks for it."""
    running = []

    def client():
        if not running:
            context = vector_stores.chroma_server(tmp_path_factory.mktemp("server"))
            running.extend([context, context.__enter__()])
        return running[1]

    yield client
    if running:
        running[0].__exit__(None, None, None)
