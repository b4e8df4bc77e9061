-- :checkhealth rdev
local M = {}

local MARKS = { ['✓'] = 'ok', ok = 'ok', ['!'] = 'warn', ['✗'] = 'error', x = 'error' }

--- What `rdev-bridge doctor` found, in the marks of a health report.
---@param doctor vim.SystemCompleted
local function tell_doctor(doctor)
  for line in vim.gsplit(vim.trim((doctor.stdout or '') .. (doctor.stderr or '')), '\n') do
    local mark, finding = line:match('^(%S+)%s+(.*)$')
    local report = vim.health[MARKS[mark] or 'info']
    report(MARKS[mark] and finding or line)
  end
end

function M.check()
  vim.health.start('rdev')
  if vim.fn.has('nvim-0.11') == 0 then
    vim.health.error('Neovim 0.11 or later is needed')
    return
  end
  require('rdev.lsp').configure()
  local command = vim.lsp.config.rdev.cmd
  local program = type(command) == 'table' and command[1] or 'rdev-bridge'
  if vim.fn.executable(program) == 0 then
    vim.health.error(
      ('%q is not on PATH'):format(program),
      { 'in a clone of it: pip install .', "or: vim.lsp.config('rdev', { cmd = { '/path/to/rdev-bridge', 'lsp' } })" }
    )
    return
  end
  local version = vim.system({ program, '--version' }, { text = true }):wait(20000)
  vim.health.ok(vim.trim(version.stdout or '') .. ' (' .. vim.fn.exepath(program) .. ')')

  local root = vim.fs.root(0, { 'rdev.toml' })
  if root then
    vim.health.ok('tasks come from ' .. vim.fs.joinpath(root, 'rdev.toml'))
  else
    vim.health.info('no rdev.toml at or above this buffer: `rdev-bridge init` writes one')
  end

  local client = require('rdev.client').get()
  if not client then
    vim.health.info('the bridge is not running; it starts with the first file that you open')
    return
  end
  vim.health.ok(('the bridge is running for %s'):format(client.root_dir or 'this folder'))
  tell_doctor(vim.system({ program, 'doctor' }, { text = true, cwd = client.root_dir }):wait(30000))
end

return M
