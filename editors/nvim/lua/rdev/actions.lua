-- What `:Rdev …` and key maps do.
local M = {}

local client = require('rdev.client')
local runs = require('rdev.runs')

---@param task rdev.Task
local function task_line(task)
  return task.description and ('%s  (%s)'):format(task.id, task.description) or task.id
end

---@param done fun(tasks: rdev.Task[])
function M.tasks(done)
  client.request('rdev/tasks', {}, function(result)
    done(result.tasks)
  end)
end

---@param prompt string
---@param only_active boolean
---@param done fun(run: rdev.Run)
local function choose_run(prompt, only_active, done)
  client.request('rdev/runs', {}, function(result)
    local list = vim.tbl_filter(function(run)
      return not only_active or run.state ~= 'finished'
    end, result.runs)
    if #list == 0 then
      return client.notify(only_active and 'nothing is running' or 'nothing has run yet')
    end
    vim.ui.select(list, {
      prompt = prompt,
      kind = 'rdev.run',
      format_item = function(run)
        return ('%s  %s  %s'):format(run.runId, runs.label(run), runs.describe(run))
      end,
    }, function(run)
      if run then
        done(run)
      end
    end)
  end)
end

---@param task? string
---@param arguments? string[]
function M.run(task, arguments)
  if not task then
    return M.tasks(function(tasks)
      if #tasks == 0 then
        return client.notify('no tasks yet: `rdev-bridge init` writes an rdev.toml')
      end
      vim.ui.select(tasks, { prompt = 'Run task', kind = 'rdev.task', format_item = task_line }, function(choice)
        if choice then
          M.run(choice.id)
        end
      end)
    end)
  end
  local params = { task = task, arguments = arguments and #arguments > 0 and arguments or nil }
  client.request('rdev/run', params, function(result)
    if result.disposition == 'queued' then
      client.notify(task .. ' will run after the run before it')
    elseif result.disposition == 'ignored' then
      client.notify(task .. ' is running already')
    end
  end)
end

--- Runs free shell text.
---@param command string
function M.shell(command)
  client.request('rdev/run', { command = command })
end

---@param run_id? string
function M.cancel(run_id)
  if run_id then
    return client.request('rdev/cancel', { runId = run_id })
  end
  client.request('workspace/executeCommand', { command = 'rdev.cancel', arguments = {} })
end

function M.runs()
  choose_run('Runs, newest first', false, M.attach)
end

--- Shows a run's output from its first line, and follows it.
---@param run? rdev.Run|string
function M.attach(run)
  if not run then
    return choose_run('Attach to', true, M.attach)
  end
  local run_id = type(run) == 'string' and run or run.runId
  client.request('rdev/attach', { runId = run_id, seq = 0 }, function(result)
    require('rdev.output').show(result.run)
  end)
end

--- Switches a task's run on save and on change.
---@param task? string
function M.watch(task)
  if not task then
    return M.tasks(function(tasks)
      vim.ui.select(tasks, { prompt = 'Watch', kind = 'rdev.task', format_item = task_line }, function(choice)
        if choice then
          M.watch(choice.id)
        end
      end)
    end)
  end
  M.tasks(function(tasks)
    local found = vim.iter(tasks):find(function(candidate)
      return candidate.id == task or candidate.name == task
    end)
    if not found then
      return client.notify(('there is no task %q in rdev.toml'):format(task), vim.log.levels.ERROR)
    end
    client.request('rdev/watch', { task = found.id, enabled = not found.watching }, function(result)
      client.notify(('%s %s'):format(task, result.watching and 'runs on save' or 'does not run on save any more'))
    end)
  end)
end

--- Opens a run's log; without an id, the latest run's.
---@param run_id? string
function M.log(run_id)
  client.request('rdev/runs', {}, function(result)
    local run = vim.iter(result.runs):find(function(candidate)
      return not run_id or candidate.runId == run_id
    end)
    if not run then
      return client.notify('there is no such run')
    end
    vim.cmd.edit(vim.fn.fnameescape(vim.uri_to_fname(run.logUri)))
  end)
end

return M
