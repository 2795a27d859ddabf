/** `rotor help clients`: what to tell Codex, OpenCode, SDKs and curl. Fits 80 columns. */
export const CLIENTS_TOPIC = `CLIENTS

The proxy speaks the OpenAI Responses API on 127.0.0.1:4747, and for programs
that know nothing newer Chat Completions (rotor help chat):

    /v1                    OpenAI SDKs, OpenCode, curl
    /backend-api/codex     the Codex CLI; its bytes pass untouched

Every request needs a client key. One command gives a tool a key of its own and
sends it here; another one takes all of it back:

    rotor connect                    every tool that is known, and how it stands
    rotor connect codex --dry-run    what would change in its files
    rotor connect codex              show it, ask, keep copies, do it
    rotor disconnect codex           its files as they were, byte for byte

Only what is needed is changed: remarks, order and line ends stay, a link stays
a link, a read-only file is left alone. What somebody has edited since stays.
--profile NAME binds the tool's key to a profile. --print changes nothing and
says what to put where, with the key from a variable.

What opencode-multi-auth and codex-multi-auth left in other programs (plugins,
packages, a provider, launchers) goes with rotor connect --clean and comes back
with rotor disconnect replaced.

Codex keeps its built-in provider: it lists and resumes only conversations of
the provider in force, so that the earlier ones stay. Its key stands in the
address, in config.toml, which is closed to others then. --own-provider gives
Codex a provider of its own instead: it compacts by itself, so that a compacted
conversation can move to another account, and earlier ones are not listed.

With curl:

    curl http://127.0.0.1:4747/v1/responses \\
      -H "authorization: Bearer $ROTOR_KEY" \\
      -H "content-type: application/json" \\
      -d '{"model":"gpt-5.5","input":"Say hello.","stream":true}'

Background responses ("background": true) are off until somebody says
rotor setting set background_responses on; they are fetched, streamed, canceled
and deleted by id, and kept in memory for an hour.

Every exchange's answer names it in x-rotor-exchange; rotor exchange show ID
tells which account served it and why.`;
