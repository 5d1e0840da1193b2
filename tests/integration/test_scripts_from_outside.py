"""What a design from outside may use of a server and no design here does: the simulation answers as a real server."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis._parsers.base import BaseParser

from engine.load.server import embedded_server
from engine.simulation.server import RedisServer, ServerPool

pytestmark = pytest.mark.real_server

#: Commands by `|`, arguments by spaces.
SEQUENCES = (
    "SET k v|GETEX k EX 10|GETEX k PERSIST|PERSIST k|GETEX k PXAT 99999999999999|PEXPIRETIME k|PERSIST k",
    "TOUCH a b|SET a 1|TOUCH a b|WAIT 0 0|CONFIG SET notify-keyspace-events |CONFIG GET notify-keyspace-events",
    "XREADGROUP GROUP g c STREAMS st >|XGROUP CREATE st g 0 MKSTREAM|XGROUP CREATE st g 0|XADD st 1-1 a 1"
    "|XREADGROUP GROUP g c STREAMS st >|XAUTOCLAIM st g d 0 0-0|XACK st g 1-1|XDEL st 1-1|XLEN st",
    "RPUSH l a b c|RENAMENX l m|RENAMENX l m|LMOVE m n LEFT RIGHT|LMPOP 2 l m LEFT COUNT 2|LRANGE n 0 -1",
    "ZADD z 1763972400123 a|ZADD z GT CH 4 a|ZRANGE z 0 -1 WITHSCORES|ZRANGESTORE y z 0 -1|ZMPOP 1 y MIN",
    "RPUSH l 1|COPY l m|RPUSH l 2|RPUSH m 3|LRANGE l 0 -1|LRANGE m 0 -1|COPY l m|COPY l m REPLACE|LPOP l|LRANGE m 0 -1",
    "HSET h a 1|COPY h i|HSET h a 2 b 3|HDEL i a|HGETALL h|EXISTS i|SADD s a|COPY s t|SADD s b|SREM t a|SMEMBERS s|EXISTS t",
    "ZADD z 1 a|COPY z y|ZADD z 2 b|ZINCRBY y 3 a|ZRANGE z 0 -1 WITHSCORES|ZRANGE y 0 -1 WITHSCORES|SET k v|COPY k w|APPEND k x"
    "|GET w|COPY k k|COPY none w REPLACE|GET w",
    "XADD st 1-1 a 1|XGROUP CREATE st g 0|XREADGROUP GROUP g c STREAMS st >|COPY st tt|XADD st 2-1 a 2|XACK st g 1-1|XLEN tt"
    "|XACK tt g 1-1|XREADGROUP GROUP g c STREAMS tt >|XINFO GROUPS tt",
    "SET k v PXAT 99999999999999|SET w v|COPY k m|PEXPIRETIME m|PERSIST k|PEXPIRETIME m|COPY w m REPLACE|PTTL m"
    "|PEXPIREAT w 99999999999999|PTTL m|PEXPIRETIME w",
    "RPUSH l 1|MULTI|COPY l m|RPUSH l 2|LRANGE m 0 -1|EXEC|LRANGE l 0 -1|LRANGE m 0 -1|WATCH m|COPY l m REPLACE|MULTI|PING|EXEC",
    "HSET h a 1|HSETNX h a 2|HEXPIRE h 100 FIELDS 1 a|HPERSIST h FIELDS 1 a|SET k v NX GET|SET k w NX GET",
)
#: Scripts, each with one key and two arguments.
SCRIPTS = (
    "redis.replicate_commands() return 1",
    "#!lua\nreturn redis.call('SET', KEYS[1], 'x')",
    "#!lua flags=no-writes,allow-stale\nreturn ARGV[2]",
    "return cmsgpack.pack({1, 'two', {three = 3}}, true, -7, 1763972400123)",
    "return {cmsgpack.unpack(cmsgpack.pack({1, 2, 'a'}, ARGV[1], 300))}",
    "local s = cmsgpack.unpack(cmsgpack.pack({pending = {}, due = 1763972400123.0})) return tostring(s.due) .. #s.pending",
    "return {bit.band(7, 3), bit.bor(8, 1), bit.bxor(5, 1), bit.bnot(0), bit.lshift(1, 31), bit.rshift(-1, 28)}",
    "return {bit.tohex(255), bit.tohex(-1, 4), bit.arshift(-16, 2), bit.tobit(4294967295)}",
    "return 1, 2",
    "return unpack({ARGV[1], 2})",
    "return redis.sha1hex(ARGV[1])",
    "redis.call('ZADD', KEYS[1], 1763972400123 + ARGV[1], 'a') return redis.call('ZSCORE', KEYS[1], 'a')",
    "redis.call('RPUSH', KEYS[1], 1) redis.call('COPY', KEYS[1], '{key}2') redis.call('RPUSH', KEYS[1], 2)"
    " return redis.call('LRANGE', '{key}2', 0, -1)",
    "redis.call('SET', KEYS[1], 1763972400123456) return redis.call('GET', KEYS[1])",
)
#: Scripts that a server refuses, without harm to the next one.
REFUSED = ("return there_is_no_such_name", "made_by_mistake = 1", "return there_is_no_such_function(1)")


@pytest.fixture(scope="module")
def real() -> Iterator[Any]:
    """A connection to a real server."""
    with embedded_server() as server, redis.Redis(host=server.host, port=server.port, protocol=2) as client:
        connection = client.connection_pool.get_connection()
        yield connection
        client.connection_pool.release(connection)


def on_server(connection: Any, *args: str) -> Any:
    """The reply of the real server; of an error its class."""
    connection.send_command(*args)
    try:
        return connection.read_response(disable_decoding=True)
    except redis.RedisError as error:
        return type(error)


class Simulated:
    """A session on an empty simulated server."""

    def __init__(self) -> None:
        self._server = RedisServer(ServerPool())
        self._session = self._server.open_session()

    def __call__(self, *args: str) -> Any:
        """The reply of the simulated server; of an error its class, as a client sees it."""
        result = self._server.execute(self._session, [arg.encode() for arg in args]).result
        if isinstance(result, Exception):
            return type(BaseParser.parse_error(str(result)))  # type: ignore[no-untyped-call]
        return plain(result)


def plain(value: Any) -> Any:
    """What fakeredis replies, as the wire carries it."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    return bytes(value.value) if type(value).__name__ == "SimpleString" else value


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_commands_answer_as_on_a_server(sequence: str, real: Any) -> None:
    on_server(real, "FLUSHALL")
    simulated = Simulated()
    for command in sequence.split("|"):
        args = command.split(" ")
        assert simulated(*args) == on_server(real, *args), command


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_answer_as_on_a_server(script: str, real: Any) -> None:
    on_server(real, "FLUSHALL")
    args = ("EVAL", script, "1", "key", "41", "text")
    assert Simulated()(*args) == on_server(real, *args)


@pytest.mark.parametrize("script", REFUSED)
def test_a_refused_script_is_refused_and_harms_no_other(script: str, real: Any) -> None:
    simulated = Simulated()
    assert simulated("EVAL", script, "0") is on_server(real, "EVAL", script, "0") is redis.ResponseError
    assert simulated("EVAL", "return 1", "0") == 1
