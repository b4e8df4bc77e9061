-- Works without the rest of the plugin: put this file into any `lsp/` folder on the runtime path,
-- then `vim.lsp.enable('rdev')`.
---@type vim.lsp.Config
return {
  cmd = { 'rdev-bridge', 'lsp' },
  root_markers = { 'rdev.toml', '.git' },
}
