/**
 * Settings (`pluginConfig`) and variables of codex-multi-auth, and what they are here. A setting's variable is `CODEX_AUTH_` and its name in
 * capitals with underscores, but for those that are named here themselves. Words alone.
 */
import type { OldWord } from "./old-words.ts";

export const CODEX_MULTI_AUTH_VARIABLES: readonly OldWord[] = [
  { old: "codexMode, CODEX_MODE", now: "none: the surface is known by the request" },
  { old: "codexRuntimeRotationProxy, CODEX_MULTI_AUTH_RUNTIME_ROTATION_PROXY", now: "rotor connect codex" },
  { old: "codexTuiV2, CODEX_TUI_V2, codexTuiColorProfile, codexTuiGlyphMode", now: "NO_COLOR" },
  { old: "fastSession, fastSessionStrategy, fastSessionMaxInputItems", now: "none: conversations pass untouched" },
  { old: "retryAllAccountsRateLimited, CODEX_AUTH_RETRY_ALL_RATE_LIMITED", now: "setting wait_seconds" },
  { old: "retryAllAccountsMaxWaitMs, CODEX_AUTH_RETRY_ALL_MAX_WAIT_MS", now: "setting wait_seconds" },
  {
    old: "retryAllAccountsMaxRetries, CODEX_AUTH_RETRY_ALL_MAX_RETRIES",
    now: "none: 3 accounts and 4 attempts a request",
  },
  {
    old: "unsupportedCodexPolicy, CODEX_AUTH_UNSUPPORTED_MODEL_POLICY",
    now: "none: another account, else a refusal that names models",
  },
  {
    old: "fallbackOnUnsupportedCodexModel, CODEX_AUTH_FALLBACK_UNSUPPORTED_MODEL, unsupportedCodexFallbackChain",
    now: "rotor model alias set NAME MODEL",
  },
  {
    old: "fallbackToGpt52OnUnsupportedGpt53, CODEX_AUTH_FALLBACK_GPT53_TO_GPT52",
    now: "rotor model alias set NAME MODEL",
  },
  { old: "tokenRefreshSkewMs", now: "setting refresh_minutes_before_expiry" },
  { old: "tokenInvalidationCooldownMs", now: "none: rotor account relogin ALIAS" },
  { old: "minRotationIntervalMs", now: "setting affinity" },
  {
    old: "networkErrorCooldownMs, serverErrorCooldownMs",
    now: "none: a network that is down is nobody's fault; bursts pause the pool shortly",
  },
  { old: "fetchTimeoutMs", now: "setting first_byte_timeout_seconds" },
  { old: "streamStallTimeoutMs", now: "setting silence_timeout_seconds" },
  { old: "sessionAffinity", now: "setting affinity" },
  { old: "sessionAffinityTtlMs", now: "setting affinity_minutes" },
  { old: "sessionAffinityMaxEntries", now: "none: 10,000" },
  { old: "schedulingStrategy", now: "rotor pool strategy balanced, or drain-first for sequential" },
  { old: "routingMutex, pidOffsetEnabled", now: "none: one daemon, which knows what is under way" },
  { old: "preemptiveQuotaEnabled, CODEX_AUTH_PREEMPTIVE_QUOTA_ENABLED", now: "setting critical_action" },
  {
    old: "preemptiveQuotaRemainingPercent5h, CODEX_AUTH_PREEMPTIVE_QUOTA_5H_REMAINING_PCT",
    now: "setting critical_short_percent",
  },
  {
    old: "preemptiveQuotaRemainingPercent7d, CODEX_AUTH_PREEMPTIVE_QUOTA_7D_REMAINING_PCT",
    now: "setting critical_long_percent",
  },
  {
    old: "preemptiveQuotaMaxDeferralMs, CODEX_AUTH_PREEMPTIVE_QUOTA_MAX_DEFERRAL_MS",
    now: "none: until the reset that upstream names",
  },
  { old: "storageBackupEnabled", now: "setting backup_daily" },
  { old: "perProjectAccounts", now: "rotor profile bind NAME DIR" },
  { old: "liveAccountSync, liveAccountSyncDebounceMs, liveAccountSyncPollMs", now: "setting auth_file_watch" },
  { old: "proactiveRefreshGuardian, CODEX_AUTH_PROACTIVE_GUARDIAN", now: "setting refresh_proactively" },
  {
    old: "proactiveRefreshIntervalMs, CODEX_AUTH_PROACTIVE_GUARDIAN_INTERVAL_MS",
    now: "none: each login at its own time",
  },
  {
    old: "proactiveRefreshBufferMs, CODEX_AUTH_PROACTIVE_GUARDIAN_BUFFER_MS",
    now: "setting refresh_minutes_before_expiry",
  },
  {
    old: "sessionRecovery, autoResume, responseContinuation",
    now: "none: the client's own; what is lost it sends again",
  },
  { old: "backgroundResponses", now: "setting background_responses" },
  { old: "parallelProbing, parallelProbingMaxConcurrency", now: "none: two at a time" },
  { old: "emptyResponseMaxRetries, emptyResponseRetryDelayMs", now: "none: what fails before output moves on" },
  {
    old: "rateLimitDedupWindowMs, rateLimitStateResetMs, rateLimitMaxBackoffMs, rateLimitShortRetryThresholdMs",
    now: "none: upstream's own times; else 30 s, doubling to 10 min",
  },
  { old: "rateLimitToastDebounceMs, toastDurationMs", now: "none" },
  { old: "dashboardDisplaySettings", now: "none" },
  { old: "CODEX_HOME", now: "CODEX_HOME" },
  { old: "CODEX_MULTI_AUTH_DIR", now: "ROTOR_HOME; rotor import reads the old one" },
  { old: "CODEX_MULTI_AUTH_CONFIG_PATH", now: "ROTOR_CONFIG" },
  {
    old: "CODEX_CLI_AUTH_PATH, CODEX_CLI_ACCOUNTS_PATH, CODEX_CLI_CONFIG_PATH",
    now: "CODEX_HOME; rotor account switch ALIAS --file PATH",
  },
  { old: "OC_CHATGPT_MULTI_AUTH_DIR", now: "rotor import PATH" },
  { old: "CODEX_MULTI_AUTH_REAL_CODEX_BIN, CODEX_BIN", now: "none: codex is codex" },
  { old: "CODEX_MULTI_AUTH_BYPASS", now: "rotor codex --direct, or plain codex" },
  { old: "CODEX_MULTI_AUTH_FORCE_ACCOUNT, CODEX_MULTI_AUTH_FORCE_ACCOUNT_INDEX", now: "rotor pool pin ALIAS" },
  {
    old: "CODEX_MULTI_AUTH_SYNC_CODEX_CLI, CODEX_AUTH_SYNC_CODEX_CLI, CODEX_MULTI_AUTH_AUTO_SYNC_ON_STARTUP",
    now: "none: nobody's auth.json is written but by rotor account switch ALIAS",
  },
  { old: "CODEX_MULTI_AUTH_FORCE_FILE_AUTH_STORE, CODEX_MULTI_AUTH_ENFORCE_CLI_FILE_AUTH_STORE", now: "none" },
  {
    old: "CODEX_MULTI_AUTH_STATUSLINE, CODEX_MULTI_AUTH_STATUS_QUOTA_REFRESH_INTERVAL_MS",
    now: "setting usage_poll_minutes",
  },
  { old: "CODEX_MULTI_AUTH_CAPTURE_FORWARD_OUTPUT", now: "none" },
  { old: "CODEX_MULTI_AUTH_DEBUG", now: "ROTOR_LOG=debug" },
  { old: "CODEX_MULTI_AUTH_UPDATE_NOTICE_STARTUP_BUDGET_MS", now: "none: Rotor asks nobody for updates" },
  { old: "CODEX_MULTI_AUTH_LOCAL_KEY", now: "rotor key create NAME" },
  { old: "CODEX_MULTI_AUTH_APP_ROTATION_*", now: "none: no helper processes; setting idle_stop_minutes" },
  {
    old: "CODEX_MULTI_AUTH_APP_BIND, CODEX_MULTI_AUTH_APP_BIND_INSTALL, CODEX_MULTI_AUTH_APP_BIND_CODEX_HOME, CODEX_MULTI_AUTH_APP_LAUNCHER_INSTALL, CODEX_MULTI_AUTH_APP_LAUNCHER_WINDOWS_DESKTOP_DIR, CODEX_MULTI_AUTH_APP_LAUNCHER_MACOS_DIR",
    now: "rotor connect codex",
  },
  { old: "CODEX_MULTI_AUTH_APP_SERVER_CONFIG_ARGS_JSON, CODEX_MULTI_AUTH_APP_SERVER_ACCOUNT_LABEL", now: "none" },
  {
    old: "CODEX_MULTI_AUTH_REAL_CODEX_HOME, CODEX_MULTI_AUTH_RUNTIME_SHADOW_COPY_GENERATED_DIRS",
    now: "none: Codex keeps its own home",
  },
  {
    old: "CODEX_MULTI_AUTH_WINDOWS_BATCH_SHIM_GUARD, CODEX_MULTI_AUTH_PWSH_PROFILE_GUARD, CODEX_MULTI_AUTH_OVERWRITE_CUSTOM_BATCH_SHIM",
    now: "none: no shims",
  },
  { old: "CODEX_AUTH_ACCOUNT_ID", now: "rotor login --workspace ID" },
  { old: "CODEX_AUTH_NO_BROWSER, BROWSER", now: "ROTOR_NO_BROWSER; rotor login --no-browser" },
  {
    old: "CODEX_AUTH_REFRESH_LEASE, CODEX_AUTH_REFRESH_LEASE_DIR, CODEX_AUTH_REFRESH_LEASE_TTL_MS, CODEX_AUTH_REFRESH_LEASE_WAIT_MS, CODEX_AUTH_REFRESH_LEASE_POLL_MS, CODEX_AUTH_REFRESH_LEASE_RESULT_TTL_MS",
    now: "none: one daemon renews, one renewal an account",
  },
  { old: "CODEX_AUTH_FAILOVER_MODE", now: "rotor setting preset balanced" },
  { old: "CODEX_AUTH_STREAM_FAILOVER_MAX", now: "none: 3 accounts and 4 attempts a request" },
  {
    old: "CODEX_AUTH_STREAM_STALL_SOFT_TIMEOUT_MS, CODEX_AUTH_STREAM_STALL_HARD_TIMEOUT_MS",
    now: "setting silence_timeout_seconds",
  },
  {
    old: "CODEX_AUTH_PREWARM, CODEX_COLLABORATION_MODE, CODEX_THREAD_ID, CODEX_SKIP_EMAIL_HYDRATE, CODEX_MULTI_AUTH_EXPOSE_ADMIN_TOOLS",
    now: "none",
  },
  { old: "ENABLE_PLUGIN_REQUEST_LOGGING, CODEX_PLUGIN_LOG_BODIES", now: "none: bodies are never logged" },
  { old: "DEBUG_CODEX_PLUGIN, CODEX_PLUGIN_LOG_LEVEL, CODEX_CONSOLE_LOG", now: "ROTOR_LOG" },
  { old: "MCODEX_MONITOR_INTERVAL, MCODEX_*", now: "none: rotor pool watch tells as it happens" },
  { old: "CODEX_MULTI_AUTH_TEST_*", now: "rotor simulate --scenario FILE" },
  { old: "CODEX_KEYCHAIN", now: "[seal] guard; rotor seal change keychain" },
];
