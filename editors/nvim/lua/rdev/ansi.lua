-- SGR colours (ECMA-48, 8.3.117) to highlights. Other control sequences never reach an editor: the bridge removes them.
local M = {}

---@class rdev.Style
---@field fg? integer
---@field bold? boolean

---@class rdev.Span
---@field from integer byte column
---@field to integer
---@field group string

local made = {} ---@type table<string, true>

---@param style rdev.Style
---@return string?
local function group_for(style)
  if not style.fg and not style.bold then
    return nil
  end
  local name = ('RdevAnsi%s%s'):format(style.fg or '', style.bold and 'Bold' or '')
  if not made[name] then
    made[name] = true
    local colour = style.fg and vim.g['terminal_color_' .. style.fg]
    local names = {
      [0] = 'Black', 'DarkRed', 'DarkGreen', 'DarkYellow', 'DarkBlue', 'DarkMagenta', 'DarkCyan', 'LightGray',
      'DarkGray', 'Red', 'Green', 'Yellow', 'Blue', 'Magenta', 'Cyan', 'White',
    }
    vim.api.nvim_set_hl(0, name, {
      fg = colour or (style.fg and names[style.fg]),
      ctermfg = style.fg,
      bold = style.bold,
      default = true,
    })
  end
  return name
end

--- Applies the parameters of one `ESC [ … m` to `style`.
---@param parameters string
---@param style rdev.Style
local function apply(parameters, style)
  local codes = vim.tbl_map(function(part)
    return tonumber(part) or 0
  end, vim.split(parameters, '[;:]'))
  local i = 1
  while i <= #codes do
    local code = codes[i]
    if code == 0 then
      style.fg, style.bold = nil, nil
    elseif code == 1 then
      style.bold = true
    elseif code == 22 then
      style.bold = nil
    elseif code >= 30 and code <= 37 then
      style.fg = code - 30
    elseif code >= 90 and code <= 97 then
      style.fg = code - 90 + 8
    elseif code == 39 then
      style.fg = nil
    elseif code == 38 or code == 48 then
      local indexed = codes[i + 1] == 5
      if code == 38 and indexed and (codes[i + 2] or 16) < 16 then
        style.fg = codes[i + 2]
      end
      i = i + (indexed and 2 or 4) -- other colours have no name here: skip their parameters
    end
    i = i + 1
  end
end

--- The text of `line` without its colours, and where they stand. `style` carries over to the next line.
---@param line string
---@param style rdev.Style
---@return string plain
---@return rdev.Span[] spans
function M.parse(line, style)
  if not line:find('\27', 1, true) and not style.fg and not style.bold then
    return line, {}
  end
  local parts, spans, column, from = {}, {}, 0, 1
  local function take(text)
    if text ~= '' then
      local group = group_for(style)
      if group then
        spans[#spans + 1] = { from = column, to = column + #text, group = group }
      end
      parts[#parts + 1] = text
      column = column + #text
    end
  end
  while true do
    local start, stop, parameters = line:find('\27%[([%d;:]*)m', from)
    if not start then
      break
    end
    take(line:sub(from, start - 1))
    apply(parameters, style)
    from = stop + 1
  end
  take(line:sub(from))
  return table.concat(parts), spans
end

return M
