-- `:Rdev`: words to actions, and completion.
local M = {}

local COMPLETION_MS = 2000

---@class rdev.Subcommand
---@field act fun(words: string[])
---@field complete? fun(): string[]

---@param request string
---@param field string
---@param name fun(item: any): string?
local function names(request, field, name)
  return function()
    local client = require('rdev.client')
    local found ---@type vim.lsp.Client?
    client.with(function(ready)
      found = ready
    end)
    vim.wait(COMPLETION_MS, function()
      return found ~= nil
    end, 10)
    local answer = found and found:request_sync(request --[[@as any]], vim.empty_dict(), COMPLETION_MS)
    return vim.iter(answer and answer.result and answer.result[field] or {}):map(name):totable()
  end
end

local tasks = names('rdev/tasks', 'tasks', function(task)
  return task.id
end)
local run_ids = names('rdev/runs', 'runs', function(run)
  return run.runId
end)
local active_run_ids = names('rdev/runs', 'runs', function(run)
  return run.state ~= 'finished' and run.runId or nil
end)

local function actions()
  return require('rdev.actions')
end

---@type table<string, rdev.Subcommand>
local subcommands = {
  run = {
    act = function(words)
      actions().run(words[1], vim.list_slice(words, 2))
    end,
    complete = tasks,
  },
  cancel = {
    act = function(words)
      actions().cancel(words[1])
    end,
    complete = active_run_ids,
  },
  runs = {
    act = function()
      actions().runs()
    end,
  },
  attach = {
    act = function(words)
      actions().attach(words[1])
    end,
    complete = run_ids,
  },
  watch = {
    act = function(words)
      actions().watch(words[1])
    end,
    complete = tasks,
  },
  log = {
    act = function(words)
      actions().log(words[1])
    end,
    complete = run_ids,
  },
}

---@return string[]
local function known()
  local found = vim.tbl_keys(subcommands)
  table.sort(found)
  return found
end

---@param command vim.api.keyset.create_user_command.command_args
function M.run(command)
  if command.bang then -- :Rdev! make -j8
    return actions().shell(command.args)
  end
  local name = command.fargs[1] or 'run'
  local subcommand = subcommands[name]
  if not subcommand then
    local message = ('there is no :Rdev %s; there are %s'):format(name, table.concat(known(), ', '))
    return require('rdev.client').notify(message, vim.log.levels.ERROR)
  end
  subcommand.act(vim.list_slice(command.fargs, 2))
end

---@param lead string the word before the cursor
---@param line string the command line up to the cursor
---@return string[]
function M.complete(lead, line)
  local rest = line:match('Rdev%s+(.*)$') -- whatever stands before it: `silent`, a range, another command
  if not rest then
    return {} -- :Rdev! takes a shell command
  end
  local words = vim.split(rest, '%s+')
  local choices = {} ---@type string[]
  if #words == 1 then
    choices = known()
  elseif #words == 2 and subcommands[words[1]] and subcommands[words[1]].complete then
    choices = subcommands[words[1]].complete()
  end
  return vim.tbl_filter(function(choice)
    return vim.startswith(choice, lead)
  end, choices)
end

return M
