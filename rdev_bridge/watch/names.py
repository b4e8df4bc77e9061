"""Which file names are an editor's own doing: swap, lock, backup and temporary files."""

from __future__ import annotations

import re

# Sources: vim's `swapfile` and `backup` help and its 4913 probe (it tries 4913, 5036, ... in steps of 123), the nodes
# "Interlocking" and "Auto Saving" of the Emacs manual, IntelliJ's safe write, VS Code's atomic save, KTextEditor's swap
# file, Helix' backup; below GIO's temporary output, GNU sed -i, Sublime's atomic save, NFS silly renames.
# A group holds the name of the file being edited.
_SAVING = re.compile(
    r"""  \.(?P<vim>.+)\.sw[a-px]   # vim, nano
        | \.\#(?P<emacs>.+)         # Emacs' lock
        | (?P<jetbrains>.+)___jb_(?:tmp|old)___
        | \.(?P<kate>.+)\.kate-swp
        | (?P<vscode>.+)\.vsctmp
        | (?P<helix>.+)\.bck
    """,
    re.VERBOSE,
)
_OTHER = re.compile(
    r"""  .+~                       # backups of vim, Emacs, gedit, ...
        | \#.+\#                    # Emacs' auto-save
        | .*\.un~
        | \.goutputstream-.{6}
        | sed[A-Za-z0-9]{6}
        | \.subl[A-Za-z0-9]+\.tmp
        | (?:\.\#)?\.?flycheck_.+ | .+_flymake(?:\..+)?
        | \.DS_Store | \._.+ | Thumbs\.db | desktop\.ini
        | \.nfs[0-9a-f]{8,}
        | \.~lock\..+\#             # LibreOffice
    """,
    re.VERBOSE,
)
ANY_FILE = "*"


def is_temporary(name: str) -> bool:
    """Whether a change of a file called `name` is no change of the user's work."""
    return saving(name) is not None or _OTHER.fullmatch(name) is not None


def saving(name: str) -> str | None:
    """The file that an editor is at while it touches `name`: its name, `ANY_FILE` where that is not told, or None."""
    if name.isdecimal() and len(name) <= 5 and int(name) >= 4913 and (int(name) - 4913) % 123 == 0:
        return ANY_FILE
    found = _SAVING.fullmatch(name)
    return found.group(found.lastgroup or 0) if found else None
