"""PostgreSQL with pgvector: tables of LangChain and of LlamaIndex, and those of users.

A store at hand is asked through its own engine, and a store at an address through psycopg.
"""
