-- A task's problems in the quickfix list; they are ordinary diagnostics, so the list is built from those.
local M = {}

---@param run rdev.Run
---@return vim.quickfix.entry[]
local function entries(run)
  local source = 'rdev:' .. (run.task or '')
  local mine = vim.tbl_filter(function(diagnostic)
    return diagnostic.source == source
  end, vim.diagnostic.get(nil))
  return vim.diagnostic.toqflist(mine)
end

--- Fills the list when `run` found problems, and empties it when they are gone, if the list is ours.
---@param run rdev.Run
function M.update(run)
  if not run.task or not require('rdev').config.quickfix then
    return
  end
  local title = 'rdev: ' .. run.task
  local current = vim.fn.getqflist({ title = 0, size = 0 })
  local items = entries(run)
  if current.title == title then
    vim.fn.setqflist({}, 'r', { title = title, items = items })
  elseif #items > 0 then
    vim.fn.setqflist({}, ' ', { title = title, items = items })
  end
end

return M
