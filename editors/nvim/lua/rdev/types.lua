---@meta
-- The bridge's JSON shapes, for the language server's eyes only. docs/protocol.md has the words to them.

---@alias rdev.Stream 'stdout'|'stderr'
---@alias rdev.Outcome 'succeeded'|'failed'|'cancelled'|'superseded'|'timedOut'|'lost'|'error'

---@class rdev.Task
---@field id string
---@field name string
---@field folder string a file URI
---@field command string
---@field description? string
---@field group? 'build'|'test'|'run'
---@field watching boolean
---@field trusted boolean

---@class rdev.Run
---@field runId string
---@field task? string
---@field command string
---@field folder string
---@field project string
---@field state 'queued'|'running'|'finished'
---@field outcome? rdev.Outcome
---@field exitCode? integer
---@field startedAt string
---@field durationMs? integer
---@field lines integer
---@field diagnostics? { errors: integer, warnings: integer }
---@field message? string
---@field logUri string
---@field parentRunId? string

---@class rdev.Trigger
---@field kind 'request'|'save'|'change'|'dependency'|'attach'
---@field files? string[]

---@class rdev.Chunk
---@field stream rdev.Stream
---@field lines string[]

---@class rdev.Output
---@field runId string
---@field seq integer
---@field chunks rdev.Chunk[]

---@class rdev.Config
---@field open_on_run? boolean open the output window when a run that you asked for starts (default true)
---@field open_on_failure? boolean open it when a run that started by itself fails (default false)
---@field height? integer lines of the output window (default 12)
---@field max_lines? integer lines that the output window keeps; the log has them all (default 50000)
---@field quickfix? boolean fill the quickfix list when a run ends with problems (default true)
