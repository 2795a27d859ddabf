/**
 * What Codex 0.169 sends over its WebSocket (`codex exec`, gpt-5.5; recorded 2026-11-21 on loopback): members and their order as they came, long
 * texts cut, the tools left out. No tokens.
 */

const THREAD = "01a1fbc6-8251-7430-8713-41156faf6ec6";

const prompt = {
  type: "message",
  id: "msg_78e9e492-8ef6-5c20-8304-0e2dc9350a23",
  role: "developer",
  content: [{ type: "input_text", text: "You are Codex, a coding agent based on GPT-5." }],
};

const environment = {
  type: "message",
  id: "msg_01a1fbc6-8415-7090-ad90-c1715a3e94d2",
  role: "user",
  content: [{ type: "input_text", text: "<environment_context>\n  <cwd>/home/user/project</cwd>\n" }],
};

const settings = {
  tool_choice: "auto",
  parallel_tool_calls: true,
  reasoning: { effort: "medium" },
  store: false,
  include: ["reasoning.encrypted_content"],
  prompt_cache_key: THREAD,
  text: { verbosity: "low" },
};

const metadata = (kind: string) => ({
  session_id: THREAD,
  "x-codex-turn-metadata": JSON.stringify({ session_id: THREAD, request_kind: kind }),
  "x-codex-window-id": `${THREAD}:0`,
  mcp_attribution: '{"status":"none"}',
});

/** The first frame: nothing is generated. */
export const WARM_UP = {
  type: "response.create",
  model: "gpt-5.5",
  stream: true,
  input: [prompt],
  ...settings,
  generate: false,
  client_metadata: metadata("prewarm"),
};

/** The second: only what is new, after the response to the first. */
export const TURN = {
  type: "response.create",
  model: "gpt-5.5",
  stream: true,
  previous_response_id: "resp_fake_1",
  input: [environment],
  ...settings,
  client_metadata: metadata("turn"),
};

/** The body that the two of them stand for over HTTP: its members in the order of the second. */
export const TURN_OVER_HTTP = {
  model: "gpt-5.5",
  stream: true,
  input: [prompt, environment],
  ...settings,
  client_metadata: metadata("turn"),
};
