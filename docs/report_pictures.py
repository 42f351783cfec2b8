"""Draw images/report_*.png from the demo's folder: python docs/report_pictures.py kakehashi-demo.

The report of the demo's aligner on its test pairs, in Chromium: light, dark, in Japanese, and the
first two pages that it prints. Needs chromium, and pdftoppm of poppler.
"""

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image

import kakehashi
from kakehashi.demo.inputs import encoders
from kakehashi.pages import write_report

WIDTH, HEIGHT = 1000, 2260
DARK, LIGHT = 0, 1

demo = Path(sys.argv[1])
images = Path(__file__).with_name("images")
japanese, english = encoders()
aligner = kakehashi.Aligner.load(demo / "aligner")
aligner = replace(aligner, path=Path("kakehashi-demo/aligner")).with_encoders(
    source_encoder=japanese, target_encoder=english
)
train, test = (kakehashi.read_pairs(demo / f"{part}.jsonl") for part in ("train", "test"))


def browse(page: Path, *options: str) -> None:
    """Run Chromium over a page."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    subprocess.run([*command, *options, page.as_uri()], check=True, capture_output=True)


def keep(picture: Image.Image, name: str) -> None:
    """Save a picture with few colours: a page has no more."""
    picture.convert("RGB").quantize(96).save(images / f"report_{name}.png", optimize=True)


def shoot(page: Path, name: str, scheme: int) -> None:
    """Keep the top of a page in light or dark."""
    shot = page.with_name(f"{name}.png")
    scheme_option = f"--blink-settings=preferredColorScheme={scheme}"
    browse(page, scheme_option, f"--screenshot={shot}", f"--window-size={WIDTH},{HEIGHT}")
    keep(Image.open(shot), name)


with tempfile.TemporaryDirectory() as folder:
    cache = demo / "vectors.sqlite"
    pages = {
        language: write_report(
            aligner,
            test,
            Path(folder) / f"{language}.html",
            language=language,
            index=kakehashi.read_index(f"chroma:{demo}/chroma?collection=english_manual"),
            trained_on=train,
            embed_again=True,
            cache=cache,
        )
        for language in ("en", "ja")
    }
    shoot(pages["en"], "light", LIGHT)
    shoot(pages["en"], "dark", DARK)
    shoot(pages["ja"], "ja", LIGHT)
    printed = Path(folder) / "print.pdf"
    browse(pages["en"], "--no-pdf-header-footer", f"--print-to-pdf={printed}")
    subprocess.run(["pdftoppm", "-r", "80", "-png", "-l", "2", printed, f"{folder}/p"], check=True)
    sheets = [Image.open(path) for path in sorted(Path(folder).glob("p-*.png"))]
    width, height = sheets[0].size
    beside = Image.new("RGB", (2 * width + 20, height), "#9a9a96")
    for place, sheet in enumerate(sheets):
        beside.paste(sheet, (place * (width + 20), 0))
    keep(beside, "print")
