-- Works without the rest of the plugin: put this file into any `lsp/` folder on the runtime path,
-- then `vim.lsp.enable('rdev')`. It starts where an rdev.toml is, and nowhere else.
---@type vim.lsp.Config
return {
  cmd = { 'rdev-bridge', 'lsp' },
  root_markers = { 'rdev.toml' },
  workspace_required = true,
  handlers = {
    -- Neovim's own ends a message in a line break, which stops you at a "Press ENTER" prompt, and shows a failure as
    -- an error of Neovim, which ends the list that you are choosing from.
    ['window/showMessage'] = function(_, params)
      local fine = params.type >= vim.lsp.protocol.MessageType.Info
      vim.notify('rdev: ' .. params.message, fine and vim.log.levels.INFO or vim.log.levels.WARN)
    end,
  },
}
