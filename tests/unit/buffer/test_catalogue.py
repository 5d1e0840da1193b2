import subprocess
import sys
from pathlib import Path

import pytest

from engine.buffer.catalogue import BUILT_IN, load_strategy
from engine.buffer.errors import UsageError
from engine.buffer.model import Conversation, Delivery
from engine.buffer.strategy import Strategy
from tests.unit.buffer.world import World, message

GOOD = """
from engine.buffer import Message, Receipt, Strategy

class Good(Strategy):
    name = "good"
    async def receive(self, message: Message) -> Receipt:
        return Receipt()

class Duck:
    async def receive(self, message: Message) -> Receipt:
        return Receipt(buffer_created=True)

class NoReceive(Strategy):
    pass

class Plain:
    async def recieve(self, message):
        return Receipt()

class Sync:
    def receive(self, message):
        return Receipt()

class SyncTick(Good):
    def tick(self):
        pass

class WrongArguments:
    async def receive(self):
        return Receipt()

class WrongInit(Good):
    def __init__(self):
        pass

class ZeroTick(Good):
    tick_ms = 0

class TextKeys(Good):
    shared_keys = "key"

class Settled(Good):
    default_settings = 7

class Meta(type):
    pass

class OtherMeta(metaclass=Meta):
    async def receive(self, message):
        return Receipt()

number = 7
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "design.py"
    path.write_text(GOOD)
    return path


def refusal(spec: str) -> str:
    with pytest.raises(UsageError) as refused:
        load_strategy(spec)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_built_in_strategy_is_found_under_its_own_name(name: str) -> None:
    assert load_strategy(name).name == name


def test_a_class_of_a_file_is_found(good: Path) -> None:
    found = load_strategy(f"{good}:Good")
    assert issubclass(found, Strategy)
    assert found.name == "good"
    assert load_strategy(f"{good}:Good") is found


async def test_a_class_with_a_receive_alone_gets_the_rest(good: Path, world: World) -> None:
    strategy = world.make(load_strategy(f"{good}:Duck"))
    assert (strategy.name, strategy.tick_ms) == ("Duck", None)
    assert (await strategy.receive(message(1))).buffer_created
    assert await strategy.deliver(Conversation(instance_name="a", user_phone="b")) == Delivery()
    assert await strategy.cleanup() == 0


def test_a_file_that_was_changed_is_another_module(good: Path) -> None:
    before = load_strategy(f"{good}:Good")
    good.write_text(GOOD.replace('"good"', '"best"'))
    assert load_strategy(f"{good}:Good").name == "best"
    assert before.name == "good"


def test_siblings_are_imported_and_do_not_leak_into_another_folder(tmp_path: Path) -> None:
    before = list(sys.path)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "sibling_of_a_design.py").write_text(f"NAME = {folder!r}")
        text = "from sibling_of_a_design import NAME\n" + GOOD.replace('"good"', "NAME")
        (tmp_path / folder / "design.py").write_text(text)
    assert load_strategy(f"{tmp_path / 'one' / 'design.py'}:Good").name == "one"
    assert load_strategy(f"{tmp_path / 'two' / 'design.py'}:Good").name == "two"
    assert sys.path == before
    assert "sibling_of_a_design" not in sys.modules


def test_it_is_the_same_module_in_another_process(good: Path) -> None:
    code = f"from engine.buffer.catalogue import load_strategy; print(load_strategy({f'{good}:Good'!r}).__module__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == load_strategy(f"{good}:Good").__module__


def test_an_unknown_name_is_refused_with_the_nearest_and_all() -> None:
    text = refusal("locc")
    assert "did you mean lock?" in text
    assert all(name in text for name in BUILT_IN)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(f"{tmp_path / 'none.py'}:Good")


def test_a_path_with_a_null_character_is_refused() -> None:
    assert "this is no path" in refusal("\0.py")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\nx.y.z\n", ["AttributeError", "line 2"]),
        ("import no_such_module_anywhere\n", ["ModuleNotFoundError", "line 1"]),
        ("x = 1\nclass (:\n", ["SyntaxError", "line 2"]),
        ("import sys\nsys.exit('bye')\n", ["SystemExit", "line 2"]),
        ("x = '\0'\n", ["null bytes"]),
    ],
)
def test_a_file_that_does_not_import_is_refused_with_type_and_line(
    tmp_path: Path, source: str, expected: list[str]
) -> None:
    path = tmp_path / "design.py"
    path.write_text(source)
    text = refusal(f"{path}:Good")
    assert "does not import" in text
    assert all(part in text for part in expected)
    assert refusal(f"{path}:Good") == text


@pytest.mark.parametrize(
    ("class_name", "expected"),
    [
        ("Missing", "no class Missing in the file; it has Good, Duck"),
        ("", "add :ClassName; it has Good, Duck"),
        ("number", "number is not a class"),
        ("NoReceive", "NoReceive lacks async def receive"),
        ("Plain", "Plain lacks async def receive"),
        ("Strategy", "Strategy lacks async def receive"),
        ("Sync", "Sync.receive is not async"),
        ("SyncTick", "SyncTick.tick is not async"),
        ("WrongArguments", "WrongArguments.receive must take"),
        ("WrongInit", "WrongInit.__init__ must take self and the runtime"),
        ("ZeroTick", "tick_ms must be"),
        ("TextKeys", "shared_keys must be"),
        ("Settled", "default_settings must be"),
        ("OtherMeta", "derive it from engine.buffer.Strategy"),
    ],
)
def test_a_class_that_cannot_be_run_is_refused(good: Path, class_name: str, expected: str) -> None:
    assert expected in refusal(f"{good}:{class_name}" if class_name else str(good))


def test_a_file_without_any_strategy_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.py"
    path.write_text("")
    assert "it has no class with a receive method" in refusal(f"{path}:Good")


def test_a_file_of_a_package_imports_as_a_part_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "shop_of_a_test" / "buffers"
    folder.mkdir(parents=True)
    for each in (folder, folder.parent):
        (each / "__init__.py").write_text("")
    (folder.parent / "names.py").write_text("NAME = 'shop'")
    for line in ("from ..names import NAME", "from shop_of_a_test.names import NAME"):
        (folder / "design.py").write_text(line + "\n" + GOOD.replace('"good"', "NAME"))
        assert load_strategy(f"{folder / 'design.py'}:Good").name == "shop"
    assert not [name for name in sys.modules if name.startswith("shop_of_a_test")]


def test_a_library_below_the_folder_stays_imported(tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / ".venv" / "site-packages"
    site.mkdir(parents=True)
    (site / "library_of_a_test.py").write_text("")
    monkeypatch.syspath_prepend(site)
    good.write_text("import library_of_a_test\n" + GOOD)
    load_strategy(f"{good}:Good")
    assert sys.modules.pop("library_of_a_test")
