import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulation.wire import declared_keys, short, shown_args, split_commands, transactions


def encoded(args: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(arg), arg) for arg in args)


COMMANDS = st.lists(st.lists(st.binary(max_size=12), min_size=1, max_size=4), max_size=4)


@given(commands=COMMANDS, cut=st.integers(0, 200))
def test_commands_come_out_as_they_went_in_wherever_the_bytes_are_cut(commands: list[list[bytes]], cut: int) -> None:
    data = b"".join(encoded(args) for args in commands)
    first, rest = split_commands(data[:cut])
    second, left = split_commands(rest + data[cut:])
    assert first + second == commands
    assert left == b""


def units(*names: str) -> list[list[str]]:
    commands = [[name.encode()] for name in names]
    return [[args[0].decode() for args in unit] for unit in transactions(commands)]


def test_a_transaction_is_one_unit_and_everything_else_is_alone() -> None:
    assert units("GET", "multi", "SET", "DEL", "exec", "GET") == [["GET"], ["multi", "SET", "DEL", "exec"], ["GET"]]
    assert units("MULTI", "SET", "DISCARD", "GET") == [["MULTI", "SET", "DISCARD"], ["GET"]]
    assert units("MULTI", "SET") == [["MULTI", "SET"]]
    assert units() == []


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("GET a", "a"),
        ("PING", ""),
        ("TIME", ""),
        ("KEYS *", ""),
        ("SCAN 0", ""),
        ("SCRIPT LOAD x", ""),
        ("SELECT 0", ""),
        ("DEL a b c", "a b c"),
        ("MSET a 1 b 2", "a b"),
        ("EVAL script 2 a b c", "a b"),
        ("evalsha sha 0 c", ""),
        ("EVAL script x", ""),
        ("BLPOP a b 5", "a b"),
        ("LMOVE a b LEFT RIGHT", "a b"),
        ("RENAME a b", "a b"),
        ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"),
        ("ZUNION 2 a b", "a b"),
        ("XREAD COUNT 1 STREAMS a b 0 0", "a b"),
        ("XADD a * f v", "a"),
        ("ZADD a 1 m", "a"),
        ("NOSUCHCOMMAND a b", "a"),
    ],
)
def test_the_keys_that_a_command_names(command: str, keys: str) -> None:
    args = [part.encode() for part in command.split()]
    assert [key.decode() for key in declared_keys(args)] == keys.split()


def test_replies_are_short_texts() -> None:
    assert short(None) == "nil"
    assert short(b"\xff") == "\\xff"
    assert short([b"a", 1, None]) == "[a, 1, nil]"
    assert len(short(b"x" * 1_000)) == 200
    assert short(list(range(20))).endswith(", …]")


def test_a_script_is_shown_by_its_name() -> None:
    assert shown_args([b"EVALSHA", b"abc", b"0"], lambda _: "CLAIM") == ["EVALSHA", "CLAIM", "0"]
    assert shown_args([b"GET", b"key"], lambda _: "CLAIM") == ["GET", "key"]
