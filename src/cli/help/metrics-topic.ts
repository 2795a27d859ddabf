/** `rotor help metrics`: how a Prometheus fetches what Rotor counts, and what that is. Fits 80 columns. */
export const METRICS_TOPIC = `METRICS

Off unless the config names a place, and then on loopback only:

    [metrics]
    listen = "127.0.0.1:9464"      # or ROTOR_METRICS_LISTEN; port 0 = any free

GET /metrics there answers in Prometheus' text format and asks for no key: it
tells numbers and aliases, never an e-mail address, a token or a model name.
The proxy does not serve it. daemon.json holds its address (metrics_url).

    rotor_exchanges_total{surface,status,outcome}      requests that ended
    rotor_attempts_total{outcome}                      tries on one account
    rotor_failovers_total                              moves to another account
    rotor_first_event_seconds                          histogram, by surface
    rotor_tokens_total{kind}                           input, cached, output
    rotor_refreshes_total, rotor_refresh_failures_total
    rotor_accounts, rotor_accounts_usable, rotor_accounts_held{kind}
    rotor_open_leases{account}                         requests under way
    rotor_window_used_percent{account,limit,slot,minutes}
    rotor_log_errors_total, rotor_resident_memory_bytes, rotor_ready
    rotor_build_info{version}

An outcome is a code of rotor help errors, or how the last attempt ended. The
counters begin at zero when the daemon starts.`;
