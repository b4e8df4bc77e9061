" The bridge through ALE: diagnostics and run on save by themselves, tasks by :ALECodeAction or :Rdev.

let s:commands = {
\   'run': 'rdev.run',
\   'cancel': 'rdev.cancel',
\   'watch': 'rdev.watch',
\   'log': 'rdev.showOutput',
\}

let s:has_ale = !empty(globpath(&runtimepath, 'autoload/ale/linter.vim'))
let g:ale_rdev_executable = get(g:, 'ale_rdev_executable', 'rdev-bridge')

" The folder that holds the rdev.toml of a buffer; empty, and ALE starts nothing, where there is none.
function! rdev#root(buffer) abort
  let l:file = ale#path#FindNearestFile(a:buffer, 'rdev.toml')
  return empty(l:file) ? '' : fnamemodify(l:file, ':p:h')
endfunction

function! rdev#define(filetype) abort
  if !s:has_ale
    return
  endif
  for l:filetype in split(a:filetype, '\.')
    call ale#linter#Define(l:filetype, {
    \   'name': 'rdev',
    \   'lsp': 'stdio',
    \   'executable': {buffer -> ale#Var(buffer, 'rdev_executable')},
    \   'command': '%e lsp',
    \   'project_root': function('rdev#root'),
    \   'language': l:filetype,
    \})
  endfor
endfunction

" :Rdev run test, :Rdev cancel, :Rdev watch test, :Rdev log
function! rdev#execute(word, ...) abort
  if !s:has_ale
    echo 'rdev: ALE is not on the runtime path; :packadd ale, or install it'
    return
  endif
  if !has_key(s:commands, a:word)
    return s:say('there is no :Rdev ' . a:word . '; there are ' . join(sort(keys(s:commands)), ', '))
  endif
  if empty(rdev#root(bufnr('')))
    return s:say('no rdev.toml at or above this file: `rdev-bridge init` writes one')
  endif
  if empty(&filetype)
    return s:say('no filetype, and so no ALE; put `filetype plugin on` into your vimrc')
  endif
  if a:word is# 'run' && a:0 == 0
    return s:say('run what? :Rdev run {task}, or :ALECodeAction to choose one')
  endif
  call ale#lsp_linter#SendRequest(
  \   bufnr(''),
  \   'rdev',
  \   ale#lsp#message#ExecuteCommand(s:commands[a:word], s:arguments(a:word, a:000)),
  \   function('s:answered', [a:word]),
  \)
endfunction

" `${file}` in a task's command means the file of this buffer.
function! s:arguments(word, words) abort
  if a:word isnot# 'run'
    return copy(a:words)
  endif
  return [{
  \   'task': a:words[0],
  \   'arguments': a:words[1:],
  \   'file': ale#util#ToURI(expand('%:p')),
  \}]
endfunction

function! s:answered(word, response) abort
  if has_key(a:response, 'error')
    return s:say(a:response.error.message)
  endif
  let l:result = get(a:response, 'result')
  if a:word is# 'watch'
    call s:say(l:result.watching ? 'runs on save' : 'does not run on save any more')
  elseif a:word is# 'run' && l:result.disposition isnot# 'started'
    call s:say(l:result.disposition)
  elseif a:word is# 'cancel'
    call s:say(l:result.accepted ? 'cancelling' : 'nothing is running')
  endif
endfunction

function! s:say(message) abort
  call ale#util#ShowMessage('rdev: ' . a:message)
endfunction

" The words, and the tasks as they stand in rdev.toml.
function! rdev#complete(lead, line, position) abort
  let l:words = split(a:line[: a:position - 1], '\s\+', 1)
  if len(l:words) <= 2
    return join(sort(keys(s:commands)), "\n")
  endif
  let l:root = rdev#root(bufnr(''))
  if empty(l:root) || l:words[1] is# 'cancel'
    return ''
  endif
  let l:tasks = map(readfile(l:root . '/rdev.toml'), 'matchstr(v:val, ''^\s*\[tasks\.\zs[^]]\+'')')
  return join(filter(l:tasks, '!empty(v:val)'), "\n")
endfunction
