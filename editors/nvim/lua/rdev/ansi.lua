-- SGR colours (ECMA-48, 8.3.117) to highlights. Other control sequences never reach an editor: the bridge removes them.
local M = {}

---@class rdev.Style what SGR has set so far; colours are 0 to 255
---@field fg? integer
---@field bg? integer
---@field bold? boolean
---@field italic? boolean
---@field underline? boolean
---@field strikethrough? boolean
---@field reverse? boolean

---@class rdev.Span
---@field from integer byte column
---@field to integer
---@field group string

local MAX_GROUPS = 2000 -- Neovim has room for 20,000 in all
local FLAGS = {
  [1] = 'bold', [3] = 'italic', [4] = 'underline', [7] = 'reverse', [9] = 'strikethrough',
  [22] = 'bold', [23] = 'italic', [24] = 'underline', [27] = 'reverse', [29] = 'strikethrough',
}
local ON_DARK = {
  [0] = '#5c6370', '#f0717b', '#8ccf7e', '#e5c76b', '#67b0e8', '#c990dd', '#6cc7c7', '#c8ccd4',
  '#7d828c', '#ff8a93', '#a6e39a', '#f2d98c', '#8cc8f5', '#dfaeee', '#92dede', '#ffffff',
}
local ON_LIGHT = {
  [0] = '#2a2a2a', '#b42318', '#2f7d32', '#8a6100', '#1d5fb0', '#8a2fa0', '#0b7285', '#5f6368',
  '#4a4a4a', '#c62828', '#388e3c', '#9a6c00', '#1976d2', '#9c27b0', '#00838f', '#101010',
}

local made, count = {}, 0 ---@type table<string, rdev.Style>, integer

--- One of xterm's 256 colours, for a GUI or a terminal with true colours.
---@param index? integer
local function colour(index)
  if not index then
    return nil
  elseif index < 16 then
    return vim.g['terminal_color_' .. index] or (vim.o.background == 'light' and ON_LIGHT or ON_DARK)[index]
  elseif index >= 232 then
    local grey = (index - 232) * 10 + 8
    return ('#%02x%02x%02x'):format(grey, grey, grey)
  end
  local function level(part)
    return part == 0 and 0 or 55 + 40 * part
  end
  local rest = index - 16
  return ('#%02x%02x%02x'):format(level(math.floor(rest / 36)), level(math.floor(rest / 6) % 6), level(rest % 6))
end

---@param name string
---@param style rdev.Style
local function define(name, style)
  vim.api.nvim_set_hl(0, name, {
    fg = colour(style.fg),
    bg = colour(style.bg),
    ctermfg = style.fg,
    ctermbg = style.bg,
    bold = style.bold,
    italic = style.italic,
    underline = style.underline,
    strikethrough = style.strikethrough,
    reverse = style.reverse,
    default = true,
  })
end

---@param style rdev.Style
---@return string? group nil for plain text
local function group_for(style)
  if not next(style) then
    return nil
  end
  local parts = { 'RdevAnsi', style.fg or '', style.bg and '_' .. style.bg or '' }
  for _, flag in ipairs({ 'bold', 'italic', 'underline', 'strikethrough', 'reverse' }) do
    parts[#parts + 1] = style[flag] and flag:gsub('^%l', string.upper) or ''
  end
  local name = table.concat(parts)
  if not made[name] then
    if count >= MAX_GROUPS then
      return nil
    end
    count = count + 1
    made[name] = vim.deepcopy(style)
    define(name, style)
  end
  return name
end

vim.api.nvim_create_autocmd('ColorScheme', { -- a colour scheme begins with `:highlight clear`
  group = vim.api.nvim_create_augroup('rdev.ansi', {}),
  callback = function()
    for name, style in pairs(made) do
      define(name, style)
    end
  end,
})

--- The nearest colour of xterm's 6x6x6 cube.
---@param red integer
---@param green integer
---@param blue integer
local function nearest(red, green, blue)
  local function step(level)
    return level < 48 and 0 or level < 115 and 1 or math.min(5, math.floor((level - 35) / 40))
  end
  return 16 + 36 * step(red) + 6 * step(green) + step(blue)
end

---@param words string[]
---@return (integer|false)[] codes false where nothing stands
local function numbers(words)
  return vim.tbl_map(function(word)
    return tonumber(word) or false
  end, words)
end

--- Reads `38;5;n`, `38;2;r;g;b` or the same with colons; returns the last place it used.
---@param style rdev.Style
---@param codes (integer|false)[]
---@param at integer where 38, 48 or 58 stands
---@return integer
local function extended(style, codes, at)
  local value, last = nil, at + 1
  if codes[at + 1] == 5 then
    last = at + 2
    local index = codes[last]
    value = index and index < 256 and index or nil
  elseif codes[at + 1] == 2 then
    local first = codes[at + 2] == false and at + 3 or at + 2 -- `38:2::r:g:b` names a colour space first
    last = first + 2
    local red, green, blue = codes[first], codes[first + 1], codes[last]
    value = red and green and blue and nearest(red, green, blue) or nil
  end
  if codes[at] == 38 then
    style.fg = value
  elseif codes[at] == 48 then
    style.bg = value
  end
  return last
end

--- Applies the parameters of one `ESC [ … m` to `style`.
---@param parameters string
---@param style rdev.Style
local function apply(parameters, style)
  local words = vim.split(parameters, ';', { plain = true })
  local codes = numbers(words)
  local i = 1
  while i <= #words do
    local code = codes[i] or 0
    if words[i]:find(':', 1, true) then
      local parts = numbers(vim.split(words[i], ':', { plain = true }))
      if parts[1] == 4 then -- 4:3 is a curly underline, 4:0 none
        style.underline = parts[2] ~= 0 or nil
      else
        extended(style, parts, 1)
      end
    elseif code == 0 then
      for key in pairs(style) do
        style[key] = nil
      end
    elseif FLAGS[code] then
      style[FLAGS[code]] = code < 20 or nil
    elseif code >= 30 and code <= 37 then
      style.fg = code - 30
    elseif code >= 40 and code <= 47 then
      style.bg = code - 40
    elseif code >= 90 and code <= 97 then
      style.fg = code - 82
    elseif code >= 100 and code <= 107 then
      style.bg = code - 92
    elseif code == 39 then
      style.fg = nil
    elseif code == 49 then
      style.bg = nil
    elseif code == 38 or code == 48 or code == 58 then
      i = extended(style, codes, i)
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
  if not line:find('\27', 1, true) and not next(style) then
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
