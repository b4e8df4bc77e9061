-- The output window: one buffer a run's task, follows the end unless the cursor was moved away, shows colours.
local M = {}

local ansi = require('rdev.ansi')
local namespace = vim.api.nvim_create_namespace('rdev')

---@class rdev.OutputBuffer
---@field buffer integer
---@field waiting string[]
---@field scheduled boolean
---@field style rdev.Style

---@type table<string, rdev.OutputBuffer> by run
local buffers = {}
---@type table<string, integer> buffer by name
local by_name = {}

---@param name string
local function buffer_named(name)
  local buffer = by_name[name]
  if not buffer or not vim.api.nvim_buf_is_valid(buffer) then
    buffer = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(buffer, name)
    vim.bo[buffer].filetype = 'rdev'
    vim.bo[buffer].modifiable = false
    by_name[name] = buffer
  end
  return buffer
end

---@param buffer integer
---@param change fun()
local function modify(buffer, change)
  vim.bo[buffer].modifiable = true
  change()
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].modified = false
end

--- Windows whose cursor stands on the last line: they follow.
---@param buffer integer
local function followers(buffer)
  local last = vim.api.nvim_buf_line_count(buffer)
  return vim.tbl_filter(function(window)
    return vim.api.nvim_win_get_cursor(window)[1] >= last
  end, vim.fn.win_findbuf(buffer))
end

---@param out rdev.OutputBuffer
---@param lines string[]
local function append(out, lines)
  local buffer = out.buffer
  if not vim.api.nvim_buf_is_valid(buffer) then
    return
  end
  local following = followers(buffer)
  local plain, highlights = {}, {}
  for i, line in ipairs(lines) do
    plain[i], highlights[i] = ansi.parse(line, out.style)
  end
  local count = vim.api.nvim_buf_line_count(buffer)
  local empty = count == 1 and vim.api.nvim_buf_get_lines(buffer, 0, 1, false)[1] == ''
  local first = empty and 0 or count
  modify(buffer, function()
    vim.api.nvim_buf_set_lines(buffer, first, -1, false, plain)
    local surplus = vim.api.nvim_buf_line_count(buffer) - require('rdev').config.max_lines
    if surplus > 0 then
      vim.api.nvim_buf_set_lines(buffer, 0, surplus, false, {})
      first = first - surplus
    end
  end)
  for i, spans in ipairs(highlights) do
    for _, span in ipairs(spans) do
      if first + i - 1 >= 0 then
        vim.api.nvim_buf_set_extmark(buffer, namespace, first + i - 1, span.from, { end_col = span.to, hl_group = span.group })
      end
    end
  end
  local last = vim.api.nvim_buf_line_count(buffer)
  for _, window in ipairs(following) do
    vim.api.nvim_win_set_cursor(window, { last, 0 })
  end
end

---@param out rdev.OutputBuffer
local function flush(out)
  out.scheduled = false
  local lines = out.waiting
  out.waiting = {}
  -- a flood: what would scroll away at once is not drawn
  local limit = require('rdev').config.max_lines
  if #lines > limit then
    lines = vim.list_slice(lines, #lines - limit + 1)
  end
  append(out, lines)
end

---@param out rdev.OutputBuffer
---@param lines string[]
local function add(out, lines)
  for _, line in ipairs(lines) do
    out.waiting[#out.waiting + 1] = (line:gsub('\n', ' '))
  end
  if not out.scheduled then
    out.scheduled = true
    vim.defer_fn(function()
      flush(out)
    end, 30)
  end
end

---@param run rdev.Run
---@param keep boolean add to what stands there (a dependency's output before its parent's)
function M.begin(run, keep)
  local buffer = buffer_named('rdev://' .. (run.task or run.command:sub(1, 40)))
  buffers[run.runId] = { buffer = buffer, waiting = {}, scheduled = false, style = {} }
  if not keep then
    modify(buffer, function()
      vim.api.nvim_buf_set_lines(buffer, 0, -1, false, {})
    end)
  end
  vim.b[buffer].rdev_run_id = run.runId
  add(buffers[run.runId], { '> ' .. run.command })
end

---@param output rdev.Output
function M.output(output)
  local out = buffers[output.runId]
  if out then
    for _, chunk in ipairs(output.chunks) do
      add(out, chunk.lines)
    end
  end
end

---@param run_id string
---@param text string
function M.note(run_id, text)
  local out = buffers[run_id]
  if out then
    add(out, { '> ' .. text })
  end
end

--- Draws what is waiting, for the end of a run and for tests.
---@param run_id string
function M.finish(run_id)
  local out = buffers[run_id]
  if out then
    flush(out)
    buffers[run_id] = nil
  end
end

--- Shows a run's output in a window at the bottom, without taking the cursor there.
---@param run rdev.Run
function M.show(run)
  local buffer = buffer_named('rdev://' .. (run.task or run.command:sub(1, 40)))
  if #vim.fn.win_findbuf(buffer) > 0 then
    return
  end
  local window = vim.api.nvim_open_win(buffer, false, { split = 'below', win = -1, height = require('rdev').config.height })
  vim.wo[window].number = false
  vim.wo[window].relativenumber = false
  vim.wo[window].signcolumn = 'no'
  vim.wo[window].wrap = false
  vim.wo[window].winfixheight = true
  vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(buffer), 0 })
end

return M
