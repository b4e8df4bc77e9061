-- Only what must exist before the first use. `lua/rdev` loads with the first command, or the bridge's first word.
if vim.g.loaded_rdev then
  return
end
vim.g.loaded_rdev = true

vim.api.nvim_create_user_command('Rdev', function(command)
  require('rdev.command').run(command)
end, {
  nargs = '*',
  bang = true,
  desc = 'Run tasks on a remote development server',
  complete = function(lead, line, column)
    return require('rdev.command').complete(lead, line:sub(1, column))
  end,
})

local handlers = {} ---@type table<string, lsp.Handler>
for _, name in ipairs({
  'runStarted', 'output', 'outputGap', 'runFinished', 'runStale', 'connection', 'tasksChanged',
}) do
  handlers['rdev/' .. name] = function(_, params)
    require('rdev.handlers')[name](params)
  end
end

vim.lsp.config('rdev', {
  -- says that this client understands the rdev/* notifications
  capabilities = { experimental = { rdev = { version = 1 } } },
  handlers = handlers,
})
if vim.g.rdev_enable ~= false then
  vim.lsp.enable('rdev')
end
