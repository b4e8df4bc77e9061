"""A key shows itself to nobody who did not ask for it by name."""

from __future__ import annotations

import pickle

import msgspec
import pytest

from rdev_bridge.model import Secret

KEY = "k-1234567890"


def test_it_is_shown_by_nothing() -> None:
    secret = Secret(KEY)
    for text in (repr([secret]), str(secret), f"{secret}", f"{secret!r}"):
        assert KEY not in text
    assert secret.reveal() == KEY


@pytest.mark.parametrize("encode", [msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins])
def test_no_encoder_takes_it(encode: object) -> None:
    assert callable(encode)
    with pytest.raises(TypeError, match="Secret"):
        encode({"key": Secret(KEY)})
    with pytest.raises(TypeError, match="Secret"):
        pickle.dumps(Secret(KEY))


def test_keys_that_are_the_same_are_equal() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret("another")
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY)}) == 1
