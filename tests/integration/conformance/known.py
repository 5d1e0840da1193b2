"""The known differences between the simulation's server and a real one: a probe each, and what it touches.

`docs/conformance.md` is this table in prose; a test holds the two together, and another asks both servers.
"""

from dataclasses import dataclass

ROUND_TRIP = "return cjson.encode(cjson.decode(ARGV[1]))"
ERROR = "(an error)"


@dataclass(frozen=True)
class Difference:
    """One known difference: a script that shows it, and what each side answers (a text that is in the answer)."""

    name: str
    script: str
    argument: str
    simulation: str
    server: str
    #: Which of our claims depends on it.
    touches: str


DIFFERENCES = (
    Difference("empty list", ROUND_TRIP, '{"a":[]}', '{"a":[]}', '{"a":{}}', "`integrity` of `lua`"),
    Difference(
        "big integers", ROUND_TRIP, "[1234567890123456789]", "[1234567890123456768]", "[1.2345678901235e+18]", "`integrity` of `lua`"
    ),
    Difference("digits of fractions", ROUND_TRIP, "[0.30000000000000004]", "[0.30000000000000004]", "[0.3]", "`integrity` of `lua`"),
    Difference(
        "integers beyond 64 bits", ROUND_TRIP, "[1180591620717411303424]", ERROR, "[1.1805916207174e+21]", "`integrity` of `lua`"
    ),
    Difference("escaped slash", ROUND_TRIP, '["a/b"]', '["a/b"]', '["a\\/b"]', "none"),
    Difference("\\u escapes", ROUND_TRIP, '["\\u0645"]', '["\\u0645"]', '["م"]', "none"),
    Difference("negative zero", ROUND_TRIP, "[-0.0]", "[0]", "[-0]", "none"),
    Difference("infinity", ROUND_TRIP, "[1e400]", "[Infinity]", ERROR, "none"),
    Difference("sparse array", "return cjson.encode({[1]=1,[1000]=2})", "", '{"1":1,"1000":2}', ERROR, "none"),
    Difference("texts of errors", "return redis.call('RENAME', 'no', 'such')", "", "no such key", "script: on", "none"),
)  # fmt: skip
