import math

import pytest
import torch
from typer.testing import CliRunner

from dlcourse.data.provenance import DataError
from dlcourse.recipes import char_gpt
from dlcourse.recipes.char_gpt import Windows, bits, held_out, nats, read, sample

CPU = torch.device("cpu")


def test_the_default_text_is_pythons_own_help():
    text = read(None)
    assert len(text) > 300_000 and "assert" in text


@pytest.mark.parametrize(
    "content, sentence",
    [
        (None, "can't be read: No such file"),
        (b"", "is empty: give a file with text in it"),
        (b"caf\xe9", r"isn't text in UTF-8 \(byte 3"),
    ],
)
def test_a_text_that_cannot_be_read_is_a_sentence(content, sentence, tmp_path):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read(path)
    result = CliRunner().invoke(char_gpt.app, ["--text", str(path)])
    assert result.exit_code == 1 and result.stderr.startswith("Error: ")


def test_the_last_tenth_is_held_out_and_a_short_text_refused(tmp_path):
    text = "".join(chr(65 + i % 26) for i in range(203))
    first, last = held_out(text, 10)
    assert first + last == text and len(last) == 20
    with pytest.raises(DataError, match="has 199 characters.*of 10 it needs at least 200"):
        held_out(text[:199], 10)
    (tmp_path / "short.txt").write_text("too short")
    options = ["--text", str(tmp_path / "short.txt"), "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(char_gpt.app, options)
    assert result.exit_code == 1 and "has 9 characters" in result.stderr


def test_windows_look_one_ahead_and_cover_the_text_once_an_epoch():
    tokens = torch.arange(103)
    loader = Windows(tokens, 10, 4, CPU, seed=3)
    starts = []
    for epoch in range(100):
        loader.start(epoch)
        batches = list(loader)
        assert len(batches) == len(loader) == 3
        x, y = (torch.cat(part) for part in zip(*batches, strict=True))
        assert x.shape == (9, 10) and torch.equal(y, x + 1)
        assert len(x.unique()) == 90
        starts.append(int(x.min()))
    assert set(starts) == set(range(10))


def test_windows_in_order_have_all_but_a_remainder():
    x, y = next(iter(Windows(torch.arange(101), 10, 64, CPU, shuffle=False)))
    assert torch.equal(x.flatten(), torch.arange(100)) and torch.equal(y, x + 1)


def test_an_epoch_goes_on_where_it_was_left():
    tokens = torch.arange(200)
    loader, again = (Windows(tokens, 8, 4, CPU, seed=1) for _ in range(2))
    loader.start(2)
    again.start(2, 3)
    whole, rest = list(loader), list(again)
    assert len(rest) == len(whole) - 3
    for (x, _), (z, _) in zip(whole[3:], rest, strict=True):
        assert torch.equal(x, z)
    loader.start(2, len(loader))
    assert list(loader) == []


def test_bits_are_nats_over_the_logarithm_of_two():
    logits, y = torch.zeros(2, 3, 8), torch.zeros(2, 3, dtype=torch.long)
    assert math.isclose(nats(logits, y), math.log(8), rel_tol=1e-6)
    assert math.isclose(bits(logits, y), 3, rel_tol=1e-6)


def test_a_sample_is_some_lines_and_the_same_for_the_same_seed():
    torch.manual_seed(0)
    model = char_gpt.GPT(char_gpt.GPTConfig(3, 8, 1, 1, 8))
    lines = sample(model, ["\n", "a", "b"], 1, 200)
    assert lines == sample(model, ["\n", "a", "b"], 1, 200)
    assert len(lines.splitlines()) <= char_gpt.LINES and set(lines) <= set("\nab")
    assert len(sample(model, ["a", "b", "c"], 1, 20)) == 20
