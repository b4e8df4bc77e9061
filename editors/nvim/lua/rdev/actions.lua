-- What `:Rdev …` and key maps do.
local M = {}

local client = require('rdev.client')
local runs = require('rdev.runs')

---@param task rdev.Task
local function task_line(task)
  return task.description and ('%s  (%s)'):format(task.id, task.description) or task.id
end

---@param run rdev.Run
local function run_line(run)
  return ('%s  %s  %s'):format(run.runId, runs.label(run), runs.describe(run))
end

---@param done fun(tasks: rdev.Task[])
local function with_tasks(done)
  client.request('rdev/tasks', vim.empty_dict(), function(result)
    done(result.tasks)
  end)
end

---@param prompt string
---@param done fun(task: rdev.Task)
local function choose_task(prompt, done)
  with_tasks(function(tasks)
    if #tasks == 0 then
      return client.notify('no tasks yet: `rdev-bridge init` writes an rdev.toml')
    end
    vim.ui.select(tasks, { prompt = prompt, kind = 'rdev.task', format_item = task_line }, function(task)
      if task then
        done(task)
      end
    end)
  end)
end

---@param prompt string
---@param only_active boolean
---@param done fun(run: rdev.Run)
local function choose_run(prompt, only_active, done)
  client.request('rdev/runs', vim.empty_dict(), function(result)
    local list = vim.tbl_filter(function(run)
      return not only_active or run.state ~= 'finished'
    end, result.runs)
    if #list == 0 then
      return client.notify(only_active and 'nothing is running' or 'nothing has run yet')
    end
    vim.ui.select(list, { prompt = prompt, kind = 'rdev.run', format_item = run_line }, function(run)
      if run then
        done(run)
      end
    end)
  end)
end

---@return string? uri what `${file}` in a command means
local function this_file()
  return vim.bo.buftype == '' and vim.api.nvim_buf_get_name(0) ~= '' and vim.uri_from_bufnr(0) or nil
end

---@param task? string
---@param arguments? string[]
function M.run(task, arguments)
  local file = this_file()
  if not task then
    return choose_task('Run task', function(choice)
      M.run(choice.id)
    end)
  end
  local params = { task = task, arguments = arguments and #arguments > 0 and arguments or nil, file = file }
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
  if vim.trim(command) == '' then
    return client.notify('run what? :Rdev! {command}', vim.log.levels.ERROR)
  end
  client.request('rdev/run', { command = command, file = this_file() })
end

---@param run_id? string
function M.cancel(run_id)
  if run_id then
    return client.request('rdev/cancel', { runId = run_id }, function(result)
      if result.accepted then
        runs.cancelling(run_id)
      end
    end)
  end
  client.request('workspace/executeCommand', { command = 'rdev.cancel', arguments = {} }, function(result)
    if result.accepted then
      runs.cancelling()
    else
      client.notify('nothing is running')
    end
  end)
end

--- Lists the runs of all editors and shows the one that is chosen.
function M.runs()
  choose_run('Runs, newest first', false, function(run)
    M.attach(run.runId)
  end)
end

--- Shows a run's output from its first line, and follows it.
---@param run_id? string
function M.attach(run_id)
  if not run_id then
    return choose_run('Attach to', true, function(run)
      M.attach(run.runId)
    end)
  end
  client.request('rdev/attach', { runId = run_id, seq = 0 })
end

--- Switches a task's run on save and on change.
---@param name? string
function M.watch(name)
  local function switch(task)
    client.request('rdev/watch', { task = task.id, enabled = not task.watching }, function(result)
      client.notify(('%s %s'):format(task.id, result.watching and 'runs on save' or 'does not run on save any more'))
    end)
  end
  if not name then
    return choose_task('Watch', switch)
  end
  with_tasks(function(tasks)
    local found = vim.iter(tasks):find(function(task)
      return task.id == name or task.name == name
    end)
    if not found then
      return client.notify(('there is no task %q in rdev.toml'):format(name), vim.log.levels.ERROR)
    end
    switch(found)
  end)
end

--- Opens a run's log; without an id, the newest run's.
---@param run_id? string
function M.log(run_id)
  client.request('rdev/runs', vim.empty_dict(), function(result)
    local run = vim.iter(result.runs):find(function(candidate)
      return not run_id or candidate.runId == run_id
    end)
    if not run then
      return client.notify(run_id and ('there is no run %q'):format(run_id) or 'nothing has run yet')
    end
    vim.cmd.sview({ args = { vim.uri_to_fname(run.logUri) }, magic = { file = false, bar = false } })
  end)
end

return M
