/** `rotor help config`: every key of the config file and every variable that wins over it. Fits 80 columns. */
export const CONFIG_TOPIC = `CONFIG

config.toml (rotor path config) is read when the daemon starts. Every key has
a default that is right; an absent file is fine. Unknown keys are refused with
their line.

    [proxy]
    host = "127.0.0.1"       # anything else lends out your logins
    port = 4747              # 0 takes a free one
    allowed_hosts = []       # Host names that another host may be called by

    [upstream]               # how a simulator is plugged in
    base_url = "https://chatgpt.com/backend-api"
    issuer = "https://auth.openai.com"
    client = "socket"        # or "fetch", the default behind an HTTPS_PROXY

    [codex]
    # home = "/home/me/.codex"   where the Codex CLI keeps its login

    [seal]                   # rotor help seal
    guard = "auto"           # of a new store: keychain, passphrase, key_file
    # passphrase_file = "/run/secrets/rotor"

    [log]
    level = "info"           # debug, info, warn, error

    [metrics]                # for a Prometheus; off unless named
    # listen = "127.0.0.1:9464"  loopback only; GET /metrics, no key needed

    [setting]                # any setting of rotor setting list
    wait_seconds = 20

Environment, which wins over the file:

    ROTOR_HOME               one folder for data, config, socket and log
    ROTOR_CONFIG             the config file
    ROTOR_SOCKET             the control socket
    ROTOR_LOG_FILE           the log file
    ROTOR_LOG                level of the log
    ROTOR_METRICS_LISTEN     metrics.listen
    ROTOR_UPSTREAM_BASE_URL  upstream
    ROTOR_UPSTREAM_ISSUER    its OAuth issuer
    ROTOR_SEAL_GUARD         what guards a new store
    ROTOR_PASSPHRASE         passphrase of the seal
    ROTOR_PASSPHRASE_FILE    a file (0600) whose first line is that
    ROTOR_SETTING_…          a setting, e.g. ROTOR_SETTING_WAIT_SECONDS
    CODEX_HOME               home of the Codex CLI
    ROTOR_NO_BROWSER         open no browser to sign in
    NO_COLOR                 no colour

What may change while the daemon runs is a setting: rotor setting list.`;
