-- What this editor knows of the runs: the state behind the statusline, the pickers and the windows.
local M = {}

---@class rdev.RunRecord
---@field run rdev.Run
---@field trigger rdev.Trigger
---@field began_ms number

---@type table<string, rdev.RunRecord>
M.known = {}
---@type string?
M.latest = nil

---@param run rdev.Run
---@param trigger rdev.Trigger
function M.started(run, trigger)
  M.known[run.runId] = { run = run, trigger = trigger, began_ms = vim.uv.now() }
  M.latest = run.runId
  M.redraw()
end

---@param run rdev.Run
function M.finished(run)
  local record = M.known[run.runId]
  if record then
    record.run = run
  end
  M.redraw()
end

---@return rdev.RunRecord[]
function M.active()
  return vim.tbl_filter(function(record)
    return record.run.state ~= 'finished'
  end, vim.tbl_values(M.known))
end

---@param run rdev.Run
function M.label(run)
  return run.task or run.command
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

---@return string
function M.summary()
  local active = M.active()
  if #active > 0 then
    local seconds = math.floor((vim.uv.now() - active[1].began_ms) / 1000)
    local more = #active > 1 and (' +%d'):format(#active - 1) or ''
    return ('rdev: %s %ds%s'):format(M.label(active[1].run), seconds, more)
  end
  local last = M.latest and M.known[M.latest]
  if not last then
    return ''
  end
  return ('rdev: %s %s'):format(M.label(last.run), M.failed(last.run) and 'failed' or M.describe(last.run))
end

local clock ---@type uv.uv_timer_t?

--- Redraws the statusline now, and each second while something runs.
function M.redraw()
  vim.cmd.redrawstatus()
  if #M.active() > 0 and not clock then
    clock = assert(vim.uv.new_timer())
    clock:start(1000, 1000, vim.schedule_wrap(function()
      vim.cmd.redrawstatus()
      if #M.active() == 0 and clock then
        clock:close()
        clock = nil
      end
    end))
  end
end

return M
