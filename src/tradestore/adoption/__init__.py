"""Databases that other layers wrote, from 2017 to 2026, made databases of this library, with every row.

adopt           the whole of it, and what it verifies
plan            what is old, what is hidden, found by looking
column_rules    what each column is made of in an older version of its table
hidden_rows     backups that a failed upgrade left behind with rows that are nowhere else
carried_rows    which rows a table gets, and with which numbers
unknown_orders  orders that are known by their number only
obstacles       what no rule can decide
placing         how a new table takes the place of an old one, on each engine
attachments     what users have hung on a table
table_settings  rights, owners, comments and policies of PostgreSQL's tables
views           PostgreSQL's views, which go by the table and not by its name
"""
