"""What every child of these tests needs, imported once before they start."""

import psycopg
import psycopg2
import pymysql

import tradestore.models

__all__ = ["psycopg", "psycopg2", "pymysql", "tradestore"]
