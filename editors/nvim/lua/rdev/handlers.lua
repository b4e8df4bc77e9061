-- What the bridge tells us, handed to the window, the statusline and the quickfix list.
---@type table<string, lsp.Handler>
local handlers = {}

--- Loads `name` only when it is needed: a start of Neovim loads this file alone.
local function lazy(name)
  return setmetatable({}, {
    __index = function(_, key)
      return require(name)[key]
    end,
  })
end

local runs, output, client = lazy('rdev.runs'), lazy('rdev.output'), lazy('rdev.client')

handlers['rdev/runStarted'] = function(_, params)
  local run = params.run --[[@as rdev.Run]]
  runs.started(run, params.trigger)
  output.begin(run, run.parentRunId ~= nil)
  if params.trigger.kind == 'request' and require('rdev').config.open_on_run then
    output.show(run)
  end
end

handlers['rdev/output'] = function(_, params)
  output.output(params)
end

handlers['rdev/outputGap'] = function(_, params)
  local count = params.missing == vim.NIL and 'some' or params.missing
  output.note(params.runId, ('%s lines can no longer be sent by the server'):format(count or 'some'))
end

handlers['rdev/runFinished'] = function(_, params)
  local run = params.run --[[@as rdev.Run]]
  local record = runs.known[run.runId]
  output.note(run.runId, runs.describe(run))
  output.finish(run.runId)
  runs.finished(run)
  local by_itself = record and record.trigger.kind ~= 'request'
  if runs.failed(run) then
    client.notify(('%s: %s'):format(runs.label(run), runs.describe(run)), vim.log.levels.WARN)
    if by_itself and require('rdev').config.open_on_failure then
      output.show(run)
    end
  end
  require('rdev.quickfix').update(run)
  vim.api.nvim_exec_autocmds('User', { pattern = 'RdevRunFinished', data = { run = run } })
end

handlers['rdev/connection'] = function(_, params)
  if params.state == 'offline' or params.state == 'reconnecting' then
    client.notify(('%s: %s'):format(params.server, params.message or params.state), vim.log.levels.WARN)
  elseif params.state == 'resumed' then
    client.notify(params.server .. ': connected again')
  end
end

handlers['rdev/tasksChanged'] = function() end -- tasks are asked for when they are needed

return handlers
