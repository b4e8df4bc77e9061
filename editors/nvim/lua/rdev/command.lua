-- `:Rdev`: words to actions, and completion.
local M = {}

---@class rdev.Subcommand
---@field act fun(words: string[])
---@field complete? fun(): string[]

---@param request string
---@param field string
---@param name fun(item: any): string
local function names(request, field, name)
  return function()
    local client = require('rdev.client').get()
    local answer = client and client:request_sync(request --[[@as any]], {}, 1000)
    return vim.tbl_map(name, answer and answer.result and answer.result[field] or {})
  end
end

local tasks = names('rdev/tasks', 'tasks', function(task)
  return task.id
end)
local run_ids = names('rdev/runs', 'runs', function(run)
  return run.runId
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
    complete = run_ids,
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

---@param command vim.api.keyset.create_user_command.command_args
function M.run(command)
  if command.bang then -- :Rdev! make -j8
    return actions().shell(command.args)
  end
  local name = command.fargs[1] or 'run'
  local subcommand = subcommands[name]
  if not subcommand then
    local known = vim.tbl_keys(subcommands)
    table.sort(known)
    return require('rdev.client').notify(
      ('there is no :Rdev %s; there are %s'):format(name, table.concat(known, ', ')),
      vim.log.levels.ERROR
    )
  end
  subcommand.act(vim.list_slice(command.fargs, 2))
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local words = vim.split(line, '%s+')
  local choices
  if #words <= 2 then
    choices = vim.tbl_keys(subcommands)
  else
    local subcommand = subcommands[words[2]]
    choices = #words == 3 and subcommand and subcommand.complete and subcommand.complete() or {}
  end
  table.sort(choices)
  return vim.tbl_filter(function(choice)
    return vim.startswith(choice, lead)
  end, choices)
end

return M
