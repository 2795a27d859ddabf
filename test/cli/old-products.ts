/**
 * What the replaced products and their forks could be told, as their own documentation and sources name it: the names alone, so that none
 * of them is forgotten in `rotor help`.
 */
const words = (text: string) => text.split(/\s+/).filter((word) => word !== "");

export const OLD_PRODUCTS = {
  "opencode-multi-auth": {
    commands: words("add login remove rm list ls status path web service serve api add-api help codex-accounts"),
    variables: words(`
      OPENCODE_MULTI_AUTH_STORE_DIR OPENCODE_MULTI_AUTH_STORE_FILE OPENCODE_MULTI_AUTH_CODEX_AUTH_FILE CODEX_SOFT_STORE_PASSPHRASE
      CODEX_SOFT_LOG_PATH OPENCODE_MULTI_AUTH_API_KEY OPENCODE_MULTI_AUTH_ROTATION_STRATEGY OPENCODE_MULTI_AUTH_CRITICAL_THRESHOLD
      OPENCODE_MULTI_AUTH_LOW_THRESHOLD OPENCODE_MULTI_AUTH_TOKEN_FAILURE_COOLDOWN_MS OPENCODE_MULTI_AUTH_PROBE_EFFORT
      OPENCODE_MULTI_AUTH_LIMITS_PROBE_MODELS OPENCODE_MULTI_AUTH_REFRESH_QUEUE_CONCURRENCY OPENCODE_MULTI_AUTH_USAGE_BASE_URL
      CODEX_CLI_BIN OPENCODE_MULTI_AUTH_PREFER_CODEX_LATEST OPENCODE_MULTI_AUTH_CODEX_LATEST_MODEL OPENCODE_MULTI_AUTH_INJECT_MODELS
      OPENCODE_MULTI_AUTH_TRUNCATION OPENCODE_MULTI_AUTH_DEBUG OPENCODE_MULTI_AUTH_ANTIGRAVITY_ENABLED OPENCODE_MULTI_AUTH_NOTIFY
      OPENCODE_MULTI_AUTH_NOTIFY_SOUND OPENCODE_MULTI_AUTH_NOTIFY_MAC_OPEN OPENCODE_MULTI_AUTH_NOTIFY_NTFY_URL
      OPENCODE_MULTI_AUTH_NOTIFY_NTFY_TOKEN OPENCODE_MULTI_AUTH_NOTIFY_UI_BASE_URL OPENCODE_MULTI_AUTH_AUTO_LOGIN_SCRIPT
      OPENCODE_MULTI_AUTH_AUTO_LOGIN_CREDENTIALS_FILE OPENCODE_MULTI_AUTH_AUTO_LOGIN_PYTHON OPENCODE_MULTI_AUTH_BROWSER
      OPENCODE_MULTI_AUTH_PROXY OPENCODE_MULTI_AUTH_PROXY_USERNAME OPENCODE_MULTI_AUTH_PROXY_PASSWORD OPENCODE_MULTI_AUTH_PROXY_BYPASS
      OPENCODE_MULTI_AUTH_DEACTIVATED_FILE OPENCODE_MULTI_AUTH_NO_SANDBOX OPENCODE_MULTI_AUTH_API_HOST OPENCODE_MULTI_AUTH_API_PORT
      OPENCODE_MULTI_AUTH_ALLOW_REMOTE_API OPENCODE_MULTI_AUTH_ALLOW_REMOTE_HOST OPENCODE_MULTI_AUTH_REDIRECT_PORTS
      OPENCODE_MULTI_AUTH_STICKY_SESSIONS_ENABLED OPENCODE_MULTI_AUTH_WEB_DIST_DIR OPENCODE_MULTI_AUTH_LOCK_STALE_MS
      OPENCODE_MULTI_AUTH_LOCK_WAIT_MS OPENCODE_MULTI_AUTH_LOCK_POLL_MS OPENCODE_MULTI_AUTH_CREDIT_ACCOUNT_ALIASES
      OPENCODE_MULTI_AUTH_AUTH_INVALID_RETRY_MS OPENCODE_MULTI_AUTH_REQUEST_TIMEOUT_MS OPENCODE_MULTI_AUTH_DUAL_ROUTE_MODELS
      OPENCODE_MULTI_AUTH_SYNC_API OPENCODE_MULTI_AUTH_CODEX_BIN OPENCODE_MULTI_AUTH_SKIP_NATIVE_SYNC OPENCODE_MULTI_AUTH_USER_AGENT
      CODEX_MODE ENABLE_PLUGIN_REQUEST_LOGGING DEBUG_CODEX_PLUGIN`),
    files: words(
      "accounts.json .bak .lkg account-metrics.json sticky-sessions.json codex-soft.log credentials.json codex-soft.service",
    ),
  },
  "codex-multi-auth": {
    commands: words(`
      login status list switch unpin workspace check best tag untag weight pause unpause drain undrain note policy forecast report
      why-selected fix doctor verify-flagged verify uninstall rotation usage budget models bridge integrations monitor history config
      init-config debug features codex-multi-auth-codex --account mcodex codex-multi-auth-app-launcher bind-app unbind-app reset-runtime
      reset-rate-limits --org --device-auth --manual`),
    variables: words(`
      codexMode codexRuntimeRotationProxy codexTuiV2 codexTuiColorProfile codexTuiGlyphMode fastSession fastSessionStrategy
      fastSessionMaxInputItems retryAllAccountsRateLimited retryAllAccountsMaxWaitMs retryAllAccountsMaxRetries unsupportedCodexPolicy
      fallbackOnUnsupportedCodexModel fallbackToGpt52OnUnsupportedGpt53 unsupportedCodexFallbackChain tokenRefreshSkewMs
      tokenInvalidationCooldownMs minRotationIntervalMs networkErrorCooldownMs serverErrorCooldownMs fetchTimeoutMs streamStallTimeoutMs
      sessionAffinity sessionAffinityTtlMs sessionAffinityMaxEntries schedulingStrategy routingMutex pidOffsetEnabled
      preemptiveQuotaEnabled preemptiveQuotaRemainingPercent5h preemptiveQuotaRemainingPercent7d preemptiveQuotaMaxDeferralMs
      storageBackupEnabled perProjectAccounts liveAccountSync liveAccountSyncDebounceMs liveAccountSyncPollMs proactiveRefreshGuardian
      proactiveRefreshIntervalMs proactiveRefreshBufferMs sessionRecovery autoResume responseContinuation backgroundResponses
      parallelProbing parallelProbingMaxConcurrency emptyResponseMaxRetries emptyResponseRetryDelayMs rateLimitDedupWindowMs
      rateLimitStateResetMs rateLimitMaxBackoffMs rateLimitShortRetryThresholdMs rateLimitToastDebounceMs toastDurationMs
      CODEX_AUTH_RETRY_ALL_RATE_LIMITED CODEX_AUTH_UNSUPPORTED_MODEL_POLICY CODEX_AUTH_FALLBACK_UNSUPPORTED_MODEL
      CODEX_AUTH_FALLBACK_GPT53_TO_GPT52 CODEX_AUTH_PROACTIVE_GUARDIAN CODEX_AUTH_PREEMPTIVE_QUOTA_ENABLED
      CODEX_AUTH_PREEMPTIVE_QUOTA_5H_REMAINING_PCT CODEX_AUTH_PREEMPTIVE_QUOTA_7D_REMAINING_PCT
      CODEX_AUTH_PREEMPTIVE_QUOTA_MAX_DEFERRAL_MS dashboardDisplaySettings CODEX_HOME CODEX_MULTI_AUTH_DIR CODEX_MULTI_AUTH_CONFIG_PATH
      CODEX_CLI_AUTH_PATH CODEX_CLI_ACCOUNTS_PATH CODEX_CLI_CONFIG_PATH OC_CHATGPT_MULTI_AUTH_DIR CODEX_MULTI_AUTH_REAL_CODEX_BIN CODEX_BIN
      CODEX_MULTI_AUTH_BYPASS CODEX_MULTI_AUTH_FORCE_ACCOUNT CODEX_MULTI_AUTH_SYNC_CODEX_CLI CODEX_AUTH_SYNC_CODEX_CLI
      CODEX_MULTI_AUTH_AUTO_SYNC_ON_STARTUP CODEX_MULTI_AUTH_FORCE_FILE_AUTH_STORE CODEX_MULTI_AUTH_ENFORCE_CLI_FILE_AUTH_STORE
      CODEX_MULTI_AUTH_STATUSLINE CODEX_MULTI_AUTH_STATUS_QUOTA_REFRESH_INTERVAL_MS CODEX_MULTI_AUTH_CAPTURE_FORWARD_OUTPUT
      CODEX_MULTI_AUTH_DEBUG CODEX_MULTI_AUTH_UPDATE_NOTICE_STARTUP_BUDGET_MS CODEX_MULTI_AUTH_LOCAL_KEY CODEX_MULTI_AUTH_APP_BIND
      CODEX_MULTI_AUTH_APP_LAUNCHER_INSTALL CODEX_MULTI_AUTH_APP_SERVER_CONFIG_ARGS_JSON CODEX_MULTI_AUTH_REAL_CODEX_HOME
      CODEX_MULTI_AUTH_RUNTIME_SHADOW_COPY_GENERATED_DIRS CODEX_AUTH_ACCOUNT_ID CODEX_AUTH_NO_BROWSER BROWSER CODEX_AUTH_REFRESH_LEASE
      CODEX_AUTH_FAILOVER_MODE CODEX_AUTH_STREAM_FAILOVER_MAX CODEX_AUTH_STREAM_STALL_SOFT_TIMEOUT_MS CODEX_AUTH_PREWARM
      CODEX_COLLABORATION_MODE CODEX_THREAD_ID CODEX_SKIP_EMAIL_HYDRATE CODEX_MULTI_AUTH_EXPOSE_ADMIN_TOOLS ENABLE_PLUGIN_REQUEST_LOGGING
      DEBUG_CODEX_PLUGIN CODEX_PLUGIN_LOG_LEVEL CODEX_PLUGIN_LOG_BODIES CODEX_CONSOLE_LOG MCODEX_MONITOR_INTERVAL CODEX_KEYCHAIN`),
    files: words(`
      openai-codex-accounts.json openai-codex-flagged-accounts.json quota-cache.json usage-ledger.jsonl account-policies.json
      routing-profiles.json budget-guards.json local-client-tokens.json settings.json runtime-observability.json refresh-leases
      app-bind runtime-shadow-homes backups projects oc-codex-multi-auth-accounts.json`),
  },
} as const;
