"""The op table: one value per operator, read by every layer above."""
