# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements to a PostgreSQL of the tests."""
import psycopg2


def query(sql, *url, **options):
    """Rows of a statement that is its own transaction; url and options say where, as psycopg2 takes them."""
    connection = psycopg2.connect(*url, **options)
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
