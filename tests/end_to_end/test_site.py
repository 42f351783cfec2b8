"""The documents' site: it builds without a warning, and holds what it should."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, as `make docs` builds it: a broken link or an undocumented name fails."""
    folder = tmp_path_factory.mktemp("site")
    command = ["-m", "sphinx", "--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"]
    places = ["--doctree-dir", folder / "doctrees", DOCS, folder / "html"]
    done = subprocess.run(
        [sys.executable, *command, *places], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "html"


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_asks_no_other_host(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img|link)\b[^>]*(?:src|href)="([^"]+)"', page.read_text())
        assert not [address for address in loaded if address.startswith(("http", "//"))], page


@pytest.mark.slow
def test_every_command_is_on_its_page(site):
    from typer.main import get_command

    from kakehashi.cli import app

    page = (site / "reference/command_line.html").read_text()
    for name in get_command(app).commands:
        assert f'id="kakehashi-{name}"' in page


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    ["", ".encoders", ".evaluation", ".pages", ".pairing"]
    + [f".integrations.{name}" for name in ("langchain", "llama_index")],
)
def test_every_public_name_has_its_place_in_the_reference(module, site):
    pages = "".join(page.read_text() for page in (site / "reference").glob("*.html"))
    for name in import_module(f"kakehashi{module}").__all__:
        places = {f'id="kakehashi{where}.{name}"' for where in (module, ".errors")}
        assert any(place in pages for place in places), f"kakehashi{module}.{name}"
