"""Sets two runs side by side."""
