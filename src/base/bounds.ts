/**
 * Every bound by name, with its reason. A number that limits something stands here or is a setting.
 */

/** Decoded request bodies and WebSocket frames: Codex sends whole histories; contracts §7. */
export const BODY_MAX_BYTES = 128 * 1024 * 1024;
/** A request body has this long to arrive, and a second more for every so many bytes of it: slow lines are served, a client that stops is not waited for. */
export const BODY_PATIENCE_MS = 30_000;
export const BODY_SLOWEST_BYTES_PER_SECOND = 256 * 1024;
/** A compressed body may not unfold to more than the limit above; checked while unfolding. */
export const CONTROL_MESSAGE_MAX_BYTES = 64 * 1024 * 1024;
/** Error bodies are read whole to be classified; a page longer than this is cut, never buffered on. */
export const ERROR_BODY_MAX_BYTES = 256 * 1024;
/** One SSE event that we must read (terminal, limits) is kept at most this long before we stop looking into it. */
export const SSE_EVENT_MAX_BYTES = 16 * 1024 * 1024;

/** WebSockets of clients open at once: a busy desk has some twenty. One more is told to ask over HTTP. */
export const CLIENT_SOCKETS_MAX = 1_024;
/** Requests that may wait on one of them. Codex sends one at a time. */
export const CLIENT_SOCKET_QUEUE = 16;
/** Between two requests people read and think, and go to lunch. */
export const CLIENT_SOCKET_IDLE_MS = 60 * 60_000;
/** What all client sockets together remember of their conversations; a chain that does not fit is sent again by its client. */
export const SOCKET_CHAINS_MAX_BYTES = 256 * 1024 * 1024;

/** Opening events held back so that a failure inside a 200 can still move on; contracts §5. */
export const HOLD_BACK_MAX_EVENTS = 16;
export const HOLD_BACK_MAX_BYTES = 64 * 1024;
export const HOLD_BACK_MAX_MS = 2_000;
/** An upstream that thinks for longer is vouched for: well below any idle time seen (Codex 300 s, proxies in between 60 s), and seldom. */
export const SILENCE_BRIDGE_MS = 15_000;

/** One exchange tries at most so many accounts, so that one bad request cannot burn the pool; product §4. */
export const EXCHANGE_MAX_ACCOUNTS = 3;
export const EXCHANGE_MAX_ATTEMPTS = 4;

/** 429 without a stated time: 30 s, doubling to 10 min; product §4. */
export const COOLDOWN_FIRST_MS = 30_000;
export const COOLDOWN_LONGEST_MS = 600_000;
/** A refresh that failed for a passing reason: 60 s, doubling, same ceiling; contracts §15. */
export const REFRESH_COOLDOWN_FIRST_MS = 60_000;
/** A login that another program renews and has not: it does so when it is next used, so we look again after 5 s, doubling. */
export const OWNER_LATE_FIRST_MS = 5_000;
/** A login file is a few kilobytes; what is larger is not one. */
export const LOGIN_FILE_MAX_BYTES = 1024 * 1024;
/** An upstream reset further away than this is taken for nonsense (a month-long window is 31 days). */
export const RESET_LONGEST_MS = 366 * 24 * 3_600_000;

/** A Unix socket path must fit `sun_path` (104 on macOS, 108 on Linux) with room for a suffix; contracts §10. */
export const SOCKET_PATH_MAX_BYTES = 100;

/** Conversations whose account is remembered at once; the least recently used is forgotten first. */
export const AFFINITY_MAX_CONVERSATIONS = 10_000;

/** Background responses under way at once: each is an exchange with nobody waiting for it. */
export const BACKGROUND_MAX_RUNNING = 32;
/** All that are kept, ended ones too; who ended first goes first. */
export const BACKGROUND_MAX_KEPT = 256;
/** Events of one of them: a long answer with its reasoning is some hundred kilobytes. */
export const BACKGROUND_ONE_MAX_BYTES = 32 * 1024 * 1024;
/** Requests under way, events and answers of all of them. */
export const BACKGROUND_ALL_MAX_BYTES = 256 * 1024 * 1024;
/** After its end: who polls comes back within minutes. */
export const BACKGROUND_KEEP_MS = 60 * 60_000;

/** Accounts that metrics name one by one; what counts over all of them goes on counting them all. */
export const METRICS_MAX_ACCOUNTS = 1_000;

/** Logins open at once: more than anybody signs in to side by side, few enough that a loop of clients cannot flood the issuer. */
export const LOGINS_OPEN_MAX = 16;
/** Ended logins are shown for an hour, the latest hundred at most. */
export const LOGINS_ENDED_MAX = 100;
