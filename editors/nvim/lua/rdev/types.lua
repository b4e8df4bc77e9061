---@meta
-- The bridge's JSON shapes, for the language server's eyes only. docs/protocol.md has the words to them, and
-- tests/editors/test_nvim_types.py holds this file to what the bridge sends.

---@alias rdev.Stream 'stdout'|'stderr'
---@alias rdev.State 'queued'|'running'|'finished'
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
---@field location? lsp.Location

---@class rdev.Run
---@field runId string
---@field task? string
---@field command string
---@field folder string a file URI
---@field project string
---@field server string
---@field state rdev.State
---@field outcome? rdev.Outcome
---@field exitCode? integer
---@field startedAt string ISO 8601, UTC
---@field durationMs? integer
---@field lines integer
---@field diagnostics? { errors: integer, warnings: integer, unmapped: integer? }
---@field message? string
---@field logUri string
---@field parentRunId? string the run that waits for this one
---@field stale? boolean a file that its task watches has changed since

---@class rdev.Trigger
---@field kind 'request'|'save'|'change'|'dependency'|'attach'
---@field files? string[] file URIs

---@class rdev.Chunk
---@field stream rdev.Stream
---@field lines string[]

---@class rdev.RunStarted
---@field run rdev.Run
---@field trigger rdev.Trigger

---@class rdev.RunParams what `runFinished` and `runStale` bring
---@field run rdev.Run

---@class rdev.Output
---@field runId string
---@field seq integer
---@field chunks rdev.Chunk[]

---@class rdev.OutputGap
---@field runId string
---@field seq integer
---@field missing? integer

---@class rdev.Connection
---@field server string
---@field state 'connected'|'reconnecting'|'resumed'|'offline'
---@field attempt? integer
---@field retryInMs? integer
---@field message? string

---@class rdev.Config
---@field open_on_run boolean open the output window when a run that you asked for starts
---@field open_on_failure boolean open it when a run that started by itself fails
---@field height integer lines of the output window
---@field max_lines integer lines that the output window keeps; the log has them all
---@field quickfix boolean fill the quickfix list when a run ends with problems

---@class rdev.Options
---@field open_on_run? boolean
---@field open_on_failure? boolean
---@field height? integer
---@field max_lines? integer
---@field quickfix? boolean
