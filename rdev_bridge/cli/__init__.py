"""What a person types and sees: one module a subcommand."""
