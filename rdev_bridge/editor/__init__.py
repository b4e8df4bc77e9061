"""The editor's face of the bridge: LSP over stdio."""
