"""temporary"""


def check_migrate(engine, decl_base, previous_tables):
    decl_base.metadata.create_all(engine)


def set_sqlite_to_wal(engine):
    if engine.dialect.name == "sqlite":
        with engine.connect() as c:
            c.exec_driver_sql("PRAGMA journal_mode=wal")
