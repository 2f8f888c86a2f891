import math

import pytest
import torch
from torch import nn

from dlcourse.models.gpt import GPT, Block, GPTConfig, KVCache


def config(**options):
    small = {"vocab_size": 11, "context": 8, "num_layers": 2, "num_heads": 2, "hidden_size": 12}
    return GPTConfig(**(small | options))


def make(**options):
    torch.manual_seed(0)
    model = GPT(config(**options)).double()
    for p in model.parameters():  # larger than its first values, so that everything matters
        nn.init.normal_(p, std=0.3)
    return model.eval()


def tokens(*shape, vocab=11):
    return torch.randint(0, vocab, shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("length", [1, 2, 8])
def test_a_block_equals_torchs_encoder_layer(bias, length):
    block = make(bias=bias).blocks[0]
    oracle = nn.TransformerEncoderLayer(
        12, 2, 48, dropout=0.0, activation="gelu", batch_first=True, norm_first=True, bias=bias
    ).double()
    renamed = {}
    for name, value in block.state_dict().items():
        name = name.replace("attention.in_proj.", "self_attn.in_proj_")
        renamed[name.replace("attention.out_proj", "self_attn.out_proj")] = value
    oracle.load_state_dict(renamed)
    x = torch.randn(3, length, 12, dtype=torch.float64)
    mask = nn.Transformer.generate_square_subsequent_mask(length, dtype=torch.float64)
    expected = oracle(x, src_mask=mask, is_causal=True)
    torch.testing.assert_close(block(x), expected, rtol=1e-12, atol=1e-12)


def test_the_whole_model_is_embeddings_blocks_norm_and_head():
    model, t = make(), tokens(2, 5)
    x = model.token_embedding(t) + model.position_embedding.weight[:5]
    for block in model.blocks:
        x = block(x)
    expected = model.norm(x) @ model.token_embedding.weight.T
    torch.testing.assert_close(model(t), expected, rtol=1e-12, atol=1e-12)


def test_future_tokens_cannot_change_the_past():
    model, t = make(), tokens(2, 8)
    before = model(t)
    for place in range(8):
        changed = t.clone()
        changed[:, place] = (t[:, place] + 1) % 11
        after = model(changed)
        assert torch.equal(after[:, :place], before[:, :place])
        assert not torch.equal(after[:, place], before[:, place])


def test_the_past_is_looked_at():
    model, t = make(), tokens(1, 8)
    changed = t.clone()
    changed[:, 0] = (t[:, 0] + 1) % 11
    assert not torch.allclose(model(changed)[:, -1], model(t)[:, -1])


@pytest.mark.parametrize("tie", [True, False])
def test_number_of_parameters(tie):
    model = GPT(config(tie_weights=tie))
    c, v, t, layers = 12, 11, 8, 2
    expected = v * c + t * c + layers * (12 * c * c + 13 * c) + 2 * c + (0 if tie else v * c)
    assert sum(p.numel() for p in model.parameters()) == expected


def test_gpt2_small_has_its_published_number_of_parameters():
    with torch.device("meta"):
        model = GPT(GPTConfig(50257, 1024, num_layers=12, num_heads=12, hidden_size=768))
    assert sum(p.numel() for p in model.parameters()) == 124_439_808  # Radford et al.'s 124M


def test_first_values():
    torch.manual_seed(0)
    model = GPT(GPTConfig(500, 64, num_layers=8, num_heads=2, hidden_size=64))
    block = model.blocks[0]
    assert block.linear1.weight.std().item() == pytest.approx(0.02, rel=0.05)
    for ends_branch in (block.linear2, block.attention.out_proj):
        assert ends_branch.weight.std().item() == pytest.approx(0.02 / math.sqrt(16), rel=0.05)
    assert model.token_embedding.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not block.linear1.bias.any() and (block.norm1.weight == 1).all()
    t = tokens(4, 32, vocab=500)
    loss = nn.functional.cross_entropy(model(t).flatten(0, 1), t.roll(1).flatten())
    assert loss.item() == pytest.approx(math.log(500), rel=0.02)  # knows nothing yet


@pytest.mark.parametrize("part", ["attention", "branch", "embedding"])
def test_dropout_is_on_while_training_only(part):
    torch.manual_seed(0)
    block = Block(config(dropout=0.5))
    module = {"attention": block.attention, "branch": block, "embedding": make(dropout=0.5)}[part]
    x = tokens(2, 8) if part == "embedding" else torch.randn(2, 8, 12)
    module.train()
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))


def test_one_batch_overfits():
    torch.manual_seed(0)
    model, t = GPT(config()), tokens(2, 9)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(120):
        loss = nn.functional.cross_entropy(model(t[:, :-1]).flatten(0, 1), t[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_generation_appends_what_is_likeliest_and_looks_back_over_its_context_only():
    model = make()
    t = tokens(2, 3)
    longer = model.generate(t, 10, temperature=0)
    assert longer.shape == (2, 13) and torch.equal(longer[:, :3], t)
    for end in range(3, 13):
        expected = model(longer[:, max(0, end - 8) : end])[:, -1].argmax(-1)
        assert torch.equal(longer[:, end], expected)


def test_generation_repeats_with_its_generator_and_follows_the_probabilities():
    model, start = make(), torch.zeros(4000, 1, dtype=torch.long)
    seeds = [torch.Generator().manual_seed(s) for s in (3, 3)]
    first, second = (model.generate(start, 1, temperature=2.0, generator=g) for g in seeds)
    assert torch.equal(first, second)
    expected = torch.softmax(model(start[:1])[0, -1] / 2.0, -1)
    found = torch.bincount(first[:, 1], minlength=11) / 4000
    assert (found - expected).abs().max() < 0.04  # five standard deviations


def test_bad_input_is_refused():
    model = make()
    with pytest.raises(ValueError, match=r"up to 8, not \(1, 9\)"):
        model(tokens(1, 9))
    with pytest.raises(ValueError, match="a token to start from"):
        model.generate(tokens(2, 0), 1)
    with pytest.raises(ValueError, match="temperature is at least 0"):
        model.generate(tokens(2, 1), 1, temperature=-1)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"hidden_size": 10, "num_heads": 4}, "4 heads can't share 10"),
        ({"context": 0}, "context is at least 1"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_contradictions_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        config(**options)


def test_with_a_cache_the_logits_are_those_without():
    model, text = make(context=12, num_layers=3), tokens(3, 12)
    whole = model(text)
    for steps in ([1] * 12, [5, 1, 4, 2], [12]):
        cache, found, at = KVCache(model.config, 3, like=model.head.weight), [], 0
        for step in steps:
            found.append(model(text[:, at : at + step], cache))
            at += step
        torch.testing.assert_close(torch.cat(found, 1), whole, rtol=0, atol=1e-12)
        assert cache.length == 12
    with pytest.raises(ValueError, match=r"up to 12, not \(3, 1\) behind 12 in the cache"):
        model(text[:, :1], cache)
    with pytest.raises(ValueError, match="for 3 sequences, not for 1"):
        model(text[:1], KVCache(model.config, 3, like=model.head.weight))


def test_what_is_written_does_not_depend_on_the_cache_nor_on_its_end():
    model, text = make(context=6), tokens(2, 3)
    written = model.generate(text, 9, temperature=0)
    for _ in range(9):
        text = torch.cat([text, model(text[:, -6:])[:, -1].argmax(-1, keepdim=True)], 1)
    assert torch.equal(written, text)
