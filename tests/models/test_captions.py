"""A caption is inverted to what it says, whatever its order and synonyms; mistakes are named in one sentence."""

import itertools

import pytest
import torch
from torch import Tensor

from models import captions
from models.captions import (
    HELD_OUT_ORDERS,
    PAD,
    UNSAID,
    VOCABULARY,
    all_orders,
    check_channels,
    described,
    digits_of,
    draws,
    held_out_combinations,
    label_of,
    meaning,
    orders,
    phrased,
    read,
    text_of,
    tokens_of,
)

N = 2000
EXAMPLE = "a bold red seven, a green three and a slanted blue zero"


def drawn(channels: int = 3, n: int = N) -> tuple[Tensor, Tensor, Tensor]:
    """Labels, what is said of them, and the random numbers."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(10**channels, (n,), generator=generator)
    thirds = torch.randint(3, (n, channels, 2), generator=generator)
    u = torch.rand(n, draws(channels), generator=generator)
    return labels, described(digits_of(labels, channels), thirds, u), u


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_captions_invert_to_what_they_say(channels: int) -> None:
    _, said, u = drawn(channels)
    again, held_out = read(phrased(said, u, orders(channels)))
    assert torch.equal(again, said)
    assert not held_out.any()


def test_text_and_tokens_are_inverses() -> None:
    _, said, u = drawn()
    for tokens in phrased(said, u, all_orders(3))[:200]:
        assert torch.equal(tokens_of(text_of(tokens), 3), tokens)


def test_order_and_synonyms_do_not_change_what_is_said() -> None:
    _, said, u = drawn()
    captions_of_two = phrased(said, u, all_orders(3)), phrased(said, u.flip(0), all_orders(3))
    assert not torch.equal(*captions_of_two)
    assert torch.equal(read(captions_of_two[0])[0], read(captions_of_two[1])[0])


def test_labels_and_digits_are_inverses() -> None:
    labels, said, _ = drawn()
    assert torch.equal(label_of(said), labels)
    assert digits_of(torch.tensor([703]), 3).tolist() == [[7, 0, 3]]


def test_the_example_says_what_it_says() -> None:
    assert read(tokens_of(EXAMPLE, 3)[None])[0].tolist() == [[[7, 2, UNSAID], [3, UNSAID, UNSAID], [0, UNSAID, 2]]]
    assert text_of(tokens_of(EXAMPLE.upper() + ".", 3)) == EXAMPLE
    assert text_of(tokens_of("a upright azure 0, a red one, a emerald 8", 3)) == (
        "an upright azure 0, a red one, an emerald 8"
    )


def test_the_middle_third_is_never_said_and_the_others_half_of_the_time() -> None:
    generator = torch.Generator().manual_seed(0)
    thirds = torch.randint(3, (N, 3, 2), generator=generator)
    said = described(torch.zeros(N, 3, dtype=torch.int64), thirds, torch.rand(N, draws(3), generator=generator))
    attributes = said[..., 1:]
    assert (attributes[thirds == 1] == UNSAID).all()
    spoken = attributes != UNSAID
    assert torch.equal(attributes[spoken], thirds[spoken])
    assert abs(spoken[thirds != 1].double().mean().item() - 0.5) < 0.02


def test_all_words_and_all_given_orders_are_used_equally_and_no_other_order() -> None:
    _, said, u = drawn(n=20_000)
    tokens = phrased(said, u, orders(3))
    assert set(tokens.flatten().tolist()) == set(range(len(VOCABULARY)))
    counts = torch.bincount(tokens.flatten(), minlength=len(VOCABULARY))
    for words in captions.COLOURS:
        both = [int(counts[captions.TOKEN[word]]) for word in words]
        assert abs(both[0] / sum(both) - 0.5) < 0.02
    assert {meaning([VOCABULARY[token] for token in row], 3)[1] for row in tokens[:500].tolist()} == set(orders(3))


def test_the_orders_of_training_have_every_colour_at_every_place() -> None:
    assert set(orders(3)) | set(HELD_OUT_ORDERS) == set(itertools.permutations(range(3)))
    assert not set(orders(3)) & set(HELD_OUT_ORDERS)
    assert {(place, order[place]) for order in orders(3) for place in range(3)} == set(
        itertools.product(range(3), repeat=2)
    )
    assert read(tokens_of("a green one, a red one and a blue one", 3)[None])[1].tolist() == [True]


def test_a_tenth_of_the_combinations_is_held_out_always_the_same() -> None:
    chosen = held_out_combinations(1000)
    assert int(chosen.sum()) == 100
    assert chosen.nonzero().flatten()[:5].tolist() == [6, 15, 19, 23, 28]
    for place in range(3):  # of every digit, others remain
        digits = digits_of(torch.arange(1000)[~chosen], 3)[:, place]
        assert torch.bincount(digits, minlength=10).min() > 70


def test_captions_have_one_length_and_their_padding_at_the_end() -> None:
    _, said, u = drawn()
    tokens = phrased(said, u, all_orders(3))
    assert tokens.shape == (N, 18)
    words = tokens != PAD
    assert torch.equal(words, words.cummin(1).values)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the caption is empty"),
        (" , ", "the caption is empty"),
        ("a red sevn, a green one and a blue two", "'sevn' is no word of the captions; the nearest is 'seven'"),
        ("a red seven, a green one", "the caption has no blue digit; it needs one in each colour"),
        ("a red one, a crimson two and a blue six", "the caption has two red digits"),
        ("a seven, a green one and a blue two", "gives 'seven' no colour; choose from red, green, blue"),
        ("a bold thin red one, a green one and a blue two", "says both 'bold' and 'thin' of one digit"),
        ("a red one, a green one and a blue two bold", "no digit follows 'bold'"),
        ("a a a a a a a a a a red one, a green one and a blue two", "has 19 words; at most 18 are read"),
    ],
)
def test_what_is_no_caption_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        tokens_of(text, 3)
    assert "\n" not in str(error.value)


def test_a_colour_that_the_images_lack_is_refused() -> None:
    with pytest.raises(ValueError, match="the images have nothing blue; choose from red"):
        tokens_of("a blue one", 1)


@pytest.mark.parametrize(("channels", "classes"), [(3, 10), (1, 2), (4, 10_000)])
def test_data_without_a_digit_in_each_channel_are_refused(channels: int, classes: int) -> None:
    with pytest.raises(ValueError, match=f"{channels} channels and {classes} classes"):
        check_channels(channels, classes)
    check_channels(3, 1000)
