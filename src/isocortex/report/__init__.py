"""What a reader sees: figure style and the HTML report."""
