"""Captions of digits in colours: their grammar, their tokens, and what they say.

"a bold red seven, a green three and a slanted blue zero" describes an image with a digit in each colour channel. A
digit's phrase is an article, the strokes' width and lean, which may be left out, a colour and a digit. Every word but
the article has a synonym, and the phrases stand in any order.
"""

import difflib
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

Order = tuple[int, ...]  # channels as their phrases follow one another

DIGITS = (
    ("zero", "0"), ("one", "1"), ("two", "2"), ("three", "3"), ("four", "4"),
    ("five", "5"), ("six", "6"), ("seven", "7"), ("eight", "8"), ("nine", "9"),
)  # fmt: skip
COLOURS = (("red", "crimson"), ("green", "emerald"), ("blue", "azure"))  # of the channels
WIDTHS = (("thin", "fine"), (), ("bold", "thick"))  # of the thirds of `models.strokes`; the middle one has no word
LEANS = (("upright", "straight"), (), ("slanted", "tilted"))
KINDS = {"width": WIDTHS, "lean": LEANS, "colour": COLOURS, "digit": DIGITS}  # as they follow in a phrase
MEANING = {  # word -> its kind and value
    word: (kind, value) for kind, values in KINDS.items() for value, words in enumerate(values) for word in words
}
PAD, ARTICLE, AND = 0, 1, 2
VOCABULARY = ("", "a", "and", *MEANING)
TOKEN = {word: token for token, word in enumerate(VOCABULARY)}
PHRASE = 6  # tokens at most: and, article, width, lean, colour, digit
VALUES = ("digit", "width", "lean")  # what a caption says of a channel
UNSAID = -1
HELD_OUT_ORDERS: tuple[Order, ...] = ((1, 0, 2), (2, 1, 0))  # the others have every colour at every place
HELD_OUT_SHARE, HELD_OUT_SEED = 0.1, 0  # of the combinations of digits


def check_channels(channels: int, classes: int) -> None:
    """Raise ValueError unless labels of so many classes are a digit in each of so many channels."""
    if channels > len(COLOURS) or classes != len(DIGITS) ** channels:
        raise ValueError(
            "condition=text: captions are of a digit in each channel, as stacked_mnist has; these data have "
            f"{channels} channels and {classes} classes"
        )


def orders(channels: int) -> tuple[Order, ...]:
    """Return the orders of phrases that training uses."""
    return tuple(order for order in itertools.permutations(range(channels)) if order not in HELD_OUT_ORDERS)


def all_orders(channels: int) -> tuple[Order, ...]:
    """Return all orders of phrases, those of the training first."""
    return (*orders(channels), *(order for order in HELD_OUT_ORDERS if len(order) == channels))


def held_out_combinations(classes: int) -> Tensor:
    """Return which labels, bool K, training never describes: a tenth, the same always."""
    generator = torch.Generator().manual_seed(HELD_OUT_SEED)
    chosen = torch.zeros(classes, dtype=torch.bool)
    chosen[torch.randperm(classes, generator=generator)[: int(HELD_OUT_SHARE * classes)]] = True
    return chosen


def digits_of(labels: Tensor, channels: int) -> Tensor:
    """Return the digit in each channel, int64 N x C, of labels N: that of digits a, b, c is 100 a + 10 b + c."""
    places = len(DIGITS) ** torch.arange(channels - 1, -1, -1, device=labels.device)
    return labels[:, None] // places % len(DIGITS)


def label_of(said: Tensor) -> Tensor:
    """Return the labels N of what captions say, N x C x 3: the inverse of `digits_of`."""
    places = len(DIGITS) ** torch.arange(said.shape[1] - 1, -1, -1, device=said.device)
    return (said[:, :, 0] * places).sum(1)


def draws(channels: int) -> int:
    """Return how many uniform random numbers a caption takes."""
    return 1 + channels * (2 + len(KINDS))


def described(digits: Tensor, thirds: Tensor, u: Tensor) -> Tensor:
    """Choose what captions say: int64 N x C x 3, the digit, and width and lean or UNSAID.

    digits: int64 N x C. thirds: int64 N x C x 2, of `models.strokes.thirds`. u: N x `draws`, uniform on [0, 1).
    The middle third is never said, and the other two half of the time.
    """
    chance = u[:, 1 : 1 + 2 * digits.shape[1]].unflatten(1, (-1, 2))
    attributes = torch.where((thirds == 1) | (chance < 0.5), UNSAID, thirds)
    return torch.cat([digits[..., None], attributes], dim=2)


def phrased(said: Tensor, u: Tensor, orders: Sequence[Order]) -> Tensor:
    """Put what is said, N x C x 3, in words: tokens int64 N x 6 C, padded with PAD at the end.

    u: N x `draws`, uniform on [0, 1), choose an order and synonyms, equally likely.
    """
    n, channels, _ = said.shape
    chosen = torch.tensor(orders, device=said.device)[(u[:, 0] * len(orders)).long()]
    synonym = (2 * u[:, 1 + 2 * channels :]).long().unflatten(1, (channels, len(KINDS)))
    colour = torch.arange(channels, device=said.device).expand(n, channels)
    values = {"width": said[..., 1], "lean": said[..., 2], "colour": colour, "digit": said[..., 0]}
    slots = [torch.full_like(colour, AND), torch.full_like(colour, ARTICLE)]
    slots += [_tokens(kind, values[kind], synonym[..., place]) for place, kind in enumerate(KINDS)]
    phrases = torch.stack(slots, dim=2).gather(1, chosen[..., None].expand(n, channels, PHRASE))
    phrases[:, : max(1, channels - 1), 0] = PAD  # "and" stands before the last of several phrases
    tokens = phrases.flatten(1)
    return tokens.gather(1, (tokens == PAD).to(torch.int8).argsort(dim=1, stable=True))


def _tokens(kind: str, values: Tensor, synonym: Tensor) -> Tensor:
    """The token of each value of a kind by each synonym, 0 or 1; PAD for UNSAID."""
    table = torch.tensor([[TOKEN[word] for word in words] or [PAD, PAD] for words in KINDS[kind]], device=values.device)
    return torch.where(values == UNSAID, PAD, table[values.clamp(min=0), synonym])


def tokens_of(text: str, channels: int) -> Tensor:
    """Return a text's tokens, int64 6 C; raise ValueError, in one sentence, unless `meaning` understands them.

    Commas, full stops and capital letters mean nothing, and "an" is "a".
    """
    words = ["a" if word == "an" else word for word in text.lower().replace(",", " ").replace(".", " ").split()]
    if not words:
        raise ValueError('the caption is empty; write one such as "a red seven, a green three and a blue zero"')
    for word in words:
        if word not in TOKEN:
            near = difflib.get_close_matches(word, MEANING, n=1, cutoff=0.0)[0]
            raise ValueError(f"{word!r} is no word of the captions; the nearest is {near!r}")
    meaning(words, channels)
    if len(words) > PHRASE * channels:
        raise ValueError(f"the caption has {len(words)} words; at most {PHRASE * channels} are read")
    return torch.tensor([TOKEN[word] for word in words] + [PAD] * (PHRASE * channels - len(words)))


def text_of(tokens: Tensor) -> str:
    """Return the text of tokens: the inverse of `tokens_of`, with commas and "an" where they belong."""
    words = [VOCABULARY[token] for token in tokens.tolist() if token != PAD]
    text = ""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        article = word == "a" and after[:1] in tuple("aeiou")
        text += ("an" if article else word) + (", " if _digit(word) and after not in ("", "and") else " ")
    return text.strip()


def _digit(word: str) -> bool:
    return word in MEANING and MEANING[word][0] == "digit"


def meaning(words: Sequence[str], channels: int) -> tuple[list[list[int]], Order]:
    """Return what words of VOCABULARY say of each channel, C x 3 as of `described`, and the order of the channels.

    Adjectives may stand in any order before their digit. Raises ValueError for a sentence that does not describe one
    digit in each colour.
    """
    found: dict[int, list[int]] = {}
    phrase: dict[str, tuple[int, str]] = {}
    for word in words:
        if word not in MEANING:
            continue
        kind, value = MEANING[word]
        if kind in phrase:
            raise ValueError(f"the caption says both {phrase[kind][1]!r} and {word!r} of one digit")
        phrase[kind] = (value, word)
        if kind == "digit":
            _add(found, phrase, channels)
            phrase = {}
    if phrase:
        raise ValueError(f"no digit follows {', '.join(repr(word) for _, word in phrase.values())} in the caption")
    for channel in range(channels):
        if channel not in found:
            raise ValueError(f"the caption has no {COLOURS[channel][0]} digit; it needs one in each colour")
    return [found[channel] for channel in range(channels)], tuple(found)


def _add(found: dict[int, list[int]], phrase: dict[str, tuple[int, str]], channels: int) -> None:
    """Add a phrase's meaning to those of other channels."""
    colours = [words[0] for words in COLOURS[:channels]]
    digit, word = phrase["digit"]
    if "colour" not in phrase:
        raise ValueError(f"the caption gives {word!r} no colour; choose from {', '.join(colours)}")
    channel, colour = phrase["colour"]
    if channel >= channels:
        raise ValueError(f"the images have nothing {colour}; choose from {', '.join(colours)}")
    if channel in found:
        raise ValueError(f"the caption has two {COLOURS[channel][0]} digits; it needs one in each colour")
    found[channel] = [digit, *(phrase.get(kind, (UNSAID, ""))[0] for kind in ("width", "lean"))]


def read(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return what captions say, int64 N x C x 3, and whether each has a held-out order, bool N; tokens: N x 6 C."""
    channels = tokens.shape[1] // PHRASE
    meanings = [meaning([VOCABULARY[token] for token in row], channels) for row in tokens.tolist()]
    said = torch.tensor([said for said, _ in meanings], dtype=torch.int64).view(-1, channels, len(VALUES))
    return said, torch.tensor([order in HELD_OUT_ORDERS for _, order in meanings], dtype=torch.bool)
