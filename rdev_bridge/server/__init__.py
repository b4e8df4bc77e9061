"""The embedded rdev server: real processes behind the wire of the rdev API. It shares nothing else with the bridge."""
