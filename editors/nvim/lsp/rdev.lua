-- Works without the rest of the plugin: put this file into any `lsp/` folder on the runtime path,
-- then `vim.lsp.enable('rdev')`. It starts where an rdev.toml is, and nowhere else.
---@type vim.lsp.Config
return {
  cmd = { 'rdev-bridge', 'lsp' },
  root_markers = { 'rdev.toml' },
  workspace_required = true,
}
