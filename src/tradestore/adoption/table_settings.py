"""What PostgreSQL knows about a table or view besides its columns: rights, rules, row security, comments, its owner."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, bindparam, text

__all__ = ["act_as_owner", "settings_on"]

_OF_IT: Final = "CAST(:name AS regclass)"
_KIND: Final = "CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END"
_GRANTEE: Final = "CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END"
_OPTION: Final = "CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"

_SETTINGS: Final = [
    text(query.format(of_it=_OF_IT, kind=_KIND, grantee=_GRANTEE, option=_OPTION))
    for query in (
        "SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = {of_it} AND rulename <> '_RETURN' ORDER BY 1",
        (
            "SELECT format('ALTER TABLE %s %s TRIGGER %I', tgrelid::regclass, CASE tgenabled WHEN 'D' THEN 'DISABLE' "
            "WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, tgname) "
            "FROM pg_trigger WHERE tgrelid = {of_it} AND NOT tgisinternal AND tgenabled <> 'O' ORDER BY 1"
        ),
        (
            "SELECT format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, p.polrelid::regclass, "
            "CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, "
            "CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' "
            "ELSE 'ALL' END, (SELECT string_agg(CASE WHEN role = 0 THEN 'PUBLIC' "
            "ELSE quote_ident(pg_get_userbyid(role)) END, ', ') FROM unnest(p.polroles) role)) "
            "|| coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '') "
            "|| coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '') "
            "FROM pg_policy p WHERE p.polrelid = {of_it} ORDER BY 1"
        ),
        (
            "SELECT format('ALTER TABLE %s %s ROW LEVEL SECURITY', c.oid::regclass, setting) FROM pg_class c "
            "CROSS JOIN LATERAL (VALUES (c.relrowsecurity, 'ENABLE'), (c.relforcerowsecurity, 'FORCE')) "
            "s (is_on, setting) WHERE c.oid = {of_it} AND is_on"
        ),
        (
            "SELECT format('COMMENT ON %s %s IS %L', {kind}, c.oid::regclass, d.description) FROM pg_class c "
            "JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0 "
            "WHERE c.oid = {of_it}"
        ),
        (
            "SELECT format('COMMENT ON COLUMN %s.%I IS %L', a.attrelid::regclass, a.attname, d.description) "
            "FROM pg_attribute a JOIN pg_description d ON d.objoid = a.attrelid AND d.classoid = 'pg_class'::regclass "
            "AND d.objsubid = a.attnum WHERE a.attrelid = {of_it} AND NOT a.attisdropped ORDER BY a.attnum"
        ),
        (
            "SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, c.oid::regclass, {grantee}, {option}) "
            "FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a "
            "WHERE c.oid = {of_it} AND a.grantee <> c.relowner"
        ),
        (
            "SELECT format('GRANT %s (%I) ON %s TO %s%s', a.privilege_type, t.attname, c.oid::regclass, {grantee}, "
            "{option}) FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid AND NOT t.attisdropped "
            "CROSS JOIN LATERAL aclexplode(t.attacl) a WHERE c.oid = {of_it} AND a.grantee <> c.relowner"
        ),
        (
            "SELECT format('GRANT %s ON SEQUENCE %I TO %s%s', a.privilege_type, o.relname || '_id_seq', {grantee}, "
            "{option}) FROM pg_class o JOIN pg_depend d ON d.refobjid = o.oid AND d.deptype IN ('a', 'i') "
            "AND d.classid = 'pg_class'::regclass JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' "
            "CROSS JOIN LATERAL aclexplode(c.relacl) a WHERE o.oid = {of_it} AND a.grantee <> c.relowner"
        ),
        (
            "SELECT format('ALTER %s %s OWNER TO %I', {kind}, c.oid::regclass, pg_get_userbyid(c.relowner)) "
            "FROM pg_class c WHERE c.oid = {of_it} AND pg_get_userbyid(c.relowner) <> current_user"
        ),
    )
]

_OWNERS: Final = text(
    "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relname IN :names AND relkind = 'r' "
    "AND pg_table_is_visible(oid)"
).bindparams(bindparam("names", expanding=True))
_IS_MEMBER: Final = text("SELECT :owner <> current_user AND pg_has_role(current_user, :owner, 'MEMBER')")


def settings_on(connection: Connection, place: str) -> list[str]:
    """Return the statements that give a table or view of PostgreSQL, made anew, the settings that it has now.

    Args:
        connection: To PostgreSQL.
        place: Its name, quoted where that is needed.
    """
    return [statement for query in _SETTINGS for statement in connection.scalars(query, {"name": place})]


def act_as_owner(connection: Connection, tables: Iterable[str]) -> None:
    """Let what is made in this transaction belong to whoever owns the tables, where an administrator changes them.

    The bot that uses them would have no right to use the new ones otherwise.

    Args:
        connection: To PostgreSQL.
        tables: Their names.
    """
    owners = connection.scalars(_OWNERS, {"names": list(tables)}).all()
    if len(owners) == 1 and connection.scalar(_IS_MEMBER, {"owner": owners[0]}):
        role = connection.dialect.identifier_preparer.quote(owners[0])
        connection.execute(text(f"SET LOCAL ROLE {role}"))
