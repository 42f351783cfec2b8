"""Routing: which modality is this text?"""
