"""What is said after Ctrl-C, in the chosen language; the exit code is that of a stopped command."""

import pytest
import typer

from kakehashi.cli.saving import saying_what_is_kept, when_stopped
from kakehashi.language import use_language


@pytest.mark.parametrize(("language", "said"), [("en", "stopped. The old"), ("ja", "中断しました")])
def test_a_stopped_command_says_what_is_there(language, said, capsys):
    sentence = "stopped. The old index is as it was; the same command goes on from here."
    exits = pytest.raises(typer.Exit)
    with use_language(language), exits as stopped, when_stopped(lambda _: sentence):
        raise KeyboardInterrupt
    assert stopped.value.exit_code == 130
    assert capsys.readouterr().err.startswith(said)


def test_a_stopped_fit_is_told_in_japanese(tmp_path, capsys):
    exits = pytest.raises(typer.Exit)
    with use_language("ja"), exits, saying_what_is_kept(tmp_path / "out", None):
        raise KeyboardInterrupt
    said = capsys.readouterr().err
    assert said.startswith("中断しました。")
    assert "--cache FILE" in said
    assert "was not" not in said
