-- Only what must exist before the first use. The rest loads with the first command, or the first file of a
-- project that has an rdev.toml.
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

if vim.g.rdev_enable == false then
  require('rdev.lsp').configure() -- the user enables it
  return
end

vim.api.nvim_create_autocmd('FileType', {
  group = vim.api.nvim_create_augroup('rdev', {}),
  callback = function(event)
    if vim.bo[event.buf].buftype == '' and vim.fs.root(event.buf, 'rdev.toml') then
      vim.schedule(require('rdev.lsp').enable) -- starts the bridge for the buffers that are open by then
      return true
    end
  end,
})
