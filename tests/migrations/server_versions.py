"""Old databases on servers, of versions and with pasts that no recorded one has: made as in ``versions``."""

from typing import Final

from tests.migrations.versions import (
    BEFORE_CURRENCIES,
    BEFORE_RENAMED_EXITS,
    LOCK_SIDES,
    Version,
    add_columns,
    drop_columns,
    rename_columns,
)

__all__ = ["MARIADB", "POSTGRESQL"]

_CUSTOM_DATA_GONE: Final = ("DROP TABLE trade_custom_data",)
_NEWER_DROPPED: Final = (
    *drop_columns("trades", "precision_mode_price", "funding_fee_running"),
    *drop_columns("orders", "ft_order_tag", "ft_cancel_reason"),
    *_CUSTOM_DATA_GONE,
)
_OLD_IDS: Final = (
    *add_columns(
        "trades", open_order_id="VARCHAR(255)", stoploss_order_id="VARCHAR(255)", stoploss_last_update="TIMESTAMP"
    ),
    "CREATE INDEX ix_trades_stoploss_order_id ON trades (stoploss_order_id)",
    (
        "UPDATE trades SET stoploss_order_id = (SELECT min(order_id) FROM orders WHERE ft_trade_id = trades.id "
        "AND ft_order_side = 'stoploss')"
    ),
)
_SPOT_ONLY: Final = (
    *BEFORE_RENAMED_EXITS,
    *BEFORE_CURRENCIES,
    *rename_columns("trades", enter_tag="buy_tag"),
    *drop_columns(
        "trades", "trading_mode", "leverage", "is_short", "liquidation_price", "interest_rate", "funding_fees"
    ),
    "DROP TYPE tradingmode",
)

_MOVED_AWAY: Final = (
    "ALTER TABLE trades RENAME TO trades_bak0",
    "DROP INDEX ix_trades_pair, ix_trades_is_open",
    "ALTER SEQUENCE trades_id_seq RENAME TO trades_id_seq_bak",
    "CREATE TABLE trades (LIKE trades_bak0)",
    "CREATE SEQUENCE trades_id_seq OWNED BY trades.id",
    "ALTER TABLE trades ALTER id SET DEFAULT nextval('trades_id_seq'), ADD PRIMARY KEY (id)",
    "CREATE INDEX ix_trades_pair ON trades (pair)",
    "CREATE INDEX ix_trades_is_open ON trades (is_open)",
    "CREATE TABLE orders_bak0 AS SELECT * FROM orders",
    "DROP TABLE orders",
    "CREATE TABLE orders (LIKE orders_bak0)",
    "CREATE SEQUENCE orders_id_seq OWNED BY orders.id",
    (
        "ALTER TABLE orders ALTER id SET DEFAULT nextval('orders_id_seq'), ADD PRIMARY KEY (id), "
        "ADD CONSTRAINT _order_pair_order_id UNIQUE (ft_pair, order_id), ADD FOREIGN KEY (ft_trade_id) "
        "REFERENCES trades"
    ),
    "CREATE INDEX ix_orders_ft_trade_id ON orders (ft_trade_id)",
    "CREATE INDEX ix_orders_ft_is_open ON orders (ft_is_open)",
    "CREATE INDEX ix_orders_order_id ON orders (order_id)",
    "INSERT INTO trades SELECT * FROM trades_bak0",
    "INSERT INTO orders SELECT * FROM orders_bak0",
    "SELECT setval('trades_id_seq', 99, false), setval('orders_id_seq', 99, false)",
    "ALTER TABLE pairlocks RENAME TO pairlocks_bak0",
    "DROP INDEX ix_pairlocks_pair, ix_pairlocks_lock_end_time, ix_pairlocks_active",
    (
        "CREATE TABLE pairlocks (id SERIAL PRIMARY KEY, pair VARCHAR(25) NOT NULL, side VARCHAR(25) NOT NULL, "
        "reason VARCHAR(255), lock_time TIMESTAMP NOT NULL, lock_end_time TIMESTAMP NOT NULL, active BOOLEAN NOT NULL)"
    ),
    "INSERT INTO pairlocks SELECT id, pair, '*', reason, lock_time, lock_end_time, active FROM pairlocks_bak0",
)
"""An upgrade of 2022 to 2025 on PostgreSQL: keys of custom data go with the backup, locks count from 1 again."""

POSTGRESQL: Final = (
    Version("lineage with all counters", "205", _MOVED_AWAY),
    Version(
        "lineage of record versions",
        "205",
        (*_MOVED_AWAY, *add_columns("trades", record_version="INTEGER NOT NULL DEFAULT 2")),
    ),
    Version("lineage and fallen custom data", "206", _MOVED_AWAY),
    Version("2022.2 spot", "203", _SPOT_ONLY),
    Version("2021.8 buy_tag", "203", (*_SPOT_ONLY, *drop_columns("orders", "ft_fee_base"))),
    Version(
        "2020.12 unbounded texts",
        "203",
        (
            *_SPOT_ONLY,
            *drop_columns("orders", "ft_fee_base", "average"),
            *drop_columns("trades", "buy_tag"),
            (
                "ALTER TABLE trades ALTER pair TYPE varchar, ALTER exchange TYPE varchar, ALTER sell_reason "
                "TYPE varchar, ALTER strategy TYPE varchar"
            ),
            "ALTER TABLE orders ALTER ft_pair TYPE varchar, ALTER order_id TYPE varchar, ALTER status TYPE varchar",
            "ALTER TABLE pairlocks ALTER pair TYPE varchar, ALTER reason TYPE varchar",
        ),
    ),
    Version(
        "2020.9 open_trade_price",
        "203",
        (
            *_SPOT_ONLY,
            *drop_columns("orders", "ft_fee_base", "average"),
            *drop_columns("trades", "buy_tag"),
            *rename_columns("trades", open_trade_value="open_trade_price"),
            "DROP TABLE pairlocks",
        ),
    ),
    Version("2022.5 side of locks", "203", LOCK_SIDES),
    Version(
        "2023.9 before custom data",
        "205",
        (*_NEWER_DROPPED, *_OLD_IDS),
    ),
    Version(
        "2022.12 max_stake_amount",
        "205",
        (
            *_NEWER_DROPPED,
            *_OLD_IDS,
            *drop_columns("trades", "is_stop_loss_trailing"),
            *drop_columns("orders", "ft_amount", "ft_price"),
            'DROP TABLE "KeyValueStore"',
            "ALTER TABLE trades ALTER open_rate DROP NOT NULL, ALTER amount DROP NOT NULL",
            "ALTER TABLE orders ALTER ft_trade_id DROP NOT NULL",
        ),
    ),
    Version("2024.3 custom data", "205", drop_columns("trades", "precision_mode_price")),
    Version(
        "2025.3 record_version",
        "205",
        add_columns("trades", record_version="INTEGER NOT NULL DEFAULT 2 = CASE WHEN id % 3 = 0 THEN 1 ELSE 2 END"),
    ),
)

_MODES: Final = add_columns(
    "trades",
    base_currency="VARCHAR(25) = substr(pair, 1, locate('/', pair) - 1)",
    stake_currency="VARCHAR(25) = 'BTC'",
    trading_mode="ENUM('SPOT', 'MARGIN', 'FUTURES') = elt(1 + id % 2, 'SPOT', 'FUTURES')",
    leverage="FLOAT = CASE id % 4 WHEN 0 THEN 1 WHEN 1 THEN 3 WHEN 2 THEN 2.5 END",
    is_short="BOOLEAN NOT NULL DEFAULT false = id % 4 = 1",
    liquidation_price="FLOAT = 0.0123",
    interest_rate="FLOAT NOT NULL DEFAULT 0 = 0.0005",
    funding_fees="FLOAT = CASE WHEN id % 2 THEN 0.1 END",
)
_SHORTS: Final = (
    *rename_columns("trades", sell_reason="exit_reason", sell_order_status="exit_order_status", buy_tag="enter_tag"),
    *_MODES,
)
_WALLETS: Final = (
    (
        "CREATE TABLE wallet_history (id INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY, timestamp DATETIME NOT NULL, "
        "currency VARCHAR(25) NOT NULL, rate FLOAT, quote_currency VARCHAR(25) NOT NULL, balance FLOAT NOT NULL, "
        "total_quote FLOAT, total_position_value FLOAT, collateral FLOAT, leverage FLOAT NOT NULL, bot_managed BOOLEAN "
        "NOT NULL, UNIQUE KEY unique_wallet_daily (timestamp, currency), KEY ix_wallet_history_timestamp (timestamp))"
    ),
    "INSERT INTO wallet_history VALUES (4, '2026-05-01', 'BTC', 61000.1, 'USDT', 0.1, 6100.01, NULL, NULL, 1, 1)",
)
_LONGER_KEYS: Final = ("ALTER TABLE KeyValueStore MODIFY `key` VARCHAR(50) NOT NULL",)
_MARIADB_MOVED_AWAY: Final = (
    "ALTER TABLE trades RENAME TO trades_bak0",
    "CREATE TABLE trades LIKE trades_bak0",
    "INSERT INTO trades SELECT * FROM trades_bak0",
    "CREATE TABLE orders_bak0 AS SELECT * FROM orders",
    "ALTER TABLE orders DROP FOREIGN KEY orders_ibfk_1",
    "ALTER TABLE orders ADD FOREIGN KEY (ft_trade_id) REFERENCES trades (id)",
)

MARIADB: Final = (
    Version("2022.4 shorts", "301", _SHORTS),
    Version(
        "feat-short isolated_liq",
        "301",
        (
            *rename_columns("trades", buy_tag="enter_tag"),
            *_MODES,
            *rename_columns("trades", liquidation_price="isolated_liq"),
            *add_columns("orders", leverage="FLOAT = 3"),
        ),
    ),
    Version("2022.5 side of locks", "301", (*_SHORTS, *LOCK_SIDES)),
    Version(
        "2022.9 realized_profit",
        "301",
        (
            *_SHORTS,
            *LOCK_SIDES,
            *add_columns(
                "trades",
                realized_profit="FLOAT = 0.1",
                price_precision="FLOAT = 8.0",
                precision_mode="INTEGER = 2",
                contract_size="FLOAT = 1.1",
            ),
        ),
    ),
    Version(
        "2021.5 average",
        "301",
        (
            "DROP TABLE trades_bak0",
            "DROP TABLE orders_bak0",
            *drop_columns("orders", "ft_fee_base"),
            *drop_columns("trades", "buy_tag"),
        ),
    ),
    Version(
        "2020.8 no orders",
        "301",
        (
            "DROP TABLE trades_bak0",
            "DROP TABLE orders_bak0",
            "DROP TABLE orders",
            "DROP TABLE pairlocks",
            *drop_columns("trades", "buy_tag"),
        ),
    ),
    Version("2024.8 before record versions", "303", drop_columns("trades", "record_version")),
    Version("lineage with custom data", "303", (*drop_columns("trades", "record_version"), *_MARIADB_MOVED_AWAY)),
    Version("lineage of record versions", "303", _MARIADB_MOVED_AWAY),
    Version("2026.4 single values", "303", (*_LONGER_KEYS, *_WALLETS)),
    Version(
        "2026.9 double values", "303", (*_LONGER_KEYS, *_WALLETS, "ALTER TABLE KeyValueStore MODIFY float_value DOUBLE")
    ),
    Version(
        "2024.8 on a server of 2015",
        "303",
        (
            *drop_columns("trades", "record_version"),
            "SET foreign_key_checks = 0",
            "UPDATE trades SET enter_tag = 'Käse', strategy = NULL",
            "UPDATE trade_custom_data SET cd_value = '1'",
            "UPDATE KeyValueStore SET string_value = 'é'",
            "UPDATE orders SET ft_order_tag = NULL, ft_cancel_reason = NULL",
            "UPDATE pairlocks SET reason = 'ß'",
            *(
                f"ALTER TABLE {name} CONVERT TO CHARACTER SET latin1"
                for name in ("trades", "orders", "pairlocks", "KeyValueStore", "trade_custom_data")
            ),
        ),
    ),
    Version(
        "2024.8 without InnoDB",
        "303",
        (
            *drop_columns("trades", "record_version"),
            "ALTER TABLE orders DROP FOREIGN KEY orders_ibfk_1",
            "ALTER TABLE trade_custom_data DROP FOREIGN KEY trade_custom_data_ibfk_1",
            *(
                f"ALTER TABLE {name} ENGINE = MyISAM"
                for name in ("trades", "orders", "pairlocks", "KeyValueStore", "trade_custom_data")
            ),
        ),
    ),
    Version("2026.9 mixed", "303", (*_LONGER_KEYS, "ALTER TABLE trades MODIFY amount DOUBLE NOT NULL")),
)
