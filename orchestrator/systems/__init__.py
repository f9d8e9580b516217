"""The systems as users meet them: their pages, their papers, a scaffold, the check of one's own."""
