/**
 * Loaded before every test (bunfig.toml): the same surroundings on every machine. Whoever runs the tests may sit behind a proxy, in another
 * time zone, with another umask, and with variables that would lead Rotor or a client elsewhere.
 */
const LEADS_ELSEWHERE = /^(OPENAI|CODEX|OPENCODE)_|^XDG_(CONFIG|DATA|STATE|RUNTIME)|^(NO|FORCE)_COLOR$/;
/** What the tests themselves are told by. */
const OURS = /^ROTOR_(?!(BIN|TEST|SIM|ENTRY)(_|$))/;

for (const name of Object.keys(process.env))
  if (LEADS_ELSEWHERE.test(name) || OURS.test(name)) delete process.env[name];
process.env.TZ = "UTC";
// A proxy stays where it is, because client programs may have to be fetched through it: nothing that a test starts is behind it.
for (const name of ["NO_PROXY", "no_proxy"]) process.env[name] = "127.0.0.1,localhost,::1";
process.umask(0o022);
