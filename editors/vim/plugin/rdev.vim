" rdev-bridge as a linter of ALE (https://github.com/dense-analysis/ale), and :Rdev.
if exists('g:loaded_rdev')
  finish
endif
let g:loaded_rdev = 1

" ALE knows linters by filetype; this one is for all of them, where an rdev.toml is.
augroup rdev
  autocmd!
  autocmd FileType * call rdev#define(expand('<amatch>'))
augroup END

command! -nargs=+ -complete=custom,rdev#complete Rdev call rdev#execute(<f-args>)

" How a run ended comes as a message; ALE shows only errors unless it is told to.
let g:ale_lsp_show_message_severity = get(g:, 'ale_lsp_show_message_severity', 'information')
