//! Starts `rdev-bridge lsp` for worktrees that hold an `rdev.toml`.

use zed_extension_api as zed;

struct Rdev;

impl zed::Extension for Rdev {
    fn new() -> Self {
        Rdev
    }

    fn language_server_command(
        &mut self,
        _server: &zed::LanguageServerId,
        worktree: &zed::Worktree,
    ) -> zed::Result<zed::Command> {
        worktree
            .read_text_file("rdev.toml")
            .map_err(|_| "no rdev.toml here: `rdev-bridge init` writes one".to_string())?;
        let command = worktree
            .which("rdev-bridge")
            .ok_or("rdev-bridge is not on PATH: pip install rdev-bridge")?;
        Ok(zed::Command {
            command,
            args: vec!["lsp".to_string()],
            env: worktree.shell_env(),
        })
    }
}

zed::register_extension!(Rdev);
