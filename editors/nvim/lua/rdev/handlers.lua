-- What the bridge tells us, handed to the window, the statusline and the quickfix list.
local buffers = require('rdev.buffers')
local client = require('rdev.client')
local output = require('rdev.output')
local runs = require('rdev.runs')

local M = {}

---@param params rdev.RunStarted
---@param client_id integer
function M.runStarted(params, client_id)
  local run, kind = params.run, params.trigger.kind
  runs.started(run, params.trigger)
  output.begin(run, client_id)
  if kind == 'attach' or (kind == 'request' and require('rdev').config.open_on_run) then
    buffers.show(run)
  end
end

---@param params rdev.Output
function M.output(params)
  output.output(params)
end

---@param params rdev.OutputGap
function M.outputGap(params)
  output.note(params.runId, ('%s lines can no longer be sent by the server'):format(params.missing or 'some'))
end

---@param run rdev.Run
---@param trigger? rdev.Trigger
local function tell(run, trigger)
  local kind = trigger and trigger.kind
  if runs.failed(run) and kind ~= 'attach' then
    client.notify(('%s: %s'):format(runs.label(run), runs.describe(run)), vim.log.levels.WARN)
    if kind ~= 'request' and require('rdev').config.open_on_failure then
      buffers.show(run)
    end
  end
end

---@param params rdev.RunParams
function M.runFinished(params)
  local run = params.run
  local trigger = runs.finished(run)
  output.finish(run, runs.describe(run), function()
    tell(run, trigger)
    require('rdev.quickfix').update(run)
    vim.api.nvim_exec_autocmds('User', { pattern = 'RdevRunFinished', data = { run = run } })
  end)
end

---@param params rdev.RunParams
function M.runStale(params)
  runs.stale(params.run)
end

---@param params rdev.Connection
function M.connection(params)
  if params.state == 'offline' or params.state == 'reconnecting' then
    client.notify(('%s: %s'):format(params.server, params.message or params.state), vim.log.levels.WARN)
  elseif params.state == 'resumed' then
    client.notify(params.server .. ': connected again')
  end
end

function M.tasksChanged() end -- tasks are asked for when they are needed

return M
