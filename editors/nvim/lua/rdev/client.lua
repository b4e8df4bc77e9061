-- The one way to the bridge: finds the client, sends a request, reports an error kindly.
local M = {}

---@return vim.lsp.Client?
function M.get()
  local here = vim.lsp.get_clients({ name = 'rdev', bufnr = 0 })[1]
  return here or vim.lsp.get_clients({ name = 'rdev' })[1]
end

---@param message string
---@param level? integer
function M.notify(message, level)
  vim.notify('rdev: ' .. message, level or vim.log.levels.INFO)
end

--- The running client; starts one for the current folder where no file has been opened yet.
---@param use fun(client: vim.lsp.Client)
function M.with(use)
  local client = M.get()
  if not client then
    local config = vim.lsp.config.rdev
    local root = vim.fs.root(0, { 'rdev.toml', '.git' }) or vim.fn.getcwd()
    local id = config and vim.lsp.start(vim.tbl_extend('force', config, { name = 'rdev', root_dir = root }))
    client = id and vim.lsp.get_client_by_id(id) or nil
  end
  if not client then
    M.notify('the bridge did not start; :checkhealth rdev says why', vim.log.levels.ERROR)
    return
  end
  if client.initialized then
    return use(client)
  end
  vim.api.nvim_create_autocmd('LspAttach', {
    once = true,
    callback = function(event)
      if event.data.client_id == client.id then
        use(client)
      end
    end,
  })
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
