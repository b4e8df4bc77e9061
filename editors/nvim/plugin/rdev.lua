-- Only what must exist before the first use; everything else loads when it is called.
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
  complete = function(lead, line)
    return require('rdev.command').complete(lead, line)
  end,
})

if vim.g.rdev_enable ~= false then
  vim.lsp.config('rdev', {
    -- says that this client understands the rdev/* notifications
    capabilities = { experimental = { rdev = {} } },
    handlers = require('rdev.handlers'),
  })
  vim.lsp.enable('rdev')
end
