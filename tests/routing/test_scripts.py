"""script_of(): the script of most letters."""

import pytest

from kakehashi.routing.scripts import script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("回路図の配線", "Han"),
        ("プロット設定", "Katakana"),
        ("ファイルを開いてください", "Hiragana"),
        ("KiCad の GUI", "Latin"),
        ("Ωμέγα", "Greek"),
        ("12-34 !?", None),
        ("", None),
    ],
)
def test_a_text_has_the_script_of_most_letters(text, script):
    assert script_of(text) == script
