/** `rotor help codex`, below the help of the command: what is particular to Codex. Fits 80 columns. */
export const CODEX_TOPIC = `CODEX

For one run, with nothing of Codex's files touched:

    rotor codex                       its screen
    rotor codex exec "…"              one task
    rotor codex resume --last         the last conversation here
    rotor codex --account work exec "…"
    rotor codex --direct              past Rotor, with Codex's own login

For every run: rotor connect codex. For the desktop app: rotor connect
codex-app, which also writes a launcher and a start with the session. The app
was not run with it, only the app-server that it speaks to.

rotor codex gives Codex a provider of its own, rotor, and a key that ends with
the run. The key is in the environment, as ROTOR_KEY; the commands that Codex
runs for the model do not see it. It stays good when the daemon is restarted
on the same port. Codex lists the conversations of every provider, but goes on
only with those of its own: one of another provider goes on as a copy (codex
fork), also with rotor codex resume ID.

The screen runs without Codex's background server (--no-daemon), which would
keep the key. /status shows what the pool has left to a Codex that has a ChatGPT
login of its own (rotor connect codex); with rotor codex it says that there is
no data: rotor status shows it.

Ctrl-C, Ctrl-Z and the size of the window reach Codex as always. TERM and HUP
are passed on; its exit code is ours, 128 + n when signal n ended it. A daemon
that cannot be reached is exit 3, and Codex is not started.

ROTOR_CODEX_BIN names the program when it is not where programs are looked for.`;
