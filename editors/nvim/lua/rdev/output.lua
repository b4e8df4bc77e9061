-- The output of runs: drawn in slices between which Neovim answers, bounded, in its colours, followed to its end.
local M = {}

local ansi = require('rdev.ansi')
local buffers = require('rdev.buffers')

local namespace = vim.api.nvim_create_namespace('rdev')
local GATHER_MS = 30 -- output comes in many small pieces
local DRAW_NS = 8e6 -- of each frame, so that keys are never held up
local SLICE_LINES = 500

---@class rdev.Screen one run's way to its buffer
---@field buffer integer
---@field waiting string[]
---@field restart boolean what stands in the buffer will have scrolled away before it is seen
---@field scheduled boolean
---@field style rdev.Style
---@field done? fun()

---@type table<string, rdev.Screen> by run
local screens = {}

local function max_lines()
  return require('rdev').config.max_lines
end

---@param line string
local function as_shown(line)
  if not line:find('[\r\n]') then
    return line
  end
  line = line:gsub('\n', ' ') -- other servers may send one inside a line
  return line:gsub('\r+$', ''):match('[^\r]*$') -- a progress bar: what a terminal shows in the end
end

---@param screen rdev.Screen
---@param change fun()
local function modify(screen, change)
  vim.bo[screen.buffer].modifiable = true
  change()
  vim.bo[screen.buffer].modifiable = false
  vim.bo[screen.buffer].modified = false
end

---@param buffer integer
local function is_empty(buffer)
  return vim.api.nvim_buf_line_count(buffer) == 1 and vim.api.nvim_buf_get_lines(buffer, 0, 1, false)[1] == ''
end

---@param screen rdev.Screen
---@param count integer
local function forget_first(screen, count)
  vim.api.nvim_buf_clear_namespace(screen.buffer, namespace, 0, count) -- else their marks gather on line 0
  vim.api.nvim_buf_set_lines(screen.buffer, 0, count, false, {})
end

---@param screen rdev.Screen
---@param lines string[]
local function append(screen, lines)
  local buffer = screen.buffer
  local plain, highlights = {}, {} ---@type string[], rdev.Span[][]
  for i, line in ipairs(lines) do
    plain[i], highlights[i] = ansi.parse(as_shown(line), screen.style)
  end
  local first = is_empty(buffer) and 0 or vim.api.nvim_buf_line_count(buffer)
  vim.api.nvim_buf_set_lines(buffer, first, -1, false, plain)
  for i, spans in ipairs(highlights) do
    for _, span in ipairs(spans) do
      local mark = { end_col = span.to, hl_group = span.group }
      vim.api.nvim_buf_set_extmark(buffer, namespace, first + i - 1, span.from, mark)
    end
  end
end

---@param screen rdev.Screen
local function draw_slices(screen)
  if screen.restart then
    screen.restart = false
    forget_first(screen, vim.api.nvim_buf_line_count(screen.buffer))
  end
  local until_ns, drawn = vim.uv.hrtime() + DRAW_NS, 0
  while drawn < #screen.waiting and vim.uv.hrtime() < until_ns do
    local stop = math.min(drawn + SLICE_LINES, #screen.waiting)
    append(screen, vim.list_slice(screen.waiting, drawn + 1, stop))
    drawn = stop
  end
  local surplus = vim.api.nvim_buf_line_count(screen.buffer) - max_lines()
  if surplus > 0 then
    forget_first(screen, surplus)
  end
  screen.waiting = vim.list_slice(screen.waiting, drawn + 1)
end

local schedule

---@param screen rdev.Screen
local function draw(screen)
  screen.scheduled = false
  if vim.api.nvim_buf_is_loaded(screen.buffer) then
    local following = buffers.followers(screen.buffer)
    modify(screen, function()
      draw_slices(screen)
    end)
    for _, window in ipairs(following) do
      buffers.follow(window, screen.buffer)
    end
  else
    screen.waiting = {} -- the user closed it
  end
  if #screen.waiting > 0 then
    return schedule(screen, screen.done and 1 or GATHER_MS)
  end
  local done = screen.done
  if done then
    screen.done = nil
    done()
  end
end

---@param screen rdev.Screen
---@param delay_ms integer
function schedule(screen, delay_ms)
  if not screen.scheduled then
    screen.scheduled = true
    vim.defer_fn(function()
      draw(screen)
    end, delay_ms)
  end
end

--- Keeps no more waiting than the buffer will hold: the rest would scroll away unseen.
---@param screen rdev.Screen
local function bound(screen)
  local limit = max_lines()
  local count = #screen.waiting
  if count > 2 * limit then
    screen.waiting = vim.list_slice(screen.waiting, count - limit + 1)
    screen.restart, screen.style = true, {}
  end
end

---@param screen rdev.Screen
---@param lines string[]
local function add(screen, lines)
  vim.list_extend(screen.waiting, lines)
  bound(screen)
  schedule(screen, GATHER_MS)
end

---@param run rdev.Run
---@param client_id integer
function M.begin(run, client_id)
  local buffer = buffers.claim(run, client_id)
  local screen = { buffer = buffer, waiting = {}, restart = false, scheduled = false, style = {} }
  screens[run.runId] = screen
  modify(screen, function()
    forget_first(screen, -1)
  end)
  add(screen, { '\27[2;1m> ' .. run.command .. '\27[0m' })
end

---@param output rdev.Output
function M.output(output)
  local screen = screens[output.runId]
  if screen then
    for _, chunk in ipairs(output.chunks) do
      add(screen, chunk.lines)
    end
  end
end

--- A line of ours among those of the run.
---@param run_id string
---@param text string
function M.note(run_id, text)
  local screen = screens[run_id]
  if screen then
    add(screen, { '\27[0;1m> ' .. text .. '\27[0m' })
  end
end

--- Draws what is left and how the run ended, then calls `done`.
---@param run rdev.Run
---@param how string
---@param done fun()
function M.finish(run, how, done)
  local screen = screens[run.runId]
  if not screen then
    return done()
  end
  local unseen = run.lines - (max_lines() - 1)
  if unseen > 0 then
    how = ('%s; the first %d lines are in its log, :Rdev log opens it'):format(how, unseen)
  end
  M.note(run.runId, how)
  screen.done = function()
    screens[run.runId] = nil
    buffers.release(screen.buffer)
    done()
  end
end

return M
