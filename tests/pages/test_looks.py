"""What a reader sees: contrast in light, dark and print, and the page in a browser."""

import re
import shutil
import subprocess
from importlib.resources import files

import pytest

from kakehashi.pages import write_report

STYLE = (files("kakehashi.pages") / "template" / "report.css").read_text(encoding="utf-8")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


def schemes():
    """Return the colours of each scheme by name; dark and print change those of light."""
    blocks = re.findall(r":root \{([^}]*)\}", STYLE)
    light, dark, paper = (dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block)) for block in blocks)
    return {"light": light, "dark": light | dark, "print": light | paper}


def luminance(colour):
    """Return the relative luminance of WCAG 2.2."""
    short = len(colour) == 4
    parts = [colour[i] * 2 if short else colour[2 * i - 1 : 2 * i + 1] for i in (1, 2, 3)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
              for v in (int(part, 16) / 255 for part in parts)]  # fmt: skip
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_texts_and_marks_can_be_told_from_the_page(scheme):
    colours = schemes()[scheme]
    for text in ("ink", "faint", "accent"):
        assert contrast(colours[text], colours["page"]) >= 4.5, text
    assert contrast(colours["ink"], colours["paper"]) >= 4.5
    assert contrast(colours["second"], colours["page"]) >= 3


def test_the_measure_of_contrast_is_that_of_wcag():
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.fixture(scope="module")
def page(aligner, tmp_path_factory):
    return write_report(aligner, None, tmp_path_factory.mktemp("page") / "report.html")


def browse(page, *options):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={page.parent / 'profile'}", "--enable-logging=stderr", *options]
    done = subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_shows_the_page_in_both_schemes_and_prints_it(page):
    from PIL import Image

    corners = []
    for scheme in (0, 1):  # dark, light
        shot = page.with_name(f"{scheme}.png")
        scheme_option = f"--blink-settings=preferredColorScheme={scheme}"
        window = (f"--screenshot={shot}", "--window-size=390,900")
        assert browse(page, scheme_option, *window) == []
        picture = Image.open(shot).convert("L")
        corners.append(picture.getpixel((2, 2)))
        assert picture.getextrema()[1] - picture.getextrema()[0] > 180  # there is text
        assert len(set(picture.crop((380, 0, 390, 900)).getdata())) == 1  # nothing is cut off
    assert corners[0] < 64
    assert corners[1] > 192
    assert browse(page, f"--print-to-pdf={page.with_suffix('.pdf')}") == []
    assert page.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_page_forbids_what_would_load_or_run(page, tmp_path):
    forged = tmp_path / "forged.html"
    added = '<img src="http://127.0.0.1:9/x.png"><script>document.title = "run"</script></main>'
    forged.write_text(page.read_text(encoding="utf-8").replace("</main>", added), encoding="utf-8")
    messages = browse(forged, "--dump-dom")
    assert sum("Content Security Policy" in message for message in messages) == 2, messages
