"""Output to diagnostics: matchers read lines, the board keeps what stands on each file."""
