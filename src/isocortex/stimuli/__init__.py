"""What is shown: stimulus sets, object views, glyphs and digits, image symmetries."""
