"""Scores of pictures in folders, whoever made them."""
