"""Studies: published systems whose claims are judged by statistics."""
