"""What rdev-bridge is compared with, and what measures it: each a program of its own."""
