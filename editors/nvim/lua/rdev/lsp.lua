-- The configuration of Neovim's LSP client, made when the first file of a project with an rdev.toml is opened, so that
-- the plugin costs nothing elsewhere.
local M = {}

local NOTIFICATIONS =
  { 'runStarted', 'output', 'outputGap', 'runFinished', 'runStale', 'connection', 'tasksChanged' }
local configured = false

--- Adds the plugin's part to `vim.lsp.config('rdev')`; what the user has set there stays.
function M.configure()
  if configured then
    return
  end
  configured = true
  local handlers = {} ---@type table<string, lsp.Handler>
  for _, name in ipairs(NOTIFICATIONS) do
    handlers['rdev/' .. name] = function(_, params, context)
      require('rdev.handlers')[name](params, context.client_id)
    end
  end
  vim.lsp.config('rdev', {
    -- says that this client understands the rdev/* notifications
    capabilities = { experimental = { rdev = { version = 1 } } },
    handlers = handlers,
  })
end

function M.enable()
  M.configure()
  vim.lsp.enable('rdev')
end

return M
