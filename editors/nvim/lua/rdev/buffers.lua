-- The buffers that runs write to: one a task, named after it, and the window that shows it.
local M = {}

---@type table<string, string> the run that writes to a buffer now, by the buffer's name
local writers = {}

---@param run rdev.Run
local function base_name(run)
  return 'rdev://' .. (run.task or run.command):gsub('%c', ' '):sub(1, 60)
end

---@param name string
---@return integer?
local function existing(name)
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_get_name(buffer) == name then
      if vim.api.nvim_buf_is_loaded(buffer) then
        return buffer
      end
      vim.api.nvim_buf_delete(buffer, { force = true }) -- `:bdelete` left its name behind
    end
  end
end

---@param buffer integer
local function map_keys(buffer)
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buffer, desc = 'Close this window' })
  vim.keymap.set('n', '<C-c>', function()
    require('rdev.actions').cancel(vim.b[buffer].rdev_run_id)
  end, { buffer = buffer, desc = 'Cancel this run' })
end

---@param name string
---@return integer
local function create(name)
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(buffer, name)
  vim.bo[buffer].filetype = 'rdev'
  vim.bo[buffer].undolevels = -1 -- a flood is no edit to remember
  vim.bo[buffer].modifiable = false
  map_keys(buffer)
  return buffer
end

--- The buffer of the run's task; a second run of that task beside the first has its own.
---@param run rdev.Run
---@param client_id integer
---@return integer
function M.claim(run, client_id)
  local name = base_name(run)
  if writers[name] and writers[name] ~= run.runId then
    name = ('%s#%s'):format(name, run.runId)
  end
  writers[name] = run.runId
  local buffer = existing(name) or create(name)
  vim.b[buffer].rdev_run_id = run.runId
  vim.b[buffer].rdev_client_id = client_id
  return buffer
end

--- The run ended: the next one of its task may have the buffer.
---@param buffer integer
function M.release(buffer)
  if vim.api.nvim_buf_is_valid(buffer) then
    writers[vim.api.nvim_buf_get_name(buffer)] = nil
  end
end

--- Windows whose cursor stands on the last line: they follow.
---@param buffer integer
---@return integer[]
function M.followers(buffer)
  local last = vim.api.nvim_buf_line_count(buffer)
  return vim.tbl_filter(function(window)
    return vim.api.nvim_win_get_cursor(window)[1] >= last
  end, vim.fn.win_findbuf(buffer))
end

---@param window integer
---@param buffer integer
function M.follow(window, buffer)
  vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(buffer), 0 })
end

---@return integer? window one of this tab that shows another run
local function window_of_another()
  return vim.iter(vim.api.nvim_tabpage_list_wins(0)):find(function(window)
    return vim.bo[vim.api.nvim_win_get_buf(window)].filetype == 'rdev'
  end)
end

---@param run rdev.Run
---@return integer?
local function of(run)
  return vim.iter(vim.api.nvim_list_bufs()):find(function(buffer)
    return vim.api.nvim_buf_is_loaded(buffer) and vim.b[buffer].rdev_run_id == run.runId
  end)
end

--- Shows a run's output in a window at the bottom, without taking the cursor there.
---@param run rdev.Run
function M.show(run)
  local buffer = of(run)
  if not buffer or vim.fn.bufwinid(buffer) ~= -1 then
    return
  end
  local window = window_of_another()
  if window then
    vim.api.nvim_win_set_buf(window, buffer)
  else
    local height = require('rdev').config.height
    window = vim.api.nvim_open_win(buffer, false, { split = 'below', win = -1, height = height })
  end
  for option, value in pairs({
    number = false, relativenumber = false, signcolumn = 'no', foldcolumn = '0', wrap = false, list = false,
    spell = false, winfixheight = true,
  }) do
    vim.api.nvim_set_option_value(option, value, { win = window, scope = 'local' })
  end
  M.follow(window, buffer)
end

return M
