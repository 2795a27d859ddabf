/**
 * The upstream of the WebSocket suite: the same answer as frames on a WebSocket and as an event stream over HTTP, so that both ways out of the
 * target can be compared. On a core of its own; only the target's CPU is counted.
 *
 *   bun socket-upstream.ts PORT          GET /__ctl?events=20&interval_ms=0 says what an answer is: all at once, or an event every so often
 */
const encoder = new TextEncoder();
let events = 20;
let intervalMs = 0;
let turns = 0;

const LIMITS = {
  "x-codex-plan-type": "plus",
  "x-codex-primary-used-percent": "5",
  "x-codex-primary-window-minutes": "300",
  "x-codex-primary-reset-after-seconds": "9000",
  "x-codex-secondary-used-percent": "7",
  "x-codex-secondary-window-minutes": "10080",
  "x-codex-secondary-reset-after-seconds": "90000",
};
const LIMITS_EVENT = JSON.stringify({
  type: "codex.rate_limits",
  plan_type: "plus",
  rate_limits: {
    allowed: true,
    limit_reached: false,
    primary: { used_percent: 5, window_minutes: 300, reset_after_seconds: 9000 },
    secondary: { used_percent: 7, window_minutes: 10080, reset_after_seconds: 90000 },
  },
});

interface Answer {
  readonly opening: string[];
  readonly delta: string;
  readonly end: string[];
}

function answer(): Answer {
  const id = `resp_${++turns}`;
  const item = {
    id: "msg_1",
    type: "message",
    status: "completed",
    role: "assistant",
    content: [{ type: "output_text", annotations: [], text: "done" }],
  };
  const response = { id, object: "response", created_at: 1_790_000_000, status: "in_progress", model: "gpt-5-codex" };
  const usage = {
    input_tokens: 1200,
    input_tokens_details: { cached_tokens: 1000 },
    output_tokens: 20,
    total_tokens: 1220,
  };
  const said = (event: object) => JSON.stringify(event);
  return {
    opening: [
      LIMITS_EVENT,
      said({ type: "response.created", sequence_number: 0, response }),
      said({ type: "response.in_progress", sequence_number: 1, response }),
      said({ type: "response.output_item.added", sequence_number: 2, output_index: 0, item: { id: "msg_1" } }),
    ],
    delta: said({
      type: "response.output_text.delta",
      sequence_number: 9,
      item_id: "msg_1",
      output_index: 0,
      content_index: 0,
      delta: "x".repeat(24),
    }),
    end: [
      said({ type: "response.output_item.done", sequence_number: 91, output_index: 0, item }),
      said({
        type: "response.completed",
        sequence_number: 92,
        response: { ...response, status: "completed", output: [item], usage },
      }),
    ],
  };
}

const sse = (event: string) => `event: ${event.slice(9, event.indexOf('"', 9))}\ndata: ${event}\n\n`;

/** In the order in which they are said, with a pause before each of the deltas if there is to be one. */
async function say({ opening, delta, end }: Answer, send: (events: string[]) => void): Promise<void> {
  if (intervalMs === 0) return send([...opening, ...new Array<string>(events).fill(delta), ...end]);
  send(opening);
  for (let i = 0; i < events; i++) {
    await Bun.sleep(intervalMs);
    send([delta]);
  }
  send(end);
}

Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  idleTimeout: 0,
  async fetch(request, server) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/__ctl") {
      events = Number(searchParams.get("events") ?? events);
      intervalMs = Number(searchParams.get("interval_ms") ?? intervalMs);
      return Response.json({ turns });
    }
    if (pathname.endsWith("/models")) return Response.json({ models: [] });
    if (request.headers.get("upgrade") === "websocket") {
      if (server.upgrade(request, { headers: LIMITS })) return undefined;
      return new Response(null, { status: 400 });
    }
    if (!pathname.endsWith("/responses")) return Response.json({ error: { message: "not found" } }, { status: 404 });
    await request.arrayBuffer();
    const headers = { ...LIMITS, "content-type": "text/event-stream" };
    const body = new ReadableStream({
      async start(controller) {
        await say(answer(), (said) => controller.enqueue(encoder.encode(said.map(sse).join(""))));
        controller.close();
      },
    });
    return new Response(body, { headers });
  },
  websocket: {
    perMessageDeflate: false,
    message(socket) {
      void say(answer(), (said) => socket.cork(() => said.forEach((event) => void socket.sendText(event))));
    },
  },
});
