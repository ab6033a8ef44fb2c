"""`tradestore grants` prints SQL that can be pasted, and no password."""

import pytest

from tests.cli.conftest import Command


def test_statements_can_be_pasted(command: Command) -> None:
    """Each ends with a semicolon, and what else has to be done is a comment."""
    found = command("grants", "--engine", "postgresql", "--role", "reader", "--user", 'a"b', "--database", "bot")
    assert (found.code, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[0].startswith("-- ")
    assert all(line.endswith(";") for line in lines if not line.startswith("-- "))
    assert 'GRANT CONNECT ON DATABASE "bot" TO "a""b";' in lines
    assert not [line for line in lines if "INSERT" in line or "UPDATE" in line or "DELETE" in line]


def test_database_name_is_no_pattern_on_mariadb(command: Command) -> None:
    """An underscore would let the role into other databases as well."""
    words = ("--engine", "mysql", "--role", "backup", "--database", "my_bot%", "--user", "o'b", "--host", "10.0.0.1")
    found = command("grants", *words, "--json").result
    account = "'o''b'@'10.0.0.1'"
    assert found["statements"] == [
        f"CREATE USER {account} ACCOUNT LOCK",
        rf"GRANT SELECT, SHOW VIEW, TRIGGER, LOCK TABLES ON `my\_bot\%`.* TO {account}",
    ]


def test_bot_without_ddl_gets_none(command: Command) -> None:
    with_ddl = command("grants", "--engine", "mysql", "--role", "bot").out
    without = command("grants", "--engine", "mysql", "--role", "bot", "--no-ddl").out
    assert "DROP" in with_ddl
    assert not [word for word in ("CREATE,", "ALTER", "DROP") if word in without.partition("\n")[2]]


@pytest.mark.parametrize("words", [("--engine", "sqlite", "--role", "bot"), ("--engine", "mysql", "--role", "root")])
def test_unknown_engine_or_role(command: Command, words: tuple[str, ...]) -> None:
    assert command("grants", *words).code == 2


def test_empty_name(command: Command) -> None:
    found = command("grants", "--engine", "mysql", "--role", "bot", "--user", "")
    assert (found.code, found.out) == (3, "")
    assert len(found.err.splitlines()) == 1
