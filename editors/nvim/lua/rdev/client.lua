-- The one way to the bridge: finds or starts the client, sends a request, tells an error kindly.
local M = {}

local PATIENCE_MS, STEP_MS = 20000, 20

--- The bridge of this buffer: of its file's project, or of the run whose output it holds; else any.
---@return vim.lsp.Client?
function M.get()
  local id = vim.b.rdev_client_id
  local of_output = id and vim.lsp.get_client_by_id(id)
  if of_output and not of_output:is_stopped() then
    return of_output
  end
  local here = vim.lsp.get_clients({ name = 'rdev', bufnr = 0 })[1]
  return here or vim.lsp.get_clients({ name = 'rdev' })[1]
end

---@param message string
---@param level? integer
function M.notify(message, level)
  vim.notify('rdev: ' .. message, level or vim.log.levels.INFO)
end

--- Starts the bridge for the folder that this buffer belongs to, where no file of its has done so.
---@return vim.lsp.Client?
local function start()
  require('rdev.lsp').configure()
  local config = vim.lsp.config.rdev
  local root = vim.fs.root(0, { 'rdev.toml', '.git' }) or vim.fn.getcwd()
  local id = vim.lsp.start(vim.tbl_extend('force', config, { name = 'rdev', root_dir = root }), { attach = false })
  return id and vim.lsp.get_client_by_id(id) or nil
end

---@param client vim.lsp.Client
---@param use fun(client: vim.lsp.Client)
---@param waited_ms integer
local function when_ready(client, use, waited_ms)
  if client.initialized then
    return use(client)
  end
  if client:is_stopped() or waited_ms > PATIENCE_MS then
    return M.notify('the bridge did not answer; :checkhealth rdev says why', vim.log.levels.ERROR)
  end
  vim.defer_fn(function()
    when_ready(client, use, waited_ms + STEP_MS)
  end, STEP_MS)
end

--- The running client, started where there is none.
---@param use fun(client: vim.lsp.Client)
function M.with(use)
  local client = M.get() or start()
  if not client then
    return M.notify('the bridge did not start; :checkhealth rdev says why', vim.log.levels.ERROR)
  end
  when_ready(client, use, 0)
end

---@param method string
---@param params table
---@param done? fun(result: any)
function M.request(method, params, done)
  M.with(function(client)
    client:request(method --[[@as any]], params, function(err, result)
      if err then
        return M.notify(err.message, vim.log.levels.ERROR)
      end
      if done then
        done(result)
      end
    end)
  end)
end

return M
