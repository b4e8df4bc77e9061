-- What this editor knows of the runs: the state behind the statusline and the words for how a run stands.
local M = {}

---@class rdev.Active
---@field run rdev.Run
---@field trigger rdev.Trigger
---@field began_ms number
---@field cancelling? boolean asked to end; it ends once the command is dead and its output is here

---@type rdev.Active[] those that have not ended, oldest first
local active = {}
---@type rdev.Run?
local last

---@param run rdev.Run
---@param trigger rdev.Trigger
function M.started(run, trigger)
  M.finished(run) -- an attached run starts again
  active[#active + 1] = { run = run, trigger = trigger, began_ms = vim.uv.now() }
  M.redraw()
end

---@param run rdev.Run
---@return rdev.Trigger? trigger what had started it
function M.finished(run)
  local trigger ---@type rdev.Trigger?
  for i, record in ipairs(active) do
    if record.run.runId == run.runId then
      trigger = record.trigger
      table.remove(active, i)
      break
    end
  end
  last = run
  M.redraw()
  return trigger
end

--- A cancel was accepted: of one run, or of all that this editor asked for.
---@param run_id? string
function M.cancelling(run_id)
  for _, record in ipairs(active) do
    local is_meant = record.run.runId == run_id or (not run_id and record.trigger.kind ~= 'attach')
    record.cancelling = record.cancelling or is_meant
  end
  M.redraw()
end

---@param run rdev.Run
function M.stale(run)
  if last and last.runId == run.runId then
    last = run
    M.redraw()
  end
end

local LABEL_CHARS = 30

---@param run rdev.Run
---@return string
function M.label(run)
  if run.task or vim.fn.strchars(run.command) <= LABEL_CHARS then
    return run.task or run.command
  end
  return vim.fn.strcharpart(run.command, 0, LABEL_CHARS - 1) .. '…'
end

---@param milliseconds integer
local function duration(milliseconds)
  if milliseconds < 1000 then
    return milliseconds .. ' ms'
  end
  return ('%.1f s'):format(milliseconds / 1000)
end

--- One phrase for how a run stands.
---@param run rdev.Run
---@return string
function M.describe(run)
  if run.state ~= 'finished' then
    return run.state
  end
  local time = run.durationMs and ' in ' .. duration(run.durationMs) or ''
  if run.outcome == 'succeeded' then
    return 'succeeded' .. time
  elseif run.outcome == 'failed' then
    return ('exit code %s%s'):format(run.exitCode or 'unknown', time)
  elseif run.outcome == 'timedOut' then
    return 'timed out' .. time
  end
  return (run.outcome or 'finished') .. (run.message and ': ' .. run.message or '')
end

local quiet = { succeeded = true, cancelled = true, superseded = true }

---@param run rdev.Run
function M.failed(run)
  return run.state == 'finished' and not quiet[run.outcome]
end

--- For the statusline.
---@return string
function M.summary()
  local first = active[1]
  if first then
    local seconds = math.floor((vim.uv.now() - first.began_ms) / 1000)
    local more = #active > 1 and (' +%d'):format(#active - 1) or ''
    local doing = first.cancelling and 'cancelling' or seconds .. 's'
    return ('rdev: %s %s%s'):format(M.label(first.run), doing, more)
  end
  if not last then
    return ''
  end
  local state = last.outcome == 'failed' and 'failed' or last.outcome or last.state
  return ('rdev: %s %s%s'):format(M.label(last), state, last.stale and ' (files changed since)' or '')
end

local clock ---@type uv.uv_timer_t?

--- Redraws the statusline now, and each second while something runs.
function M.redraw()
  vim.cmd.redrawstatus()
  if #active > 0 and not clock then
    clock = assert(vim.uv.new_timer())
    clock:start(1000, 1000, vim.schedule_wrap(function()
      vim.cmd.redrawstatus()
      if #active == 0 and clock then
        clock:close()
        clock = nil
      end
    end))
  end
end

return M
