"""Folders of pictures, uploads and the data folder."""
