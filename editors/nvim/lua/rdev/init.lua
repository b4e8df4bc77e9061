-- The plugin's face to a configuration: setup, the statusline component, and functions for key maps.
local M = {}

---@type rdev.Config
M.config = {
  open_on_run = true,
  open_on_failure = false,
  height = 12,
  max_lines = 50000,
  quickfix = true,
}

--- Optional: only where a default is to be changed.
---@param options? rdev.Options
function M.setup(options)
  for name, value in pairs(options or {}) do
    if M.config[name] == nil then
      error(('rdev: unknown option %q; see :help rdev-options'):format(name), 2)
    end
    vim.validate(name, value, type(M.config[name]))
  end
  M.config = vim.tbl_extend('force', M.config, options or {})
end

--- Runs a task, or asks which when `task` is nil.
---@param task? string
---@param arguments? string[]
function M.run(task, arguments)
  require('rdev.actions').run(task, arguments)
end

--- Cancels a run; without an id, all that this editor started.
---@param run_id? string
function M.cancel(run_id)
  require('rdev.actions').cancel(run_id)
end

--- `rdev: test 12s`, `rdev: test failed`, or nothing: for a statusline.
---@return string
function M.statusline()
  -- a statusline is drawn often and early: do not load the rest for it
  local runs = package.loaded['rdev.runs']
  return runs and runs.summary() or ''
end

return M
