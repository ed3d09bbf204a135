"""One module for each claim about speed."""
