# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # GPT: exercises
#
# You learn a vocabulary from bytes, cut a text with it and mend the way back, write the loss of a
# language model, decide what may be drawn, and generate without doing anything twice. Everything is
# plain Python and NumPy, a few lines each. Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** The tokens 0 to 255 are the bytes of a text in UTF-8; a merge is a
# pair of tokens, and merge k of a list, counted from 0, makes the token 256 + k. This sheet cuts no
# text into words first: a space is a byte like any other. Pairs are compared as Python compares
# tuples: by the first token, then by the second. A batch of tokens is `(N, T)`, its logits
# `(N, T, V)`: rows, places, vocabulary. A loss is in nats. Return new arrays and lists, and don't
# change those that you are given. Loops are welcome.

# %% [markdown] role="statement" grade_id="bpe_train"
# ## Learn which bytes belong together
#
# Byte-pair encoding begins with the bytes of a text. Then, again and again, it joins the two tokens
# that stand next to each other most often, at all places, into a new token. Write
# `bpe_train(text, count)`. Return the list of the pairs, in the order in which they were joined.
#
# - Count *all* places, those that overlap, too: `aaaa` holds the pair `aa` three times. But join
#   from the left: three equal tokens become the new one, and one of the old.
# - Of pairs that are equally frequent, join the smallest.
# - End after `count` merges, or sooner, when no pair stands at two places or more. A text may be
#   empty.
#
# For example, `bpe_train("abcabcab", 2)` returns `[(97, 98), (99, 256)]`: a is 97, b is 98 and c is
# 99. After the first merge the text is 256, 99, 256, 99, 256. Two pairs stand twice in it, and
# (99, 256) is smaller than (256, 99).
#
# <details><summary>Hint: how do I get the bytes?</summary>
#
# `list("é".encode())` is `[195, 169]`. UTF-8 is what `encode` does unless you say otherwise.
#
# </details>
#
# <details><summary>Hint: and the pairs?</summary>
#
# `zip(tokens, tokens[1:])` pairs each token with the next one.
#
# </details>
#
# <details><summary>Hint: how do I join from the left?</summary>
#
# Walk through the tokens with a place `i` and a new list. By how much does `i` grow where the pair
# stands, and by how much where it doesn't?
#
# </details>


# %% role="solution" grade_id="bpe_train"
def bpe_train(text, count):
    """The pairs that are joined, at most ``count``, in their order."""
    ### BEGIN SOLUTION
    tokens, merges = list(text.encode()), []
    while len(merges) < count:
        counts = {}
        for pair in zip(tokens, tokens[1:], strict=False):
            counts[pair] = counts.get(pair, 0) + 1
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges
    ### END SOLUTION


# %% role="check" grade_id="bpe_train"
check("bpe_train", bpe_train)

# %% [markdown]
# What is worth a token of its own? It depends on what is read. Spaces are shown as `_`.

# %%
prose = "the cat sat on the mat, and the dog sat by the cat that sat on the other mat. " * 2
code = "for i in range(n):\n    for j in range(m):\n        total += cost[i][j]\n" * 2
for name, text in (("prose", prose), ("code", code)):
    words = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(bpe_train(text, 12), 256):
        words[new] = words[a] + words[b]
    print(name, [words[new].decode().replace(" ", "_") for new in range(256, len(words))])

# %% [markdown] role="statement" grade_id="bpe_encode"
# ## A text in the tokens that were learned
#
# Write `bpe_encode(text, merges)`. `merges` is a list as the last exercise returns it, but perhaps
# learned from another text. Begin with the bytes, and apply the merges *in the order in which they
# were learned*: each one over the whole text, at all places, from the left, before the next one
# begins. Return the tokens, a list or an array of whole numbers. Any text has tokens: emoji, an
# empty one, letters that no merge has seen.
#
# For example, with `merges = [(98, 99), (97, 98)]` the text `"abc"` becomes `[97, 256]`: b and c
# are joined before a and b have their turn.
#
# <details><summary>Hint: which tokens does a merge make?</summary>
#
# Merge k, counted from 0, makes 256 + k. `enumerate` can begin to count where you like.
#
# </details>


# %% role="solution" grade_id="bpe_encode"
def bpe_encode(text, merges):
    """The tokens of the text."""
    ### BEGIN SOLUTION
    tokens = list(text.encode())
    for new, pair in enumerate(merges, 256):
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == tuple(pair)
            joined.append(new if both else tokens[i])
            i += 1 + both
        tokens = joined
    return tokens
    ### END SOLUTION


# %% role="check" grade_id="bpe_encode"
check("bpe_encode", bpe_encode)

# %% [markdown]
# Merges learned from English prose, on four texts. Which one needs the most for a character?

# %%
merges = bpe_train(prose, 40)
for text in ("the dog sat on the mat", "der Hund saß auf der Matte", "собака сидела", "🐕 → 🧺"):
    tokens = bpe_encode(text, merges)
    print(f"{len(tokens) / len(text):.2f} tokens a character: {text}")

# %% [markdown] role="statement" grade_id="bpe_decode"
# ## Find the faults: half of a letter
#
# The way back: a token is the bytes that it was joined from, and a text is the bytes of all its
# tokens, read as UTF-8. A model can generate any tokens, and their bytes needn't be UTF-8. What
# can't be read becomes the character U+FFFD, "�", as with `bytes.decode(errors="replace")`.
#
# The cell below is a colleague's. On its example it is right. It has *two* faults. Write the mended
# function as `bpe_decode(tokens, merges)`, for an array of tokens `(T,)` and a list of merges. It
# returns a string.
#
# For example, `tokens = [97, 195, 169]` without any merges are `"aé"`, and `[97, 195]` are `"a�"`.
#
# <details><summary>Hint: how do I find the faults?</summary>
#
# Try the example above. Then merges of which the first is the larger pair.
#
# </details>


# %% role="given" grade_id="colleagues_decode"
def colleagues_decode(tokens, merges):
    """The text of the tokens. Something is wrong, twice."""
    words = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(sorted(merges), 256):
        words[new] = words[a] + words[b]
    return "".join(words[int(token)].decode(errors="replace") for token in tokens)


print(colleagues_decode(np.array([256, 32, 257]), [(97, 98), (256, 99)]))


# %% role="solution" grade_id="bpe_decode"
def bpe_decode(tokens, merges):
    """The text of the tokens; what is no UTF-8 becomes U+FFFD."""
    ### BEGIN SOLUTION
    words = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(merges, 256):
        words[new] = words[a] + words[b]
    return b"".join(words[int(token)] for token in tokens).decode(errors="replace")
    ### END SOLUTION


# %% role="check" grade_id="bpe_decode"
check("bpe_decode", bpe_decode)

# %% [markdown]
# With your two functions: a text, there and back. Then an answer that is shown while it is being
# generated, token by token. At which steps does a screen have to wait?

# %%
for text in ("the naïve cat 😀", "", "\x00\u200d\U0010ffff"):
    print(repr(text), bpe_decode(np.array(bpe_encode(text, merges)), merges) == text)
tokens = bpe_encode("the café 😀", merges)
for t in range(1, len(tokens) + 1):
    print(f"{t:2} {bpe_decode(np.array(tokens[:t]), merges)}")

# %% [markdown] role="statement" grade_id="next_token_loss"
# ## What the next token costs
#
# A causal model has read `tokens` `(N, T)`. Its `logits` `(N, T, V)` at place t speak of the token
# at place t + 1, and those at the last place of none. Rows that are shorter than T are filled up
# after their end with the token `padding`. It is in the vocabulary, and so in every softmax, but a
# padding token is never a target.
#
# $$L = -\frac{1}{M} \sum_{(n, t) \text{ with a target}} \log p_{n, t}(x_{n, t+1}), \qquad
# p_{n, t} = \mathrm{softmax}(z_{n, t})$$
#
# over all M targets of the batch, each of which counts the same. Write
# `next_token_loss(logits, tokens, padding)`. Return the loss in nats, and the perplexity, the
# exponential of the loss, in this order. Logits can be very large: the loss stays finite. If there
# is *no* target in the batch, raise a `ValueError`.
#
# For example, `tokens = [[0, 1, 2]]`, `padding = 2` and logits of `[0, 2, 0]` at each place have
# one target, token 1 at place 1, and give a loss of 0.2395 and a perplexity of 1.2707, rounded.
#
# <details><summary>Hint: which logits belong to which tokens?</summary>
#
# How many places have a next token? Take that many places of the logits, from the front, and that
# many of the tokens, from the back.
#
# </details>
#
# <details><summary>Hint: how do I keep large logits finite?</summary>
#
# $\log \mathrm{softmax}(z)_i = z_i - \log \sum_j e^{z_j}$, and the same number can be subtracted
# from all logits of a place first. Never take the logarithm of a probability that may be 0.
#
# </details>


# %% role="solution" grade_id="next_token_loss"
def next_token_loss(logits, tokens, padding):
    """The mean cost of a target in nats, and the perplexity."""
    ### BEGIN SOLUTION
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(loss)
    ### END SOLUTION


# %% role="check" grade_id="next_token_loss"
check("next_token_loss", next_token_loss)

# %% [markdown]
# A model that only counts gives each token the share that it has in `prose`, a little more for
# tokens that it hasn't seen, and looks at nothing that came before. It is judged on another text,
# cut in three ways. Its perplexity says one thing, and its bits per character another. Which of the
# two can be compared, and why does a model that only counts gain by longer tokens?

# %%
other = "the other cat sat by the dog on the mat, and that dog sat on the other cat."
for number in (0, 10, 20):
    merges = bpe_train(prose, number)
    shares = 0.1 + np.bincount(bpe_encode(prose, merges), minlength=257 + number)
    tokens = np.array([bpe_encode(other, merges)])
    logits = np.broadcast_to(np.log(shares), (*tokens.shape, len(shares)))
    loss, perplexity = next_token_loss(logits, tokens, 256 + number)
    first = len(bpe_decode(tokens[0, :1], merges))  # characters that nobody predicts
    bits = loss / np.log(2) * (tokens.size - 1) / (len(other) - first)
    print(f"{number:2} merges: perplexity {perplexity:5.2f}, {bits:.2f} bits per character")

# %% [markdown] role="statement" grade_id="top_p_distribution"
# ## What may be drawn
#
# Before a token is drawn, a distribution is often made sharper, and its tail cut off. Write
# `top_p_distribution(logits, temperature, p)`, for `logits` `(V,)` and `p` above 0 and at most 1:
#
# 1. Divide the logits by the temperature, and take their softmax.
# 2. Keep the smallest set of tokens, from the most probable one down, whose probabilities add up to
#    `p` or more: the token with which the sum crosses p is kept. Of tokens that are equally
#    probable, the one with the smaller number comes first.
# 3. All others get 0, and those that are kept are divided by their sum.
#
# Return an array `(V,)` of probabilities, in the order of the tokens. With `p = 1` nothing is cut
# off: a token of probability 4e-18 keeps it, though the others add up to 1 for a float. Logits can
# be in the thousands.
#
# For example, with logits of `[0, 0.6931, 0.6931, -10]`, temperature 1 and `p = 0.5` the
# probabilities are 0.2, 0.4, 0.4 and almost 0, and `[0, 0.5, 0.5, 0]` is returned; with `p = 0.3`
# it is `[0, 1, 0, 0]`.
#
# <details><summary>Hint: how do I sort, and put everything back?</summary>
#
# `np.argsort(-probability, kind="stable")` says which token comes first, second, …, and leaves
# equals in their order. An array can be written to at such places: `kept[order] = ...`.
#
# </details>
#
# <details><summary>Hint: which tokens are kept?</summary>
#
# Those *before* which the sum is still less than p. Where it is exactly p, p has been reached.
#
# </details>


# %% role="solution" grade_id="top_p_distribution"
def top_p_distribution(logits, temperature, p):
    """The probabilities (V,) of the tokens that may be drawn; 0 for the others."""
    ### BEGIN SOLUTION
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    if p == 1:
        return probability
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where(np.cumsum(falling) - falling < p, falling, 0.0)
    return kept / kept.sum()
    ### END SOLUTION


# %% role="check" grade_id="top_p_distribution"
check("top_p_distribution", top_p_distribution)

# %% [markdown]
# A sure place and an unsure one. The same p keeps few tokens of one, and many of the other; a fixed
# number of tokens, top-k, can't do that.

# %%
rng = np.random.default_rng(0)
for name, spread in (("sure", 6.0), ("unsure", 0.5)):
    logits = spread * rng.normal(size=50)
    for temperature in (0.5, 1.0, 1.5):
        found = top_p_distribution(logits, temperature, 0.9)
        print(f"{name:6} temperature {temperature}: {np.sum(found > 0):2} of 50 tokens are kept")

# %% [markdown] role="statement" grade_id="kv_cache_step"
# ## One more token, nothing done twice
#
# A model generates. Of the S tokens before, the keys and values of a layer have been kept: `keys`
# `(N, G, S, E)` and `values` `(N, G, S, Ev)`, for G heads, in the order of the tokens. Now one new
# token comes, with its `query` `(N, H, E)`, `key` `(N, G, E)` and `value` `(N, G, Ev)`. There are
# H heads of queries, a multiple of G: the first H / G of them share head 0 of keys and values, the
# next H / G share head 1, and so on.
#
# Write `kv_cache_step(query, key, value, keys, values)`. The new token attends to all tokens before
# it *and to itself*; each head by itself, with scores divided by the root of E. Return, in this
# order:
#
# - the output `(N, H, Ev)`,
# - the keys of all tokens, the new one after the old ones, `(N, G, S + 1, E)`,
# - the values of all tokens in the same order, `(N, G, S + 1, Ev)`.
#
# S can be 0. Scores can be in the thousands. Don't change the old caches: they may be needed again.
#
# For example, one head, `query = [[[2]]]`, `key = [[[1]]]`, `value = [[[5]]]`, `keys = [[[[0]]]]`
# and `values = [[[[1]]]]` give `[[[4.5232]]]`, rounded, and the caches `[[[[0], [1]]]]` and
# `[[[[1], [5]]]]`.
#
# <details><summary>Hint: where does the mask go?</summary>
#
# Which of the tokens in the cache are later than the new one?
#
# </details>
#
# <details><summary>Hint: how do heads share?</summary>
#
# `np.repeat` repeats each entry of an axis, `np.tile` the axis as a whole. Which one puts the
# copies of one head side by side?
#
# </details>


# %% role="solution" grade_id="kv_cache_step"
def kv_cache_step(query, key, value, keys, values):
    """The output (N, H, Ev), the keys (N, G, S + 1, E) and the values (N, G, S + 1, Ev)."""
    ### BEGIN SOLUTION
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values
    ### END SOLUTION


# %% role="check" grade_id="kv_cache_step"
check("kv_cache_step", kv_cache_step)

# %% [markdown]
# Proof: six tokens one by one, against all six at once under a causal mask.

# %%
query, key, value = rng.normal(size=(3, 1, 2, 6, 4))
scores = np.where(np.tri(6, dtype=bool), query @ key.swapaxes(2, 3) / 2, -np.inf)
weights = np.exp(scores - scores.max(axis=3, keepdims=True))
at_once = weights / weights.sum(axis=3, keepdims=True) @ value
keys, values = np.zeros((2, 1, 2, 0, 4))
for t in range(6):
    new = (each[:, :, t] for each in (query, key, value))
    output, keys, values = kv_cache_step(*new, keys, values)
    print(
        f"token {t}: {keys.size + values.size:3} numbers kept, "
        f"differs by {np.abs(output - at_once[:, :, t]).max():.1e}"
    )

# %% [markdown] role="statement" grade_id="gpt_forecast"
# ## Predict: bits, odds and what a cache holds
#
# Calculate on paper:
#
# - `tokens`: byte-pair encoding has learned three merges, in this order: a and n become A; b and A
#   become B; A and a become C. How many tokens does it make of `"banana bandana"`?
# - `uniform`: a model of 512 tokens that hasn't learned anything gives each of them the same
#   probability. What does a token cost it, in *bits*?
# - `bits`: model A has a perplexity of 32, and its tokens are 5 characters long on average. Model B
#   has a perplexity of 8, and its tokens are 2 characters long. What does a *character* cost B,
#   in bits?
# - `better`: both were judged on the same text, which neither has seen. Which model gives it the
#   higher probability, `"A"`, `"B"` or `"neither"`?
# - `cache`: a model has 6 layers with 8 heads of queries, keys and values, each 64 wide. How many
#   numbers does its cache hold after 1,000 tokens?
# - `grouped`: and how many, if the 8 heads of queries share 2 heads of keys and values?
# - `anew`: 100 tokens are generated *without* a cache: at step t all t tokens go through the model
#   again, under a causal mask. How many pairs of query and key have to be scored in one head, in
#   all 100 steps together? Count only pairs that the mask allows.
# - `odds`: at temperature 1 one token is 4 times as probable as another. How many times at
#   temperature 0.5?
#
# Set `gpt_forecast` to a dict with these names: seven numbers and one string. For example, 3 steps
# without a cache would score 1 + 3 + 6 = 10 pairs.

# %% role="solution" grade_id="gpt_forecast"
### BEGIN SOLUTION
gpt_forecast = {
    "tokens": 6,
    "uniform": 9,
    "bits": 1.5,
    "better": "A",
    "cache": 6_144_000,
    "grouped": 1_536_000,
    "anew": 171_700,
    "odds": 16,
}
### END SOLUTION

# %% role="check" grade_id="gpt_forecast"
check("gpt_forecast", gpt_forecast)

# %% [markdown] role="question" grade_id="a_lower_perplexity"
# ## A lower perplexity
#
# A Finnish court wants a language model that drafts summaries of rulings. Two are offered, each
# with a tokeniser of its own. A consultant has taken 300 rulings, which have stood on the court's
# web pages since 2015, and reports: "Model A has a perplexity of 18 per token, model B, which was
# trained this year on text from the web, one of 14. B knows Finnish law better: choose B." Answer
# in five to eight sentences: why can't 14 and 18 be compared, what would you compare instead, what
# else could explain B's number and how would you find out, and what does the court still not know?
# A person reads and marks your answer.

# %% [markdown] role="answer" grade_id="a_lower_perplexity"
